"""Training on several machines side by side, cheapest first where their prices can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from ridgeline.answers import Answer, Table
from ridgeline.answers.answered import Answered
from ridgeline.answers.words import count, quantity, usd
from ridgeline.errors import SpecError
from ridgeline.questions.headings import headings
from ridgeline.questions.prices import basis_words, on_one_basis, price_notes, recalled_clause
from ridgeline.questions.training.answer import Training
from ridgeline.questions.training.token_costs import token_costs
from ridgeline.questions.training.words import job_words
from ridgeline.trainer.memory import LIKELY
from ridgeline.trainer.utilization import telling_convention

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ComparedTraining", "compare_trained"]

_COLUMNS = (
    "machine", "n_chips", "layout", "time_s", "tokens_per_s", "tokens_per_s_per_chip", "mfu",
    "fits_probability", "usd_per_mtok", "joule_per_token", "days", "usd", "usd_per_chip_hour",
    "price_basis", "remark",
)  # fmt: skip
_FIRST = ("n_chips", "time_s", "tokens_per_s_per_chip", "mfu", "usd_per_mtok", "days", "usd",
          "remark", "joule_per_token", "layout", "fits_probability")  # fmt: skip
_REFUSED = {"cluster": ("machine", ""), "reason": ("why", "")}
_DAY_S = 86_400.0


@dataclass(frozen=True, repr=False)
class ComparedTraining(Answered, Sequence[dict[str, Any]]):
    """One question about training on several machines; a sequence of rows, best first.

    Attributes
    ----------
    answers : tuple of Training   In the order in which they were given.
    rows : tuple of dict          Of each machine its chips, layout, step, rates, memory, cost.
    by_cost : bool                Whether dollars rank; else tokens per second and chip do.
    refused : tuple of mapping    Machines that cannot train it: ``cluster`` and ``reason``.
    price_notes : tuple of str    How prices were chosen for all machines together.
    """

    answers: tuple[Training, ...]
    rows: tuple[dict[str, Any], ...]
    by_cost: bool
    refused: tuple[Mapping[str, str], ...] = ()
    price_notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of machines."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[dict[str, Any], ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """The row of a machine."""
        return self.rows[index]

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

    def notes(self) -> tuple[str, ...]:
        """How prices were chosen, which they are, and what speaks against the inputs."""
        priced = (n for a in self.answers for n in price_notes(a.job.cluster.name, a.price))
        own = (note for answer in self.answers for note in answer.notes)
        return tuple(dict.fromkeys([*self.price_notes, *priced, *own]))

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`; machines that cannot train it in a table ``refused``."""
        models = {a.model.name or a.model.id: None for a in self.answers}
        refused = Table("refused", "Machines that cannot train it", _REFUSED, self.refused)
        return Answer(
            question="compare",
            title=f"Training {' and '.join(models) or 'a model'} on {len(self)} machines",
            sentences=(self.sentence(),),
            tables=(self.table(), refused) if self.refused else (self.table(),),
            values={"by_cost": self.by_cost},
            notes=self.notes(),
            provenance={"machines": [a.answer.provenance for a in self.answers]},
        )


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
        "days": None if run is None else run.total_s / _DAY_S,
        "usd": None if run is None else run.usd(run.total_s),
        "usd_per_chip_hour": None if price is None else price.usd_per_chip_hour,
        "price_basis": None if price is None else price.basis,
        "remark": "" if fits is None or fits >= LIKELY else "does not fit",
    }


def _words(found: ComparedTraining) -> str:
    if not found.rows:
        return f"None of {count(len(found.refused))} machines can train it."
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
