"""Clips are checked from wherever Python code may stand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import videos


@pytest.mark.parametrize("run_as", ["script", "standard input"])
def test_it_works_from_a_script_without_a_main_guard_and_brings_no_torch(
    tmp_path: Path, run_as: str
) -> None:
    video = videos.write_video(tmp_path / "clip.mp4")
    script = (
        "import sys; from pathlib import Path; from emorec.data.check import check_clips\n"
        f"print(check_clips([Path({str(video)!r})], workers=2, memory=Path({str(tmp_path / 'm')!r})))\n"
        "print('torch' in sys.modules)\n"
    )
    if run_as == "script":
        (tmp_path / "script.py").write_text(script)
        command, given = [sys.executable, str(tmp_path / "script.py")], None
    else:
        command, given = [sys.executable, "-"], script
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\nFalse\n", "")
