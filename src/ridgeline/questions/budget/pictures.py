"""Pictures of a token budget: costs against tokens at equal loss, and models of equal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ridgeline import catalog
from ridgeline.answers.words import quantity, tokens
from ridgeline.errors import SpecError, there_is_no
from ridgeline.laws.budget import TRAINING_FLOPS, chip_seconds, token_flops

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.budget.answer import Budget
    from ridgeline.questions.budget.optimum import Optimum

__all__ = ["PICTURES", "draw"]

#: in the order in which help lists them
PICTURES: Final = ("budget", "iso-loss")
_POINTS, _FEW = 241, 81
#: how far a picture of costs reaches beyond what it marks
_ROOM = 12.0
#: demands whose optimum is drawn, as multiples of the question's
_MORE = 10.0
#: losses nearer than that by ratio to the budget's have no line of their own
_APART = 0.01
#: share of the picture's width of which a line is left out
_CORNER = 0.05
#: how far lines are drawn beyond the picture, which cuts them
_BEYOND = 1.5


def draw(answer: Budget, name: str) -> Chart:
    """Draw a picture.

    Parameters
    ----------
    answer : Budget
    name : str        One of `PICTURES`.

    Raises
    ------
    SpecError   There is no such picture.
    """
    if name not in PICTURES:
        raise SpecError(there_is_no("picture", name, PICTURES))
    return _costs(answer) if name == "budget" else _iso_loss(answer)


def _costs(answer: Budget) -> Chart:
    """What each activity costs against tokens of pre-training, at the loss of the budget."""
    from ridgeline.charts.budget import budget_chart  # noqa: PLC0415  (only for pictures)

    best, plan = answer.optimum, answer.plan
    equal = answer.equal.tokens if not answer.is_equal else plan.tokens
    marks = [t for t in (plan.tokens, equal, best.cheapest.tokens) if np.isfinite(t)]
    most = max(1e3 * best.compute_optimal.n_params_active, 10 * plan.n_params_active)
    least = 1e-5 * best.compute_optimal.n_params_active
    params = np.geomspace(least, most, 80 * _POINTS)
    every = best.tokens(params, best.plan.loss)
    seen = (every >= min(marks) / _ROOM) & (every <= max(marks) * _ROOM)
    params, every = params[seen], every[seen]
    step = max(1, len(params) // _POINTS)
    params, every = params[::step], every[::step]
    unit, price = _cost_unit(answer)
    amounts = {
        "pre-training": every,
        "RL": plan.costs["rl"] + 0 * every,
        "inference": plan.costs["inference"] + 0 * every,
    }
    amounts["all"] = amounts["pre-training"] + amounts["RL"] + amounts["inference"]
    rows = [
        {"of": name, "tokens": float(d), "params": float(n), "cost": float(c)}
        for name, costs in amounts.items()
        if name != "RL" or plan.rl_tokens
        for d, n, c in zip(every, params, price(params, costs), strict=True)
    ]
    rules = [(plan.tokens, "this budget" if not answer.is_equal else "equal cost")]
    if not answer.is_equal:
        rules.append((equal, "equal cost"))
    rules.append((best.cheapest.tokens, "optimum"))
    said = (
        f"models of the loss of {quantity(plan.n_params_active, 'params')} parameters on "
        f"{tokens(plan.tokens)} tokens by {_law_words(best)}: more tokens, fewer parameters; "
        f"RL and inference cost as much as {tokens(plan.demand)} tokens of pre-training"
    )
    return budget_chart(
        rows, rules, title=f"{answer.name}: what quality costs", subtitle=said, unit=unit
    )


def _law_words(best: Optimum) -> str:
    """The law of the loss, and how much text it has where that is limited."""
    if not np.isfinite(best.unique_tokens):
        return best.law.name
    return f"{best.law.name}, of {tokens(best.unique_tokens)} different tokens"


def _cost_unit(answer: Budget) -> tuple[str, Any]:
    """Unit of costs, and from parameters and tokens of pre-training to them."""
    fleet, mfu = answer.efficiency.fleet, answer.efficiency.train_mfu

    def flops(params: Any, cost_tokens: Any) -> Any:
        return token_flops(TRAINING_FLOPS, params, cost_tokens)

    if fleet is None or fleet.price is None or mfu is None:
        return "FLOP", flops

    def usd(params: Any, cost_tokens: Any) -> Any:
        assert fleet is not None
        return answer.usd(chip_seconds(flops(params, cost_tokens), fleet.peak_flops_per_s, mfu))

    return "USD", usd


def _iso_loss(answer: Budget) -> Chart:
    """Models of equal loss, the cheapest of each demand, and published models."""
    from ridgeline.charts.budget import iso_loss_chart  # noqa: PLC0415  (only for pictures)

    best, plan = answer.optimum, answer.plan
    own = {"params": plan.n_params_active, "tokens": plan.tokens, "name": answer.name}
    marks = [{**own, "name": "this budget"}]
    if plan.demand and np.isfinite(best.cheapest.tokens):
        point = best.cheapest
        marks.append({
            "params": point.n_params_active, "tokens": point.tokens,
            "name": "cheapest",
        })  # fmt: skip
    models = [
        {"params": run.n_params_active, "tokens": run.n_tokens, "name": _short(run.name),
         "released": run.released}
        for run in catalog.published_runs()
    ]  # fmt: skip
    every = [*models, *marks]
    limits = _limits([r["params"] for r in every]), _limits([r["tokens"] for r in every])
    params = np.geomspace(limits[0][0] / _BEYOND, limits[0][1] * _BEYOND, 40 * _FEW)
    curves = {
        f"L = {loss:.3g}": _line(params, best.tokens(params, loss), limits)
        for loss in _losses(answer, limits)
    }
    title = f"{answer.name}: models of equal loss"
    said = (
        f"grey: equal loss by {_law_words(best)} (nats per token); lines: the cheapest model of "
        "each loss, by what else is done with it; points: published models"
    )
    return iso_loss_chart(
        {n: c for n, c in curves.items() if len(c) > 1}, _optima(answer, limits), models, marks,
        limits=limits, title=title, subtitle=said,
    )  # fmt: skip


def _short(name: str) -> str:
    """A model's name as it fits on a map: no owner before it, no format behind it."""
    return name.removeprefix("Meta-").removesuffix("-hf").removesuffix("-BF16")


