"""Memory of a training step against papers, sums by hand, and what only ever makes it smaller."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import catalog
from ridgeline.errors import SpecError
from ridgeline.specs.blocks import Attention, Block, Dense
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.kept import KEPT, kept_on_stages, layer_kept
from ridgeline.trainer.changes import cheapest_changes
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import MEMORY_PARTS, job_memory, memory_over_time
from ridgeline.trainer.passes import layers_on_stages
from ridgeline.trainer.step import job_step

LLAMA = "meta-llama/Meta-Llama-3-8B"
MOE = "Qwen/Qwen3-30B-A3B"
SEQ, WIDTH, HEADS, LAYERS = 2048, 12288, 96, 96


def a_job(model: Any = LLAMA, on: str = "16xhgx-h100", **options: Any) -> TrainingJob:
    """A job from flat names."""
    records = {}
    kinds = (("layout", TrainingLayout), ("recipe", TrainingRecipe), ("load", TrainingLoad))
    for name, kind in kinds:
        own = {k: options.pop(k) for k in list(options) if k in kind.model_fields}
        records[name] = kind(**own)
    framework = catalog.framework(options.pop("framework", "megatron-lm"))
    cluster = catalog.machine_named(on).cluster
    known = catalog.model(model) if isinstance(model, str) else model
    return TrainingJob(known, cluster, **records, framework=framework, **options)


def gpt() -> Any:
    """GPT-3 of 175 billion parameters."""
    block = Block(
        repeat=LAYERS,
        mixer=Attention(n_heads=HEADS, n_kv_heads=HEADS, d_head=128),
        ffn=Dense(d_ff=4 * WIDTH, gated=False),
        n_norm_vectors=2,
    )
    own = {"d_model": WIDTH, "vocab_size": 51200, "tied": True, "blocks": (block,), "order": ()}
    return catalog.model(LLAMA).model_copy(update=own)


def paper(tp: int, sequence_parallel: bool, recompute: str) -> float:
    """Bytes of a layer and micro-batch, arXiv:2205.05198, eq. 1-4 and table 2."""
    s_b_h, scores = SEQ * WIDTH, 5 * HEADS * SEQ / WIDTH
    if recompute == "full":
        return s_b_h * 2 / (tp if sequence_parallel else 1)
    kept = 0 if recompute == "selective" else scores
    if sequence_parallel:
        return s_b_h * (34 + kept) / tp
    return s_b_h * (10 + (24 + kept) / tp)


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
@pytest.mark.parametrize(("tp", "sequence_parallel"), [(1, False), (8, False), (8, True)])
def test_layers_of_gpt_keep_what_the_paper_says(tp, sequence_parallel, recompute):
    job = a_job(
        gpt(), tp=tp, sequence_parallel=sequence_parallel, recompute=recompute, seq_len=SEQ,
        precision="fp16", date="2022-05",
    )  # fmt: skip
    kept = kept_on_stages(job.count, layers_on_stages(job.count, 1))[0, 0] / LAYERS
    assert kept == pytest.approx(paper(tp, sequence_parallel, recompute), rel=1e-12)


def test_interleaved_stages_of_gpt_keep_what_the_paper_says():
    p, v = 8, 3
    job = a_job(
        gpt(), tp=8, pp=p, vp=v, dp=1, seq_len=SEQ, global_batch=64, precision="fp16",
        date="2022-05",
    )  # fmt: skip
    kept = job_memory(job).parts_bytes["activations"][0, 0]
    masks = SEQ * WIDTH / 8 * (1 + (p - 1) / (p * v)) * p  # of the embedding's dropout
    all_of = paper(8, sequence_parallel=True, recompute="none") * LAYERS
    assert kept == pytest.approx(all_of * (1 + (p - 1) / (p * v)) + masks, rel=1e-9)


def test_a_gated_layer_with_fused_attention_by_hand():
    # Llama-3 8B, 4096 tokens: norms' inputs 2 x 4096; input, q, k, v, result of attention; input,
    # gate, up and their product; 2 bytes each; 4 bytes a head for sums of exponentials.
    wide = 2 * 4096 + (4096 + 4096 + 2 * 1024 + 4096) + (4096 + 3 * 14336)
    job = a_job(seq_len=4096)
    kept = layer_kept(job.count, job.count.model.blocks[0])
    assert sum(kept.values()) == pytest.approx(4096 * (2 * wide + 4 * 32))
    assert tuple(kept) == KEPT
    inner = a_job(seq_len=4096, framework="torchtitan")
    more = layer_kept(inner.count, inner.count.model.blocks[0])["ffn"] - kept["ffn"]
    assert more == pytest.approx(4096 * 2 * 14336)  # the activation's own result


def test_experts_keep_what_their_tokens_need():
    job = a_job(MOE, seq_len=4096, ep=8, dp=8, expert_tp=1)
    kept = layer_kept(job.count, job.count.model.blocks[0])
    routed = 4096 * 8  # tokens of a rank, to 8 experts each
    # The busiest of eight ranks has a little more than its share by chance.
    assert kept["experts"] == pytest.approx(routed * 2 * (2048 + 3 * 768), rel=0.02)
    assert kept["exchange"] == pytest.approx(routed * 2 * 2048, rel=0.02)
    for ep in (1, 2, 4):
        other = a_job(MOE, seq_len=4096, ep=ep, dp=8, expert_tp=1)
        assert layer_kept(other.count, other.count.model.blocks[0]) == pytest.approx(kept, rel=0.02)
    uneven = a_job(MOE, seq_len=4096, ep=8, dp=8, expert_tp=1, expert_load_cv=1.0)
    assert layer_kept(uneven.count, uneven.count.model.blocks[0])["experts"] > 1.2 * kept["experts"]


def test_every_second_product_by_hand():
    # torchtitan's selective mode of ops: the layer's input, q, v, gate, down, attention's result
    job = a_job(seq_len=8192, framework="torchtitan", recompute="products")
    kept = kept_on_stages(job.count, layers_on_stages(job.count, 1))[0, 0] / 32
    wide = 4096 + 4096 + 1024 + 14336 + 4096 + 4096
    assert kept == pytest.approx(8192 * (2 * wide + 4 * 32))


def test_products_keep_narrow_inputs_where_the_framework_does():
    wide, narrow = (
        layer_kept(job.count, job.count.model.blocks[0])
        for job in (a_job(seq_len=4096, precision=p) for p in ("bf16", "fp8"))
    )
    inputs = 4096 * (4096 + 4096 + 4096 + 14336)  # of qkv, output, gate and up, down
    assert sum(wide.values()) - sum(narrow.values()) == pytest.approx(inputs)


def test_one_chip_holds_18_bytes_a_parameter_and_its_activations():
    job = a_job(on="hgx-h100", seq_len=4096, global_batch=1)
    found = job_memory(job).at_peak()
    n = 8_030_261_248
    assert sum(found[p] for p in ("parameters", "master", "gradients", "optimizer")) == (
        pytest.approx(18 * n)
    )
    kept = kept_on_stages(job.count, layers_on_stages(job.count, 1))[0, 0]
    assert found["activations"] == pytest.approx(kept)


def test_llama_sharded_over_eight_chips_by_hand():
    job = a_job(dp=8, zero=3, framework="pytorch", recompute="full", seq_len=8192, global_batch=8)
    found = {part: float(v[0]) for part, v in job_memory(job).at_peak().items()}
    n, tables = 8_030_261_248, 2 * 128256 * 4096 + 4096
    layer = (n - tables) / 32
    assert found["parameters"] + found["gradients"] + found["optimizer"] == pytest.approx(2 * n)
    assert found["master"] == 0  # parameters are stored wide
    assert found["activations"] == pytest.approx(8192 * 4096 * 2 * 32)
    # Two layers and both tables in 16 bits; a layer's gradients in 2 bytes and on their way in 4.
    assert found["gathered"] == pytest.approx(layer * 2 * 2 + tables * 2 + layer * 6)


def test_parts_add_up_and_kinds_of_readings_nest():
    found = job_memory(a_job(tp=2, pp=4, dp=4, seq_len=4096))
    assert tuple(found.parts_bytes) == MEMORY_PARTS
    assert found.total_bytes == pytest.approx(sum(found.at_peak().values()))
    allocated, reserved, device = (
        found.peak_bytes(kind) for kind in ("allocated", "reserved", "device")
    )
    assert allocated < reserved < device
    assert found.margin_bytes == pytest.approx(found.capacity_bytes - device)
    assert (found.fits_probability > 0.5) == found.fits


SIZES = st.sampled_from([1, 2, 4, 8])


def total(**options: Any) -> float:
    return float(job_memory(a_job(**options)).total_bytes[0])


@settings(max_examples=40, deadline=None)
@given(
    tp=SIZES, pp=SIZES, dp=SIZES, micro_batch=st.sampled_from([1, 2]),
    framework=st.sampled_from(["megatron-lm", "torchtitan", "megatron-deepspeed"]),
    model=st.sampled_from([LLAMA, MOE]),
)  # fmt: skip
def test_more_recompute_and_more_sharding_never_take_more(
    tp, pp, dp, micro_batch, framework, model
):
    base = {
        "model": model, "tp": tp, "pp": pp, "dp": dp, "micro_batch": micro_batch, "zero": 0,
        "framework": framework, "seq_len": 4096, "global_batch": 16 * dp, "ep": min(dp, 4),
        "sequence_parallel": False,
    }  # fmt: skip
    slack = 1 + 1e-9
    plain = total(**base)
    for recompute in ("selective", "full", "reversible"):
        assert total(**base, recompute=recompute) <= plain * slack
    some = [total(**base, recompute="layers", recompute_layers=n) for n in (1, 2, 4, 8, 16, 32, 48)]
    assert min(some) == pytest.approx(total(**base, recompute="full"))
    # torchtitan keeps what it gathers where there are stages, and whole gradients with it.
    keeps = framework == "torchtitan" and pp > 1
    stages = (0, 1, 2, 3) if dp > 1 and not keeps else (0, 1, 2)
    by_zero = [total(**{**base, "zero": z}) for z in stages]
    assert all(more <= less * slack for less, more in pairwise(by_zero))
    for recompute in ("none", "full"):
        offload = total(**base, recompute=recompute, offload=("activations", "optimizer"))
        assert offload <= total(**base, recompute=recompute) * slack


@pytest.mark.parametrize("degree", ["tp", "pp"])
def test_a_wider_layout_takes_less(degree):
    found = [total(**{degree: n}, dp=2, seq_len=4096, global_batch=64) for n in (1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert found[0] / found[3] > 3


def test_data_parallelism_leaves_activations_alone():
    one, many = (
        job_memory(a_job(pp=4, dp=dp, seq_len=4096, global_batch=64 * dp)) for dp in (1, 16)
    )
    for part in ("activations", "logits", "working"):
        assert one.parts_bytes[part] == pytest.approx(many.parts_bytes[part])


def test_rows_are_the_jobs_one_by_one():
    layouts = [(1, 4, 8, 1), (2, 2, 4, 3), (8, 1, 16, 2)]
    job = a_job(seq_len=4096, global_batch=256)
    tp, pp, dp, zero = (np.array(x) for x in zip(*layouts, strict=True))
    columns = job.layout.model_copy(update={"tp": tp, "pp": pp, "dp": dp, "zero": zero})
    together = job_memory(replace(job, layout=columns)).total_bytes
    for i, (t, p, d, z) in enumerate(layouts):
        alone = total(tp=t, pp=p, dp=d, zero=z, seq_len=4096, global_batch=256)
        assert together[i] == pytest.approx(alone)


def test_two_ways_hold_two_copies():
    one, two = (
        job_memory(a_job(pp=4, seq_len=4096, global_batch=64, schedule=s)).parts_bytes
        for s in ("1f1b", "dualpipe")
    )
    there_and_back = one["parameters"] + one["parameters"][:, ::-1]
    assert two["parameters"] == pytest.approx(there_and_back)


def test_frozen_weights_have_no_state():
    full, lora, qlora = (
        job_memory(a_job(seq_len=4096, task=t, lora_rank=16)).at_peak()
        for t in ("finetune", "lora", "qlora")
    )
    thin = 32 * 16 * (4096 * 2 + 2 * (4096 + 1024) + 2 * 4096)  # q, k, v and output of 32 layers
    assert lora["optimizer"] == pytest.approx(8 * thin)
    assert lora["parameters"] == pytest.approx(full["parameters"] + 2 * thin)
    # 6.98 B in 4.127 bits, table and head of 1.05 B in 16.
    paper = 6.98e9 * 4.127 / 8 + 1.05e9 * 2
    assert qlora["parameters"] == pytest.approx(paper + 2 * thin, rel=0.01)


def test_stages_by_work_give_the_first_more_layers():
    job = a_job(pp=8, framework="nanotron", seq_len=4096, global_batch=64)
    layers = layers_on_stages(job.count, 1)[0, :, 0]
    assert layers.sum() == 32
    assert layers[0] > layers[-1]


def test_folded_stages_have_both_ends_of_the_model_on_the_first():
    job = a_job(pp=5, seq_len=4096, global_batch=64, schedule="zb-v")
    layers = layers_on_stages(job.count, 1)[0]
    assert layers[:, 0].tolist() == [6, 7, 7, 6, 6]  # ten chunks, the second and third of 4
    assert layers[0, 1:].tolist() == [1, 1]
    assert layers[1:, 1:].sum() == 0


@pytest.mark.parametrize(
    ("schedule", "vp"),
    [("1f1b", 1), ("interleaved", 2), ("gpipe", 1), ("zb-h1", 1), ("zb-v", 1), ("dualpipe", 1)],
)
def test_memory_over_time_is_highest_at_the_peak(schedule, vp):
    job = a_job(pp=4, vp=vp, tp=4, seq_len=4096, global_batch=64, schedule=schedule)
    over_time, found = memory_over_time(job), job_memory(job)
    highest = [max(b for _, b in stage) for stage in over_time]
    assert highest == pytest.approx(found.stages_bytes()[0])
    for stage, parts in zip(over_time, np.transpose(list(found.parts_bytes.values())), strict=True):
        times = [t for t, _ in stage]
        assert times == sorted(times)
        there = sum(parts[0]) - sum(parts[0][4:7]) - parts[0][10]  # without activations
        assert stage[-1][1] < 1.1 * there


def test_the_blackboard_has_no_memory_over_time():
    with pytest.raises(SpecError, match="choose reading ideal or calibrated"):
        memory_over_time(a_job(reading="blackboard"))


def test_changes_that_make_it_fit_do_and_the_fastest_comes_first():
    job = a_job(
        "meta-llama/Meta-Llama-3-70B", tp=8, dp=16, seq_len=8192, global_batch=128, micro_batch=2
    )
    assert not job_memory(job).fits[0]
    found = cheapest_changes(job)
    assert len(found) == 3
    assert [c.time_s for c in found] == sorted(c.time_s for c in found)
    for change in found:
        assert change.memory.fits_probability[0] >= 0.9
        assert job_memory(change.job).total_bytes == change.memory.total_bytes
        assert change.job.n_chips == job.n_chips
        assert change.job.load == job.load
        assert float(job_step(change.job).time_s[0]) == change.time_s
    assert cheapest_changes(found[0].job) == ()


def test_two_changes_are_tried_where_one_is_not_enough():
    job = a_job("meta-llama/Meta-Llama-3-70B", dp=64, seq_len=4096, global_batch=128, zero=0)
    found = cheapest_changes(job, sure=0.9)
    assert {"recompute full", "ZeRO 3"} in [set(change.what) for change in found]
    job = a_job("meta-llama/Meta-Llama-3-70B", tp=4, dp=16, seq_len=4096, global_batch=64, zero=0)
    found = cheapest_changes(job, sure=0.9)
    assert any(len(change.what) == 2 for change in found)
    for change in found:
        assert change.memory.fits_probability[0] >= 0.9


def test_frozen_products_keep_no_inputs():
    full, lora = (
        layer_kept(job.count, job.count.model.blocks[0])
        for job in (a_job(seq_len=4096, task=t) for t in ("finetune", "lora"))
    )
    # The feed-forward layer's input and that of its last product; attention has adapters.
    assert full["ffn"] - lora["ffn"] == pytest.approx(4096 * 2 * (4096 + 14336))
    assert full["attention"] == lora["attention"]


def test_both_ends_of_two_ways_have_a_head():
    found = job_memory(a_job(pp=4, seq_len=4096, global_batch=64, schedule="dualpipe"))
    assert (found.parts_bytes["logits"][0] > 0).tolist() == [True, False, False, True]


def test_weights_in_8_bits_stand_in_for_wider_ones():
    n = 8_030_261_248
    of = {
        (framework, precision): job_memory(
            a_job(seq_len=4096, precision=precision, framework=framework)
        ).at_peak()["parameters"]
        for framework in ("megatron-lm", "torchtitan")
        for precision in ("bf16", "fp8", "nvfp4")
    }
    assert of["megatron-lm", "fp8"] == of["megatron-lm", "bf16"] == pytest.approx(2 * n)
    assert of["megatron-lm", "nvfp4"] == pytest.approx((2 + 2 * 4.5 / 8) * n, rel=0.01)
    assert of["torchtitan", "fp8"] == of["torchtitan", "bf16"] == pytest.approx(4 * n)


def test_masters_may_be_what_16_bit_weights_lack():
    nemo, newer = (
        job_memory(a_job(seq_len=4096, framework="nemo", version=v)).at_peak()["master"]
        for v in ("24.07", "25.04")
    )
    assert newer == pytest.approx(2 * nemo)


@pytest.mark.parametrize("micro_batch", [8, 12, 16])  # it fits; just so; by no means
def test_what_can_be_given_back_is_not_held_beyond_what_a_chip_has(micro_batch):
    job = a_job(
        tp=8, micro_batch=micro_batch, seq_len=4096, global_batch=2 * micro_batch,
        framework="nanotron", version="job 13500000",
    )  # fmt: skip
    found = job_memory(job)
    whole = sum(float(part[0, 0]) for part in found.parts_bytes.values())
    needed = found.needed_bytes[0]
    assert found.reclaimable_bytes[0, 0] == pytest.approx(whole - needed)
    assert whole - needed > 1e9
    held = max(min(whole, found.capacity_bytes), needed)
    assert found.total_bytes[0] == pytest.approx(held)
    assert found.fits[0] == (micro_batch < 16)
