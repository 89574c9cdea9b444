"""One network a file; `network.py` has what all share, `base.py` what classifiers do and `regressor.py` the others."""

from emorec.models.audio_cnn import AudioCNN
from emorec.models.audio_cnn_lstm import AudioCNNLSTM
from emorec.models.audio_cnn_rnn import AudioCNNRNN
from emorec.models.audio_visual import AudioVisual
from emorec.models.base import ClipClassifier
from emorec.models.cnn3d import CNN3D
from emorec.models.cnn_lstm import CNNLSTM
from emorec.models.cnn_rnn import CNNRNN
from emorec.models.early_fusion_cnn import EarlyFusionCNN
from emorec.models.early_fusion_resnet import EarlyFusionResNet
from emorec.models.face_classifier import FaceClassifier
from emorec.models.face_regressor import FaceRegressor
from emorec.models.frame_classifier import FrameClassifier
from emorec.models.late_fusion import LateFusion
from emorec.models.network import ClipNetwork
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
