"""RAVDESS as a Lightning data module."""

import os
from typing import Any, Literal

from emorec.data.datamodule import ClipDataModule
from emorec.data.ravdess import ROOT_VARIABLE, SINGERS, class_names, find_clips
from emorec.data.split import ClipIndex, SplitName, make_split
from emorec.errors import UserError


class RavdessDataModule(ClipDataModule):
    """RAVDESS, held-out actors.

    Args:
        root: Where RAVDESS was unzipped, in any nesting; by default the folder that the environment variable
            EMOREC_RAVDESS_ROOT names.
        modality: "av" takes the clips with sound, "video" their silent twins, "both" all (each take then counts
            twice, as in the seed study).
        channel: "speech" (eight emotions), "song" (six) or "both".
        split: Which published split of the actors.
        fold: From 1, for a split with folds.
        loading: The arguments of `ClipDataModule`.

    Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391.
    """

    def __init__(
        self,
        root: str | None = None,
        modality: Literal["av", "video", "both"] = "av",
        channel: Literal["speech", "song", "both"] = "speech",
        split: SplitName = "seed",
        fold: int | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.root = root
        self.modality = modality
        self.channel = channel
        self.split_name = split
        self.fold = fold

    @property
    def class_names(self) -> tuple[str, ...]:
        """The emotions of the channel."""
        return class_names(self.channel)

    def find(self) -> ClipIndex:
        """The clips below `root`.

        Raises:
            UserError: When no folder is named, it is not there, or it holds no such clip.
        """
        root = self.root or os.environ.get(ROOT_VARIABLE)
        if not root:
            raise UserError(f"no data folder: name it with --data.root DIR or {ROOT_VARIABLE}")
        split = make_split(self.split_name, self.fold)
        if self.channel == "song":
            split = split.among(SINGERS)
        folder = find_clips(root, modality=self.modality, channel=self.channel)
        return ClipIndex(folder.clips, split, folder.others)
