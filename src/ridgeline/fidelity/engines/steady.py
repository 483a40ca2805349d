"""From the times of steps to what a run measures: fixed batches, and servers in steady state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.queueing import overload_wait_s, random_wait_s
from ridgeline.laws.scheduling import (
    backlog_wait_s,
    decode_gap_s,
    first_token_s,
    live_sequences,
    open_decode_gap_s,
    requests_per_s,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.plan import Plan

    Floats = NDArray[np.float64]

__all__ = ["Measured", "fixed", "served"]

#: odds, by scheduling, that another's prompt is waited for: a half of all where requests begin
#: together and prompts go first; little where they are spread (the first round of ten is together)
QUEUE_ODDS = {"lockstep": 1.0, "median": 1.0, "spread": 0.06}
#: 99th percentile over the mean under latency limits, as queues near saturation have it
TAIL_FIRST, TAIL_GAP = 2.0, 1.2
#: share of its capacity at which a server is run so that queues stay short
_STEADY_SHARE = 0.93
_ROUNDS = 30
_HALVINGS = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run measures, an entry a case. [s], [1/s]"""

    first_s: Floats
    gap_s: Floats
    total_s: Floats
    requests_per_s: Floats


def fixed(plan: Plan, dev_s: Floats, effects: Mapping[str, Floats]) -> Measured:
    """Fixed batches: prompts, then tokens one by one, in as many rounds as memory asks for."""
    a = plan.arrays
    with_prompt, with_decode = plan.prompt >= 0, plan.decode[:, 0] >= 0
    prompt = dev_s[plan.prompt] * a["fill"]
    first = np.where(with_prompt, prompt + _host_s(plan, effects, plan.prompt), 0.0)
    steps = dev_s[plan.decode].mean(axis=1) + _host_s(plan, effects, plan.decode[:, 0])
    gap = np.where(with_decode, steps, 0.0)
    total = a["waves"] * (first + np.maximum(a["osl"] - 1, 0) * gap)
    return Measured(first, gap, total, np.divide(a["batch"], total, where=total > 0, out=total * 0))


def _host_s(plan: Plan, effects: Mapping[str, Floats], step: Any) -> Floats:
    """Time the chips of a case wait for the host in a step, by what is in it."""
    decoding = effects["sequence_s"] * plan.n_decode_of_step[step]
    starting = effects["prompt_s"] * plan.n_prefill_of_step[step]
    return effects["host_s"] + (decoding + starting) / plan.arrays["attn_dp"]


class _Grid:
    """Times at some numbers of sequences, straight lines between them."""

    def __init__(self, n: Floats, times: Floats) -> None:
        self.n, self.times = n, times
        self._row = np.arange(len(n))
        self._span = np.maximum(np.diff(n, axis=1), 1e-12)

    def __call__(self, n: Floats) -> Floats:
        n = np.clip(n, self.n[:, 0], self.n[:, -1])
        j = np.clip((self.n <= n[:, None]).sum(axis=1) - 1, 0, self.n.shape[1] - 2)
        share = (n - self.n[self._row, j]) / self._span[self._row, j]
        left, right = self.times[self._row, j], self.times[self._row, j + 1]
        return left + (right - left) * share


@dataclass(slots=True)
class _Server:
    """Serving cases `at` of a plan with the times of their steps."""

    plan: Plan
    at: NDArray[np.intp]
    step: _Grid
    prompt: _Grid
    waited: Floats
    arrival_s: Floats

    def __getitem__(self, name: str) -> Any:
        return self.plan.arrays[name][self.at]

    def gap_s(self, n: Floats) -> Floats:
        """Time between tokens with n sequences always live."""
        return decode_gap_s(self.step(n), self.prompt(n), n, self["osl"], self.waited)

    def full_gap_s(self, n: Floats) -> Floats:
        """The same with nothing waited for."""
        return decode_gap_s(self.step(n), self.prompt(n), n + 1, self["osl"], 0.0)

    def first_s(self, n: Floats) -> Floats:
        """Own prompt, the step in progress, arrival; others' prompts not yet."""
        step, prompt = self.step(n), self.prompt(n)
        return first_token_s(step + prompt, step, prompt, n, 0.0, self.arrival_s)


def served(plan: Plan, dev_s: Floats, effects: Mapping[str, Floats]) -> tuple[Any, Measured]:
    """Servers in steady state: closed loop, open loop, kept full, or under latency limits.

    Returns
    -------
    (array of int, Measured)   Which cases of the plan, and what they measure.
    """
    at = np.flatnonzero(plan.live[:, 0] >= 0)
    server = _server(plan, at, dev_s, {k: v[at] for k, v in effects.items()})
    regime = server["regime"]
    out = {name: np.zeros(len(at)) for name in ("first", "gap", "rate")}
    for name, solve in _SOLVERS.items():
        chosen = np.flatnonzero(regime == name)
        if chosen.size:
            solved = solve(_part(server, chosen))
            for key, value in zip(out, solved, strict=True):
                out[key][chosen] = value
    osl, replicas = server["osl"], server["replicas"]
    total = out["first"] + np.maximum(osl - 1, 0) * out["gap"]
    return at, Measured(out["first"], out["gap"], total, out["rate"] * replicas)


