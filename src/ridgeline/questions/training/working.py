"""The working of an answer about training: every term of a step with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ridgeline.answers.words import percent, quantity
from ridgeline.kernels.explain import laws_used
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.op_words import op_lines, op_name, op_shape
from ridgeline.questions.training.groups import Timed, ops_of_stage
from ridgeline.steps.counts import counts
from ridgeline.trainer.passes import PASSES
from ridgeline.trainer.utilization import passes_over_weights, peak_flops_per_s
from ridgeline.units import DAY_S, HOUR_S, format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.training.answer import Training
    from ridgeline.steps.op import Op

__all__ = ["explain"]

_OPS_SHOWN = 16
_PASS_WORDS = {
    "forward": "forward",
    "input_gradient": "gradient of inputs",
    "weight_gradient": "gradient of weights",
    "again": "forward, computed again",
}


def explain(answer: Training) -> str:
    """Write down, line by line, how the numbers of a step come about.

    Parameters
    ----------
    answer : Training

    Returns
    -------
    str   Plain text, several lines.
    """
    parts = [_model(answer), _machine(answer), _load(answer)]
    parts += [_blackboard(answer)] if answer.step.passes is None else _passes(answer)
    parts += [_sum(answer), _use(answer)]
    if answer.run is not None:
        parts.append(_run(answer))
    return "\n".join("\n".join([*lines, ""]) for lines in parts).rstrip()


def _model(answer: Training) -> list[str]:
    c = counts(answer.model)
    return [
        f"The model: {answer.model.id}",
        f"  N    parameters                  {_n(c.n_params)}",
        f"  N_a  active for one token        {_n(c.n_params_active)}   "
        "(with LM head, without embedding table)",
    ]


def _machine(answer: Training) -> list[str]:
    cluster = answer.job.cluster
    chip = cluster.chip
    lines = [
        f"The machine: {answer.job.n_chips:,} x {chip.name}, {cluster.domain_size} to a domain",
        f"  F    {answer.job.recipe.precision + ' arithmetic':<27} "
        f"{format_quantity(peak_flops_per_s(answer.job), 'FLOP/s')} per chip at peak",
        f"  M    bandwidth                   {format_quantity(chip.memory.bandwidth, 'B/s')}",
    ]
    if cluster.link is not None:
        lines.append(f"       in a domain, one way        {format_quantity(cluster.link, 'B/s')}")
    if cluster.scale_out is not None:
        rate = cluster.scale_out / cluster.oversubscription
        lines.append(f"       between domains, one way    {format_quantity(rate, 'B/s')}")
    return lines


def _load(answer: Training) -> list[str]:
    load, layout, recipe = answer.job.load, answer.job.layout, answer.job.recipe
    return [
        "The load",
        f"  T    tokens of a step            {load.global_batch:,} x {load.seq_len:,} = "
        f"{load.tokens:,}",
        f"  m    micro-batches of a rank     {load.global_batch:,} / ({layout.dp:,} x "
        f"{recipe.micro_batch}) = {_m(answer):,.0f}",
    ]


def _blackboard(answer: Training) -> list[str]:
    job = answer.job
    active = float(counts(job.model).n_params_active)
    work = answer.parts_s["products"]
    n = 2 * passes_over_weights(job)
    lines = [
        "A step on the blackboard",
        f"  {n} N_a T / (chips F)  = {n} x {_n(active)} x {job.load.tokens:,} / ({job.n_chips:,} x "
        f"{format_quantity(peak_flops_per_s(job), 'FLOP/s')}) = {_s(work)}",
    ]
    if job.layout.pp > 1:
        lines.append(_bubble_line(answer))
    return lines


def _passes(answer: Training) -> list[list[str]]:
    """The passes of a micro-batch on the slowest stage, and the ops that take longest in them."""
    step, job = answer.step, answer.job
    passes = step.passes
    assert passes is not None
    stage = int(np.ravel(step.stage)[0])
    where = f" on stage {stage + 1} of {job.layout.pp}, the slowest" if job.layout.pp > 1 else ""
    lines = [f"Passes of one micro-batch{where}"]
    total = 0.0
    for name in PASSES:
        seconds = float(np.ravel(passes.pass_s(name)[..., stage])[0])
        if seconds <= 0:
            continue
        total += seconds
        line = f"  {_PASS_WORDS[name]:<27}      {_s(seconds):>8}"
        if answer.is_calibrated:
            busy = float(np.ravel(passes.busy_s[name][..., stage])[0])
            host = float(np.ravel(passes.launch_s[name])[0 if passes.launch_s[name].ndim < 2
                                                         else stage])  # fmt: skip
            line += f"   (chip {_s(busy)}, launches {_s(host)})"
        lines.append(line)
    lines.append(f"  {'sum':<27}      {_s(total):>8}")
    timed = ops_of_stage(job, stage, answer.on)
    found = [lines, _ops(timed)]
    if answer.is_calibrated:
        ops = [t.op for t in timed]
        found.append(laws_used(ops, answer.job.calibration, "a framework"))
    return found


def _ops(timed: list[Timed]) -> list[str]:
    """The ops that take longest, alike ones together, up to the whole micro-batch."""
    found: dict[tuple[Op, str], tuple[float, float]] = {}
    for one in timed:
        alike = one.op._replace(repeat=1), one.run
        n, total = found.get(alike, (0.0, 0.0))
        found[alike] = (n + one.n * float(np.ravel(one.op.repeat)[0]), total + one.seconds)
    every = [(op, run, n, s) for (op, run), (n, s) in found.items() if s > 0]
    each = sorted(every, key=lambda item: -item[3])
    shown, rest = each[:_OPS_SHOWN], each[_OPS_SHOWN:]
    total = sum(s for *_, s in each)
    listed = [
        (f"{n:>3.3g} x {op_name(op)}{', again' * (run == 'again')}", op_shape(op), s)
        for op, run, n, s in shown
    ]
    if rest:
        listed.append((f"{len(rest):>3} other kinds of ops", "", sum(s for *_, s in rest)))
    listed.append(("      sum, nothing hidden", "", total))
    return [
        "The ops of a micro-batch that take longest, all layers of the stage together (of a GEMM "
        "m x k x n)",
        *op_lines(listed, total),
    ]


def _bubble_line(answer: Training) -> str:
    job = answer.job
    p, v, m = job.layout.pp, job.layout.vp, _m(answer)
    chunks = f", {v} chunks per stage" if v > 1 else ""
    return (
        f"  bubble of {SCHEDULES[job.schedule].title}, {p} stages{chunks}, {m:,.0f} micro-batches"
        f" = {_s(answer.parts_s['bubble'])} ({percent(answer.bubble_share)} of the step)"
    )


def _sum(answer: Training) -> list[str]:
    """The step as a sum of its parts."""
    parts = {n: s for n, s in answer.parts_s.items() if s > 0}
    lines = [f"The step of {_m(answer):,.0f} micro-batches"]
    lines += [f"  {answer.part_words(n):<32} {_s(s):>8}" for n, s in parts.items()]
    lines.append(f"  {'sum':<32} {_s(answer.step_s):>8}")
    if answer.job.layout.pp > 1 and answer.step.passes is not None:
        lines.append(_bubble_line(answer))
    return lines


def _use(answer: Training) -> list[str]:
    job = answer.job
    n = 2 * passes_over_weights(job)
    words = {
        "full": f"full: {n} N T + 12 L h s T", "causal": "causal: half of attention",
        "hardware": "hardware: and recompute", "6ND": f"{n} N_a T",
    }  # fmt: skip
    lines = ["FLOPs of a step, and utilization = FLOPs / (step x chips x F)"]
    for name, flops in answer.flops.items():
        lines.append(
            f"  {words[name]:<32} {format_quantity(flops, 'FLOP'):>10} / ({_s(answer.step_s)} x "
            f"{job.n_chips:,} x {format_quantity(peak_flops_per_s(job), 'FLOP/s')}) = "
            f"{percent(answer.utilization[name])}"
        )
    return lines


def _run(answer: Training) -> list[str]:
    run = answer.run
    assert run is not None
    lines = [
        "The run",
        f"  steps: tokens / T x step         {run.tokens:.4g} / {answer.job.load.tokens:,} x "
        f"{_s(answer.step_s)} = {run.work_s / DAY_S:.4g} days",
    ]
    if np.isfinite(run.between_s):
        lines += [
            f"  M    between interruptions       {run.between_s / HOUR_S:.3g} h",
            f"  d    to write a checkpoint       {format_quantity(run.checkpoint_bytes, 'B')} / "
            f"({run.n_chips:,} x "
            f"{format_quantity(answer.scenario.run.checkpoint_rate, 'B/s')}) = {_s(run.write_s)}",
            f"  t    between checkpoints, Daly   about sqrt(2 d M) = {run.interval_s / 60:.3g} min",
            "  T = M e^(R / M) (e^((t + d) / M) - 1) work / t, restart R "
            f"{_s(answer.scenario.run.restart)}, = {run.total_s / DAY_S:.4g} days",
        ]
    return lines


def _m(answer: Training) -> float:
    return float(np.ravel(answer.job.micro_batches)[0])


def _s(value: float) -> str:
    return format_quantity(value, "s")


def _n(value: float) -> str:
    return quantity(float(value), "params")
