"""The calibrated reading: never faster than the ideal, sum of its parts, near what is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.errors import CatalogError
from ridgeline.laws.scheduling import decode_gap_s
from ridgeline.specs import Cluster, Layout
from ridgeline.steps.calibrated import (
    BOUNDS,
    Z80,
    calibration,
    log_sigma,
    piece_time_s,
    time_step,
)
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.tokens import Group, decode, prefill
from ridgeline.steps.work import work

MODELS = st.sampled_from(
    ["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V4-Pro",
     "openai/gpt-oss-120b", "Qwen/Qwen3.5-397B-A17B", "tiiuae/falcon-mamba-7b"]
)  # fmt: skip
CLUSTERS = st.sampled_from(
    ["hgx-h100", "gb200-nvl72", "hgx-a100-80gb", "mi300x-8", "tpu-v5p-pod", "l40s-8",
     "trn2-ultraserver"]
)  # fmt: skip
LAYOUTS = st.sampled_from(
    [Layout(), Layout(tp=8), Layout(attn_dp=8, ep=8), Layout(tp=2, attn_dp=8, ep=16),
     Layout(tp=4, pp=2)]
)  # fmt: skip
BATCH, CONTEXT = st.floats(1, 1e5), st.floats(1, 1e6)


def pieces_of(model: str, cluster: Cluster, layout: Layout, *groups: Group):
    return work(rl.model(model), layout, groups, domain_size=cluster.domain_size)


def time_s(model: str, cluster: Cluster, layout: Layout, *groups: Group) -> float:
    pieces = pieces_of(model, cluster, layout, *groups)
    return float(time_step(pieces, calibration(cluster)).time_s)


@given(MODELS, CLUSTERS, LAYOUTS, BATCH, CONTEXT)
def test_never_faster_than_the_ideal(model, cluster, layout, batch, context) -> None:
    on = rl.cluster(cluster)
    for group in (decode(batch, context), prefill(batch / 100 + 1, context / 100 + 1, 10.0)):
        pieces = pieces_of(model, on, layout, group)
        step = time_step(pieces, calibration(on))
        assert step.time_s >= combine_ideal(resources(pieces, on)).time_s
        assert sum(step.parts_s.values()) == pytest.approx(step.time_s)
        assert min(np.min(v) for v in step.parts_s.values()) >= 0


@given(MODELS, CLUSTERS, LAYOUTS, BATCH, CONTEXT, st.floats(1, 100))
def test_more_work_is_never_faster(model, cluster, layout, batch, context, f) -> None:
    on = rl.cluster(cluster)
    before = time_s(model, on, layout, decode(batch, context)) * (1 - 1e-9)
    assert time_s(model, on, layout, decode(batch * f, context)) >= before
    assert time_s(model, on, layout, decode(batch, context * f)) >= before


@given(MODELS, LAYOUTS, BATCH, CONTEXT, st.floats(1, 100))
def test_a_better_machine_is_never_slower(model, layout, batch, context, f) -> None:
    on = rl.cluster("hgx-h100")
    before = time_s(model, on, layout, decode(batch, context)) * (1 + 1e-9)
    peaks = {f"chip.peak.{k}": v * f for k, v in on.chip.peak.items()}
    better = (
        {"chip.memory.bandwidth": on.chip.memory.bandwidth * f},
        peaks,
        {"link": (on.link or 0) * f},
        {"scale_out": (on.scale_out or 0) * f},
    )
    for change in better:
        assert time_s(model, on.replaced(change), layout, decode(batch, context)) <= before


def test_large_steps_come_near_the_ideal_small_ones_are_floor() -> None:
    on, name = rl.cluster("hgx-h100"), "meta-llama/Llama-3.1-8B-Instruct"
    big = pieces_of(name, on, Layout(), prefill(8, 4096))
    ratio = time_step(big, calibration(on)).time_s / combine_ideal(resources(big, on)).time_s
    assert 1.4 < ratio < 2.2
    tiny = pieces_of("Qwen/Qwen3-0.6B", on, Layout(), decode(1, 100))
    step = time_step(tiny, calibration(on))
    assert BOUNDS[int(step.bound)] == "floor"
    assert step.time_s > 3 * combine_ideal(resources(tiny, on)).time_s


def test_decode_of_an_8b_model_on_one_h100() -> None:
    """Two independently fitted tools agree on an inter-token latency of 6.8 to 7.4 ms with 7
    sequences live, and 9.8 to 10.2 ms with 50 whose prefill (a token of prompt for each of
    output, 512 in and 512 out) shares the steps."""
    on, name = rl.cluster("hgx-h100"), "meta-llama/Llama-3.1-8B-Instruct"
    few, many = (_gap_s(name, on, n) for n in (7, 50))
    assert few == pytest.approx(7.1e-3, rel=0.08)
    assert many == pytest.approx(10.0e-3, rel=0.08)


def _gap_s(name: str, on: Cluster, n: int) -> float:
    """Between tokens: a decode step, and a 512th of a prompt for each other sequence."""
    step = time_s(name, on, Layout(), decode(n, 768))
    prompt = time_s(name, on, Layout(), decode(n, 768), prefill(1, 512)) - step
    return decode_gap_s(step, prompt, n, 512, 0.0)


def test_decode_of_a_70b_model_on_eight_h200() -> None:
    """The same two tools: 12.4 to 13.5 ms at 64 in flight in fp8 and TP 8."""
    on = rl.cluster("hgx-h200")
    model = rl.model("meta-llama/Llama-3.1-70B-Instruct").with_weight_dtype("fp8", 8.0)
    pieces = work(model, Layout(tp=8), [decode(64, 768)], domain_size=on.domain_size)
    step = float(time_step(pieces, calibration(on)).time_s)
    assert step == pytest.approx(13.0e-3, rel=0.12)


def test_engines_differ_and_unknown_ones_are_named() -> None:
    on, name = rl.cluster("hgx-h100"), "Qwen/Qwen3-8B"
    pieces = pieces_of(name, on, Layout(), decode(1, 512))
    old, new = (
        float(time_step(pieces, calibration(on, engine=e, version=v)).time_s)
        for e, v in (("vllm", "0.2"), ("vllm", "0.18.0"))
    )
    assert old > 1.3 * new
    with pytest.raises(CatalogError, match="Did you mean 'vllm'"):
        calibration(on, engine="vlm")


@given(MODELS, CLUSTERS, LAYOUTS, BATCH, CONTEXT)
def test_intervals_are_no_narrower_than_releases_differ(
    model, cluster, layout, batch, context
) -> None:
    on = rl.cluster(cluster)
    pieces, cal = pieces_of(model, on, layout, decode(batch, context)), calibration(on)
    sigma = float(log_sigma(pieces, cal, time_step(pieces, cal)))
    assert cal.scatter <= sigma < 3


def test_a_chip_nobody_measured_is_less_sure() -> None:
    def width(cluster: str) -> float:
        on = rl.cluster(cluster)
        pieces, cal = pieces_of("Qwen/Qwen3-8B", on, Layout(), decode(32, 4096)), calibration(on)
        return float(np.exp(2 * Z80 * log_sigma(pieces, cal, time_step(pieces, cal))))

    assert width("hgx-h100") < width("tpu-v5p-pod")


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3"])
def test_arrays_equal_scalars(model: str) -> None:
    on = rl.cluster("hgx-h200")
    batch, context = np.asarray([1.0, 64.0, 4096.0])[:, None], np.asarray([1.0, 9e3, 1e6])[None, :]
    cal, layout = calibration(on), Layout(attn_dp=8, ep=8)
    pieces = pieces_of(model, on, layout, decode(batch, context))
    many = time_step(pieces, cal)
    sigma = log_sigma(pieces, cal, many)
    for i, b in enumerate(batch[:, 0]):
        for j, c in enumerate(context[0]):
            single = pieces_of(model, on, layout, decode(float(b), float(c)))
            step = time_step(single, cal)
            assert many.time_s[i, j] == pytest.approx(float(step.time_s))
            assert many.bound[i, j] == step.bound
            assert sigma[i, j] == pytest.approx(float(log_sigma(single, cal, step)))


def test_a_port_slows_plain_products_and_leaves_grouped_ones_alone() -> None:
    on = rl.cluster("mi300x-8")
    cal = calibration(on)
    slow = replace(cal, effects={**cal.effects, "port": cal.effects["port"] / 4})
    pieces = pieces_of("openai/gpt-oss-120b", on, Layout(), prefill(4.0, 2048.0))
    for piece in (p for p in pieces if p.kind == "gemm"):
        longer = piece_time_s(piece, slow) / piece_time_s(piece, cal)
        assert longer == 1 if piece.part == "experts" else longer >= 1
    assert time_step(pieces, slow).time_s > time_step(pieces, cal).time_s


def test_an_engines_latency_holds_where_ranks_gather_and_not_for_exchanges_of_their_own() -> None:
    on, model = rl.cluster("hgx-h100"), rl.model("deepseek-ai/DeepSeek-V3")
    cal = calibration(on)
    slow = replace(cal, effects={**cal.effects, "latency": cal.effects["latency"] * 3})

    def longer(gather_up_to: int) -> float:
        pieces = work(
            model, Layout(attn_dp=8, ep=8), [decode(64, 512)], domain_size=8,
            gather_up_to=gather_up_to,
        )  # fmt: skip
        sent = [p for p in pieces if p.name.startswith("dispatch")]
        return sum(piece_time_s(p, slow) for p in sent) / sum(piece_time_s(p, cal) for p in sent)

    assert longer(8) > 1.5
    assert longer(0) == 1
