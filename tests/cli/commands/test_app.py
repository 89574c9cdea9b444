"""`emorec app`: address, limits, warnings and errors."""

from pathlib import Path
from typing import Any

import pytest

from emorec.app import server
from emorec.cli import main
from tests.refusal import refusal
from tests.report.made_checkpoints import write_checkpoint

pytest.importorskip("gradio")


@pytest.fixture
def ckpt(tmp_path: Path) -> str:
    return str(write_checkpoint(tmp_path / "best.ckpt"))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments of the calls of `serve`, which is patched."""
    calls: list[dict[str, Any]] = []

    def serve(predictor: Any, path: Path, limits: Any, **options: Any) -> None:
        calls.append({"spec": predictor.spec, "limits": limits, **options})

    monkeypatch.setattr(server, "serve", serve)
    return calls


def test_it_is_served_on_localhost_by_default(
    ckpt: str, served: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["app", "--ckpt", ckpt])
    assert (served[0]["host"], served[0]["port"]) == ("127.0.0.1", 7860)
    assert (served[0]["limits"].megabytes, served[0]["limits"].seconds) == (200, 300)
    assert served[0]["spec"].network == "emorec.models.EarlyFusionCNN"
    assert capsys.readouterr().err == ""
    main(["app", "--ckpt", ckpt, "--host", "0.0.0.0", "--share", "never"])
    warning = capsys.readouterr().err
    assert warning.startswith("warning: at 0.0.0.0 everyone who reaches this machine")
    assert warning.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--share", "always"], "share"),
        (["--max_seconds", "0"], "--max_seconds is 0: choose a number above 0"),
        (["--max-megabytes", "-1"], "--max_megabytes is -1: choose a number above 0"),
        (["--abstain_below", "2"], "abstain_below is 2"),
        (["--ckpt", "none.ckpt"], "no such checkpoint: none.ckpt"),
        (["--face-detector", "none.onnx", "--face", "crop"], "none.onnx"),
    ],
)
def test_a_mistake_is_one_line(
    ckpt: str,
    served: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert message in refusal(capsys, "app", "--ckpt", ckpt, *arguments)
    assert served == []


def test_without_gradio_the_error_names_the_package(
    ckpt: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emorec.cli.commands.app.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["app", "--ckpt", ckpt])
    assert capsys.readouterr().err == (
        "emorec app: error: the page needs Gradio: pip install 'emorec[app]'\n"
    )
