"""From the answer to the rows that pictures are drawn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts.memory import memory_chart
from ridgeline.charts.operators import roofline_chart
from ridgeline.charts.pareto import pareto_chart
from ridgeline.charts.timeline import timeline_chart
from ridgeline.errors import InfeasibleError, SpecError, did_you_mean
from ridgeline.laws.stages import stage_imbalance
from ridgeline.questions.layouts.load import lengths_words
from ridgeline.questions.layouts.racked import draw_rack
from ridgeline.questions.layouts.words import percent, seconds, sequences

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.layouts.answer import Layouts
    from ridgeline.questions.layouts.ranking import Search
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
    if not answer.ranking:
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
    best = {**answer.best, "machine": _machine(answer.search_of(answer.best))}
    ringed = f"; yellow: {best['layout']}, {sequences(best['batch'])} per replica"
    if len(fronts) > 1:
        ringed += f", on {best['machine']}, bound by {best['bound']}"
    ringed += "; crosses: others"
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


def _op_words(op: Op) -> str:
    name = op.name.replace("_", " ").replace("+", " + ")
    kind = {"experts": "expert ", "shared_experts": "shared expert "}.get(op.part, "")
    return f"{kind}{name}"


def _group_of(op: Op) -> str:
    if op.kind == "attention":
        return "attention"
    if op.part == "experts":
        return "experts"
    return "head" if op.name.endswith("head") else "dense GEMMs"


def _roofline(answer: Layouts) -> Chart:
    row = answer.best
    search = answer.search_of(row)
    replica = search.candidates.replica_of(search.layout(row))
    group = answer.requests.decode(row["batch"])
    timed = replica.op_seconds(group)
    step_s = row["step_s"]
    # Ops of a bound overlap: their times, each alone, are more than the step's.
    alone = sum(s for _, s in timed)
    whole, of = step_s, f"share of the step's {seconds(step_s)}"
    if not replica.how.calibrated:
        whole = alone
        of = f"share of {seconds(alone)}, all ops one by one, which overlap to {seconds(step_s)}"
    found: dict[tuple[str, float], Row] = {}
    for op, spent in timed:
        if float(op.flops) <= 0 or spent <= 0:
            continue
        traffic = op.weight_bytes + op.kv_bytes + op.activation_bytes
        point = {
            "name": _op_words(op),
            "group": _group_of(op),
            "share": spent / whole,
            "intensity_flops_per_byte": float(op.flops / traffic),
            "flops_per_s": float(op.flops * op.repeat / spent),
        }
        # The same GEMM of two kinds of block is one operator.
        key = (point["name"], round(math.log10(point["intensity_flops_per_byte"]), 3))
        if key in found:
            found[key]["share"] += point["share"]
        else:
            found[key] = point
    chip = replica.cluster.chip
    without = max(0.0, 1 - sum(point["share"] for point in found.values()))
    rest = "collectives, small passes" + (", host" if replica.how.calibrated else "")
    return roofline_chart(
        list(found.values()),
        {k: chip.peak[k] for k in replica.arithmetics(group)},
        chip.memory.bandwidth,
        title=f"Operators of a decode step: {_name(answer)} on {_machine(search)}",
        subtitle=(
            f"{row['layout']}, {sequences(row['batch'])} per replica, {_kind(answer)}; area: {of}; "
            f"{percent(without)} is not drawn ({rest})"
        ),
    )


def _memory(answer: Layouts) -> Chart:
    best = answer.best
    search = answer.search_of(best)
    candidates = search.candidates
    rows = [r for r in answer.ranking if r["cluster"] == best["cluster"]][:_MEMORY_ROWS]
    bars = []
    for row in rows:
        layout = search.layout(row)
        held = candidates.memory(layout)
        bars.append(
            {
                "label": row["layout"],
                "weights": float(held.loaded_bytes),
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
    machine = _machine(answer.search_of(row))
    return draw_rack(answer, f"{_name(answer)} on {machine}: {row['layout']}")


def _timeline(answer: Layouts) -> Chart:
    rows = [r for r in answer.ranking if r["pp"] > 1]
    if not rows:
        raise SpecError(
            "No layout with pipeline stages meets the limits, so there is no timeline to draw."
        )
    row = rows[0]
    search = answer.search_of(row)
    pp, step_s = row["pp"], row["step_s"]
    replica = search.candidates.replica_of(search.layout(row))
    host = float(replica.host_s(answer.requests.decode(row["batch"]))) / step_s
    n_layers = sum(b.repeat for b in answer.model.blocks)
    # Micro-batches go round at the pace of the fullest stage; between steps all wait for the host.
    pace = float(stage_imbalance(n_layers, pp))
    fullest = round(pace * n_layers / pp)
    n_full = n_layers - (fullest - 1) * pp
    slot_s = step_s / pp
    full_s = slot_s * (1 - host)
    own = [full_s if s < n_full else full_s * (fullest - 1) / fullest for s in range(pp)]
    busy = (1 - host) / pace
    stages = f"stages of {fullest} layers" if n_full == pp else f"{fullest} or {fullest - 1} layers"
    waiting = f", host {percent(host)}" if host else ""
    size = f"of {row['batch'] / pp:,.0f}"
    panels = [
        {
            "title": (f"{pp} micro-batches {size}: idle {percent(1 - busy)} ({stages}{waiting})"),
            "bars": _bars(pp, pp, slot_s, own),
        },
        {
            "title": f"one micro-batch {size}: idle {percent(1 - busy / pp)}",
            "bars": _bars(pp, 1, slot_s, own),
        },
    ]
    return timeline_chart(
        panels,
        title=f"Decoding through {pp} stages: {_name(answer)} on {_machine(search)}",
        subtitle=(
            f"{row['layout']}, {_kind(answer)}; a token takes {seconds(step_s)} through all "
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
