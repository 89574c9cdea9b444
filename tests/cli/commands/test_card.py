"""emorec card, as called from a shell."""

import subprocess
import sys
from pathlib import Path

import pytest

from emorec import checkpoint
from emorec.cli import main
from emorec.report.card import model_card
from tests.refusal import refusal
from tests.report.made_checkpoints import write_checkpoint
from tests.report.made_runs import write_run


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run") / "version_0", network="EarlyFusionCNN")
    return write_checkpoint(folder / "checkpoints" / "best.ckpt")


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_the_card_into_the_run_folder_or_to_a_given_path(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["card", "--ckpt", str(ckpt)])
    in_run_folder = ckpt.parents[1] / "MODEL_CARD.md"
    assert capsys.readouterr().out == f"written to {in_run_folder}\n"
    assert in_run_folder.read_text() == model_card(checkpoint.read(ckpt))
    main(["card", "--ckpt", str(ckpt), "--to", str(tmp_path / "new" / "card.md")])
    assert (tmp_path / "new" / "card.md").read_text() == in_run_folder.read_text()


def test_it_loads_neither_lightning_nor_torchvision(ckpt: Path, tmp_path: Path) -> None:
    check = (
        "import sys; from emorec.cli import main; main(sys.argv[1:]); "
        "assert not {'lightning', 'torchvision'} & set(sys.modules)"
    )
    arguments = ["card", "--ckpt", str(ckpt), "--to", str(tmp_path / "card.md")]
    subprocess.run([sys.executable, "-c", check, *arguments], check=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--ckpt", "CKPT", "--to", "file/card.md"], ("can't write file", "choose another --to")),
        (["--ckpt", "none.ckpt"], ("no such checkpoint", "none.ckpt")),
        (["--ckpt", "file"], ("file is truncated or not a checkpoint", "use another one")),
    ],
)
def test_a_mistake_is_one_line(
    ckpt: Path, arguments: list[str], expected: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    line = refusal(
        capsys, "card", *(ckpt if argument == "CKPT" else argument for argument in arguments)
    )
    for part in expected:
        assert part in line
