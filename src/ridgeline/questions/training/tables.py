"""Tables of an answer about training: where time and memory go, stages, groups, the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Table
from ridgeline.questions.training.groups import group_rows, stages_of_chip
from ridgeline.questions.training.words import KINDS_OF_TIME, MEMORY_WORDS
from ridgeline.trainer.passes import layers_on_stages
from ridgeline.trainer.utilization import CONVENTIONS

if TYPE_CHECKING:
    from ridgeline.questions.training.answer import Training

__all__ = ["memory_table", "run_table", "stages_table", "tables", "time_table", "use_table"]

_MOST_STAGES = 8
_ROUNDING = 1e-9
_KIND_OF_PART = {part: kind for kind, parts in KINDS_OF_TIME.items() for part in parts}


def tables(answer: Training) -> tuple[Table, ...]:
    """All tables of an answer, the waterfall first."""
    found = [time_table(answer), use_table(answer)]
    if answer.memory is not None:
        found.append(memory_table(answer))
    if answer.step.passes is not None:
        found += [stages_table(answer)] * (answer.job.layout.pp > 1)
        found += _groups_table(answer)
    if answer.run is not None:
        found.append(run_table(answer))
    return tuple(found)


def time_table(answer: Training) -> Table:
    """The waterfall of a step: its parts, which add up to it."""
    total = answer.step_s
    rows = [
        {
            "part": part,
            "of": answer.part_words(part),
            "kind": _KIND_OF_PART[part],
            "time_s": seconds,
            "share": seconds / total,
        }
        for part, seconds in answer.parts_s.items()
        if seconds > 0
    ]
    rows.append({"part": "step", "of": "step", "kind": "", "time_s": total, "share": 1.0})
    least = "" if answer.is_calibrated else " ≥"
    columns = {"of": ("part", ""), "time_s": (f"time{least}", "s"), "share": ("share", "%")}
    return Table("time", "Where the time of a step goes", columns, rows)


def use_table(answer: Training) -> Table:
    """FLOPs and utilisation in every convention, each by its name."""
    rows = [
        {
            "convention": name,
            "of": _CONVENTION_WORDS[name],
            "flops_per_token": answer.flops[name] / answer.job.load.tokens,
            "flops_per_s_per_chip": answer.flops[name] / answer.step_s / answer.job.n_chips,
            "utilization": answer.utilization[name],
        }
        for name in answer.flops
    ]
    most = "" if answer.is_calibrated else " ≤"
    columns = {
        "of": ("FLOPs counted", ""),
        "utilization": (f"utilization{most}", "%"),
        "flops_per_s_per_chip": (f"per chip{most}", "FLOP/s"),
        "flops_per_token": ("per token", "FLOP"),
    }
    return Table("utilization", "Model and hardware FLOPs utilization", columns, rows)


_CONVENTION_WORDS = {
    "full": "MFU, full attention",
    "causal": "MFU, causal half",
    "hardware": "HFU, full and recompute",
    "6ND": "MFU, 6 N D: no attention",
}
assert set(CONVENTIONS) <= set(_CONVENTION_WORDS)


def memory_table(answer: Training) -> Table:
    """What the fullest chip holds at its peak."""
    memory = answer.memory
    assert memory is not None
    capacity = memory.capacity_bytes
    parts = {n: float(np.ravel(v)[0]) for n, v in memory.at_peak().items()}
    rows = [
        _memory_row(name, MEMORY_WORDS[name], size, capacity)
        for name, size in parts.items()
        if size > 0
    ]
    needed = float(np.ravel(memory.needed_bytes)[0])
    back = needed - sum(parts.values())
    if back < -_ROUNDING * needed:
        # What the allocator keeps without need, and gives back before it fails.
        rows.append(_memory_row("returned", "given back when short", back, capacity))
    rows.append(_memory_row("needed", "needed", needed, capacity))
    rows.append(_memory_row("capacity", "capacity", capacity, capacity))
    columns = {"of": ("part", ""), "memory_bytes": ("bytes", "B"), "share": ("of capacity", "%")}
    stage = int(np.ravel(memory.stage)[0]) + 1
    where = f", stage {stage} of {answer.job.layout.pp}" if answer.job.layout.pp > 1 else ""
    return Table("memory", f"Memory of the fullest chip{where}", columns, rows)


def _memory_row(part: str, words: str, size: float, capacity: float) -> dict[str, Any]:
    return {"part": part, "of": words, "memory_bytes": size, "share": size / capacity}


def stages_table(answer: Training) -> Table:
    """Each stage: its layers, passes of a micro-batch, idle time and memory."""
    passes, job = answer.step.passes, answer.job
    assert passes is not None
    layers = layers_on_stages(job.count, 1)[0]
    m = float(np.ravel(job.micro_batches)[0])
    forward, inputs, weights = (
        np.ravel(v) for v in (passes.forward_s, passes.input_gradient_s, passes.weight_gradient_s)
    )
    busy = m * (forward + inputs + weights)
    held = None if answer.memory is None else np.ravel(answer.memory.stages_bytes())
    rows = [
        {
            "stage": s + 1,
            "layers": int(layers[s, : len(job.model.blocks)].sum()),
            "forward_s": float(forward[s]),
            "input_gradient_s": float(inputs[s]),
            "weight_gradient_s": float(weights[s]),
            "gradients_s": float(inputs[s] + weights[s]),
            "idle": max(1 - _busy(answer, busy, s) / answer.step_s, 0.0),
            "memory_bytes": None if held is None else float(held[s]),
        }
        for s in range(job.layout.pp)
    ]
    columns = {
        "stage": ("stage", ""),
        "layers": ("layers", "#"),
        "forward_s": ("forward", "s"),
        "gradients_s": ("gradients", "s"),
        "idle": ("idle", "%"),
        "memory_bytes": ("memory per chip", "B"),
    }
    title = "Stages: a micro-batch's passes, and the share of the step that is not spent in them"
    return Table("stages", title, columns, rows, brief=_telling(answer, len(rows)))


def _busy(answer: Training, busy: Any, stage: int) -> float:
    """Seconds of all micro-batches on a stage's chip."""
    return sum(share * float(busy[s]) for s, share in stages_of_chip(answer.job, stage))


