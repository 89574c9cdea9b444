"""Sentences of a comparison: which differences are significant, and how scores and intervals were computed."""

from collections.abc import Sequence

from emorec.evaluation.intervals import ROUNDING
from emorec.evaluation.pairwise import FEWEST_ACTORS, SIGNIFICANT, Pair
from emorec.evaluation.task import Task
from emorec.report.comparison import Comparison
from emorec.report.runs import format_actors
from emorec.text import first_few, plural

MIN_ACTORS = 8
"""With fewer, a comparison warns of chance similarities."""

COST_NOTE = (
    "Training, epochs and clips/s are means over a model's runs, memory is their maximum; "
    "a GFLOP is 10⁹ multiply-adds of the forward pass of one clip"
)


def summarize_comparison(comparison: Comparison) -> list[str]:
    """Return the findings, the most important first, without full stops at the end."""
    return [
        *(leak_warning(each.name, each.leaks) for each in comparison.results if each.leaks),
        *_adapted(comparison),
        _test_set(comparison),
        *_differences(comparison),
        *_few_actors(comparison),
        *_left_out(comparison),
    ]


def _adapted(comparison: Comparison) -> list[str]:
    """Say which models know more about the people that they are tested on."""
    by_protocol: dict[str, list[str]] = {}
    for result in comparison.results:
        if protocol := result.model.runs[0].adapted:
            by_protocol.setdefault(protocol, []).append(result.name)
    return [
        f"ADAPTED: {', '.join(names)} {'uses' if len(names) == 1 else 'use'} {protocol} (balanced "
        "classes flatter it), the others nothing but the clip: another protocol, not a better model"
        for protocol, names in by_protocol.items()
    ]


def describe_method(comparison: Comparison) -> str:
    """Return how scores and intervals were computed, without a full stop."""
    task = comparison.task
    return (
        f"Scores{' in per cent' if task.percent else ''}, pooled over folds and averaged over seeds, with 95 % "
        "intervals: t intervals with the standard error of a bootstrap over actors "
        f"({comparison.resamples:,} resamples, each with all clips of the drawn actors; seed 0). "
        f"{task.explanation}. "
        f"A difference in {task.score_title} is significant when its interval, with the same actors drawn for both "
        "models, excludes 0 and its p-value, Holm-corrected for the number of pairs, is at most 0.05"
    )


def leak_warning(name: str, leaks: Sequence[str]) -> str:
    """Return what a leak means for a model's scores."""
    return f"LEAK in {name}: {'; '.join(leaks)}. Its scores do not estimate performance on unseen people"


def describe_pair(task: Task, name_a: str, name_b: str, pair: Pair, p_holm: float) -> str:
    """Return which of two models is better, or that they do not differ significantly; without a full stop.

    A model is called better when the interval of the difference excludes 0 and the corrected p is at most 0.05.

    Args:
        task: What the models predict.
        name_a: Name of model A.
        name_b: Name of model B.
        pair: The comparison of A and B.
        p_holm: `pair.actor_p` or `pair.mcnemar_p`, corrected by `holm` over all pairs that are shown.
    """
    sign = 1 if pair.difference >= 0 else -1
    better, worse = (name_a, name_b) if sign > 0 else (name_b, name_a)
    unit = "points" if task.percent else task.score_title
    difference = f"{_signed(task, pair.difference)} {unit}"
    gain = f"{_signed(task, sign * pair.difference)} {unit}"
    equal = f"{name_a} and {name_b} do not differ significantly (difference {difference}"
    if pair.interval is None:
        if pair.num_actors == 1:
            return f"{equal}): one test actor allows no test of significance"
        always = f"with each of {pair.num_actors} actors"
        if abs(pair.difference) > ROUNDING and p_holm <= SIGNIFICANT:
            return f"{better} is better than {worse}: {gain} {always}"
        return f"{equal} {always})"
    if 0 in pair.interval:
        ends = f"{_plain(task, pair.interval.low)} to {_plain(task, pair.interval.high)}"
        return f"{equal}, {ends}); {_actors_needed(pair)}"
    low, high = sorted((sign * pair.interval.low, sign * pair.interval.high))
    ends = f"{_plain(task, low)} to {_plain(task, high)}"
    if not p_holm <= SIGNIFICANT:
        return (
            f"{better} may be better than {worse} ({gain}, {ends}), "
            f"but not significantly: corrected p {p_holm:.3f}"
        )
    return f"{better} is better than {worse}: {gain}, {ends}"


