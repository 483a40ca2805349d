"""Predict the rows of a table under given effects; everything but the effects is prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.plan import plan
from ridgeline.kernels.effects import EFFECTS
from ridgeline.kernels.laws import LAWS
from ridgeline.replica.timer import HOST
from ridgeline.service.fixed import Batch, batch_time
from ridgeline.service.steady import Service, closed, limited, offline, open_loop
from ridgeline.service.surface import LIVE, MIXED, StepTimes, prompt_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.plan import Plan
    from ridgeline.fidelity.runs import Row
    from ridgeline.service.performance import Performance

    Floats = NDArray[np.float64]

__all__ = ["Evaluator"]

_TINY = 1e-300
#: an open loop that falls behind by no more than this keeps up
_SERVED = 1e-6
#: steps that are solved at once, under one moved effect beside another
_STACKED_STEPS = 1 << 16
#: effects that are on no step
_OF_SERVICE = ("queue", "admission", "frontend_s")
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
        run_of_row = np.array([index[id(row.run)] for row in rows], dtype=np.intp)
        self._set(plan(runs), run_of_row, np.array([row.metric for row in rows]))

    def _set(self, plan: Plan, run_of_row: NDArray[np.intp], metric: NDArray[np.str_]) -> None:
        self.plan = plan
        self.run_of_row = run_of_row
        self.metric = metric
        self._first_case = np.array([cases[0] for cases in plan.of_run], dtype=np.intp)
        self._several = [i for i, cases in enumerate(plan.of_run) if len(cases) > 1]

    def part(
        self, chosen: NDArray[np.bool_], effects: Mapping[str, Floats], device: Mapping[str, Floats]
    ) -> tuple[Evaluator, dict[str, Floats], dict[str, Floats]]:
        """The rows of some runs by themselves.

        Parameters
        ----------
        chosen : array of bool   Runs, in the order of `plan.of_run`.
        effects : mapping        An entry a case.
        device : mapping         From `device` of these effects.

        Returns
        -------
        (Evaluator, dict, dict)   With effects and device times of its own cases.
        """
        cases, of_run, new = [], [], np.cumsum(chosen) - 1
        for i in np.flatnonzero(chosen).tolist():
            of_run.append(list(range(len(cases), len(cases) + len(self.plan.of_run[i]))))
            cases += self.plan.of_run[i]
        at = np.array(cases, dtype=np.intp)
        part, steps = self.plan.take(at, of_run)
        rows, found = chosen[self.run_of_row], object.__new__(Evaluator)
        found._set(part, new[self.run_of_row[rows]], self.metric[rows])
        there = {name: value[at] for name, value in effects.items()}
        return found, there, {law: time[:, steps] for law, time in device.items()}

    def step_effects(self, effects: Mapping[str, Floats]) -> dict[str, Floats]:
        """Effects of cases as the timer wants them: an entry a step."""
        wanted = {name for law in LAWS.values() for name in law.needs} | {"gap_s", "eager_s", *HOST}
        spread = {n: effects[n][self.plan.step_case] for n in wanted & effects.keys()}
        spread["compute"] = spread["compute"] * self.plan.arrays["double"][self.plan.step_case]
        return spread

    def device(
        self, effects: Mapping[str, Floats], known: Mapping[str, Floats] | None = None
    ) -> dict[str, Floats]:
        """Time of each step on the chips, by law; `known` laws are taken as they are."""
        return self.plan.timer.times(self.step_effects(effects), known)

    def metrics(
        self, effects: Mapping[str, Floats], device: Mapping[str, Floats] | None = None
    ) -> dict[str, Floats]:
        """Every metric of every case.

        Parameters
        ----------
        effects : mapping   Name to value, an entry a case. [1 or s]
        device : mapping or None   From `device`, where it is known already.
        """
        device = self.device(effects) if device is None else device
        return _metrics(self.plan, *self._step_s(effects, device), effects)

    def _step_s(
        self, effects: Mapping[str, Floats], device: Mapping[str, Floats]
    ) -> tuple[Floats, Floats]:
        """Time of each step on the chips, and the host's. [s]"""
        timer, of_case = self.plan.timer, self.plan.step_case
        return timer.chips_s(device), timer.host_s({n: effects[n][of_case] for n in HOST})

    def rows_of(self, found: Mapping[str, Floats]) -> tuple[Floats, NDArray[np.intp]]:
        """Ln of each row, and which case of its run was taken.

        Parameters
        ----------
        found : mapping   From `metrics`.
        """
        case = self._chosen(found["output_tokens_per_s"])[self.run_of_row]
        value = np.empty(len(case))
        for metric in np.unique(self.metric):
            rows = self.metric == metric
            value[rows] = found[str(metric)][case[rows]]
        return np.log(np.maximum(value, _TINY)), case

    def log_rows(self, effects: Mapping[str, Floats]) -> tuple[Floats, NDArray[np.intp]]:
        """Predict ln of each row under effects, and say which case of its run was taken."""
        return self.rows_of(self.metrics(effects))

    def saturation(self, found: Mapping[str, Floats]) -> list[str]:
        """Say of each case what keeps requests or sequences waiting; empty where nothing does.

        Parameters
        ----------
        found : mapping   From `metrics`.
        """
        a, rate = self.plan.arrays, found["requests_per_s"]
        ways, regime = a["replicas"], a["regime"]
        slots, offered, arriving = (a[name] * ways for name in ("slots", "offered", "rate"))
        said = [""] * len(self.plan)
        for i in np.flatnonzero((regime == "static") & (a["rounds"] > 1)):
            said[i] = f"memory holds part of the batch: {a['rounds'][i]:.1f} rounds"
        for i in np.flatnonzero((regime == "closed") & (offered > slots)):
            said[i] = f"saturated: {slots[i]:,.0f} of {offered[i]:,.0f} requests run at a time"
        for i in np.flatnonzero((regime == "open") & (rate < arriving * (1 - _SERVED))):
            said[i] = f"saturated: {rate[i]:.3g} of {arriving[i]:.3g} requests/s are served"
        return said

    def _chosen(self, throughput: Floats) -> NDArray[np.intp]:
        """The case of each run: of several layouts that with the highest throughput."""
        case = self._first_case.copy()
        for i in self._several:
            options = self.plan.of_run[i]
            case[i] = options[int(np.argmax(throughput[options]))]
        return case

    def slopes(
        self,
        effects: Mapping[str, Floats],
        base: Floats,
        by: float,
        names: Iterable[str] = tuple(EFFECTS),
        device: Mapping[str, Floats] | None = None,
    ) -> dict[str, Floats]:
        """D ln(row) / d ln(effect) of each row, for each effect, by moving it a little.

        Parameters
        ----------
        effects : mapping   An entry a case.
        base : array        `log_rows` of these effects.
        by : float          On the log scale.
        names : iterable of str   Effects that are asked for.
        device : mapping or None   From `device` of these effects, where it is known already.
        """
        parts = self.device(effects) if device is None else device
        names, found = list(names), {}
        at_once = max(_STACKED_STEPS // max(len(self.plan.step_case), 1), 1)
        for first in range(0, len(names), at_once):
            some = names[first : first + at_once]
            each = [{**effects, name: effects[name] * np.exp(by)} for name in some]
            times = [
                self._step_s(moved, self.device(moved, _kept(parts, name)))
                for name, moved in zip(some, each, strict=True)
            ]
            chips_s, host_s = (np.concatenate(x) for x in zip(*times, strict=True))
            stacked = {n: np.concatenate([moved[n] for moved in each]) for n in _OF_SERVICE}
            metrics = _metrics(self.plan.repeated(len(some)), chips_s, host_s, stacked)
            for i, name in enumerate(some):
                own = slice(i * len(self.plan), (i + 1) * len(self.plan))
                there = self.rows_of({metric: v[own] for metric, v in metrics.items()})[0]
                found[name] = (there - base) / by
        return found


def _kept(device: Mapping[str, Floats], name: str) -> dict[str, Floats]:
    """Times of the laws that an effect does not move."""
    on = "gap_s" if name == "eager_s" else name
    return {law: time for law, time in device.items() if on not in LAWS[law].needs}


def _metrics(
    plan: Plan, chips_s: Floats, host_s: Floats, effects: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Every metric of every case; zero where a case has none of it."""
    a = plan.arrays
    alike = _fixed(plan, chips_s, host_s)  # of a batch that starts together, all requests are alike
    run = {name: np.array(getattr(alike, f)) for name, (f, _) in _SOLVED.items()}
    at, served = _served(plan, chips_s + host_s, effects)
    for name, values in served.items():
        run[name][at] = values * a["replicas"][at] if name == "requests_per_s" else values
    isl, osl, batch = a["isl"], a["osl"], a["batch"]
    with np.errstate(divide="ignore", invalid="ignore"):
        # A decode regime has no end: its tokens a second are those of a step.
        rate = run["requests_per_s"]
        out = np.where(a["regime"] == "decode", batch / run["tpot_s"], rate * osl)
        # Of a prompt, what a prefix cache holds is not computed.
        prompts = batch * (isl - a["cached"]) / run["ttft_s"]
    return {
        "ttft_s": run["ttft_s"],
        "ttft_p99_s": run["ttft_p99_s"],
        "tpot_s": run["tpot_s"],
        "tpot_p99_s": run["tpot_p99_s"],
        "itl_s": run["tpot_s"],
        "e2e_s": run["e2e_s"],
        "requests_per_s": rate,
        "output_tokens_per_s": np.nan_to_num(out, posinf=0.0),
        "output_tokens_per_s_per_chip": np.nan_to_num(out, posinf=0.0) / a["n_chips"],
        "total_tokens_per_s": rate * (isl + osl),
        "prefill_tokens_per_s": np.nan_to_num(prompts, posinf=0.0),
    }


#: what a server gives: a field of its performance, or a metric of it and a percentile
_SOLVED = {
    "ttft_s": ("ttft_s", ""),
    "tpot_s": ("tpot_s", ""),
    "e2e_s": ("e2e_s", ""),
    "requests_per_s": ("requests_per_s", ""),
    "ttft_p99_s": ("ttft_s", "ttft"),
    "tpot_p99_s": ("tpot_s", "tpot"),
}


def _fixed(plan: Plan, chips_s: Floats, host_s: Floats) -> Batch:
    """Fixed batches: prompts, then decoding at two contexts."""
    a = plan.arrays
    with_prompt, with_decode = plan.prompt >= 0, plan.decode[:, 0] >= 0
    first = chips_s[plan.prompt] * a["fill"] + host_s[plan.prompt]
    gap = (chips_s + host_s)[plan.decode].mean(axis=1) / a["per_step"]
    return batch_time(
        np.where(with_prompt, first, 0.0),
        np.where(with_decode, gap, 0.0),
        a["osl"],
        a["rounds"],
        a["batch"],
    )


def _served(
    plan: Plan, step_s: Floats, effects: Mapping[str, Floats]
) -> tuple[Any, dict[str, Floats]]:
    """Servers in steady state. Which cases of the plan, and what they measure."""
    at = np.flatnonzero(plan.live[:, 0] >= 0)
    if not at.size:
        return at, {}
    a = {name: values[at] for name, values in plan.arrays.items()}
    live, mixed = step_s[plan.live[at]], step_s[plan.mixed[at]]
    beside = live[:, :: LIVE // MIXED][:, : mixed.shape[1]]
    added = prompt_seconds(beside, mixed, plan.at_once[at], a["n_chunks"][:, None])
    first = a["first_octave"]
    times = StepTimes.of(first, live, added, a["n_chunks"])
    service = Service(
        times=times,
        row=np.arange(len(at)),
        n_steps=np.maximum(a["osl"], 1.0) / a["per_step"],
        osl=np.maximum(a["osl"], 1.0),
        slots=a["slots"],
        lockstep=a["lockstep"],
        queue=effects["queue"][at],
        admission=effects["admission"][at] + a["waits"],
        arrival_s=effects["frontend_s"][at],
        requests=a["requests"],
        n_chunks=a["n_chunks"],
        ranks=a["ranks"],
        own_variation=a["variation"],
    )
    out = {name: np.zeros(len(at)) for name in _SOLVED}
    for regime, solve in _SOLVERS.items():
        chosen = np.flatnonzero(a["regime"] == regime)
        if chosen.size:
            solved = solve(service.take(chosen), {k: v[chosen] for k, v in a.items()})
            for name, (field, metric) in _SOLVED.items():
                found = solved.statistic(metric, "p99") if metric else getattr(solved, field)
                out[name][chosen] = found
    return at, out


_SOLVERS: dict[str, Callable[[Service, Mapping[str, Any]], Performance]] = {
    "closed": lambda s, a: closed(s, a["offered"]),
    "open": lambda s, a: open_loop(s, a["rate"]),
    "offline": lambda s, _: offline(s),
    "slo": lambda s, a: limited(s, a["limit_first"], a["limit_gap"]),
}