def _telling(answer: Training, n: int) -> list[int] | None:
    """Of many stages the ends, the slowest and the fullest."""
    if n <= _MOST_STAGES:
        return None
    found = {0, 1, n - 2, n - 1, int(np.ravel(answer.step.stage)[0])}
    if answer.memory is not None:
        found.add(int(np.ravel(answer.memory.stage)[0]))
    return sorted(found)


def _groups_table(answer: Training) -> list[Table]:
    rows: list[dict[str, Any]] = group_rows(answer.job, answer.step, answer.on)
    if not rows:
        return []
    columns = {
        "group": ("group", ""),
        "size": ("ranks", "#"),
        "inside": ("in a domain", "#"),
        "payload_bytes": ("payload", "B"),
        "time_s": ("time", "s"),
        "hidden_s": ("hidden", "s"),
        "exposed_s": ("exposed", "s"),
    }
    if not answer.is_calibrated:
        # All resources side by side: what is hidden is not told apart.
        columns = {n: c for n, c in columns.items() if n not in ("hidden_s", "exposed_s")}
    title = "Parallel groups: what the slowest stage's chip exchanges in a step"
    return [Table("groups", title, columns, rows)]


def run_table(answer: Training) -> Table:
    """The run, with and without what goes wrong."""
    run = answer.run
    assert run is not None
    rows = [run.row("steps alone", run.work_s)]
    if run.low_s is not None and run.high_s is not None:
        rows += [run.row("80% from", run.low_s), run.row("to", run.high_s)]
    rows.append(run.row("with checkpoints, interruptions", run.total_s))
    columns = {
        "of": ("run", ""),
        "days": ("days", "1"),
        "chip_hours": ("chip-hours", "tokens"),
        "usd": ("USD", "USD"),
        "energy_wh": ("energy", "Wh"),
    }
    if run.usd_per_chip_hour is None:
        del columns["usd"]
    if run.power_w is None:
        del columns["energy_wh"]
    return Table("run", "The whole run", columns, rows)
