"""The data module that all data sets share: prepare the cache, split, load. A data set adds `find`."""

import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader, Dataset

from emorec.data.audio import NO_SOUND, AudioSpec, SoundSpec
from emorec.data.audio_embedding import EmbeddingSpec
from emorec.data.augment import Augment, ClipTransform, crop_views
from emorec.data.cache.build import (
    TIMEOUT_SECONDS,
    ClipReader,
    build_cache,
    check_broken,
    listed_clips,
)
from emorec.data.cache.store import resolve_cache
from emorec.data.cache.workers import ClipSpec
from emorec.data.clip import Clip, Sample, median_seconds
from emorec.data.dataset import (
    ClipDataset,
    EpochSampler,
    class_weights,
    make_loader,
    sampling_weights,
)
from emorec.data.duplicates import check_duplicates
from emorec.data.functionals import FEATURE_SETS, FunctionalsSpec
from emorec.data.landmarks import LandmarkSpec
from emorec.data.preprocessing import FaceMode, FrameSpec, ReadFrames, Resize, VideoSpec
from emorec.data.speech_model import SAMPLE_RATE as EMBEDDING_RATE
from emorec.data.split import STAGE_SUBSETS, ClipIndex, Split, Subset
from emorec.data.video.reader import Decoder
from emorec.errors import UserError
from emorec.image_size import ImageSize, parse_image_size, size_before_crop
from emorec.text import first_few, listed_files, plural

log = logging.getLogger(__name__)

FaceMissing = Literal["center", "skip", "error"]
SoundMissing = Literal["error", "silence"]

NO_FACE = "no face is found in it"

SPEECH_MODEL_SECONDS = 900.0
"""For the embedding of one clip by a speech model, which a subprocess loads before its first."""


