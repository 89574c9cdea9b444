"""From the folders a user names to the tested runs in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.comparison.run import CONFIG, METRICS, PREDICTIONS, TRIAL, Run, read_run
from emorec.errors import UserError


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """What was found below the folders.

    Attributes:
        runs: The tested runs, each once.
        untested: Run folders below a study's folder that have not been tested.
    """

    runs: tuple[Run, ...]
    untested: tuple[Path, ...]


def find_runs(places: Sequence[str | Path]) -> FoundRuns:
    """The tested runs in folders; a folder that is no run is searched for run folders below it.

    A run that is named itself has to be complete. Of those below a named folder, the ones that were not tested are
    left out and listed: a study may still be running.

    Raises:
        UserError: When a folder does not exist, holds no tested run, or a run is incomplete or broken.
    """
    runs: dict[Path, Run] = {}
    untested: dict[Path, Path] = {}
    for place in places:
        folder = _folder(Path(place))
        if _is_run(folder):
            _refuse_incomplete(folder)
            runs.setdefault(folder.resolve(), read_run(folder))
            continue
        below = list(_below(folder))
        tested = [each for each in below if _is_tested(each)]
        if not tested:
            raise UserError(_nothing_in(folder, below))
        for each in tested:
            _refuse_incomplete(each)
            if each.resolve() not in runs:
                runs[each.resolve()] = read_run(each)
        untested |= {each.resolve(): each for each in below if not _is_tested(each)}
    return FoundRuns(tuple(runs.values()), tuple(untested.values()))


def _folder(place: Path) -> Path:
    place = place.expanduser()
    if not place.exists():
        raise UserError(f"no such folder: {place}")
    if not place.is_dir():
        raise UserError(
            f"{place} is no folder: name a run's folder, such as lightning_logs/CNNLSTM/version_0"
        )
    # the `test` folder of a run is the run
    return (
        place.parent
        if place.resolve().name == "test" and (place / METRICS.name).exists()
        else place
    )


def _below(folder: Path) -> Iterator[Path]:
    """Run folders, in the order of their names; a run folder is not searched further."""
    try:
        inside = sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError as error:
        raise UserError(f"can't read {folder}: {error.strerror}") from error
    for each in inside:
        if each.name.startswith("."):
            continue
        if _is_run(each):
            yield each
        else:
            yield from _below(each)


def _is_run(folder: Path) -> bool:
    return _is_tested(folder) or any((folder / name).exists() for name in (CONFIG, TRIAL))


def _is_tested(folder: Path) -> bool:
    return any((folder / name).exists() for name in (METRICS, PREDICTIONS))


def _refuse_incomplete(folder: Path) -> None:
    if not _is_tested(folder):
        raise UserError(f"{folder} was not tested: {_test_it(folder)}")
    for name in (METRICS, PREDICTIONS):
        if not (folder / name).exists():
            raise UserError(f"{folder} lacks {name}: {_test_it(folder)}")


def _test_it(folder: Path) -> str:
    return f"emorec test --ckpt {folder / 'checkpoints' / 'best.ckpt'}"


def _nothing_in(folder: Path, below: Sequence[Path]) -> str:
    if below:
        return f"none of the {len(below)} runs in {folder} was tested: {_test_it(below[0])}"
    return f"no run in {folder}: a run's folder holds {METRICS} and {PREDICTIONS.name}"
