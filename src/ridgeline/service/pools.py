"""Prefill and decode on chips of their own: two pools, with the cache sent between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.network import transfer_rate_bytes_per_s
from ridgeline.laws.pools import prompts_per_step
from ridgeline.service.performance import Performance, Waits
from ridgeline.service.surface import LIVE, Line, lattice
from ridgeline.steps.tokens import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.replica import Replica
    from ridgeline.service.requests import Requests

__all__ = ["Pools", "closed_pools", "prefill_times"]

_ROUNDS = 60


@dataclass(frozen=True)
class Pools:
    """Two pools of replicas.

    Attributes
    ----------
    prefill, decode : Replica        One of each; their layouts' own `replicas` are not looked at.
    n_prefill, n_decode : array      Replicas of each. [1]
    n_chips : array                  Chips of both, and any left over: they share a scale-up domain
                                     where there are no more than its size. [1]
    """

    prefill: Replica
    n_prefill: Any
    decode: Replica
    n_decode: Any
    n_chips: Any

    @property
    def inside_domain(self) -> Any:
        """Whether the scale-up fabric joins the pools."""
        return np.asarray(self.n_chips <= self.prefill.cluster.domain_size)

    def transfer_bytes(self, requests: Requests) -> Any:
        """Cache of one prompt. [bytes]"""
        return self.prefill.counts.cache_bytes(requests.isl)

    def transfer_s(self, requests: Requests) -> Any:
        """Time to send the cache of a prompt, whole, when it is read; inf without a link. [s]"""
        cluster = self.prefill.cluster
        senders, receivers = (x.layout.pp * x.layout.tp for x in (self.prefill, self.decode))
        sent = self.transfer_bytes(requests)

        def over(link: float | None, per_peer: float | None, shared: float) -> Any:
            if not link:
                return np.inf
            rate = transfer_rate_bytes_per_s(
                senders, receivers, link, np.inf if per_peer is None else per_peer, shared
            )
            return sent / rate

        inside = over(cluster.link, cluster.link_per_peer, 1.0)
        outside = over(cluster.scale_out, None, cluster.oversubscription)
        return np.where(self.inside_domain, inside, outside)


def prefill_times(replica: Replica, requests: Requests) -> tuple[Any, Any]:
    """Time of a prompt by itself, and the replica's time per prompt when it only reads prompts.

    Parameters
    ----------
    replica : Replica   Its layout's degrees may be arrays.
    requests : Requests

    Returns
    -------
    (array, array)   [s]
    """
    one, engine = replica.as_column(), replica.engine
    lengths = {name: _column(getattr(requests, name)) for name in ("isl", "osl", "cached")}
    cases = replace(requests, **lengths)
    most = one.layout.attn_dp * one.layout.pp * prompts_per_step(cases.new, engine.token_budget)
    # Alone, and as many as a step takes, in one evaluation.
    n = np.where([True, False], 1.0, most)
    seconds = cases.n_chunks(engine) * one.seconds(cases.prompts(n, engine))
    return seconds[..., 0], seconds[..., 1] / n[..., 1]


def closed_pools(
    pools: Pools, requests: Requests, concurrency: Any, max_sequences: float | None = None
) -> Performance:
    r"""A fixed number of requests in flight over two pools.

    The slower of two stages sets the rate: prefill replicas that read a prompt a rank at a time and
    send its cache, and decode replicas that share the sequences Little's law leaves them.

    .. math:: x = \min\left(\mu_p,\ \frac{C}{t_1 + t_c + n_s\,t_d(n)}\right), \quad
              n = \frac{x\,n_s\,t_d}{w_d}

    Parameters
    ----------
    pools : Pools
    requests : Requests   Lengths and degrees of layouts may be 1-D arrays: an entry a case.
    concurrency : array   Requests in flight in the whole system. [1]
    max_sequences : float or None   Sequences of a decode rank that the engine takes at most.

    Returns
    -------
    Performance   Of the whole system: rates and slots are those of all decode replicas.
    """
    alone, each = prefill_times(pools.prefill, requests)
    alone = alone + pools.transfer_s(requests)
    most = pools.n_prefill / each
    n_steps = np.maximum(requests.osl - 1, 0.0) / requests.tokens_per_step
    kept = requests.kept(pools.decode.engine)
    fit = pools.decode.max_sequences(kept, drafts=requests.has_drafts)
    if max_sequences is not None:
        fit = np.minimum(fit, max_sequences * pools.decode.layout.attn_dp)
    slots = np.maximum(fit, 1.0)
    full = np.minimum(concurrency / pools.n_decode, slots)
    step_of = _decode_steps(pools.decode, requests, float(np.max(full)))
    n = full
    for _ in range(_ROUNDS):
        step = step_of(n)
        rate = np.minimum(most, concurrency / (alone + n_steps * step))
        rate = np.minimum(rate, pools.n_decode * full / (n_steps * step))
        n = (n + np.clip(rate * n_steps * step / pools.n_decode, 1.0, full)) / 2
    step = step_of(n)
    rate = np.minimum(most, concurrency / (alone + n_steps * step))
    rate = np.minimum(rate, pools.n_decode * full / (n_steps * step))
    first = np.maximum(alone, concurrency / rate - n_steps * step)
    tpot = step / requests.tokens_per_step
    return Performance(
        ttft_s=first,
        tpot_s=tpot,
        e2e_s=first + n_steps * step,
        requests_per_s=rate,
        capacity_per_s=np.minimum(most, pools.n_decode * slots / (n_steps * step_of(slots))),
        n_live=n * pools.n_decode,
        slots=slots * pools.n_decode,
        step_s=step,
        prompt_s=each,
        wait_s=first - alone,
        least_first_s=alone,
        least_gap_s=tpot,
        # Behind a full pool a request waits for any number of those that came before it.
        waits=Waits(late_s=first - alone),
    )


def _decode_steps(replica: Replica, requests: Requests, most: float) -> Callable[[Any], Any]:
    """Decode steps of a pool that reads no prompts, on the lattice, of each case."""
    knots, column = lattice(most, LIVE), replica.as_column()
    group = decode(knots, _column(requests.context), _column(requests.drafts))
    live = np.atleast_2d(column.seconds(group))
    live = np.broadcast_to(live, (len(live), len(knots)))
    line = Line(np.zeros(len(live)), live, LIVE)
    row = np.arange(len(live)) if len(live) > 1 else 0
    return lambda n: line(n, row)


def _column(value: Any) -> Any:
    """A value of each case beside the lattice; a number stays one."""
    return value[:, None] if np.ndim(value) == 1 else value
