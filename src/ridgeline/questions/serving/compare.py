"""Several machines side by side, cheapest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.questions.serving.power import power_w

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.serving.answer import Serving

__all__ = ["compare"]


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
    `common_basis` finds a basis to ask all of them on.
    """
    bases = {answer.price.basis if answer.price else None for answer in answers}
    by_cost = len(bases) == 1 and None not in bases
    return sorted(
        (_row(answer) for answer in answers),
        key=lambda row: (
            not row["within_limits"],
            row["usd_per_mtok_output"] if by_cost else -(row["tokens_per_s_per_chip"] or 0.0),
        ),
    )


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
        "power_w_per_chip": watts,
        "within_limits": bool(point["within_limits"]) and not point["infeasible"],
        **{name: point.get(name) for name in names},
    }
