"""Rows of a space in groups that one kernel weighs and times, each in one process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.grid.kernel import Prepared
from ridgeline.questions.training_layouts.kept import Chunk, Kept
from ridgeline.questions.training_layouts.legal import CORE, Legal
from ridgeline.questions.training_layouts.space import AXES, Space, recompute_of
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.training_count import order_code, overlap_code
from ridgeline.trainer.pipeline import has_closed_form
from ridgeline.trainer.rows import BLOCK_ROWS, TrainingRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["SURE", "Group", "Searcher", "run_group", "run_timelines", "single_rows"]

#: a row fits if it does so with this probability, as a plain default does
SURE = 0.9
#: rows weighed or timed at a time
_CHUNK_ROWS = 100_000
#: fastest rows that are kept, and those of them that no timeline is left out of
_N_BEST, _N_EXACT = 1000, 20
#: rows whose timelines are run at a time
_TIMELINES = 32
_SHARE_ALL = 1e18
_WEIGHED = ("needed_bytes", "fits_probability")


class Group(NamedTuple):
    """Rows that one kernel times: indices of what they share; kinds of recompute by name."""

    pp: int
    schedule: int
    folds: bool
    sequence_parallel: int
    offload: int
    again: str


@dataclass(frozen=True)
class Searcher:
    """What all groups of a search share; it can be sent to other processes."""

    space: Space
    run_as: str = "auto"

    @cached_property
    def legal(self) -> Legal:
        """Its combinations that can be."""
        return Legal(self.space)

    @cached_property
    def strides(self) -> dict[str, int]:
        """Of each axis, what its next value adds to an id: the last axis varies fastest."""
        sizes = self.space.sizes
        after = np.cumprod([1, *sizes[:0:-1]], dtype=np.int64)[::-1]
        return {axis: int(n) for axis, n in zip(AXES, after, strict=True)}

    def index_of(self, ids: Ints) -> dict[str, Ints]:
        """Indices of each axis's values."""
        found = np.unravel_index(ids, self.space.sizes)
        return dict(zip(AXES, found, strict=True))

    def nothing(self) -> Kept:
        """What is kept before any row is seen."""
        return Kept(self.space.sizes, _N_BEST)

    # --- groups

    @cached_property
    def groups(self) -> list[Group]:
        """Of all rows that can be; those with most stages, which take longest, first."""
        core, values = self.legal.core, self.space.values
        names = ("pp", "schedule", "sequence_parallel")
        chunked = self.space.numbers("vp")[core["vp"]] > 1
        kinds = np.unique(np.stack([*(core[n] for n in names), chunked]), axis=1).T
        offloads = [i for i in range(len(values["offload"])) if self.legal.offload_takes(i)]
        found = [
            Group(int(pp), int(schedule), bool(folds), int(shared), offload, again)
            for pp, schedule, shared, folds in kinds
            for offload in offloads
            for again in self._kinds_of_recompute
        ]
        return sorted(found, key=lambda g: -self.space.values["pp"][g.pp])

    @cached_property
    def _kinds_of_recompute(self) -> list[str]:
        """Nothing is none of the layers, where some layers are tried: the two share a kernel."""
        kinds = dict.fromkeys(recompute_of(v)[0] for v in self.space.values["recompute"])
        return [k for k in kinds if k != "none" or "layers" not in kinds]

    def again_of(self, group: Group) -> list[int]:
        """Indices of the values of ``recompute`` that a group has."""
        kinds = {group.again} | ({"none"} if group.again == "layers" else set())
        return [
            i
            for i, value in enumerate(self.space.values["recompute"])
            if recompute_of(value)[0] in kinds and self.legal.recompute_takes(i, group.pp)
        ]

    def kernel(self, group: Group, columns: tuple[str, ...]) -> TrainingRows:
        """What weighs or times the rows of a group."""
        values, n = self.space.values, self.space.values["recompute"]
        again = next(v for v in n if recompute_of(v)[0] == group.again)
        schedule = values["schedule"][group.schedule]
        if schedule is None and group.folds:
            schedule = "interleaved"
        at = {
            "pp": values["pp"][group.pp],
            "schedule": schedule,
            "sequence_parallel": values["sequence_parallel"][group.sequence_parallel],
            "offload": values["offload"][group.offload],
            "recompute": again,
        }
        return TrainingRows(self.space.job(at), columns=columns)

    def fields(self, group: Group, index: dict[str, Ints], *, timed: bool) -> dict[str, Floats]:
        """Numbers of rows as kernels take them: of what the search varies."""
        space = self.space
        paths = {a: f"layout.{a}" for a in ("tp", "cp", "dp", "ep", "vp", "zero", "shard")}
        paths["micro_batch"] = "recipe.micro_batch"
        found = {
            path: space.numbers(axis)[index[axis]]
            for axis, path in paths.items()
            if len(space.values[axis]) > 1
        }
        if "layout.shard" in found:
            found["layout.shard"] = np.minimum(found["layout.shard"], _SHARE_ALL)
        if len(space.values["expert_tp"]) > 1:
            found["layout.expert_tp"] = self._expert_tp(index)
        if group.again == "layers":
            layers = np.array([float(recompute_of(v)[1]) for v in space.values["recompute"]])
            found["recipe.recompute_layers"] = layers[index["recompute"]]
        if timed and len(space.values["overlap"]) > 1:
            hides = space.plain.own_framework.hides
            codes = [overlap_code(hides if v is None else v) for v in space.values["overlap"]]
            found["recipe.overlap"] = np.array(codes, dtype=float)[index["overlap"]]
        if timed and len(space.values["order"]) > 1:
            codes = [order_code(v) for v in space.values["order"]]
            found["layout.order"] = np.array(codes, dtype=float)[index["order"]]
        # A space of one row has nothing that varies.
        return found or {"recipe.micro_batch": space.numbers("micro_batch")[index["micro_batch"]]}

    def _expert_tp(self, index: dict[str, Ints]) -> Floats:
        """Chips that share an expert, the framework's custom as a number."""
        asked = self.space.numbers("expert_tp")[index["expert_tp"]]
        tp = self.space.numbers("tp")[index["tp"]]
        ep = self.space.numbers("ep")[index["ep"]]
        alone = self.space.plain.own_framework.expert_tp == "one"
        return np.where(np.isinf(asked), np.where(alone & (ep > 1), 1.0, tp), asked)

    # --- a group's rows

    def rows_of(self, group: Group) -> Ints:
        """Of the core's rows, those of a group."""
        core = self.legal.core
        own = core["pp"] == group.pp
        own &= core["schedule"] == group.schedule
        own &= core["sequence_parallel"] == group.sequence_parallel
        own &= (self.space.numbers("vp")[core["vp"]] > 1) == group.folds
        return np.flatnonzero(own)

    def chunks(self, group: Group) -> Iterator[Chunk]:
        """Rows of a group, free combinations beside them; margins are not known yet."""
        again = np.array(self.again_of(group))
        if not len(again):
            return
        core = self.legal.core
        for pattern in self.legal.patterns(self.rows_of(group)):
            free_ids = pattern.free @ np.array([self.strides["overlap"], self.strides["order"]])
            step = max(_CHUNK_ROWS // len(again), 1)
            for start in range(0, len(pattern.rows), step):
                rows = np.repeat(pattern.rows[start : start + step], len(again))
                index = {axis: core[axis][rows] for axis in CORE}
                index["recompute"] = np.tile(again, len(rows) // len(again))
                index["offload"] = np.full(len(rows), group.offload)
                ids = sum(at * self.strides[axis] for axis, at in index.items())
                yield Chunk(index, np.asarray(ids), pattern.free, free_ids, np.zeros(len(rows)))

    def prepared(self, group: Group, columns: tuple[str, ...], n_rows: float) -> Prepared:
        """A kernel as this process runs it."""
        return Prepared(self.kernel(group, columns), n_rows, self.run_as)

    def is_closed(self, group: Group) -> bool:
        """Whether the times of a group's rows need no timeline."""
        schedule = self.space.values["schedule"][group.schedule]
        return schedule is None or has_closed_form(schedule)


def _columns(prepared: Prepared, fields: dict[str, Floats]) -> dict[str, Floats]:
    """Columns of rows, block by block."""
    n = len(next(iter(fields.values())))
    cuts = [(slice(i, min(i + BLOCK_ROWS, n)),) for i in range(0, n, BLOCK_ROWS)]
    found: dict[str, Floats] = {}
    for (cut,), part in prepared.parts([fields], cuts):
        for name, value in part.items():
            found.setdefault(name, np.empty(n))[cut] = value
    return found


def run_group(searcher: Searcher, group: Group) -> tuple[Kept, list[Chunk], list[Any]]:
    """Weigh all rows of a group and time those that fit.

    Returns
    -------
    tuple   What is kept; of schedules without a closed form the rows that fit, and what each takes
            at least. [s]
    """
    kept = searcher.nothing()
    closed = searcher.is_closed(group)
    capacity = chip_capacity_bytes(searcher.space.plain.cluster.chip)
    n_rows = float(len(searcher.legal.core["tp"]) * len(searcher.space.values["recompute"]))
    n_free = len(searcher.space.values["overlap"]) * len(searcher.space.values["order"])
    weigher = searcher.prepared(group, _WEIGHED, n_rows)
    timer = searcher.prepared(group, ("time_s" if closed else "bound_s",), n_rows * n_free)
    waiting: list[Chunk] = []
    bounds: list[Any] = []
    for chunk in searcher.chunks(group):
        held = _columns(weigher, searcher.fields(group, chunk.index, timed=False))
        whole = Chunk(
            chunk.index, chunk.ids, chunk.free, chunk.free_ids, capacity - held["needed_bytes"]
        )
        fits = held["fits_probability"] >= SURE
        kept.weighed(whole, fits)
        if not fits.any():
            continue
        own = whole.of(fits)
        step = max(_CHUNK_ROWS // len(own.free), 1)
        for start in range(0, len(own.ids), step):
            part = own.of(slice(start, start + step))
            seconds = _times(searcher, group, timer, part)
            if closed:
                kept.timed(part, seconds)
            else:
                waiting.append(part)
                bounds.append(seconds)
    return kept, waiting, bounds


def _times(searcher: Searcher, group: Group, timer: Prepared, chunk: Chunk) -> Floats:
    """Of each row and free combination. [s]"""
    n_rows, n_free = len(chunk.ids), len(chunk.free)
    index = {axis: np.repeat(at, n_free) for axis, at in chunk.index.items()}
    overlap, order = chunk.free.T
    index |= {"overlap": np.tile(overlap, n_rows), "order": np.tile(order, n_rows)}
    found = _columns(timer, searcher.fields(group, index, timed=True))
    return next(iter(found.values())).reshape(n_rows, n_free)


def run_timelines(searcher: Searcher, kept: Kept, waiting: list[Chunk], bounds: list[Any]) -> None:
    """Time rows whose schedule has no closed form, as long as any of them could matter."""
    # One free combination a row, those that could be fastest first.
    singles = [
        (Chunk(c.index, c.ids, c.free[j : j + 1], c.free_ids[j : j + 1], c.margin_bytes), b[:, j])
        for c, b in zip(waiting, bounds, strict=True)
        for j in range(len(c.free))
    ]
    while singles:
        left = []
        for chunk, bound in singles:
            near = kept.may_matter(chunk, bound, _N_EXACT)
            if near.any():
                left.append((chunk.of(near), bound[near]))
        singles = left
        if not singles:
            return
        i = min(range(len(singles)), key=lambda k: float(singles[k][1].min()))
        chunk, bound = singles[i]
        first = np.argsort(bound, kind="stable")[:_TIMELINES]
        own = chunk.of(first)
        kept.timed(own, single_rows(searcher, own.ids + own.free_ids[0])["time_s"][:, None])
        rest = np.setdiff1d(np.arange(len(bound)), first)
        singles[i : i + 1] = [(chunk.of(rest), bound[rest])] if len(rest) else []


def single_rows(
    searcher: Searcher, ids: Ints, columns: tuple[str, ...] = ("time_s",)
) -> dict[str, Floats]:
    """Columns of single rows by their ids."""
    index = searcher.index_of(ids)
    vp = searcher.space.numbers("vp")[index["vp"]] > 1
    found = {name: np.empty(len(ids)) for name in columns}
    kinds = [recompute_of(v)[0] for v in searcher.space.values["recompute"]]
    again = np.array([kinds.index(k) for k in kinds])[index["recompute"]]
    names = ("pp", "schedule", "sequence_parallel", "offload")
    keys = np.stack([*(index[n] for n in names), vp, again])
    for key in np.unique(keys, axis=1).T:
        own = np.flatnonzero((keys == key[:, None]).all(axis=0))
        pp, schedule, shared, offload, folds, kind = (int(k) for k in key)
        group = Group(pp, schedule, bool(folds), shared, offload, kinds[kind])
        part = {axis: at[own] for axis, at in index.items()}
        values = searcher.kernel(group, columns)(searcher.fields(group, part, timed=True))
        for name in columns:
            found[name][own] = values[name]
    return found
