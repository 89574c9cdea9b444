"""IEMOCAP data module."""

import logging
import math
from functools import cached_property
from pathlib import Path
from typing import Any

from typing_extensions import override

from emorec.data.clip import Half
from emorec.data.datamodule import ClipDataModule, resolve_root
from emorec.data.sets.iemocap.parser import (
    CLASSES,
    HOW_TO_GET_IEMOCAP,
    ROOT_VARIABLE,
    IemocapFolder,
    NumClasses,
    find_clips,
)
from emorec.data.sets.iemocap.split import IemocapSplitName, make_iemocap_split
from emorec.data.split import ClipIndex
from emorec.errors import UserError
from emorec.text import listed_files

log = logging.getLogger(__name__)

LEAK_WARNING = (
    "LEAK: split seed_random splits utterances and not people. Every person in the test also trained, and the "
    "epoch is chosen on the test clips: the scores do not estimate performance on unseen people (those of loso5 and "
    "speaker10 do)"
)


class IemocapDataModule(ClipDataModule):
    """IEMOCAP: an utterance is a span of its dialogue's video, the half of the picture with the speaker, and a wav.

    Args:
        root: The folder that holds Session1 to Session5; by default the one that the environment variable
            EMOREC_IEMOCAP_ROOT names.
        split: "loso5" and "speaker10" test unseen people; "seed_random" does not.
        fold: From 1, for a split with folds.
        classes: 4 (angry, happy, neutral, sad), or 3 without happy.
        merge_excited: Count excited as happy, as most studies do: 5,531 utterances instead of 4,490.
        improvised_only: Leave out scripted dialogues, which have the same sentences in all sessions.
        middle_seconds: Show at most so many seconds in the middle of an utterance; `sound_seconds` of the same length
            are the same seconds. By default all of it.
        marked_half: The half of the picture that shows the person with the markers. The release's README does not say;
            "left" is what public code takes whose authors looked at the videos.
        loading: The arguments of `ClipDataModule`; with `num_frames` 0 the videos may be missing.

    Source: Busso et al. 2008, Language Resources and Evaluation 42(4):335-359. For `marked_half`:
        IoannisKansizoglou/Iemocap-preprocess `extractionmapCreator.py`, find_speaker (of Ses..F the woman is left, of
        Ses..M she is right).
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        split: IemocapSplitName = "loso5",
        fold: int | None = None,
        classes: NumClasses = 4,
        merge_excited: bool = False,
        improvised_only: bool = False,
        middle_seconds: float | None = None,
        marked_half: Half = "left",
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if merge_excited and classes == 3:
            raise UserError(
                "data.merge_excited true counts excited as happy, which data.classes 3 leaves out: choose one"
            )
        if middle_seconds is not None and not middle_seconds > 0:
            raise UserError(f"data.middle_seconds is {middle_seconds}: it has to be above 0")
        self.root = root
        self.split_name: IemocapSplitName = split
        self.fold = fold
        self.classes: NumClasses = classes
        self.merge_excited = merge_excited
        self.improvised_only = improvised_only
        self.middle_seconds = math.inf if middle_seconds is None else middle_seconds
        self.marked_half: Half = marked_half

    @property
    @override
    def class_names(self) -> tuple[str, ...]:
        """The emotions in label order."""
        return CLASSES[self.classes]

    @override
    def find(self) -> ClipIndex:
        """Return the utterances below `root` and their split.

        Raises:
            UserError: When no folder is named, it does not exist, does not have IEMOCAP's layout, or holds no such
                utterance.
        """
        clips = self._folder.clips
        return ClipIndex(clips, make_iemocap_split(self.split_name, self.fold, clips))

    @override
    def prepare_data(self) -> None:
        self.find()  # an error in root, split or fold comes before any warning
        folder = self._folder
        excluded = folder.excluded(self.classes, merge_excited=self.merge_excited)
        if excluded:
            log.info(
                "%s utterances of %s; excluded labels: %s",
                f"{len(folder.clips):,}",
                ", ".join(self.class_names),
                ", ".join(f"{number:,} {label}" for label, number in excluded.items()),
            )
        if folder.incomplete:
            names = listed_files([(Path(name), missing) for name, missing in folder.incomplete])
            log.warning("left out %d utterances: %s", len(folder.incomplete), names)
        if folder.malformed:
            files = listed_files([(Path(path.name), error) for path, error in folder.malformed])
            log.warning("skipped malformed lines: %s", files)
        if self.split_name == "seed_random":
            log.warning("%s", LEAK_WARNING)
        super().prepare_data()

    @cached_property
    def _folder(self) -> IemocapFolder:
        return find_clips(
            resolve_root(self.root, ROOT_VARIABLE, HOW_TO_GET_IEMOCAP),
            num_classes=self.classes,
            merge_excited=self.merge_excited,
            improvised_only=self.improvised_only,
            marked_half=self.marked_half,
            middle_seconds=self.middle_seconds,
            videos_required=self.frame_spec.num_frames > 0 or self.landmark_spec is not None,
        )
