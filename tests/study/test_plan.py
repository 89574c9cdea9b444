"""The runs of a study, and its fingerprint."""

from pathlib import Path

import pytest
import yaml

from emorec.study.definition import read_definition
from emorec.study.plan import fingerprint, first_difference, planned_runs
from tests.study.test_definition import STUDIES, written

RUNS = {
    "affwild2_balance": 4,
    "affwild2_balance_va": 3,
    "affwild2_rnn": 6,
    "cross_validation": 5 * 6,
    "face": 2 * 6 * 3,
    "frozen_heads": 3 * 6,
    "hacer_heads": 7 * 5,
    "hacer_tune": 40,
    "iemocap": 3 * 5,
    "leave_one_actor_out": 24,
    "pixels": 6,
    "seed_frames": 6,
    "seed_frames_all": 5 * 6,
    "seed_table": 5,
    "seeds": 5,
    "sight_and_sound": 3 * 6,
    "smoke": 2,
    "tune": 40,
}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_has_the_documented_number_of_runs(path: Path) -> None:
    assert len(planned_runs(read_definition(path), {})) == RUNS[path.stem]


def test_runs_are_the_product_of_networks_variants_folds_and_seeds(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path,
        "settings: {data.split: msaf6}\n"
        "overrides: {small: {model.lr: 0.1}, large: {model.lr: 0.2}}\n"
        "folds: [1, 2]\nseeds: [0, 7]\n",
    )
    runs = planned_runs(read_definition(path), {"data.root": "clips"})
    assert {(run.model, run.fold, run.seed) for run in runs.values()} == {
        (model, fold, seed)
        for model in ("Net, small", "Net, large")
        for fold in (1, 2)
        for seed in (0, 7)
    }
    assert len({run.folder for run in runs.values()}) == 8
    run = runs["Net_large/fold_2_seed_7"]
    assert run.standalone[3:] == [
        *("--data.split=msaf6", "--model.lr=0.2", "--data.fold=2", "--seed_everything=7"),
        "--data.root=clips",
    ]
    assert run.folder == Path("lightning_logs/studies/mine/Net_large/fold_2_seed_7")


def test_settings_of_a_network_override_shared_ones_and_variants_override_both(
    tmp_path: Path,
) -> None:
    (tmp_path / "net.yaml").write_text("model: {class_path: a.B}\n")
    path = tmp_path / "mine.yaml"
    text = (
        "configs: {Plain: net.yaml, Wide: {config: net.yaml, model.width: 2, model.lr: 0.1}}\n"
        "settings: {model.width: 1, data.split: msaf6}\noverrides: {v: {model.lr: 0.2}}\n"
    )
    path.write_text(text)
    definition = read_definition(path)
    runs = {run.model: run for run in planned_runs(definition, {}).values()}
    assert runs["Plain, v"].settings == {"model.width": 1, "data.split": "msaf6", "model.lr": 0.2}
    assert runs["Wide, v"].settings == {"model.width": 2, "data.split": "msaf6", "model.lr": 0.2}
    assert runs["Wide, v"].config == runs["Plain, v"].config
    path.write_text(text.replace("model.width: 2", "model.width: 3"))
    difference = first_difference(
        fingerprint(definition, {}), fingerprint(read_definition(path), {})
    )
    assert difference == "configs: Wide: model.width 2 there, 3 here"


def test_a_changed_experiment_file_changes_the_fingerprint(tmp_path: Path) -> None:
    before = fingerprint(read_definition(written(tmp_path, "")), {})
    assert first_difference(before, fingerprint(read_definition(written(tmp_path, "")), {})) is None
    plain = yaml.safe_load((tmp_path / "net.yaml").read_text())
    plain["model"]["init_args"]["lr"] = 0.5
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(plain))
    after = fingerprint(read_definition(tmp_path / "mine.yaml"), {})
    assert first_difference(before, after) == (
        "configs: Net: model: init_args: lr 0.001 there, 0.5 here"
    )


def test_the_data_folder_does_not_change_the_fingerprint_but_result_settings_do(
    tmp_path: Path,
) -> None:
    definition = read_definition(written(tmp_path, ""))
    plain = fingerprint(definition, {})
    assert first_difference(plain, fingerprint(definition, {"data.root": "/clips"})) is None
    differs = first_difference(plain, fingerprint(definition, {"data.num_frames": "6"}))
    assert differs == "command line: data.num_frames not set there, 6 here"
