"""Writing videos for tests has no side effects."""

import os
from pathlib import Path

import pytest

from tests import videos


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="asks Linux's scheduler")
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_writing_a_video_leaves_the_priority_unchanged(tmp_path: Path, codec: str) -> None:
    scheduler = os.sched_getscheduler(0)
    videos.write_video(tmp_path / "a.mp4", 3, codec=codec)
    assert os.sched_getscheduler(0) == scheduler
