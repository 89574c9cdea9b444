"""Classifiers average the predictions of test-time views."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from emorec.data import RavdessDataModule
from emorec.evaluation.collector import Collected, PredictionCollector
from emorec.models import EarlyFusionCNN
from tests.models.conftest import random_frames
from tests.models.test_base import network, trainer

SIZE, SIDE = 28, 32


def sensitive(image_size: int = 16) -> EarlyFusionCNN:
    """Return a network that is sensitive to small differences of its input."""
    model = network(image_size=image_size)
    with torch.no_grad():
        for weights in model.classifier.parameters():
            weights.mul_(30)
    model.collector = PredictionCollector(model.num_classes, classes=True)
    return model


def batch(num_views: int) -> dict[str, Any]:
    views = [random_frames(3, 2, 16, seed=seed) for seed in range(num_views)]
    label, index = torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6])
    return {"frames": views[0], "label": label, "index": index, "views": views}


def probabilities(model: EarlyFusionCNN, frames: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(frames).softmax(dim=1)
    return result


def test_a_prediction_is_the_mean_of_the_probabilities_of_its_views() -> None:
    model = sensitive().eval()
    batch_of_views = batch(num_views=5)
    with torch.no_grad():
        predicted = model.predict_step(batch_of_views, 0)
    per_view = [probabilities(model, view) for view in batch_of_views["views"]]
    torch.testing.assert_close(predicted["probabilities"], torch.stack(per_view).mean(dim=0))
    collected = model.collector.compute()
    assert collected.index.tolist() == [4, 5, 6]
    torch.testing.assert_close(collected.output.exp(), torch.stack(per_view).mean(dim=0))


def test_a_training_step_ignores_views() -> None:
    model, batch_of_views = sensitive().train(), batch(num_views=3)
    assert torch.equal(model.output(batch_of_views), model.output({**batch_of_views, "views": []}))
    assert model.collector.compute().index.tolist() == []


def run_test(folder: Path, root: Path, num_views: int, **options: Any) -> Collected:
    model = sensitive(SIZE)
    loading = {"num_frames": 2, "image_size": SIZE, "batch_size": 4, "num_workers": 0} | options
    data = RavdessDataModule(str(root), **loading)
    data.num_views = num_views
    trainer(folder).test(model, data, verbose=False)
    return model.collected


@pytest.mark.parametrize("num_workers", [0, 1])
def test_ten_view_predictions_equal_the_mean_over_manual_crops(
    tmp_path: Path, drawn_clips: Path, num_workers: int
) -> None:
    data = RavdessDataModule(str(drawn_clips), num_frames=2, image_size=SIZE, num_workers=0)
    data.setup("test")
    squares = [torch.from_numpy(data.read_frames(clip)) for clip in data.subsets["test"]]
    resized = torch.stack(squares).permute(0, 1, 4, 2, 3)  # (B, T, C, side, side)
    assert resized.shape[-1] == SIDE
    crops = [
        resized[..., top : top + SIZE, left : left + SIZE]
        for top, left in ((2, 2), (0, 0), (0, 4), (4, 0), (4, 4))
    ]
    model = sensitive(SIZE).eval()
    views = [*crops, *(crop.flip(-1) for crop in crops)]
    expected = torch.stack([probabilities(model, view) for view in views]).mean(dim=0)
    predictions = run_test(tmp_path, drawn_clips, num_views=10, num_workers=num_workers)
    assert predictions.index.tolist() == list(range(15))
    torch.testing.assert_close(predictions.output.exp(), expected, rtol=1e-3, atol=1e-5)


def test_one_view_equals_a_test_without_views(tmp_path: Path, drawn_clips: Path) -> None:
    first, second = (run_test(tmp_path, drawn_clips, num_views) for num_views in (1, 2))
    model = sensitive(SIZE).eval()
    data = RavdessDataModule(str(drawn_clips), num_frames=2, image_size=SIZE, num_workers=0)
    data.setup("test")
    frames = next(iter(data.test_dataloader()))["frames"]
    torch.testing.assert_close(first.output.softmax(dim=1), probabilities(model, frames))
    assert not torch.allclose(first.output.softmax(dim=1), second.output.exp(), atol=1e-2)
