"""Chapters 2 to 4 of the lecture, the scaling book and Pope et al. 2022, through public functions.

One table: the claim's id, a call, what comes out, and how near. Rows that state a fact and compute
nothing are in `CITED`, and told in docs/lecture.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ridgeline as rl
from ridgeline.laws.bubbles import bubble_s, bubble_share
from ridgeline.laws.collectives import shard_wire_bytes
from ridgeline.laws.context import largest_context_tokens, overtaking_context_tokens
from ridgeline.laws.cuts import (
    cut_2d_pays,
    useful_tensor_parallel,
    weight_gathered_bytes,
    weight_stationary_1d_bytes,
    weight_stationary_2d_bytes,
)
from ridgeline.laws.economics import throughput_tokens_per_s
from ridgeline.laws.experts import experts_per_chip
from ridgeline.laws.memory import largest_batch, memory_needed_bytes
from ridgeline.laws.parallel import share_across
from ridgeline.laws.parallel_bounds import fsdp_tokens_per_chip
from ridgeline.laws.pipeline import (
    batch_in_flight,
    fewest_stages,
    kv_per_chip_bytes,
    stage_idle_share,
    token_latency_s,
    weights_per_chip_bytes,
)
from ridgeline.laws.rack import (
    chips_used,
    egress_time_s,
    fewest_layers_per_stage,
    n_cables,
    scale_up_over_scale_out,
    spread_slowdown,
)
from ridgeline.laws.roofline import (
    compute_time_s,
    kv_fetch_time_s,
    mfu,
    multiplies_per_s,
    step_time_added_s,
    step_time_s,
    weight_fetch_time_s,
)
from ridgeline.laws.traffic import requests_per_s_in_flight, tokens_evicted_per_step
from ridgeline.specs import Layout, Model
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import decode
from ridgeline.trainer.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Callable

GIB = 2**30
V5E_FLOPS, V5E_BW = 1.97e14, 8.1e11
TPU_V4 = 275e12


def dense(**fields: Any) -> Model:
    """A model of equal layers: `repeat` of attention and a dense feed-forward part."""
    mixer = {k: fields.pop(k) for k in ("n_heads", "n_kv_heads", "d_head")}
    block = {
        "repeat": fields.pop("repeat"),
        "mixer": {"kind": "attention", **mixer},
        "ffn": {"kind": "dense", "d_ff": fields.pop("d_ff")},
    }
    return Model.parse({"id": "test", "blocks": [block], **fields}, "test")


@cache
def palm(n_kv_heads: int, d_head: int, n_heads: int = 64) -> Any:
    return rl.counts(
        dense(
            repeat=118, d_model=18432, d_ff=73728, vocab_size=256_000,
            n_heads=n_heads, n_kv_heads=n_kv_heads, d_head=d_head,
        )
    )  # fmt: skip


@cache
def llama_2_13b(n_kv_heads: int = 40) -> Any:
    return rl.counts(
        dense(
            repeat=40, d_model=5120, d_ff=13824, vocab_size=32000,
            n_heads=40, n_kv_heads=n_kv_heads, d_head=128,
        )
    )  # fmt: skip


def palm_mfu(n_params: float, tokens: float, latency_s: float, chips: int) -> Any:
    """MFU of a measured latency: Pope et al., Tables 2 and 3."""
    return mfu(compute_time_s(tokens, n_params, multiplies_per_s(chips * TPU_V4)), latency_s)


def palm_context(kv_bytes: float, batch: int) -> Any:
    """Longest context with 30 % of 64 chips' memory for caches: Table 1."""
    return largest_context_tokens(0.30 * 64 * 32 * GIB, batch, kv_bytes)


def book_step(batch: float, kv_bytes: float, n_params: float, chips: int) -> Any:
    """The scaling book's decode step in int8 weights and bf16 arithmetic on v5e."""
    return step_time_added_s(
        compute_time_s(batch, n_params, multiplies_per_s(chips * V5E_FLOPS)),
        weight_fetch_time_s(n_params, chips * V5E_BW),
        kv_fetch_time_s(batch, kv_bytes, chips * V5E_BW),
    )


def llama_step(batch: int) -> Any:
    """Llama-2-13B in bf16 at 8192 tokens on 8 v5e, memory alone."""
    tally, bandwidth = llama_2_13b(), 8 * 0.82e12
    kv = kv_fetch_time_s(batch, tally.cache_bytes(8192), bandwidth)
    return step_time_s(0.0, weight_fetch_time_s(tally.weight_bytes, bandwidth), kv)


