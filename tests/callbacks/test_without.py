"""A trained network that sees and hears is measured without one of both, through the command line."""

import json
from pathlib import Path

import pytest

from emorec.callbacks import Without
from emorec.cli import main
from emorec.errors import UserError

ROOT = Path(__file__).parents[2]
SMALL = (
    *("--data.image_size=32", "--data.num_frames=2", "--data.batch_size=8", "--data.num_workers=0"),
    *("--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.accelerator=cpu"),
    "--model.video_args.weights=none",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, voiced_clips: Path) -> Path:
    folder = tmp_path_factory.mktemp("without")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = str(ROOT / "configs" / "audio_visual.yaml")
        main(["fit", "--config", config, "--data.root", str(voiced_clips), *SMALL])
    return folder / "lightning_logs/AudioVisual/version_0/checkpoints/best.ckpt"


def test_each_has_a_folder_and_figures_of_its_own(trained: Path) -> None:
    run = trained.parents[1]
    losses = {}
    for words, folder in (
        ([], "test"),
        (["--drop", "audio"], "test_without_audio"),
        (["--drop", "video"], "test_without_video"),
    ):
        main(["test", "--ckpt", str(trained), "--data.num_workers", "0", *words])
        losses[folder] = json.loads((run / folder / "metrics.json").read_text())["loss"]
    assert len(set(losses.values())) == 3


def test_a_sense_that_there_is_not_is_refused() -> None:
    with pytest.raises(UserError, match="--drop is ears: choose video or audio"):
        Without("ears")  # type: ignore[arg-type]


def test_the_network_as_it_hears_is_drawn(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained.parents[1]))
    events.Reload()
    images = events.Tags()["images"]
    assert "train/clips_as_the_network_sees_them" in images
    assert "train/clips_as_the_network_hears_them" in images
