"""Fixtures of the tests of commands."""

import pytest

from tests.inference.fakes import Grey


@pytest.fixture
def grey(monkeypatch: pytest.MonkeyPatch) -> Grey:
    """Runtime that replaces the loaded network."""
    runtime = Grey()
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    return runtime
