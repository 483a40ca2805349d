"""The answer as a person would put it: the winner, its reason, and what else was looked at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.questions.layouts.load import lengths_words
from ridgeline.questions.layouts.reasons import why_best
from ridgeline.questions.layouts.simplicity import TOO_CLOSE, tied
from ridgeline.questions.layouts.words import listed, seconds, sequences, times
from ridgeline.questions.prices import on_one_basis, price_words, recalled_clause
from ridgeline.questions.serving.words import layout_words, limits_words, usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.questions.layouts.answer import Layouts
    from ridgeline.questions.layouts.reasons import Family

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
    said += [s for s in (_close(answer), _by_machine(answer)) if s]
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


def _close(answer: Layouts) -> str:
    rank, winner = answer.rank, answer.best
    rows = sorted(answer.ranking, key=rank.score)
    first = next(r for r in rows if r["cluster"] == winner["cluster"])
    near = [r for r in tied([first, *rows], rank)[1:] if r is not winner]
    if not near:
        return ""
    shown = listed([r["layout"] for r in near[:3]] + (["others"] if len(near) > 3 else []))
    return (
        f"Within {TOO_CLOSE:.0%} of it, too close to call without measuring: {shown}. It is the "
        "simplest of them."
    )


def _by_machine(answer: Layouts) -> str:
    """The best of each machine, where several were asked for."""
    if len(answer.searches) < 2:
        return ""
    column = answer.rank.column
    firsts: dict[str, Row] = {answer.best["cluster"]: answer.best}
    for row in sorted(answer.ranking, key=answer.rank.score):
        firsts.setdefault(row["cluster"], row)
    each = []
    for row in sorted(firsts.values(), key=answer.rank.score):
        price = answer.search_of(row).price if column.startswith("usd") else None
        caveat = recalled_clause(price).removeprefix(", ")
        each.append(f"{row['cluster']} {_WRITE[column](row[column])}{caveat and f' ({caveat})'}")
    apart = not on_one_basis([s.price for s in answer.searches])
    why = "; dollars do not rank them, as they have no prices on one basis" if apart else ""
    return f"Best of each machine: {listed(each)}{why}."


def families_told(answer: Layouts, *, every: bool = False) -> list[str]:
    """Why families do not win, a sentence each; those with one best layout together.

    Parameters
    ----------
    answer : Layouts   With a winner.
    every : bool       All families, not only the next below and above the winner's degrees.
    """
    found = answer.families()
    if not every:
        found = _nearest(found, answer.best)
    by_reason: dict[str, list[Family]] = {}
    for family in found:
        by_reason.setdefault(family.reason, []).append(family)
    said = []
    for reason, alike in by_reason.items():
        ratio = alike[0].ratio
        times_as = "" if ratio is None else f"{times(ratio)} {answer.rank.noun}; "
        said.append(f"{listed([f.name for f in alike])}: {times_as}{reason}.")
    return said


def _nearest(found: list[Family], winner: Row) -> list[Family]:
    """Of each degree the next value below the winner's and the next above."""
    near = []
    for degree in dict.fromkeys(f.degree for f in found):
        own = [f for f in found if f.degree == degree]
        below = [f for f in own if f.value < winner[degree]]
        above = [f for f in own if f.value > winner[degree]]
        near += below[-1:] + above[:1]
    return near
