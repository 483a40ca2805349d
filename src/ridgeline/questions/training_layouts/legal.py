"""Which combinations of a space can be, as tables of indices into its values.

Rules are those of `ridgeline.questions.training.legal`: each is asked once of every combination of
the few fields that it looks at, and told to all rows that have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.training.legal import RULES, Rule, problems
from ridgeline.questions.training_layouts.space import AXES, recompute_of
from ridgeline.specs.training import Degree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ridgeline.questions.training_layouts.space import Space

    Indices = dict[str, NDArray[np.int64]]
    Mask = NDArray[np.bool_]

__all__ = ["CORE", "FREE", "Legal"]

#: axes whose combinations are made before those of the others
FREE = ("recompute", "offload", "overlap", "order")
CORE = tuple(axis for axis in AXES if axis not in FREE)
#: as many combinations of a rule's fields have a place in a table; more are sorted
_MOST_PLACES = 1 << 22
#: degrees that groups of exchanges are there with
_ACTIVE = ("tp", "pp", "cp", "dp", "ep")
_OF_GROUP = {"tp_backward": "tp"}


@dataclass
class Legal:
    """Combinations of a space that can be, each once.

    Attributes
    ----------
    space : Space
    """

    space: Space
    _known: dict[tuple[str, ...], dict[int, bool]] = field(default_factory=dict, repr=False)
    _free_of: dict[int, NDArray[np.int64]] = field(default_factory=dict, repr=False)

    @cached_property
    def core(self) -> Indices:
        """Of the axes of `CORE`, the indices of each combination that can be."""
        found: Indices = {}
        n, left = 1, set(CORE) - {"dp"}
        for axis in CORE:
            if axis == "dp":
                found, n = self._with_dp(found)
            else:
                size = len(self.space.values[axis])
                found = {name: np.repeat(v, size) for name, v in found.items()}
                found[axis] = np.tile(np.arange(size), n)
                n *= size
            left.discard(axis)
            keep = np.ones(n, dtype=bool)
            for rule in self._ready(found, axis):
                keep &= self._passes(rule, found)
            keep &= self._distinct(axis, found)
            found = {name: v[keep] for name, v in found.items()}
            n = int(keep.sum())
        return found

    def _with_dp(self, found: Indices) -> tuple[Indices, int]:
        """With what the other degrees leave of the chips, where that is tried."""
        values = {a: self.space.numbers(a) for a in ("tp", "pp", "cp", "dp")}
        others = values["tp"][found["tp"]] * values["pp"][found["pp"]] * values["cp"][found["cp"]]
        own = self.space.setup.n_chips / others
        same = own[:, None] == values["dp"]
        at, dp = np.nonzero(same)
        return {name: v[at] for name, v in found.items()} | {"dp": dp}, len(at)

    def _ready(self, found: Indices, axis: str) -> Iterator[Rule]:
        """Rules that could not be asked before this axis was there."""
        for rule in RULES:
            if axis in rule.fields and all(f in found for f in rule.fields):
                yield rule

    def _passes(self, rule: Rule, found: Indices) -> Mask:
        """Where a rule has nothing against."""
        sizes = [len(self.space.values[f]) for f in rule.fields]
        key = np.ravel_multi_index([found[f] for f in rule.fields], sizes)
        if prod(sizes) <= _MOST_PLACES:
            there = np.zeros(prod(sizes), dtype=bool)
            there[key] = True
            each, place = np.flatnonzero(there), key
            legal = np.zeros(prod(sizes), dtype=bool)
            legal[each] = [self.takes(rule, int(k)) for k in each]
            return legal[place]
        each, place = np.unique(key, return_inverse=True)
        return np.array([self.takes(rule, int(k)) for k in each])[place]

    def takes(self, rule: Rule, key: int) -> bool:
        """Whether a rule has nothing against a combination of its fields."""
        known = self._known.setdefault(rule.fields, {})
        if key not in known:
            sizes = [len(self.space.values[f]) for f in rule.fields]
            at = np.unravel_index(key, sizes)
            own = {f: self.space.values[f][int(i)] for f, i in zip(rule.fields, at, strict=True)}
            known[key] = next(rule.problems(self.space.job(own)), None) is None
        return known[key]

    # --- each once

    def _distinct(self, axis: str, found: Indices) -> Mask:
        """Rows that are not another one under a different name."""
        rule = getattr(self, f"_distinct_{axis}", None)
        return np.ones(len(found[axis]), dtype=bool) if rule is None else rule(found)

    def _values(self, axis: str, found: Indices) -> NDArray[np.float64]:
        return self.space.numbers(axis)[found[axis]]

    def _first(self, axis: str, found: Indices, irrelevant: Mask) -> Mask:
        """Where an axis changes nothing, its first value alone."""
        return ~irrelevant | (found[axis] == 0)

    def _distinct_expert_tp(self, found: Indices) -> Mask:
        """The framework's own width is not tried again by its number."""
        values = self.space.values["expert_tp"]
        if None not in values:
            return np.ones(len(found["tp"]), dtype=bool)
        alone = self.space.plain.own_framework.expert_tp == "one"
        tp, ep = self._values("tp", found), self._values("ep", found)
        own = np.where(alone & (ep > 1), 1, tp)
        return self._values("expert_tp", found) != own

    def _distinct_schedule(self, found: Indices) -> Mask:
        """None is of one stage, where others are open to choose from."""
        values = self.space.values["schedule"]
        if len(values) == 1 or None not in values:
            return np.ones(len(found["tp"]), dtype=bool)
        none = found["schedule"] == values.index(None)
        return none == (self._values("pp", found) == 1)

    def _distinct_vp(self, found: Indices) -> Mask:
        """Chunks are of stages, of the one schedule that takes any number of them."""
        free = np.array([v is None or SCHEDULES[v].n_chunks_is_free for v in self._schedules])
        chunks = self._values("vp", found) == 1
        return chunks | (free[found["schedule"]] & (self._values("pp", found) > 1))

    @property
    def _schedules(self) -> tuple[str | None, ...]:
        return self.space.values["schedule"]

    def _distinct_zero(self, found: Indices) -> Mask:
        """One rank shares nothing out."""
        copies = np.array([v is not None and SCHEDULES[v].n_copies > 1 for v in self._schedules])
        ranks = self._values("dp", found) * self._values("cp", found)
        return self._first("zero", found, (ranks == 1) & ~copies[found["schedule"]])

    def _distinct_shard(self, found: Indices) -> Mask:
        """Of all ranks, and of nothing, there is one way."""
        values = self.space.values["shard"]
        if None not in values:
            return self._values("zero", found) > 0
        shard = self._values("shard", found)
        ranks = self._values("dp", found) * self._values("cp", found)
        return np.isinf(shard) | ((self._values("zero", found) > 0) & (shard != ranks))

    def _distinct_sequence_parallel(self, found: Indices) -> Mask:
        return self._first("sequence_parallel", found, self._values("tp", found) == 1)

    # --- recompute, offload, overlap, order

    def recompute_takes(self, recompute: int, pp: int) -> bool:
        """Whether stages of so many can compute so much again, and it is not all: by indices."""
        kind, layers = recompute_of(self.space.values["recompute"][recompute])
        if kind == "layers" and "full" in self.space.values["recompute"]:
            n_layers = sum(int(block.repeat) for block in self.space.setup.model.blocks)
            if layers >= -(-n_layers // int(self.space.values["pp"][pp])):
                return False
        (rule,) = (r for r in RULES if "recompute" in r.fields)
        at = {"recompute": recompute, "pp": pp}
        sizes = [len(self.space.values[f]) for f in rule.fields]
        return self.takes(rule, int(np.ravel_multi_index([at[f] for f in rule.fields], sizes)))

    def offload_takes(self, offload: int) -> bool:
        """Whether the host can hold it: by index."""
        (rule,) = (r for r in RULES if "offload" in r.fields)
        return self.takes(rule, offload)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Of each row of the core, the degrees that are above 1 as a number."""
        above = (self.space.numbers(a)[self.core[a]] > 1 for a in _ACTIVE)
        return np.asarray(sum(there * 2**i for i, there in enumerate(above)))

    def free_of(self, code: int) -> NDArray[np.int64]:
        """Indices of ``overlap`` and ``order`` as pairs, those alike for a code once: see `codes`.

        Parameters
        ----------
        code : int
        """
        if code not in self._free_of:
            active = {a for i, a in enumerate(_ACTIVE) if code >> i & 1}
            self._free_of[code] = self._free(active)
        return self._free_of[code]

    def _free(self, active: set[str]) -> NDArray[np.int64]:
        """Overlaps and orders that are not alike for those degrees, as pairs of indices."""
        groups = self._apart("overlap", lambda v: self._overlaps(v, active))
        orders = self._apart("order", lambda v: tuple(d for d in v if d in active))
        return np.array([(g, o) for g in groups for o in orders])

    def _apart(self, axis: str, told_by: Any) -> list[int]:
        seen: dict[Any, int] = {}
        for i, value in enumerate(self.space.values[axis]):
            seen.setdefault(told_by(value), i)
        return list(seen.values())

    def _overlaps(self, value: tuple[str, ...] | None, active: set[str]) -> frozenset[str]:
        own = self.space.plain.own_framework.hides if value is None else value
        twice = any(v is not None and SCHEDULES[v].n_copies > 1 for v in self._schedules)
        active = active | ({"dp"} if "cp" in active or twice else set())
        return frozenset(g for g in own if _OF_GROUP.get(g, g) in active)

    # --- what cannot be

    def why_not(self, values: dict[str, Any]) -> str:
        """What is wrong with one value of each axis, in words; blank where nothing is."""
        job = self.space.job(values)
        return next(iter(problems(job, self.space.setup.n_chips)), "")

    def n_of_recompute(self, kind: str) -> list[int]:
        """Indices of the values of ``recompute`` that are of a kind."""
        found = self.space.values["recompute"]
        return [i for i, v in enumerate(found) if recompute_of(v)[0] == kind]


assert set(_ACTIVE) >= set(get_args(Degree))
