"""Every layout at every batch as a labelled grid: outcomes of all, details of what is looked at."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid import Axis, Column, LateColumns, Result, evaluate, logspace
from ridgeline.questions.layouts.grid import COLUMNS, PARTS
from ridgeline.questions.layouts.words import layout_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.grid.result import Index
    from ridgeline.questions.layouts.grid import Candidates

__all__ = ["evaluate_layouts"]

#: batches looked at between 1 and the largest that fits
N_BATCHES = 64


def evaluate_layouts(candidates: Candidates, batch: np.ndarray | None = None) -> Result:
    """Evaluate candidates at batches.

    Parameters
    ----------
    candidates : Candidates
    batch : 1-D array or None   Sequences in flight in one replica. None for 64 of them up to the
                                most that fit anywhere, and besides, for each layout, the most it
                                holds within the limits.

    Returns
    -------
    Result   Over the axes ``candidate`` and ``point``; the column ``layout`` names the first.
    """
    batches = _batches(candidates, batch)
    n_layouts, n_points = batches.shape

    axes = (
        Axis("candidate", np.arange(n_layouts), "", "layout"),
        Axis("point", np.arange(n_points), "", "batch"),
    )

    def outcomes(fields: Mapping[str, Any]) -> dict[str, Any]:
        index = fields["candidate"]
        return candidates.outcomes(index, batches[index, fields["point"]])

    found = evaluate(outcomes, [{axis.name: axis.values} for axis in axes])
    infeasible = found.pop("infeasible")
    names = tuple(layout_name(layout) for layout in candidates.layouts)
    which = np.broadcast_to(np.arange(n_layouts)[:, None], batches.shape)
    known = {"layout": Column(which, "", "layout", names)}
    known |= {name: Column(values, *COLUMNS[name]) for name, values in found.items()}

    columns = LateColumns(
        ("layout", *COLUMNS, *PARTS, "bound"), known, partial(_late, candidates, batches)
    )
    return Result(axes, columns, infeasible, candidates.reasons())


def _late(candidates: Candidates, batches: np.ndarray, at: Index | None) -> dict[str, Column]:
    """Details of all points, or of some, as columns."""
    if at is None:
        index, batch = np.arange(len(batches))[:, None], batches
    else:
        index, batch = at[0], batches[at]
    details = candidates.details(index, batch)
    found = {name: np.broadcast_to(values, batch.shape) for name, values in details.items()}
    codes = found.pop("bound").astype(int)
    columns = {name: Column(values, *_about(name)) for name, values in found.items()}
    return columns | {"bound": Column(codes, "", "bottleneck", candidates.base.how.bottlenecks)}


def _about(name: str) -> tuple[str, str]:
    """Unit and label of a column."""
    return COLUMNS[name] if name in COLUMNS else ("s", f"of the step, {PARTS[name]}")


def _batches(candidates: Candidates, batch: np.ndarray | None) -> np.ndarray:
    n = len(candidates.layouts)
    if batch is not None:
        return np.broadcast_to(batch, (n, len(batch)))
    most = max(float(candidates.fits.max(initial=1.0)), 1.0)
    per_octave = max(1, round((N_BATCHES - 1) / max(np.log2(most), 1.0)))
    ladder = logspace(1.0, most, per_octave=per_octave)
    edge = np.maximum(candidates.within_limits, 1.0)
    return np.concatenate([np.broadcast_to(ladder, (n, len(ladder))), edge[:, None]], axis=1)
