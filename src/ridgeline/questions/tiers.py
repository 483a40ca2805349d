"""Fast and slow tiers: what a machine can offer, and what price and speed ratios give away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, factor, percent, sequences, usd
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid import logspace
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.tiers import batch_ratio, tier_batches
from ridgeline.questions.headings import headings
from ridgeline.questions.prices import price_words
from ridgeline.questions.variants import MOST_SEQUENCES, require_a_time
from ridgeline.specs.arguments import ANSWER, Amount, reads
from ridgeline.specs.ranges import RATIO
from ridgeline.steps import balance

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving

__all__ = ["tiers"]

#: multiples of the cheapest price that the menu looks at
_MULTIPLES = (1.0, 1.5, 2.0, 3.0, 6.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
#: a batch this near to the cheapest is as cheap for anybody
_AS_CHEAP = 1.01
_UNLIMITED_BATCH = 1e9
_COLUMNS = {
    "tier": ("tier", ""),
    **headings("batch", "tokens_per_s_per_user"),
    "speed_ratio": ("speed", "x"),
    **headings("usd_per_mtok_output"),
    "price_ratio": ("price", "x"),
    **headings("bound"),
}


@reads(
    answer=ANSWER,
    price_ratio=RATIO,
    speed_ratio=RATIO,
)
def tiers(
    answer: Serving, *, price_ratio: Amount | None = None, speed_ratio: Amount | None = None
) -> Answer:
    """Which tiers a machine can offer, between the fastest and the cheapest.

    Parameters
    ----------
    answer : Serving             A model on a machine, in any reading; its first context counts.
    price_ratio : float or None  A fast tier's price over the normal one's, to be explained.
    speed_ratio : float or None  Its speed over the normal one's; both or neither.

    Returns
    -------
    Answer
        Table ``menu``: a row a tier. Values: ``fastest_tokens_per_s_per_user``,
        ``fastest_speed_ratio``, ``cheaper_share`` (what an unlimited batch would save); with ratios
        ``batch_ratio``, ``normal_batch``, ``fast_batch`` and ``price_ratio_here`` (None: no batch
        is so fast). Chart ``menu``.

    Raises
    ------
    InfeasibleError   Not one sequence fits.
    SpecError         A ratio below 1, or one without the other.

    Notes
    -----
    Price follows chip-seconds. The normal tier is the smallest batch within 1% of the cheapest
    that fits: a larger one only makes users wait.

    Examples
    --------
    >>> import ridgeline as rl
    >>> answer = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="blackboard")
    >>> found = tiers(answer, price_ratio=6, speed_ratio=2.5)
    >>> found.values["batch_ratio"]
    15.0
    """
    _check(price_ratio, speed_ratio)
    curve = _curve(answer)
    normal = _first(curve["price"] <= _AS_CHEAP * curve["price"].min())
    rows = _menu(answer, curve, normal)
    fastest, cheapest = rows[-1], rows[0]
    unlimited = _price(answer, np.asarray([_UNLIMITED_BATCH]))[1][0]
    saves = 1 - float(unlimited) / curve["price"][normal]
    values: dict[str, Any] = {
        "fastest_tokens_per_s_per_user": fastest["tokens_per_s_per_user"],
        "fastest_speed_ratio": fastest["speed_ratio"],
        "cheaper_share": float(saves),
    }
    words = [_normal_words(answer, cheapest), _fast_words(fastest), _slow_words(answer, saves)]
    if price_ratio is not None and speed_ratio is not None:
        told, more = _explained(answer, curve, normal, price_ratio, speed_ratio)
        words, values = [*words, *told], values | more

    def picture() -> Chart:
        from ridgeline.charts.tiers import tiers_chart  # noqa: PLC0415  (only when drawn)

        dense = {k: v.tolist() for k, v in curve.items() if k != "bound"}
        return tiers_chart(dense, rows, answer.name, priced=answer.price is not None)

    return Answer(
        question="tiers",
        title=f"Fast and slow tiers: {answer.name}",
        sentences=tuple(words),
        tables=(Table("menu", "", _columns(answer), rows),),
        values=values,
        notes=answer.notes,
        provenance=answer.result.about,
        charts={"menu": picture},
    )


def _check(price_ratio: float | None, speed_ratio: float | None) -> None:
    if (price_ratio is None) != (speed_ratio is None):
        raise SpecError("price_ratio and speed_ratio come together: say how dear and how fast.")


def _columns(answer: Serving) -> dict[str, tuple[str, str]]:
    return {k: c for k, c in _COLUMNS.items() if answer.price or k != "usd_per_mtok_output"}


def _price(answer: Serving, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time of a token, price (of one USD a chip-hour where there is none) and bound of batches."""
    step = answer.step(batch)
    rent = answer.price.usd_per_chip_hour if answer.price else 1.0
    token_s = step.time_s / answer.requests.tokens_per_step
    price = cost_usd_per_mtok(token_s, batch, rent, answer.replica.n_chips)
    bound = np.broadcast_to(step.bottleneck, batch.shape)
    return np.broadcast_to(token_s, batch.shape), price, bound


