"""The commands in a report do what they say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from emorec.comparison.find import find_runs
from emorec.comparison.model import models_of
from emorec.comparison.repeat import again, commands_of, settings_of, versions
from emorec.comparison.run import Run
from tests.comparison.made_runs import write_run


def one(folder: Path, **changed: Any) -> Run:
    path = write_run(folder, split="msaf6", fold=2, seed=3) / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changed))
    [run] = find_runs([folder]).runs
    return run


def test_a_run_is_repeated_from_its_configuration_and_tested_from_its_checkpoint(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "my runs"
    assert commands_of(one(folder)) == [
        f"emorec fit --config '{folder}/config.yaml'",
        f"emorec test --ckpt '{folder}/checkpoints/best.ckpt'",
    ]


def test_a_run_of_a_study_is_not_repeated_into_its_own_folder(tmp_path: Path) -> None:
    logger = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": {}}
    run = one(tmp_path / "run", trainer={"max_epochs": 4, "logger": logger})
    assert commands_of(run)[0].endswith("config.yaml --trainer.logger true")
    [model] = models_of([run])
    assert "TensorBoardLogger" not in settings_of(model)


def test_a_baseline_has_a_command_of_its_own(tmp_path: Path) -> None:
    run = one(tmp_path / "run", classifier="rbf_svm")
    assert commands_of(run) == [f"emorec baseline --config {tmp_path}/run/config.yaml"]
    assert again(run).startswith("emorec baseline --config config.yaml --data.fold 2")


def test_a_run_from_python_has_none(tmp_path: Path) -> None:
    [run] = find_runs([write_run(tmp_path / "run", config=False)]).runs
    assert commands_of(run) == []
    [model] = models_of([run])
    assert settings_of(model) == ""


def test_shared_settings_and_flags_together_are_the_configuration_of_the_run(
    tmp_path: Path,
) -> None:
    run = one(tmp_path / "run")
    [model] = models_of([run])
    shared = yaml.safe_load(settings_of(model))
    assert again(run) == "emorec fit --config config.yaml --data.fold 2 --seed_everything 3"
    shared["data"]["init_args"]["fold"] = 2
    assert {**shared, "seed_everything": 3} == run.config


def test_only_packages_that_are_there_have_a_version() -> None:
    found = versions(("numpy", "no-such-package"))
    assert "no-such-package" not in found
    assert found["numpy"][0].isdigit()


@pytest.mark.parametrize(("views", "words"), [(1, ""), (3, " --views 3")])
def test_a_test_of_several_views_is_repeated_with_them(
    tmp_path: Path, views: int, words: str
) -> None:
    write_run(tmp_path / "run", extra={"views": views})
    [run] = find_runs([tmp_path / "run"]).runs
    assert commands_of(run)[1] == f"emorec test --ckpt {tmp_path}/run/checkpoints/best.ckpt{words}"
