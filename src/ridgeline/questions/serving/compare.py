"""Several machines side by side, cheapest first where their prices can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Table
from ridgeline.answers.words import count, usd
from ridgeline.questions.headings import headings
from ridgeline.questions.prices import basis_words, on_one_basis, recalled_clause
from ridgeline.questions.serving.power import power_w
from ridgeline.questions.serving.words import limits_words
from ridgeline.questions.side_by_side import SideBySide
from ridgeline.specs.arguments import ANSWER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ridgeline.questions.serving.answer import Serving
    from ridgeline.specs.price import Price

__all__ = ["Comparison", "compare_served"]

#: what a narrow screen keeps of a comparison
_COLUMNS = (
    "machine", "batch", "ttft_s", "tpot_s", "tokens_per_s_per_user", "tokens_per_s_per_chip",
    "bound", "largest_batch", "power_w_per_chip", "usd_per_chip_hour", "usd_per_mtok_output",
    "remark", "price_basis",
)  # fmt: skip
_FIRST = ("batch", "ttft_s", "tpot_s", "usd_per_mtok_output", "remark", "bound",
          "tokens_per_s_per_chip", "tokens_per_s_per_user", "largest_batch", "usd_per_chip_hour",
          "power_w_per_chip")  # fmt: skip


@dataclass(frozen=True, repr=False)
class Comparison(SideBySide):
    """One question on several machines; a sequence of rows, best first.

    Attributes
    ----------
    answers : tuple of Serving   In the order in which they were given.
    rows : tuple of dict         Of each machine its size, floor, balance batch, power, price, and
                                 its cheapest point within the limits (else its fastest).
    by_cost, refused, price_notes   See `SideBySide`.
    """

    does = "serve it"
    answers: tuple[Serving, ...]

    def sentence(self) -> str:
        """What ranks the machines, and which comes first."""
        return _words(self)

    def table(self) -> Table:
        """The rows as a table."""
        bounds = any(a.reading != "calibrated" for a in self.answers)
        served = any(a.has_requests for a in self.answers)
        several = len({row["price_basis"] for row in self.rows}) > 1
        unused = {"ttft_s": not served, "price_basis": not several}
        columns = headings(*(k for k in _COLUMNS if not unused.get(k)), bounds=bounds)
        prices = ("usd_per_chip_hour", "price_basis") if several else ()
        return Table("machines", "", columns, self.rows, first=(*prices, *_FIRST))

    def _priced(self, answer: Serving) -> tuple[str, Price | None]:
        return answer.machine_name, answer.price

    def _about(self, answer: Serving) -> Mapping[str, Any]:
        return answer.result.about


def compare_served(
    answers: Iterable[Serving],
    refused: Iterable[Mapping[str, str]] = (),
    price_notes: Iterable[str] = (),
) -> Comparison:
    """Rank machines by what a token costs at the point a user would run: see `questions.compare`.

    Parameters
    ----------
    answers : iterable of Serving   The same question on several machines.
    refused : iterable of mapping   Machines that cannot serve it: ``cluster`` and ``reason``.
    price_notes : iterable of str   How prices were chosen for all machines together.

    Raises
    ------
    SpecError   What is no answer of that kind.
    """
    served: tuple[Serving, ...] = tuple(ANSWER.read(one) for one in answers)
    by_cost = _by_cost(served)
    rows = sorted(
        (_row(answer) for answer in served),
        key=lambda row: (
            not row["within_limits"],
            bool(row["infeasible"]),
            row["usd_per_mtok_output"] if by_cost else -(row["tokens_per_s_per_chip"] or 0.0),
        ),
    )
    return Comparison(served, tuple(rows), by_cost, tuple(refused), tuple(price_notes))


def _words(found: Comparison) -> str:
    """What ranks the machines, and which comes first; a sentence."""
    if not found.rows:
        return f"None of {count(len(found.refused))} machines can {found.does}."
    answers, first = found.answers, found[0]
    if not found.by_cost:
        return (
            f"Most output per chip first: {first['machine']}. The machines have no prices on one "
            "basis, so that dollars do not rank them."
        )
    bound = any(a.reading != "calibrated" for a in answers)
    price = next(a.price for a in answers if a.machine_name == first["machine"])
    limits, best = _limits(answers[0]), f"{_cost(first, bound)}{recalled_clause(price)}"
    if all(row["infeasible"] for row in found.rows):
        return f"No machine holds it. {first['machine']}: {first['infeasible']}."
    if not first["within_limits"]:
        return f"No machine keeps {limits}. Cheapest per output token: {best}."
    basis = basis_words(first["price_basis"])
    return f"Cheapest per output token, {_at(answers[0])}, {basis}: {best}."


def _limits(answer: Serving) -> str:
    return limits_words(answer.limits, answer.scenario.workload)


def _at(answer: Serving) -> str:
    """At which batch machines are compared."""
    load, batches = answer.scenario.workload, answer.result["batch"]
    if load.batch is None and load.concurrency is None:
        return f"each machine at its cheapest batch{_within(answer)}"
    if len(batches) == 1 and load.batch is not None:
        return f"at the batch of {count(batches[0])} that was asked for"
    return f"each machine at the cheapest batch of those asked for{_within(answer)}"


def _within(answer: Serving) -> str:
    return f" within {_limits(answer)}" if any(answer.limits.items()) else ""


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
    kept = bool(point["within_limits"]) and not point["infeasible"]
    watts = power_w(answer.machine.cluster)
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
        "within_limits": kept,
        **{name: point.get(name) for name in names},
        "remark": "" if kept else "does not fit" if point["infeasible"] else "misses the limits",
    }
