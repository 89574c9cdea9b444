"""Experiments and studies that come with emorec are found by name, in a clone and in an installed package."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from emorec import shipped
from emorec.cli import main
from emorec.experiment import parse_experiment
from tests.refusal import refusal

ROOT = Path(__file__).parents[1]


def test_a_wheel_has_every_config(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("emorec/configs/")}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.yaml")}
    assert names == {f"emorec/{name}" for name in files}


def test_an_installed_package_finds_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "emorec"
    (package / "configs").mkdir(parents=True)
    (package / "configs" / "mine.yaml").write_text("# emorec fit\n# A test. More of it.\nmodel:\n")
    monkeypatch.setattr(shipped, "__file__", str(package / "shipped.py"))
    (config,) = shipped.list_configs()
    assert config == ("mine", package / "configs" / "mine.yaml", "A test.")
    assert shipped.find_config("mine") == config.path


def test_every_config_and_study_is_listed_with_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["configs"])
    printed = capsys.readouterr().out
    listed = [*shipped.list_configs(), *shipped.list_studies()]
    assert all(each.name in printed and each.summary for each in listed)
    paths = {*(ROOT / "configs").rglob("*.yaml")} - {*(ROOT / "configs/parts").glob("*")}
    assert {each.path for each in listed} == paths


@pytest.mark.parametrize("flags", [["--config", "cnn_lstm"], ["-c=cnn_lstm"]])
def test_an_experiment_is_found_by_name_and_a_path_wins(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_experiment(flags).config.model.class_path == "emorec.models.CNNLSTM"
    Path("cnn_lstm").write_text(
        (ROOT / "configs/early_fusion_resnet.yaml")
        .read_text()
        .replace("parts", f"{ROOT}/configs/parts")
    )
    assert parse_experiment(flags).config.model.class_path == "emorec.models.EarlyFusionResNet"


def test_an_unknown_name_is_refused_with_the_nearest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "did you mean cnn_lstm?" in refusal(capsys, "fit", "--config", "cnn_lstn")
    assert "did you mean seeds?" in refusal(capsys, "study", "seed")
