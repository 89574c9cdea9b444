"""Aff-Wild2 from the command line: frame and feature networks, tests and submissions."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emorec import checkpoint, load
from emorec.cli import main
from emorec.data import AffWild2DataModule
from emorec.inference.video import VideoFile
from emorec.models import FaceRegressor
from tests import videos
from tests.affwild2 import NUM_FRAMES, write_affwild2

pytestmark = pytest.mark.nightly  # whole trainings

SMALL = (
    "--data.num_workers 0 --data.batch_size 16 --trainer.max_epochs 1 --trainer.accelerator cpu "
    "--trainer.num_sanity_val_steps 0"
)


def emorec(line: str) -> None:
    main(line.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that trained a frame network on undersampled frames."""
    folder = tmp_path_factory.mktemp("affwild2")
    write_affwild2(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        emorec(
            "fit --model FaceRegressor --data AffWild2DataModule --data.root data --data.num_frames 1 "
            f"--data.image_size 96 --data.balance histogram --model.optimizer sgd --model.lr 0.01 {SMALL}"
        )
    return folder


def run_of(folder: Path, number: int = 0) -> Path:
    return folder / "lightning_logs" / "FaceRegressor" / f"version_{number}"


def test_the_best_epoch_is_selected_by_ccc(folder: Path) -> None:
    content = checkpoint.load(run_of(folder) / "checkpoints" / "best.ckpt")
    (saved,) = (state for key, state in content["callbacks"].items() if "BestAndLast" in key)
    assert saved["monitor"] == "val/ccc"
    record = checkpoint.read(run_of(folder) / "checkpoints" / "best.ckpt")
    assert record.class_names == ()
    assert record.model["init_args"]["target_names"] == ("valence", "arousal")


def test_a_frame_network_predicts_a_video_five_times_per_second(
    folder: Path, tmp_path: Path
) -> None:
    predictor = load(run_of(folder) / "checkpoints" / "best.ckpt", device="cpu")
    assert predictor.spec.face == "crop"
    assert predictor.spec.window_seconds == pytest.approx(1 / 30)
    path = videos.write_video(tmp_path / "talk.mp4", 60, look="gradient")
    prediction = predictor.predict(path, face="none")
    assert [window.end - window.start for window in prediction.windows] == pytest.approx([0.2] * 10)
    assert prediction.names == ("valence", "arousal")
    first = next(frame for _, _, frame in VideoFile(path).frames([0]))
    assert predictor.predict(first[None], face="none").values == pytest.approx(
        prediction.windows[0].values, abs=1e-6
    )


def test_tensorboard_has_the_valence_arousal_plot_and_the_label_balance(folder: Path) -> None:
    events = EventAccumulator(str(run_of(folder)))
    events.Reload()
    tags = events.Tags()
    assert {"val/plane", "train/balance", "train/clips_as_the_network_sees_them"} <= set(
        tags["images"]
    )
    assert {"val/ccc", "val/ccc_valence", "val/rmse", "train/ccc", "best/ccc"} <= set(
        tags["scalars"]
    )
    assert not {tag for tag in tags["scalars"] if "uar" in tag or "accuracy" in tag}


def test_a_test_uses_the_official_validation_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    best = str(run_of(folder) / "checkpoints" / "best.ckpt")
    emorec(f"test --ckpt {best} --trainer.accelerator cpu")
    assert "CCC" in capsys.readouterr().out
    metrics = json.loads((run_of(folder) / "test" / "metrics.json").read_text())
    text = (run_of(folder) / "test" / "predictions.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["actor"] for row in rows} == {"video6", "video7"}
    assert set(metrics["per_video"]) == {"video6", "video7_left"}
    truth, predicted = (
        np.array([float(row[f"{kind}valence"]) for row in rows]) for kind in ("", "predicted ")
    )
    ccc = 2 * np.cov(truth, predicted, bias=True)[0, 1]
    ccc /= truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2
    assert metrics["ccc_valence"] == pytest.approx(ccc, abs=1e-6)


def test_a_smoothed_test_reports_scores_with_and_without_smoothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    best = str(run_of(folder) / "checkpoints" / "best.ckpt")
    metrics = run_of(folder) / "test" / "metrics.json"
    emorec(f"test --ckpt {best} --trainer.accelerator cpu")
    raw = json.loads(metrics.read_text())
    assert "smoothed" not in raw
    flags = "--data.smooth box --data.smooth_frames 3"
    emorec(f"test --ckpt {best} {flags} --trainer.accelerator cpu")
    smoothed = json.loads(metrics.read_text())
    assert smoothed["ccc"] == raw["ccc"]
    assert smoothed["smoothed"]["how"] == "box over 3 frames"
    assert smoothed["smoothed"]["ccc"] != raw["ccc"]
    line = f"smoothed, box over 3 frames: CCC {smoothed['smoothed']['ccc']:.3f}"
    assert line in capsys.readouterr().out


def test_every_frame_is_predicted_in_the_format_of_the_challenge(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    best = str(run_of(folder) / "checkpoints" / "best.ckpt")
    emorec(f"predict --ckpt {best} --data.smooth gaussian --trainer.accelerator cpu")
    lines = (run_of(folder) / "predict" / "submission.txt").read_text().splitlines()
    assert lines[0] == "image_location,valence,arousal"
    assert len(lines) == 1 + 9 * NUM_FRAMES


@pytest.mark.nightly
def test_features_are_computed_once_and_train_a_recurrent_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    best = str(run_of(folder) / "checkpoints" / "best.ckpt")
    emorec(f"features {best} --to features --device cpu")
    assert "Warning" not in capsys.readouterr().err
    network = FaceRegressor.load_from_checkpoint(best, map_location="cpu").eval()
    data = AffWild2DataModule(
        root="data", num_frames=1, image_size=96, augment=False, num_workers=0
    )
    data.setup("test")
    clips = data.subsets["test"]
    frames = data.dataset(clips)[5]["frames"].permute(0, 3, 1, 2)[None]  # (1, 1, C, H, W)
    features = np.load(folder / "features" / f"{clips[5].take}.npy")
    (video,) = (video for video in data.videos if video.name == clips[5].take)
    row = video.frames.tolist().index(int(clips[5].path.stem))
    np.testing.assert_allclose(
        features[row], network.frame_features(frames)[0, 0].detach().numpy(), atol=1e-4
    )
    existing = (folder / "features" / "video3.npy").stat().st_mtime_ns
    emorec(f"features {best} --to features --num-workers 0 --device cpu")
    assert (folder / "features" / "video3.npy").stat().st_mtime_ns == existing
    emorec(
        "fit --model FaceRegressor --model.backbone none --model.rnn lstm --model.hidden_sizes [8] "
        f"--data AffWild2DataModule --data.root data --data.features features --data.num_frames 4 {SMALL}"
    )
    emorec(f"test --ckpt {run_of(folder, 1)}/checkpoints/best.ckpt")
    assert (run_of(folder, 1) / "test" / "plane.png").is_file()
    emorec(f"test --ckpt {best} --trainer.accelerator cpu")
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "160")
    emorec("compare lightning_logs --out report --resamples 200")
    output = capsys.readouterr().out
    assert "2 models on the same" in output
    assert "CCC valence" in output


@pytest.mark.nightly
def test_a_recurrent_network_is_trained_end_to_end_from_the_checkpoint_of_single_frames(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    best = run_of(folder) / "checkpoints" / "best.ckpt"
    first = checkpoint.load(best)["state_dict"]
    initial_state = FaceRegressor(
        weights=str(best), num_frames=3, image_size=96, rnn="gru"
    ).state_dict()
    backbone_state = {
        name: value for name, value in first.items() if name.startswith("network.backbone.")
    }
    assert len(backbone_state) == 10
    assert all(torch.equal(initial_state[name], value) for name, value in backbone_state.items())
    existing = set(folder.glob("lightning_logs/FaceRegressor/*"))
    emorec(
        f"fit --model FaceRegressor --model.weights {best} --model.rnn gru --model.hidden_sizes [8] "
        "--data AffWild2DataModule --data.root data --data.num_frames 3 --data.image_size 96 "
        f"--model.optimizer sgd --model.lr 0.01 --trainer.limit_train_batches 2 {SMALL}"
    )
    (run,) = set(folder.glob("lightning_logs/FaceRegressor/*")) - existing
    trained = checkpoint.load(run / "checkpoints" / "last.ckpt")["state_dict"]
    trainable = [name for name in backbone_state if name.endswith("weight")]
    assert all(not torch.equal(trained[name], backbone_state[name]) for name in trainable)
    assert all((trained[name] - backbone_state[name]).abs().max() < 0.5 for name in trainable)
    best.rename(best.with_name("gone.ckpt"))  # the run contains all weights
    try:
        emorec(f"test --ckpt {run / 'checkpoints' / 'best.ckpt'} --trainer.accelerator cpu")
    finally:
        best.with_name("gone.ckpt").rename(best)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--model CNNLSTM --data AffWild2DataModule --data.root data",
            "names classes and the data has none",
        ),
        (
            "--model FaceRegressor --data AffWild2DataModule --data.task expr --data.root data --data.image_size 96",
            "predicts valence, arousal and the data names classes",
        ),
        (
            "--model FaceRegressor --data AffWild2DataModule --data.root nowhere --data.image_size 96",
            "no such folder: nowhere; ask for Aff-Wild2",
        ),
    ],
)
def test_the_wrong_network_or_folder_is_refused_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: str,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit):
        emorec(f"fit {flags} --trainer.logger false {SMALL}")
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
