"""A study executes each run once despite kills, interrupts, failures and concurrent workers."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
import pytest

from emorec.study.queue import open_storage
from emorec.study.worker import environments, failure
from tests.program import wait_for

FAKE = Path(__file__).with_name("fake_emorec.py")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text("model: {class_path: a.B}\n")
    return tmp_path


def define(folder: Path, text: str) -> None:
    (folder / "mine.yaml").write_text(f"configs: {{Net: net.yaml}}\n{text}")


@contextmanager
def study_process(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `emorec study mine.yaml ARGUMENTS` with a program that trains nothing."""
    with subprocess.Popen(
        [sys.executable, str(FAKE), "study", "mine.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    with study_process(folder, *arguments) as process:
        out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def starts(folder: Path) -> list[str]:
    """The started trainings, each with the number of epochs finished before."""
    path = folder / "started.txt"
    return path.read_text().splitlines() if path.exists() else []


def trials(
    folder: Path, storage: str = "lightning_logs/studies/mine/study.journal"
) -> Counter[str]:
    opened = open_storage(storage if "://" in storage else str(folder / storage))
    study = optuna.load_study(study_name="mine", storage=opened.optuna)
    return Counter(trial.state.name for trial in study.trials)


def test_each_run_is_trained_and_tested_once_in_its_own_folder(folder: Path) -> None:
    define(folder, "overrides: {a: {}, b: {model.lr: 0.25}}\nseeds: [0, 1]\n")
    code, out, errors = run(folder, "--jobs", "2")
    assert (code, errors) == (0, "")
    assert sorted(starts(folder)) == [
        f"Net_{cell}/seed_{seed} 0" for cell in "ab" for seed in (0, 1)
    ]
    run_folder = folder / "lightning_logs/studies/mine/Net_b/seed_1"
    record = json.loads((run_folder / "trial.json").read_text())
    del record["experiment"]
    assert record == {"study": "mine", "model": "Net, b", "fold": None, "seed": 1}
    assert (run_folder / "test" / "metrics.json").is_file()
    assert "done: Net, b, seed 1, validation UAR 0.250" in out
    assert out.splitlines()[-1] == "side by side: emorec compare lightning_logs/studies/mine"
    code, out, _ = run(folder)
    assert code == 0
    assert out.startswith("study mine: 4 of 4 done\n")
    assert len(starts(folder)) == 4


def test_the_score_of_regressors_is_the_ccc(folder: Path) -> None:
    define(folder, "settings: {model.metric: val/ccc, trainer.max_epochs: 1}")
    code, out, errors = run(folder)
    assert code == 0, errors
    assert "Net, seed 0, validation CCC 0.100" in out + errors
    assert "UAR" not in out + errors
    _, out, errors = run(folder)  # finished runs are read from the storage
    assert "UAR" not in out + errors


def test_after_kill_9_a_run_resumes_from_its_last_epoch_and_finished_ones_are_not_repeated(
    folder: Path,
) -> None:
    define(folder, "settings: {trainer.max_epochs: 40}\nseeds: [0, 1]\n")
    second = folder / "lightning_logs/studies/mine/Net/seed_1"
    with study_process(folder) as process:
        wait_for((second / "checkpoints" / "last.ckpt").is_file, process)
        process.kill()
    # its training is still running: the study waits for it and does not start it again
    assert trials(folder)["RUNNING"] == 1
    code, _, errors = run(folder)
    assert (code, errors) == (0, "")
    assert starts(folder)[:2] == ["Net/seed_0 0", "Net/seed_1 0"]
    assert all(start == "Net/seed_1 40" for start in starts(folder)[2:])
    assert trials(folder) == {"COMPLETE": 2, "FAIL": 1}


@pytest.mark.nightly  # tests/test_resume.py kills a training by day
def test_a_killed_training_resumes_from_its_last_epoch(folder: Path) -> None:
    define(folder, "settings: {trainer.max_epochs: 60}\n")
    run_folder = folder / "lightning_logs/studies/mine/Net/seed_0"
    with study_process(folder) as process:
        wait_for((run_folder / "checkpoints" / "last.ckpt").is_file, process)
        process.kill()
        os.kill(int((run_folder / "pid").read_text()), signal.SIGKILL)
    code, _, errors = run(folder)
    assert (code, errors) == (0, "")
    first, second = starts(folder)
    assert first == "Net/seed_0 0"
    assert 0 < int(second.split()[1]) < 60


@pytest.mark.parametrize(
    "storage", ["own file", pytest.param("sqlite:///runs.db", marks=pytest.mark.nightly)]
)
def test_two_workers_share_the_runs_of_a_study(folder: Path, storage: str) -> None:
    define(folder, "seeds: [0, 1, 2, 3, 4, 5]\n")
    arguments = () if storage == "own file" else ("--storage", storage)
    with study_process(folder, *arguments) as first, study_process(folder, *arguments) as second:
        outputs = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert [errors for _, errors in outputs] == ["", ""]
    assert sorted(starts(folder)) == [f"Net/seed_{seed} 0" for seed in range(6)]
    assert all("6 of 6 done" in out for out, _ in outputs)


@pytest.mark.nightly  # tests/test_signals.py stops a training by day
def test_ctrl_c_requeues_runs_and_the_same_command_resumes(folder: Path) -> None:
    define(folder, "settings: {trainer.max_epochs: 60}\nseeds: [0, 1]\n")
    with study_process(folder, "--jobs", "2") as process:
        wait_for(lambda: len(list(folder.rglob("last.ckpt"))) == 2, process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "emorec study mine.yaml --jobs 2" in errors
    assert trials(folder) == {"FAIL": 2, "WAITING": 2}
    code, _, errors = run(folder, "--jobs", "2")
    assert (code, errors) == (0, "")
    assert [int(start.split()[1]) > 0 for start in starts(folder)] == [False, False, True, True]


def test_a_failed_run_is_recorded_and_the_others_are_done(folder: Path) -> None:
    define(folder, "seeds: [13, 0]\n")
    code, out, errors = run(folder)
    assert code != 0
    log = Path("lightning_logs/studies/mine/Net/seed_13/run.log")
    (line,) = errors.splitlines()
    assert "1 of 2 runs failed" in line
    assert f"Net, seed 13: out of luck: choose another seed (see {log})" in line
    assert "out of luck" in (folder / log).read_text()
    assert "done: Net, seed 0" in out
    assert trials(folder) == {"FAIL": 1, "COMPLETE": 1}
    run(folder)
    assert starts(folder) == ["Net/seed_13 0", "Net/seed_0 0", "Net/seed_13 0"]


def test_a_different_study_of_the_same_name_is_refused_in_one_line(folder: Path) -> None:
    define(folder, "seeds: [0]\n")
    run(folder)
    define(folder, "seeds: [0, 1]\n")
    code, _, errors = run(folder)
    assert code != 0
    (line,) = errors.splitlines()
    assert "holds another study 'mine': seeds [0] there, [0, 1] here" in line
    assert len(starts(folder)) == 1


def test_an_unwritable_folder_is_a_one_line_error(folder: Path) -> None:
    define(folder, "seeds: [0]\n")
    (folder / "lightning_logs").write_text("no folder")
    code, _, errors = run(folder)
    assert code != 0
    (line,) = errors.splitlines()
    assert line.startswith("emorec study: error: can't write lightning_logs")


def test_a_full_disk_stops_the_study_with_one_line_and_without_loss(folder: Path) -> None:
    define(folder, "seeds: [0, 1, 2, 3]\n")
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); "
    )
    limited += (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); sys.argv = sys.argv[1:]; "
    )
    limited += "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", limited, str(FAKE), "study", "mine.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "File too large; nothing is lost: run the same command again" in line
    assert run(folder)[0] == 0
    assert trials(folder)["COMPLETE"] == 4


