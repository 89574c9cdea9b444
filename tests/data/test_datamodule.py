"""RAVDESS as a data module: subsets, loaders, cache, faces and sound."""

import logging
import os
import shutil
from collections import Counter
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from emorec import checkpoint
from emorec.cli import main
from emorec.data import RavdessDataModule
from emorec.data.faces import FaceDetector, clip_face, face_pixels, find_detector
from emorec.data.preprocessing import resize_frames
from emorec.data.sets.ravdess.parser import SINGERS
from emorec.data.split import SUBSETS
from emorec.data.synthetic.clips import encode_mp4
from emorec.data.video.reader import decode, linspace_indices
from emorec.errors import UserError
from emorec.image_size import Size, size_before_crop
from tests import videos
from tests.data.test_audio import RATE, tone
from tests.program import SMALL

EMOTIONS_OF = {"01": {"01": 1, "03": 2}, "02": {f"{code:02d}": 1 for code in range(1, 7)}}
"""Map from channel to emotion to number of takes: neutral has half as many as happy; six emotions are sung."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech and song of all actors, with and without sound; each file shows the same small video."""
    root = tmp_path_factory.mktemp("ravdess")
    video = videos.write_video(tmp_path_factory.mktemp("video") / "video.mp4", 12)
    for actor, modality, channel in product(range(1, 25), ("01", "02"), ("01", "02")):
        for emotion, takes in EMOTIONS_OF[channel].items():
            for take in range(1, takes + 1):
                name = f"{modality}-{channel}-{emotion}-01-01-{take:02d}-{actor:02d}.mp4"
                if channel == "01" or actor in SINGERS:
                    videos.write_copy(video, root / name)
    return root


def make_data(root: Path, stage: str = "fit", **arguments: Any) -> RavdessDataModule:
    small = {"num_frames": 2, "image_size": 16, "batch_size": 7, "num_workers": 0}
    module = RavdessDataModule(str(root), **{**small, **arguments})
    module.setup(stage)
    return module


def without_actors(root: Path, folder: Path, *actors: int) -> Path:
    """Link the data set without some actors."""
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
    frames = next(iter(make_data(root).val_dataloader()))["frames"]
    assert frames.shape == (6, 2, 3, 16, 16)
    assert frames.dtype == torch.uint8
    assert frames.permute(0, 1, 3, 4, 2).is_contiguous()


def test_batches_are_the_same_for_any_number_of_workers(root: Path) -> None:
    none, two = (two_epochs(make_data(root, augment=True, num_workers=number)) for number in (0, 2))
    for batch, expected in zip(none, two, strict=True):
        assert all(torch.equal(batch[key], expected[key]) for key in ("frames", "label", "index"))
        assert expected["frames"].permute(0, 1, 3, 4, 2).is_contiguous()


def test_every_epoch_and_seed_augments_a_clip_differently(root: Path) -> None:
    views_of: dict[int, list[bytes]] = {}
    for seed in (0, 1):
        for batch in two_epochs(make_data(root, augment=True, image_size=96, seed=seed)):
            for index, frames in zip(batch["index"].tolist(), batch["frames"], strict=True):
                views_of.setdefault(index, []).append(bytes(frames.contiguous().numpy()))
    assert len(views_of) == 60
    assert all(len(set(views)) == 4 for views in views_of.values())


def test_class_weights_balance_the_classes(root: Path) -> None:
    module = make_data(root, balance="weights")
    counts = torch.bincount(
        torch.tensor([clip.label for clip in module.subsets["train"]]), minlength=8
    )
    assert counts.tolist() == [20, 0, 40, 0, 0, 0, 0, 0]
    weights = module.class_weights
    assert weights is not None
    assert weights[0] * counts[0] == weights[2] * counts[2]
    assert (weights * counts).sum() == counts.sum()  # the mean over the clips is 1
    assert make_data(root).class_weights is None


def test_the_sampler_draws_every_class_equally_often(root: Path) -> None:
    module = make_data(root, balance="sampler")
    sampler: Any = module.train_dataloader().sampler
    labels: Counter[Any] = Counter()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        labels.update(module.subsets["train"][index].label for _, index in sampler)
    assert sum(labels.values()) == 20 * 60
    assert abs(labels[0] / 1200 - 0.5) < 4 * (0.25 / 1200) ** 0.5  # four standard deviations