def _server(plan: Plan, at: Any, dev_s: Floats, e: Mapping[str, Floats]) -> _Server:
    n = plan.n_grid[at]
    # Each attention-data-parallel rank has a host process for its own sequences.
    ranks = plan.arrays["attn_dp"][at][:, None]
    host = e["host_s"][:, None] + e["sequence_s"][:, None] * n / ranks
    live, mixed = dev_s[plan.live[at]] + host, dev_s[plan.mixed[at]] + host
    at_once = plan.arrays["at_once"][at][:, None]
    prompt = np.maximum(mixed - live, 0.0) / at_once + e["prompt_s"][:, None] / ranks
    odds = np.array([QUEUE_ODDS[plan.classes[i]] for i in at]) * e["queue"]
    return _Server(plan, at, _Grid(n, live), _Grid(n, prompt), odds / (1 + odds), e["frontend_s"])


def _part(server: _Server, chosen: NDArray[np.intp]) -> _Server:
    def grid(whole: _Grid) -> _Grid:
        return _Grid(whole.n[chosen], whole.times[chosen])

    return _Server(
        server.plan,
        server.at[chosen],
        grid(server.step),
        grid(server.prompt),
        server.waited[chosen],
        server.arrival_s[chosen],
    )


def _closed(s: _Server) -> tuple[Floats, Floats, Floats]:
    """A fixed number of requests in flight; those without a place wait for one."""
    offered, places = s["offered"], s["places"]
    n = places.copy()
    for _ in range(_ROUNDS):
        decode = s["osl"] * s.gap_s(n)
        n = (n + np.maximum(live_sequences(offered, places, decode, s.first_s(n)), 1.0)) / 2
    gap, prompt = s.gap_s(n), s.prompt(n)
    rate = requests_per_s(s.step(n), prompt, n, s["osl"])
    step = s.step(n)
    together = np.minimum(offered, places)
    first = first_token_s(step + prompt, step, prompt, together, s.waited, s.arrival_s)
    first = first + backlog_wait_s(places, offered, rate)
    return first, gap, offered / (first + np.maximum(s["osl"] - 1, 0) * gap)


def _open(s: _Server) -> tuple[Floats, Floats, Floats]:
    """Poisson arrivals, in a run of finite length."""
    rate, places, osl = s["rate"], s["places"], s["osl"]
    saturated = s.full_gap_s(places)
    n = np.clip(1 + rate * osl * s.step(np.ones_like(rate)), 1.0, places)
    gap = s.step(n)
    for _ in range(_ROUNDS):
        gap = open_decode_gap_s(s.step(n), s.prompt(n), rate, saturated)
        n = (n + np.clip(rate * osl * gap, 1.0, places)) / 2
    capacity = requests_per_s(s.step(places), s.prompt(places), places, osl)
    first = s.first_s(n) + random_wait_s(rate, s.prompt(n))
    first = first + overload_wait_s(rate, capacity, s["requests"])
    return first, gap, np.minimum(rate, capacity)


def _offline(s: _Server) -> tuple[Floats, Floats, Floats]:
    """Everything queued at once: every place taken all the time; all wait for one another."""
    n, osl = s["places"], s["osl"]
    rate = requests_per_s(s.step(n), s.prompt(n), n, osl)
    first = s.first_s(n) + s["requests"] / 2 * s.prompt(n)
    return first, s.step(n), rate


def _limited(s: _Server) -> tuple[Floats, Floats, Floats]:
    """The most sequences whose 99th percentiles keep the limits, somewhat below capacity."""
    fewest, most = np.zeros_like(s["places"]), np.log(s["places"])
    for _ in range(_HALVINGS):
        middle = (fewest + most) / 2
        gap = s.full_gap_s(np.exp(middle))
        first = s.prompt(np.exp(middle)) + 1.5 * gap
        kept = (TAIL_GAP * gap <= s["limit_gap"]) & (TAIL_FIRST * first <= s["limit_first"])
        fewest, most = np.where(kept, middle, fewest), np.where(kept, most, middle)
    n = np.exp(fewest)
    gap = s.full_gap_s(n)
    return s.prompt(n) + 1.5 * gap, gap, _STEADY_SHARE * n / (s["osl"] * gap)


_SOLVERS = {"closed": _closed, "open": _open, "offline": _offline, "slo": _limited}
