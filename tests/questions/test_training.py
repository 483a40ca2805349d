"""The question about training: numbers on paper, layouts, runs, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.errors import CatalogError, InfeasibleError, SpecError
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.training import PICTURES
from ridgeline.specs.training import TrainingLayout

LLAMA = "meta-llama/Meta-Llama-3.1-405B"
SMALL = "Qwen/Qwen3-8B"
HGX = "hgx-h100"
#: a layout of 70 B on 128 chips, with everything but experts and context parallelism
WIDE: dict[str, Any] = {
    "tp": 4,
    "pp": 4,
    "vp": 5,
    "seq": 8192,
    "global_batch": 1024,
    "recompute": "selective",
}
N_405B = 405.85e9


@pytest.fixture(scope="module")
def wide() -> rl.Training:
    return rl.training("meta-llama/Meta-Llama-3-70B", f"16x{HGX}", **WIDE, tokens="2T")


def test_the_blackboard_is_six_n_d_and_a_bubble() -> None:
    answer = rl.training(
        LLAMA, f"1024x{HGX}", seq=8192, global_batch=2048, tp=8, pp=16, reading="blackboard"
    )
    work = 6 * (N_405B - 128_256 * 16_384) * 8192 * 2048 / (8192 * 989.4e12)
    assert answer.parts_s["products"] == pytest.approx(work, rel=2e-3)
    assert answer.bubble_share == pytest.approx(15 / 47)  # (p - 1) / (m + p - 1), m = 32
    assert answer.step_s == pytest.approx(work * 47 / 32, rel=2e-3)


def test_readings_bound_each_other(wide: rl.Training) -> None:
    ideal = rl.training("meta-llama/Meta-Llama-3-70B", f"16x{HGX}", **WIDE, reading="ideal")
    assert ideal.step_s < wide.step_s
    assert ideal.interval_s is None
    assert wide.interval_s is not None
    assert wide.interval_s[0] < wide.step_s < wide.interval_s[1]


def test_parts_add_up_and_are_in_the_table(wide: rl.Training) -> None:
    assert sum(wide.parts_s.values()) == pytest.approx(wide.step_s)
    rows = wide.answer.table("time").rows
    assert rows[-1]["part"] == "step"
    assert sum(r["share"] for r in rows[:-1]) == pytest.approx(1.0)
    assert {r["kind"] for r in rows[:-1]} >= {"arithmetic", "exposed communication", "bubble"}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_part_of_any_schedule_is_negative(schedule: str) -> None:
    vp: dict[str, Any] = {"vp": 3} if schedule == "interleaved" else {}
    answer = rl.training(SMALL, HGX, pp=4, global_batch=64, schedule=schedule, **vp)
    assert min(answer.parts_s.values()) >= 0
    assert sum(answer.parts_s.values()) == pytest.approx(answer.step_s)
    for row in answer.answer.table("stages"):
        assert 0 <= row["idle"] < 0.5


def test_conventions_are_named_and_apart(wide: rl.Training) -> None:
    """70.6 B without the table: 6 x 69.5 B + 12 L h s of attention, causal half of that."""
    products, core = 6 * (70.55e9 - 128_256 * 8192), 12 * 80 * 8192 * 8192
    per_token = {r["convention"]: r["flops_per_token"] for r in wide.answer.table("utilization")}
    assert per_token["full"] == pytest.approx(products + core, rel=2e-3)
    assert per_token["causal"] == pytest.approx(products + core / 2, rel=2e-3)
    assert per_token["hardware"] == pytest.approx(products + core * 4 / 3, rel=2e-3)
    assert wide.values["mfu_causal"] < wide.values["mfu_full"] < wide.values["hfu"] < 1
    peak = 128 * catalog.chip("h100-sxm").peak["bf16"] * wide.step_s
    assert wide.values["mfu_full"] == pytest.approx(
        per_token["full"] * 8192 * 1024 / peak, rel=1e-9
    )


def test_memory_by_part_adds_up(wide: rl.Training) -> None:
    rows = {r["part"]: r["memory_bytes"] for r in wide.answer.table("memory")}
    peak, capacity = rows.pop("needed"), rows.pop("capacity")
    assert sum(rows.values()) == pytest.approx(peak)
    assert wide.values["memory_bytes_per_chip"] == pytest.approx(peak)
    assert wide.values["memory_margin_bytes"] == pytest.approx(capacity - peak)
    stages = [r["memory_bytes"] for r in wide.answer.table("stages")]
    assert max(stages) == pytest.approx(peak)


def test_what_an_allocator_gives_back_is_not_needed() -> None:
    answer = rl.training(SMALL, HGX, tp=1, zero=0, framework="nanotron", micro_batch=2)
    rows = {r["part"]: r["memory_bytes"] for r in answer.answer.table("memory")}
    needed, capacity = rows.pop("needed"), rows.pop("capacity")
    assert rows.get("returned", 0.0) <= 0
    assert sum(rows.values()) == pytest.approx(needed)
    assert answer.values["memory_margin_bytes"] == pytest.approx(capacity - needed)


def test_groups_say_where_they_lie(wide: rl.Training) -> None:
    rows = {r["group"]: r for r in wide.answer.table("groups")}
    assert (rows["TP"]["size"], rows["TP"]["inside"]) == (4, 4)
    assert (rows["DP"]["size"], rows["DP"]["inside"]) == (8, 2)
    for row in rows.values():
        assert row["hidden_s"] + row["exposed_s"] == pytest.approx(
            max(row["time_s"], row["exposed_s"])
        )
    exposed = wide.parts_s["tp"]
    assert exposed <= rows["TP"]["exposed_s"] <= exposed * 1.01


def test_a_run_on_paper() -> None:
    answer = rl.training(
        SMALL, HGX, tokens=1e12, price=2.0, interruptions=0, reading="blackboard", tp=1
    )
    run = answer.run
    assert run is not None
    days = 1e12 / (answer.values["tokens_per_s"] * 86_400)
    assert run.total_s / 86_400 == pytest.approx(days)
    assert run.chip_hours(run.total_s) == pytest.approx(days * 24 * 8)
    assert answer.values["usd"] == pytest.approx(days * 24 * 8 * 2.0)
    assert answer.values["energy_wh"] == pytest.approx(days * 24 * 8 * 700)
    assert run.lost_share == 0
    assert run.n_steps == math.ceil(1e12 / (1024 * 4096))


def test_interruptions_of_a_large_run() -> None:
    """Llama 3's 16,384 chips are interrupted every three hours, and lose a few percent."""
    answer = rl.training(
        LLAMA, f"2048x{HGX}", seq=8192, global_batch=2048, tp=8, pp=16, tokens="15T",
        reading="blackboard",
    )  # fmt: skip
    run = answer.run
    assert run is not None
    assert run.between_s / 3600 == pytest.approx(3.1, rel=0.02)
    assert run.checkpoint_bytes == pytest.approx(12 * N_405B, rel=1e-3)
    assert run.write_s == pytest.approx(12 * N_405B / 2e12, rel=0.01)
    assert 0.02 < run.lost_share < 0.1
    more = answer.scenario.with_options(interruptions=4.7)
    worse = rl.training(more.model, f"2048x{HGX}", **more.options())
    assert worse.run is not None
    assert worse.run.lost_share > 2 * run.lost_share


