"""The working of an answer: the equations with their numbers in."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ridgeline.kernels.explain import laws_used
from ridgeline.laws.roofline import hardware_ratio, mfu, sparsity
from ridgeline.questions.op_words import op_lines, op_name, op_shape
from ridgeline.questions.prices import price_words
from ridgeline.questions.serving.words import count, layout_words, usd
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.serving.answer import Serving
    from ridgeline.steps.op import Op
    from ridgeline.steps.tokens import Group

__all__ = ["explain"]

_BITS_PER_BYTE = 8


def explain(answer: Serving, batch: float | None = None) -> str:
    """Write down, line by line, how the numbers of one batch come about.

    Parameters
    ----------
    answer : Serving
    batch : float or None   Sequences in flight; None for the point that a user would run, and on
                            the blackboard for the balance batch, or what fits.

    Returns
    -------
    str   Plain text, several lines.
    """
    row = answer.at(_usual_batch(answer) if batch is None else batch)
    if answer.reading == "calibrated":
        step, landmarks = _calibrated_step(answer, row), _ideal_landmarks(answer)
    elif answer.layout is not None:
        step, landmarks = _ideal_step(answer, row), _ideal_landmarks(answer)
    else:
        step, landmarks = _step(answer, row), _landmarks(answer)
    return "\n".join(
        [
            *_model(answer),
            "",
            *_machine(answer),
            "",
            *step,
            "",
            *landmarks,
            *_cost(answer, row),
        ]
    )


def _usual_batch(answer: Serving) -> float:
    if answer.layout is not None:
        return float(answer.chosen["batch"])
    batch = max(1.0, min(answer.balance.batch, answer.balance.largest_batch))
    return batch if math.isfinite(batch) else float(answer.result["batch"][-1])


def _model(answer: Serving) -> list[str]:
    c = answer.counts
    read, kept = float(c.cache_read_bytes(answer.context)), float(c.cache_bytes(answer.context))
    lines = [
        f"The model: {answer.model.id}",
        f"  N    parameters                  {_n(c.n_params)}",
        f"  N_a  active for one token        {_n(c.n_params_active)}   "
        f"(with LM head, without embedding table)",
        f"  s    sparsity N / N_a            {sparsity(c.n_params, c.n_params_active):.3g}",
        f"  W    weights as stored           {format_quantity(c.weight_bytes, 'B')}   "
        f"({_formats(answer)})",
        f"  kv   read a step and sequence    {format_quantity(read, 'B')}   "
        f"(at L = {answer.context:,.0f}; {format_quantity(kept, 'B')} kept)",
    ]
    if c.n_params_mtp:
        lines.append(f"       MTP layers, left out        {_n(c.n_params_mtp)}")
    return lines


def _formats(answer: Serving) -> str:
    sizes: dict[str, float] = {}
    for (_, dtype), n in answer.counts.params.items():
        sizes[dtype] = sizes.get(dtype, 0.0) + float(n)
    total = sum(sizes.values())
    ordered = sorted(sizes.items(), key=lambda item: -item[1])
    return ", ".join(f"{d} {n / total:.1%}" for d, n in ordered if n / total > 0.0005)


def _machine(answer: Serving) -> list[str]:
    m = answer.machine
    chip = m.cluster.chip
    lines = [
        f"The machine: {answer.machine_name}",
        f"  M    bandwidth                   {m.n_chips} x "
        f"{format_quantity(chip.memory.bandwidth, 'B/s')} = "
        f"{format_quantity(m.bandwidth_bytes_per_s, 'B/s')}",
    ]
    for weight in answer.counts.dtypes:
        kind = m.compute[weight]
        each = chip.peak[kind]
        width = answer.counts.dtypes[weight].bits / _BITS_PER_BYTE
        ratio = hardware_ratio(each, width, chip.memory.bandwidth)
        lines.append(
            f"  C    {weight + ' in ' + kind:<27} {m.n_chips} x "
            f"{format_quantity(each, 'FLOP/s')} / 2 = "
            f"{m.multiplies_per_s[kind]:.3g} multiplies/s   (R = {ratio:,.0f})"
        )
    return lines


def _step(answer: Serving, row: dict[str, float]) -> list[str]:
    read = format_quantity(float(answer.counts.cache_read_bytes(answer.context)), "B")
    m = format_quantity(answer.machine.bandwidth_bytes_per_s, "B/s")
    w = format_quantity(answer.counts.weight_bytes, "B")
    t = {
        k: format_quantity(row[k], "s")
        for k in ("compute_s", "weight_fetch_s", "attention_s", "time_s")
    }
    return [
        f"One decode step at B = {row['batch']:,.0f}",
        f"  t_compute = B N_a / C            = {_products(answer, row)} = {t['compute_s']}",
        f"  t_weights = W / M                = {w} / {m} = {t['weight_fetch_s']}",
        f"  t_kv      = B kv / M             = {row['batch']:,.0f} x {read} / {m} = "
        f"{t['attention_s']}",
        f"  t >= max(t_compute, t_weights + t_kv) = {t['time_s']}   bound by {row['bound']}",
        *_use(answer, row, "MFU <= t_compute / t             ="),
    ]


def _use(answer: Serving, row: dict[str, float], named: str) -> list[str]:
    """MFU of this step; and over all time, where steps are not all there is."""
    step = answer.step(row["batch"])
    lines = [f"  {named} {float(mfu(step.compute_at_peak_s, step.time_s)):.1%}"]
    if answer.has_requests and row["mfu"] is not None:
        mean = f"{row['mfu']:.1%}" + (" at most" if answer.reading != "calibrated" else "")
        lines.append(f"  MFU over all time, with prefill  {mean}")
    return lines


def _ideal_step(answer: Serving, row: dict[str, float]) -> list[str]:
    assert answer.layout is not None
    t = {k: format_quantity(v, "s") for k, v in row.items() if k.endswith("_s") and v is not None}
    return [
        f"One decode step at B = {row['batch']:,.0f}, {layout_words(answer.layout)}",
        "  what the fullest chip is asked for, each at its datasheet peak:",
        f"  arithmetic: GEMMs and attention  {t['compute_s']}",
        f"  weights of the experts hit       {t['weight_fetch_s']}",
        f"  KV read and written              {t['attention_s']}",
        f"  collectives with other chips     {t['network_s']}",
        f"  t >= max(compute, weights + KV, network) = {t['time_s']}   bound by {row['bound']}",
        *_use(answer, row, "MFU <= compute / t              "),
    ]


def _calibrated_step(answer: Serving, row: dict[str, float]) -> list[str]:
    assert answer.layout is not None
    t = {k: format_quantity(v, "s") for k, v in row.items() if k.endswith("_s") and v is not None}
    return [
        f"One decode step at B = {row['batch']:,.0f}, {layout_words(answer.layout)}",
        "  ops one after another, each at what good engines reach:",
        f"  GEMMs: arithmetic                {t['compute_s']}",
        f"  GEMMs: reading weights           {t['weight_fetch_s']}",
        f"  attention: caches, arithmetic    {t['attention_s']}",
        f"  collectives with other chips     {t['network_s']}",
        f"  launches, small passes, host     {t['overhead_s']}",
        *_in_two(answer, row),
        f"  sum                              {t['time_s']}   80% interval {t['time_low_s']} to "
        f"{t['time_high_s']}; most of it {row['bound']}",
        *_use(answer, row, "MFU                             "),
        "",
        *_ops(answer, row),
        "",
        *laws_used(answer.replica.ops(_group(answer, row)), answer.replica.calibration),
    ]


def _in_two(answer: Serving, row: dict[str, float]) -> list[str]:
    """What two micro-batches hide, where a step runs in them."""
    step = answer.replica.step(_group(answer, row))
    hidden = float(step.hidden_s)
    if hidden <= 0:
        return []
    return [
        f"  in two micro-batches             {format_quantity(hidden, 's')} of collectives hidden "
        "behind the other's arithmetic, in no line above"
    ]


_OPS_SHOWN = 12


def _group(answer: Serving, row: dict[str, float]) -> Group:
    return replace(answer.requests, decode_context=answer.context).decode(row["batch"])


def _ops(answer: Serving, row: dict[str, float]) -> list[str]:
    """The ops that take longest, equal ones of all layers together, up to the whole step."""
    group = _group(answer, row)
    timed = _merged(answer.replica.op_seconds(group))
    shown, rest = timed[:_OPS_SHOWN], timed[_OPS_SHOWN:]
    host = float(answer.replica.host_s(group))
    listed = [(f"{op.repeat:>3.3g} x {op_name(op)}", op_shape(op), s) for op, s in shown]
    if rest:
        listed.append((f"{len(rest):>3} other kinds of ops", "", sum(s for _, s in rest)))
    listed.append(("      host", "", host))
    listed.append(("      sum", "", sum(s for _, _, s in listed)))
    return [
        "The ops that take longest, all layers together (of a GEMM m x k x n)",
        *op_lines(listed, row["time_s"]),
    ]


def _merged(timed: list[tuple[Op, float]]) -> list[tuple[Op, float]]:
    """Ops that differ by nothing but their layers as one, longest first; those of no time left out.

    Layers of several kinds (a window, a router) share most of their ops.
    """
    found: dict[Op, tuple[float, float]] = {}
    for op, seconds in timed:
        alike = op._replace(repeat=1)
        repeat, total = found.get(alike, (0.0, 0.0))
        found[alike] = (repeat + float(op.repeat), total + seconds)
    each = [(op._replace(repeat=n), s) for op, (n, s) in found.items() if s > 0]
    return sorted(each, key=lambda item: -item[1])


def _ideal_landmarks(answer: Serving) -> list[str]:
    b = answer.balance
    binds = count(b.batch) if math.isfinite(b.batch) else "no batch"
    calibrated = answer.reading == "calibrated"
    what = f"{'GEMM arithmetic' if calibrated else 'compute'} binds from"
    return [
        "Landmarks",
        f"  a single sequence                {format_quantity(b.latency_floor_s, 's')}",
        f"  {what:<32} {binds}",
        f"  sequences that fit               {_finite(b.largest_batch)}",
    ]


def _products(answer: Serving, row: dict[str, float]) -> str:
    """``B N_a / C``, a term for each format where the weights have several."""
    active: dict[str, float] = {}
    for (_, dtype), n in answer.counts.active.items():
        active[dtype] = active.get(dtype, 0.0) + float(n)
    m = answer.machine
    terms = [f"{_n(n)} / {m.multiplies_per_s[m.compute[d]]:.3g}" for d, n in active.items() if n]
    joined = " + ".join(terms)
    return f"{row['batch']:,.0f} x {f'({joined})' if len(terms) > 1 else joined}"


def _landmarks(answer: Serving) -> list[str]:
    b = answer.balance
    with_kv = count(b.batch) if math.isfinite(b.batch) else "none: kv / M > N_a / C"
    limit = f"{count(b.context)} tokens" if math.isfinite(b.context) else "none"
    return [
        "Landmarks",
        f"  latency floor W / M              = {format_quantity(b.latency_floor_s, 's')}",
        f"  balance batch, KV left out       = (W/M) / (N_a/C) = {count(b.batch_without_kv)}",
        f"  balance batch, KV included       = (W/M) / (N_a/C - kv/M) = {with_kv}",
        f"  balance context                  = {limit}   (where kv(L) / M = N_a / C)",
        f"  sequences that fit               = {_finite(b.largest_batch)}",
        f"  drain period, listed memory / M  = {format_quantity(b.drain_s, 's')}"
        f"; wait one, ride one = {format_quantity(b.worst_case_s, 's')}",
    ]


#: parts of a cost in words, and their columns
_COSTS = {"compute": "compute", "weights": "weights", "KV": "attention", "network": "network"}


def _cost(answer: Serving, row: dict[str, float]) -> list[str]:
    if answer.price is None:
        return []
    lines = _request_cost(answer, row) if answer.has_requests else _token_cost(answer, row)
    return ["", f"Cost at {price_words(answer.price)}", *lines] if lines else []


def _token_cost(answer: Serving, row: dict[str, float]) -> list[str]:
    """What a token costs where sequences only decode: every step is theirs."""
    assert answer.price is not None
    gained = float(answer.requests.tokens_per_step)
    several = gained != 1
    batch, n_chips = f"{row['batch']:,.0f}", answer.replica.n_chips
    tokens = f"({batch} x {gained:.4g})" if several else batch
    parts = [
        f"{name} {usd(row[f'usd_per_mtok_{part}'])}"
        for name, part in _COSTS.items()
        if answer.reading != "calibrated" and row[f"usd_per_mtok_{part}"] > 0
    ]
    return [
        f"  t / {'(B x tokens per step)' if several else 'B'} x chips x $/h / 3600 x 10^6",
        f"  = {row['time_s']:.3g} s / {tokens} x {n_chips:,} x {_rent(answer)} / 3600 x 10^6 = "
        f"{usd(row['usd_per_mtok_output'])} per million output tokens",
        *([f"  each part alone: {', '.join(parts)}"] if parts else []),
    ]


def _request_cost(answer: Serving, row: dict[str, float]) -> list[str]:
    """What a request costs, and how its tokens share that."""
    asked, rate = answer.requests, row["requests_per_s"]
    if not rate:
        return []
    shares = {
        "new input": (asked.new, row["usd_per_mtok_input"]),
        "cached input": (asked.cached, row["usd_per_mtok_cached_input"]),
        "output": (asked.osl, row["usd_per_mtok_output"]),
    }
    shared = [f"{count(float(n))} {name} x {usd(each)}" for name, (n, each) in shares.items() if n]
    n_chips = answer.replica.n_chips * answer.replica.layout.replicas
    return [
        "  chips x $/h / 3600 / requests per second",
        f"  = {n_chips:,} x {_rent(answer)} / 3600 / {rate:.3g} = {usd(row['usd_per_request'])} "
        "per request, shared among its tokens:",
        f"  = ({' + '.join(shared)}) / 10^6",
    ]


def _rent(answer: Serving) -> str:
    assert answer.price is not None
    return usd(answer.price.usd_per_chip_hour)


def _n(value: float) -> str:
    return format_quantity(float(value), "").strip().replace("G", "B")


def _finite(value: float) -> str:
    return count(value) if math.isfinite(value) else "any number: nothing is cached"
