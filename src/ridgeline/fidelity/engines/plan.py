"""From runs to steps: which steps have to be timed so that a run can be predicted."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.assumptions import (
    ROOM_MADE,
    TOO_LARGE,
    assume,
    limits_of,
    n_requests,
)
from ridgeline.kernels.effects import members_of, scopes_of
from ridgeline.laws.scheduling import rounds
from ridgeline.replica.ledger import Ledger, Steps
from ridgeline.replica.timer import Timer
from ridgeline.service.fixed import GAUSS, prompt_fill
from ridgeline.service.requests import Requests, prompts_at_once
from ridgeline.service.slots import holds_weights, memory_slots
from ridgeline.service.steady import admission_steps
from ridgeline.service.surface import LIVE, MIXED, octaves
from ridgeline.steps.counting import ExpertRules
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.assumptions import Assumed
    from ridgeline.fidelity.runs import Run
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["Plan", "plan"]

#: closed and offline runs are nearly full: their surface begins at this share of what is offered
_FULL_SHARE = 4.0
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
    scopes : list of mapping       Where each case is: see `kernels.effects.scopes_of`.
    prompt, decode, live, mixed : array of int
        Steps of each case: its prompts; decoding at two contexts; decoding, and the same with
        prompts, on the lattice of `service.surface`, the last repeated where a row is shorter.
    lacks : list of str            What of a case memory has no room for; empty where it fits.
    """

    cases: list[Assumed]
    of_run: list[list[int]]
    scopes: list[dict[str, str]]
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
    def members(self) -> list[list[dict[str, str]]]:
        """Scopes of each case; of an engine that stands for several, those of each."""
        return [_members(c, own) for c, own in zip(self.cases, self.scopes, strict=True)]


def _members(case: Assumed, own: dict[str, str]) -> list[dict[str, str]]:
    if not case.engine.stands_for:
        return [own]
    chip, weights = case.run.cluster.chip, case.run.model.weight_dtype
    return [scopes_of(chip, engine, era, weights) for engine, era in members_of(case.engine)]


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
        prefix: float = 0.0,
        starting: float | None = None,
        drafts: float = 0.0,
    ) -> int:
        starting = n_prefill if starting is None else starting
        self.asked.append(
            (case, assumed, n_decode, context, n_prefill, new, prefix, starting, drafts)
        )
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
        numbers = np.array([row[2:] for row in rows], dtype=float).T
        each = [ExpertRules.of(row[1].engine, row[1].era) for row in rows]
        rules = ExpertRules(*np.array(each, dtype=float).T)
        return Steps(
            rows[0][1].run.model,
            tp,
            pp,
            attn_dp,
            ep,
            domain,
            *numbers,
            rules=rules,
        )


class _Rooms:
    """Sequences whose caches fit, each question asked once."""

    def __init__(self) -> None:
        self._known: dict[Any, float] = {}

    def holds(self, assumed: Assumed) -> bool:
        """Whether the stated chips can hold the weights."""
        run, layout = assumed.run, assumed.layout
        drafts = run.drafting.drafts > 0
        key = (id(run.model), run.cluster.chip.id, _degrees(layout), drafts)
        if key not in self._known:
            self._known[key] = holds_weights(run.model, run.cluster, layout, drafts=drafts)
        return bool(self._known[key])

    def fit(self, assumed: Assumed, context: float) -> float:
        """Sequences of a replica, not rounded; inf where the chips cannot hold the weights."""
        if not self.holds(assumed):
            return np.inf
        run, layout, engine = assumed.run, assumed.layout, assumed.engine
        drafts = run.drafting.drafts > 0
        set_up = (engine.id, engine.token_budget, engine.max_sequences, engine.starts, drafts)
        key = (id(run.model), run.cluster.chip.id, _degrees(layout), context, set_up)
        if key not in self._known:
            fit = memory_slots(run.model, run.cluster, layout, engine, context, drafts=drafts)
            self._known[key] = float(fit)
        return self._known[key]

    def lacks(self, assumed: Assumed, tokens: float, n: float = 1.0) -> str:
        """Why so many sequences of so many tokens cannot be run; empty where they can.

        Memory is the chip's whole: what an engine keeps free of it is less certain, and can be set.
        Weights that do not fit are refused where their format is stated and the chip has one size
        of memory; else one of both is taken to be other than what we know.
        """
        run = assumed.run
        if not self.holds(assumed):
            is_sure = "weight_dtype" in run.stated and run.cluster.chip.kind != "local"
            return "the weights are larger than the memory of the chips" if is_sure else ""
        drafts = run.drafting.drafts > 0
        degrees = _degrees(assumed.layout)
        key = ("whole", id(run.model), run.cluster.chip.id, degrees, tokens, drafts)
        if key not in self._known:
            held = memory_per_chip(run.model, assumed.layout, tokens, drafts=drafts)
            self._known[key] = float(held.largest_batch(run.cluster.chip.memory.capacity))
        fit = self._known[key]
        if fit >= n:
            return ""
        what = "a sequence" if n == 1 else f"{n:,.0f} sequences"
        return f"{what} of {tokens:,.0f} tokens, where memory has room for {max(fit, 0.0):.2g}"


def _with_room(case: Assumed, in_flight: float) -> Assumed:
    """A run that the engine's own settings leave no room for: it was set to what it took."""
    ranks = case.layout.attn_dp
    most = min(case.engine.max_sequences, math.ceil(in_flight / ranks))
    engine = case.engine.model_copy(update={"max_sequences": most})
    return replace(case, engine=engine, said=(*case.said, ROOM_MADE))