def test_the_plain_layout_fits_and_is_said() -> None:
    answer = rl.training(SMALL, HGX)
    assert answer.job.layout.tp <= 8
    assert answer.job.layout.n_chips == 8
    assert answer.fits_probability is not None
    assert answer.fits_probability >= 0.9
    assert answer.why_layout in answer.sentences()
    assert "No layout is given" in answer.why_layout
    large = rl.training("meta-llama/Meta-Llama-3-70B", f"8x{HGX}", seq=8192)
    assert large.job.layout.tp * large.job.layout.pp > answer.job.layout.tp
    assert (large.fits_probability or 0) >= 0.9


def test_experts_are_spread_over_a_domain_where_no_layout_is_given() -> None:
    answer = rl.training("Qwen/Qwen3-30B-A3B", f"4x{HGX}")
    assert answer.job.layout.ep == 8
    assert answer.parts_s["ep"] > 0
    assert {r["group"] for r in answer.answer.table("groups")} >= {"EP", "DP"}


def test_a_batch_that_nobody_gives_is_one_that_divides() -> None:
    assert rl.training(SMALL, HGX, tp=1).job.load.global_batch == 1024
    assert rl.training(SMALL, "gb200-nvl72", tp=1).job.load.global_batch == 14 * 72
    staged = rl.training(SMALL, f"4x{HGX}", tp=2, pp=4, vp=3, micro_batch=3).job
    assert staged.load.global_batch % (4 * 3 * 4) == 0
    assert staged.load.global_batch == pytest.approx(1024, rel=0.05)
    assert rl.training(SMALL, "2048xhgx-h100", tp=8, pp=4, reading="ideal").job.micro_batches == 8


def test_data_parallelism_takes_what_degrees_leave() -> None:
    assert rl.training(SMALL, f"4x{HGX}", tp=2, pp=2).job.layout.dp == 8
    assert rl.training(SMALL, "16xh100-sxm", tp=4).job.layout.dp == 4
    assert rl.training(SMALL, "h100-sxm", tp=2, pp=2, dp=16).job.n_chips == 64
    assert rl.training(SMALL, "h100-sxm").job.n_chips == 8
    assert rl.training(SMALL, "h100-sxm", chips=64).job.n_chips == 64