def _line(params: Any, every: Any, limits: Any) -> list[dict[str, float]]:
    """Points of a line that are some pixels apart, a little beyond the limits."""
    (n_low, n_high), (d_low, d_high) = limits
    wide, high = np.log(n_high / n_low) / _FEW, np.log(d_high / d_low) / _FEW
    found: list[dict[str, float]] = []
    last = (-np.inf, -np.inf)
    for n, d in zip(np.log(params).tolist(), np.log(every).tolist(), strict=True):
        inside = abs(d - np.log(d_low * d_high) / 2) <= np.log(d_high / d_low * _BEYOND) / 2
        if inside and max(abs(n - last[0]) / wide, abs(d - last[1]) / high) >= 1:
            found.append({"params": float(np.exp(n)), "tokens": float(np.exp(d))})
            last = n, d
    return found


def _limits(values: list[float]) -> tuple[float, float]:
    return min(values) / 1.6, max(values) * 1.6


def _losses(answer: Budget, limits: Any) -> list[float]:
    """The budget's loss, and others over the picture."""
    (n_low, n_high), (d_low, d_high) = limits
    best = answer.optimum
    at = [
        best.loss(n_low * (n_high / n_low) ** s, d_low * (d_high / d_low) ** s)
        for s in (0.2, 0.4, 0.6, 0.8)
    ]
    own = best.plan.loss
    return [own, *(float(x) for x in at if abs(float(x) - own) > _APART * own)]


def _optima(answer: Budget, limits: Any) -> dict[str, list[dict[str, float]]]:
    """The cheapest models of rising quality: for training alone, and under demands."""
    best, demand = answer.optimum, answer.plan.demand
    (n_low, n_high), (d_low, d_high) = limits
    least, most = (best.loss(n, d) for n, d in ((100 * n_high, 100 * d_high), (n_low, d_low)))
    losses = best.law.e + np.geomspace(
        float(least) - best.law.e, float(most) - best.law.e, 10 * _FEW
    )
    demands = {"training alone": 0.0}
    if demand:
        demands |= {
            "with this demand": demand,
            f"{_MORE:.0f} times it": _MORE * demand,
        }
    found = {}
    for name, m in demands.items():
        found[name] = _line(*best.cheapest_of(losses[::-1], m), limits)
    return {name: rows if _crosses(rows, limits) else [] for name, rows in found.items()}


def _crosses(rows: list[dict[str, float]], limits: Any) -> bool:
    """Whether a line is seen for more than a corner of the picture."""
    (n_low, n_high), (d_low, d_high) = limits
    inside = [r for r in rows if n_low <= r["params"] <= n_high and d_low <= r["tokens"] <= d_high]
    return len(inside) > _FEW * _CORNER
