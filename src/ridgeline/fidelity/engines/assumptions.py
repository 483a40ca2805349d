"""What is assumed where a source does not say it: layouts, lengths, formats, how requests come.

Every rule is one sentence, and a prediction that rests on one says so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import assumptions, campaigns, scheduling, usual_engine
from ridgeline.catalog import dtype as dtype_of
from ridgeline.catalog import engine as engine_of
from ridgeline.errors import CatalogError
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.engine import Engine
from ridgeline.specs.eras import Era
from ridgeline.specs.layout import Layout
from ridgeline.steps.layouts import default_layout
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.runs import Run

__all__ = [
    "ROOM_MADE",
    "TOO_LARGE",
    "Assumed",
    "Limits",
    "assume",
    "engine_and_era",
    "limits_of",
    "n_requests",
]

_TP = (1, 2, 4, 8)
_ATTN_DP = (4, 8, 16, 36, 72)
#: settings of an engine that notes may state
_SETTINGS = ("polling_steps", "dp_wait_steps")
#: regimes whose submitters tune for a record
_TUNED = ("slo", "offline")
_DIGITS = re.compile(r"\d{1,15}")
_FORMAT = "format of the weights not stated: taken as the model's own"
_PROMPT = "prompt length not stated: taken as"
ROOM_MADE = (
    "the engine's own settings leave no room: taken as set to make room for these requests only"
)
TOO_LARGE = "the weights are larger than the chips stated: memory is taken to bind nothing"


@dataclass(frozen=True, slots=True)
class Assumed:
    """A run with everything filled in, and the sentences that say what was."""

    run: Run
    layout: Layout
    engine: Engine
    era: Era
    said: tuple[str, ...]

    @property
    def log_variance(self) -> float:
        """Variance of ln(time) that the assumptions bring, drafts, and requests that failed.

        Runs under latency limits all rest on the same assumptions: what these bring is in their
        scatter.
        """
        own, of_format = assumptions().sigma, math.log(assumptions().format_ratio) / 2
        assumed = sum(of_format**2 if s == _FORMAT else own**2 for s in self.said)
        if self.run.regime == "slo":
            assumed = 0.0
        return assumed + _failure_sigma(self.run) ** 2 + self.run.drafting.sigma**2

    @property
    def is_median(self) -> bool:
        """Whether what is measured is a median, of one request."""
        return self.run.notes.get("statistic") == "median"

    @property
    def lengths_variation(self) -> float:
        """Variance of prompts' lengths over their squared mean. [1]

        Where lengths are means of a real dataset, as under latency limits, about that of an
        exponential; else they are equal or nearly so.
        """
        return 1.0 if self.run.regime == "slo" else 0.0

    @property
    def is_lockstep(self) -> bool:
        """Whether requests that begin together end together, every time.

        Lengths are equal and prompts come before all else; or only medians are given, of runs that
        may hold no more requests than are in flight.
        """
        exact = "nominal_isl" not in self.run.notes
        return self.is_median or (exact and self.engine.prompts_first)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the run says of itself that is said with its predictions."""
        found, failed = [], _failed(self.run)
        if failed:
            found.append(f"{failed:,.0f} of {failed + _finished(self.run):,.0f} requests failed")
        found += self.run.drafting.said
        return tuple(found + list(filter(None, [self.run.notes.get("remark", "")])))


@dataclass(frozen=True, slots=True)
class Limits:
    """Latency limits of a run, at the 99th percentile. [s]"""

    first_token_s: float
    gap_s: float


def engine_and_era(run: Run) -> tuple[Engine, Era, str]:
    """The engine and era of a run; where none is stated or known, what such a run is usual on."""
    if not run.engine:
        found, _ = usual_engine(run.model, run.cluster.chip)
        return _released(found, run)
    try:
        found = engine_of(run.engine)
    except CatalogError:
        return Engine(id=run.engine, name=run.engine), Era(id=run.engine), "engine unknown"
    return _released(found, run)


def _released(engine: Engine, run: Run) -> tuple[Engine, Era, str]:
    version, date = run.engine_version, run.date
    return engine.on(run.cluster.chip, version, date), engine.era(version, date), ""


def limits_of(run: Run) -> Limits:
    """Read ``limits: p99 TTFT<=2s p99 TPOT<=0.2s`` from the notes."""
    text = run.notes.get("limits", "")
    if not text:
        return _NO_LIMITS
    first = re.search(r"TTFT<=([\d.]+)s", text)
    gap = re.search(r"TPOT<=([\d.]+)s", text)
    none = math.inf
    return Limits(float(first[1]) if first else none, float(gap[1]) if gap else none)


_NO_LIMITS = Limits(math.inf, math.inf)


def n_requests(run: Run) -> float:
    """Requests of the whole run, where the notes say it; else NaN."""
    found = _whole(run, "n_requests")
    return math.nan if found is None else max(found, 1.0)


def _whole(run: Run, note: str) -> float | None:
    """A whole number that a note begins with; None where there is none."""
    text = run.notes.get(note)
    found = _DIGITS.match(text) if text else None
    return float(found[0]) if found else None


def _failed(run: Run) -> float:
    """Requests that failed, where the notes say it."""
    return _whole(run, "n_failed") or 0.0


def _finished(run: Run) -> float:
    """Requests that were finished; as many as are usual where nobody says."""
    stated = n_requests(run)
    return scheduling().requests_per_run if math.isnan(stated) else stated


