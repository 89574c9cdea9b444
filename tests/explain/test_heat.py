"""Of networks made by hand it is known where and when they look."""

import numpy as np
import pytest
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.explain import grad_cam, heat
from emorec.explain.explanation import explain
from emorec.explain.heat import frame_heat, scaled
from emorec.explain.moments import frame_importance
from emorec.explain.score import Score, log_odds
from emorec.models import FaceRegressor
from tests.explain.networks import (
    NUM_FRAMES,
    SEEN,
    SIDE,
    LowAndEarly,
    OneFrame,
    OverTime,
    Stacked,
    clip_with_spots,
    facts_for,
)

PLACES = [(0, 0), (32, 0), (28, 20), (4, 32)]
"""Of the bright square in each frame."""


def given() -> dict[str, Tensor]:
    return {"frames": clip_with_spots(PLACES)}


def square(frame: int, margin: int = 0) -> tuple[slice, slice]:
    top, left = PLACES[frame]
    return (
        slice(max(0, top - margin), top + 12 + margin),
        slice(max(0, left - margin), left + 12 + margin),
    )


@pytest.mark.parametrize("network", [OneFrame(), Stacked()], ids=["a frame by itself", "stacked"])
@pytest.mark.parametrize("method", ["auto", "occlusion"])
def test_the_map_lies_on_what_the_network_sees_and_on_no_other_frame(
    network: OneFrame, method: heat.Asked
) -> None:
    maps, how = frame_heat(Score(network.eval(), 0), given(), method)
    assert how == ("grad_cam" if type(network) is OneFrame and method == "auto" else "occlusion")
    assert maps.shape == (NUM_FRAMES, SIDE, SIDE)
    assert not maps[[0, 1, 3]].any()
    assert maps[SEEN].max() == 1
    hottest = np.unravel_index(maps[SEEN].argmax(), (SIDE, SIDE))
    top, left = PLACES[SEEN]
    assert top <= hottest[0] < top + 12
    assert left <= hottest[1] < left + 12
    assert maps[SEEN][square(SEEN, margin=8)].sum() > 0.8 * maps[SEEN].sum()


def test_grad_cam_is_the_maps_themselves_where_the_network_averages_them() -> None:
    network = OneFrame().eval()
    maps = grad_cam.grad_cam(Score(network, 0), given(), network.maps)
    expected = network.maps(given()["frames"][0].float())[:, 0]  # (T, h, w)
    torch.testing.assert_close(maps[SEEN] / maps.max(), expected[SEEN] / expected[SEEN].max())


def test_maps_over_time_are_spread_over_the_frames() -> None:
    maps, how = frame_heat(Score(OverTime().eval(), 0), given(), "auto")
    assert how == "grad_cam"
    for frame in range(NUM_FRAMES):
        assert maps[frame][square(frame)].mean() > 0.5


@pytest.mark.parametrize(
    ("network", "counts"), [(OneFrame, [SEEN]), (Stacked, [SEEN]), (OverTime, [2, 3])]
)
def test_only_the_frames_that_are_looked_at_matter(
    network: type[OneFrame], counts: list[int]
) -> None:
    importance = frame_importance(Score(network().eval(), 0), given())
    assert [frame for frame, value in enumerate(importance) if abs(value) > 1e-6] == counts
    assert all(importance[frame] > 0 for frame in counts)


def test_the_importance_of_a_frame_is_what_the_score_loses_with_the_mean_of_the_others() -> None:
    network, frames = OneFrame().eval(), given()["frames"]
    replaced = frames.clone()
    replaced[0, SEEN] = frames[0, [0, 1, 3]].float().mean(dim=0).round().byte()
    expected = log_odds(network(frames), 0) - log_odds(network(replaced), 0)
    importance = frame_importance(Score(network, 0), {"frames": frames})
    assert importance[SEEN] == pytest.approx(float(expected))


def test_no_frame_of_a_still_clip_matters() -> None:
    still = clip_with_spots([(8, 8)] * NUM_FRAMES)
    assert not frame_importance(Score(OneFrame().eval(), 0), {"frames": still}).any()


def test_what_speaks_for_one_of_two_classes_speaks_against_the_other() -> None:
    network = Stacked().eval()
    for_it, against = (frame_importance(Score(network, answer), given()) for answer in (0, 1))
    np.testing.assert_allclose(for_it, -against, atol=1e-5)
    maps, _ = frame_heat(Score(network, 1), given(), "occlusion")
    assert maps[SEEN][square(SEEN)].max() < 1e-3  # nothing bright speaks for "no"


def test_of_sound_the_map_lies_on_the_pitches_and_moments_that_are_listened_to() -> None:
    network = LowAndEarly().eval()
    sound = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)) / 10
    heard = explain(network, facts_for(network), {"sound": sound}).heard
    assert heard is not None
    assert heard.heat.shape == heard.spectrogram.shape == (40, 60)
    assert heard.heat[:20, :30].sum() > 0.7 * heard.heat.sum()
    assert len(heard.importance) == 5
    # silence later on makes what is heard early louder beside the rest
    assert heard.importance[:2].min() > 0 > heard.importance[3:].max()


def test_a_clip_of_one_frame_has_a_map_and_no_importance() -> None:
    torch.manual_seed(0)
    network = FaceRegressor(num_frames=1, image_size=96, rnn="none").eval()
    frames = torch.randint(0, 256, (1, 1, 3, 96, 96), dtype=torch.uint8)
    facts = facts_for(network, names=("valence", "arousal"))
    explanation = explain(network, facts, {"frames": frames}, about="arousal")
    assert explanation.answer.name == explanation.answer.predicted == "arousal"
    assert not explanation.answer.is_class
    assert explanation.answer.value == pytest.approx(network(frames)[0, 1].item())
    assert explanation.seen is not None
    assert explanation.seen.importance is None
    assert explanation.seen.heat.shape == (1, 96, 96)
    assert explanation.seen.heat.max() == 1


def test_a_number_below_zero_is_explained_by_what_makes_it_low() -> None:
    network = FaceRegressor(num_frames=1, image_size=96).eval()
    frames = torch.randint(0, 256, (1, 1, 3, 96, 96), dtype=torch.uint8)
    assert Score(network, 0, sign=-1).of({"frames": frames}) == -network(frames)[0, 0].item()


def test_without_captum_auto_takes_occlusion_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (grad_cam, heat):
        monkeypatch.setattr(module, "is_installed", lambda: False)
    heat._tell_once.cache_clear()
    for _ in range(2):
        assert frame_heat(Score(OneFrame().eval(), 0), given(), "auto")[1] == "occlusion"
    assert [record.message for record in caplog.records] == [
        "captum is missing: occlusion instead of Grad-CAM (pip install 'emorec[explain]')"
    ]
    with pytest.raises(UserError, match=r"pip install 'emorec\[explain\]', or choose --method"):
        frame_heat(Score(OneFrame().eval(), 0), given(), "grad_cam")


def test_grad_cam_is_refused_where_no_maps_are_averaged() -> None:
    face = FaceRegressor(num_frames=1, image_size=96).eval()
    frames = torch.zeros(1, 1, 3, 96, 96, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"FaceRegressor has no maps .* choose --method occlusion"):
        frame_heat(Score(face, 0), {"frames": frames}, "grad_cam")
    ear = LowAndEarly().eval()
    with pytest.raises(UserError, match="LowAndEarly only hears"):
        explain(ear, facts_for(ear), {"sound": torch.zeros(1, 16_000)}, method="grad_cam")


def test_a_map_without_anything_hot_is_zero_everywhere() -> None:
    assert not scaled(torch.full((2, 3), -1.0)).any()
