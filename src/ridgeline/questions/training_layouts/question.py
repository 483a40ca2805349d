"""Which layout trains a model fastest, cheapest or with least energy on given machines?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from ridgeline.answers.words import listed
from ridgeline.errors import InfeasibleError, SpecError, there_is_no
from ridgeline.grid import Spread
from ridgeline.questions.prices import on_one_basis, prices_of
from ridgeline.questions.training.legal import check_precision
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.questions.training_layouts.answer import RANKS, TrainingLayouts
from ridgeline.questions.training_layouts.machines import MachineSearch
from ridgeline.questions.training_layouts.search import search
from ridgeline.questions.training_layouts.space import Space
from ridgeline.replica.readings import reading_named
from ridgeline.specs.training_scenario import TrainingScenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from ridgeline.catalog import MachineNamed
    from ridgeline.grid.spread import Client
    from ridgeline.questions.training_layouts.search import TrainingSearch
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model
    from ridgeline.specs.training_scenario import TrainingOptions

__all__ = ["search_training", "training_layouts"]


def training_layouts(
    model: Model | str,
    on: Cluster | Chip | str | Sequence[Cluster | Chip | str],
    *,
    rank: str | None = None,
    axes: Mapping[str, Iterable[Any]] | None = None,
    executor: Executor | Client | None = None,
    workers: int = 1,
    **options: Unpack[TrainingOptions],
) -> TrainingLayouts:
    """Search all layouts of a training job, and rank those that fit.

    Parameters
    ----------
    model : Model or str        Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip, str, or several   A cluster is used whole; ``128xhgx-h100`` is 128 nodes.
    rank : str or None          ``time`` of a step, ``usd`` or ``energy`` of a token; None for usd
                                where several machines have prices on one basis, else time.
    axes : mapping or None      Values to be tried of axes, instead of those usual: ``{"schedule":
                                ["1f1b", "zb-h1"], "overlap": [None, ("dp", "tp")]}``. See
                                `questions.training_layouts.space`.
    executor : Executor, Client or None   A `concurrent.futures.Executor` or a Client of Dask that
                                evaluates parts of the search; it stays open.
    workers : int               Processes, where there is no executor.
    **options : TrainingOptions   Everything else, by the names of the command line; see
                                `ridgeline.specs.training_scenario`. What is given is fixed, all
                                else is searched.

    Returns
    -------
    TrainingLayouts

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   The chip cannot multiply the format, or nothing joins so many chips.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = rl.training_layouts("Qwen/Qwen3-8B", "hgx-h100", seq=4096, global_batch=256)
    >>> found.best_training.step_s == found.best["time_s"]
    True
    """
    scenario = TrainingScenario.of(model, on, **options)
    with Spread(executor, workers=workers) as spread:
        return search_training(scenario, rank, spread, axes=axes)


def search_training(
    scenario: TrainingScenario,
    rank: str | None = None,
    spread: Spread | None = None,
    *,
    axes: Mapping[str, Iterable[Any]] | None = None,
    named: Sequence[MachineNamed] | None = None,
    framework: Framework | None = None,
) -> TrainingLayouts:
    """Answer `training_layouts` for a scenario.

    Parameters
    ----------
    scenario : TrainingScenario
    rank : str or None        As in `training_layouts`.
    spread : Spread or None   Where parts of the search run; in this process by default.
    axes : mapping or None    Values by axis, instead of those usual.
    named : sequence or None  The scenario's machines, and how much of each was named; None to look
                              them up.
    framework : Framework or None   With facts of one's own, instead of the scenario's name.

    Raises
    ------
    SpecError         There is no such rank, none without a price, or across prices that do not
                      compare; a model that no layout can cut.
    InfeasibleError   No machine can be searched.
    """
    if rank is not None and rank not in RANKS:
        raise SpecError(there_is_no("rank", rank, RANKS))
    setups = [
        TrainingSetup(
            scenario.model_copy(update={"machine": (machine,)}),
            given_machine=named[i] if named else None,
            given_framework=framework,
            are_open=True,
        )
        for i, machine in enumerate(scenario.machines)
    ]
    if not setups[0].model.blocks:
        raise SpecError(
            f"{setups[0].model.id} is known by its counts alone, which no layout can cut. Give its "
            "config.json."
        )
    if reading_named(setups[0].reading).whole:
        raise SpecError(
            "The blackboard sees neither memory nor exchanges: layouts are read as ideal or "
            "calibrated (--reading)."
        )
    prices = prices_of([s.named.cluster for s in setups], scenario.price)
    spread = spread or Spread()
    searches, unfit = [], []
    for setup, price in zip(setups, prices.prices, strict=True):
        found = _searched(setup, spread, dict(axes or {}))
        if isinstance(found, str):
            unfit.append(found)
        else:
            searches.append(MachineSearch(found, price))
    if not searches:
        raise InfeasibleError(" ".join(unfit))
    return TrainingLayouts(
        scenario=scenario,
        searches=tuple(searches),
        rank=RANKS[_rank(rank, searches, prices.notes)],
        unfit=tuple(unfit),
        price_notes=prices.notes if len(searches) > 1 else (),
    )


def _searched(
    setup: TrainingSetup, spread: Spread, axes: dict[str, Iterable[Any]]
) -> TrainingSearch | str:
    """The search of a machine; why it cannot be, where it cannot.

    On one machine dollars and energy follow time: each rank has the same order.
    """
    try:
        check_precision(setup.job(setup.layout({}), setup.recipe()))
        return search(setup, Space.of(setup, wide=False, **axes), spread=spread)
    except InfeasibleError as error:
        return str(error)


def _rank(rank: str | None, searches: Sequence[MachineSearch], notes: Sequence[str]) -> str:
    """The rank asked for, or the usual.

    Raises
    ------
    SpecError   Machines have no price, prices that do not compare, or no TDP.
    """
    prices: list[Any] = [s.price for s in searches]
    comparable = None not in prices and (len(prices) == 1 or on_one_basis(prices))
    if rank is None:
        return "usd" if len(searches) > 1 and comparable else "time"
    if rank == "usd" and None in prices:
        without = listed([s.key for s in searches if s.price is None])
        raise SpecError(
            f"Ranking by dollars needs a price, and {without} has none: give one in USD per "
            "chip-hour (--price), or rank by time or energy."
        )
    if rank == "usd" and not comparable:
        raise SpecError(f"{' '.join(notes)} Rank by time or energy.")
    unknown = [s.setup.cluster.chip.name for s in searches if s.setup.cluster.chip.tdp is None]
    if rank == "energy" and unknown:
        raise SpecError(
            f"Ranking by energy needs the power of a chip, and that of {', '.join(unknown)} is not "
            "known: give it with --set chip.tdp=700 W, or rank by time."
        )
    return rank
