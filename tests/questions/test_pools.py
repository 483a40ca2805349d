"""Prefill and decode on pools of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError

V3, RACK = "deepseek-ai/DeepSeek-V3", "gb200-nvl72"


@pytest.fixture(scope="module")
def answer() -> rl.Layouts:
    return rl.layouts(V3, RACK, ttft_s=1.0, tpot_s=0.03)


def test_pools_fill_the_rack_and_keep_the_limits(answer: rl.Layouts) -> None:
    pools = answer.pools()
    assert pools.prefill.n_chips + pools.decode.n_chips <= 72
    assert pools.ttft_s <= 1.0
    assert pools.decode.time_s <= 0.03
    assert pools.ttft_s == pytest.approx(pools.prefill.time_s + pools.transfer_s)
    assert pools.e2e_s == pytest.approx(pools.ttft_s + 1023 * pools.decode.time_s)


def test_the_slower_pool_sets_the_rate(answer: rl.Layouts) -> None:
    pools = answer.pools()
    slower = min(pools.prefill.rate_per_s, pools.decode.rate_per_s)
    assert pools.requests_per_s == pytest.approx(slower)
    # Another replica less in either pool would serve fewer.
    for pool in (pools.prefill, pools.decode):
        one_less = pool.rate_per_s * (pool.replicas - 1) / pool.replicas
        assert one_less <= pools.requests_per_s * (1 + 1e-9) or pool.replicas > 1


def test_money_pays_for_all_chips(answer: rl.Layouts) -> None:
    pools = answer.pools()
    price = answer.searches[0].price
    assert price is not None
    assert pools.usd_per_mtok_input is not None
    assert pools.usd_per_mtok_output is not None
    rent = price.usd_per_chip_hour
    per_request = (pools.usd_per_mtok_input * 4096 + pools.usd_per_mtok_output * 1024) / 1e6
    assert pools.requests_per_s * 3600 * per_request == pytest.approx(72 * rent)


def test_the_cache_of_a_prompt_is_what_is_sent(answer: rl.Layouts) -> None:
    """DeepSeek-V3 caches 61 layers x 576 values in bf16: 70,272 B a token."""
    pools = answer.pools()
    assert pools.transfer_bytes == pytest.approx(4096 * 70_272)
    assert pools.inside_domain
    holders = min(p.layout.pp * p.layout.tp for p in (pools.prefill, pools.decode))
    assert pools.transfer_s == pytest.approx(4096 * 70_272 / (holders * 900e9))


def test_across_nodes_the_network_carries_the_cache() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "4xhgx-h200", tpot_s=0.03, ttft_s=2.0)
    pools = answer.pools()
    assert not pools.inside_domain
    assert "over the network" in " ".join(pools.sentences())


def test_decoding_apart_is_never_slower_than_together(answer: rl.Layouts) -> None:
    """Without prefills between, a user of a layout gets tokens at least as often."""
    together = answer.searches[0].candidates
    apart = replace(together, apart=True)
    assert (apart.within_limits >= together.within_limits).all()


def test_wrong_questions() -> None:
    with pytest.raises(SpecError, match="isl and --osl"):
        rl.layouts(V3, RACK, context=8192).pools()
    with pytest.raises(InfeasibleError, match="No two pools"):
        rl.layouts("Qwen/Qwen3-32B", "h200-sxm", chips=1).pools()


def test_the_dict_is_plain(answer: rl.Layouts) -> None:
    told = answer.pools().to_dict()
    assert told["prefill"]["n_chips"] + told["decode"]["n_chips"] <= told["n_chips"]
    assert told["answer"][0].startswith("Apart: ")
