"""Files become sides, and sides become loaders."""

import os
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from emorec import checkpoint
from emorec.cli import main
from emorec.data import RavdessDataModule
from emorec.data.ravdess import SINGERS
from emorec.data.split import SIDES
from emorec.errors import UserError
from tests import videos
from tests.program import SMALL

EMOTIONS_OF = {"01": {"01": 1, "03": 2}, "02": {f"{code:02d}": 1 for code in range(1, 7)}}
"""Channel -> emotion -> takes: neutral has half of what happy has; six emotions are sung."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech and song of all actors, with sound and without, each file the same small video."""
    root = tmp_path_factory.mktemp("ravdess")
    video = videos.write_video(tmp_path_factory.mktemp("video") / "video.mp4", 12)
    for actor, modality, channel in product(range(1, 25), ("01", "02"), ("01", "02")):
        for emotion, takes in EMOTIONS_OF[channel].items():
            for take in range(1, takes + 1):
                name = f"{modality}-{channel}-{emotion}-01-01-{take:02d}-{actor:02d}.mp4"
                if channel == "01" or actor in SINGERS:
                    os.link(video, root / name)
    return root


def data(root: Path, stage: str = "fit", **arguments: Any) -> RavdessDataModule:
    small = {"num_frames": 2, "image_size": 16, "batch_size": 7, "num_workers": 0}
    module = RavdessDataModule(str(root), **{**small, **arguments})
    module.setup(stage)
    return module


def without(root: Path, folder: Path, *actors: int) -> Path:
    """The same data set less some actors."""
    for path in root.glob("*.mp4"):
        if int(path.stem[-2:]) not in actors:
            os.link(path, folder / path.name)
    return folder


def two_epochs(module: RavdessDataModule) -> list[dict[str, torch.Tensor]]:
    loader: Any = module.train_dataloader()
    batches = list(loader)
    loader.sampler.set_epoch(1)
    return [*batches, *loader]


def test_a_batch_is_uint8_with_channels_first_in_the_memory_of_the_frames(root: Path) -> None:
    frames = next(iter(data(root).val_dataloader()))["frames"]
    assert frames.shape == (6, 2, 3, 16, 16)
    assert frames.dtype == torch.uint8
    assert frames.permute(0, 1, 3, 4, 2).is_contiguous()


def test_batches_are_the_same_for_any_number_of_workers(root: Path) -> None:
    none, two = (two_epochs(data(root, augment=True, num_workers=number)) for number in (0, 2))
    for batch, other in zip(none, two, strict=True):
        assert all(torch.equal(batch[key], other[key]) for key in ("frames", "label", "index"))
        assert other["frames"].permute(0, 1, 3, 4, 2).is_contiguous()


def test_no_two_epochs_and_no_two_seeds_show_a_clip_alike(root: Path) -> None:
    shown: dict[int, list[bytes]] = {}
    for seed in (0, 1):
        for batch in two_epochs(data(root, augment=True, image_size=96, seed=seed)):
            for index, frames in zip(batch["index"].tolist(), batch["frames"], strict=True):
                shown.setdefault(index, []).append(bytes(frames.contiguous().numpy()))
    assert len(shown) == 60
    assert all(len(set(views)) == 4 for views in shown.values())


def test_weights_make_every_class_count_the_same(root: Path) -> None:
    module = data(root, balance="weights")
    counts = torch.bincount(
        torch.tensor([clip.label for clip in module.sides["train"]]), minlength=8
    )
    assert counts.tolist() == [20, 0, 40, 0, 0, 0, 0, 0]
    weights = module.class_weights
    assert weights is not None
    assert weights[0] * counts[0] == weights[2] * counts[2]
    assert (weights * counts).sum() == counts.sum()  # mean 1 over the clips
    assert data(root).class_weights is None


def test_the_sampler_draws_every_class_as_often(root: Path) -> None:
    module = data(root, balance="sampler")
    sampler: Any = module.train_dataloader().sampler
    labels: Counter[Any] = Counter()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        labels.update(module.sides["train"][index].label for _, index in sampler)
    assert sum(labels.values()) == 20 * 60
    assert abs(labels[0] / 1200 - 0.5) < 4 * (0.25 / 1200) ** 0.5  # four standard deviations


def test_both_files_of_a_take_are_on_the_same_side(root: Path) -> None:
    module = data(root, modality="both")
    side_of: dict[str, set[str]] = {}
    for side, clips in module.sides.items():
        for clip in clips:
            side_of.setdefault(clip.take, set()).add(side)
    assert len(side_of) == 72
    assert all(len(sides) == 1 for sides in side_of.values())
    assert module.split_record()["num_clips"] == {"train": 120, "val": 12, "test": 12}


@pytest.mark.parametrize(("split", "fold"), [("msaf6", 2), ("luna5", 5), ("loso", 24)])
def test_a_fold_tests_its_own_actors(root: Path, split: Any, fold: int) -> None:
    module = data(root, "test", split=split, fold=fold)
    tested = {int(module.sides["test"][i].actor) for i in indices(module.test_dataloader())}
    record = module.split_record()
    assert tested == set(record["test"])
    assert (record["name"], record["fold"]) == (split, fold)
    assert sorted(actor for side in SIDES for actor in record[side]) == list(range(1, 25))


