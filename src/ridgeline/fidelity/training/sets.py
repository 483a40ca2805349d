"""Sets of training rows that are scored apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.fidelity.training.families import source_family
from ridgeline.fidelity.training.runs import RATES
from ridgeline.fidelity.training.units import step_seconds
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.trainer.utilization import utilization

if TYPE_CHECKING:
    from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun

__all__ = [
    "KEPT_OUT", "SWEEPS", "has_experts", "is_dense", "is_fp8", "is_high", "is_lora",
    "is_peak_memory", "mfu_of",
]  # fmt: skip

#: sweeps that would outweigh all other sources
SWEEPS = ("nanotron-h100", "vtrain-single")
#: kept out of every fit
KEPT_OUT = ("korthikanti", "primus")


def has_experts(run: TrainingRun) -> bool:
    """Whether its model has experts."""
    return any(isinstance(b.ffn, MixtureOfExperts) for b in run.model.blocks)


def is_lora(row: TrainingRow) -> bool:
    """Whether most weights are frozen."""
    return row.run is not None and not row.run.job.recipe.trains_all


def is_dense(row: TrainingRow) -> bool:
    """Steps of dense models, of all sources but sweeps and what is kept out of fits."""
    return (
        row.metric in RATES
        and row.run is not None
        and not has_experts(row.run)
        and not is_lora(row)
        and row.source not in SWEEPS
        and source_family(row.source) not in KEPT_OUT
    )


def is_fp8(row: TrainingRow) -> bool:
    """Dense steps whose products are in 8 bits."""
    return is_dense(row) and row.run is not None and row.run.precision in ("fp8", "mxfp8")


def is_high(row: TrainingRow, source: str) -> bool:
    """Steps of a source whose configuration is complete."""
    return row.source == source and row.metric in RATES and row.quality == "high"


def is_peak_memory(row: TrainingRow) -> bool:
    """Peak memory that was read while it ran, not from a figure of a model."""
    return row.metric == "peak_memory_bytes" and source_family(row.source) not in KEPT_OUT


def mfu_of(row: TrainingRow) -> float:
    """Utilisation that was measured, in the full count. [1]"""
    assert row.run is not None
    return float(utilization(row.run.job, step_seconds(row)))
