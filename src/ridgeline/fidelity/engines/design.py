"""Which unknown stands for what: a factor for each effect at each place that was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ridgeline.kernels.effects import EFFECTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.specs.constants import EngineConstants

    Floats = NDArray[np.float64]

__all__ = ["Design"]


class Design:
    """Unknowns on the log scale, and which of them make up each effect of each case.

    A place that holds the same cases as the place above it shares what is found with it, by their
    spreads: the next place beside it begins with the share of the one above.

    Parameters
    ----------
    places : sequence of mapping   Level to place, for each case.

    Attributes
    ----------
    names : list of (effect, level, place)
    prior, spread : array          Expected value of each unknown, and its standard deviation.
    index : mapping of effect to array   Unknowns of each case; past the end where there is none.
    """

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        self.n_cases = len(places)
        self.names: list[tuple[str, str, str]] = []
        prior: list[float] = []
        spread: list[float] = []
        columns: dict[str, list[NDArray[np.intp]]] = {}
        members = {
            level: _members(places, level)
            for level in dict.fromkeys(x for kind in EFFECTS.values() for x in kind.levels)
        }
        for effect, kind in EFFECTS.items():
            columns[effect] = []
            for level in kind.levels:
                column = np.full(self.n_cases, -1, dtype=np.intp)
                for place, here in members[level].items():
                    column[here] = len(self.names)
                    self.names.append((effect, level, place))
                    prior.append(np.log(kind.prior) if level == "all" else 0.0)
                    spread.append(kind.spread[level])
                columns[effect].append(column)
        self.prior, self.spread = np.array(prior), np.array(spread)
        none = len(self.names)
        self.index = {
            effect: np.where(np.array(c) < 0, none, np.array(c)) for effect, c in columns.items()
        }

    def __len__(self) -> int:
        return len(self.names)

    def effects(self, unknowns: Floats) -> dict[str, Floats]:
        """Effects of each case. [1 or s]"""
        padded = np.append(unknowns, 0.0)
        return {name: np.exp(padded[index].sum(axis=0)) for name, index in self.index.items()}

    def jacobian(
        self, slopes: Mapping[str, Floats], rows: NDArray[np.intp], case: NDArray[np.intp]
    ) -> Floats:
        """D ln(row) / d unknown, from the slopes to whole effects.

        Parameters
        ----------
        slopes : mapping   Of an `Evaluator`, an entry a row.
        rows, case : array of int   Rows that are wanted, and the case of each row of the table.
        """
        found = np.zeros((len(rows), len(self) + 1))
        line = np.arange(len(rows))
        for name, index in self.index.items():
            for column in index:
                found[line, column[case[rows]]] += slopes[name][rows]
        return found[:, :-1]

    def start(self, constants: EngineConstants | None) -> Floats:
        """Where a search begins: at constants fitted before, or at what is expected."""
        start = self.prior.copy()
        for i, (effect, _, place) in enumerate(self.names):
            known = constants.effects.get(effect) if constants else None
            if known and place in known.factors:
                start[i] = np.log(known.factors[place].value)
        return start


def _members(places: Sequence[Mapping[str, str]], level: str) -> dict[str, NDArray[np.bool_]]:
    names = np.array([p.get(level, "") for p in places])
    return {str(name): names == name for name in np.unique(names) if name}
