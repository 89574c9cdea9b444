"""What tests of commands may ask for."""

import pytest

from tests.inference.fakes import Grey


@pytest.fixture
def grey(monkeypatch: pytest.MonkeyPatch) -> Grey:
    """What the command loads, whatever file is named."""
    runtime = Grey()
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    return runtime
