"""Rows of training jobs as a kernel: what a search or a sweep evaluates, traced or as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.steps.bind import bound
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_bound_s, job_seconds
from ridgeline.trainer.utilization import utilization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.training_memory import MemoryConstants
    from ridgeline.trainer.job import TrainingJob

__all__ = ["BLOCK_ROWS", "COLUMNS", "MEMORY", "TrainingRows"]

#: rows of a block: with their stages they stay in a core's cache. No power of two: arrays that lie
#: one behind the other would fall on the same lines of it, and push each other out
BLOCK_ROWS = 2000
#: records of a job whose numbers may differ from row to row
_RECORDS = ("layout", "recipe", "load")
#: names that rows may have as numbers: see `training_count.order_code` and `overlap_code`
_CODED = {"layout.order": "layout", "recipe.overlap": "recipe"}
#: columns that follow from memory alone
MEMORY = ("peak_bytes", "needed_bytes", "fits_probability")
COLUMNS = ("time_s", "tokens_per_s_per_chip", "mfu", *MEMORY)


@dataclass(frozen=True)
class TrainingRows:
    """A kernel of the grid: time and memory of training jobs, a row each.

    Attributes
    ----------
    job : TrainingJob       What no row changes.
    memory : MemoryConstants or None   Those of the catalogue where none are given.
    columns : tuple of str  Those that are wanted, of `COLUMNS`; besides ``bound_s``, what a step
                            takes at least, which needs no timeline. [s]
    """

    job: TrainingJob
    memory: MemoryConstants | None = None
    columns: tuple[str, ...] = COLUMNS

    @property
    def title(self) -> str:
        """What it is about, for messages."""
        return f"training {self.job.model.name} on {self.job.cluster.name}, {self.job.reading}"

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Time and memory of each row.

        Parameters
        ----------
        values : mapping   Path of a numeric field of layout, recipe or load to an array of shape
                           (rows,): ``layout.tp``, ``recipe.micro_batch``, ``load.global_batch``.
                           ``layout.order`` and ``recipe.overlap`` as the numbers that `order_code`
                           and `overlap_code` of `ridgeline.steps.training_count` make of them.

        Returns
        -------
        dict   ``time_s`` of an optimizer step [s]; ``tokens_per_s_per_chip`` [tokens/s]; ``mfu``,
               FLOPs of whole squares of attention counted [1]; ``peak_bytes`` of the fullest
               stage's chip as the device shows it [bytes]; ``needed_bytes``, without what the
               allocator gives back when it is short [bytes]; ``fits_probability`` [1].

        Raises
        ------
        SpecError         A path that leads to no number, or rows along more than one axis.
        InfeasibleError   The chip cannot multiply a format.

        Notes
        -----
        Schedules with a closed form (GPipe, 1F1B, interleaved) can be traced; under others each
        row's timeline is run.
        """
        job = self.of_rows(values)
        wanted = set(self.columns)
        found: dict[str, Any] = {}
        if wanted & set(COLUMNS[:3]):
            time_s = found["time_s"] = job_seconds(job)
            tokens = job.load.seq_len * job.load.global_batch
            found["tokens_per_s_per_chip"] = tokens / (time_s * job.n_chips)
            found["mfu"] = utilization(job, time_s)
        if "bound_s" in wanted:
            found["bound_s"] = job_bound_s(job)
        if wanted & set(MEMORY):
            held = job_memory(job, self.memory)
            found["peak_bytes"] = held.peak_bytes()
            found["needed_bytes"] = held.needed_bytes
            found["fits_probability"] = held.fits_probability
        return {name: found[name] for name in self.columns}

    def of_rows(self, values: Mapping[str, Any]) -> TrainingJob:
        """The job with the numbers of its rows.

        Parameters
        ----------
        values : mapping   As the kernel takes them.
        """
        if any(np.ndim(v) != 1 for v in values.values()):
            raise SpecError(
                "Rows of training jobs lie along one axis: give all fields that vary as columns of "
                "one length."
            )
        records = {name: getattr(self.job, name) for name in _RECORDS}
        for path, name in _CODED.items():
            if path in values:
                coded = {path.partition(".")[2]: values[path]}
                records[name] = records[name].model_copy(update=coded)
        if values and "layout.pp" not in values:
            # Stages are an axis beside that of rows, however many rows share their number.
            any_of_them = next(iter(values.values()))
            values = {**values, "layout.pp": records["layout"].pp + 0 * any_of_them}
        plain = {path: value for path, value in values.items() if path not in _CODED}
        return replace(self.job, **bound(records, plain))
