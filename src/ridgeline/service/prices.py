"""Money of a service: what a replica's time costs, by the tokens it is spent on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.economics import cost_per_step_usd
from ridgeline.steps.ideal import resources

if TYPE_CHECKING:
    from ridgeline.replica import Replica
    from ridgeline.service.performance import Performance
    from ridgeline.service.requests import Requests
    from ridgeline.steps.op import StepOps
    from ridgeline.steps.tokens import Group

__all__ = [
    "PriceSheet",
    "PromptSteps",
    "cached_token_s",
    "pools_price_sheet",
    "price_sheet",
    "usd_per_mtok",
    "usd_per_request",
]

_PER_MTOK = 1e6


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """What tokens and requests cost; arrays over cases. They add up to the bill.

    Attributes
    ----------
    usd_per_request : array            All of the replica's time per request finished. [USD]
    usd_per_mtok_input : array         Input that is computed. [USD/Mtok]
    usd_per_mtok_cached_input : array  Input found in a cache: what it slows the rest. [USD/Mtok]
    usd_per_mtok_output : array        [USD/Mtok]
    usd_per_mtok : array               All tokens of a request alike. [USD/Mtok]
    """

    usd_per_request: Any
    usd_per_mtok_input: Any
    usd_per_mtok_cached_input: Any
    usd_per_mtok_output: Any
    usd_per_mtok: Any


@dataclass(frozen=True)
class PromptSteps:
    """What prompts take of a replica: steps of a prompt with cached input and without, in one.

    Attributes
    ----------
    replica : Replica     Its layout's degrees may be 1-D arrays.
    requests : Requests
    """

    replica: Replica
    requests: Requests

    @cached_property
    def _cached(self) -> Any:
        """Input found in a cache: where nothing is, half of it."""
        cached = self.requests.cached
        return cached if np.any(np.asarray(cached) > 0) else self.requests.isl / 2

    @cached_property
    def _prompts(self) -> Requests:
        """The same new tokens behind cached ones and alone; and the requests' own prompt."""
        requests, cached = self.requests, self._cached
        return replace(
            requests,
            isl=np.asarray([requests.isl, requests.isl - cached, requests.isl]),
            cached=np.asarray([cached, 0.0, requests.cached]),
            mix=(),
            decode_context=None,
        )

    @cached_property
    def _steps(self) -> tuple[Replica, Group, StepOps]:
        one = self.replica.as_column()
        ranks = one.layout.attn_dp * one.layout.pp
        group = self._prompts.prompts(ranks, one.engine)
        return one, group, one.step_sums(group)

    @property
    def _ranks(self) -> Any:
        return self.replica.layout.attn_dp * self.replica.layout.pp

    @property
    def at_peak(self) -> tuple[Any, Any]:
        """FLOPs, and bytes of the cache, of one prompt at the chip's datasheet rates. [s]

        A decode step that a prompt shares has read the weights.
        """
        one, _, ops = self._steps
        used = resources(ops.whole, one.cluster, one.formats.compute)
        share = self.requests.n_chunks(one.engine) / self._ranks
        compute, kv = (self._of_each(v)[..., 2] * share for v in (used.compute_s, used.kv_s))
        return compute, kv

    @property
    def cached_token_s(self) -> Any:
        """See the function of that name."""
        one, group, ops = self._steps
        times = self._of_each(one.how.seconds(one, ops, (group,)))
        times = times * self._prompts.n_chunks(one.engine)
        more = np.maximum(times[..., 0] - times[..., 1], 0.0)
        return more / np.maximum(self._cached, 1e-9) / self._ranks

    def _of_each(self, value: Any) -> Any:
        return np.broadcast_to(value, (*np.shape(self._ranks), 3))


def cached_token_s(replica: Replica, requests: Requests) -> Any:
    """Time of the replica that one cached input token takes: the tokens after it attend to it. [s]

    Parameters
    ----------
    replica : Replica     Its layout's degrees may be arrays.
    requests : Requests   Where nothing is cached, of a prompt of which half is.
    """
    return PromptSteps(replica, requests).cached_token_s


def usd_per_request(found: Performance, usd_per_chip_hour: Any, n_chips: Any) -> Any:
    """All of a replica's time per request finished. [USD]

    Parameters
    ----------
    found : Performance         Of a replica.
    usd_per_chip_hour : array   [USD/h]
    n_chips : array             Of the replica. [1]
    """
    return cost_per_step_usd(1 / found.requests_per_s, usd_per_chip_hour, n_chips)


def usd_per_mtok(per_request_usd: Any, requests: Requests) -> Any:
    """What a request costs, over all of its tokens alike. [USD/Mtok]"""
    return per_request_usd * _PER_MTOK / (requests.isl + requests.osl)


def price_sheet(
    found: Performance,
    requests: Requests,
    usd_per_chip_hour: Any,
    n_chips: Any,
    cached_s: Any = 0.0,
) -> PriceSheet:
    """Share out a replica's rent over the tokens that its time goes to.

    Parameters
    ----------
    found : Performance       Of a replica.
    requests : Requests
    usd_per_chip_hour : array   NaN where no price is known. [USD/h]
    n_chips : array           Of the replica. [1]
    cached_s : array          From `cached_token_s`. [s]

    Returns
    -------
    PriceSheet

    Notes
    -----
    Prompts pay for what they add to the steps they are in, decoding for the rest of the busy time;
    time in which the replica waits is shared out in proportion.
    """
    decoding = requests.n_steps * found.step_s / np.maximum(found.n_live, 1.0)
    busy = decoding + found.prompt_s
    per_request = usd_per_request(found, usd_per_chip_hour, n_chips)
    rate = per_request * _PER_MTOK / busy
    cached = rate * np.minimum(cached_s, found.prompt_s / np.maximum(requests.isl, 1.0))
    of_input = rate * found.prompt_s - cached * requests.cached
    return PriceSheet(
        usd_per_request=per_request,
        usd_per_mtok_input=of_input / np.maximum(requests.new, 1e-9),
        usd_per_mtok_cached_input=cached,
        usd_per_mtok_output=rate * decoding / np.maximum(requests.osl, 1.0),
        usd_per_mtok=usd_per_mtok(per_request, requests),
    )


def pools_price_sheet(
    requests_per_s: Any, requests: Requests, usd_per_chip_hour: Any, n_prefill: Any, n_decode: Any
) -> PriceSheet:
    """Share out the rent of two pools: each by the tokens it makes.

    Parameters
    ----------
    requests_per_s : array        Finished by both. [1/s]
    requests : Requests
    usd_per_chip_hour : array     [USD/h]
    n_prefill, n_decode : array   Chips of each pool; any left over are paid with the decoding. [1]
    """
    per_chip = cost_per_step_usd(1 / requests_per_s, usd_per_chip_hour, 1)
    whole = per_chip * (n_prefill + n_decode)
    return PriceSheet(
        usd_per_request=whole,
        usd_per_mtok_input=per_chip * n_prefill * _PER_MTOK / requests.new,
        usd_per_mtok_cached_input=np.nan,
        usd_per_mtok_output=per_chip * n_decode * _PER_MTOK / requests.osl,
        usd_per_mtok=usd_per_mtok(whole, requests),
    )
