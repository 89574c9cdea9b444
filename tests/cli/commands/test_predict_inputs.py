"""`emorec predict` of files that are not ordinary videos, sound alone and pictures; and without a package it needs."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import emorec
from emorec.data.audio import decode_audio, to_float
from emorec.data.landmarks import cached_landmarker
from tests import videos
from tests.cli.commands.predicting import error_of, rows_of, run
from tests.inference.fakes import Grey


def test_sound_alone_is_heard_by_a_network_that_sees_and_hears(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = videos.write_sound(tmp_path / "talk.m4a", 2.0)
    assert run(path, "--out", tmp_path) == 0
    output = capsys.readouterr()
    assert "talk.m4a: no pictures; only its sound is used" in output.err
    assert "%" not in output.out.splitlines()[1].partition("talk.m4a")[2]  # of windows with a face
    (row,) = rows_of(tmp_path / "talk" / "timeline.csv")

    predictor = emorec.load()
    spec, generator = predictor.spec, np.random.default_rng(0)
    sound = to_float(spec.audio.fit(decode_audio(path, spec.sound_rate)))
    assert spec.embedding is not None
    inputs = {  # a face that was found in no frame
        "landmarks": generator.normal(size=(1, spec.num_frames, 478, 3)).astype(np.float32),
        "blendshapes": generator.random((1, spec.num_frames, 52), np.float32),
        "face_present": np.zeros((1, spec.num_frames), bool),
        "embedding": spec.embedding.embed(sound)[None],
        "heard": np.ones(1, bool),
    }
    (expected,) = predictor.runtime({name: inputs[name] for name in spec.inputs})
    predicted = [float(row[name]) for name in spec.names]
    np.testing.assert_allclose(predicted, expected, rtol=1e-3, atol=1e-6)


def test_a_network_that_needs_pictures_refuses_sound(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = videos.write_sound(tmp_path / "talk.m4a")
    message = error_of(capsys, "--ckpt", "any.ckpt", path, "--out", tmp_path)
    assert "there are no pictures in it" in message


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_picture_is_one_window(
    name: str, grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (48, 32), (204, 204, 204)).save(tmp_path / name)
    assert run("--ckpt", "any.ckpt", tmp_path / name, "--out", tmp_path / "out") == 0
    assert f"{name}: a picture, not a video" in capsys.readouterr().err
    (row,) = rows_of(tmp_path / "out" / "a" / "timeline.csv")
    assert float(row["bright"]) == pytest.approx(0.8, abs=0.02)


def test_a_missing_litert_is_one_line_and_not_one_for_each_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Grey(inputs=("landmarks", "blendshapes", "face_present"))
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    cached_landmarker.cache_clear()
    paths = [videos.write_video(tmp_path / name, 3) for name in ("a.mp4", "b.mp4")]
    message = error_of(capsys, "--ckpt", "any.ckpt", *paths, "--out", tmp_path / "out")
    assert "pip install ai-edge-litert, or choose a network of frames or sound" in message
    assert not (tmp_path / "out").exists()
