"""From the times of steps to what requests experience: one rule of how they share an engine.

Of the time that other requests' prompts take, a request waits for a share q before its own first
token and is stalled for the rest while it decodes; the engine decides q, which is fitted. This is
the model that `ridgeline validate` scores and the one that every question asks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
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
from ridgeline.service.performance import TAIL_FIRST, TAIL_GAP, Performance

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.service.surface import StepTimes

__all__ = [
    "QUEUE_ODDS",
    "Service",
    "closed",
    "limited",
    "offline",
    "open_loop",
    "waited",
]

#: odds, by scheduling, that another's prompt is waited for: a half of all where requests begin
#: together and prompts go first; little where they are spread (the first round of ten is together)
QUEUE_ODDS = {"lockstep": 1.0, "median": 1.0, "spread": 0.06}
#: share of its capacity at which a server is run so that queues stay short
_STEADY_SHARE = 0.93
_MOST_ROUNDS = 16
_CLOSE = 1e-13
_OPEN_ROUNDS = 60
_HALVINGS = 20
_TINY = 1e-12


def waited(class_: str, queue: Any) -> Any:
    """Share of others' prompts that is waited for before the first token, q. [1]

    Parameters
    ----------
    class_ : str    How requests are spread: a key of `QUEUE_ODDS`.
    queue : array   The engine's effect on the odds. [1]
    """
    odds = QUEUE_ODDS[class_] * queue
    return odds / (1 + odds)


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
    waited : array          Share of others' prompts waited for before the first token. [1]
    arrival_s : array       HTTP, tokenizing, admission. [s]
    requests : array        Requests of the whole run, of a replica. [1]
    n_chunks : array        Steps a prompt is cut into. [1]
    ranks : array           Ranks and micro-batches that read prompts side by side. [1]
    variation : array       Variance of prompts' times over their squared mean: of a queue. [1]
    """

    times: StepTimes
    row: Any
    n_steps: Any
    osl: Any
    slots: Any
    waited: Any
    arrival_s: Any
    requests: Any
    n_chunks: Any
    ranks: Any = 1.0
    variation: Any = 1.0

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
        beside = np.maximum(np.minimum(self.ranks, n), 1.0)
        return self.n_chunks * step + prompt * beside

    def gap_s(self, n: Any, step: Any, prompt: Any) -> Any:
        """Time between a sequence's steps with n always live. [s]"""
        return decode_gap_s(step, prompt, n, self.n_steps, self.waited)

    def full_gap_s(self, n: Any) -> Any:
        """The same with nothing waited for. [s]"""
        return decode_gap_s(*self.at(n), n + 1, self.n_steps, 0.0)

    def first_s(self, n: Any, step: Any, prompt: Any, together: Any = None) -> Any:
        """Time to the first token: arrival, the step in progress, one's own prompt. [s]

        Of those that come `together` with it, the share of prompts that is waited for.
        """
        others = 1.0 if together is None else together
        share = 0.0 if together is None else self.waited
        own = self.own_s(n, step, prompt)
        return first_token_s(own, step, prompt, others, share, self.arrival_s)

    def capacity_per_s(self) -> Any:
        """Requests finished with every slot taken. [1/s]"""
        n = np.maximum(self.slots, 1.0)
        return requests_per_s(*self.at(n), n, self.n_steps)

    def answer(
        self, n: Any, at: tuple[Any, Any], first: Any, gap: Any, rate: Any, wait: Any = 0.0
    ) -> Performance:
        """Put together what was solved, with step and prompt there."""
        tpot = gap / self.tokens_per_step
        total = first + np.maximum(self.osl - 1, 0.0) * tpot
        alone = self.at(np.ones_like(np.asarray(n, dtype=float)))
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

    def settled(n: Any) -> Any:
        step, prompt = s.at(n)
        decode = s.n_steps * s.gap_s(n, step, prompt)
        first = s.first_s(n, step, prompt)
        return np.maximum(live_sequences(offered, s.slots, decode, first), 1.0)

    n = _fixed_point(settled, most)
    step, prompt = s.at(n)
    gap = s.gap_s(n, step, prompt)
    rate = requests_per_s(step, prompt, n, s.n_steps)
    wait = backlog_wait_s(s.slots, offered, rate)
    first = s.first_s(n, step, prompt, most)
    n_gaps = np.maximum(s.osl - 1, 0.0) / s.tokens_per_step
    decoding = n_gaps * gap
    # No more requests are finished than have their prompts read: where outputs are so short that
    # prompts fill the engine, those of others are waited for.
    first = np.maximum(first, most * prompt - decoding) + wait
    return s.answer(n, (step, prompt), first, gap, offered / (first + decoding), wait)


def open_loop(s: Service, rate: Any) -> Performance:
    """Poisson arrivals, in a run of finite length.

    Parameters
    ----------
    s : Service
    rate : array   Requests that arrive at a replica. [1/s]
    """
    slots = np.maximum(np.minimum(s.slots, s.requests), 1.0)
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
    wait = random_wait_s(rate, prompt, s.variation)
    wait = wait + overload_wait_s(rate, capacity, s.requests)
    first = s.first_s(n, step, prompt) + wait
    return s.answer(n, (step, prompt), first, gap, np.minimum(rate, capacity), wait)


def offline(s: Service) -> Performance:
    """Everything queued at once: every slot taken all the time; all wait for one another."""
    n = np.maximum(s.slots, 1.0)
    step, prompt = s.at(n)
    rate = requests_per_s(step, prompt, n, s.n_steps)
    wait = s.requests / 2 * prompt
    first = s.first_s(n, step, prompt) + wait
    return s.answer(n, (step, prompt), first, step, rate, wait)


def limited(s: Service, first_s: Any, gap_s: Any) -> Performance:
    """The most sequences whose 99th percentiles keep limits, somewhat below capacity.

    Parameters
    ----------
    s : Service
    first_s, gap_s : array   Limits on TTFT and TPOT; inf for none. [s]
    """
    fewest, most = np.zeros_like(s.slots), np.log(np.maximum(s.slots, 1.0))
    per_token = s.tokens_per_step
    for _ in range(_HALVINGS):
        middle = (fewest + most) / 2
        gap = s.full_gap_s(np.exp(middle))
        first = s.at(np.exp(middle))[1] + 1.5 * gap
        kept = (TAIL_GAP * gap / per_token <= gap_s) & (TAIL_FIRST * first <= first_s)
        fewest, most = np.where(kept, middle, fewest), np.where(kept, most, middle)
    n = np.exp(fewest)
    gap, at = s.full_gap_s(n), s.at(n)
    rate = _STEADY_SHARE * n / (s.n_steps * gap)
    return s.answer(n, at, at[1] + 1.5 * gap, gap, rate)


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
