"""From runs to steps: which steps have to be timed so that a run can be predicted."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.assumptions import (
    TOO_LARGE,
    assume,
    class_of,
    limits_of,
    n_requests,
)
from ridgeline.laws.scheduling import fill_share, waves
from ridgeline.steps.effects import places_of
from ridgeline.steps.ledger import Ledger, Steps
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.memory import memory_per_chip
from ridgeline.steps.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.assumptions import Assumed
    from ridgeline.fidelity.runs import Run
    from ridgeline.specs.layout import Layout

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["N_GRID", "Plan", "plan"]

#: where two points integrate a context that grows evenly
_GAUSS = (0.21132487, 0.78867513)
#: numbers of sequences at which a serving run's steps are timed
N_GRID = 5
#: closed and offline runs are nearly full: their grid begins at this share
_FULL_SHARE = 3.0
#: what runtimes take besides weights and caches
_RESERVE_BYTES = {"all": 1.5e9, "free": 2e9}
#: steps with fixed batches, and those of a server
FIXED = ("static", "decode", "prefill")
_NO_STEP = -1


@dataclass(slots=True)
class Plan:
    """Runs as arrays, with the steps that predict them.

    Attributes
    ----------
    cases : list of Assumed        A run may have several: see `pick`.
    of_run : list of list of int   Cases of each run that was given.
    classes : list of str          How requests are spread, of each case.
    places : list of mapping       Where each case is: see `steps.effects.places_of`.
    prompt, decode, live, mixed : array of int
        Steps of each case: its prompts; decoding at two contexts; decoding, and the same with
        prompts, for each of `n_grid` sequences.
    """

    cases: list[Assumed]
    of_run: list[list[int]]
    classes: list[str]
    places: list[dict[str, str]]
    arrays: dict[str, Any]
    prompt: Ints
    decode: Ints
    live: Ints
    mixed: Ints
    n_grid: Floats
    timer: Timer
    step_case: Ints
    n_decode_of_step: Floats
    n_prefill_of_step: Floats

    def __len__(self) -> int:
        return len(self.cases)


class _Steps:
    """Steps asked for, in the order asked; counted model by model."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def add(
        self,
        case: int,
        assumed: Assumed,
        *,
        n_decode: float = 0.0,
        context: float = 1.0,
        n_prefill: float = 0.0,
        new: float = 1.0,
    ) -> int:
        self.asked.append((case, assumed, n_decode, context, n_prefill, new))
        return len(self.asked) - 1

    def timed(self) -> tuple[Timer, Ints, Ints]:
        """The timer, where each asked step lies in it, and the case of each of its steps."""
        by_model: dict[int, list[int]] = defaultdict(list)
        for i, row in enumerate(self.asked):
            by_model[id(row[1].run.model)].append(i)
        ledger, clusters = Ledger(), {}
        at = np.zeros(len(self.asked), dtype=np.intp)
        cluster_of = np.zeros(len(self.asked), dtype=np.intp)
        case_of = np.zeros(len(self.asked), dtype=np.intp)
        for indices in by_model.values():
            where = ledger.add(self._steps([self.asked[i] for i in indices]))
            at[indices] = np.arange(where.start, where.stop)
        for i, (case, assumed, *_) in enumerate(self.asked):
            cluster = assumed.run.cluster
            code, _ = clusters.setdefault(id(cluster), (len(clusters), cluster))
            cluster_of[at[i]], case_of[at[i]] = code, case
        return Timer(ledger, [c for _, c in clusters.values()], cluster_of), at, case_of

    @staticmethod
    def _steps(rows: list[tuple[Any, ...]]) -> Steps:
        layouts = [row[1].layout for row in rows]
        tp, pp, attn_dp, ep = np.array([_degrees(x) for x in layouts], dtype=float).T
        domain = np.array([row[1].run.cluster.domain_size for row in rows], dtype=float)
        n_decode, context, n_prefill, new = np.array([row[2:] for row in rows], dtype=float).T
        gathers = np.array([row[1].engine.gather_up_to for row in rows], dtype=float)
        return Steps(
            rows[0][1].run.model, tp, pp, attn_dp, ep, domain, n_decode, context, n_prefill, new,
            prefix=np.zeros(len(rows)), gather_up_to=gathers,
        )  # fmt: skip


