"""From a step's time to what tables state of it, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.trainer.utilization import model_flops, peak_flops_per_s

if TYPE_CHECKING:
    from ridgeline.fidelity.training.runs import TrainingRow
    from ridgeline.trainer.utilization import Convention

__all__ = ["per_step", "rate_of", "step_seconds"]

#: words of tables, and how they are counted here
_CONVENTIONS: dict[str, Convention] = {"causal": "causal", "hfu": "hardware"}


def step_seconds(row: TrainingRow) -> float:
    """How long a step of a row took. [s]"""
    assert row.value is not None
    if row.metric == "step_time_s":
        return row.value
    return per_step(row) / row.value


def rate_of(row: TrainingRow, step_s: float) -> float:
    """What a row states where a step takes so long."""
    return step_s if row.metric == "step_time_s" else per_step(row) / step_s


def per_step(row: TrainingRow) -> float:
    """What a chip does in a step in the unit of a row's metric times seconds."""
    run = row.run
    assert run is not None
    tokens = run.job.load.tokens / run.n_chips
    if row.metric == "tokens_per_s_per_chip":
        return tokens
    if "flops_per_token" in row.about:
        flops = row.about["flops_per_token"] * tokens
    else:
        flops = float(model_flops(run.job, _CONVENTIONS.get(row.convention, "full")))
        flops *= row.about.get("above", 1.0) / run.n_chips
    if row.metric == "tflops_per_chip":
        return flops / 1e12
    return flops / (row.about.get("peak") or peak_flops_per_s(run.job))
