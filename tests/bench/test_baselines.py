"""Ratios compare like with like."""

from pathlib import Path

import pytest

from emorec.bench.baselines import baseline_stages, ratios, videos_in
from emorec.bench.plain_decoders import installed_decoders
from emorec.errors import UserError
from tests.bench.networks import DelayedData


def test_one_core_is_compared_with_one_core_and_workers_with_workers() -> None:
    speeds = {
        "loader": 900.0,
        "loader_one_core": 500.0,
        "seed_way": 25.0,
        "on_the_fly_opencv": 3.0,
        "on_the_fly_emorec": 4.5,
        "network": 50.0,
    }
    assert ratios(speeds) == {
        "seed_way": 20.0,
        "on_the_fly_opencv": 300.0,
        "on_the_fly_emorec": 200.0,
    }


def test_without_baselines_there_are_no_ratios() -> None:
    assert ratios({"loader": 900.0, "network": 50.0}) == {}


@pytest.mark.slow
def test_each_baseline_runs_on_the_clips_it_is_given(drawn_clips: Path, tmp_path: Path) -> None:
    data = DelayedData(str(drawn_clips))
    data.setup("fit")
    filmed = videos_in(str(drawn_clips / "Actor_01"))
    assert [clip.path.parent.name for clip in filmed] == ["Actor_01"] * 8
    stages = baseline_stages(data, filmed, tmp_path)
    decoders = [f"on_the_fly_{name}" for name in (*installed_decoders(), "emorec")]
    assert [stage.name for stage in stages] == ["loader_one_core", "seed_way", *decoders]
    assert all(stage.measure(0.001) > 0 for stage in stages)


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no mp4 file below {tmp_path}: .*--originals"):
        videos_in(str(tmp_path))
