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
#: a new model comes with a new source, of which the rows left out keep other models
_HIDDEN = 1.08
#: a place that scatters less has mostly been measured by one source
_LEAST_FACTOR = 0.7
#: levels at which some places scatter more than others, widest first
_LEVELS = ("engine", "era", "port_chip", "chip")
#: each group is fitted to what the others leave, in turn
_ROUNDS = 4


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
    groups = _groups(rows, places)
    regimes = np.array([row.run.regime if row.run else "" for row in rows])
    sigma = dict.fromkeys(groups, 1.0)
    of_kind, of_places = np.ones(len(rows)), np.ones(len(rows))
    for _ in range(_ROUNDS):
        for key, here in groups.items():
            if key[0] == "kind":
                alike = regimes == regimes[here[0]]
                own, wide = (_width(size[i] / of_places[i]) for i in (here, alike))
                of_kind[here] = sigma[key] = max(_between(own, len(here), wide), _LEAST)
            else:
                of_places[here] /= sigma[key]
                own = _width(size[here] / (of_kind[here] * of_places[here]))
                sigma[key] = max(_between(own, len(here), 1.0), _LEAST_FACTOR)
                of_places[here] *= sigma[key]
    return {
        name: Scatter(
            sigma=round(sigma[level, name] * (_HIDDEN if level == "kind" else 1.0), 3),
            n_rows=len(here),
        )
        for (level, name), here in groups.items()
    }


def _groups(
    rows: Sequence[Row], places: Sequence[Mapping[str, str]]
) -> dict[tuple[str, str], NDArray[np.intp]]:
    """Rows of each kind and of each place, widest level first."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (row, place) in enumerate(zip(rows, places, strict=True)):
        found["kind", _kind(row)].append(i)
        for level in _LEVELS:
            if level in place:
                found[level, place[level]].append(i)
    order = ("kind", *_LEVELS)
    keys = sorted(found, key=lambda key: (order.index(key[0]), key[1]))
    return {key: np.array(found[key]) for key in keys}


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
