"""From runs to steps: which steps have to be timed so that a run can be predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.asked_steps import AskedSteps
from ridgeline.fidelity.engines.assumptions import (
    ROOM_MADE,
    TOO_LARGE,
    assume,
    limits_of,
    n_requests,
)
from ridgeline.fidelity.engines.grouping import alike, codes
from ridgeline.fidelity.engines.rooms import Rooms
from ridgeline.kernels.effects import members_of, scopes_of
from ridgeline.laws.scheduling import rounds
from ridgeline.service.fixed import GAUSS, prompt_fill
from ridgeline.service.requests import Requests, prompts_at_once
from ridgeline.service.steady import admission_steps
from ridgeline.service.surface import LIVE, MIXED, octaves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.assumptions import Assumed
    from ridgeline.fidelity.runs import Run
    from ridgeline.replica.timer import Timer

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["Plan", "plan"]

#: closed and offline runs are nearly full: their surface begins at this share of what is offered
_FULL_SHARE = 4.0
#: steps with fixed batches, and those of a server
FIXED = ("static", "decode", "prefill")
_NO_STEP = -1
#: octaves of the largest lattice that a number of sequences may need
_MOST_OCTAVES = 1024


@dataclass(slots=True)
class Plan:
    """Runs as arrays, with the steps that predict them.

    Attributes
    ----------
    cases : list of Assumed        A run may have several: see `pick`.
    of_run : list of list of int   Cases of each run that was given.
    places : list of list of mapping
        Where cases are, each place once: see `kernels.effects.scopes_of`; of an engine that stands
        for several, those of each.
    place : array of int           Which of the places each case is at.
    prompt, decode, live, mixed : array of int
        Steps of each case: its prompts; decoding at two contexts; decoding, and the same with
        prompts, on the lattice of `service.surface`, the last repeated where a row is shorter.
    lacks : list of str            What of a case memory has no room for; empty where it fits.
    """

    cases: list[Assumed]
    of_run: list[list[int]]
    own: list[dict[str, str]]
    places: list[list[dict[str, str]]]
    place: Ints
    arrays: dict[str, Any]
    prompt: Ints
    decode: Ints
    live: Ints
    mixed: Ints
    at_once: Floats
    timer: Timer
    step_case: Ints
    lacks: list[str]

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def scopes(self) -> list[dict[str, str]]:
        """Where each case is: see `kernels.effects.scopes_of`."""
        return [self.own[i] for i in self.place.tolist()]

    @property
    def members(self) -> list[list[dict[str, str]]]:
        """Scopes of each case; of an engine that stands for several, those of each."""
        return [self.places[i] for i in self.place.tolist()]

    def repeated(self, n: int) -> Plan:
        """Arrays and steps n times on end, steps numbered on: cases and timer stay those of one."""
        n_steps = len(self.step_case)

        def again(index: Ints) -> Ints:
            moved = [np.where(index >= 0, index + i * n_steps, _NO_STEP) for i in range(n)]
            return np.concatenate(moved)

        return replace(
            self,
            arrays={name: np.tile(values, n) for name, values in self.arrays.items()},
            prompt=again(self.prompt),
            decode=again(self.decode),
            live=again(self.live),
            mixed=again(self.mixed),
            at_once=np.tile(self.at_once, (n, 1)),
        )

    def take(self, cases: Ints, of_run: list[list[int]]) -> tuple[Plan, Ints]:
        """The plan of some of the cases, in their order, and the steps that are in it.

        Parameters
        ----------
        cases : array of int
        of_run : list of list of int   Which of these each run has.
        """
        new = np.full(len(self), _NO_STEP, dtype=np.intp)
        new[cases] = np.arange(len(cases))
        steps = np.flatnonzero(new[self.step_case] >= 0)
        at = np.full(len(self.step_case) + 1, _NO_STEP, dtype=np.intp)  # the last is no step
        at[steps] = np.arange(len(steps))
        found = Plan(
            [self.cases[i] for i in cases],
            of_run,
            self.own,
            self.places,
            self.place[cases],
            {name: values[cases] for name, values in self.arrays.items()},
            at[self.prompt[cases]],
            at[self.decode[cases]],
            at[self.live[cases]],
            at[self.mixed[cases]],
            self.at_once[cases],
            self.timer.take(steps),
            new[self.step_case[steps]],
            [self.lacks[i] for i in cases],
        )
        return found, steps


def plan(runs: Sequence[Run]) -> Plan:
    """Say which steps predict some runs, and count them.

    Parameters
    ----------
    runs : sequence of Run
    """
    cases: list[Assumed] = []
    of_run = []
    known: dict[Any, Any] = {}
    for run in runs:
        made = assume(run, known)
        of_run.append(list(range(len(cases), len(cases) + len(made))))
        cases += made
    return _Builder(cases).plan(of_run)


def _with_room(case: Assumed, in_flight: float) -> Assumed:
    """A run that the engine's own settings leave no room for: it was set to what it took."""
    ranks = case.layout.attn_dp
    most = min(case.engine.max_sequences, math.ceil(in_flight / ranks))
    engine = case.engine.model_copy(update={"max_sequences": most})
    return replace(case, engine=engine, said=(*case.said, ROOM_MADE))


