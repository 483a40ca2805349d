"""Which layout, at which batch, serves a model best on given chips?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid import Spread
from ridgeline.questions.layouts.answer import Layouts
from ridgeline.questions.layouts.grid import Candidates
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.questions.layouts.load import limit_words
from ridgeline.questions.layouts.points import evaluate_layouts
from ridgeline.questions.layouts.ranking import Search, rank_of
from ridgeline.questions.layouts.words import listed, seconds
from ridgeline.questions.prices import on_one_basis
from ridgeline.questions.serving.words import one_box_words
from ridgeline.questions.setup import Setup, machine_of
from ridgeline.replica import Replica
from ridgeline.replica.readings import reading_named
from ridgeline.specs.layout import Layout
from ridgeline.specs.scenario import Scenario
from ridgeline.steps import chip_capacity_bytes, counts
from ridgeline.steps.layouts import cannot_run
from ridgeline.steps.machine import joined, network_hint, sizes
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor

    from ridgeline.grid.spread import Client
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.scenario_options import ScenarioOptions

__all__ = ["base_replica", "layouts", "search_layouts"]

#: looking for the fewest chips ends at so many domains
_MOST_DOMAINS = 8
_MOST_CHIPS = 16_384


def layouts(
    model: Model | str,
    on: Cluster | Chip | str | Sequence[Cluster | Chip | str],
    *,
    rank: str | None = None,
    executor: Executor | Client | None = None,
    workers: int = 1,
    **options: Unpack[ScenarioOptions],
) -> Layouts:
    """Search all layouts and batches that fit, and rank them.

    Parameters
    ----------
    model : Model or str        Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip, str, or several   A cluster is used whole; a chip alone means the number of
                                chips of its node with the lowest cost within the limits.
    rank : str or None          ``usd``, ``throughput`` or ``latency``; None for dollars where
                                all clusters have a price on one basis, else throughput.
    executor : Executor, Client or None   A `concurrent.futures.Executor` or a Client of Dask that
                                searches machines, one a job; it stays open.
    workers : int               Processes, where there is no executor; started only for what takes
                                this process longer than two seconds.
    **options : ScenarioOptions   Everything else, by the names of the command line; see
                                `ridgeline.specs.scenario`. Several machines may each have a number
                                of ``chips`` of their own, in a list.

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
    chips: Any = options.get("chips")
    each = list(chips) if isinstance(chips, list | tuple) else None
    if each is not None:
        options["chips"] = None
    scenario = Scenario.of(model, on, **options)
    with Spread(executor, workers=workers) as spread:
        return search_layouts(scenario, rank, each, spread)


def search_layouts(
    scenario: Scenario,
    rank: str | None = None,
    chips: Sequence[Any] | None = None,
    spread: Spread | None = None,
) -> Layouts:
    """Answer `layouts` for a scenario.

    Parameters
    ----------
    scenario : Scenario
    rank : str or None          As in `layouts`.
    chips : sequence or None    A number, or None, per machine; None for the scenario's.
    spread : Spread or None     Where machines are searched; in this process by default.
    """
    load = scenario.workload.with_default_lengths()
    if load.arrival == "open":
        raise SpecError("A rate is answered by a fleet: `fleet` finds its layout and chips.")
    if load.arrival != "closed":
        raise SpecError(
            f"Layouts are ranked with requests kept in flight, not with {load.arrival} arrivals: "
            "leave out arrival, or ask `serving`."
        )
    if isinstance(load.context, tuple) and len(load.context) > 1:
        raise SpecError("layouts: one context at a time.")
    setup = Setup(scenario, load)
    prices = setup.prices
    jobs = list(zip(scenario.machines, _numbers(scenario, chips), prices.prices, strict=True))
    spread = spread or Spread()
    found = dict(spread.run(_search_machine, setup, jobs, name="machine"))
    answers = [found[i] for i in range(len(jobs))]
    searches = [answer for answer in answers if isinstance(answer, Search)]
    unfit = [answer for answer in answers if isinstance(answer, str)]
    if not searches:
        raise InfeasibleError(" ".join(unfit))
    every_price = all(search.price is not None for search in searches)
    one_basis = len(searches) == 1 or on_one_basis([search.price for search in searches])
    if rank is None:
        rank = "usd" if every_price and one_basis else "throughput"
    if rank == "usd" and every_price and not one_basis:
        raise SpecError(f"{' '.join(prices.notes)} Rank by throughput or latency.")
    order = rank_of(rank, has_requests=bool(setup.requests.osl), has_price=every_price)
    return Layouts(
        scenario=scenario,
        model=setup.model,
        searches=tuple(searches),
        rank=order,
        requests=setup.requests,
        limits=load.limits,
        reading=setup.reading,
        unfit=tuple(unfit),
        price_notes=prices.notes if len(searches) > 1 else (),
    )


