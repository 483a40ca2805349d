"""The columns of a serving answer: a reading over batch and context, in time, tokens and money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid import Axis, Column, Result
from ridgeline.laws.economics import cost_usd_per_mtok, throughput_tokens_per_s
from ridgeline.laws.energy import energy_per_token_j, tokens_per_s_per_mw
from ridgeline.laws.roofline import mfu
from ridgeline.questions.serving.power import power_w
from ridgeline.steps import chip_capacity_bytes

if TYPE_CHECKING:
    from ridgeline.questions.serving.readings import Reading, Times
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.steps import Machine

__all__ = ["Request", "answer_grid"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request's lengths, and how much of its input is cached already. [tokens]"""

    isl: float
    osl: float
    prefix_hit: float = 0.0

    @property
    def cached(self) -> float:
        """Input tokens found in the cache."""
        return self.isl * self.prefix_hit

    @property
    def new(self) -> float:
        """Input tokens to be computed: one at least, whose logits are wanted."""
        return max(self.isl - self.cached, min(self.isl, 1.0))


def answer_grid(
    model: Model,
    asked: Reading,
    machine: Machine,
    price: Price | None,
    batches: np.ndarray,
    contexts: np.ndarray,
    request: Request | None,
) -> Result:
    """Evaluate a reading over batch and context.

    Parameters
    ----------
    model, asked, machine, price   Of the question; no price leaves costs empty.
    batches, contexts : 1-D arrays   [1, tokens]
    request : Request or None      Adds what its prefill takes, alone and among decode steps.

    Returns
    -------
    Result   Columns over the axes ``context`` and ``batch``.
    """
    B, L = batches[None, :], contexts[:, None]
    shape = (len(contexts), len(batches))
    step = asked.step(B, L)
    numbers = _step_columns(asked, step, machine, price, B, L)
    if request is not None:
        numbers |= _request_columns(asked, step, machine, price, B, L, request)
    bound = numbers.pop("bound")
    columns = {
        name: Column(np.broadcast_to(np.asarray(v, dtype=float), shape), unit, label)
        for name, (v, unit, label) in numbers.items()
        if v is not None
    }
    columns["bound"] = Column(np.broadcast_to(bound, shape), "", "bound by", asked.bounds)
    over, reasons = _what_is_short(asked, machine, L, columns["memory_bytes_per_chip"].values)
    axes = (
        Axis("context", contexts, "tokens", "context"),
        Axis("batch", batches, "sequences", "batch"),
    )
    return Result(axes, columns, over, reasons, _about(model, machine, price, asked, request))


def _step_columns(
    asked: Reading,
    step: Times,
    machine: Machine,
    price: Price | None,
    B: np.ndarray,
    L: np.ndarray,
) -> dict[str, Any]:
    n_chips = machine.n_chips
    per_step = asked.assume.tokens_per_step
    tokens_per_s = throughput_tokens_per_s(B * per_step, step.time_s)
    power = power_w(machine.cluster)[0] or np.nan

    def cost(time_s: Any) -> Any:
        if price is None or time_s is None:
            return None if time_s is None else np.nan
        return cost_usd_per_mtok(time_s, B * per_step, price.usd_per_chip_hour, n_chips)

    return {
        "time_s": (step.time_s, "s", "step time"),
        "time_low_s": (step.low_s, "s", "step time, 80 % interval from"),
        "time_high_s": (step.high_s, "s", "to"),
        "compute_s": (step.compute_s, "s", "compute"),
        "weight_fetch_s": (step.weight_fetch_s, "s", "weight fetch"),
        "kv_fetch_s": (step.kv_fetch_s, "s", "KV fetch"),
        "network_s": (step.network_s, "s", "network"),
        "floor_s": (step.floor_s, "s", "launches and host"),
        "tpot_s": (step.time_s / per_step, "s", "time per output token"),
        "tokens_per_s_per_user": (per_step / step.time_s, "tok/s", "tok/s per user"),
        "tokens_per_s_per_chip": (tokens_per_s / n_chips, "tok/s", "tok/s per chip"),
        "usd_per_mtok_output": (cost(step.time_s), "USD/Mtok", "$/Mtok output"),
        "usd_per_mtok_output_low": (cost(step.low_s), "USD/Mtok", "$/Mtok output, from"),
        "usd_per_mtok_output_high": (cost(step.high_s), "USD/Mtok", "to"),
        "usd_per_mtok_compute": (cost(step.compute_s), "USD/Mtok", "of that, compute alone"),
        "usd_per_mtok_weights": (cost(step.weight_fetch_s), "USD/Mtok", "weight fetch alone"),
        "usd_per_mtok_kv": (cost(step.kv_fetch_s), "USD/Mtok", "KV fetch alone"),
        "usd_per_mtok_network": (cost(step.network_s), "USD/Mtok", "network alone"),
        "mfu": (mfu(step.at_peak_s, step.time_s), "1", "MFU"),
        "mbu": (mfu(step.read_at_peak_s, step.time_s), "1", "MBU"),
        "joule_per_token": (
            energy_per_token_j(power, tokens_per_s / n_chips), "J/token", "J per output token",
        ),
        "tokens_per_s_per_mw": (
            tokens_per_s_per_mw(power, tokens_per_s / n_chips), "tok/s/MW", "tok/s per MW",
        ),
        "memory_bytes_per_chip": (
            asked.memory_bytes_per_chip(B, L), "B", "memory per chip",
        ),
        "bound": step.bound,
    }  # fmt: skip