class _Builder:
    """Fills the arrays of a plan, all cases of a kind at once."""

    def __init__(self, cases: list[Assumed]) -> None:
        n = len(cases)
        self.steps, self.rooms = AskedSteps(), Rooms(cases)
        self.cases = cases
        for i in np.flatnonzero(~self.rooms.holds):
            self.cases[i] = replace(cases[i], said=(*cases[i].said, TOO_LARGE))
        self.prompt = np.full(n, _NO_STEP, dtype=np.intp)
        self.decode = np.full((n, 2), _NO_STEP, dtype=np.intp)
        self.live = self.mixed = np.full((n, 2), _NO_STEP, dtype=np.intp)
        self.at_once = np.full((n, 2), 1.0)
        self.lacks = [""] * n
        self.regime = np.array([case.run.regime for case in cases])
        self.columns = _stated(cases)
        self.columns |= {
            name: np.ones(n)
            for name in ("slots", "rounds", "in_wave", "fill", "first_octave", "n_chunks", "ranks")
        }
        how = [case.run.drafting for case in cases]
        self.drafts, self.acceptance = (
            np.array([getattr(one, name) for one in how], dtype=float)
            for name in ("drafts", "acceptance")
        )

    def plan(self, of_run: list[list[int]]) -> Plan:
        is_fixed = np.isin(self.regime, FIXED)
        self._fixed(np.flatnonzero(is_fixed))
        self._served(np.flatnonzero(~is_fixed))
        timer, at, case_of = self.steps.timed(self.cases)
        own, places, place = _places(self.cases)
        arrays = {
            **self.columns,
            "regime": self.regime,
            "double": np.array([_doubles(c) for c in self.cases]),
            "variation": np.array([c.lengths_variation for c in self.cases]),
            "lockstep": np.array([c.is_lockstep for c in self.cases]),
            "waits": np.array(
                [admission_steps(c.engine, c.layout.attn_dp, 0.0) for c in self.cases]
            ),
        }

        def placed(index: Ints) -> Ints:
            return np.where(index >= 0, at[index] if len(at) else index, _NO_STEP)

        return Plan(
            self.cases, of_run, own, places, place, arrays,
            placed(self.prompt), placed(self.decode), placed(self.live), placed(self.mixed),
            self.at_once, timer, case_of, self.lacks,
        )  # fmt: skip

    def _requests(self, at: Ints, osl: Floats) -> Requests:
        c = self.columns
        found = Requests(
            c["isl"][at], osl, c["cached"][at], None, self.drafts[at], self.acceptance[at]
        )
        c["per_step"][at] = found.tokens_per_step
        return found

    def _fit(self, at: Ints, context: Floats) -> Floats:
        return self.rooms.fit([self.cases[i].engine for i in at.tolist()], at, context)

    def _fixed(self, at: Ints) -> None:
        """Batches that start together: their prompts, then decoding at two contexts."""
        c, regime = self.columns, self.regime[at]
        isl, osl, batch = c["isl"][at], c["osl"][at], c["batch"][at] / c["replicas"][at]
        at_once = np.where(regime == "decode", batch, 1.0)
        tokens = np.where(regime == "prefill", isl, isl + osl)
        self._lack(at, tokens, at_once)
        slots, several = np.full(len(at), np.inf), np.flatnonzero(regime == "static")
        slots[several] = np.maximum(self._fit(at[several], (isl + osl)[several]), 1.0)
        c["rounds"][at] = rounds(batch, slots)
        n = c["in_wave"][at] = batch / c["rounds"][at]
        requests = self._requests(at, osl)
        new: Floats = requests.new
        for j in range(len(at)):
            case = self.cases[at[j]]
            if case.layout.pp > 1:
                c["fill"][at[j]] = prompt_fill(
                    n[j], new[j], case.layout.pp, case.engine.prompt_chunk
                )
        j = np.flatnonzero((regime != "decode") & (isl > 0))
        self.prompt[at[j]] = self.steps.add(
            at[j], n_prefill=n[j], new=new[j], prefix=isl[j] - new[j]
        )
        j = np.flatnonzero(regime != "prefill")
        for k, x in enumerate(GAUSS):
            self.decode[at[j], k] = self.steps.add(
                at[j], n_decode=n[j], context=isl[j] + osl[j] * x, drafts=self.drafts[at[j]]
            )

    def _served(self, at: Ints) -> None:
        """Requests that come and go: steps with and without prompts, on the lattice."""
        c, regime = self.columns, self.regime[at]
        if not at.size:
            return
        requests = self._requests(at, np.maximum(c["osl"][at], 1.0))
        kept = np.empty(len(at))
        for j, engine, alone in self._by_budget(at, requests):
            kept[j] = alone.kept(engine)
            c["n_chunks"][at[j]] = alone.n_chunks(engine)
        self._lack(at, kept, np.ones(len(at)))
        fit, in_flight = self._fit(at, kept), np.isfinite(c["offered"][at])
        tight = np.flatnonzero((fit < 1) & in_flight)
        if tight.size:
            for i in at[tight].tolist():
                self.cases[i] = _with_room(self.cases[i], float(c["offered"][i]))
            fit[tight] = self._fit(at[tight], kept[tight])
        memory, most = np.maximum(fit, 1.0), [self.cases[i].engine.max_sequences for i in at]
        slots = np.minimum(memory, most * c["attn_dp"][at])
        offline = regime == "offline"
        # Some engines were told how many they may run.
        slots = np.where(offline & in_flight, np.minimum(memory, c["offered"][at]), slots)
        c["offered"][at[offline]] = np.inf
        counted = (regime == "open") & ~np.isnan(c["requests"][at])
        slots = np.where(counted, np.minimum(slots, c["requests"][at]), slots)
        full = np.maximum(np.minimum(c["offered"][at], slots), 1.0)
        c["slots"][at] = full
        low = np.where(np.isin(regime, ("open", "slo")), 1.0, full / _FULL_SHARE)
        first, n_octaves = (x.astype(np.intp) for x in octaves(low, full))
        c["first_octave"][at] = first
        c["ranks"][at] = c["attn_dp"][at] * [self.cases[i].layout.pp for i in at]
        n, of, self.live = self._lattice(at, first, n_octaves, LIVE)
        self.steps.add(at[of], n_decode=n, context=requests.context[of], drafts=self.drafts[at[of]])
        n, of, self.mixed = self._lattice(at, first, n_octaves, MIXED)
        self._prompts(at, n, of, requests)

    def _prompts(self, at: Ints, n: Floats, of: Ints, requests: Requests) -> None:
        """Steps with prompts beside n sequences that decode, of the cases that `of` counts."""
        at_once, prompts = np.empty(len(n)), np.empty((3, len(n)))
        for j, engine, alone in self._by_budget(at[of], _of(requests, of)):
            here = prompts_at_once(n[j], alone, engine, self.columns["ranks"][at[of[j]]])
            group = alone.prompts(here, engine)
            at_once[j] = here
            prompts[:, j] = group.new, group.prefix, group.starting
        new, prefix, starting = prompts
        first = self.steps.n
        self.steps.add(
            at[of], n_decode=n, context=requests.context[of], n_prefill=at_once, new=new,
            prefix=prefix, starting=starting, drafts=self.drafts[at[of]],
        )  # fmt: skip
        self.at_once = np.full(self.mixed.shape, 1.0)
        some = self.mixed >= 0
        self.at_once[some] = at_once[self.mixed[some] - first]

    def _by_budget(self, at: Ints, requests: Requests) -> Any:
        """Places in `at` whose engines cut prompts and keep output alike, with their requests."""
        engines = [case.engine for case in self.cases]
        rule = codes((one.reserves_output, one.token_budget) for one in engines)
        for j in alike(rule[at]):
            yield j, engines[at[j[0]]], _of(requests, j)

    def _lack(self, at: Ints, tokens: Floats, n: Floats) -> None:
        for i, said in zip(at.tolist(), self.rooms.lacks(at, tokens, n), strict=True):
            self.lacks[i] = said

    def _lattice(
        self, at: Ints, first: Ints, n_octaves: Ints, per_octave: int
    ) -> tuple[Floats, Ints, Ints]:
        """Knots of all cases on end: sequences, which of the cases, and steps by case and knot."""
        n_knots = n_octaves * per_octave + 1
        of = np.repeat(np.arange(len(at)), n_knots)
        ends = np.cumsum(n_knots)
        knot = np.arange(len(of)) - (ends - n_knots)[of]
        known = np.array([2.0 ** (k / per_octave) for k in range(_MOST_OCTAVES)])
        n = known[first[of] * per_octave + knot]
        index = np.full((len(self.cases), max(int(n_knots.max()), 2)), _NO_STEP, dtype=np.intp)
        columns = np.minimum(np.arange(index.shape[1]), n_knots[:, None] - 1)
        index[at] = self.steps.n + (ends - n_knots)[:, None] + columns
        return n, of, index