class ClipDataModule(LightningDataModule):
    """Loaders over labelled clips whose actors are in one subset only.

    A subclass implements `class_names` (or sets `target_names`) and `find`. `prepare_data` decodes every clip once,
    before the first epoch; `setup` splits the clips and opens the cache.

    Args:
        num_frames: T, evenly spaced over each clip; 0 for a network that takes sound only.
        frames: Load the frames; `false` for a network of landmarks or sound.
        landmarks: Load the landmarks, blendshapes and head pose of the face in each of the T frames. It needs a cache.
        image_size: Side of the frames that the network takes, in pixels, or their height and width, as in [60, 100].
        resize: "shorter_side" keeps the aspect ratio and crops centrally; "squash" changes the aspect ratio.
        augment: Augment the training clips: `true` all frames of a clip alike, "per_frame" each frame by itself, as the
            seed study did, "seed_affwild2" as the seed study of Aff-Wild2 (rotation, shift, shear, zoom, flip,
            brightness). Landmarks are augmented with any of them, see `augment_track`.
        random_erasing: With `augment: true`, the probability of erasing a rectangle in all frames of a training clip.
        balance: Treatment of rare classes: "weights" in the loss, or "sampler" draws them more often.
        batch_size: Clips per step and process.
        num_workers: Loader processes; by default one per core, at most 8.
        cache: "auto" stores decoded frames in the user's cache folder while there is room, a folder's path stores them
            there, "none" decodes every clip anew in every epoch.
        decoder: The library that reads the videos; all return the same frames. "auto" is PyAV, which also reads what
            another library gets wrong.
        face: "crop" crops each clip to one area around the face, "align" also turns it so that eyes, nose and mouth lie
            in the same place in every clip, "none" keeps the picture. Both need a cache.
        face_detector: "auto" and "yunet" are the YuNet of the package; else a YuNet file.
        face_missing: Treatment of a clip without a face: use its "center" (landmarks: zeros), "skip" it, or stop with
            an "error".
        adapt: "person" centres and scales the features of a clip by those of all clips of the same person in the same
            subset, whose labels stay unused; "none" uses nothing but the clip. A protocol of its own: see
            docs/evaluation.md.
        sound: Load the sound of the clips, too.
        sound_rate: Samples per second.
        sound_seconds: Length of the sound: the middle of a longer clip; a shorter one is padded with silence.
        sound_embedding: Load an embedding of the sound, made once from the middle `sound_seconds` of a clip, by
            "yamnet", Google's "speech_embedding" or "both", or by a speech model: ORG/NAME (or ORG/NAME@REVISION) of
            the Hugging Face Hub, or a folder. `emorec baseline` also takes "compare" and "egemaps" of openSMILE. It
            needs a cache.
        embedding_layer: Of a speech model with L layers: 0, what the first one takes, to L, or from the end -1 to
            -L - 1; by default the middle.
        sound_missing: Treatment of a clip without sound: stop with an "error", or use "silence" (its embedding is 0).
        sound_augment: Shift the sound of training clips, change its volume, and add noise to half of them.
        on_error: "refuse" to start with a broken clip, or "skip" it and record that.
        allow_missing_actors: Go on when actors of the split have no clip.
        seed: Decides order and augmentation; the command line sets it from `seed_everything`.

    Attributes:
        target_names: The names of the R numbers to predict; empty for classification.
        split: Assigns actors to subsets; set by `setup`, like `subsets`, `all_clips`, `duplicates`, `skipped` and
            `faceless`.
        subsets: The clips of each subset.
        all_clips: All usable clips, whatever their subset.
        duplicates: Pairs of clips of one subset that have equal content under different names.
        skipped: The clips that are left out, with the reasons.
        faceless: The clips in which no face was found.
        read_frames: Clip -> (T, H, W, C) uint8, before augmentation.
        read_landmarks: Clip -> (T,) of `FACE`; `None` without `landmarks`.
        read_audio: Clip -> (samples,) int16; `None` without `sound`.
        read_embedding: Clip -> (S, D) float32; `None` without `sound_embedding`.
        num_views: Number of test-time views (see `crop_views`); set it before the loaders are created.

    Raises:
        UserError: When a number is too small.
    """

    target_names: tuple[str, ...] = ()
    split: Split

    def __init__(
        self,
        *,
        num_frames: int = 10,
        frames: bool = True,
        landmarks: bool = False,
        image_size: ImageSize = 224,
        resize: Resize = "shorter_side",
        augment: Augment = False,
        random_erasing: float = 0.0,
        balance: Literal["none", "weights", "sampler"] = "none",
        batch_size: int = 16,
        num_workers: int | None = None,
        cache: str = "auto",
        decoder: Decoder = "auto",
        face: FaceMode = "none",
        face_detector: str = "auto",
        face_missing: FaceMissing = "center",
        adapt: Literal["none", "person"] = "none",
        sound: bool = False,
        sound_rate: int = 16_000,
        sound_seconds: float = 3.0,
        sound_embedding: str = "none",
        embedding_layer: int | None = None,
        sound_missing: SoundMissing = "error",
        sound_augment: bool = False,
        on_error: Literal["refuse", "skip"] = "refuse",
        allow_missing_actors: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        hears = sound or sound_embedding != "none"
        for name, number, least in (
            ("num_frames", num_frames, 0 if hears and not landmarks else 1),
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers or 0, 0),
            ("seed", seed, 0),
            ("sound_rate", sound_rate, 1000),
            ("sound_seconds", sound_seconds, 0.1),
        ):
            if number < least:
                raise UserError(f"data.{name} is {number}: it has to be at least {least}")
        if not (frames or landmarks or hears):
            raise UserError(
                "data.frames is false: load something else with --data.landmarks true or --data.sound true"
            )
        if not 0 <= random_erasing <= 1 or (random_erasing and augment is not True):
            raise UserError(
                f"data.random_erasing is {random_erasing:g} and data.augment {augment}: choose a probability from 0 to "
                "1, with augment true"
            )
        if cache == "none" and num_frames and (landmarks or (frames and face != "none")):
            raise UserError(
                f"data.{'landmarks' if landmarks else f'face {face}'} needs a cache, so that faces are detected once: "
                "choose --data.cache auto or a folder"
            )
        if sound and sound_embedding != "none" and sound_rate != EMBEDDING_RATE:
            raise UserError(
                f"data.sound_rate is {sound_rate}, and sound embeddings take {EMBEDDING_RATE}: choose that rate"
            )
        if sound_embedding != "none" and cache == "none":
            raise UserError(
                f"data.sound_embedding {sound_embedding} needs a cache, so that it is made once: "
                "choose --data.cache auto or a folder"
            )
        self.image_size = parse_image_size(image_size)
        self.frame_spec = FrameSpec(
            num_frames=num_frames if frames else 0,
            size=size_before_crop(self.image_size),
            resize=resize,
            decoder=decoder,
            face=face,
            face_detector=face_detector,
        )
        self.landmark_spec = (
            LandmarkSpec(num_frames=num_frames, decoder=decoder) if landmarks else None
        )
        self.audio_spec = (
            AudioSpec(sound_rate=sound_rate, sound_seconds=sound_seconds) if sound else None
        )
        self.embedding_spec = _embedding_spec(sound_embedding, sound_seconds, embedding_layer)
        self.augment: Augment = augment
        self.random_erasing = random_erasing
        self.balance = balance
        self.batch_size = batch_size
        self.num_workers = min(8, os.cpu_count() or 1) if num_workers is None else num_workers
        self.cache = cache
        self.face_missing: FaceMissing = face_missing
        self.adapt = adapt
        self.sound_missing: SoundMissing = sound_missing
        self.sound_augment = sound_augment
        self.on_error = on_error
        self.allow_missing_actors = allow_missing_actors
        self.seed = seed
        self.num_views = 1
        self.read_frames: ReadFrames = ClipReader(self.frame_spec)
        self.read_landmarks = ClipReader(self.landmark_spec) if self.landmark_spec else None
        self.read_audio = ClipReader(self.audio_spec) if self.audio_spec else None
        self.read_embedding = ClipReader(self.embedding_spec) if self.embedding_spec else None
        self.subsets: dict[Subset, Sequence[Clip]] = {}
        self.all_clips: Sequence[Clip] = []
        self.duplicates: Sequence[tuple[Clip, Clip]] = ()
        self.skipped: dict[Clip, str] = {}
        self.faceless: list[Clip] = []
        self._first_epoch = 0

    @classmethod
    def of(cls, trainer: Trainer) -> Self:
        """Return the data module of a trainer.

        Raises:
            UserError: When it is of another class.
        """
        data = getattr(trainer, "datamodule", None)
        if not isinstance(data, cls):
            raise UserError(
                f"this needs an emorec.data.{cls.__name__}, not a {type(data).__name__}"
            )
        return data

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The names of the K classes in label order."""

    @abstractmethod
    def find(self) -> ClipIndex:
        """Return all clips of the data set and their split.

        Raises:
            UserError: When there are none.
        """

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def inputs(self) -> set[str]:
        """The entries of a batch that a network can take."""
        return {
            *(("frames",) if self.frame_spec.num_frames else ()),
            *(("landmarks", "blendshapes", "pose", "face_present") if self.landmark_spec else ()),
            *(("sound", "heard") if self.audio_spec else ()),
            *(("embedding", "heard") if self.embedding_spec else ()),
        }

    def prepare_data(self) -> None:
        """Index the data set and fill the cache; runs in the first process of a machine only.

        Raises:
            UserError: See `setup`.
        """
        index = self.find()
        stage = getattr(self.trainer and self.trainer.state.fn, "value", "fit")
        self._open_cache(index, stage)
        self._warn(index, stage)

    def setup(self, stage: str) -> None:
        """Index the data set, open the cache and split the clips that a stage needs.

        Raises:
            UserError: When there are no clips, actors of the split are missing, clips in two subsets have equal
                content, a clip is broken, or the cache can't be used.
        """
        index = self.find()
        self._open_cache(index, stage)
        self.split = index.split
        self.all_clips = [clip for clip in index.clips if clip not in self.skipped]
        self.subsets = {**index.split.clips(self.all_clips)}
        for subset in STAGE_SUBSETS[stage]:
            if not self.subsets[subset] and (subset != "val" or self.split.holds_out):
                raise UserError(f"split {self.split.name}: no clip left for {subset}")

    def _open_cache(self, index: ClipIndex, stage: str) -> None:
        """Set the readers, `skipped` and `faceless`, after decoding what the cache does not hold yet."""
        clips = index.needed(stage, allow_missing_actors=self.allow_missing_actors)
        if STAGE_SUBSETS[stage]:
            subsets = index.split.clips(index.clips)
            self.duplicates = check_duplicates(subsets, self._sources, resolve_cache(self.cache))
        self.skipped, self.faceless = {}, []
        if self.frame_spec.num_frames:
            self._open_frames(clips)
        if self.landmark_spec is not None:
            self._open_landmarks(
                [clip for clip in clips if clip not in self.skipped], self.landmark_spec
            )
        if self.audio_spec is not None:
            clips = [clip for clip in clips if clip not in self.skipped]
            self.read_audio = self._open_audio(clips, self.audio_spec)
        if self.embedding_spec is not None:
            clips = [clip for clip in clips if clip not in self.skipped]
            self.read_embedding = self._open_audio(clips, self.embedding_spec, required=True)

    def _open_frames(self, clips: Sequence[Clip]) -> None:
        required = self.frame_spec.face != "none"
        self.read_frames = self._build(
            clips, self.frame_spec, also=self.landmark_spec, required=required
        )
        self._skip_unusable(self.read_frames, clips)

    def _open_landmarks(self, clips: Sequence[Clip], spec: LandmarkSpec) -> None:
        self.read_landmarks = self._build(clips, spec, required=True)
        self._skip_unusable(self.read_landmarks, clips)

    def _skip_unusable(self, reader: ClipReader, clips: Sequence[Clip]) -> None:
        """Add the broken clips of a video stream to `skipped`, and those without a face there or to `faceless`."""
        check_broken(reader.errors, len(clips), self.on_error)
        without_face = dict.fromkeys(reader.faceless, NO_FACE)
        if without_face and self.face_missing == "error":
            raise UserError(
                f"{len(without_face)} of {len(clips)} clips can't be used: {listed_clips(without_face)}; "
                "keep them with --data.face_missing center or leave them out with skip"
            )
        skipped = reader.errors | (without_face if self.face_missing == "skip" else {})
        self.skipped |= {clip: skipped[clip] for clip in clips if clip in skipped}
        self.faceless += [
            clip
            for clip in reader.faceless
            if clip not in self.skipped and clip not in self.faceless
        ]

    def _open_audio(
        self,
        clips: Sequence[Clip],
        spec: SoundSpec,
        *,
        required: bool = False,
    ) -> ClipReader:
        reader = self._build(clips, spec, required=required)
        errors = {}
        for clip, error in reader.errors.items():
            if error != NO_SOUND:
                errors[clip] = f"its sound: {error}"
            elif self.sound_missing == "error":
                errors[clip] = error
        check_broken(errors, len(clips), self.on_error)
        self.skipped |= errors
        return reader

    def _sources(self, clip: Clip) -> set[Path]:
        """Return the files of a clip that are decoded."""
        shows = self.frame_spec.num_frames or self.landmark_spec
        sources = {self.frame_spec.source(clip)} if shows else set()
        sound = self.audio_spec or self.embedding_spec
        return sources | ({sound.source(clip)} if sound else set())

    def _build(
        self,
        clips: Sequence[Clip],
        spec: ClipSpec,
        *,
        also: VideoSpec | None = None,
        required: bool = False,
    ) -> ClipReader:
        workers = max(1, self.num_workers)
        timeout_seconds = TIMEOUT_SECONDS
        if isinstance(spec, EmbeddingSpec) and spec.speech_model:
            timeout_seconds = SPEECH_MODEL_SECONDS
        return build_cache(
            clips,
            spec,
            self.cache,
            also=also,
            workers=workers,
            required=required,
            timeout_seconds=timeout_seconds,
        )

    def _warn(self, index: ClipIndex, stage: str) -> None:
        """Log which clips are left out or replaced, which files are not clips, and which actors are missing."""
        clips = index.needed(stage, allow_missing_actors=self.allow_missing_actors)
        if self.duplicates:
            pairs = [f"{first.title} and {second.title}" for first, second in self.duplicates]
            log.warning(
                "%s of equal content under different names count twice: %s",
                plural(len(pairs), "pair of clips", "pairs of clips"),
                first_few(pairs, separator="; "),
            )
        if self.skipped:
            number = plural(len(self.skipped), "clip")
            log.warning("left out %s: %s", number, listed_clips(self.skipped))
        if self.faceless:
            named = first_few([clip.title for clip in self.faceless], separator="; ")
            log.warning(
                "no face is found in %d of %d clips, %s: %s",
                len(self.faceless),
                len(clips),
                " and ".join(
                    [
                        *(["their centre is taken"] if self.frame_spec.num_frames else []),
                        *(["their landmarks are zeros"] if self.landmark_spec else []),
                    ]
                ),
                named,
            )
        silent = [clip for clip in clips if self._is_silent(clip)]
        if silent:
            named = first_few([clip.path for clip in silent], separator="; ")
            log.warning(
                "%d of %d clips have no sound, silence is taken: %s",
                len(silent),
                len(clips),
                named,
            )
        if index.other_files:
            log.warning(
                "%d files are not clips of this data set and were not used: %s",
                len(index.other_files),
                listed_files([(Path(path.name), reason) for path, reason in index.other_files]),
            )
        index.warn_missing_actors(stage)

    def _is_silent(self, clip: Clip) -> bool:
        reader = self.read_audio or self.read_embedding
        return (
            reader is not None and reader.errors.get(clip) == NO_SOUND and clip not in self.skipped
        )

    def dataset(
        self,
        clips: Sequence[Clip],
        *,
        augment: Augment = False,
        augment_sound: bool = False,
        crop: bool = True,
    ) -> Dataset[Sample]:
        """Return clips as the network takes them.

        Args:
            clips: The clips.
            augment: Of the frames, and whether the landmarks are augmented.
            augment_sound: Whether the sound is augmented.
            crop: `False` leaves the frames uncropped, for test-time views.
        """
        erasing = self.random_erasing
        transform = ClipTransform(self.image_size, augment, erasing=erasing) if crop else None
        return ClipDataset(
            clips,
            self.read_frames,
            transform,
            self.seed,
            read_landmarks=self.read_landmarks,
            read_audio=self.read_audio,
            augment_landmarks=augment is not False,
            augment_sound=augment_sound,
            read_embedding=self.read_embedding,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Training clips, shuffled and augmented by (seed, epoch)."""
        clips = self.subsets["train"]
        dataset = self.dataset(clips, augment=self.augment, augment_sound=self.sound_augment)
        sampler = EpochSampler(
            dataset,
            seed=self.seed,
            weights=sampling_weights(clips) if self.balance == "sampler" else None,
            num_replicas=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
        )
        # the loader's workers start before Lightning sets the epoch of the sampler
        sampler.set_epoch(self._first_epoch)
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Validation clips in order; an empty list where everybody trains."""
        if not self.split.holds_out:
            return []
        return self._evaluation_loader(self.subsets["val"])

    def test_dataloader(self) -> DataLoader[Any]:
        """Test clips in order."""
        return self._evaluation_loader(self.subsets["test"])

    def predict_dataloader(self) -> DataLoader[Any]:
        """Every clip, whatever its subset."""
        return self._evaluation_loader(self.all_clips)

    def _evaluation_loader(self, clips: Sequence[Clip]) -> DataLoader[Any]:
        return self._loader(self.dataset(clips, crop=self.num_views == 1))

    def ordered_loader(self, clips: Sequence[Clip]) -> DataLoader[Any]:
        """Clips in order, not augmented, for statistics of them."""
        return self._loader(self.dataset(clips))

    def _loader(
        self, dataset: Dataset[Sample], sampler: EpochSampler | None = None
    ) -> DataLoader[Any]:
        return make_loader(
            dataset, batch_size=self.batch_size, num_workers=self.num_workers, sampler=sampler
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Crop test-time views on the device of the network."""
        del dataloader_idx
        if "uncropped" not in batch:
            return batch
        views = crop_views(batch.pop("uncropped"), self.image_size, self.num_views)
        return {**batch, "frames": views[0], "views": views}

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch with which a resumed run begins."""
        progress: Any = self.trainer.fit_loop.epoch_progress if self.trainer else None
        return {"epoch": progress.current.processed if progress else 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the epoch with which the run begins."""
        self._first_epoch = state_dict["epoch"]

    def split_record(self) -> dict[str, Any]:
        """Return plain values for a checkpoint: the record of the split, and the clips that were left out."""
        detector = self.frame_spec.detector
        return {
            **self.split.record(self.subsets),
            "skipped": [clip.path.name for clip in self.skipped],
            "face": self.frame_spec.face,
            "face_detector": detector and detector.version,
            "landmarks": self.landmark_spec and self.landmark_spec.version,
            "faceless": [clip.title.name for clip in self.faceless],
        }

    @cached_property
    def clip_seconds(self) -> float | None:
        """The median length of the training clips; `None` when no length is known."""
        return median_seconds(self.subsets["train"])

    @property
    def class_weights(self) -> torch.Tensor | None:
        """(K,) weights of the loss; `None` unless `balance` is "weights"."""
        weighted = self.balance == "weights"
        return class_weights(self.subsets["train"], self.num_classes) if weighted else None


def _embedding_spec(
    name: str, sound_seconds: float, layer: int | None
) -> EmbeddingSpec | FunctionalsSpec | None:
    for feature_set in FEATURE_SETS:
        if name == feature_set:
            return FunctionalsSpec(feature_set=feature_set)
    if name != "none":
        return EmbeddingSpec(network=name, sound_seconds=sound_seconds, layer=layer)
    if layer is not None:
        raise UserError(
            f"data.embedding_layer is {layer} without a speech model: choose one with --data.sound_embedding"
        )
    return None


def resolve_root(root: str | None, variable: str, how_to_get: str = "") -> str:
    """Return the data folder: the argument, or else the environment variable.

    Args:
        root: The argument `data.root`.
        variable: Name of the environment variable with the default folder.
        how_to_get: How to obtain the data set, for the error.

    Raises:
        UserError: When neither names a folder.
    """
    root = root or os.environ.get(variable)
    if not root:
        hint = f"; {how_to_get}" if how_to_get else ""
        raise UserError(f"no data folder: name it with --data.root DIR or {variable}{hint}")
    return root
