"""The schema of measurement tables: columns, which are needed when, and what numbers may be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.errors import RidgelineError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["COLUMNS", "NEEDED_BY_REGIME", "Fault", "checked_header", "count", "number"]

_ESSENTIAL = ("id", "chip", "n_chips", "model", "regime", "metric")
_USUAL = (
    "run", "source", "cite", "date", "engine", "engine_version", "weight_dtype", "kv_dtype", "tp",
    "pp", "ep", "attn_dp", "batch", "concurrency", "request_rate_per_s", "isl", "osl", "cached",
    "drafts", "acceptance", "accept_length", "draft_method", "value", "quality", "notes",
)  # fmt: skip
#: columns of runs whose prefill and decode have chips of their own
POOLS = tuple(
    f"{pool}_{what}"
    for pool in ("prefill", "decode")
    for what in ("n_chips", "workers", "tp", "attn_dp", "moe_tp", "ep")
)
COLUMNS = (*_ESSENTIAL, *_USUAL, *POOLS)

#: what a regime cannot be predicted without
NEEDED_BY_REGIME: dict[str, tuple[str, ...]] = {
    "static": ("batch", "isl", "osl"),
    "decode": ("batch", "isl"),
    "prefill": ("batch", "isl"),
    "closed": ("concurrency", "isl", "osl"),
    "open": ("request_rate_per_s", "isl", "osl"),
    "offline": (),
    "slo": (),
}

#: a table with more columns that nobody knows is another kind of file
_MOST_STRANGE = 500
#: larger numbers are typing errors
_LARGEST = 1e15


class Fault(Exception):  # noqa: N818  (not an error of the program: a row that is left out)
    """Why a row cannot be used: a word and a sentence, and what is known of the row by column."""

    def __init__(self, status: str, reason: str, about: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.about = dict(about or {})

    def again(self) -> Fault:
        """A fresh copy: one raised over and over would hold on to every frame it passed."""
        return Fault(self.status, self.reason, self.about)


def checked_header(names: Sequence[str], where: str, *, measured: bool) -> dict[str, int]:
    """Find each column.

    Parameters
    ----------
    names : sequence of str   The first line of a table.
    where : str               The file, for the message.
    measured : bool           Whether ``value`` is needed.

    Returns
    -------
    dict   Column to its place.

    Raises
    ------
    RidgelineError   Columns are missing, twice there, or nearly but not quite known.
    """
    places: dict[str, int] = {}
    for i, raw in enumerate(names):
        name = raw.strip().casefold()
        if name in places and name in COLUMNS:
            raise RidgelineError(f"{where} has the column {name!r} twice.")
        places.setdefault(name, i)
    strange = [n for n in places if n and n not in COLUMNS]
    if len(strange) > _MOST_STRANGE:
        raise RidgelineError(
            f"{where} has {len(strange):,} columns that are not known; a table of measurements has "
            f"{len(COLUMNS)} columns and a few more."
        )
    needed = (*_ESSENTIAL, "value") if measured else _ESSENTIAL
    missing = [n for n in needed if n not in places]
    if missing:
        hints = "".join(did_you_mean(n, strange, 1) for n in missing)
        listed = ", ".join(repr(n) for n in missing)
        if len(places) == 1 and any(mark in names[0] for mark in ";\t|"):
            hints = " Its columns seem to be separated by another mark than a comma."
        raise RidgelineError(
            f"{where} has no column {listed}.{hints} The first line of a table names its columns; "
            f"{', '.join(needed)} are needed."
        )
    for name in strange:
        # A column that is nearly one of ours would otherwise be left out without a word.
        near = did_you_mean(name, [c for c in COLUMNS if c not in places], 1)
        if near and len(name) > 3:
            raise RidgelineError(
                f"{where} has a column {name!r} that is not known.{near} "
                "Rename it, or delete it if it is to be left out."
            )
    return {name: i for name, i in places.items() if name in COLUMNS}


def number(text: str, column: str, *, above_zero: bool = True) -> float | None:
    """Read a cell; None where it is blank.

    Raises
    ------
    Fault   Not a finite number, or not positive.

    Examples
    --------
    >>> number(" 2.5e-3 ", "value"), number("", "value")
    (0.0025, None)
    """
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0 or (above_zero and value == 0) or value > _LARGEST:
        least = f"{'above' if above_zero else 'from'} 0 {'up ' * above_zero}to {_LARGEST:g}"
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        raise Fault("bad-number", f"{column} is {shown!r}; a number {least} is expected.")
    return value


def count(text: str, column: str) -> int | None:
    """Read a whole number from 1; None where it is blank.

    Raises
    ------
    Fault   Not a whole number, or below 1.
    """
    value = number(text, column)
    if value is None:
        return None
    if value != int(value) or value > 1e7:
        raise Fault("bad-number", f"{column} is {text.strip()!r}; a whole number is expected.")
    return int(value)
