"""What a job's stages hold, part by part."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.catalog import training_memory
from ridgeline.laws.optimizer import OPTIMIZERS
from ridgeline.laws.schedules import SCHEDULES, in_flight_chunks
from ridgeline.steps.kept import parts_on_stages, staying_share, stream_bytes
from ridgeline.steps.training_count import column
from ridgeline.trainer.state import (
    SHARDS_GRADIENTS,
    SHARDS_PARAMETERS,
    SHARDS_STATE,
    groups_of,
    layers_held,
    parameters_of,
    sum_on_stages,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.specs.training_memory import MemoryConstants
    from ridgeline.trainer.job import TrainingJob

    Floats = NDArray[np.float64]

__all__ = ["MEMORY_PARTS", "Held"]

#: what memory is told apart by: state, activations, what is there for a moment, what is not tensors
MEMORY_PARTS = (
    "parameters", "master", "gradients", "optimizer", "activations", "logits", "working",
    "gathered", "buffers", "workspace", "fragmentation", "context",
)  # fmt: skip

#: tensors that come and go in a step, between which the allocator leaves holes
_COMING = ("activations", "logits", "working", "gathered", "buffers")
_BITS_PER_BYTE = 8
_FP32_BYTES = 4.0
#: on their way, parameters in the width they are multiplied from
_NARROW_BYTES = 2.0
#: formats in which weights themselves are stored
_REPLACE_WEIGHTS = ("fp8", "fp8-block", "mxfp8")
#: of FSDP: units of parameters gathered at a time, one used and one on its way
_UNITS = 2
#: of sequence parallelism: a gathered input and a gradient on their way
_GATHERED_TOKENS = 2
#: micro-batches in flight of which the host waits: the one that is run, the one that is sent on
_NOT_AHEAD = 2


class Held:
    """A job being weighed; what several parts ask for is kept."""

    def __init__(self, job: TrainingJob, constants: MemoryConstants | None = None) -> None:
        self.job = job
        self.count = job.count
        self.layers: Floats = job.layers
        self.n_kinds = len(self.count.model.blocks)
        self.schedule = SCHEDULES[job.schedule]
        self.constants = constants or training_memory()
        self.both = layers_held(self.count, self.layers)
        self.there = self.layers.sum(axis=2) > 0

    def of(self, name: str) -> float:
        """A constant of the framework."""
        return getattr(self.constants, name).of(self.count.framework.id, self.count.era)

    @property
    def nothing(self) -> Floats:
        """Of shape (rows, stages)."""
        return 0.0 * self.layers[:, :, 0]

    @cached_property
    def parameters(self) -> list[Any]:
        """Of each kind of layer, of the embedding, of the head."""
        return parameters_of(self.count)

    @cached_property
    def kinds(self) -> tuple[bool, ...]:
        """Parameters of experts, and all others: those that there are."""
        some = any(np.any(p.experts > 0) for p in self.parameters)
        return (False, True) if some else (False,)

    def parts(self) -> dict[str, Floats]:
        """Bytes by `MEMORY_PARTS`, of shape (rows, stages)."""
        found: dict[str, Any] = dict.fromkeys(MEMORY_PARTS, 0.0)
        self._state(found)
        kept, once = parts_on_stages(self.count, self.layers)
        found["activations"] = self._activations(sum(kept.values()))
        found["logits"] = self.logits_bytes
        found["working"] = np.maximum(once - found["logits"], 0.0)
        found["gathered"] = self.gathered_bytes
        found["buffers"] = self.buffers_bytes
        found["workspace"] = self.there * self.of("workspace")
        coming = sum(found[part] for part in _COMING)
        found["fragmentation"] = self.of("fragmentation") * coming + self.unfreed_bytes
        found["context"] = self.there * (
            self.of("context") + column(self.n_groups) * self.of("communicator")
        )
        return found

    # --- state

    def _state(self, found: dict[str, Any]) -> None:
        """Parameters and what an optimizer keeps of them, as data-parallel ranks share it out."""
        recipe, framework = self.job.recipe, self.count.framework
        fp32 = recipe.precision == "fp32"
        wide = _FP32_BYTES if fp32 or not framework.master else self.weight_bytes
        master = 0.0 if wide == _FP32_BYTES else framework.master_bytes
        gradient = _FP32_BYTES if fp32 else framework.gradient_bytes
        beside = 0.0 if gradient <= _NARROW_BYTES or fp32 else self.of("narrow_gradient")
        state = OPTIMIZERS[recipe.optimizer].state_bytes
        if "optimizer" in recipe.offload:
            master = state = 0.0
        for experts in self.kinds:
            all_of, trained = self._held(experts)
            frozen = self._frozen_bytes(experts)
            ways = self._ways(experts)
            own = {
                "parameters": np.where(all_of > trained, trained * wide + frozen, all_of * wide)
                / ways(SHARDS_PARAMETERS),
                "master": trained * master / ways(SHARDS_STATE),
                "gradients": trained * (gradient / ways(SHARDS_GRADIENTS) + beside),
                "optimizer": trained * state / ways(SHARDS_STATE),
            }
            found.update({part: found[part] + value for part, value in own.items()})

    def _held(self, experts: bool) -> tuple[Floats, Floats]:
        """Parameters on each stage, and those of them that are trained; of both copies, if two."""
        own = [p.experts if experts else p.dense for p in self.parameters]
        trained = [p.trained_experts if experts else p.trained for p in self.parameters]
        return self._of_copies(own), self._of_copies(trained)

    def _of_copies(self, values: list[Any]) -> Floats:
        return sum_on_stages(values, self.both)

    def _ways(self, experts: bool) -> Any:
        """Of a stage of ZeRO, over how many ranks it shares out."""
        shard = groups_of(self.count, experts)[2]
        zero = self.job.layout.zero

        def ways(from_zero: int) -> Any:
            return column(np.where(zero >= from_zero, shard, 1.0))

        return ways

    def _frozen_bytes(self, experts: bool) -> Floats:
        """Of parameters that are not trained, on each stage: tables stay in 16 bits."""
        name = "nf4" if self.job.recipe.task == "qlora" else "bf16"
        narrow = dtype_of(name).bits / _BITS_PER_BYTE
        own = [
            (p.experts - p.trained_experts if experts else p.dense - p.trained)
            * (narrow if kind < self.n_kinds else _NARROW_BYTES)
            for kind, p in enumerate(self.parameters)
        ]
        return self._of_copies(own)

    @cached_property
    def weight_bytes(self) -> float:
        """Of a trained weight beside its master, as both passes multiply it.

        In 8 bits there are two, one for each pass, in place of 16 bits; in 4 bits they come on top.
        """
        recipe, framework = self.job.recipe, self.count.framework
        if not framework.narrow_inputs or recipe.precision in ("fp32", "bf16", "fp16"):
            return _NARROW_BYTES
        both = 2 * dtype_of(recipe.precision).bits / _BITS_PER_BYTE
        return both if recipe.precision in _REPLACE_WEIGHTS else _NARROW_BYTES + both

    # --- activations

    def _activations(self, kept: Any) -> Floats:
        recipe, count = self.job.recipe, self.count
        if count.framework.dropout:
            masks = column(count.stream_tokens * count.model.d_model)
            kept = kept + masks * self.layers[:, :, self.n_kinds]
        if self.schedule.n_copies > 1:
            pp = np.broadcast_to(np.asarray(self.job.layout.pp, dtype=int), kept.shape[:1])
            other = np.maximum(pp[:, None] - 1 - np.arange(kept.shape[1]), 0)
            mirrored = self.there * np.take_along_axis(kept, other, axis=1)
            kept = (kept + mirrored) / self.schedule.n_copies
        flight = self.in_flight
        if "activations" in recipe.offload:
            flight = np.minimum(flight, staying_share(self.layers, self.n_kinds))
        return kept * flight

    @cached_property
    def in_flight(self) -> Floats:
        """Micro-batches that each stage holds at most. Shape (rows, stages). [1]"""
        layout = self.job.layout
        pp = column(layout.pp)
        chunks = self.schedule.chunks(column(layout.vp))
        stage = np.minimum(np.arange(self.layers.shape[1]), pp - 1)
        m = column(self.job.micro_batches)
        held = in_flight_chunks(self.job.schedule, pp, m, chunks, stage)
        return self.there * (held / chunks)

    @cached_property
    def logits_bytes(self) -> Floats:
        """Logits with their loss and gradient, and what head and final norm read."""
        count = self.count
        logits = count.tokens * count.model.vocab_size / count.layout.tp * self.of("logit")
        if self.job.recipe.precision == "fp32":
            logits = logits * 2
        heads = self.both[:, :, self.n_kinds + 1] > 0
        one = column(logits + 2 * stream_bytes(count)) * heads
        return one * (self.in_flight if self.job.schedule == "gpipe" else 1.0)

    # --- exchanges

    @cached_property
    def gathered_bytes(self) -> Floats:
        """Of FSDP: whole units of parameters, and a unit's gradients on their way."""
        layout, framework = self.job.layout, self.count.framework
        found = self.nothing
        if not np.any(layout.zero >= SHARDS_PARAMETERS):
            return found
        for experts in self.kinds:
            each = [p.experts if experts else p.dense for p in self.parameters]
            grads = [p.trained_experts if experts else p.trained for p in self.parameters]
            shard = groups_of(self.count, experts)[2]
            shared = (layout.zero >= SHARDS_PARAMETERS) & (shard > 1)
            stays = (layout.pp > 1) & framework.pipelines_keep_gathered
            weight = self.count.weight_bytes
            units = self._largest(each) * _UNITS * weight
            on_way = self._largest(grads) * (weight + framework.reduce_bytes)
            ends = sum_on_stages([0.0] * self.n_kinds + each[self.n_kinds :], self.layers)
            some = units + on_way + ends * weight
            whole = self._of_copies(each) * weight
            # Of a stage of few layers no more is gathered, holes between them included, than all
            # that ranks share out.
            most = whole * (1 - 1 / column(shard)) / (1 + self.of("fragmentation"))
            some = np.minimum(some, most)
            added = self._of_copies(grads) * framework.reduce_bytes
            found = found + column(shared) * np.where(column(stays), whole + added, some)
        return found

    def _largest(self, each: list[Any]) -> Floats:
        """Of the kinds of layer that a stage has, the largest."""
        found: Any = 0.0
        for kind, value in enumerate(each[: self.n_kinds]):
            found = np.maximum(found, (self.layers[:, :, kind] > 0) * column(value))
        return found

    @cached_property
    def buffers_bytes(self) -> Floats:
        """Tokens gathered for a tensor-parallel product, and their gradient."""
        layout, count = self.job.layout, self.count
        gathers = (layout.tp > 1) & layout.sequence_parallel
        one = count.tokens * count.model.d_model * count.step.activation_bytes
        return self.there * column(gathers * one * _GATHERED_TOKENS)

    @cached_property
    def unfreed_bytes(self) -> Floats:
        """Of gathered tokens, what later ones cannot reuse."""
        if self.of("unfreed") == self.of("unfreed_ahead") == 0:
            return self.nothing
        alone = column(self.job.layout.pp == 1)
        n = self.layers[:, :, : self.n_kinds].sum(axis=2)
        ahead = np.maximum(self.in_flight - _NOT_AHEAD, 0.0) * (1 - alone)
        share = alone * self.of("unfreed") + ahead * self.of("unfreed_ahead")
        return self.buffers_bytes * n * share

    @cached_property
    def n_groups(self) -> Any:
        """Groups that a chip is a member of. [1]"""
        layout = self.job.layout
        of_experts = layout.ep > 1
        degrees = (layout.tp, layout.pp, layout.cp, layout.dp)
        return 1 + of_experts + sum((d > 1) * 1 for d in degrees)
