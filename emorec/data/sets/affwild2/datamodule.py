"""Aff-Wild2 data module."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset
from typing_extensions import override

from emorec.data.augment import Augment
from emorec.data.clip import Clip, Sample
from emorec.data.datamodule import ClipDataModule, resolve_root
from emorec.data.sets.affwild2.features import FeatureDataset, WindowFeatures
from emorec.data.sets.affwild2.parser import (
    DIMENSIONS,
    EXPRESSIONS,
    FRAMES_PER_SECOND,
    HOW_TO_GET_AFFWILD2,
    ROOT_VARIABLE,
    Labels,
    Task,
    Video,
    find_videos,
)
from emorec.data.sets.affwild2.split import AffWild2SplitName, split_films, split_record
from emorec.data.sets.affwild2.submission import (
    Smooth,
    select_videos,
    smooth_predictions,
    write_submission,
)
from emorec.data.sets.affwild2.undersampling import undersample
from emorec.data.sets.affwild2.windows import FrameClips, Gaps, Position, Window, WindowFrames
from emorec.data.split import STAGE_SUBSETS, SUBSETS, ClipIndex, Subset
from emorec.errors import UserError
from emorec.image_size import size_before_crop
from emorec.text import first_few

log = logging.getLogger(__name__)


class AffWild2DataModule(ClipDataModule):
    """Aff-Wild2: each annotated frame with a detected face is a clip, the window of frames that leads to it.

    Args:
        root: Holds `cropped_aligned` and the annotations; by default the folder that the environment variable
            EMOREC_AFFWILD2_ROOT names.
        task: "va" for valence and arousal, "expr" for eight expressions.
        split: "official": the official validation set tests, some training films validate. "seed": the official
            validation set validates, nothing tests.
        val_share: Share of the training films that validate in split official.
        split_seed: Seed of their drawing.
        window: The T frames "ends" with the clip's own frame, or "precedes" it.
        gaps: For a frame without an image, "hold" the previous one, or "drop" the windows with gaps.
        every: Train on every n-th annotated frame of a video, since neighbouring frames are alike.
        balance: Treatment of frequent labels: undersample training frames by the "seed" study's rule or by a corrected
            one, "histogram" (see `keep_probabilities`); for expressions also "weights" in the loss, or "sampler".
        features: A folder that `emorec features` has written: the network gets these in place of images.
        smooth: Average the predictions over neighbouring frames, "box" or "gaussian"; a test reports the scores with
            and without.
        smooth_frames: Number of frames to average, odd.
        predict_list: A file with the names of the videos to predict, a line each; by default all.
        loading: The arguments of `ClipDataModule`; those for decoding and face detection have no effect.

    Attributes:
        labels_before_and_after: Labels of the training frames before and after undersampling; `None` without.

    Source: Kollias & Zafeiriou 2019, arXiv 1910.04855.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        task: Task = "va",
        split: AffWild2SplitName = "official",
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
        class_balance = balance if balance in ("weights", "sampler") else "none"
        super().__init__(balance=class_balance, **loading)
        if task == "va" and class_balance != "none":
            raise UserError(
                f"data.balance {balance} counts classes: for valence and arousal choose seed or histogram"
            )
        if not 0 < val_share < 1:
            raise UserError(f"data.val_share is {val_share}: it has to be above 0 and below 1")
        if every < 1:
            raise UserError(f"data.every is {every}: it has to be at least 1")
        if smooth_frames < 1 or smooth_frames % 2 == 0:
            raise UserError(f"data.smooth_frames is {smooth_frames}: it has to be odd, such as 25")
        if self.frame_spec.face != "none":
            raise UserError(
                f"data.face {self.frame_spec.face}: Aff-Wild2's images are faces already, leave it out"
            )
        if self.landmark_spec or self.audio_spec or self.embedding_spec:
            raise UserError(
                "Aff-Wild2 is loaded as images alone: leave out data.landmarks, data.sound and data.sound_embedding "
                "(for emorec baseline choose --features hog or backbone)"
            )
        if features is not None and self.augment:
            raise UserError("data.augment changes images: leave it out with data.features")
        self.root = root
        self.task: Task = task
        self.split_name: AffWild2SplitName = split
        self.val_share = val_share
        self.split_seed = split_seed
        self.window = Window(self.frame_spec.num_frames, window, gaps)
        self.every = every
        self.undersampling = balance if balance in ("seed", "histogram") else None
        self.features = None if features is None else Path(features).expanduser()
        self.smooth: Smooth = smooth
        self.smooth_frames = smooth_frames
        self.predict_list = predict_list
        self.target_names = DIMENSIONS if task == "va" else ()
        self.labels_before_and_after: tuple[Labels, Labels] | None = None
        # the faces fill the images: no border is cropped unless augmentation shifts the crop
        crops = self.augment not in (False, "seed_affwild2")
        size = size_before_crop(self.image_size) if crops else self.image_size
        self.frame_spec = replace(self.frame_spec, size=size)

    @property
    @override
    def class_names(self) -> tuple[str, ...]:
        """The expressions; none for valence and arousal."""
        return EXPRESSIONS if self.task == "expr" else ()

    @property
    def videos(self) -> list[Video]:
        """All videos below `root`.

        Raises:
            UserError: When no folder is named or it is not Aff-Wild2's.
        """
        return self._folder[0]

    @cached_property
    def _folder(self) -> tuple[list[Video], list[Path]]:
        return find_videos(resolve_root(self.root, ROOT_VARIABLE, HOW_TO_GET_AFFWILD2), self.task)

    @override
    def find(self) -> ClipIndex:
        split = split_films(
            self.videos, self.split_name, val_share=self.val_share, split_seed=self.split_seed
        )
        return ClipIndex(self._clips(self.videos), split, [(path, "") for path in self._folder[1]])

    @override
    def prepare_data(self) -> None:
        """Warn of annotations without images; there is nothing to cache."""
        if unmatched := self._folder[1]:
            log.warning(
                "left out %s annotated videos without images: %s",
                len(unmatched),
                first_few(unmatched, separator="; "),
            )

    @override
    def setup(self, stage: str) -> None:
        index = self.find()
        self.split = index.split
        subsets: dict[Subset, FrameClips] = {}
        for subset in SUBSETS:
            videos = [video for video in self.videos if self.split.subset_of(video.film) == subset]
            subsets[subset] = self._clips(videos, every=self.every if subset == "train" else 1)
        if self.undersampling and len(subsets["train"]):
            labels = subsets["train"].labels
            mask = undersample(labels, self.undersampling, self.seed)
            subsets["train"] = subsets["train"].select(mask)
            self.labels_before_and_after = labels, labels[mask]
        for subset in STAGE_SUBSETS[stage]:
            if not len(subsets[subset]):
                raise UserError(
                    f"split {self.split.name}: no frame left for {subset}, of {len(self.videos)} videos; "
                    "--data.gaps drop and --data.balance leave out frames"
                )
        self.subsets = {**subsets}
        self._record = split_record(self.split, subsets)
        self.all_clips = index.clips
        if stage == "predict":
            videos = self.videos
            if self.predict_list is not None:
                videos = select_videos(videos, self.predict_list)
            self.all_clips = self._clips(videos, labelled=False)
        self.read_frames = WindowFrames(
            self.videos, self.window, self.frame_spec.size, self.frame_spec.resize
        )

    def _clips(
        self, videos: Sequence[Video], *, labelled: bool = True, every: int = 1
    ) -> FrameClips:
        """Return every n-th frame of each video, labelled or any, that has a window."""
        rows = [np.zeros((0, 2), dtype=np.int32)]
        for i, video in enumerate(videos):
            frames = video.labelled_frames if labelled else video.frames
            frames = frames[self.window.exists(video.frames, frames)][::every]
            rows.append(np.stack([np.full_like(frames, i), frames], axis=1))
        return FrameClips(videos, np.concatenate(rows), self._unknown_label)

    def all_frames(self, video: Video) -> FrameClips:
        """Return all frames of a video that have an image, whatever their windows."""
        rows = np.stack([np.zeros_like(video.frames), video.frames], axis=1)
        return FrameClips([video], rows, self._unknown_label)

    @property
    def _unknown_label(self) -> int | tuple[float, ...]:
        return -1 if self.task == "expr" else (float("nan"),) * len(DIMENSIONS)

    @cached_property
    @override
    def clip_seconds(self) -> float | None:
        return self.frame_spec.num_frames / FRAMES_PER_SECOND

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
                f"--views {self.num_views} needs images, and the network takes features: leave it out"
            )
        return FeatureDataset(clips, WindowFeatures(self.videos, self.window, self.features))

    def write_submission(
        self, folder: Path, indices: npt.NDArray[np.int64], values: npt.NDArray[np.float32]
    ) -> str:
        """Write `submission.txt` in the format of the ABAW challenges; return a summary.

        Args:
            folder: Folder of the file.
            indices: (N,) positions in `all_clips`.
            values: (N, 2) valence and arousal, or (N, 8) probabilities.
        """
        assert isinstance(self.all_clips, FrameClips)
        return write_submission(
            folder / "submission.txt",
            self.all_clips.select(indices),
            values.astype(np.float64),
            self.task,
            smooth=self.smooth,
            width=self.smooth_frames,
        )

    def smooth_predictions(
        self,
        clips: Sequence[Clip],
        indices: npt.NDArray[np.int64],
        values: npt.NDArray[np.float32],
    ) -> tuple[str, npt.NDArray[np.float32]] | None:
        """Return a description of the smoothing and the smoothed predictions, (N, K); `None` without smoothing.

        Args:
            clips: The clips of a subset.
            indices: (N,) positions in it.
            values: (N, 2) valence and arousal, or (N, 8) probabilities.
        """
        if self.smooth == "none":
            return None
        assert isinstance(clips, FrameClips)
        smoothed = smooth_predictions(
            clips.select(indices), values.astype(np.float64), self.smooth, self.smooth_frames
        )
        return f"{self.smooth} over {self.smooth_frames} frames", smoothed.astype(np.float32)