def test_a_layout_record_is_the_same_as_its_degrees() -> None:
    record = rl.training(SMALL, HGX, layout=TrainingLayout(tp=2, dp=4, zero=2))
    assert record.values == rl.training(SMALL, HGX, tp=2, dp=4, zero=2).values
    with pytest.raises(SpecError, match="tp is given beside a layout record"):
        rl.training(SMALL, HGX, layout=TrainingLayout(tp=2, dp=4), tp=2)


def test_frameworks_have_defaults_of_their_own() -> None:
    deepspeed = rl.training(SMALL, HGX, framework="deepspeed", tp=1)
    assert (deepspeed.job.layout.zero, deepspeed.job.recipe.recompute) == (3, "full")
    assert rl.training(SMALL, HGX, framework="megatron-lm", tp=1).job.layout.zero == 1


def test_adapters_keep_no_state_of_the_rest() -> None:
    whole = rl.training(SMALL, HGX, tp=2, task="finetune")
    thin = rl.training(SMALL, HGX, tp=2, task="lora", tokens=1e9)
    assert whole.memory is not None
    assert thin.memory is not None
    assert float(thin.memory.at_peak()["optimizer"][0]) < 0.1 * float(
        whole.memory.at_peak()["optimizer"][0]
    )
    assert thin.step_s < whole.step_s
    assert thin.run is not None
    assert thin.run.checkpoint_bytes < 2e9


def test_a_model_known_by_counts_has_the_blackboard_only() -> None:
    counted = rl.Model.from_counts("37B", "671B", 70_272, 8)
    answer = rl.training(counted, f"256x{HGX}", seq=4096, global_batch=4096)
    assert answer.reading == "blackboard"
    assert answer.memory is None
    assert answer.step_s == pytest.approx(6 * 37e9 * 4096 * 4096 / (2048 * 989.4e12), rel=1e-3)
    assert answer.values["mfu_6nd"] == pytest.approx(1.0, rel=1e-3)
    with pytest.raises(SpecError, match="known by its counts alone: only the blackboard"):
        rl.training(counted, HGX, reading="ideal")


def test_everything_leaves_as_json(wide: rl.Training) -> None:
    found = json.loads(wide.to_json())
    assert found["question"] == "training"
    assert found["provenance"]["layout"]["tp"] == 4
    again = rl.TrainingScenario.from_dict(found["provenance"]["scenario"])
    assert again == wide.scenario
    assert set(found["charts"]) <= set(PICTURES)
    assert wide.to_csv().startswith("of,time_s,share")


