"""A fleet in words: its size, what requests see, what it costs, and what smaller ones miss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.answers.words import (
    listed,
    percent,
    percents_apart,
    quantity,
    seconds,
    times,
    tokens,
    usd,
)  # fmt: skip
from ridgeline.questions.drafts import draft_words
from ridgeline.questions.layouts.words import layout_name
from ridgeline.questions.prices import price_words
from ridgeline.questions.serving.words import engine_words

if TYPE_CHECKING:
    from ridgeline.questions.layouts.fleet import Fleet
    from ridgeline.questions.layouts.fleet_option import FleetOption
    from ridgeline.service.fleet import Miss

__all__ = ["METRICS", "missed", "sentences"]

#: from here on whole numbers have three digits
_THREE_DIGITS = 99.95
METRICS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}


def sentences(fleet: Fleet) -> list[str]:
    """The answer in a few sentences, each with its numbers."""
    if fleet.chosen is None:
        return [_question(fleet) + _none_holds(fleet), _closest(fleet)]
    lines = [
        _question(fleet) + _chosen(fleet),
        _ttft(fleet),
        _rest(fleet),
        _load(fleet),
        _money(fleet),
        *engine_words(fleet.search.base),
        *draft_words(fleet.search.base.model, fleet.search.workload),
    ]
    lines += [_smaller(option, fleet.rate_per_s) for option in fleet.smaller]
    if not fleet.smaller and fleet.n_chips > 1 and not fleet.search.is_fixed:
        lines.append(
            "Replicas of fewer chips (powers of two, whole nodes) have no room for the model."
        )
    return [s for s in lines if s]


def _question(fleet: Fleet) -> str:
    search = fleet.search
    base, requests = search.base, search.requests
    return (
        f"{base.model.name or base.model.id} on {base.cluster.chip.name} at "
        f"{_rate(fleet.rate_per_s)} requests/s "
        f"({quantity(fleet.rate_per_s * requests.osl, 'tok/s')} output tok/s; "
        f"{tokens(requests.isl)} tokens in, {tokens(requests.osl)} out): "
    )


def _terms(fleet: Fleet) -> str:
    workload = fleet.search.workload
    limits = str(workload.limits) if any(workload.limits.items()) else ""
    free = f"{percent(workload.headroom)} of capacity free" if workload.headroom else ""
    return " with ".join(x for x in (limits, free) if x) or "the rate"


def _chosen(fleet: Fleet) -> str:
    used = fleet.best
    return (
        f"{_chips(used)}{_layout(used, ', ')}{_domains(fleet, used)}, is the smallest fleet "
        f"that holds {_terms(fleet)}."
    )


def _chips(option: FleetOption) -> str:
    return f"{option.n_chips:,} chip{'' if option.n_chips == 1 else 's'}"


def _layout(option: FleetOption, before: str, after: str = "") -> str:
    """The layout, unless it is one chip."""
    return "" if option.n_chips == 1 else f"{before}{layout_name(option.layout)}{after}"


def _domains(fleet: Fleet, option: FleetOption) -> str:
    """Nodes, where chips have a scale-up domain with others."""
    size = fleet.search.base.cluster.domain_size
    if size == 1:
        return ""
    noun = "node" if size <= 16 else "rack"
    return f" (on {option.n_domains:,} {noun}{'' if option.n_domains == 1 else 's'} of {size})"


def _ttft(fleet: Fleet) -> str:
    used = fleet.best
    found = used.performance
    return (
        f"TTFT is {_with_interval(fleet, 'ttft')}: {seconds(used.step_wait_s)} of it is waiting "
        f"until the engine has taken it in, and {seconds(found.wait_s)} is queueing; its p99 is "
        f"{seconds(float(found.statistic('ttft', 'p99')))}."
    )


def _rest(fleet: Fleet) -> str:
    found = fleet.best.performance
    each = [
        f"{METRICS[m]} is {_with_interval(fleet, m)}, p99 "
        f"{seconds(float(found.statistic(m, 'p99')))}"
        for m in ("tpot", "e2e")
    ]
    return f"{'; '.join(each)}."


def _with_interval(fleet: Fleet, metric: str) -> str:
    """The mean, with its 80% interval where the reading has one."""
    mean = getattr(fleet.best.performance, f"{metric}_s")
    if not fleet.search.base.how.calibrated:
        return f"at least {seconds(mean)}"
    low, high = fleet.intervals[f"{metric}_s"]
    return f"{seconds(mean)} (80% interval {seconds(low)} to {seconds(high)})"


def _load(fleet: Fleet) -> str:
    used = fleet.best
    replicas = used.layout.replicas
    each = " per replica" if replicas > 1 else ""
    live = quantity(used.n_live / replicas, "1")
    return (
        f"Utilization is {percent(used.load)}, with {live} live "
        f"sequence{'' if live == '1' else 's'}{each} on average; "
        f"limits and headroom hold up to {_measured(used.most_per_s)} requests/s."
    )


def _money(fleet: Fleet) -> str:
    used = fleet.best
    lines = []
    if used.prices is not None and used.usd_per_hour is not None:
        lines.append(
            f"It costs {usd(used.usd_per_hour)} per hour, at {price_words(fleet.search.price)}: "
            f"{usd(used.prices.usd_per_mtok_output)} per million output tokens and "
            f"{usd(used.prices.usd_per_mtok_input)} per million input tokens"
        )
    if used.power_w is not None:
        lines.append(f"{'its' if lines else 'Its'} chips draw {quantity(used.power_w, 'W')} (TDP)")
    return f"{'; '.join(lines)}." if lines else ""


def _smaller(option: FleetOption, rate: float) -> str:
    lower = ""
    if option.rate_per_s < rate * (1 - 1e-9):
        lower = f"at {_rate(option.rate_per_s)} requests/s, "
    return f"{_misses(option)}: {lower}{missed(option) or 'nothing'}."


def _misses(option: FleetOption) -> str:
    verb = "misses" if option.n_chips == 1 else "miss"
    return f"{_chips(option)}{_layout(option, ' (', ')')} {verb}"


def missed(option: FleetOption) -> str:
    """What a fleet misses and by how much, worst first.

    Where a queue grows without end, only that and what is missed besides.
    """
    if option.is_saturated:
        most = _measured(option.performance.capacity_per_s)
        over = f"at most {most} requests/s are finished, so that the queue grows without end"
        others = [_miss(m) for m in option.misses if m.metric == "tpot"]
        return listed([over, *others])
    return listed([_miss(m) for m in option.misses])


def _miss(miss: Miss) -> str:
    ratio = miss.value / miss.limit
    over = f"({percent(miss.excess)} over)" if miss.excess < 1 else f"({times(ratio)} that)"
    if miss.metric == "utilization":
        value, limit = percents_apart(miss.value, miss.limit)
        return f"utilization {value} of at most {limit}"
    value = seconds(miss.value) if math.isfinite(miss.value) else "without end"
    which = "" if miss.statistic == "mean" else f"{miss.statistic} "
    return f"{METRICS[miss.metric]} {which}{value} of at most {seconds(miss.limit)} {over}"


def _none_holds(fleet: Fleet) -> str:
    search = fleet.search
    if search.can_hold:
        needed = search.chips_without_cap(fleet.rate_per_s)
        return (
            f"{needed:,.0f} chips would hold {_terms(fleet)}, more than the {search.most_chips:,} "
            "that are looked at."
        )
    return f"no number of chips holds {_terms(fleet)}."


def _closest(fleet: Fleet) -> str:
    option = fleet.too_small
    assert option is not None
    if fleet.search.can_hold:
        return f"{_misses(option)}: {missed(option)}."
    one = option.layout.model_copy(update={"replicas": 1})
    return (
        f"Closest is {layout_name(one)} per replica, which even with {_chips(option)} in all "
        f"misses: {missed(option)}."
    )


def _measured(value: float) -> str:
    """Requests per second that were computed: all of three digits."""
    return f"{value:,.0f}" if value >= _THREE_DIGITS else f"{value:#.3g}"


def _rate(value: float) -> str:
    """Requests per second that were asked for: at most three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