def test_both_files_of_a_take_are_in_the_same_subset(root: Path) -> None:
    module = make_data(root, modality="both")
    subsets: dict[str, set[str]] = {}
    for subset, clips in module.subsets.items():
        for clip in clips:
            subsets.setdefault(clip.take, set()).add(subset)
    assert len(subsets) == 72
    assert all(len(subsets) == 1 for subsets in subsets.values())
    assert module.split_record()["num_clips"] == {"train": 120, "val": 12, "test": 12}


@pytest.mark.parametrize(("split", "fold"), [("msaf6", 2), ("luna5", 5), ("loso", 24)])
def test_a_fold_tests_its_own_actors(root: Path, split: Any, fold: int) -> None:
    module = make_data(root, "test", split=split, fold=fold)
    tested = {int(module.subsets["test"][i].actor) for i in indices(module.test_dataloader())}
    record = module.split_record()
    assert tested == set(record["test"])
    assert (record["name"], record["fold"]) == (split, fold)
    assert sorted(actor for subset in SUBSETS for actor in record[subset]) == list(range(1, 25))


def indices(loader: Any) -> list[int]:
    return [index for batch in loader for index in batch["index"].tolist()]


def test_a_prediction_covers_every_clip_in_order(root: Path) -> None:
    module = make_data(root, "predict")
    assert indices(module.predict_dataloader()) == list(range(72))


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"cache": "none"}])
def test_views_are_further_crops_of_the_same_clips(root: Path, options: dict[str, Any]) -> None:
    plain, module = (
        make_data(root, "test", image_size=28),
        make_data(root, "test", image_size=28, **options),
    )
    module.num_views = 4
    single, with_views = list(plain.test_dataloader()), on_device(module, module.test_dataloader())
    assert indices(with_views) == indices(single) == list(range(6))
    for batch, expected in zip(with_views, single, strict=True):
        assert len(batch["views"]) == 4
        assert torch.equal(batch["frames"], expected["frames"])
        assert torch.equal(batch["views"][0], expected["frames"])
        assert torch.equal(batch["views"][1], expected["frames"].flip(-1))
        assert torch.equal(batch["label"], expected["label"])
    assert all("views" not in batch for batch in on_device(plain, plain.test_dataloader()))


def on_device(module: RavdessDataModule, loader: Any) -> list[dict[str, Any]]:
    """Return the batches as the network receives them."""
    return [module.on_after_batch_transfer(batch, 0) for batch in loader]


def test_augmented_clips_have_no_views(root: Path) -> None:
    module = make_data(root, augment=True)
    module.num_views = 2
    assert all("views" not in batch for batch in on_device(module, module.train_dataloader()))


