"""What a whole run takes: days, chip-hours, dollars, energy, and what interruptions add."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.laws.economics import cost_per_step_usd
from ridgeline.laws.energy import energy_j
from ridgeline.laws.failures import daly_interval_s, expected_run_s, mean_time_between_s
from ridgeline.laws.optimizer import OPTIMIZERS
from ridgeline.questions.serving.power import power_w
from ridgeline.steps.counts import counts
from ridgeline.trainer.passes import layers_on_stages
from ridgeline.trainer.state import parameters_of, sum_on_stages
from ridgeline.units import DAY_S, HOUR_S

if TYPE_CHECKING:
    from ridgeline.specs.price import Price
    from ridgeline.specs.training_choices import RunChoice
    from ridgeline.trainer.job import TrainingJob

__all__ = ["Run", "run_of"]

_MASTER_BYTES = 4.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run of many steps.

    Attributes
    ----------
    tokens : float            Of the run. [tokens]
    n_steps : int             The last may be smaller.
    work_s : float            Steps alone. [s]
    low_s, high_s : float or None   The 80% interval of that. [s]
    total_s : float           Expected, with checkpoints, interruptions and restarts. [s]
    n_chips : int
    checkpoint_bytes : float  Master weights and optimizer state of the whole model. [bytes]
    write_s : float           Time that a checkpoint stops the work. [s]
    between_s : float         Mean time between interruptions; infinite for none. [s]
    interval_s : float        Work between two checkpoints that loses least, by Daly. [s]
    usd_per_chip_hour : float or None
    power_w : float or None   Of a chip: its thermal design power. [W]
    """

    tokens: float
    n_steps: int
    work_s: float
    low_s: float | None
    high_s: float | None
    total_s: float
    n_chips: int
    checkpoint_bytes: float
    write_s: float
    between_s: float
    interval_s: float
    usd_per_chip_hour: float | None
    power_w: float | None

    @property
    def interruptions(self) -> float:
        """Expected in the whole run. [1]"""
        return self.total_s / self.between_s

    @property
    def lost_share(self) -> float:
        """Of the time, what checkpoints, lost work and restarts take. [1]"""
        return 1 - self.work_s / self.total_s

    def chip_hours(self, seconds: float) -> float:
        """Of all chips. [h]"""
        return seconds * self.n_chips / HOUR_S

    def usd(self, seconds: float) -> float | None:
        """Rent of all chips; None without a price. [USD]"""
        if self.usd_per_chip_hour is None:
            return None
        return cost_per_step_usd(seconds, self.usd_per_chip_hour, self.n_chips)

    def energy_wh(self, seconds: float) -> float | None:
        """Of all chips at their thermal design power; None where it is not published. [Wh]"""
        if self.power_w is None:
            return None
        return energy_j(self.power_w * self.n_chips, seconds) / HOUR_S

    def row(self, name: str, seconds: float) -> dict[str, Any]:
        """A line of the run's table.

        Parameters
        ----------
        name : str        What the time is of.
        seconds : float   [s]
        """
        return {
            "of": name,
            "time_s": seconds,
            "days": seconds / DAY_S,
            "chip_hours": self.chip_hours(seconds),
            "usd": self.usd(seconds),
            "energy_wh": self.energy_wh(seconds),
        }


def run_of(
    job: TrainingJob,
    tokens: float,
    step_s: tuple[float, float | None, float | None],
    choice: RunChoice,
    price: Price | None,
) -> Run:
    """What a run of so many tokens takes.

    Parameters
    ----------
    job : TrainingJob
    tokens : float     Of the run. [tokens]
    step_s : tuple     Time of a step, and its interval where there is one. [s]
    choice : RunChoice   Interruptions, checkpoints, restarts.
    price : Price or None
    """
    n_steps = math.ceil(tokens / job.load.tokens)
    # Tokens, not steps, are what work is proportional to; there is no less than a step.
    n = max(tokens / job.load.tokens, 1.0)
    work, low, high = (None if s is None else s * n for s in step_s)
    assert work is not None
    size = _checkpoint_bytes(job)
    write_s = size / (choice.checkpoint_rate * job.n_chips)
    between = float(mean_time_between_s(choice.interruptions, job.n_chips))
    interval, total = math.inf, work
    if math.isfinite(between):
        interval = float(daly_interval_s(write_s, between))
        total = float(expected_run_s(work, interval, write_s, choice.restart, between))
    return Run(
        tokens, n_steps, work, low, high, total, job.n_chips, size, write_s, between, interval,
        None if price is None else price.usd_per_chip_hour, power_w(job.cluster),
    )  # fmt: skip


def _checkpoint_bytes(job: TrainingJob) -> float:
    """Master weights and optimizer state of what is trained. [bytes]"""
    each = _MASTER_BYTES + OPTIMIZERS[job.recipe.optimizer].state_bytes
    return _trained(job) * each


def _trained(job: TrainingJob) -> float:
    """Parameters with a gradient, of the whole model. [1]"""
    if job.recipe.trains_all or not job.model.blocks:
        return float(counts(job.model).n_params)
    own = [p.trained for p in parameters_of(job.count)]
    on_stages = sum_on_stages(own, layers_on_stages(job.count, 1))
    return float(on_stages.sum()) * job.layout.tp