def _failure_sigma(run: Run) -> float:
    r"""Standard deviation of ln(time) where requests failed, each after none or all of its work.

    .. math:: \sigma = -\tfrac{1}{2} \ln(1 - f)

    With a share f of requests that failed, the engine did the work of the others, or up to
    1 / (1 - f) of it.
    """
    failed = _failed(run)
    return math.log1p(failed / _finished(run)) / 2 if failed else 0.0


def assume(run: Run, known: dict[Any, Any] | None = None) -> list[Assumed]:
    """Fill in what a run does not state; several where a tuned layout is to be found.

    Parameters
    ----------
    run : Run
    known : dict or None   What was assumed of runs before, kept for others that state the same.

    Returns
    -------
    list of Assumed
        One, or for a tuned run without a layout every layout a submitter may have chosen: the one
        with the highest predicted throughput is then taken.
    """
    known = {} if known is None else known
    key = _told(run)
    if key not in known:
        known[key] = _assumed(run, known)
    changes, cases = known[key]
    said = cases[0].said
    if _PROMPT in said:
        isl = min(run.osl or math.inf, assumptions().longest_prompt_tokens)
        changes = changes | {"isl": isl}
        said = tuple(f"{s} {isl:g} tokens, as the output" if s is _PROMPT else s for s in said)
    run = replace(run, **changes) if changes else run
    return [Assumed(run, one.layout, one.engine, one.era, said) for one in cases]


def _told(run: Run) -> tuple[Any, ...]:
    """All of a run that `_assumed` looks at."""
    tuned = run.regime in _TUNED
    return (
        run.engine,
        run.engine_version,
        run.date,
        id(run.model),
        id(run.cluster),
        run.n_chips,
        id(run.layout),
        tuned,
        run.isl is None and bool(run.osl),
        run.stated,
        tuple(run.notes),
        *(run.notes.get(name) for name in _SETTINGS),
    )


def _assumed(run: Run, known: dict[Any, Any]) -> tuple[dict[str, Any], list[Assumed]]:
    """What else a run is taken to have, by field, and the cases of it."""
    release = (run.engine or id(run.model), run.engine_version, run.date, id(run.cluster.chip))
    if release not in known:
        known[release] = engine_and_era(run)
    engine, era, word = known[release]
    engine = _as_started(engine, run)
    said = [f"{word}: taken as a good engine of today"] if word else []
    if "weight_dtype" not in run.stated:
        said.append(_FORMAT)
    changes: dict[str, Any] = {}
    tuned = run.regime in _TUNED and run.layout is None
    if tuned and run.isl is None and run.osl:
        said.append(_PROMPT)
    cache = _cache(run, engine, tuned=tuned)
    if cache:
        key = (id(run.model), cache)
        if key not in known:
            known[key] = run.model.with_kv_dtype(cache)
        changes["model"] = known[key]
        said.append(f"cache format not stated: taken as {cache}, as narrow weights go with")
    run = replace(run, **changes)
    if tuned:
        said.append("layout not stated: the one with the highest predicted throughput")
        found = [Assumed(run, x, engine, era, tuple(said)) for x in _tuned_layouts(run)]
        if found:
            return changes, found
    if run.layout is None:
        said.append("layout not stated: the plain default")
    return changes, [Assumed(run, _layout(run), engine, era, tuple(said))]


def _cache(run: Run, engine: Engine, *, tuned: bool) -> str:
    """Format of the cache of a run with narrow weights that does not state it; empty: its model's.

    Those who tune for a record take fp8; others what is usual with the engine on the chip.
    """
    if "kv_dtype" in run.stated or not run.model.blocks:
        return ""
    if dtype_of(run.model.weight_dtype).bits >= assumptions().narrow_bits:
        return ""
    return "fp8" if tuned else engine.usual_cache(run.cluster.chip.id)


def _as_started(engine: Engine, run: Run) -> Engine:
    """The engine with the settings its run states, or those its benchmark starts it with."""
    stated = {n: run.notes[n] for n in _SETTINGS if re.fullmatch(r"\d{1,9}", run.notes.get(n, ""))}
    for campaign in campaigns():
        if campaign.is_of(run.notes):
            stated = campaign.settings.get(engine.id, {}) | stated
    changes = {n: float(v) for n, v in stated.items()}
    return engine.replaced(changes, where=f"the notes of {run.key}") if changes else engine


def _layout(run: Run) -> Layout:
    if run.layout is None:
        return default_layout(run.model, run.cluster, run.n_chips)
    if "attention DP enabled" in run.notes and run.layout.tp > 1:
        # Said beside the table: attention is replicated, experts spread, over what is called tp.
        n = run.layout.tp
        return Layout(replicas=run.layout.replicas, pp=run.layout.pp, attn_dp=n, tp=1, ep=n)
    return run.layout


def _tuned_layouts(run: Run) -> Sequence[Layout]:
    n = run.n_chips
    found = [Layout(replicas=n // tp, tp=tp) for tp in _TP if n % tp == 0]
    if any(isinstance(b.ffn, MixtureOfExperts) for b in run.model.blocks):
        found += [Layout(replicas=n // d, attn_dp=d, ep=d) for d in _ATTN_DP if n % d == 0]
    room = assumptions().full_share * chip_capacity_bytes(run.cluster.chip)
    fit = [x for x in found if memory_per_chip(run.model, x, 1.0).weights_bytes < room]
    return fit
