"""One optimizer step against sums on paper, limits, and what must not depend on the layout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import catalog
from ridgeline.kernels.calibration import op_seconds
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.op import Collective
from ridgeline.steps.training_ops import stage_hop
from ridgeline.trainer.exchange import exchanges
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.passes import layers_on_stages, pieces_of
from ridgeline.trainer.state import on_stages_sharded, parameters_of
from ridgeline.trainer.step import PARTS, job_step
from ridgeline.trainer.utilization import model_flops, utilization

LLAMA = "meta-llama/Meta-Llama-3-8B"
MOE = "Qwen/Qwen3-30B-A3B"
READINGS = ("blackboard", "ideal", "calibrated")


def a_job(model: str = LLAMA, on: str = "16xhgx-h100", **options) -> TrainingJob:
    """A job from flat names."""
    records = {}
    for name, kind in (
        ("layout", TrainingLayout),
        ("recipe", TrainingRecipe),
        ("load", TrainingLoad),
    ):
        own = {k: options.pop(k) for k in list(options) if k in kind.model_fields}
        records[name] = kind(**own)
    framework = catalog.framework(options.pop("framework", "megatron-lm"))
    cluster = catalog.machine_named(on).cluster
    return TrainingJob(catalog.model(model), cluster, **records, framework=framework, **options)


def flops(job: TrainingJob, *passes: str, kinds: tuple[str, ...] = ("gemm",)) -> float:
    """Of all chips in one step, by what the ops say."""
    layers = layers_on_stages(job.count, 1)[0].sum(axis=0)
    own = 0.0
    for n, piece in zip(layers, pieces_of(job.count), strict=True):
        for name in passes:
            own += n * sum(float(op.flops) for op in getattr(piece, name) if op.kind in kinds)
    return own * job.micro_batches * job.layout.dp * job.layout.tp * job.layout.cp


LAYOUTS = [
    {"dp": 8},
    {"tp": 8},
    {"tp": 2, "pp": 4},
    {"tp": 2, "pp": 2, "vp": 4, "dp": 2},
    {"cp": 4, "dp": 2, "micro_batch": 2},
    {"tp": 4, "dp": 2, "sequence_parallel": False, "zero": 3},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_work_is_the_same_under_every_layout(layout):
    paper = 2 * (8_030_261_248 - 525_336_576 - 65 * 4096) * 4096 * 32  # products and the head
    job = a_job(global_batch=32, **layout)
    for name in ("forward", "input_gradient", "weight_gradient"):
        assert flops(job, name) == pytest.approx(paper, rel=1e-6)


def test_attention_backward_is_five_products_to_two_of_forward():
    job = a_job(dp=8, global_batch=8)
    forward = flops(job, "forward", kinds=("attention",))
    # Half of the square, with the diagonal: scores and values of 32 heads of 128.
    assert forward == pytest.approx(32 * 4 * 4096 * 4097 / 2 * 4096 * 8)
    assert flops(job, "input_gradient", kinds=("attention",)) == pytest.approx(2.5 * forward)


def test_scores_that_are_written_are_of_the_whole_square():
    old = a_job(dp=8, global_batch=8, date="2022-05")
    new = a_job(dp=8, global_batch=8)
    ratio = flops(old, "forward", kinds=("attention",)) / flops(
        new, "forward", kinds=("attention",)
    )
    assert ratio == pytest.approx(2, rel=1e-3)


def test_packed_documents_attend_to_themselves():
    whole = flops(a_job(dp=8, global_batch=8, seq_len=8192), "forward", kinds=("attention",))
    packed = a_job(dp=8, global_batch=8, seq_len=8192, document=1024)
    assert flops(packed, "forward", kinds=("attention",)) == pytest.approx(whole / 8, rel=1e-3)


def test_flops_of_ops_are_those_of_the_convention():
    job = a_job(dp=8, global_batch=8, date="2022-05")
    ours = flops(job, "forward", kinds=("gemm", "attention"))
    assert float(model_flops(job, "full")) == pytest.approx(3 * ours, rel=1e-3)


@pytest.mark.parametrize("recompute", ["none", "full"])
def test_hardware_flops_count_a_second_forward_pass(recompute):
    job = a_job(dp=8, global_batch=8, recompute=recompute)
    ratio = float(model_flops(job, "hardware")) / float(model_flops(job, "full"))
    head = 128256 * 4096 / (8_030_261_248 - 525_336_576)
    assert ratio == pytest.approx(1 if recompute == "none" else 4 / 3, rel=head / 3)


def test_frozen_weights_have_no_gradient_of_their_own():
    plain, lora = a_job(dp=8), a_job(dp=8, task="lora", lora_rank=16)
    rank = flops(lora, "weight_gradient") / flops(plain, "weight_gradient")
    assert 0 < rank < 0.01
    assert flops(lora, "input_gradient") == pytest.approx(flops(plain, "input_gradient"), rel=0.02)


def test_one_chip_is_the_plain_sum():
    job = a_job(on="hgx-h100", global_batch=4, zero=0, sequence_parallel=False)
    layers = layers_on_stages(job.count, 1)[0, 0]
    seconds = 0.0
    for n, piece in zip(layers, pieces_of(job.count), strict=True):
        for ops in (piece.forward, piece.input_gradient, piece.weight_gradient):
            seconds += n * sum(float(op_seconds(op, job.calibration)) for op in ops)
    step = job_step(job)
    own = {name: float(step.parts_s[name][0]) for name in PARTS}
    alone = sum(own[n] for n in ("products", "experts", "attention", "elementwise"))
    assert alone == pytest.approx(4 * seconds, rel=1e-9)
    none = ("tp", "cp", "ep", "dp", "hops", "bubble", "recompute")
    assert all(abs(own[n]) < 1e-12 * seconds for n in none)


@pytest.mark.parametrize("reading", READINGS)
def test_parts_add_up(reading):
    options = {"tp": 2, "pp": 4, "vp": 2, "dp": 4, "recompute": "selective", "reading": reading}
    for model in (LLAMA, MOE):
        step = job_step(a_job(model, global_batch=64, **options))
        assert sum(step.parts_s.values()) == pytest.approx(step.time_s, rel=1e-12)


degree = st.sampled_from([1, 2, 4, 8])


@settings(deadline=None, max_examples=60)
@given(
    tp=degree, pp=degree, cp=st.sampled_from([1, 2]), dp=degree, zero=st.sampled_from([0, 1, 2, 3]),
    sp=st.booleans(), model=st.sampled_from([LLAMA, MOE]), micro=st.sampled_from([1, 2]),
    recompute=st.sampled_from(["none", "selective", "full"]),
    schedule=st.sampled_from(["gpipe", "1f1b", "zb-h1", "zb-v", "dualpipev"]),
    precision=st.sampled_from(["bf16", "fp8"]), seq=st.sampled_from([2048, 32768]),
)  # fmt: skip
def test_never_faster_than_the_ideal(
    tp, pp, cp, dp, zero, sp, model, micro, recompute, schedule, precision, seq
):
    options = {
        "tp": tp, "pp": pp, "cp": cp, "dp": dp, "zero": zero, "sequence_parallel": sp,
        "micro_batch": micro, "recompute": recompute, "schedule": schedule, "seq_len": seq,
        "precision": precision, "global_batch": dp * micro * 2 * pp, "on": "64xhgx-h100",
    }  # fmt: skip
    ideal, real = (a_job(model, reading=r, **options) for r in ("ideal", "calibrated"))
    fast, slow = float(job_step(ideal).time_s[0]), float(job_step(real).time_s[0])
    assert 0 < fast < slow < 100 * fast + 1
    assert float(utilization(real, slow, "causal")) < 1


@pytest.mark.parametrize("ranks", [8, 64])
def test_sharded_parameters_never_travel_less(ranks):
    sent = {}
    for zero in (0, 1, 2, 3):
        job = a_job(dp=ranks, zero=zero, reading="ideal", global_batch=2 * ranks)
        layers = layers_on_stages(job.count, 1)
        each = exchanges(job.count, parameters_of(job.count), layers, job.cluster)
        every = job.micro_batches * (each.each_forward_s + each.each_backward_s)
        sent[zero] = float((each.gather_s + each.reduce_s + every)[0, 0])
    assert sent[0] == pytest.approx(sent[1], rel=0.8)
    assert sent[3] > sent[2] > sent[1]


@pytest.mark.parametrize("framework", ["deepspeed", "megatron-lm", "current"])
def test_shards_of_gradients_are_reduced_for_each_micro_batch(framework):
    """Of two: twice the gradients, and the parameters once; none holds a step's gradients whole."""
    sent = {}
    for zero in (1, 2):
        job = a_job(dp=8, zero=zero, reading="ideal", global_batch=16, framework=framework)
        layers = layers_on_stages(job.count, 1)
        sent[zero] = exchanges(job.count, parameters_of(job.count), layers, job.cluster)
    assert float(sent[2].each_backward_s[0, 0]) == pytest.approx(float(sent[1].reduce_s[0, 0]))
    assert float(sent[2].reduce_s[0, 0]) == float(sent[1].each_backward_s[0, 0]) == 0


