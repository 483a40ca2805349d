"""Several machines side by side, cheapest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.serving.answer import Serving

__all__ = ["compare"]


def compare(answers: Sequence[Serving]) -> list[dict[str, Any]]:
    """Rank machines by what a token costs at the largest batch that fits.

    Parameters
    ----------
    answers : sequence of Serving   The same question on several machines.

    Returns
    -------
    list of dict
        A row a machine: its size, floor, balance batch and its best feasible point. Machines with
        a price come first, cheapest first; then the rest by throughput a chip.
    """
    rows = [_row(answer) for answer in answers]
    return sorted(rows, key=_rank)


def _rank(row: dict[str, Any]) -> tuple[bool, float]:
    cost = row["usd_per_mtok_output"]
    return (cost is None, cost if cost is not None else -(row["tokens_per_s_per_chip"] or 0.0))


def _row(answer: Serving) -> dict[str, Any]:
    row = {
        "cluster": answer.machine.cluster.id,
        "machine": answer.machine_name,
        "n_chips": answer.machine.n_chips,
        "latency_floor_s": answer.balance.latency_floor_s,
        "balance_batch": answer.balance.batch,
        "largest_batch": answer.balance.largest_batch,
        "usd_per_chip_hour": answer.price.usd_per_chip_hour if answer.price else None,
    }
    fits = answer.result.infeasible[0] == 0
    point = {}
    if fits.any():
        point = answer.result.row((0, int(fits.nonzero()[0][-1])))
    names = ("batch", "time_s", "tokens_per_s_per_user", "tokens_per_s_per_chip",
             "usd_per_mtok_output", "bound")  # fmt: skip
    return row | {name: point.get(name) for name in names}
