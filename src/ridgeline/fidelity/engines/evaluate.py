"""Predict the rows of a table under given effects; everything but the effects is prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.plan import plan
from ridgeline.fidelity.engines.steady import TAIL_FIRST, TAIL_GAP, fixed, served
from ridgeline.steps.effects import EFFECTS
from ridgeline.steps.timer import NEEDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.steady import Measured
    from ridgeline.fidelity.runs import Row

    Floats = NDArray[np.float64]

__all__ = ["Evaluator"]

_TINY = 1e-300
#: an open loop that falls behind by no more than this keeps up
_SERVED = 1e-6
#: metrics that are not times: more is faster
RATES = (
    "output_tokens_per_s", "output_tokens_per_s_per_chip", "total_tokens_per_s",
    "prefill_tokens_per_s",
)  # fmt: skip


class Evaluator:
    """Rows with their plan.

    Parameters
    ----------
    rows : sequence of Row   Each with a run and a metric that is a time or a rate.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        runs = list({id(row.run): row.run for row in rows if row.run is not None}.values())
        index = {id(run): i for i, run in enumerate(runs)}
        self.plan = plan(runs)
        self.run_of_row = np.array([index[id(row.run)] for row in rows], dtype=np.intp)
        self.metric = np.array([row.metric for row in rows])
        self._first_case = np.array([cases[0] for cases in self.plan.of_run], dtype=np.intp)
        self._several = [i for i, cases in enumerate(self.plan.of_run) if len(cases) > 1]

    def step_effects(self, effects: Mapping[str, Floats]) -> dict[str, Floats]:
        """Effects of cases as the timer wants them: an entry a step."""
        wanted = {name for names in NEEDS.values() for name in names} | {"eager_s"}
        spread = {name: effects[name][self.plan.step_case] for name in wanted}
        spread["compute"] = spread["compute"] * self.plan.arrays["double"][self.plan.step_case]
        return spread

    def device(
        self, effects: Mapping[str, Floats], known: Mapping[str, Floats] | None = None
    ) -> dict[str, Floats]:
        """Time of each step on the chips, by kind of piece; `known` kinds are taken as they are."""
        return self.plan.timer.times(self.step_effects(effects), known)

    def log_rows(
        self, effects: Mapping[str, Floats], device: Mapping[str, Floats] | None = None
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Predict ln of each row, and say which case of its run was taken.

        Parameters
        ----------
        effects : mapping   Name to value, an entry a case. [1 or s]
        device : mapping or None   From `device`, where it is known already.
        """
        parts = device if device is not None else self.device(effects)
        dev_s = np.sum(list(parts.values()), axis=0)
        found = _measured(self.plan, dev_s, effects)
        case = self._chosen(found["output_tokens_per_s"])[self.run_of_row]
        value = np.empty(len(case))
        for metric in np.unique(self.metric):
            rows = self.metric == metric
            value[rows] = found[str(metric)][case[rows]]
        return np.log(np.maximum(value, _TINY)), case

    def saturation(self, effects: Mapping[str, Floats]) -> list[str]:
        """Say of each case what keeps requests or sequences waiting; empty where nothing does."""
        plan, a = self.plan, self.plan.arrays
        at, run = served(plan, np.sum(list(self.device(effects).values()), axis=0), effects)
        rate = np.full(len(plan), np.inf)
        rate[at] = run.requests_per_s
        said = []
        for i in range(len(plan)):
            ways, regime = float(a["replicas"][i]), a["regime"][i]
            places, offered = (float(a[name][i]) * ways for name in ("places", "offered"))
            arriving = float(a["rate"][i]) * ways
            if regime == "static" and a["waves"][i] > 1:
                said.append(f"memory holds part of the batch: {a['waves'][i]:.1f} rounds")
            elif regime == "closed" and offered > places:
                said.append(f"saturated: {places:,.0f} of {offered:,.0f} requests run at a time")
            elif regime == "open" and rate[i] < arriving * (1 - _SERVED):
                said.append(f"saturated: {rate[i]:.3g} of {arriving:.3g} requests/s are served")
            else:
                said.append("")
        return said

    def _chosen(self, throughput: Floats) -> NDArray[np.intp]:
        """The case of each run: of several layouts that with the highest throughput."""
        case = self._first_case.copy()
        for i in self._several:
            options = self.plan.of_run[i]
            case[i] = options[int(np.argmax(throughput[options]))]
        return case

    def slopes(self, effects: Mapping[str, Floats], base: Floats, by: float) -> dict[str, Floats]:
        """D ln(row) / d ln(effect) of each row, for each effect, by moving it a little.

        Parameters
        ----------
        effects : mapping   An entry a case.
        base : array        `log_rows` of these effects.
        by : float          On the log scale.
        """
        parts = self.device(effects)
        found = {}
        for name in EFFECTS:
            moved = {**effects, name: effects[name] * np.exp(by)}
            hit = {kind for kind, names in NEEDS.items() if name in names}
            if name in ("gap_s", "eager_s"):
                hit = {kind for kind, names in NEEDS.items() if "gap_s" in names}
            known = {kind: time for kind, time in parts.items() if kind not in hit}
            found[name] = (self.log_rows(moved, self.device(moved, known))[0] - base) / by
        return found


def _measured(plan: Any, dev_s: Floats, effects: Mapping[str, Floats]) -> dict[str, Floats]:
    """Every metric of every case; zero where a case has none of it."""
    a = plan.arrays
    run = _joined(plan, fixed(plan, dev_s, effects), *served(plan, dev_s, effects))
    isl, osl, batch = a["isl"], a["osl"], a["batch"]
    with np.errstate(divide="ignore", invalid="ignore"):
        # A decode regime has no end: its tokens a second are those of a step.
        out = np.where(a["regime"] == "decode", batch / run.gap_s, run.requests_per_s * osl)
        prompts = batch * isl / run.first_s
    return {
        "ttft_s": run.first_s,
        "ttft_p99_s": TAIL_FIRST * run.first_s,
        "tpot_s": run.gap_s,
        "tpot_p99_s": TAIL_GAP * run.gap_s,
        "itl_s": run.gap_s,
        "e2e_s": run.total_s,
        "output_tokens_per_s": np.nan_to_num(out, posinf=0.0),
        "output_tokens_per_s_per_chip": np.nan_to_num(out, posinf=0.0) / a["n_chips"],
        "total_tokens_per_s": run.requests_per_s * (isl + osl),
        "prefill_tokens_per_s": np.nan_to_num(prompts, posinf=0.0),
    }


def _joined(plan: Any, batch: Measured, at: Any, server: Measured) -> Measured:
    for name in ("first_s", "gap_s", "total_s", "requests_per_s"):
        getattr(batch, name)[at] = getattr(server, name)
    return batch