def _request_columns(
    asked: Reading,
    step: Times,
    machine: Machine,
    price: Price | None,
    B: np.ndarray,
    L: np.ndarray,
    request: Request,
) -> dict[str, Any]:
    """Prefill alone on an idle replica; and steps that prompts share as they come."""
    per_step, n_chips = asked.assume.tokens_per_step, machine.n_chips
    first = asked.prefill(1.0, request.new, request.cached)
    # In the steady state every sequence that ends is followed by a prompt.
    ended = B * per_step / request.osl
    shared = asked.shared_s(B, L, ended, request.new, request.cached)
    n_full = asked.prompts_at_once(request.new)
    full = asked.prefill(n_full, request.new, request.cached).time_s
    rent = price.usd_per_chip_hour if price else np.nan
    input_tokens = n_full * request.new * asked.n_replicas
    cached_s, cached_tokens = _cached_input(asked, request, n_full)
    all_in = cost_usd_per_mtok(shared, B * per_step, rent, n_chips)
    sustained = throughput_tokens_per_s(B * per_step, shared)
    e2e = first.time_s + (request.osl - 1) * step.time_s / per_step
    return {
        "ttft_s": (first.time_s, "s", "time to first token, idle"),
        "ttft_low_s": (first.low_s, "s", "time to first token, 80 % interval from"),
        "ttft_high_s": (first.high_s, "s", "to"),
        "e2e_s": (e2e, "s", "whole request, no prefill between"),
        "shared_step_s": (shared, "s", "step shared with prefill"),
        "shared_tpot_s": (shared / per_step, "s", "time per output token, prefill between"),
        "shared_tokens_per_s_per_chip": (sustained / n_chips, "tok/s", "sustained tok/s per chip"),
        "requests_per_s": (ended / shared, "1/s", "requests/s sustained"),
        "usd_per_mtok_input": (
            cost_usd_per_mtok(full, input_tokens, rent, n_chips), "USD/Mtok", "$/Mtok fresh input",
        ),
        "usd_per_mtok_cached_input": (
            cost_usd_per_mtok(cached_s, cached_tokens * asked.n_replicas, rent, n_chips),
            "USD/Mtok", "$/Mtok cached input",
        ),
        "usd_per_request": (all_in * request.osl / 1e6, "USD", "$ a request, prefill between"),
    }  # fmt: skip


def _cached_input(asked: Reading, request: Request, n: float) -> tuple[Any, float]:
    """Time that cached tokens add to the prefill of those that attend to them, and how many.

    Where nothing is cached, of a prompt of which half is.
    """
    cached, new = request.cached, request.new
    if not cached:
        cached = new = request.isl / 2
    beside = asked.prefill(n, new, cached).time_s
    return np.maximum(beside - asked.prefill(n, new, 0.0).time_s, 0.0), n * max(cached, 1e-9)


def _what_is_short(
    asked: Reading, machine: Machine, L: np.ndarray, needed: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which points do not fit, and whether it is the weights or the caches that are too many."""
    capacity = chip_capacity_bytes(machine.cluster.chip)
    held = asked.held(L)
    alone = np.broadcast_to(np.asarray(held.fixed_bytes) > capacity, needed.shape)
    over = np.where(alone, 1, np.where(needed > capacity, 2, 0))
    parts = {
        "weights": held.weights_bytes,
        "activations and buffers": held.activation_bytes + held.buffer_bytes,
        "reserve": held.reserve_bytes,
    }
    named = ", ".join(f"{n} {float(v) / 1e9:,.1f} GB" for n, v in parts.items() if v > 0)
    short = float(np.max(held.fixed_bytes)) - capacity
    has = f"the {capacity / 1e9:,.0f} GB a chip has"
    return over, (
        f"out of memory: {named} leave no room, {short / 1e9:,.1f} GB more than {has}",
        f"out of memory: caches of so many sequences, beside {named}, take more than {has}",
    )


def _about(
    model: Model,
    machine: Machine,
    price: Price | None,
    asked: Reading,
    request: Request | None,
) -> dict[str, Any]:
    cluster = machine.cluster
    layout = getattr(asked, "layout", None)
    assumed = asked.assume
    return {
        "reading": asked.name,
        "layout": layout.model_dump() if layout else None,
        "model": model.id,
        "cluster": cluster.id,
        "chip": cluster.chip.id,
        "n_chips": machine.n_chips,
        "weight_dtype": model.weight_dtype,
        "kv_dtype": model.kv_dtype,
        "activation_dtype": assumed.activation_dtype,
        "engine": getattr(getattr(asked, "engine", None), "id", None),
        "drafts": assumed.drafts,
        "acceptance": assumed.acceptance,
        "expert_popularity_cv": assumed.popularity_cv,
        "request": None
        if request is None
        else {"isl": request.isl, "osl": request.osl, "prefix_hit": request.prefix_hit},
        "price": price.model_dump(exclude_none=True) if price else None,
        "sources": {k: s.model_dump(exclude_none=True) for k, s in cluster.chip.sources.items()},
    }
