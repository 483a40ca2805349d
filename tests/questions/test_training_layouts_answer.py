"""The answer of the training search: each row a single call, reasons that hold, one mechanism."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.families import TOO_CLOSE, tied
from ridgeline.questions.training.plain import chosen_job
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.questions.training.words import job_words
from ridgeline.questions.training_layouts.answer import EQUAL
from ridgeline.questions.training_layouts.reasons import costs, parts_s
from ridgeline.questions.training_layouts.sentences import axes_told, families_told
from ridgeline.questions.training_layouts.simplicity import simplicity
from ridgeline.questions.training_layouts.space import Space
from ridgeline.questions.training_layouts.stated import axes_of
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_seconds, job_step

QWEN, NODES = "Qwen/Qwen3-8B", "hgx-h100"
LOAD: dict[str, Any] = {"seq": 8192, "global_batch": 256}
LLAMA = "meta-llama/Meta-Llama-3-70B"
#: axes that tests hold, so that searches are short
NARROW: dict[str, Any] = {"cp": 1, "order": "tp,cp,dp,pp"}


@cache
def answer_of(model: str = QWEN, on: Any = NODES, **options: Any) -> rl.TrainingLayouts:
    return rl.training_layouts(model, on, **{**LOAD, **NARROW, **options})


@cache
def pressed() -> rl.TrainingLayouts:
    """A model that hardly fits, so that families differ in what they compute again."""
    return answer_of(LLAMA, "4xhgx-h100")


def single(answer: rl.TrainingLayouts, row: dict[str, Any]) -> rl.Training:
    scenario = answer.scenario
    on = answer.search_of(row).setup.named.cluster
    options = {**scenario.options(), **answer.options(row)}
    return rl.training(scenario.model, on, **options)


def asked_alone(answer: rl.TrainingLayouts, row: dict[str, Any]) -> TrainingJob:
    """The job of `rl.training` with a row's options, which is not timed yet."""
    setup = answer.search_of(row).setup
    scenario = setup.scenario.with_options(**answer.options(row))
    return chosen_job(TrainingSetup(scenario, given_machine=setup.named)).job


@pytest.mark.parametrize("model", [QWEN, LLAMA])
def test_rows_are_single_calls(model: str) -> None:
    answer = answer_of() if model == QWEN else pressed()
    rng = np.random.default_rng(7)
    few = [answer.best, *(answer.rows[i] for i in rng.integers(len(answer.rows), size=4))]
    for row in [*few, answer.front[-1]]:
        one = single(answer, row)
        assert one.memory is not None
        assert one.step_s == pytest.approx(row["time_s"], rel=1e-9)
        assert one.tokens_per_s_per_chip == pytest.approx(row["tokens_per_s_per_chip"], rel=1e-9)
        assert one.utilization["full"] == pytest.approx(row["mfu"], rel=1e-9)
        assert float(one.memory.peak_bytes()[0]) == pytest.approx(row["peak_bytes"], rel=1e-9)
        assert one.fits_probability == pytest.approx(row["fits_probability"], abs=1e-9)
        price = one.price
        assert price is not None
        usd = price.usd_per_chip_hour / 3600 / row["tokens_per_s_per_chip"] * 1e6
        assert row["usd_per_mtok"] == pytest.approx(usd)
        tdp = one.job.cluster.chip.tdp
        assert row["wh_per_mtok"] == pytest.approx(
            (tdp or 0) / 3600 / row["tokens_per_s_per_chip"] * 1e6
        )


def test_nothing_listed_beats_the_winner_and_the_simplest_of_those_too_close_is_named() -> None:
    answer = pressed()
    times = [row["time_s"] for row in answer.rows]
    assert times == sorted(times)
    close = tied(answer.rows, answer.rank)
    keys = [simplicity(answer.job(r)) for r in close]
    assert len(close) > 1
    assert simplicity(answer.job(answer.simplest)) == min(keys)
    alike = [r for r, key in zip(close, keys, strict=True) if key == min(keys)]
    assert answer.simplest["time_s"] == min(r["time_s"] for r in alike)
    assert answer.simplest["time_s"] <= times[0] * (1 + TOO_CLOSE)
    assert (answer.simplest["layout"] in str(answer)) or answer.simplest is answer.best
    equals = tied(answer.rows, answer.rank, EQUAL)
    assert simplicity(answer.best_job) == min(simplicity(answer.job(r)) for r in equals)
    assert all(row["fits_probability"] >= 0.9 for row in answer.rows)
    assert answer.n_fit <= answer.n_legal


