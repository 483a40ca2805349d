"""Which batches of a serving answer are worth a line, and what each of them marks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ridgeline.grid import Result

__all__ = ["cheapest", "knee", "marks", "telling"]

#: lines of a table of default batches
_LINES = 12
#: batches that were asked for are all shown, up to so many
_ASKED = 24
#: a batch this near a landmark tells nothing more
_NEAR = 1.34


def cheapest(result: Result, i: int) -> int | None:
    """The cheapest batch within the limits at one context; None where no batch keeps them.

    Parameters
    ----------
    result : Result   Over context and batch.
    i : int           Which context.
    """
    kept = (result.infeasible[i] == 0) & (result["within_limits"][i] > 0)
    if not kept.any():
        return None
    # A replica's price is one: most tokens per chip is least money per token.
    return int(np.where(kept, result["tokens_per_s_per_chip"][i], -1.0).argmax())


def knee(result: Result, i: int) -> int:
    """The batch beyond which cost falls by a smaller share than TPOT grows, at one context.

    Parameters
    ----------
    result : Result   Over context and batch.
    i : int           Which context.

    Returns
    -------
    int   The least product of cost and TPOT within the limits; of all that fit where none keeps
          them.
    """
    fits = result.infeasible[i] == 0
    kept = fits & (result["within_limits"][i] > 0)
    product = result["tpot_s"][i] / result["tokens_per_s_per_chip"][i]
    return int(np.where(kept if kept.any() else fits, product, np.inf).argmin())


def marks(
    result: Result, i: int, largest_batch: float, *, priced: bool, limited: bool
) -> dict[int, str]:
    """What is worth knowing of a batch, in words, by its number.

    Parameters
    ----------
    result : Result
    i : int                 Which context.
    largest_batch : float   The most sequences that fit at this context.
    priced, limited : bool  Whether there is a price; whether there are limits to keep.

    Returns
    -------
    dict   Where the bottleneck changes, the cheapest within the limits, the most that fits, and
           which batches miss the limits or do not fit.
    """
    batches, fits = result["batch"], result.infeasible[i] == 0
    said: dict[int, list[str]] = {}
    best = cheapest(result, i)
    if best is not None and len(batches) > 1:
        where = " in limits" if limited else ""
        said.setdefault(best, []).append(("cheapest" if priced else "best") + where)
    for j, name in _changes(result, i):
        verb = "take" if name == "weights" else "takes"
        said.setdefault(j, []).append(f"{name} {verb} over")
    last = _last(fits)
    if last is not None and batches[last] == np.floor(largest_batch):
        said.setdefault(last, []).append("most that fits")
    kept = result["within_limits"][i] > 0
    for j in range(len(batches)):
        if not fits[j]:
            said[j] = ["does not fit"]
        elif not kept[j] and (len(batches) == 1 or j not in said):
            said.setdefault(j, []).append("over limits")
    return {j: ", ".join(words) for j, words in said.items()}


def telling(result: Result, i: int, marked: dict[int, str]) -> list[int]:
    """Numbers of the batches that are worth a line.

    Parameters
    ----------
    result : Result
    i : int          Which context.
    marked : dict    From `marks`.

    Returns
    -------
    list of int   All of a short list; else about a dozen, even in doublings: those that are marked
                  and fit, the first, some between, and one beyond what fits.
    """
    batches, fits = result["batch"], result.infeasible[i] == 0
    if len(batches) <= _ASKED:
        return list(range(len(batches)))
    last = _last(fits)
    if last is None:
        return [0]
    landmarks = [j for j, words in marked.items() if fits[j] and words != "over limits"]
    must = sorted({0, last, *landmarks})
    beyond = _beyond(batches, last)
    powers = _powers(batches, batches[0], batches[last])
    far = [j for j in powers if all(abs(math.log(batches[j] / batches[m])) > math.log(_NEAR)
                                    for m in must)]  # fmt: skip
    stride = 1
    while stride < len(powers) and len(must) + len(beyond) + len(far) > _LINES:
        stride += 1
        kept = set(powers[::stride])
        far = [j for j in far if j in kept]
    return sorted({*must, *far, *beyond})


def _changes(result: Result, i: int) -> list[tuple[int, str]]:
    """The batches that fit at which a component becomes the bottleneck for the first time."""
    bound: Any = result["bound"][i]
    seen, found = {bound[0]}, []
    for j in range(1, len(bound)):
        if result.infeasible[i, j] == 0 and bound[j] not in seen:
            seen.add(bound[j])
            found.append((j, result.row((i, j))["bound"]))
    return found


def _last(fits: np.ndarray) -> int | None:
    return int(np.flatnonzero(fits)[-1]) if fits.any() else None


def _beyond(batches: np.ndarray, last: int) -> list[int]:
    """One batch that does not fit: the next power of two, as far as the row goes."""
    after = range(last + 1, len(batches))
    wanted = 2.0 ** (math.floor(math.log2(batches[last])) + 1)
    return sorted(after, key=lambda j: abs(math.log(batches[j] / wanted)))[:1]


def _powers(batches: np.ndarray, low: float, high: float) -> list[int]:
    """The batches nearest to powers of two."""
    powers = 2.0 ** np.arange(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
    return sorted({int(np.abs(np.log(batches / p)).argmin()) for p in powers})
