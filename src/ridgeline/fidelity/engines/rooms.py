"""Which cases memory has room for, and for how many sequences: all cases of a plan at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.grouping import alike, as_layout, codes, degrees_of
from ridgeline.service.slots import memory_slots
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.assumptions import Assumed
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["Rooms"]


class Rooms:
    """Sequences whose caches fit, of cases that share a model and a chip in one evaluation.

    Attributes
    ----------
    holds : array of bool   Whether the chips of each case can hold the weights.
    """

    def __init__(self, cases: Sequence[Assumed]) -> None:
        self._cases = cases
        self._degrees = degrees_of([case.layout for case in cases])
        self._model = codes(id(case.run.model) for case in cases)
        self._chip = codes(case.run.cluster.chip.id for case in cases)
        self._drafts = np.array([case.run.drafting.drafts > 0 for case in cases], dtype=np.intp)
        chips = [case.run.cluster.chip for case in cases]
        self._capacity = np.array([chip.memory.capacity for chip in chips], dtype=float)
        usable = np.array([chip_capacity_bytes(chip) for chip in chips], dtype=float)
        self.holds = np.ones(len(cases), dtype=bool)
        for here in self._groups():
            run, layout, drafts = self._of(here)
            held = memory_per_chip(run.model, layout, 1.0, drafts=drafts)
            self.holds[here] = held.weights_bytes <= usable[here]

    def fit(self, engines: Sequence[Engine], at: Ints, context: Floats) -> Floats:
        """Sequences of a replica, not rounded; inf where the chips cannot hold the weights.

        Parameters
        ----------
        engines : sequence of Engine   Of each of these cases, as it is set up.
        at : array of int              Cases that are asked about.
        context : array                Tokens a sequence keeps, of each of these. [tokens]
        """
        found = np.full(len(self._cases), np.inf)
        kept, set_up = np.zeros(len(self._cases)), np.zeros(len(self._cases), dtype=np.intp)
        settings = {id(one): _settings(one) for one in engines}
        kept[at], set_up[at] = context, codes(settings[id(one)] for one in engines)
        of_code = dict(zip(set_up[at].tolist(), engines, strict=True))
        for here in self._groups(self._chip, set_up, at=at[self.holds[at]]):
            run, layout, drafts = self._of(here)
            engine = of_code[int(set_up[here[0]])]
            found[here] = memory_slots(
                run.model, run.cluster, layout, engine, kept[here], drafts=drafts
            )
        return found[at]

    def lacks(self, at: Ints, tokens: Floats, n: Floats) -> list[str]:
        """Why so many sequences of so many tokens cannot be run; empty where they can.

        Memory is the chip's whole: what an engine keeps free of it is less certain, and can be set.
        Weights that do not fit are refused where their format is stated and the chip has one size
        of memory; else one of both is taken to be other than what we know.
        """
        asked, room = np.zeros(len(self._cases)), np.full(len(self._cases), np.inf)
        asked[at] = tokens
        for here in self._groups(at=at[self.holds[at]]):
            run, layout, drafts = self._of(here)
            held = memory_per_chip(run.model, layout, asked[here], drafts=drafts)
            room[here] = held.largest_batch(self._capacity[here])
        said = [""] * len(at)
        for j in np.flatnonzero(~self.holds[at] | ~(room[at] >= n)):
            if self.holds[at[j]]:
                said[j] = _no_room(float(tokens[j]), float(n[j]), float(room[at[j]]))
            elif self._is_sure(self._cases[at[j]]):
                said[j] = "the weights are larger than the memory of the chips"
        return said

    @staticmethod
    def _is_sure(case: Assumed) -> bool:
        return "weight_dtype" in case.run.stated and case.run.cluster.chip.kind != "local"

    def _groups(self, *more: Ints, at: Ints | None = None) -> Iterator[Ints]:
        return alike(self._model, self._drafts, *more, at=at)

    def _of(self, here: Ints) -> tuple[Any, Layout, bool]:
        """A run of a group, the layouts of all of it, and whether it drafts."""
        layout = as_layout(self._degrees[:, here])
        return self._cases[here[0]].run, layout, bool(self._drafts[here[0]])


def _settings(engine: Engine) -> tuple[Any, ...]:
    """What of an engine memory depends on."""
    return (engine.id, engine.token_budget, engine.max_sequences, engine.starts)


def _no_room(tokens: float, n: float, room: float) -> str:
    what = "a sequence" if n == 1 else f"{n:,.0f} sequences"
    return f"{what} of {tokens:,.0f} tokens, where memory has room for {max(room, 0.0):.2g}"
