"""Pipeline stages in decoding: what they save, what they do not, and whether to have any."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Answer, Table
from ridgeline.answers.words import percent, quantity, sequences
from ridgeline.errors import InfeasibleError
from ridgeline.laws.parallel import domains_spanned
from ridgeline.laws.pipeline import (
    batch_in_flight,
    fewest_stages,
    kv_per_chip_bytes,
    stage_idle_share,
    token_latency_s,
    weights_per_chip_bytes,
)
from ridgeline.laws.rack import chips_used, egress_time_s
from ridgeline.specs.arguments import ANSWER, Amount, reads
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.ranges import HOP_S, SEQUENCES
from ridgeline.steps import balance, chip_capacity_bytes, decode_step
from ridgeline.steps import machine as machine_of

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving

__all__ = ["pipelining"]

_STAGES = (1, 2, 4, 8)
_HOP_LATENCY_S = 30e-6
_ACTIVATION_BYTES = 2
_MOST_STAGES = 64
_COLUMNS = {
    "n_stages": ("stages", "#"),
    "n_chips": ("chips", "#"),
    "batch": ("in flight", "#"),
    "weights_bytes": ("weights/chip", "B"),
    "kv_bytes": ("KV/chip", "B"),
    "share_of_memory": ("of memory", "%"),
    "latency_s": ("token", "s"),
    "hops_s": ("of that, hops", "s"),
    "idle_share": ("idle, one batch", "%"),
    "verdict": ("", ""),
}


@reads(
    answer=ANSWER,
    micro_batch=SEQUENCES,
    hop_s=HOP_S,
)
def pipelining(
    answer: Serving, *, micro_batch: Amount | None = None, hop_s: Amount | None = None
) -> Answer:
    """What cutting a model into pipeline stages saves and costs, and the recommended (EP, PP).

    Parameters
    ----------
    answer : Serving             A model on a cluster; one stage is one of its scale-up domains (all
                                 of its chips where there are fewer).
    micro_batch : float or None  Sequences that pass the stages together; None for the balance batch
                                 without KV, or for the most that fit where those are fewer. [1]
    hop_s : float or None        From stage to stage; None for 30 us and the activations' time on
                                 the scale-out network. [s]

    Returns
    -------
    Answer
        Table ``stages``. Values: ``n_stages`` and ``ep`` as recommended, ``micro_batch``,
        ``hop_s``. Chart ``memory``.

    Raises
    ------
    InfeasibleError   The caches of one micro-batch alone exceed a stage.
    SpecError         A micro-batch below one sequence, or a negative hop.

    Notes
    -----
    The lecture's accounting: everything is divided evenly over a stage's chips. Idle is the share
    of time a stage waits when only one micro-batch goes round.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = pipelining(rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72"))
    >>> found.values["ep"], found.values["n_stages"]
    (64, 1)
    """
    cluster = answer.machine.cluster
    per_stage = min(cluster.domain_size, answer.machine.n_chips)
    stage_bytes = per_stage * chip_capacity_bytes(cluster.chip)
    chosen = _micro_batch(answer, stage_bytes, micro_batch)
    kept = float(answer.counts.cache_bytes(answer.context))
    needed = _needed(answer, chosen, kept, stage_bytes)
    hop = _hop_s(answer, chosen, per_stage) if hop_s is None else hop_s
    stages = sorted({*_STAGES, int(needed)})
    rows = [_row(answer, p, per_stage, chosen, hop) for p in stages]
    ep = _ep(answer, per_stage)
    own = next(r for r in rows if r["n_stages"] == needed)

    def picture() -> Chart:
        from ridgeline.charts.memory import MEMORY_PARTS, memory_chart  # noqa: PLC0415

        bars = [
            {
                **dict.fromkeys(MEMORY_PARTS, 0.0),
                "label": f"{r['n_stages']} stage{'s' if r['n_stages'] > 1 else ''}",
                "note": f"{r['n_chips']:,} chips, {quantity(r['latency_s'], 's')} per token",
                "weights": r["weights_bytes"],
                "caches": r["kv_bytes"],
            }
            for r in rows
        ]
        subtitle = f"{sequences(chosen)} per micro-batch, as many of those as stages"
        capacity = chip_capacity_bytes(cluster.chip)
        return memory_chart(bars, capacity, title=answer.name, subtitle=subtitle)

    return Answer(
        question="pipelining",
        title=f"Pipeline stages: {answer.name}",
        sentences=(
            _saved(rows[0], rows[1], chosen),
            _hops(answer, rows, hop),
            _recommended(answer, own, ep, per_stage),
        ),
        tables=(Table("stages", f"{sequences(chosen)} per micro-batch", _COLUMNS, rows),),
        values={"n_stages": int(needed), "ep": ep, "micro_batch": chosen, "hop_s": hop},
        notes=answer.notes,
        provenance=answer.result.about,
        charts={"memory": picture},
    )


def _micro_batch(answer: Serving, stage_bytes: float, asked: float | None) -> float:
    if asked is not None:
        return asked
    balanced = balance(answer.counts, answer.machine, answer.context).batch_without_kv
    kept = float(answer.counts.cache_bytes(answer.context))
    left = stage_bytes - float(answer.counts.weight_bytes)
    # Where the weights need several stages anyway, caches get half of each.
    room = left if left > kept else stage_bytes / 2
    fits = room / kept if kept else balanced
    return float(max(1, math.floor(min(balanced, fits))))


def _needed(answer: Serving, micro_batch: float, kept: float, stage_bytes: float) -> float:
    needed = float(fewest_stages(answer.counts.weight_bytes, micro_batch * kept, stage_bytes))
    if needed > _MOST_STAGES:
        raise InfeasibleError(
            f"The caches of {sequences(micro_batch)} are {quantity(micro_batch * kept, 'B')} "
            f"in every stage, whatever the number of stages, and a stage has "
            f"{quantity(stage_bytes, 'B')}: {sequences(stage_bytes / kept)} would be the most "
            "even without weights. Ask for a smaller micro-batch or a shorter context."
        )
    return needed


def _hop_s(answer: Serving, micro_batch: float, per_stage: int) -> float:
    cluster = answer.machine.cluster
    width = answer.model.d_model
    if not width or not cluster.scale_out:
        return _HOP_LATENCY_S
    sent = micro_batch * width * _ACTIVATION_BYTES
    return _HOP_LATENCY_S + egress_time_s(sent, per_stage, cluster.scale_out)


def _row(answer: Serving, p: int, per_stage: int, b: float, hop_s: float) -> dict[str, Any]:
    tally, cluster = answer.counts, answer.machine.cluster
    stage = machine_of(cluster, per_stage, tally)
    step = float(decode_step(tally, stage, b, answer.context).time_s)
    batch = batch_in_flight(b, p)
    weights = weights_per_chip_bytes(tally.weight_bytes, per_stage, p)
    kv = kv_per_chip_bytes(batch, tally.cache_bytes(answer.context), per_stage, p)
    latency = float(token_latency_s(step, p, hop_s))
    capacity = chip_capacity_bytes(cluster.chip)
    return {
        "n_stages": p,
        "n_chips": p * per_stage,
        "batch": float(batch),
        "weights_bytes": float(weights),
        "kv_bytes": float(kv),
        "share_of_memory": float(weights + kv) / capacity,
        "latency_s": latency,
        "hops_s": latency - step,
        "idle_share": float(stage_idle_share(1, p)),
        "verdict": "" if weights + kv <= capacity else "does not fit",
    }


def _ep(answer: Serving, per_stage: int) -> int:
    """Chips that hold experts: the whole stage, or as many as whole experts reach."""
    experts = [b.ffn.n_experts for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    return int(chips_used(max(experts), per_stage)) if experts else 1


def _saved(one: dict[str, Any], two: dict[str, Any], micro_batch: float) -> str:
    return (
        f"Two stages halve the weights on a chip, {quantity(one['weights_bytes'], 'B')} to "
        f"{quantity(two['weights_bytes'], 'B')}. The caches stay at "
        f"{quantity(one['kv_bytes'], 'B')} with any number of stages, since each must be kept busy "
        f"with {sequences(micro_batch)} of its own: with one micro-batch instead, two stages "
        f"would idle {percent(two['idle_share'])} of the time, four 75%."
    )


def _hops(answer: Serving, rows: list[dict[str, Any]], hop_s: float) -> str:
    four = next(r for r in rows if r["n_stages"] == 4)
    step = four["latency_s"] - four["hops_s"]
    lecture = float(token_latency_s(step, 4, 2.5e-3))
    return (
        f"A token is no faster for them: its {quantity(step, 's')} through all layers stay, plus "
        f"a hop of {quantity(hop_s, 's')} a stage, {quantity(four['latency_s'], 's')} with four. "
        f"(With the lecture's hops of 2.5 ms it would be {quantity(lecture, 's')}.)"
    )


def _chips(n: int) -> str:
    return "the one chip" if n == 1 else f"the {n} chips"


def _recommended(answer: Serving, own: dict[str, Any], ep: int, per_stage: int) -> str:
    p = own["n_stages"]
    spread = f"Recommended: experts over {ep} chips of one domain" if ep > 1 else (
        f"Recommended: {_chips(per_stage)} of one domain as one stage"
    )  # fmt: skip
    holds = f"weights and caches take {percent(own['share_of_memory'])} of a chip"
    if p == 1:
        return f"{spread}, no pipeline: {holds}."
    spans = int(domains_spanned(own["n_chips"], per_stage))
    return f"{spread}, {p} stages over {spans} domains: the model does not fit into fewer; {holds}."
