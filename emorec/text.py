"""How numbers, spans, durations and lists are written, the same in every table and message; how names are compared."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

UNKNOWN = "-"
"""What a table shows in place of a value that was not measured."""

MAX_LISTED = 10
"""How many items a message names before it only counts the rest."""

_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def normalize(text: str) -> str:
    r"""Return the one spelling of a name that looks the same in several.

    Accents are composed (NFC), invisible characters removed, spaces of any kind reduced to single ones between words.

    >>> normalize("\ufeffZoe\u0308\u200b \u00a0Bo\u00ad ") == "Zo\u00eb Bo"
    True
    """
    if not text.isascii():
        visible = (
            char
            for char in text
            if unicodedata.category(char) != "Cf" and char not in _VARIATION_SELECTORS
        )
        text = unicodedata.normalize("NFC", "".join(visible))
    return " ".join(text.split())


def printable(text: str) -> str:
    r"""Escape the bytes of a file name that are not valid UTF-8, which neither fonts nor files take.

    >>> print(printable("b\udcff.mp4"), printable("Zoë"))
    b\udcff.mp4 Zoë
    """
    return text.encode(errors="backslashreplace").decode()


def percent(share: float | None) -> str:
    """Format a share as per cent with one decimal.

    >>> percent(0.62083), percent(None), percent(float("nan"))
    ('62.1', '-', '-')
    """
    return UNKNOWN if share is None or not math.isfinite(share) else f"{100 * share:.1f}"


def decimal(value: float | None) -> str:
    """Format a number with three decimals; never -0.000.

    >>> decimal(0.41236), decimal(-0.0001), decimal(None), decimal(float("nan"))
    ('0.412', '0.000', '-', '-')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{round(value, 3) + 0.0:.3f}"


def significant(value: float | None) -> str:
    """Format a number of any magnitude with two or three significant digits.

    >>> significant(107.83), significant(18.14), significant(0.004), significant(1234.5)
    ('108', '18.1', '0.004', '1,234')
    >>> significant(0), significant(None)
    ('0', '-')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 1:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2g}"


def p_value(p: float) -> str:
    """Format a p-value as papers do.

    >>> p_value(0.0004), p_value(0.0123), p_value(0.5), p_value(float("nan"))
    ('< 0.001', '0.012', '0.50', '-')
    """
    if not math.isfinite(p):
        return UNKNOWN
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def parameter_count(number: float | None) -> str:
    """Format a number of parameters.

    >>> parameter_count(11_967_048), parameter_count(131_328), parameter_count(520)
    ('12.0 M', '131 k', '520')
    >>> parameter_count(None)
    '-'
    """
    if number is None:
        return UNKNOWN
    if number >= 999_500:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.0f} k" if number >= 1000 else f"{number:.0f}"


def byte_count(num_bytes: float | None) -> str:
    """Format an amount of memory or disk.

    >>> byte_count(2_595_225_600), byte_count(69_632_000), byte_count(12_300)
    ('2.6 GB', '70 MB', '12 kB')
    >>> byte_count(1_250_000), byte_count(None)
    ('1.2 MB', '-')
    """
    if num_bytes is None:
        return UNKNOWN
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            value = num_bytes / size
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"
    return f"{num_bytes:.0f} bytes"


def duration(seconds: float | None) -> str:
    """Format how long something takes.

    >>> duration(0.4), duration(42.4), duration(200), duration(5 * 3600 + 61), duration(None)
    ('0.4 s', '42 s', '3 min 20 s', '5 h 01 min', '-')
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clock_time(seconds: float) -> str:
    """Format a position in a video.

    >>> clock_time(2.46), clock_time(75), clock_time(3675)
    ('0:02', '1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Format a count with its noun.

    >>> plural(1, "epoch"), plural(1200, "clip"), plural(2, "body", "bodies")
    ('1 epoch', '1,200 clips', '2 bodies')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def first_few(items: Sequence[object], limit: int = MAX_LISTED, separator: str = ", ") -> str:
    """Join the first items and count the rest.

    >>> first_few(["a.mp4", "b.mp4"])
    'a.mp4, b.mp4'
    >>> first_few(range(1000), limit=3, separator="; ")
    '0; 1; 2; and 997 more'
    """
    named = [str(item) for item in items[:limit]]
    rest = [f"and {len(items) - limit:,} more"] if len(items) > limit else []
    return separator.join([*named, *rest])


def listed_files(files: Sequence[tuple[Path, str]]) -> str:
    """Join the first files, each with the reason why it is listed.

    >>> listed_files([(Path("a.mp4"), "empty"), (Path("b.mp4"), "no video")])
    'a.mp4 (empty); b.mp4 (no video)'
    """
    named = [f"{path} ({reason})" if reason else str(path) for path, reason in files]
    return first_few(named, separator="; ")


def number_ranges(items: Sequence[int | str], limit: int = 12) -> str:
    """Join numbers, consecutive ones as a range; beyond `limit` ranges, the first three and a count.

    >>> number_ranges([1, 2, 3, 5, 21, 22])
    '1-3, 5, 21-22'
    >>> number_ranges(["Ann", "Bo"])
    'Ann, Bo'
    >>> number_ranges([f"{number}.mp4" for number in range(1000)])
    '0.mp4, 1.mp4, 2.mp4 and 997 more'
    """
    runs: list[list[int | str]] = []
    for item in items:
        last = runs[-1][-1] if runs else None
        if isinstance(item, int) and isinstance(last, int) and item == last + 1:
            runs[-1].append(item)
        else:
            runs.append([item])
    named = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    if len(named) <= limit:
        return ", ".join(named)
    return f"{', '.join(named[:3])} and {sum(map(len, runs[3:])):,} more"


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return a hint that names the closest candidate, to append to an error; empty without a close one.

    >>> did_you_mean("resnet81", ["resnet18", "vgg11"]), did_you_mean("x", ["resnet18"])
    (' (did you mean resnet18?)', '')
    """
    close = get_close_matches(word, list(candidates), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def relative_path(path: str | Path) -> str:
    """Return a path as one would type it: relative to the current folder where it lies below.

    >>> relative_path(Path.cwd() / "lightning_logs")
    'lightning_logs'
    """
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