def test_orders_of_degrees_that_change_nothing_are_listed_once() -> None:
    answer = pressed()
    told = [
        tuple(v for n, v in r.items() if n not in ("id", "layout", "order")) for r in answer.rows
    ]
    assert len(set(told)) == len(told)


def _time(row: dict[str, Any]) -> float:
    return row["time_s"]


def test_rows_have_names_of_their_own() -> None:
    for answer in (answer_of(), pressed()):
        names = [row["layout"] for row in answer.rows]
        assert len(set(names)) == len(names)


def test_the_winner_is_at_hand_as_an_answer_about_training() -> None:
    answer = answer_of(tokens="1T")
    best = answer.best_training
    assert best.step_s == pytest.approx(answer.best["time_s"], rel=1e-9)
    assert best.run is not None
    assert any("1.00 T tokens" in said for said in answer.sentences())
    assert best.job.layout == answer.best_job.layout
    assert best.job.recipe == answer.best_job.recipe


def test_what_is_given_is_fixed() -> None:
    answer = answer_of(tp=4, micro_batch=2, recompute="full", zero=3)
    assert {row["tp"] for row in answer.rows} == {4}
    assert {answer.job(r).recipe.micro_batch for r in answer.rows} == {2}
    assert {answer.job(r).recipe.recompute for r in answer.rows} == {"full"}
    assert answer.axes["tp"] == (4,)
    assert not {f.degree for f in answer.families()} & {"tp", "micro_batch", "recompute", "zero"}


def test_values_of_axes_may_be_stated() -> None:
    asked: dict[str, Any] = {"tp": 2, "micro_batch": 1, **LOAD}
    axes = axes_of(["schedule=none,1f1b,zb-h1", "offload=none,optimizer", "pp=1,2", "zero=1"])
    answer = rl.training_layouts(QWEN, NODES, axes=axes, **asked)
    assert answer.axes["schedule"] == (None, "1f1b", "zb-h1")
    assert answer.axes["offload"] == ((), ("optimizer",))
    assert {row["pp"] for row in answer.rows} == {1, 2}
    assert {row["offload"] for row in answer.rows} == {(), ("optimizer",)}
    for row in (answer.best, *(r for r in answer.rows if r["schedule"] == "zb-h1")):
        alone = float(job_seconds(asked_alone(answer, row))[0])
        assert alone == pytest.approx(row["time_s"], rel=1e-9)
    # Chunks go with no schedule that was tried, which is said.
    assert any("goes with it" in said for said in answer.impossible())
    with pytest.raises(SpecError, match="fixed by the question"):
        rl.training_layouts(QWEN, NODES, axes={"tp": [1, 2]}, **asked)


