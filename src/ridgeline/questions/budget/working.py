"""The working of a token budget: every number with its equation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.answers.words import percent, quantity, tokens
from ridgeline.laws.budget import CHINCHILLA_TOKENS_PER_PARAM, chinchilla_tokens
from ridgeline.questions.budget.plan import ACTIVITIES
from ridgeline.questions.budget.tables import ACTIVITY_WORDS
from ridgeline.units import DAY_S, HOUR_S, format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.budget.answer import Budget
    from ridgeline.questions.budget.optimum import Optimum

__all__ = ["explain"]


def explain(answer: Budget) -> str:
    """Write down, line by line, how the numbers come about.

    Parameters
    ----------
    answer : Budget

    Returns
    -------
    str   Plain text, several lines.
    """
    parts = [_model(answer), _weights(answer), _costs(answer), _optimum(answer.optimum, answer)]
    if answer.efficiency.fleet is not None:
        parts.append(_chips(answer))
    return "\n".join("\n".join([*lines, ""]) for lines in parts).rstrip()


def _model(answer: Budget) -> list[str]:
    plan = answer.plan
    return [
        f"The model: {answer.name}",
        f"  N    active for one token   {plan.n_params_active:,.0f}",
        f"       Chinchilla             {CHINCHILLA_TOKENS_PER_PARAM} N = "
        f"{tokens(chinchilla_tokens(plan.n_params_active))}; D_pre over it "
        f"{answer.overtraining:,.3g}",
    ]


def _weights(answer: Budget) -> list[str]:
    plan, e = answer.plan, answer.efficiency.ratio
    return [
        "What a token costs, in tokens of pre-training (6 FLOPs per parameter)",
        f"  e      MFU of serving over that of training   {e:.4g}",
        f"  alpha  RL          (k / 6) / e = ({plan.rl_factor:.4g} / 6) / {e:.4g} = "
        f"{plan.alpha:.4g}",
        f"  beta   inference   (2 / 6) / e = {plan.beta:.4g}",
    ]


def _costs(answer: Budget) -> list[str]:
    plan = answer.plan
    amounts = (plan.tokens, plan.rl_tokens, plan.expected_tokens)
    weights = (1.0, plan.alpha, plan.beta)
    lines = ["Costs, in tokens of pre-training: N cancels"]
    for name, n, w in zip(ACTIVITIES, amounts, weights, strict=True):
        source = plan.source(name)
        lines.append(
            f"  {ACTIVITY_WORDS[name]:<13} {tokens(n):>9} x {w:.4g} = {tokens(w * n):>9}   "
            f"{percent(w * n / plan.total):>4}   "
            f"{source if source == 'given' else f'from {source}'}"
        )
    if plan.deployed < 1:
        lines.append(
            f"  inference is {tokens(plan.inference_tokens)} x {plan.deployed:g}, the chance that "
            "the model is deployed"
        )
    lines.append(f"  m    RL and inference        {tokens(plan.demand)} = "
                 f"{plan.demand / plan.tokens:.3g} D_pre")  # fmt: skip
    return lines


def _optimum(best: Optimum, answer: Budget) -> list[str]:
    law = best.law
    own = best.plan
    lines = [
        f"The loss: {law.name}",
        f"  L(N, D) = {law.e:g} + {best.a:.6g} / N^{law.alpha:g} + {law.b:g} / D^{law.beta:g} "
        f"= {own.loss:.4f} nats per token",
    ]
    if answer.params_ratio != 1:
        lines.append(
            f"       A of active parameters, each worth {answer.params_ratio:.3g} dense ones: "
            f"{law.a:g} x {answer.params_ratio:.3g}^-{law.alpha:g}"
        )
    if math.isfinite(best.unique_tokens):
        lines.append(
            f"       D counts {tokens(best.unique_tokens)} of different text, again and again"
        )
    lines += [
        "  least 6 N (D + m) at this L, where rho = 1 + m / D",
        "  rho  = (alpha A N^-alpha) / (beta B D^-beta), over the elasticity of repeated tokens",
        f"       at this budget {best.exponent + 1:.4g}, and 1 + m / D = "
        f"{1 + own.demand / own.tokens:.4g}",
    ]
    each = (
        ("cheapest of this L", best.cheapest, "6 N (D + m)"),
        ("best of this cost", best.best, "6 N (D + m)"),
        ("least training", best.compute_optimal, "6 N D"),
    )
    for name, point, cost in each:
        lines.append(
            f"  {name:<20} N = {quantity(point.n_params_active, 'params')}, "
            f"D = {tokens(point.tokens)}, L = {point.loss:.4f}, "
            f"{cost} = {quantity(point.total_flops, 'FLOP')}"
        )
    return lines


def _chips(answer: Budget) -> list[str]:
    fleet, use = answer.efficiency.fleet, answer.efficiency
    assert fleet is not None
    lines = [
        f"The chips: {fleet.name}, {format_quantity(fleet.peak_flops_per_s, 'FLOP/s')} each "
        f"(dense {fleet.peak_dtype})"
    ]
    for name in ACTIVITIES:
        mfu = use.train_mfu if name == "pretraining" else use.decode_mfu
        assert mfu is not None
        lines.append(
            f"  {ACTIVITY_WORDS[name]:<13} {quantity(answer.plan.flops[name], 'FLOP')} / "
            f"(peak x {percent(mfu)}) = {answer.chip_s[name] / HOUR_S:,.0f} chip-hours"
        )
    if fleet.price is not None:
        total = sum(answer.chip_s.values())
        lines.append(
            f"  all           {total / HOUR_S:,.0f} chip-hours x "
            f"${fleet.price.usd_per_chip_hour:.4g} = ${answer.usd(total):,.0f}"
        )
    lifetime = answer.scenario.demand.lifetime
    if answer.serving_chips is not None and lifetime is not None:
        lines.append(
            f"  serving       {tokens(answer.plan.inference_tokens)} in "
            f"{quantity(lifetime / DAY_S, '1')} days take {answer.serving_chips:,.1f} chips"
        )
    if answer.run is not None:
        run = answer.run
        lines.append(
            f"  the run       {quantity(run.work_s / DAY_S, '1')} days of steps, with "
            f"{quantity(run.interruptions, '1')} interruptions and checkpoints "
            f"{quantity(run.total_s / DAY_S, '1')} days"
        )
    return lines
