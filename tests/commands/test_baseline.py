"""`emorec baseline` takes an experiment's clips, leaves run folders, and says in one line what it can't."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sklearn.metrics
import yaml

from emorec.cli import main
from emorec.commands.baseline import HELP

CONFIGS = Path(__file__).parents[2] / "configs"

TINY = ("--data.num_frames", "2", "--data.image_size", "32", "--data.num_workers", "0")


@pytest.fixture(autouse=True)
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, a small forest, and the command, wherever its line stands."""
    place = ("Measure simple classifiers.", "emorec.commands.baseline:baseline")
    monkeypatch.setitem(sys.modules["emorec.cli.command"].PROGRAMS, "baseline", place)
    monkeypatch.setattr("emorec.baseline.classifiers.NUM_TREES", 10)
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def measured(drawn_clips: Path) -> Callable[..., list[Path]]:
    """Runs the command and gives the run folders that are new."""

    def run(*words: str, features: str = "hog") -> list[Path]:
        before = set(Path().rglob("version_*"))
        root = ("--data.root", str(drawn_clips), "--features", features)
        main(["baseline", *root, *TINY, *words])
        return sorted(set(Path().rglob("version_*")) - before)

    return run


def content(folder: Path) -> tuple[Any, list[dict[str, str]]]:
    with (folder / "test" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    return json.loads((folder / "test" / "metrics.json").read_text()), rows


def test_help_says_all_in_a_screen_and_does_not_wait_for_torch() -> None:
    program = (
        "import sys; from emorec.commands.baseline import baseline\n"
        "try: baseline(['--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "print([name for name in ('torch', 'lightning', 'sklearn') if name in sys.modules])"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    *said, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    assert len(said) <= 30
    assert max(map(len, said)) <= 80


def test_the_help_names_every_option_of_its_own_with_its_default() -> None:
    from emorec.baseline.asked import OWN_OPTIONS

    for option, (_, default, _) in OWN_OPTIONS.items():
        entry = re.search(rf"^  --{option}\b.*\n(?:   .*\n)*", HELP, re.MULTILINE)
        assert entry, option
        if isinstance(default, int) or option in ("backbone", "out"):
            assert f"({default})" in entry[0]


def test_figures_are_scikit_learn_s_of_the_predictions_file(
    measured: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = measured("--config", str(CONFIGS / "cnn_lstm.yaml"))
    assert [folder.parent.name for folder in folders] == [
        f"Baseline-{name}-hog" for name in ("linear_svm", "logistic", "random_forest", "rbf_svm")
    ]
    said = capsys.readouterr().out
    for folder in folders:
        metrics, rows = content(folder)
        truth, predicted = ([row[key] for row in rows] for key in ("emotion", "predicted"))
        assert len(rows) == metrics["num_clips"] == 15
        assert {row["actor"] for row in rows} == {"23", "24"}
        expected = {
            "accuracy": sklearn.metrics.accuracy_score(truth, predicted),
            "uar": sklearn.metrics.balanced_accuracy_score(truth, predicted),
            "macro_f1": sklearn.metrics.f1_score(truth, predicted, average="macro"),
        }
        assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-6)
        matrix = sklearn.metrics.confusion_matrix(truth, predicted, labels=metrics["classes"])
        assert metrics["confusion_matrix"] == matrix.tolist()
        assert metrics["split"]["train"] == list(range(1, 21))
        assert (folder / "test" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
        name = folder.parent.name.split("-")[1]
        assert metrics["model"] == f"{name} on hog"
        assert re.search(rf"{name} .*{metrics['uar']:.1%}.*{metrics['accuracy']:.1%}", said)


def test_a_second_run_of_its_config_is_the_same(
    measured: Callable[..., list[Path]], drawn_clips: Path
) -> None:
    words = ("--data.split", "luna5", "--data.fold", "2", "--seed_everything", "3")
    (first,) = measured("--classifier", "random_forest", *words)
    config = yaml.safe_load((first / "config.yaml").read_text())
    assert (config["classifier"], config["seed_everything"]) == ("random_forest", 3)
    assert config["data"]["init_args"]["fold"] == 2
    main(["baseline", "--config", str(first / "config.yaml")])
    second = first.with_name("version_1")
    for name in ("config.yaml", "test/predictions.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    kept = [json.loads((folder / "baseline.json").read_text()) for folder in (first, second)]
    assert kept[0]["setting"] == kept[1]["setting"]
    best = max(tried["uar"] for tried in kept[0]["tried"])
    assert {"setting": kept[0]["setting"], "uar": best} in kept[0]["tried"]


def test_every_fold_of_a_split_is_one_run_and_every_actor_is_tested_once(
    measured: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--classifier", "logistic", "--data.split", "msaf6")
    folders = measured(*words, "--folds", "all")
    said = capsys.readouterr().out
    assert len(folders) == 6
    metrics, rows = zip(*map(content, folders), strict=True)
    assert [each["split"]["fold"] for each in metrics] == [1, 2, 3, 4, 5, 6]
    tested = [row for fold in rows for row in fold]
    assert len({row["path"] for row in tested}) == len(tested) == 24 * 8 - 2
    right = sum(row["emotion"] == row["predicted"] for row in tested) / len(tested)
    assert f"{right:.1%}" in said
    configs = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in folders]
    assert [config["data"]["init_args"].pop("fold") for config in configs] == [1, 2, 3, 4, 5, 6]
    assert all(config == configs[0] for config in configs)
    (alone,) = measured(*words, "--data.fold", "4")
    assert content(alone)[1] == list(rows[3])


def test_a_frozen_network_s_weights_need_not_be_its_training_s(
    measured: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_: Any) -> None:
        raise AssertionError("the experiment's own network is not asked for")

    monkeypatch.setattr("emorec.layers.pretrained.download", download)
    frozen = ("--backbone", "mobilenet_v2", "--weights", "none", "--classifier", "logistic")
    config = ("--config", str(CONFIGS / "cnn3d_resnet.yaml"))
    (folder,) = measured(*config, *frozen, features="backbone")
    metrics, _ = content(folder)
    assert metrics["model"] == "logistic on mobilenet_v2"
    assert metrics["num_parameters"] == 2_223_872 + 8 * (2 * 1280 + 1)
    assert metrics["gflops_per_clip"] > 0


def test_a_split_at_random_is_a_lesson_and_no_run(
    measured: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--random_split", "--draws", "2", "--classifier", "logistic")
    assert measured(*words) == []
    assert list(Path().iterdir()) == []
    said = " ".join(capsys.readouterr().out.split())
    assert "split by actor split at random in 2 draws" in said
    assert "so for them the figure of the split by actor is the one to expect" in said
    assert "No run folder is written" in said


def test_test_clips_are_not_opened_before_everything_is_chosen(
    measured: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emorec.baseline import by_actor, choice
    from emorec.baseline.feature_store import FeatureStore

    events: list[str] = []
    features, choose = FeatureStore.features, choice.choose

    def watched(self: FeatureStore, data: Any, clips: Any) -> Any:
        events.append(f"features of {len({clip.actor for clip in clips})}")
        return features(self, data, clips)

    def chosen(*args: Any, **kwargs: Any) -> Any:
        events.append("choice")
        return choose(*args, **kwargs)

    monkeypatch.setattr(FeatureStore, "features", watched)
    monkeypatch.setattr(by_actor, "choose", chosen)
    measured()
    assert events == ["features of 20", "features of 2", *["choice"] * 4, "features of 2"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--classifier", "forest"], "classifier is forest: choose logistic, linear_svm, rbf_svm"),
        (["--features", "gabor"], "features is gabor: choose backbone, hog or landmarks"),
        (["--clasifier", "all"], "no such option, did you mean --classifier?"),
        (["--draws", "0"], "draws is 0: choose 1 or more"),
        (
            ["--folds", "all"],
            "split seed has no folds: choose one of msaf6, luna5, emobox6, loso, loso5, speaker10",
        ),
        (
            ["--folds", "all", "--data.split", "msaf6", "--data.fold", "2"],
            "--folds all is at odds with data.fold 2",
        ),
        (["--data.split", "msaf6"], "split msaf6 needs --data.fold 1 to 6"),
        (["--data.num_frames", "0"], "data.num_frames is 0"),
        (["--trainer.max_epochs", "3"], "--trainer.max_epochs is for a training"),
        (["--model.backbone", "resnet50"], "give the features with --features, --backbone and"),
        (["--config", "none.yaml"], "can't read the configuration none.yaml"),
        (["--weights", "none.pth", "--features", "backbone"], "no weights at none.pth"),
        (["--backbone", "resnet19", "--features", "backbone"], "did you mean resnet18?"),
        (["--out", "/proc/nowhere"], "can't write into /proc/nowhere"),
        (["--data.face_detector", "haar", "--features", "landmarks"], "marks no landmarks"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    words: list[str],
    complaint: str,
    drawn_clips: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["baseline", "--data.root", str(drawn_clips), "--features", "hog", *TINY, *words])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("emorec baseline: error: ")
    assert complaint.replace("give the features", "gives the features") in line
    assert list(Path().iterdir()) == []


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        main(["baseline", "--features", "hog", *TINY, *words])
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_an_emotion_that_nobody_plays_in_training_is_named(
    drawn_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in drawn_clips.rglob("*.mp4"):
        actor = path.stem[-2:]
        if path.stem[6:8] != "04" or int(actor) > 20:
            folder = tmp_path / "clips" / actor
            folder.mkdir(parents=True, exist_ok=True)
            os.link(path, folder / path.name)
    assert "no training clip is sad" in failed(capsys, "--data.root", str(tmp_path / "clips"))


def test_a_split_without_validation_actors_is_refused(
    drawn_clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("nobody_validates.py").write_text(
        "from emorec.data import RavdessDataModule\n"
        "from emorec.data.found import Found\n"
        "from emorec.data.split import Split\n\n\n"
        "class NobodyValidates(RavdessDataModule):\n"
        "    def find(self) -> Found:\n"
        "        split = Split('mine', None, train=(1, 2), val=(), test=(3,))\n"
        "        return Found(super().find().clips, split)\n"
    )
    words = ("--data", "nobody_validates.NobodyValidates", "--data.root", str(drawn_clips))
    assert "split mine has no validation actors" in failed(capsys, *words)


def test_an_actor_who_is_not_there_is_told_once_and_only_when_that_is_allowed(
    drawn_clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for path in drawn_clips.rglob("*.mp4"):
        if path.stem[-2:] != "07":
            (tmp_path / "clips").mkdir(exist_ok=True)
            os.link(path, tmp_path / "clips" / path.name)
    words = ("--data.root", str(tmp_path / "clips"), "--data.split", "msaf6", "--folds", "all")
    assert "no clip of val actor 7" in failed(capsys, *words)
    logistic = ("--features", "hog", "--classifier", "logistic", *TINY)
    main(["baseline", *words, "--data.allow_missing_actors", "true", *logistic])
    assert caplog.text.count("actor 7") == 1
    assert len(list(Path().rglob("metrics.json"))) == 6


def test_ctrl_c_loses_nothing_that_was_made_and_says_so(
    measured: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from emorec.baseline.hog import HogFeatures

    describe, calls = HogFeatures.__call__, []

    def watched(self: HogFeatures, frames: Any) -> Any:
        calls.append(1)
        if len(calls) == 21:
            raise KeyboardInterrupt
        return describe(self, frames)

    monkeypatch.setattr(HogFeatures, "__call__", watched)
    with pytest.raises(SystemExit) as ended:
        measured("--classifier", "logistic")
    assert ended.value.code == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line == ("stopped; frames and features made so far are kept: the same command goes on")
    assert list(Path().iterdir()) == []
    measured("--classifier", "logistic")
    assert len(calls) == 21 + (160 - 20) + 15 + 15


def test_utterances_of_one_film_are_clips_of_their_own(
    drawn_iemocap: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(CONFIGS / "iemocap_video.yaml")
    words = (
        *("--config", config, "--data.root", str(drawn_iemocap), *TINY),
        *("--features", "hog", "--classifier", "logistic"),
    )
    main(["baseline", *words, "--data.fold", "null", "--folds", "all"])
    folders = sorted(Path().rglob("version_*"))
    tested = [row for folder in folders for row in content(folder)[1]]
    assert len(folders) == 5
    assert len({row["path"] for row in tested}) == len(tested) == 40
    capsys.readouterr()
    main(["baseline", *words, "--random_split", "--draws", "1"])
    assert "accuracy on 8 test clips" in capsys.readouterr().out


def test_expressions_of_frames_are_classes_and_valence_is_none(
    drawn_affwild2: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ("--data.root", str(drawn_affwild2), "--data.num_workers", "0")
    expr = ("--config", str(CONFIGS / "affwild2_expr.yaml"), "--data.num_frames", "1")
    main(["baseline", *expr, *root, "--features", "hog", "--classifier", "logistic"])
    (run,) = Path().rglob("version_*")
    metrics, rows = content(run)
    assert len(metrics["classes"]) == 8
    assert {row["actor"] for row in rows} == {"video6", "video7"}
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["baseline", "--config", str(CONFIGS / "affwild2_va.yaml"), *root])
    (line,) = capsys.readouterr().err.splitlines()
    assert "the data has numbers (valence, arousal) and emorec baseline names classes" in line