def _signed(task: Task, difference: float) -> str:
    """A difference in points or in the score's own unit; never -0.0.

    >>> from emorec.evaluation.task import Classification, Regression
    >>> _signed(Classification(("a", "b")), 0.0412), _signed(Regression(("valence",)), -0.0001)
    ('+4.1', '+0.000')
    """
    digits, value = (1, 100 * difference) if task.percent else (3, difference)
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def _plain(task: Task, difference: float) -> str:
    return _signed(task, difference).removeprefix("+")


def _actors_needed(pair: Pair) -> str:
    if pair.num_actors < FEWEST_ACTORS:
        return f"{pair.num_actors} actors are too few to estimate how many would be needed"
    if pair.actors_needed is None:
        return "no realistic number of actors would show so small a difference"
    return f"about {plural(pair.actors_needed, 'more actor')} would be needed"


def _test_set(comparison: Comparison) -> str:
    task, actors, trivial = comparison.task, comparison.actors, comparison.trivial
    number = len(comparison.results)
    named = format_actors(actors)
    if len(named) > 80:
        named = f"{named[:60].rpartition(',')[0]}, ..."
    tested = f"actor {actors[0]}" if len(actors) == 1 else f"{len(actors)} actors ({named})"
    what = (
        f"{len(task.names)} classes; always predicting the most frequent class has a UAR of "
        f"{task.format(trivial['uar'])} per cent"
        if task.percent
        else f"{' and '.join(task.names)}; always predicting the mean has a CCC of 0"
    )
    models = "One model" if number == 1 else f"{number} models"
    return f"{models} on the same {len(comparison.clips):,} clips of {tested}, {what}"


def _differences(comparison: Comparison) -> list[str]:
    """Findings about the models without a leak."""
    leak_free = [result for result in comparison.results if not result.leaks]
    if not leak_free:
        return []
    task, (best, *others) = comparison.task, leak_free
    score = task.format_estimate(best.scores[task.score])
    if not others and len(comparison.results) == 1:
        return [f"Its {task.score_title} is {score}"]
    highest = f"{best.name} has the highest {task.score_title}, {score}"
    if not others:
        return [highest]
    names = {result.name for result in leak_free}
    pairs = [pair for pair in comparison.pairs if {pair.better, pair.other} <= names]
    lines = []
    if len(pairs) > 1:
        lines.append(_count_significant(sum(pair.significant for pair in pairs), len(pairs)))
    close = [pair.other for pair in pairs if pair.better == best.name and not pair.significant]
    if not close:
        rest = others[0].name if len(others) == 1 else "all others"
        return [*lines, f"{highest}, and is better than {rest}"]
    rest = "any other" if 1 < len(close) == len(others) else _join_or(close)
    return [*lines, f"{highest}, but is not significantly better than {rest}"]


def _count_significant(significant: int, pairs: int) -> str:
    if significant == 0:
        return f"None of the {pairs} differences is significant: they may be due to chance"
    if significant == pairs:
        return f"All {pairs} differences are significant"
    verb, rest = "is" if significant == 1 else "are", pairs - significant
    others = "the other one" if rest == 1 else f"the other {rest}"
    return f"Of {pairs} differences {significant} {verb} significant; {others} may be due to chance"


def _few_actors(comparison: Comparison) -> list[str]:
    num_actors = len(comparison.actors)
    if num_actors >= MIN_ACTORS:
        return []
    if num_actors == 1:
        return ["One actor does not represent others: there are no intervals over actors"]
    return [
        f"{num_actors} actors are few: chance similarities between them can look like skill, and the intervals are "
        "wide. A cross-validation tests all actors (--data.split msaf6 of RAVDESS, loso5 of IEMOCAP)"
    ]


def _left_out(comparison: Comparison) -> list[str]:
    lines = []
    if comparison.num_left_out:
        lines.append(
            f"{comparison.num_left_out:,} clips on which not all models were tested are left out (--intersect)"
        )
    if comparison.num_elsewhere:
        runs = plural(comparison.num_elsewhere, "run was", "runs were")
        lines.append(f"{runs} tested on other clips and compared in another table")
    if comparison.untested:
        runs = plural(len(comparison.untested), "run was", "runs were")
        lines.append(f"{runs} not tested and skipped: {first_few(comparison.untested, 6)}")
    return lines


def _join_or(names: Sequence[str], limit: int = 6) -> str:
    """Join names with "or".

    >>> _join_or(["a", "b", "c"]), _join_or(["a"])
    ('a, b or c', 'a')
    """
    if len(names) > limit:
        return first_few(names, limit)
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
