"""The readings that a serving question can be asked in: how a step is timed, what a chip holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ridgeline.catalog import engine as engine_named
from ridgeline.grid import logspace
from ridgeline.laws.roofline import step_time_s
from ridgeline.laws.speculation import tokens_per_step
from ridgeline.questions.serving.laws_used import laws_used
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.steps import BOUNDS, balance, chip_capacity_bytes, decode_step
from ridgeline.steps.calibrated import BOUNDS as CALIBRATED_BOUNDS
from ridgeline.steps.calibrated import (
    Z80,
    CalibratedStep,
    Calibration,
    calibration,
    log_sigma,
    piece_time_s,
    step_seconds,
    time_step,
)
from ridgeline.steps.ideal import BOUNDS as IDEAL_BOUNDS
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.memory import MemoryPerChip, memory_per_chip
from ridgeline.steps.spread import input_log_variance
from ridgeline.steps.tokens import Group, chunks, decode, prefill
from ridgeline.steps.work import work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps import Balance, Counts, Machine
    from ridgeline.steps.work import Work

__all__ = [
    "Assumptions",
    "BlackboardReading",
    "CalibratedReading",
    "IdealReading",
    "Reading",
    "Span",
    "Times",
]


@dataclass(frozen=True, slots=True)
class Times:
    """A step and its parts over batch and context; `bound` is a code into the reading's bounds.

    `at_peak_s` is its FLOPs at the datasheet peak, for MFU, `read_at_peak_s` its reading, for MBU;
    `floor_s` is launches and host; `low_s` to `high_s` is the 80 % interval, where there is one.
    """

    time_s: Any
    compute_s: Any
    weight_fetch_s: Any
    kv_fetch_s: Any
    network_s: Any
    bound: Any
    at_peak_s: Any
    read_at_peak_s: Any
    floor_s: Any = 0.0
    low_s: Any = None
    high_s: Any = None


@dataclass(frozen=True, slots=True)
class Span:
    """A time with its 80 % interval, where there is one. [s]"""

    time_s: Any
    low_s: Any = None
    high_s: Any = None


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a step is taken to do besides its batch and context.

    Attributes
    ----------
    drafts, acceptance : array   Tokens drafted a sequence and step; how often one is accepted.
    popularity_cv : array        Spread of how often experts are chosen: see `laws.experts`.
    activation_dtype : str       Format of hidden states.
    """

    drafts: Any = 0
    acceptance: Any = 0.0
    popularity_cv: Any = EXPERT_POPULARITY_CV
    activation_dtype: str = "bf16"

    @property
    def tokens_per_step(self) -> Any:
        """Tokens a sequence gains in a step."""
        return tokens_per_step(self.drafts, self.acceptance)

    @property
    def has_drafts(self) -> bool:
        """Whether any are made, at any point."""
        return bool(np.any(np.asarray(self.drafts) > 0))


class Reading(Protocol):
    """How a step is timed. Batches are those of the whole system, all replicas together."""

    @property
    def name(self) -> str:
        """What the reading is called."""
        ...

    @property
    def bounds(self) -> tuple[str, ...]:
        """What can bind a step, by code."""
        ...

    @property
    def machine(self) -> Machine:
        """Chips seen as one."""
        ...

    @property
    def assume(self) -> Assumptions:
        """What a step is taken to do besides."""
        ...

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step."""
        ...

    def prefill(self, n: Any, tokens: float, prefix: float) -> Span:
        """Time the prefill of n prompts at once, each on a cached prefix."""
        ...

    def shared_s(self, batch: Any, context: Any, n: Any, tokens: float, prefix: float) -> Any:
        """Time a decode step that n prompts (on average) share. [s]"""
        ...

    def prompts_at_once(self, tokens: float) -> float:
        """Count the prompts that fill one replica's prefill step."""
        ...

    @property
    def n_replicas(self) -> int:
        """Copies of the model."""
        ...

    def held(self, context: Any) -> MemoryPerChip:
        """Count what the fullest chip holds."""
        ...

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """Add up what the fullest chip holds. [bytes]"""
        ...

    def landmarks(self, context: float) -> Balance:
        """Find where the regimes meet."""
        ...


