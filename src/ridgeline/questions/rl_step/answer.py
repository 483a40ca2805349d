"""The answer to the question about one step of reinforcement learning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.kernels.spread import Z80
from ridgeline.laws.budget import FORWARD_FLOPS, token_flops
from ridgeline.laws.economics import cost_per_step_usd, cost_usd_per_mtok
from ridgeline.laws.rollouts import (
    off_policy_step_s,
    rl_factor_at,
    rl_flops_per_param_and_token,
)
from ridgeline.questions.rl_step.pictures import PICTURES, draw
from ridgeline.questions.rl_step.tables import tables
from ridgeline.questions.rl_step.words import sentences
from ridgeline.questions.rl_step.working import explain
from ridgeline.specs.arguments import Amount, reads
from ridgeline.specs.ranges import MFU
from ridgeline.steps.counts import counts
from ridgeline.trainer.memory import LIKELY
from ridgeline.trainer.utilization import passes_over_weights, peak_flops_per_s

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.rl_step.algorithms import Passes
    from ridgeline.service.rollout import Rollout
    from ridgeline.specs.price import Price
    from ridgeline.specs.rl_scenario import RLScenario
    from ridgeline.trainer.job import TrainingJob
    from ridgeline.trainer.memory import TrainingMemory

__all__ = ["PARTS", "RLStep"]

#: of all chips' time, in the order of the step
PARTS = ("prompts", "decode", "tail", "logprobs", "updates", "sync", "swap", "idle")


@dataclass(frozen=True, repr=False)
class RLStep(Answered):
    """One step of reinforcement learning.

    Attributes
    ----------
    scenario : RLScenario      What was asked.
    rollout : Rollout          Samples on one generating replica.
    job : TrainingJob          One optimizer step on packed samples.
    memory : TrainingMemory or None   Of training; None for a model known by its counts alone.
    passes : Passes            Of the algorithm over each sample.
    price : Price or None
    n_generating, n_training : int   Chips of each side; on policy the same ones. [1]
    generation_s : float       Of the samples of one step. [s]
    logprobs_s : float         Forward passes of policy, reference, critic. [s]
    updates_s : float          Optimizer steps on all samples. [s]
    sync_s : float             New weights to the generating chips. [s]
    swap_s : float             What the trained models keep, to the host's memory and back. [s]
    training_sigma : float     Standard deviation of ln(time) of an optimizer step. [1]
    scatter : float            The same that loops add of which none was fitted. [1]
    peak_flops_per_s : float   Of a chip, in the generating side's arithmetic. [FLOP/s]
    why_split : str            How the split of chips came about; empty where it was given.
    notes : tuple of str       What a careful reader should know.
    """

    scenario: RLScenario
    rollout: Rollout
    job: TrainingJob
    memory: TrainingMemory | None
    passes: Passes
    price: Price | None
    n_generating: int
    n_training: int
    generation_s: float
    logprobs_s: float
    updates_s: float
    sync_s: float
    swap_s: float
    training_sigma: float
    scatter: float
    peak_flops_per_s: float
    why_split: str = ""
    notes: tuple[str, ...] = ()

    @property
    def reading(self) -> str:
        """``blackboard``, ``ideal`` or ``calibrated``."""
        return self.job.reading

    @property
    def is_calibrated(self) -> bool:
        """Whether times are what engines and frameworks reach, and not lower bounds."""
        return self.reading == "calibrated"

    @property
    def steps_off(self) -> int:
        """Updates that samples may be behind; 0 on policy. [1]"""
        return self.scenario.rollout.off_policy

    @property
    def n_chips(self) -> int:
        """Of both sides. [1]"""
        return self.n_training + (self.n_generating if self.steps_off else 0)

    @property
    def training_s(self) -> float:
        """Log-probabilities and updates. [s]"""
        return self.logprobs_s + self.updates_s

    @property
    def step_s(self) -> float:
        """From one update of the generating weights to the next. [s]"""
        moved = self.sync_s + self.swap_s
        return float(off_policy_step_s(self.generation_s, self.training_s, moved, self.steps_off))

    @cached_property
    def interval_s(self) -> tuple[float, float] | None:
        """Where 80% of measurements lie; None for a lower bound. [s]

        Errors of generation and of training are taken as independent; of two sides at once, the
        slower one's counts.
        """
        if not self.is_calibrated:
            return None
        terms = [
            (self.generation_s, self.rollout.sigma),
            (self.training_s, self.training_sigma),
        ]
        if self.steps_off:
            terms = [max(terms)]
        sigmas = [s / self.step_s * sigma for s, sigma in terms]
        reach = math.exp(Z80 * math.hypot(self.scatter, *sigmas))
        return self.step_s / reach, self.step_s * reach

    # --- shares

    @cached_property
    def parts_s(self) -> dict[str, float]:
        """Time of each part, weighted by the share of all chips that it keeps busy. [s]

        They add up to the step: what one side waits for the other is ``idle``, what a replica waits
        for its longest samples ``tail``.
        """
        made, trained = self.n_generating / self.n_chips, self.n_training / self.n_chips
        own = self.generation_s / self.rollout.time_s
        prompts, tail = own * self.rollout.prompts_s, own * self.rollout.tail_s
        found = {
            "prompts": made * prompts,
            "decode": made * (self.generation_s - prompts - tail),
            "tail": made * tail,
            "logprobs": trained * self.logprobs_s,
            "updates": trained * self.updates_s,
            "sync": self.sync_s,
            "swap": self.swap_s,
        }
        return found | {"idle": self._idle_s}

    @property
    def _idle_s(self) -> float:
        """What the faster side waits, by its share of all chips; 0 on policy. [s]"""
        if not self.steps_off:
            return 0.0
        waits = self.training_s - self.generation_s
        return abs(waits) * (self.n_generating if waits > 0 else self.n_training) / self.n_chips

    @property
    def shares(self) -> dict[str, float]:
        """Share of all chips' time by part; they add up to one. [1]"""
        return {name: s / self.step_s for name, s in self.parts_s.items()}

    # --- tokens and FLOPs

    @property
    def n_samples(self) -> int:
        """Samples of a step. [1]"""
        return self.scenario.rollout.prompts * self.scenario.rollout.samples

    @property
    def generated_tokens(self) -> float:
        """Tokens that a step generates. [tokens]"""
        return self.n_samples * self.scenario.rollout.osl.mean

    @property
    def tokens(self) -> float:
        """Tokens of a step, prompts among them, as frameworks count what they train on. [tokens]"""
        return self.n_samples * (self.scenario.rollout.isl.mean + self.scenario.rollout.osl.mean)

    @property
    def tokens_per_s_per_chip(self) -> float:
        """Of `tokens`. [tokens/s]"""
        return self.tokens / self.step_s / self.n_chips

    @property
    def n_params_active(self) -> float:
        """Parameters that multiply for one token. [1]"""
        return float(counts(self.rollout.replica.model).n_params_active)

    @property
    def trained_flops(self) -> int:
        """FLOPs per parameter and token of a model that is trained: 6; 4 of frozen weights. [1]"""
        return FORWARD_FLOPS * passes_over_weights(self.job)

    @property
    def flops_per_param_and_token(self) -> int:
        """FLOPs of a step over N D: generation 2, each forward pass 2, each trained model 6. [1]

        4 of one whose weights are frozen, so that only adapters learn.
        """
        passes = self.passes
        return rl_flops_per_param_and_token(passes.forward, passes.trained, self.trained_flops)

    @property
    def decode_mfu(self) -> float:
        """Use of the peak by generation, its tail among it: 2 N FLOPs for a generated token. [1]"""
        flops = token_flops(FORWARD_FLOPS, self.n_params_active, self.generated_tokens)
        return flops / (self.generation_s * self.n_generating * self.peak_flops_per_s)

    @property
    def training_mfu(self) -> float:
        """Use of the peak by updates: `trained_flops` N for a token, attention left out. [1]"""
        each = self.passes.trained * self.trained_flops
        flops = token_flops(each, self.n_params_active, self.tokens)
        return flops / (self.updates_s * self.n_training * peak_flops_per_s(self.job))

    @property
    def mfu(self) -> float:
        """Use of the peak by the whole step: k N D over all chips' time at the peak. [1]"""
        flops = token_flops(
            self.flops_per_param_and_token, self.n_params_active, self.generated_tokens
        )
        return flops / (self.step_s * self.n_chips * peak_flops_per_s(self.job))

    @reads(decode_mfu=MFU)
    def rl_factor(self, decode_mfu: Amount) -> float:
        """The RL factor of `rl.budget` that stands for this step beside an MFU of serving. [1]

        Parameters
        ----------
        decode_mfu : float   As the budget has it. [1]

        Raises
        ------
        SpecError   No MFU.
        """
        return float(rl_factor_at(self.flops_per_param_and_token, self.mfu, decode_mfu))

    @property
    def fits_probability(self) -> float | None:
        """That the memory of the fullest chip that trains suffices; None: not known. [1]"""
        if self.memory is None:
            return None
        return float(np.ravel(self.memory.fits_probability)[0])

    @property
    def fits(self) -> bool:
        """Whether training is expected to run, as far as its memory is known."""
        return self.fits_probability is None or self.fits_probability >= LIKELY

    @property
    def usd(self) -> float | None:
        """Rent of all chips for the step; None without a price. [USD]"""
        if self.price is None:
            return None
        return cost_per_step_usd(self.step_s, self.price.usd_per_chip_hour, self.n_chips)

    @property
    def usd_per_mtok(self) -> float | None:
        """Of `tokens`; None without a price. [USD/Mtok]"""
        if self.price is None:
            return None
        rent = self.price.usd_per_chip_hour
        return float(cost_usd_per_mtok(self.step_s, self.tokens, rent, self.n_chips))

    # --- as an answer

    @property
    def name(self) -> str:
        """Model and machine in a few words."""
        cluster = self.job.cluster
        whole, rest = divmod(self.n_chips, cluster.domain_size)
        machine = f"{self.n_chips:,} x {cluster.chip.name}"
        if cluster.domain_size > 1 and not rest:
            machine = cluster.name if whole == 1 else f"{whole:,} x {cluster.name}"
        return f"{self.job.model.name or self.job.model.id} on {machine}"

    def sentences(self) -> list[str]:
        """The answer in a few sentences."""
        return sentences(self)

    def explain(self) -> str:
        """The working: every term of the step with its numbers."""
        return explain(self)

    def chart(self, name: str = "time") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``time``: what the chips of each side do, one thing after another.

        Raises
        ------
        SpecError   There is no such picture.
        """
        return draw(self, name)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Single numbers by name."""
        low, high = self.interval_s or (None, None)
        return {
            "step_s": self.step_s,
            "step_low_s": low,
            "step_high_s": high,
            "generation_s": self.generation_s,
            "logprobs_s": self.logprobs_s,
            "updates_s": self.updates_s,
            "sync_s": self.sync_s,
            "swap_s": self.swap_s,
            **{f"{name}_share": share for name, share in self.shares.items()},
            "n_chips": self.n_chips,
            "n_samples": self.n_samples,
            "tokens_per_step": self.tokens,
            "generated_tokens_per_step": self.generated_tokens,
            "tokens_per_s_per_chip": self.tokens_per_s_per_chip,
            "longest_tokens": self.rollout.longest,
            "flops_per_param_and_token": self.flops_per_param_and_token,
            "decode_mfu": self.decode_mfu,
            "training_mfu": self.training_mfu,
            "mfu": self.mfu,
            "fits_probability": self.fits_probability,
            "usd": self.usd,
            "usd_per_mtok": self.usd_per_mtok,
        }

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`."""
        job, replica = self.job, self.rollout.replica
        return Answer(
            question="rl-step",
            title=self.name,
            sentences=tuple(self.sentences()),
            tables=tables(self),
            values=self.values,
            charts={name: partial(self.chart, name) for name in PICTURES},
            notes=self.notes,
            provenance={
                "reading": self.reading,
                "model": job.model.id,
                "cluster": job.cluster.id,
                "chip": job.cluster.chip.id,
                "n_chips": self.n_chips,
                "layout": job.layout.model_dump(mode="json"),
                "generation_layout": replica.layout.model_dump(mode="json"),
                "recipe": job.recipe.model_dump(mode="json"),
                "load": job.load.model_dump(mode="json"),
                "engine": replica.engine.id if self.is_calibrated else None,
                "framework": job.framework.id if self.is_calibrated else None,
                "scenario": self.scenario.to_dict(),
            },
        )
