"""Several machines side by side, cheapest first where their prices can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import usd
from ridgeline.questions.prices import on_one_basis, recalled_clause
from ridgeline.questions.serving.power import power_w

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.serving.answer import Serving

__all__ = ["compare", "comparison_words"]


def compare(answers: Sequence[Serving]) -> list[dict[str, Any]]:
    """Rank machines by what a token costs at the point a user would run.

    Parameters
    ----------
    answers : sequence of Serving   The same question on several machines.

    Returns
    -------
    list of dict
        A row per machine: its size, floor, balance batch, power, and its cheapest point within the
        limits (else its fastest). Cheapest first where all have a price on one basis; prices of
        different bases are not compared, so that then, and without prices, throughput per chip
        ranks.

    Notes
    -----
    `questions.prices.prices_of` chooses prices of one basis for all of them.
    """
    by_cost = _by_cost(answers)
    return sorted(
        (_row(answer) for answer in answers),
        key=lambda row: (
            not row["within_limits"],
            row["usd_per_mtok_output"] if by_cost else -(row["tokens_per_s_per_chip"] or 0.0),
        ),
    )


def comparison_words(answers: Sequence[Serving]) -> str:
    """What ranks the machines, and which comes first; a sentence.

    Parameters
    ----------
    answers : sequence of Serving   As for `compare`, at least one.
    """
    first = compare(answers)[0]
    if not _by_cost(answers):
        return (
            f"Most output per chip first: {first['machine']}. The machines have no prices on one "
            "basis, so that dollars do not rank them."
        )
    bound = any(a.reading != "calibrated" for a in answers)
    price = next(a.price for a in answers if a.machine_name == first["machine"])
    limits, best = answers[0].limits, f"{_cost(first, bound)}{recalled_clause(price)}"
    if not first["within_limits"]:
        return f"No machine keeps {limits}. Cheapest per output token: {best}."
    return (
        f"Cheapest per output token, each machine at its cheapest batch within {limits}, "
        f"{first['price_basis']} prices: {best}."
    )


def _cost(row: dict[str, Any], bound: bool) -> str:
    about = "at least" if bound else "about"
    return f"{row['machine']}, {about} {usd(row['usd_per_mtok_output'])} per million"


def _by_cost(answers: Sequence[Serving]) -> bool:
    """Whether all have a price, on one basis."""
    return on_one_basis([answer.price for answer in answers])


def _row(answer: Serving) -> dict[str, Any]:
    point = answer.chosen
    names = ("batch", "time_s", "ttft_s", "tpot_s", "tokens_per_s_per_user",
             "tokens_per_s_per_chip", "usd_per_mtok_output", "bound", "infeasible")  # fmt: skip
    watts, _ = power_w(answer.machine.cluster)
    return {
        "cluster": answer.machine.cluster.id,
        "machine": answer.machine_name,
        "n_chips": answer.machine.n_chips,
        "latency_floor_s": answer.balance.latency_floor_s,
        "balance_batch": answer.balance.batch,
        "largest_batch": answer.balance.largest_batch,
        "usd_per_chip_hour": answer.price.usd_per_chip_hour if answer.price else None,
        "price_basis": answer.price.basis if answer.price else None,
        "price_date": answer.price.date if answer.price else None,
        "price_kind": answer.price.kind if answer.price else None,
        "power_w_per_chip": watts,
        "within_limits": bool(point["within_limits"]) and not point["infeasible"],
        **{name: point.get(name) for name in names},
    }
