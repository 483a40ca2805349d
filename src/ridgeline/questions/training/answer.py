"""The answer to a question about training: a step, its parts and memory, and the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.questions.machine_words import machine_words
from ridgeline.questions.prices import price_words
from ridgeline.questions.training.groups import ops_of_stage
from ridgeline.questions.training.pictures import PICTURES, draw
from ridgeline.questions.training.sentences import sentences
from ridgeline.questions.training.tables import tables
from ridgeline.questions.training.words import part_words
from ridgeline.questions.training.working import explain
from ridgeline.steps.ideal import resources
from ridgeline.trainer.memory import LIKELY
from ridgeline.trainer.utilization import flops_by_convention, peak_flops_per_s

if TYPE_CHECKING:
    from ridgeline.answers import Table
    from ridgeline.charts import Chart
    from ridgeline.kernels.calibration import Calibration
    from ridgeline.questions.launch import Launch
    from ridgeline.questions.training.run import Run
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.training_scenario import TrainingScenario
    from ridgeline.trainer.changes import Change
    from ridgeline.trainer.job import TrainingJob
    from ridgeline.trainer.memory import TrainingMemory
    from ridgeline.trainer.step import TrainingStep

__all__ = ["Training"]

_ROUNDING = 1e-9


@dataclass(frozen=True, repr=False)
class Training(Answered):
    """One optimizer step of a model on a machine, and the run that it is a step of.

    Attributes
    ----------
    scenario : TrainingScenario   The question.
    job : TrainingJob             What is timed: model, machine, layout, recipe, load, framework.
    step : TrainingStep           Its time, by part, with its interval.
    memory : TrainingMemory or None   None for a model known by its counts alone.
    run : Run or None             None where no tokens of a run are given.
    price : Price or None
    changes : tuple of Change     The cheapest that would make it fit, where it does not.
    notes : tuple of str          What a careful reader should know about the inputs.
    why_layout : str              How layout and batch were chosen, where they were not given.
    """

    scenario: TrainingScenario
    job: TrainingJob
    step: TrainingStep
    memory: TrainingMemory | None
    run: Run | None
    price: Price | None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    why_layout: str = ""

    @property
    def reading(self) -> str:
        """``blackboard``, ``ideal`` or ``calibrated``."""
        return self.job.reading

    @property
    def is_calibrated(self) -> bool:
        """Whether times are what frameworks reach, and not lower bounds."""
        return self.reading == "calibrated"

    @property
    def model(self) -> Model:
        """The model, as it was named."""
        return self.job.model

    @property
    def on(self) -> Calibration | Cluster:
        """What ops are timed by: constants of kernels, or the machine's datasheet peaks."""
        return self.job.calibration if self.is_calibrated else self.job.cluster

    @property
    def step_s(self) -> float:
        """Time of an optimizer step. [s]"""
        return _one(self.step.time_s)

    @property
    def interval_s(self) -> tuple[float, float] | None:
        """Where 80% of measurements lie; None for a lower bound. [s]"""
        if self.step.low_s is None:
            return None
        return _one(self.step.low_s), _one(self.step.high_s)

    @cached_property
    def parts_s(self) -> dict[str, float]:
        """Parts of the step's time, which add up to it; what rounding leaves is none. [s]"""
        found = {name: _one(value) for name, value in self.step.parts_s.items()}
        return {name: s if abs(s) > _ROUNDING * self.step_s else 0.0 for name, s in found.items()}

    @property
    def tokens_per_s_per_chip(self) -> float:
        """[tokens/s]"""
        return self.job.load.tokens / self.step_s / self.job.n_chips

    @cached_property
    def flops(self) -> dict[str, float]:
        """FLOPs of a step in each convention; the blackboard's own in its reading. [FLOP]"""
        return {name: _one(value) for name, value in flops_by_convention(self.job).items()}

    @cached_property
    def utilization(self) -> dict[str, float]:
        """Model (or hardware) FLOPs utilization in each convention. [1]"""
        most = self.step_s * self.job.n_chips * peak_flops_per_s(self.job)
        return {name: value / most for name, value in self.flops.items()}

    @property
    def bubble_share(self) -> float:
        """Of the step, what stages wait for each other. [1]"""
        return _one(self.step.bubble_share)

    @property
    def fits_probability(self) -> float | None:
        """That the fullest chip's memory suffices; None where it is not known. [1]"""
        return None if self.memory is None else _one(self.memory.fits_probability)

    @property
    def name(self) -> str:
        """Model and machine in a few words."""
        machine = machine_words(self.job.cluster, self.job.n_chips)
        return f"{self.model.name or self.model.id} on {machine}"

    def part_words(self, part: str) -> str:
        """What a part of the step's time is called, in this reading."""
        if part == "products" and self.reading == "blackboard":
            return "6 N D at peak"
        if part == "products" and self.reading == "ideal":
            return f"{self._busiest}, the busiest"
        return part_words(self.job.model, part)

    @cached_property
    def _busiest(self) -> str:
        """The resource that decides an ideal step's passes on the slowest stage."""
        stage = int(_one(self.step.stage))
        asked = {"arithmetic": 0.0, "memory": 0.0, "links": 0.0}
        for timed in ops_of_stage(self.job, stage, self.job.cluster):
            used = resources([timed.op], self.job.cluster)
            asked["arithmetic"] += timed.n * _one(used.compute_s)
            asked["memory"] += timed.n * _one(used.weights_s + used.kv_s)
            asked["links"] += timed.n * max(_one(used.scale_up_s), _one(used.scale_out_s))
        return max(asked, key=lambda name: asked[name])

    def sentences(self) -> list[str]:
        """The answer in a few sentences."""
        return sentences(self)

    def command(self, tool: str) -> Launch:
        """What starts the job as it was timed.

        Parameters
        ----------
        tool : str   ``megatron-lm``, ``megatron-bridge``, ``nemo``, ``torchtitan``,
                     ``deepspeed`` or ``maxtext``.

        Raises
        ------
        CatalogError      Nobody knows the tool.
        InfeasibleError   It cannot run the job; says why, and which tools can.
        """
        from ridgeline.questions.training.launch import start_training  # noqa: PLC0415

        found = start_training(self.job, tool, self.run and self.run.n_steps)
        if self.fits_probability is None or self.fits_probability >= LIKELY:
            return found
        note = (
            f"By this estimate memory suffices with a probability of {self.fits_probability:.0%}."
        )
        return replace(found, notes=(note, *found.notes))

    def explain(self) -> str:
        """The working: every term of the step with its numbers."""
        return explain(self)

    def chart(self, name: str = "time") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``time`` (the waterfall), ``schedule``, ``memory`` or ``memory-over-time``.

        Raises
        ------
        SpecError   There is no such picture, or none of this answer.
        """
        return draw(self, name)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Where time and memory go, stages, parallel groups, the run."""
        return tables(self)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Single numbers by name."""
        low, high = self.interval_s or (None, None)
        found: dict[str, Any] = {
            "step_s": self.step_s,
            "step_low_s": low,
            "step_high_s": high,
            "tokens_per_step": self.job.load.tokens,
            "n_chips": self.job.n_chips,
            "tokens_per_s": self.job.load.tokens / self.step_s,
            "tokens_per_s_per_chip": self.tokens_per_s_per_chip,
            "bubble_share": self.bubble_share,
        }
        for name, value in self.utilization.items():
            found[f"{'hfu' if name == 'hardware' else f'mfu_{name.lower()}'}"] = value
        if self.memory is not None:
            found |= {
                "memory_bytes_per_chip": _one(self.memory.needed_bytes),
                "memory_margin_bytes": _one(self.memory.margin_bytes),
                "fits_probability": self.fits_probability,
            }
        if self.run is not None:
            run = self.run
            found |= {
                "n_steps": run.n_steps,
                "run_s": run.total_s,
                "chip_hours": run.chip_hours(run.total_s),
                "usd": run.usd(run.total_s),
                "energy_wh": run.energy_wh(run.total_s),
                "interruptions": run.interruptions,
                "lost_share": run.lost_share,
                "checkpoint_interval_s": run.interval_s,
                "checkpoint_write_s": run.write_s,
            }
        return found

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`."""
        return Answer(
            question="training",
            title=self.name,
            sentences=tuple(self.sentences()),
            tables=self.tables,
            values=self.values,
            charts={name: partial(self.chart, name) for name in PICTURES if self._draws(name)},
            notes=self.notes,
            provenance=self._about,
        )

    def _draws(self, name: str) -> bool:
        return PICTURES[name](self) == ""

    @property
    def _about(self) -> dict[str, Any]:
        job = self.job
        return {
            "reading": job.reading,
            "layout": job.layout.model_dump(mode="json"),
            "recipe": job.recipe.model_dump(mode="json"),
            "load": job.load.model_dump(mode="json"),
            "model": job.model.id,
            "cluster": job.cluster.id,
            "chip": job.cluster.chip.id,
            "n_chips": job.n_chips,
            "framework": job.framework.id if self.is_calibrated else None,
            "era": job.framework.era(job.version, job.date).id if self.is_calibrated else None,
            "price": None
            if self.price is None
            else self.price.model_dump(exclude_none=True) | {"words": price_words(self.price)},
            "sources": {
                k: s.model_dump(exclude_none=True) for k, s in job.cluster.chip.sources.items()
            },
            "scenario": self.scenario.to_dict(),
        }


def _one(value: Any) -> float:
    """The number of a job's only row."""
    return float(np.ravel(np.asarray(value, dtype=float))[0])
