"""Predictions adapted to a person: by the whole video, the video so far, and enrolled videos."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from torch import Tensor

import emorec
from emorec.data.audio_embedding import EmbeddingSpec
from emorec.data.faces import Box
from emorec.data.landmarks import FACE
from emorec.errors import UserError
from emorec.inference.export import export, to_bytes
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor, stack_inputs
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Gap, Window
from emorec.inference.torch_runtime import load_network
from emorec.inference.video import VideoFile
from emorec.inference.windows import with_sound
from emorec.models import ClipClassifier, Fusion
from emorec.models.adaptation import clip_statistics, same_person
from emorec.person_statistics import PRIOR_CLIPS
from tests import videos
from tests.inference.networks import made, saved

HOP = 2.0
WINDOW = 4.0

SETTINGS: dict[str, dict[str, Any]] = {
    "LandmarkRNN": {"landmarks": True, "frames": False, "cache": "auto"},
    "AudioEmbedding": {
        "sound_embedding": "both",
        "sound_seconds": 1.5,
        "frames": False,
        "cache": "auto",
    },
}
SETTINGS["Fusion"] = SETTINGS["LandmarkRNN"] | SETTINGS["AudioEmbedding"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a video, and an adapted checkpoint of each network."""
    root = tmp_path_factory.mktemp("adapted")
    videos.write_video(root / "talk.mp4", 15, sound=True)
    for name, settings in SETTINGS.items():
        saved(root / f"{name}.ckpt", made(name)[0], adapt="person", **settings)
    saved(root / "plain.ckpt", made("LandmarkRNN")[0], **SETTINGS["LandmarkRNN"])
    saved(root / "EarlyFusionCNN.ckpt", made("EarlyFusionCNN")[0])
    export(root / "Fusion.ckpt", "onnx", root / "Fusion.onnx")
    (root / "plain.pt2").write_bytes(to_bytes(*made("EarlyFusionCNN"), "torch_export"))
    return root


def windows_of_persons(spec: ModelSpec, count: int = 12) -> list[Window | Gap]:
    """Return windows of persons 1 and 2, whose faces differ in size and place; some lack a face, some sound."""
    random = np.random.default_rng(0)
    pieces: list[Window | Gap] = [Gap(0.0, HOP), Window(start=HOP, end=HOP + WINDOW, person=None)]
    for number in range(2, count):
        start = number * HOP
        for person in (1, 2):
            face = np.zeros(max(1, spec.num_frames), FACE)
            face["present"] = number != 3
            face["landmarks"] = random.normal(50 * person, 10 * person, face["landmarks"].shape)
            face["blendshapes"] = random.uniform(0, 1 / person, face["blendshapes"].shape)
            has_sound = number != 5 or not spec.uses_video
            sound = random.normal(0, 0.1, spec.sound_samples).astype(np.float32) * has_sound
            window = Window(
                start=start,
                end=start + WINDOW,
                person=person,
                box=Box(0, 0, 10 * person, 10 * person),
                face=face if spec.uses_video else None,
            )
            pieces.append(with_sound(window, sound, has_sound, spec))
    return pieces


def made_embedding(sound: npt.NDArray[np.float32], network: str) -> Any:
    """Return an embedding (S, D) that depends on the sound; the real ones take seconds."""
    return np.resize(20 * sound, EmbeddingSpec(network=network, sound_seconds=1.5).shape)


@pytest.fixture
def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Predictor]:
    """Load a network that gets made windows, whatever the video shows."""

    def loaded(name: str, windows: int | list[Window | Gap] = 12) -> Predictor:
        monkeypatch.setattr("emorec.data.audio_embedding.embed", made_embedding)
        path = folder / (name if Path(name).suffix else f"{name}.ckpt")
        predictor = emorec.load(path, "cpu", Options(batch_size=5))
        pieces = (
            windows_of_persons(predictor.spec, windows) if isinstance(windows, int) else windows
        )
        monkeypatch.setattr("emorec.inference.predictor.windows_of", lambda *_: iter(pieces))
        return predictor

    return loaded


def values_of(predictor: Predictor, video: Path, person: int, **options: Any) -> Tensor:
    """Return the predictions of a person's windows, (N, K)."""
    timeline = predictor.predict(video, **options)
    return torch.tensor([window.values for window in timeline.of_person(person)])


def networks_of(network: ClipClassifier) -> list[Any]:
    return list(network.networks) if isinstance(network, Fusion) else [network]


def batch_of(spec: ModelSpec, windows: list[Window]) -> dict[str, Tensor]:
    """Return the windows as a batch, with the masks that the clips of a data set have."""
    arrays = stack_inputs(windows, spec)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    batch["heard"] = torch.tensor([window.has_sound for window in windows])
    if spec.uses_video:
        batch["face_present"] = torch.tensor(
            np.stack([window.face["present"] for window in windows if window.face is not None])
        )
    return batch