def _requests(case: Assumed, isl: float, osl: float) -> Requests:
    how = case.run.drafting
    return Requests(isl, osl, case.run.cached, None, how.drafts, how.acceptance, how.sigma)


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
    narrowed: dict[Any, Model] = {}
    for run in runs:
        made = assume(run, narrowed)
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
        self.live: list[list[int]] = [[] for _ in cases]
        self.mixed: list[list[int]] = [[] for _ in cases]
        self.at_once: list[list[float]] = [[] for _ in cases]
        self.lacks = [""] * n
        self.columns = {
            name: np.ones(n)
            for name in (
                "isl", "osl", "cached", "batch", "n_chips", "replicas", "attn_dp", "rate",
                "offered", "slots", "rounds", "in_wave", "fill", "requests", "first_octave",
                "n_chunks", "ranks", "limit_first", "limit_gap", "per_step",
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
        scopes = [
            scopes_of(c.run.cluster.chip, c.engine, c.era, c.run.model.weight_dtype)
            for c in self.cases
        ]
        arrays = {
            **self.columns,
            "regime": np.array([c.run.regime for c in self.cases]),
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
            self.cases, of_run, scopes, arrays,
            placed(self.prompt), placed(self.decode), placed(_padded(self.live)),
            placed(_padded(self.mixed)), _padded(self.at_once, 1.0), timer, case_of, self.lacks,
        )  # fmt: skip

    def _stated(self, i: int, case: Assumed) -> None:
        run, layout = case.run, case.layout
        limits = limits_of(run)
        values = {
            "isl": run.isl or 0.0,
            "osl": run.osl or 0.0,
            "cached": run.cached,
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
        at_once = batch if run.regime == "decode" else 1.0
        tokens = isl if run.regime == "prefill" else isl + osl
        self.lacks[i] = self.rooms.lacks(case, tokens, at_once)
        slots = max(self.rooms.fit(case, isl + osl), 1.0) if run.regime == "static" else np.inf
        c["rounds"][i] = rounds(batch, slots)
        n = c["in_wave"][i] = batch / c["rounds"][i]
        requests = _requests(case, isl, osl)
        c["per_step"][i] = requests.tokens_per_step
        c["fill"][i] = prompt_fill(n, float(requests.new), layout.pp, case.engine.prompt_chunk)
        if run.regime != "decode" and isl > 0:
            new = float(requests.new)
            self.prompt[i] = self.steps.add(i, case, n_prefill=n, new=new, prefix=isl - new)
        if run.regime != "prefill":
            for j, x in enumerate(GAUSS):
                context = isl + osl * x
                self.decode[i, j] = self.steps.add(
                    i, case, n_decode=n, context=context, drafts=requests.drafts
                )

    def _served(self, i: int, case: Assumed) -> None:
        """Requests that come and go: steps with and without prompts, on the lattice."""
        run, layout, engine, c = case.run, case.layout, case.engine, self.columns
        requests = _requests(case, c["isl"][i], max(c["osl"][i], 1.0))
        c["per_step"][i] = requests.tokens_per_step
        kept = float(requests.kept(engine))
        self.lacks[i] = self.rooms.lacks(case, kept)
        if self.rooms.fit(case, kept) < 1 and run.concurrency:
            case = self.cases[i] = _with_room(case, c["offered"][i])
            engine = case.engine
        memory = max(self.rooms.fit(case, kept), 1.0)
        slots = min(memory, engine.max_sequences * layout.attn_dp)
        if run.regime == "offline":
            if run.concurrency:  # the engine was told how many it may run
                slots = min(memory, c["offered"][i])
            c["offered"][i] = np.inf
        if run.regime == "open" and not np.isnan(c["requests"][i]):
            slots = min(slots, c["requests"][i])
        c["slots"][i] = full = max(min(c["offered"][i], slots), 1.0)
        low = 1.0 if run.regime in ("open", "slo") else full / _FULL_SHARE
        first, n_octaves = (int(x) for x in octaves(low, full))
        c["first_octave"][i], c["n_chunks"][i] = first, requests.n_chunks(engine)
        ranks = c["ranks"][i] = layout.attn_dp * layout.pp
        context = float(requests.context)
        for j in range(n_octaves * LIVE + 1):
            n = 2.0 ** (first + j / LIVE)
            self.live[i].append(
                self.steps.add(i, case, n_decode=n, context=context, drafts=requests.drafts)
            )
        for j in range(n_octaves * MIXED + 1):
            n = 2.0 ** (first + j / MIXED)
            at_once = float(prompts_at_once(n, requests, engine, ranks))
            group = requests.prompts(at_once, engine)
            self.at_once[i].append(at_once)
            self.mixed[i].append(
                self.steps.add(
                    i, case, n_decode=n, context=context, n_prefill=at_once,
                    new=float(group.new), prefix=float(group.prefix),
                    starting=float(group.starting), drafts=requests.drafts,
                )
            )  # fmt: skip


def _padded(rows: list[list[Any]], none: float = _NO_STEP) -> Any:
    """Rows of one length, the last of each repeated; of integers where `none` is no step."""
    most = max((len(row) for row in rows), default=0)
    kind = np.intp if none == _NO_STEP else float
    found = np.full((len(rows), max(most, 2)), none, dtype=kind)
    for i, row in enumerate(rows):
        if row:
            found[i] = row + [row[-1]] * (found.shape[1] - len(row))
    return found


def _doubles(case: Assumed) -> float:
    """GeForce adds up in fp16 at twice the rate it is listed with, which is that of fp32."""
    chip = case.run.cluster.chip
    geforce = chip.kind == "consumer" and chip.vendor.casefold() == "nvidia"
    return 2.0 if geforce and case.engine.adds_in_fp16 else 1.0
