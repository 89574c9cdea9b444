"""The expression of a face, from a frame or from those before it too."""

from typing_extensions import override

from emorec.models.base import ClipClassifier
from emorec.models.face_network import FaceNetwork


class FaceClassifier(FaceNetwork, ClipClassifier):
    """The expression of a face: an image network a frame, recurrent layers or none, one linear layer.

    Its arguments are those of `FaceNetwork`, `ClipClassifier` and `ClipNetwork`.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """

    @property
    @override
    def num_outputs(self) -> int:
        return self.num_classes
