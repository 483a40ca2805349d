"""The columns of a serving answer: a replica over batch and context, in time, tokens and money."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid import Axis, Column, Result
from ridgeline.kernels.spread import Z80
from ridgeline.laws.economics import cost_usd_per_mtok, throughput_tokens_per_s
from ridgeline.laws.energy import energy_per_token_j, tokens_per_s_per_mw
from ridgeline.laws.roofline import mfu
from ridgeline.questions.prices import price_words
from ridgeline.questions.serving.power import power_w
from ridgeline.service.prices import cached_token_s, price_sheet
from ridgeline.service.server import Server, intervals
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.kernels.calibration import Calibration
    from ridgeline.replica import Replica, StepTime
    from ridgeline.service.performance import Performance
    from ridgeline.service.requests import Requests
    from ridgeline.specs.price import Price
    from ridgeline.specs.workload import Workload
    from ridgeline.steps import Machine

__all__ = ["answer_grid"]

#: name of a column to its values, unit and label
Numbers = dict[str, tuple[Any, str, str]]


def answer_grid(
    replica: Replica,
    machine: Machine,
    price: Price | None,
    batches: np.ndarray,
    contexts: np.ndarray,
    requests: Requests,
    load: Workload,
    max_sequences: float | None = None,
    *,
    interval: bool = True,
) -> Result:
    """Evaluate a replica over batch and context.

    Parameters
    ----------
    replica, machine, price          Of the question; no price leaves costs empty.
    batches, contexts : 1-D arrays   Sequences in flight in the replica; cached tokens of each.
    requests : Requests              With an output length, adds what requests experience with
                                     `batches` of them kept in flight.
    load : Workload                  How requests arrive, and limits: which points are within them.
    max_sequences : float or None    Sequences of a rank that the engine is set to take at most.
    interval : bool                  Whether to add 80% intervals, where the reading has them: they
                                     take most of an answer's time.

    Returns
    -------
    Result   Columns over the axes ``context`` and ``batch``.
    """
    B, L = batches[None, :], contexts[:, None]
    shape = (len(contexts), len(batches))
    step = replica.step(replace(requests, decode_context=L).decode(B), interval=interval)
    rent = price.usd_per_chip_hour if price else np.nan
    served = bool(np.any(requests.osl))
    numbers = _step_columns(replica, requests, step, B)
    kept = requests.kept(replica.engine) if served else L
    held = replica.memory(kept, drafts=requests.has_drafts)
    memory = np.broadcast_to(np.asarray(held.total_bytes(B), dtype=float), shape)
    numbers["memory_bytes_per_chip"] = (memory, "B", "memory per chip")
    if served:
        server = Server(
            replica,
            requests,
            most=float(batches.max()),
            max_sequences=max_sequences,
            n_requests=(load.n_requests or math.nan) / replica.layout.replicas,
        )
        numbers |= _request_columns(server, batches, rent, load, interval=interval)
    else:
        numbers |= _decode_columns(replica, requests, step, B, rent)
        in_time = np.asarray(numbers["tpot_s"][0] <= load.limits.tpot_s)
        numbers["within_limits"] = (in_time, "1", "within the limits")
    numbers |= _power_columns(replica, numbers["tokens_per_s_per_chip"][0])
    columns = {
        name: Column(
            np.broadcast_to(np.asarray(v, dtype=bool if name in _TRUTHS else float), shape),
            unit,
            label,
        )
        for name, (v, unit, label) in numbers.items()
        if v is not None
    }
    which = np.broadcast_to(step.bottleneck, shape)
    columns["bound"] = Column(which, "", "bottleneck", replica.how.bottlenecks)
    over, reasons = _what_is_short(replica, held, memory)
    axes = (
        Axis("context", contexts, "tokens", "context"),
        Axis("batch", batches, "sequences", "batch"),
    )
    return Result(axes, columns, over, reasons, _about(replica, machine, price, requests))


def _step_columns(replica: Replica, requests: Requests, step: StepTime, B: np.ndarray) -> Numbers:
    parts = step.parts_s
    attention = "attention" if replica.how.calibrated else "KV fetch"
    return {
        "time_s": (step.time_s, "s", "step time"),
        "time_low_s": (step.low_s, "s", "step time, 80% interval from"),
        "time_high_s": (step.high_s, "s", "to"),
        "compute_s": (parts["compute"], "s", "compute"),
        "weight_fetch_s": (parts["weights"], "s", "weight fetch"),
        "attention_s": (parts["attention"], "s", attention),
        "network_s": (parts["network"], "s", "network"),
        "overhead_s": (parts["overhead"], "s", "launches and host"),
        "concurrency": (B * replica.layout.replicas, "sequences", "in flight in all replicas"),
        "mfu": (mfu(step.compute_at_peak_s, step.time_s), "1", "MFU"),
        "mbu": (mfu(step.read_at_peak_s, step.time_s), "1", "MBU"),
    }


def _decode_columns(
    replica: Replica, requests: Requests, step: StepTime, B: np.ndarray, rent: float
) -> Numbers:
    """Sequences that only decode: every step is theirs."""
    n_chips, gained = replica.n_chips, requests.tokens_per_step
    parts = step.parts_s

    def cost(time_s: Any) -> Any:
        return None if time_s is None else cost_usd_per_mtok(time_s, B * gained, rent, n_chips)

    def end(time_s: Any) -> Any:
        """An end of the interval, with what is not known of drafts."""
        if time_s is None or not requests.has_drafts:
            return cost(time_s)
        off = np.log(time_s / step.time_s)
        return cost(step.time_s * np.exp(np.sign(off) * np.hypot(off, Z80 * requests.drafts_sigma)))

    rate = throughput_tokens_per_s(B * gained, step.time_s)
    return {
        "tpot_s": (step.time_s / gained, "s", "time per output token"),
        "tokens_per_s_per_user": (gained / step.time_s, "tok/s", "tok/s per user"),
        "tokens_per_s_per_chip": (rate / n_chips, "tok/s", "tok/s per chip"),
        "usd_per_mtok_output": (cost(step.time_s), "USD/Mtok", "$/Mtok output"),
        "usd_per_mtok_output_low": (end(step.low_s), "USD/Mtok", "$/Mtok output, from"),
        "usd_per_mtok_output_high": (end(step.high_s), "USD/Mtok", "to"),
        "usd_per_mtok_compute": (cost(parts["compute"]), "USD/Mtok", "of that, compute alone"),
        "usd_per_mtok_weights": (cost(parts["weights"]), "USD/Mtok", "weight fetch alone"),
        "usd_per_mtok_attention": (
            cost(parts["attention"]),
            "USD/Mtok",
            "attention alone" if replica.how.calibrated else "KV fetch alone",
        ),
        "usd_per_mtok_network": (cost(parts["network"]), "USD/Mtok", "network alone"),
    }


def _request_columns(
    server: Server, batches: np.ndarray, rent: float, load: Workload, *, interval: bool
) -> Numbers:
    """Requests as they arrive: so many kept in flight, started together, or all queued at once."""
    replica, requests = server.replica, server.requests
    row = np.zeros(len(batches), dtype=np.intp)

    def solved(cal: Calibration | None) -> Performance:
        if load.arrival == "offline":
            return server.offline(row, cal)
        if load.arrival == "fixed":
            return _stacked([server.fixed(float(batch), cal) for batch in batches])
        return server.closed(batches, row, cal)

    found = solved(None)
    low: dict[str, Any] = dict.fromkeys(_WITH_INTERVALS)
    high = dict(low)
    if interval and replica.how.calibrated:
        for name, ends in intervals(server, solved, _REGIMES[load.arrival]).items():
            low[name], high[name] = ends
    kept = found.keeps(load.limits)
    n_chips = replica.n_chips
    sheet = price_sheet(found, requests, rent, n_chips, cached_token_s(server.timed, requests))
    tokens = found.requests_per_s * requests.osl
    money, per_chip = "USD/Mtok", tokens / n_chips

    def at_rate(usd: Any, rate: Any) -> Any:
        """What costs `usd`, at another rate of requests: a slower service is dearer."""
        return None if rate is None else usd * found.requests_per_s / rate

    return {
        "ttft_s": (found.ttft_s, "s", "time to first token"),
        "ttft_low_s": (low["ttft_s"], "s", "time to first token, 80% interval from"),
        "ttft_high_s": (high["ttft_s"], "s", "to"),
        "ttft_p99_s": (found.statistic("ttft", "p99"), "s", "time to first token, p99"),
        "tpot_s": (found.tpot_s, "s", "time per output token"),
        "tpot_low_s": (low["tpot_s"], "s", "time per output token, 80% interval from"),
        "tpot_high_s": (high["tpot_s"], "s", "to"),
        "tpot_p99_s": (found.statistic("tpot", "p99"), "s", "time per output token, p99"),
        "e2e_s": (found.e2e_s, "s", "time to last token"),
        "requests_per_s": (
            found.requests_per_s * replica.layout.replicas, "1/s", "requests/s of all replicas",
        ),
        "tokens_per_s_per_user": (1 / found.tpot_s, "tok/s", "tok/s per user"),
        "tokens_per_s_per_chip": (per_chip, "tok/s", "output tok/s per chip"),
        "usd_per_mtok_output": (sheet.usd_per_mtok_output, money, "$/Mtok output"),
        "usd_per_mtok_output_low": (
            at_rate(sheet.usd_per_mtok_output, high["requests_per_s"]),
            money,
            "$/Mtok output, from",
        ),
        "usd_per_mtok_output_high": (
            at_rate(sheet.usd_per_mtok_output, low["requests_per_s"]), money, "to",
        ),
        "usd_per_mtok_input": (sheet.usd_per_mtok_input, money, "$/Mtok fresh input"),
        "usd_per_mtok_cached_input": (
            sheet.usd_per_mtok_cached_input, money, "$/Mtok cached input",
        ),
        "usd_per_mtok": (sheet.usd_per_mtok, money, "$/Mtok, all tokens"),
        "usd_per_mtok_low": (
            at_rate(sheet.usd_per_mtok, high["requests_per_s"]), money, "$/Mtok, all tokens, from",
        ),
        "usd_per_mtok_high": (at_rate(sheet.usd_per_mtok, low["requests_per_s"]), money, "to"),
        "usd_per_request": (sheet.usd_per_request, "USD", "$ per request"),
        "within_limits": (kept, "1", "within the limits"),
        **_use(server, found),
    }  # fmt: skip


#: what requests experience within so much
_WITH_INTERVALS = ("ttft_s", "tpot_s", "requests_per_s")
#: columns of true and false
_TRUTHS = frozenset({"within_limits"})
#: what is measured of each arrival, by the name of the measurements
_REGIMES = {"closed": "closed", "offline": "offline", "fixed": "static"}


def _stacked(each: list[Performance]) -> Performance:
    """One performance per batch as one with an entry each."""
    return each[0].mapped(lambda *one: np.asarray([float(np.squeeze(x)) for x in one]), *each[1:])


def _use(server: Server, found: Performance) -> Numbers:
    """Share of the chips' peaks that steps and prompts use over all of the time."""
    compute, read = (mfu(x, 1.0) for x in server.use_of_peak(found))
    return {"mfu": (compute, "1", "MFU"), "mbu": (read, "1", "MBU")}


