"""From the times of steps to what requests experience: one rule of how they share an engine.

Of the time that other requests' prompts take, a request waits for a share q before its own first
token and is stalled for the rest while it decodes. How the client loads the server decides q: those
that come together wait for one another. This is the model that `ridgeline validate` scores and the
one that every question asks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import scheduling
from ridgeline.laws.queueing import (
    overload_wait_s,
    random_wait_s,
)
from ridgeline.laws.scheduling import (
    backlog_wait_s,
    burst_share,
    burst_waited,
    decode_gap_s,
    first_token_s,
    live_sequences,
    open_decode_gap_s,
    requests_per_s,
)
from ridgeline.service.performance import Performance, Waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.service.surface import StepTimes
    from ridgeline.specs.engine import Engine

__all__ = [
    "Service",
    "admission_steps",
    "closed",
    "limited",
    "offline",
    "open_loop",
]

_MOST_ROUNDS = 16
_CLOSE = 1e-13
_OPEN_ROUNDS = 60
_HALVINGS = 20
_TINY = 1e-12


#: the step in progress when a request comes: half of it is left
_IN_PROGRESS = 0.5


def admission_steps(engine: Engine, attn_dp: Any, fitted: Any = None) -> Any:
    """Steps until a request is taken in and its first token is heard of. [1]

    Parameters
    ----------
    engine : Engine         For how often it looks for new requests, and what its ranks wait for.
    attn_dp : array         Ranks of attention data parallelism. [1]
    fitted : array or None  What the engine was found to take besides; None for the ideal, half of
                            the step in progress.
    """
    waits = (engine.polling_steps - 1) / 2 + engine.dp_wait_steps / 2 * (attn_dp > 1)
    return (_IN_PROGRESS if fitted is None else fitted) + waits


@dataclass(frozen=True, slots=True)
class Service:
    """A replica with its requests; every field an array over cases, or a number.

    Attributes
    ----------
    times : StepTimes       Steps and prompts over live sequences.
    row : array of int      Row of `times` of each case.
    n_steps : array         Decode steps of a request. [1]
    osl : array             Output tokens of a request. [tokens]
    slots : array           Sequences that memory and settings allow, of a replica. [1]
    lockstep : array        Whether all that are in flight begin together every time. [bool]
    queue : array           What the share of others' prompts that is waited for is multiplied by.
    admission : array       Steps until a request is taken in and its token is heard of. [1]
    arrival_s : array       HTTP, tokenizing. [s]
    requests : array        Requests of the whole run, of a replica; NaN where nobody says. [1]
    n_chunks : array        Steps a prompt is cut into. [1]
    ranks : array           Ranks and micro-batches that read prompts side by side. [1]
    variation : array       Variance of prompts' times over their squared mean: of a queue. [1]
    own_variation : array   The same between requests: of the lengths alone. [1]
    """

    times: StepTimes
    row: Any
    n_steps: Any
    osl: Any
    slots: Any
    lockstep: Any
    queue: Any
    admission: Any
    arrival_s: Any
    requests: Any
    n_chunks: Any
    ranks: Any = 1.0
    variation: Any = 1.0
    own_variation: Any = 0.0

    def take(self, chosen: Any) -> Service:
        """Some of the cases."""
        names = [f.name for f in fields(self) if f.name != "times"]
        return replace(self, **{n: _taken(getattr(self, n), chosen) for n in names})

    @property
    def tokens_per_step(self) -> Any:
        """Tokens a sequence gains in a step. [1]"""
        return self.osl / self.n_steps

    def at(self, n: Any) -> tuple[Any, Any]:
        """Decode step of n live sequences, and what a prompt adds to the steps it is in. [s]"""
        return self.times.at(n, self.row)

    def own_s(self, n: Any, step: Any, prompt: Any) -> Any:
        """The steps that hold a request's own prompt, while other ranks read others. [s]"""
        return self.n_chunks * step + self.prompts_s(n, prompt)

    def prompts_s(self, n: Any, prompt: Any) -> Any:
        """Of these, what the prompts themselves take, which follows their lengths. [s]"""
        return prompt * np.maximum(np.minimum(self.ranks, n), 1.0)

    def together(self, in_flight: Any) -> Any:
        """Share of requests that come in a burst, with so many kept in flight. [1]"""
        stated = np.where(np.isnan(self.requests), 1.0, self.requests)
        usual = 1 / scheduling().requests_per_place
        share = np.where(np.isnan(self.requests), usual, burst_share(in_flight, stated))
        return np.where(self.lockstep, 1.0, share)

    def waited(self, together: Any) -> Any:
        """Share of others' prompts that is waited for before the first token, q. [1]"""
        return np.minimum(burst_waited(together) * self.queue, 1.0)

    @property
    def run_requests(self) -> Any:
        """Requests of a run that ends: as many as are usual where nobody says. [1]"""
        usual = scheduling().requests_per_run
        return np.where(np.isnan(self.requests), usual, self.requests)

    def gap_s(self, n: Any, step: Any, prompt: Any, waited: Any) -> Any:
        """Time between a sequence's steps with n always live. [s]"""
        return decode_gap_s(step, prompt, n, self.n_steps, waited)

    def full_gap_s(self, n: Any) -> Any:
        """The same with nothing waited for. [s]"""
        return decode_gap_s(*self.at(n), n + 1, self.n_steps, 0.0)

    def first_s(
        self, n: Any, at: tuple[Any, Any], gap: Any, others: Any = 1.0, waited: Any = 0.0
    ) -> Any:
        """Time to the first token: arrival, admission, one's own prompt, those waited for. [s]"""
        own = self.own_s(n, *at)
        return first_token_s(own, gap, at[1], others, waited, self.arrival_s, self.admission)

    def capacity_per_s(self) -> Any:
        """Requests finished with every slot taken. [1/s]"""
        n = np.maximum(self.slots, 1.0)
        return requests_per_s(*self.at(n), n, self.n_steps)

    def answer(
        self,
        n: Any,
        at: tuple[Any, Any],
        first: Any,
        gap: Any,
        rate: Any,
        wait: Any = 0.0,
        waits: Waits = Waits(),  # noqa: B008  (frozen)
    ) -> Performance:
        """Put together what was solved, with step and prompt there."""
        taken_in = self.admission * gap
        varied = replace(
            waits,
            admission_s=taken_in,
            own_s=self.prompts_s(n, at[1]),
            variation=self.own_variation,
        )
        tpot = gap / self.tokens_per_step
        total = first + np.maximum(self.osl - 1, 0.0) * tpot
        alone = self.at(1.0)
        return Performance(
            ttft_s=first,
            tpot_s=tpot,
            e2e_s=total,
            requests_per_s=rate,
            capacity_per_s=self.capacity_per_s(),
            n_live=n,
            slots=self.slots,
            step_s=at[0],
            prompt_s=at[1],
            wait_s=wait,
            least_first_s=self.own_s(1.0, *alone) + self.arrival_s,
            least_gap_s=at[0] / self.tokens_per_step,
            admission_s=taken_in,
            waits=varied,
        )