def _search_machine(setup: Setup, job: tuple[Any, Any, Price | None]) -> Search | str:
    """Search one machine, with a number of chips and a price; why nothing fits, where nothing does.

    It depends on nothing else, so that machines may be searched anywhere.
    """
    on, number, rent = job
    named, chosen = machine_of(on), setup.scenario.layout
    degrees = ("tp", "pp", "attn_dp", "ep", "replicas")
    draft = Candidates(
        base=base_replica(setup, named.cluster),
        layouts=(),
        requests=setup.requests,
        limits=setup.workload.limits,
        usd_per_chip_hour=rent.usd_per_chip_hour if rent else None,
        max_sequences=setup.max_sequences,
        fixed={n: getattr(chosen, n) for n in degrees if getattr(chosen, n) is not None},
    )
    wanted = number if number is not None else named.n_chips
    wanted = "best" if wanted is None and named.is_chip else wanted
    try:
        setup.check_native(named.cluster)
        found = _search(draft, wanted, setup.batches(), rent)
    except InfeasibleError as error:
        return str(error)
    if not found.candidates.fits.any():
        return _short_of(found)
    box = found.candidates.base.cluster
    notes = () if box is named.cluster else (one_box_words(box),)
    return replace(found, notes=notes)


def base_replica(setup: Setup, cluster: Cluster) -> Replica:
    """The replica of a scenario in no layout yet, on one of its machines.

    Raises
    ------
    SpecError   A model that no layout can cut, a reading that sees none, or an output of one token.
    """
    record = setup.model
    if not record.blocks:
        raise SpecError(
            f"{record.id} is known by its counts alone, which no layout can cut. "
            "Give its config.json."
        )
    if reading_named(setup.reading).whole:
        raise SpecError(
            "The blackboard sees all chips as one: layouts are read as ideal or calibrated."
        )
    if setup.requests.osl and setup.requests.osl < 2:
        raise SpecError(
            "osl must be at least 2: a request that gives one token never decodes. Give a context "
            "to look at decoding alone."
        )
    if setup.requests.osl and setup.workload.prefix_hit >= 1:
        raise SpecError("prefix_hit must be less than 1: the last input token is always computed.")
    return Replica(
        record,
        cluster,
        Layout(),
        engine=setup.engine_on(cluster.chip),
        version=setup.scenario.engine.version,
        formats=setup.formats,
        reading=setup.reading,
        expert_load_cv=setup.workload.expert_load_cv,
        constants=setup.constants,
    )


def _numbers(scenario: Scenario, chips: Sequence[Any] | None) -> list[Any]:
    """Numbers of chips, one per machine."""
    n = len(scenario.machines)
    numbers = [scenario.layout.chips] * n if chips is None else list(chips)
    if len(numbers) != n:
        raise SpecError(f"chips: one number, or one for each of the {n} machines.")
    return numbers


def _search(
    draft: Candidates, chips: Any, batches: np.ndarray | None, rent: Price | None
) -> Search:
    """Enumerate and evaluate the layouts of one cluster."""
    cluster = draft.base.cluster
    if chips is None:
        chips = cluster.domain_size * cluster.n_domains
    too_few = ""
    if chips == "best":
        return _best_number(draft, batches, rent)
    if chips == "fewest":
        tried = list(_growing(draft))
        chips, candidates, refusals = tried[-1]
        too_few = _too_few(*tried[-2][:2]) if len(tried) > 1 else ""
    else:
        chips = _whole_number(chips)
        candidates, refusals = _of_size(draft, chips)
    return replace(_evaluated(candidates, refusals, batches, rent, chips), too_few=too_few)


def _evaluated(
    candidates: Candidates,
    refusals: list,
    batches: np.ndarray | None,
    rent: Price | None,
    n_chips: int,
) -> Search:
    """All candidates at all batches.

    Raises
    ------
    InfeasibleError   There is no candidate.
    """
    if not candidates.layouts:
        raise InfeasibleError(_no_layout(candidates, refusals, n_chips))
    result = evaluate_layouts(candidates, batches)
    return Search(candidates, result, tuple(refusals), rent, n_chips)