def test_missing_actors_are_refused_or_allowed_with_a_warning(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    incomplete = without_actors(root, tmp_path, 7, 23)
    for stage, missing in (("fit", "train actor 7"), ("test", "test actor 23")):
        with pytest.raises(
            UserError, match=rf"no clip of {missing} \(--data.allow_missing_actors true"
        ):
            make_data(incomplete, stage)
    module = make_data(incomplete, "test", allow_missing_actors=True)
    assert {clip.actor for clip in module.subsets["test"]} == {24}
    module = make_data(incomplete, allow_missing_actors=True)
    assert {clip.actor for clip in module.subsets["train"]} == {*range(1, 7), *range(8, 21)}
    assert module.split_record()["train"] == [*range(1, 7), *range(8, 21)]
    caplog.clear()
    module.prepare_data()
    warnings = [text for text in caplog.messages if "no clip" in text]
    assert warnings == [
        "split seed: the data has no clip of train actor 7: going on with the others"
    ]


def test_training_neither_opens_nor_needs_test_clips(root: Path, tmp_path: Path) -> None:
    incomplete = without_actors(root, tmp_path, 23, 24)
    assert make_data(incomplete).subsets["test"] == []
    for actor in (23, 24):
        (incomplete / f"01-01-03-01-01-01-{actor}.mp4").write_text("it would be refused as broken")
    assert len(make_data(incomplete).subsets["test"]) == 2
    with pytest.raises(UserError, match="2 of 2 clips can't be used"):
        make_data(incomplete, "test")


def test_other_files_are_logged_once(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (without_actors(root, tmp_path) / "notes.txt").write_text("not a clip")
    module = RavdessDataModule(str(tmp_path), num_frames=2, image_size=16, num_workers=0)
    module.prepare_data()
    module.setup("fit")
    module.setup("validate")
    assert sum("notes.txt" in message for message in caplog.messages) == 1


def test_a_resumed_loader_starts_at_the_next_epoch(root: Path) -> None:
    module = make_data(root)
    module.load_state_dict({"epoch": 3})
    epoch, _ = next(iter(module.train_dataloader().sampler))
    assert epoch == 3


def test_a_missing_root_folder_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    with pytest.raises(UserError, match=r"--data.root DIR or EMOREC_RAVDESS_ROOT"):
        RavdessDataModule().find()


def test_of_refuses_another_data_module() -> None:
    with pytest.raises(UserError, match=r"needs an emorec.data.RavdessDataModule, not a NoneType"):
        RavdessDataModule.of(Trainer(logger=False, accelerator="cpu", barebones=True))


@pytest.mark.nightly
def test_song_has_six_classes_and_no_actor_18_end_to_end(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    song = ("--data.root", str(root), "--data.channel", "song", "--trainer.max_epochs", "1")
    main(["fit", *SMALL, *song])
    (best,) = tmp_path.rglob("best.ckpt")
    record = checkpoint.read(best)
    assert record.class_names == ("neutral", "calm", "happy", "sad", "angry", "fearful")
    assert record.model["init_args"]["num_classes"] == 6
    assert 18 not in record.split["train"]
    main(["test", "--ckpt", str(best), "--trainer.accelerator", "cpu"])
    assert (best.parents[1] / "test" / "predictions.csv").read_text().count("\n") == 13


# Cache


def test_batches_are_the_same_with_and_without_a_cache(drawn_clips: Path, tmp_path: Path) -> None:
    cached = make_data(drawn_clips, cache=str(tmp_path), augment=True)
    decoded = make_data(drawn_clips, cache="none", augment=True)
    assert cached.read_frames.files
    assert not decoded.read_frames.files
    for cached_batch, decoded_batch in zip(
        cached.train_dataloader(), decoded.train_dataloader(), strict=True
    ):
        assert torch.equal(cached_batch["frames"], decoded_batch["frames"])
        assert torch.equal(cached_batch["index"], decoded_batch["index"])


def test_auto_caches_frames_in_the_users_cache_folder_and_logs_it_once(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="emorec")
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        assert make_data(root).read_frames.files
    assert len(list((tmp_path / "cache").glob("2x18x18-*/"))) == 1
    (warning,) = [
        text for text in caplog.messages if "from now on they are read from there" in text
    ]
    assert f"decoded 66 clips into {tmp_path / 'cache'}" in warning


def test_auto_continues_without_a_cache_if_the_disk_is_full(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert not make_data(root).read_frames.files
    (warning,) = [text for text in caplog.messages if "no cache" in text]
    assert "need 0.0 GB" in warning
    with pytest.raises(UserError, match=r"choose another place with --data.cache DIR"):
        make_data(root, cache=str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("num_frames", [6, 10, 16])
def test_each_number_of_frames_is_cached_separately(
    root: Path, tmp_path: Path, num_frames: int
) -> None:
    module = make_data(root, cache=str(tmp_path), num_frames=num_frames)
    assert next(iter(module.val_dataloader()))["frames"].shape[1] == num_frames
    assert [path.name.partition("-")[0] for path in tmp_path.glob("*/")] == [f"{num_frames}x18x18"]


# Faces

FACELESS = "01-01-03-01-01-01-05.mp4"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a drawn face of each person, and one without a face."""
    root = tmp_path_factory.mktemp("faces")
    clip = root / "clip.mp4"
    clip.write_bytes(encode_mp4(videos.face_frames(3), fps=10))
    (root / "clips").mkdir()
    for actor in range(1, 23):
        videos.write_copy(clip, root / "clips" / FACELESS.replace("05.mp4", f"{actor:02}.mp4"))
    videos.write_video(root / "clips" / FACELESS, 6)
    return root / "clips"


def face_data(root: Path, tmp_path: Path, **arguments: Any) -> RavdessDataModule:
    small = {"num_frames": 3, "image_size": 56, "batch_size": 4, "num_workers": 0}
    crop = {"face": "crop", "cache": str(tmp_path / "cache")}
    module = RavdessDataModule(str(root), **{**small, **crop, **arguments})
    module.prepare_data()
    module.setup("fit")
    return module


@pytest.mark.parametrize("face", ["crop", "align"])
@pytest.mark.parametrize("size", [(56, 56), (60, 100)])
def test_every_frame_of_a_clip_is_cropped_or_aligned_to_its_face(
    faces: Path, tmp_path: Path, size: Size, face: Literal["crop", "align"]
) -> None:
    module = face_data(faces, tmp_path, image_size=size, face=face)
    clip = next(clip for clip in module.subsets["train"] if clip.actor == 4)
    frames = decode(clip.path, lambda frame_count: linspace_indices(frame_count, 3)).frames
    detect = partial(FaceDetector(find_detector()), refine=face == "align")
    steady = clip_face(frames, detect).face
    assert steady is not None
    larger = size_before_crop(size)
    expected = resize_frames(face_pixels(frames, steady, larger, face), larger)
    assert module.read_frames(clip).shape == (3, *larger, 3)
    assert np.array_equal(module.read_frames(clip), expected)
    assert not np.array_equal(expected, resize_frames(frames, larger))


def test_a_clip_without_a_face_is_centre_cropped_logged_and_recorded(
    faces: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = face_data(faces, tmp_path)
    clip = next(clip for clip in module.subsets["train"] if clip.path.name == FACELESS)
    frames = decode(clip.path, lambda frame_count: linspace_indices(frame_count, 3)).frames
    assert np.array_equal(
        module.read_frames(clip), resize_frames(frames, size_before_crop((56, 56)))
    )
    (warning,) = [text for text in caplog.messages if "no face is found in" in text]
    assert "1 of 22 clips" in warning
    assert FACELESS in warning
    record = module.split_record()
    assert record["faceless"] == [FACELESS]
    assert record["face_detector"].startswith("yunet ")


def test_a_clip_without_a_face_can_be_skipped_or_refused(faces: Path, tmp_path: Path) -> None:
    module = face_data(faces, tmp_path, face_missing="skip")
    assert module.split_record()["skipped"] == [FACELESS]
    assert len(module.subsets["train"]) == 19
    with pytest.raises(UserError, match=rf"1 of 22 clips can't be used: .*{FACELESS}"):
        face_data(faces, tmp_path, face_missing="error")


@pytest.mark.parametrize("face", ["crop", "align"])
def test_faces_need_a_cache(faces: Path, tmp_path: Path, face: str) -> None:
    with pytest.raises(UserError, match=f"data.face {face} needs a cache"):
        face_data(faces, tmp_path, cache="none", face=face)


def test_full_frames_crops_and_aligned_faces_do_not_share_a_cache(
    faces: Path, tmp_path: Path
) -> None:
    for face in ("align", "crop", "none"):
        assert face_data(faces, tmp_path, face=face).split_record()["face"] == face
    names = sorted(path.name for path in (tmp_path / "cache").glob("*/"))
    assert [name.rpartition("-")[0] for name in names] == [
        "3x64x64-align-decord",
        "3x64x64-crop-decord",
        "3x64x64-shorter_side-decord",
    ]


def test_faces_are_detected_once(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="emorec")
    face_data(faces, tmp_path)
    face_data(faces, tmp_path)
    assert len([text for text in caplog.messages if text.startswith("decoded 22 clips")]) == 1


# Sound


@pytest.fixture
def sounds(root: Path, tmp_path: Path) -> Path:
    """A happy clip of each actor with a tone of its own; that of actor 5 has no sound."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for actor in range(1, 25):
        name = f"01-01-03-01-01-01-{actor:02d}.mp4"
        frames = np.zeros((6, 32, 32, 3), dtype=np.uint8)
        frames[:] = np.arange(6, dtype=np.uint8)[:, None, None, None] * 9 + actor
        sound = None if actor == 5 else tone(0.6, RATE, 200 + 20 * actor)
        (folder / name).write_bytes(encode_mp4(frames, fps=10, sound=sound, sample_rate=RATE))
    return folder


def sound_data(folder: Path, cache: str, **arguments: Any) -> RavdessDataModule:
    sound = {"sound": True, "sound_seconds": 0.5, "cache": cache}
    return make_data(folder, **{**sound, "sound_missing": "silence", **arguments})


def test_a_clip_without_sound_is_an_error_or_skipped_or_silent(
    sounds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError, match=r"1 of 22 clips can't be used: .*05.mp4 \(it has no sound"):
        sound_data(sounds, str(tmp_path / "cache"), sound_missing="error")
    skipped = sound_data(sounds, "none", sound_missing="error", on_error="skip")
    assert skipped.split_record()["skipped"] == ["01-01-03-01-01-01-05.mp4"]
    module = sound_data(sounds, str(tmp_path / "cache"))
    module.prepare_data()
    assert "1 of 22 clips have no sound" in caplog.text
    dataset = module.dataset(module.subsets["train"])
    for index, clip in enumerate(module.subsets["train"]):
        sample = dataset[index]
        assert sample["heard"] is (clip.actor != 5)
        assert bool(sample["sound"].any()) is (clip.actor != 5)
        assert sample["sound"].shape == (RATE // 2,)


def test_the_sound_is_the_same_with_and_without_a_cache(sounds: Path, tmp_path: Path) -> None:
    cached, decoded = (sound_data(sounds, cache) for cache in (str(tmp_path / "cache"), "none"))
    for cached_batch, decoded_batch in zip(
        cached.train_dataloader(), decoded.train_dataloader(), strict=True
    ):
        assert torch.equal(cached_batch["sound"], decoded_batch["sound"])
        assert torch.equal(cached_batch["heard"], decoded_batch["heard"])


def test_an_audio_network_needs_no_frames(sounds: Path, tmp_path: Path) -> None:
    module = sound_data(sounds, str(tmp_path / "cache"), num_frames=0)
    batch = next(iter(module.train_dataloader()))
    assert batch["frames"].shape[1] == 0
    assert batch["sound"].shape == (7, RATE // 2)
    assert [path.name.partition("-")[0] for path in (tmp_path / "cache").glob("*/")] == ["sound"]


def test_sound_augmentation_depends_on_seed_epoch_and_clip_only(
    sounds: Path, tmp_path: Path
) -> None:
    cache = str(tmp_path / "cache")

    def sound(key: Any, seed: int = 0, **options: bool) -> torch.Tensor:
        module = sound_data(sounds, cache, seed=seed)
        return module.dataset(module.subsets["train"][:1] * 9, **options)[key]["sound"]

    augmented = sound((3, 5), augment_sound=True)
    assert torch.equal(augmented, sound((3, 5), augment_sound=True))
    assert not torch.equal(augmented, sound((3, 5)))
    for key, seed in (((4, 5), 0), ((3, 6), 0), ((3, 5), 1)):
        assert not torch.equal(augmented, sound(key, seed, augment_sound=True))


@pytest.fixture
def embedded(sounds: Path, tmp_path: Path) -> RavdessDataModule:
    """Sound as an embedding alone, in windows of a second."""
    return make_data(
        sounds,
        frames=False,
        num_frames=0,
        sound_embedding="both",
        sound_seconds=1.2,
        sound_missing="silence",
        cache=str(tmp_path / "cache"),
    )


def test_an_embedding_is_a_cached_stream_of_its_own(
    embedded: RavdessDataModule, tmp_path: Path
) -> None:
    batch = next(iter(embedded.train_dataloader()))
    assert embedded.inputs == {"embedding", "heard"}
    assert batch["embedding"].shape == (7, 2, 608)
    assert batch["embedding"].dtype == torch.float32
    assert "sound" not in batch
    (folder,) = (tmp_path / "cache").glob("*/")
    assert folder.name.startswith("embedding-2x608-")
    for clip, sample in zip(
        embedded.subsets["train"], embedded.dataset(embedded.subsets["train"]), strict=True
    ):
        assert sample["heard"] is (clip.actor != 5)
        assert bool(sample["embedding"].any()) is (clip.actor != 5)


def test_an_embedding_of_a_clip_without_sound_may_be_refused(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 of 22 clips can't be used: .*05.mp4 \(it has no sound"):
        make_data(
            sounds,
            num_frames=0,
            sound_embedding="speech_embedding",
            cache=str(tmp_path / "cache"),
        )


def test_an_embedding_needs_a_cache(sounds: Path) -> None:
    with pytest.raises(UserError, match=r"data.sound_embedding yamnet needs a cache.*--data.cache"):
        make_data(sounds, sound_embedding="yamnet", cache="none")
