"""Runs whose prompts are read on chips of their own: two pools in a closed loop."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import scheduling
from ridgeline.fidelity.engines.assumptions import engine_and_era
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.kernels.effects import scatter_of, scopes_of
from ridgeline.kernels.extrapolation import beyond_words, extrapolation_sigma
from ridgeline.kernels.spread import Z80
from ridgeline.replica import Replica
from ridgeline.service.pools import Pools, closed_pools
from ridgeline.service.requests import Requests
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from ridgeline.fidelity.runs import Run
    from ridgeline.specs.constants import EngineConstants

__all__ = ["has_pools", "pools_prediction"]

_SAID = "separate pools: prompts do not stall decoding, caches are sent when a prompt is read"


def has_pools(run: Run) -> bool:
    """Whether prefill and decode ran on chips of their own."""
    return any(name.startswith(("prefill_", "decode_")) for name in run.notes)


def pools_prediction(run: Run, metric: str, constants: EngineConstants) -> Prediction:
    """Time to first token, time per token or rate of a closed loop over two pools.

    Parameters
    ----------
    run : Run       With the pools' columns among its notes.
    metric : str    ``ttft_s``, ``tpot_s`` or a rate of output tokens.
    constants : EngineConstants
    """
    try:
        (n_prefill, prefilling), (n_decode, decoding) = _pool(run, "prefill"), _pool(run, "decode")
        load = (float(run.concurrency or 0), float(run.isl or 0), float(run.osl or 0))
    except ValueError:
        return _none("no-pools", "A degree of a pool is no number.")
    concurrency, isl, osl = load
    if min(load) <= 0 or metric not in _OF:
        return _none("disaggregated", "Pools are predicted in a closed loop, in time or rate.")
    engine, era, _ = engine_and_era(run)
    # A version that is of something around the engine names no era of it: the newest is meant.
    version = run.engine_version if engine.era(run.engine_version) == era else ""
    replica = Replica(run.model, run.cluster, prefilling, engine, version, constants=constants)
    pools = Pools(replica, n_prefill, replace(replica, layout=decoding), n_decode, run.n_chips)
    how = run.drafting
    requests = Requests(isl, osl, run.cached, None, how.drafts, how.acceptance, how.sigma)
    if not math.isfinite(pools.transfer_s(requests)):
        return _none("no-link", "The chips of the pools have no link to send caches over.")
    found = closed_pools(pools, requests, concurrency)
    value = _OF[metric](found, osl, run.n_chips)
    places = scopes_of(run.cluster.chip, engine, era, run.model.weight_dtype)
    chip = run.cluster.chip
    own = scatter_of(constants, run.regime, metric, places)
    apart = scheduling().pools_sigma
    sigma = math.hypot(own, apart, float(extrapolation_sigma(chip)), how.sigma)
    reach = math.exp(Z80 * sigma)
    said = "; ".join(filter(None, [_SAID, *how.said, beyond_words(chip)]))
    return Prediction(value, value / reach, value * reach, OK, said)


_OF: dict[str, Any] = {
    "ttft_s": lambda found, osl, n: float(found.ttft_s),
    "tpot_s": lambda found, osl, n: float(found.tpot_s),
    "output_tokens_per_s": lambda found, osl, n: float(found.requests_per_s) * osl,
    "output_tokens_per_s_per_chip": lambda found, osl, n: float(found.requests_per_s) * osl / n,
}


def _none(status: str, reason: str) -> Prediction:
    return Prediction(math.nan, math.nan, math.nan, status, reason)


def _pool(run: Run, side: str) -> tuple[float, Layout]:
    """Workers of a pool, and the layout of each."""
    names = ("tp", "attn_dp", "ep")
    # A degree of nought is one that is not used.
    degrees = {k: int(float(run.notes.get(f"{side}_{k}") or 1)) or 1 for k in names}
    return float(run.notes.get(f"{side}_workers") or 1), Layout(**degrees)
