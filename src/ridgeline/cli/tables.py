"""What the commands on measurement tables share: options, progress, and rows without an answer."""

from __future__ import annotations

import io
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from ridgeline.cli.inputs import WholeOrNone
from ridgeline.errors import RidgelineError, SpecError
from ridgeline.files import named, writing_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.fidelity.scores import PredictionLines

__all__ = [
    "Sides",
    "chunks_of",
    "end_with_bugs",
    "list_unanswered",
    "note",
    "one_output",
    "predictor",
    "progress",
    "refuse_if_none_answered",
    "shipped_or",
    "writing_predictions",
]

_LISTED = 20
_QUIET_S = 1.0


@Parameter(name="*", group="What was run, where the tables do not say")
@dataclass(frozen=True)
class Sides:
    """Where models and chips are described, and what files of results leave out.

    Parameters
    ----------
    models
        Shapes of models: a CSV file with the columns of architectures.csv, a TOML record or a
        config.json. They come before the catalogue's.
    chips
        Chips: a CSV file with the columns of chips_missing.csv, or a TOML record.
    model
        For results: the model.
    on
        For results: the chip or cluster.
    n_chips
        For results: chips of the whole run; without it tp x pp x attn-dp.
    tp
        For results: tensor parallel degree.
    pp
        For results: pipeline stages.
    ep
        For results: chips the experts are spread over.
    attn_dp
        For results: attention data parallel degree.
    dtype
        For results: format of the weights.
    kv_dtype
        For results: format of the cache.
    engine
        For results: the serving engine.
    batch
        For results: sequences of a fixed batch, whole system.
    concurrency
        For results: requests kept in flight, whole system.
    isl
        For results: mean input tokens of a request.
    osl
        For results: mean output tokens of a request.
    cached
        For results: mean input tokens of a request that a prefix cache holds.
    """

    models: Path | None = None
    chips: Path | None = None
    model: str | None = None
    on: str | None = None
    n_chips: WholeOrNone = None
    tp: WholeOrNone = None
    pp: WholeOrNone = None
    ep: WholeOrNone = None
    attn_dp: WholeOrNone = None
    dtype: str | None = None
    kv_dtype: str | None = None
    engine: str | None = None
    batch: WholeOrNone = None
    concurrency: WholeOrNone = None
    isl: float | None = None
    osl: float | None = None
    cached: float | None = None

    def fill(self) -> dict[str, str]:
        """Columns that the user states."""
        given = {
            "model": self.model,
            "chip": self.on,
            "n_chips": self.n_chips,
            "tp": self.tp,
            "pp": self.pp,
            "ep": self.ep,
            "attn_dp": self.attn_dp,
            "weight_dtype": self.dtype,
            "kv_dtype": self.kv_dtype,
            "engine": self.engine,
            "batch": self.batch,
            "concurrency": self.concurrency,
            "isl": self.isl,
            "osl": self.osl,
            "cached": self.cached,
        }
        return {k: str(v) for k, v in given.items() if v is not None}


def shipped_or(tables: Sequence[Path], sides: Sides) -> list[Path]:
    """The tables named, else the one that comes with the package."""
    if tables:
        return list(tables)
    from ridgeline.fidelity.shipped import SHIPPED  # noqa: PLC0415

    if sides.fill():
        option = next(iter(sides.fill()))
        raise SpecError(
            f"Name the file of benchmark results that {option!r} is said of; without a file the "
            "measurements that come with the package are read."
        )
    return [SHIPPED]


def chunks_of(
    tables: Sequence[Path], sides: Sides, *, measured: bool = True
) -> Iterator[list[Row]]:
    """Rows of all tables, chunk by chunk."""
    from ridgeline.fidelity.measurements import Seen, row_chunks  # noqa: PLC0415

    seen = Seen()
    for table in tables:
        yield from row_chunks(
            table,
            models=sides.models,
            chips=sides.chips,
            measured=measured,
            fill=sides.fill(),
            seen=seen,
        )


def predictor(constants: Path | None) -> Callable[[Sequence[Row]], list[Prediction]]:
    """The prediction with the shipped constants, or with those of a file."""
    from ridgeline.fidelity.predict import predict  # noqa: PLC0415

    if constants is None:
        return predict
    from ridgeline.fidelity.engines.calibrate import read_constants  # noqa: PLC0415

    known = read_constants(constants)
    return lambda rows: predict(rows, known)


def note(text: str) -> None:
    """Say something beside the answer."""
    print(text, file=sys.stderr)  # noqa: T201  (progress)


def progress() -> Callable[[int], None]:
    """Tell of rows done, once it takes longer than a moment."""
    begun = last = time.monotonic()

    def tell(n_done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - begun > _QUIET_S and now - last > _QUIET_S:
            last = now
            note(f"{n_done:,} rows, {n_done / (now - begun):,.0f} a second")

    return tell


def end_with_bugs(by_status: Mapping[str, int]) -> None:
    """End with the exit code of a bug where the program failed at some rows.

    Raises
    ------
    SystemExit   With that code; what was answered has been written.
    """
    from ridgeline.cli.main import EXIT_BUG  # noqa: PLC0415  (it imports the commands)
    from ridgeline.fidelity.runs import BUG  # noqa: PLC0415

    if by_status.get(BUG):
        sys.stdout.flush()
        raise SystemExit(EXIT_BUG)


def list_unanswered(rows: Sequence[Mapping[str, Any]], n_all: int) -> None:
    """Name rows without an answer, with line and reason."""
    for row in rows[:_LISTED]:
        name = f" ({row['id']})" if row["id"] else ""
        note(f"{named(row['table'])}, line {row['line']}{name}: {row['status']}: {row['reason']}")
    if n_all > _LISTED:
        note(f"and {n_all - _LISTED:,} more; --predictions FILE has the reason of each.")


def refuse_if_none_answered(tables: Sequence[Path], rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse tables of which no row could be predicted."""
    from ridgeline.fidelity.runs import BUG  # noqa: PLC0415

    if any(row["status"] == BUG for row in rows):
        list_unanswered(rows, len(rows))
        end_with_bugs({BUG: 1})
    names = ", ".join(named(t) for t in tables)
    first = f" The first: line {rows[0]['line']}, {rows[0]['reason']}" if rows else ""
    raise RidgelineError(f"No row of {names} can be predicted.{first}")


@contextmanager
def writing_predictions(path: Path | None) -> Iterator[PredictionLines | None]:
    """A file of predictions that appears when it is whole; None where none is asked for."""
    from ridgeline.fidelity.scores import PredictionLines  # noqa: PLC0415

    if path is None:
        yield None
        return
    with writing_whole(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        yield PredictionLines(text)
        text.detach()


def one_output(json: bool, csv: bool) -> None:
    """Refuse two formats at once."""
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")
