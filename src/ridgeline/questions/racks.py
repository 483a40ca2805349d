"""Racks: experts on the chips of a scale-up domain, what leaves it, and what limits its size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, factor, percent, quantity
from ridgeline.errors import SpecError
from ridgeline.laws.experts import experts_per_chip
from ridgeline.laws.parallel import share_across
from ridgeline.laws.rack import (
    chips_used,
    chips_within,
    coolant_power_w,
    fewest_layers_per_stage,
    n_cables,
    scale_up_over_scale_out,
    spread_slowdown,
)
from ridgeline.questions.scaleup import GENERATIONS
from ridgeline.specs.arguments import ANSWER, Amount, reads
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.layout import Layout
from ridgeline.specs.ranges import SEQUENCES
from ridgeline.steps import chip_capacity_bytes
from ridgeline.steps.ideal import wire_bytes
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import decode

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.rack import Rack
    from ridgeline.steps.op import Op

__all__ = ["domain_limits", "racks"]

_DOMAINS = (1, 2, 4, 8)
_SPREAD = {
    "n_domains": ("domains", "#"),
    "n_chips": ("chips", "#"),
    "experts_per_chip": ("experts/chip", "#"),
    "n_idle": ("idle chips", "#"),
    "share_leaving": ("leaves domain", "%"),
    "inside_s": ("scale-up", "s"),
    "outside_s": ("scale-out", "s"),
    "slowdown": ("against one domain", "x"),
}
_GENERATIONS = {
    "machine": ("one domain of", ""),
    "n_chips": ("chips", "#"),
    "memory_bytes": ("memory", "B"),
    "experts_per_chip": ("experts/chip", "#"),
    "n_idle": ("idle chips", "#"),
    "bandwidth_ratio": ("up/out", "x"),
    "largest_params": ("largest layer or model", "params"),
    "n_layers": ("layers of this model", "#"),
}
_LIMITS = {
    "limit": ("limit", ""),
    "budget": ("the rack bears", ""),
    "per_chip": ("a chip adds", ""),
    "n_chips": ("chips", "#"),
    "share_used": ("used today", "%"),
}


@reads(
    answer=ANSWER,
    batch_per_chip=SEQUENCES,
)
def racks(answer: Serving, *, batch_per_chip: Amount = 128) -> Answer:
    """How a layer's experts lie on chips, what the exchange takes, and what a larger domain needs.

    Parameters
    ----------
    answer : Serving         A model of experts on a cluster with scale-up domains.
    batch_per_chip : float   Tokens each chip sends out in a step. [1]

    Returns
    -------
    Answer
        Tables ``spread`` (a layer over one, two, four… domains: the time of dispatch and combine
        on either fabric, at its datasheet rate), ``generations`` (the layer in one domain of each:
        the most parameters of this format it holds, as one layer or as a whole model, nothing
        else in memory) and, where the rack's physical figures are known, ``limits``. Values:
        ``bandwidth_ratio``, ``scale_up_over_scale_out`` and ``fewest_layers_per_stage`` of a
        pipeline cut between domains, ``n_idle``, with limits ``n_chips_by_power`` (``_cooling``…)
        and ``tightest_limit``. Chart ``spread``.

    Raises
    ------
    SpecError   A model without routed experts, or a machine whose chips stand alone.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = racks(rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72"))
    >>> found.table("spread").rows[0]["experts_per_chip"], found.values["n_idle"]
    (4, 8)
    """
    cluster, moe = answer.machine.cluster, _experts(answer)
    ratio = _bandwidth_ratio(cluster)
    rows = [_spread(answer, moe, n, ratio, batch_per_chip) for n in _DOMAINS]
    first = rows[0]
    pipeline = scale_up_over_scale_out(moe.n_experts_active, 1, ratio)
    values = {
        "bandwidth_ratio": ratio,
        "scale_up_over_scale_out": float(pipeline),
        "fewest_layers_per_stage": int(fewest_layers_per_stage(moe.n_experts_active, ratio)),
        "n_idle": first["n_idle"],
    }
    tables = [Table("spread", "One layer's experts over domains", _SPREAD, rows)]
    domains = [_generation(answer, moe, catalog.cluster(name)) for name in GENERATIONS]
    tables.append(Table("generations", "One layer in one domain, by generation", _GENERATIONS,
                        domains))  # fmt: skip
    words = [_placed(answer, moe, first), _leaving(ratio, rows[1]), _stages(moe, ratio, values)]
    rack = _rack_of(cluster)
    if rack is not None:
        limits = domain_limits(rack, cluster.domain_size)
        words += limits.sentences
        tables += limits.tables
        values |= _limit_values(limits)

    def picture() -> Chart:
        from ridgeline.charts.racks import spread_chart  # noqa: PLC0415  (only when drawn)

        title = f"{answer.model.name or answer.model.id} over domains of {cluster.name}"
        subtitle = f"{count(batch_per_chip)} tokens per chip; scale-out {factor(ratio)} slower each"
        return spread_chart(rows, title, subtitle)

    return Answer(
        question="racks",
        title=f"Experts on racks: {answer.name}",
        sentences=tuple(words),
        tables=tuple(tables),
        values=values,
        notes=answer.notes,
        provenance=answer.result.about,
        charts={"spread": picture},
    )


def _limit_values(limits: Answer) -> dict[str, Any]:
    """Chips by each limit of the rack, under names that say so beside other values."""
    chips = {f"n_chips_by_{k}": v for k, v in limits.values.items() if k != "tightest"}
    return chips | {"tightest_limit": limits.values["tightest"]}


def _experts(answer: Serving) -> MixtureOfExperts:
    found = [b.ffn for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    if not found:
        why = "is dense" if answer.model.blocks else "is known by its counts alone"
        raise SpecError(
            f"{answer.model.id} {why}: there are no experts to lay out. Name a model of experts "
            "such as deepseek-ai/DeepSeek-V3."
        )
    return max(found, key=lambda m: m.n_experts)


def _bandwidth_ratio(cluster: Cluster) -> float:
    if cluster.link is None or cluster.scale_out is None:
        missing = "scale-up link" if cluster.link is None else "scale-out rate"
        raise SpecError(
            f"{cluster.name} has no {missing}, so that nothing can be spread over it. Choose a "
            "cluster such as gb200-nvl72, or set it: --set cluster.scale_out='50 GB/s'."
        )
    return cluster.link / cluster.scale_out


def _exchanges(answer: Serving, n_chips: int, batch: float) -> list[Op]:
    layout = Layout(attn_dp=n_chips, ep=n_chips)
    domain = answer.machine.cluster.domain_size
    pieces = count_ops(answer.model, layout, [decode(batch, answer.context)], domain_size=domain)
    return [p for p in pieces if p.collective is not None and p.collective.kind == "all_to_all"]


def _spread(
    answer: Serving, moe: MixtureOfExperts, n_domains: int, ratio: float, batch_per_chip: float
) -> dict[str, Any]:
    cluster = answer.machine.cluster
    n_chips = n_domains * cluster.domain_size
    used = int(chips_used(moe.n_experts, n_chips))
    inside, outside = 0.0, 0.0
    for piece in _exchanges(answer, n_chips, batch_per_chip * n_chips)[:2]:
        assert piece.collective is not None
        within, across = wire_bytes(piece.collective, cluster.domain_size)
        inside, outside = inside + float(within), outside + float(across)
    assert cluster.link
    return {
        "n_domains": n_domains,
        "n_chips": n_chips,
        "experts_per_chip": int(experts_per_chip(moe.n_experts, n_chips)),
        "n_idle": n_chips - used,
        "share_leaving": float(share_across(n_domains)),
        "inside_s": inside / cluster.link,
        "outside_s": outside / (cluster.scale_out or 1.0),
        "slowdown": float(spread_slowdown(n_domains, ratio)),
    }


def _generation(answer: Serving, moe: MixtureOfExperts, cluster: Cluster) -> dict[str, Any]:
    """A domain's memory full of experts: of one layer, or of a whole model."""
    tally, n_chips = answer.counts, cluster.domain_size
    memory = n_chips * chip_capacity_bytes(cluster.chip)
    part = float(tally.weight_bytes_by_part["experts"])
    n_params = sum(float(n) for (p, _), n in tally.params.items() if p == "experts")
    n_layers = sum(b.repeat for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts))
    linked = cluster.link is not None and cluster.scale_out is not None
    return {
        "id": cluster.id,
        "machine": cluster.name,
        "n_chips": n_chips,
        "memory_bytes": memory,
        "experts_per_chip": int(experts_per_chip(moe.n_experts, n_chips)),
        "n_idle": n_chips - int(chips_used(moe.n_experts, n_chips)),
        "bandwidth_ratio": _bandwidth_ratio(cluster) if linked else None,
        "largest_params": memory * n_params / part,
        "n_layers": math.floor(memory / (part / n_layers)),
    }


