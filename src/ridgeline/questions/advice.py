"""Advice: what to change about an answer, in words, each with what asking again then gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers.words import count, percent, quantity, seconds, usd
from ridgeline.errors import InfeasibleError
from ridgeline.laws.experts import experts_per_chip
from ridgeline.laws.rack import chips_used
from ridgeline.questions.prices import price_terms
from ridgeline.questions.serving.question import serve
from ridgeline.questions.setup import machine_of
from ridgeline.specs.arguments import ANSWER, reads
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.chip import Chip
from ridgeline.steps import chip_capacity_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.questions.serving import Serving
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.scenario import Scenario

__all__ = ["Advice", "advice"]

Row = dict[str, Any]

#: below this nobody would act
_WORTH = 0.03
#: a part of the step that is worth a word
_LARGE_PART = 0.2
#: share of the memory that an engine may be given where nothing fits in its usual one
_MOST_MEMORY_SHARE = 0.97
#: sequences that an engine may be told to make room for where it has none for its usual number
_FEW_SEQUENCES = 32
#: how machines are rented: another of these is another contract
_RENTS = ("on-demand", "spot", "contract", "rental-3yr")
_DAYS_OF_A_YEAR = 366


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to change.

    Attributes
    ----------
    subject : str    ``batch``, ``kv_dtype``, ``weight_dtype``, ``network``, ``overhead``,
                     ``capacity``, ``experts``, ``price``.
    text : str       A sentence with its number.
    worth : float    Share of the cost per token (or request) that it saves; all of it where nothing
                     fitted; where limits are at stake, of the latency that misses its own by the
                     most; of cost times TPOT for a batch; of the step for a part of it. [1]
    saves : bool     Whether it makes a token cheaper, or keeps limits that were missed.
    scenario : Scenario or None   The question with the change, whose answer has that number; None
                     where the advice is to look at something.
    """

    subject: str
    text: str
    worth: float
    saves: bool = True
    scenario: Scenario | None = None


@reads(answer=ANSWER)
def advice(answer: Serving) -> list[Advice]:
    """What would make an answer cheaper or faster: savings first, another contract last.

    Parameters
    ----------
    answer : Serving   A model on a machine, in any reading; its first context counts.

    Returns
    -------
    list of Advice
        Empty where nothing is worth 3%. Gains are from the point that a user would run
        (`Serving.chosen`) to the same point of the answer to the changed question, within the same
        limits. Where nothing fits, what would make it fit.

    Notes
    -----
    What a smaller format does to quality is not looked at.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = advice(rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="blackboard"))
    >>> found[0].subject
    'kv_dtype'
    """
    if not _runs(answer):
        return list(_room(answer))
    found = [
        *_batch(answer),
        *_formats(answer),
        *_parts(answer),
        *_capacity(answer),
        *_experts(answer),
    ]
    found.sort(key=lambda a: (not a.saves, -a.worth))
    return [a for a in (*found, *_price(answer)) if a.worth >= _WORTH]


# --- asking again


def _again(answer: Serving, **changes: Any) -> Serving | None:
    """The answer to the question with some options changed; None where there is none."""
    try:
        changed = answer.scenario.with_options(**changes)
        again = serve(changed, answer.given_layout, interval=False)
    except InfeasibleError:
        return None
    return again if _runs(again) else None


def _runs(answer: Serving) -> bool:
    """Whether anything fits, and its steps end."""
    row = answer.chosen
    return not row["infeasible"] and row["time_s"] is not None and math.isfinite(row["time_s"])


def _chip_time(answer: Serving, row: Row) -> float:
    """What a token, or a request, costs: dollars, or chip time where there is no price."""
    price = answer.price.usd_per_chip_hour if answer.price else 1.0
    return price / row["tokens_per_s_per_chip"]


def _saved(answer: Serving, then: Serving) -> float:
    """Share of the cost of a token that is saved between the two points a user would run. [1]"""
    return 1 - _chip_time(then, then.chosen) / _chip_time(answer, answer.chosen)


