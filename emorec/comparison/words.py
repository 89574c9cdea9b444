"""What the comparison says, in sentences: what the test can tell apart, and how the intervals were made."""

from collections.abc import Sequence

from emorec.callbacks.description import spans
from emorec.comparison.comparison import Comparison
from emorec.comparison.score import CLASSES
from emorec.comparison.wording import points

FEW_ACTORS = 8


def verdict(comparison: Comparison) -> list[str]:
    """What the test can tell apart and what it can't, the most important first; without full stops at the end."""
    return [
        *_leaks(comparison),
        _what_was_tested(comparison),
        *_apart(comparison),
        *_few_actors(comparison),
        *_left_out(comparison),
    ]


def method(comparison: Comparison) -> str:
    """How the intervals were made."""
    return (
        f"Figures{' in per cent' if comparison.score.shares else ''}, pooled over folds and averaged "
        "over seeds, with 95 % intervals: "
        "t intervals whose standard error is a bootstrap's over actors "
        f"({comparison.resamples:,} resamples, each with all clips of the actors drawn; seed 0). "
        f"{comparison.score.explained}. "
        f"Two models are told apart when the interval of their difference in {comparison.score.title}, "
        "the same actors drawn for both, "
        "leaves out 0 and its p-value, Holm-corrected for the number of pairs, is at most 0.05"
    )


def cost_note() -> str:
    """How the columns of cost are to be read."""
    return (
        "Training, epochs and clips/s are the mean of a model's runs, memory their most; "
        "a GFLOP is 10⁹ multiply-adds of the forward pass of one clip"
    )


def actors_in_words(actors: Sequence[int | str]) -> str:
    """Actors, numbers as spans.

    >>> actors_in_words(["21", "22", "24"]), actors_in_words([1, 2]), actors_in_words(["Ann"])
    ('21-22, 24', '1-2', 'Ann')
    """
    return spans([int(actor) if str(actor).isdecimal() else actor for actor in actors])


def leak_line(name: str, leaks: Sequence[str]) -> str:
    """What a leak means for a model's figures."""
    return (
        f"LEAK in {name}: {'; '.join(leaks)}. Its figures do not tell how it does on unseen people"
    )


def _leaks(comparison: Comparison) -> list[str]:
    return [leak_line(each.name, each.leaks) for each in comparison.results if each.leaks]


def _what_was_tested(comparison: Comparison) -> str:
    test, actors = comparison.test, comparison.actors
    who = (
        f"actor {actors[0]}" if len(actors) == 1 else f"{len(actors)} actors ({_shortened(actors)})"
    )
    guess = points(comparison.majority.get("uar"))
    what = (
        f"{len(test.names)} classes; the UAR of a guess is {guess} per cent"
        if comparison.score is CLASSES
        else f"{' and '.join(test.names)}; the CCC of a guess is 0"
    )
    return (
        f"{_models(len(comparison.results))} on the same {len(test.paths):,} clips of {who}, {what}"
    )


def _apart(comparison: Comparison) -> list[str]:
    """About the models without a leak, as the figures of one with a leak tell nothing."""
    sound = [result for result in comparison.results if not result.leaks]
    if not sound:
        return []
    names = [result.name for result in sound]
    best, others = sound[0], names[1:]
    score = comparison.score
    reached = score.estimate(best.by_actor[score.figure])
    highest = f"{best.name} has the highest {score.title}, {reached}"
    if not others:
        return [highest if len(comparison.results) > 1 else f"Its {score.title} is {reached}"]
    pairs = [pair for pair in comparison.pairs if pair.better in names and pair.other in names]
    lines = (
        [_how_many(sum(pair.told_apart for pair in pairs), len(pairs))] if len(pairs) > 1 else []
    )
    near = [pair.other for pair in pairs if pair.better == best.name and not pair.told_apart]
    if not near:
        everyone = f"than {others[0]}" if len(others) == 1 else "than all others"
        return [*lines, f"{highest}, and is better {everyone}"]
    if len(near) == len(others):
        any_other = near[0] if len(near) == 1 else "any other"
        return [*lines, f"{highest}, but the test cannot tell it from {any_other}"]
    return [*lines, f"{highest}; the test cannot tell it from {_listed(near)}"]


def _how_many(apart: int, pairs: int) -> str:
    if apart == 0:
        return f"The test tells none of the {pairs} pairs apart: their differences may be chance"
    if apart == pairs:
        return f"The test tells all {pairs} pairs apart"
    rest = pairs - apart
    return (
        f"Of {pairs} pairs the test tells {apart} apart; "
        f"the difference of the other {'one' if rest == 1 else rest} may be chance"
    )


def _few_actors(comparison: Comparison) -> list[str]:
    num_actors = len(comparison.actors)
    if num_actors >= FEW_ACTORS:
        return []
    if num_actors == 1:
        return ["One actor says nothing about others: there are no intervals over actors"]
    return [
        f"{num_actors} actors are few: what they share by chance looks like skill, and the intervals are wide. "
        "A cross-validation tests all actors (--data.split msaf6 of RAVDESS, loso5 of IEMOCAP)"
    ]


def _left_out(comparison: Comparison) -> list[str]:
    lines = []
    if comparison.num_left_out:
        lines.append(
            f"{comparison.num_left_out:,} clips that not all models were tested on are left out (--intersect)"
        )
    if comparison.untested:
        names = [str(folder) for folder in comparison.untested]
        runs = "1 run was" if len(names) == 1 else f"{len(names)} runs were"
        lines.append(f"{runs} not tested and left out: {_listed(names)}")
    return lines


def _models(number: int) -> str:
    return "One model" if number == 1 else f"{number} models"


def _shortened(actors: Sequence[str]) -> str:
    words = actors_in_words(actors)
    return words if len(words) <= 80 else f"{words[:60].rpartition(',')[0]}, ..."


def _listed(names: Sequence[str], most: int = 6) -> str:
    """Names as people write them.

    >>> _listed(["a", "b", "c"]), _listed(["a"])
    ('a, b or c', 'a')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