def _placed(answer: Serving, moe: MixtureOfExperts, row: dict[str, Any]) -> str:
    idle = ""
    if row["n_idle"]:
        idle = (
            f"; {row['n_idle']} chips ({percent(row['n_idle'] / row['n_chips'])}) hold none, and "
            "work on attention only"
        )
    return (
        f"{answer.model.name or answer.model.id}: {moe.n_experts} experts per layer on the "
        f"{row['n_chips']} chips of one domain are {row['experts_per_chip']} a chip{idle}. A layer "
        f"takes two exchanges, {quantity(row['inside_s'], 's')} together at the link's rate."
    )


def _leaving(ratio: float, row: dict[str, Any]) -> str:
    return (
        f"Over two domains {percent(row['share_leaving'])} of the tokens leave theirs. Scale-out "
        f"is {factor(ratio)} slower a chip here (the lecture says about 8x), so the exchange takes "
        f"{factor(row['slowdown'])} as long, {quantity(row['outside_s'], 's')}: one domain bounds "
        "the size of an expert layer."
    )


def _stages(moe: MixtureOfExperts, ratio: float, values: dict[str, Any]) -> str:
    up = values["scale_up_over_scale_out"]
    n = values["fewest_layers_per_stage"]
    fine = "so that even one layer per stage keeps the fast fabric the busy one"
    if up < 1:
        fine = f"so that a stage needs at least {n} layers to keep the slow network out of the way"
    return (
        f"A pipeline cut between domains sends one activation per token where a layer sends "
        f"2 x {moe.n_experts_active}: scale-up over scale-out time is {up:.3g} for one layer per "
        f"stage (2 x {moe.n_experts_active} / {ratio:.3g}), {fine}."
    )


