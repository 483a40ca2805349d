"""Every layout at every batch in one evaluation: times, rates, money, and what cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid import Axis, Column, Result, evaluate, logspace
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.energy import energy_per_token_j, tokens_per_s_per_mw
from ridgeline.laws.memory import largest_batch, memory_needed_bytes
from ridgeline.laws.pools import (
    mean_prefix_tokens,
    prefill_chunks,
    prompts_per_step,
    time_between_tokens_s,
)
from ridgeline.laws.roofline import mfu
from ridgeline.questions.layouts.words import layout_name
from ridgeline.questions.serving.power import power_w
from ridgeline.specs.layout import Layout
from ridgeline.steps.bind import bound
from ridgeline.steps.calibrated import BOUNDS
from ridgeline.steps.tokens import prefill
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.layouts.load import Lengths, Limits
    from ridgeline.questions.layouts.timing import StepTimes, Timer

__all__ = ["Candidates", "Prefill", "degrees", "evaluate_layouts"]

DEGREES = ("replicas", "pp", "attn_dp", "tp", "ep")
#: batches looked at between 1 and the largest that fits
N_BATCHES = 64
#: halvings that find the largest batch within the limits
_HALVINGS = 30
_LARGEST_BATCH = 2.0**24

#: columns with their unit and label; parts of the decode step come after
COLUMNS = {
    "batch": ("sequences", "sequences in flight in a replica"),
    "concurrency": ("sequences", "sequences in flight in all replicas"),
    "step_s": ("s", "decode step"),
    "tpot_s": ("s", "time between tokens"),
    "ttft_s": ("s", "time to first token"),
    "e2e_s": ("s", "time to last token"),
    "tokens_per_s_per_user": ("tok/s", "tok/s per user"),
    "tokens_per_s_per_chip": ("tok/s", "output tok/s per chip"),
    "requests_per_s": ("1/s", "requests/s of all chips"),
    "usd_per_mtok_input": ("USD/Mtok", "$/Mtok input"),
    "usd_per_mtok_cached_input": ("USD/Mtok", "$/Mtok cached input"),
    "usd_per_mtok_output": ("USD/Mtok", "$/Mtok output"),
    "usd_per_mtok": ("USD/Mtok", "$/Mtok, all tokens"),
    "mfu": ("1", "MFU"),
    "mbu": ("1", "MBU"),
    "joule_per_token": ("J/token", "J per output token"),
    "tokens_per_s_per_mw": ("tok/s/MW", "output tok/s per MW"),
    "memory_bytes_per_chip": ("B", "memory per chip"),
}
PARTS = {f"{name.lower()}_s": name for name in BOUNDS}


def degrees(layouts: Sequence[Layout]) -> dict[str, np.ndarray]:
    """The degrees of many layouts as arrays. Path of the field to 1-D array."""
    return {
        f"layout.{name}": np.asarray([getattr(x, name) for x in layouts], dtype=float)
        for name in DEGREES
    }


@dataclass(frozen=True, slots=True)
class Prefill:
    """What a prompt takes under each layout; 1-D arrays over layouts. [s]

    Attributes
    ----------
    first_s : array    From its start to the first token, every rank busy with one prompt.
    each_s : array     Of the replica's time, at the steady rate of prefilling only.
    cached_s : array   Of that, by one cached token.
    multiply_s, read_s : array   As `StepTimes`, of the replica's time of a prompt.
    """

    first_s: Any
    each_s: Any
    cached_s: Any
    multiply_s: Any
    read_s: Any


@dataclass(frozen=True)
class Candidates:
    """Layouts of one cluster with what is common to all their batches."""

    timer: Timer
    layouts: tuple[Layout, ...]
    lengths: Lengths
    limits: Limits
    usd_per_chip_hour: float | None
    apart: bool = False

    @cached_property
    def arrays(self) -> Layout:
        """One layout whose degrees are 1-D arrays."""
        return bound({"layout": Layout()}, degrees(self.layouts))["layout"]

    @cached_property
    def n_chips(self) -> np.ndarray:
        """Chips of one replica."""
        a = self.arrays
        return np.asarray(a.pp * a.attn_dp * a.tp)

    @cached_property
    def prefill(self) -> Prefill:
        """Prefill of a prompt under each layout; all zero where there are no prompts."""
        if not self.lengths.has_requests:
            none = np.zeros(len(self.layouts))
            return Prefill(none, none, none, none, none)
        at, new = self.lengths, self.lengths.new_tokens
        first, _ = self._prompt(new, at.cached, 1)
        packed = float(prompts_per_step(new, self.timer.token_budget))
        each, used = self._prompt(new, at.cached, packed)
        # Where nothing is cached, the price is that of a prompt of which half is.
        example, rest = (at.cached, new) if at.cached else (at.isl / 2, at.isl / 2)
        with_cache, without = (self._prompt(rest, c, 1)[0] for c in (example, 0.0))
        # A cached token makes the tokens after it slower; only that is its own.
        lanes = self.arrays.attn_dp * self.arrays.pp
        cached = np.maximum(with_cache - without, 0.0) / example / lanes
        return Prefill(first, each / lanes / packed, cached, *used)

    def _prompt(self, new: float, cached: float, packed: float) -> tuple[Any, tuple[Any, Any]]:
        """Time of prompts on every rank and stage, and multiplying and reading a prompt."""
        k = float(prefill_chunks(new, self.timer.token_budget))
        lanes = self.arrays.attn_dp * self.arrays.pp
        group = prefill(lanes * packed, new / k, mean_prefix_tokens(cached, new, k))
        step = self.timer.step(self.arrays, group)
        share = k / lanes / packed
        return step.time_s * k, (step.multiply_s * share, step.read_s * share)

    def name(self, index: int) -> str:
        """A layout in a few letters."""
        return layout_name(self.layouts[index])

    def at(self, index: Any) -> Layout:
        """The layout with degrees of some of the candidates, in the shape of `index`."""
        values = {path: v[index] for path, v in degrees(self.layouts).items()}
        return bound({"layout": Layout()}, values)["layout"]

    def between_s(self, step_s: Any, batch: Any, index: Any) -> Any:
        """Time between tokens: with the prefills of those that come, unless they are apart."""
        gained = self.timer.assume.tokens_per_step
        if self.apart or not self.lengths.has_requests:
            return step_s / gained
        each = self.prefill.each_s[index]
        n_steps = self.lengths.n_steps / gained
        return time_between_tokens_s(step_s, batch, n_steps, each) / gained

    @cached_property
    def held(self) -> tuple[np.ndarray, np.ndarray]:
        """What the fullest chip holds before any sequence, and of each. [bytes]"""
        held = self.timer.memory(self.arrays, self.lengths.context)
        pace = self.timer.pace(self.arrays)
        more = held.weights_bytes * (pace - 1)
        both = (held.fixed_bytes + more, held.bytes_per_sequence * pace)
        shape = self.n_chips.shape
        fixed, each = (np.broadcast_to(np.asarray(v, dtype=float), shape) for v in both)
        return fixed, each

    @cached_property
    def fits(self) -> np.ndarray:
        """Sequences of a replica that fit, whole ones; 0 where not even one does."""
        most = largest_batch(self.timer.capacity_bytes, *self.held)
        return np.floor(np.minimum(most, _LARGEST_BATCH))

    @cached_property
    def within_limits(self) -> np.ndarray:
        """Sequences of a replica that fit and leave TPOT and e2e within their limits; 0 if none.

        Both grow with the batch, so that halving finds the edge of all layouts at once.
        """
        index = np.arange(len(self.layouts))
        high, low = self.fits, np.zeros(len(index))
        edge = high
        for _ in range(_HALVINGS):
            good = (edge >= 1) & self._meets(np.maximum(edge, 1.0), index)
            low, high = np.where(good, edge, low), np.where(good, high, edge)
            if (high - low <= 1).all() or (good & (edge == self.fits)).all():
                break
            edge = np.floor(np.sqrt(np.maximum(low, 1.0) * np.maximum(high, 1.0)))
            edge = np.minimum(np.maximum(edge, low + 1), high)
        return low

    def _meets(self, batch: Any, index: Any) -> Any:
        tpot = self.between_s(self._decode(batch, index).time_s, batch, index)
        return (tpot <= self.limits.tpot_s) & (self._e2e_s(tpot, index) <= self.limits.e2e_s)

    def _e2e_s(self, tpot_s: Any, index: Any) -> Any:
        return self.prefill.first_s[index] + self.lengths.n_steps * tpot_s

    def _decode(self, batch: Any, index: Any) -> StepTimes:
        return self.timer.step(self.at(index), self.timer.decode(batch, self.lengths.context))

    def columns(self, index: Any, batch: Any) -> dict[str, Any]:
        """Everything about layouts at batches; the two broadcast.

        Parameters
        ----------
        index : array of int   Which candidates.
        batch : array          Sequences in flight in one replica.
        """
        layout = self.at(index)
        step = self._decode(batch, index)
        tpot = self.between_s(step.time_s, batch, index)
        replicas, n_chips = layout.replicas, self.n_chips[index]
        at, prompt = self.lengths, self.prefill
        # Of n steps a request lives, the first token came with its prefill.
        more = at.osl / at.n_steps if at.has_requests else 1.0
        per_chip = batch / tpot / n_chips * more
        power = power_w(self.timer.cluster)[0]
        gained = self.timer.assume.tokens_per_step
        prompts = batch / at.n_steps * gained if at.has_requests and not self.apart else 0.0
        fixed, each = (v[index] for v in self.held)
        found = {
            "batch": batch,
            "concurrency": batch * replicas,
            "step_s": step.time_s,
            "tpot_s": tpot,
            "ttft_s": prompt.first_s[index] if at.has_requests else np.nan,
            "e2e_s": self._e2e_s(tpot, index) if at.has_requests else np.nan,
            "tokens_per_s_per_user": 1 / tpot,
            "tokens_per_s_per_chip": per_chip,
            "requests_per_s": per_chip * n_chips * replicas / at.osl if at.has_requests else np.nan,
            **self._money(step.time_s / gained, batch, index),
            "mfu": mfu(step.multiply_s + prompts * prompt.multiply_s[index], tpot * gained),
            "mbu": mfu(step.read_s + prompts * prompt.read_s[index], tpot * gained),
            "joule_per_token": energy_per_token_j(power, per_chip) if power else np.nan,
            "tokens_per_s_per_mw": tokens_per_s_per_mw(power, per_chip) if power else np.nan,
            "memory_bytes_per_chip": memory_needed_bytes(fixed, batch, each),
        }
        found |= {column: step.parts_s[part] for column, part in PARTS.items()}
        found["bound"] = step.bound
        return found | {"infeasible": self._infeasible(found)}

    def _money(self, token_s: Any, batch: Any, index: Any) -> dict[str, Any]:
        """Dollars by what the time is spent on: input, cached input and output apart."""
        at, rent, n_chips = self.lengths, self.usd_per_chip_hour, self.n_chips[index]
        names = [n for n in COLUMNS if n.startswith("usd_")]
        if rent is None:
            return dict.fromkeys(names, np.nan)
        decoded = cost_usd_per_mtok(token_s, batch, rent, n_chips)
        if not at.has_requests:
            return dict(zip(names, (np.nan, np.nan, decoded, decoded), strict=True))
        prompt = self.prefill
        cached = cost_usd_per_mtok(prompt.cached_s[index], 1, rent, n_chips)
        whole = cost_usd_per_mtok(prompt.each_s[index], 1, rent, n_chips)
        output = decoded * at.n_steps / at.osl
        everything = (whole + output * at.osl) / (at.isl + at.osl)
        new = np.maximum(whole - cached * at.cached, 0.0) / at.new_tokens
        return dict(zip(names, (new, cached, output, everything), strict=True))

    def reasons(self) -> tuple[str, ...]:
        """Why points cannot be, in the order of their codes."""
        capacity = self.timer.capacity_bytes
        said = [
            "no link: the chips of a replica cannot exchange anything",
            f"out of memory: more than the {format_quantity(capacity, 'B')} a chip has",
        ]
        told = {name: word for name, word, _ in self.limits.words()}
        return (*said, *(f"{told.get(n, n)} above {v:g} s" for n, v in self.limits.items()))

    def _infeasible(self, found: dict[str, Any]) -> Any:
        """Code of the first reason that holds at each point."""
        tests = [
            ~np.isfinite(found["step_s"]),
            np.asarray(found["memory_bytes_per_chip"] > self.timer.capacity_bytes),
            *(np.asarray(found[f"{name}_s"] > limit) for name, limit in self.limits.items()),
        ]
        return np.select(np.broadcast_arrays(*tests), list(range(1, len(tests) + 1)), 0)


def evaluate_layouts(candidates: Candidates, batch: np.ndarray | None = None) -> Result:
    """Evaluate candidates at batches.

    Parameters
    ----------
    candidates : Candidates
    batch : 1-D array or None   Sequences in flight in one replica. None for 64 of them up to the
                                most that fit anywhere, and besides, for each layout, the most it
                                holds within the limits.

    Returns
    -------
    Result   Over the axes ``candidate`` and ``point``; the column ``layout`` names the first.
    """
    batches = _batches(candidates, batch)
    n_layouts, n_points = batches.shape

    def kernel(indices: Sequence[np.ndarray]) -> dict[str, Any]:
        i, j = indices
        return candidates.columns(i, batches[i, j])

    found = evaluate(kernel, [np.arange(n_layouts), np.arange(n_points)])
    axes = (
        Axis("candidate", np.arange(n_layouts), "", "layout"),
        Axis("point", np.arange(n_points), "", "batch"),
    )
    columns = {n: Column(found[n], *about) for n, about in COLUMNS.items()}
    columns |= {n: Column(found[n], "s", f"of the step, {p}") for n, p in PARTS.items()}
    columns["bound"] = Column(found["bound"], "", "bound by", BOUNDS)
    names = tuple(layout_name(layout) for layout in candidates.layouts)
    which = np.broadcast_to(np.arange(n_layouts)[:, None], batches.shape)
    columns = {"layout": Column(which, "", "layout", names), **columns}
    return Result(axes, columns, found["infeasible"], candidates.reasons())


def _batches(candidates: Candidates, batch: np.ndarray | None) -> np.ndarray:
    n = len(candidates.layouts)
    if batch is not None:
        return np.broadcast_to(batch, (n, len(batch)))
    most = max(float(candidates.fits.max(initial=1.0)), 1.0)
    per_octave = max(1, round((N_BATCHES - 1) / max(np.log2(most), 1.0)))
    ladder = logspace(1.0, most, per_octave=per_octave)
    edge = np.maximum(candidates.within_limits, 1.0)
    return np.concatenate([np.broadcast_to(ladder, (n, len(ladder))), edge[:, None]], axis=1)
