"""What starts the winner of a search, or its two pools, on an engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ridgeline.errors import InfeasibleError
from ridgeline.questions.launch import (
    first_that_runs,
    prompts_of_a_step,
    start,
    too_many_hosts,
    what_was_priced,
    why_not,
)
from ridgeline.questions.layouts.words import layout_name

if TYPE_CHECKING:
    from ridgeline.questions.launch import Launch, Priced
    from ridgeline.questions.layouts.answer import Layouts
    from ridgeline.questions.layouts.pools import Pools
    from ridgeline.questions.layouts.ranking import Search
    from ridgeline.specs.layout import Layout

__all__ = ["start_best", "start_pools"]


def start_best(answer: Layouts, engine: str) -> Launch:
    """Start the best layout on the winner's cluster that an engine can run.

    Parameters
    ----------
    answer : Layouts
    engine : str   Id of an engine with flags, or of a deployment tool.

    Raises
    ------
    InfeasibleError   It can run none of the layouts, or none meets the limits.
    """
    if not answer.ranking:
        raise InfeasibleError(
            "No layout meets the limits, so that there is nothing to start: loosen a limit."
        )
    winner = answer.best
    rows = [r for r in answer.ranking if r["cluster"] == winner["cluster"]]
    search = answer.search_of(winner)

    def at(i: int) -> Priced:
        layout = search.layout(rows[i])
        return _priced(answer, search, layout, rows[i]["batch"], layout.replicas)

    return first_that_runs(len(rows), at, engine, lambda i: layout_name(search.layout(rows[i])))


def start_pools(answer: Layouts, engine: str) -> Launch:
    """Start the two pools, of the layouts that an engine can run where it cannot all.

    Parameters
    ----------
    answer : Layouts
    engine : str   Id of an engine with flags, or of a deployment tool.

    Raises
    ------
    InfeasibleError   It has no pools, or can run no layout of one.
    """
    search = answer.search_of(answer.best) if answer.ranking else answer.searches[0]
    found = answer.pools()
    both = _pools(answer, search, found)
    why = next(filter(None, (why_not(one, engine) for one in both)), "") or too_many_hosts(both)
    if not why:
        return start(both, engine)

    def can(layout: Layout) -> bool:
        one = [_priced(answer, search, layout, 1.0, 1, pool) for pool in ("prefill", "decode")]
        return one[0].fills_hosts and not any(why_not(x, engine) for x in one)

    try:
        other = answer.pools(can)
    except InfeasibleError:
        raise InfeasibleError(f"{why}, and so with every layout of two pools.") from None
    started = start(_pools(answer, search, other), engine)
    return replace(started, notes=(f"{why}. Instead: {other.sentences()[0]}", *started.notes))


def _pools(answer: Layouts, search: Search, found: Pools) -> list[Priced]:
    prefill, decode = found.prefill, found.decode
    replica = search.candidates.replica_of(prefill.layout)
    prompts = prompts_of_a_step(replica, answer.requests)
    return [
        _priced(answer, search, prefill.layout, prompts, prefill.replicas, "prefill"),
        _priced(answer, search, decode.layout, decode.batch, decode.replicas, "decode"),
    ]


def _priced(
    answer: Layouts, search: Search, layout: Layout, batch: float, n: int, pool: str = ""
) -> Priced:
    replica = replace(search.candidates.base, layout=layout)
    return what_was_priced(answer.scenario, replica, answer.requests, batch, n, pool=pool)