def test_a_search_prunes_bad_trials_and_reports_the_best_without_a_test(folder: Path) -> None:
    define(
        folder,
        "settings: {trainer.max_epochs: 20}\nseeds: [3]\ntrials: 14\nprune_after: 2\n"
        "search: {model.lr: {low: 0.1, high: 0.9}}\n",
    )
    code, out, errors = run(folder, "--jobs", "2")
    assert (code, errors) == (0, "")
    assert trials(folder)["PRUNED"] > 0
    assert sum(trials(folder).values()) == 14
    assert not list(folder.rglob("metrics.json"))
    values = {
        float(word.partition("=")[2])
        for log in folder.rglob("run.log")
        for word in log.read_text().split()
        if word.startswith("--model.lr=")
    }
    assert len(values) == 14
    best = re.search(r"best validation UAR (\S+) with --model.lr (\S+)", out)
    assert best
    assert [float(figure) for figure in best.groups()] == pytest.approx([max(values)] * 2, abs=1e-3)
    assert "once: emorec test --ckpt lightning_logs/studies/mine/trial_" in out


def test_a_diverged_trial_is_never_recommended_however_good_its_epochs_were(folder: Path) -> None:
    define(
        folder,
        "settings: {trainer.max_epochs: 1, model.diverges_above: 0.5}\nseeds: [3]\ntrials: 5\n"
        "search: {model.lr: [0.1, 0.9]}\n",
    )
    code, out, errors = run(folder)
    assert code != 0
    assert trials(folder).keys() == {"COMPLETE", "FAIL"}
    assert "best validation UAR 0.100 with --model.lr 0.1 " in out
    (line,) = errors.splitlines()
    assert "of 5 runs failed" in line
    assert "the training diverged: choose a smaller --model.lr" in line


def test_gpus_are_assigned_round_robin_unless_a_run_sets_devices() -> None:
    variables = environments(3, ["4", "6"], 8, {}, {"OMP_NUM_THREADS": "1"})
    assert [own["CUDA_VISIBLE_DEVICES"] for own in variables] == ["4", "6", "4"]
    assert environments(1, ["4"], 8, {"trainer.devices": 1}, {}) == [{}]


def test_a_silent_failed_command_is_reported_with_its_exit_code() -> None:
    assert "exit code 3" in failure("epoch 1\n$ emorec test --ckpt best.ckpt\n", 3)