@pytest.mark.parametrize(
    ("text", "said"),
    [("shedule=1f1b", "schedule"), ("tp=x", "whole numbers"), ("tp=", "such as tp=2,4"),
     ("sequence_parallel=yes", "on or off"), ("order=tp+cp", "each of")],
)  # fmt: skip
def test_axes_that_cannot_be_read_are_told(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        rl.training_layouts(QWEN, NODES, axes=axes_of([text]), **LOAD)


def test_every_other_value_of_every_axis_is_a_family_with_its_ratio() -> None:
    answer = pressed()
    winner, found = answer.best, answer.families()
    expected = {
        (axis, value) for axis, values in answer.axes.items() if len(values) > 1
        for value in values if value != winner[axis] and (axis, value) != ("schedule", None)
    }  # fmt: skip
    assert [(f.degree, f.value) for f in found] == list(dict.fromkeys(
        (f.degree, f.value) for f in found
    ))  # fmt: skip
    assert {(f.degree, f.value) for f in found} == expected
    with_rows = [f for f in found if f.best is not None]
    assert len(with_rows) > 5
    for family in with_rows:
        assert family.best is not None
        assert family.best[family.degree] == family.value
        own_s = float(job_seconds(asked_alone(answer, family.best))[0])
        quotient = own_s / answer.best_training.step_s
        assert family.ratio == pytest.approx(quotient, rel=1e-9)
        own = [r["time_s"] for r in answer.rows if r[family.degree] == family.value]
        assert min(own) == family.best["time_s"]


def test_the_part_named_is_the_one_that_grew_most() -> None:
    answer = pressed()
    best = parts_s(answer.best_job)
    causes = {"bubble": "bubble of", "recompute": "computing", "dp": "data-parallel ranks",
              "tp": "TP collectives", "hops": "between", "products": "GEMMs"}  # fmt: skip
    named = 0
    for family in answer.families():
        if family.best is None or "too close" in family.reason:
            continue
        spent = parts_s(answer.job(family.best))
        worst = max(spent, key=lambda n: spent[n] - best[n])
        share = spent[worst] / sum(spent.values())
        if worst in causes and "no part" not in family.reason:
            named += 1
            assert causes[worst] in family.reason
            said = float(re.findall(r"([\d.]+)% of the step", family.reason)[0])
            assert said == pytest.approx(100 * share, abs=0.51)
    assert named > 3


def test_parts_of_a_token_add_up_to_its_time() -> None:
    answer = answer_of()
    job = answer.best_job
    whole = sum(parts_s(job).values()) * job.load.tokens / job.n_chips
    assert whole == pytest.approx(answer.best["time_s"], rel=1e-9)


def test_recompute_is_told_with_the_memory_that_forces_it() -> None:
    job = rl.training(LLAMA, "4xhgx-h100", **LOAD, tp=2, pp=4, zero=3, recompute="full").job
    kept = job.recipe.model_copy(update={"recompute": "none"})
    winner = replace(job, recipe=kept, layout=job.layout.model_copy(update={"tp": 8, "dp": 1}))
    said = costs(job, winner)
    need = float(job_memory(replace(job, recipe=kept)).needed_bytes[0])
    assert float(re.findall(r"would need ([\d.]+) GB", said)[0]) == pytest.approx(
        need / 1e9, rel=5e-3
    )
    again = float(job_step(job).parts_s["recompute"][0] / job_step(job).time_s[0])
    assert f"{100 * again:.0f}% of the step" in said


def test_a_family_without_memory_says_what_it_needs() -> None:
    answer = pressed()
    lacking = [f for f in answer.families() if f.best is None and "needs" in f.reason]
    assert lacking
    for family in lacking:
        need, have = re.findall(r"needs ([\d.]+) GB per chip, has ([\d.]+) GB", family.reason)[0]
        assert float(need) > 0.8 * float(have)


def test_words_of_families_name_the_next_values() -> None:
    answer = pressed()
    near, every = families_told(answer), families_told(answer, every=True)
    assert 0 < len(near) < len(every)
    below = max((v for v in answer.axes["tp"] if v < answer.best["tp"]), default=None)
    if below:
        assert any(re.search(rf"\bTP {below}\b", said) for said in near)
    (tried,) = axes_told(answer)
    assert "tp 1, 2, 4, 8" in tried


def test_json_equals_the_table() -> None:
    answer = answer_of()
    found = json.loads(answer.to_json())
    table = answer.answer.table("layouts")
    for row, shown in zip(found["rows"], table.rows, strict=False):
        for key in table.columns:
            assert row[key] == pytest.approx(shown[key]) if key != "layout" else shown[key]
    assert found["fits"] is True
    assert found["values"]["time_s"] == answer.best["time_s"]
    again = rl.training(QWEN, NODES, **{**LOAD, **NARROW, **found["options"]})
    assert again.step_s == pytest.approx(answer.best["time_s"], rel=1e-9)
    assert [f["reason"] for f in found["families"]] == [f.reason for f in answer.families()]
    assert all(r["time_low_s"] < r["time_s"] < r["time_high_s"] for r in found["rows"])


def test_the_front_is_beaten_by_no_row() -> None:
    answer = pressed()
    points = [(r["headroom_bytes"], r["tokens_per_s_per_chip"]) for r in answer.front][::-1]
    assert points == sorted(points, reverse=True)
    assert [y for _, y in points] == sorted(y for _, y in points)
    for row in answer.rows:
        here = (row["headroom_bytes"], row["tokens_per_s_per_chip"])
        assert not all(here[0] > x or here[1] > y for x, y in points) or here in points


# --- what starts it


def test_the_winner_is_started_as_a_single_call_is() -> None:
    answer = answer_of(tokens="1T")
    assert str(answer.command("megatron-lm")) == str(answer.best_training.command("megatron-lm"))


def test_a_tool_that_cannot_run_the_winner_starts_the_next_that_it_can() -> None:
    answer = answer_of()
    assert answer.best_job.layout.zero == 1  # which torchtitan does not have
    found = answer.command("torchtitan")
    (number,) = re.findall(r"number (\d+) of the ranking", " ".join(found.notes))
    row = answer.rows[int(number) - 1]
    assert str(found) == str(answer.training(row).command("torchtitan"))


# --- several machines, ranks


def test_machines_are_ranked_by_dollars_on_one_basis() -> None:
    answer = answer_of(QWEN, ("hgx-h100", "hgx-h200"), tp=2, pp=1)
    assert answer.rank.column == "usd_per_mtok"
    assert {row["cluster"] for row in answer.rows} == {"hgx-h100", "hgx-h200"}
    assert any(said.startswith("Best of each machine") for said in answer.sentences())
    for key in ("hgx-h100", "hgx-h200"):
        own = min((r for r in answer.rows if r["cluster"] == key), key=_time)
        alone = answer_of(QWEN, key, tp=2, pp=1)
        assert own["time_s"] == min(r["time_s"] for r in alone.rows)
        assert single(answer, own).step_s == pytest.approx(own["time_s"], rel=1e-9)


def test_machines_that_hold_nothing_are_noted_beside_those_that_do() -> None:
    asked: dict[str, Any] = {"tp": 8, "zero": 1, "micro_batch": 1, "recompute": "full"}
    answer = answer_of(LLAMA, ("2xhgx-h100", "4xhgx-h100"), **asked)
    assert {row["cluster"] for row in answer.rows} == {"4xhgx-h100"}
    assert not any(said.startswith("Best of each") for said in answer.sentences())
    short = [note for note in answer.notes() if "16 x NVIDIA H100" in note]
    assert any("Closest comes" in note for note in short)
    # What cannot multiply the format is no machine to search, and is said.
    other = answer_of(QWEN, ("hgx-h100", "hgx-a100-80gb"), precision="fp8", tp=2, pp=1)
    assert [s.key for s in other.searches] == ["hgx-h100"]
    assert any("no fp8 arithmetic" in note for note in other.notes())


@pytest.mark.parametrize("rank", ["time", "energy"])
def test_ranks(rank: str) -> None:
    answer = answer_of(QWEN, ("hgx-h100", "hgx-h200"), tp=2, pp=1, rank=rank)
    values = [row[answer.rank.column] for row in answer.rows[1:]]
    assert values == sorted(values)


def test_a_wrong_rank_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="usd"):
        rl.training_layouts(QWEN, NODES, rank="uds", **LOAD)


