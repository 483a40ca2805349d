"""The schema of training tables: one metric a row, or one run a row with its metrics beside."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.files import is_regular, named, read_text, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["LONG", "METRICS", "WIDE", "WIDE_METRICS", "is_training_table", "lines_of_table"]

METRICS = (
    "step_time_s", "tokens_per_s_per_chip", "tflops_per_chip", "mfu", "hfu", "peak_memory_bytes",
    "activation_memory_bytes", "param_optimizer_memory_bytes", "oom", "time_to_train_s",
)  # fmt: skip

_SHARED = (
    "source", "model", "task", "chip", "n_chips", "precision", "seq_len", "global_batch",
    "micro_batch", "tp", "pp", "vp", "cp", "ep", "dp", "recompute", "flops_convention", "notes",
    "framework", "date", "chips_per_node", "internode_gbps_per_chip", "sequence_parallel",
    "schedule", "optimizer",
)  # fmt: skip
#: a row each metric
LONG = (
    "id", "run", "group", "cite", *_SHARED, "zero_stage", "train_tokens", "metric", "value",
    "derived", "quality",
)  # fmt: skip
#: a row each run: column to metric, and what its numbers are multiplied by
WIDE_METRICS: dict[str, tuple[str, float]] = {
    "step_time_s": ("step_time_s", 1.0),
    "tokens_per_s_per_chip": ("tokens_per_s_per_chip", 1.0),
    "model_tflops_per_chip": ("tflops_per_chip", 1.0),
    "tflops_per_chip": ("tflops_per_chip", 1.0),
    "mfu": ("mfu", 1.0),
    "peak_alloc_gib": ("peak_memory_bytes", 2.0**30),
    "peak_memory_bytes": ("peak_memory_bytes", 1.0),
    "oom": ("oom", 1.0),
}
WIDE = (
    "source_set", "id", "run", "group", "quality", *_SHARED, "fsdp_or_zero", "zero_stage",
    *WIDE_METRICS, "tokens_per_step",
)  # fmt: skip

_NEEDED_LONG = ("id", "model", "chip", "n_chips", "seq_len", "global_batch", "metric", "value")
_NEEDED_WIDE = ("model", "chip", "n_chips", "seq_len")
#: what no table of serving runs has
_TELLING = ("global_batch", "seq_len", "n_chips", "model")
_SNIFFED_BYTES = 8192


def is_training_table(path: Path) -> bool:
    """Whether a file is a table of training runs, by its column names.

    A pipe is not looked into: its beginning could not be read again.
    """
    if path.suffix.casefold() != ".csv" and not is_regular(path):
        return False
    if not is_regular(path):
        return False
    with reading(path, "a CSV table or a file of benchmark results") as file:
        start = file.read(_SNIFFED_BYTES)
    first = start.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    names = {n.strip().strip('"').casefold() for n in first.split(",")}
    return names >= set(_TELLING) and "regime" not in names


def lines_of_table(path: Path) -> tuple[bool, dict[str, int], Iterator[tuple[int, list[str]]]]:
    """Whether a table has a row each run, its columns, and its lines with their numbers.

    Raises
    ------
    RidgelineError   It cannot be read, or columns are missing, twice there, or nearly known.
    """
    text = read_text(path, "a CSV table").removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        names = [n.strip().casefold() for n in next(reader, [])]
    except csv.Error as error:
        raise RidgelineError(f"{named(path)} cannot be read as CSV: {error}.") from None
    wide = "metric" not in names
    places = _checked(names, named(path), wide=wide)
    return wide, places, _lines(reader, path)


def _lines(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines, with the line of the file on which each begins."""
    try:
        while True:
            begins: int = reader.line_num + 1  # pyright: ignore[reportAttributeAccessIssue]
            cells = next(reader, None)
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield begins, cells
    except csv.Error as error:
        raise RidgelineError(f"{named(path)} cannot be read as CSV: {error}.") from None


def _checked(names: Sequence[str], where: str, *, wide: bool) -> dict[str, int]:
    known = WIDE if wide else LONG
    places: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in places and name in known:
            raise RidgelineError(f"{where} has the column {name!r} twice.")
        places.setdefault(name, i)
    needed = _NEEDED_WIDE if wide else _NEEDED_LONG
    missing = [n for n in needed if n not in places]
    strange = [n for n in places if n and n not in known]
    if missing:
        hints = "".join(did_you_mean(n, strange, 1) for n in missing)
        raise RidgelineError(
            f"{where} has no column {', '.join(map(repr, missing))}.{hints} A table of training "
            f"runs needs {', '.join(needed)}."
        )
    if wide and not any(n in places for n in WIDE_METRICS):
        raise RidgelineError(
            f"{where} measures nothing: a column metric with value, or one of "
            f"{', '.join(WIDE_METRICS)} is needed."
        )
    for name in strange:
        near = did_you_mean(name, [c for c in known if c not in places], 1)
        if near and len(name) > 3:
            raise RidgelineError(
                f"{where} has a column {name!r} that is not known.{near} "
                "Rename it, or delete it if it is to be left out."
            )
    return {name: i for name, i in places.items() if name in known}