def indices(loader: Any) -> list[int]:
    return [index for batch in loader for index in batch["index"].tolist()]


def test_a_prediction_covers_every_clip_in_order(root: Path) -> None:
    module = data(root, "predict")
    assert indices(module.predict_dataloader()) == list(range(72))


@pytest.mark.parametrize("how", [{}, {"num_workers": 2}, {"resident": True}, {"cache": "none"}])
def test_views_are_more_looks_at_the_same_clips(root: Path, how: dict[str, Any]) -> None:
    plain, module = data(root, "test", image_size=28), data(root, "test", image_size=28, **how)
    module.num_views = 4
    once, often = list(plain.test_dataloader()), on_device(module, module.test_dataloader())
    assert indices(often) == indices(once) == list(range(6))
    for batch, expected in zip(often, once, strict=True):
        assert len(batch["views"]) == 4
        assert torch.equal(batch["frames"], expected["frames"])
        assert torch.equal(batch["views"][0], expected["frames"])
        assert torch.equal(batch["views"][1], expected["frames"].flip(-1))
        assert torch.equal(batch["label"], expected["label"])
    assert all("views" not in batch for batch in on_device(plain, plain.test_dataloader()))


def on_device(module: RavdessDataModule, loader: Any) -> list[dict[str, Any]]:
    """Batches as the network gets them."""
    return [module.on_after_batch_transfer(batch, 0) for batch in loader]


def test_augmented_clips_have_no_views(root: Path) -> None:
    module = data(root, augment=True)
    module.num_views = 2
    assert all("views" not in batch for batch in on_device(module, module.train_dataloader()))


def test_missing_actors_are_named_and_can_be_waived_with_a_warning(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    less = without(root, tmp_path, 7, 23)
    for stage, complaint in (("fit", "train actor 7"), ("test", "test actor 23")):
        with pytest.raises(
            UserError, match=rf"no clip of {complaint} \(--data.allow_missing_actors true"
        ):
            data(less, stage)
    module = data(less, "test", allow_missing_actors=True)
    assert {clip.actor for clip in module.sides["test"]} == {24}
    module = data(less, allow_missing_actors=True)
    assert {clip.actor for clip in module.sides["train"]} == {*range(1, 7), *range(8, 21)}
    assert module.split_record()["train"] == [*range(1, 7), *range(8, 21)]
    caplog.clear()
    module.prepare_data()
    said = [text for text in caplog.messages if "no clip" in text]
    assert said == ["split seed: the data has no clip of train actor 7: the others are taken"]


def test_training_opens_no_clip_of_the_test_and_needs_none(root: Path, tmp_path: Path) -> None:
    less = without(root, tmp_path, 23, 24)
    assert data(less).sides["test"] == []
    for actor in (23, 24):
        (less / f"01-01-03-01-01-01-{actor}.mp4").write_text("it would be refused as broken")
    assert len(data(less).sides["test"]) == 2
    with pytest.raises(UserError, match="2 of 2 clips can't be used"):
        data(less, "test")


def test_files_that_are_no_clips_are_told_once(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (without(root, tmp_path) / "notes.txt").write_text("not a clip")
    module = RavdessDataModule(str(tmp_path), num_workers=0)
    module.prepare_data()
    module.setup("fit")
    module.setup("validate")
    assert sum("notes.txt" in message for message in caplog.messages) == 1


def test_a_resumed_loader_starts_with_the_epoch_to_go_on_with(root: Path) -> None:
    module = data(root)
    module.load_state_dict({"epoch": 3})
    epoch, _ = next(iter(module.train_dataloader().sampler))
    assert epoch == 3


def test_it_asks_for_a_folder_that_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    with pytest.raises(UserError, match=r"--data.root DIR or EMOREC_RAVDESS_ROOT"):
        RavdessDataModule().find()


def test_of_refuses_another_data_module() -> None:
    with pytest.raises(UserError, match=r"needs an emorec.data.RavdessDataModule, not a NoneType"):
        RavdessDataModule.of(Trainer(logger=False, accelerator="cpu", barebones=True))


def test_song_has_six_classes_and_no_actor_18_from_end_to_end(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    song = ("--data.root", str(root), "--data.channel", "song", "--trainer.max_epochs", "1")
    main(["fit", *SMALL, *song])
    (best,) = tmp_path.rglob("best.ckpt")
    said = checkpoint.read(best)
    assert said.class_names == ("neutral", "calm", "happy", "sad", "angry", "fearful")
    assert said.model["init_args"]["num_classes"] == 6
    assert 18 not in said.split["train"]
    main(["test", "--ckpt", str(best), "--trainer.accelerator", "cpu"])
    assert (best.parents[1] / "test" / "predictions.csv").read_text().count("\n") == 13
