"""Find where a monotone curve crosses a limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["last_true"]

_HALVINGS = 48


def last_true(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The largest value at which something still holds that stops holding once, going up.

    Parameters
    ----------
    holds : callable   From a value to whether it holds.
    low, high : float  ``0 < low < high``: where to look, by ratio.

    Returns
    -------
    float   0.0 where it does not hold even at `low`; inf where it still holds at `high`.

    Examples
    --------
    >>> round(last_true(lambda x: x * x <= 2, 1e-3, 1e3), 6)
    1.414214
    """
    if not holds(low):
        return 0.0
    if holds(high):
        return math.inf
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