def _rack_of(cluster: Cluster) -> Rack | None:
    return next((r for r in catalog.racks() if r.cluster == cluster.id), None)


def domain_limits(rack: Rack | str, n_chips: int) -> Answer:
    """What power, cooling, weight and cables of a rack leave for the chips of one domain.

    Parameters
    ----------
    rack : Rack or str   Record, id of the catalogue, or TOML file.
    n_chips : int        Chips it is built with. [1]

    Returns
    -------
    Answer
        Table ``limits``; values: chips by ``power``, ``cooling``, ``weight``, ``cables`` (where the
        domain has any), and ``tightest``.

    Examples
    --------
    >>> found = domain_limits("gb200-nvl72", 72)
    >>> found.values["tightest"], found.values["power"], found.values["cooling"]
    ('cables', 78, 74)
    """
    record = catalog.rack(rack) if isinstance(rack, str) else rack
    rows = [
        _limit("power", record.power, record.power_fixed, record.power_per_chip, "W", n_chips),
        _limit(
            "cooling", _cooling_w(record), record.power_fixed, record.power_per_chip, "W", n_chips
        ),
        _limit(
            "weight",
            record.weight_kg,
            record.weight_fixed_kg,
            record.weight_per_chip_kg,
            "kg",
            n_chips,
        ),
    ]
    if record.n_links_per_chip and record.n_pairs_per_link and record.n_cables_max:
        each = float(n_cables(1, record.n_links_per_chip, record.n_pairs_per_link))
        rows.append(_limit("cables", float(record.n_cables_max), 0.0, each, "cables", n_chips))
    tightest = min(rows, key=lambda r: r["n_chips"])
    # What is limited twice is told by both.
    same = [r["limit"] for r in rows if r["n_chips"] == tightest["n_chips"]]
    used = ", ".join(f"{r['limit']} {r['n_chips']}" for r in rows)
    words = (
        f"{record.name}: chips that each limit bears: {used}; {n_chips} are built in. "
        f"{' and '.join(same).capitalize()} would give out first.",
    )
    values = {r["limit"]: r["n_chips"] for r in rows} | {"tightest": tightest["limit"]}
    return Answer(
        question="racks",
        title=f"Limits of a domain: {record.name}",
        sentences=words,
        tables=(Table("limits", f"What limits a domain: {record.name}", _LIMITS, rows),),
        values=values,
        notes=(record.notes,) if record.notes else (),
        provenance={"rack": record.id, "sources": {k: s.model_dump(exclude_none=True)
                                              for k, s in record.sources.items()}},
    )  # fmt: skip


def _cooling_w(rack: Rack) -> float:
    if rack.air_cooling is not None:
        return rack.air_cooling
    assert rack.coolant_flow_m3_per_s
    assert rack.coolant_rise_k
    return coolant_power_w(rack.coolant_flow_m3_per_s, rack.coolant_rise_k)


def _limit(
    name: str, budget: float, fixed: float, per_chip: float, unit: str, n_chips: int
) -> dict[str, Any]:
    def text(value: float) -> str:
        return quantity(value, unit) if unit == "W" else f"{count(value)} {unit}"

    per = f"{per_chip:.3g} {unit}" if unit == "kg" else text(per_chip)
    return {
        "limit": name,
        "budget": text(budget),
        "per_chip": per,
        "n_chips": int(chips_within(budget, fixed, per_chip)),
        "share_used": (fixed + n_chips * per_chip) / budget,
    }
