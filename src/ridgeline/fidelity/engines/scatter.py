"""What remains of a prediction on what its fit has not seen: how wide an interval must be."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.specs.constants import Scatter
from ridgeline.steps.spread import Z80

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.runs import Row
    from ridgeline.specs.constants import EngineConstants

    Floats = NDArray[np.float64]

__all__ = ["Z80", "scatter_of", "scatters"]

_SHARE = 0.8
#: rows that the wider group counts for beside one's own
_PRIOR_ROWS = 15
_LEAST, _USUAL = 0.05, 0.25
#: folds keep other models of the same source: a new source differs by a little more
_HIDDEN = 1.12
#: a place that scatters less has mostly been measured by one source
_LEAST_FACTOR = 0.85
#: levels at which some places scatter more than others, widest first
_LEVELS = ("engine", "era", "port_chip", "chip")


def scatters(
    rows: Sequence[Row],
    places: Sequence[Mapping[str, str]],
    residual: Floats,
    known: NDArray[np.bool_],
) -> dict[str, Scatter]:
    """Half-widths that hold four fifths of the rows, by regime and metric; and by place.

    Parameters
    ----------
    rows : sequence of Row
    places : sequence of mapping   Of each row.
    residual : array        ln(predicted / measured) of rows whose model was left out.
    known : array of bool   Rows all of whose places were measured on other models: only they tell
                            what remains; what a new place adds is told by its level.

    Returns
    -------
    dict of str to Scatter
        ``closed tpot_s`` has a standard deviation; a place such as ``era vllm-2024`` the factor by
        which its rows scatter more than others.
    """
    rows = [row for row, k in zip(rows, known, strict=True) if k]
    places = [place for place, k in zip(places, known, strict=True) if k]
    size = np.abs(residual)[known]
    found: dict[str, Scatter] = {}
    kinds = np.array([_kind(row) for row in rows])
    regimes = np.array([row.run.regime if row.run else "" for row in rows])
    relative = np.ones(len(rows))
    for kind in np.unique(kinds):
        here = kinds == kind
        wide = _width(size[regimes == regimes[here][0]])
        n = int(here.sum())
        sigma = _between(_width(size[here]), n, wide)
        sigma = max(sigma, _LEAST)
        found[str(kind)] = Scatter(sigma=round(_HIDDEN * sigma, 3), n_rows=n)
        relative[here] = size[here] / sigma
    for level in _LEVELS:
        groups = defaultdict(list)
        for i, place in enumerate(places):
            if level in place:
                groups[place[level]].append(i)
        for name in sorted(groups):
            here = np.array(groups[name])
            factor = max(_between(_width(relative[here]), len(here), 1.0), _LEAST_FACTOR)
            found[name] = Scatter(sigma=round(factor, 3), n_rows=len(here))
            relative[here] /= found[name].sigma
    return found


def _kind(row: Row) -> str:
    return f"{row.run.regime if row.run else ''} {row.metric}"


def _width(size: Floats) -> float:
    """Standard deviation of a normal of which as much lies within as of the rows."""
    return float(np.quantile(size, _SHARE)) / Z80


def _between(own: float, n: int, wide: float) -> float:
    logs = (n * np.log(max(own, 1e-3)) + _PRIOR_ROWS * np.log(max(wide, 1e-3))) / (n + _PRIOR_ROWS)
    return float(np.exp(logs))


def scatter_of(
    constants: EngineConstants, regime: str, metric: str, places: Mapping[str, str]
) -> float:
    """Standard deviation of ln(predicted / measured) for a row at these places."""
    own = constants.scatter.get(f"{regime} {metric}")
    if own is None:
        alike = [s.sigma for k, s in constants.scatter.items() if k.startswith(f"{regime} ")]
        sigma = max(alike, default=_USUAL)
    else:
        sigma = own.sigma
    for level in _LEVELS:
        factor = constants.scatter.get(places.get(level, ""))
        sigma *= factor.sigma if factor else 1.0
    return sigma
