"""`emorec explain` on a run of two steps."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emorec.checkpoint import read
from emorec.cli import main
from emorec.evaluation.predictions import read_predictions
from emorec.explain.explainer import Explainer, InputReader, clip_from_file
from tests import videos
from tests.inference.specs import make_spec
from tests.refusal import refusal

FIT = (
    *("fit", "--model", "emorec.models.EarlyFusionCNN", "--data", "emorec.data.RavdessDataModule"),
    *("--data.image_size=32", "--data.num_frames=2", "--data.num_workers=0"),
    *("--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.accelerator=cpu"),
)
CKPT = Path("lightning_logs/EarlyFusionCNN/version_0/checkpoints/best.ckpt")
CLIP = "Actor_23/01-01-03-01-01-01-23.mp4"


@pytest.fixture(scope="module")
def trained(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Working folder of a run that is not tested yet."""
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main([*FIT, "--data.root", str(drawn_clips)])
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def error_of(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    return partial(refusal, capsys, "explain")


def test_each_clip_has_an_image_and_a_line(
    run: Path, drawn_clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = drawn_clips / "Actor_24/01-01-04-01-01-01-24.mp4"
    main(["explain", "--ckpt", str(CKPT), str(drawn_clips / CLIP), str(second), "--device", "cpu"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [Path(CLIP).name, second.name]
    for line, truth in zip(lines, ("happy", "sad"), strict=True):
        assert f"true {truth};" in line or f"correctly predicted {truth}" in line
        image = imread(line.rpartition("; ")[2])
        assert image.shape[1] > 2 * 300  # two large frames side by side
        assert image.std() > 0.05
    assert {path.name for path in Path("explained").iterdir()} == {
        Path(CLIP).with_suffix(".png").name,
        second.with_suffix(".png").name,
    }


def test_one_window_of_a_longer_video_is_explained(
    run: Path, capsys: pytest.CaptureFixture[str], error_of: Callable[..., str]
) -> None:
    spec = Explainer(CKPT, None, "auto", "cpu").spec
    seconds = spec.window_seconds
    short, long = (
        videos.write_video(run / name, round(20 * length * seconds), fps=20)
        for name, length in (("short.mp4", 1.4), ("long.mp4", 5))
    )
    assert clip_from_file(short, spec).span_seconds is None
    assert clip_from_file(long, spec).span_seconds == (0.0, seconds)
    main(["explain", "--ckpt", str(CKPT), "--start", "0.5", str(long), "--device", "cpu"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("long.mp4#t=0.5,")
    frames = InputReader(read(CKPT), spec)(clip_from_file(long, spec, 0.5))["frames"][0]
    first, last = videos.shown_indices(frames.permute(0, 2, 3, 1).numpy())
    assert (first, last) == (10, 9 + round(20 * seconds))
    ckpt = ("--ckpt", str(CKPT))
    assert "--start is -1: it takes seconds" in error_of(*ckpt, str(long), "--start=-1")
    assert "start: Expected a float; Given value: x" in error_of(*ckpt, str(long), "--start", "x")
    assert "long.mp4" in error_of(*ckpt, str(long), "--start", "999")
    assert "--start is for a CLIP" in error_of(*ckpt, "--misclassified", "2", "--start", "1")


def test_a_network_of_single_frames_explains_the_next_frame(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 20, fps=4)
    single = make_spec(num_frames=1, window_seconds=1 / 30)
    assert clip_from_file(path, single, 1.1).span_seconds == pytest.approx((1.1, 2.1))


def test_misclassified_clips_are_explained_in_the_run_folder_and_tensorboard(
    run: Path, drawn_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = shutil.copytree(drawn_clips, tmp_path / "moved")
    main(["test", "--ckpt", str(CKPT), "--data.num_workers=0", "--trainer.accelerator=cpu"])
    capsys.readouterr()
    main(["explain", "--ckpt", str(CKPT), "--misclassified", "3", "--root", str(moved)])
    folder = CKPT.parents[1]
    _, table = read_predictions(folder / "test" / "predictions.csv")
    wrong = table[table["predicted"] != table["emotion"]]
    worst = [Path(path) for path in wrong.nlargest(3, "confidence")["path"]]
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        path.name for path in worst
    ]
    assert sorted(path.name for path in (folder / "explain").iterdir()) == [
        f"{rank:02d}_{path.stem}.png" for rank, path in enumerate(worst, start=1)
    ]
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    assert [event.step for event in events.Images("test/explained")] == [1, 2, 3]


def test_mistakes_are_refused_in_one_line(
    run: Path, drawn_clips: Path, error_of: Callable[..., str], tmp_path: Path
) -> None:
    ckpt, clip = ("--ckpt", str(CKPT)), str(drawn_clips / CLIP)
    assert "which network? emorec explain --ckpt FILE" in error_of("--misclassified", "2")
    assert "which clips?" in error_of(*ckpt)
    assert "which clips?" in error_of(*ckpt, clip, "--misclassified", "2")
    assert "did you mean happy?" in error_of(*ckpt, clip, "--class", "hapy")
    assert "choose one of neutral, calm" in error_of(*ckpt, clip, "--class", "xyz")
    assert "did you mean grad_cam?" in error_of(*ckpt, clip, "--method", "gradcam")
    assert "['auto', 'grad_cam', 'occlusion']" in error_of(*ckpt, clip, "--method", "x")
    assert "--misclassified is -1" in error_of(*ckpt, "--misclassified=-1")
    assert "emorec test --ckpt" in error_of(*ckpt, "--misclassified", "2")
    assert "did you mean --class?" in error_of(*ckpt, clip, "--clas", "happy")
    assert "no such checkpoint" in error_of("--ckpt", "none.ckpt", clip)
    assert "device is gpu7" in (line := error_of(*ckpt, clip, "--device", "gpu7"))
    assert "choose cpu" in line
    assert "nothing.mp4" in error_of(*ckpt, "nothing.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    assert "text.mp4" in error_of(*ckpt, "text.mp4")
    assert "1 of 2 clips were not explained" in error_of(*ckpt, "text.mp4", clip)
    assert (Path("explained") / Path(CLIP).with_suffix(".png").name).is_file()
    (tmp_path / "file").write_text("")
    assert "can't use file" in error_of(*ckpt, clip, "--out", "file")