def _power_columns(replica: Replica, tokens_per_s_per_chip: Any) -> Numbers:
    power = power_w(replica.cluster) or np.nan
    joule = energy_per_token_j(power, tokens_per_s_per_chip)
    per_mw = tokens_per_s_per_mw(power, tokens_per_s_per_chip)
    return {
        "joule_per_token": (joule, "J/token", "J per output token, chips at TDP"),
        "tokens_per_s_per_mw": (per_mw, "tok/s/MW", "tok/s per MW of TDP"),
    }


def _what_is_short(
    replica: Replica, held: Any, needed: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which points do not fit, and whether it is the weights or the caches that are too many."""
    capacity = replica.capacity_bytes
    alone = np.broadcast_to(np.asarray(held.fixed_bytes) > capacity, needed.shape)
    over = np.where(alone, 1, np.where(needed > capacity, 2, 0))
    parts = {
        "weights": held.loaded_bytes,
        "activations and buffers": held.activation_bytes + held.buffer_bytes,
        "reserve": held.reserve_bytes,
    }
    named = ", ".join(f"{n} {float(v) / 1e9:,.1f} GB" for n, v in parts.items() if v > 0)
    short = float(np.max(held.fixed_bytes)) - capacity
    has = f"the {capacity / 1e9:,.0f} GB that a chip has"
    # A sentence for each code, used or not.
    by = f"are {format_quantity(short, 'B')} more than" if short > 0 else "would be more than"
    return over, (
        f"out of memory: {named} {by} {has}",
        f"out of memory: caches of so many sequences, beside {named}, take more than {has}",
    )


def _about(
    replica: Replica, machine: Machine, price: Price | None, requests: Requests
) -> dict[str, Any]:
    cluster, model = machine.cluster, replica.model
    whole = replica.how.whole
    served = bool(np.any(requests.osl))
    lengths = {"isl": requests.isl, "osl": requests.osl}
    hit = {"prefix_hit": requests.cached / requests.isl if requests.isl else 0.0}
    return {
        "reading": replica.reading,
        "layout": None if whole else replica.layout.model_dump(),
        "model": model.id,
        "cluster": cluster.id,
        "chip": cluster.chip.id,
        "n_chips": machine.n_chips,
        "weight_dtype": model.weight_dtype,
        "kv_dtype": model.kv_dtype,
        "activation_dtype": replica.formats.activations,
        "engine": replica.engine.id if replica.how.calibrated else None,
        "drafts": requests.drafts,
        "acceptance": requests.acceptance,
        "expert_load_cv": replica.expert_load_cv,
        "request": {**lengths, **hit} if served else None,
        "price": price.model_dump(exclude_none=True) | {"words": price_words(price)}
        if price
        else None,
        "sources": {k: s.model_dump(exclude_none=True) for k, s in cluster.chip.sources.items()},
    }
