"""A step of reinforcement learning: its parts are those of serving and of training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.errors import RidgelineError, SpecError
from ridgeline.questions.rl_step.algorithms import ALGORITHMS
from ridgeline.specs.lengths import Lengths
from ridgeline.specs.training import TrainingLayout, TrainingLoad
from ridgeline.steps.tokens import decode
from ridgeline.trainer.forward import job_forward_seconds
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.step import job_step
from ridgeline.trainer.weight_sync import n_gathers, n_matrices, weight_sync_s

MOE, DENSE = "Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-8B"
ASKED: dict[str, Any] = {
    "prompts": 32, "samples": 16, "isl": 128, "osl": "200:4000@mean=1500", "gen_tp": 2, "tp": 2,
    "ep": 8, "expert_tp": 1, "recompute": "full", "engine": "vllm", "framework": "megatron-lm",
}  # fmt: skip


@pytest.fixture(scope="module")
def on_policy() -> rl.RLStep:
    return rl.rl_step(MOE, "4xhgx-h100", **ASKED)


@pytest.fixture(scope="module")
def one_off() -> rl.RLStep:
    return rl.rl_step(MOE, "4xhgx-h100", off_policy=1, gen_chips=16, **ASKED)


@pytest.mark.parametrize("which", ["on_policy", "one_off"])
def test_shares_are_of_all_time_and_parts_of_the_step(
    which: str, request: pytest.FixtureRequest
) -> None:
    answer = request.getfixturevalue(which)
    assert sum(answer.shares.values()) == pytest.approx(1)
    assert sum(answer.parts_s.values()) == pytest.approx(answer.step_s)
    assert all(s >= 0 for s in answer.shares.values())
    low, high = answer.interval_s
    assert low < answer.step_s < high
    assert answer.tokens == 512 * (128 + 1500)
    rate = answer.tokens / answer.step_s / answer.n_chips
    assert answer.tokens_per_s_per_chip == pytest.approx(rate)
    found = json.loads(answer.to_json())
    assert found["values"]["step_s"] == answer.step_s
    assert found["tables"]["shares"]["rows"][-1]["time_s"] == answer.step_s


def test_turns_add_up_and_sides_wait(on_policy: rl.RLStep, one_off: rl.RLStep) -> None:
    turns = on_policy.generation_s + on_policy.training_s + on_policy.sync_s + on_policy.swap_s
    assert on_policy.step_s == pytest.approx(turns)
    assert on_policy.shares["idle"] == 0
    assert "idle" not in [row["part"] for row in on_policy.answer.tables[0].rows]
    assert (on_policy.n_chips, on_policy.n_generating, on_policy.n_training) == (32, 32, 32)
    assert (one_off.n_chips, one_off.n_generating, one_off.n_training) == (32, 16, 16)
    slower = max(one_off.generation_s, one_off.training_s)
    assert one_off.step_s == pytest.approx(slower + one_off.sync_s)
    waits = abs(one_off.generation_s - one_off.training_s) / 2 / one_off.step_s
    assert one_off.shares["idle"] == pytest.approx(waits, rel=1e-6)
    assert one_off.swap_s == 0
    each = catalog.rl_loop().matrix_s
    matrices = 48 * (4 + 1 + 3 * 128)
    assert n_matrices(on_policy.job) == matrices
    assert on_policy.sync_s - matrices * each == pytest.approx(float(weight_sync_s(on_policy.job)))
    assert one_off.sync_s == pytest.approx(float(weight_sync_s(one_off.job, 16)))
    assert one_off.sync_s > weight_sync_s(one_off.job)


def test_the_update_is_a_step_of_training(on_policy: rl.RLStep) -> None:
    load = on_policy.job.load
    step = rl.training(
        MOE, "4xhgx-h100", seq=load.seq_len, document=load.document, global_batch=load.global_batch,
        tp=2, ep=8, expert_tp=1, recompute="full", framework="megatron-lm",
    )  # fmt: skip
    assert on_policy.updates_s == pytest.approx(catalog.rl_loop().training * step.step_s)
    # Packed sequences hold all tokens, and few others.
    packed = load.tokens / on_policy.tokens
    assert 0.98 <= packed <= 1.05


def test_decoding_is_between_its_first_and_last_step(on_policy: rl.RLStep) -> None:
    rollout = on_policy.rollout
    assert rollout.n == 512 / 16
    first = float(np.ravel(rollout.replica.seconds(decode(32, 128)))[0])
    last = float(np.ravel(rollout.replica.seconds(decode(1, 4128)))[0])
    slowest = float(np.ravel(rollout.replica.seconds(decode(32, 4128)))[0])
    assert last * 1500 < rollout.time_s < slowest * rollout.longest
    assert rollout.time_s > first * 1500
    assert 0 < rollout.tail_s < rollout.time_s


def test_two_updates_train_on_the_same_tokens() -> None:
    one, two = (rl.rl_step(MOE, "4xhgx-h100", **ASKED, updates=n) for n in (1, 2))
    assert two.job.load.global_batch == pytest.approx(one.job.load.global_batch / 2, rel=0.1)
    assert two.logprobs_s == pytest.approx(one.logprobs_s, rel=0.15)
    assert two.updates_s > one.updates_s


def test_micro_batches_are_as_many_as_the_schedule_takes() -> None:
    asked: Any = {"prompts": 16, "samples": 8, "osl": "256:4k@mean=2k", "tp": 1}
    asked |= {"recompute": "full"}
    cases: Any = (({"pp": 4, "vp": 3}, 4), ({"pp": 4, "schedule": "dualpipe"}, 8))
    for more, least in cases:
        job = rl.rl_step(DENSE, "4xhgx-h100", **asked, **more).job
        assert job.micro_batches >= 128 / 8 * 2500 / 4500
        assert job.micro_batches >= least
        assert job.micro_batches % 4 == 0 or "vp" not in more


def test_padding_trains_on_more_tokens(on_policy: rl.RLStep) -> None:
    padded = rl.rl_step(MOE, "4xhgx-h100", **ASKED, packing="off")
    assert padded.job.load.global_batch == 512
    assert padded.job.load.seq_len == 4128
    assert padded.updates_s > 1.5 * on_policy.updates_s
    assert padded.tokens == on_policy.tokens


@pytest.mark.parametrize(("name", "flops"), [("dapo", 10), ("grpo", 12), ("ppo", 20)])
def test_passes_of_algorithms(name: str, flops: int, on_policy: rl.RLStep) -> None:
    answer = rl.rl_step(MOE, "4xhgx-h100", **ASKED, algorithm=name)
    passes = ALGORITHMS[name]
    assert answer.flops_per_param_and_token == flops
    assert answer.logprobs_s == pytest.approx(on_policy.logprobs_s / 2 * passes.forward)
    assert answer.updates_s == pytest.approx(on_policy.updates_s * passes.trained)
    assert answer.generation_s == pytest.approx(on_policy.generation_s)
    spent = answer.mfu * answer.step_s * 32 * 989.4e12
    assert spent == pytest.approx(flops * answer.n_params_active * 512 * 1500, rel=1e-3)


def test_more_steps_off_share_the_wait() -> None:
    one, four = (rl.rl_step(MOE, "4xhgx-h100", **ASKED, off_policy=k, gen_chips=16) for k in (1, 4))
    assert four.generation_s < one.generation_s
    assert four.rollout.n == 4 * one.rollout.n
    assert four.parts_s["tail"] < one.parts_s["tail"]


def test_the_budget_costs_what_the_step_does(on_policy: rl.RLStep) -> None:
    found = rl.budget(
        MOE, inference_tokens="1T", train_mfu=0.4, decode_mfu=0.05,
        rl_factor=on_policy.rl_factor(0.05),
    )  # fmt: skip
    peak = 989.4e12
    per_token = on_policy.step_s * 32 / on_policy.generated_tokens
    pretrained = 6 * on_policy.n_params_active / (0.4 * peak)
    assert found.values["alpha"] == pytest.approx(per_token / pretrained, rel=1e-3)
    with pytest.raises(SpecError, match="decode_mfu"):
        on_policy.rl_factor(-1)


def test_training_waits_as_long_as_was_printed() -> None:
    """Exposed generation of Qwen3-235B, 256 H100, one step off: NeMo-RL pull request 3278."""
    answer = rl.rl_step(
        "Qwen/Qwen3-235B-A22B", "32xhgx-h100", prompts=16, samples=32, isl=110,
        osl="404:8082@mean=5721", seq=8192, off_policy=1, gen_tp=8, engine="vllm",
        memory_utilization=0.8, max_sequences=256, tp=4, ep=16, expert_tp=1, pp=8,
        framework="megatron-lm", recompute="full",
    )  # fmt: skip
    assert answer.generation_s - answer.training_s == pytest.approx(174, rel=0.15)


@pytest.mark.parametrize("reading", ["ideal", "blackboard"])
def test_lower_bounds_are_lower_and_have_no_factor(reading: str, on_policy: rl.RLStep) -> None:
    asked = {k: v for k, v in ASKED.items() if reading == "ideal" or not k.startswith("gen_")}
    bound = rl.rl_step(MOE, "4xhgx-h100", **asked, reading=reading)
    assert bound.interval_s is None
    assert bound.step_s < on_policy.step_s
    assert "at least" in bound.sentences()[0]
    step = job_step(bound.job)
    assert bound.updates_s == pytest.approx(float(step.time_s[0]))


def test_without_a_split_the_fastest_of_eighths(one_off: rl.RLStep) -> None:
    found = rl.rl_step(MOE, "4xhgx-h100", off_policy=1, **ASKED)
    tried = [rl.rl_step(MOE, "4xhgx-h100", off_policy=1, gen_chips=n, **ASKED) for n in (8, 16, 24)]
    assert found.step_s == min(one.step_s for one in tried if one.fits)
    assert "in whole domains, this is the fastest" in " ".join(found.sentences())
    assert "this is the fastest" not in " ".join(one_off.sentences())
    # Where training's number is given, as many generate.
    half = rl.rl_step(MOE, "4xhgx-h100", off_policy=1, chips=16, **ASKED)
    assert half.step_s == one_off.step_s


def test_without_degrees_the_fastest_power_of_two_generates() -> None:
    asked: Any = {"prompts": 64, "samples": 8, "osl": "256:4k@mean=2k"}
    found = rl.rl_step(DENSE, "hgx-h100", **asked)
    tried = [rl.rl_step(DENSE, "hgx-h100", **asked, gen_tp=tp) for tp in (1, 2, 4, 8)]
    assert found.generation_s == min(one.generation_s for one in tried)


def test_fewer_slots_take_longer_and_never_wait_less() -> None:
    asked = {**ASKED, "prompts": 128}
    all_at_once = rl.rl_step(MOE, "4xhgx-h100", **asked)
    few = rl.rl_step(MOE, "4xhgx-h100", **asked, max_sequences=16)
    assert few.rollout.live == 16
    assert few.generation_s > 1.5 * all_at_once.generation_s
    # The longest is that of all samples, also of those that did not begin last.
    assert few.rollout.longest == all_at_once.rollout.longest
    assert few.values["longest_tokens"] == few.rollout.longest


def test_frozen_weights_have_no_gradients() -> None:
    asked: Any = {"prompts": 64, "samples": 8, "osl": "256:4k@mean=2k", "tp": 2}
    all_weights, adapters = (rl.rl_step(DENSE, "hgx-h100", **asked, task=t) for t in
                             ("pretrain", "lora"))  # fmt: skip
    assert all_weights.flops_per_param_and_token == 12
    assert adapters.flops_per_param_and_token == 10
    assert "training 4)" in adapters.sentences()[3]
    spent = adapters.training_mfu * adapters.updates_s * 8 * 989.4e12
    assert spent == pytest.approx(4 * adapters.n_params_active * adapters.tokens, rel=1e-3)


def test_attention_spans_a_sample_and_its_prompt() -> None:
    document = rl.rl_step(
        MOE, "4xhgx-h100", **ASKED | {"isl": 3000, "osl": "200:4000@mean=1000"}
    ).job.load.document  # fmt: skip
    drawn = 3000 + Lengths.between(200, 4000, 1000).quantiles(10_000)
    assert document == pytest.approx((drawn**2).sum() / drawn.sum(), rel=1e-3)


def test_two_trained_models_go_to_the_host_in_turns() -> None:
    one, two = (rl.rl_step(MOE, "4xhgx-h100", **ASKED, algorithm=a) for a in ("grpo", "ppo"))
    assert two.swap_s == pytest.approx(2 * one.swap_s)
    assert "take turns in the chips' memory" in " ".join(two.notes)


def test_a_split_on_which_training_does_not_fit_is_not_said_to() -> None:
    answer = rl.rl_step("openai/gpt-oss-120b", "2xhgx-h100", off_policy=1)
    told = " ".join(answer.sentences())
    assert not answer.fits
    assert "training fits on none" in told
    assert "on which training fits" not in told


# --- what it is made of


def _job(**layout: int) -> TrainingJob:
    return TrainingJob(
        catalog.model(DENSE),
        catalog.machine_named("4xhgx-h100").cluster,
        layout=TrainingLayout(**layout),  # type: ignore[arg-type]
        load=TrainingLoad(seq_len=4096, global_batch=128),
    )


def test_forward_passes_are_a_part_of_the_step() -> None:
    for layout in ({"tp": 2, "dp": 4}, {"tp": 2, "pp": 4, "dp": 4}):
        job = _job(**layout)
        step, forward = job_step(job), float(np.ravel(job_forward_seconds(job))[0])
        assert step.passes is not None
        each = np.ravel(step.passes.forward_s)
        m = 128 / layout["dp"]
        straggling = 1 + job.calibration.effects["straggler"] * math.log2(max(job.n_chips / 8, 1))
        plain = (each.sum() + (m - 1) * each.max()) * straggling
        assert plain <= forward <= 1.1 * plain
        assert 0.25 < forward / float(step.time_s[0]) < 0.45
    # Parameters that ranks share out are gathered for them, too, and those of ZeRO 1 are not.
    slow = catalog.machine_named("4xhgx-h100").cluster.model_copy(update={"scale_out": 1e9})
    whole, spread = (replace(_job(dp=32, zero=zero), cluster=slow) for zero in (1, 3))
    for reading in ("calibrated", "ideal"):
        held, gathered = (
            float(np.ravel(job_forward_seconds(replace(job, reading=reading)))[0])
            for job in (whole, spread)
        )
        # Four micro-batches gather 16.4 GB each; every domain takes three quarters from outside.
        least = 4 * 16.4e9 * 3 / 4 / (8 * 1e9)
        assert 0.9 * least < gathered < 2 * least
        assert held < least / 10
    blackboard = replace(_job(dp=8), reading="blackboard")
    forward = float(np.ravel(job_forward_seconds(blackboard))[0])
    assert forward == pytest.approx(float(job_step(blackboard).time_s[0]) / 3)


def test_weights_travel_once_to_every_chip() -> None:
    alone = weight_sync_s(_job(dp=8))
    assert alone == 0  # every rank has all of them
    within = float(np.ravel(weight_sync_s(_job(tp=8)))[0])
    size = 16.4e9
    assert size * 7 / 8 / 450e9 < within < 10 * size / 450e9
    # Of ZeRO 3 every rank has an eighth, as of tensor parallelism.
    assert float(np.ravel(weight_sync_s(_job(dp=8, zero=3)))[0]) == pytest.approx(within)
    assert weight_sync_s(_job(dp=8, zero=2)) == 0
    across = float(np.ravel(weight_sync_s(_job(tp=8), 8))[0])
    assert across - within > size / 450e9
    assert weight_sync_s(replace(_job(tp=8), reading="blackboard")) == 0
    assert n_gathers(_job(tp=8)) == 36 * 7


def test_experts_are_gathered_from_all_their_ranks_at_once(on_policy: rl.RLStep) -> None:
    # Attention has four matrices and a router, and each of three of 128 experts is one of eight.
    assert n_gathers(on_policy.job) == 48 * (4 + 1 + 3 * 128 // 8)


# --- what cannot be


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"gen_chips": 8}, "off_policy (--off-policy)"),
        ({"off_policy": 1, "gen_chips": 32}, "training needs some of its own"),
        ({"seq": 1000}, "seq (1,000 tokens) is shorter"),
        ({"updates": 1000}, "more than samples (512)"),
        ({"prompts": 1, "samples": 4}, "each needs one at least"),
        ({"gen_tp": 3}, "does not divide the 32"),
        ({"gen_ep": 3}, "Change --gen-ep, --gen-attn-dp or --gen-tp"),
        ({"osl": 1e9}, "isl and osl together are up to"),
        ({"prompts": 10**9, "samples": 10**9}, "samples of a step are expected"),
        ({"gen_weights": "bf61"}, "bf61"),
        ({"algorithm": "grop"}, "Did you mean 'grpo'"),
        ({"chips": 64}, "name more of it, such as 8xhgx-h100"),
        ({"sampels": 4}, "Did you mean 'samples'"),
        ({"gen_tp": 1, "memory_utilization": 0.5}, "no memory for one sample"),
    ],
)
def test_refusals(options: dict, says: str) -> None:
    with pytest.raises(RidgelineError) as caught:
        rl.rl_step(MOE, "4xhgx-h100", **{**ASKED, **options})
    assert says in str(caught.value), str(caught.value)


def test_there_is_one_picture(on_policy: rl.RLStep, one_off: rl.RLStep) -> None:
    for answer, lanes in ((on_policy, 1), (one_off, 2)):
        spec = answer.chart("time").to_dict()
        rows = spec["layer"][0]["data"]["values"]
        assert len({row["lane"] for row in rows}) == lanes
        assert max(row["to_s"] for row in rows) == pytest.approx(answer.step_s)
    with pytest.raises(SpecError, match="no picture"):
        on_policy.chart("pie")


def test_the_working_has_every_term(one_off: rl.RLStep) -> None:
    working = one_off.explain()
    for said in ("32 x 16 = 512", "x 1.36 in a loop", "x 2.45 in a loop", "gathers and a broadcast",
                 "max(", "12 N_a D"):  # fmt: skip
        assert said in working, said
    course = one_off.rollout.course(5)
    assert [row[0] for row in course] == sorted(row[0] for row in course)
    assert course[0][1:3] == (1.0, one_off.rollout.n)
    parts = (one_off.rollout.prompts_s, one_off.rollout.queued_s, one_off.rollout.ending_s)
    assert sum(parts) == pytest.approx(one_off.rollout.time_s)
    turns = rl.rl_step(DENSE, "hgx-h100", reading="blackboard").explain()
    assert "in a loop" not in turns
    assert "max(" not in turns


def test_a_careful_reader_is_told(on_policy: rl.RLStep) -> None:
    told = " ".join(on_policy.notes)
    assert "rewards" in told.casefold()
    assert "1.36 times as long and passes over samples 2.45 times" in told
    far = " ".join(rl.rl_step("openai-community/gpt2", "l4-8", osl="256:4k@mean=2k").notes)
    assert "its own length is 1,024" in far
    assert "extrapolated" in far