def gqa_step(batch: int) -> Any:
    """The same with a fifth of the KV heads; the book keeps its 26 GB of weights."""
    bandwidth = 8 * 0.82e12
    kv = kv_fetch_time_s(batch, llama_2_13b(8).cache_bytes(8192), bandwidth)
    return step_time_s(0.0, weight_fetch_time_s(26e9, bandwidth), kv)


def llama_70b_step() -> Any:
    bandwidth = 8 * V5E_BW
    return step_time_s(
        0.0, weight_fetch_time_s(70e9, bandwidth), kv_fetch_time_s(32, 160e3 * 8192, bandwidth)
    )


@cache
def v3() -> Any:
    return rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="blackboard")


def given(active: str, total: str, kv: float, on: str, **more: Any) -> Any:
    return rl.serving(rl.Model.from_counts(active, total, kv, 8), on, **more)


def all_to_alls() -> int:
    """Exchanges of one MoE layer of DeepSeek-V3 in a decode step."""
    pieces = count_ops(v3().model, Layout(attn_dp=64, ep=64), [decode(64, 1024)], domain_size=72)
    found = [p for p in pieces if p.collective is not None and p.collective.kind == "all_to_all"]
    assert {int(p.repeat) for p in found} == {58}
    assert len({float(p.collective.payload_bytes) for p in found if p.collective}) <= 2
    return len(found)


def link_ratio(name: str) -> float:
    cluster = rl.cluster(name)
    assert cluster.link
    assert cluster.scale_out
    return cluster.link / cluster.scale_out


def stages(p: int) -> dict[str, Any]:
    """Row of a pipeline over racks, without hops."""
    found = rl.pipelining(v3(), hop_s=0.0, micro_batch=2400)
    return dict(next(r for r in found.table("stages").rows if r["n_stages"] == p))


def training_bubble(schedule: str, p: int, m: int) -> Any:
    """Idle share of a step whose passes take equally long: forward, and the two gradients."""
    found = bubble_share(bubble_s(schedule, p, 1, 1.0, 1.0, 1.0), m * 3.0)
    drawn = timeline(schedule, p, m, 1.0, 1.0, 1.0)
    idle = drawn.span_s.max() - m * 3.0
    assert bubble_share(idle, m * 3.0) == pytest.approx(found)
    return found


ONE_RACK = 72 * 192e9
L_KV = 1e5 * 2000

