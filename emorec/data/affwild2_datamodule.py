"""Aff-Wild2 as a Lightning data module."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset
from typing_extensions import override

from emorec.data.affwild2 import (
    DIMENSIONS,
    EXPRESSIONS,
    FRAMES_PER_SECOND,
    HOW_TO_GET_IT,
    ROOT_VARIABLE,
    Task,
    Video,
    find_videos,
)
from emorec.data.affwild2_split import OfficialSplit, record, split_films
from emorec.data.affwild2_submission import named_videos, smoothed_values, write_submission
from emorec.data.augment import Augment
from emorec.data.cache.store import resolve_cache
from emorec.data.clip import Clip, Sample
from emorec.data.datamodule import ClipDataModule
from emorec.data.downsample import Labels, kept
from emorec.data.every_frame import Smooth
from emorec.data.feature_dataset import FeatureDataset
from emorec.data.frame_clips import FrameClips
from emorec.data.frame_window import Gaps, Position, Window, WindowFeatures, WindowPictures
from emorec.data.own_format import OwnFormat
from emorec.data.split import SIDES, STAGE_SIDES, ClipIndex, Side
from emorec.data.whole_pictures import tell_broken, whole_pictures
from emorec.errors import UserError
from emorec.image_size import size_before_crop
from emorec.text import listed_files

log = logging.getLogger(__name__)


class AffWild2DataModule(ClipDataModule, OwnFormat):
    """Aff-Wild2: each annotated frame in which the face was found is a clip, the window of frames that leads to it.

    Args:
        root: Holds `cropped_aligned` and the annotations; by default the folder that the environment variable
            EMOREC_AFFWILD2_ROOT names.
        task: "va" for valence and arousal, "expr" for eight expressions.
        split: "official": the official validation set tests, some training films validate. "seed": the official
            validation set validates, nothing tests.
        val_share: Of the training films, how many validate in split official.
        split_seed: Decides which.
        window: The T frames "ends" with the frame in question, or "precedes" it.
        gaps: Where a frame has no picture, "hold" the one before it, or "drop" the windows with gaps.
        every: Train on every so many-th annotated frame of a video: neighbours look alike.
        balance: What to do about what is frequent: leave out training frames by the "seed" study's rule or by a
            corrected one, "histogram" (see `keep_probabilities`); for expressions also as elsewhere "weights" in the
            loss, or "sampler".
        features: A folder that `emorec features` has written: the network gets these in place of pictures.
        smooth: What is predicted of every frame becomes a mean over its neighbours, "box" or "gaussian"; a test tells
            its figures with and without.
        smooth_frames: So many, odd.
        predict_list: A file with the names of the videos to predict, a line each; by default all.
        loading: The arguments of `ClipDataModule`; those that are about decoding and finding faces have no effect.

    Attributes:
        before_and_after: Labels of the training frames that there were and that were kept, where some were left out.
        broken: Pictures that can't be read, each with the reason; they are as if they were not there.

    Source: Kollias & Zafeiriou 2019, arXiv 1910.04855.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        task: Task = "va",
        split: OfficialSplit = "official",
        val_share: float = 0.2,
        split_seed: int = 0,
        window: Position = "ends",
        gaps: Gaps = "hold",
        every: int = 1,
        balance: Literal["none", "seed", "histogram", "weights", "sampler"] = "none",
        features: str | None = None,
        smooth: Smooth = "none",
        smooth_frames: int = 25,
        predict_list: str | None = None,
        **loading: Any,
    ) -> None:
        in_loss = balance if balance in ("weights", "sampler") else "none"
        super().__init__(balance=in_loss, **loading)
        _refuse(task, balance, val_share, every, smooth_frames)
        if self.face == "crop":
            raise UserError("data.face is of no use to Aff-Wild2: leave it out")
        if features is not None and self.augment:
            raise UserError("data.augment is about pictures: leave it out with data.features")
        self.root = root
        self.task: Task = task
        self.split_name: OfficialSplit = split
        self.val_share = val_share
        self.split_seed = split_seed
        self.window = Window(self.frame_spec.num_frames, window, gaps)
        self.every = every
        self.downsampling = balance
        self.features = None if features is None else Path(features).expanduser()
        self.smooth: Smooth = smooth
        self.smooth_frames = smooth_frames
        self.predict_list = predict_list
        self.target_names = DIMENSIONS if task == "va" else ()
        self.before_and_after: tuple[Labels, Labels] | None = None
        self.broken: list[tuple[Path, str]] = []
        # the faces fill their pictures: no border is cut away unless it is drawn where
        crops = self.augment not in (False, "seed_affwild2")
        size = size_before_crop(self.image_size) if crops else self.image_size
        self.frame_spec = replace(self.frame_spec, size=size)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The expressions; none for valence and arousal."""
        return EXPRESSIONS if self.task == "expr" else ()

    @cached_property
    def found_videos(self) -> tuple[list[Video], list[tuple[Path, str]]]:
        """All videos below `root` with the pictures that can be read, and annotations without pictures.

        Raises:
            UserError: When no folder is named or it is not Aff-Wild2's.
        """
        root = self.root or os.environ.get(ROOT_VARIABLE)
        if not root:
            raise UserError(
                f"no data folder: name it with --data.root DIR or {ROOT_VARIABLE}; {HOW_TO_GET_IT}"
            )
        videos, others = find_videos(root, self.task)
        looked = whole_pictures(videos, resolve_cache(self.cache))
        self.broken = looked.broken
        return looked.videos, others

    @override
    def find(self) -> ClipIndex:
        videos, others = self.found_videos
        split = split_films(
            videos, self.split_name, val_share=self.val_share, split_seed=self.split_seed
        )
        return ClipIndex(self._clips(videos, labelled=True), split, others)

    @override
    def prepare_data(self) -> None:
        if others := self.found_videos[1]:
            log.warning(
                "%s annotated videos have no pictures and are left out: %s",
                len(others),
                listed_files(others),
            )
        tell_broken(self.broken)

    @override
    def setup(self, stage: str) -> None:
        found, videos = self.find(), self.found_videos[0]
        self.split = found.split
        sides: dict[Side, FrameClips] = {}
        for side in SIDES:
            own = [video for video in videos if found.split.side_of(video.film) == side]
            sides[side] = self._clips(
                own, labelled=True, every=self.every if side == "train" else 1
            )
        if self.downsampling in ("seed", "histogram") and len(sides["train"]):
            before = sides["train"].labels
            keep = kept(before, "seed" if self.downsampling == "seed" else "histogram", self.seed)
            sides["train"] = sides["train"].at(sides["train"].rows[keep])
            self.before_and_after = before, before[keep]
        for side in STAGE_SIDES[stage]:
            if not len(sides[side]):
                raise UserError(
                    f"split {self.split.name}: no frame left for {side}, of {len(videos)} videos; what leaves out "
                    "frames is --data.gaps drop and --data.balance"
                )
        self.sides = {**sides}
        self._record = record(self.split, sides)
        if stage == "predict":
            self.all_clips = self._clips(named_videos(videos, self.predict_list), labelled=False)
        else:
            self.all_clips = found.clips
        self.read_frames = WindowPictures(
            videos, self.window, self.frame_spec.size, self.frame_spec.resize
        )

    @cached_property
    @override
    def clip_seconds(self) -> float | None:
        return self.frame_spec.num_frames / FRAMES_PER_SECOND

    def frames_of(self, video: Video) -> FrameClips:
        """All frames of a video that have a picture, whatever their windows."""
        rows = np.stack([np.zeros_like(video.frames), video.frames], axis=1)
        return FrameClips([video], rows, self._unknown)

    @property
    def _unknown(self) -> int | tuple[float, ...]:
        return -1 if self.task == "expr" else (float("nan"),) * len(DIMENSIONS)

    def _clips(self, videos: Sequence[Video], *, labelled: bool, every: int = 1) -> FrameClips:
        """Frames of videos that have a window."""
        rows = [np.zeros((0, 2), dtype=np.int32)]
        for place, video in enumerate(videos):
            frames = video.labelled if labelled else video.frames
            frames = frames[self.window.exists(video.frames, frames)][::every]
            rows.append(np.stack([np.full_like(frames, place), frames], axis=1))
        return FrameClips(videos, np.concatenate(rows), self._unknown)

    @override
    def split_record(self) -> dict[str, Any]:
        return dict(self._record)

    @override
    def dataset(
        self,
        clips: Sequence[Clip],
        *,
        augment: Augment = False,
        augment_sound: bool = False,
        crop: bool = True,
    ) -> Dataset[Sample]:
        if self.features is None:
            return super().dataset(clips, augment=augment, augment_sound=augment_sound, crop=crop)
        if not crop:
            raise UserError(
                f"--views {self.num_views} looks at pictures, and the network takes features: leave it out"
            )
        return FeatureDataset(
            clips, WindowFeatures(self.found_videos[0], self.window, self.features)
        )

    @override
    def write_own_format(
        self, folder: Path, index: npt.NDArray[np.int64], values: npt.NDArray[np.float32]
    ) -> str:
        clips = self.all_clips
        assert isinstance(clips, FrameClips)
        return write_submission(
            folder / "submission.txt",
            clips.at(clips.rows[index]),
            values.astype(np.float64),
            self.task,
            smooth=self.smooth,
            width=self.smooth_frames,
        )

    @override
    def smoothed(
        self,
        clips: Sequence[Clip],
        index: npt.NDArray[np.int64],
        values: npt.NDArray[np.float32],
    ) -> tuple[str, npt.NDArray[np.float32]] | None:
        if self.smooth == "none":
            return None
        assert isinstance(clips, FrameClips)
        measured = clips.at(clips.rows[index])
        how, width = self.smooth, self.smooth_frames
        means = smoothed_values(measured, values.astype(np.float64), how, width)
        return f"{how} over {width} frames", means.astype(np.float32)


def _refuse(task: Task, balance: str, val_share: float, every: int, smooth_frames: int) -> None:
    if task == "va" and balance in ("weights", "sampler"):
        raise UserError(
            f"data.balance {balance} counts classes: for valence and arousal choose seed or histogram"
        )
    if not 0 < val_share < 1:
        raise UserError(f"data.val_share is {val_share}: it has to be above 0 and below 1")
    if every < 1:
        raise UserError(f"data.every is {every}: it has to be at least 1")
    if smooth_frames < 1 or smooth_frames % 2 == 0:
        raise UserError(f"data.smooth_frames is {smooth_frames}: it has to be odd, such as 25")
