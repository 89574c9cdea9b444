"""RAVDESS data module."""

from functools import cached_property
from typing import Any

from typing_extensions import override

from emorec.data.datamodule import ClipDataModule, resolve_root
from emorec.data.sets.ravdess.parser import (
    ROOT_VARIABLE,
    SINGERS,
    Channel,
    Modality,
    class_names,
    find_clips,
)
from emorec.data.split import STAGE_SUBSETS, ClipIndex, SplitName, make_split
from emorec.data.video.reader import Decoder
from emorec.errors import UserError


class RavdessDataModule(ClipDataModule):
    """RAVDESS with held-out actors.

    Args:
        root: Where RAVDESS was unzipped, in any nesting; by default the folder that the environment variable
            EMOREC_RAVDESS_ROOT names.
        modality: "av" takes the clips with sound, "video" their silent twins, "both" both of them (each take then
            counts twice, as in the seed study), "audio" the sound files without pictures.
        channel: "speech" (eight emotions), "song" (six) or "both".
        split: Published split of the actors.
        fold: From 1, for a split with folds.
        decoder: The library that reads the videos; decord, as in the seed study, gives the same frames as PyAV.
        loading: The arguments of `ClipDataModule`.

    Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391.
    """

    def __init__(
        self,
        root: str | None = None,
        modality: Modality = "av",
        channel: Channel = "speech",
        split: SplitName = "seed",
        fold: int | None = None,
        *,
        decoder: Decoder = "decord",
        **loading: Any,
    ) -> None:
        super().__init__(decoder=decoder, **loading)
        if modality == "audio" and self.frame_spec.num_frames:
            raise UserError(
                "data.modality audio has no pictures: choose a network that takes sound only, with "
                "--data.num_frames 0 --data.sound true, as configs/audio_cnn_rnn.yaml does"
            )
        self.root = root
        self.modality: Modality = modality
        self.channel: Channel = channel
        self.split_name: SplitName = split
        self.fold = fold

    @property
    @override
    def class_names(self) -> tuple[str, ...]:
        """The emotions of the channel."""
        return class_names(self.channel)

    @override
    def find(self) -> ClipIndex:
        """Return the clips below `root` and their split.

        Raises:
            UserError: When no folder is named, it does not exist, it holds no such clip, or there is no such fold.
        """
        return self._index

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        from emorec.data.synthetic.clips import is_drawn  # late: it imports what draws

        # one that the stage opens anyway
        clips = self.subsets[STAGE_SUBSETS[stage][0]] if STAGE_SUBSETS[stage] else self.all_clips
        self._drawn = bool(clips) and is_drawn(clips[0].path)

    @override
    def split_record(self) -> dict[str, Any]:
        """Return the record of the split, with "drawn" where the clips are those of `emorec synth`."""
        return {**super().split_record(), **({"drawn": True} if self._drawn else {})}

    @cached_property
    def _index(self) -> ClipIndex:
        root = resolve_root(self.root, ROOT_VARIABLE)
        split = make_split(self.split_name, self.fold)
        if self.channel == "song":
            split = split.among(SINGERS)
        folder = find_clips(root, modality=self.modality, channel=self.channel)
        return ClipIndex(folder.clips, split, folder.other_files)