CLAIMS: list[tuple[str, Callable[[], Any], float, float]] = [
    ("C2-01", lambda: experts_per_chip(256, 72), 4, 0),
    ("C2-01", lambda: 72 - chips_used(256, 72), 8, 0),
    ("C2-01", lambda: rl.racks(v3()).values["n_idle"], 8, 0),
    ("C2-02", lambda: v3().model.blocks[-1].ffn.n_experts_active, 8, 0),
    ("C2-02", lambda: v3().model.blocks[-1].ffn.n_experts, 8 * 32, 0),
    ("C2-03", all_to_alls, 2, 0),
    ("C2-04", lambda: share_across(2), 0.5, 0),
    ("C2-04", lambda: share_across(4), 0.75, 0),
    ("C2-05", lambda: spread_slowdown(2, 8), 4.0, 1e-6),
    ("C2-05", lambda: spread_slowdown(4, 8), 6.0, 1e-6),
    ("C2-05", lambda: egress_time_s(1, 9, 1, 0.5) / egress_time_s(1, 9, 8), 4.0, 1e-6),
    ("C2-07", lambda: rl.cluster("hgx-h100").domain_size, 8, 0),
    ("C2-07", lambda: rl.cluster("gb200-nvl72").domain_size, 72, 0),
    ("C2-07", lambda: 4 * rl.cluster("rubin-ultra-nvl144").domain_size, 576, 0),
    ("C2-08", lambda: 8 * rl.chip("h100-sxm").memory.capacity, 640e9, 0),
    ("C2-09", lambda: 72 * rl.chip("gb200").memory.capacity, 13.8e12, 0.002),
    ("C2-10", lambda: given("100B", "5T", 2000, "gb200-nvl72").machine.n_chips, 72, 0),
    ("C2-10", lambda: given("100B", "5T", 2000, "gb200-nvl72").balance.largest_batch > 1, 1, 0),
    ("C2-10", lambda: given("100B", "5T", 2000, "hgx-h100").machine.n_chips > 8, 1, 0),
    ("C2-11", lambda: n_cables(144, 18, 4) / n_cables(72, 18, 4), 2, 0),
    ("C2-12", lambda: link_ratio("hgx-h100"), 9, 0.02),
    ("C2-12", lambda: link_ratio("hgx-b200"), 18, 0.02),
    ("C2-12", lambda: link_ratio("gb200-nvl72"), 18, 0.02),
    ("C2-13", lambda: egress_time_s(1, 2, 400e9) / egress_time_s(1, 8, 450e9), 4.5, 0.01),
    ("C3-01", lambda: scale_up_over_scale_out(8, 1, 8), 2.0, 0),
    ("C3-02", lambda: scale_up_over_scale_out(4, 1, 8), 1.0, 0),
    ("C3-03", lambda: scale_up_over_scale_out(1, 1, 8), 0.25, 0),
    ("C3-04", lambda: scale_up_over_scale_out(16, 1, 8), 4.0, 0),
    ("C3-04", lambda: scale_up_over_scale_out(32, 1, 8), 8.0, 0),
    ("C3-05", lambda: fewest_layers_per_stage(1, 8), 4, 0),
    ("C3-05", lambda: fewest_layers_per_stage(2, 8), 2, 0),
    ("C3-05", lambda: fewest_layers_per_stage(4, 8), 1, 0),
    ("C3-05", lambda: fewest_layers_per_stage(8, 8), 1, 0),
    ("C3-06", lambda: stage_idle_share(1, 4), 0.75, 0),
    ("C3-07", lambda: stage_idle_share(4, 4), 0.0, 0),
    ("C3-08", lambda: stage_idle_share(2, 4), 0.5, 0),
    *[
        ("C3-09", lambda p=p, m=m: training_bubble("1f1b", p, m), share, 1e-2)
        for p, m, share in ((4, 4, 0.429), (4, 8, 0.273), (8, 32, 0.179))
    ],
    ("C3-09", lambda: rl.training(
        v3().model, "gb200-nvl72", tp=8, pp=4, chips=64, global_batch=16, reading="blackboard"
    ).bubble_share, 3 / 11, 1e-9),
    ("C3-12", lambda: training_bubble("zb-h1", 4, 8) < training_bubble("1f1b", 4, 8), 1, 0),
    ("C3-12", lambda: training_bubble("zb-h2", 4, 8), 0, 0),
    ("C3-10", lambda: stages(4)["latency_s"] / stages(1)["latency_s"], 1, 1e-12),
    ("C3-10", lambda: stages(4)["weights_bytes"] / stages(1)["weights_bytes"], 0.25, 1e-12),
    ("C3-11", lambda: 1e12 / ONE_RACK, 0.072, 0.01),
    ("C4-01", lambda: memory_needed_bytes(1e12, 9600, L_KV), 2.92e12, 1e-6),
    ("C4-02", lambda: batch_in_flight(2400, 4), 9600, 0),
    *[
        ("C4-03", lambda p=p: weights_per_chip_bytes(1e12, 64, p), gb * 1e9, 1e-3)
        for p, gb in ((1, 15.625), (2, 7.8125), (4, 3.906), (8, 1.953))
    ],
    *[
        ("C4-04", lambda p=p: kv_per_chip_bytes(2400 * p, L_KV, 64, p), 7.5e9, 0)
        for p in (1, 2, 4, 8)
    ],
    ("C4-05", lambda: weights_per_chip_bytes(1e12, 64, 2) < 1.05 * 7.5e9, 1, 0),
    ("C4-05", lambda: weights_per_chip_bytes(1e12, 64, 3) < 7.5e9, 1, 0),
    ("C4-06", lambda: token_latency_s(0.020, 4, 0.0025), 0.030, 0.10),
    ("C4-07", lambda: _fetch(8, 1.0) / _fetch(64, 1.5), 12, 1e-9),
    ("C4-07", lambda: _fetch(8, 1.0) / _fetch(64, 2.0), 16, 1e-9),
    ("C4-07", lambda: token_latency_s(_fetch(64, 1.5), 8, 0.0) / _fetch(64, 1.5), 1, 0),
    ("C4-08", lambda: weight_fetch_time_s(700e9, 8 * 3.35e12), 26.1e-3, 0.01),
    ("C4-08", lambda: weight_fetch_time_s(700e9, 64 * 8e12), 1.37e-3, 0.01),
    ("C4-08", lambda: (64 * 8e12) / (8 * 3.35e12), 19.1, 0.01),
    ("C4-09", lambda: kv_per_chip_bytes(2400, L_KV, 64, 1) / 2400
     / (kv_per_chip_bytes(9600, L_KV, 64, 4) / 2400), 1, 1e-12),
    ("C4-09", lambda: kv_fetch_time_s(64, L_KV, 1e13) / 64
     / kv_fetch_time_s(1, L_KV, 1e13), 1, 1e-12),
    ("C4-10", lambda: rl.pipelining(v3()).values["n_stages"], 1, 0),
    ("C4-10", lambda: rl.pipelining(v3()).values["ep"], 64, 0),
    ("C4-11", lambda: fewest_stages(20e12, 0.0, 13.8e12), 2, 0),
    ("C4-11", lambda: rl.pipelining(
        given("100B", "20T", 2000, "gb200-nvl72", chips=144), micro_batch=1
    ).values["n_stages"], 2, 0),
    ("SB-02", lambda: book_step(4, 819e6, 30e9, 16), 2.57e-3, 0.03),
    ("SB-03", lambda: book_step(256, 819e6, 30e9, 16), 21.05e-3, 0.01),
    *[
        (f"SB-05-{b}", lambda b=b: llama_step(b), ms * 1e-3, 0.01)
        for b, ms in ((1, 4.98), (8, 12.13), (16, 20.30), (32, 36.65), (64, 69.33), (240, 249.09))
    ],
    *[
        (f"SB-05-{b}", lambda b=b: throughput_tokens_per_s(b, llama_step(b)), rate, 0.01)
        for b, rate in ((1, 200.61), (8, 659.30), (16, 787.99), (32, 873.21), (64, 923.13),
                        (240, 963.53))
    ],
    *[
        (f"SB-06-{b}", lambda b=b: gqa_step(b), ms * 1e-3, 0.01)
        for b, ms in ((1, 4.17), (64, 17.04), (240, 52.99))
    ],
    *[
        (f"SB-06-{b}", lambda b=b: throughput_tokens_per_s(b, gqa_step(b)), rate, 0.01)
        for b, rate in ((1, 239.94), (64, 3756.62), (240, 4529.34))
    ],
    ("SB-07", lambda: memory_needed_bytes(70e9, 32, 160e3 * 8192), 112e9, 0.03),
    ("SB-07", llama_70b_step, 17e-3, 0.03),
    ("SB-07", lambda: throughput_tokens_per_s(32, llama_70b_step()), 1882, 0.03),
    ("SB-07", lambda: throughput_tokens_per_s(32, llama_70b_step()) / 8, 235, 0.03),
    ("SB-09", lambda: compute_time_s(8192, 70e9, multiplies_per_s(16 * V5E_FLOPS)) / 0.4, 0.91,
     0.01),
    ("SB-10", lambda: 0.91 * requests_per_s_in_flight(32, 512, 0.019), 3, 0.05),
    ("SB-11", lambda: tokens_evicted_per_step(32, 8192, 4096), 96, 0),
    ("SB-12", lambda: 8 * 16e9 - 70e9, 58e9, 0),
    ("SB-12", lambda: math.floor(largest_batch(8 * 16e9, 70e9, 163_840 * 8192)), 43, 0),
    ("SB-12", lambda: math.floor(largest_batch(4 * 16e9, 35e9, 81_920 * 8192)), 43, 0),
    ("SB-15", lambda: _overtaking(8192), 65536, 1e-3),
    ("SB-16", lambda: fsdp_tokens_per_chip(2475 * 400e9, 400e9, 128 / 4), 79200, 0),
    ("SB-17", lambda: step_time_added_s(2.0, 1.0, 1.0), 3, 0),
    ("SB-17", lambda: step_time_s(2.0, 1.0, 1.0), 2, 0),
    ("SB-18", lambda: useful_tensor_parallel(16384, 32, 8), 64, 0),
    *[
        (claim, lambda a=asked: palm_mfu(*a), expected, 0.012 / expected)
        for claim, asked, expected in (
            ("E-01", (540e9, 2048, 0.29, 64), 0.43),
            ("E-02", (540e9, 4096, 1.82, 64), 0.14),
            ("E-03", (540e9, 1_048_576, 85.2, 64), 0.76),
            ("E-04", (540e9, 32_768, 6.0, 64), 0.33),
            ("E-05", (62e9, 2048, 0.16, 16), 0.36),
            ("E-06", (62e9, 2048, 0.73, 16), 0.08),
            ("E-07", (62e9, 1_048_576, 20.2, 32), 0.73),
            ("E-08", (62e9, 32_768, 5.1, 8), 0.37),
        )
    ],
    *[
        (claim, lambda kv=kv, b=b: palm_context(kv(), b), expected, 0.012)
        for claim, kv, cells in (
            ("E-09", lambda: palm(1, 256).kv_bytes_per_token, {128: 43000, 512: 10700}),
            ("E-10", lambda: palm(64, 128).kv_bytes_per_token, {128: 1320, 512: 330}),
            ("E-11", lambda: 64 * palm(1, 256).kv_bytes_per_token, {128: 660, 512: 165}),
        )
        for b, expected in cells.items()
    ],
    ("E-12", lambda: weight_fetch_time_s(540e9, 64 * 1.2e12), 7.03e-3, 0.02),
    ("E-12", lambda: 28.5e-3 / weight_fetch_time_s(540e9, 64 * 1.2e12), 4.05, 0.02),
    ("E-13", lambda: compute_time_s(512, 540e9, multiplies_per_s(64 * TPU_V4)), 31.4e-3, 0.02),
    ("E-13", lambda: 6.0 / 64 / compute_time_s(512, 540e9, multiplies_per_s(64 * TPU_V4)), 2.98,
     0.02),
    ("E-14", lambda: cut_2d_pays(16, 18432, 73728), False, 0),
    ("E-14", lambda: cut_2d_pays(17, 18432, 73728), True, 0),
    ("E-15", lambda: 118 * weight_stationary_1d_bytes(512, 18432, 2) / 270e9, 16.5e-3, 0.01),
    ("E-15", lambda: 118 * weight_stationary_2d_bytes(512, 18432, 64, 2) / 270e9, 8.25e-3, 0.01),
]  # fmt: skip

