"""Saliency and importance of networks whose maps are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.explain import saliency
from emorec.explain.explainer import explain
from emorec.explain.importance import frame_importance
from emorec.explain.saliency import frame_saliency, grad_cam, scale_to_one
from emorec.explain.score import Score, log_odds
from emorec.models import FaceRegressor
from tests.explain.networks import (
    NUM_FRAMES,
    SIDE,
    USED,
    LowAndEarly,
    OneFrame,
    OverTime,
    Stacked,
    clip_with_spots,
    spec_for,
)

POSITIONS = [(0, 0), (32, 0), (28, 20), (4, 32)]
"""Position (top, left) of the bright square in each frame."""


def inputs() -> dict[str, Tensor]:
    return {"frames": clip_with_spots(POSITIONS)}


def square(frame: int, margin: int = 0) -> tuple[slice, slice]:
    top, left = POSITIONS[frame]
    return (
        slice(max(0, top - margin), top + 12 + margin),
        slice(max(0, left - margin), left + 12 + margin),
    )


@pytest.mark.parametrize("network", [OneFrame(), Stacked()], ids=["a frame by itself", "stacked"])
@pytest.mark.parametrize("method", ["auto", "occlusion"])
def test_the_map_is_on_the_used_pixels_of_the_used_frame_only(
    network: OneFrame, method: saliency.MethodChoice
) -> None:
    maps, how = frame_saliency(Score(network.eval(), 0), inputs(), method)
    assert how == ("grad_cam" if type(network) is OneFrame and method == "auto" else "occlusion")
    assert maps.shape == (NUM_FRAMES, SIDE, SIDE)
    assert not maps[[0, 1, 3]].any()
    assert maps[USED].max() == 1
    hottest = np.unravel_index(maps[USED].argmax(), (SIDE, SIDE))
    top, left = POSITIONS[USED]
    assert top <= hottest[0] < top + 12
    assert left <= hottest[1] < left + 12
    assert maps[USED][square(USED, margin=8)].sum() > 0.8 * maps[USED].sum()


def test_grad_cam_of_averaged_maps_equals_the_maps() -> None:
    network = OneFrame().eval()
    maps = grad_cam(Score(network, 0), inputs(), network.maps)
    expected = network.maps(inputs()["frames"][0].float())[:, 0]  # (T, h, w)
    torch.testing.assert_close(maps[USED] / maps.max(), expected[USED] / expected[USED].max())


def test_maps_with_a_time_axis_are_interpolated_over_the_frames() -> None:
    maps, how = frame_saliency(Score(OverTime().eval(), 0), inputs(), "auto")
    assert how == "grad_cam"
    for frame in range(NUM_FRAMES):
        assert maps[frame][square(frame)].mean() > 0.5


@pytest.mark.parametrize(
    ("network", "counts"), [(OneFrame, [USED]), (Stacked, [USED]), (OverTime, [2, 3])]
)
def test_only_used_frames_are_important(network: type[OneFrame], counts: list[int]) -> None:
    importance = frame_importance(Score(network().eval(), 0), inputs())
    assert [frame for frame, value in enumerate(importance) if abs(value) > 1e-6] == counts
    assert all(importance[frame] > 0 for frame in counts)


def test_the_importance_of_a_frame_is_the_loss_when_it_is_replaced_by_the_mean_of_the_others() -> (
    None
):
    network, frames = OneFrame().eval(), inputs()["frames"]
    replaced = frames.clone()
    replaced[0, USED] = frames[0, [0, 1, 3]].float().mean(dim=0).round().byte()
    expected = log_odds(network(frames), 0) - log_odds(network(replaced), 0)
    importance = frame_importance(Score(network, 0), {"frames": frames})
    assert importance[USED] == pytest.approx(float(expected))


def test_frames_of_a_still_clip_are_unimportant() -> None:
    still = clip_with_spots([(8, 8)] * NUM_FRAMES)
    assert not frame_importance(Score(OneFrame().eval(), 0), {"frames": still}).any()


def test_evidence_for_one_of_two_classes_is_evidence_against_the_other() -> None:
    network = Stacked().eval()
    support, against = (frame_importance(Score(network, output), inputs()) for output in (0, 1))
    np.testing.assert_allclose(support, -against, atol=1e-5)
    maps, _ = frame_saliency(Score(network, 1), inputs(), "occlusion")
    assert maps[USED][square(USED)].max() < 1e-3  # bright pixels are not evidence for "no"


def test_the_sound_map_is_on_the_used_frequencies_and_times() -> None:
    network = LowAndEarly().eval()
    sound = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)) / 10
    explained = explain(network, spec_for(network), {"sound": sound}).sound
    assert explained is not None
    assert explained.saliency.shape == explained.spectrogram.shape == (40, 60)
    assert explained.saliency[:20, :30].sum() > 0.7 * explained.saliency.sum()
    assert len(explained.importance) == 5
    # silence in the second half makes the first half relatively louder
    assert explained.importance[:2].min() > 0 > explained.importance[3:].max()


def test_a_clip_of_one_frame_has_a_map_without_importance() -> None:
    torch.manual_seed(0)
    network = FaceRegressor(num_frames=1, image_size=96, rnn="none").eval()
    frames = torch.randint(0, 256, (1, 1, 3, 96, 96), dtype=torch.uint8)
    spec = spec_for(network, names=("valence", "arousal"))
    explanation = explain(network, spec, {"frames": frames}, target="arousal")
    assert explanation.prediction.name == explanation.prediction.predicted == "arousal"
    assert not explanation.prediction.is_class
    assert explanation.prediction.value == pytest.approx(network(frames)[0, 1].item())
    assert explanation.frames is not None
    assert explanation.frames.importance is None
    assert explanation.frames.saliency.shape == (1, 96, 96)
    assert explanation.frames.saliency.max() == 1


def test_a_negative_number_is_explained_by_evidence_for_low_values() -> None:
    network = FaceRegressor(num_frames=1, image_size=96).eval()
    frames = torch.randint(0, 256, (1, 1, 3, 96, 96), dtype=torch.uint8)
    assert Score(network, 0, sign=-1).of({"frames": frames}) == -network(frames)[0, 0].item()


def test_without_captum_auto_chooses_occlusion_and_warns_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(saliency, "captum_is_installed", lambda: False)
    for _ in range(2):
        assert frame_saliency(Score(OneFrame().eval(), 0), inputs(), "auto")[1] == "occlusion"
    assert len(caplog.records) == 1
    assert "pip install 'emorec[explain]'" in caplog.text
    with pytest.raises(UserError, match=r"pip install 'emorec\[explain\]', or choose --method"):
        frame_saliency(Score(OneFrame().eval(), 0), inputs(), "grad_cam")


def test_grad_cam_is_refused_for_networks_without_a_cam_layer() -> None:
    face = FaceRegressor(num_frames=1, image_size=96).eval()
    frames = torch.zeros(1, 1, 3, 96, 96, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"FaceRegressor has no maps .* choose --method occlusion"):
        frame_saliency(Score(face, 0), {"frames": frames}, "grad_cam")
    ear = LowAndEarly().eval()
    with pytest.raises(UserError, match="LowAndEarly takes no frames"):
        explain(ear, spec_for(ear), {"sound": torch.zeros(1, 16_000)}, method="grad_cam")


def test_a_map_without_positive_values_is_zero_everywhere() -> None:
    assert not scale_to_one(torch.full((2, 3), -1.0)).any()