def _taken(value: Any, chosen: Any) -> Any:
    return value[chosen] if np.ndim(value) else value


def closed(s: Service, offered: Any) -> Performance:
    """A fixed number of requests in flight; those without a slot wait for one.

    Parameters
    ----------
    s : Service
    offered : array   Requests kept in flight, of a replica. [1]
    """
    most = np.maximum(np.minimum(offered, s.slots), 1.0)
    together = s.together(most)
    waited = s.waited(together)

    def settled(n: Any) -> Any:
        step, prompt = s.at(n)
        gap = s.gap_s(n, step, prompt, waited)
        first = s.first_s(n, (step, prompt), gap)
        return np.maximum(live_sequences(offered, s.slots, s.n_steps * gap, first), 1.0)

    n = _fixed_point(settled, most)
    step, prompt = s.at(n)
    gap = s.gap_s(n, step, prompt, waited)
    rate = requests_per_s(step, prompt, n, s.n_steps)
    wait = backlog_wait_s(s.slots, offered, rate)
    first = s.first_s(n, (step, prompt), gap, most, waited)
    n_gaps = np.maximum(s.osl - 1, 0.0) / s.tokens_per_step
    decoding = n_gaps * gap
    # No more requests are finished than have their prompts read: where outputs are so short that
    # prompts fill the engine, those of others are waited for.
    first = np.maximum(first, most * prompt - decoding) + wait
    waits = Waits(together=together, burst_s=np.maximum(most - 1, 0.0) * prompt * s.queue)
    return s.answer(n, (step, prompt), first, gap, offered / (first + decoding), wait, waits)


