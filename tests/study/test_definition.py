"""A study file says what is run, and a mistake in it is one line that names the file and the key."""

from pathlib import Path

import pytest
import yaml

from emorec.errors import UserError
from emorec.study.definition import Definition, read_definition
from emorec.study.identity import first_difference, identity
from emorec.study.plan import planned_runs

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "configs" / "studies").glob("*.yaml"))
RUNS = {
    "affwild2_balance": 4,
    "affwild2_balance_va": 3,
    "affwild2_rnn": 6,
    "cross_validation": 5 * 6,
    "frozen_heads": 3 * 6,
    "hacer_heads": 7 * 5,
    "hacer_tune": 40,
    "iemocap": 3 * 5,
    "leave_one_actor_out": 24,
    "seed_frames": 6,
    "seed_frames_all": 5 * 6,
    "seed_table": 5,
    "seeds": 5,
    "sight_and_sound": 3 * 6,
    "smoke": 2,
    "tune": 40,
}


def written(folder: Path, text: str) -> Path:
    (folder / "net.yaml").write_text("model: {class_path: a.B, init_args: {lr: 1.0e-3}}\n")
    path = folder / "mine.yaml"
    path.write_text("configs: {Net: net.yaml}\n" + text)
    return path


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_first_line_of_a_shipped_study_is_the_command_that_runs_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith(f"# emorec study configs/studies/{path.name}")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_has_as_many_runs_as_it_promises(path: Path) -> None:
    assert len(planned_runs(read_definition(path), {})) == RUNS[path.stem]


def test_every_network_is_run_in_every_variant_on_every_fold_from_every_seed(
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
    assert run.by_hand[3:] == [
        *("--data.split=msaf6", "--model.lr=0.2", "--data.fold=2", "--seed_everything=7"),
        "--data.root=clips",
    ]
    assert run.folder == Path("lightning_logs/studies/mine/Net_large/fold_2_seed_7")


def test_a_network_has_settings_of_its_own_between_those_of_all_and_those_of_a_variant(
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
    difference = first_difference(identity(definition, {}), identity(read_definition(path), {}))
    assert difference == "configs: Wide: model.width 2 there, 3 here"


@pytest.mark.parametrize("given", ["{model.lr: 0.1}", "3", "[net.yaml]", "{config: [net.yaml]}"])
def test_a_network_without_an_experiment_file_is_an_error(tmp_path: Path, given: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"configs: {{Net: {given}}}\n")
    with pytest.raises(UserError, match=r"configs: Net names no experiment file, as in \{config"):
        read_definition(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seed: [0]", "a study has no key 'seed', did you mean seeds?"),
        ("zzz: 1", "a study has no key 'zzz': configs, settings"),
        ("seeds: 3", "seeds is 3: write a list of numbers"),
        ("seeds: [1, 1]", "seeds is [1, 1]: a number is there twice"),
        ("folds: [0]", "folds is 0: it takes whole numbers from 1 on"),
        ("overrides: [a]", "overrides takes names and what they mean"),
        ("overrides: {a: {data.fold: 1}}", "data.fold: the key 'folds' of the study file"),
        ("settings: {data: {fold: 1}}", "give each option its full name"),
        ("trials: 3", "trials belongs to a search"),
        ("search: {model.lr: 0.1}\ntrials: 2", "search: model.lr is 0.1: it takes a list"),
        (
            "search: {model.lr: {low: 1, hihg: 2}}\ntrials: 2",
            "it takes a list of values or a range",
        ),
        ("search: {a.b: {low: 1, high: 2, stpe: 1}}\ntrials: 2", "'stpe', did you mean step?"),
        ("search: {a.b: {low: 2, high: 1}}\ntrials: 2", "search: a.b is"),
        ("search: {a.b: [1]}", "trials is 0: it takes whole numbers from 1 on"),
        ("search: {a.b: [1]}\ntrials: 1\nseeds: [1, 2]", "seeds: a search takes one, not 2"),
        ("search: {a.b: [1]}\ntrials: 1\nsettings: {a.b: 1}", "a.b is set and searched"),
        ("overrides: {'a b': {}, 'a  b': {}}", "would have the same folder"),
        ("configs: {Net: nowhere.yaml}", "no such file:"),
        ("seeds: [", "is no YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as error:
        planned_runs(read_definition(path), {})
    assert str(error.value).startswith(str(path))
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_an_experiment_is_no_study() -> None:
    with pytest.raises(UserError, match="is an experiment, no study: emorec fit --config"):
        read_definition(ROOT / "configs" / "demo.yaml")


def defined(folder: Path, text: str = "") -> Definition:
    return read_definition(written(folder, text))


def test_a_study_is_another_one_when_its_experiment_file_is_another_one(tmp_path: Path) -> None:
    before = identity(defined(tmp_path), {})
    assert first_difference(before, identity(defined(tmp_path), {})) is None
    plain = yaml.safe_load((tmp_path / "net.yaml").read_text())
    plain["model"]["init_args"]["lr"] = 0.5
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(plain))
    after = identity(read_definition(tmp_path / "mine.yaml"), {})
    assert first_difference(before, after) == (
        "configs: Net: model: init_args: lr 0.001 there, 0.5 here"
    )


def test_where_the_data_lies_makes_no_other_study_but_what_decides_results_does(
    tmp_path: Path,
) -> None:
    definition = defined(tmp_path)
    plain = identity(definition, {})
    assert first_difference(plain, identity(definition, {"data.root": "/clips"})) is None
    differs = first_difference(plain, identity(definition, {"data.num_frames": "6"}))
    assert differs == "command line: data.num_frames not set there, 6 here"
