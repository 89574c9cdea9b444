"""Can the maps be believed? On drawn faces it is known where brows, eyes and mouth are: they should fall there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.data.decoding.sample import linspace_indices
from emorec.data.ravdess import RavdessName
from emorec.data.resize import Frames, resized, size_to_crop
from emorec.data.synthetic.clips import draw_clip
from emorec.data.synthetic.expression import Pose, perform
from emorec.data.synthetic.face import drawn_area, make_look
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.transform import ClipTransform
from emorec.explain.explanation import explain
from emorec.explain.heat import Asked, Map
from emorec.inference.spec import ModelSpec
from emorec.models import ClipNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """How much of the heat falls on brows, eyes and mouth, and how much would by chance; means over clips.

    Attributes:
        heat: Share of the heat of the whole frames.
        area: Share of their area: what chance would give.
        heat_in_head: Share of the heat within the head.
        area_in_head: Share of the head's area: what would be found of a network that only knows where heads are.
    """

    heat: float
    area: float
    heat_in_head: float
    area_in_head: float

    @property
    def times_chance(self) -> float:
        """How many times what chance would give, in the whole frame."""
        return self.heat / self.area

    @property
    def times_chance_in_head(self) -> float:
        """The same within the head."""
        return self.heat_in_head / self.area_in_head


def aim_on_drawn_faces(
    network: ClipNetwork,
    facts: ModelSpec,
    names: Iterable[RavdessName],
    *,
    settings: ClipSettings | None = None,
    method: Asked = "auto",
) -> Aim:
    """Where the maps of what a network says of drawn clips fall.

    Args:
        network: One that sees, in evaluation mode.
        facts: What there is to know of it.
        names: The takes to draw.
        settings: As the clips were drawn that it was trained on.
        method: How the maps are found.
    """
    settings = settings or ClipSettings()
    rows = []
    for name in names:
        given = {"frames": as_seen(draw_clip(name, settings), facts)}
        seen = explain(network, facts, given, method=method).seen
        assert seen is not None
        features, head = (
            area_as_seen(part, name, settings, facts) for part in ("features", "head")
        )
        rows.append(_shares(seen.heat, features, head | features))
    heat, area, heat_in_head, area_in_head = np.mean(rows, axis=0).tolist()
    return Aim(heat=heat, area=area, heat_in_head=heat_in_head, area_in_head=area_in_head)


def as_seen(pictures: Frames, facts: ModelSpec) -> Tensor:
    """(N, H, W, 3) of a clip -> (1, T, 3, H, W), by the chain of a training."""
    chosen = pictures[linspace_indices(len(pictures), facts.num_frames)]
    pictures = resized(chosen, size_to_crop(facts.image_size), facts.resize)
    frames = torch.from_numpy(ClipTransform(facts.image_size)(pictures))  # (T, H, W, 3)
    return frames.permute(0, 3, 1, 2)[None]


def area_as_seen(
    part: Literal["head", "features"], name: RavdessName, settings: ClipSettings, facts: ModelSpec
) -> npt.NDArray[np.bool_]:
    """(T, H, W): where in these frames a part is drawn."""
    poses = perform(name, num_frames=settings.num_frames, seed=settings.seed).poses
    look = make_look(name.actor, seed=settings.seed)
    size = {"width": settings.width, "height": settings.height}
    areas = np.stack([drawn_area(part, Pose(*row), look, **size) for row in poses])  # (N, H, W)
    pictures = np.repeat(255 * areas.astype(np.uint8)[..., None], 3, axis=3)
    area: npt.NDArray[np.bool_] = as_seen(pictures, facts)[0, :, 0].numpy() >= 128
    return area


def _shares(
    heat: Map, features: npt.NDArray[np.bool_], head: npt.NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    on_features = float(heat[features].sum())
    return (
        on_features / (float(heat.sum()) or 1.0),
        float(features.mean()),
        on_features / (float(heat[head].sum()) or 1.0),
        float(features.sum() / head.sum()),
    )
