"""Sanity checks of saliency: maps depend on the weights and fall on facial features."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip, plan
from emorec.data.synthetic.settings import ClipSettings
from emorec.explain.saliency import MethodChoice, frame_saliency
from emorec.explain.score import Score
from emorec.inference.spec import ModelSpec
from tests.explain.drawn_faces import aim_on_drawn_faces, network_area, network_frames
from tests.explain.networks import Small, spec_for

pytestmark = pytest.mark.nightly  # it trains for a minute

torch.set_num_threads(1)

NAMES = ("happy", "sad", "angry")
NUM_FRAMES = 5
SIZE = {"num_classes": 3, "num_frames": NUM_FRAMES, "image_size": 48}
STEPS = 80
DRAWN = ClipSettings(width=64, height=64, num_frames=NUM_FRAMES)


@dataclass
class Trained:
    """A network trained on synthetic faces, and clips of held-out actors."""

    network: Small
    spec: ModelSpec
    names: Sequence[RavdessName]
    frames: Tensor
    labels: Tensor

    def maps(self, network: Small, method: MethodChoice = "auto") -> list[npt.NDArray[np.float32]]:
        """Saliency of the true class."""
        return [
            frame_saliency(Score(network, int(label)), {"frames": clip[None]}, method)[0]
            for clip, label in zip(self.frames, self.labels, strict=True)
        ]


def clips(actors: Sequence[int], spec: ModelSpec) -> tuple[list[RavdessName], Tensor, Tensor]:
    names = [name for name in plan(actors=actors, takes=2) if name.emotion in NAMES]
    frames = torch.cat([network_frames(draw_clip(name, DRAWN), spec) for name in names])
    return names, frames, torch.tensor([NAMES.index(name.emotion) for name in names])


@pytest.fixture(scope="module")
def trained() -> Trained:
    torch.manual_seed(0)
    network = Small(**SIZE).train()
    spec = spec_for(network, names=NAMES)
    _, frames, labels = clips(range(1, 13), spec)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        batch = torch.randperm(len(frames))[:16]
        optimizer.zero_grad()
        cross_entropy(network(frames[batch]), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return Trained(network.eval(), spec, *clips(range(21, 25), spec))


def test_the_network_generalises_to_held_out_actors(trained: Trained) -> None:
    with torch.no_grad():
        correct = trained.network(trained.frames).argmax(dim=1) == trained.labels
    assert correct.float().mean() >= 0.5  # three classes


def test_masks_of_facial_features_match_the_synthetic_clips() -> None:
    name = plan(actors=[1], takes=1)[0]
    spec = spec_for(Small(**SIZE), names=NAMES)
    features, head = (network_area(part, name, DRAWN, spec) for part in ("features", "head"))
    assert features.shape == head.shape == (NUM_FRAMES, 48, 48)
    assert 0.08 < features.mean() < 0.25
    assert 0.4 < head.mean() < 0.9
    assert (features & head).sum() > 0.97 * features.sum()
    rows = np.flatnonzero(features[0].any(axis=1))
    middle = head[0].any(axis=1).nonzero()[0].mean()
    assert rows.min() < middle < rows.max()  # brows above it, the mouth below
    frames = network_frames(draw_clip(name, DRAWN), spec)[0].float()
    contrast = frames.std(dim=1).numpy(), frames.mean(dim=1).numpy()
    assert contrast[1][features].std() > contrast[1][head & ~features].std()


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_the_maps_fall_on_brows_eyes_and_mouth_more_than_by_chance(
    trained: Trained, method: MethodChoice
) -> None:
    names = trained.names if method == "grad_cam" else trained.names[::6]
    aim = aim_on_drawn_faces(trained.network, trained.spec, names, settings=DRAWN, method=method)
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


def test_a_trained_network_focuses_more_on_facial_features_than_untrained_ones(
    trained: Trained,
) -> None:
    """Untrained filters respond to edges, and brows, eyes and mouth have many."""
    names = trained.names[::2]
    untrained = []
    for seed in range(6):
        torch.manual_seed(seed)
        aim = aim_on_drawn_faces(Small(**SIZE).eval(), trained.spec, names, settings=DRAWN)
        untrained.append(aim.times_chance)
    aim = aim_on_drawn_faces(trained.network, trained.spec, names, settings=DRAWN)
    assert aim.times_chance > np.mean(untrained) + 0.5


def correlation(
    first_maps: Sequence[npt.NDArray[np.float32]], second_maps: Sequence[npt.NDArray[np.float32]]
) -> float:
    """Mean Pearson correlation over clips; 0 for constant maps."""
    each = [
        np.corrcoef(first.ravel(), second.ravel())[0, 1] if first.any() and second.any() else 0.0
        for first, second in zip(first_maps, second_maps, strict=True)
    ]
    return float(np.mean(each))
