"""The answer as a person would put it: the winner, its reason, and what else was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import counted, listed, percent, quantity, seconds
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.families import by_machine_words, close_words, nearest, told
from ridgeline.questions.prices import on_one_basis, price_words
from ridgeline.questions.serving.words import usd
from ridgeline.questions.training.sentences import run_sentences
from ridgeline.questions.training.words import job_words, probability_words
from ridgeline.questions.training_layouts.reasons import why_best
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.questions.training_layouts.answer import TrainingLayouts

__all__ = ["axes_told", "families_told", "sentences", "untried"]

Row = dict[str, Any]
#: how what is ranked is told
_WRITE: dict[str, Callable[[float], str]] = {
    "time_s": lambda v: f"{seconds(v)} a step",
    "usd_per_mtok": lambda v: f"{usd(v)} per million tokens",
    "wh_per_mtok": lambda v: f"{format_quantity(v, 'Wh')} per million tokens",
}


def sentences(answer: TrainingLayouts) -> list[str]:
    """Winner, reason, memory, how close the others are, the run."""
    if not answer.rows:
        return [" ".join(answer.missing())]
    said = [_winner(answer), _reason(answer), _memory(answer), _tried(answer)]
    said += [close_words(answer.rows, answer.rank, _simplest(answer)), _by_machine(answer)]
    return [s for s in [*said, *run_sentences(answer.best_training)] if s]


def _winner(answer: TrainingLayouts) -> str:
    row, best = answer.best, answer.best_training
    one, job = answer.search_of(row), answer.best_job
    load = job.load
    about, most = ("about", "") if best.is_calibrated else ("at least", "at most ")
    interval = ""
    if best.interval_s is not None:
        low, high = (seconds(v) for v in best.interval_s)
        interval = f" (80% interval {low} to {high})"
    money = ""
    if row["usd_per_mtok"] is not None:
        least = "" if best.is_calibrated else "at least "
        money = (
            f", {least}{_WRITE['usd_per_mtok'](row['usd_per_mtok'])} at {price_words(one.price)}"
        )
    return (
        f"{answer.model.name or answer.model.id} on {one.words}, {load.global_batch:,} x "
        f"{load.seq_len:,} tokens a step: {job_words(job)}, micro-batches of "
        f"{job.recipe.micro_batch}. A step takes {about} {seconds(best.step_s)}{interval}, {most}"
        f"{quantity(best.tokens_per_s_per_chip, 'tok/s')} tok/s per chip, MFU {most}"
        f"{percent(best.utilization['full' if best.is_calibrated else 'causal'])}{money}."
    )


def _reason(answer: TrainingLayouts) -> str:
    best = answer.best_training
    if not best.is_calibrated:
        return f"Its passes take as long as {best.part_words('products').split(',')[0]} does."
    return f"Its time goes to {why_best(best)}."


def _memory(answer: TrainingLayouts) -> str:
    memory = answer.best_training.memory
    if memory is None:
        return ""
    need, have = float(memory.needed_bytes[0]), memory.capacity_bytes
    return (
        f"Its fullest chip needs {format_quantity(need, 'B')} of {format_quantity(have, 'B')}: "
        f"{probability_words(float(memory.fits_probability[0]))} probability that it runs."
    )


def _tried(answer: TrainingLayouts) -> str:
    fit = "fits" if answer.n_fit == 1 else "fit"
    return (
        f"{counted(answer.n_legal, 'legal layout')} were compared, of which {answer.n_fit:,} {fit} "
        "with a probability of 90%."
    )


def _simplest(answer: TrainingLayouts) -> str:
    """Which of the winner and those too close to call is simplest."""
    row = answer.simplest
    if row is answer.best:
        return "None of them is simpler."
    value = _WRITE[answer.rank.column](row[answer.rank.column])
    return f"The simplest of them is {row['layout']}, {value}."


def _by_machine(answer: TrainingLayouts) -> str:
    """The best of each machine, where several were asked for."""
    if sum(s.search.n_fit > 0 for s in answer.searches) < 2:
        return ""
    in_usd = answer.rank.column.startswith("usd")
    return by_machine_words(
        answer.rows,
        answer.rank,
        _WRITE[answer.rank.column],
        lambda row: answer.search_of(row).price if in_usd else None,
        apart=not on_one_basis([s.price for s in answer.searches]),
    )


def families_told(answer: TrainingLayouts, *, every: bool = False) -> list[str]:
    """Why families do not win, a sentence each; those with one best layout together.

    Parameters
    ----------
    answer : TrainingLayouts   With a winner.
    every : bool               All families, not only the next below and above the winner's values.
    """
    found = answer.families()
    if not every:
        found = nearest(found, answer.best, answer.axes)
    return told(found, answer.rank.noun)


def untried(answer: TrainingLayouts) -> list[str]:
    """What people choose now and then, and the search of the winner's machine did not try."""
    one = answer.search_of(answer.best)
    values, layout, recipe = one.space.values, answer.scenario.layout, answer.scenario.recipe
    open_ = {
        "other schedules of stages": recipe.schedule is None
        and len(values["pp"]) > 1
        and not {*SCHEDULES} <= {*values["schedule"]},
        "ZeRO 2": layout.zero is None and one.setup.n_chips > 1 and 2 not in values["zero"],
        "offload": "offload" not in recipe.model_fields_set and values["offload"] == ((),),
    }
    found = [what for what, is_open in open_.items() if is_open]
    return [f"Not tried unless stated (--try): {listed(found)}."] if found else []


def axes_told(answer: TrainingLayouts) -> list[str]:
    """What was tried, a line a machine: values by axis."""
    return [f"Tried on {s.key}: {s.space}." for s in answer.searches]
