"""A training job: a model on chips under a framework, and what one optimizer step takes in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import chip as chip_named
from ridgeline.catalog import framework as framework_named
from ridgeline.catalog import training_constants, training_effect_kinds
from ridgeline.kernels.calibration import Calibration
from ridgeline.kernels.effects import members_of, resolved_over, scopes_of
from ridgeline.kernels.platform import Platform
from ridgeline.kernels.rates import SUSTAINED
from ridgeline.laws.energy import sustained_clock
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.training_count import TrainingCount, in_format
from ridgeline.trainer.passes import layers_on_stages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model

__all__ = ["TrainingJob"]

#: whose clock under load is the one that clocks of other chips are beside
_REFERENCE = "h100-sxm"
#: what a family of chips may be off by that no training run was measured on, a judgement: clocks
#: end at the highest, so that the spread of their effects alone would say too little
_NEW_FAMILY = 0.2
#: effects of serving engines that laws ask for and no training step meets
_OF_ENGINES = ("wo_memory", "wo_compute", "decode_attention", "decode_compute", "eager_s")


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
    expert_load_cv : array  How unevenly experts are chosen: standard deviation over mean. [1]
    constants : EngineConstants or None   Of frameworks; None for those of the catalogue.
    fitted : Calibration or None   Constants and effects ready for the laws; None for those that
                            follow from the framework and `constants`.
    """

    model: Model
    cluster: Cluster
    layout: TrainingLayout = field(default_factory=TrainingLayout)
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    load: TrainingLoad = field(default_factory=TrainingLoad)
    framework: Framework = field(default_factory=framework_named)
    version: str = ""
    date: str = ""
    reading: str = "calibrated"
    expert_load_cv: Any = 0.0
    constants: EngineConstants | None = None
    fitted: Calibration | None = None

    @cached_property
    def own_framework(self) -> Framework:
        """The framework with the facts of its release."""
        return self.framework.on(self.version, self.date)

    @cached_property
    def count(self) -> TrainingCount:
        """What counting needs to know."""
        return TrainingCount(
            in_format(self.model, self.recipe),
            self.layout,
            self.recipe,
            self.load,
            self.own_framework,
            self.framework.era(self.version, self.date),
            self.cluster.domain_size,
            self.expert_load_cv,
            even=self.reading != "calibrated",
        )

    @cached_property
    def layers(self) -> Any:
        """How many layers of each kind a stage has: see `passes.layers_on_stages`."""
        return layers_on_stages(self.count, self.n_rows)

    @cached_property
    def scopes(self) -> tuple[dict[str, str], ...]:
        """Places of the effects: one mapping a framework and era that the name stands for.

        The pair is the era alone: one that was not measured scatters more.
        """
        members = members_of(self.framework, self.version, self.date)
        chip = self.cluster.chip
        return tuple(scopes_of(chip, f, e) | {"pair": f"pair {e.id}"} for f, e in members)

    @cached_property
    def calibration(self) -> Calibration:
        """Constants of the kernels and effects of the framework."""
        if self.fitted is not None:
            return self.fitted
        constants = self.constants or training_constants()
        resolved = resolved_over(constants, self.scopes, training_effect_kinds())
        values = {n: r.value for n, r in resolved.items()}
        return Calibration(
            platform=Platform(self.cluster),
            effects=self._under_load(dict.fromkeys(_OF_ENGINES, 1.0) | values),
            effect_sigmas={n: r.sigma for n, r in resolved.items()},
            scopes=self.scopes,
            constants=constants,
        )

    def under(self, cal: Calibration) -> TrainingJob:
        """The same job under other constants and rates; what is counted of it stays."""
        found = replace(self, fitted=cal, cluster=cal.cluster)
        found.__dict__["count"] = self.count
        return found

    def with_effects(self, effects: Mapping[str, Any]) -> TrainingJob:
        """The same job under other values of effects, which may be columns beside its rows."""
        cal = self.calibration
        return replace(
            self, fitted=replace(cal, effects=self._under_load({**cal.effects, **effects}))
        )

    def _under_load(self, effects: dict[str, Any]) -> dict[str, Any]:
        """Effects with the clock that the chip holds under its power limit."""
        chip = self.cluster.chip
        peak = chip.peak.get("bf16")
        if chip.tdp is None or peak is None:
            return effects
        beside = chip_named(_REFERENCE)
        assert beside.tdp is not None
        reference = beside.tdp / beside.peak["bf16"]
        clock = sustained_clock(chip.tdp, peak, reference, effects["power"])
        return {**effects, SUSTAINED: clock}

    def scatter(self, metric: str) -> float:
        """Standard deviation of ln(predicted / measured) on models left out of the fit. [1]"""
        cal = self.calibration
        own = cal.scatter("training", metric)
        seen = () if cal.constants is None else cal.constants.seen
        unlike = any(at["family"] not in seen for at in cal.scopes)
        return math.hypot(own, _NEW_FAMILY) if unlike else own

    @property
    def schedule(self) -> str:
        """Of pipeline stages: the given one, else interleaved where stages have several chunks."""
        if self.recipe.schedule is not None:
            return self.recipe.schedule
        return "interleaved" if np.any(self.layout.vp > 1) else "1f1b"

    @property
    def micro_batches(self) -> Any:
        """Micro-batches of an optimizer step on each data-parallel rank. [1]"""
        return self.load.global_batch / (self.layout.dp * self.recipe.micro_batch)

    @property
    def n_chips(self) -> Any:
        """Chips of the job."""
        layout = self.layout
        return layout.tp * layout.pp * layout.cp * layout.dp

    @cached_property
    def n_rows(self) -> int:
        """Jobs side by side: the length of the arrays among its numbers."""
        records = (self.layout, self.recipe, self.load)
        found = [
            np.size(v)
            for r in records
            for v in r.__dict__.values()
            if np.ndim(v) == 1 and not isinstance(v, tuple)
        ]
        return max(found, default=1)
