"""The ideal reading: a bound on what a machine can do, and how layouts move it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.specs import Cluster, Layout
from ridgeline.steps.ideal import BOUNDS, combine_ideal, resources
from ridgeline.steps.layouts import check_layout, default_layout
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import decode, prefill

MODELS = st.sampled_from(
    ["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3", "openai/gpt-oss-120b", "Qwen/Qwen3.5-397B-A17B"]
)
LAYOUTS = st.sampled_from([Layout(tp=8), Layout(attn_dp=8, ep=8), Layout(tp=2, attn_dp=8, ep=16),
                           Layout(tp=4, pp=2)])  # fmt: skip
BATCH, CONTEXT = st.floats(1, 1e5), st.floats(1, 1e6)


def step(model: str, cluster: Cluster, layout: Layout, *groups):
    pieces = count_ops(rl.model(model), layout, groups, domain_size=cluster.domain_size)
    return combine_ideal(resources(pieces, cluster))


def time_s(model: str, cluster: Cluster, layout: Layout, batch: float, context: float) -> float:
    return float(step(model, cluster, layout, decode(batch, context)).time_s)


H100 = rl.cluster("hgx-h100")


@given(MODELS, LAYOUTS, BATCH, CONTEXT, st.floats(1, 100))
def test_a_better_machine_is_never_slower(model, layout, batch, context, f) -> None:
    before = time_s(model, H100, layout, batch, context)
    peaks = {f"chip.peak.{k}": v * f for k, v in H100.chip.peak.items()}
    for change in (
        {"chip.memory.bandwidth": H100.chip.memory.bandwidth * f},
        peaks,
        {"link": (H100.link or 0) * f},
        {"scale_out": (H100.scale_out or 0) * f},
    ):
        assert time_s(model, H100.replaced(change), layout, batch, context) <= before * (1 + 1e-12)


@given(MODELS, LAYOUTS, BATCH, CONTEXT, st.floats(1, 100))
def test_more_work_is_never_faster(model, layout, batch, context, f) -> None:
    before = time_s(model, H100, layout, batch, context) * (1 - 1e-12)
    assert time_s(model, H100, layout, batch * f, context) >= before
    assert time_s(model, H100, layout, batch, context * f) >= before


@given(MODELS, BATCH, CONTEXT)
def test_on_one_chip_it_meets_the_blackboard_where_it_should(model, batch, context) -> None:
    """All experts hit and attention arithmetic left out, the two readings agree; the ideal adds
    attention's multiplications, leaves out experts nobody asked for and the embedding table."""
    record, cluster = rl.model(model), rl.cluster("gb200-nvl72")
    blackboard = rl.serving(record, cluster, chips=1, batch=batch, context=context, price=1,
                            reading="blackboard")  # fmt: skip
    ideal = rl.serving(record, cluster, chips=1, batch=batch, context=context, price=1,
                       reading="ideal")  # fmt: skip
    b, i = blackboard.at(batch), ideal.at(batch)
    assert i["compute_s"] >= b["compute_s"] * (1 - 1e-3)
    assert i["weight_fetch_s"] <= b["weight_fetch_s"]
    assert i["attention_s"] == pytest.approx(b["attention_s"], rel=0.05, abs=batch * 1e-6)


def test_the_busiest_resource_is_the_step() -> None:
    s = step("deepseek-ai/DeepSeek-V3", H100, Layout(attn_dp=64, ep=64), prefill(64, 4096))
    r = s.resources
    assert s.time_s == max(r.compute_s, r.weights_s + r.kv_s, r.scale_up_s, r.scale_out_s)
    assert BOUNDS[int(s.bound)] == "network"
    assert s.time_s == r.scale_out_s


def test_experts_inside_one_domain_do_not_touch_scale_out() -> None:
    layout = Layout(attn_dp=64, ep=64)
    rack, boxes = rl.cluster("gb200-nvl72"), rl.cluster("hgx-b200")
    inside = step("deepseek-ai/DeepSeek-V3", rack, layout, decode(6400, 1024))
    across = step("deepseek-ai/DeepSeek-V3", boxes, layout, decode(6400, 1024))
    assert inside.resources.scale_out_s == 0
    # 7 of 8 copies leave an 8-chip domain, on a link 18 times slower
    ratio = across.resources.scale_out_s / inside.resources.scale_up_s
    assert ratio == pytest.approx(7 / 8 * 18, rel=0.05)


def test_no_way_out_of_a_domain_is_forever() -> None:
    lone = H100.model_copy(update={"scale_out": None})
    s = step("deepseek-ai/DeepSeek-V3", lone, Layout(attn_dp=64, ep=64), decode(64, 1))
    assert np.isinf(s.time_s)


def test_pipelining_leaves_latency_and_adds_hops() -> None:
    """As many micro-batches as stages: a token passes all layers with 1/pp of the sequences."""
    one = step("Qwen/Qwen3-8B", H100, Layout(), decode(64, 4096))
    four = step("Qwen/Qwen3-8B", H100, Layout(pp=4), decode(4 * 64, 4096))
    assert four.resources.weights_s == one.resources.weights_s
    assert four.resources.kv_s == one.resources.kv_s
    hop = 64 * 4096 * 2 / (H100.link or 1)
    assert four.resources.scale_up_s == pytest.approx(3 * hop)


@pytest.mark.parametrize(
    ("model", "cluster", "n", "layout"),
    [
        ("deepseek-ai/DeepSeek-V3", "gb200-nvl72", 72, Layout(attn_dp=72, ep=72)),
        ("Qwen/Qwen3-235B-A22B", "hgx-h200", 8, Layout(tp=4, attn_dp=2, ep=8)),
        ("meta-llama/Meta-Llama-3.1-405B", "hgx-h100", 16, Layout(tp=8, pp=2)),
        ("meta-llama/Llama-3.1-8B-Instruct", "pc-rtx-4090", 1, Layout()),
        ("tiiuae/falcon-mamba-7b", "hgx-h100", 2, Layout(tp=2)),
    ],
)
def test_default_layouts(model: str, cluster: str, n: int, layout: Layout) -> None:
    found = default_layout(rl.model(model), rl.cluster(cluster), n)
    assert found == layout
    check_layout(rl.model(model), found, n)


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (Layout(tp=3), "does not divide the 128 attention heads"),
        (Layout(pp=99), "more stages than the 61 layers"),
        (Layout(attn_dp=512, ep=512), "more than the 256 experts"),
    ],
)
def test_impossible_layouts_are_refused(layout: Layout, says: str) -> None:
    n = layout.pp * layout.attn_dp * layout.tp
    with pytest.raises(InfeasibleError, match=says):
        check_layout(rl.model("deepseek-ai/DeepSeek-V3"), layout, n)
    with pytest.raises(InfeasibleError, match="but there are 7 chips"):
        check_layout(rl.model("deepseek-ai/DeepSeek-V3"), layout, 7)


def test_readings_that_cannot_be_asked() -> None:
    with pytest.raises(SpecError, match="only the blackboard can read it"):
        rl.serving(rl.Model.from_counts("8B"), "h100-sxm", reading="ideal")
    with pytest.raises(SpecError, match="Did you mean 'ideal'"):
        rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="ideel")
    with pytest.raises(SpecError, match="needs the calibrated or the ideal"):
        rl.serving("Qwen/Qwen3-8B", "h100-sxm", layout=Layout(tp=2), reading="blackboard")
