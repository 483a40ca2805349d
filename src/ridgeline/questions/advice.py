"""Advice: what to change about an answer, in words, each with the number it would bring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers.words import count, percent, quantity, usd
from ridgeline.errors import InfeasibleError
from ridgeline.laws.experts import experts_per_chip
from ridgeline.laws.rack import chips_used
from ridgeline.questions.variants import Point, fits, point, reading_with
from ridgeline.specs.blocks import MixtureOfExperts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.questions.serving import Serving
    from ridgeline.specs.model import Model

__all__ = ["Advice", "advice"]

#: below this nobody would act
_WORTH = 0.03
#: a part of the step that is worth a word
_LARGE_PART = 0.2
#: formats to store weights in, and what a chip must multiply for them
_WEIGHT_FORMATS = (("fp8", "fp8"), ("nvfp4", "fp4"))


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to change.

    Attributes
    ----------
    subject : str    ``batch``, ``kv_dtype``, ``weight_dtype``, ``network``, ``overhead``,
                     ``capacity``, ``price``, ``experts``.
    text : str       A sentence with its number.
    worth : float    Share of the cost (or of the step, of what is no saving) it is about. [1]
    """

    subject: str
    text: str
    worth: float


def advice(answer: Serving) -> list[Advice]:
    """What would make an answer cheaper or faster, most telling first.

    Parameters
    ----------
    answer : Serving   A model on a machine, in any reading; its first context counts.

    Returns
    -------
    list of Advice
        Empty where nothing is worth 3%. Savings are of a token's cost with as many sequences as
        fit before and after.

    Notes
    -----
    What a smaller format does to quality is not looked at.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = advice(rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="blackboard"))
    >>> found[0].subject
    'price'
    """
    if fits(answer.replica, answer.context) < 1:
        return []
    now = point(answer, answer.replica, 1.0)
    if not math.isfinite(now.time_full_s):
        return []
    found = [
        *_batch(answer, now),
        *_formats(answer, now),
        *_parts(answer, now),
        *_capacity(answer, now),
        *_price(answer),
        *_experts(answer),
    ]
    return sorted((a for a in found if a.worth >= _WORTH), key=lambda a: -a.worth)


def _cost(answer: Serving, value: float) -> str:
    """Dollars, or chip-hours where there is no price."""
    unit = "" if answer.price else " chip-hours"
    return (usd(value) if answer.price else f"{value:.3g}") + unit


def _batch(answer: Serving, now: Point) -> Iterator[Advice]:
    """What a batch of a quarter of what fits gives away, and gains."""
    small = max(1.0, math.floor(now.full_batch / 4))
    if now.full_batch < 4:
        return
    quarter = point(answer, answer.replica, small)
    dearer = quarter.usd_per_mtok / now.usd_per_mtok_full - 1
    faster = now.time_full_s / quarter.time_s
    yield Advice(
        "batch",
        f"Fill the batch: with {count(now.full_batch)} sequences instead of {count(small)} a token "
        f"is {percent(1 - 1 / (1 + dearer))} cheaper "
        f"({_cost(answer, now.usd_per_mtok_full)} per million), and each user's "
        f"{faster:.2g} times slower.",
        1 - 1 / (1 + dearer),
    )


def _formats(answer: Serving, now: Point) -> Iterator[Advice]:
    model, chip = answer.model, answer.machine.cluster.chip
    if model.counts is not None:
        return
    if catalog.dtype(model.kv_dtype).bits > 8:
        yield from _changed(
            answer, now, model.with_kv_dtype("fp8"), "kv_dtype", "caches in fp8 (--kv fp8)"
        )
    bits = 8 * float(answer.counts.weight_bytes) / float(answer.counts.n_params)
    for name, arithmetic in _WEIGHT_FORMATS:
        stored = catalog.dtype(name)
        if arithmetic not in chip.peak or stored.bits >= 0.9 * bits:
            continue
        smaller = catalog.stored_as(model, name)
        words = f"weights in {name} (--weights {name})"
        yield from _changed(answer, now, smaller, "weight_dtype", words)