def _gain(answer: Serving, then: Serving) -> tuple[float, str]:
    """What a change is worth, and how it reads."""
    now_row, row = answer.chosen, then.chosen
    batches = count(now_row["batch"]), count(row["batch"])
    chips = f"{answer.machine.n_chips:,}", f"{then.machine.n_chips:,}"
    at = f", at a batch of {batches[1]} instead of {batches[0]}" if batches[0] != batches[1] else ""
    noun = "chip" if chips[1] == "1" else "chips"
    at += f", on {chips[1]} {noun} instead of {chips[0]}" if chips[0] != chips[1] else ""
    if not now_row["within_limits"]:
        kept = f"which keeps {answer.limits}" if row["within_limits"] else "still beyond the limits"
        worth, times = _sooner(answer, now_row, row)
        return worth, f"{times}, {kept}"
    if not row["within_limits"]:
        return 0.0, ""
    saved = _saved(answer, then)
    what = "a request" if answer.has_requests else "an output token"
    money = ""
    if then.price is not None and not answer.has_requests:
        money = f" ({usd(row['usd_per_mtok_output'])} per million)"
    return saved, f"{what} is {percent(saved)} cheaper{money}{at}"


def _sooner(answer: Serving, now: Row, then: Row) -> tuple[float, str]:
    """By what share the latency falls that misses its limit by the most, and both in words."""
    times = {"TPOT": ("tpot_s", math.inf)}
    for name, limit in answer.limits.items():
        key = f"{name}_{limit.statistic}_s"
        if key in now:
            times[f"{name.upper()} {limit.statistic}"] = key, limit.seconds
        else:
            times[name.upper()] = f"{name}_s", limit.seconds
    usable = {k: t for k, t in times.items() if math.isfinite(now[t[0]] * then[t[0]])}
    said, (key, _) = max(usable.items(), key=lambda t: now[t[1][0]] / t[1][1])
    return 1 - then[key] / now[key], f"{said} {seconds(then[key])} instead of {seconds(now[key])}"


def _changed(answer: Serving, subject: str, what: str, **changes: Any) -> Iterator[Advice]:
    """Advice to change options, if the machine takes it and something is gained."""
    then = _again(answer, **changes)
    if then is not None:
        worth, gained = _gain(answer, then)
        if worth > 0:
            yield Advice(subject, f"{what}: {gained}.", worth, scenario=then.scenario)


# --- what to change


def _batch(answer: Serving) -> Iterator[Advice]:
    """The knee, where a batch far from it was asked for or is the edge of the limits."""
    load = answer.scenario.workload
    if load.arrival != "closed":
        return
    given = load.batch is not None or load.concurrency is not None
    curve = _again(answer, batch=None, concurrency=None, **_same_chips(answer)) if given else answer
    if curve is None:
        return
    now, best = answer.chosen, curve.knee
    if best["batch"] == now["batch"] or not best["within_limits"]:
        return
    scenario = answer.scenario.with_options(
        batch=best["batch"], concurrency=None, **_same_chips(answer)
    )
    what = f"A batch of {count(best['batch'])} instead of {count(now['batch'])}"
    cost = _chip_time(curve, best) / _chip_time(answer, now) - 1
    time = best["tpot_s"] / now["tpot_s"] - 1
    tpot = f"TPOT {seconds(best['tpot_s'])} instead of {seconds(now['tpot_s'])}"
    if not now["within_limits"]:
        worth, times = _sooner(answer, now, best)
        yield Advice("batch", f"{what} keeps {answer.limits}: {times}.", worth, scenario=scenario)
        return
    of = "a request" if answer.has_requests else "an output token"
    yield Advice(
        "batch",
        f"{what}: {of} {percent(abs(cost))} {'dearer' if cost > 0 else 'cheaper'}, {tpot}; with "
        "more in flight TPOT grows by a larger share than cost falls.",
        1 - (1 + cost) * (1 + time),
        saves=cost < 0,
        scenario=scenario,
    )


def _same_chips(answer: Serving) -> dict[str, Any]:
    """The number of chips where a question leaves it open, so that only the batch changes."""
    free = answer.scenario.layout.layout is None and answer.given_layout is None
    return {"chips": answer.machine.n_chips} if free else {}


