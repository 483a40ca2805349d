"""The answer to a serving question: a curve with its landmarks, in words, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.errors import SpecError
from ridgeline.questions.machine_words import machine_words
from ridgeline.questions.serving.headline import sentences
from ridgeline.questions.serving.landmarks import most_sequences
from ridgeline.questions.serving.points import points_table
from ridgeline.questions.serving.rows import cheapest, knee
from ridgeline.questions.serving.working import explain

if TYPE_CHECKING:
    from ridgeline.answers import Table
    from ridgeline.charts import Chart
    from ridgeline.grid import Result
    from ridgeline.questions.launch import Launch
    from ridgeline.replica import Replica, StepTime
    from ridgeline.service.requests import Requests
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.limits import Limits
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.scenario import Scenario
    from ridgeline.steps import Balance, Counts, Machine

__all__ = ["Serving"]


@dataclass(frozen=True, repr=False)
class Serving(Answered):
    """A model on a machine, over batch and context.

    Attributes
    ----------
    scenario : Scenario   The question.
    result : Result       Columns over the axes ``context`` and ``batch``.
    balance : Balance     Landmarks at the first context.
    notes : tuple of str  What a careful reader should know about the inputs.
    replica : Replica     What timed the steps; batches are of one replica.
    requests : Requests   Lengths of requests (no output: sequences only decode), and drafts.
    given_layout : Layout or None   A layout record that was asked about, beside the scenario.
    """

    scenario: Scenario
    model: Model
    machine: Machine
    counts: Counts
    price: Price | None
    balance: Balance
    result: Result
    replica: Replica
    requests: Requests
    notes: tuple[str, ...] = ()
    given_layout: Layout | None = None

    @property
    def reading(self) -> str:
        """``blackboard``, ``ideal`` or ``calibrated``."""
        return self.replica.reading

    @property
    def layout(self) -> Layout | None:
        """The layout of the replica; None where all chips are seen as one."""
        return None if self.replica.how.whole else self.replica.layout

    @property
    def has_requests(self) -> bool:
        """Whether requests were described, or sequences only decode."""
        return bool(self.requests.osl)

    def step(self, batch: Any, context: Any = None) -> StepTime:
        """A decode step of one replica.

        Parameters
        ----------
        batch : array             Sequences in flight in the replica. [1]
        context : array or None   None for the first context. [tokens]
        """
        at = self.context if context is None else context
        return self.replica.step(replace(self.requests, decode_context=at).decode(batch))

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """What the fullest chip holds. [bytes]"""
        held = self.replica.memory(context, drafts=self.requests.has_drafts)
        return held.total_bytes(batch)

    @property
    def context(self) -> float:
        """The first context asked for: the one landmarks and words are about. [tokens]"""
        return float(self.result["context"][0])

    @property
    def name(self) -> str:
        """Model and machine in a few words."""
        return f"{self.model.name or self.model.id} on {self.machine_name}"

    @property
    def machine_name(self) -> str:
        """The cluster where it is used whole, else number and kind of chips."""
        return machine_words(self.machine.cluster, self.machine.n_chips)

    @property
    def limits(self) -> Limits:
        """Latencies to keep: those given, else the usual ones; decoding alone has but a TPOT."""
        limits = self.scenario.workload.limits
        if self.has_requests:
            return limits
        return limits.model_copy(update={"ttft": None, "e2e": None})

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """The point a user would run, at the first context: the cheapest within the limits.

        Where none keeps them the fastest that fits, and where nothing fits the first.
        """
        best = cheapest(self.result, 0)
        fastest = int((self.result.infeasible[0] == 0).argmax())
        return self.result.row((0, fastest if best is None else best))

    def largest_batch(self, i: int = 0) -> float:
        """The most sequences of a replica that fit, at one of the contexts.

        Parameters
        ----------
        i : int   Which context.
        """
        if i == 0:
            return self.balance.largest_batch
        context = float(self.result["context"][i])
        return most_sequences(self.replica, self.machine, self.requests, context)

    def table(self, context: int | None = None) -> Table:
        """The points as a table, of which those that tell most are shown.

        Parameters
        ----------
        context : int or None   Which context; None for all.
        """
        return points_table(self, None if context is None else [context])

    @cached_property
    def knee(self) -> dict[str, Any]:
        """The point within the limits beyond which cost falls by a smaller share than TPOT grows.

        That is the least product of cost and TPOT at the first context, among the points within the
        limits where there are any, else among those that fit.
        """
        return self.result.row((0, knee(self.result, 0)))

    def command(self, engine: str) -> Launch:
        """What starts the point a user would run: see `chosen`.

        Parameters
        ----------
        engine : str   ``vllm``, ``sglang``, ``tensorrt-llm`` or ``llama.cpp``; or the manifest of
                       ``dynamo``, ``llm-d`` or ``kserve``.

        Raises
        ------
        CatalogError      Nobody knows the engine.
        InfeasibleError   It cannot run this layout.
        """
        name = catalog.known_flags(engine)
        if self.replica.how.whole:
            raise SpecError(
                "Flags need a layout, which the blackboard does not have: choose reading ideal or "
                "calibrated (--reading)."
            )
        from ridgeline.questions.launch import start, what_was_priced  # noqa: PLC0415  (for flags)

        one = what_was_priced(
            self.scenario,
            self.replica,
            self.requests,
            self.chosen["batch"],
            self.replica.layout.replicas,
        )
        return start([one], name)

    def best(self, column: str, *, largest: bool = False) -> dict[str, Any]:
        """The feasible row with the best value of a column: see `Result.best`."""
        return self.result.best(column, largest=largest)

    def at(self, batch: float, context: float | None = None) -> dict[str, Any]:
        """The row nearest to a batch (and context).

        Parameters
        ----------
        batch : float             Sequences in flight.
        context : float or None   Tokens; None for the first context.
        """
        contexts, batches = self.result.axes
        i = 0 if context is None else contexts.nearest(context)
        return self.result.row((i, batches.nearest(batch)))

    def sentences(self) -> list[str]:
        """The answer in two or three sentences."""
        return sentences(self)

    def explain(self, batch: float | None = None) -> str:
        """The working, numbers in the equations, as on a blackboard.

        Parameters
        ----------
        batch : float or None   Sequences in flight; None for the point that a user would run
                                (`chosen`), and on the blackboard for the balance batch, or the
                                largest that fits where that is smaller.
        """
        return explain(self, batch)

    def chart(self, name: str = "latency") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``latency``, ``cost``, or ``both``.

        Raises
        ------
        SpecError   There is no such picture, or none without a price.
        """
        from ridgeline.charts import serving_chart  # noqa: PLC0415  (only when drawn)

        return serving_chart(self.result, self.landmarks(), self.name, name)

    def landmarks(self) -> dict[str, float]:
        """What a picture marks: where compute takes over and the largest batch, if they exist."""
        takes_over = "balance batch" if self.reading == "blackboard" else "compute binds from"
        marks = {takes_over: self.balance.batch, "largest that fits": self.balance.largest_batch}
        return {k: v for k, v in marks.items() if 1 <= v < float("inf")}

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain nested dicts: see `Answer.to_dict`; and its axes under ``grid``."""
        return super().to_dict() | {"grid": self.result.to_dict()}

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`."""
        names = ("latency", "cost") if self.price else ("latency",)
        return Answer(
            question="serving",
            title=self.name,
            sentences=tuple(self.sentences()),
            tables=(self.table(),),
            values={k: getattr(self.balance, k) for k in self.balance.__dataclass_fields__},
            charts={name: partial(self.chart, name) for name in names},
            notes=self.notes,
            provenance=self.result.about | {"scenario": self.scenario.to_dict()},
        )
