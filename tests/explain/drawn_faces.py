"""Share of the saliency on brows, eyes and mouth of synthetic faces, whose positions are known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.data.augment import ClipTransform
from emorec.data.preprocessing import resize_frames
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip
from emorec.data.synthetic.expression import Pose, perform
from emorec.data.synthetic.face import drawn_area, make_look
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import Frames, linspace_indices
from emorec.explain.explainer import explain
from emorec.explain.saliency import MethodChoice, SaliencyMap
from emorec.image_size import size_before_crop
from emorec.inference.spec import ModelSpec
from emorec.models import ClipNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Share of the saliency on brows, eyes and mouth, and the value expected by chance; means over clips.

    Attributes:
        saliency: Share of the saliency of the whole frames.
        area: Share of their area, the value expected by chance.
        saliency_in_head: Share of the saliency within the head.
        area_in_head: Share of the head's area: the share of a network that only locates heads.
    """

    saliency: float
    area: float
    saliency_in_head: float
    area_in_head: float

    @property
    def times_chance(self) -> float:
        """Ratio to the share expected by chance, in the whole frame."""
        return self.saliency / self.area

    @property
    def times_chance_in_head(self) -> float:
        """Ratio to the share expected by chance, within the head."""
        return self.saliency_in_head / self.area_in_head


def aim_on_drawn_faces(
    network: ClipNetwork,
    spec: ModelSpec,
    names: Iterable[RavdessName],
    *,
    settings: ClipSettings | None = None,
    method: MethodChoice = "auto",
) -> Aim:
    """Measure the saliency of a network on facial features of synthetic clips.

    Args:
        network: One that takes frames, in evaluation mode.
        spec: Its specification.
        names: The takes to draw.
        settings: Settings of the synthetic clips.
        method: How saliency is computed.
    """
    settings = settings or ClipSettings()
    rows = []
    for name in names:
        inputs = {"frames": network_frames(draw_clip(name, settings), spec)}
        explained = explain(network, spec, inputs, method=method).frames
        assert explained is not None
        features, head = (network_area(part, name, settings, spec) for part in ("features", "head"))
        rows.append(_shares(explained.saliency, features, head | features))
    saliency, area, saliency_in_head, area_in_head = np.mean(rows, axis=0).tolist()
    return Aim(
        saliency=saliency,
        area=area,
        saliency_in_head=saliency_in_head,
        area_in_head=area_in_head,
    )


def network_frames(images: Frames, spec: ModelSpec) -> Tensor:
    """Frames of a clip (N, H, W, 3) -> (1, T, 3, H, W), preprocessed as in training."""
    chosen = images[linspace_indices(len(images), spec.num_frames)]
    images = resize_frames(chosen, size_before_crop(spec.image_size), spec.resize)
    frames = torch.from_numpy(ClipTransform(spec.image_size)(images))  # (T, H, W, 3)
    return frames.permute(0, 3, 1, 2)[None]


def network_area(
    part: Literal["head", "features"], name: RavdessName, settings: ClipSettings, spec: ModelSpec
) -> npt.NDArray[np.bool_]:
    """Return the mask (T, H, W) of a part of the face in the network's frames."""
    poses = perform(name, num_frames=settings.num_frames, seed=settings.seed).poses
    look = make_look(name.actor, seed=settings.seed)
    size = {"width": settings.width, "height": settings.height}
    areas = np.stack([drawn_area(part, Pose(*row), look, **size) for row in poses])  # (N, H, W)
    images = np.repeat(255 * areas.astype(np.uint8)[..., None], 3, axis=3)
    area: npt.NDArray[np.bool_] = network_frames(images, spec)[0, :, 0].numpy() >= 128
    return area


def _shares(
    saliency: SaliencyMap, features: npt.NDArray[np.bool_], head: npt.NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    on_features = float(saliency[features].sum())
    return (
        on_features / (float(saliency.sum()) or 1.0),
        float(features.mean()),
        on_features / (float(saliency[head].sum()) or 1.0),
        float(features.sum() / head.sum()),
    )
