"""What a search looks among: for each setting a list of values or a range."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emorec.cli.complaints import did_you_mean
from emorec.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Space = Mapping[str, "BaseDistribution"]

RANGE_KEYS = ("low", "high", "log", "step")

EXAMPLE = "a list of values or a range, as in {low: 1.0e-5, high: 1.0e-3, log: true}"


def parse_space(given: Any, place: str) -> Space:
    """The distributions that a study file describes.

    Args:
        given: Name of a setting -> a list of values, or `low` and `high` (both included) with `log` and `step`.
        place: What an error message starts with.

    Raises:
        UserError: When a description means nothing.

    >>> space = parse_space({"data.batch_size": [8, 16], "model.lr": {"low": 1e-5, "high": 1e-3, "log": True}}, "x")
    >>> space["data.batch_size"]
    CategoricalDistribution(choices=(8, 16))
    >>> space["model.lr"]
    FloatDistribution(high=0.001, log=True, low=1e-05, step=None)
    """
    if not isinstance(given, dict) or not given:
        raise UserError(f"{place} takes options of emorec fit, each with {EXAMPLE}")
    return {str(name): _distribution(each, f"{place}: {name}") for name, each in given.items()}


def _distribution(given: Any, place: str) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution  # late: a grid needs none

    if isinstance(given, list) and given:
        if not all(isinstance(each, str | int | float | bool | None) for each in given):
            raise UserError(f"{place} is {given}: a list holds plain values")
        return CategoricalDistribution(given)
    if not isinstance(given, dict) or not {"low", "high"} <= given.keys():
        raise UserError(f"{place} is {given}: it takes {EXAMPLE}")
    for key in given:
        if key not in RANGE_KEYS:
            near = did_you_mean(str(key), RANGE_KEYS)
            raise UserError(f"{place}: a range has no key {key!r}{near}")
    return _range(given, place)


def _range(given: Mapping[str, Any], place: str) -> "BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    log, step = bool(given.get("log")), given.get("step")
    try:
        # YAML takes 1e-4, which lacks a dot, for a text
        low, high = (
            end if isinstance(end, int) else float(end) for end in (given["low"], given["high"])
        )
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log, step=step or 1)
        return FloatDistribution(low, high, log=log, step=step)
    except (ValueError, TypeError) as error:
        raise UserError(f"{place} is {dict(given)}: {' '.join(str(error).split())}") from None


def suggest(trial: "Trial", name: str, distribution: "BaseDistribution") -> Any:
    """What the sampler chooses for a setting."""
    from optuna.distributions import FloatDistribution, IntDistribution

    one: Any = distribution
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(name, one.low, one.high, step=one.step, log=one.log)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, one.low, one.high, step=one.step, log=one.log)
    return trial.suggest_categorical(name, one.choices)


def ends(space: Space) -> list[dict[str, Any]]:
    """Settings that a search could choose: all its first values, and all its last ones.

    >>> ends(parse_space({"data.batch_size": [8, 16], "model.dropout": {"low": 0.0, "high": 0.5}}, "x"))
    [{'data.batch_size': 8, 'model.dropout': 0.0}, {'data.batch_size': 16, 'model.dropout': 0.5}]
    """
    ranges: dict[str, Any] = dict(space)
    return [
        {
            name: each.choices[end] if hasattr(each, "choices") else (each.low, each.high)[end]
            for name, each in ranges.items()
        }
        for end in (0, -1)
    ]
