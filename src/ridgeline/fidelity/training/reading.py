"""Read tables of training runs: every bad row named, the good ones kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from ridgeline.errors import bug, did_you_mean
from ridgeline.fidelity.measurements.columns import Fault, number
from ridgeline.fidelity.measurements.resolve import Resolver
from ridgeline.fidelity.measurements.side_files import beside, chips_file, models_file
from ridgeline.fidelity.runs import BUG
from ridgeline.fidelity.training.assume import run_of
from ridgeline.fidelity.training.columns import METRICS, WIDE_METRICS, lines_of_table
from ridgeline.fidelity.training.notes import counted, peak_flops_per_s
from ridgeline.fidelity.training.runs import RATES, TrainingRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ridgeline.fidelity.training.runs import TrainingRun

__all__ = ["read_training"]

Cells = dict[str, str]

#: what makes rows one run, where a table has no column for it
_CONFIGURATION = (
    "source", "source_set", "model", "task", "chip", "n_chips", "precision", "seq_len",
    "global_batch", "micro_batch", "tp", "pp", "vp", "cp", "ep", "dp", "zero_stage", "fsdp_or_zero",
    "recompute", "schedule", "framework", "date",
)  # fmt: skip
_CONVERGENCE = (
    "time to train rests on how many samples a model needs to converge, which no step tells; rows "
    "of step_time_s or tokens_per_s_per_chip are predicted."
)
_CONVENTIONS = ("full", "causal", "hfu", "unknown", "")
_NARROW = ("fp8", "mxfp8", "nvfp4")


def read_training(
    tables: Sequence[Path], *, models: Path | None = None, chips: Path | None = None
) -> list[TrainingRow]:
    """All rows of some tables of training runs, in order.

    Parameters
    ----------
    tables : sequence of Path
        CSV files. Models and chips that the catalogue lacks are read from ``architectures*.csv``
        and ``chips_missing*.csv`` beside each.
    models, chips : Path or None
        More models or chips, which come before those of the catalogue.

    Returns
    -------
    list of TrainingRow   Bad ones too, with a status and a reason.

    Raises
    ------
    RidgelineError   A file that cannot be read, or that lacks columns.
    """
    return list(chain.from_iterable(_rows(table, models, chips) for table in tables))


def _rows(table: Path, models: Path | None, chips: Path | None) -> list[TrainingRow]:
    near_models, near_chips = beside(table)
    first_models = () if models is None else (models_file(models),)
    first_chips = () if chips is None else (chips_file(chips),)
    resolver = Resolver((*first_models, *near_models), (*first_chips, *near_chips))
    wide, places, lines = lines_of_table(table)
    n_columns = max(places.values()) + 1
    read: list[tuple[int, Cells]] = []
    for line, cells in lines:
        told = {c: cells[i].strip() if i < len(cells) else "" for c, i in places.items()}
        told["n_cells"] = "" if len(cells) >= n_columns else str(len(cells))
        read.append((line, told))
    parser = _Parser(resolver, _notes(read), str(table), wide=wide)
    return [
        parser.row(line, cells, *measured)
        for line, cells in read
        for measured in _measured(cells, wide=wide)
    ]


def _run_key(cells: Cells) -> str:
    return cells.get("run") or "|".join(cells.get(c, "") for c in _CONFIGURATION)


def _notes(read: Sequence[tuple[int, Cells]]) -> Mapping[str, str]:
    """Notes of all rows of each run."""
    parts: dict[str, dict[str, None]] = defaultdict(dict)
    for _, cells in read:
        parts[_run_key(cells)][cells.get("notes", "")] = None
    return {key: "; ".join(filter(None, texts)) for key, texts in parts.items()}


def _measured(cells: Cells, *, wide: bool) -> Iterator[tuple[str, str, float]]:
    """Metrics of a line with their cells, and what a number is multiplied by."""
    if not wide:
        yield cells.get("metric", ""), cells.get("value", ""), 1.0
        return
    for column, (metric, scale) in WIDE_METRICS.items():
        if cells.get(column):
            yield metric, cells[column], scale


class _Parser:
    """Turns lines into rows; runs and their faults are made once."""

    def __init__(
        self, resolver: Resolver, notes: Mapping[str, str], table: str, *, wide: bool
    ) -> None:
        self._resolver = resolver
        self._notes = notes
        self._table = table
        self._wide = wide
        self._made: dict[str, TrainingRun | Fault] = {}
        self._seen: set[str] = set()

    def row(self, line: int, cells: Cells, metric: str, value: str, scale: float) -> TrainingRow:
        """The row, or why it is none."""
        name = cells.get("id") or (f"line {line}" if self._wide else "")
        if self._wide:
            name = f"{name}.{metric}"
        empty = TrainingRow(
            name,
            line,
            None,
            metric,
            None,
            source=cells.get("source_set") or cells.get("source", ""),
            chip=cells.get("chip", ""),
            regime=cells.get("task", "") or "pretrain",
            table=self._table,
            quality=cells.get("quality", "") or "high",
        )
        try:
            self._check(name, cells, metric)
            run = self._run(cells)
            measured = _number(value, metric) * scale
            convention = _convention(cells.get("flops_convention", ""))
        except Fault as fault:
            return replace(empty, status=fault.status, reason=fault.reason)
        except MemoryError:
            raise
        except Exception as error:  # the last handler of a row: others are still scored
            return replace(empty, status=BUG, reason=bug(error))
        if metric not in RATES[2:]:
            return replace(empty, run=run, value=measured)
        about = dict(counted(cells.get("notes", "")))
        peak = peak_flops_per_s(run.notes, run.cluster.chip.id, narrow=run.precision in _NARROW)
        if peak is not None and metric != "tflops_per_chip":
            about["peak"] = peak
        return replace(empty, run=run, value=measured, convention=convention, about=about)

    def _check(self, name: str, cells: Cells, metric: str) -> None:
        if cells["n_cells"]:
            raise Fault(
                "ragged-line",
                f"{cells['n_cells']} cells, fewer than the first line names columns; a comma "
                "inside a cell needs quotes around it.",
            )
        if not name:
            raise Fault("no-id", "id is blank.")
        if name in self._seen:
            raise Fault("duplicate-id", f"the id {name!r} has been used before.")
        self._seen.add(name)
        if metric not in METRICS:
            hint = did_you_mean(metric, METRICS)
            raise Fault(
                "unknown-metric", f"metric is {metric!r}.{hint} Known are {', '.join(METRICS)}."
            )
        if metric == "time_to_train_s":
            raise Fault("not-modelled", _CONVERGENCE)

    def _run(self, cells: Cells) -> TrainingRun:
        key = _run_key(cells)
        if key not in self._made:
            try:
                self._made[key] = run_of(cells, key, self._notes[key], self._resolver)
            except Fault as fault:
                self._made[key] = fault
        found = self._made[key]
        if isinstance(found, Fault):
            raise found.again()
        return found


def _number(text: str, metric: str) -> float:
    value = number(text, "value", above_zero=metric != "oom")
    if value is None:
        raise Fault("no-value", "value is blank, so there is nothing to score.")
    if metric == "oom" and value not in (0.0, 1.0):
        raise Fault("bad-number", f"value is {value:g}; of oom 0 (it ran) or 1 is expected.")
    if metric in ("mfu", "hfu") and value > 1:
        raise Fault(
            "bad-number", f"value is {value:g}; {metric} is a share of 1, not a percentage."
        )
    return value


def _convention(text: str) -> str:
    """``full``, ``causal``, ``hfu`` or ``unknown``; longer words by how they begin."""
    word = text.strip().casefold()
    for known in _CONVENTIONS[:3]:
        if word.startswith(known):
            return known
    return "full" if not word else "unknown"