class _Rooms:
    """Sequences whose caches fit, each question asked once."""

    def __init__(self) -> None:
        self._known: dict[Any, float] = {}

    def holds(self, assumed: Assumed) -> bool:
        """Whether the stated chips can hold the weights."""
        run, layout = assumed.run, assumed.layout
        key = (id(run.model), run.cluster.chip.id, _degrees(layout))
        if key not in self._known:
            held = memory_per_chip(run.model, layout, 1.0)
            self._known[key] = float(held.weights_bytes <= chip_capacity_bytes(run.cluster.chip))
        return bool(self._known[key])

    def places(self, assumed: Assumed, context: float) -> float:
        """Sequences of a replica; all of them where the stated chips cannot hold the weights."""
        run, layout, engine = assumed.run, assumed.layout, assumed.engine
        key = (id(run.model), run.cluster.chip.id, _degrees(layout), context, engine.id)
        if key not in self._known:
            held = memory_per_chip(run.model, layout, context)
            capacity = chip_capacity_bytes(run.cluster.chip)
            free = capacity - held.weights_bytes
            each = held.cache_bytes_per_sequence
            reserve = _RESERVE_BYTES[engine.memory_share_of]
            if engine.memory_share_of == "free":
                room = (free - reserve) * engine.memory_share
            else:
                room = capacity * engine.memory_share - reserve - held.weights_bytes
            fits = free >= 0 and each > 0
            self._known[key] = max(float(room / each), 1.0) if fits else np.inf
        return self._known[key]


def _degrees(layout: Layout) -> tuple[int, ...]:
    return (layout.tp, layout.pp, layout.attn_dp, layout.ep)


def plan(runs: Sequence[Run]) -> Plan:
    """Say which steps predict some runs, and count them.

    Parameters
    ----------
    runs : sequence of Run
    """
    cases: list[Assumed] = []
    of_run = []
    for run in runs:
        made = assume(run)
        of_run.append(list(range(len(cases), len(cases) + len(made))))
        cases += made
    builder = _Builder(cases)
    return builder.plan(of_run)


