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


def test_figures_are_scikit_learn_s_of_the_predictions_file(
    measured: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = measured("--config", str(CONFIGS / "cnn_lstm.yaml"))
    assert [folder.parent.name for folder in folders] == [
        f"Baseline-{name}-hog" for name in ("linear_svm", "logistic", "random_forest", "rbf_svm")
    ]
    printed = capsys.readouterr().out
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
        assert re.search(rf"{name} .*{metrics['uar']:.1%}.*{metrics['accuracy']:.1%}", printed)


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
    printed = capsys.readouterr().out
    assert len(folders) == 6
    metrics, rows = zip(*map(content, folders), strict=True)
    assert [each["split"]["fold"] for each in metrics] == [1, 2, 3, 4, 5, 6]
    tested = [row for fold in rows for row in fold]
    assert len({row["path"] for row in tested}) == len(tested) == 24 * 8 - 2
    right = sum(row["emotion"] == row["predicted"] for row in tested) / len(tested)
    assert f"{right:.1%}" in printed
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


def test_random_splits_are_a_demo_and_write_no_run(
    measured: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--random_split", "--draws", "2", "--classifier", "logistic")
    assert measured(*words) == []
    assert list(Path().iterdir()) == []
    printed = " ".join(capsys.readouterr().out.split())
    assert "split by actor random split in 2 draws" in printed
    assert "the figure of the split by actor is the one to expect" in printed
    assert "No run folder is written" in printed


def test_test_clips_are_not_opened_before_every_model_is_selected(
    measured: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emorec.baseline import evaluate
    from emorec.baseline.feature_cache import FeatureCache

    events: list[str] = []
    features, select_model = FeatureCache.features, evaluate.select_model

    def recorded_features(self: FeatureCache, data: Any, clips: Any) -> Any:
        events.append(f"features of {len({clip.actor for clip in clips})}")
        return features(self, data, clips)

    def recorded_selection(*args: Any, **kwargs: Any) -> Any:
        events.append("selection")
        return select_model(*args, **kwargs)

    monkeypatch.setattr(FeatureCache, "features", recorded_features)
    monkeypatch.setattr(evaluate, "select_model", recorded_selection)
    measured()
    assert events == ["features of 20", "features of 2", *["selection"] * 4, "features of 2"]


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
    assert "the labels are numbers (valence, arousal), and emorec baseline predicts classes" in line
