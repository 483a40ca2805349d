"""From a scenario of reinforcement learning to a rollout and a training job, said once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ridgeline import catalog
from ridgeline.answers.words import counted
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.laws.rollouts import packed_sequences
from ridgeline.laws.schedules import schedule_problem
from ridgeline.questions.prices import prices_of
from ridgeline.questions.rl_step.algorithms import ALGORITHMS
from ridgeline.questions.setup import Setup, one_machine
from ridgeline.questions.training.legal import check_job, check_precision
from ridgeline.questions.training.plain import chosen_job
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.replica import Replica
from ridgeline.service.rollout import Rollout
from ridgeline.specs.layout import Layout
from ridgeline.specs.scenario import Scenario
from ridgeline.specs.training import TrainingLoad
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.steps.layouts import check_engine, check_layout
from ridgeline.steps.machine import compute_dtype

if TYPE_CHECKING:
    from ridgeline.catalog import MachineNamed
    from ridgeline.questions.rl_step.algorithms import Passes
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.rl_scenario import RLScenario
    from ridgeline.trainer.job import TrainingJob

__all__ = ["RLSetup"]

_ROUNDING = 1e-9
#: parts into which chips are divided to find how many should generate
_SPLITS = 8
_NO_DEGREE = InfeasibleError("No chips are left to generate: name more (--gen-chips).")


@dataclass(frozen=True)
class RLSetup:
    """What a scenario of reinforcement learning means.

    Attributes
    ----------
    scenario : RLScenario
    given_machine : MachineNamed or None   Found already; None to look it up.
    split : int or None         Chips that only generate, where nobody says; None for half. [1]
    """

    scenario: RLScenario
    given_machine: MachineNamed | None = None
    split: int | None = None

    @cached_property
    def model(self) -> Model:
        """The model; formats are chosen for generation and for training apart."""
        named = self.scenario.model
        return catalog.model(named) if isinstance(named, str) else named

    @cached_property
    def named(self) -> MachineNamed:
        """The machine, and how much of it is meant.

        Raises
        ------
        SpecError   Several machines.
        """
        return one_machine(self.scenario.machines, self.given_machine)

    @property
    def cluster(self) -> Cluster:
        """The machine that both sides are on."""
        return self.named.cluster

    @property
    def passes(self) -> Passes:
        """Passes of the algorithm over each sample."""
        return ALGORITHMS[self.scenario.rollout.algorithm]

    @property
    def n_samples(self) -> int:
        """Samples of a step. [1]"""
        return self.scenario.rollout.prompts * self.scenario.rollout.samples

    @property
    def mean_tokens(self) -> float:
        """Of a sample with its prompt. [tokens]"""
        return self.scenario.rollout.isl.mean + self.scenario.rollout.osl.mean

    @cached_property
    def price(self) -> Price | None:
        """The price per chip-hour; None where none is known."""
        return prices_of([self.cluster], self.scenario.price).prices[0]

    @cached_property
    def n_chips(self) -> int:
        """Chips of the step, on both sides.

        Raises
        ------
        InfeasibleError   More than there are, or too few to divide.
        """
        asked, named, whole = self.scenario.layout.chips, self.named, self.cluster.n_chips
        own = self.scenario.generation.chips or 0
        if asked is not None and self.scenario.rollout.off_policy:
            n = asked + (own or asked)
        elif asked is not None:
            n = asked
        else:
            n = named.n_chips or (self.cluster.chips_per_host if named.is_chip else whole)
        if n > whole and not named.is_chip:
            more = -(-n // self.cluster.domain_size)
            raise InfeasibleError(
                f"There are {whole:,} chips in {self.cluster.name}, not {n:,}: name more of it, "
                f"such as {more}x{self.cluster.id}."
            )
        return n

    @cached_property
    def n_generating(self) -> int:
        """Chips that generate: all of them on policy, else those of their own.

        Raises
        ------
        InfeasibleError   None is left for training.
        """
        if not self.scenario.rollout.off_policy:
            return self.n_chips
        asked = self.scenario.generation.chips
        own = asked if asked is not None else self.split or self.n_chips // 2
        if not 0 < own < self.n_chips:
            raise InfeasibleError(
                f"gen_chips (--gen-chips {own:,}) of {self.n_chips:,} chips: off-policy, training "
                "needs some of its own; name fewer, or a larger machine."
            )
        return own

    @property
    def splits(self) -> list[int]:
        """Chips that may generate where nobody says: eighths of all, in whole domains. [1]"""
        asked, n = self.scenario, self.n_chips
        if not asked.rollout.off_policy or asked.generation.chips or asked.layout.chips:
            return []
        unit = self.cluster.domain_size if n > self.cluster.domain_size else 1
        eighths = (round(n * k / _SPLITS / unit) * unit for k in range(1, _SPLITS))
        return sorted({one for one in eighths if 0 < one < n})

    @property
    def n_training(self) -> int:
        """Chips that train. [1]"""
        apart = self.scenario.rollout.off_policy
        return self.n_chips - self.n_generating if apart else self.n_chips

    # --- generation

    @cached_property
    def rollout(self) -> Rollout:
        """The samples of a step on one generating replica.

        Raises
        ------
        InfeasibleError   A layout that cannot be, or that has no memory for one sample.
        """
        asked = self.scenario.generation.degrees
        if asked or self._reading == "blackboard":
            found = self._rollout(self._layout(asked))
            if found.slots < 1:
                raise InfeasibleError(self._no_room(found))
            return found
        tried, refused = [], None
        for tp in self._powers:
            try:
                tried.append(self._rollout(self._layout({"tp": tp})))
            except InfeasibleError as error:
                refused = refused or error
        fits = [one for one in tried if one.slots >= 1]
        if not fits:
            raise InfeasibleError(self._no_room(tried[-1])) if tried else refused or _NO_DEGREE
        return min(fits, key=lambda one: one.time_s)

    @property
    def _powers(self) -> list[int]:
        return [2**i for i in range(11) if self.n_generating % 2**i == 0]

    def _no_room(self, found: Rollout) -> str:
        return (
            f"A generating replica of {found.replica.n_chips:,} x {self.cluster.chip.name} has no "
            f"memory for one sample beside the weights of {self.model.id}: take more chips for one "
            "(--gen-tp, --gen-pp), narrower weights (--gen-weights), or a larger share of memory "
            "(--memory-utilization)."
        )

    def _layout(self, degrees: dict[str, int]) -> Layout:
        if self._reading == "blackboard" and not degrees:
            return Layout(tp=self.n_generating)
        own = math.prod(degrees.get(n, 1) for n in ("tp", "pp", "attn_dp"))
        whole, over = divmod(self.n_generating, own)
        if over or not whole:
            raise InfeasibleError(
                f"A generating replica of {own:,} chips does not divide the {self.n_generating:,} "
                "that generate: change --gen-tp, --gen-pp or --gen-attn-dp."
            )
        try:
            return Layout(**degrees, replicas=whole)
        except SpecError as error:
            raise InfeasibleError(
                f"A generating replica of {own:,} chips: {str(error).rpartition(': ')[2]} Change "
                "--gen-ep, --gen-attn-dp or --gen-tp."
            ) from None

    @property
    def _reading(self) -> str:
        return self._serving.reading

    @cached_property
    def _serving(self) -> Setup:
        """The scenario as one of serving: model, engine and formats of the generating side."""
        asked, own = self.scenario.rollout, self.scenario.generation
        scenario = Scenario.of(
            self.model,
            self.cluster,
            isl=asked.isl,
            osl=asked.osl,
            weights=own.weights,
            engine=own.engine,
            engine_version=own.engine_version or None,
            memory_utilization=own.memory_utilization,
            max_sequences=own.max_sequences,
            reading=self.scenario.reading,
        )
        return Setup(scenario, scenario.workload)

    def _rollout(self, layout: Layout) -> Rollout:
        serving, asked = self._serving, self.scenario.rollout
        engine = serving.engine_on(self.cluster.chip)
        if self._reading != "blackboard":
            check_layout(serving.model, layout, self.n_generating)
            check_engine(engine, layout)
            self._check_weights(serving.model)
        replica = Replica(
            model=serving.model,
            cluster=self.cluster,
            layout=layout,
            engine=engine,
            version=self.scenario.generation.engine_version,
            formats=serving.formats,
            reading=self._reading,
        )
        ahead = max(asked.off_policy, 1)
        return Rollout(
            replica=replica,
            isl=asked.isl.mean,
            lengths=asked.osl,
            n=ahead * self.n_samples / layout.replicas,
            n_all=ahead * self.n_samples,
            per_prompt=asked.samples,
            max_sequences=self.scenario.generation.max_sequences,
        )

    def _check_weights(self, model: Model) -> None:
        """A format chosen by name must be one that the chip multiplies."""
        chip, dtype = self.cluster.chip, catalog.dtype(model.weight_dtype)
        if dtype.compute[0] not in chip.peak and dtype.compute[0] != "bf16":
            raise InfeasibleError(
                f"{chip.name} has no {dtype.compute[0]} arithmetic (it has "
                f"{', '.join(chip.peak)}), so it cannot generate with {dtype.id} weights: choose "
                "others (--gen-weights), or another chip."
            )

    # --- training

    @cached_property
    def training(self) -> TrainingSetup:
        """The scenario as one of training, before samples are packed."""
        own = self.scenario
        scenario = TrainingScenario(
            model=self.model,
            machine=(self.cluster,),
            reading=own.reading,
            load={"seq": self._seq(1)},  # pyright: ignore[reportArgumentType]
            layout=own.layout.model_copy(update={"chips": self.n_training}),
            recipe=own.recipe,
            framework=own.framework,
            price=own.price,
        )
        return TrainingSetup(scenario, None, self.named)

    def _seq(self, parts: int) -> int:
        return -(-self.scenario.seq // parts) * parts

    @cached_property
    def job(self) -> TrainingJob:
        """One optimizer step on packed (or padded) samples.

        Raises
        ------
        InfeasibleError   A layout that cannot be, or more ranks than samples.
        """
        setup = self.training
        check_precision(setup.job(setup.layout({}), setup.recipe()))
        nominal = chosen_job(setup).job
        check_job(nominal, self.n_training)
        ranks = nominal.layout.dp
        n = self.n_samples / self.scenario.rollout.updates
        if n < ranks:
            raise InfeasibleError(
                f"{counted(int(n), 'sample')} of an update on {ranks:,} data-parallel ranks: each "
                "needs one at least; take fewer ranks (more --tp, --cp or --pp, or fewer --chips), "
                "fewer --updates, or more --prompts or --samples."
            )
        return replace(
            nominal,
            load=self._load(nominal, n / ranks),
            recipe=nominal.recipe.model_copy(update={"micro_batch": 1}),
        )

    def _load(self, job: TrainingJob, each: float) -> TrainingLoad:
        """Sequences of an update, with `each` samples on a rank."""
        asked, layout = self.scenario.rollout, job.layout
        parts = math.lcm(2 * layout.cp if layout.cp > 1 else 1, layout.cp * layout.tp)
        beside = job.recipe.micro_batch
        capacity = self.scenario.seq * beside
        if not asked.packing:
            n = _taken(job, math.ceil(each / beside))
            return TrainingLoad(
                seq_len=self._seq(parts) * beside,
                global_batch=n * layout.dp,
                document=self._seq(parts) if beside > 1 else None,
            )
        fewest = packed_sequences(each, self.mean_tokens, self._share_long, capacity)
        n = _taken(job, math.ceil(fewest - _ROUNDING))
        tokens = each * self.mean_tokens / n
        seq = max(round(tokens / parts), 1) * parts
        # What attends is longer than the mean: weighted by its own length, prompt and all.
        prompt, answer = asked.isl.mean, asked.osl
        squares = prompt**2 + 2 * prompt * answer.mean + answer.second_moment
        own = squares / self.mean_tokens
        return TrainingLoad(
            seq_len=seq, global_batch=n * layout.dp, document=max(min(round(own), seq), 1)
        )

    @property
    def _share_long(self) -> float:
        """Of the samples, those longer than half of a packed sequence. [1]"""
        asked, beside = self.scenario.rollout, self.scenario.recipe.micro_batch
        half = self.scenario.seq * beside / 2 - asked.isl.mean
        grid = asked.osl.quantiles(1024)
        return float((grid > half).mean())

    @property
    def peak_flops_per_s(self) -> float:
        """Datasheet peak of the generating side's arithmetic on one chip. [FLOP/s]"""
        chip = self.cluster.chip
        dtype = catalog.dtype(self._serving.model.weight_dtype)
        return chip.peak[compute_dtype(dtype, chip)]


def _taken(job: TrainingJob, n: int) -> int:
    """Micro-batches that the schedule takes, as many as `n` at least. [1]"""
    pp = job.layout.pp
    chunks = job.layout.vp if job.layout.vp > 1 else None
    more = range(n, n + 4 * pp)
    return next((m for m in more if not schedule_problem(job.schedule, pp, m, chunks)), n)
