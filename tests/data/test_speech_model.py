"""The embedding by a speech model is the mean of a layer's hidden states; a tiny random WavLM stands for real ones."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from emorec.data.audio_embedding import EmbeddingSpec
from emorec.data.speech_model import SpeechEncoder, speech_model
from emorec.errors import UserError
from emorec.models import AudioEmbedding
from tests.wavlm import write_wavlm

transformers = pytest.importorskip("transformers")

WAVEFORM = np.random.default_rng(0).normal(0.05, 0.1, 24_000).astype(np.float32)


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random WavLM with 4 layers of 16 features."""
    return write_wavlm(tmp_path_factory.mktemp("models") / "tiny-wavlm")


@pytest.fixture
def copy(wavlm: Path, tmp_path: Path) -> Path:
    return shutil.copytree(wavlm, tmp_path / "copy")


@pytest.mark.parametrize(("layer", "number"), [(None, 2), (0, 0), (4, 4), (-1, 4), (-5, 0)])
def test_windows_are_means_of_a_layer_s_hidden_states(
    wavlm: Path, layer: int | None, number: int
) -> None:
    spec = EmbeddingSpec(network=str(wavlm), sound_seconds=1.5, layer=layer)
    embedding = spec.embed(WAVEFORM)
    assert embedding.shape == spec.shape == (3, 16)
    assert embedding.dtype == np.float32
    normalized = (WAVEFORM - WAVEFORM.mean()) / np.sqrt(WAVEFORM.var() + 1e-7)
    with torch.no_grad():
        states = transformers.WavLMModel.from_pretrained(wavlm).eval()(
            torch.from_numpy(normalized)[None], output_hidden_states=True
        )
    hidden = states.hidden_states[number][0].numpy()  # (74, 16)
    thirds = [hidden[0:25], hidden[24:50], hidden[49:74]]
    np.testing.assert_allclose(embedding, [third.mean(axis=0) for third in thirds], atol=1e-5)


def test_the_cache_has_a_name_of_its_own_for_each_layer_and_content(
    wavlm: Path, copy: Path
) -> None:
    def name(folder: Path, layer: int | None = None) -> str:
        return EmbeddingSpec(network=str(folder), sound_seconds=1.5, layer=layer).name

    assert name(wavlm) == name(wavlm, 2) == name(wavlm, -3) == name(copy)
    assert len({name(wavlm, layer) for layer in range(5)}) == 5
    changed = copy.with_name("changed")
    shutil.copytree(copy, changed)
    edit(changed, "preprocessor_config.json", do_normalize=False)
    assert name(changed) != name(wavlm)


def test_a_model_of_the_hub_that_was_downloaded_needs_no_connection(
    wavlm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("nothing is looked up")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.getaddrinfo", connect)
    commit = "0" * 40
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(wavlm, repository / "snapshots" / commit)
    for revision in ("main", "refs/pr/1"):
        reference = repository / "refs" / revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(commit)
    digests = {
        speech_model(name).digest
        for name in ("someone/tiny", "someone/tiny@refs/pr/1", f"someone/tiny@{commit}", str(wavlm))
    }
    assert len(digests) == 1


def edit(folder: Path, file: str, **values: object) -> None:
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **values}))


def pickle_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled": (pickle_weights, r"no \*.safetensors file.*NAME@refs/pr/N"),
    "no config": (lambda folder: (folder / "config.json").unlink(), r"no config.json: choose"),
    "mel": (
        lambda folder: edit(folder, "preprocessor_config.json", feature_size=80),
        r"\(wavlm\) does not take the waveform alone: choose",
    ),
    "rate": (
        lambda folder: edit(folder, "preprocessor_config.json", sampling_rate=8000),
        r"takes 8000 samples a second: choose a model of 16000",
    ),
    "code": (
        lambda folder: edit(
            folder, "config.json", model_type="mine", auto_map={"AutoConfig": "mine.Config"}
        ),
        r"transformers can't load .*: choose a speech model of its own classes",
    ),
    "deeper": (
        lambda folder: edit(folder, "config.json", num_hidden_layers=5),
        r"lacks \d+ weights of its network \(.*encoder.layers.4.*choose another",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_model_that_does_not_fit_is_refused_in_one_line(mistake: str, copy: Path) -> None:
    spoil, message = MISTAKES[mistake]
    spoil(copy)
    with pytest.raises(UserError, match=message) as error:
        SpeechEncoder(str(copy))
    assert str(copy) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_other_mistakes_are_one_line(wavlm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for layer in (5, -6):
        spec = EmbeddingSpec(network=str(wavlm), sound_seconds=1.5, layer=layer)
        with pytest.raises(UserError, match=rf"the layer is {layer}, .* 0 to 4: choose"):
            spec.embed(WAVEFORM)
    with pytest.raises(UserError, match=r"those of yamnet are fixed: leave it out"):
        EmbeddingSpec(network="yamnet", sound_seconds=1.5, layer=1)
    with pytest.raises(UserError, match=r"called wavlm: choose yamnet.*microsoft/wavlm-base-plus"):
        EmbeddingSpec(network="wavlm", sound_seconds=1.5)
    with pytest.raises(UserError, match=r"no folder \./wavlm: choose"):
        speech_model("./wavlm")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"can't get nobody/nothing .* or name a folder"):
        speech_model("nobody/nothing")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"nobody/other needs transformers.*emorec\[speech\]"):
        speech_model("nobody/other")


def test_a_checkpoint_of_other_files_of_the_model_is_refused(wavlm: Path, copy: Path) -> None:
    trained = AudioEmbedding(embedding=str(wavlm), layer=1, sound_seconds=1.5, num_classes=3)
    assert trained.example_inputs[0].shape == (1, 3, 16)
    state = trained.state_dict()
    AudioEmbedding(embedding=str(copy), sound_seconds=1.5, num_classes=3).load_state_dict(state)
    changed = copy.with_name("changed")
    shutil.copytree(copy, changed)
    edit(changed, "config.json", layer_norm_eps=1e-3)
    network = AudioEmbedding(embedding=str(changed), sound_seconds=1.5, num_classes=3)
    with pytest.raises(UserError, match=r"changed have changed since the training: .*NAME@COMMIT"):
        network.load_state_dict(state)