def test_two_copies_have_gradients_of_two_stages_and_state_of_one():
    """DualPipe: twice the gradients over twice the ranks; state, shared out, as with one copy."""
    found = {}
    for schedule in ("1f1b", "dualpipe"):
        job = a_job(
            "meta-llama/Llama-2-7b-hf", dp=2, pp=4, zero=1, reading="ideal", global_batch=32,
            schedule=schedule,
        )  # fmt: skip
        layers = layers_on_stages(job.count, 1)
        sent = exchanges(job.count, parameters_of(job.count), layers, job.cluster)
        state = on_stages_sharded(job.count, parameters_of(job.count), layers)
        found[schedule] = float(sent.reduce_s[0, 1]), float(state[0, 1])
    (one, alone), (two, both) = found["1f1b"], found["dualpipe"]
    assert two / one == pytest.approx((2 * 3 / 4) / (1 / 2))
    assert both == pytest.approx(alone)


def test_gradients_of_an_8b_model_on_paper():
    """8.03 B gradients of 4 bytes scattered over 8 ranks, and 2 bytes gathered, at 450 GB/s."""
    job = a_job(on="hgx-h100", dp=8, zero=1, reading="ideal", global_batch=8)
    layers = layers_on_stages(job.count, 1)
    sent = exchanges(job.count, parameters_of(job.count), layers, job.cluster)
    each = 8.03e9 * 7 / 8 / 450e9
    assert float(sent.reduce_s[0, 0]) == pytest.approx(4 * each, rel=0.01)
    assert float(sent.gather_s[0, 0]) == pytest.approx(2 * each, rel=0.01)


