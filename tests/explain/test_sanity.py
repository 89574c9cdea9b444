"""Maps that would be the same of any network explain none: they have to change with its weights, and to aim."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from emorec.data.ravdess import RavdessName
from emorec.data.synthetic.clips import draw_clip, plan
from emorec.data.synthetic.settings import ClipSettings
from emorec.explain.drawn_faces import aim_on_drawn_faces, area_as_seen, as_seen
from emorec.explain.heat import Asked, frame_heat
from emorec.explain.score import Score
from emorec.inference.spec import ModelSpec
from tests.explain.networks import Small, facts_for

torch.set_num_threads(1)

NAMES = ("happy", "sad", "angry")
NUM_FRAMES = 5
SIZE = {"num_classes": 3, "num_frames": NUM_FRAMES, "image_size": 48}
STEPS = 120
DRAWN = ClipSettings(width=64, height=64, num_frames=NUM_FRAMES)


@dataclass
class Trained:
    """A network that has learnt drawn faces, and clips of two people whom it has never seen."""

    network: Small
    facts: ModelSpec
    names: Sequence[RavdessName]
    frames: Tensor
    labels: Tensor

    def maps(self, network: Small, method: Asked = "auto") -> list[npt.NDArray[np.float32]]:
        """Of what speaks for the truth."""
        return [
            frame_heat(Score(network, int(label)), {"frames": clip[None]}, method)[0]
            for clip, label in zip(self.frames, self.labels, strict=True)
        ]


def clips(actors: Sequence[int], facts: ModelSpec) -> tuple[list[RavdessName], Tensor, Tensor]:
    names = [name for name in plan(actors=actors, takes=2) if name.emotion in NAMES]
    frames = torch.cat([as_seen(draw_clip(name, DRAWN), facts) for name in names])
    return names, frames, torch.tensor([NAMES.index(name.emotion) for name in names])


@pytest.fixture(scope="module")
def trained() -> Trained:
    torch.manual_seed(0)
    network = Small(**SIZE).train()
    facts = facts_for(network, names=NAMES)
    _, frames, labels = clips(range(1, 21), facts)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        some = torch.randperm(len(frames))[:16]
        optimizer.zero_grad()
        cross_entropy(network(frames[some]), labels[some]).backward()
        optimizer.step()
        schedule.step()
    return Trained(network.eval(), facts, *clips(range(21, 25), facts))


def test_it_has_learnt_something_about_people_it_has_not_seen(trained: Trained) -> None:
    with torch.no_grad():
        right = trained.network(trained.frames).argmax(dim=1) == trained.labels
    assert right.float().mean() >= 0.5  # of three


def test_where_features_are_drawn_is_known() -> None:
    name = plan(actors=[1], takes=1)[0]
    facts = facts_for(Small(**SIZE), names=NAMES)
    features, head = (area_as_seen(part, name, DRAWN, facts) for part in ("features", "head"))
    assert features.shape == head.shape == (NUM_FRAMES, 48, 48)
    assert 0.08 < features.mean() < 0.25
    assert 0.4 < head.mean() < 0.9
    assert (features & head).sum() > 0.97 * features.sum()
    rows = np.flatnonzero(features[0].any(axis=1))
    middle = head[0].any(axis=1).nonzero()[0].mean()
    assert rows.min() < middle < rows.max()  # brows above it, the mouth below
    frames = as_seen(draw_clip(name, DRAWN), facts)[0].float()
    contrast = frames.std(dim=1).numpy(), frames.mean(dim=1).numpy()
    assert contrast[1][features].std() > contrast[1][head & ~features].std()


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_the_maps_fall_on_brows_eyes_and_mouth_more_than_by_chance(
    trained: Trained, method: Asked
) -> None:
    names = trained.names if method == "grad_cam" else trained.names[::6]
    aim = aim_on_drawn_faces(trained.network, trained.facts, names, settings=DRAWN, method=method)
    assert aim.times_chance > 1.5
    assert aim.times_chance_in_head > 1.2


def test_the_maps_change_when_layers_are_randomised_from_the_last_to_the_first(
    trained: Trained,
) -> None:
    """Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 3 (cascading randomisation)."""
    before = trained.maps(trained.network)
    network = copy.deepcopy(trained.network)
    torch.manual_seed(1)
    likeness = []
    for layer in reversed(list(network.modules())):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
            layer.reset_parameters()
            likeness.append(correlation(before, trained.maps(network)))
    assert correlation(before, trained.maps(trained.network)) == pytest.approx(1)
    assert len(likeness) == 9
    assert max(likeness) < 0.4


def test_it_aims_better_than_networks_that_have_learnt_nothing(trained: Trained) -> None:
    """By chance is not by area alone: untrained filters answer to edges, and brows, eyes and mouth have many."""
    names = trained.names[::2]
    untrained = []
    for seed in range(6):
        torch.manual_seed(seed)
        aim = aim_on_drawn_faces(Small(**SIZE).eval(), trained.facts, names, settings=DRAWN)
        untrained.append(aim.times_chance)
    aim = aim_on_drawn_faces(trained.network, trained.facts, names, settings=DRAWN)
    assert aim.times_chance > np.mean(untrained) + 0.5


def correlation(
    some: Sequence[npt.NDArray[np.float32]], others: Sequence[npt.NDArray[np.float32]]
) -> float:
    """Pearson's, the mean over clips; 0 where a map is flat."""
    each = [
        np.corrcoef(one.ravel(), other.ravel())[0, 1] if one.any() and other.any() else 0.0
        for one, other in zip(some, others, strict=True)
    ]
    return float(np.mean(each))
