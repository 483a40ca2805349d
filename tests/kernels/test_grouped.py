"""Products of experts: which constants time them, how they are cut, and what was measured."""

from __future__ import annotations

import pytest

import ridgeline as rl
from ridgeline.kernels import LAWS, Platform
from ridgeline.kernels.calibration import op_seconds
from ridgeline.replica import Replica
from ridgeline.specs import Layout
from ridgeline.steps.op import Key, Op
from ridgeline.steps.tokens import decode

#: a lone kernel in no engine
ALONE = {"memory": 1.0, "compute": 1.0, "fp8": 1.0, "fp4": 1.0, "expert": 1.0, "gap_s": 0.0}


def experts(dtype: str) -> Key:
    return Op("gate", "gemm", "experts", dtype=dtype).key


@pytest.mark.parametrize(
    ("cluster", "groups"),
    [
        ("hgx-h100", "bf16 fp8 fp8-block w4a16 mxfp4-wo w4a16 fp8"),
        ("hgx-b200", "bf16 fp8 fp8-block nvfp4 mxfp4 w4a16 fp8"),
        ("mi300x-8", "bf16 fp8 fp8-block w4a16 mxfp4-wo w4a16 fp8"),
        ("tpu-v5p-pod", "bf16 bf16 bf16 bf16 bf16 bf16 bf16"),
    ],
)
def test_experts_have_constants_of_their_own_by_format(cluster: str, groups: str) -> None:
    platform = Platform(rl.cluster(cluster))
    formats = ("bf16", "fp8", "fp8-block", "nvfp4", "mxfp4", "w4a16", "int8")
    for dtype, group in zip(formats, groups.split(), strict=True):
        kernel = platform.kernel(experts(dtype))
        assert (kernel.law, kernel.groups) == ("experts", (f"experts {group}",)), dtype
        assert kernel.inputs["four_bit"] == (group in ("nvfp4", "mxfp4"))


def test_mxfp4_runs_at_the_rate_of_its_inputs_unless_told() -> None:
    b200 = rl.cluster("hgx-b200")
    peak = b200.chip.peak
    assert Platform(b200).kernel(experts("mxfp4")).inputs["peak"] == peak["fp8"]
    assert Platform(b200).kernel(experts("nvfp4")).inputs["peak"] == peak["fp4"]
    assert Platform(b200, "fp4").kernel(experts("mxfp4")).inputs["peak"] == peak["fp4"]


def layer_s(cluster: str, dtype: str, *, pairs: float, hit: float, held: float, inter: float,
            hidden: float, weight: float) -> float:  # fmt: skip
    """Both products of a layer's experts on one chip."""
    kernel = Platform(rl.cluster(cluster)).kernel(experts(dtype))
    total = 0.0
    for n, k in ((2 * inter, hidden), (hidden, inter)):
        op = Op("experts", "gemm", "experts", m=pairs / hit, n=n, k=k, count=hit, held=held,
                flops=2 * pairs * n * k, weight_bytes=hit * n * k * weight,
                activation_bytes=2 * pairs * (n + k))  # fmt: skip
        total += float(LAWS["experts"].time_s(op, kernel.inputs, ALONE))
    return total


KIMI = {"hidden": 7168, "weight": 4.5 / 8}
QWEN = {"hidden": 4096, "weight": 1.0}


@pytest.mark.parametrize(
    ("measured_us", "cluster", "dtype", "layer"),
    [  # vLLM and TensorRT-LLM, 256 tokens a layer, from the same tables as the constants
        (1342.6, "hgx-b200", "nvfp4", {"pairs": 2048, "hit": 384, "held": 384, "inter": 2048}),
        (202.22, "hgx-b200", "nvfp4", {"pairs": 256, "hit": 48, "held": 48, "inter": 2048}),
        (231.03, "hgx-b200", "nvfp4", {"pairs": 2048, "hit": 384, "held": 384, "inter": 256}),
        (915.02, "hgx-h100", "fp8-block", {"pairs": 2048, "hit": 128, "held": 128, "inter": 1536}),
        (139.92, "hgx-h100", "fp8-block", {"pairs": 256, "hit": 16, "held": 16, "inter": 1536}),
    ],
)
def test_a_layer_takes_what_was_measured(
    measured_us: float, cluster: str, dtype: str, layer: dict
) -> None:
    shape = KIMI if dtype == "nvfp4" else QWEN
    assert layer_s(cluster, dtype, **layer, **shape) * 1e6 == pytest.approx(measured_us, rel=0.15)


def test_experts_cut_over_chips_cost_more_than_experts_spread_over_them() -> None:
    """Kimi-K2 on eight B200, 256 tokens: 231 us measured for slices, 202 for whole experts."""
    spread = layer_s("hgx-b200", "nvfp4", pairs=256, hit=48, held=48, inter=2048, **KIMI)
    cut = layer_s("hgx-b200", "nvfp4", pairs=2048, hit=384, held=384, inter=256, **KIMI)
    assert 1.05 < cut / spread < 1.3


def test_in_a_step_experts_take_their_weights_time_and_more() -> None:
    replica = Replica(rl.model("deepseek-ai/DeepSeek-V3"), rl.cluster("hgx-b200"), Layout(tp=8))
    ops = replica.ops(decode(64.0, 2048.0))
    own = [op for op in ops if op.part == "experts"]
    assert len(own) == 2
    for op in own:
        assert op.held == 256
        read_s = op.repeat * op.weight_bytes / replica.cluster.chip.memory.bandwidth
        assert read_s < float(op_seconds(op, replica.calibration, ops)) < 3 * read_s
