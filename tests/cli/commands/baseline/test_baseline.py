"""Classifiers on frozen features, through the command line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sklearn.metrics
import yaml

from emorec.cli import main
from tests.cli.commands.baseline.measured_runs import CONFIGS, TINY, content

pytestmark = pytest.mark.nightly  # whole trainings


def test_scores_of_the_predictions_file_equal_scikit_learn_s(
    run_baseline: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = run_baseline("--config", str(CONFIGS / "cnn_lstm.yaml"))
    assert [folder.parent.name for folder in folders] == [
        f"Baseline-{name}-hog" for name in ("linear_svm", "logistic", "random_forest", "rbf_svm")
    ]
    output = capsys.readouterr().out
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
        assert re.search(rf"{name} .*{metrics['uar']:.1%}.*{metrics['accuracy']:.1%}", output)


def test_a_run_of_the_saved_config_is_reproducible(
    run_baseline: Callable[..., list[Path]], drawn_clips: Path
) -> None:
    arguments = ("--data.split", "luna5", "--data.fold", "2", "--seed_everything", "3")
    (first,) = run_baseline("--classifier", "random_forest", *arguments)
    config = yaml.safe_load((first / "config.yaml").read_text())
    assert (config["classifier"], config["seed_everything"]) == ("random_forest", 3)
    assert config["data"]["init_args"]["fold"] == 2
    main(["baseline", "--config", str(first / "config.yaml")])
    second = first.with_name("version_1")
    for name in ("config.yaml", "test/predictions.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    records = [json.loads((folder / "baseline.json").read_text()) for folder in (first, second)]
    assert records[0]["setting"] == records[1]["setting"]
    best = max(trial["uar"] for trial in records[0]["tried"])
    assert {"setting": records[0]["setting"], "uar": best} in records[0]["tried"]


@pytest.mark.nightly
def test_every_fold_of_a_split_is_one_run_and_every_actor_is_tested_once(
    run_baseline: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--classifier", "logistic", "--data.split", "msaf6")
    folders = run_baseline(*arguments, "--folds", "all")
    output = capsys.readouterr().out
    assert len(folders) == 6
    metrics, rows = zip(*map(content, folders), strict=True)
    assert [fold_metrics["split"]["fold"] for fold_metrics in metrics] == [1, 2, 3, 4, 5, 6]
    tested = [row for fold in rows for row in fold]
    assert len({row["path"] for row in tested}) == len(tested) == 24 * 8 - 2
    right = sum(row["emotion"] == row["predicted"] for row in tested) / len(tested)
    assert f"{right:.1%}" in output
    configs = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in folders]
    assert [config["data"]["init_args"].pop("fold") for config in configs] == [1, 2, 3, 4, 5, 6]
    assert all(config == configs[0] for config in configs)
    (single,) = run_baseline(*arguments, "--data.fold", "4")
    assert content(single)[1] == list(rows[3])


def test_the_weights_of_the_frozen_network_may_differ_from_the_config_s(
    run_baseline: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_: Any) -> None:
        raise AssertionError("the network of the config is not needed")

    monkeypatch.setattr("emorec.layers.pretrained.download", download)
    frozen = ("--backbone", "mobilenet_v2", "--weights", "none", "--classifier", "logistic")
    config = ("--config", str(CONFIGS / "cnn3d_resnet.yaml"))
    (folder,) = run_baseline(*config, *frozen, features="backbone")
    metrics, _ = content(folder)
    assert metrics["model"] == "logistic on mobilenet_v2"
    assert metrics["num_parameters"] == 2_223_872 + 8 * (3 * 1280 + 1)
    assert metrics["gflops_per_clip"] > 0


def test_features_of_sound_adapted_to_people_need_no_frames_and_are_named_as_adapted(
    voiced_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ("--data.sound_embedding", "speech_embedding", "--data.sound_seconds", "1")
    arguments = ("--data.root", str(voiced_clips), "--classifier", "logistic", *short, *TINY)
    main(["baseline", "--features", "sound", "--data.adapt", "person", *arguments])
    (folder,) = Path().rglob("version_*")
    metrics, _ = content(folder)
    assert (folder.parent.name, metrics["model"]) == (
        "Baseline-logistic-sound-adapted",
        "logistic on sound",
    )
    assert metrics["adapted"] == "all unlabelled clips of the person"
    assert "sound [adapted]" in capsys.readouterr().out
    settings = yaml.safe_load((folder / "config.yaml").read_text())["data"]["init_args"]
    assert (settings["frames"], settings["sound_embedding"]) == (False, "speech_embedding")
    cached = {path.name.partition("-")[0] for path in (tmp_path / "cache").iterdir()}
    assert cached == {"cache.sqlite", "embedding", "features"}


def test_random_splits_are_a_demo_without_a_run_folder(
    run_baseline: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--random_split", "--draws", "2", "--classifier", "logistic")
    assert run_baseline(*arguments) == []
    assert list(Path().iterdir()) == []
    output = " ".join(capsys.readouterr().out.split())
    assert "split by actor random split in 2 draws" in output
    assert "the figure of the split by actor is the one to expect" in output
    assert "No run folder is written" in output


def test_test_clips_are_not_opened_before_every_model_is_selected(
    run_baseline: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emorec.baseline import evaluate
    from emorec.baseline.feature_cache import FeatureCache

    events: list[str] = []
    features, select_model = FeatureCache.features, evaluate.select_model

    def record_features(self: FeatureCache, data: Any, clips: Any) -> Any:
        events.append(f"features of {len({clip.actor for clip in clips})}")
        return features(self, data, clips)

    def record_selection(*args: Any, **kwargs: Any) -> Any:
        events.append("selection")
        return select_model(*args, **kwargs)

    monkeypatch.setattr(FeatureCache, "features", record_features)
    monkeypatch.setattr(evaluate, "select_model", record_selection)
    run_baseline()
    assert events == ["features of 20", "features of 2", *["selection"] * 4, "features of 2"]


def test_utterances_of_one_video_are_separate_clips(
    drawn_iemocap: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(CONFIGS / "iemocap_video.yaml")
    arguments = (
        *("--config", config, "--data.root", str(drawn_iemocap), *TINY),
        *("--features", "hog", "--classifier", "logistic"),
    )
    main(["baseline", *arguments, "--data.fold", "null", "--folds", "all"])
    folders = sorted(Path().rglob("version_*"))
    tested = [row for folder in folders for row in content(folder)[1]]
    assert len(folders) == 5
    assert len({row["path"] for row in tested}) == len(tested) == 40
    capsys.readouterr()
    main(["baseline", *arguments, "--random_split", "--draws", "1"])
    assert "accuracy on 8 test clips" in capsys.readouterr().out


def test_expressions_of_frames_are_classes_and_valence_is_refused(
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
    assert "the labels are numbers (valence, arousal), and emorec baseline predicts classes" in line
    with pytest.raises(SystemExit):
        main(["baseline", *expr, *root, "--features", "landmarks"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "Aff-Wild2 is loaded as images alone" in line
    assert "--features hog or backbone" in line