class _Builder:
    """Fills the arrays of a plan, a case at a time."""

    def __init__(self, cases: list[Assumed]) -> None:
        n = len(cases)
        self.cases = cases
        self.steps, self.rooms = _Steps(), _Rooms()
        self.prompt = np.full(n, _NO_STEP, dtype=np.intp)
        self.decode = np.full((n, 2), _NO_STEP, dtype=np.intp)
        self.live = np.full((n, N_GRID), _NO_STEP, dtype=np.intp)
        self.mixed = np.full((n, N_GRID), _NO_STEP, dtype=np.intp)
        self.n_grid = np.ones((n, N_GRID))
        self.columns = {
            name: np.ones(n)
            for name in (
                "isl", "osl", "batch", "n_chips", "replicas", "attn_dp", "rate", "offered",
                "places", "at_once", "waves", "in_wave", "fill", "requests",
                "limit_first", "limit_gap",
            )
        }  # fmt: skip

    def plan(self, of_run: list[list[int]]) -> Plan:
        self.cases = [
            case if self.rooms.holds(case) else replace(case, said=(*case.said, TOO_LARGE))
            for case in self.cases
        ]
        for i, case in enumerate(self.cases):
            self._stated(i, case)
            if case.run.regime in FIXED:
                self._fixed(i, case)
            else:
                self._served(i, case)
        timer, at, case_of = self.steps.timed()
        classes = [class_of(c.run, c.engine) for c in self.cases]
        places = [
            places_of(c.run.cluster.chip, c.engine, c.era, class_=k)
            for c, k in zip(self.cases, classes, strict=True)
        ]
        arrays = {
            **self.columns,
            "regime": np.array([c.run.regime for c in self.cases]),
            "double": np.array([_doubles(c) for c in self.cases]),
        }
        asked = np.array([row[2:] for row in self.steps.asked], dtype=float).reshape(-1, 4)
        counts = np.zeros((2, timer.n_steps))
        counts[:, at] = asked[:, [0, 2]].T

        def placed(index: Ints) -> Ints:
            return np.where(index >= 0, at[index] if len(at) else index, _NO_STEP)

        return Plan(
            self.cases, of_run, classes, places, arrays,
            placed(self.prompt), placed(self.decode), placed(self.live), placed(self.mixed),
            self.n_grid, timer, case_of, counts[0], counts[1],
        )  # fmt: skip

    def _stated(self, i: int, case: Assumed) -> None:
        run, layout = case.run, case.layout
        limits = limits_of(run)
        values = {
            "isl": run.isl or 0.0,
            "osl": run.osl or 0.0,
            "batch": run.batch or 1.0,
            "n_chips": run.n_chips,
            "replicas": layout.replicas,
            "attn_dp": layout.attn_dp,
            "rate": (run.request_rate_per_s or 0.0) / layout.replicas,
            "offered": (run.concurrency or np.inf) / layout.replicas,
            "requests": n_requests(run) / layout.replicas,
            "limit_first": limits.first_token_s,
            "limit_gap": limits.gap_s,
        }
        for name, value in values.items():
            self.columns[name][i] = value

    def _fixed(self, i: int, case: Assumed) -> None:
        """A batch that starts together: its prompts, then decoding at two contexts."""
        run, layout, c = case.run, case.layout, self.columns
        isl, osl, batch = c["isl"][i], c["osl"][i], c["batch"][i] / layout.replicas
        places = self.rooms.places(case, isl + osl) if run.regime == "static" else np.inf
        c["waves"][i] = waves(batch, places)
        n = c["in_wave"][i] = batch / c["waves"][i]
        c["fill"][i] = self._fill(case, n, isl)
        if run.regime != "decode" and isl > 0:
            self.prompt[i] = self.steps.add(i, case, n_prefill=n, new=isl)
        if run.regime != "prefill":
            for j, x in enumerate(_GAUSS):
                self.decode[i, j] = self.steps.add(i, case, n_decode=n, context=isl + osl * x)

    @staticmethod
    def _fill(case: Assumed, n: float, isl: float) -> float:
        """Prompts through a pipeline: in chunks of their tokens, or in as many parts as stages."""
        stages = case.layout.pp
        if stages == 1 or isl <= 0:
            return 1.0
        if case.engine.prompt_chunk:
            return float(fill_share(-(-isl // case.engine.prompt_chunk), stages))
        # The count is of one part of the batch on its way through all stages.
        return float(fill_share(stages, stages)) * stages if n >= stages else 1.0

    def _served(self, i: int, case: Assumed) -> None:
        """Requests that come and go: steps with and without prompts, at several batches."""
        run, layout, engine, c = case.run, case.layout, case.engine, self.columns
        isl, osl = c["isl"][i], max(c["osl"][i], 1.0)
        context = isl + osl / 2
        kept = isl + osl if engine.reserves_output else context
        most = (case.era.max_sequences or engine.max_sequences) * layout.attn_dp
        places = min(self.rooms.places(case, kept), most)
        offered = c["offered"][i]
        if run.regime == "offline":
            if run.concurrency:  # the engine was told how many it may run
                places = min(self.rooms.places(case, kept), offered)
            c["offered"][i] = np.inf
        if run.regime == "open":
            places = min(places, c["requests"][i])
        full = max(min(c["offered"][i], places), 1.0)
        c["places"][i] = full
        low = 1.0 if run.regime in ("open", "slo") else max(full / _FULL_SHARE, 1.0)
        grid = self.n_grid[i] = np.geomspace(low, full, N_GRID) if full > low else full
        per_step = max(engine.token_budget / max(isl, 1.0), 1.0)
        spread = min(layout.attn_dp * layout.pp, full)
        at_once = c["at_once"][i] = max(min(max(full / osl, 1.0), per_step), spread)
        self.prompt[i] = self.steps.add(i, case, n_prefill=1.0, new=isl)
        for j, n in enumerate(np.broadcast_to(grid, N_GRID)):
            self.live[i, j] = self.steps.add(i, case, n_decode=n, context=context)
            self.mixed[i, j] = self.steps.add(
                i, case, n_decode=n, context=context, n_prefill=at_once, new=isl
            )


def _doubles(case: Assumed) -> float:
    """GeForce adds up in fp16 at twice the rate it is listed with, which is that of fp32."""
    chip = case.run.cluster.chip
    geforce = chip.kind == "consumer" and chip.vendor.casefold() == "nvidia"
    return 2.0 if geforce and case.engine.adds_in_fp16 else 1.0
