"""What is measured of training: one record a run, one a row of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ridgeline.fidelity.runs import OK

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.trainer.job import TrainingJob

__all__ = ["RATES", "TrainingRow", "TrainingRun"]

#: metrics that a step's time gives
RATES = ("step_time_s", "tokens_per_s_per_chip", "tflops_per_chip", "mfu", "hfu")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """One measured configuration; all metrics of it share this.

    Attributes
    ----------
    key, group, source : str   Id of the run; runs of one group repeat each other; who published it.
    job : TrainingJob          With what the source does not state filled in.
    task : str                 As the table names it: ``pretrain``, ``sft``, ``lora``.
    precision : str            As stated; empty where it is not.
    said : tuple of str        What was assumed, a sentence each.
    notes : str                Of all rows of the run.
    date : str                 ISO.
    """

    key: str
    group: str
    source: str
    job: TrainingJob
    task: str = "pretrain"
    precision: str = ""
    said: tuple[str, ...] = ()
    notes: str = ""
    date: str = ""

    @property
    def model(self) -> Model:
        """That was trained."""
        return self.job.model

    @property
    def cluster(self) -> Cluster:
        """That it ran on."""
        return self.job.cluster

    @property
    def n_chips(self) -> int:
        """Chips of the whole run."""
        return self.job.n_chips

    @property
    def engine(self) -> str:
        """Id of the framework."""
        return self.job.framework.id

    @property
    def engine_version(self) -> str:
        """Release of the framework, as the table writes it."""
        return self.job.version


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One measured number, or the reason why it cannot be used.

    Attributes
    ----------
    line : int             In the file, from 1.
    run : TrainingRun or None   None where the row does not say what was run.
    value : float or None  SI; None where it cannot be used.
    status, reason : str   ``ok``, or a word and a sentence.
    source, chip, table : str   As written.
    regime : str           The task, by which rows are grouped.
    convention : str       Of FLOPs: ``full``, ``causal``, ``hfu``, ``unknown``; empty for others.
    quality : str          ``high`` or ``medium``.
    about : mapping        What the notes of this row state: see `notes`.
    """

    id: str
    line: int
    run: TrainingRun | None
    metric: str
    value: float | None
    status: str = OK
    reason: str = ""
    source: str = ""
    chip: str = ""
    regime: str = ""
    table: str = ""
    convention: str = ""
    quality: str = ""
    about: dict[str, float] = field(default_factory=dict)
