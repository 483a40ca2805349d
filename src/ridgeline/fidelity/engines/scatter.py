"""What remains of a prediction on what its fit has not seen: how wide an interval must be."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.kernels.effects import SCATTER_LEVELS
from ridgeline.kernels.spread import Z80
from ridgeline.specs.constants import Scatter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.runs import Row

    Floats = NDArray[np.float64]

__all__ = ["of_new_pairs", "scatters"]

_SHARE = 0.8
#: rows that the wider group counts for beside one's own
_PRIOR_ROWS = 15
_LEAST = 0.05
#: of pairs, where nothing tells
_USUAL_PAIR = 0.15
#: a new model comes with a new source, of which the rows left out keep other models
_HIDDEN = 1.08
#: a place that scatters less has mostly been measured by one source
_LEAST_FACTOR = 0.7
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


def of_new_pairs(
    rows: Sequence[Row],
    places: Sequence[Mapping[str, str]],
    residual: Floats,
    known: NDArray[np.bool_],
    scatter: Mapping[str, Scatter],
) -> Scatter:
    r"""Standard deviation that an engine on a chip adds where that pair was not measured.

    .. math:: P(|r| \le z_{80} \sqrt{s^2 + \tau^2}) = 0.8

    Parameters
    ----------
    rows, places   As for `scatters`.
    residual : array        Of rows whose pair was left out.
    known : array of bool   Rows whose engine and chip were both measured in other pairs.
    scatter : mapping       Of rows whose pair was measured: from `scatters`.
    """
    own = np.array([_own(row, place, scatter) for row, place in zip(rows, places, strict=True)])
    excess = (np.abs(residual[known]) / Z80) ** 2 - own[known] ** 2
    tau2 = float(np.quantile(excess, _SHARE)) if excess.size else _USUAL_PAIR**2
    return Scatter(sigma=round(max(tau2, _LEAST**2) ** 0.5, 3), n_rows=int(known.sum()))


def _own(row: Row, place: Mapping[str, str], scatter: Mapping[str, Scatter]) -> float:
    """What remains of a row where its pair is known."""
    sigma = scatter[_kind(row)].sigma if _kind(row) in scatter else _USUAL_PAIR
    for level in SCATTER_LEVELS:
        factor = scatter.get(place.get(level, ""))
        sigma *= factor.sigma if factor else 1.0
    return sigma


def _groups(
    rows: Sequence[Row], places: Sequence[Mapping[str, str]]
) -> dict[tuple[str, str], NDArray[np.intp]]:
    """Rows of each kind and of each place, widest level first."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (row, place) in enumerate(zip(rows, places, strict=True)):
        found["kind", _kind(row)].append(i)
        for level in SCATTER_LEVELS:
            if level in place:
                found[level, place[level]].append(i)
    order = ("kind", *SCATTER_LEVELS)
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
