from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from emorec.diagnosis.decoder import look_at_decoder

decode_module = import_module("emorec.data.video.reader")


def test_the_decoder_of_this_environment_gives_back_what_was_encoded():
    findings = look_at_decoder()
    assert not findings.failures
    assert findings.rows == [("decoder", "works: a clip came back as it was encoded")]


@pytest.mark.parametrize("frames", [np.zeros((6, 64, 64, 3)), np.zeros((0, 64, 64, 3))])
def test_a_decoder_that_gives_other_frames_is_a_failure(monkeypatch, frames):
    monkeypatch.setattr(decode_module, "decode", lambda *args: SimpleNamespace(frames=frames))
    (failure,) = look_at_decoder().failures
    assert "wrong frames" in failure


def test_a_decoder_that_raises_is_a_failure_in_one_line(monkeypatch):
    def broken(*args):
        raise OSError("no codec\nfor this")

    monkeypatch.setattr(decode_module, "decode", broken)
    assert look_at_decoder().failures == ["decoding fails: OSError: no codec"]
