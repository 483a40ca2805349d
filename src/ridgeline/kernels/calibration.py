"""A platform under an engine: constants and effects ready for the laws, and times of ops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import engine as engine_of
from ridgeline.catalog import engine_constants
from ridgeline.kernels.effects import members_of, resolve, scatter_of, scopes_of
from ridgeline.kernels.laws import LAWS, PARTS
from ridgeline.kernels.platform import Platform
from ridgeline.laws.overlap import two_batch_time_s
from ridgeline.steps.alike import Same
from ridgeline.steps.op import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.steps.op import Op, StepOps

__all__ = [
    "Calibration",
    "TwoBatches",
    "calibration",
    "op_seconds",
    "ops_parts",
    "ops_seconds",
    "step_parts",
    "step_seconds",
    "two_batches",
]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A cluster's kernels and an engine's effects on them.

    Attributes
    ----------
    platform : Platform
    effects : mapping         How the engine differs from its kernels. [1 or s]
    effect_sigmas : mapping   Standard deviations on the log scale.
    scopes : tuple            Where the engine's effects come from: one mapping an engine and era
                              that the name stands for.
    constants : EngineConstants or None   What the effects are of; None for the catalogue's.
    """

    platform: Platform
    effects: Mapping[str, float]
    effect_sigmas: Mapping[str, float]
    scopes: tuple[Mapping[str, str], ...] = ()
    constants: EngineConstants | None = None

    @property
    def cluster(self) -> Cluster:
        """The machine."""
        return self.platform.cluster

    def on(self, cluster: Cluster) -> Calibration:
        """The same effects on another cluster."""
        return replace(self, platform=Platform(cluster, self.platform.compute))

    def scatter(self, regime: str, metric: str) -> float:
        """Standard deviation of ln(predicted / measured) on models left out of the fit. [1]"""
        fitted = self.constants or engine_constants()
        each = [scatter_of(fitted, regime, metric, scopes) for scopes in self.scopes]
        return sum(each) / len(each)

    def with_effect(self, name: str, factor: float) -> Calibration:
        """The same with one effect multiplied."""
        return replace(self, effects={**self.effects, name: self.effects[name] * factor})


def calibration(
    cluster: Cluster,
    compute: ComputeDtype | None = None,
    engine: str = "current",
    version: str = "",
    weights: str = "",
    constants: EngineConstants | None = None,
) -> Calibration:
    """Look up the constants of a cluster and of an engine on it.

    Parameters
    ----------
    cluster : Cluster
    compute : str or None   Run every GEMM in this arithmetic.
    engine, version : str   Of the catalogue; ``current`` is the mean of the newest engines.
    weights : str           Format of the weights: what was not measured in it is less sure.
    constants : EngineConstants or None   Of whole engines; None for the catalogue's.

    Raises
    ------
    CatalogError   An engine nobody knows.
    """
    fitted = constants or engine_constants()
    members = tuple((Same(e), Same(era)) for e, era in members_of(engine_of(engine), version))
    named = (engine, version, weights)
    found = _looked_up(Same(cluster), compute, named, members, Same(fitted))
    return found if constants is None else replace(found, constants=constants)


@lru_cache(maxsize=16)
def _looked_up(
    cluster: Same,
    compute: ComputeDtype | None,
    named: tuple[str, str, str],
    members: tuple[tuple[Same, Same], ...],
    constants: Same,
) -> Calibration:
    """The same by records; kernels that a platform has chosen are kept with it."""
    on: Cluster = cluster.record
    engine, version, weights = named
    scopes = tuple(scopes_of(on.chip, e.record, era.record, weights) for e, era in members)
    effects = resolve(constants.record, on.chip, engine, version)
    return Calibration(
        platform=Platform(on, compute),
        effects={name: r.value for name, r in effects.items()},
        effect_sigmas={name: r.sigma for name, r in effects.items()},
        scopes=scopes,
    )


def _in_step(ops: Sequence[Op], effects: Mapping[str, float]) -> Mapping[str, float]:
    """No captured graph covers a step with prompts: its kernels lie further apart."""
    if not any(op.phase == "prefill" for op in ops):
        return effects
    return {**effects, "gap_s": effects["gap_s"] + effects["eager_s"]}


def op_seconds(op: Op, cal: Calibration, step: Sequence[Op] = ()) -> Any:
    """Time of one op, all its repetitions together, among the ops of its step. [s]"""
    kernel = cal.platform.kernel(op.key)
    effects = _in_step(step or [op], cal.effects)
    return op.times(LAWS[kernel.law].time_s(op, kernel.inputs, effects))


def ops_parts(ops: Sequence[Op], cal: Calibration, step: Sequence[Op] = ()) -> dict[str, Any]:
    """Time of ops (of a step's, where given) by component, without the host. [s]

    Raises
    ------
    InfeasibleError   The chip cannot multiply a format.
    """
    return _total_parts(_each_parts(ops, cal, step))


