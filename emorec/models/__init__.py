"""Networks, an architecture a file; `base.py`, `classifier.py` and `regressor.py` are what they share."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorec.models.audio import AudioCNN, AudioCNNLSTM, AudioCNNRNN
    from emorec.models.audio_embedding import AudioEmbedding
    from emorec.models.base import ClipNetwork
    from emorec.models.classifier import ClipClassifier
    from emorec.models.cnn3d import CNN3D
    from emorec.models.cnn_rnn import CNNLSTM, CNNRNN
    from emorec.models.early_fusion_cnn import EarlyFusionCNN
    from emorec.models.early_fusion_resnet import EarlyFusionResNet
    from emorec.models.face import FaceClassifier, FaceRegressor
    from emorec.models.frame_classifier import FrameClassifier, LateFusion
    from emorec.models.fusion import AudioVisual, Fusion
    from emorec.models.landmark_rnn import LandmarkRNN
    from emorec.models.regressor import ClipRegressor

_MODULES = {
    "CNN3D": "cnn3d",
    "CNNLSTM": "cnn_rnn",
    "CNNRNN": "cnn_rnn",
    "AudioCNN": "audio",
    "AudioCNNLSTM": "audio",
    "AudioCNNRNN": "audio",
    "AudioEmbedding": "audio_embedding",
    "AudioVisual": "fusion",
    "ClipClassifier": "classifier",
    "ClipNetwork": "base",
    "ClipRegressor": "regressor",
    "EarlyFusionCNN": "early_fusion_cnn",
    "EarlyFusionResNet": "early_fusion_resnet",
    "FaceClassifier": "face",
    "FaceRegressor": "face",
    "FrameClassifier": "frame_classifier",
    "Fusion": "fusion",
    "LandmarkRNN": "landmark_rnn",
    "LateFusion": "frame_classifier",
}

__all__ = [
    "CNN3D",
    "CNNLSTM",
    "CNNRNN",
    "AudioCNN",
    "AudioCNNLSTM",
    "AudioCNNRNN",
    "AudioEmbedding",
    "AudioVisual",
    "ClipClassifier",
    "ClipNetwork",
    "ClipRegressor",
    "EarlyFusionCNN",
    "EarlyFusionResNet",
    "FaceClassifier",
    "FaceRegressor",
    "FrameClassifier",
    "Fusion",
    "LandmarkRNN",
    "LateFusion",
]


def __getattr__(name: str) -> Any:
    # late, so that a prediction imports only the network that it runs
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"emorec.models.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
