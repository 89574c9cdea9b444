"""What gives the features of a clip's frames."""

from typing import Literal, Protocol

from emorec.baseline.pooling import Floats
from emorec.data.datamodule import ClipDataModule
from emorec.data.decoding.decode import Frames

FeatureKind = Literal["backbone", "hog", "landmarks"]


class Extractor(Protocol):
    """Gives features of frames; it learns nothing from the clips.

    Attributes:
        name: What people call it.
        version: What its features depend on; others come from another version.
        num_parameters: What was learnt elsewhere.
        gflops_per_clip: Billions of multiply-adds for the frames of a clip; NaN when not known.
    """

    name: str
    version: str
    num_parameters: int
    gflops_per_clip: float

    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, D) float32; a row of NaN where nothing can be said of a frame."""
        ...


def make_extractor(
    kind: FeatureKind, data: ClipDataModule, *, backbone: str, weights: str, seed: int
) -> Extractor:
    """What gives the features that were asked for.

    Args:
        kind: Which.
        data: Whose frames they are of.
        backbone: The network, for "backbone".
        weights: Its weights.
        seed: Decides weights that are random.

    Raises:
        UserError: When the network or the detector of faces can't be had.
    """
    if kind == "backbone":
        from emorec.baseline.backbone_features import BackboneFeatures

        return BackboneFeatures(
            backbone,
            weights=weights,
            num_frames=data.frame_spec.num_frames,
            image_size=data.image_size,
            seed=seed,
        )
    if kind == "hog":
        from emorec.baseline.hog import HogFeatures

        return HogFeatures()
    from emorec.baseline.landmarks import LandmarkFeatures

    return LandmarkFeatures(data.face_detector)
