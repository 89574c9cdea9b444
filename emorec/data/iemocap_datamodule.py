"""IEMOCAP as a Lightning data module."""

import logging
import math
import os
from pathlib import Path
from typing import Any

from typing_extensions import override

from emorec.data.clip import Half
from emorec.data.datamodule import ClipDataModule
from emorec.data.iemocap import ROOT_VARIABLE, WHERE_TO_ASK, Folder, find_clips, left_out
from emorec.data.iemocap_labels import CLASSES, NumClasses
from emorec.data.iemocap_split import IemocapSplitName, make_iemocap_split
from emorec.data.split import ClipIndex
from emorec.errors import UserError
from emorec.text import listed_files

log = logging.getLogger(__name__)

LEAK = (
    "LEAK: split seed_random draws utterances instead of people. Everybody who is tested has trained, and the epoch is "
    "chosen on the clips that are tested: the figures don't tell how it does on people it doesn't know (loso5 and "
    "speaker10 do)"
)


class IemocapDataModule(ClipDataModule):
    """IEMOCAP: an utterance is a span of its dialogue's video, the half of the picture with the speaker, and a wav.

    Args:
        root: The folder that holds Session1 to Session5; by default the one that the environment variable
            EMOREC_IEMOCAP_ROOT names.
        split: "loso5" and "speaker10" test people who are unknown; "seed_random" does not.
        fold: From 1, for a split with folds.
        classes: 4 (angry, happy, neutral, sad), or 3 without happy.
        merge_excited: Count excited as happy, as most studies do: 5,531 utterances instead of 4,490.
        improvised_only: Leave out dialogues that were read from a script: all sessions say the same sentences there.
        middle_seconds: How much of an utterance is seen at most, of its middle; with `sound_seconds` of sound these are
            the same seconds. By default all of it is.
        marked_half: The half of the picture in which the person with the markers is. The release's README does not say;
            "left" is what public code takes whose authors looked at the videos.
        loading: The arguments of `ClipDataModule`; with `num_frames` 0 no video need be there.

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
        self.root = root
        self.split_name = split
        self.fold = fold
        self.classes: NumClasses = classes
        self.merge_excited = merge_excited
        if middle_seconds is not None and not middle_seconds > 0:
            raise UserError(f"data.middle_seconds is {middle_seconds}: it has to be above 0")
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
        """The utterances below `root`.

        Raises:
            UserError: When no folder is named, it is not there, it is not laid out like IEMOCAP, or it holds no such
                utterance.
        """
        folder = self._folder()
        split = make_iemocap_split(self.split_name, self.fold, folder.clips)
        return ClipIndex(folder.clips, split)

    @override
    def prepare_data(self) -> None:
        """Looks through the clips once, and tells which utterances are left out and when the split means nothing."""
        self.find()  # what is wrong with root, split or fold is told first
        folder = self._folder()
        others = left_out(folder.counts, self.classes, merge_excited=self.merge_excited)
        if others:
            named = ", ".join(f"{number:,} {label}" for label, number in others.items())
            log.info(
                "%s of %s; left out for their label: %s",
                f"{len(folder.clips):,} utterances",
                ", ".join(self.class_names),
                named,
            )
        if folder.incomplete:
            names = listed_files([(Path(name), missing) for name, missing in folder.incomplete])
            log.warning("left out %d utterances: %s", len(folder.incomplete), names)
        if folder.others:
            files = listed_files([(Path(path.name), wrong) for path, wrong in folder.others])
            log.warning("lines that are no utterances were passed over: %s", files)
        if self.split_name == "seed_random":
            log.warning("%s", LEAK)
        super().prepare_data()

    def _folder(self) -> Folder:
        root = self.root or os.environ.get(ROOT_VARIABLE)
        if not root:
            raise UserError(
                f"no data folder: name it with --data.root DIR or {ROOT_VARIABLE}; {WHERE_TO_ASK}"
            )
        return find_clips(
            root,
            num_classes=self.classes,
            merge_excited=self.merge_excited,
            improvised_only=self.improvised_only,
            marked_half=self.marked_half,
            middle_seconds=self.middle_seconds,
            seen=self.frame_spec.num_frames > 0,
        )