def test_dollars_across_bases_rank_nothing() -> None:
    apart = ["hgx-h800", "hgx-a100-80gb"]  # one has contract prices, the other on-demand ones
    asked: dict[str, Any] = {**LOAD, **NARROW, "tp": 2, "zero": 3, "micro_batch": 1}
    with pytest.raises(SpecError, match="Rank by time or energy"):
        rl.training_layouts(QWEN, apart, rank="usd", **asked)
    answer = rl.training_layouts(QWEN, apart, **asked)
    assert answer.rank.column == "time_s"
    assert any("dollars do not rank" in note for note in answer.notes())


# --- wrong questions


def test_a_model_that_fits_nowhere_says_what_comes_closest_and_what_it_lacks() -> None:
    answer = answer_of(LLAMA, "hgx-h100", global_batch=64)
    assert answer.rows == []
    assert answer.n_fit == 0 < answer.n_legal
    with pytest.raises(InfeasibleError, match="Closest comes"):
        _ = answer.best
    (closest, *_) = answer.closest()
    memory = job_memory(answer.job(closest))
    need = float(memory.needed_bytes[0])
    said = " ".join(answer.sentences())
    assert float(re.findall(r"needs ([\d.]+) GB", said)[0]) == pytest.approx(need / 1e9, rel=5e-3)
    over = (need - memory.capacity_bytes) / 1e9
    assert float(re.findall(r"([\d.]+) GB more", said)[0]) == pytest.approx(over, rel=2e-2)
    assert "would make it fit" in said or "more chips" in said
    assert json.loads(answer.to_json())["fits"] is False
    with pytest.raises(InfeasibleError, match="no layout fits"):
        answer.chart("front")


