"""Figures as people read them, the same in every table."""

import math

from emorec.evaluation.intervals import Interval

UNKNOWN = "-"


def points(share: float | None) -> str:
    """A share in per cent with one decimal.

    >>> points(0.62083), points(None), points(float("nan"))
    ('62.1', '-', '-')
    """
    return UNKNOWN if share is None or not math.isfinite(share) else f"{100 * share:.1f}"


def decimals(value: float | None) -> str:
    """A figure that is no share, with three decimals; never -0.000.

    >>> decimals(0.41236), decimals(-0.0001), decimals(None), decimals(float("nan"))
    ('0.412', '0.000', '-', '-')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{round(value, 3) + 0.0:.3f}"


def span(interval: Interval | None) -> str:
    """An interval in per cent; empty where there is none.

    >>> span(Interval(0.53, 0.70512)), span(None)
    ('53.0 to 70.5', '')
    """
    return f"{points(interval.low)} to {points(interval.high)}" if interval else ""


def p_value(p: float) -> str:
    """A p-value as papers give it.

    >>> p_value(0.0004), p_value(0.0123), p_value(0.5), p_value(float("nan"))
    ('< 0.001', '0.012', '0.50', '-')
    """
    if not math.isfinite(p):
        return UNKNOWN
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(number: float | None) -> str:
    """A number of parameters.

    >>> count(11_967_048), count(131_328), count(520), count(None)
    ('12.0 M', '131 k', '520', '-')
    """
    if number is None:
        return UNKNOWN
    if number >= 999_500:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.0f} k" if number >= 1000 else f"{number:.0f}"


def amount(number: float | None) -> str:
    """A number with the digits that mean something.

    >>> amount(107.83), amount(18.14), amount(0.004), amount(0), amount(1234.5), amount(None)
    ('108', '18.1', '0.004', '0', '1,234', '-')
    """
    if number is None or not math.isfinite(number):
        return UNKNOWN
    if number >= 100:
        return f"{number:,.0f}"
    if number >= 1:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.2g}"


def duration(seconds: float | None) -> str:
    """A time that a person waits.

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


def memory(num_bytes: float | None) -> str:
    """Memory of a device.

    >>> memory(2_595_225_600), memory(69_632_000), memory(None)
    ('2.6 GB', '70 MB', '-')
    """
    if num_bytes is None:
        return UNKNOWN
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.0f} MB"
