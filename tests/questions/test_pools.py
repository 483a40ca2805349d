"""Prefill and decode on pools of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.service.pools import Pools as ServicePools
from ridgeline.service.pools import closed_pools

V3, RACK = "deepseek-ai/DeepSeek-V3", "gb200-nvl72"


@pytest.fixture(scope="module")
def answer() -> rl.Layouts:
    return rl.layouts(V3, RACK, ttft=1.0, tpot=0.03)


def test_pools_fill_the_rack_and_keep_the_limits(answer: rl.Layouts) -> None:
    pools = answer.pools()
    assert pools.prefill.n_chips + pools.decode.n_chips <= 72
    assert pools.ttft_s <= 1.0
    assert pools.tpot_s <= 0.03
    # As many requests are in flight as the pools take without a queue.
    assert pools.ttft_s == pytest.approx(pools.prefill.time_s + pools.transfer_s, rel=1e-6)
    assert pools.e2e_s == pytest.approx(pools.ttft_s + 1023 * pools.tpot_s)
    assert pools.concurrency == pytest.approx(pools.requests_per_s * pools.e2e_s, rel=0.01)


def test_the_slower_pool_sets_the_rate(answer: rl.Layouts) -> None:
    pools = answer.pools()
    slower = min(pools.prefill.rate_per_s, pools.decode.rate_per_s)
    assert pools.requests_per_s <= slower * (1 + 1e-9)
    assert pools.requests_per_s == pytest.approx(slower, rel=0.01)
    # Another replica less in either pool would serve fewer.
    for pool in (pools.prefill, pools.decode):
        one_less = pool.rate_per_s * (pool.replicas - 1) / pool.replicas
        assert one_less <= pools.requests_per_s * (1 + 1e-9) or pool.replicas > 1


def test_a_replica_more_in_the_other_pool_would_not_do(answer: rl.Layouts) -> None:
    """The numbers of replicas are the best of all that the rack has room for."""
    pools = answer.pools()
    p, d = pools.prefill, pools.decode
    rate = min(p.rate_per_s, d.rate_per_s)
    for n in range(1, 72 // (p.n_chips // p.replicas)):
        left = 72 - n * p.n_chips // p.replicas
        m = left // (d.n_chips // d.replicas)
        both = min(n * p.rate_per_s / p.replicas, m * d.rate_per_s / d.replicas)
        assert both <= rate * (1 + 1e-9)


def test_money_pays_for_all_chips(answer: rl.Layouts) -> None:
    pools = answer.pools()
    price = answer.searches[0].price
    assert price is not None
    assert pools.usd_per_mtok_input is not None
    assert pools.usd_per_mtok_output is not None
    assert pools.usd_per_mtok is not None
    rent = price.usd_per_chip_hour
    per_request = (pools.usd_per_mtok_input * 4096 + pools.usd_per_mtok_output * 1024) / 1e6
    assert pools.requests_per_s * 3600 * per_request == pytest.approx(72 * rent)
    assert pools.usd_per_mtok * (4096 + 1024) / 1e6 == pytest.approx(per_request)


def test_the_cache_of_a_prompt_is_what_is_sent(answer: rl.Layouts) -> None:
    """DeepSeek-V3 caches 61 layers x 576 values in bf16: 70,272 B a token."""
    pools = answer.pools()
    assert pools.transfer_bytes == pytest.approx(4096 * 70_272)
    assert pools.inside_domain
    holders = min(p.layout.pp * p.layout.tp for p in (pools.prefill, pools.decode))
    assert pools.transfer_s == pytest.approx(4096 * 70_272 / (holders * 900e9))


def test_across_nodes_the_network_carries_the_cache() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "4xhgx-h200", tpot=0.03, ttft=2.0)
    pools = answer.pools()
    assert not pools.inside_domain
    assert "over the network" in " ".join(pools.sentences())
    holders = min(p.layout.pp * p.layout.tp for p in (pools.prefill, pools.decode))
    assert pools.transfer_s == pytest.approx(pools.transfer_bytes / (holders * 50e9))


def test_decode_ranks_take_no_more_than_the_engine_is_set_to(answer: rl.Layouts) -> None:
    pools, candidates = answer.pools(), answer.searches[0].candidates
    prefill, decode = (candidates.replica_of(x.layout) for x in (pools.prefill, pools.decode))
    service = ServicePools(prefill, pools.prefill.replicas, decode, pools.decode.replicas, 72)
    free = closed_pools(service, candidates.requests, pools.concurrency)
    crowded = closed_pools(service, candidates.requests, 50.0 * pools.concurrency)
    mean, tail = crowded.ttft_s, crowded.statistic("ttft", "p99")
    assert (np.asarray(crowded.wait_s) > 0).all()
    assert np.asarray(tail) == pytest.approx(np.asarray(mean + 0.98 * crowded.wait_s))
    ranks = decode.layout.attn_dp * pools.decode.replicas
    few = float(free.n_live) / ranks / 4
    held = closed_pools(service, candidates.requests, pools.concurrency, few)
    assert float(held.n_live) <= few * ranks * 1.0001
    assert float(held.requests_per_s) < 0.8 * float(free.requests_per_s)


def test_the_answer_is_that_of_the_service(answer: rl.Layouts) -> None:
    """The split, put to the service by itself, with as many requests in flight."""
    pools, candidates = answer.pools(), answer.searches[0].candidates
    prefill, decode = (candidates.replica_of(x.layout) for x in (pools.prefill, pools.decode))
    service = ServicePools(prefill, pools.prefill.replicas, decode, pools.decode.replicas, 72)
    found = closed_pools(service, candidates.requests, pools.concurrency)
    for name in ("ttft_s", "tpot_s", "e2e_s", "requests_per_s"):
        assert getattr(pools, name) == pytest.approx(float(getattr(found, name)), rel=1e-9)
    # The prompt by itself and the decode step are those of the replicas.
    engine, requests = prefill.engine, candidates.requests
    alone = requests.n_chunks(engine) * prefill.seconds(requests.prompts(1.0, engine))
    assert pools.prefill.time_s == pytest.approx(float(alone), rel=1e-9)
    step = decode.seconds(requests.decode(found.n_live / pools.decode.replicas))
    assert pools.tpot_s == pytest.approx(float(step), rel=0.01)  # lines between timed steps


def test_decoding_by_itself_is_never_slower_than_among_prefills(answer: rl.Layouts) -> None:
    """Without prefills between, as many live sequences of a layout get tokens at least as often."""
    both = answer.searches[0].candidates
    index = np.flatnonzero(both.fits >= 64)
    decoding = replace(
        both,
        requests=replace(
            both.requests, isl=0.0, osl=0.0, cached=0.0, decode_context=both.requests.context
        ),
    )
    for batch in (1.0, 7.0, 64.0):
        beside = both.performance(np.full(len(index), batch), index)
        alone = decoding.performance(beside.n_live, index)
        assert (alone.tpot_s <= beside.tpot_s * (1 + 1e-9)).all()


def test_wrong_questions() -> None:
    with pytest.raises(SpecError, match="isl and osl"):
        rl.layouts(V3, RACK, context=8192).pools()
    with pytest.raises(InfeasibleError, match="No two pools"):
        rl.layouts("Qwen/Qwen3-32B", "h200-sxm", chips=1).pools()


def test_the_dict_is_plain(answer: rl.Layouts) -> None:
    told = answer.pools().to_dict()
    assert told["prefill"]["n_chips"] + told["decode"]["n_chips"] <= told["n_chips"]
    assert told["answer"][0].startswith("Disaggregated: ")
    assert told["colocated"] == answer.best["tokens_per_s_per_chip"]
