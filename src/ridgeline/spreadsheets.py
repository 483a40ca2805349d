"""Rows for other programs: CSV text whose cells no spreadsheet runs, and polars frames."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from ridgeline.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars

__all__ = ["csv_text", "polars_frame", "records_csv", "safe_cell"]

#: what spreadsheets take for the beginning of a formula, or skip before they look for one
_RUN = ("=", "+", "-", "@", "\t", "\r")


def csv_text(keys: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    r"""Write rows as CSV: keys in the first line, cells that are safe to open, nested ones as JSON.

    Parameters
    ----------
    keys : iterable of str
    rows : iterable of iterables   Plain values; None leaves a cell empty.

    Examples
    --------
    >>> csv_text(["a", "b"], [[1, None], ["=x", [2]]])
    "a,b\n1,\n'=x,[2]\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_flat(k) for k in keys)
    writer.writerows([safe_cell(_flat(v, empty="")) for v in row] for row in rows)
    return text.getvalue()


def records_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Write records as CSV: the keys of all of them, as they come; a cell that has none is empty.

    Parameters
    ----------
    rows : sequence of mapping   Plain values.

    Examples
    --------
    >>> records_csv([{"a": 1}, {"a": 2, "b": "x"}])
    'a,b\n1,\n2,x\n'
    """
    keys = dict.fromkeys(key for row in rows for key in row)
    return csv_text(keys, [[row.get(key) for key in keys] for row in rows])


def polars_frame(columns: Mapping[str, Sequence[Any]]) -> polars.DataFrame:
    """Make a polars DataFrame of columns of plain values (extra ``[tables]``).

    Parameters
    ----------
    columns : mapping   Name to values; None where there is none. Nested values become JSON, a
                        mixture of numbers and text becomes text.

    Raises
    ------
    MissingExtraError   polars is not installed.
    """
    try:
        import polars  # noqa: PLC0415  (optional and heavy)
    except ModuleNotFoundError:
        raise MissingExtraError("A polars table", "tables") from None
    flat = {k: [_flat(v) for v in values] for k, values in columns.items()}
    return polars.DataFrame([polars.Series(k, _alike(v), strict=False) for k, v in flat.items()])


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


def _flat(value: Any, empty: Any = None) -> Any:
    """One value of a flat file: nested ones as JSON, line ends of one kind."""
    if value is None:
        return empty
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    return value


def _alike(values: list[Any]) -> list[Any]:
    """Values of one type for a column: numbers stay, a mixture with text becomes text."""
    kinds = {type(v) for v in values if v is not None}
    if len(kinds) <= 1:
        return values
    if kinds <= {int, float}:
        return [None if v is None else float(v) for v in values]
    return [None if v is None else str(v) for v in values]
