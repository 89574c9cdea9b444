"""Study files; errors are one line with the file and the key."""

from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from emorec.errors import UserError
from emorec.study.definition import read_definition
from emorec.study.plan import planned_runs

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "configs" / "studies").glob("*.yaml"))


def written(folder: Path, text: str) -> Path:
    (folder / "net.yaml").write_text("model: {class_path: a.B, init_args: {lr: 1.0e-3}}\n")
    path = folder / "mine.yaml"
    path.write_text("configs: {Net: net.yaml}\n" + text)
    return path


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_first_line_of_a_shipped_study_is_the_command_that_runs_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith(f"# emorec study configs/studies/{path.name}")


@pytest.mark.parametrize("network", ["{model.lr: 0.1}", "3", "[net.yaml]", "{config: [net.yaml]}"])
def test_a_network_without_an_experiment_file_is_an_error(tmp_path: Path, network: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"configs: {{Net: {network}}}\n")
    with pytest.raises(UserError, match="it takes names and experiment files"):
        read_definition(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: [0]", "no key 'seed' (did you mean seeds?)"),
        ("zzz: 1", "no key 'zzz': configs, settings"),
        ("seeds: 3", "seeds is 3: it takes a list of different whole numbers"),
        ("seeds: []", "seeds is []: it takes a list"),
        ("seeds: [1, 1]", "seeds is [1, 1]: it takes a list of different"),
        ("seeds: [1, two]", "seeds is [1, 'two']: it takes a list"),
        ("folds: [0]", "folds is [0]: it takes a list of different whole numbers from 1"),
        ("overrides: [a]", "overrides is ['a']: it takes names"),
        ("overrides: {a: {data.fold: 1}}", "data.fold: use the key 'folds'"),
        ("settings: {ckpt: a.ckpt}", "settings: ckpt: a study sets it itself"),
        ("settings: {data: {fold: 1}}", "by their full names, as in {data.num_frames: 6}"),
        ("trials: 3", "trials needs the key 'search'"),
        ("search: {model.lr: 0.1}\ntrials: 2", "search is {'model.lr': 0.1}: it takes"),
        (
            "search: {model.lr: {low: 1, hihg: 2}}\ntrials: 2",
            "each with a list of values or a range",
        ),
        ("search: {a.b: {low: 1, high: 2, stpe: 1}}\ntrials: 2", "'stpe': 1"),
        ("search: {a.b: {low: 2, high: 1}}\ntrials: 2", "search: a.b is"),
        ("search: {a.b: [1]}", "trials is 0: it takes a whole number from 1"),
        ("search: {a.b: [1]}\ntrials: 1\nseeds: [1, 2]", "seeds: a search takes one, not 2"),
        ("search: {a.b: [1]}\ntrials: 1\nsettings: {a.b: 1}", "a.b is in search and in settings"),
        ("search: {data.seed: [1]}\ntrials: 1", "data.seed: use the key 'seeds'"),
        ("overrides: {'a b': {}, 'a  b': {}}", "would have the same folder"),
        ("configs: {Net: nowhere.yaml}", "no such file:"),
        ("configs: {}", "configs is {}: it takes names and experiment files"),
        ("seeds: [", "is not valid YAML"),
    ],
)
def test_an_invalid_study_is_a_one_line_error_with_the_file(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as error:
        planned_runs(read_definition(path), {})
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_experiment_file_is_refused() -> None:
    with pytest.raises(UserError, match="emorec fit --config"):
        read_definition(ROOT / "configs" / "demo.yaml")


def test_numbers_that_yaml_parses_as_text_are_numbers_in_a_range(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "search: {model.lr: {low: 1e-5, high: 1e-3, log: true}, a.b: {low: 1, high: 8}}\ntrials: 2\n",
    )
    space = read_definition(path).space
    assert space["model.lr"] == FloatDistribution(1e-5, 1e-3, log=True)
    assert space["a.b"] == IntDistribution(1, 8)
