"""One machine of a training search: its rows in words, in money and in energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.questions.training.question import train
from ridgeline.questions.training.token_costs import token_costs
from ridgeline.questions.training_layouts.simplicity import simplicity
from ridgeline.questions.training_layouts.words import job_name
from ridgeline.specs.training import TrainingLayout
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.questions.training import Training
    from ridgeline.questions.training.setup import TrainingSetup
    from ridgeline.questions.training_layouts.search import TrainingSearch
    from ridgeline.questions.training_layouts.space import Space
    from ridgeline.specs.price import Price
    from ridgeline.trainer.job import TrainingJob

__all__ = ["MachineSearch"]

Row = dict[str, Any]
_ROUNDING = 1e-9
_ORDER = TrainingLayout.model_fields["order"].default


@dataclass(frozen=True)
class MachineSearch:
    """All layouts of one machine, evaluated.

    Attributes
    ----------
    search : TrainingSearch
    price : Price or None   Per chip-hour, of those of all machines that are compared.
    """

    search: TrainingSearch
    price: Price | None

    @property
    def setup(self) -> TrainingSetup:
        """What the question means on this machine."""
        return self.search.setup

    @property
    def space(self) -> Space:
        """What was tried."""
        return self.search.space

    @cached_property
    def key(self) -> str:
        """Number and kind of chips, as a machine is named on the command line."""
        cluster, n = self.setup.cluster, self.setup.n_chips
        domains, rest = divmod(n, cluster.domain_size)
        if rest or cluster.domain_size == 1:
            return f"{n} x {cluster.chip.id}"
        return cluster.id if domains == 1 else f"{domains}x{cluster.id}"

    @property
    def words(self) -> str:
        """Number of chips and their name."""
        return f"{self.setup.n_chips:,} x {self.setup.cluster.chip.name}"

    def job(self, row: Row) -> TrainingJob:
        """The job of a row."""
        return self.search.job(row)

    @cached_property
    def best_of(self) -> dict[str, dict[Any, Row | None]]:
        """Of each value of each axis the fastest row that fits; None where none does."""
        return {
            axis: {v: None if r is None else self._described(r) for v, r in found.items()}
            for axis in self.space.values
            for found in [self.search.best_of(axis)]
        }

    def tells(self, axis: str, value: Any) -> bool:
        """Whether a value is a family by itself: that others would not tell, and that can matter.

        No schedule is one stage, which the family of PP tells. What is legal but changes nothing
        beside all that was tried (chunks of one stage) is no family.
        """
        if axis == "schedule" and (value is None or self.space.values["pp"] == (1,)):
            return False
        return self.search.refused.get((axis, value)) != ""

    def described(self, rows: Iterable[Row]) -> list[Row]:
        """Rows with machine, layout in words, dollars and energy of a million tokens."""
        return [self._described(row) for row in rows]

    def _described(self, row: Row) -> Row:
        n_chips = self.setup.n_chips
        about: Row = {"cluster": self.key, "n_chips": n_chips, "layout": job_name(self.job(row))}
        tokens = row["tokens_per_s_per_chip"] * n_chips * row["time_s"]
        cost = token_costs(self.setup.cluster, self.price, row["time_s"], tokens, n_chips)
        return about | row | {"usd_per_mtok": cost.usd_per_mtok, "wh_per_mtok": cost.wh_per_mtok}

    def simplicity(self, row: Row) -> tuple[int, ...]:
        """How simple a row's layout is."""
        return simplicity(self.job(row))

    def with_step(self, row: Row) -> Row:
        """A row with its 80% interval, and what stages wait for each other."""
        step = job_step(self.job(row), interval=True)
        bubble = float(np.ravel(step.bubble_share)[0])
        found = {**row, "bubble_share": bubble if bubble > _ROUNDING else 0.0}
        if step.low_s is not None:
            found["time_low_s"] = float(np.ravel(step.low_s)[0])
            found["time_high_s"] = float(np.ravel(step.high_s)[0])
        return found

    def options(self, row: Row) -> dict[str, Any]:
        """The options of `rl.training` that make a row's job."""
        job = self.job(row)
        layout, recipe = job.layout, job.recipe
        found: dict[str, Any] = {
            name: getattr(layout, name)
            for name in ("tp", "pp", "cp", "dp", "ep", "expert_tp", "zero", "sequence_parallel")
        }
        # What is of stages, shards or parts of a sequence goes with them alone.
        found["vp"] = layout.vp if layout.pp > 1 else None
        found["shard"] = layout.shard if layout.zero else None
        found["cp_kind"] = layout.cp_kind if layout.cp > 1 else None
        found |= {"order": layout.order} if layout.order != _ORDER else {}
        found |= {
            "micro_batch": recipe.micro_batch,
            "schedule": recipe.schedule,
            "recompute": recipe.recompute,
            "offload": recipe.offload,
            "global_batch": job.load.global_batch,
        }
        if recipe.recompute == "layers":
            found["recompute_layers"] = recipe.recompute_layers
        if getattr(recipe, "overlap", None) is not None:
            found["overlap"] = recipe.overlap  # pyright: ignore[reportAttributeAccessIssue]
        return found

    def training(self, row: Row) -> Training:
        """The answer of `rl.training` to a row's options."""
        scenario = self.setup.scenario.with_options(**self.options(row))
        setup = self.setup
        return train(scenario, named=setup.named, framework=setup.given_framework)
