"""The groups of rows that are predicted worst, and what the rows themselves tell of why."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.runs import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.runs import Row
    from ridgeline.fidelity.scores.splits import Unseen

__all__ = ["GROUP", "worst_groups"]

GROUP = ("source", "chip", "regime", "metric")
_FEWEST_ROWS = 10
#: medians of ln(predicted / measured) further apart than this are worth a word
_TELLING = 0.10

_SIZES: dict[str, Callable[[Row], float | None]] = {
    "batch": lambda r: r.run.batch if r.run else None,
    "concurrency": lambda r: r.run.concurrency if r.run else None,
    "request rate": lambda r: r.run.request_rate_per_s if r.run else None,
    "input": lambda r: r.run.isl if r.run else None,
    "output": lambda r: r.run.osl if r.run else None,
    "chips": lambda r: float(r.run.n_chips) if r.run else None,
}


def worst_groups(unseen: Sequence[Unseen], n: int = 10) -> list[dict[str, Any]]:
    """Groups of at least ten rows with the largest median error.

    Parameters
    ----------
    unseen : sequence of Unseen
    n : int   How many.

    Returns
    -------
    list of dict
        ``source``, ``chip``, ``regime``, ``metric``; ``n_rows``, ``median``, ``bias``; ``engine``;
        ``seen``, sentences drawn from the rows.
    """
    groups: dict[tuple[str, ...], list[tuple[Row, float]]] = defaultdict(list)
    for one in unseen:
        row, prediction = one.row, one.prediction
        if row.status == OK and prediction.status == OK and row.value:
            key = tuple(getattr(row, name) for name in GROUP)
            groups[key].append((row, float(np.log(prediction.value / row.value))))
    found = [
        _described(key, [r for r, _ in members], np.array([x for _, x in members]))
        for key, members in groups.items()
        if len(members) >= _FEWEST_ROWS
    ]
    return sorted(found, key=lambda g: -g["median"])[:n]


def _described(
    key: tuple[str, ...], rows: Sequence[Row], ratio: NDArray[np.float64]
) -> dict[str, Any]:
    engines = Counter(f"{r.run.engine} {r.run.engine_version}".strip() for r in rows if r.run)
    bias = float(np.median(ratio))
    return {
        **dict(zip(GROUP, key, strict=True)),
        "n_rows": len(rows),
        "median": float(np.median(np.expm1(np.abs(ratio)))),
        "bias": bias,
        "engine": engines.most_common(1)[0][0],
        "seen": _sentences(rows, ratio, bias),
    }


def _sentences(rows: Sequence[Row], ratio: NDArray[np.float64], bias: float) -> list[str]:
    said = []
    one_sided = float(np.mean(np.sign(ratio) == np.sign(bias)))
    if one_sided > 0.8:
        said.append(f"{one_sided:.0%} of rows {'too high' if bias > 0 else 'too low'}")
    for name, size in _SIZES.items():
        said += _trend(name, np.array([size(r) or np.nan for r in rows]), ratio)
    models = defaultdict(list)
    for row, x in zip(rows, ratio, strict=True):
        models[row.run.model.id if row.run else ""].append(x)
    if len(models) > 1:
        name, members = max(models.items(), key=lambda m: abs(np.median(m[1])) * len(m[1]) ** 0.5)
        if abs(np.median(members)) > abs(bias) + _TELLING:
            said.append(f"{name} {np.expm1(np.median(members)):+.0%} ({len(members)} rows)")
    return said


def _trend(name: str, sizes: NDArray[np.float64], ratio: NDArray[np.float64]) -> list[str]:
    known = np.isfinite(sizes)
    if known.sum() < _FEWEST_ROWS or len(np.unique(sizes[known])) < 2:
        return []
    middle = np.median(sizes[known])
    small, large = known & (sizes < middle), known & (sizes >= middle)
    if min(small.sum(), large.sum()) < 4:
        return []
    a, b = float(np.median(ratio[small])), float(np.median(ratio[large]))
    if abs(a - b) < 2 * _TELLING:
        return []
    return [f"{name} below {middle:g}: {np.expm1(a):+.0%}, from there: {np.expm1(b):+.0%}"]