def test_shards_within_a_box_are_copied_between_boxes():
    """Hybrid shards: what is gathered stays inside; shards are added up between boxes."""
    wide = a_job(dp=64, zero=3, reading="ideal", global_batch=64)
    boxed = a_job(dp=64, zero=3, shard=8, reading="ideal", global_batch=64)
    times = []
    for job in (wide, boxed):
        layers = layers_on_stages(job.count, 1)
        slow = job.cluster.model_copy(update={"scale_out": 10e9})
        times.append(exchanges(job.count, parameters_of(job.count), layers, slow))
    assert float(times[1].each_forward_s[0, 0]) < 0.2 * float(times[0].each_forward_s[0, 0])
    assert float(times[1].reduce_s[0, 0]) > float(times[0].reduce_s[0, 0]) == 0


def test_rows_are_single_jobs():
    tp, pp = np.array([1.0, 2.0, 4.0, 1.0]), np.array([1.0, 2.0, 4.0, 8.0])
    batch = np.array([32.0, 64.0, 128.0, 64.0])
    base = a_job(dp=2)
    rows = a_job(dp=2)
    layout = base.layout.model_copy(update={"tp": tp, "pp": pp})
    load = base.load.model_copy(update={"global_batch": batch})
    rows = TrainingJob(base.model, base.cluster, layout, base.recipe, load, base.framework)
    found = job_step(rows).time_s
    for i in range(4):
        one = a_job(dp=2, tp=int(tp[i]), pp=int(pp[i]), global_batch=int(batch[i]))
        assert found[i] == pytest.approx(float(job_step(one).time_s[0]), rel=1e-12)


def test_effects_may_be_columns_beside_rows():
    job = a_job(dp=8, tp=2, pp=2)
    both = job.with_effects({"compute": np.array([[0.5], [0.8]])})
    apart = [job.with_effects({"compute": x}) for x in (0.5, 0.8)]
    times = [float(job_step(one).time_s[0]) for one in apart]
    assert job_step(both).time_s[:, 0] == pytest.approx(times, rel=1e-12)
    assert times[0] > times[1]


def test_the_interval_has_the_time_in_it():
    step = job_step(a_job(dp=8, global_batch=64), interval=True)
    assert step.low_s is not None
    assert float(step.low_s[0]) < float(step.time_s[0]) < float(step.high_s[0])
    assert 1.05 < float(step.high_s[0] / step.low_s[0]) < 4


def test_no_chip_trains_faster_than_its_lone_kernels():
    """Chips with much power for their peak hold their highest clock, and no higher one."""
    for chip in ("a100-80gb-sxm", "rtx-4090", "apple-m4-max", "cpu-epyc-9755", "h20"):
        cluster = catalog.machine_named(chip).cluster
        base = a_job(global_batch=8, zero=0, sequence_parallel=False)
        job = TrainingJob(base.model, cluster, base.layout, base.recipe, base.load, base.framework)
        constants = job.calibration.platform.constants["product bf16"]
        best = max(constants["compute_efficiency"], 0.8)
        assert float(utilization(job, job_step(job).time_s[0])) < best


