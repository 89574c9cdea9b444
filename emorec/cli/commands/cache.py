"""`emorec cache`: list or remove cached clips."""

import time
from pathlib import Path


def cache(clear: str | None = None, folder: str | None = None) -> None:
    """List the decoded clips that are cached, with their sizes, or remove them.

    Args:
        clear: Remove the clips of this name, or `all`.
        folder: The cache, when it is not the usual one (EMOREC_CACHE, else emorec in the user's cache folder).

    Raises:
        UserError: When there are no clips of that name, or they can't be removed.
    """
    # late: --help does without rich
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from emorec.console import make_console
    from emorec.data.cache.store import clear_cache, list_cache
    from emorec.io import cache_folder

    path = Path(folder).expanduser() if folder else cache_folder()
    console = make_console(soft_wrap=True)
    if clear is not None:
        console.print(f"freed {_size(clear_cache(path, clear))} in {path}")
        return
    listings = list_cache(path)
    if not listings:
        console.print(f"no frames are kept in {path}")
        return
    console.print(f"decoded frames in {path}; names begin with frames x height x width")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for column in ("clips", "broken", "size", "filled"):
        table.add_column(column, justify="right")
    for listing in listings:
        table.add_row(
            Text(listing.name),
            str(listing.ready),
            str(listing.broken),
            _size(listing.num_bytes),
            time.strftime("%Y-%m-%d", time.localtime(listing.filled)),
        )
    console.print(table)
    console.print(
        f"{_size(sum(listing.num_bytes for listing in listings))} in all; "
        "remove with emorec cache --clear NAME, or --clear all"
    )


def _size(num_bytes: int) -> str:
    """Format a size for a column.

    >>> _size(2_595_225_600), _size(69_632), _size(0)
    ('2.60 GB', '0.07 MB', '0.00 MB')
    """
    if num_bytes >= 1_000_000_000:
        return f"{num_bytes / 1e9:.2f} GB"
    return f"{num_bytes / 1e6:.2f} MB"
