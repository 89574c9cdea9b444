"""What is unlike the training clips: the distance, the false alarms on new people, and what is plainly different."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.decomposition import PCA

import emorec
from emorec.cli import main
from emorec.data.audio_embedding import EmbeddingSpec, embed
from emorec.data.landmarks import FACE, LEFT_EYE, RIGHT_EYE, FaceTrack
from emorec.errors import UserError
from emorec.inference.familiarity import (
    NUM_COMPONENTS,
    Familiarity,
    StreamStatistics,
    Vectors,
    align,
    fit_familiarity,
    fit_stream,
)
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor, read_familiarity
from emorec.inference.results import predict_to_folder
from emorec.inference.runtimes import Inputs, Outputs
from emorec.inference.timeline import Timeline
from emorec.inference.video import open_file
from emorec.layers.geometry import align as align_tensors
from emorec.pretrained import DEFAULT, FAMILIARITY_SUFFIX
from tests import videos
from tests.inference.fakes import Grey


def clips_of_people(people: int, seed: int, clips: int = 30) -> tuple[Vectors, list[int]]:
    """People differ by as much as the clips of one do, in eight dimensions of different widths."""
    generator = np.random.default_rng(seed)
    widths = np.linspace(0.2, 3, 8)
    own = generator.normal(size=(people, 1, 8)) + generator.normal(size=(people, clips, 8))
    return (own * widths).reshape(-1, 8), np.repeat(np.arange(people), clips).tolist()


@pytest.mark.parametrize("num_components", [0, 3, 7])
def test_the_distance_is_that_of_scipy_with_the_covariance_of_scikit_learn(
    num_components: int,
) -> None:
    vectors, _ = clips_of_people(6, seed=0)
    statistics = StreamStatistics.of(vectors, num_components)
    if num_components:
        pca = PCA(num_components).fit(vectors)
        covariance = pca.get_covariance() * (len(vectors) - 1) / len(vectors)
    else:
        covariance = np.eye(8) * vectors.var(axis=0).mean()
    inverse = np.linalg.inv(covariance)
    expected = [mahalanobis(each, vectors.mean(axis=0), inverse) for each in vectors]
    np.testing.assert_allclose(statistics.distances(vectors), expected, rtol=1e-4)


def test_faces_are_aligned_as_the_network_aligns_them() -> None:
    landmarks = np.random.default_rng(0).normal(size=(4, 478, 3)).astype(np.float32)
    expected = align_tensors(torch.from_numpy(landmarks).double(), (RIGHT_EYE, LEFT_EYE))
    np.testing.assert_allclose(align(landmarks), expected.numpy(), atol=1e-9)


def test_new_people_are_rarely_unfamiliar_as_the_threshold_is_of_people_left_out() -> None:
    vectors, people = clips_of_people(22, seed=0)
    statistics = fit_stream(vectors, people, num_components=4)
    new, _ = clips_of_people(300, seed=1)
    assert 0.003 < (statistics.distances(new) > statistics.threshold).mean() < 0.03
    assert (statistics.distances(new + 30) > statistics.threshold).all()
    # with few people, the distances of those who were fitted promise too much
    few, few_people = clips_of_people(4, seed=2)
    of_left_out = fit_stream(few, few_people, num_components=4)
    assert of_left_out.threshold > np.quantile(of_left_out.distances(few), 0.99)
    with pytest.raises(UserError, match="at least 2 people"):
        fit_stream(vectors, [1] * len(people), num_components=4)


def test_statistics_are_fitted_to_what_clips_have_and_read_back_from_beside_the_network(
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(0)
    tracks = np.zeros((40, 3), FACE)
    tracks["landmarks"] = generator.normal(size=tracks["landmarks"].shape)
    tracks["present"] = np.arange(40)[:, None] > 1  # no face in two clips, no sound in one
    embeddings = generator.normal(size=(40, 2, 5)).astype(np.float32)
    embeddings[39] = 0
    clips = [SimpleNamespace(actor=index // 4, index=index) for index in range(40)]
    data: Any = SimpleNamespace(
        subsets={"train": clips},
        read_landmarks=lambda clip: tracks[clip.index],
        read_embedding=lambda clip: embeddings[clip.index],
    )
    fitted = fit_familiarity(data)
    np.testing.assert_allclose(
        fitted.streams["sound"].mean, embeddings[:39].mean(axis=(0, 1)), atol=1e-6
    )
    np.testing.assert_allclose(
        fitted.streams["face"].mean.reshape(478, 3),
        align(tracks["landmarks"][2:]).mean(axis=(0, 1)),
        atol=1e-5,
    )
    path = tmp_path / "best.ckpt"
    assert read_familiarity(path) is None
    fitted.save(path.with_suffix(FAMILIARITY_SUFFIX))
    read = read_familiarity(path)
    assert read is not None
    assert read.streams.keys() == NUM_COMPONENTS.keys()
    assert read.streams["motion"].threshold == fitted.streams["motion"].threshold
    np.testing.assert_array_equal(
        read.streams["face"].components, fitted.streams["face"].components
    )
    assert read.unfamiliar(None, np.full((2, 5), 99, np.float32)) == ("sound",)
    with pytest.raises(UserError, match="5 values, and the network takes 6"):
        read.unfamiliar(None, np.ones((2, 6), np.float32))
    path.with_suffix(FAMILIARITY_SUFFIX).write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"best\.familiarity\.npz"):
        read_familiarity(path)
    with pytest.raises(UserError, match="pixels"):
        fit_familiarity(
            cast(
                "Any",
                SimpleNamespace(**{**vars(data), "read_landmarks": None, "read_embedding": None}),
            )
        )


@pytest.fixture(scope="module")
def shipped() -> Familiarity:
    statistics = read_familiarity(Path(DEFAULT))
    assert statistics is not None
    return statistics


def average_face(statistics: Familiarity, yaw: float = 0.0) -> FaceTrack:
    """The mean face of the training clips, which moves as much as they do, turned by `yaw` degrees."""
    track = np.zeros(16, FACE)
    shape = statistics.streams["face"].mean.reshape(478, 3)
    motion = np.random.default_rng(0).normal(size=(8, 478, 3))
    motion *= np.exp(statistics.streams["motion"].mean) / np.abs(motion).mean(axis=0)
    shapes = shape + np.concatenate([motion, -motion])
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    track["landmarks"] = 100 * shapes @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    track["present"] = True
    return track


def test_the_built_in_statistics_mark_turned_still_and_noisy_clips_but_not_the_average_one(
    shipped: Familiarity,
) -> None:
    usual = shipped.streams["sound"].mean[None]
    assert shipped.unfamiliar(average_face(shipped), usual) == ()
    assert "face" in shipped.unfamiliar(average_face(shipped, yaw=60), None)
    still = average_face(shipped)
    still["landmarks"] = still["landmarks"].mean(axis=0)
    assert shipped.unfamiliar(still, usual) == ("motion",)
    assert shipped.unfamiliar(None, None) == ()
    noise = np.random.default_rng(0).normal(size=48_000).astype(np.float32) * 0.1
    assert shipped.unfamiliar(None, embed(noise, "both")) == ("sound",)


def test_the_built_in_network_abstains_below_one_half_unless_told_otherwise() -> None:
    predictor = emorec.load(device="cpu")
    assert Options().lowest_confidence(predictor.spec) == 0.5
    assert Options(abstain_below=0).lowest_confidence(predictor.spec) == 0
    assert Options().lowest_confidence(Grey().spec) == 0


class Voice(Grey):
    """A runtime that takes the embedding of sound."""

    def __call__(self, inputs: Inputs) -> Outputs:
        return np.tile(np.float32([0.4, 0.6]), (len(inputs["embedding"]), 1))


def test_unfamiliar_windows_are_in_every_result_and_each_sound_is_embedded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    videos.write_video(tmp_path / "talk.mp4", 40, sound=True)
    embedded: list[int] = []

    def counted(_: EmbeddingSpec, waveform: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        embedded.append(len(waveform))
        return np.full((1, 96), len(embedded), np.float32)

    monkeypatch.setattr(EmbeddingSpec, "embed", counted)
    runtime = Voice(inputs=("embedding", "heard"), num_frames=0, sound_embedding="speech_embedding")
    only_first = StreamStatistics(
        *(np.float32(each) for each in (np.ones(96), np.zeros((0, 96)), [], 1, 0.5))
    )
    predictor = Predictor(runtime, familiarity=Familiarity({"sound": only_first}))

    def predicted(predictor: Predictor) -> tuple[Timeline, list[dict[str, str]], dict[str, Any]]:
        embedded.clear()
        result = predict_to_folder(
            predictor,
            open_file(tmp_path / "talk.mp4", runtime.spec),
            tmp_path / "out",
            Options(abstain_below=0.7),
            started=0,
            progress=lambda *_: None,
        )
        with (result.folder / "timeline.csv").open() as file:
            rows = list(csv.DictReader(file))
        return result.timeline, rows, json.loads((result.folder / "summary.json").read_text())

    timeline, rows, summary = predicted(predictor)
    count = len(timeline.windows)
    assert len(embedded) == count > 2
    assert [each.unfamiliar for each in timeline.windows] == [(), *[("sound",)] * (count - 1)]
    assert [each.embedding for each in timeline.windows] == [None] * count
    assert [row["unfamiliar"] for row in rows] == ["", *["sound"] * (count - 1)]
    assert summary["unfamiliar"] == {"windows": count - 1, "sound": count - 1}
    assert summary["settings"]["abstain_below"] == 0.7

    monkeypatch.setattr("emorec.inference.predictor.load", lambda *_: predictor)
    embedded.clear()
    main(["predict", "--ckpt", "x.onnx", "talk.mp4"])
    assert f"{count - 1} of {count} windows" in capsys.readouterr().err

    timeline, rows, summary = predicted(Predictor(runtime))
    assert {each.unfamiliar for each in timeline.windows} == {None}
    assert "unfamiliar" not in rows[0]
    assert summary["unfamiliar"] is None


def test_a_spec_of_before_is_read_with_a_threshold_of_0() -> None:
    spec = replace(Grey().spec, abstain_below=0.5)
    stored = json.loads(spec.to_json())
    assert type(spec).from_json(json.dumps(stored)) == spec
    del stored["abstain_below"]
    assert type(spec).from_json(json.dumps(stored)).abstain_below == 0