#: rows that state a fact: two hops through a switch; two measured ratios
CITED = {"C2-06", "E-16", "E-17"}


def _fetch(n_chips: int, chip: float) -> Any:
    return weight_fetch_time_s(700e9, n_chips * chip * 3.35e12)


def _overtaking(d_model: int) -> Any:
    """SB-15: multi-head layers with F = 4 D, all of whose keys are seen."""
    n_heads = d_model // 128
    tally = rl.counts(
        dense(
            repeat=8, d_model=d_model, d_ff=4 * d_model, vocab_size=1,
            n_heads=n_heads, n_kv_heads=n_heads, d_head=128,
        )
    )  # fmt: skip
    grows = (tally.flops_per_token(1) - tally.flops_per_token(0)) / 2
    return overtaking_context_tokens(tally.n_params_active, grows)


@pytest.mark.parametrize(
    ("claim", "call", "expected", "rel"), CLAIMS, ids=[f"{c[0]}-{i}" for i, c in enumerate(CLAIMS)]
)
def test_claim(claim: str, call: Callable[[], Any], expected: float, rel: float) -> None:
    assert float(call()) == pytest.approx(float(expected), rel=rel or 1e-12, abs=1e-12)


def test_weight_gathered_is_the_form_of_the_paper() -> None:
    """E-15, third form: 4 E sqrt(B L F) / sqrt(n); it wins from N* = sqrt(B L n / F) >= sqrt(n)."""
    e, f, n = 18432, 73728, 64
    expected = 4 * e * math.sqrt(512 * f) / math.sqrt(n) * 2
    assert weight_gathered_bytes(512, e, f, n, 2) == pytest.approx(expected)
    tokens = float(f)  # where B L = F both cuts send the same
    assert weight_gathered_bytes(tokens, e, f, n, 2) == pytest.approx(
        weight_stationary_2d_bytes(tokens, e, n, 2) / 2
    )


def test_pipelining_recommends_ep_of_the_domain_and_one_stage() -> None:
    """C4-10 in the planner's own words."""
    said = str(rl.pipelining(v3()))
    assert "Recommended: experts over 64 chips of one domain, no pipeline" in said


def test_one_exchange_leaves_what_is_not_the_chips_own() -> None:
    """C2-04 by the collectives' own law: of n parts a chip keeps one."""
    assert shard_wire_bytes(1.0, 2) == share_across(2)


def test_every_row_that_computes_is_covered() -> None:
    table = Path(__file__).parents[3] / "shared" / "lecture_claims.csv"
    if not table.exists():
        pytest.skip("the table of claims is not part of the project; the ids above are its copy")
    with table.open(encoding="utf-8") as file:
        ids = {row["id"] for row in csv.DictReader(file)}
    chapter_1 = {"SB-01", "SB-04", "SB-08", "SB-13", "SB-14"}
    asked = {i for i in ids if i.startswith(("C2-", "C3-", "C4-", "SB-", "E-"))}
    assert asked - chapter_1 == {c[0] for c in CLAIMS} | CITED
