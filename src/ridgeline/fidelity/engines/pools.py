"""Runs whose prompts are read on chips of their own: two pools in a closed loop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import scheduling
from ridgeline.fidelity.engines.assumptions import engine_and_era
from ridgeline.fidelity.engines.grouping import as_layout, degrees_of
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.kernels.effects import scatter_of, scopes_of
from ridgeline.kernels.extrapolation import beyond_words, extrapolation_sigma
from ridgeline.kernels.spread import Z80
from ridgeline.replica import Replica
from ridgeline.service.pools import Pools, closed_pools
from ridgeline.service.requests import Requests
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.runs import Run
    from ridgeline.specs.constants import EngineConstants

__all__ = ["has_pools", "pools_predictions"]

_SAID = "separate pools: prompts do not stall decoding, caches are sent when a prompt is read"

_WHICH = "Pools are predicted in a closed loop, in time or rate."
_NO_NUMBER = "A degree of a pool is no number, or it has no workers."
_NO_LINK = "The chips of the pools have no link to send caches over."


def has_pools(run: Run) -> bool:
    """Whether prefill and decode ran on chips of their own."""
    return any(name.startswith(("prefill_", "decode_")) for name in run.notes)


def pools_predictions(
    asked: Sequence[tuple[Run, str]], constants: EngineConstants
) -> list[Prediction]:
    """Time to first token, time per token or rate of closed loops over two pools.

    Parameters
    ----------
    asked : sequence of (Run, str)
        Runs with the pools' columns among their notes, and ``ttft_s``, ``tpot_s`` or a rate of
        output tokens.
    constants : EngineConstants

    Returns
    -------
    list of Prediction   In order. Runs of a model and an engine on a machine are one evaluation.
    """
    found: list[Prediction | None] = [None] * len(asked)
    together: dict[tuple[Any, ...], list[tuple[int, _Load]]] = {}
    layouts: dict[tuple[int, ...], Layout] = {}
    for i, (run, metric) in enumerate(asked):
        try:
            load = _Load.of(run, layouts)
        except (ValueError, OverflowError):
            found[i] = _none("no-pools", _NO_NUMBER)
            continue
        if min(load.concurrency, load.isl, load.osl) <= 0 or metric not in _OF:
            found[i] = _none(
                "disaggregated", "Pools are predicted in a closed loop, in time or rate."
            )
            continue
        engine = (run.engine, run.engine_version, run.date)
        key = (id(run.model), id(run.cluster), *engine, run.drafting.drafts > 0)
        together.setdefault(key, []).append((i, load))
    for each in together.values():
        loads = [load for _, load in each]
        for (i, _), one in zip(each, _predicted(asked, each, loads, constants), strict=True):
            found[i] = one
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class _Load:
    """Numbers of a run over two pools: replicas of each, their degrees, requests."""

    n_prefill: float
    prefill: Layout
    n_decode: float
    decode: Layout
    concurrency: float
    isl: float
    osl: float

    @classmethod
    def of(cls, run: Run, layouts: dict[tuple[int, ...], Layout]) -> _Load:
        numbers = (float(run.concurrency or 0), float(run.isl or 0), float(run.osl or 0))
        return cls(*_pool(run, "prefill", layouts), *_pool(run, "decode", layouts), *numbers)


def _predicted(
    asked: Sequence[tuple[Run, str]],
    each: Sequence[tuple[int, _Load]],
    loads: Sequence[_Load],
    constants: EngineConstants,
) -> list[Prediction]:
    """Predict runs that share all but loads and layouts."""
    runs = [asked[i][0] for i, _ in each]
    run = runs[0]
    engine, era, _ = engine_and_era(run)
    # A version that is of something around the engine names no era of it: the newest is meant.
    version = run.engine_version if engine.era(run.engine_version) == era else ""
    prefill = Replica(
        run.model, run.cluster, as_layout(degrees_of([x.prefill for x in loads])), engine, version,
        constants=constants,
    )  # fmt: skip
    n_prefill, n_decode, concurrency, isl, osl = (
        np.array([getattr(x, name) for x in loads])
        for name in ("n_prefill", "n_decode", "concurrency", "isl", "osl")
    )
    n_chips = np.array([one.n_chips for one in runs], dtype=float)
    decode = replace(prefill, layout=as_layout(degrees_of([x.decode for x in loads])))
    pools = Pools(prefill, n_prefill, decode, n_decode, n_chips)
    cached = np.array([one.cached for one in runs], dtype=float)
    drafts = np.array([one.drafting.drafts for one in runs], dtype=float)
    acceptance = np.array([one.drafting.acceptance for one in runs], dtype=float)
    requests = Requests(isl, osl, cached, None, drafts, acceptance)
    is_linked = np.isfinite(pools.transfer_s(requests))
    with np.errstate(invalid="ignore"):  # of pools without a link
        served = closed_pools(pools, requests, concurrency)
    places = scopes_of(run.cluster.chip, engine, era, run.model.weight_dtype)
    chip, apart = run.cluster.chip, scheduling().pools_sigma
    unlike, beyond = float(extrapolation_sigma(chip)), beyond_words(chip)
    found = []
    for j, (i, _) in enumerate(each):
        if not is_linked[j]:
            found.append(_none("no-link", _NO_LINK))
            continue
        how, metric = runs[j].drafting, asked[i][1]
        value = float(_OF[metric](served, osl, n_chips)[j])
        own = scatter_of(constants, run.regime, metric, places)
        reach = math.exp(Z80 * math.hypot(own, apart, unlike, how.sigma))
        said = "; ".join(filter(None, [_SAID, *how.said, beyond]))
        found.append(Prediction(value, value / reach, value * reach, OK, said))
    return found


_OF: dict[str, Any] = {
    "ttft_s": lambda found, osl, n: found.ttft_s,
    "tpot_s": lambda found, osl, n: found.tpot_s,
    "output_tokens_per_s": lambda found, osl, n: found.requests_per_s * osl,
    "output_tokens_per_s_per_chip": lambda found, osl, n: found.requests_per_s * osl / n,
}


def _none(status: str, reason: str) -> Prediction:
    return Prediction(math.nan, math.nan, math.nan, status, reason)


def _pool(run: Run, side: str, layouts: dict[tuple[int, ...], Layout]) -> tuple[float, Layout]:
    """Workers of a pool, and the layout of each."""
    # A degree of nought is one that is not used.
    degrees = tuple(int(float(run.notes.get(f"{side}_{k}") or 1)) or 1 for k in _DEGREES)
    if degrees not in layouts:
        layouts[degrees] = Layout(**dict(zip(_DEGREES, degrees, strict=True)))
    workers = float(run.notes.get(f"{side}_workers") or 1)
    if not 0 < workers < math.inf:
        raise ValueError
    return workers, layouts[degrees]


_DEGREES = ("tp", "attn_dp", "ep")
