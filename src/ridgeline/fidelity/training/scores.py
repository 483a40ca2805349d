"""How near predictions of training runs come: errors by group, coverage, out of memory."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.runs import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.fidelity.training.folds import UnseenRun
    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["OOM", "memory_verdicts", "score_line"]

OOM = "oom"
#: edges of the bins of the reliability curve
_EDGES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
_MISSED = 0.1


def score_line(
    unseen: Sequence[UnseenRun], keep: Callable[[TrainingRow], bool] = lambda _: True
) -> dict[str, Any]:
    r"""Score rows of numbers, those of a group averaged first.

    .. math:: e = |p - m| / m

    Returns
    -------
    dict   ``n_rows``, ``n_answered``, ``n_groups``; ``median``, ``mape``, ``p90`` and ``signed``
           (median of (p - m) / m) over groups; ``coverage``, the share of rows inside their
           interval; ``width``, the median of high / low. None where no row is answered.
    """
    chosen = [u for u in unseen if u.row.metric != OOM and keep(u.row)]
    good = [u for u in chosen if u.prediction.status == OK and u.row.value]
    found: dict[str, Any] = {"n_rows": len(chosen), "n_answered": len(good)}
    if not good:
        nothing = ("median", "mape", "p90", "signed", "coverage", "width")
        return found | {"n_groups": 0} | dict.fromkeys(nothing)
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    inside, width = [], []
    for u in good:
        measured, p = float(u.row.value or 0), u.prediction
        off = p.value / measured - 1
        groups[u.row.run.group if u.row.run else u.row.id].append((abs(off), off))
        inside.append(p.low <= measured <= p.high)
        width.append(p.high / p.low)
    means = np.array([np.mean(rows, axis=0) for rows in groups.values()])
    return found | {
        "n_groups": len(groups),
        "median": float(np.median(means[:, 0])),
        "mape": float(np.mean(means[:, 0])),
        "p90": float(np.quantile(means[:, 0], 0.9)),
        "signed": float(np.median(means[:, 1])),
        "coverage": float(np.mean(inside)),
        "width": float(np.median(width)),
    }


def memory_verdicts(unseen: Sequence[UnseenRun]) -> dict[str, Any]:
    """Score probabilities of running out of memory.

    Returns
    -------
    dict   ``n_rows``, ``n_answered``, ``n_failed``; ``right``, the share on the right side of a
           half; ``missed``, of real failures those given less than a tenth; ``brier``;
           ``reliability``, for bins of the probability its mean, the share that failed, and how
           many rows. None where no row is answered.
    """
    chosen = [u for u in unseen if u.row.metric == OOM]
    good = [u for u in chosen if u.prediction.status == OK and u.row.value is not None]
    found: dict[str, Any] = {"n_rows": len(chosen), "n_answered": len(good)}
    if not good:
        nothing = ("n_failed", "right", "missed", "brier", "reliability")
        return found | dict.fromkeys(nothing)
    p = np.array([u.prediction.value for u in good])
    failed = np.array([u.row.value == 1 for u in good])
    bins = []
    for low, high in pairwise(_EDGES):
        own = (p >= low) & ((p < high) | (high == 1.0))
        if own.any():
            bins.append(
                {
                    "from": low,
                    "to": high,
                    "predicted": float(p[own].mean()),
                    "failed": float(failed[own].mean()),
                    "n_rows": int(own.sum()),
                }
            )
    return found | {
        "n_failed": int(failed.sum()),
        "right": float(np.mean((p > 0.5) == failed)),
        "missed": float(np.mean(p[failed] < _MISSED)) if failed.any() else 0.0,
        "brier": float(np.mean((p - failed) ** 2)),
        "reliability": bins,
    }