def _of(requests: Requests, at: Ints) -> Requests:
    """Requests of some cases."""
    each = (requests.isl, requests.osl, requests.cached, requests.drafts, requests.acceptance)
    isl, osl, cached, drafts, acceptance = (values[at] for values in each)
    return Requests(isl, osl, cached, None, drafts, acceptance)


def _stated(cases: Sequence[Assumed]) -> dict[str, Floats]:
    """Numbers of each case as its source states them, those of requests of one replica."""
    found: dict[str, Any] = {"per_step": np.ones(len(cases))}
    rows = []
    for case in cases:
        run, ways, limits = case.run, case.layout.replicas, limits_of(case.run)
        rows.append(
            (
                run.isl or 0.0,
                run.osl or 0.0,
                run.cached,
                run.batch or 1.0,
                run.n_chips,
                ways,
                case.layout.attn_dp,
                (run.request_rate_per_s or 0.0) / ways,
                (run.concurrency or np.inf) / ways,
                n_requests(run) / ways,
                limits.first_token_s,
                limits.gap_s,
            )
        )
    table = np.array(rows, dtype=float).reshape(-1, len(_STATED)).T.copy()
    return found | dict(zip(_STATED, table, strict=True))


_STATED = (
    "isl", "osl", "cached", "batch", "n_chips", "replicas", "attn_dp", "rate", "offered",
    "requests", "limit_first", "limit_gap",
)  # fmt: skip


def _places(
    cases: Sequence[Assumed],
) -> tuple[list[dict[str, str]], list[list[dict[str, str]]], Ints]:
    """Where cases are: the engine as it is called, those it stands for, and which of them each."""
    keys = [
        (id(c.run.cluster.chip), c.engine.id, c.era.id, c.run.model.weight_dtype) for c in cases
    ]
    place = codes(keys)
    own, each = [], []
    for i in np.unique(place, return_index=True)[1]:
        case = cases[i]
        chip, weights = case.run.cluster.chip, case.run.model.weight_dtype
        mine = scopes_of(chip, case.engine, case.era, weights)
        own.append(mine)
        stands_for = members_of(case.engine) if case.engine.stands_for else []
        each.append([scopes_of(chip, *member, weights) for member in stands_for] or [mine])
    return own, each, place


def _doubles(case: Assumed) -> float:
    """GeForce adds up in fp16 at twice the rate it is listed with, which is that of fp32."""
    chip = case.run.cluster.chip
    geforce = chip.kind == "consumer" and chip.vendor.casefold() == "nvidia"
    return 2.0 if geforce and case.engine.adds_in_fp16 else 1.0
