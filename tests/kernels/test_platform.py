"""Every op has a kernel: a law, constants that exist, and all that the law asks for."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError
from ridgeline.kernels import LAWS, PARTS, Calibration, Platform
from ridgeline.kernels.calibration import op_seconds, ops_seconds
from ridgeline.kernels.explain import laws_used
from ridgeline.kernels.platform import gemm_group
from ridgeline.replica import Replica
from ridgeline.replica.ledger import Ledger, Steps
from ridgeline.replica.timer import Timer
from ridgeline.specs import Cluster, Layout
from ridgeline.steps.op import Op
from ridgeline.steps.tokens import decode, prefill

DENSE, MOE, MLA = "Qwen/Qwen3-8B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V3"
SPARSE, RECURRENT = "deepseek-ai/DeepSeek-V3.2", "tiiuae/falcon-mamba-7b"
HYBRID = "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8"
MODELS = [DENSE, MOE, MLA, SPARSE, "Qwen/Qwen3.5-397B-A17B", "MiniMaxAI/MiniMax-M1-80k",
          RECURRENT, HYBRID]  # fmt: skip
CLUSTERS = ["hgx-h100", "hgx-a100-80gb", "mi300x-8", "gb200-nvl72", "tpu-v5p-pod", "l40s-8"]
LAYOUTS = [
    Layout(),
    Layout(tp=8),
    Layout(tp=16),
    Layout(attn_dp=8, ep=8),
    Layout(tp=2, attn_dp=8, ep=16),
    Layout(tp=2, pp=4),
]
MIXED = (decode(64.0, 4096.0, 2), prefill(2.0, 512.0, 128.0))


def replica_of(model: str, cluster: str | Cluster, layout: Layout) -> Replica:
    on = rl.cluster(cluster) if isinstance(cluster, str) else cluster
    return Replica(rl.model(model), on, layout)


def used(op: Op) -> bool:
    return op.collective is None or (
        op.repeat > 0 and op.collective.group > 1 and op.collective.payload_bytes > 0
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_every_op_has_a_kernel(model: str, cluster: str, layout: Layout) -> None:
    replica = replica_of(model, cluster, layout)
    cal = replica.calibration
    platform, effects = cal.platform, cal.effects
    for op in replica.ops(*MIXED):
        kernel = platform.kernel(op.key)
        law = LAWS[kernel.law]
        assert set(kernel.groups) <= set(platform.constants)
        seconds = law.time_s(op, kernel.inputs, {n: effects[n] for n in law.needs})
        parts = law.parts_s(op, kernel.inputs, effects)
        assert set(parts) <= set(PARTS)
        assert min(parts.values()) >= 0
        assert sum(parts.values()) == pytest.approx(float(seconds), rel=1e-9)
        assert 0 <= op.repeat * seconds < math.inf
        assert (op.repeat * seconds > 0) == used(op)


@pytest.mark.parametrize(
    ("model", "layout", "laws"),
    [
        (DENSE, Layout(), {"gemm", "decode", "prefill", "stream"}),
        (
            DENSE,
            Layout(tp=2, pp=4),
            {"gemm", "decode", "prefill", "stream", "all_reduce", "shards", "p2p"},
        ),
        (
            MLA,
            Layout(attn_dp=8, ep=8),
            {"gemm", "experts", "decode", "prefill", "stream", "shards"},
        ),
        (
            MLA,
            Layout(attn_dp=16, ep=16),
            {"gemm", "experts", "decode", "prefill", "stream", "exchange"},
        ),
        (RECURRENT, Layout(tp=2), {"gemm", "state", "stream", "all_reduce", "shards"}),
        (HYBRID, Layout(), {"gemm", "experts", "decode", "prefill", "state", "stream"}),
    ],
)
def test_a_step_uses_the_laws_of_what_it_is_made_of(
    model: str, layout: Layout, laws: set[str]
) -> None:
    replica = replica_of(model, "hgx-h100", layout)
    ops = [op for op in replica.ops(decode(64.0, 512.0), prefill(2.0, 512.0)) if used(op)]
    assert {replica.calibration.platform.kernel(op.key).law for op in ops} == laws


@pytest.mark.parametrize(
    ("chip", "groups"),
    [
        ("h100-sxm", "bf16 fp8 fp8-block w4a16 w4a16 int8"),
        ("a100-80gb-sxm", "bf16 w8a16 w8a16 w4a16 w4a16 int8"),
        ("b200", "bf16 fp8 fp8-block nvfp4 nvfp4 int8"),
        ("tpu-v5p", "bf16 w8a16 w8a16 w4a16 w4a16 int8"),
    ],
)
def test_formats_are_multiplied_as_chips_can(chip: str, groups: str) -> None:
    """As they are where there is such arithmetic, else widened on the way."""
    record = rl.chip(chip)
    for dtype, group in zip(
        ("bf16", "fp8", "fp8-block", "nvfp4", "mxfp4", "int8"), groups.split(), strict=True
    ):
        name, peak = gemm_group(dtype, record)
        assert name == group
        assert peak in record.peak.values()
        if name in ("bf16", "w8a16", "w4a16"):
            assert peak == record.peak["bf16"]


def test_an_arithmetic_of_ones_own_is_taken_or_refused() -> None:
    h100 = rl.chip("h100-sxm")
    assert gemm_group("fp8", h100, "bf16") == ("w8a16", h100.peak["bf16"])
    replica = replica_of(MLA, "hgx-h100", Layout(attn_dp=8, ep=8))
    slower = replace(replica, formats=replace(replica.formats, compute="bf16"))
    group = prefill(8.0, 4096.0)
    assert slower.seconds(group) > 1.2 * replica.seconds(group)
    with pytest.raises(InfeasibleError):
        Platform(rl.cluster("hgx-a100-80gb"), "fp8").kernel(replica.ops(group)[1].key)


# ---- what is explained


def _at_once(cal: Calibration, group: str) -> Calibration:
    """The same with one group of constants that costs no time beside that of its peaks."""
    changed = {
        name: 1.0 if name.endswith("_efficiency") else 0.0 for name in cal.platform.constants[group]
    }
    platform = Platform(cal.cluster)
    # The constants are looked up once and kept in this place.
    platform.__dict__["constants"] = {**cal.platform.constants, group: changed}
    return replace(cal, platform=platform)


def _listed(lines: list[str], cal: Calibration) -> set[str]:
    told = [re.match(r" {4}(\S+ \S+) ", line) for line in lines]
    found = {m.group(1) for m in told if m}
    assert found <= set(cal.platform.constants)
    return found


@pytest.mark.parametrize(
    ("model", "cluster", "layout"),
    [
        (DENSE, "hgx-h100", Layout(tp=2, pp=4)),
        (MOE, "hgx-a100-80gb", Layout(attn_dp=8, ep=8)),
        (MLA, "hgx-h100", Layout(attn_dp=8, ep=8)),
        (MLA, "hgx-h100", Layout(tp=2, attn_dp=8, ep=16)),
        (HYBRID, "mi300x-8", Layout(tp=8)),
        (DENSE, "2xhgx-h100", Layout(tp=16)),
        (MLA, "gb200-nvl72", Layout(attn_dp=16, ep=16)),
        (RECURRENT, "hgx-h100", Layout()),
    ],
)
def test_the_groups_that_are_explained_are_the_ones_used(
    model: str, cluster: str, layout: Layout
) -> None:
    """Faster constants of a group make a step faster if and only if the working lists the group."""
    replica = replica_of(model, cluster, layout)
    cal = replica.calibration
    for groups in ((decode(64.0, 512.0),), (decode(64.0, 512.0), prefill(2.0, 512.0))):
        ops = replica.ops(*groups)
        before = float(ops_seconds(ops, cal))
        moved = {
            name
            for name in cal.platform.constants
            if float(ops_seconds(ops, _at_once(cal, name))) < before * (1 - 1e-12)
        }
        assert moved == _listed(laws_used(ops, cal), cal)


# ---- networks


def _ledger_s(replica: Replica, batch: float) -> float:
    x = replica.layout
    degrees = [x.tp, x.pp, x.attn_dp, x.ep, replica.cluster.domain_size]
    columns = [np.full(1, float(v)) for v in (*degrees, batch, 512, 0, 1, 0, 0)]
    ledger = Ledger()
    ledger.add(
        Steps(
            replica.model,
            *columns,
            rules=replica.expert_rules,
        )
    )
    timer = Timer(ledger, [replica.cluster], np.zeros(1, dtype=np.intp))
    effects = {k: np.full(1, v) for k, v in replica.calibration.effects.items()}
    return float((timer.chips_s(timer.times(effects)) + timer.host_s(effects))[0])


@pytest.mark.parametrize("missing", [("link", "scale_out"), ("scale_out",)])
@pytest.mark.parametrize("model", [DENSE, MLA, HYBRID])
def test_a_link_that_is_not_there_takes_forever(model: str, missing: tuple[str, ...]) -> None:
    cut = rl.cluster("2xhgx-h100").model_copy(update=dict.fromkeys(missing))
    group = decode(64.0, 512.0)
    inside = [Layout(tp=8), Layout(tp=4, pp=2), Layout(attn_dp=8, ep=8)]
    across = [Layout(tp=16), Layout(attn_dp=16, ep=16), Layout(tp=8, pp=2)]
    for layout in [Layout(), *inside, *across]:
        replica = replica_of(model, cut, layout)
        wired = replica_of(model, "2xhgx-h100", layout)
        sends = layout in across or ("link" in missing and layout in inside)
        # Ranks of a model without experts exchange nothing.
        sends = sends and any(used(op) for op in replica.ops(group) if op.collective is not None)
        expected = math.inf if sends else float(wired.seconds(group))
        assert float(replica.seconds(group)) == pytest.approx(expected)
        assert _ledger_s(replica, 64.0) == pytest.approx(expected)
        bound = replace(replica, reading="ideal").seconds(group)
        assert math.isinf(bound) == sends


def test_two_chips_of_a_mesh_share_one_of_their_links() -> None:
    """Eight MI300X have seven links of 64 GB/s each: a pair uses one, all of them all seven."""
    mesh = rl.cluster("mi300x-8")
    switched = mesh.model_copy(update={"link_per_peer": None})
    group = prefill(4.0, 4096.0)

    def exchanged(on: Cluster, layout: Layout) -> float:
        replica = replica_of(DENSE, on, layout)
        return sum(
            float(op_seconds(op, replica.calibration))
            for op in replica.ops(group)
            if op.kind == "exchange" and used(op)
        )

    # Of large messages all but latency is wire; there is a root of it in the law.
    assert exchanged(mesh, Layout(tp=2)) > 4 * exchanged(switched, Layout(tp=2))
    assert exchanged(mesh, Layout(tp=4)) > 1.5 * exchanged(switched, Layout(tp=4))
    assert exchanged(mesh, Layout(tp=8)) == exchanged(switched, Layout(tp=8))
    # A stage hands over to one other.
    assert exchanged(mesh, Layout(pp=4)) > 4 * exchanged(switched, Layout(pp=4))
    for layout, slower in ((Layout(tp=2), True), (Layout(tp=8), False)):
        whole, ideal = (
            [
                float(replace(replica_of(DENSE, on, layout), reading=reading).seconds(group))
                for on in (mesh, switched)
            ]
            for reading in ("calibrated", "ideal")
        )
        assert (whole[0] > whole[1]) if slower else (whole[0] == whole[1])
        assert ideal[0] >= ideal[1]


def test_bridges_help_inside_a_group_and_its_host_joins_the_groups() -> None:
    """H200 NVL in fours, in pairs and without bridges; eight reach each other over PCIe in all."""

    def exchanged(machine: str | Cluster, tp: int) -> float:
        replica = replica_of("Qwen/Qwen3-32B", machine, Layout(tp=tp))
        ops = replica.ops(decode(8.0, 4096.0))
        return sum(
            float(op_seconds(op, replica.calibration))
            for op in ops
            if op.kind == "exchange" and used(op)
        )

    fours, pairs, none = "h200-nvl-8", "h200-nvl-4x2", "h200-nvl-pcie"
    assert exchanged(fours, 4) < 0.8 * min(exchanged(pairs, 4), exchanged(none, 4))
    assert exchanged(pairs, 2) < exchanged(none, 2)
    # Across groups latency is the bus's, not that of a network card.
    networked = rl.cluster(fours).replaced({"scale_out_kind": None})
    assert exchanged(fours, 8) < 0.8 * exchanged(networked, 8)
    assert exchanged(fours, 4) < exchanged(fours, 8) < exchanged(pairs, 8) < exchanged(none, 8)


@pytest.mark.parametrize("taper", [1.0, 2.0, 4.0])
def test_an_oversubscribed_network_is_slower_across_and_not_inside(taper: float) -> None:
    plain = rl.cluster("2xhgx-h100")
    tapered = plain.model_copy(update={"oversubscription": taper})
    group = prefill(4.0, 4096.0)
    for layout, crosses in ((Layout(tp=8), False), (Layout(tp=16), True), (Layout(pp=16), True)):
        before, after = (
            float(replica_of("Qwen/Qwen3-32B", on, layout).seconds(group))
            for on in (plain, tapered)
        )
        assert (after > before) if crosses and taper > 1 else (after == before)
