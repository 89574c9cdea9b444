import signal
import sys
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from emorec.callbacks.end_together import EndTogether

TWO: Any = SimpleNamespace(world_size=2)


class Thing:
    """It can be taken away."""


@pytest.fixture
def listening() -> Iterator[EndTogether]:
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    together = EndTogether()
    together.on_train_start(TWO, Thing())  # type: ignore[arg-type]
    yield together
    signal.signal(signal.SIGTERM, before[0])
    sys.unraisablehook = before[1]


def take_away(meanwhile: Any) -> None:
    thing = Thing()
    reference = weakref.ref(thing, meanwhile)
    del thing
    assert reference() is None


def test_a_signal_stops_at_once(listening: EndTogether) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert listening.received_sigterm


def test_a_signal_while_an_object_is_taken_away_is_not_lost_and_not_remarked_on(
    listening: EndTogether, capfd: pytest.CaptureFixture[str]
) -> None:
    take_away(lambda _: signal.raise_signal(signal.SIGTERM))
    assert listening.received_sigterm
    assert capfd.readouterr().err == ""
    for starts in ("train", "validation", "test", "predict"):
        with pytest.raises(KeyboardInterrupt):
            getattr(listening, f"on_{starts}_batch_start")()


def test_other_remarks_are_made_as_ever(listening: EndTogether) -> None:
    made = []
    listening._remark = made.append

    def fail(_: Any) -> None:
        raise ValueError("other")

    take_away(fail)
    assert [remark.exc_type for remark in made] == [ValueError]


def test_afterwards_remarks_are_made_as_before(listening: EndTogether) -> None:
    assert sys.unraisablehook == listening._unraised
    listening.teardown(TWO, Thing(), "fit")  # type: ignore[arg-type]
    assert sys.unraisablehook == listening._remark
