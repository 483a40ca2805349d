"""Sparsity: more parameters at the same active ones, what they are worth, whom they need."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, factor, percent, quantity
from ridgeline.laws.economics import throughput_tokens_per_s
from ridgeline.laws.roofline import sparsity as sparsity_of
from ridgeline.laws.scaling import effective_params_routed
from ridgeline.laws.traffic import (
    fill_time_s,
    mean_wait_s,
    requests_per_s_in_flight,
    sequences_in_flight,
)
from ridgeline.questions.solve import last_true
from ridgeline.specs.arguments import ANSWER, Amount, reads
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.fields import Numbers
from ridgeline.specs.ranges import LENGTH_TOKENS, REQUESTS_PER_S, SPARSITY
from ridgeline.steps import balance, decode_step

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving
    from ridgeline.steps import Counts

__all__ = ["sparsity"]

_SPARSITIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_COLUMNS = {
    "sparsity": ("total/active", "x"),
    "n_params": ("parameters", "params"),
    "effective_params": ("worth, dense", "params"),
    "latency_floor_s": ("floor", "s"),
    "balance_batch": ("batch to fill", "#"),
    "requests_per_s": ("requests/s", "1"),
    "tokens_per_s": ("tok/s", "tok/s"),
    "largest_batch": ("fit", "#"),
    "verdict": ("", ""),
}


@reads(
    answer=ANSWER,
    osl=LENGTH_TOKENS,
    requests_per_s=REQUESTS_PER_S,
    sparsities=Numbers(SPARSITY),
)
def sparsity(
    answer: Serving,
    *,
    osl: Amount = 1000,
    requests_per_s: Amount | None = None,
    sparsities: Amount = _SPARSITIES,
) -> Answer:
    """What more parameters at the same active ones bring, and the traffic they need.

    Parameters
    ----------
    answer : Serving               A model on a machine. Its active parameters, format, KV and first
                                   context stay; its total varies.
    osl : float                    Output tokens of a request. [tokens]
    requests_per_s : float or None
        Traffic, to say what it fills and what waiting would save. [1/s]
    sparsities : sequence          Totals to look at, as multiples of the active parameters.

    Returns
    -------
    Answer
        Table ``sparsities``. Values about the model itself: ``sparsity``, ``balance_batch`` (KV
        left out where no batch balances), ``requests_per_s``, ``tokens_per_s``; with traffic
        ``in_flight``, ``fill_s``, ``wait_s``, ``waiting_saves``. Chart ``sparsity``.

    Raises
    ------
    SpecError   No traffic at all, no output, or a sparsity below 1.

    Notes
    -----
    What it is worth follows the routed law of `ridgeline.laws.scaling.effective_params_routed`, a
    top-1 router with as many experts as the sparsity; outside its fit it is a guess.

    Examples
    --------
    >>> import ridgeline as rl
    >>> model = rl.Model.from_counts("37B", "296B", 0, 8)
    >>> found = sparsity(rl.serving(model, "gb200-nvl72", context=0))
    >>> round(found.values["sparsity"]), round(found.values["balance_batch"])
    (8, 2500)
    """
    active = float(answer.counts.n_params_active)
    rows = [_row(answer, s, osl) for s in np.unique(np.atleast_1d(sparsities)).tolist()]
    own = float(sparsity_of(answer.counts.n_params, active))
    row = _row(answer, own, osl)
    values = {k: row[k] for k in ("sparsity", "balance_batch", "requests_per_s", "tokens_per_s")}
    words = [_own_words(answer, row), _worth_words(row, active)]
    doubled = _row(answer, 2 * own, osl)
    words.append(_doubled_words(row, doubled, has_experts=_has_experts(answer)))
    if requests_per_s is not None:
        told, more = _traffic(answer, row, osl, requests_per_s)
        words, values = [*words, told], values | more

    def picture() -> Chart:
        from ridgeline.charts.sparsity import sparsity_chart  # noqa: PLC0415  (only when drawn)

        return sparsity_chart(rows, row, answer.name)

    return Answer(
        question="sparsity",
        title=f"Sparsity: {answer.name}",
        sentences=tuple(words),
        tables=(Table("sparsities", f"{quantity(active, 'params')} active", _COLUMNS, rows),),
        values=values,
        notes=(*answer.notes, *_notes(answer)),
        provenance=answer.result.about,
        charts={"sparsity": picture},
    )


def _scaled(counts: Counts, n_params: float) -> Counts:
    """The same model with more or fewer parameters in its largest part, the experts."""
    part = max(counts.params, key=lambda key: counts.params[key])
    held = counts.params[part] + n_params - counts.n_params
    return replace(counts, params={**counts.params, part: max(held, 0.0)})


def _row(answer: Serving, s: float, osl: float) -> dict[str, Any]:
    active = float(answer.counts.n_params_active)
    scaled = _scaled(answer.counts, s * active)
    marks = balance(scaled, answer.machine, answer.context)
    to_fill = marks.batch if math.isfinite(marks.batch) else marks.batch_without_kv
    step_s = _step_s(answer, scaled, to_fill)
    verdict = ""
    if marks.largest_batch < 1:
        verdict = "does not fit"
    elif marks.largest_batch < to_fill:
        verdict = "memory ends before"
    return {
        "sparsity": s,
        "n_params": s * active,
        "effective_params": float(effective_params_routed(active, s)),
        "latency_floor_s": marks.latency_floor_s,
        "balance_batch": to_fill,
        "requests_per_s": float(requests_per_s_in_flight(to_fill, osl, step_s)),
        "tokens_per_s": float(throughput_tokens_per_s(to_fill, step_s)),
        "largest_batch": marks.largest_batch,
        "verdict": verdict,
    }


def _step_s(answer: Serving, counts: Counts, batch: float) -> float:
    return float(decode_step(counts, answer.machine, batch, answer.context).time_s)


def _own_words(answer: Serving, row: dict[str, Any]) -> str:
    marks = balance(answer.counts, answer.machine, answer.context)
    kv = "" if math.isfinite(marks.batch) else ", KV left out (with it none balances)"
    return (
        f"{answer.name} has {factor(row['sparsity'])} its active parameters. To use the "
        f"multipliers it needs {count(row['balance_batch'])} users at once{kv}: "
        f"{count(row['tokens_per_s'])} tok/s, {quantity(row['requests_per_s'], '1')} requests/s."
    )


def _worth_words(row: dict[str, Any], active: float) -> str:
    worth = row["effective_params"]
    return (
        f"By the routed-model law {quantity(active, 'params')} active of "
        f"{quantity(row['n_params'], 'params')} are worth {quantity(worth, 'params')} dense: "
        f"{factor(row['sparsity'])} the parameters for {factor(worth / active)}."
    )


def _has_experts(answer: Serving) -> bool:
    """Whether it is routed: some of its parameters work on some tokens alone."""
    if not answer.model.blocks:
        return bool(answer.counts.n_params > answer.counts.n_params_active)
    routed = (b.ffn for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts))
    return any(ffn.n_experts_active < ffn.n_experts for ffn in routed)


def _doubled_words(row: dict[str, Any], twice: dict[str, Any], *, has_experts: bool) -> str:
    gain = twice["effective_params"] / row["effective_params"] - 1
    room = ""
    if twice["verdict"]:
        room = f"; here it {twice['verdict']}" if "fit" in twice["verdict"] else (
            f"; but only {count(twice['largest_batch'])} fit"
        )  # fmt: skip
    what = "Twice the experts are"
    if not has_experts:
        what = (
            "It has no experts; twice its parameters at the same active ones, as experts, would be"
        )
    return (
        f"{what} worth {percent(gain)} more, cost nothing per token once "
        f"{count(twice['balance_batch'])} sequences are there, and put the floor at "
        f"{quantity(twice['latency_floor_s'], 's')}{room}."
    )


def _traffic(
    answer: Serving, row: dict[str, Any], osl: float, requests_per_s: float
) -> tuple[str, dict[str, Any]]:
    """What given traffic keeps in flight, and what gathering a full batch would take and save."""

    def sustained(batch: float) -> bool:
        step_s = _step_s(answer, answer.counts, batch)
        return batch <= sequences_in_flight(requests_per_s, osl, step_s)

    full = row["balance_batch"]
    in_flight = last_true(sustained, 1e-6, 1e9)
    fill, wait = fill_time_s(full, requests_per_s), mean_wait_s(max(full, 1.0), requests_per_s)
    if math.isinf(in_flight) or requests_per_s >= row["requests_per_s"]:
        values = {"in_flight": None, "fill_s": float(fill), "wait_s": float(wait),
                  "waiting_saves": 0.0}  # fmt: skip
        n = requests_per_s / row["requests_per_s"]
        return (
            f"{quantity(requests_per_s, '1')} requests/s fill the batch by themselves, in "
            f"{quantity(float(fill), 's')}: enough for {n:.2g} such machines at their balance.",
            values,
        )
    at = max(in_flight, 1.0)
    now = _step_s(answer, answer.counts, at) / at
    saves = 1 - _step_s(answer, answer.counts, full) / full / now
    values = {
        "in_flight": float(in_flight),
        "fill_s": float(fill),
        "wait_s": float(wait),
        "waiting_saves": float(saves),
    }
    return (
        f"{quantity(requests_per_s, '1')} requests/s keep {quantity(in_flight, '1')} sequences in "
        f"flight. Gathering {count(full)} first would take {quantity(float(fill), 's')} and cost "
        f"the mean request {quantity(float(wait), 's')} of waiting, for chip-seconds "
        f"{percent(saves)} fewer per token.",
        values,
    )


def _notes(answer: Serving) -> tuple[str, ...]:
    if answer.counts.n_params_active > 1.3e9:
        return (
            "The routed-model law was fitted up to 1.3 B active: what is worth what is a guess.",
        )
    return ()
