"""Valence and arousal of a face, from a frame or from those before it too."""

from typing_extensions import override

from emorec.models.face_network import FaceNetwork
from emorec.models.regressor import ClipRegressor


class FaceRegressor(FaceNetwork, ClipRegressor):
    """Valence and arousal of a face: an image network a frame, recurrent layers or none, one linear layer.

    Its arguments are those of `FaceNetwork`, `ClipRegressor` and `ClipNetwork`.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """

    @property
    @override
    def num_outputs(self) -> int:
        return len(self.target_names)
