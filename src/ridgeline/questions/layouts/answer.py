"""The answer to a search over layouts: a ranking, its front, its reasons and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.errors import InfeasibleError
from ridgeline.questions.drafts import draft_words
from ridgeline.questions.layouts.closest import closest_rows, missing
from ridgeline.questions.layouts.notes import cluster_notes
from ridgeline.questions.layouts.pools import split
from ridgeline.questions.layouts.ranking import Search, merged_front, ranked
from ridgeline.questions.layouts.reasons import families, impossible
from ridgeline.questions.layouts.sentences import sentences
from ridgeline.questions.layouts.starting import start_best, start_pools
from ridgeline.questions.layouts.table import layouts_table
from ridgeline.questions.lengths import length_notes, longest
from ridgeline.questions.serving.words import choice_of_experts, wide_experts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.charts import Chart
    from ridgeline.questions.families import Family, Rank
    from ridgeline.questions.launch import Launch
    from ridgeline.questions.layouts.pools import Pools
    from ridgeline.questions.layouts.ranking import Rows
    from ridgeline.service.requests import Requests
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.limits import Limits
    from ridgeline.specs.model import Model
    from ridgeline.specs.scenario import Scenario

__all__ = ["Layouts"]

Row = dict[str, Any]
#: pictures of an answer: see `questions.layouts.pictures`
PICTURE_NAMES = ("front", "roofline", "memory", "rack", "timeline")


@dataclass(frozen=True, repr=False)
class Layouts(Answered):
    """Layouts of a model on one or several clusters, ranked.

    Attributes
    ----------
    scenario : Scenario          The question.
    searches : tuple of Search   One a cluster that holds the model.
    rank : Rank                  What is best.
    unfit : tuple of str         A sentence for each cluster that does not hold it.
    price_notes : tuple of str   How prices of several clusters were chosen.
    """

    scenario: Scenario
    model: Model
    searches: tuple[Search, ...]
    rank: Rank
    requests: Requests
    limits: Limits
    reading: str
    unfit: tuple[str, ...] = ()
    price_notes: tuple[str, ...] = ()

    @cached_property
    def ranking(self) -> Rows:
        """The same as `rows`, each evaluated when it is read: for a few of many."""
        return ranked(self.searches, self.rank)

    @cached_property
    def rows(self) -> list[Row]:
        """The best point within the limits of each layout that has one: winner, then best first.

        The winner is the simplest of those within 5% of the best on its machine. A list of the
        caller's own: what is done to it changes nothing of the answer.
        """
        return [dict(row) for row in self.ranking]

    @property
    def best(self) -> Row:
        """The winner.

        Raises
        ------
        InfeasibleError   No layout meets the limits; says what comes closest.
        """
        if not self.ranking:
            raise InfeasibleError(" ".join(self.missing()))
        return self.ranking[0]

    @property
    def best_layout(self) -> Layout:
        """The winner's layout."""
        return self.search_of(self.best).layout(self.best)

    def search_of(self, row: Row) -> Search:
        """The search a row is of."""
        return next(s for s in self.searches if s.key == row["cluster"])

    @cached_property
    def front(self) -> list[Row]:
        """The points within the limits that none beats in both rates, fastest for a user first."""
        return merged_front(self.searches, "tokens_per_s_per_user", "tokens_per_s_per_chip")

    def families(self) -> list[Family]:
        """Every other value of every degree on the winner's cluster, and why it does not win."""
        winner = self.best
        search = self.search_of(winner)
        rows = [r for r in self.ranking if r["cluster"] == winner["cluster"]]
        return families(search, winner, rows, self.rank, self.limits)

    def impossible(self) -> list[str]:
        """What no layout of the winner's cluster could be built with, and why."""
        search = self.search_of(self.best) if self.ranking else self.searches[0]
        return impossible(search)

    def closest(self, n: int = 3) -> list[Row]:
        """The layouts that miss the limits by least, or exceed them by most: see `missing`."""
        return closest_rows(self.searches, self.limits, n)

    def missing(self) -> list[str]:
        """Of limits that nothing meets: what is possible, what comes closest."""
        return missing(self.searches, self.limits)

    def with_intervals(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with the 80% intervals of their times: ``tpot_low_s``, ``tpot_high_s`` and so on."""
        found = [dict(row) for row in rows]
        for search in self.searches:
            own = [r for r in found if r["cluster"] == search.key]
            if not own:
                continue
            index = np.asarray([r["candidate"] for r in own])
            batches = np.asarray([r["batch"] for r in own])
            if not search.candidates.base.how.calibrated:
                continue
            for name, (low, high) in search.candidates.intervals(index, batches).items():
                if name == "requests_per_s" or not np.isfinite(low).all():
                    continue
                stem = name.removesuffix("_s")
                for row, least, most in zip(own, low, high, strict=True):
                    row[f"{stem}_low_s"], row[f"{stem}_high_s"] = float(least), float(most)
        return found

    def command(self, engine: str, *, disaggregate: bool = False) -> Launch:
        """What starts the best layout that an engine can run, or the two pools.

        Parameters
        ----------
        engine : str          ``vllm``, ``sglang``, ``tensorrt-llm`` or ``llama.cpp``; or the
                              manifest of ``dynamo``, ``llm-d`` or ``kserve``.
        disaggregate : bool   Start the pools of `pools` instead.

        Raises
        ------
        CatalogError      Nobody knows the engine.
        InfeasibleError   It can run none of the layouts, or none meets the limits.
        """
        catalog.known_flags(engine)
        return start_pools(self, engine) if disaggregate else start_best(self, engine)

    def pools(self, can: Callable[[Layout], bool] | None = None) -> Pools:
        """Prefill and decode on pools of their own, on the winner's cluster.

        Parameters
        ----------
        can : callable or None   Which layouts may be used; None for all.

        Raises
        ------
        SpecError         Only a context was given: there is nothing to prefill.
        InfeasibleError   No two pools hold the model within the limits.
        """
        if not self.ranking:
            return split(self.searches[0], can=can)
        best = self.best
        return split(self.search_of(best), best["tokens_per_s_per_chip"], can)

    def sentences(self) -> list[str]:
        """The answer in a few sentences."""
        return sentences(self)

    def notes(self) -> list[str]:
        """What a careful reader should know about the inputs."""
        said = [*self.unfit, *self._without_rows(), *self.price_notes]
        for search in self.searches:
            said += cluster_notes(search)
        load = self.scenario.workload
        said += length_notes(self.model, longest(load)) + draft_words(self.model, load)
        for base in [search.candidates.base for search in self.searches][:1]:
            said += choice_of_experts(base.model, base.expert_load_cv)
        if self.ranking:
            search = self.search_of(self.best)
            said += wide_experts(search.candidates.replica_of(search.layout(self.best)))
        if self.requests.osl and not self.requests.cached:
            said.append("Cached input is priced for a prompt of which half is found in a cache.")
        return said

    def _without_rows(self) -> list[str]:
        """Of clusters that hold the model but meet no limits, where others do."""
        have = {row["cluster"] for row in self.ranking}
        if not have:
            return []
        short = [s for s in self.searches if s.key not in have]
        return [
            f"{s.key}: nothing within the limits. {missing([s], self.limits)[-1]}" for s in short
        ]

    def chart(self, name: str = "front") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``front``, ``roofline``, ``memory``, ``rack`` or ``timeline``.

        Raises
        ------
        SpecError   There is no such picture.
        """
        from ridgeline.questions.layouts.pictures import draw  # noqa: PLC0415  (only when drawn)

        return draw(self, name)

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`: the ranking, or what comes closest."""
        rows = self.ranking or self.closest(20)
        kept = {"meets_limits": bool(self.ranking)}
        return Answer(
            question="layouts",
            title=f"Layouts of {self.model.name or self.model.id}",
            sentences=tuple(self.sentences()),
            tables=(layouts_table(self, rows),),
            values=kept,
            charts={name: partial(self.chart, name) for name in PICTURE_NAMES}
            if self.ranking
            else {},
            notes=tuple(self.notes()),
            provenance={
                "model": self.model.id,
                "reading": self.reading,
                "rank": self.rank.column,
                "clusters": {s.key: s.n_chips for s in self.searches},
                "scenario": self.scenario.to_dict(),
            },
        )

    def to_dict(self, n: int = 20) -> dict[str, Any]:
        """The answer as plain nested dicts: see `Answer.to_dict`; and ranking, front, reasons.

        Parameters
        ----------
        n : int   Rows of the ranking.
        """
        limits = {name: str(limit) for name, limit in self.limits.items()}
        about = {
            "model": self.model.id,
            "reading": self.reading,
            "lengths": {k: getattr(self.requests, k) for k in ("context", "isl", "osl", "cached")},
            "limits": limits,
            "rank": self.rank.column,
            "clusters": {s.key: s.n_chips for s in self.searches},
            "n_layouts": sum(len(s.candidates.layouts) for s in self.searches),
            "n_points": sum(s.result.infeasible.size for s in self.searches),
        }
        found = self.ranking[:n] or self.closest(n)
        return super().to_dict() | {
            "about": about,
            "meets_limits": bool(self.ranking),
            "rows": self.with_intervals(found),
            "front": self.front,
            "families": [f.to_dict() for f in self.families()] if self.ranking else [],
            "impossible": self.impossible(),
        }
