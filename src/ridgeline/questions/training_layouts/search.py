"""Every combination of a space that can be, weighed and timed; what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.training.legal import check_precision
from ridgeline.questions.training.token_costs import token_costs
from ridgeline.questions.training_layouts.groups import (
    Searcher,
    run_group,
    run_timelines,
    single_rows,
)
from ridgeline.questions.training_layouts.legal import FREE
from ridgeline.questions.training_layouts.space import AXES, Space
from ridgeline.steps.machine import chip_capacity_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ridgeline.grid import Spread
    from ridgeline.questions.training.setup import TrainingSetup
    from ridgeline.questions.training_layouts.kept import Chunk, Kept
    from ridgeline.trainer.job import TrainingJob

__all__ = ["Rank", "TrainingSearch", "search"]

#: rows are ranked by it; with chips and machine the same for all, dollars and energy follow time
Rank = Literal["time", "usd", "energy"]
_COLUMNS = (
    "time_s", "tokens_per_s_per_chip", "mfu", "peak_bytes", "needed_bytes", "fits_probability",
)  # fmt: skip


def search(
    setup: TrainingSetup,
    space: Space | None = None,
    rank: Rank = "time",
    spread: Spread | None = None,
    *,
    run_as: str = "auto",
) -> TrainingSearch:
    """Weigh every combination of a space that can be, and time those that fit.

    Parameters
    ----------
    setup : TrainingSetup
    space : Space or None    The usual one if not given.
    rank : str               ``time``, ``usd`` or ``energy``.
    spread : Spread or None  Where groups of rows run; this process by default.
    run_as : str             How kernels are run: see `ridgeline.grid.kernel.Prepared`.

    Returns
    -------
    TrainingSearch

    Raises
    ------
    InfeasibleError   The chip cannot multiply the format.

    Notes
    -----
    Memory is weighed once for all overlaps and placements, which it does not depend on. Under
    schedules without a closed form, a row's timeline is run where its time without any bubble could
    make it one of the first 20, the fastest of a value, or part of the front.
    """
    space = Space.of(setup) if space is None else space
    check_precision(space.plain)
    searcher = Searcher(space, run_as)
    groups = searcher.groups
    kept = searcher.nothing()
    waiting: list[Chunk] = []
    bounds: list[Any] = []
    runs: Iterable[tuple[int, Any]] = (
        ((i, run_group(searcher, g)) for i, g in enumerate(groups))
        if spread is None
        else spread.run(run_group, searcher, groups, name="group of layouts")
    )
    for _, (found, later, least) in runs:
        kept.merge(found)
        waiting += later
        bounds += least
    run_timelines(searcher, kept, waiting, bounds)
    return TrainingSearch(setup, space, rank, kept, searcher)


@dataclass(frozen=True)
class TrainingSearch:
    """What a search has found.

    Attributes
    ----------
    setup : TrainingSetup
    space : Space
    rank : str
    kept : Kept            Counts, fastest rows, front, by ids.
    searcher : Searcher   From ids to rows.
    """

    setup: TrainingSetup
    space: Space
    rank: Rank
    kept: Kept
    searcher: Searcher
    _known: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n_legal(self) -> int:
        """Combinations that can be. [1]"""
        return self.kept.n_legal

    @property
    def n_fit(self) -> int:
        """Combinations that fit memory with a probability of `SURE`. [1]"""
        return self.kept.n_fit

    def counts(self, axis: str) -> dict[Any, tuple[int, int]]:
        """Of each value of an axis, how many combinations can be, and how many of them fit. [1]"""
        legal, fitting = self.kept.legal[axis].tolist(), self.kept.fitting[axis].tolist()
        return dict(zip(self.space.values[axis], zip(legal, fitting, strict=True), strict=True))

    def best(self, n: int = 10) -> list[dict[str, Any]]:
        """The fastest rows that fit, fastest first; see `rows_at`."""
        return self.rows_at(self.kept.best.ids[:n])

    def best_of(self, axis: str) -> dict[Any, dict[str, Any] | None]:
        """Of each value of an axis the fastest row that fits; None where none does."""
        return self._of(axis, {a: of.ids for a, of in self.kept.fastest.items()})

    def nearest_of(self, axis: str) -> dict[Any, dict[str, Any] | None]:
        """Of each value of an axis the row that needs least memory; None where none can be."""
        return self._of(axis, {a: of.ids for a, of in self.kept.sparest.items()})

    def _of(self, axis: str, ids: dict[str, NDArray[np.int64]]) -> dict[Any, dict[str, Any] | None]:
        # Who asks about one axis asks about others, whose rows are many of the same.
        self._look_up(np.concatenate(list(ids.values())))
        own, values = ids[axis], self.space.values[axis]
        rows = iter(self.rows_at(own[own >= 0]))
        return {v: next(rows) if i >= 0 else None for v, i in zip(values, own, strict=True)}

    @cached_property
    def front(self) -> list[dict[str, Any]]:
        """Rows that no other beats in both speed and memory left, fastest first."""
        return self.rows_at(self.kept.front.result())

    @cached_property
    def nearest(self) -> list[dict[str, Any]]:
        """Rows that need least memory, least first."""
        return self.rows_at(self.kept.nearest.ids)

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """The fastest rows as columns."""
        rows = self.rows_at(self.kept.best.ids)
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

    def rows_at(self, ids: Any) -> list[dict[str, Any]]:
        """Rows by their ids.

        Parameters
        ----------
        ids : array of int

        Returns
        -------
        list of dict   ``id``; every axis of the space; ``time_s``, ``tokens_per_s_per_chip``,
                       ``mfu``, ``peak_bytes``, ``headroom_bytes`` (what is left of a chip; below 0,
                       what is missing), ``fits_probability``; ``usd_per_mtok`` (None without a
                       price) and ``wh_per_mtok`` (None without a published power) of tokens
                       trained on.
        """
        self._look_up(np.asarray(ids, dtype=np.int64))
        return [dict(self._known[int(one)]) for one in ids]

    def _look_up(self, ids: NDArray[np.int64]) -> None:
        """Make rows that nobody has asked for before, together."""
        ids = np.array(sorted({int(i) for i in ids if i >= 0} - self._known.keys()), dtype=np.int64)
        if not len(ids):
            return
        index = self.searcher.index_of(ids)
        found = single_rows(self.searcher, ids, _COLUMNS)
        capacity = chip_capacity_bytes(self.space.plain.cluster.chip)
        for i, one in enumerate(ids):
            row: dict[str, Any] = {"id": int(one)}
            row |= {axis: self.space.values[axis][int(index[axis][i])] for axis in AXES}
            own = {name: float(values[i]) for name, values in found.items()}
            own["headroom_bytes"] = capacity - own.pop("needed_bytes")
            self._known[int(one)] = row | own | self._money(own["time_s"])

    def share_faster(self, time_s: float) -> float:
        """Of all combinations that fit and were timed, the share that is faster than a step. [1]

        Parameters
        ----------
        time_s : float   Of an optimizer step, such as one of a layout that people chose. [s]

        Notes
        -----
        Exact among the fastest thousand; of others to a hundredth of the time. Of schedules without
        a closed form, rows whose timeline was not run are left out.
        """
        return self.kept.share_faster(time_s)

    def sample(self, n: int, source: np.random.Generator) -> NDArray[np.int64]:
        """Ids of rows drawn from all that can be, whether they fit or not; evenly.

        Parameters
        ----------
        n : int
        source : Generator
        """
        legal, strides = self.searcher.legal, self.searcher.strides
        most = len(self.space.values["overlap"]) * len(self.space.values["order"])
        found: list[int] = []
        while self.n_legal and len(found) < n:
            row = int(source.integers(len(legal.codes)))
            at = {axis: int(of[row]) for axis, of in legal.core.items()}
            at |= {a: int(source.integers(len(self.space.values[a]))) for a in FREE[:2]}
            free, place = legal.free_of(int(legal.codes[row])), int(source.integers(most))
            takes = legal.recompute_takes(at["recompute"], at["pp"])
            if takes and legal.offload_takes(at["offload"]) and place < len(free):
                at |= dict(zip(FREE[2:], free[place].tolist(), strict=True))
                found.append(int(np.sum([i * strides[axis] for axis, i in at.items()])))
        return np.array(found, dtype=np.int64)

    def _money(self, time_s: float) -> dict[str, float | None]:
        """Dollars and energy of a million tokens."""
        n, n_tokens = self.setup.n_chips, self.space.load.tokens
        cost = token_costs(self.setup.cluster, self.setup.price, time_s, n_tokens, n)
        return {"usd_per_mtok": cost.usd_per_mtok, "wh_per_mtok": cost.wh_per_mtok}

    def job(self, row: dict[str, Any] | int) -> TrainingJob:
        """The job of a row, as `rl.training` times it.

        Parameters
        ----------
        row : dict or int   A row, or its id.
        """
        if not isinstance(row, dict):
            index = self.searcher.index_of(np.array([row]))
            row = {axis: self.space.values[axis][int(index[axis][0])] for axis in AXES}
        return self.space.job({axis: row[axis] for axis in AXES})

    @cached_property
    def refused(self) -> dict[tuple[str, Any], str]:
        """Values that no combination has, and why, for one of them, in words."""
        found: dict[tuple[str, Any], str] = {}
        usual = self.kept.best.ids[:1] if self.n_fit else self.kept.nearest.ids[:1]
        at: dict[str, Any] = {}
        if len(usual):
            index = self.searcher.index_of(usual)
            at = {axis: self.space.values[axis][int(index[axis][0])] for axis in AXES}
        for axis in AXES:
            for value, n in zip(self.space.values[axis], self.kept.legal[axis], strict=True):
                if not n:
                    found[axis, value] = self._why(axis, value, at)
        return found

    def _why(self, axis: str, value: Any, at: dict[str, Any]) -> str:
        row = at | {axis: value} | self._of_stages(axis, value, at)
        if axis == "dp":
            row |= self._beside(value)
        elif axis in ("tp", "pp", "cp") or row.get("pp") != at.get("pp"):
            others = prod(row.get(d, 1) for d in ("tp", "pp", "cp"))
            row["dp"] = max(self.setup.n_chips // others, 1)
        if row.get("pp") == 1:
            row |= {"schedule": None, "vp": 1}
        return self.searcher.legal.why_not(row)

    def _of_stages(self, axis: str, value: Any, at: dict[str, Any]) -> dict[str, Any]:
        """What chunks or a schedule are tried with: stages, chunks beside a schedule that has them.

        Without them it would be refused for what it was not asked with.
        """
        values = self.space.values
        folded = [s for s in values["schedule"] if s and SCHEDULES[s].n_chunks_is_free]
        of_chunks = axis == "vp" and value > 1
        if not of_chunks and (axis != "schedule" or value is None):
            return {}
        several = [n for n in values["pp"] if n > 1]
        found = {"pp": several[0]} if several and at.get("pp", 1) == 1 else {}
        if of_chunks and folded and at.get("schedule") not in folded:
            found["schedule"] = folded[0]
        chunks = [n for n in values["vp"] if n > 1]
        if axis == "schedule":
            found["vp"] = 1
            if value in folded and chunks:
                found["vp"] = at["vp"] if at.get("vp") in chunks else chunks[0]
        return found

    def _beside(self, dp: int) -> dict[str, int]:
        """Degrees that leave so many data-parallel ranks of the chips; none where none do."""
        names = ("tp", "pp", "cp")
        for degrees in product(*(self.space.values[n] for n in names)):
            if prod(degrees) * dp == self.setup.n_chips:
                return dict(zip(names, degrees, strict=True))
        return {}
