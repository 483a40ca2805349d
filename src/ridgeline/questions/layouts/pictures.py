"""From the answer to the rows that pictures are drawn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts.memory import memory_chart
from ridgeline.charts.operators import roofline_chart
from ridgeline.charts.pareto import pareto_chart
from ridgeline.charts.rack import MOST_CHIPS_DRAWN, rack_chart
from ridgeline.charts.timeline import timeline_chart
from ridgeline.errors import InfeasibleError, SpecError, did_you_mean
from ridgeline.laws.experts import experts_per_chip
from ridgeline.questions.layouts.load import lengths_words
from ridgeline.questions.layouts.words import percent, seconds, sequences
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.layouts.answer import Layouts
    from ridgeline.questions.layouts.ranking import Search
    from ridgeline.specs.layout import Layout
    from ridgeline.steps.op import Op

__all__ = ["PICTURES", "draw"]

Row = dict[str, Any]

#: points that do not make the front are drawn thinned out
_CLOUD_POINTS = 600
_MEMORY_ROWS = 8
_MS_PER_S = 1e3


def draw(answer: Layouts, name: str) -> Chart:
    """Draw one of `PICTURES`.

    Raises
    ------
    SpecError         There is no such picture.
    InfeasibleError   There is nothing to draw: no layout meets the limits.
    """
    if name not in PICTURES:
        raise SpecError(
            f"There is no picture {name!r}.{did_you_mean(name, PICTURES)} "
            f"There are {', '.join(PICTURES)}."
        )
    if not answer.rows:
        raise InfeasibleError("Nothing to draw: no layout meets the limits.")
    return PICTURES[name](answer)


def _name(answer: Layouts) -> str:
    return answer.model.name or answer.model.id


def _machine(search: Search) -> str:
    return f"{search.n_chips} x {search.candidates.base.cluster.chip.name}"


def _kind(answer: Layouts) -> str:
    return "calibrated" if answer.reading == "calibrated" else "ideal: bounds at datasheet peaks"


def _front(answer: Layouts) -> Chart:
    axes = ("tokens_per_s_per_user", "tokens_per_s_per_chip")
    fronts, cloud = {}, []
    for search in answer.searches:
        points = search.front(*axes)
        if points:
            fronts[_machine(search)] = _with_width(search, points)
        every = max(1, search.result.infeasible.size // _CLOUD_POINTS)
        x, y = (np.ravel(search.result[c])[::every] for c in axes)
        good = np.ravel(search.result.infeasible == 0)[::every]
        cloud += [
            {axes[0]: float(a), axes[1]: float(b)} for a, b in zip(x[good], y[good], strict=True)
        ]
    band = ", 80% band" if answer.reading == "calibrated" else ""
    on = ", ".join(fronts) if len(fronts) < 3 else f"{len(fronts)} machines"
    best = answer.best
    ringed = f"; yellow: {best['layout']}, {sequences(best['batch'])} per replica; crosses: others"
    limit = answer.limits.tpot_s
    return pareto_chart(
        fronts,
        cloud,
        best,
        title=f"{_name(answer)} on {on}",
        subtitle=f"{lengths_words(answer.requests)}; {_kind(answer)}{band}{ringed}",
        least_tokens_per_s_per_user=1 / limit if math.isfinite(limit) else 0.0,
    )


def _with_width(search: Search, points: list[Row]) -> list[Row]:
    candidates = search.candidates
    index = np.asarray([p["candidate"] for p in points])
    batches = np.asarray([p["batch"] for p in points])
    if not candidates.base.how.calibrated:
        return [{**p, "wide": 1.0} for p in points]
    low, high = candidates.intervals(index, batches)["tpot_s"]
    wide = np.broadcast_to((high / low) ** 0.5, len(points))
    return [{**p, "wide": float(w)} for p, w in zip(points, wide, strict=True)]


def _told(piece: Op) -> str:
    name = piece.name.replace("_", " ").replace("+", " + ")
    kind = {"experts": "expert ", "shared_experts": "shared expert "}.get(piece.part, "")
    return f"{kind}{name}"


def _group_of(piece: Op) -> str:
    if piece.kind == "attention":
        return "attention"
    if piece.part == "experts":
        return "experts"
    return "head" if piece.name.endswith("head") else "dense products"


def _roofline(answer: Layouts) -> Chart:
    row = answer.best
    search = answer.search_of(row)
    replica = search.candidates.replica_of(search.layout(row))
    group = answer.requests.decode(row["batch"])
    timed = replica.op_seconds(group)
    whole = sum(s for _, s in timed)
    found: dict[tuple[str, float], Row] = {}
    without = 0.0
    for piece, spent in timed:
        traffic = piece.weight_bytes + piece.kv_bytes + piece.activation_bytes
        if float(piece.flops) <= 0 or spent <= 0:
            without += spent
            continue
        point = {
            "name": _told(piece),
            "group": _group_of(piece),
            "share": spent / whole,
            "intensity_flops_per_byte": float(piece.flops / traffic),
            "flops_per_s": float(piece.flops * piece.repeat / spent),
        }
        # The same product of two kinds of block is one operator.
        key = (point["name"], round(math.log10(point["intensity_flops_per_byte"]), 3))
        if key in found:
            found[key]["share"] += point["share"]
        else:
            found[key] = point
    chip = replica.cluster.chip
    kinds = replica.arithmetics(group)
    return roofline_chart(
        list(found.values()),
        {k: chip.peak[k] for k in kinds},
        chip.memory.bandwidth,
        title=f"Operators of a decode step: {_name(answer)} on {_machine(search)}",
        subtitle=(
            f"{row['layout']}, {sequences(row['batch'])} per replica, {_kind(answer)}; area: "
            f"share of {seconds(row['step_s'])}; {percent(without / whole)} is not drawn "
            "(exchanges, small passes)"
        ),
    )


def _memory(answer: Layouts) -> Chart:
    best = answer.best
    search = answer.search_of(best)
    candidates = search.candidates
    rows = [r for r in answer.rows if r["cluster"] == best["cluster"]][:_MEMORY_ROWS]
    bars = []
    for row in rows:
        layout = search.layout(row)
        held = candidates.memory(layout)
        bars.append(
            {
                "label": row["layout"],
                "weights": float(held.weights_bytes),
                "caches": float(held.bytes_per_sequence) * row["batch"],
                "activations": float(held.activation_bytes),
                "buffers": float(held.buffer_bytes),
                "reserve": float(held.reserve_bytes),
                "note": f"{row['batch']:,.0f} of {row['largest_batch']:,.0f} sequences",
            }
        )
    return memory_chart(
        bars,
        candidates.capacity_bytes,
        title=f"Memory of a chip: {_name(answer)} on {_machine(search)}",
        subtitle=f"{lengths_words(answer.requests)}; each layout at its best batch, best first",
    )


def _rack(answer: Layouts) -> Chart:
    row = answer.best
    search = answer.search_of(row)
    if search.n_chips > MOST_CHIPS_DRAWN:
        raise SpecError(
            f"{search.n_chips} chips are too many to draw: at most {MOST_CHIPS_DRAWN} (--chips)."
        )
    layout = search.layout(row)
    chips = [_chip(answer, layout, i) for i in range(search.n_chips)]
    return rack_chart(
        chips,
        _sends(answer, layout),
        domain_size=search.candidates.base.cluster.domain_size,
        title=f"{_name(answer)} on {_machine(search)}: {row['layout']}",
        subtitle=_traffic(search, row, _experts_of(answer) is not None),
    )


def _experts_of(answer: Layouts) -> MixtureOfExperts | None:
    sparse = [b.ffn for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    return sparse[0] if sparse else None


def _chip(answer: Layouts, layout: Layout, i: int) -> Row:
    """What one chip holds: of a sparse model experts, of a dense one its share of a stage."""
    stage_chips = layout.attn_dp * layout.tp
    replica, own = divmod(i, layout.pp * stage_chips)
    stage, within = divmod(own, stage_chips)
    where = f"chip {i}: replica {replica}, stage {stage}, DP rank {within // layout.tp}"
    moe = _experts_of(answer)
    if moe is None:
        label = f"{within % layout.tp}" if layout.pp == 1 else f"s{stage}"
        return {"label": label, "experts": None, "drawn": replica == 0, "tip": where}
    slices = stage_chips // layout.ep
    held = int(experts_per_chip(moe.n_experts, layout.ep))
    first = (within // slices) * held
    n = max(0, min(held, moe.n_experts - first))
    cut = f" / {slices}" if slices > 1 else ""
    return {
        "label": f"{n}{cut}" if n else "0",
        "experts": n,
        "drawn": replica == 0,
        "tip": f"{where}, experts {first} to {first + n - 1}{cut}" if n else f"{where}, no experts",
    }


def _sends(answer: Layouts, layout: Layout) -> list[tuple[int, int]]:
    """Where one token of the first chip goes: to its experts' chips, or round the TP group."""
    moe = _experts_of(answer)
    stage_chips = layout.attn_dp * layout.tp
    if moe is None or layout.attn_dp == 1 or layout.ep == 1:
        if layout.tp == 1:
            return [(i * stage_chips, (i + 1) * stage_chips) for i in range(layout.pp - 1)]
        return [(i, (i + 1) % layout.tp) for i in range(layout.tp)]
    held = int(experts_per_chip(moe.n_experts, layout.ep))
    slices = stage_chips // layout.ep
    k = moe.n_experts_active
    # A token's experts, spread evenly: which they are differs from token to token.
    chosen = [int((j + 0.5) * moe.n_experts / k) // held * slices for j in range(k)]
    return [(0, chip) for chip in dict.fromkeys(chosen) if chip]


def _traffic(search: Search, row: Row, is_sparse: bool) -> list[str]:
    """What the exchanges of a step carry and take."""
    candidates = search.candidates
    replica = candidates.replica_of(search.layout(row))
    timed = replica.op_seconds(candidates.requests.decode(row["batch"]))
    sends: dict[str, list[float]] = {}
    for piece, spent in timed:
        if piece.collective is not None and float(piece.collective.group) > 1:
            name = "all-reduce" if piece.collective.kind == "all_reduce" else piece.name
            carried = sends.setdefault(name.replace("_", " "), [0.0, 0.0])
            carried[0] += float(piece.collective.payload_bytes * piece.repeat)
            carried[1] += spent
    said = [
        f"{name}: {format_quantity(sent, 'B')} per chip and step, {percent(t / row['step_s'])}"
        for name, (sent, t) in sorted(sends.items(), key=lambda item: -item[1][1])[:3]
    ]
    number = "numbers: experts a chip holds of each layer; lines: where a token of one chip goes"
    if row["attn_dp"] * row["tp"] > row["ep"]:
        number = "n / m: n experts of each layer, cut over m chips; lines: where a token goes"
    if not is_sparse:
        number = "s: pipeline stage, else TP rank; lines: the sum over one tensor-parallel group"
    step = f"{sequences(row['batch'])} per replica, step {seconds(row['step_s'])}; {number}"
    return [step, "; ".join(said) or "nothing is exchanged"]


def _timeline(answer: Layouts) -> Chart:
    rows = [r for r in answer.rows if r["pp"] > 1]
    if not rows:
        raise SpecError(
            "No layout with pipeline stages meets the limits, so there is no timeline to draw."
        )
    row = rows[0]
    search = answer.search_of(row)
    pp = row["pp"]
    n_layers = sum(b.repeat for b in answer.model.blocks)
    fullest = -(-n_layers // pp)
    n_full = n_layers - (fullest - 1) * pp
    slot = row["step_s"] / pp
    own = [slot if s < n_full else slot * (fullest - 1) / fullest for s in range(pp)]
    stages = f"stages of {fullest} layers" if n_full == pp else f"{fullest} or {fullest - 1} layers"
    panels = [
        {
            "title": (
                f"{pp} micro-batches of {row['batch'] / pp:,.0f}: idle "
                f"{percent(1 - sum(own) / (slot * pp))} ({stages})"
            ),
            "bars": _bars(pp, pp, slot, own),
        },
        {
            "title": f"one micro-batch of {row['batch'] / pp:,.0f}: idle "
            f"{percent(1 - sum(own) / (slot * pp) / pp)}",
            "bars": _bars(pp, 1, slot, own),
        },
    ]
    return timeline_chart(
        panels,
        title=f"Decoding through {pp} stages: {_name(answer)} on {_machine(search)}",
        subtitle=(
            f"{row['layout']}, {_kind(answer)}; a token takes {seconds(row['step_s'])} through all "
            "stages; colours and numbers: micro-batches; grey: idle"
        ),
    )


def _bars(pp: int, n_micro: int, slot_s: float, own_s: list[float], rounds: int = 3) -> list[Row]:
    """Each micro-batch goes round: stage s takes it up when the stage before is done."""
    bars = []
    for token in range(rounds):
        for m in range(n_micro):
            for s in range(pp):
                start = (token * pp + m + s) * slot_s
                if start >= rounds * pp * slot_s:
                    continue
                bars.append(
                    {
                        "stage": s + 1,
                        "micro_batch": m + 1,
                        "token": token + 1,
                        "from_ms": start * _MS_PER_S,
                        "to_ms": (start + own_s[s]) * _MS_PER_S,
                    }
                )
    return bars


#: name to how it is drawn
PICTURES = {
    "front": _front,
    "roofline": _roofline,
    "memory": _memory,
    "rack": _rack,
    "timeline": _timeline,
}