@dataclass(frozen=True, slots=True)
class BlackboardReading:
    """The lecture's forms: all chips as one, ``max(compute, weights + KV)``."""

    counts: Counts
    machine: Machine
    name: str = "blackboard"
    bounds: tuple[str, ...] = BOUNDS
    assume: Assumptions = Assumptions()

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step: see `ridgeline.steps.decode_step`."""
        s = decode_step(self.counts, self.machine, batch, context)
        c = s.compute_s
        read = s.weight_fetch_s + s.kv_fetch_s
        return Times(s.time_s, c, s.weight_fetch_s, s.kv_fetch_s, 0.0, s.bound, c, read)

    def prefill(self, n: Any, tokens: float, prefix: float) -> Span:
        """Multiply all new tokens, read the weights once and each prefix once."""
        return Span(self.shared_s(0.0, 0.0, n, tokens, prefix))

    def shared_s(self, batch: Any, context: Any, n: Any, tokens: float, prefix: float) -> Any:
        """Weights are read once for both."""
        one = decode_step(self.counts, self.machine, batch, context)
        more = decode_step(self.counts, self.machine, n * tokens, 0.0)
        kept = decode_step(self.counts, self.machine, n, prefix)
        return step_time_s(
            one.compute_s + more.compute_s, one.weight_fetch_s, one.kv_fetch_s + kept.kv_fetch_s
        )

    def prompts_at_once(self, tokens: float) -> float:
        """As many as make the weights' reading small beside the computing."""
        without_kv = balance(self.counts, self.machine, 0.0).batch_without_kv
        return max(1.0, 100 * without_kv / tokens)

    @property
    def n_replicas(self) -> int:
        """All chips are one."""
        return 1

    def held(self, context: Any) -> MemoryPerChip:
        """Weights and caches, spread evenly."""
        n = self.machine.n_chips
        return MemoryPerChip(self.counts.weight_bytes / n, self.counts.cache_bytes(context) / n)

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """Weights and caches, spread evenly."""
        return self.held(context).total_bytes(batch)

    def landmarks(self, context: float) -> Balance:
        """In closed form: see `ridgeline.steps.balance`."""
        return balance(self.counts, self.machine, context)


@dataclass(frozen=True, slots=True)
class IdealReading:
    """All of the step's work under a layout, at datasheet peaks, overlapping perfectly."""

    model: Model
    counts: Counts
    machine: Machine
    layout: Layout
    compute: ComputeDtype | None = None
    assume: Assumptions = Assumptions()
    name: str = "ideal"
    bounds: tuple[str, ...] = IDEAL_BOUNDS
    #: a bound lets tokens fall evenly on the experts' ranks
    even: bool = True

    def pieces(self, *groups: Group) -> tuple[Work, ...]:
        """Count the work of a step of one replica."""
        return work(
            self.model,
            self.layout,
            groups,
            domain_size=self.machine.cluster.domain_size,
            activation_dtype=self.assume.activation_dtype,
            popularity_cv=self.assume.popularity_cv,
            gather_up_to=self._gather_up_to(),
            even=self.even,
        )

    def _gather_up_to(self) -> int:
        return 0

    def _decode(self, batch: Any, context: Any) -> Group:
        return decode(batch / self.layout.replicas, context, self.assume.drafts)

    def _time_s(self, *groups: Group) -> Any:
        used = resources(self.pieces(*groups), self.machine.cluster, self.compute)
        return combine_ideal(used).time_s

    def time_s(self, batch: Any, context: Any) -> Any:
        """Time a decode step, without its parts. [s]"""
        return self._time_s(self._decode(batch, context))

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step: the work of the fullest chip, its busiest resource."""
        pieces = self.pieces(self._decode(batch, context))
        step = combine_ideal(resources(pieces, self.machine.cluster, self.compute))
        r = step.resources
        network = np.maximum(r.scale_up_s, r.scale_out_s)
        c = r.compute_s
        read = r.weights_s + r.kv_s
        return Times(step.time_s, c, r.weights_s, r.kv_s, network, step.bound, c, read)

    def prefill(self, n: Any, tokens: float, prefix: float) -> Span:
        """In one step, however long."""
        return Span(self._time_s(prefill(n, tokens, prefix)))

    def shared_s(self, batch: Any, context: Any, n: Any, tokens: float, prefix: float) -> Any:
        """Both groups of tokens in one step."""
        prompts = prefill(n / self.layout.replicas, tokens, prefix)
        return self._time_s(self._decode(batch, context), prompts)

    def prompts_at_once(self, tokens: float) -> float:
        """For every rank and micro-batch as many as its token budget takes."""
        each = max(1.0, engine_named().token_budget // tokens)
        return self.layout.attn_dp * self.layout.pp * each

    @property
    def n_replicas(self) -> int:
        """Copies of the model."""
        return self.layout.replicas

    def held(self, context: Any) -> MemoryPerChip:
        """Weights and caches of the fullest chip, what is replicated included."""
        return memory_per_chip(self.model, self.layout, context, drafts=self.assume.has_drafts)

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """Of the fullest chip, with its replica's share of the batch."""
        return self.held(context).total_bytes(batch / self.layout.replicas)

    def landmarks(self, context: float) -> Balance:
        """By looking: the first batch of a fine row at which compute binds."""
        capacity = chip_capacity_bytes(self.machine.cluster.chip)
        fits = float(self.held(context).largest_batch(capacity))
        return replace(
            balance(self.counts, self.machine, context),
            latency_floor_s=float(self.time_s(1.0, context)),
            batch=self._compute_bound_from(context),
            batch_without_kv=self._compute_bound_from(1.0),
            largest_batch=fits * self.layout.replicas,
        )

    def _bound(self, batch: Any, context: Any) -> Any:
        pieces = self.pieces(self._decode(batch, context))
        return combine_ideal(resources(pieces, self.machine.cluster, self.compute)).bound

    def _compute_bound_from(self, context: float) -> float:
        row = logspace(1, 2**24, per_octave=8)
        hits = np.flatnonzero(self._bound(row, context) == 0)
        return float(row[hits[0]]) if hits.size else float("inf")