def classified(network: ClipClassifier, batch: dict[str, Tensor], logits: list[Tensor]) -> Tensor:
    fused = (
        network.fuse(logits, network.present(batch)) if isinstance(network, Fusion) else logits[0]
    )
    return (fused / 0.5).softmax(dim=1)  # the temperature of the checkpoint


@pytest.mark.parametrize("name", SETTINGS)
def test_a_video_is_adapted_as_the_clips_of_a_test(
    name: str, load: Callable[..., Predictor], folder: Path
) -> None:
    predictor = load(name)
    network, spec = load_network(folder / f"{name}.ckpt", adapted=True)
    assert isinstance(network, ClipClassifier)
    windows = [each for each in windows_of_persons(spec) if isinstance(each, Window)][1:]
    batch = batch_of(spec, windows)
    persons = [window.person for window in windows]
    logits = []
    with torch.no_grad():
        for each in networks_of(network):

            def features(part: Mapping[str, Any], each: Any = each) -> tuple[Tensor, Tensor]:
                return each.features(*(part[name] for name in each.inputs)), each.has_input(part)

            statistics = clip_statistics(
                features, [batch], same_person(persons), prior_clips=PRIOR_CLIPS
            )
            rows = statistics.adapt(features(batch)[0], torch.arange(len(windows)))
            logits.append(each.classify(rows))
        expected = classified(network, batch, logits)
    for person in (1, 2):
        actual = values_of(predictor, folder / "talk.mp4", person)
        rows = expected[[each == person for each in persons]]
        torch.testing.assert_close(actual, rows, rtol=0, atol=1e-5)


