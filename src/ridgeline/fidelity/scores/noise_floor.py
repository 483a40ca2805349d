"""How much the same run differs between releases and sources: the floor nothing is fitted below."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.splits import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.runs import Row, Run

__all__ = ["noise"]

_FEWEST_CELLS = 4

#: engine, version, source
_Who = tuple[str, str, str]


def _cell(row: Row, run: Run) -> tuple[Any, ...]:
    """What was run, whatever ran it; models of one shape do the same work."""
    return (
        shape_of(run.model), run.model.weight_dtype, run.model.kv_dtype, run.cluster.chip.id,
        run.n_chips, run.layout, run.regime, run.batch, run.concurrency, run.request_rate_per_s,
        run.isl, run.osl, row.metric,
    )  # fmt: skip


def _version_rank(version: str) -> tuple[int, ...]:
    return tuple(int(x) for x in re.findall(r"\d+", version))


def noise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Ratios between releases and engines on runs that are alike to the last stated input.

    Parameters
    ----------
    rows : sequence of Row

    Returns
    -------
    list of dict
        ``one``, ``other`` (engine, version, source), ``same_engine``, ``n_cells``, and of other
        over one ``median``, ``p10``, ``p90``; and ``error``, the median of exp|ln ratio| - 1. Of
        one engine the other is the newer release. Pairs with fewer than four cells are left out.
    """
    cells: dict[tuple[Any, ...], dict[_Who, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.status == OK and row.run is not None and row.value is not None:
            who = (row.run.engine, row.run.engine_version, row.source)
            cells[_cell(row, row.run)][who].append(row.value)
    ratios: dict[tuple[_Who, _Who], list[float]] = defaultdict(list)
    for measured in cells.values():
        ordered = sorted(measured, key=lambda w: (w[0], _version_rank(w[1]), w))
        for one, other in combinations(ordered, 2):
            ratios[one, other].append(float(np.mean(measured[other]) / np.mean(measured[one])))
    return [
        _pair(one, other, np.array(found))
        for (one, other), found in sorted(
            ratios.items(), key=lambda x: (x[0][0][0] != x[0][1][0], x[0])
        )
        if len(found) >= _FEWEST_CELLS
    ]


def _pair(one: _Who, other: _Who, ratio: np.ndarray) -> dict[str, Any]:
    low, middle, high = np.quantile(ratio, [0.1, 0.5, 0.9])
    return {
        "one": _name(one),
        "other": _name(other),
        "same_engine": one[0] == other[0],
        "n_cells": len(ratio),
        "median": float(middle),
        "p10": float(low),
        "p90": float(high),
        "error": float(np.median(np.expm1(np.abs(np.log(ratio))))),
    }


def _name(who: _Who) -> str:
    engine, version, source = who
    said = " ".join(x for x in (engine, version) if x)
    return f"{said} ({source})" if source else said