@dataclass(frozen=True, slots=True)
class CalibratedReading(IdealReading):
    """The same work at what good engines reach, with an interval."""

    engine: Engine | None = None
    name: str = "calibrated"
    bounds: tuple[str, ...] = CALIBRATED_BOUNDS
    even: bool = False

    def _calibration(self) -> Calibration:
        return calibration(self.machine.cluster, self.compute, self._engine().id)

    def _engine(self) -> Engine:
        return self.engine or engine_named()

    def _gather_up_to(self) -> int:
        return self._engine().gather_up_to

    def _time_s(self, *groups: Group) -> Any:
        return step_seconds(self.pieces(*groups), self._calibration())

    def _bound(self, batch: Any, context: Any) -> Any:
        return time_step(self.pieces(self._decode(batch, context)), self._calibration()).bound

    def timed_pieces(self, batch: float, context: float) -> list[tuple[Work, float]]:
        """Every piece of one step with the seconds it takes, all its repetitions together."""
        cal = self._calibration()
        pieces = self.pieces(self._decode(batch, context))
        return [(p, float(piece_time_s(p, cal))) for p in pieces]

    def laws_used(self, batch: float, context: float) -> list[str]:
        """Laws and constants of one step, a line each."""
        return laws_used(self.pieces(self._decode(batch, context)), self._calibration())

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step piece by piece: see `ridgeline.steps.calibrated`."""
        pieces = self.pieces(self._decode(batch, context))
        step, reach = self._timed(pieces)
        parts = step.parts_s
        used = resources(pieces, self.machine.cluster, self.compute)
        return Times(
            time_s=step.time_s,
            compute_s=parts["compute"],
            weight_fetch_s=parts["weights"],
            kv_fetch_s=parts["KV"],
            network_s=parts["network"],
            bound=step.bound,
            at_peak_s=used.compute_s,
            read_at_peak_s=used.weights_s + used.kv_s,
            floor_s=parts["floor"],
            low_s=step.time_s / reach,
            high_s=step.time_s * reach,
        )

    def _timed(self, pieces: Sequence[Work]) -> tuple[CalibratedStep, Any]:
        """A step, and the factor its interval reaches up and down."""
        cal = self._calibration()
        step = time_step(pieces, cal)

        def time_of(cluster: Cluster) -> Any:
            return time_step(pieces, replace(cal, cluster=cluster)).time_s

        inputs = input_log_variance(self.machine.cluster, time_of, step.time_s)
        sigma = (log_sigma(pieces, cal, step) ** 2 + inputs) ** 0.5
        return step, np.exp(Z80 * sigma)

    def prefill(self, n: Any, tokens: float, prefix: float) -> Span:
        """In chunks of the token budget, one step after the other."""
        new, cached = chunks(tokens, prefix, self._engine().token_budget)
        step, reach = self._timed(self.pieces(prefill(n, new, cached)))
        each = np.broadcast_to(step.time_s, new.shape)
        total = each.sum(axis=-1)
        # Every chunk rests on the same constants: errors go the same way.
        reach = np.exp((each * np.log(reach)).sum(axis=-1) / total)
        return Span(total, total / reach, total * reach)

    def held(self, context: Any) -> MemoryPerChip:
        """Weights, caches, and what an engine needs besides."""
        return memory_per_chip(
            self.model,
            self.layout,
            context,
            cluster=self.machine.cluster,
            engine=self._engine(),
            drafts=self.assume.has_drafts,
        )
