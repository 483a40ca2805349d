"""The answer to a question about scaling: a row for each number of chips, and where more end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Answer, Table
from ridgeline.answers.answered import Answered
from ridgeline.errors import SpecError, there_is_no
from ridgeline.laws.batch_size import tokens_over_least
from ridgeline.questions.prices import price_notes, price_words
from ridgeline.questions.scaling.critical import best_rows
from ridgeline.questions.scaling.sentences import sentences

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.scaling.critical import Critical
    from ridgeline.questions.scaling.landmarks import Landmark
    from ridgeline.questions.scaling.rows import Row
    from ridgeline.specs.price import Price
    from ridgeline.specs.training_scenario import TrainingScenario
    from ridgeline.trainer.job import TrainingJob

__all__ = ["PICTURES", "Scaling"]

PICTURES = ("scaling",)
_COLUMNS = {
    "n_chips": ("chips", "#"),
    "layout": ("layout", ""),
    "global_batch": ("batch", "sequences"),
    "time_s": ("step", "s"),
    "tokens_per_s": ("tok/s", "tok/s"),
    "efficiency": ("efficiency", "%"),
    "mfu": ("MFU", "%"),
    "dp_share": ("DP exposed", "%"),
    "bubble_share": ("bubble", "%"),
    "fits_probability": ("fits", "%"),
    "days": ("days", "1"),
    "usd": ("USD", "USD"),
    "usd_per_mtok": ("$/Mtok", "USD/Mtok"),
    "joule_per_token": ("J/token", "1"),
}
_FIRST = ("time_s", "mfu", "efficiency", "layout", "tokens_per_s", "days", "usd", "usd_per_mtok",
          "dp_share", "bubble_share", "fits_probability", "global_batch")  # fmt: skip
_BOUNDS = {
    "bound": ("bound", ""),
    "tokens_per_chip": ("tokens per chip", "tokens"),
    "n_chips": ("chips, at most", "#"),
    "shown": ("or", ""),
    "about": ("", ""),
}
_BATCHES = {
    "global_batch": ("batch", "sequences"),
    "batch_tokens": ("tokens", "params"),
    "tokens_over_least": ("tokens over fewest", "x"),
    "fastest_n_chips": ("soonest: chips", "#"),
    "fastest_days": ("days", "1"),
    "fastest_chip_hours": ("chip-hours", "tokens"),
    "cheapest_n_chips": ("cheapest: chips", "#"),
    "cheapest_days": ("days", "1"),
    "cheapest_chip_hours": ("chip-hours", "tokens"),
}
_REFUSED = {"n_chips": ("chips", "#"), "reason": ("why not", "")}


@dataclass(frozen=True, repr=False)
class Scaling(Answered):
    """A model's training on more and more chips.

    Attributes
    ----------
    scenario : TrainingScenario   The question; its batch and chips are of the whole machine.
    kind : str                    ``strong`` (one global batch) or ``weak`` (it grows with chips).
    jobs : tuple of TrainingJob   One for each number of chips, rising.
    rows : tuple of dict          What each of them takes.
    refused : tuple of dict       ``n_chips`` and ``reason`` of sizes that cannot be.
    landmarks : tuple of Landmark   Where more chips begin to buy less, or nothing.
    bounds : tuple of dict        Bounds of the network, at datasheet rates.
    critical : Critical           The critical batch.
    batches : tuple of dict       Runs to one loss, each batch on each number of chips.
    run_words : str               Which run that is.
    price : Price or None
    notes : tuple of str
    why_layout : str              How layouts were chosen.
    """

    scenario: TrainingScenario
    kind: str
    jobs: tuple[TrainingJob, ...]
    rows: tuple[Row, ...]
    refused: tuple[Row, ...]
    landmarks: tuple[Landmark, ...]
    bounds: tuple[Row, ...]
    critical: Critical
    batches: tuple[Row, ...]
    run_words: str
    price: Price | None
    notes: tuple[str, ...] = ()
    why_layout: str = ""

    @property
    def is_weak(self) -> bool:
        """Whether the batch grows with the chips."""
        return self.kind == "weak"

    @property
    def reading(self) -> str:
        """``blackboard``, ``ideal`` or ``calibrated``."""
        return self.jobs[0].reading

    @property
    def is_calibrated(self) -> bool:
        """Whether times are what frameworks reach, and not lower bounds."""
        return self.reading == "calibrated"

    @property
    def name(self) -> str:
        """Model and chip in a few words."""
        job = self.jobs[0]
        return f"{job.model.name or job.model.id} on {job.cluster.chip.name}"

    @property
    def tokens_over_least(self) -> float:
        """Tokens that the batch of the whole machine takes over the fewest to a loss. [1]"""
        return float(tokens_over_least(self.jobs[-1].load.tokens, self.critical.batch_tokens))

    @cached_property
    def _best(self) -> tuple[list[Row], Row | None, Row | None]:
        return best_rows(self.batches)

    @property
    def fastest(self) -> Row | None:
        """Of all batches and numbers of chips the soonest end of the run."""
        return self._best[1]

    @property
    def cheapest(self) -> Row | None:
        """The fewest chip-hours."""
        return self._best[2]

    def sentences(self) -> list[str]:
        """The answer in a few sentences."""
        return sentences(self)

    def chart(self, name: str = "scaling") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``scaling``: throughput and MFU against chips, with landmarks and bounds.

        Raises
        ------
        SpecError   There is no such picture.
        """
        if name not in PICTURES:
            raise SpecError(there_is_no("picture", name, PICTURES))
        from ridgeline.charts.scaling import scaling_chart  # noqa: PLC0415  (only when drawn)

        marks = [{"n_chips": m.n_chips, "words": m.short} for m in self.landmarks]
        load = self.jobs[-1].load
        grown = "that grow with the chips to" if self.is_weak else "of"
        return scaling_chart(
            list(self.rows), marks, list(self.bounds),
            title=f"{self.name}: {self.kind} scaling",
            subtitle=f"{self.reading}, batches {grown} {load.global_batch:,} x "
            f"{load.seq_len:,} tokens",
        )  # fmt: skip

    @property
    def tables(self) -> tuple[Table, ...]:
        """Sizes, bounds, batches, and what cannot be."""
        about = "" if self.is_calibrated else " (lower bounds on time)"
        unused = {
            "days": self.scenario.load.tokens is None,
            "usd": self.scenario.load.tokens is None or self.price is None,
            "usd_per_mtok": self.price is None,
            "joule_per_token": self.rows[0]["joule_per_token"] is None,
            "fits_probability": self.rows[0]["fits_probability"] is None,
            "global_batch": not self.is_weak,
            "bubble_share": all(row["pp"] == 1 for row in self.rows),
        }
        columns = {k: v for k, v in _COLUMNS.items() if not unused.get(k)}
        found = [Table("scaling", f"By number of chips{about}", columns, self.rows, first=_FIRST)]
        if self.bounds:
            shown = [{**b, "shown": _shown(b)} for b in self.bounds]
            title = "Bounds of the network at datasheet rates, best case"
            columns = {k: v for k, v in _BOUNDS.items() if not (self.is_weak and k == "n_chips")}
            found.append(Table("bounds", title, columns, shown))
        if rows := self._best[0]:
            title = f"Batches that reach the loss of {self.run_words} (steps alone)"
            found.append(Table("batches", title, _BATCHES, rows))
        if self.refused:
            found.append(Table("refused", "Sizes that cannot be", _REFUSED, self.refused))
        return tuple(found)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Single numbers by name."""
        found: dict[str, Any] = {
            f"{mark.name}_n_chips": mark.n_chips for mark in self.landmarks
        } | {
            "critical_batch_tokens": self.critical.batch_tokens,
            "loss": self.critical.loss,
            "tokens_over_least": self.tokens_over_least,
            "best_mfu": max(row["mfu"] for row in self.rows),
            "efficiency": self.rows[-1]["efficiency"],
        }
        for name, row in (("fastest", self.fastest), ("cheapest", self.cheapest)):
            for key in ("n_chips", "global_batch", "run_s", "chip_hours", "usd"):
                found[f"{name}_{key}"] = None if row is None else row[key]
        return found

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`."""
        job = self.jobs[-1]
        return Answer(
            question="scaling",
            title=f"Scaling: {self.name}",
            sentences=tuple(self.sentences()),
            tables=self.tables,
            values=self.values,
            charts={"scaling": self.chart},
            notes=(*self.notes, *price_notes(job.cluster.name, self.price)),
            provenance={
                "reading": self.reading,
                "kind": self.kind,
                "model": job.model.id,
                "cluster": job.cluster.id,
                "chip": job.cluster.chip.id,
                "framework": job.framework.id if self.is_calibrated else None,
                "critical_batch": self.critical.why,
                "price": None
                if self.price is None
                else self.price.model_dump(exclude_none=True) | {"words": price_words(self.price)},
                "scenario": self.scenario.to_dict(),
            },
        )


def _shown(bound: Row) -> str:
    if bound["value"] is None:
        return ""
    return f"{bound['value']:,.0f} {bound['unit']}"
