"""Which frames are taken, against the seed study's own line of numpy."""

import subprocess
import sys

import numpy as np
import pytest

from emorec.data.video.reader import linspace_indices


@pytest.mark.parametrize("video_frames", [1, 2, 5, 9, 10, 11, 98, 99, 121, 10_007])
@pytest.mark.parametrize("num_frames", [1, 2, 6, 10, 16])
def test_indices_are_the_seed_studys(video_frames: int, num_frames: int) -> None:
    expected = np.linspace(0, video_frames - 1, num_frames, dtype=int)
    assert linspace_indices(video_frames, num_frames) == list(expected)


@pytest.mark.parametrize("video_frames", [1, 3, 10, 98])
@pytest.mark.parametrize("num_frames", [2, 6, 16])
def test_the_first_and_the_last_frame_are_among_them_and_none_is_out_of_order(
    video_frames: int, num_frames: int
) -> None:
    indices = linspace_indices(video_frames, num_frames)
    assert (indices[0], indices[-1], len(indices)) == (0, video_frames - 1, num_frames)
    assert indices == sorted(indices)


@pytest.mark.parametrize(("video_frames", "num_frames"), [(0, 6), (-1, 6), (6, 0)])
def test_no_frames_are_an_error_that_names_both_numbers(video_frames: int, num_frames: int) -> None:
    with pytest.raises(ValueError, match=f"{num_frames} frames of a video that has {video_frames}"):
        linspace_indices(video_frames, num_frames)


def test_choosing_frames_decoding_and_keeping_them_takes_no_torch() -> None:
    modules = (
        "emorec.data.cache.look_through, emorec.data.cache.kept, emorec.data.cache.decode_worker"
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