def test_a_fixed_degree_that_nothing_goes_with_says_which_would() -> None:
    answer = answer_of(QWEN, NODES, tp=3)
    assert answer.n_legal == 0
    said = " ".join(answer.sentences())
    assert "no layout can be" in said
    assert "tp = 3" in said


def test_a_batch_smaller_than_the_pipeline_says_so() -> None:
    answer = answer_of(LLAMA, "4xhgx-h100", pp=16, vp=5, global_batch=4)
    assert answer.n_legal == 0
    said = " ".join(answer.sentences())
    assert "micro-batches" in said
    assert "16" in said


def test_the_blackboard_ranks_no_layouts() -> None:
    with pytest.raises(SpecError, match="ideal or calibrated"):
        rl.training_layouts(QWEN, NODES, reading="blackboard", **LOAD)


@pytest.mark.parametrize(
    ("option", "value", "implies"), [("vp", 2, "pp"), ("cp_kind", "all_to_all", "")]
)
def test_what_is_of_a_degree_may_be_given_while_the_degree_is_searched(
    option: str, value: Any, implies: str
) -> None:
    asked: dict[str, Any] = {**LOAD, "tp": 2, "zero": 1, "micro_batch": 1, option: value}
    answer = rl.training_layouts(QWEN, NODES, **asked)
    rows = [r for r in answer.rows if r[implies or "cp"] > 1]
    assert rows
    assert not implies or len(rows) == len(answer.rows)
    for row in (answer.best, rows[0], answer.rows[-1]):
        assert answer.training(row).step_s == pytest.approx(row["time_s"], rel=1e-9)
        assert row["cp"] == 1 or option != "cp_kind" or answer.job(row).layout.cp_kind == value


def test_no_chips_are_refused() -> None:
    with pytest.raises(rl.RidgelineError, match="chips"):
        rl.training_layouts(QWEN, NODES, chips=0, **LOAD)
    with pytest.raises(rl.RidgelineError, match="hgx-h100"):
        rl.training_layouts(QWEN, "0xhgx-h100", **LOAD)


def test_a_model_known_by_counts_has_no_layouts() -> None:
    counts = rl.Model.from_counts(n_params_active=8e9, n_params=8e9, kv_bytes_per_token=1e5)
    with pytest.raises(SpecError, match=r"config\.json"):
        rl.training_layouts(counts, NODES, **LOAD)


# --- pictures


def test_pictures_of_the_winners_step_are_at_hand() -> None:
    answer = answer_of()
    assert answer.chart("memory").spec == answer.best_training.chart("memory").spec
    with pytest.raises(SpecError, match="front"):
        answer.chart("frnt")


def test_spaces_are_told_as_they_were_searched() -> None:
    answer = answer_of()
    (one,) = answer.searches
    assert isinstance(one.space, Space)
    assert answer.answer.provenance["axes"][one.key].keys() == answer.axes.keys()


def test_chunks_are_refused_for_what_stands_against_them() -> None:
    """Not because they were asked without the schedule that has them, or without stages."""
    # Of six chips 3 or 6 stages go with a batch of 8, whose micro-batches neither divides.
    found = rl.training_layouts(
        "openai-community/gpt2", NODES, chips=6, tp=1, cp=1, seq=1024, global_batch=8
    )
    reasons = {(f.degree, f.value): f.reason for f in found.families() if f.best is None}
    assert "in groups of as many as stages" in reasons["schedule", "interleaved"]
    assert "in groups of as many as stages" in reasons["vp", 2]


def test_what_people_may_choose_and_was_not_tried_is_said() -> None:
    said = "Not tried unless stated (--try): other schedules of stages, ZeRO 2 and offload."
    assert said in answer_of().notes()
    fixed = answer_of(schedule="1f1b", pp=2, tp=2, zero=1, offload="optimizer")
    assert not any("Not tried" in note for note in fixed.notes())
    one = rl.training_layouts("openai-community/gpt2", NODES, chips=1, seq=1024, global_batch=8)
    assert "Not tried unless stated (--try): offload." in one.notes()


