"""Functionals of a clip's whole sound by openSMILE: the features that studies of speech had before networks.

openSMILE is not included in emorec: its licence allows research and private use only.

Source: Schuller et al. 2016, The INTERSPEECH 2016 computational paralinguistics challenge (ComParE); Eyben et al. 2016,
The Geneva minimalistic acoustic parameter set (eGeMAPS); Eyben et al. 2010, openSMILE.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.audio import SoundSpec, decode_clip_audio
from emorec.data.clip import Clip, settings_digest
from emorec.data.video.reader import decoder_version
from emorec.errors import UserError

FeatureSet: TypeAlias = Literal["compare", "egemaps"]

FEATURE_SETS: tuple[FeatureSet, ...] = get_args(FeatureSet)

OPENSMILE_NAMES: dict[FeatureSet, str] = {"compare": "ComParE_2016", "egemaps": "eGeMAPSv02"}
"""Of `opensmile.FeatureSet`."""

NUM_FEATURES: dict[FeatureSet, int] = {"compare": 6373, "egemaps": 88}

SAMPLE_RATE = 16_000
"""Samples per second that openSMILE gets."""

FORMAT = 1
"""Version of the features; raising it makes cached ones unused."""

LICENCE = (
    "openSMILE's licence (audEERING) allows research and private use only, no commercial products"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionalsSpec(SoundSpec):
    """Functionals of a clip's whole sound.

    Attributes:
        feature_set: "compare" (6,373 features) or "egemaps" (88).
    """

    feature_set: FeatureSet

    @property
    def title(self) -> str:
        """For messages."""
        return f"{self.feature_set} of whole clips"

    @property
    @override
    def shape(self) -> tuple[int, int]:
        """(1, D) of a clip."""
        return 1, NUM_FEATURES[self.feature_set]

    @property
    @override
    def dtype(self) -> type[np.float32]:
        """Of the features."""
        return np.float32

    @property
    @override
    def name(self) -> str:
        """A file name that is unique to the feature set and the versions of openSMILE and the decoder.

        Raises:
            UserError: When openSMILE is not installed.
        """
        content = {
            "format": FORMAT,
            "set": OPENSMILE_NAMES[self.feature_set],
            "opensmile": _opensmile_version(self.feature_set),
            "reader": decoder_version("pyav"),
        }
        return f"{self.feature_set}-{settings_digest(content)}"

    @override
    def decode(self, clip: Clip) -> tuple[npt.NDArray[np.float32], str | None]:
        """Decode the sound of a clip and describe it, (1, D) float32; return where it has holes, too, or `None`.

        All are NaN when the sound is too short for openSMILE.

        Raises:
            ClipError: When it can't be decoded.
            UserError: When openSMILE is not installed.
        """
        waveform, note = decode_clip_audio(clip, SAMPLE_RATE)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Segment too short", UserWarning)
            table = cached_smile(self.feature_set).process_signal(waveform, SAMPLE_RATE)
        features = np.asarray(table.to_numpy(), np.float32)
        return np.where(np.isfinite(features), features, np.float32(np.nan)), note


def _opensmile_version(feature_set: FeatureSet) -> str:
    try:
        return metadata.version("opensmile")
    except metadata.PackageNotFoundError:
        raise UserError(
            f"{feature_set} needs openSMILE, which is not installed: pip install 'emorec[opensmile]' ({LICENCE})"
        ) from None


@cache
def cached_smile(feature_set: FeatureSet) -> Any:
    """Return openSMILE's extractor, made once in this process."""
    opensmile = import_module("opensmile")
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[OPENSMILE_NAMES[feature_set]],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