def test_frozen_weights_cost_two_passes_on_the_blackboard():
    full, lora = (
        job_step(a_job(dp=8, task=task, reading="blackboard")) for task in ("pretrain", "lora")
    )
    assert float(lora.time_s[0] / full.time_s[0]) == pytest.approx(2 / 3)


def test_an_update_on_the_host_takes_its_memory_s_time():
    """8.03 B parameters on 8 ranks, 30 bytes each, beside PCIe 5 at 64 GB/s."""
    plain, away = (a_job(dp=8, on="hgx-h100", offload=o) for o in ((), ("optimizer",)))
    moved = 8.03e9 / 8 * 30 / (1.4 * 64e9)
    step = job_step(away)
    assert float(step.parts_s["offload"][0]) == pytest.approx(moved, rel=0.01)
    assert float(step.time_s[0]) > float(job_step(plain).time_s[0])


def test_a_scan_reads_what_it_scans():
    job = a_job("tiiuae/falcon-mamba-7b", dp=8)
    (scan,) = [op for op in pieces_of(job.count)[0].forward if op.name == "state_forward"]
    # Both halves of the inner width of 8,192, what is projected again, steps of time, the result.
    assert scan.activation_bytes / (2 * 4096) == pytest.approx(5 * 8192)


def test_chips_of_a_family_that_was_not_measured_have_wider_intervals():
    reach = {}
    for chip in ("h100-sxm", "rtx-4090"):
        base = a_job(global_batch=8, zero=0, sequence_parallel=False)
        cluster = catalog.machine_named(chip).cluster
        job = TrainingJob(base.model, cluster, base.layout, base.recipe, base.load, base.framework)
        step = job_step(job, interval=True)
        assert step.low_s is not None
        reach[chip] = float(step.high_s[0] / step.low_s[0])
    assert reach["rtx-4090"] > 1.2 * reach["h100-sxm"]


def _sent(job: TrainingJob, name: str) -> Collective:
    """The exchange of that name in a layer's forward pass."""
    (found,) = [op for op in pieces_of(job.count)[0].forward if op.name == name]
    assert found.collective is not None
    return found.collective


@pytest.mark.parametrize(
    ("kind", "values"),
    # Keys and values of 8 heads of 128 of all 32,768 tokens; or of a rank's 8,192, with queries and
    # results of 32 heads.
    [("ring", 2 * 1024 * 32768), ("all_to_all", (2 * 1024 + 2 * 4096) * 8192)],
)
def test_context_parallel_ranks_exchange_keys_or_heads(kind, values):
    job = a_job(cp=4, dp=2, seq_len=32768, cp_kind=kind, global_batch=2)
    send = _sent(job, "context_exchange")
    assert send.group == 4
    assert send.payload_bytes == pytest.approx(2 * values)


def test_tokens_cross_to_a_domain_once_where_a_framework_sees_to_it():
    """8 experts of 16 ranks in two boxes: 6.45 chips, of which 1.99 boxes."""
    once, each = (
        a_job(MOE, dp=16, ep=16, expert_tp=1, global_batch=16, framework="megatron-lm", date=date)
        for date in ("2025-06", "2024-06")
    )
    sent = [_sent(job, "dispatch") for job in (once, each)]
    across = [send.payload_bytes * send.share_across for send in sent]
    assert across[0] / across[1] == pytest.approx(1.992 / 6.454, rel=0.01)


@pytest.mark.parametrize("shared", [True, False])
def test_stages_send_what_a_chip_holds_of_the_stream(shared):
    job = a_job(tp=4, pp=2, seq_len=4096, sequence_parallel=shared)
    sent = stage_hop(job.count).collective
    assert sent is not None
    assert sent.payload_bytes == pytest.approx(4096 * 4096 * 2 / (4 if shared else 1))


def test_all_wait_for_the_slowest_of_so_many_boxes():
    alone, many = (a_job(on="64xhgx-h100", dp=dp, global_batch=dp).with_effects({"straggler": 0.02})
                   for dp in (8, 128))  # fmt: skip
    parts = [job_step(job).parts_s for job in (alone, many)]
    assert float(parts[0]["stragglers"][0]) == 0
    rest = sum(float(v[0]) for n, v in parts[1].items() if n != "stragglers")
    assert float(parts[1]["stragglers"][0]) == pytest.approx(0.02 * 4 * rest)


def test_hidden_exchanges_are_at_least_what_arithmetic_leaves():
    slow = a_job(on="16xhgx-h100", dp=64, zero=3, global_batch=64)
    crawling = slow.cluster.model_copy(update={"scale_out": 1e9})
    job = TrainingJob(slow.model, crawling, slow.layout, slow.recipe, slow.load, slow.framework)
    parts = job_step(job).parts_s
    assert float(parts["dp"][0]) > 0.8 * float(job_step(job).time_s[0])