def _each_parts(
    ops: Sequence[Op], cal: Calibration, step: Sequence[Op] = ()
) -> list[dict[str, Any]]:
    """Time of each op by component, all its repetitions together. [s]"""
    effects = _in_step(step or ops, cal.effects)
    found = []
    for op in ops:
        kernel = cal.platform.kernel(op.key)
        parts = LAWS[kernel.law].parts_s(op, kernel.inputs, effects)
        found.append({name: op.times(seconds) for name, seconds in parts.items()})
    return found


def _total_parts(each: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    parts: dict[str, Any] = dict.fromkeys(PARTS, 0.0)
    for one in each:
        for name, seconds in one.items():
            parts[name] = parts[name] + seconds
    return parts


def ops_seconds(ops: Sequence[Op], cal: Calibration, step: Sequence[Op] = ()) -> Any:
    """Time of ops as `ops_parts` has it, without the parts: what large grids take. [s]"""
    return _total(_each_seconds(ops, cal, step))


def _each_seconds(ops: Sequence[Op], cal: Calibration, step: Sequence[Op] = ()) -> list[Any]:
    """Time of each op, all its repetitions together. [s]"""
    effects = _in_step(step or ops, cal.effects)
    found = []
    for op in ops:
        kernel = cal.platform.kernel(op.key)
        found.append(op.times(LAWS[kernel.law].time_s(op, kernel.inputs, effects)))
    return found


def _total(each: Iterable[Any]) -> Any:
    # Ops that vary over the same axes first, so that few additions are as large as the grid.
    sums: dict[tuple[int, ...], Any] = {}
    for seconds in each:
        shape = np.shape(seconds)
        sums[shape] = sums[shape] + seconds if shape in sums else seconds
    return sum(sorted(sums.values(), key=np.size), 0.0)


@dataclass(frozen=True, slots=True)
class TwoBatches:
    """A step whose layers with experts run in two micro-batches, beside the step in one.

    Attributes
    ----------
    whole_s : array       The step in one batch. [s]
    outside_s : array     Other layers, embedding and head, which run in one batch. [s]
    computing_s : array   Layers with experts, both micro-batches, without their exchanges. [s]
    exchange_s : array    Their dispatch and combine. [s]
    layers_s : array      Layers with experts, exchanges beside arithmetic. [s]
    faster : array        Whether the step may be run so and takes less time. [bool]
    """

    whole_s: Any
    outside_s: Any
    computing_s: Any
    exchange_s: Any
    layers_s: Any
    faster: Any

    @property
    def exposed_s(self) -> Any:
        """Of the exchanges, what no arithmetic hides. [s]"""
        return self.layers_s - self.computing_s

    @property
    def hidden_s(self) -> Any:
        """Of the exchanges, what runs beside arithmetic; 0 in steps of one batch. [s]"""
        return np.where(self.faster, self.exchange_s - self.exposed_s, 0.0)[()]


def two_batches(step: StepOps, cal: Calibration) -> TwoBatches | None:
    """Time a step in two micro-batches; None where no step of these may be run so.

    Parameters
    ----------
    step : StepOps
    cal : Calibration
    """
    if not step.half:
        return None
    each = _each_seconds(step.whole, cal)
    whole, outside = _total(each), _total(_of_role("", step.whole, each))
    each = _each_seconds(step.half, cal, step.whole)
    around, experts, dispatch, combine = (_total(_of_role(r, step.half, each)) for r in ROLES)
    layers = two_batch_time_s(around, experts, dispatch, combine)
    faster = step.splits & (outside + layers < whole)
    return TwoBatches(
        whole, outside, 2 * (around + experts), 2 * (dispatch + combine), layers, faster
    )


def _of_role(role: str, ops: Sequence[Op], each: Sequence[Any]) -> list[Any]:
    return [one for op, one in zip(ops, each, strict=True) if op.role == role]


def step_seconds(step: StepOps, cal: Calibration) -> Any:
    """Time of a step without its host: in two micro-batches where that is faster. [s]

    Parameters
    ----------
    step : StepOps
    cal : Calibration
    """
    two = two_batches(step, cal)
    if two is None:
        return ops_seconds(step.whole, cal)
    return np.where(two.faster, two.outside_s + two.layers_s, two.whole_s)[()]


def step_parts(step: StepOps, cal: Calibration, two: TwoBatches | None) -> dict[str, Any]:
    """The same by component: of exchanges that run beside arithmetic, what is not hidden. [s]

    Parameters
    ----------
    step : StepOps
    cal : Calibration
    two : TwoBatches or None   What `two_batches` says of the step.
    """
    each = _each_parts(step.whole, cal)
    if two is None:
        return _total_parts(each)
    parts, outside = _total_parts(each), _total_parts(_of_role("", step.whole, each))
    computing = [op for op in step.half if op.role in ("around", "experts")]
    half = ops_parts(computing, cal, step.whole)
    half["network"] = half["network"] + two.exposed_s / 2
    return {
        name: np.where(two.faster, outside[name] + 2 * half[name], seconds)[()]
        for name, seconds in parts.items()
    }
