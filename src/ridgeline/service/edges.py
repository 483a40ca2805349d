"""The largest of something that keeps terms, of many rows at once, with few questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["largest_kept"]

#: halvings that are asked at once: what each may ask, whatever those before it say
_AHEAD = 3


class _Bracket(NamedTuple):
    """Between which values of each row the edge lies, and the next that is asked."""

    low: Any
    high: Any
    asked: Any

    def narrowed(self, good: Any, between: Callable[[Any, Any], Any]) -> _Bracket:
        """The same where terms are kept at what was asked, or not."""
        low, high = np.where(good, self.asked, self.low), np.where(good, self.high, self.asked)
        return _Bracket(low, high, between(low, high))


def largest_kept(
    low: Any,
    high: Any,
    kept: Callable[[Any], Any],
    between: Callable[[Any, Any], Any],
    *,
    halvings: int,
    first: Any = None,
    close: float = 0.0,
) -> Any:
    """Halve brackets, all rows at once.

    Parameters
    ----------
    low, high : 1-D array   Of each row: at which terms are kept, and at which they are not.
    kept : callable         From values, a row each and several per row, to whether terms are kept.
    between : callable      From low and high to what is asked next.
    halvings : int          At most so many.
    first : 1-D array or None   What is asked first; None for what lies between.
    close : float           Brackets no wider than this are not halved.

    Returns
    -------
    1-D array   The largest at which terms were found to be kept.

    Examples
    --------
    >>> import numpy as np
    >>> squares = lambda x: x**2 <= np.array([[2.0], [9.0]])
    >>> middle = lambda low, high: (low + high) / 2
    >>> largest_kept(np.zeros(2), np.full(2, 8.0), squares, middle, halvings=30).round(3).tolist()
    [1.414, 3.0]
    """
    at = _Bracket(low, high, between(low, high) if first is None else first)
    rows = np.arange(len(at.low))
    for done in range(0, halvings, _AHEAD):
        ahead = min(_AHEAD, halvings - done)
        tree = [at]
        for node in range(2 ** (ahead - 1) - 1):
            tree += [tree[node].narrowed(good, between) for good in (False, True)]
        found = kept(np.stack([one.asked for one in tree], axis=1))
        node = np.zeros(len(rows), dtype=int)
        for _ in range(ahead):
            good = found[rows, node]
            at, node = at.narrowed(good, between), 2 * node + 1 + good
        if (at.high - at.low <= close).all():
            break
    return at.low
