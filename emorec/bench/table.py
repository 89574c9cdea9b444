"""What was measured, as people read it."""

from rich.console import Console
from rich.table import Table

from emorec.bench.baselines import ratios
from emorec.bench.report import Report
from emorec.bench.verdict import percent
from emorec.image_size import format_frames

STEADY = 1.3
"""Rounds that differ by more times than that say little."""


def show(report: Report, console: Console) -> None:
    """Prints a table and what follows from it."""
    console.print(title(report))
    table = Table("stage", box=None, pad_edge=False)
    for column in ("clips/s", "lowest", "highest", "ms a clip"):
        table.add_column(column, justify="right")
    times = {name: f"{shown(ratio)} times" for name, ratio in ratios(report.medians).items()}
    if times:
        table.add_column("the loader is", justify="right")
    for name, words in report.words.items():
        speed = report.speeds[name]
        numbers = (speed.median, speed.lowest, speed.highest, 1000 / speed.median)
        table.add_row(words, *map(shown, numbers), times.get(name))
    console.print(table)
    console.print(f"end to end is {percent(report.share)} of the network alone")
    if report.busy_share is not None:
        console.print(f"the GPU was busy {percent(report.busy_share)} of the time")
    console.print(report.verdict.sentence)
    if report.unsteadiness > STEADY:
        console.print(
            f"the rounds differ by up to {shown(report.unsteadiness)} times: something else was running; "
            "measure again when it is quiet, or with more --rounds"
        )
    if report.setting["drawn"]:
        console.print(
            "these clips were drawn, small and short: name a data folder (--data.root DIR) to learn how fast "
            "others can be decoded"
        )


def title(report: Report) -> str:
    """What was measured, on a line."""
    asked, machine = report.setting, report.machine
    return (
        f"{asked['network']} on {machine['device']} ({asked['precision']}), "
        f"{format_frames(asked['num_frames'], asked['image_size'])}, augment {str(asked['augment']).lower()}, "
        f"batches of {asked['batch_size']}, {asked['num_workers']} workers on {machine['cores']} cores"
    )


def shown(number: float) -> str:
    """A number with the digits that mean something.

    >>> [shown(number) for number in (4321.4, 98.76, 4.321, 0.0712)]
    ['4321', '98.8', '4.32', '0.07']
    """
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f}"
