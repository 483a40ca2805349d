"""From a scenario to the records that a question is answered with: said once for all questions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.errors import CatalogError, InfeasibleError, SpecError
from ridgeline.questions.prices import MachinePrices, prices_of
from ridgeline.questions.unused import refuse_unused
from ridgeline.replica import Formats
from ridgeline.replica.readings import reading_named
from ridgeline.service.deployment import requests_of
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.constants import EngineConstants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.catalog import MachineNamed
    from ridgeline.service.requests import Requests
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.specs.scenario import Scenario
    from ridgeline.specs.workload import Workload

__all__ = ["Setup", "chosen_constants", "machine_of", "one_machine", "reading_of"]


def machine_of(on: Cluster | Chip | str) -> MachineNamed:
    """A machine, and how much of it is meant.

    Raises
    ------
    CatalogError, SpecError   A name that means none.
    """
    if isinstance(on, Cluster):
        return catalog.MachineNamed(on)
    if isinstance(on, Chip):
        return catalog.MachineNamed(catalog.node_of(on), is_chip=True)
    return catalog.machine_named(on)


def one_machine(
    machines: Sequence[Cluster | Chip | str], found: MachineNamed | None = None
) -> MachineNamed:
    """The machine of a question about one: as found already, else by its name.

    Raises
    ------
    CatalogError, SpecError   Several machines, or a name that means none.
    """
    if len(machines) > 1:
        raise SpecError("One machine at a time: ask about each of them by itself.")
    return found or machine_of(machines[0])


def chosen_constants(chosen: str | Path | EngineConstants | None) -> EngineConstants | None:
    """Constants of whole engines of somebody's own, with the name of their file as id.

    Raises
    ------
    CatalogError, SpecError   A file that holds none.
    """
    if chosen is None or isinstance(chosen, EngineConstants):
        return chosen
    try:
        own = catalog.engine_constants(chosen)
    except CatalogError as error:
        raise CatalogError(f"--constants: {error}") from None
    return own.model_copy(update={"id": Path(chosen).name})


def reading_of(model: Model, name: str | None) -> str:
    """The reading asked for; the calibrated where none is and the model's shape is known.

    Raises
    ------
    SpecError   A reading of pieces, of a model that is known by its counts alone.
    """
    if name is None:
        return "calibrated" if model.blocks else "blackboard"
    if not reading_named(name).whole and not model.blocks:
        raise SpecError(
            f"{model.id} is known by its counts alone: only the blackboard can read it. "
            "Give its config.json for the others."
        )
    return name


@dataclass(frozen=True)
class Setup:
    """What a scenario means.

    Attributes
    ----------
    scenario : Scenario
    workload : Workload        With lengths: those of the scenario or the usual ones.
    given_layout : Layout or None   A layout record, instead of the scenario's degrees.

    Raises
    ------
    SpecError   Options that change nothing beside the others: see `refuse_unused`.
    """

    scenario: Scenario
    workload: Workload
    given_layout: Layout | None = None

    def __post_init__(self) -> None:
        """Refuse what no answer would use."""
        refuse_unused(self.scenario)

    @cached_property
    def model(self) -> Model:
        """The model, with weights and caches in the formats chosen."""
        named, formats = self.scenario.model, self.scenario.formats
        record = catalog.model(named) if isinstance(named, str) else named
        if formats.weights is not None:
            record = catalog.stored_as(record, formats.weights)
        if formats.kv is not None:
            record = record.with_kv_dtype(catalog.element_dtype(formats.kv))
        return record

    @property
    def reading(self) -> str:
        """The reading; the calibrated where none is given and the model's shape is known."""
        name = self.scenario.reading
        if name is None and not self.model.blocks and self.scenario.engine.constants is not None:
            name = "calibrated"
        return reading_of(self.model, name)

    @cached_property
    def contexts(self) -> np.ndarray:
        """Cached tokens per sequence to be looked at: one value where requests have lengths."""
        if self.workload.context is None:
            return np.asarray([float(self.requests.context)])
        return np.atleast_1d(np.asarray(self.workload.context, dtype=float))

    @cached_property
    def requests(self) -> Requests:
        """Lengths and drafts of the requests; of no output where sequences only decode."""
        return requests_of(self.workload, self.model)

    @property
    def formats(self) -> Formats:
        """Formats besides those that the model's record has."""
        chosen = self.scenario.formats
        return Formats(chosen.compute, catalog.element_dtype(chosen.activations))

    def engine_on(self, chip: Chip) -> Engine:
        """The engine on a chip, set up as chosen: the one named, else what such weights run on.

        Raises
        ------
        CatalogError, SpecError   An engine or a version that nobody knows.
        """
        chosen = self.scenario.engine
        if chosen.name is not None:
            usual = catalog.engine(chosen.name)
        else:
            usual, _ = catalog.usual_engine(self.model, chip)
        if chosen.version and usual.stands_for:
            raise SpecError(
                f"engine_version: a version is of one engine, and {usual.name} stands for several. "
                "Name the engine, such as vllm."
            )
        if chosen.version and not usual.knows(chosen.version):
            eras = "; ".join(f"{era.id}: {', '.join(era.versions)}" for era in usual.eras)
            raise SpecError(
                f"{usual.name} {chosen.version!r} is no version that is known ({eras}). Leave the "
                "version out for the newest."
            )
        usual = usual.on(chip, chosen.version or "")
        changes: dict[str, Any] = {}
        if chosen.memory_utilization is not None:
            changes |= {"memory_share": chosen.memory_utilization, "reserve": None}
        if chosen.token_budget is not None:
            changes["token_budget"] = chosen.token_budget
        if chosen.max_sequences is not None:
            changes["max_sequences"] = chosen.max_sequences
        return usual.replaced(changes, where="the engine") if changes else usual

    @cached_property
    def constants(self) -> EngineConstants | None:
        """Constants of whole engines that were chosen; None for those of the catalogue.

        Raises
        ------
        CatalogError, SpecError   A file that holds none.
        """
        return chosen_constants(self.scenario.engine.constants)

    @property
    def max_sequences(self) -> int | None:
        """Sequences of a rank that the engine is set to take; None for as many as memory holds."""
        return self.scenario.engine.max_sequences

    @property
    def layout(self) -> Layout | None:
        """The layout, where degrees are fixed."""
        return self.given_layout or self.scenario.layout.layout

    def batches(self, replicas: int = 1) -> np.ndarray | None:
        """Sequences in flight in one replica, where the scenario says how many."""
        load = self.workload
        if load.batch is not None:
            return np.atleast_1d(np.asarray(load.batch, dtype=float))
        if load.concurrency is not None:
            return np.atleast_1d(np.asarray(load.concurrency, dtype=float)) / replicas
        return None

    @cached_property
    def prices(self) -> MachinePrices:
        """Prices of the scenario's machines, on one basis where that can be."""
        clusters = [machine_of(on).cluster for on in self.scenario.machines]
        return prices_of(clusters, self.scenario.price)

    def check_native(self, cluster: Cluster) -> None:
        """A format chosen by name must be native: falling back in silence would mislead.

        Raises
        ------
        InfeasibleError   The chip has no arithmetic for it.
        """
        chosen = self.scenario.formats
        if chosen.weights is None or chosen.compute is not None:
            return
        chip, dtype = cluster.chip, catalog.dtype(chosen.weights)
        first = dtype.compute[0]
        if first not in chip.peak and first != "bf16":
            raise InfeasibleError(
                f"{chip.name} has no {first} arithmetic (it has {', '.join(chip.peak)}), so "
                f"{dtype.id} weights cannot be multiplied as such. Choose compute bf16 to "
                f"store them as {dtype.id} and multiply in bf16, other weights, or another "
                "chip."
            )
