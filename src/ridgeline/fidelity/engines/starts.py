"""Memory that engines report when they start: what is left for caches, predicted and scored."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ridgeline import catalog
from ridgeline.errors import RidgelineError
from ridgeline.specs.layout import Layout
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.engine import Engine
    from ridgeline.specs.engine_start import Start
    from ridgeline.specs.model import Model

__all__ = ["STARTS", "Room", "StartRow", "StartScore", "fit_start", "read_starts", "room", "scores"]

#: logs of servers that come with the package
STARTS = Path(catalog.__file__).parent / "measurements" / "start_memory.csv"
_ACTIVATION_BYTES, _LOGIT_BYTES = 2, 4
#: tokens over which the cache of one more is taken
_FAR = 100_000


@dataclass(frozen=True, slots=True)
class StartRow:
    """One server that was started, as its log tells. NaN is not stated.

    Attributes
    ----------
    id, source, notes : str
    model : Model           With its formats.
    chip : str
    tp : int
    engine : Engine         Set up as it was.
    share_stated : bool     Whether the share of memory was stated, not assumed.
    request_tokens : float  The longest request that the server was to take. [tokens]
    starts : bool           Whether it started.
    activation_bytes, non_torch_bytes, kv_bytes, kv_tokens : float   Of one chip. [bytes, tokens]
    """

    id: str
    source: str
    notes: str
    model: Model
    chip: str
    tp: int
    engine: Engine
    share_stated: bool
    request_tokens: float
    starts: bool
    activation_bytes: float
    non_torch_bytes: float
    kv_bytes: float
    kv_tokens: float


@dataclass(frozen=True, slots=True)
class Room:
    """What a chip has left for caches, and what they take.

    Attributes
    ----------
    kv_bytes : float            Below 0 where not even the rest fits. [bytes]
    bytes_per_token : float     One more token of a long sequence. [bytes/token]
    request_bytes : float       The longest request. [bytes]
    """

    kv_bytes: float
    bytes_per_token: float
    request_bytes: float

    @property
    def starts(self) -> bool:
        """Whether the longest request fits; an engine refuses to start where it does not."""
        return self.kv_bytes >= max(self.request_bytes, self.bytes_per_token)


@dataclass(frozen=True, slots=True)
class StartScore:
    """A row, and what is predicted of it by constants that it had no part in."""

    row: StartRow
    room: Room

    @property
    def off_by(self) -> float:
        """|ln(predicted / measured)| of the room for caches; NaN where none was measured. [1]"""
        told = self.row.kv_bytes
        if math.isnan(told):
            told = self.row.kv_tokens * self.room.bytes_per_token
        if math.isnan(told) or told <= 0:
            return math.nan
        return abs(math.log(max(self.room.kv_bytes, 1.0) / told))

    @property
    def is_false_fit(self) -> bool:
        """Whether it is said to start, and did not."""
        return self.room.starts and not self.row.starts


def read_starts(path: Path = STARTS) -> list[StartRow]:
    """Read a table of starts.

    Parameters
    ----------
    path : Path   A CSV file like the one that comes with the package.

    Raises
    ------
    RidgelineError   A row that cannot be read; says which and why.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    found = []
    for line in lines:
        try:
            found.append(_row(line))
        except (KeyError, ValueError) as error:
            raise RidgelineError(
                f"{path.name}, {line.get('id')}: {error}. A column is missing, or no number."
            ) from None
    return found


def _row(line: dict[str, str]) -> StartRow:
    model = catalog.model(line["model"])
    if line["weight_dtype"]:
        stored = catalog.dtype(line["weight_dtype"])
        model = model.with_weight_dtype(stored.id, stored.bits)
    if line["kv_dtype"]:
        model = model.with_kv_dtype(line["kv_dtype"])
    elif model.kv_dtype == "fp8":
        # A checkpoint that says so was made for another engine; vLLM takes its own default.
        model = model.with_kv_dtype("bf16")
    chip = catalog.chip(line["chip"])
    engine = catalog.engine(line["engine"]).on(chip, line["engine_version"])
    changes: dict[str, object] = {"memory_share": float(line["memory_share"])}
    changes |= {n: int(line[n]) for n in ("token_budget", "max_sequences") if line[n]}
    return StartRow(
        id=line["id"],
        source=line["source"],
        notes=line["notes"],
        model=model,
        chip=chip.id,
        tp=int(line["tp"]),
        engine=engine.replaced(changes, where=line["id"]),
        share_stated=line["share_stated"] == "yes",
        request_tokens=float(line["request_tokens"] or "nan"),
        starts=line["starts"] == "yes",
        **{
            n: float(line[n] or "nan")
            for n in ("activation_bytes", "non_torch_bytes", "kv_bytes", "kv_tokens")
        },
    )


def room(row: StartRow, start: Start | None = None) -> Room:
    """Predict what is left for caches.

    Parameters
    ----------
    row : StartRow
    start : Start or None   Constants to use; None for the catalogue's.
    """
    engine = row.engine
    if start is not None:
        engine = engine.model_copy(update={"starts": (start,)})
    cluster, layout = catalog.cluster(row.chip), Layout(tp=row.tp)

    def cache(tokens: float) -> float:
        held = memory_per_chip(row.model, layout, tokens)
        return float(held.cache_bytes_per_sequence)

    held = memory_per_chip(row.model, layout, 1.0, cluster=cluster, engine=engine)
    longest = row.request_tokens
    return Room(
        chip_capacity_bytes(cluster.chip) - float(held.fixed_bytes),
        (cache(2 * _FAR) - cache(_FAR)) / _FAR,
        0.0 if math.isnan(longest) else cache(longest),
    )


def fit_start(rows: Sequence[StartRow], like: Start) -> Start:
    """Fit what engines try out at their start: medians of what rows tell each by itself.

    Parameters
    ----------
    rows : sequence of StartRow   Those that break memory down are looked at.
    like : Start                  For what they do not tell.
    """
    copies, alone = [], []
    for row in rows:
        if math.isnan(row.activation_bytes):
            continue
        engine, model = row.engine, row.model
        sampled = min(engine.max_sequences, engine.token_budget)
        width = float(model.d_model or 0) * _ACTIVATION_BYTES
        hidden = like.hidden_copies * engine.token_budget * width
        logits = sampled * float(model.vocab_size or 0) * _LOGIT_BYTES
        copies.append((row.activation_bytes - hidden) / logits)
        if row.tp == 1:
            alone.append(row.non_torch_bytes)
    runtime = median(alone) if alone else like.runtime_bytes
    groups = [
        (row.non_torch_bytes - runtime) / math.log2(row.tp)
        for row in rows
        if row.tp > 1 and not math.isnan(row.non_torch_bytes)
    ]
    return like.model_copy(
        update={
            "logit_copies": round(median(copies), 1) if copies else like.logit_copies,
            "runtime_bytes": runtime,
            "group_bytes": median(groups) if groups else like.group_bytes,
        }
    )


def scores(rows: Sequence[StartRow]) -> list[StartScore]:
    """Predict each row by constants fitted to the others.

    Parameters
    ----------
    rows : sequence of StartRow   Of engines that try out a start.
    """
    found = []
    for row in rows:
        others = [r for r in rows if r is not row]
        like = row.engine.start
        assert like is not None
        found.append(StartScore(row, room(row, fit_start(others, like))))
    return found
