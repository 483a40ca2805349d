"""Which layout, at which batch, serves a model best on given chips?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.layouts.answer import Layouts
from ridgeline.questions.layouts.grid import Candidates, evaluate_layouts
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.questions.layouts.load import Limits, lengths
from ridgeline.questions.layouts.ranking import Search, rank_of
from ridgeline.questions.layouts.words import listed, seconds
from ridgeline.questions.serving.inputs import (
    axis_values,
    check_native,
    cluster_of,
    drafts_of,
    engine_of,
    expert_load_cv_of,
    model_of,
    price_of,
)
from ridgeline.replica import Formats, Replica
from ridgeline.replica.readings import reading_named
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.steps import chip_capacity_bytes, counts
from ridgeline.steps.machine import sizes
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price

__all__ = ["layouts"]

#: looking for the fewest chips ends at so many domains
_MOST_DOMAINS = 8
_MOST_CHIPS = 16_384


def layouts(
    model: Model | str,
    on: Cluster | Chip | str | Sequence[Cluster | Chip | str],
    *,
    isl: float | None = None,
    osl: float | None = None,
    prefix_hit: float = 0.0,
    context: float | None = None,
    ttft_s: float | None = None,
    tpot_s: float | None = None,
    e2e_s: float | None = None,
    rank: str | None = None,
    chips: int | str | Sequence[int | str | None] | None = None,
    batch: Any = None,
    weight_dtype: str | None = None,
    kv_dtype: str | None = None,
    compute: Any = None,
    price: float | str | None = None,
    basis: str | None = None,
    activation_dtype: str = "bf16",
    drafts: float = 0,
    acceptance: float | None = None,
    expert_popularity_cv: float = EXPERT_POPULARITY_CV,
    engine: str = "current",
    engine_version: str = "",
    memory_utilization: float | None = None,
    reading: str = "calibrated",
) -> Layouts:
    """Search all layouts and batches that fit, and rank them.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip, str, or several   A cluster is used whole; a chip means the fewest of its
                                    standard node that serve the model within the limits.
    isl, osl : number or None       Tokens of a request; default 4096 in, 1024 out. [tokens]
    prefix_hit : number             Share of the input that is cached already. [1]
    context : number or None        Instead of isl and osl: decode only, at this length. [tokens]
    ttft_s, tpot_s, e2e_s : number or None   Limits. [s]
    rank : str or None              ``usd``, ``throughput`` or ``latency``; None for dollars where
                                    every cluster has a price, else throughput.
    chips : int, str or None        Use so many chips, or ``"fewest"``; or one of these a machine.
    batch : number or 1-D array     Sequences in flight in one replica; None for all that fit.
    weight_dtype, kv_dtype : str    Store weights or caches in another format.
    compute : str or None           Run every product in this arithmetic.
    price : float, str or None      USD for a chip-hour, instead of the catalogue's.
    basis : str or None             Which of the catalogue's prices.
    activation_dtype : str          Format of hidden states.
    drafts, acceptance : number     Tokens drafted a sequence and step, and how often one is taken.
    expert_popularity_cv : number   Spread of how often experts are chosen; 0 is uniform.
    engine : str                    Serving engine to model; ``current`` is the mean of the newest.
    engine_version : str            Release of it; empty for the newest.
    memory_utilization : number     Share of memory an engine may fill, instead of the usual one.
    reading : str                   ``calibrated`` or ``ideal``.

    Returns
    -------
    Layouts

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   No layout on any of the clusters holds the model; says by how much.

    Notes
    -----
    Times are of a steady state with `batch` requests kept in flight in each replica: see
    `service.steady`. TPOT includes prefill of newly arrived requests.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = layouts("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="ideal")
    >>> found.best["n_chips"]
    72
    """
    machines = [on] if isinstance(on, Cluster | Chip | str) else list(on)
    record = model_of(model, weight_dtype, kv_dtype)
    if not record.blocks:
        raise SpecError(
            f"{record.id} is known by its counts alone, which no layout can cut. "
            "Give its config.json."
        )
    if reading_named(reading).whole:
        raise SpecError(
            "The blackboard sees all chips as one: layouts are read as ideal or calibrated."
        )
    drafted, accepted = drafts_of(drafts, acceptance)
    at = replace(lengths(context, isl, osl, prefix_hit), drafts=drafted, acceptance=accepted)
    limits = Limits.of(ttft_s, tpot_s, e2e_s)
    base = Replica(
        record,
        cluster_of(machines[0])[0],
        Layout(),
        engine=engine_of(engine, memory_utilization),
        version=engine_version,
        formats=Formats(compute, catalog.dtype(activation_dtype).id),
        reading=reading,
        expert_load_cv=expert_load_cv_of(expert_popularity_cv),
    )
    batches = _batches(batch)
    searches: list[Search] = []
    unfit: list[str] = []
    for name, number in zip(machines, _numbers(chips, len(machines)), strict=True):
        cluster, is_chip = cluster_of(name)
        rent = price_of(cluster, price, basis)
        draft = Candidates(
            base=replace(base, cluster=cluster),
            layouts=(),
            requests=at,
            limits=limits,
            usd_per_chip_hour=rent.usd_per_chip_hour if rent else None,
        )
        wanted = "fewest" if number is None and is_chip else number
        try:
            if weight_dtype is not None and compute is None:
                check_native(counts(record), cluster)
            found = _search(draft, wanted, batches, rent)
        except InfeasibleError as error:
            unfit.append(str(error))
            continue
        if found.candidates.fits.any():
            searches.append(found)
        else:
            unfit.append(_short_of(found))
    if not searches:
        raise InfeasibleError(" ".join(unfit))
    every_price = all(search.price is not None for search in searches)
    if rank is None:
        rank = "usd" if every_price else "throughput"
    order = rank_of(rank, has_requests=bool(at.osl), has_price=every_price)
    return Layouts(
        model=record,
        searches=tuple(searches),
        rank=order,
        requests=at,
        limits=limits,
        reading=reading,
        unfit=tuple(unfit),
    )


def _numbers(chips: Any, n: int) -> list[Any]:
    """Numbers of chips, one a machine."""
    numbers = list(chips) if isinstance(chips, list | tuple) else [chips] * n
    if len(numbers) != n:
        raise SpecError(f"chips: one number, or one for each of the {n} machines.")
    return numbers


def _batches(batch: Any) -> np.ndarray | None:
    return None if batch is None else axis_values(batch, "batch", least=1)


def _search(
    draft: Candidates, chips: Any, batches: np.ndarray | None, rent: Price | None
) -> Search:
    """Enumerate and evaluate the layouts of one cluster."""
    cluster = draft.base.cluster
    if chips is None:
        chips = cluster.domain_size * cluster.n_domains
    too_few = ""
    if chips == "fewest":
        tried = list(_growing(draft))
        chips, candidates, refusals = tried[-1]
        too_few = _too_few(*tried[-2][:2]) if len(tried) > 1 else ""
    else:
        chips = _whole_number(chips)
        candidates, refusals = _of_size(draft, chips)
    result = evaluate_layouts(candidates, batches)
    return Search(candidates, result, tuple(refusals), rent, chips, too_few)


def _too_few(n_chips: int, candidates: Candidates) -> str:
    """Why the next smaller number of chips does not do."""
    start = f"{n_chips} x {candidates.base.cluster.chip.name} are too few: "
    index = np.flatnonzero(candidates.fits >= 1)
    if not index.size:
        return f"{start}not even one sequence fits."
    best = candidates.columns(index, np.ones(index.size))
    least = [
        f"{told} {seconds(float(best[f'{name}_s'].min()))}"
        for name, told, _ in candidates.limits.words()
    ]
    return f"{start}at best {listed(least)}." if least else f"{start}no layout can be built."


def _whole_number(chips: Any) -> int:
    if not isinstance(chips, int) or isinstance(chips, bool) or not 1 <= chips <= _MOST_CHIPS:
        raise SpecError(
            f"chips: a whole number from 1 to {_MOST_CHIPS:,}, or 'fewest', is expected, "
            f"not {chips!r}."
        )
    return chips


def _of_size(draft: Candidates, n_chips: int) -> tuple[Candidates, list]:
    found, refusals = legal_layouts(draft.base.model, [n_chips])
    return replace(draft, layouts=tuple(found)), refusals


def _growing(draft: Candidates) -> Iterator[tuple[int, Candidates, list]]:
    """Larger and larger numbers of chips, up to the first that serves within the limits."""
    cluster = draft.base.cluster
    most = cluster.domain_size * _MOST_DOMAINS if cluster.scale_out else cluster.domain_size
    weights = counts(draft.base.model).weight_bytes
    for n_chips in (n for n in sizes(cluster) if n <= most):
        if weights > n_chips * chip_capacity_bytes(cluster.chip) and n_chips < most:
            continue
        candidates, refusals = _of_size(draft, n_chips)
        yield n_chips, candidates, refusals
        if (candidates.within_limits >= 1).any():
            return


def _short_of(search: Search) -> str:
    """By how much the best layout of a cluster misses its memory."""
    candidates = search.candidates
    base = candidates.base
    fixed, each = candidates.held
    if not fixed.size:
        return (
            f"{base.cluster.name}: {base.model.id} cannot be cut over {search.n_chips} chips: "
            + "; ".join(f"{r.degree} {r.value}: {r.reason}" for r in search.refusals[:3])
            + ". Choose another number of chips."
        )
    needed = fixed + each
    i = int(needed.argmin())
    have = candidates.capacity_bytes
    return (
        f"{base.model.id} does not fit on {search.n_chips} x {base.cluster.chip.name}: laid out "
        f"as {candidates.name(i)} it still needs {format_quantity(float(needed[i]), 'B')} a chip "
        f"for one sequence, and a chip has {format_quantity(have, 'B')}: "
        f"{format_quantity(float(needed[i] - have), 'B')} too much. "
        "Use more chips (--chips), a smaller format (--weights), or a chip with more memory."
    )
