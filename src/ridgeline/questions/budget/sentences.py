"""A token budget in sentences: tokens, over-training, the optimum, money."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.answers.words import percent, quantity, times, tokens
from ridgeline.laws.budget import CHINCHILLA_TOKENS_PER_PARAM
from ridgeline.questions.prices import price_words
from ridgeline.units import DAY_S, HOUR_S, format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.budget.answer import Budget
    from ridgeline.questions.budget.optimum import Point

__all__ = ["sentences"]

_SPLITS = {
    "thirds": "a third of the cost each",
    "halves": "training at the cost of inference",
    "without-rl": "pre-training at the cost of inference",
}
#: of cost, below which the equal-cost point is as good as the optimum
_AS_GOOD = 0.01
#: exponent beyond which tokens, not parameters, are what is wasted
_WORTHLESS = 100.0
#: ratio of sizes up to which loss laws agree
_ALIKE = 1.1


def sentences(answer: Budget) -> list[str]:
    """Tokens, over-training, what the heuristic misses, the optimum, money."""
    said = [_tokens(answer), _weights(answer), _overtraining(answer), _heuristic(answer)]
    said += [_optimum(answer), _laws(answer), _money(answer)]
    return [s for s in said if s]


def _tokens(answer: Budget) -> str:
    plan, demand = answer.plan, answer.scenario.demand
    rl = f", {tokens(plan.rl_tokens)} of RL" if plan.rl_tokens else ""
    served = f"{tokens(plan.inference_tokens)} served"
    if demand.deployed < 1:
        served += f", of which {tokens(plan.expected_tokens)} are expected"
    said = f"{answer.name}: {tokens(plan.tokens)} tokens of pre-training{rl} and {served}"
    if answer.is_equal:
        return f"{said}, {_SPLITS[demand.split]}."
    equal = answer.equal
    rl = f", {tokens(equal.rl_tokens)} of RL" if equal.rl_tokens else ""
    return (
        f"{said}. With {_SPLITS[demand.split]} it would be {tokens(equal.tokens)} of "
        f"pre-training{rl} and {tokens(equal.inference_tokens)} served."
    )


def _weights(answer: Budget) -> str:
    plan = answer.plan
    served = f"as much as {_number(plan.beta)}"
    efficiency = f"at {percent(answer.efficiency.ratio)} of the MFU of training"
    if not plan.rl_tokens:
        return (
            f"A token served costs {served} of pre-training (2 instead of 6 FLOPs per parameter), "
            f"{efficiency}."
        )
    return (
        f"A token of RL costs as much as {_number(plan.alpha)} of pre-training "
        f"({plan.rl_factor:.3g} instead of 6 FLOPs per parameter), one served {served} (2 FLOPs), "
        f"{efficiency}."
    )


def _overtraining(answer: Budget) -> str:
    plan, best = answer.plan, answer.optimum
    own = best.compute_optimal
    against = _against(answer.overtraining)
    said = (
        f"{tokens(plan.tokens)} are {_number(plan.tokens / plan.n_params_active)} tokens per "
        f"active parameter, {against} Chinchilla's {CHINCHILLA_TOKENS_PER_PARAM}."
    )
    if not math.isfinite(own.n_params_active):
        return said
    return (
        f"{said} By {best.law.name} the same loss takes the fewest training FLOPs with "
        f"{_size(own)}: this model takes {_times(best.overtraining_cost)} as many."
    )


def _against(ratio: float) -> str:
    if _number(ratio) == "1":
        return "as many as"
    return f"{_number(ratio)} times" if ratio >= 1 else f"{ratio:.2g} of"


def _multiple(ratio: float) -> str:
    return "as much as" if _number(ratio) == "1" else f"{_number(ratio)} times"


def _number(value: float) -> str:
    return quantity(value, "1")


def _times(ratio: float) -> str:
    return times(ratio)


def _size(point: Point) -> str:
    params = quantity(point.n_params_active, "params")
    return f"{params} parameters on {tokens(point.tokens)} tokens"


def _heuristic(answer: Budget) -> str:
    """Where the equal-cost heuristic holds, and how far off it is here."""
    best, plan = answer.optimum, answer.plan
    if not plan.demand:
        return ""
    all_else = "RL and inference cost" if plan.rl_tokens else "inference costs"
    here = f"{all_else} {_multiple(plan.demand / plan.tokens)} the pre-training"
    if best.exponent <= 0:
        return (
            f"At equal loss a larger model would cost more training, too: here {here}, and a "
            "smaller one saves on both."
        )
    cheapest = best.cheapest
    if best.exponent > _WORTHLESS:
        return (
            f"Text is repeated so often that more of it adds next to nothing: here {here}, at the "
            f"optimum {_number(cheapest.demand / cheapest.tokens)} times it."
        )
    return (
        "Equal cost is optimal only where both costs scale with the same exponent. At equal loss "
        f"training falls as N^-{best.exponent:.3g} around this point, and all else grows as N: "
        f"here {here}, at the optimum {_number(cheapest.demand / cheapest.tokens)} times it."
    )


def _optimum(answer: Budget) -> str:
    best = answer.optimum
    if not answer.plan.demand:
        return ""
    if best.saves < _AS_GOOD:
        return (
            f"That is as good as the optimum: the cheapest model of this loss has "
            f"{_size(best.cheapest)}, and saves {percent(best.saves)}."
        )
    return (
        f"The cheapest model of this loss has {_size(best.cheapest)}, and saves "
        f"{percent(best.saves)}; the best for this cost has {_size(best.best)}, with a loss of "
        f"{best.best.loss:.4f} instead of {best.plan.loss:.4f} nats per token."
    )


def _laws(answer: Budget) -> str:
    """How far laws differ."""
    every = [answer.optimum, *answer.others]
    sizes = [o.cheapest.n_params_active for o in every if math.isfinite(o.cheapest.tokens)]
    if not answer.plan.demand or len(sizes) < 2:
        return ""
    low, high = (quantity(n, "params") for n in (min(sizes), max(sizes)))
    wide = ": error bars of such answers are wide" if max(sizes) > _ALIKE * min(sizes) else ""
    sizes_said = low if low == high else f"{low} to {high}"
    return (
        f"By the {len(every)} loss laws the cheapest model of this budget's loss has {sizes_said} "
        f"parameters{wide}."
    )


def _money(answer: Budget) -> str:
    fleet, use = answer.efficiency.fleet, answer.efficiency
    if fleet is None or use.train_mfu is None or use.decode_mfu is None:
        return ""
    chip_s = answer.chip_s
    days = chip_s["pretraining"] / fleet.n_chips / DAY_S
    said = (
        f"On {fleet.name}, at {percent(use.train_mfu)} MFU, pre-training takes {_number(days)} days"
        f"{_priced(answer, chip_s['pretraining'])}"
    )
    with_stops = None if answer.run is None else _number(answer.run.total_s / DAY_S)
    if with_stops not in (None, _number(days)):
        said += f", {with_stops} with checkpoints and interruptions"
    if fleet.training is not None and fleet.is_too_small:
        said += ", in a layout that does not fit the memory of its chips"
    said += "; "
    said += f"RL {_hours(answer, 'rl')}, " if chip_s["rl"] else ""
    said += f"inference {_hours(answer, 'inference')} at {percent(use.decode_mfu)} MFU"
    if answer.serving_chips is not None:
        said += f", {answer.serving_chips:,.0f} chips while it is deployed"
    total = sum(chip_s.values())
    usd = answer.usd(total)
    if usd is not None and fleet.price is not None:
        said += f". All in all {_dollars(usd)} at {price_words(fleet.price)}"
    return f"{said}."


def _hours(answer: Budget, name: str) -> str:
    chip_s = answer.chip_s[name]
    return f"{quantity(chip_s / HOUR_S, 'tokens')} chip-hours{_priced(answer, chip_s)}"


def _priced(answer: Budget, chip_s: float) -> str:
    usd = answer.usd(chip_s)
    return "" if usd is None else f" ({_dollars(usd)})"


def _dollars(value: float) -> str:
    return f"${format_quantity(value, '').strip().replace('G', 'B')}" if value >= 1e6 else (
        f"${value:,.0f}"
    )  # fmt: skip
