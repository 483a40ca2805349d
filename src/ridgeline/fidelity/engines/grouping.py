"""Cases in groups that are evaluated at once: by what they equal, layouts as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["alike", "as_layout", "codes", "degrees_of"]

_DEGREES = ("pp", "attn_dp", "tp", "ep")


def codes(each: Iterable[Any]) -> Ints:
    """Number things by what they equal, from 0 in the order in which they come."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(one, len(known)) for one in each], dtype=np.intp)


def alike(*each: Ints, at: Ints | None = None) -> Iterator[Ints]:
    """Places that have all their codes in common, group by group.

    Parameters
    ----------
    each : array of int          Codes, an entry a place.
    at : array of int or None    The places to be grouped; all where none are given.
    """
    at = np.arange(len(each[0])) if at is None else at
    if not at.size:
        return
    joint = np.zeros(len(at), dtype=np.intp)
    for one in each:
        joint = joint * (int(one.max()) + 1) + one[at]
    order = np.argsort(joint, kind="stable")
    yield from np.split(at[order], np.flatnonzero(np.diff(joint[order])) + 1)


def degrees_of(layouts: Sequence[Layout]) -> Floats:
    """Degrees of some layouts, a column each, as `as_layout` takes them."""
    rows = [(x.pp, x.attn_dp, x.tp, x.ep) for x in layouts]
    return np.array(rows, dtype=float).reshape(-1, len(_DEGREES)).T


def as_layout(degrees: Floats) -> Layout:
    """Layouts of one replica each as one whose degrees are arrays."""
    pp, attn_dp, tp, ep = degrees
    fields: dict[str, Any] = {"replicas": 1, "pp": pp, "attn_dp": attn_dp, "tp": tp, "ep": ep}
    return Layout.model_construct(None, **fields)
