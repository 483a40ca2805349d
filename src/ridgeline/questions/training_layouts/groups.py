"""Rows of a space in groups that one kernel weighs and times, each in one process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.grid.kernel import Prepared
from ridgeline.questions.training_layouts.kept import Chunk, Kept
from ridgeline.questions.training_layouts.legal import CORE, Legal
from ridgeline.questions.training_layouts.space import AXES, Space, recompute_of
from ridgeline.steps.kept import ALL_LAYERS
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.training_count import order_code, overlap_code
from ridgeline.trainer.memory import SURE
from ridgeline.trainer.pipeline import has_closed_form
from ridgeline.trainer.rows import BLOCK_ROWS, TrainingRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Indices = dict[str, Ints]
    Floats = NDArray[np.float64]

__all__ = ["Group", "Searcher", "run_group", "run_timelines", "single_rows"]

#: rows weighed or timed at a time
_CHUNK_ROWS = 100_000
#: fastest rows that are kept, and those of them that no timeline is left out of
_N_BEST, _N_EXACT = 1000, 20
#: rows whose timelines are run at a time
_TIMELINES = 32
_SHARE_ALL = 1e18
#: kinds of recompute that are one of each other, of other numbers of layers
_BY_LAYERS = ("none", "layers", "full")
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

    def index_of(self, ids: Ints) -> Indices:
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
        """Kinds of recompute that have a kernel of their own."""
        return list(dict.fromkeys(self.again))

    @cached_property
    def again(self) -> list[str]:
        """Of each value of ``recompute``, whose kernel it has: nothing and all are layers, too."""
        kinds = [recompute_of(v)[0] for v in self.space.values["recompute"]]
        several = len(set(kinds) & set(_BY_LAYERS)) > 1
        return ["layers" if several and kind in _BY_LAYERS else kind for kind in kinds]

    def again_of(self, group: Group) -> list[int]:
        """Indices of the values of ``recompute`` that a group has."""
        return [
            i
            for i, kind in enumerate(self.again)
            if kind == group.again and self.legal.recompute_takes(i, group.pp)
        ]

    def kernel(self, group: Group, columns: tuple[str, ...]) -> TrainingRows:
        """What weighs or times the rows of a group."""
        values = self.space.values
        schedule = values["schedule"][group.schedule]
        if schedule is None and group.folds:
            schedule = "interleaved"
        at = {
            "pp": values["pp"][group.pp],
            "schedule": schedule,
            "sequence_parallel": values["sequence_parallel"][group.sequence_parallel],
            "offload": values["offload"][group.offload],
            "recompute": "layers 1" if group.again == "layers" else group.again,
        }
        return TrainingRows(self.space.job(at), columns=columns)

    def fields(self, group: Group, index: Indices) -> dict[str, Floats]:
        """Numbers of rows as kernels take them, but for `free_fields`: of what varies."""
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
            found["recipe.recompute_layers"] = self._layers_again[index["recompute"]]
        # A space of one row has nothing that varies.
        return found or {"recipe.micro_batch": space.numbers("micro_batch")[index["micro_batch"]]}

    def free_fields(self, index: Indices) -> dict[str, Floats]:
        """The same of what time alone depends on."""
        space, found = self.space, {}
        if len(space.values["overlap"]) > 1:
            hides = space.plain.own_framework.hides
            codes = [overlap_code(hides if v is None else v) for v in space.values["overlap"]]
            found["recipe.overlap"] = np.array(codes, dtype=float)[index["overlap"]]
        if len(space.values["order"]) > 1:
            codes = [order_code(v) for v in space.values["order"]]
            found["layout.order"] = np.array(codes, dtype=float)[index["order"]]
        return found

    @cached_property
    def _layers_again(self) -> Floats:
        """Layers that each value of ``recompute`` computes again."""
        values = (recompute_of(v) for v in self.space.values["recompute"])
        return np.array([ALL_LAYERS if kind == "full" else float(n) for kind, n in values])

    def _expert_tp(self, index: Indices) -> Floats:
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

    def chunks(self, group: Group) -> Iterator[tuple[Indices, list[tuple[slice, Chunk]]]]:
        """Rows of a group, and the same in parts with their free combinations beside them."""
        again = np.array(self.again_of(group))
        if not len(again):
            return
        core, codes = self.legal.core, self.legal.codes
        all_rows = self.rows_of(group)
        all_rows = all_rows[np.argsort(codes[all_rows], kind="stable")]
        step = max(_CHUNK_ROWS // len(again), 1)
        for start in range(0, len(all_rows), step):
            own = all_rows[start : start + step]
            rows = np.repeat(own, len(again))
            index = {axis: core[axis][rows] for axis in CORE}
            index["recompute"] = np.tile(again, len(own))
            index["offload"] = np.full(len(rows), group.offload)
            ids = np.asarray(sum(at * self.strides[axis] for axis, at in index.items()))
            first = np.flatnonzero(np.diff(codes[own], prepend=-1)) * len(again)
            cuts = [slice(*ends) for ends in pairwise([*first.tolist(), len(rows)])]
            yield (
                index,
                [(cut, self._part(index, ids, int(codes[rows[cut.start]]), cut)) for cut in cuts],
            )

    def _part(self, index: Indices, ids: Ints, code: int, cut: slice) -> Chunk:
        """Rows with the same degrees above 1; margins are not known yet."""
        free = self.legal.free_of(code)
        free_ids = free @ np.array([self.strides["overlap"], self.strides["order"]])
        own = {axis: at[cut] for axis, at in index.items()}
        return Chunk(own, ids[cut], free, free_ids, np.zeros(cut.stop - cut.start))

    @cached_property
    def n_rows(self) -> dict[Group, int]:
        """Rows of each group whose memory is weighed: what overlaps and placements share is one."""
        return {g: len(self.rows_of(g)) * len(self.again_of(g)) for g in self.groups}

    def n_alike(self, group: Group) -> int:
        """The same of all groups whose loops are alike: they have another number of stages."""
        alone = self.space.values["pp"][group.pp] == 1
        like = (
            n
            for other, n in self.n_rows.items()
            if other._replace(pp=group.pp) == group
            and (self.space.values["pp"][other.pp] == 1) == alone
        )
        return sum(like)

    def prepared(self, group: Group, columns: tuple[str, ...], each: float = 1.0) -> Prepared:
        """A kernel as this process runs it.

        Parameters
        ----------
        group : Group
        columns : tuple of str
        each : float   Rows of the kernel for each that is weighed. [1]
        """
        n, alike = self.n_rows[group] * each, self.n_alike(group) * each
        return Prepared(self.kernel(group, columns), n, self.run_as, n_alike=alike)

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
    columns = ("time_s",) if searcher.is_closed(group) else ("bound_s",)
    capacity = chip_capacity_bytes(searcher.space.plain.cluster.chip)
    weigher = searcher.prepared(group, _WEIGHED)
    timer: Prepared | None = None
    waiting: list[Chunk] = []
    bounds: list[Any] = []
    for index, parts in searcher.chunks(group):
        held = _columns(weigher, searcher.fields(group, index))
        fits = held["fits_probability"] >= SURE
        fitting: list[Chunk] = []
        for cut, part in parts:
            whole = replace(part, margin_bytes=capacity - held["needed_bytes"][cut])
            kept.weighed(whole, fits[cut])
            if fits[cut].any():
                fitting += _cut(whole.of(np.flatnonzero(fits[cut])))
        if fitting and timer is None:
            # As many of a group fit as of its first rows, about.
            each = sum(len(c.ids) * len(c.free) for c in fitting) / len(fits)
            timer = searcher.prepared(group, columns, each)
        for some in _together(fitting):
            assert timer is not None
            for part, seconds in zip(some, _times(searcher, group, timer, some), strict=True):
                if columns == ("time_s",):
                    kept.timed(part, seconds)
                else:
                    waiting.append(part)
                    bounds.append(seconds)
    return kept, waiting, bounds


def _cut(chunk: Chunk) -> Iterator[Chunk]:
    """A chunk in parts of few enough rows, with their free combinations."""
    step = max(_CHUNK_ROWS // len(chunk.free), 1)
    for start in range(0, len(chunk.ids), step):
        yield chunk.of(slice(start, start + step))


def _together(chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks that are timed in one go."""
    some: list[Chunk] = []
    n = 0
    for chunk in chunks:
        if n and n + len(chunk.ids) * len(chunk.free) > _CHUNK_ROWS:
            yield some
            some, n = [], 0
        some.append(chunk)
        n += len(chunk.ids) * len(chunk.free)
    if some:
        yield some


