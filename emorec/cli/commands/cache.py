"""`emorec cache`: what decoded frames are kept, and how to be rid of them."""

import time
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from emorec.data.cache.folders import cache_folder


def cache(clear: str | None = None, folder: str | None = None) -> None:
    """List the decoded frames that are kept, with their sizes, or remove them.

    Args:
        clear: Remove the frames of this name, or `all`.
        folder: The cache, when it is not the usual one (EMOREC_CACHE, else emorec in the user's cache folder).

    Raises:
        UserError: When there are no frames of that name, or they can't be removed.
    """
    # late: the help can do without the libraries that read frames
    from emorec.data.cache import kept as frames_kept

    place = Path(folder).expanduser() if folder else cache_folder()
    console = Console(highlight=False, soft_wrap=True)
    if clear is not None:
        console.print(f"freed {shown_size(frames_kept.clear(place, clear))} in {place}")
        return
    everything = frames_kept.kept(place)
    if not everything:
        console.print(f"no frames are kept in {place}")
        return
    console.print(f"decoded frames in {place}; names begin with frames x height x width")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for column in ("clips", "broken", "size", "filled"):
        table.add_column(column, justify="right")
    for one in everything:
        table.add_row(
            one.name,
            str(one.ready),
            str(one.broken),
            shown_size(one.num_bytes),
            time.strftime("%Y-%m-%d", time.localtime(one.used)) if one.used else "never",
        )
    console.print(table)
    console.print(
        f"{shown_size(sum(one.num_bytes for one in everything))} in all; "
        "remove with emorec cache --clear NAME, or --clear all"
    )


def shown_size(num_bytes: int) -> str:
    """Bytes for people.

    >>> shown_size(2_595_225_600), shown_size(69_632), shown_size(0)
    ('2.60 GB', '0.07 MB', '0.00 MB')
    """
    if num_bytes >= 1_000_000_000:
        return f"{num_bytes / 1e9:.2f} GB"
    return f"{num_bytes / 1e6:.2f} MB"
