"""`emorec ensemble`: the mean of what several tested runs predict."""

from pathlib import Path

from emorec.errors import UserError


def ensemble(
    *runs: str,
    weights: list[float] | None = None,
    test: str = "test",
    out: str = "lightning_logs",
) -> None:
    """Average what several models predicted of the same test clips, and write that as a tested run.

    Each RUN is the folder of one model: a tested run, or a folder above its runs in several folds or with several
    seeds. The mean of log probabilities of networks that see, hear or were trained otherwise is often better than each;
    nothing is trained. emorec compare reads the result. In every fold all models need the same test clips.

    Args:
        *runs: Run folders, or folders above those of one model, such as lightning_logs/studies/seeds/CNN-LSTM.
        weights: One positive number for each RUN, by which it counts; by default all count alike. Choose them on
            validation actors, never by the result.
        test: The folder of the test in each run, such as test_enrol_8.
        out: Where the run folders are made.

    Raises:
        UserError: When the runs don't fit together, or a run can't be written.
    """
    if not runs:
        raise UserError(
            "which runs? emorec ensemble RUN RUN..., as in emorec ensemble lightning_logs/CNNLSTM "
            "lightning_logs/AudioEmbedding"
        )
    numbers = weights or [1.0] * len(runs)
    if len(numbers) != len(runs) or min(numbers) <= 0:
        raise UserError(
            f"--weights has {numbers} for {len(runs)} runs: give one positive number for each"
        )
    # late: pandas and matplotlib take seconds
    from emorec.cli.commands.compare import DEFAULT_RESAMPLES
    from emorec.console import make_console
    from emorec.report.comparison import compare_runs
    from emorec.report.ensemble import write_ensemble
    from emorec.report.runs import find_runs
    from emorec.report.tables import describe, print_comparison

    found = [find_runs([folder], test) for folder in runs]
    tested = [run for each, _ in found for run in each]
    folders = [run.folder.resolve() for run in tested]
    if len(set(folders)) < len(folders):
        twice = max(folders, key=folders.count)
        raise UserError(f"{twice} is named twice: name each model once")
    written = write_ensemble(
        {name: each for name, (each, _) in zip(runs, found, strict=True)},
        dict(zip(runs, numbers, strict=True)),
        Path(out).expanduser(),
        test,
    )
    tested += find_runs(written)[0]
    untested = [folder for _, each in found for folder in each]
    comparison = compare_runs(tested, untested=untested, resamples=DEFAULT_RESAMPLES)
    console = make_console()
    print_comparison(describe(comparison), console)
    last = f" to {written[-1].name}" if len(written) > 1 else ""
    console.print(f"written to {written[0]}{last}", soft_wrap=True)
