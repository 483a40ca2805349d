"""Which unknown stands for what: a factor for each effect at each place that was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ridgeline.kernels.effects import EFFECTS, assumed_at, factors_of, resolved_over
from ridgeline.kernels.kin import spread_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.effects import EffectKind

    Floats = NDArray[np.float64]

__all__ = ["Design"]

#: sigmas are written with three digits behind the point
_LEAST_SIGMA = 1e-3
#: levels from wide to narrow
_OF_CHIPS = ("family", "chip")
_OF_ENGINES = ("age", "core", "engine", "framework", "era", "port", "port_chip")


class Design:
    """Unknowns on the log scale, and which of them make up each effect of each case.

    A place that holds the same cases as the place above it shares what is found with it, by their
    spreads: the next place beside it begins with the share of the one above.

    Parameters
    ----------
    places : sequence of mapping   Level to place, for each case.
    held_to : EngineConstants or None
        Constants fitted before: each factor is then expected where it was found, within its
        standard deviation. Of the factors of a case the narrowest move, of its chip and of its
        engine, and those that were not fitted before; what others rest on as well stays.
    members : sequence of sequence of mapping or None
        With `held_to`: places of each engine that a case's engine stands for.
    kinds : mapping   The effects: of serving engines, if nothing else is given.

    Attributes
    ----------
    names : list of (effect, level, place)
    prior, spread : array          Expected value of each unknown, and its standard deviation.
    index : mapping of effect to array   Unknowns of each case; past the end where there is none.
    """

    def __init__(
        self,
        places: Sequence[Mapping[str, str]],
        held_to: EngineConstants | None = None,
        members: Sequence[Sequence[Mapping[str, str]]] | None = None,
        kinds: Mapping[str, EffectKind] = EFFECTS,
    ) -> None:
        self.kinds = kinds
        self.n_cases = len(places)
        self.names: list[tuple[str, str, str]] = []
        prior: list[float] = []
        spread: list[float] = []
        columns: dict[str, list[NDArray[np.intp]]] = {}
        at = {
            level: _members(places, level)
            for level in dict.fromkeys(x for kind in kinds.values() for x in kind.levels)
        }
        for effect, kind in kinds.items():
            columns[effect] = []
            for level in kind.levels:
                column = np.full(self.n_cases, -1, dtype=np.intp)
                for place, here in at[level].items():
                    column[here] = len(self.names)
                    self.names.append((effect, level, place))
                    expected, within = _expected(kind, held_to, effect, level, place)
                    prior.append(expected)
                    spread.append(within)
                columns[effect].append(column)
        self.prior, self.spread = np.array(prior), np.array(spread)
        none = len(self.names)
        self.index = {
            effect: np.where(np.array(c) < 0, none, np.array(c)) for effect, c in columns.items()
        }
        self._offset = dict.fromkeys(kinds, np.zeros(self.n_cases))
        if held_to is not None:
            self._hold(held_to, places, members or [[place] for place in places])

    def _hold(
        self,
        constants: EngineConstants,
        places: Sequence[Mapping[str, str]],
        members: Sequence[Sequence[Mapping[str, str]]],
    ) -> None:
        """Begin each case at what the constants say of it, and let few factors move."""
        none, prior = len(self), np.append(self.prior, 0.0)
        found = [resolved_over(constants, each, self.kinds) for each in members]
        for effect, index in self.index.items():
            for i, (place, each) in enumerate(zip(places, members, strict=True)):
                free = _free(self.kinds[effect], constants, effect, place, several=len(each) > 1)
                held = [level not in free for level in self.kinds[effect].levels]
                index[held, i] = none
            value = np.log([resolved[effect].value for resolved in found])
            self._offset[effect] = value - prior[index].sum(axis=0)

    def __len__(self) -> int:
        return len(self.names)

    def effects(self, unknowns: Floats) -> dict[str, Floats]:
        """Effects of each case. [1 or s]"""
        padded = np.append(unknowns, 0.0)
        return {
            name: np.exp(padded[index].sum(axis=0) + self._offset[name])
            for name, index in self.index.items()
        }

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


def _expected(
    kind: EffectKind, held_to: EngineConstants | None, effect: str, level: str, place: str
) -> tuple[float, float]:
    """What is expected of a factor on the log scale, and its standard deviation."""
    usual = np.log(kind.prior) if level == "all" else 0.0, kind.spread[level]
    if held_to is None:
        return usual
    own, before = factors_of(held_to, effect, level, place)
    if own is not None:
        return np.log(own.value), max(own.sigma, _LEAST_SIGMA)
    within = spread_at(kind.spread[level], held_to.effects.get(effect), level, place)
    # A release that follows another begins where that one was found, as far off as any may be.
    return usual[0] if before is None else np.log(before.value), within


def _free(
    kind: EffectKind,
    constants: EngineConstants,
    effect: str,
    place: Mapping[str, str],
    *,
    several: bool,
) -> set[str]:
    """Levels at which an effect of a case may move from constants fitted before.

    Parameters
    ----------
    several : bool   The case's engine stands for several, whose factors are theirs.
    """
    if assumed_at(effect, place) is not None:
        return set()
    free = set()
    for axis in (_OF_CHIPS,) if several else (_OF_CHIPS, _OF_ENGINES):
        own = [level for level in kind.levels if level in axis and level in place]
        free.update(own[-1:])
        free.update(x for x in own if factors_of(constants, effect, x, place[x]) == (None, None))
    return free


def _members(places: Sequence[Mapping[str, str]], level: str) -> dict[str, NDArray[np.bool_]]:
    names = np.array([p.get(level, "") for p in places])
    return {str(name): names == name for name in np.unique(names) if name}
