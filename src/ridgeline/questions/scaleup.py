"""The size of a scale-up domain: weight fetch, affordable context and largest model against it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, factor, quantity, tokens
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.laws.context import kv_budget_bytes
from ridgeline.laws.roofline import weight_fetch_time_s
from ridgeline.questions.solve import last_true
from ridgeline.specs.arguments import ANSWER, NAMES, Amount, reads
from ridgeline.specs.ranges import LATENCY_S, SEQUENCES
from ridgeline.steps import chip_capacity_bytes, decode_step
from ridgeline.steps import machine as machine_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving
    from ridgeline.specs.cluster import Cluster

__all__ = ["GENERATIONS", "scaleup"]

#: one domain of each generation that people serve large models on
GENERATIONS = (
    "hgx-a100-80gb",
    "hgx-h100",
    "hgx-h200",
    "mi300x-8",
    "hgx-b200",
    "mi355x-8",
    "gb200-nvl72",
    "gb300-nvl72",
    "mi455x-helios",
    "vr200-nvl72",
    "rubin-ultra-nvl144",
)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 72, 128, 144, 256, 576)
_LONGEST_TOKENS = 1e10
#: what a narrow screen keeps
_FIRST = ("n_chips", "context", "largest_params", "weight_fetch_s", "limit", "launched",
          "memory_bytes")  # fmt: skip
_COLUMNS = {
    "machine": ("one domain of", ""),
    "launched": ("launched", ""),
    "n_chips": ("chips", "#"),
    "memory_bytes": ("memory", "B"),
    "bandwidth_bytes_per_s": ("bandwidth", "B/s"),
    "largest_params": ("largest model", "params"),
    "weight_fetch_s": ("weight fetch", "s"),
    "context": ("context", "reach"),
    "limit": ("ends by", ""),
}


@reads(
    answer=ANSWER,
    tpot_s=LATENCY_S,
    batch=SEQUENCES,
    clusters=NAMES,
)
def scaleup(
    answer: Serving,
    *,
    tpot_s: Amount = 0.020,
    batch: Amount = 1000,
    clusters: Sequence[str] = GENERATIONS,
) -> Answer:
    """What a model gains from a larger or newer scale-up domain.

    Parameters
    ----------
    answer : Serving            A model on a machine; its chip is the one that domain sizes vary of.
    tpot_s : float              Time a token may take. [s]
    batch : float               Sequences in flight. [1]
    clusters : sequence of str  Clusters of which one domain each is compared.

    Returns
    -------
    Answer
        Tables ``generations`` and ``sizes``: weight-fetch time, the longest context that the batch
        can have within the time and the memory, the largest model of the same format (weights
        alone). Values, for one domain of the answer's own cluster: ``weight_fetch_s``,
        ``context`` (None: any), ``largest_params``. Chart ``fetch``.

    Raises
    ------
    SpecError   No time, or less than one sequence.

    Notes
    -----
    The lecture's forms: all weights are read once a step, by all chips of the domain. Pipeline
    stages do not run at the same time for one token, so only the domain counts.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = scaleup(rl.serving(rl.Model.from_counts("37B", "700B", 2000, 8), "hgx-h100"))
    >>> round(found.values["weight_fetch_s"] * 1e3, 1)
    26.1
    """
    if not clusters:
        raise SpecError("Name at least one cluster to compare, such as gb200-nvl72.")
    known = [catalog.cluster(name) for name in clusters]
    generations = [_row(answer, c, c.domain_size, tpot_s, batch) for c in known]
    own = answer.machine.cluster
    sizes = [_row(answer, own, n, tpot_s, batch) for n in sorted({*_SIZES, own.domain_size})]
    here = next(r for r in sizes if r["n_chips"] == own.domain_size)
    shown = {k: c for k, c in _COLUMNS.items() if k not in ("machine", "launched")}

    def picture() -> Chart:
        from ridgeline.charts.scaleup import scaleup_chart  # noqa: PLC0415  (only when drawn)

        return scaleup_chart(generations, sizes, answer.model.name or answer.model.id,
                             own.chip.name, tpot_s)  # fmt: skip

    return Answer(
        question="scaleup",
        title=f"Scale-up domains for {answer.model.name or answer.model.id}",
        sentences=_words(answer, generations, sizes, tpot_s, batch),
        tables=(
            Table("generations", f"Batch {count(batch)}, {quantity(tpot_s, 's')} per token",
                  _COLUMNS, generations, _FIRST),
            Table("sizes", f"Domains of {own.chip.name} of any size", shown, sizes),
        ),
        values={
            "weight_fetch_s": here["weight_fetch_s"],
            "context": here["context"],
            "largest_params": here["largest_params"],
        },
        notes=answer.notes,
        provenance={**answer.result.about, "tpot_s": tpot_s, "batch": batch},
        charts={"fetch": picture},
    )  # fmt: skip


def _row(
    answer: Serving, cluster: Cluster, n_chips: int, tpot_s: float, batch: float
) -> dict[str, Any]:
    tally = answer.counts
    capacity = n_chips * chip_capacity_bytes(cluster.chip)
    bandwidth = n_chips * cluster.chip.memory.bandwidth
    weights = float(tally.weight_bytes)
    budget = float(kv_budget_bytes(tpot_s, weights, batch, bandwidth))
    left = max(capacity - weights, 0.0) / batch
    by_time = _context(lambda tokens: tally.cache_read_bytes(tokens) <= budget)
    by_memory = _context(lambda tokens: tally.cache_bytes(tokens) <= left)
    context = min(by_time, by_memory)
    limit = "latency" if by_time <= by_memory else "memory"
    if weights > capacity:
        context, limit = 0.0, "weights do not fit"
    elif _compute_s(answer, cluster, n_chips, batch) > tpot_s:
        context, limit = 0.0, "computing takes longer"
    elif by_time == 0:
        limit = "weights take longer"
    return {
        "id": cluster.id,
        "machine": cluster.name,
        "chip": cluster.chip.name,
        "launched": cluster.chip.launched,
        "n_chips": n_chips,
        "memory_bytes": capacity,
        "bandwidth_bytes_per_s": bandwidth,
        "largest_params": capacity * float(tally.n_params) / weights,
        "weight_fetch_s": float(weight_fetch_time_s(weights, bandwidth)),
        "context": float(math.floor(context)) if context < math.inf else None,
        "limit": limit if context < math.inf else "",
    }


def _compute_s(answer: Serving, cluster: Cluster, n_chips: int, batch: float) -> float:
    try:
        bound = machine_of(cluster, n_chips, answer.counts)
    except InfeasibleError:
        # The peak of a format is not published: reading alone has to decide.
        return 0.0
    return float(decode_step(answer.counts, bound, batch, 0.0).compute_s)


def _context(holds: Any) -> float:
    return last_true(lambda tokens: bool(holds(tokens)), 1.0, _LONGEST_TOKENS)


def _words(
    answer: Serving,
    generations: list[dict[str, Any]],
    sizes: list[dict[str, Any]],
    tpot_s: float,
    batch: float,
) -> tuple[str, ...]:
    name = answer.model.name or answer.model.id
    slow = max(generations, key=lambda r: r["weight_fetch_s"])
    fast = min(generations, key=lambda r: r["weight_fetch_s"])
    ratio = slow["weight_fetch_s"] / fast["weight_fetch_s"]
    wider = fast["n_chips"] / slow["n_chips"]
    rest = ratio / wider
    longest = max(generations, key=lambda r: math.inf if r["context"] is None else r["context"])
    said = (
        f"{name} reads its weights once in {quantity(slow['weight_fetch_s'], 's')} on one "
        f"{slow['machine']} and in {quantity(fast['weight_fetch_s'], 's')} on one "
        f"{fast['machine']}: {factor(ratio)}, of which {factor(wider)} is the size of the domain "
        f"and {factor(rest)} the chip."
    )
    reach = "any context" if longest["context"] is None else f"{tokens(longest['context'])} tokens"
    if not longest["context"] and longest["context"] is not None:
        return (said, _nothing(slow, generations, tpot_s, batch))
    return (
        said,
        f"With {count(batch)} sequences and {quantity(tpot_s, 's')} per token the longest context "
        f"is {reach}, on one {longest['machine']}.",
        _smallest(sizes, answer.machine.cluster.chip.name, tpot_s, batch),
    )


def _smallest(sizes: list[dict[str, Any]], chip: str, tpot_s: float, batch: float) -> str:
    works = [r for r in sizes if r["context"] is None or r["context"] > 0]
    if not works:
        return f"No domain of {chip} looked at does it, up to {sizes[-1]['n_chips']} chips."
    first = works[0]
    context = "any" if first["context"] is None else tokens(first["context"])
    return (
        f"Of {chip} at least {first['n_chips']} chips in one domain are needed for "
        f"{quantity(tpot_s, 's')} at {count(batch)} sequences, with {context} tokens of context."
    )


def _nothing(
    slow: dict[str, Any], generations: list[dict[str, Any]], tpot_s: float, batch: float
) -> str:
    best = min(generations, key=lambda r: r["weight_fetch_s"])
    return (
        f"No domain here serves {count(batch)} sequences in {quantity(tpot_s, 's')} per token. "
        f"Closest is one {best['machine']}, where the weights alone take "
        f"{quantity(best['weight_fetch_s'], 's')}: {best['limit']}."
    )
