"""openSMILE gets the whole sound of a clip. Its licence keeps it out of [dev]: a stand-in has its interface here."""

import enum
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emorec.data.clip import Clip
from emorec.data.functionals import FunctionalsSpec, cached_smile
from emorec.errors import UserError
from tests.data.test_audio import tone, write_wav


class StandIn(ModuleType):
    """The part of opensmile that is used; a sound's features are its length, its rate, infinity and zeros."""

    class FeatureSet(enum.Enum):
        ComParE_2016 = 6373
        eGeMAPSv02 = 88  # noqa: N815 - opensmile's name

    class FeatureLevel(enum.Enum):
        Functionals = "func"

    class Smile:
        def __init__(self, *, feature_set: "StandIn.FeatureSet", feature_level: object) -> None:
            assert feature_level is StandIn.FeatureLevel.Functionals
            self.num_features = feature_set.value

        def process_signal(self, signal: "np.ndarray[Any, Any]", rate: int) -> pd.DataFrame:
            values = [len(signal), rate, np.inf, *np.zeros(self.num_features - 3)]
            return pd.DataFrame([values], dtype=np.float32)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    version = metadata.version
    monkeypatch.setitem(sys.modules, "opensmile", StandIn("opensmile"))
    monkeypatch.setattr(
        metadata, "version", lambda name: "1.0" if name == "opensmile" else version(name)
    )
    cached_smile.cache_clear()
    yield
    cached_smile.cache_clear()


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = write_wav(tmp_path / "a.wav", [tone(4.5, 44_100)], 44_100)
    return Clip(path=path, label=0, actor=1, take="a")


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("name", "num_features"), [("compare", 6373), ("egemaps", 88)])
def test_the_whole_sound_is_described_at_16_khz(name: Any, num_features: int, clip: Clip) -> None:
    spec = FunctionalsSpec(feature_set=name)
    features = spec.load(clip)
    assert features.shape == spec.shape == (1, num_features)
    assert features.dtype == spec.dtype
    assert features[0, 0] == pytest.approx(4.5 * 16_000, abs=1)
    assert features[0, 1] == 16_000
    assert np.isnan(features[0, 2])
    assert spec.name.startswith(f"{name}-")


def test_without_opensmile_the_error_names_the_extra_and_the_licence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(UserError, match=r"emorec\[opensmile\].*research and private use only"):
        _ = FunctionalsSpec(feature_set="egemaps").name


@pytest.mark.skipif(find_spec("opensmile") is None, reason="opensmile is not installed")
def test_egemaps_of_a_tone_has_its_pitch(clip: Clip) -> None:
    features = FunctionalsSpec(feature_set="egemaps").load(clip)
    semitones = 12 * np.log2(440 / 27.5)
    assert features.shape == (1, 88)
    assert features[0, 0] == pytest.approx(semitones, abs=0.5)
