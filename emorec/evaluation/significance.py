"""P values of a difference between two models, and how many actors would show it."""

import numpy as np
from scipy import stats

from emorec.evaluation.intervals import CONFIDENCE, ROUNDING

REALISTIC_ACTORS = 1000
"""No data set of acted emotions has as many: RAVDESS has 24, CREMA-D 91."""

FEWEST_ACTORS = 6
"""Fewer hardly show how much actors scatter, let alone how many would be enough."""


def exact_mcnemar(only_a_right: int, only_b_right: int) -> float:
    """Two-sided p of the exact McNemar test; 1 of models that are right on the same clips.

    Source: McNemar 1947, Psychometrika 12(2):153-157; Dietterich 1998, Neural Computation 10(7):1895-1923.

    >>> exact_mcnemar(6, 0), exact_mcnemar(0, 0)
    (0.03125, 1.0)
    """
    differ = only_a_right + only_b_right
    return float(stats.binomtest(only_a_right, differ).pvalue) if differ else 1.0


def t_test(difference: float, standard_error: float, num_actors: int) -> float:
    """Two-sided p that a difference is none with actors at large; NaN of one actor.

    >>> round(t_test(0.05, 0.02, 24), 3)
    0.02
    >>> t_test(0.05, 0.0, 5), t_test(0.0, 0.0, 5)
    (0.0625, 1.0)
    """
    if num_actors < 2:
        return float("nan")
    if standard_error > ROUNDING:
        return float(2 * stats.t.sf(abs(difference) / standard_error, num_actors - 1))
    # The same difference with every actor has no standard error. Were the models equally good, the signs of A
    # differences would be alike in 2 of 2 ** A cases.
    return 0.5 ** (num_actors - 1) if abs(difference) > ROUNDING else 1.0


def more_actors(difference: float, standard_error: float, num_actors: int) -> int | None:
    """How many more actors the 95 % interval would need to leave 0 out, if the difference stayed as it is.

    The standard error is taken to shrink as 1 / sqrt(actors); the quantile of t shrinks a little too. Both are
    guesses from few actors, and with that many the odds of a clear answer are about even: an order of magnitude.

    Args:
        difference: The measured one.
        standard_error: That of the actors at hand.
        num_actors: How many they are.

    Returns:
        0 when it leaves 0 out already; None when more than a thousand actors would be needed, or when fewer than six
        are at hand.

    >>> more_actors(0.02, 0.02, 24), more_actors(0.05, 0.02, 24), more_actors(0.0001, 0.02, 24)
    (71, 0, None)
    """
    if num_actors < FEWEST_ACTORS:
        return None
    totals = np.arange(num_actors, max(num_actors, REALISTIC_ACTORS) + 1)
    quantiles = stats.t.ppf((1 + CONFIDENCE) / 2, totals - 1)
    half_widths = quantiles * standard_error * np.sqrt(num_actors / totals)
    enough = np.flatnonzero(half_widths < abs(difference))
    return int(enough[0]) if len(enough) else None
