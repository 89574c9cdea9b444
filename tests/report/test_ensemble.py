"""emorec ensemble: runs averaged into a run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emorec.cli import main
from emorec.evaluation.predictions import read_predictions
from emorec.evaluation.task import Task
from emorec.report.runs import find_runs
from tests.refusal import refusal
from tests.report.made_runs import outputs_for, takes_of, write_run

FOLDS = (1, 2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds: a network with two seeds, and another one whose clips are in another order."""
    root = tmp_path_factory.mktemp("models")
    for fold in FOLDS:
        for seed in (0, 1):
            folder = root / "CNNLSTM" / f"{fold}_{seed}"
            write_run(folder, split="msaf6", fold=fold, seed=seed)
        clips = [take for actor in range(4 * fold - 3, 4 * fold + 1) for take in takes_of(actor)]
        clips = clips[::-1]
        write_run(
            root / "CNN3D" / f"version_{fold}",
            network="CNN3D",
            split="msaf6",
            fold=fold,
            takes=clips,
            outputs=outputs_for(clips, 1.0, 7),
        )
    return root


@pytest.fixture
def models(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(root)
    monkeypatch.setattr("emorec.cli.commands.compare.DEFAULT_RESAMPLES", 100)
    return root


def log_probabilities(folder: Path, test: str = "test") -> dict[str, np.ndarray]:
    """Clip -> (K,) for a run folder."""
    [run], _ = find_runs([folder], test)
    logits = run.task.output(run.predictions)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return dict(zip(run.predictions["path"], logs, strict=True))


def test_log_probabilities_are_averaged_over_seeds_and_then_over_models(
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[Path] = []

    def record(path: Path) -> tuple[Task, pd.DataFrame]:
        read.append(path)
        return read_predictions(path)

    monkeypatch.setattr("emorec.report.runs.read_predictions", record)
    main(["ensemble", "CNNLSTM", "CNN3D", "--weights", "[3, 1]", "--out", str(tmp_path)])
    # six members and two results
    assert len(read) == len(set(read)) == 8
    assert "mean of CNNLSTM and CNN3D" in capsys.readouterr().out
    for number, fold in enumerate(FOLDS):
        folder = tmp_path / "Ensemble" / f"version_{number}"
        of_seeds = [log_probabilities(models / "CNNLSTM" / f"{fold}_{seed}") for seed in (0, 1)]
        other = log_probabilities(models / "CNN3D" / f"version_{fold}")
        [run], _ = find_runs([folder])
        assert (run.fold, run.split["test"]) == (fold, list(range(4 * fold - 3, 4 * fold + 1)))
        assert not run.leaks
        for clip, logs in log_probabilities(folder).items():
            mean = (of_seeds[0][clip] + of_seeds[1][clip]) / 2
            expected = 0.75 * mean + 0.25 * other[clip]
            expected -= np.log(np.exp(expected).sum())
            np.testing.assert_allclose(logs, expected, atol=1e-6)


def test_people_whom_any_model_was_trained_on_count_as_trained_on(
    models: Path, tmp_path: Path
) -> None:
    write_run(
        tmp_path / "Leaky",
        split="msaf6",
        fold=1,
        sides={"train": [1, *range(9, 23)], "val": [5, 6]},
    )
    main(
        [
            "ensemble",
            str(models / "CNN3D/version_1"),
            str(tmp_path / "Leaky"),
            "--out",
            str(tmp_path),
        ]
    )
    [run], _ = find_runs([tmp_path / "Ensemble"])
    assert run.leaks == ("actor 1 is in the training and the test set",)


def test_another_test_of_the_runs_is_read_by_its_folder(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, skill in (("A", 0.0), ("B", 4.0)):
        write_run(tmp_path / name, skill=skill)
        (tmp_path / name / "test").rename(tmp_path / name / "test_enrol_8")
        write_run(tmp_path / name, skill=1.0)
    main(
        [
            "ensemble",
            str(tmp_path / "A"),
            str(tmp_path / "B"),
            "--test",
            "test_enrol_8",
            "--out",
            str(tmp_path),
        ]
    )
    logs = [log_probabilities(tmp_path / name, "test_enrol_8") for name in ("A", "B")]
    for clip, mean in log_probabilities(tmp_path / "Ensemble").items():
        expected = (logs[0][clip] + logs[1][clip]) / 2
        np.testing.assert_allclose(mean, expected - np.log(np.exp(expected).sum()), atol=1e-6)
    error = refusal(capsys, "ensemble", tmp_path / "A", tmp_path / "B", "--test", "test_enrol_4")
    assert "with the options that write test_enrol_4" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which runs?"),
        (("CNN3D", "CNN3D"), "CNN3D/version_1 is named twice"),
        (("CNNLSTM", "./CNNLSTM/2_1"), "CNNLSTM/2_1 is named twice"),
        (("CNN3D", "CNNLSTM", "--weights", "[1]"), "one positive number for each"),
        (("CNN3D", "CNNLSTM/1_0"), "CNNLSTM/1_0 was not tested on split msaf6, fold 2"),
        ((".",), "has runs of 2 models (CNN3D, CNNLSTM)"),
    ],
)
def test_runs_that_do_not_fit_together_are_refused(
    models: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert message in refusal(capsys, "ensemble", *arguments)
    assert not (models / "lightning_logs").exists()


def test_other_clips_of_the_same_fold_are_refused(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "Few", split="msaf6", fold=1, takes=takes_of(1)[:9])
    error = refusal(capsys, "ensemble", models / "CNN3D/version_1", tmp_path / "Few")
    assert "different clips" in error
