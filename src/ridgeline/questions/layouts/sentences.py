"""The answer as a person would put it: the winner, its reason, and what else was looked at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.questions.families import by_machine_words, close_words, nearest, told
from ridgeline.questions.layouts.load import lengths_words
from ridgeline.questions.layouts.reasons import degree_values, why_best
from ridgeline.questions.layouts.words import seconds, sequences
from ridgeline.questions.prices import on_one_basis, price_words
from ridgeline.questions.serving.words import layout_words, limits_words, usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.questions.layouts.answer import Layouts

__all__ = ["families_told", "sentences"]

Row = dict[str, Any]
#: how what is ranked is told
_WRITE: dict[str, Callable[[float], str]] = {
    "usd_per_mtok": lambda v: f"{usd(v)} per million tokens",
    "tokens_per_s_per_chip": lambda v: f"{v:,.0f} tok/s per chip",
    "e2e_s": seconds,
    "tpot_s": seconds,
}
#: slower than this for a user, somebody should be asked whether that is wanted
_SLOW_TOKENS_PER_S = 10


def sentences(answer: Layouts) -> list[str]:
    """Winner, reason, how close the others are."""
    if not answer.ranking:
        return [" ".join(answer.missing())]
    row = answer.best
    said = [_winner(answer, row), _reason(answer, row)]
    said += [s for s in (close_words(answer.ranking, answer.rank), _by_machine(answer)) if s]
    slow = row["tokens_per_s_per_user"] < _SLOW_TOKENS_PER_S
    if slow and not math.isfinite(answer.limits.tpot_s):
        said.append(
            f"Without a limit a user gets only {row['tokens_per_s_per_user']:.1f} tok/s: "
            "--tpot 50 asks for 20."
        )
    return said


def _winner(answer: Layouts, row: Row) -> str:
    search = answer.search_of(row)
    layout, chip = search.layout(row), search.candidates.base.cluster.chip.name
    per_replica = search.n_chips // layout.replicas
    chips = "1 chip" if per_replica == 1 else f"{per_replica} chips"
    replicas = "" if layout.replicas == 1 else f" ({chips} each)"
    is_bound = answer.reading == "ideal"
    money = ""
    if row["usd_per_mtok"] is not None:
        least = "at least " if is_bound else ""
        money = f", {least}{usd(row['usd_per_mtok_output'])} per million output tokens"
        if row["usd_per_mtok_input"] is not None:
            money += f" and {usd(row['usd_per_mtok_input'])} per million input"
        money += f" at {price_words(search.price)}"
    most = "at most " if is_bound else ""
    limits = limits_words(answer.limits, answer.scenario.workload)
    within = f", within {limits}" if any(answer.limits.items()) else ""
    return (
        f"{answer.model.name or answer.model.id} on {search.n_chips} x {chip}, "
        f"{lengths_words(answer.requests)}{within}: "
        f"{layout_words(layout)}{replicas}, "
        f"{sequences(row['concurrency'])} in flight: "
        f"{most}{row['tokens_per_s_per_chip']:,.0f} output tok/s per chip and "
        f"{row['tokens_per_s_per_user']:,.0f} tok/s per user{_times(row)}{money}."
    )


def _times(row: Row) -> str:
    if row["ttft_s"] is None:
        return f" (TPOT {seconds(row['tpot_s'])})"
    return (
        f" (TTFT {seconds(row['ttft_s'])}, TPOT {seconds(row['tpot_s'])}, "
        f"e2e {seconds(row['e2e_s'])})"
    )


def _reason(answer: Layouts, row: Row) -> str:
    return f"Its batch: {why_best(answer.search_of(row), row, answer.rank)}"


def _by_machine(answer: Layouts) -> str:
    """The best of each machine, where several were asked for."""
    if len(answer.searches) < 2:
        return ""
    column = answer.rank.column
    in_usd = column.startswith("usd")
    return by_machine_words(
        answer.ranking,
        answer.rank,
        _WRITE[column],
        lambda row: answer.search_of(row).price if in_usd else None,
        apart=not on_one_basis([s.price for s in answer.searches]),
    )


def families_told(answer: Layouts, *, every: bool = False) -> list[str]:
    """Why families do not win, a sentence each; those with one best layout together.

    Parameters
    ----------
    answer : Layouts   With a winner.
    every : bool       All families, not only the next below and above the winner's degrees.
    """
    found, winner = answer.families(), answer.best
    if not every:
        found = nearest(found, winner, degree_values(answer.search_of(winner)))
    return told(found, answer.rank.noun)
