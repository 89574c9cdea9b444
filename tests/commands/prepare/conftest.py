"""`emorec prepare` beside a server that has the archives of four actors."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emorec.cli import main
from emorec.data.download import patience
from emorec.data.download.zenodo import ZENODO_VARIABLE
from tests.commands.prepare.asked import ARCHIVES, NO_FRAMES, Said
from tests.zenodo_server import (
    ZenodoServer,
    zenodo,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ravdess"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[ZenodoServer]:
    """Zenodo, where the command looks for it; the root is said as well."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("EMOREC_RAVDESS_ROOT", str(root))
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.01)
    with zenodo(dict(ARCHIVES)) as running:
        monkeypatch.setenv(ZENODO_VARIABLE, running.address)
        yield running


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], server: ZenodoServer) -> Said:
    """What `emorec prepare` with some words prints."""

    def call(*words: str) -> str:
        capsys.readouterr()
        main(["prepare", *words, *NO_FRAMES])
        return capsys.readouterr().out

    return call


@pytest.fixture
def failed(
    capsys: pytest.CaptureFixture[str], server: ZenodoServer
) -> Callable[..., tuple[str, str]]:
    """What it prints, and the one line it ends with, when it fails."""

    def call(*words: str) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["prepare", *words, *NO_FRAMES])
        assert ended.value.code == 2
        output = capsys.readouterr()
        *_, last = output.err.splitlines()
        assert last.startswith("emorec prepare: error: ")
        return output.out, last

    return call
