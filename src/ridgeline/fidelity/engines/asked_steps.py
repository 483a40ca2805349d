"""Steps that a plan asks for, laid out model by model and made ready to be timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.grouping import alike, codes
from ridgeline.replica.ledger import Ledger, Steps
from ridgeline.replica.timer import Timer
from ridgeline.steps.counting import ExpertRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.assumptions import Assumed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["AskedSteps"]


class AskedSteps:
    """Steps asked for, in the order asked; counted model by model."""

    def __init__(self) -> None:
        self.n = 0
        self._case: list[Ints] = []
        self._loads: list[Floats] = []

    def add(
        self,
        case: Ints,
        *,
        n_decode: Any = 0.0,
        context: Any = 1.0,
        n_prefill: Any = 0.0,
        new: Any = 1.0,
        prefix: Any = 0.0,
        starting: Any = None,
        drafts: Any = 0.0,
    ) -> Ints:
        """Ask for a step of each of these cases, and say which ones they are."""
        starting = n_prefill if starting is None else starting
        loads = (n_decode, context, n_prefill, new, prefix, starting, drafts)
        block = np.empty((len(loads), len(case)))
        for row, values in zip(block, loads, strict=True):
            row[:] = values
        self._case.append(case)
        self._loads.append(block)
        self.n += len(case)
        return np.arange(self.n - len(case), self.n)

    def timed(self, cases: Sequence[Assumed]) -> tuple[Timer, Ints, Ints]:
        """The timer, where each asked step lies in it, and the case of each of its steps."""
        case = np.concatenate([np.empty(0, dtype=np.intp), *self._case])
        loads = np.concatenate([np.empty((7, 0)), *self._loads], axis=1)
        ledger, at = Ledger(), np.zeros(self.n, dtype=np.intp)
        models = codes(id(one.run.model) for one in cases)
        clusters = codes(id(one.run.cluster) for one in cases)
        shared = _shared(cases)
        for here in alike(models[case]):
            model = cases[int(case[here[0]])].run.model
            where = ledger.add(
                Steps(
                    model,
                    *shared[:5, case[here]],
                    *loads[:, here],
                    rules=ExpertRules(*shared[5:, case[here]]),
                )
            )
            at[here] = np.arange(where.start, where.stop)
        case_of = np.zeros(self.n, dtype=np.intp)
        case_of[at] = case
        firsts = np.unique(clusters, return_index=True)[1]
        machines = [cases[i].run.cluster for i in firsts]
        return Timer(ledger, machines, clusters[case_of]), at, case_of


def _shared(cases: Sequence[Assumed]) -> Floats:
    """What all steps of a case share, a column a case: degrees, the domain, rules of experts."""
    rules: dict[tuple[int, int], ExpertRules] = {}
    found = np.empty((5 + len(ExpertRules._fields), len(cases)))
    for i, case in enumerate(cases):
        key = (id(case.engine), id(case.era))
        if key not in rules:
            rules[key] = ExpertRules.of(case.engine, case.era)
        at = case.layout
        domain = case.run.cluster.domain_size
        found[:, i] = (at.tp, at.pp, at.attn_dp, at.ep, domain, *rules[key])
    return found
