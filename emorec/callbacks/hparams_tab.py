"""The table in which TensorBoard's HPARAMS tab sets runs side by side.

Its columns are what any run tells about itself: TensorBoard unites them and shows those first in which the runs
differ. (A run may also fix the columns for all, as torch's `add_hparams` does: then the first run hides what another
network has of its own.) The tab's metrics are the latest values of the logged scalars.
"""

from collections.abc import Mapping
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams as hparams_summaries

IRRELEVANT = frozenset({"root", "num_workers", "on_error", "allow_missing_actors", "compile"})
"""Where and how fast a run goes, not what it learns."""


def columns(settings: Mapping[str, Any]) -> dict[str, float | str]:
    """Settings as numbers and texts, without those that are not set.

    >>> columns({"lr": 0.001, "augment": False, "blocks": [3, 4], "fold": None, "num_workers": 8})
    {'lr': 0.001, 'augment': 'false', 'blocks': '3, 4'}
    """
    return {
        name: _cell(value)
        for name, value in settings.items()
        if value is not None and name not in IRRELEVANT
    }


def _cell(value: Any) -> float | str:
    if isinstance(value, bool):  # as in YAML; TensorBoard would show 0 and 1 beside "per_frame"
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(str(_cell(part)) for part in value)
    return value if isinstance(value, int | float) else str(value)


def open_row(writer: SummaryWriter, row: Mapping[str, float | str]) -> None:
    """Adds the run that a writer belongs to; a second time changes nothing."""
    _, start, _ = hparams_summaries(dict(row), {})  # type: ignore[no-untyped-call]
    _file(writer).add_summary(start)


def mark_finished(writer: SummaryWriter) -> None:
    """Says that the run went to its end: its status becomes "success" for good."""
    _, _, end = hparams_summaries({}, {})  # type: ignore[no-untyped-call]
    _file(writer).add_summary(end)


def _file(writer: SummaryWriter) -> Any:
    return writer._get_file_writer()  # type: ignore[no-untyped-call]
