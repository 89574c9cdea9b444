"""Embeddings of sound are those of the networks' own front ends and runtimes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from emorec.data.audio import AudioSpec, to_float
from emorec.data.audio_embedding import (
    HOP_SAMPLES,
    SPEECH_COLUMNS,
    SPEECH_OFFSET,
    STEP,
    YAMNET_COLUMNS,
    EmbeddingSpec,
    SpeechEmbedding,
    Yamnet,
    embed,
    speech_spectrogram,
    yamnet_spectrogram,
)
from emorec.data.clip import Clip
from emorec.data.speech_model import SAMPLE_RATE
from emorec.pretrained import SPEECH_EMBEDDING, YAMNET, weights_file
from tests.data.test_audio import tone, write_wav

TIMES = np.arange(SAMPLE_RATE) / SAMPLE_RATE
CHIRP = (0.3 * TIMES * np.sin(2 * np.pi * (100 * TIMES + 900 * TIMES**2))).astype(np.float32)
NOISE = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)


def test_the_spectrogram_of_the_speech_embedding_is_that_of_its_onnx_file() -> None:
    spectrogram = speech_spectrogram(CHIRP)
    assert spectrogram.shape == (97, 32)
    expected = [  # by ONNX Runtime and openWakeWord's melspectrogram.onnx, divided by 10, plus 2
        [8.7258, 4.031, 4.031, 4.031, 4.031],
        [4.031, 6.2182, 5.3112, 4.031, 4.031],
        [4.031, 4.031, 5.8191, 4.7302, 4.031],
        [4.031, 4.031, 4.031, 7.9001, 4.031],
    ]
    measured = spectrogram[np.ix_([0, 30, 60, 96], [0, 5, 12, 20, 31])]
    np.testing.assert_allclose(measured, expected, atol=2e-4)


def test_the_speech_embedding_is_that_of_opencv() -> None:
    spectrogram = speech_spectrogram(NOISE)
    network = cv2.dnn.readNetFromONNX(str(weights_file(SPEECH_EMBEDDING)))
    embedding = embed(NOISE, "speech_embedding")
    assert embedding.shape == (3, 96)
    for number in range(2):
        start = SPEECH_OFFSET + number * STEP
        network.setInput(spectrogram[None, start : start + SPEECH_COLUMNS, :, None])
        expected = np.asarray(network.forward()).reshape(96)
        np.testing.assert_allclose(embedding[number], expected, atol=1e-3)


def test_the_spectrogram_of_yamnet_is_that_with_which_it_recognises_sounds() -> None:
    spectrogram = yamnet_spectrogram(CHIRP)
    assert spectrogram.shape == (98, 64)
    expected = [  # with it the whole of YAMNet named silence, and noise
        [-1.3789, -5.9110, -6.8914, -6.9066, -6.9077],
        [-5.9671, -5.4728, -5.0751, -6.8682, -6.9053],
        [-6.7584, -6.4611, -1.7479, -6.7089, -6.8988],
        [-6.8037, -6.8219, -6.2878, -5.8568, -6.8854],
    ]
    measured = spectrogram[np.ix_([0, 30, 60, 97], [0, 5, 20, 40, 63])]
    np.testing.assert_allclose(measured, expected, atol=2e-4)


def test_the_embedding_of_yamnet_is_that_of_the_reference_kernels() -> None:
    graph = Interpreter(
        str(weights_file(YAMNET)), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    graph.allocate_tensors()
    graph.set_tensor(0, yamnet_spectrogram(NOISE)[None, :YAMNET_COLUMNS])
    graph.invoke()
    maps = graph.get_tensor(graph.get_output_details()[0]["index"])[0]
    assert maps.shape == (6, 4, 512)
    expected = (maps.max(axis=(0, 1)) + 128.0) * 6 / 255  # its ReLU6 reaches from 0 to 6
    difference = np.abs(embed(NOISE, "yamnet")[0] - expected)
    assert difference.mean() < 0.03
    assert np.corrcoef(embed(NOISE, "yamnet")[0], expected)[0, 1] > 0.99


def test_a_window_has_the_same_embedding_wherever_it_is() -> None:
    later = NOISE[STEP * HOP_SAMPLES :]
    np.testing.assert_array_equal(embed(later, "yamnet"), embed(NOISE, "yamnet")[1:])


@pytest.mark.parametrize("network", ["yamnet", "speech_embedding", "both"])
def test_the_embedding_of_a_clip_is_that_of_its_sound(network: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", [tone(0.6, 44_100)], 44_100)
    clip = Clip(path=path, label=0, actor=1, take="a")
    spec = EmbeddingSpec(network=network, sound_seconds=1.2)
    samples = AudioSpec(sound_rate=SAMPLE_RATE, sound_seconds=1.2).load(clip)
    embedding = spec.load(clip)
    assert embedding.shape == spec.shape
    assert embedding.dtype == np.float32
    np.testing.assert_array_equal(embedding, embed(to_float(samples), network))


def test_shorter_sound_than_a_window_has_one_window() -> None:
    assert embed(NOISE[:100], "both").shape == (1, 608)


def test_caches_of_other_settings_have_other_names() -> None:
    specs = [
        EmbeddingSpec(network=network, sound_seconds=seconds)
        for network in ("yamnet", "both")
        for seconds in (3.0, 3.01)
    ]
    assert len({spec.name for spec in specs}) == len(specs)


@pytest.mark.parametrize("network", [Yamnet, SpeechEmbedding])
def test_what_two_clips_share_is_embedded_once(
    network: type[Yamnet | SpeechEmbedding], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 4 * SAMPLE_RATE).astype(np.float32)
    hop = round(EmbeddingSpec(network="both", sound_seconds=2.0).shared_hop(1.0) * SAMPLE_RATE)
    first, second = sound[: 2 * SAMPLE_RATE], sound[hop : hop + 2 * SAMPLE_RATE]
    expected = network()(second)
    remembering, computed = network(), []
    run = remembering._run
    monkeypatch.setattr(remembering, "_run", lambda *it: (computed.append(len(it[1])), run(*it))[1])
    remembering(first)
    np.testing.assert_array_equal(remembering(second), expected)
    shared = len(expected) - hop // (STEP * HOP_SAMPLES)
    assert computed[0] == len(expected)
    assert (
        0 < computed[1] <= len(expected) - shared + 2
    )  # but the last of the first, or of the second, with silence
