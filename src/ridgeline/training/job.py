"""A training job: a model on chips under a framework, and what one optimizer step takes in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import framework as framework_named
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model

__all__ = ["TrainingJob"]


@dataclass(frozen=True)
class TrainingJob:
    """One optimizer step of a model on chips.

    Numeric fields of layout, recipe and load may hold 1-D arrays (a row each); names are one value
    for all rows.

    Attributes
    ----------
    model, cluster : Model, Cluster
    layout : TrainingLayout
    recipe : TrainingRecipe
    load : TrainingLoad
    framework : Framework
    version, date : str     Release of the framework, or when it ran: they choose its era.
    reading : str           ``blackboard``, ``ideal`` or ``calibrated``.
    constants : EngineConstants or None   Of frameworks; None for those of the catalogue.
    effects : mapping or None   Values of effects in place of those that follow from the above.
    """

    model: Model
    cluster: Cluster
    layout: TrainingLayout = TrainingLayout()
    recipe: TrainingRecipe = TrainingRecipe()
    load: TrainingLoad = TrainingLoad()
    framework: Framework = field(default_factory=framework_named)
    version: str = ""
    date: str = ""
    reading: str = "calibrated"
    constants: EngineConstants | None = None
    effects: Mapping[str, Any] | None = None

    def with_effects(self, effects: Mapping[str, Any]) -> TrainingJob:
        """The same job under other values of effects, which may have a leading axis of their own."""
        return replace(self, effects=effects)

    @property
    def micro_batches(self) -> Any:
        """Micro-batches of an optimizer step on each data-parallel rank. [1]"""
        return self.load.global_batch / (self.layout.dp * self.recipe.micro_batch)

    @property
    def n_chips(self) -> Any:
        """Chips of the job."""
        layout = self.layout
        return layout.tp * layout.pp * layout.cp * layout.dp