def _changed(
    answer: Serving, now: Point, model: Model, subject: str, what: str
) -> Iterator[Advice]:
    """A saving by another model record, if the machine takes it."""
    try:
        asked = reading_with(answer, model=model)
    except InfeasibleError:
        return
    then = point(answer, asked, 1.0)
    saves = 1 - then.usd_per_mtok_full / now.usd_per_mtok_full
    alone = ""
    if then.time_s < (1 - _WORTH) * now.time_s:
        times = quantity(then.time_s, "s"), quantity(now.time_s, "s")
        alone = ", and a single sequence's step {} instead of {}".format(*times)
    yield Advice(
        subject,
        f"Store {what}: {count(then.full_batch)} sequences fit instead of "
        f"{count(now.full_batch)}, a token is {percent(saves)} cheaper{alone}.",
        saves,
    )


_PART_WORDS = {
    "network": (
        "network",
        "Exchanges between chips take {share} of a step at {batch} sequences: keep a layer's "
        "chips within one scale-up domain, with fewer tensor-parallel ones.",
    ),
    "overhead": (
        "overhead",
        "Launches, small passes and the host take {share} of a step at {batch} sequences: larger "
        "batches, drafts or fewer chips per replica share them out.",
    ),
}


def _parts(answer: Serving, now: Point) -> Iterator[Advice]:
    """Parts of the step that neither compute nor memory explains."""
    step = answer.step(now.full_batch)
    for part, (subject, words) in _PART_WORDS.items():
        share = float(step.parts_s[part]) / float(step.time_s)
        if share >= _LARGE_PART:
            said = words.format(share=percent(share), batch=count(now.full_batch))
            yield Advice(subject, said, share)


def _capacity(answer: Serving, now: Point) -> Iterator[Advice]:
    """Whether memory ends before compute is used, and what more of it would save."""
    chip = answer.machine.cluster.chip
    memory = chip.memory
    more = memory.model_copy(
        update={
            "capacity": 2 * memory.capacity,
            "usable": None if memory.usable is None else 2 * memory.usable,
        }
    )
    cluster = answer.machine.cluster.model_copy(
        update={"chip": chip.model_copy(update={"memory": more})}
    )
    then = point(answer, reading_with(answer, cluster=cluster), 1.0)
    saves = 1 - then.usd_per_mtok_full / now.usd_per_mtok_full
    yield Advice(
        "capacity",
        f"Memory ends the batch at {count(now.full_batch)}: on chips with twice the capacity at "
        f"the same rent {count(then.full_batch)} would fit and a token be {percent(saves)} "
        "cheaper.",
        saves,
    )


def _price(answer: Serving) -> Iterator[Advice]:
    """The cheapest dated way to have the same chips."""
    cluster, price = answer.machine.cluster, answer.price
    if price is None or not cluster.prices or price.basis == "user":
        return
    rents = [p for p in cluster.prices if p.basis in _RENTS]
    newest: dict[str, Any] = {}
    for p in sorted(rents, key=lambda p: p.date):
        newest[p.basis] = p
    if not newest:
        return
    best = min(newest.values(), key=lambda p: p.usd_per_chip_hour)
    saves = 1 - best.usd_per_chip_hour / price.usd_per_chip_hour
    yield Advice(
        "price",
        f"Rent otherwise: {best.basis} is ${best.usd_per_chip_hour:,.2f} per chip-hour "
        f"({best.date}) against ${price.usd_per_chip_hour:,.2f} {price.basis}, "
        f"{percent(saves)} less (--basis {best.basis}).",
        saves,
    )


_RENTS = ("on-demand", "spot", "contract", "rental-3yr")


def _experts(answer: Serving) -> Iterator[Advice]:
    """Chips without experts, where whole experts do not come out even."""
    layout = answer.layout
    sizes = [b.ffn.n_experts for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    if layout is None or layout.ep == 1 or not sizes:
        return
    n_experts = max(sizes)
    idle = layout.ep - int(chips_used(n_experts, layout.ep))
    each = int(experts_per_chip(n_experts, layout.ep))
    yield Advice(
        "experts",
        f"{n_experts} experts over {layout.ep} chips leave {idle} of them without any "
        f"({percent(idle / layout.ep)}), the others with {each}: {layout.ep - idle} chips do the "
        "same, or spare experts could be copied there.",
        idle / layout.ep,
    )