def test_explain_shows_every_term(wide: rl.Training) -> None:
    text = wide.explain()
    for term in (
        "6 N T + 12 L h s T", "gradient of weights", "ffn gate+up_weight_gradient",
        "forward, computed again", "bubble of interleaved 1F1B", "GEMMs", "stragglers",
        "sqrt(2 d M)", "t = start", "128 micro-batches",
    ):  # fmt: skip
        assert term in text, term


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"global_batch": 100, "dp": 8}, "100 sequences do not divide by dp x micro_batch = 8 x 1: "
         "use 96 or 104"),
        ({"tp": 3}, "tp = 3 does not divide the 32 attention heads of Qwen/Qwen3-8B: use 2 or 4"),
        ({"tp": 64, "chips": 64}, "tp = 64 does not divide the 32 attention heads of Qwen/Qwen3-8B:"
         " use 32"),
        ({"pp": 64, "chips": 64}, "pp = 64 stages are more than the 36 layers of Qwen/Qwen3-8B: "
         "use pp 36 or less"),
        ({"pp": 8, "vp": 9}, "pp x vp = 8 x 9 = 72 chunks are more than the 36 layers of "
         "Qwen/Qwen3-8B: use pp 4 or vp 4 or less"),
        ({"ep": 4}, "ep = 4: Qwen/Qwen3-8B has no experts; leave ep out"),
        ({"cp": 8, "seq": 4100}, "seq = 4,100 tokens do not divide by 16, twice cp, as a ring gives"
         " each rank an early and a late part: use 4,096 or 4,112"),
        ({"cp": 8, "seq": 4100, "cp_kind": "all_to_all"}, "seq = 4,100 tokens do not divide by 8:"),
        ({"tp": 8, "seq": 4100}, "seq = 4,100 tokens do not divide by cp x tp = 8, which share them"
         " between sublayers: use 4,096 or 4,104"),
        ({"tp": 2, "dp": 2}, "tp x cp x pp x dp = 2 x 1 x 1 x 2 = 4, but there are 8 chips: use "
         "dp 4 (--dp), or 4 chips (--chips)"),
        ({"tp": 2, "pp": 2, "cp": 3}, "tp x cp x pp = 2 x 3 x 2 = 12 does not divide 8 chips: use "
         "12 chips (--chips), or other degrees"),
        ({"vp": 2}, "vp (--vp 2) is chunks of a pipeline stage, and there is one stage: give pp"),
        ({"pp": 4, "vp": 3, "global_batch": 4}, "use"),
        ({"pp": 2, "schedule": "interleaved"}, "at least 2 chunks per stage, not 1"),
        ({"tp": 2, "schedule": "zb-h1"}, "schedule zb-h1 is of pipeline stages, and there is one"),
        ({"pp": 2, "zero": 3, "framework": "deepspeed"}, "zero = 3 beside pp = 2: DeepSpeed shares "
         "out no more than ZeRO 1"),
        ({"dp": 8, "shard": 3}, "shard = 3 does not divide dp x cp = 8: use 2 or 4"),
        ({"zero": 0, "shard": 2, "tp": 1}, "shard (--shard) is of what ranks share out, which "
         "ZeRO 0 does not"),
        ({"cp": 8, "seq": 8192, "cp_kind": "all_to_all", "tp": 8, "chips": 64},
         "cp = 8 does not divide the 4 heads that tp leaves a chip"),
        ({"cp_kind": "all_to_all"}, "cp_kind (--cp-kind) is of context-parallel ranks: give cp"),
        ({"lora_rank": 8}, "lora_rank (--lora-rank) is of adapters: give task lora or qlora"),
        ({"recompute": "layers"}, "needs the number of layers of a stage"),
        ({"recompute": "full", "recompute_layers": 2}, "is of recompute layers, not full"),
        ({"recompute_layers": 20, "pp": 2}, "recompute_layers = 20 is more than the 18 layers"),
        ({"restart": 60}, "restart (--restart) is of a whole run: give its tokens (--tokens), too"),
        ({"document": 8192}, "document (8,192 tokens) is longer than seq (4,096)"),
        ({"chips": 16}, "There are 8 chips in HGX H100, 8 GPUs, not 16: name more of it, such as "
         "2xhgx-h100"),
        ({"framework": "megatorn"}, "There is no training framework 'megatorn'. Did you mean"),
        ({"framework_version": "0.12"}, "a version is of one framework, and current stands for"),
        ({"framework": "megatron-lm", "framework_version": "9"}, "is no version that is known"),
        ({"price": 2, "basis": "spot"}, "price (--price) is used whatever basis"),
        ({"constants": "mine.toml", "reading": "ideal"}, "constants (--constants) are of the"),
        ({"micro_batch": 3, "dp": 8, "global_batch": 1024}, "use 1,008 or 1,032"),
        ({"order": "tp,cp"}, "order: each of the degrees once, neighbours first is expected"),
        ({"sequence_parallel": "maybe"}, "sequence_parallel: on or off is expected, not 'maybe'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_sentence(options: dict[str, Any], says: str) -> None:
    machine = "h100-sxm" if options.get("chips", 0) > 16 else HGX
    with pytest.raises((SpecError, InfeasibleError, CatalogError)) as caught:
        rl.training(SMALL, machine, **options)
    assert says in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_machines_without_a_network_or_the_arithmetic() -> None:
    with pytest.raises(InfeasibleError, match=r"Nothing joins 64 x .*cluster.scale_out"):
        rl.training(SMALL, "rtx-4090", chips=64)
    with pytest.raises(InfeasibleError, match=r"has no fp8 arithmetic .* \(--precision\)"):
        rl.training(SMALL, "hgx-a100-80gb", precision="fp8")
    with pytest.raises(SpecError, match="One machine at a time"):
        rl.training(SMALL, "hgx-h100,hgx-h200")


def test_experts_that_do_not_divide() -> None:
    with pytest.raises(InfeasibleError, match="ep = 7 does not divide the 128 experts of a layer"):
        rl.training("Qwen/Qwen3-30B-A3B", HGX, ep=7)
    with pytest.raises(InfeasibleError, match=r"ep x expert_tp = 1 x 2 does not divide .* = 1"):
        rl.training("Qwen/Qwen3-30B-A3B", "h100-sxm", dp=1, expert_tp=2)
    with pytest.raises(InfeasibleError, match=r"ep x expert_tp = 8 x 8 does not divide .* = 8"):
        rl.training("Qwen/Qwen3-30B-A3B", HGX, ep=8, tp=8, expert_tp=8, seq=4096)
