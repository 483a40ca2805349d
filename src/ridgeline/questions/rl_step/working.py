"""The working of an answer about a step of reinforcement learning: every term with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.answers.words import percent, quantity, seconds, tokens
from ridgeline.catalog import rl_loop
from ridgeline.trainer.weight_sync import n_gathers, n_matrices
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.rl_step.answer import RLStep

__all__ = ["explain"]


def explain(answer: RLStep) -> str:
    """Write down, line by line, how the numbers of a step come about.

    Parameters
    ----------
    answer : RLStep

    Returns
    -------
    str   Plain text, several lines.
    """
    parts = [_samples(answer), _generation(answer), _training(answer), _moves(answer)]
    parts += [_sum(answer), _flops(answer)]
    return "\n".join("\n".join([*lines, ""]) for lines in parts).rstrip()


def _samples(answer: RLStep) -> list[str]:
    asked, rollout = answer.scenario.rollout, answer.rollout
    return [
        "Samples",
        f"  prompts x samples           {asked.prompts:,} x {asked.samples:,} = "
        f"{answer.n_samples:,}",
        f"  tokens of a prompt          {tokens(asked.isl.mean)}",
        f"  tokens generated            {asked.osl}",
        f"  the longest of {rollout.n_all:,.0f}{' ' * max(13 - len(f'{rollout.n_all:,.0f}'), 1)}"
        f"{tokens(rollout.longest)}",
    ]


def _generation(answer: RLStep) -> list[str]:
    rollout, layout = answer.rollout, answer.rollout.replica.layout
    lines = [
        f"Generation: {layout.replicas:,} x {rollout.replica.n_chips:,} chips, "
        f"{quantity(rollout.n, '1')} samples each, {quantity(rollout.live, '1')} at a time",
        "  S: share of samples that are longer; a replica decodes n S / (1 - (1 - S)^n) of its n",
        "  position        S     decode        step   any runs",
    ]
    lines += [
        f"  {x:>8,.0f} {percent(share):>8} {live:>10,.1f} {seconds(step):>11} {percent(chance):>10}"
        for x, share, live, step, chance in rollout.course()
    ]
    lines.append(f"  prompts                     {seconds(rollout.prompts_s)}")
    if rollout.queued_s:
        lines.append(f"  every slot taken            {seconds(rollout.queued_s)}")
    lines.append(f"  until the longest ends      {seconds(rollout.ending_s)}")
    lines.append(
        f"  of which waiting for it     {seconds(rollout.tail_s)}   "
        f"(replaced at once, samples would take {seconds(rollout.even_s)})"
    )
    terms = [seconds(rollout.time_s)]
    if answer.is_calibrated:
        terms.append(f"x {rl_loop().generation:.3g} in a loop")
    if answer.steps_off > 1:
        terms.append(f"/ {answer.steps_off} steps in flight")
    if len(terms) > 1:
        terms.append(f"= {seconds(answer.generation_s)}")
    lines.append(f"  generation                  {' '.join(terms)}")
    return lines


def _training(answer: RLStep) -> list[str]:
    asked, load, job = answer.scenario.rollout, answer.job.load, answer.job
    factor = f" x {rl_loop().training:.3g} in a loop" if answer.is_calibrated else ""
    each = answer.updates_s / answer.passes.trained / asked.updates
    each /= rl_loop().training if answer.is_calibrated else 1.0
    lines = [
        f"Training: {answer.n_training:,} chips, {job.layout.dp:,} ranks",
        f"  an update's sequences       {load.global_batch:,} x {load.seq_len:,} tokens, "
        f"{float(job.micro_batches):,.0f} micro-batches a rank",
        f"  updates                     {asked.updates:,} x {seconds(each)}{factor}"
        + (f" x {answer.passes.trained} models" if answer.passes.trained > 1 else "")
        + f" = {seconds(answer.updates_s)}",
    ]
    passes, forward = answer.passes.forward, answer.logprobs_s
    one = forward / passes / asked.updates
    one /= rl_loop().training if answer.is_calibrated else 1.0
    lines.append(
        f"  forward passes              {passes} x {asked.updates:,} x {seconds(one)}{factor} = "
        f"{seconds(forward)}"
    )
    return lines


def _moves(answer: RLStep) -> list[str]:
    lines = ["Between the two"]
    if answer.reading != "blackboard":
        lines.append(
            f"  new weights                 {n_gathers(answer.job):,} gathers"
            f"{_given(answer)}: {seconds(answer.sync_s)}"
        )
    if answer.swap_s:
        lines.append(f"  state to host and back      {seconds(answer.swap_s)}")
    return lines if len(lines) > 1 else [*lines, "  nothing, on the blackboard"]


def _given(answer: RLStep) -> str:
    """How the weights that were gathered get into the engine."""
    if answer.steps_off:
        return " and a broadcast"
    if not answer.is_calibrated:
        return ""
    return f", {n_matrices(answer.job):,} matrices x {seconds(rl_loop().matrix_s)} of the host"


def _sum(answer: RLStep) -> list[str]:
    g, t = answer.generation_s, answer.training_s
    both = (
        f"max({seconds(g)}, {seconds(t)})" if answer.steps_off else f"{seconds(g)} + {seconds(t)}"
    )
    moved = answer.sync_s + answer.swap_s
    more = f" + {seconds(moved)}" if moved else ""
    return ["The step", f"  {both}{more} = {seconds(answer.step_s)}"]


def _flops(answer: RLStep) -> list[str]:
    peak = format_quantity(answer.peak_flops_per_s, "FLOP/s")
    trained = answer.passes.trained * answer.trained_flops
    n = format_quantity(answer.n_params_active, "").strip().replace("G", "B")
    return [
        "FLOPs",
        f"  N_a active parameters {n}, D {tokens(answer.generated_tokens)} generated and "
        f"{tokens(answer.tokens)} trained on, peak {peak} per chip",
        f"  generation                  2 N_a D = {percent(answer.decode_mfu)} of the peak",
        f"  updates                     {trained} N_a D = "
        f"{percent(answer.training_mfu)} of the peak",
        f"  the step                    {answer.flops_per_param_and_token} N_a D = "
        f"{percent(answer.mfu)} of the peak",
    ]
