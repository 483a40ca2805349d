"""Time all steps of a ledger at once, under effects that may differ from step to step.

What does not depend on effects (constants of kernels, peaks, rates) is gathered once, so that a fit
evaluates many thousands of steps in some hundredths of a second. Which law and constants an op uses
is `kernels.platform`'s to say, here as for a single step.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.kernels.laws import LAWS, host_s
from ridgeline.kernels.platform import Platform
from ridgeline.laws.overlap import two_batch_time_s
from ridgeline.replica.ledger import N_SUMS, Columns, Fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.replica.ledger import Ledger
    from ridgeline.specs.cluster import Cluster

    Floats = NDArray[np.float64]
    Effects = Mapping[str, Floats]

__all__ = ["HOST", "Timer"]

#: entries that are timed at once
_BLOCK = 1 << 14
#: effects on the host's time of a step
HOST = ("host_s", "sequence_s", "prompt_s")


@dataclass(frozen=True, slots=True)
class _Part:
    """Columns of one law, with the inputs of its kernels and which of them each entry has."""

    law: str
    step: NDArray[np.intp]
    of_sum: NDArray[np.int8]
    kernel: NDArray[np.int32]
    op: dict[str, Floats]
    inputs: dict[str, NDArray[Any]]

    def take(self, place: NDArray[np.intp]) -> _Part:
        """Columns of the steps that have a place among others, below zero where they have none."""
        step = place[self.step]
        here = np.flatnonzero(step >= 0)
        op = {name: values[here] for name, values in self.op.items()}
        return _Part(self.law, step[here], self.of_sum[here], self.kernel[here], op, self.inputs)

    def time_s(self, effects: Effects) -> Floats:
        """Seconds of each entry, all its repetitions together; block by block, in the cache."""
        found, law = np.empty(len(self.step)), LAWS[self.law]
        for first in range(0, len(found), _BLOCK):
            at = slice(first, first + _BLOCK)
            step, kernel = self.step[at], self.kernel[at]
            op = Fields({name: values[at] for name, values in self.op.items()})
            inputs = {name: values[kernel] for name, values in self.inputs.items()}
            here = {name: effects[name][step] for name in law.needs}
            found[at] = self.op["repeat"][at] * law.time_s(op, inputs, here)
        return found


class Timer:
    """The steps of a ledger on their machines.

    Parameters
    ----------
    ledger : Ledger           Its columns are used up.
    clusters : sequence of Cluster
    of_step : array of int    Which of the clusters each step runs on.
    """

    def __init__(
        self, ledger: Ledger, clusters: Sequence[Cluster], of_step: NDArray[np.intp]
    ) -> None:
        self.n_steps = ledger.n_steps
        platforms = [Platform(cluster) for cluster in clusters]
        self._parts: dict[str, list[_Part]] = {name: [] for name in LAWS}
        self._prompts = np.zeros(self.n_steps)
        self._imbalance = ledger.stage_imbalance
        self._host = ledger.host_inputs
        self._splits = ledger.splits
        # All in one where no step may be split: sums cost as much as they are many.
        self._n_sums = N_SUMS if self._splits.any() else 1
        prompts = np.array([key.phase == "prefill" for key in ledger.keys])
        for columns in ledger.columns():
            self._prompts[columns.step[prompts[columns.tag]]] = 1.0
            for part in _by_law(columns, ledger, platforms, of_step):
                self._parts[part.law].append(part)

    def take(self, steps: NDArray[np.intp]) -> Timer:
        """The timer of some of the steps.

        Parameters
        ----------
        steps : array of int   Each once.
        """
        place = np.full(self.n_steps, -1, dtype=np.intp)
        place[steps] = np.arange(len(steps))
        found = copy(self)
        found.n_steps = len(steps)
        found._parts = {law: [p.take(place) for p in parts] for law, parts in self._parts.items()}
        found._prompts, found._splits = self._prompts[steps], self._splits[steps]
        found._imbalance, found._host = self._imbalance[steps], self._host[:, steps]
        return found

    def times(self, effects: Effects, known: Mapping[str, Floats] | None = None) -> dict:
        """Time of each step on the chips, by law.

        Parameters
        ----------
        effects : mapping           Name of an effect to its value at each step.
        known : mapping or None     Laws that need not be timed again.

        Returns
        -------
        dict of str to array   Sums of each step's ops, a row each: see `ledger.N_SUMS`; one row
                               where no step may run in two micro-batches. [s]
        """
        gap = effects["gap_s"] + effects["eager_s"] * self._prompts
        effects = {**effects, "gap_s": gap}
        found = dict(known or {})
        for law in LAWS:
            if law not in found:
                found[law] = self._time(law, effects)
        return found

    def chips_s(self, device: Mapping[str, Floats]) -> Floats:
        """Steps on the chips, at the pace of the fullest pipeline stage. [s]

        Parameters
        ----------
        device : mapping   From `times`.
        """
        sums = np.sum(list(device.values()), axis=0)
        if self._n_sums == 1:
            return sums[0] * self._imbalance
        outside, within, *half = sums
        layers = np.where(self._splits, np.minimum(two_batch_time_s(*half), within), within)
        return (outside + layers) * self._imbalance

    def host_s(self, effects: Effects) -> Floats:
        """Time that chips wait for the host in each step. [s]

        Parameters
        ----------
        effects : mapping   `HOST` at each step. [s]
        """
        return host_s(effects, *self._host)

    def _time(self, law: str, effects: Effects) -> Floats:
        n, rows = self.n_steps, self._n_sums
        total = np.zeros(rows * n)
        for part in self._parts[law]:
            at = part.step if rows == 1 else part.of_sum.astype(np.intp) * n + part.step
            total += np.bincount(at, weights=part.time_s(effects), minlength=rows * n)
        return total.reshape(rows, n)


def _by_law(
    columns: Columns,
    ledger: Ledger,
    platforms: Sequence[Platform],
    of_step: NDArray[np.intp],
) -> list[_Part]:
    """Split columns of one kind by the law of their kernels, and look up the inputs of each."""
    n_keys = len(ledger.keys)
    code = of_step[columns.step] * n_keys + columns.tag
    # Codes are few, entries many: a table is faster than sorting.
    present = np.zeros(len(platforms) * n_keys, dtype=bool)
    present[code] = True
    unique = np.flatnonzero(present).tolist()
    kernels = [platforms[c // n_keys].kernel(ledger.keys[c % n_keys]) for c in unique]
    found, of_sum = [], np.array(ledger.sums, dtype=np.int8)
    law_of, row_of = (np.zeros(len(present), dtype=np.intp) for _ in range(2))
    laws = list(dict.fromkeys(k.law for k in kernels))
    law_of[unique] = [laws.index(k.law) for k in kernels]
    of_entry = law_of[code]
    for i, law in enumerate(laws):
        own = [k for k in kernels if k.law == law]
        row_of[[c for c, k in zip(unique, kernels, strict=True) if k.law == law]] = range(len(own))
        here = np.flatnonzero(of_entry == i)
        kernel = row_of[code[here]].astype(np.int32)
        inputs = {name: np.array([k.inputs[name] for k in own]) for name in own[0].inputs}
        values = {name: columns[name][here] for name in ("repeat", *LAWS[law].reads)}
        sums = of_sum[columns.tag[here]]
        found.append(_Part(law, columns.step[here], sums, kernel, values, inputs))
    return found
