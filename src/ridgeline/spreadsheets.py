"""Text in CSV files that is data, so that no spreadsheet runs it as a formula."""

from __future__ import annotations

from typing import Any

__all__ = ["safe_cell"]

#: what spreadsheets take for the beginning of a formula, or skip before they look for one
_RUN = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """Return a cell of a CSV file: text that would be run is quoted by an apostrophe.

    Parameters
    ----------
    value : object   Numbers, and text that is a number, are returned as they are.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell("-0.5"), safe_cell(-0.5), safe_cell("h100-sxm")
    ("'=1+1", '-0.5', -0.5, 'h100-sxm')
    """
    if not isinstance(value, str) or not value.startswith(_RUN):
        return value
    return value if _is_number(value) else f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not text[0].isspace()
