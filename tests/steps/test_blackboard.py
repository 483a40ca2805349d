"""The blackboard step on real models and machines: what must hold of it, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.errors import InfeasibleError
from ridgeline.specs import Cluster
from ridgeline.steps import balance, decode_step, fewest_chips, machine, sizes

MODELS = st.sampled_from(
    ["deepseek-ai/DeepSeek-V3", "meta-llama/Llama-3.1-8B-Instruct", "openai/gpt-oss-120b",
     "Qwen/Qwen3.5-397B-A17B", "google/gemma-3-1b-it"]
)  # fmt: skip
CLUSTERS = st.sampled_from(["hgx-h100", "gb200-nvl72", "mi300x-8", "tpu-v5e-pod", "hgx-a100-80gb"])
BATCH, CONTEXT = st.floats(1, 1e5), st.floats(0, 1e6)


def time_s(model: str, cluster: Cluster, batch: float, context: float, n_chips: int = 64) -> float:
    tally = rl.counts(rl.model(model))
    return float(decode_step(tally, machine(cluster, n_chips, tally), batch, context).time_s)


@given(MODELS, CLUSTERS, BATCH, CONTEXT, st.floats(1, 100))
def test_a_better_machine_is_never_slower(model, cluster, batch, context, f) -> None:
    base = rl.cluster(cluster)
    before = time_s(model, base, batch, context)
    peaks = {f"chip.peak.{k}": v * f for k, v in base.chip.peak.items()}
    for change in ({"chip.memory.bandwidth": base.chip.memory.bandwidth * f}, peaks):
        assert time_s(model, base.replaced(change), batch, context) <= before * (1 + 1e-12)
    assert time_s(model, base, batch, context, 128) <= before * (1 + 1e-12)


@given(MODELS, CLUSTERS, BATCH, CONTEXT, st.floats(1, 100))
def test_more_work_is_never_faster(model, cluster, batch, context, f) -> None:
    on = rl.cluster(cluster)
    before = time_s(model, on, batch, context)
    assert time_s(model, on, batch * f, context) >= before
    assert time_s(model, on, batch, context * f) >= before


@given(MODELS, CLUSTERS, CONTEXT)
def test_the_step_turns_compute_bound_at_the_balance_batch(model, cluster, context) -> None:
    tally = rl.counts(rl.model(model))
    m = machine(rl.cluster(cluster), 64, tally)
    b = balance(tally, m, context).batch
    if not np.isfinite(b):
        assert decode_step(tally, m, 1e9, context).bound != 0
        return
    assert decode_step(tally, m, b * 0.99, context).bound != 0
    assert decode_step(tally, m, b * 1.01, context).bound == 0


@given(MODELS, CLUSTERS)
def test_at_the_balance_context_reading_equals_computing(model, cluster) -> None:
    tally = rl.counts(rl.model(model))
    m = machine(rl.cluster(cluster), 64, tally)
    context = balance(tally, m, 0).context
    if 0 < context < float("inf"):
        step = decode_step(tally, m, 1.0, context)
        assert step.kv_fetch_s == pytest.approx(step.compute_s, rel=1e-6)
    elif context == float("inf"):
        step = decode_step(tally, m, 1.0, 1e11)
        assert step.kv_fetch_s <= step.compute_s


@given(MODELS, CLUSTERS)
def test_scalars_equal_arrays(model, cluster) -> None:
    tally = rl.counts(rl.model(model))
    m = machine(rl.cluster(cluster), 64, tally)
    batch, context = np.asarray([1.0, 64.0, 4096.0]), np.asarray([0.0, 1000.0, 1e6])
    grid = decode_step(tally, m, batch[None, :], context[:, None])
    for i, L in enumerate(context):
        for j, B in enumerate(batch):
            one = decode_step(tally, m, float(B), float(L))
            assert grid.time_s[i, j] == one.time_s
            assert grid.bound[i, j] == one.bound


@given(MODELS, CLUSTERS, st.floats(0, 1e5), st.floats(1, 1000))
def test_fewest_chips_are_the_fewest(model, cluster, context, batch) -> None:
    tally, on = rl.counts(rl.model(model)), rl.cluster(cluster)
    try:
        n = fewest_chips(tally, on, context, batch)
    except InfeasibleError:
        n = sizes(on)[-1] + 1
    needed = tally.weight_bytes + batch * tally.cache_bytes(context)
    per_chip = on.chip.memory.usable or on.chip.memory.capacity
    for size in sizes(on):
        assert (size * per_chip >= needed) == (size >= n)


def test_sizes_are_powers_of_two_then_whole_domains() -> None:
    assert sizes(rl.cluster("gb200-nvl72"))[:9] == [1, 2, 4, 8, 16, 32, 64, 72, 144]
    assert sizes(rl.cluster("hgx-h100"))[:6] == [1, 2, 4, 8, 16, 24]
    assert sizes(rl.cluster("pc-rtx-4090"))[:3] == [1, 2, 3]


def test_mixed_formats_each_run_at_their_own_rate() -> None:
    """DeepSeek-V3: fp8 products at the fp8 peak, embedding and head in bf16 at half that."""
    tally = rl.counts(rl.model("deepseek-ai/DeepSeek-V3"))
    on = rl.cluster("hgx-h100")
    step = decode_step(tally, machine(on, 8, tally), 1.0, 0.0)
    by_dtype: dict[str, float] = {}
    for (_, dtype), n in tally.active.items():
        by_dtype[dtype] = by_dtype.get(dtype, 0) + n
    fp8, bf16 = by_dtype["fp8-block"], by_dtype["bf16"]
    assert fp8 > 30 * bf16
    by_hand = (fp8 / (on.chip.peak["fp8"] / 2) + bf16 / (on.chip.peak["bf16"] / 2)) / 8
    assert step.compute_s == pytest.approx(by_hand)


def test_fallback_is_said_and_refusal_names_what_there_is() -> None:
    tally = rl.counts(rl.model("deepseek-ai/DeepSeek-V3"))
    old = machine(rl.cluster("hgx-a100-80gb"), 16, tally)
    assert old.compute["fp8-block"] == "bf16"
    assert "fp8-block weights are stored as they are and multiplied in bf16" in old.notes[0]
    with pytest.raises(InfeasibleError, match="cannot multiply bf16 weights"):
        machine(rl.cluster("tpu-8i-pod"), 8, rl.counts(rl.model("Qwen/Qwen3-8B")))