def _times(
    searcher: Searcher, group: Group, timer: Prepared, chunks: list[Chunk]
) -> Iterator[Floats]:
    """Of each chunk, for each row and free combination. [s]"""
    each: list[dict[str, Floats]] = []
    for chunk in chunks:
        overlap, order = chunk.free.T
        free = searcher.free_fields({"overlap": overlap, "order": order})
        fields = searcher.fields(group, chunk.index)
        own = {name: np.repeat(v, len(chunk.free)) for name, v in fields.items()}
        each.append(own | {name: np.tile(v, len(chunk.ids)) for name, v in free.items()})
    fields = each[0]
    if len(each) > 1:
        fields = {name: np.concatenate([own[name] for own in each]) for name in each[0]}
    (found,) = _columns(timer, fields).values()
    start = 0
    for chunk in chunks:
        shape = len(chunk.ids), len(chunk.free)
        yield found[start : start + prod(shape)].reshape(shape)
        start += prod(shape)


def run_timelines(searcher: Searcher, kept: Kept, waiting: list[Chunk], bounds: list[Any]) -> None:
    """Time rows whose schedule has no closed form, as long as any of them could matter."""
    # One free combination a row, those that could be fastest first.
    singles = [
        (replace(c, free=c.free[j : j + 1], free_ids=c.free_ids[j : j + 1]), b[:, j])
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
    kinds = searcher.again
    again = np.array([kinds.index(k) for k in kinds])[index["recompute"]]
    names = ("pp", "schedule", "sequence_parallel", "offload")
    keys = np.stack([*(index[n] for n in names), vp, again])
    for key in np.unique(keys, axis=1).T:
        own = np.flatnonzero((keys == key[:, None]).all(axis=0))
        pp, schedule, shared, offload, folds, kind = (int(k) for k in key)
        group = Group(pp, schedule, bool(folds), shared, offload, kinds[kind])
        part = {axis: at[own] for axis, at in index.items()}
        fields = searcher.fields(group, part) | searcher.free_fields(part)
        kernel = Prepared(searcher.kernel(group, columns), len(own), searcher.run_as)
        for name, values in _columns(kernel, fields).items():
            found[name][own] = values
    return found
