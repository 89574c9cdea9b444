"""A small network of every class, untrained, and what there is to know of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer

from emorec import checkpoint
from emorec.data import RavdessDataModule
from emorec.inference.runtimes import Inputs, Outputs
from emorec.inference.spec import ModelSpec
from emorec.inference.torch_runtime import InferenceModule
from emorec.models import (
    CNN3D,
    CNNLSTM,
    CNNRNN,
    AudioCNN,
    AudioCNNLSTM,
    AudioCNNRNN,
    AudioVisual,
    ClipClassifier,
    ClipNetwork,
    EarlyFusionCNN,
    EarlyFusionResNet,
    FaceClassifier,
    FaceRegressor,
    LateFusion,
)

NAMES = ("calm", "happy", "sad", "angry", "surprised")
SEES: dict[str, Any] = {"num_classes": 5, "num_frames": 3, "image_size": (32, 48)}
HEARS: dict[str, Any] = {"num_classes": 5, "sound_rate": 8000, "sound_seconds": 1.5}
FACE: dict[str, Any] = {"num_frames": 2, "image_size": 96}

NETWORKS: dict[str, Callable[[], ClipNetwork]] = {
    "EarlyFusionCNN": lambda: EarlyFusionCNN(**SEES),
    "EarlyFusionResNet": lambda: EarlyFusionResNet(weights="none", **SEES),
    "LateFusion": lambda: LateFusion(weights="none", **SEES),
    "CNN3D": lambda: CNN3D(weights="none", **SEES),
    "CNN3D-clip_cnn": lambda: CNN3D(
        backbone="clip_cnn", weights="none", num_classes=5, num_frames=9, image_size=(45, 60)
    ),
    "CNNLSTM": lambda: CNNLSTM(weights="none", **SEES),
    "CNNRNN-gru": lambda: CNNRNN(weights="none", rnn="gru", pool="attention", **SEES),
    "CNNRNN-transformer": lambda: CNNRNN(weights="none", rnn="transformer", pool="mean", **SEES),
    "AudioCNN": lambda: AudioCNN(**HEARS),
    "AudioCNNLSTM": lambda: AudioCNNLSTM(scale="log_mel", **HEARS),
    "AudioCNNRNN": lambda: AudioCNNRNN(denoise="spectral_gating", **HEARS),
    "AudioVisual": lambda: AudioVisual(
        video="emorec.models.EarlyFusionCNN",
        audio="emorec.models.AudioCNN",
        audio_args={"sound_rate": 8000, "sound_seconds": 1.5},
        fusion="gated",
        **SEES,
    ),
    "FaceClassifier": lambda: FaceClassifier(num_classes=5, **FACE),
    "FaceRegressor": lambda: FaceRegressor(rnn="rnn", hidden_sizes=(20, 10), **FACE),
}


def made(name: str) -> tuple[ClipNetwork, ModelSpec]:
    """A network whose weights are random, always the same ones, and its spec."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    classes = isinstance(network, ClipClassifier)
    return network, ModelSpec(
        network=checkpoint.class_path(type(network)),
        task="classes" if classes else "numbers",
        names=NAMES if classes else ("valence", "arousal"),
        inputs=network.inputs,
        num_frames=network.num_frames,
        image_size=network.image_size,
        resize="shorter_side",
        face=False,
        sound_rate=8000,
        sound_seconds=1.5,
        window_seconds=3.7,
        temperature=0.5,
        checkpoint_sha256="0" * 64,
        emorec_version="0",
        data="emorec.data.RavdessDataModule",
        split={"hash": "abcd"},
        licence="none at all",
    )


def said_by_torch(network: ClipNetwork, spec: ModelSpec, windows: Inputs) -> Outputs:
    """What a network says, asked as a training asks it, and softmax of numpy."""
    given: Any = windows
    inputs = {name: torch.from_numpy(given[name]) for name in spec.inputs}
    if spec.uses_frames:
        inputs["frames"] = inputs["frames"].permute(0, 1, 4, 2, 3)
    with torch.no_grad():
        logits = network(*inputs.values()).numpy()
    if spec.task == "numbers":
        said: Outputs = logits
        return said
    powers = np.exp(logits / (spec.temperature or 1.0))
    shares: Outputs = powers / powers.sum(axis=1, keepdims=True)
    return shares


def deployed(name: str) -> tuple[InferenceModule, ModelSpec]:
    """A made network with what stands before and behind it."""
    network, spec = made(name)
    return InferenceModule(network, spec), spec


def saved(path: Path, network: ClipNetwork, root: str | None = None) -> Path:
    """A checkpoint of a network, as a run on RAVDESS of five of its classes would have written it."""
    trainer = Trainer(accelerator="cpu", logger=False, barebones=True)
    trainer.strategy.connect(network)
    data = RavdessDataModule(
        root=root, num_frames=network.num_frames, image_size=network.image_size, cache="none"
    )
    content = {
        **trainer._checkpoint_connector.dump_checkpoint(weights_only=True),
        "state_dict": network.state_dict(),
        "datamodule_hyper_parameters": dict(data.hparams),
        checkpoint.RECORD: checkpoint.record(
            network,
            data,
            settings={},
            class_names=NAMES,
            split={"hash": "abcd"},
            epochs=1,
            train_seconds=1.0,
            train_clips_per_second=None,
            peak_memory_bytes=None,
            trained_on="cpu",
            temperatures={1: 0.5},
            clip_seconds=None,
        ),
    }
    torch.save(content, path)
    return path
