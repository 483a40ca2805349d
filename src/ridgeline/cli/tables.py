"""What the commands on measurement tables share: options, progress, and rows without an answer."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, TABLES, takes
from ridgeline.cli.working import note, tell
from ridgeline.errors import RidgelineError, SpecError
from ridgeline.files import named, writing_whole
from ridgeline.specs.fields import Number, plain_number
from ridgeline.specs.ranges import CHIPS, CONTEXT_TOKENS, LENGTH_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.fidelity.scores import PredictionLines

__all__ = [
    "Constants",
    "Predictions",
    "SetAsideFile",
    "Sides",
    "chunks_of",
    "end_with_bugs",
    "list_unanswered",
    "predictor",
    "progress",
    "refuse_if_none_answered",
    "shipped_or",
    "writing_predictions",
]

_LISTED = 20
_REQUESTS = Number(1, 10**9, whole=True)


Constants = Annotated[
    Path | None,
    Parameter(
        group=TABLES,
        metavar="FILE",
        help="Predict with the constants of this file, as calibrate writes it.",
    ),
]

Predictions = Annotated[
    Path | None,
    Parameter(
        group=OUTPUT,
        metavar="FILE",
        help="Write id, predicted, low, high, status and reason of each row to this CSV file, in "
        "SI units; of measured rows the measured value too.",
    ),
]


SetAsideFile = Annotated[
    Path | None,
    Parameter(
        group=TABLES,
        metavar="FILE",
        help="Keep the runs that this TOML file names by models, chips and since (an ISO date) out "
        "of every fit.",
    ),
]


@Parameter(name="*", group=TABLES)
@dataclass(frozen=True)
class Sides:
    """Where models and chips are described, and what files of results leave out."""

    models: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Shapes of models: a CSV file with the columns of architectures.csv, a TOML "
            "record or a config.json. They come before the catalogue's.",
        ),
    ] = None
    chips: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Chips: a CSV file with the columns of chips_missing.csv, or a TOML record.",
        ),
    ] = None
    model: Annotated[str | None, Parameter(metavar="NAME", help="Model that was run.")] = None
    on: Annotated[str | None, Parameter(metavar="NAME", help="Chip or cluster it ran on.")] = None
    n_chips: Annotated[
        int | None,
        takes(CHIPS, "Chips of the whole run; without it tp x pp x attn-dp.", TABLES, unit="chips"),
    ] = None
    tp: Annotated[int | None, takes(CHIPS, "Tensor parallel degree.", TABLES, unit="chips")] = None
    pp: Annotated[int | None, takes(CHIPS, "Pipeline stages.", TABLES, unit="stages")] = None
    ep: Annotated[
        int | None, takes(CHIPS, "Chips over which the experts are spread.", TABLES, unit="chips")
    ] = None
    attn_dp: Annotated[
        int | None, takes(CHIPS, "Attention data parallel degree.", TABLES, unit="ranks")
    ] = None
    dtype: Annotated[
        str | None,
        Parameter(
            name=("--weights", "--dtype"), metavar="NAME", help="Format that weights are stored in."
        ),
    ] = None
    kv_dtype: Annotated[
        str | None,
        Parameter(name=("--kv", "--kv-dtype"), metavar="NAME", help="Format of the KV cache."),
    ] = None
    engine: Annotated[str | None, Parameter(metavar="NAME", help="Serving engine it ran with.")] = (
        None
    )
    batch: Annotated[
        int | None,
        takes(_REQUESTS, "Sequences of a fixed batch, whole system.", TABLES, unit="sequences"),
    ] = None
    concurrency: Annotated[
        int | None,
        takes(_REQUESTS, "Requests kept in flight, whole system.", TABLES, unit="requests"),
    ] = None
    isl: Annotated[
        float | None, takes(LENGTH_TOKENS, "Mean input tokens of a request.", TABLES, unit="tokens")
    ] = None
    osl: Annotated[
        float | None,
        takes(LENGTH_TOKENS, "Mean output tokens of a request.", TABLES, unit="tokens"),
    ] = None
    cached: Annotated[
        float | None,
        takes(
            CONTEXT_TOKENS,
            "Mean input tokens of a request that a prefix cache holds.",
            TABLES,
            unit="tokens",
        ),
    ] = None

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
        return {
            k: v if isinstance(v, str) else plain_number(v)
            for k, v in given.items()
            if v is not None
        }


def shipped_or(tables: Sequence[Path], sides: Sides) -> list[Path]:
    """The tables named, else the one that comes with the package."""
    if tables:
        return list(tables)
    from ridgeline.fidelity.shipped import SHIPPED  # noqa: PLC0415

    if sides.fill():
        option = next(iter(sides.fill()))
        raise SpecError(
            f"Name the file of benchmark results that {option!r} describes; without a file the "
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

    return partial(predict, constants=read_constants(constants))


def progress(n_done: int) -> None:
    """Tell of rows done."""
    tell("rows predicted", n_done)


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
def writing_predictions(
    path: Path | None, *, measured: bool = True
) -> Iterator[PredictionLines | None]:
    """A file of predictions that appears when it is whole; None where none is asked for."""
    from ridgeline.fidelity.scores import PredictionLines  # noqa: PLC0415

    if path is None:
        yield None
        return
    with writing_whole(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        yield PredictionLines(text, measured=measured)
        text.detach()
