"""Runs whose prompts are read on chips of their own: two pools in a closed loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.assumptions import engine_and_era
from ridgeline.fidelity.engines.scatter import Z80, scatter_of
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.laws.pools import cache_transfer_time_s
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.steps import counts
from ridgeline.steps.calibrated import calibration, time_step
from ridgeline.steps.effects import places_of
from ridgeline.steps.tokens import chunks, decode, prefill
from ridgeline.steps.work import work

if TYPE_CHECKING:
    from ridgeline.fidelity.runs import Run
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.engine import Engine
    from ridgeline.steps.calibrated import Calibration
    from ridgeline.steps.tokens import Group

__all__ = ["has_pools", "pools_prediction"]

_ROUNDS = 40
#: sequences at which decode steps are timed, straight lines between them
_BATCHES = 48
#: nothing was fitted to runs on two pools
_UNSEEN_SIGMA = 0.3
_SAID = "separate pools: prompts do not stall decoding, caches are sent when a prompt is read"


def has_pools(run: Run) -> bool:
    """Whether prefill and decode ran on chips of their own."""
    return any(name.startswith(("prefill_", "decode_")) for name in run.notes)


def pools_prediction(run: Run, metric: str, constants: EngineConstants) -> Prediction:
    r"""Time to first token, time per token or rate of a closed loop over two pools.

    The slower of two stages sets the rate: prefill workers that read a prompt a rank at a time and
    send its cache, and decode workers that share the sequences Little's law leaves them.

    .. math:: x = \min\left(\mu_p,\ \frac{C}{t_1 + t_c + (o - 1)\,t_d(n)}\right), \quad
              n = \frac{x\,(o - 1)\,t_d}{w_d}

    Parameters
    ----------
    run : Run       With the pools' columns among its notes.
    metric : str    ``ttft_s``, ``tpot_s`` or a rate of output tokens.
    constants : EngineConstants   For the scatter.
    """
    try:
        p, d = _pool(run, "prefill"), _pool(run, "decode")
        load = (float(run.concurrency or 0), float(run.isl or 0), float(run.osl or 0))
    except ValueError:
        return _none("no-pools", "A degree of a pool is no number.")
    if min(load) <= 0 or metric not in _OF:
        return _none("disaggregated", "Pools are predicted in a closed loop, in time or rate.")
    sent_s = _transfer_s(run, p[1], d[1])
    if not math.isfinite(sent_s):
        return _none("no-link", "The chips of the pools have no link to send caches over.")
    engine, era, _ = engine_and_era(run)
    cal = calibration(run.cluster, engine=engine.id, version=run.engine_version)
    first, step, rate = _steady(run, cal, p, d, engine, sent_s, *load)
    value = _OF[metric](first, step, rate * load[2], run.n_chips)
    places = places_of(run.cluster.chip, engine, era)
    sigma = math.hypot(scatter_of(constants, run.regime, metric, places), _UNSEEN_SIGMA)
    reach = math.exp(Z80 * sigma)
    return Prediction(value, value / reach, value * reach, OK, _SAID)


_OF: dict[str, Any] = {
    "ttft_s": lambda first, step, tokens_per_s, n: first,
    "tpot_s": lambda first, step, tokens_per_s, n: step,
    "output_tokens_per_s": lambda first, step, tokens_per_s, n: tokens_per_s,
    "output_tokens_per_s_per_chip": lambda first, step, tokens_per_s, n: tokens_per_s / n,
}


def _none(status: str, reason: str) -> Prediction:
    return Prediction(math.nan, math.nan, math.nan, status, reason)


def _pool(run: Run, side: str) -> tuple[float, Layout]:
    """Workers of a pool, and the layout of each."""
    names = ("tp", "attn_dp", "ep")
    # A degree of nought is one that is not used.
    degrees = {k: int(float(run.notes.get(f"{side}_{k}") or 1)) or 1 for k in names}
    return float(run.notes.get(f"{side}_workers") or 1), Layout(**degrees)


def _transfer_s(run: Run, prefilling: Layout, decoding: Layout) -> float:
    """Time to send the cache of a prompt from the chips that filled it; infinite without a link."""
    inside = run.n_chips <= run.cluster.domain_size
    rate = run.cluster.link if inside else run.cluster.scale_out
    sent = float(counts(run.model).cache_bytes(run.isl or 0.0))
    if not rate:
        return math.inf
    return float(cache_transfer_time_s(sent, prefilling.tp, decoding.tp, rate))


def _steady(
    run: Run,
    cal: Calibration,
    prefilling: tuple[float, Layout],
    decoding: tuple[float, Layout],
    engine: Engine,
    sent_s: float,
    concurrency: float,
    isl: float,
    osl: float,
) -> tuple[float, float, float]:
    """Time to first token, time per token, requests a second."""

    def time_s(layout: Layout, group: Group) -> Any:
        pieces = work(
            run.model,
            layout,
            [group],
            domain_size=run.cluster.domain_size,
            popularity_cv=EXPERT_POPULARITY_CV,
            gather_up_to=engine.gather_up_to,
        )
        return time_step(pieces, cal).time_s

    workers, layout = prefilling
    new, cached = chunks(isl, 0.0, engine.token_budget)
    each = max(1.0, engine.token_budget // isl)
    alone = float((time_s(layout, prefill(1.0, new, cached)) + 0 * new).sum()) + sent_s
    full = float((time_s(layout, prefill(layout.attn_dp * each, new, cached)) + 0 * new).sum())
    most = workers * layout.attn_dp * each / full
    ways, layout = decoding
    n = concurrency / ways
    batches = np.geomspace(1.0, max(n, 2.0), _BATCHES)
    steps = time_s(layout, decode(batches, isl + osl / 2))
    step = rate = 0.0
    for _ in range(_ROUNDS):
        step = float(np.interp(n, batches, steps))
        rate = min(most, concurrency / (alone + (osl - 1) * step))
        n = (n + rate * (osl - 1) * step / ways) / 2
    return max(alone, concurrency / rate - (osl - 1) * step), step, rate
