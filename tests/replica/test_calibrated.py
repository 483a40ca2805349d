"""The calibrated reading: never faster than the ideal, sum of its parts, near what is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.catalog import engine as engine_named
from ridgeline.errors import CatalogError
from ridgeline.kernels import PARTS, calibration
from ridgeline.kernels.calibration import op_seconds
from ridgeline.kernels.spread import Z80
from ridgeline.laws.scheduling import decode_gap_s
from ridgeline.replica import Replica, StepTime
from ridgeline.replica.replica import degrees
from ridgeline.specs import Cluster, Layout
from ridgeline.steps.bind import bound
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.tokens import Group, decode, prefill

MODELS = st.sampled_from(
    ["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V4-Pro",
     "openai/gpt-oss-120b", "Qwen/Qwen3.5-397B-A17B", "tiiuae/falcon-mamba-7b",
     "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8"]
)  # fmt: skip
CLUSTERS = st.sampled_from(
    ["hgx-h100", "gb200-nvl72", "hgx-a100-80gb", "mi300x-8", "tpu-v5p-pod", "l40s-8",
     "trn2-ultraserver"]
)  # fmt: skip
LAYOUTS = st.sampled_from(
    [Layout(), Layout(tp=8), Layout(attn_dp=8, ep=8), Layout(tp=2, attn_dp=8, ep=16),
     Layout(tp=4, pp=2), Layout(tp=2, pp=5)]
)  # fmt: skip
BATCH, CONTEXT = st.floats(1, 1e5), st.floats(1, 1e6)


def replica_of(model: str, cluster: Cluster | str, layout: Layout, **more: object) -> Replica:
    on = rl.cluster(cluster) if isinstance(cluster, str) else cluster
    return replace(Replica(rl.model(model), on, layout), **more)


def time_s(model: str, cluster: Cluster | str, layout: Layout, *groups: Group) -> float:
    return float(replica_of(model, cluster, layout).seconds(*groups))


def sigma_of(step: StepTime) -> np.ndarray:
    return np.log(step.high_s / step.low_s) / (2 * Z80)


@given(MODELS, CLUSTERS, LAYOUTS, BATCH, CONTEXT)
def test_never_faster_than_the_ideal(model, cluster, layout, batch, context) -> None:
    """Neither than the bound of its own ops nor than the ideal reading, whose experts are even."""
    replica = replica_of(model, cluster, layout)
    ideal = replace(replica, reading="ideal")
    for group in (decode(batch, context), prefill(batch / 100 + 1, context / 100 + 1, 10.0)):
        step, ops = replica.step(group), replica.ops(group)
        least = combine_ideal(resources(ops, replica.cluster)).time_s * replica.stage_imbalance
        assert step.time_s >= least
        assert step.time_s >= ideal.seconds(group)
        assert sum(step.parts_s.values()) == pytest.approx(step.time_s)
        assert min(np.min(v) for v in step.parts_s.values()) >= 0


@given(MODELS, LAYOUTS, BATCH, CONTEXT, st.floats(1, 8))
def test_never_faster_than_the_ideal_behind_a_tapered_network(
    model, layout, batch, context, taper
) -> None:
    on = rl.cluster("2xhgx-h100").replaced({"oversubscription": taper})
    replica = replica_of(model, on, layout)
    wide = replace(replica, layout=layout.model_copy(update={"tp": 2 * layout.tp}))
    for one in (replica, wide):
        group = decode(batch, context)
        assert one.seconds(group) >= replace(one, reading="ideal").seconds(group)


@given(MODELS, CLUSTERS, LAYOUTS, BATCH, CONTEXT, st.floats(1, 100))
def test_more_work_is_never_faster(model, cluster, layout, batch, context, f) -> None:
    before = time_s(model, cluster, layout, decode(batch, context)) * (1 - 1e-9)
    assert time_s(model, cluster, layout, decode(batch * f, context)) >= before
    assert time_s(model, cluster, layout, decode(batch, context * f)) >= before


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


def test_large_steps_come_near_the_ideal_small_ones_are_overhead() -> None:
    name = "meta-llama/Llama-3.1-8B-Instruct"
    big, prompts = replica_of(name, "hgx-h100", Layout()), prefill(8, 4096)
    ratio = big.seconds(prompts) / replace(big, reading="ideal").seconds(prompts)
    assert 1.4 < ratio < 2.2
    tiny, one = replica_of("Qwen/Qwen3-0.6B", "hgx-h100", Layout()), decode(1, 100)
    step = tiny.step(one)
    assert PARTS[int(step.bottleneck)] == "overhead"
    assert step.time_s > 3 * replace(tiny, reading="ideal").seconds(one)


def test_decode_of_an_8b_model_on_one_h100() -> None:
    """Two independently fitted tools agree on an inter-token latency of 6.8 to 7.4 ms with 7
    sequences live, and 9.8 to 10.2 ms with 50 whose prefill (a token of prompt for each of
    output, 512 in and 512 out) shares the steps."""
    few, many = (_gap_s("meta-llama/Llama-3.1-8B-Instruct", n) for n in (7, 50))
    assert few == pytest.approx(7.1e-3, rel=0.08)
    assert many == pytest.approx(10.0e-3, rel=0.08)


def _gap_s(name: str, n: int) -> float:
    """Between tokens: a decode step, and a 512th of a prompt for each other sequence."""
    step = time_s(name, "hgx-h100", Layout(), decode(n, 768))
    prompt = time_s(name, "hgx-h100", Layout(), decode(n, 768), prefill(1, 512)) - step
    return decode_gap_s(step, prompt, n, 512, 0.0)


def test_decode_of_a_70b_model_on_eight_h200() -> None:
    """The same two tools: 12.4 to 13.5 ms at 64 in flight in fp8 and TP 8."""
    model = rl.model("meta-llama/Llama-3.1-70B-Instruct").with_weight_dtype("fp8", 8.0)
    replica = Replica(model, rl.cluster("hgx-h200"), Layout(tp=8))
    assert float(replica.seconds(decode(64, 768))) == pytest.approx(13.0e-3, rel=0.12)


def test_engines_differ_and_unknown_ones_are_named() -> None:
    old, new = (
        replica_of(
            "Qwen/Qwen3-8B", "hgx-h100", Layout(), engine=engine_named("vllm"), version=version
        ).seconds(decode(1, 512))
        for version in ("0.2", "0.18.0")
    )
    assert old > 1.3 * new
    with pytest.raises(CatalogError, match="Did you mean 'vllm'"):
        calibration(rl.cluster("hgx-h100"), engine="vlm")


@given(MODELS, CLUSTERS, LAYOUTS, BATCH, CONTEXT)
def test_intervals_are_no_narrower_than_releases_differ(
    model, cluster, layout, batch, context
) -> None:
    replica = replica_of(model, cluster, layout)
    step = replica.step(decode(batch, context), interval=True)
    assert replica.scatter("decode", "tpot_s") * (1 - 1e-9) <= sigma_of(step) < 3
    assert step.time_s**2 == pytest.approx(step.low_s * step.high_s)


def test_lower_bounds_have_no_interval() -> None:
    for reading in ("ideal", "blackboard"):
        replica = replica_of("Qwen/Qwen3-8B", "hgx-h100", Layout(), reading=reading)
        step = replica.step(decode(8, 512), interval=True)
        assert (step.low_s, step.high_s) == (None, None)
        assert replica.host_s(decode(8, 512)) == 0
        assert step.parts_s["overhead"] == 0


def test_a_chip_nobody_measured_is_less_sure() -> None:
    def width(cluster: str) -> float:
        replica = replica_of("Qwen/Qwen3-8B", cluster, Layout())
        return float(sigma_of(replica.step(decode(32, 4096), interval=True)))

    assert width("hgx-h100") < width("tpu-v5p-pod")


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3"])
@pytest.mark.parametrize("reading", ["calibrated", "ideal"])
def test_arrays_equal_scalars(model: str, reading: str) -> None:
    batch, context = np.asarray([1.0, 64.0, 4096.0])[:, None], np.asarray([1.0, 9e3, 1e6])[None, :]
    replica = replica_of(model, "hgx-h200", Layout(attn_dp=8, ep=8), reading=reading)
    many = replica.step(decode(batch, context), interval=True)
    for i, b in enumerate(batch[:, 0]):
        for j, c in enumerate(context[0]):
            step = replica.step(decode(float(b), float(c)), interval=True)
            assert many.time_s[i, j] == pytest.approx(float(step.time_s))
            assert many.bottleneck[i, j] == step.bottleneck
            if reading == "calibrated":
                assert sigma_of(many)[i, j] == pytest.approx(float(sigma_of(step)))


def test_layouts_as_arrays_equal_layouts_alone() -> None:
    layouts = [Layout(), Layout(tp=8), Layout(attn_dp=8, ep=8), Layout(tp=2, pp=5)]
    columns = bound({"layout": Layout()}, degrees(layouts))["layout"]
    many = replica_of("deepseek-ai/DeepSeek-V3", "hgx-h200", columns)
    groups = (decode(64.0, 4096.0), prefill(8.0, 512.0))
    alone = [replace(many, layout=x).seconds(*groups) for x in layouts]
    np.testing.assert_allclose(many.seconds(*groups), alone, rtol=1e-12)


def test_unequal_stages_take_longer_by_the_fullest_but_the_host_does_not() -> None:
    """36 layers on 5 stages: 8 on the fullest, where a fifth would be 7.2."""
    replica = replica_of("Qwen/Qwen3-8B", "hgx-h100", Layout(pp=5))
    group = decode(50.0, 512.0)
    assert replica.stage_imbalance == pytest.approx(8 / 7.2)
    ops = sum(float(op_seconds(op, replica.calibration)) for op in replica.ops(group))
    host = replica.host_s(group)
    assert replica.seconds(group) - host == pytest.approx(ops * 8 / 7.2)


def test_a_port_slows_plain_products_and_leaves_grouped_ones_alone() -> None:
    replica = replica_of("openai/gpt-oss-120b", "mi300x-8", Layout())
    cal, prompts = replica.calibration, prefill(4.0, 2048.0)
    slow = cal.with_effect("port", 1 / 4)
    for op in (x for x in replica.ops(prompts) if x.kind == "gemm"):
        longer = op_seconds(op, slow) / op_seconds(op, cal)
        assert longer == 1 if op.part == "experts" else longer >= 1
    assert replica.with_fitted(slow).seconds(prompts) > replica.seconds(prompts)


def test_an_engines_latency_holds_where_ranks_gather_and_not_for_exchanges_of_their_own() -> None:
    name, layout = "deepseek-ai/DeepSeek-V3", Layout(attn_dp=8, ep=8)

    def longer(allgather_dispatch_max_chips: int) -> float:
        settings = engine_named().model_copy(
            update={"allgather_dispatch_max_chips": allgather_dispatch_max_chips}
        )
        replica = replica_of(name, "hgx-h100", layout, engine=settings)
        cal, ops = replica.calibration, replica.ops(decode(64, 512))
        slow = cal.with_effect("latency", 3)
        sent = [op for op in ops if op.name.startswith("dispatch")]
        return sum(op_seconds(op, slow) for op in sent) / sum(op_seconds(op, cal) for op in sent)

    assert longer(8) > 1.5
    assert longer(0) == 1