def _formats(answer: Serving) -> Iterator[Advice]:
    if answer.model.counts is not None:
        return
    for subject, what, changes in _narrower(answer):
        yield from _changed(answer, subject, what, **changes)


def _narrower(answer: Serving) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Formats that the engine has and the chip multiplies, with less bits than now."""
    engine, chip = answer.replica.engine, answer.machine.cluster.chip
    for name in engine.narrow_caches:
        if catalog.dtype(name).bits < catalog.dtype(answer.model.kv_dtype).bits / 1.5:
            yield "kv_dtype", f"Store caches in {name} (--kv {name})", {"kv": name}
    bits = 8 * float(answer.counts.weight_bytes) / float(answer.counts.n_params)
    for name in engine.narrow_weights:
        dtype = catalog.dtype(name)
        native = dtype.compute[0] in chip.peak or dtype.compute[0] == "bf16"
        if native and dtype.bits < 0.9 * bits:
            yield "weight_dtype", f"Store weights in {name} (--weights {name})", {"weights": name}


def _room(answer: Serving) -> Iterator[Advice]:
    """What makes a model fit that does not: another batch, format, share of memory, more chips."""
    if answer.model.counts is not None:
        return
    engine, most = answer.replica.engine, math.floor(min(answer.balance.largest_batch, 1e9))
    tries: list[tuple[str, str, dict[str, Any]]] = []
    if most >= 1:
        what = f"A batch of {count(most)}, the most that fits"
        tries.append(("batch", what, {"batch": most, "concurrency": None, **_same_chips(answer)}))
    elif engine.memory_share < _MOST_MEMORY_SHARE:
        share = f"{_MOST_MEMORY_SHARE:g}"
        what = f"Give the engine {percent(_MOST_MEMORY_SHARE)} of the memory"
        tries.append(("capacity", f"{what} (--memory-utilization {share})",
                      {"memory_utilization": _MOST_MEMORY_SHARE}))  # fmt: skip
    if most < 1 and engine.start is not None and engine.max_sequences > _FEW_SEQUENCES:
        what = f"Have the engine make room for {_FEW_SEQUENCES} sequences"
        tries.append(("capacity", f"{what} (--max-sequences {_FEW_SEQUENCES})",
                      {"max_sequences": _FEW_SEQUENCES}))  # fmt: skip
    tries += _narrower(answer)
    if _same_chips(answer):
        twice = 2 * answer.machine.n_chips
        tries.append(("capacity", f"Use {twice:,} chips (--chips {twice})", {"chips": twice}))
    for subject, what, changes in tries:
        if (then := _again(answer, **changes)) is not None:
            row = then.chosen
            fit = math.floor(then.balance.largest_batch)
            room = (
                ""
                if subject == "batch"
                else f"{fit:,} sequence{' fits' if fit == 1 else 's fit'}, "
            )
            at = f"TPOT {seconds(row['tpot_s'])} at a batch of {count(row['batch'])}"
            yield Advice(subject, f"{what}: {room}{at}.", 1.0, scenario=then.scenario)


_PART_WORDS = {
    "network_s": (
        "network",
        "Collectives between chips take {share} of a step at a batch of {batch}: `layouts` looks "
        "for degrees that send less.",
    ),
    "overhead_s": (
        "overhead",
        "Launches, small passes and the host take {share} of a step at a batch of {batch}{more}.",
    ),
}


def _parts(answer: Serving) -> Iterator[Advice]:
    """Parts of the step that neither compute nor memory explains."""
    row, drafts = answer.chosen, ["drafts"] * (not answer.scenario.workload.drafts)
    several = answer.replica.layout.replicas < answer.machine.n_chips
    ways = ", or ".join(["fewer chips per replica"] * several + drafts)
    more = f": {ways}{',' * (', ' in ways)} spread them over more tokens" if ways else ""
    for part, (subject, words) in _PART_WORDS.items():
        share = row[part] / row["time_s"]
        if share >= _LARGE_PART:
            shown = {"share": percent(share), "batch": count(row["batch"]), "more": more}
            yield Advice(subject, words.format(**shown), share, saves=False)


def _capacity(answer: Serving) -> Iterator[Advice]:
    """Whether memory ends the batch before the limits do, and what more of it would save."""
    if answer.chosen["batch"] <= answer.balance.largest_batch - 1:
        return
    named = machine_of(answer.scenario.machines[0])
    more = _with_memory(named.cluster.chip if named.is_chip else named.cluster, 2.0)
    own = answer.scenario
    chips = own.layout.chips if own.layout.chips is not None else named.n_chips
    scenario = own.model_copy(update={"machine": (more,)}).with_options(chips=chips)
    try:
        then = serve(scenario, answer.given_layout, interval=False)
    except InfeasibleError:
        return
    worth, gained = _gain(answer, then) if _runs(then) else (0.0, "")
    if worth <= 0:
        return
    size = quantity(_memory_of(more), "B")
    yield Advice(
        "capacity",
        f"Memory ends the batch: with twice of it per chip ({size}) at the same price {gained}.",
        worth,
        scenario=scenario,
    )


def _with_memory(machine: Chip | Cluster, times: float) -> Any:
    """A machine whose chips have so many times the memory."""
    chip = machine if isinstance(machine, Chip) else machine.chip
    memory = chip.memory
    usable = None if memory.usable is None else times * memory.usable
    more = memory.model_copy(update={"capacity": times * memory.capacity, "usable": usable})
    chip = chip.model_copy(update={"memory": more})
    return chip if isinstance(machine, Chip) else machine.model_copy(update={"chip": chip})


def _memory_of(machine: Chip | Cluster) -> float:
    chip = machine if isinstance(machine, Chip) else machine.chip
    return chip_capacity_bytes(chip)


def _experts(answer: Serving) -> Iterator[Advice]:
    """Chips without experts, where whole experts do not come out even."""
    layout = answer.layout
    sizes = [b.ffn.n_experts for b in answer.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    if layout is None or layout.ep == 1 or not sizes:
        return
    n_experts = max(sizes)
    used = int(chips_used(n_experts, layout.ep))
    idle = layout.ep - used
    each = int(experts_per_chip(n_experts, layout.ep))
    if not idle or layout.ep != answer.replica.n_chips or not _same_chips(answer):
        return
    if answer.replica.expert_rules.balances(layout):  # copies of hot experts are on them
        return
    what = (
        f"{n_experts} experts over {layout.ep} chips leave {idle} of them without any "
        f"({percent(idle / layout.ep)}), the others with {each}. On {used} (--chips {used})"
    )
    yield from _changed(answer, "experts", what, chips=used)


# --- another contract


def _price(answer: Serving) -> Iterator[Advice]:
    """The cheapest way to rent the same chips, by a price of the same time."""
    cluster, price = answer.machine.cluster, answer.price
    if price is None or price.basis not in _RENTS:
        return
    each = []
    for basis in _RENTS:
        if basis == price.basis or not any(p.basis == basis for p in cluster.prices):
            continue
        then = _again(answer, basis=basis)
        if then is not None and then.price is not None and _near(then.price.date, price.date):
            each.append((then.price.usd_per_chip_hour, then, then.price))
    if not each:
        return
    _, best, other = min(each, key=lambda one: one[0])
    saves = 1 - other.usd_per_chip_hour / price.usd_per_chip_hour
    yield Advice(
        "price",
        f"Under another contract ({price_terms(other)}) the price per chip-hour is "
        f"${other.usd_per_chip_hour:,.2f} instead of ${price.usd_per_chip_hour:,.2f} "
        f"{price.basis}, {percent(saves)} less (--basis {other.basis}): other terms, not a lower "
        "price for the same.",
        saves,
        scenario=best.scenario,
    )


def _near(one: str, other: str) -> bool:
    """Whether two dates to the day, month or year lie within a year of each other."""
    days = [_day(text) for text in (one, other)]
    return None not in days and abs((days[0] - days[1]).days) <= _DAYS_OF_A_YEAR  # type: ignore[operator, union-attr]


def _day(text: str) -> date | None:
    parts = [int(x) for x in text.split("-")] if text else []
    return date(*[*parts, 1, 1][:3]) if parts else None
