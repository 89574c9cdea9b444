"""What came of the classifiers, for people."""

from collections.abc import Sequence
from statistics import mean, stdev

from rich import box
from rich.console import Console
from rich.table import Table

from emorec.baseline.at_random import Lesson
from emorec.baseline.by_actor import Measured
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import pooled

LESSON = (
    "At random, clips of the very people who are tested are also trained on, often the same sentence said once more: "
    "a classifier that recognises the person and how this person plays an emotion is rewarded for it. "
    "Nobody whom it will meet later was trained on, so for them the figure of the split by actor is the one to expect "
    "and to quote."
)


def show_measured(measured: Sequence[Measured], features: str, console: Console) -> None:
    """Prints a line a classifier, all folds together, and where the run folders are."""
    names = list(dict.fromkeys(each.classifier for each in measured))
    runs = {name: [each for each in measured if each.classifier == name] for name in names}
    several = len(measured) > len(names)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"on {features}")
    for column in ("UAR", *(["s.d. of folds"] if several else []), "accuracy", "macro-F1", "clips"):
        table.add_column(column, justify="right")
    table.add_column("s", justify="right")
    table.add_column("folds" if several else "chosen", justify="right" if several else "left")
    for name, folds in runs.items():
        summary = summarize(pooled([fold.predictions for fold in folds]))
        table.add_row(
            name,
            f"{summary.uar:.1%}",
            *([f"{stdev(fold.uar for fold in folds):.1%}"] if several else []),
            f"{summary.accuracy:.1%}",
            f"{summary.macro_f1:.1%}",
            str(summary.num_clips),
            f"{sum(fold.seconds for fold in folds):.0f}",
            str(len(folds)) if several else folds[0].setting,
        )
    console.print(table)
    for folds in runs.values():
        last = f" to {folds[-1].folder.name}" if several else ""
        console.print(f"written to {folds[0].folder}{last}", soft_wrap=True)


def show_lessons(lessons: Sequence[Lesson], features: str, console: Console) -> None:
    """Prints the two ways to split side by side, and why one of them is wrong."""
    draws = len(lessons[0].at_random)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title, table.title_justify, table.title_style = (
        f"accuracy on {lessons[0].num_clips} test clips",
        "left",
        "",
    )
    table.add_column(f"on {features}")
    table.add_column("split by actor", justify="right")
    table.add_column("split at random", justify="right")
    table.add_column(f"in {draws} draws", justify="right")
    for lesson in lessons:
        low, high = min(lesson.at_random), max(lesson.at_random)
        table.add_row(
            lesson.classifier,
            f"{lesson.by_actor:.1%}",
            f"{mean(lesson.at_random):.1%}",
            f"{low:.1%} to {high:.1%}",
        )
    console.print(table)
    console.print(LESSON)
    console.print("No run folder is written: such figures belong in no comparison.")
