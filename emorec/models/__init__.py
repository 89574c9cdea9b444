"""Networks, one architecture a file; `base.py`, `classifier.py` and `regressor.py` are what they share."""

from emorec.models.audio import AudioCNN, AudioCNNLSTM, AudioCNNRNN
from emorec.models.audio_visual import AudioVisual
from emorec.models.base import ClipNetwork
from emorec.models.classifier import ClipClassifier
from emorec.models.cnn3d import CNN3D
from emorec.models.cnn_rnn import CNNLSTM, CNNRNN
from emorec.models.early_fusion_cnn import EarlyFusionCNN
from emorec.models.early_fusion_resnet import EarlyFusionResNet
from emorec.models.face import FaceClassifier, FaceRegressor
from emorec.models.frame_classifier import FrameClassifier
from emorec.models.late_fusion import LateFusion
from emorec.models.regressor import ClipRegressor

__all__ = [
    "CNN3D",
    "CNNLSTM",
    "CNNRNN",
    "AudioCNN",
    "AudioCNNLSTM",
    "AudioCNNRNN",
    "AudioVisual",
    "ClipClassifier",
    "ClipNetwork",
    "ClipRegressor",
    "EarlyFusionCNN",
    "EarlyFusionResNet",
    "FaceClassifier",
    "FaceRegressor",
    "FrameClassifier",
    "LateFusion",
]
