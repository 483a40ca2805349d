"""The answer to a search over training layouts: a ranking, its front, its reasons, its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.errors import InfeasibleError
from ridgeline.questions.families import (
    Rank,
    families,
    front_of,
    refused_words,
    simplest_first,
    tied,
)
from ridgeline.questions.training_layouts.missing import missing
from ridgeline.questions.training_layouts.reasons import costs, parts_s, why_unfit
from ridgeline.questions.training_layouts.sentences import sentences, untried
from ridgeline.questions.training_layouts.table import layouts_table
from ridgeline.questions.training_layouts.words import axis_words, family_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.charts import Chart
    from ridgeline.questions.families import Family
    from ridgeline.questions.launch import Launch
    from ridgeline.questions.training import Training
    from ridgeline.questions.training_layouts.machines import MachineSearch
    from ridgeline.specs.model import Model
    from ridgeline.specs.training_scenario import TrainingScenario
    from ridgeline.trainer.job import TrainingJob

__all__ = ["PICTURE_NAMES", "RANKS", "TrainingLayouts"]

Row = dict[str, Any]
#: pictures of an answer: see `questions.training_layouts.pictures`
PICTURE_NAMES = ("front",)
RANKS = {
    "time": Rank("time_s", largest=False, noun="the time"),
    "usd": Rank("usd_per_mtok", largest=False, noun="the cost"),
    "energy": Rank("wh_per_mtok", largest=False, noun="the energy"),
}
#: of a value that is legal, but changes nothing beside all that was tried
_ALONE = "nothing that was tried goes with it"
#: what tells layouts apart that differ in the order of degrees alone
_OF_ORDER = ("id", "layout", "order")
#: differences below this are rounding: such layouts are equals
EQUAL = 1e-9
#: rows of each machine that a ranking has at most
_KEPT = 1000
#: rows of the table of an answer; of what comes closest
_TABLE_ROWS, _CLOSEST = 100, 20


@dataclass(frozen=True, repr=False)
class TrainingLayouts(Answered):
    """Layouts of a training job on one or several machines, ranked.

    Attributes
    ----------
    scenario : TrainingScenario   The question.
    searches : tuple of MachineSearch   One a machine.
    rank : Rank                   What is best.
    unfit : tuple of str          A sentence for each machine that cannot be searched.
    price_notes : tuple of str    How prices of several machines were chosen.
    """

    scenario: TrainingScenario
    searches: tuple[MachineSearch, ...]
    rank: Rank
    unfit: tuple[str, ...] = ()
    price_notes: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        """The model, as it was named."""
        return self.searches[0].setup.model

    @property
    def reading(self) -> str:
        """``ideal`` or ``calibrated``, or ``blackboard``."""
        return self.searches[0].setup.reading

    @property
    def n_legal(self) -> int:
        """Layouts that can be."""
        return sum(s.search.n_legal for s in self.searches)

    @property
    def n_fit(self) -> int:
        """Of them those that fit memory with a probability of 90%."""
        return sum(s.search.n_fit for s in self.searches)

    @cached_property
    def rows(self) -> list[Row]:
        """The best layouts that fit, of each machine: winner, then best first.

        Nothing listed beats the winner; of equals it is the simplest. Of layouts that differ in
        the order of degrees alone, and take as long, one is listed.
        """
        found = [row for s in self.searches for row in self._kept(s)]
        ordered = sorted(found, key=self.rank.score)
        apart: dict[tuple[Any, ...], Row] = {}
        for row in ordered:
            alike = tuple(v for n, v in row.items() if n not in _OF_ORDER)
            known = apart.setdefault(alike, row)
            if self._simplicity(row) < self._simplicity(known):
                apart[alike] = row
        return simplest_first(list(apart.values()), self.rank, self._simplicity, EQUAL)

    def _simplicity(self, row: Row) -> tuple[int, ...]:
        return self.search_of(row).simplicity(row)

    @cached_property
    def simplest(self) -> Row:
        """The simplest layout within 5% of the winner, which no model can tell apart from it.

        Raises
        ------
        InfeasibleError   As for `best`.
        """
        return simplest_first(
            tied([self.best, *self.rows], self.rank), self.rank, self._simplicity
        )[0]

    @staticmethod
    def _kept(one: MachineSearch) -> list[Row]:
        """The best rows, and the best of each family, each once."""
        rows = one.described(one.search.best(_KEPT))
        for found in one.best_of.values():
            rows += [row for row in found.values() if row is not None]
        return list({row["id"]: row for row in rows}.values())

    @property
    def best(self) -> Row:
        """The winner.

        Raises
        ------
        InfeasibleError   No layout can be, or none fits; says what comes closest.
        """
        if not self.rows:
            raise InfeasibleError(" ".join(self.missing()))
        return self.rows[0]

    def search_of(self, row: Row) -> MachineSearch:
        """The machine a row is of."""
        return next(s for s in self.searches if s.key == row["cluster"])

    @property
    def best_job(self) -> TrainingJob:
        """The winner's job."""
        return self.job(self.best)

    @cached_property
    def best_training(self) -> Training:
        """The winner as `rl.training` answers it: parts of its step, memory, the run."""
        return self.training(self.best)

    def job(self, row: Row) -> TrainingJob:
        """The job of a row."""
        return self.search_of(row).job(row)

    def training(self, row: Row) -> Training:
        """A row as `rl.training` answers it."""
        return self.search_of(row).training(row)

    def options(self, row: Row) -> dict[str, Any]:
        """The options of `rl.training` that a row stands for, beside those of the question."""
        return self.search_of(row).options(row)

    @cached_property
    def front(self) -> list[Row]:
        """The layouts that none beats in both tok/s per chip and memory left, fastest first."""
        found = [row for s in self.searches for row in s.described(s.search.front)]
        if len(self.searches) < 2:
            return found
        x, y = "tokens_per_s_per_chip", "headroom_bytes"
        columns = {n: np.asarray([row[n] for row in found]) for n in (x, y)}
        return [found[i] for i in front_of(columns, x, y)] if found else []

    @cached_property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """What was tried on the winner's machine: values by axis."""
        return dict(self._told_of.space.values)

    @property
    def _told_of(self) -> MachineSearch:
        """The machine that families are of."""
        return self.search_of(self.rows[0]) if self.rows else self.searches[0]

    def families(self) -> list[Family]:
        """Every other value of every axis on the winner's machine, and why it does not win."""
        return list(self._families)

    @cached_property
    def _families(self) -> list[Family]:
        winner, one = self.best, self._told_of
        best_job = one.job(winner)
        spent = parts_s(best_job)
        several = {
            axis: [v for v in values if v == winner[axis] or one.tells(axis, v)]
            for axis, values in self.axes.items()
            if len(values) > 1
        }
        return families(
            several,
            winner,
            self.rank,
            best_of=lambda axis, value: one.best_of[axis].get(value),
            name=family_name,
            lacking=lambda axis, value: _lacking(one, axis, value),
            costs=lambda row: costs(one.job(row), best_job, spent),
        )

    def impossible(self) -> list[str]:
        """What no layout of the winner's machine can be built with, and why."""
        refused = self._told_of.search.refused
        return refused_words({key: said or _ALONE for key, said in refused.items()}, axis_words)

    def closest(self, n: int = 3) -> list[Row]:
        """Where nothing fits, the layouts that come nearest to it."""
        found = [row for s in self.searches for row in s.described(s.search.nearest)]
        return sorted(found, key=lambda row: -row["headroom_bytes"])[:n]

    def missing(self) -> list[str]:
        """Where no layout can be or fits: what comes closest, and what it lacks."""
        return [said for one in self.searches for said in missing(one)]

    def with_intervals(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with their 80% intervals (``time_low_s``, ``time_high_s``) and ``bubble_share``."""
        return [self.search_of(row).with_step(row) for row in rows]

    def command(self, tool: str) -> Launch:
        """What starts the best layout on the winner's machine that a training tool can run.

        Parameters
        ----------
        tool : str   See `Training.command`.

        Raises
        ------
        CatalogError      Nobody knows the tool.
        InfeasibleError   It can run none of the layouts, or none fits.
        """
        from ridgeline.questions.launch import (  # noqa: PLC0415  (only to start)
            NoneRunsError,
            first_started,
        )
        from ridgeline.questions.training.launch import start_training  # noqa: PLC0415

        key = self.best["cluster"]
        rows = [row for row in self.rows if row["cluster"] == key]
        run = self.best_training.run

        def tell(i: int) -> str:
            ratio = rows[i]["time_s"] / rows[0]["time_s"]
            return f"{rows[i]['layout']}, {ratio:.2f} times the winner's time"

        try:
            return first_started(
                len(rows),
                lambda i: start_training(self.job(rows[i]), tool, run and run.n_steps),
                tell,
            )
        except NoneRunsError as error:
            raise InfeasibleError(
                f"{error} Search what it runs: fix the options named, or its own custom "
                "(--framework)."
            ) from None

    def sentences(self) -> list[str]:
        """The answer in a few sentences."""
        return sentences(self)

    def notes(self) -> list[str]:
        """What a careful reader should know about the inputs."""
        short = [s for s in self.searches if self.rows and not s.search.n_fit]
        found = [*self.unfit, *self.price_notes, *(" ".join(missing(s)) for s in short)]
        return [*found, *self.best_training.notes, *untried(self)] if self.rows else found

    def chart(self, name: str = "front") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``front``; or of the winner's step ``time``, ``schedule``, ``memory`` or
                     ``memory-over-time``.

        Raises
        ------
        SpecError         There is no such picture.
        InfeasibleError   There is nothing to draw: no layout fits.
        """
        from ridgeline.questions.training_layouts.pictures import draw  # noqa: PLC0415

        return draw(self, name)

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`: the ranking, or what comes closest."""
        rows = self.rows[:_TABLE_ROWS] or self.closest(_CLOSEST)
        return Answer(
            question="training_layouts",
            title=f"Layouts of training {self.model.name or self.model.id}",
            sentences=tuple(self.sentences()),
            tables=(layouts_table(self, rows),),
            values={"n_legal": self.n_legal, "n_fit": self.n_fit, **self._best_values()},
            charts={name: partial(self.chart, name) for name in PICTURE_NAMES} if self.rows else {},
            notes=tuple(dict.fromkeys(self.notes())),
            provenance={
                "model": self.model.id,
                "reading": self.reading,
                "rank": self.rank.column,
                "clusters": {s.key: s.setup.n_chips for s in self.searches},
                "axes": {s.key: _plain(s.space.values) for s in self.searches},
                "scenario": self.scenario.to_dict(),
            },
        )

    def _best_values(self) -> dict[str, Any]:
        names = ("time_s", "tokens_per_s_per_chip", "mfu", "usd_per_mtok", "wh_per_mtok")
        return {name: self.best[name] for name in names} if self.rows else {}

    def to_dict(self, n: int = 20) -> dict[str, Any]:
        """The answer as plain nested dicts: see `Answer.to_dict`; and ranking, front, reasons.

        Parameters
        ----------
        n : int   Rows of the ranking.
        """
        found = self.rows[:n] or self.closest(n)
        own = super().to_dict()
        return own | {
            "fits": bool(self.rows),
            "options": _plain(self.options(self.best)) if self.rows else None,
            "rows": [_plain(row) for row in self.with_intervals(found)],
            "front": [_plain(row) for row in self.front],
            "families": [_plain(f.to_dict()) for f in self.families()] if self.rows else [],
            "impossible": self.impossible(),
        }


def _plain(values: Any) -> dict[str, Any]:
    """Values in JSON types: tuples are lists."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _lacking(one: MachineSearch, axis: str, value: Any) -> str:
    """Why a family has no layout that fits: it cannot be, or what it needs of memory."""
    if said := one.search.refused.get((axis, value)):
        return said
    row = one.search.nearest_of(axis).get(value)
    return _ALONE if row is None else why_unfit(one.job(row))
