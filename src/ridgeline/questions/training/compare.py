"""Training on several machines side by side, cheapest first where their prices can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Table
from ridgeline.answers.words import count, quantity, usd
from ridgeline.errors import SpecError
from ridgeline.questions.headings import headings
from ridgeline.questions.prices import basis_words, on_one_basis, recalled_clause
from ridgeline.questions.side_by_side import SideBySide
from ridgeline.questions.training.answer import Training
from ridgeline.questions.training.token_costs import token_costs
from ridgeline.questions.training.words import job_words
from ridgeline.trainer.memory import LIKELY
from ridgeline.trainer.utilization import telling_convention
from ridgeline.units import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ridgeline.specs.price import Price

__all__ = ["ComparedTraining", "compare_trained"]

_COLUMNS = (
    "machine", "n_chips", "layout", "time_s", "tokens_per_s", "tokens_per_s_per_chip", "mfu",
    "fits_probability", "usd_per_mtok", "joule_per_token", "days", "usd", "usd_per_chip_hour",
    "price_basis", "remark",
)  # fmt: skip
_FIRST = ("n_chips", "time_s", "tokens_per_s_per_chip", "mfu", "usd_per_mtok", "days", "usd",
          "remark", "joule_per_token", "layout", "fits_probability")  # fmt: skip


@dataclass(frozen=True, repr=False)
class ComparedTraining(SideBySide):
    """One question about training on several machines; a sequence of rows, best first.

    Attributes
    ----------
    answers : tuple of Training   In the order in which they were given.
    rows : tuple of dict          Of each machine its chips, layout, step, rates, memory, cost.
    by_cost, refused, price_notes   See `SideBySide`.
    """

    does = "train it"
    begins, nameless = "Training ", "a model"
    answers: tuple[Training, ...]

    def sentence(self) -> str:
        """What ranks the machines, and which comes first."""
        return _words(self)

    def table(self) -> Table:
        """The rows as a table."""
        bounds = any(not a.is_calibrated for a in self.answers)
        several = len({row["price_basis"] for row in self.rows}) > 1
        unused = {
            "days": all(row["days"] is None for row in self.rows),
            "usd": all(row["usd"] is None for row in self.rows),
            "price_basis": not several,
            "remark": not any(row["remark"] for row in self.rows),
        }
        columns = headings(*(k for k in _COLUMNS if not unused.get(k)), bounds=bounds)
        columns["usd_per_mtok"] = (f"$/Mtok{' ≥' * bounds}", "USD/Mtok")
        return Table("machines", "", columns, self.rows, first=_FIRST)

    def _priced(self, answer: Training) -> tuple[str, Price | None]:
        return answer.job.cluster.name, answer.price

    def _about(self, answer: Training) -> Mapping[str, Any]:
        return answer.answer.provenance


def compare_trained(
    answers: Iterable[Any],
    refused: Iterable[Mapping[str, str]] = (),
    price_notes: Iterable[str] = (),
) -> ComparedTraining:
    """Rank machines by what a token trained on costs: see `questions.compare`.

    Parameters
    ----------
    answers : iterable of Training   The same question on several machines.
    refused : iterable of mapping    Machines that cannot train it: ``cluster`` and ``reason``.
    price_notes : iterable of str    How prices were chosen for all machines together.

    Raises
    ------
    SpecError   What is no answer of that kind.
    """
    trained: list[Training] = []
    for one in answers:
        if not isinstance(one, Training):
            raise SpecError(
                "Answers of one kind are compared: all of rl.training, all of rl.serving, or all "
                "of rl.fleet."
            )
        trained.append(one)
    by_cost = on_one_basis([answer.price for answer in trained])
    rows = sorted(
        (_row(answer) for answer in trained),
        key=lambda row: (
            bool(row["remark"]),
            row["usd_per_mtok"] if by_cost else -row["tokens_per_s_per_chip"],
        ),
    )
    return ComparedTraining(
        tuple(trained), tuple(rows), by_cost, tuple(refused), tuple(price_notes)
    )


def _row(answer: Training) -> dict[str, Any]:
    job, price, tokens = answer.job, answer.price, answer.job.load.tokens
    n = int(job.n_chips)
    run, fits = answer.run, answer.fits_probability
    cost = token_costs(job.cluster, price, answer.step_s, tokens, n)
    return {
        "cluster": job.cluster.id,
        "machine": answer.name.partition(" on ")[2] or job.cluster.name,
        "n_chips": n,
        "layout": job_words(job),
        "time_s": answer.step_s,
        "tokens_per_s": tokens / answer.step_s,
        "tokens_per_s_per_chip": answer.tokens_per_s_per_chip,
        "mfu": answer.utilization[telling_convention(job)],
        "global_batch": job.load.global_batch,
        "fits_probability": fits,
        "usd_per_mtok": cost.usd_per_mtok,
        "joule_per_token": cost.joule_per_token,
        "days": None if run is None else run.total_s / DAY_S,
        "usd": None if run is None else run.usd(run.total_s),
        "usd_per_chip_hour": None if price is None else price.usd_per_chip_hour,
        "price_basis": None if price is None else price.basis,
        "remark": "" if fits is None or fits >= LIKELY else "does not fit",
    }


def _words(found: ComparedTraining) -> str:
    if not found.rows:
        return f"None of {count(len(found.refused))} machines can {found.does}."
    first = found[0]
    if first["remark"]:
        return f"No machine holds it. Nearest: {first['machine']}, {first['layout']}."
    rate = quantity(first["tokens_per_s_per_chip"], "tok/s")
    if not found.by_cost:
        return (
            f"Most tokens per chip first: {first['machine']}, {rate} tok/s. The machines have no "
            "prices on one basis, so that dollars do not rank them."
        )
    price = next(a.price for a in found.answers if a.job.cluster.id == first["cluster"])
    least = "about" if all(a.is_calibrated for a in found.answers) else "at least"
    return (
        f"Cheapest per token trained on, {basis_words(first['price_basis'])}: {first['machine']}, "
        f"{least} {usd(first['usd_per_mtok'])} per million{recalled_clause(price)}, {rate} tok/s "
        "per chip."
    )