def test_short_sequences_are_taken_many_at_a_time() -> None:
    small: dict[str, Any] = {"seq": 1024, "global_batch": 512, "tp": 1, "cp": 1, "pp": 1}
    found = rl.training_layouts("openai-community/gpt2", NODES, **small)
    assert found.axes["micro_batch"] == (1, 2, 4, 8, 16, 32)
    few = rl.training_layouts("openai-community/gpt2", NODES, axes={"micro_batch": [8]}, **small)
    assert found.best["micro_batch"] == 32
    assert found.best["time_s"] < 0.85 * few.best["time_s"]
    assert answer_of().axes["micro_batch"] == (1, 2, 4, 8)


def test_the_usual_order_stands_for_those_that_change_nothing() -> None:
    axes = axes_of(["order=tp+pp+cp+dp,tp+cp+dp+pp", "pp=1,2"])
    found = rl.training_layouts("openai-community/gpt2", NODES, axes=axes, seq=1024,
                                global_batch=64)  # fmt: skip
    assert found.best["pp"] == 1
    assert found.best["order"] == ("tp", "cp", "dp", "pp")


def test_what_can_change_nothing_is_no_family() -> None:
    one = rl.training_layouts("openai-community/gpt2", NODES, chips=1, seq=1024, global_batch=8)
    assert {f.degree for f in one.families()} == {"micro_batch", "recompute"}
    assert not any("goes with it" in said for said in families_told(one, every=True))


def test_a_value_that_cannot_be_is_told_once() -> None:
    found = rl.training_layouts(QWEN, NODES, axes={"tp": [3]}, **LOAD)
    assert found.missing()[1:] == [
        "TP 3: tp = 3 does not divide the 32 attention heads of Qwen/Qwen3-8B: use 2 or 4 (--tp)."
    ]


def test_some_layers_of_a_short_stage_are_tried_and_all_of_them_once() -> None:
    """Of a stage's four layers three may be what memory asks for; four of four are all."""
    found = answer_of(LLAMA, "4xhgx-h100", pp=16, tp=2, dp=1)  # stages of five layers
    legal = {value: n for value, (n, _) in found.searches[0].search.counts("recompute").items()}
    assert all(legal[f"layers {n}"] > 0 for n in (1, 2, 3, 4))
    assert not any(legal[f"layers {n}"] for n in (6, 8, 12, 64))
    whole = answer_of("openai-community/gpt2", chips=4, pp=4, tp=1)  # of three
    legal = {value: n for value, (n, _) in whole.searches[0].search.counts("recompute").items()}
    assert legal["layers 2"] == legal["full"] > 0 == legal["layers 3"]


def test_one_of_a_thing_is_said_as_one() -> None:
    job = answer_of(tp=4, recompute="layers", recompute_layers=1).best_job
    assert "recompute of 1 layer," in f"{job_words(job)},"
    few = rl.training(QWEN, NODES, pp=4, tp=1, global_batch=2, framework="current").job
    assert "with 1 micro-batch takes" in costs(few, few, dict.fromkeys(parts_s(few), 0.0))
    two = rl.training(QWEN, NODES, pp=4, tp=2, dp=1, schedule="dualpipe", zero=3,
                      global_batch=8).job  # fmt: skip
    only_dp = {k: 0.0 if k == "dp" else v for k, v in parts_s(two).items()}
    # Both copies of the model exchange gradients.
    assert "of 2 data-parallel ranks" in costs(two, two, only_dp)


def test_state_space_layers_have_scans_and_no_attention() -> None:
    found = rl.training("tiiuae/falcon-mamba-7b", NODES, global_batch=64)
    assert found.part_words("attention") == "state scans"
    assert "attention" not in found.sentences()[2]
    hybrid = rl.training("ai21labs/AI21-Jamba-1.5-Mini", "4xhgx-h100", global_batch=64)
    assert hybrid.part_words("attention") == "attention and state scans"


def test_a_machine_without_a_price_is_named_where_dollars_rank() -> None:
    with pytest.raises(SpecError, match="rtx-3070"):
        rl.training_layouts(
            "openai-community/gpt2", [NODES, "pc-rtx-3070"], rank="usd", seq=1024, global_batch=8
        )


def test_where_not_even_sharding_helps_adapters_are_named() -> None:
    nothing = rl.training_layouts(QWEN, "pc-rtx-4090", seq=4096, global_batch=16)
    assert "adapters alone (--task lora, qlora)" in str(nothing)
    tuned = rl.training_layouts(LLAMA, "pc-rtx-4090", seq=4096, global_batch=16, task="qlora")
    assert not tuned.rows
    assert "adapters alone" not in str(tuned)
