"""How many chips does a rate of requests take, and in which layout?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ridgeline import catalog
from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.answers.plain import plain
from ridgeline.answers.table import Table
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid import Spread
from ridgeline.questions.launch import start, what_was_priced
from ridgeline.questions.layouts import fleet_words
from ridgeline.questions.layouts.fleet_option import COLUMNS
from ridgeline.questions.layouts.fleet_search import MOST_CHIPS, FleetSearch, fleet_search
from ridgeline.questions.layouts.question import base_replica
from ridgeline.questions.setup import Setup, machine_of
from ridgeline.service.deployment import Deployment
from ridgeline.service.fleet import LONG_RUN
from ridgeline.service.server import intervals
from ridgeline.specs.rates import Rate
from ridgeline.specs.scenario import Scenario

if TYPE_CHECKING:
    from ridgeline.kernels.calibration import Calibration
    from ridgeline.questions.launch import Launch
    from ridgeline.questions.layouts.fleet_option import FleetOption
    from ridgeline.replica import Replica
    from ridgeline.service.performance import Performance
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.scenario_options import ScenarioOptions
    from ridgeline.specs.workload import Workload

__all__ = ["Fleet", "fleet", "fleet_at", "fleets", "size_fleet"]

Row = dict[str, Any]
#: what a narrow screen keeps of `COLUMNS`
_FIRST = ("layout", "utilization", "tpot_s", "ttft_s", "usd_per_mtok_output", "usd_per_hour",
          "most_per_s", "misses", "e2e_s")  # fmt: skip


def size_fleet(
    base: Replica,
    workload: Workload,
    *,
    price: Price | None = None,
    max_sequences: float | None = None,
    most_chips: int = MOST_CHIPS,
    only: Layout | None = None,
) -> Fleet:
    """The fewest chips that hold the limits of a workload at its rate, with its headroom.

    Parameters
    ----------
    base : Replica             Model, cluster, engine, formats and reading; its layout is not used.
    workload : Workload        Lengths, rate, limits, headroom.
    price : Price or None      Per chip-hour.
    max_sequences : float or None   Sequences of a rank that the engine is set to take at most.
    most_chips : int           Of the largest fleet looked at. [1]
    only : Layout or None      Replicas in this layout alone; None for the best of all.

    Raises
    ------
    SpecError         No rate, or no lengths.
    InfeasibleError   The model fits on no replica.

    Notes
    -----
    Requests arrive at random (Poisson), are spread evenly over equal replicas, and keep coming: a
    rate is sized for the steady state, so that `n_requests` of the workload is not used.
    """
    rate = workload.rate_per_s
    if rate is None:
        raise SpecError("A fleet is sized for a rate: give one, in requests/s or tok/s.")
    search = fleet_search(
        base,
        workload,
        price=price,
        max_sequences=max_sequences,
        most_chips=most_chips,
        only=only,
    )
    return fleet_at(search, rate)


def fleet(model: Model | str, on: Any, **options: Unpack[ScenarioOptions]) -> Fleet:
    """The fewest chips that serve a rate of requests within limits, and what fewer would miss.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str       A chip means its node; of a cluster, as many as are needed.
    **options : ScenarioOptions     By the names of the command line: ``rate`` (requests/s, or
                                    ``"12k tok/s"`` of output), lengths, limits, ``headroom``; with
                                    ``tp`` and so on, replicas in that layout alone.

    Returns
    -------
    Fleet

    Raises
    ------
    SpecError         No rate; several machines.
    InfeasibleError   The model fits on no replica.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = rl.fleet("Qwen/Qwen3-8B", "h100-sxm", rate=40, isl=1024, osl=256)
    >>> found.performance.tpot_s <= 0.05
    True
    """
    found = fleets(Scenario.of(model, on, **options))
    if len(found) > 1:
        raise SpecError("One machine at a time: ask for a fleet of each.")
    return found[0]


def fleets(scenario: Scenario, spread: Spread | None = None) -> list[Fleet]:
    """A fleet for each machine of a scenario.

    Parameters
    ----------
    scenario : Scenario   With a rate.
    spread : Spread or None   Where machines are searched; in this process by default.
    """
    load = scenario.workload.with_default_lengths()
    for name in ("replicas", "chips"):
        if getattr(scenario.layout, name) is not None:
            raise SpecError(f"{name} follows from the rate: leave it out.")
    setup = Setup(scenario, load)
    jobs = list(zip(scenario.machines, setup.prices.prices, strict=True))
    found = dict((spread or Spread()).run(_fleet_on, setup, jobs, name="machine"))
    notes = setup.prices.notes if len(jobs) > 1 else ()
    return [replace(found[i], scenario=scenario, price_notes=notes) for i in range(len(jobs))]


def _fleet_on(setup: Setup, job: tuple[Any, Price | None]) -> Fleet:
    """The fleet on one machine at a price; it depends on nothing else."""
    on, price = job
    cluster = machine_of(on).cluster
    setup.check_native(cluster)
    return size_fleet(
        base_replica(setup, cluster),
        setup.workload,
        price=price,
        max_sequences=setup.scenario.engine.max_sequences,
        only=setup.layout,
    )


def fleet_at(search: FleetSearch, rate: float, n_smaller: int = 3) -> Fleet:
    """The fleet for a rate.

    Parameters
    ----------
    search : FleetSearch
    rate : float       Requests per second of the whole system. [1/s]
    n_smaller : int    Smaller fleets to look at. [1]
    """
    (pick,) = search.chosen([rate])
    if pick is None:
        return Fleet(search, rate, None, (), search.closest(rate))
    best = search.option(*pick, rate)
    return Fleet(search, rate, best, search.smaller(rate, best.n_chips, n_smaller), None)


@dataclass(frozen=True, repr=False)
class Fleet(Answered):
    """The fewest chips that hold limits and headroom at a rate.

    Attributes
    ----------
    search : FleetSearch
    rate_per_s : float        Requests that arrive at the whole system. [1/s]
    chosen : FleetOption or None   None where no fleet holds.
    smaller : tuple of FleetOption   The next smaller fleets and what they miss, largest first.
    too_small : FleetOption or None   Where none holds: of the largest fleets what comes closest.
    scenario : Scenario or None   The question, where it was asked by one: `command` needs it.
    price_notes : tuple of str   How its price was chosen beside those of other machines.
    """

    search: FleetSearch
    rate_per_s: float
    chosen: FleetOption | None
    smaller: tuple[FleetOption, ...]
    too_small: FleetOption | None
    scenario: Scenario | None = None
    price_notes: tuple[str, ...] = ()

    @property
    def best(self) -> FleetOption:
        """The fleet.

        Raises
        ------
        InfeasibleError   None holds; says what comes closest.
        """
        if self.chosen is None:
            raise InfeasibleError(" ".join(self.sentences()))
        return self.chosen

    @property
    def layout(self) -> Layout:
        """Its layout, with replicas."""
        return self.best.layout

    @property
    def n_chips(self) -> int:
        """Chips of all replicas."""
        return self.best.n_chips

    @property
    def performance(self) -> Performance:
        """Of the whole system."""
        return self.best.performance

    def deployment(self, option: FleetOption | None = None) -> Deployment:
        """A fleet as `service.deployment.steady` takes it; the chosen one by default."""
        layout = (option or self.best).layout
        replica = replace(self.search.base, layout=layout)
        return Deployment(replica, max_sequences=self.search.max_sequences)

    def command(self, engine: str) -> Launch:
        """What starts the fleet: every replica in the layout and with the slots it was sized with.

        Parameters
        ----------
        engine : str   ``vllm``, ``sglang``, ``tensorrt-llm`` or ``llama.cpp``; or the manifest of
                       ``dynamo``, ``llm-d`` or ``kserve``.

        Raises
        ------
        CatalogError      Nobody knows the engine.
        SpecError         The fleet was not asked for by a scenario (`fleet`, `fleets`).
        InfeasibleError   No fleet holds, or the engine cannot run its layout.
        """
        name = catalog.known_flags(engine)
        used = self.best
        if self.scenario is None:
            raise SpecError("What starts a fleet follows from a scenario: ask by `fleet`.")
        replicas = used.layout.replicas
        one = what_was_priced(
            self.scenario,
            self.deployment(used).replica,
            self.search.requests,
            used.performance.slots / replicas,
            replicas,
            n_live=used.n_live / replicas,
        )
        return start([one], name)

    def workload(self, option: FleetOption | None = None) -> Workload:
        """The workload of a fleet as `service.deployment.steady` takes it: a run without end."""
        used = option or self.best
        changes = {
            "rate": Rate(used.rate_per_s),
            "arrival": "open",
            "n_requests": LONG_RUN * used.layout.replicas,
        }
        return self.search.workload.model_copy(update=changes)

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """80% intervals of ``ttft_s``, ``tpot_s`` and ``e2e_s`` (means) of the fleet. [s]"""
        used = self.best
        one = used.layout.model_copy(update={"replicas": 1})
        server = self.search.server([one])
        rate = np.array([used.rate_per_s / used.layout.replicas])

        def solved(cal: Calibration | None) -> Performance:
            return server.open(rate, np.zeros(1, dtype=np.intp), cal)

        found = intervals(server, solved, "open")
        names = ("ttft_s", "tpot_s", "e2e_s")
        return {n: (float(found[n][0][0]), float(found[n][1][0])) for n in names}

    @property
    def options(self) -> list[FleetOption]:
        """The fleet and the smaller ones, largest first; else what comes closest."""
        first = self.chosen or self.too_small
        return [*([] if first is None else [first]), *self.smaller]

    def rows(self) -> list[Row]:
        """A row for each of the options; the fleet's with its intervals."""
        cluster, price = self.search.base.cluster, self.search.price
        about: Row = {"machine": cluster.chip.name, "cluster": cluster.id} | {
            name: getattr(price, field, None)
            for name, field in {
                "usd_per_chip_hour": "usd_per_chip_hour", "price_basis": "basis",
                "price_date": "date", "price_kind": "kind",
            }.items()
        }  # fmt: skip
        rows = [about | x.row(float(self.search.requests.osl)) for x in self.options]
        if self.chosen is not None:
            for name, (low, high) in self.intervals.items():
                stem = name.removesuffix("_s")
                rows[0] |= {f"{stem}_low_s": low, f"{stem}_high_s": high}
        return rows

    def table(self) -> Table:
        """The options as a table."""
        return Table(
            "fleets", "The fleet, and what smaller ones miss", COLUMNS, self.rows(), _FIRST
        )

    def sentences(self) -> list[str]:
        """The answer in words."""
        return fleet_words.sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain nested dicts: see `Answer.to_dict`; and what each fleet misses."""
        rows = [
            row | {"missed": option.misses}
            for row, option in zip(self.rows(), self.options, strict=True)
        ]
        more = {
            "about": self._about(),
            "holds": self.chosen is not None,
            "fleet": rows[0],
            "smaller": rows[1:],
        }
        return super().to_dict() | plain(more)

    def _about(self) -> dict[str, Any]:
        search = self.search
        return {
            "model": search.base.model.id,
            "cluster": search.base.cluster.id,
            "chip": search.base.cluster.chip.id,
            "domain_size": search.base.cluster.domain_size,
            "reading": search.base.reading,
            "rate_per_s": self.rate_per_s,
            "output_tokens_per_s": self.rate_per_s * search.requests.osl,
            "limits": search.workload.limits,
            "headroom": search.workload.headroom,
            "most_chips": search.most_chips,
            "n_layouts": len(search.layouts),
        }

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`."""
        base = self.search.base
        return Answer(
            question="fleet",
            title=f"{base.model.name or base.model.id} on {base.cluster.chip.name}",
            sentences=tuple(self.sentences()),
            tables=(self.table(),),
            values={"holds": self.chosen is not None, "n_chips": self.options[0].n_chips},
            provenance=self._about(),
        )
