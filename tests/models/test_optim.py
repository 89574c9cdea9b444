"""The learning rate at each step."""

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from emorec.models.optim import Schedule, make_schedulers


def rates(schedule: Schedule, warmup_steps: int, steps: int) -> list[float]:
    """The rate of each step of a run with a base rate of 1."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedulers = make_schedulers(
        optimizer, schedule, warmup_steps=warmup_steps, total_steps=steps, plateau_patience=2
    )
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for config in schedulers:
            if config.get("interval") == "step":
                config["scheduler"].step()  # type: ignore[call-arg]
    return values


@pytest.mark.parametrize("schedule", ["cosine", "plateau", "none"])
def test_the_warmup_is_linear(schedule: Schedule) -> None:
    assert rates(schedule, 4, 8)[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_after_the_warmup_the_cosine_equals_torchs() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    oracle = CosineAnnealingLR(optimizer, T_max=10)
    expected = []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        oracle.step()
    assert rates("cosine", 3, 13)[3:] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["plateau", "none"])
def test_without_a_cosine_the_rate_is_constant_after_the_warmup(schedule: Schedule) -> None:
    assert rates(schedule, 3, 9)[2:] == pytest.approx([1.0] * 7)


@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_no_warmup_needs_no_scheduler(warmup_steps: int) -> None:
    assert rates("none", warmup_steps, 3) == [1.0, 1.0, 1.0]
    assert rates("cosine", warmup_steps, 3)[0] == 1.0


def test_a_plateau_divides_the_rate_by_ten_after_more_than_its_patience() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    (config,) = make_schedulers(
        optimizer, "plateau", warmup_steps=0, total_steps=9, plateau_patience=2
    )
    plateau = config["scheduler"]
    assert isinstance(plateau, ReduceLROnPlateau)
    values = []
    for accuracy in (0.3, 0.4, 0.4, 0.2, 0.4, 0.5):
        plateau.step(accuracy)
        values.append(optimizer.param_groups[0]["lr"])
    assert values == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.1, 0.1])


def test_inverse_time_equals_keras_decay_after_the_warmup() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    (config,) = make_schedulers(
        optimizer, "inverse_time", warmup_steps=2, total_steps=9, plateau_patience=2, decay=0.1
    )
    values = []
    for _ in range(5):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        config["scheduler"].step()  # type: ignore[call-arg]
    iterations = range(5)
    keras = [0.01 * (1.0 / (1.0 + 0.1 * iteration)) for iteration in iterations]
    assert values == pytest.approx([keras[0] / 2, *keras[1:]])
