"""The best layout on its rack: what each chip holds, where lines go, what collectives carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.charts.rack import MOST_CHIPS_DRAWN, rack_chart
from ridgeline.errors import SpecError
from ridgeline.laws.experts import experts_per_chip, slots_per_chip
from ridgeline.questions.layouts.words import percent, seconds, sequences
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.layouts.answer import Layouts
    from ridgeline.specs.layout import Layout
    from ridgeline.steps.counting import ExpertRules
    from ridgeline.steps.op import Op

__all__ = ["draw_rack"]

Row = dict[str, Any]
#: chips by number, from one to another
Pairs = list[tuple[int, int]]


def draw_rack(answer: Layouts, title: str) -> Chart:
    """Draw the chips of the best layout, and what one of them sends.

    Raises
    ------
    SpecError   There are too many chips to draw.
    """
    row = answer.best
    search = answer.search_of(row)
    if search.n_chips > MOST_CHIPS_DRAWN:
        raise SpecError(
            f"{search.n_chips} chips are too many to draw: at most {MOST_CHIPS_DRAWN} (--chips)."
        )
    layout, moe = search.layout(row), _experts_of(answer)
    replica = search.candidates.replica_of(layout)
    timed = replica.op_seconds(answer.requests.decode(row["batch"]))
    sends = [(op, s) for op, s in timed if op.collective and float(op.collective.group) > 1]
    # Bounds read no copy, and draw none.
    slots = _slots_per_chip(replica.expert_rules, layout, moe) if replica.how.calibrated else 0
    kinds = {op.collective.kind for op, _ in sends if op.collective}
    pairs, lines = _pairs(layout, moe, kinds, slots)
    step = f"{sequences(row['batch'])} per replica, step {seconds(row['step_s'])}"
    return rack_chart(
        [_chip(moe, layout, i, slots) for i in range(search.n_chips)],
        pairs,
        domain_size=search.candidates.base.cluster.domain_size,
        title=title,
        subtitle=["; ".join(p for p in (step, _numbers(layout, moe, slots), lines) if p),
                  _traffic(sends, row["step_s"])],
    )  # fmt: skip


def _experts_of(answer: Layouts) -> MixtureOfExperts | None:
    sparse = [b.ffn for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    return sparse[0] if sparse else None


def _slots_per_chip(rules: ExpertRules, layout: Layout, moe: MixtureOfExperts | None) -> int:
    """Places for experts on a chip that hot experts' copies fill up; 0 where none has a copy."""
    if moe is None or not rules.balances(layout):
        return 0
    return int(slots_per_chip(moe.n_experts, layout.ep, rules.copies_share))


def _chip(moe: MixtureOfExperts | None, layout: Layout, i: int, slots: int = 0) -> Row:
    """What one chip holds: of a sparse model experts, of a dense one its share of a stage."""
    stage_chips = layout.attn_dp * layout.tp
    replica, own = divmod(i, layout.pp * stage_chips)
    stage, within = divmod(own, stage_chips)
    where = f"chip {i}: replica {replica}, stage {stage}, DP rank {within // layout.tp}"
    if moe is None:
        label = f"s{stage}" if layout.pp > 1 else f"{within if stage_chips > 1 else replica}"
        return {"label": label, "experts": None, "drawn": replica == 0, "tip": where}
    slices = stage_chips // layout.ep
    if slots:
        cut = f" / {slices}" if slices > 1 else ""
        tip = f"{where}, {slots} experts{cut}, copies of hot ones included"
        return {"label": f"{slots}{cut}", "experts": slots, "drawn": replica == 0, "tip": tip}
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


def _numbers(layout: Layout, moe: MixtureOfExperts | None, slots: int) -> str:
    """What the numbers on chips are."""
    if moe is None:
        if layout.pp > 1:
            return "s: pipeline stage"
        return (
            "numbers: TP rank" if layout.tp > 1 else "numbers: replica, a whole model on each chip"
        )
    if layout.attn_dp * layout.tp > layout.ep:
        said = "n / m: n experts of each layer, cut over m chips"
    else:
        said = "numbers: experts a chip holds of each layer"
    return f"{said}, copies of hot ones included" if slots else said


def _pairs(
    layout: Layout, moe: MixtureOfExperts | None, kinds: set[str], slots: int = 0
) -> tuple[Pairs, str]:
    """What is drawn of the collectives that a step has, by their kinds, and what it is.

    Tokens to their experts, else sums of a tensor-parallel group, else hops between stages.
    """
    stage_chips = layout.attn_dp * layout.tp
    if moe and "reduce_scatter" in kinds and layout.attn_dp > 1:
        others = [(0, chip) for chip in range(1, stage_chips)]
        return others, "lines: a token of one chip is gathered by every chip of its stage"
    if moe and "all_to_all" in kinds:
        held = slots or int(experts_per_chip(moe.n_experts, layout.ep))
        n = slots * layout.ep or moe.n_experts
        slices = stage_chips // layout.ep
        k = moe.n_experts_active
        # A token's experts, spread evenly: which they are differs from token to token.
        ranks = dict.fromkeys(int((j + 0.5) * n / k) // held for j in range(k))
        chips = [rank * slices + cut for rank in ranks for cut in range(slices)]
        return [(0, chip) for chip in chips if chip], "lines: where a token of one chip goes"
    if layout.tp > 1:
        ring = [(i, (i + 1) % layout.tp) for i in range(layout.tp)]
        return ring, "lines: the all-reduces of one tensor-parallel group"
    if layout.pp > 1:
        hops = [(i * stage_chips, (i + 1) * stage_chips) for i in range(layout.pp - 1)]
        return hops, "lines: hops from stage to stage"
    return [], ""


def _traffic(sends: list[tuple[Op, float]], step_s: float) -> str:
    """What the collectives of a step carry and take."""
    found: dict[str, list[float]] = {}
    for op, spent in sends:
        assert op.collective is not None
        carried = found.setdefault(_collective_words(op), [0.0, 0.0])
        carried[0] += float(op.collective.payload_bytes * op.repeat)
        carried[1] += spent
    said = [
        f"{name}: {format_quantity(sent, 'B')} per chip and step, {percent(t / step_s)}"
        for name, (sent, t) in sorted(found.items(), key=lambda item: -item[1][1])[:3]
    ]
    return "; ".join(said) or "chips send each other nothing"


def _collective_words(op: Op) -> str:
    """The field's word for a collective, with what it is for where that says more."""
    assert op.collective is not None
    kind = op.collective.kind.replace("_", "-")
    name = op.name.removeprefix("draft_").removesuffix("_all")
    if op.collective.kind == "hop":
        return "hops between stages"
    return f"{name} ({kind})" if name in ("dispatch", "combine", "logits") else kind