def open_loop(s: Service, rate: Any) -> Performance:
    """Poisson arrivals, in a run of finite length.

    Parameters
    ----------
    s : Service
    rate : array   Requests that arrive at a replica. [1/s]
    """
    run = s.run_requests
    slots = np.maximum(np.minimum(s.slots, run), 1.0)
    saturated = s.full_gap_s(slots)
    alone, _ = s.at(np.ones_like(slots))
    n = np.clip(1 + rate * s.n_steps * alone, 1.0, slots)
    for _ in range(_OPEN_ROUNDS):
        gap = open_decode_gap_s(*s.at(n), rate, saturated)
        moved = (n + np.clip(rate * s.n_steps * gap, 1.0, slots)) / 2
        n, change = moved, np.max(np.abs(moved - n) / moved, initial=0.0)
        if change < _CLOSE:
            break
    step, prompt = s.at(n)
    gap = open_decode_gap_s(step, prompt, rate, saturated)
    capacity = requests_per_s(*s.at(slots), slots, s.n_steps)
    random = random_wait_s(rate, prompt, s.variation)
    late = overload_wait_s(rate, capacity, run)
    first = s.first_s(n, (step, prompt), gap) + random + late
    waits = Waits(random_s=random, busy=np.minimum(rate * prompt, 1.0), late_s=late)
    done = np.minimum(rate, capacity)
    return s.answer(n, (step, prompt), first, gap, done, random + late, waits)


def offline(s: Service) -> Performance:
    """Everything queued at once: every slot taken all the time; all wait for one another."""
    n = np.maximum(s.slots, 1.0)
    step, prompt = s.at(n)
    rate = requests_per_s(step, prompt, n, s.n_steps)
    wait = s.run_requests / 2 * prompt
    first = s.first_s(n, (step, prompt), step) + wait
    return s.answer(n, (step, prompt), first, step, rate, wait, Waits(late_s=wait))


def limited(s: Service, first_s: Any, gap_s: Any) -> Performance:
    """The most sequences whose 99th percentiles keep limits, somewhat below capacity.

    Parameters
    ----------
    s : Service
    first_s, gap_s : array   Limits on TTFT and TPOT; inf for none. [s]

    Returns
    -------
    Performance   Of random arrivals at the rate that so many sequences finish.
    """
    fewest, most = np.zeros_like(s.slots), np.log(np.maximum(s.slots, 1.0))
    for _ in range(_HALVINGS):
        middle = (fewest + most) / 2
        found = _arriving(s, np.exp(middle))
        kept = (found.statistic("tpot", "p99") <= gap_s) & (
            found.statistic("ttft", "p99") <= first_s
        )
        fewest, most = np.where(kept, middle, fewest), np.where(kept, most, middle)
    return _arriving(s, np.exp(fewest))


def _arriving(s: Service, n: Any) -> Performance:
    """So many live sequences of random arrivals, at a rate somewhat below what they finish."""
    gap, at = s.full_gap_s(n), s.at(n)
    rate = scheduling().steady_share * n / (s.n_steps * gap)
    random = random_wait_s(rate, at[1], s.variation)
    waits = Waits(random_s=random, busy=np.minimum(rate * at[1], 1.0))
    first = s.first_s(n, at, gap) + random
    return s.answer(n, at, first, gap, rate, random, waits)


def _fixed_point(settled: Callable[[Any], Any], start: Any) -> Any:
    """Solve n = settled(n) by secants, never above the start; each entry by itself."""
    a, at_a = start, settled(start)
    b = np.clip(at_a, 1.0, start)
    for _ in range(_MOST_ROUNDS):
        at_b = settled(b)
        slope = (at_b - b) - (at_a - a)
        flat = np.abs(slope) < _TINY
        step = (at_b - b) * (b - a) / np.where(flat, 1.0, slope)
        new = np.where(flat, at_b, b - step)
        new = np.where((new >= 1.0) & (new <= start), new, (b + np.clip(at_b, 1.0, start)) / 2)
        done = np.abs(new - b) <= _CLOSE * b
        new = np.where(done, b, new)
        a, at_a, b = b, at_b, new
        if done.all():
            break
    return b
