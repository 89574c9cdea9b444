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
        "import sys; from pathlib import Path; from emorec.data.clip import Clip\n"
        "from emorec.data.cache.look_through import look_through\n"
        "from emorec.data.recipe import Recipe\n"
        f"clip = Clip(path=Path({str(video)!r}), label=0, actor=1, take='')\n"
        f"folder = Path({str(tmp_path / 'cache')!r})\n"
        "recipe = Recipe(num_frames=2, size=(8, 8))\n"
        "print(look_through([clip], recipe, folder, keep_frames=True, workers=2).broken)\n"
        "print('torch' in sys.modules)\n"
    )
    if run_as == "script":
        (tmp_path / "script.py").write_text(script)
        command, given = [sys.executable, str(tmp_path / "script.py")], None
    else:
        command, given = [sys.executable, "-"], script
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\nFalse\n", "")
