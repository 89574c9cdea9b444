"""`emorec doctor`: what is installed and there, and what is known to go wrong with it."""

import os
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from emorec.data.cache.folders import cache_folder
from emorec.diagnosis import (
    is_csv,
    look_at_csv,
    look_at_decoder,
    look_at_disk,
    look_at_gpus,
    look_at_iemocap,
    look_at_machine,
    look_at_packages,
    look_at_ravdess,
)
from emorec.diagnosis.packages import installed_versions


def doctor(data_root: str | None = None) -> None:
    """Show versions, decoder, GPUs, disk and data, and warn of what is known to go wrong.

    Args:
        data_root: Where RAVDESS was unzipped, or a CSV file of clips; without it, the variable EMOREC_RAVDESS_ROOT says
            where RAVDESS is. IEMOCAP is looked at where EMOREC_IEMOCAP_ROOT names its folder.

    Raises:
        SystemExit: With exit code 1 if something is missing or fails; warnings leave it 0.
    """
    parts = (
        look_at_packages(installed_versions()),
        look_at_machine(),
        look_at_gpus(),
        look_at_decoder(),
        look_at_disk(
            {
                "runs": Path("lightning_logs"),
                "weights": _weights_folder(),
                "decoded frames": cache_folder(),
            }
        ),
        look_at_csv(data_root)
        if data_root and is_csv(data_root)
        else look_at_ravdess(data_root or os.environ.get("EMOREC_RAVDESS_ROOT")),
        look_at_iemocap(os.environ.get("EMOREC_IEMOCAP_ROOT")),
    )
    table = Table("what", "found", show_header=False, title="emorec doctor", title_justify="left")
    for row in (row for part in parts for row in part.rows):
        table.add_row(*map(escape, row))
    console = Console(highlight=False)
    console.print(table)
    for colour, word, messages in (
        ("yellow", "warning", [message for part in parts for message in part.warnings]),
        ("red", "error", [message for part in parts for message in part.failures]),
    ):
        for message in messages:
            console.print(f"[{colour}]{word}:[/] {escape(message)}", soft_wrap=True)
    if any(part.failures for part in parts):
        raise SystemExit(1)


def _weights_folder() -> Path:
    try:
        from torch.hub import get_dir
    except Exception:  # look_at_gpus says why
        return Path("~/.cache/torch/hub").expanduser()
    return Path(get_dir())