def test_running_statistics_start_with_the_training_people_and_use_no_future(
    load: Callable[..., Predictor], folder: Path
) -> None:
    video = folder / "talk.mp4"
    predictor = load("LandmarkRNN")
    running = values_of(predictor, video, 2, adapt="running")
    first = values_of(load("LandmarkRNN", windows=6), video, 2, adapt="running")
    torch.testing.assert_close(running[: len(first)], first)

    network, spec = load_network(folder / "LandmarkRNN.ckpt", adapted=True)
    windows = [each for each in windows_of_persons(spec) if isinstance(each, Window)]
    batch = batch_of(spec, [each for each in windows if each.person == 2])
    (part,) = networks_of(network)  # type: ignore[arg-type]
    expected = []
    with torch.no_grad():
        features = part.features(batch["landmarks"], batch["blendshapes"])  # (N, T, D)
        for position in range(len(features)):
            past = features[: position + 1][batch["face_present"][: position + 1, 0]]
            weight = len(past) + PRIOR_CLIPS
            mean = past.mean(dim=1).sum(dim=0) / weight
            square = (past.square().mean(dim=1).sum(dim=0) + PRIOR_CLIPS) / weight
            adapted = (features[position] - mean) / (square - mean.square()).sqrt()
            expected.append(classified(part, batch, [part.classify(adapted[None])])[0])
    torch.testing.assert_close(running, torch.stack(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_enrolled_video_adapts_by_the_person_with_the_largest_face(
    name: str, load: Callable[..., Predictor], folder: Path
) -> None:
    video, predictor = folder / "talk.mp4", load(name)
    by_video = values_of(predictor, video, 2)
    torch.testing.assert_close(values_of(predictor, video, 2, enrol=[video]), by_video)
    # more windows count more against those of the training people
    twice = values_of(predictor, video, 2, enrol=[video, video])
    assert 0 < (twice - by_video).abs().max() < 0.2
    assert predictor.predict(video, enrol=video).adapted_by == "22 s of enrolled videos"
    assert predictor.predict(video, enrol=[video, video]).adapted_by == "44 s of enrolled videos"


@pytest.mark.parametrize("options", [{}, {"adapt": "running"}, {"enrol": "talk.mp4"}])
def test_an_exported_network_is_adapted_as_its_checkpoint(
    options: dict[str, Any], load: Callable[..., Predictor], folder: Path
) -> None:
    options = {
        name: folder / value if name == "enrol" else value for name, value in options.items()
    }
    for person in (1, 2):
        expected, actual = (
            values_of(load(name), folder / "talk.mp4", person, **options)
            for name in ("Fusion.ckpt", "Fusion.onnx")
        )
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_an_exported_file_says_that_it_is_adapted_and_how(folder: Path) -> None:
    model = onnx.load(folder / "Fusion.onnx")
    onnx.checker.check_model(model, full_check=True)
    spec = json.loads({each.key: each.value for each in model.metadata_props}["emorec"])
    assert spec["adapt"] == "person"
    assert [each["name"] for each in spec["features"]] == ["face", "voice"]
    inputs, outputs = (
        [each.name for each in graph] for graph in (model.graph.input, model.graph.output)
    )
    assert inputs[-2:] == ["face_adapted", "voice_adapted"]
    assert outputs == ["face_features", "voice_features", "probabilities"]


def test_only_networks_trained_so_are_adapted_unless_told(
    load: Callable[..., Predictor], folder: Path
) -> None:
    video = folder / "talk.mp4"
    plain, adapted = load("plain"), load("LandmarkRNN")
    assert plain.predict(video).adapted_by == ""
    assert adapted.predict(video).adapted_by == "the whole video"
    assert adapted.predict(video, adapt="running").adapted_by == "the video so far"
    torch.testing.assert_close(
        values_of(plain, video, 1, adapt="video"), values_of(adapted, video, 1)
    )
    assert not torch.allclose(values_of(plain, video, 1), values_of(adapted, video, 1))
    assert Options().adaptation(adapted.spec, live=True) == "running"


def test_little_of_a_face_or_of_sound_is_a_warning(
    load: Callable[..., Predictor], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = folder / "talk.mp4"
    with caplog.at_level(logging.WARNING, logger="emorec"):
        load("LandmarkRNN").predict(video)  # 20 s without the window without a face
        assert not caplog.messages
        load("Fusion", windows=6).predict(video)
    (line,) = caplog.messages
    assert line.startswith("talk.mp4: adapted by only ")
    assert "10 s of face (person 1), 8 s of sound (person 1)" in line


def test_sound_that_a_video_does_not_have_is_no_warning_unless_it_was_enrolled(
    load: Callable[..., Predictor], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    silent = [
        replace(piece, has_sound=False, embedding=None) if isinstance(piece, Window) else piece
        for piece in windows_of_persons(load("Fusion").spec)
    ]
    predictor = load("Fusion", silent)
    with caplog.at_level(logging.WARNING, logger="emorec"):
        predictor.predict(folder / "talk.mp4")
        assert not caplog.messages
        predictor.predict(folder / "talk.mp4", enrol=(folder / "talk.mp4",))
    (line,) = caplog.messages
    assert "adapted by only 0 s of sound; below 20 s" in line


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("LandmarkRNN.ckpt", {"adapt": "none"}, ("adapt is none", "--adapt video")),
        ("Fusion.onnx", {"adapt": "none"}, ("adapt is none", "--adapt video")),
        ("LandmarkRNN.ckpt", {"adapt": "past"}, ("adapt is past", "running")),
        (
            "LandmarkRNN.ckpt",
            {"adapt": "video", "enrol": ["talk.mp4"]},
            ("enrol talk.mp4", "leave one of them out"),
        ),
        ("LandmarkRNN.ckpt", {"enrol": ["gone.mp4"]}, ("gone.mp4", "No such file")),
        ("EarlyFusionCNN.ckpt", {"adapt": "video"}, ("EarlyFusionCNN", "leave --adapt")),
        ("EarlyFusionCNN.ckpt", {"enrol": ["talk.mp4"]}, ("EarlyFusionCNN", "leave --adapt")),
        ("plain.pt2", {"adapt": "running"}, ("plain.pt2 was exported", "name the checkpoint")),
    ],
)
def test_what_can_not_be_adapted_is_refused(
    file: str, options: dict[str, Any], words: tuple[str, ...], folder: Path
) -> None:
    predictor = emorec.load(folder / file, "cpu")
    with pytest.raises(UserError) as error:
        predictor.predict(folder / "talk.mp4", **options)
    assert all(word in str(error.value) for word in words), error.value


def test_frames_alone_and_cameras_to_their_end_are_refused(folder: Path) -> None:
    predictor = emorec.load(folder / "LandmarkRNN.ckpt", "cpu")
    with pytest.raises(UserError, match=r"one window, .* pass the path of a video"):
        predictor.predict(np.zeros((3, 64, 64, 3), np.uint8))
    with pytest.raises(UserError, match="a camera has no end: choose --adapt running"):
        Options(adapt="video").adaptation(predictor.spec, live=True)


def test_an_adapted_network_is_not_explained(folder: Path) -> None:
    with pytest.raises(UserError, match=r"LandmarkRNN.ckpt was trained with data.adapt person"):
        load_network(folder / "LandmarkRNN.ckpt")


def test_an_interrupted_video_is_adapted_by_what_was_read(
    load: Callable[..., Predictor], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = load("LandmarkRNN", windows=7)
    expected = values_of(predictor, folder / "talk.mp4", 2)
    pieces = windows_of_persons(predictor.spec, 7)

    def interrupted(*_: Any) -> Any:
        yield from pieces
        raise KeyboardInterrupt

    monkeypatch.setattr("emorec.inference.predictor.windows_of", interrupted)
    monkeypatch.setattr(predictor, "options", Options(batch_size=2))
    stream = predictor.stream(VideoFile(folder / "talk.mp4"))
    windows = [next(stream) for _ in pieces]
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    values = [each.values for each in windows if isinstance(each, Window) and each.person == 2]
    torch.testing.assert_close(torch.tensor(values), expected)
