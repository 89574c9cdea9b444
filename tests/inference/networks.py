"""A small untrained network of every class, with its specification."""

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
    AudioEmbedding,
    AudioVisual,
    ClipClassifier,
    ClipNetwork,
    EarlyFusionCNN,
    EarlyFusionResNet,
    FaceClassifier,
    FaceRegressor,
    Fusion,
    LandmarkRNN,
    LateFusion,
)

NAMES = ("calm", "happy", "sad", "angry", "surprised")
FRAMES: dict[str, Any] = {"num_classes": 5, "num_frames": 3, "image_size": (32, 48)}
SOUND: dict[str, Any] = {"num_classes": 5, "sound_rate": 8000, "sound_seconds": 1.5}
SMALL_CNN: dict[str, Any] = {
    "num_classes": 5,
    "num_frames": 3,
    "image_size": 96,
    "backbone": "face_cnn",
}
FACE: dict[str, Any] = {"num_frames": 2, "image_size": 96}

NETWORKS: dict[str, Callable[[], ClipNetwork]] = {
    "EarlyFusionCNN": lambda: EarlyFusionCNN(**FRAMES),
    "EarlyFusionResNet": lambda: EarlyFusionResNet(weights="none", **FRAMES),
    "LateFusion": lambda: LateFusion(weights="none", **SMALL_CNN),
    "CNN3D": lambda: CNN3D(weights="none", **FRAMES),
    "CNN3D-clip_cnn": lambda: CNN3D(
        backbone="clip_cnn", weights="none", num_classes=5, num_frames=9, image_size=(45, 60)
    ),
    "CNNLSTM": lambda: CNNLSTM(weights="none", **FRAMES),
    "CNNRNN-gru": lambda: CNNRNN(weights="none", rnn="gru", pool="attention", **SMALL_CNN),
    "CNNRNN-transformer": lambda: CNNRNN(
        weights="none", rnn="transformer", pool="mean", **SMALL_CNN
    ),
    "AudioCNN": lambda: AudioCNN(**SOUND),
    "AudioCNNLSTM": lambda: AudioCNNLSTM(scale="log_mel", **SOUND),
    "AudioCNNRNN": lambda: AudioCNNRNN(denoise="spectral_gating", **SOUND),
    "AudioVisual": lambda: AudioVisual(
        video="emorec.models.EarlyFusionCNN",
        audio="emorec.models.AudioCNN",
        audio_args={"sound_rate": 8000, "sound_seconds": 1.5},
        fusion="gated",
        **FRAMES,
    ),
    "LandmarkRNN": lambda: LandmarkRNN(num_classes=5, num_frames=3),
    "AudioEmbedding": lambda: AudioEmbedding(num_classes=5, sound_seconds=1.5),
    "Fusion": lambda: Fusion(
        networks={
            "face": {"class_path": "emorec.models.LandmarkRNN"},
            "voice": {
                "class_path": "emorec.models.AudioEmbedding",
                "init_args": {"sound_seconds": 1.5},
            },
        },
        num_classes=5,
        num_frames=3,
    ),
    "FaceClassifier": lambda: FaceClassifier(num_classes=5, **FACE),
    "FaceRegressor": lambda: FaceRegressor(rnn="rnn", hidden_sizes=(20, 10), **FACE),
}


def made(name: str) -> tuple[ClipNetwork, ModelSpec]:
    """Return a network with fixed random weights, and its spec."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    classes = isinstance(network, ClipClassifier)
    embeds = "embedding" in network.inputs
    return network, ModelSpec(
        network=checkpoint.class_path(type(network)),
        task="classes" if classes else "numbers",
        names=NAMES if classes else ("valence", "arousal"),
        inputs=network.inputs,
        num_frames=network.num_frames,
        image_size=network.image_size,
        resize="shorter_side",
        face="none",
        sound_rate=16_000 if embeds else 8000,
        sound_seconds=1.5,
        sound_embedding="both" if embeds else "none",
        window_seconds=3.7,
        temperature=0.5,
        checkpoint_sha256="0" * 64,
        emorec_version="0",
        data="emorec.data.RavdessDataModule",
        split={"hash": "abcd"},
        licence="none at all",
    )


def torch_outputs(network: ClipNetwork, spec: ModelSpec, windows: Inputs) -> Outputs:
    """Outputs of a network in torch, with numpy's softmax."""
    inputs = {name: torch.from_numpy(windows[name]) for name in spec.inputs}
    if spec.uses_frames:
        inputs["frames"] = inputs["frames"].permute(0, 1, 4, 2, 3)
    with torch.no_grad():
        logits = network(*inputs.values()).numpy()
    if spec.task == "numbers":
        numbers: Outputs = logits
        return numbers
    powers = np.exp(logits / (spec.temperature or 1.0))
    shares: Outputs = powers / powers.sum(axis=1, keepdims=True)
    return shares


def deployed(name: str) -> tuple[InferenceModule, ModelSpec]:
    """Return a network with its preprocessing and softmax, and its spec."""
    network, spec = made(name)
    return InferenceModule(network, spec), spec


def saved(path: Path, network: ClipNetwork, root: str | None = None, **data_settings: Any) -> Path:
    """Save a checkpoint of a network like a run on five classes of RAVDESS."""
    trainer = Trainer(accelerator="cpu", logger=False, barebones=True)
    trainer.strategy.connect(network)
    network.trainer = trainer
    trainer.save_checkpoint(path, weights_only=True)
    data = RavdessDataModule(
        root=root,
        num_frames=network.num_frames,
        image_size=network.image_size,
        **{"cache": "none", **data_settings},
    )
    content = {
        **checkpoint.load(path),
        "datamodule_hyper_parameters": dict(data.hparams),
        checkpoint.RECORD: checkpoint.record(
            type(network),
            type(data),
            checkpoint.TrainingRecord(
                settings={},
                class_names=NAMES,
                split={"hash": "abcd"},
                epochs=1,
                train_seconds=1.0,
                trained_on="cpu",
                temperatures={1: 0.5},
            ),
        ),
    }
    torch.save(content, path)
    return path