def _curve(answer: Serving) -> dict[str, np.ndarray]:
    most = answer.balance.largest_batch
    if most < 1:
        raise InfeasibleError(
            f"Not one sequence of {count(answer.context)} tokens fits beside the weights on "
            f"{answer.machine_name}: ask for a shorter context, more chips or a smaller format."
        )
    batch = logspace(1, np.floor(min(most, MOST_SEQUENCES)), per_octave=32)
    time_s, price, bound = _price(answer, batch)
    require_a_time(answer, time_s)
    return {"batch": batch, "time_s": time_s, "price": price, "bound": bound}


def _first(holds: np.ndarray) -> int:
    return int(np.flatnonzero(holds)[0])


def _row(answer: Serving, curve: dict[str, np.ndarray], i: int, normal: int) -> dict[str, Any]:
    price, time_s = curve["price"], curve["time_s"]
    return {
        "tier": "normal" if i == normal else "fastest" if i == 0 else "fast",
        "batch": float(curve["batch"][i]),
        "tokens_per_s_per_user": float(1 / time_s[i]),
        "speed_ratio": float(time_s[normal] / time_s[i]),
        "usd_per_mtok_output": float(price[i]) if answer.price else None,
        "price_ratio": float(price[i] / price[normal]),
        "bound": answer.replica.how.bottlenecks[int(curve["bound"][i])],
    }


def _menu(answer: Serving, curve: dict[str, np.ndarray], normal: int) -> list[dict[str, Any]]:
    """The fastest batch at each multiple of the normal price, then a single sequence."""
    limit = curve["price"][normal]
    picks = [normal]
    for multiple in _MULTIPLES[1:]:
        i = _first(curve["price"] <= multiple * limit)
        if i and i < picks[-1]:
            picks.append(i)
    return [_row(answer, curve, i, normal) for i in dict.fromkeys([*picks, 0])]


def _normal_words(answer: Serving, row: dict[str, Any]) -> str:
    cost = (
        f"{usd(row['usd_per_mtok_output'])} per million output tokens at " if answer.price else ""
    )
    rent = price_words(answer.price) if answer.price else "chip-seconds its only price"
    return (
        f"{answer.name}, {count(answer.context)} tokens of context: the normal tier is a batch of "
        f"{count(row['batch'])}, {row['tokens_per_s_per_user']:,.0f} tok/s per user, {cost}{rent}."
    )


def _fast_words(row: dict[str, Any]) -> str:
    if row["speed_ratio"] < _AS_CHEAP:
        return "No faster tier exists: a single sequence is no quicker than the normal batch."
    return (
        f"The fastest tier is a single sequence, {row['tokens_per_s_per_user']:,.0f} tok/s: "
        f"{factor(row['speed_ratio'])} the normal speed at {factor(row['price_ratio'])} the price. "
        f"No price buys more on this machine: {_LIMIT[row['bound']]} the limit."
    )


_LIMIT = {
    "weights": "reading the weights is",
    "KV": "reading its cache is",
    "attention": "attention over its cache is",
    "compute": "multiplying is",
    "network": "the exchange between chips is",
    "overhead": "launches and the host are",
}


def _slow_words(answer: Serving, saves: float) -> str:
    if saves < _AS_CHEAP - 1:
        return (
            "No slow tier is worth having: any larger batch saves less than 1%, since computing "
            "and caches are each sequence's own."
        )
    return (
        f"A slow tier could be at most {percent(saves)} cheaper, with batches that do not fit: "
        f"at most {sequences(answer.balance.largest_batch)} can be held."
    )


def _kv_free_balance(answer: Serving) -> float:
    """The lecture's R x sparsity, whatever the reading."""
    return balance(answer.counts, answer.machine, answer.context).batch_without_kv


def _explained(
    answer: Serving, curve: dict[str, np.ndarray], normal: int, price: float, speed: float
) -> tuple[list[str], dict[str, Any]]:
    """What the two ratios say of batches, and what the same speed costs here."""
    b_normal, b_fast = tier_batches(price, speed, _kv_free_balance(answer))
    smaller = batch_ratio(price, speed)
    words = [
        f"{factor(price)} the price for {factor(speed)} the speed means a batch "
        f"{factor(smaller)} smaller. With KV left out that is a normal batch of {count(b_normal)} "
        f"({factor(speed)} the balance batch) and a fast one of {count(b_fast)}."
    ]
    values: dict[str, Any] = {
        "batch_ratio": float(smaller),
        "normal_batch": float(b_normal),
        "fast_batch": float(b_fast),
        "price_ratio_here": None,
    }
    quick = curve["time_s"] * speed <= curve["time_s"][normal] * (1 + 1e-9)
    if not quick.any():
        best = float(curve["time_s"][normal] / curve["time_s"][0])
        words.append(
            f"This machine cannot do it from its normal tier: a single sequence comes closest, "
            f"{factor(best)} the speed. Missing is a floor {factor(speed / best)} lower: as many "
            "times the chips in one domain or the bandwidth, or a normal tier with a larger batch."
        )
        return words, values
    here = int(np.flatnonzero(quick)[-1])
    values["price_ratio_here"] = float(curve["price"][here] / curve["price"][normal])
    values["batch_here"] = float(curve["batch"][here])
    words.append(
        f"From this machine's own normal tier {factor(speed)} the speed is a batch of "
        f"{count(curve['batch'][here])} at {factor(values['price_ratio_here'])} the price."
    )
    return words, values