def _best_number(draft: Candidates, batches: np.ndarray | None, rent: Price | None) -> Search:
    """The number of chips within a node whose best layout has most output per chip in time.

    Where none keeps the limits, the one whose fastest layout is the fastest.
    """
    node = draft.base.cluster.domain_size
    tried = []
    for n_chips in (n for n in sizes(draft.base.cluster) if n <= node):
        candidates, refusals = _of_size(draft, n_chips)
        if len(candidates.layouts) and candidates.fits.any():
            result = evaluate_layouts(candidates, batches)
            tried.append(Search(candidates, result, tuple(refusals), rent, n_chips))
    if not tried:
        tried_on = list(_growing(draft))
        n_chips, candidates, refusals = tried_on[-1]
        return _evaluated(candidates, refusals, batches, rent, n_chips)

    def output(search: Search) -> float:
        good = search.result.infeasible == 0
        return float(np.max(search.result["tokens_per_s_per_chip"], where=good, initial=0.0))

    def fastest(search: Search) -> float:
        return float(np.nanmin(search.result["tpot_s"]))

    best = max(tried, key=output)
    why = "the number with the lowest cost per output token within the limits"
    if output(best) == 0:
        best = min(tried, key=fastest)
        why = "the fastest for a single user: no number keeps the limits"
    chip = draft.base.cluster.chip.name
    others = [f"{s.n_chips}" for s in tried if s is not best]
    beside = f"; {listed(others)} were looked at, too" if others else ""
    return replace(best, too_few=f"{best.n_chips} x {chip}: {why}{beside}.")


def _too_few(n_chips: int, candidates: Candidates) -> str:
    """Why the next smaller number of chips does not do."""
    start = f"{n_chips} x {candidates.base.cluster.chip.name} are too few: "
    index = np.flatnonzero(candidates.fits >= 1)
    if not index.size:
        return f"{start}not even one sequence fits."
    best = candidates.columns(index, np.ones(index.size))
    least = [
        f"{told} {seconds(float(best[f'{name}_s'].min()))}"
        for name, told, _ in limit_words(candidates.limits)
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
    """Layouts of so many chips; where nothing joins them, those of one chip per replica.

    Raises
    ------
    InfeasibleError   Nothing joins them, and replicas of one chip are not asked for.
    """
    found, refusals = legal_layouts(draft.base.model, [n_chips], engine=draft.base.engine)
    kept = [x for x in found if all(getattr(x, n) == v for n, v in draft.fixed.items())]
    base = draft.base
    try:
        base = replace(base, cluster=joined(base.cluster, n_chips))
    except InfeasibleError:
        alone = [x for x in kept if x.pp * x.attn_dp * x.tp == 1]
        if not alone:
            raise
        kept = alone
    return replace(draft, base=base, layouts=tuple(kept)), refusals


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


def _no_layout(candidates: Candidates, refusals: list, n_chips: int) -> str:
    """Why no layout of a number of chips can be built."""
    base = candidates.base
    if candidates.fixed:
        wanted = ", ".join(f"{n} = {v}" for n, v in candidates.fixed.items())
        every, _ = legal_layouts(base.model, [n_chips])
        asked = [x for x in every if all(getattr(x, n) == v for n, v in candidates.fixed.items())]
        if lacking := [why for x in asked if (why := cannot_run(base.engine, x))]:
            return f"{lacking[0]} ({wanted}). Choose another layout, or another engine (--engine)."
        return (
            f"{base.cluster.name}: no layout that engines could run on {n_chips} chips has "
            f"{wanted}. Change a degree, or the number of chips."
        )
    return (
        f"{base.cluster.name}: {base.model.id} cannot be divided over {n_chips} chips: "
        + "; ".join(f"{r.degree} {r.value}: {r.reason}" for r in refusals[:3])
        + ". Choose another number of chips."
    )


def _short_of(search: Search) -> str:
    """By how much the best layout of a cluster misses its memory."""
    candidates = search.candidates
    base = candidates.base
    fixed, each = candidates.held
    needed = fixed + each
    i = int(needed.argmin())
    have = candidates.capacity_bytes
    lacking = network_hint(base.cluster) if base.cluster.host_link is None else ""
    more = "" if lacking else "more chips (--chips), "
    return (
        f"{base.model.id} does not fit on {search.n_chips} x {base.cluster.chip.name}: laid out "
        f"as {candidates.name(i)} it still needs {format_quantity(float(needed[i]), 'B')} per chip "
        f"for one sequence, {format_quantity(float(needed[i] - have), 'B')} more than the "
        f"{format_quantity(have, 'B')} that a chip has. "
        f"Use {more}a smaller format (--weights), or a chip with more memory.{lacking}"
    )
