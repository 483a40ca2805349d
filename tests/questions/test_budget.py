"""The token budget: against FLOPs by hand, the answers it is made from, and the laws' optimum."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.laws.scaling import effective_params_routed

LLAMA = "meta-llama/Meta-Llama-3-70B"


def test_the_lectures_loop() -> None:
    """A hundred billion active, fifty million tokens a second for two months."""
    found = rl.budget(active="100B", traffic="50M", lifetime="60 d")
    assert found.plan.tokens == pytest.approx(259.2e12)
    assert found.plan.rl_tokens == pytest.approx(259.2e12 / 1.5)
    assert found.overtraining == pytest.approx(129.6)
    assert (found.plan.alpha, found.plan.beta) == pytest.approx((1.5, 1.0))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"inference_tokens": "200T"}, (200, 133.33, 200)),
        ({"tokens": "200T"}, (200, 133.33, 200)),
        ({"rl_tokens": "133.333333T"}, (200, 133.33, 200)),
        ({"compute": 3.6e26}, (200, 133.33, 200)),
        ({"tokens": "200T", "split": "halves"}, (200, 133.33, 400)),
        ({"inference_tokens": "400T", "split": "halves"}, (200, 133.33, 400)),
        ({"inference_tokens": "200T", "split": "without-rl"}, (200, 0, 200)),
        ({"inference_tokens": "200T", "deployed": 0.5}, (100, 66.67, 200)),
        ({"tokens": "100T", "deployed": 0.5}, (100, 66.67, 200)),
        ({"inference_tokens": "200T", "rl_factor": 6}, (200, 66.67, 200)),
        ({"inference_tokens": "200T", "mfu_ratio": 0.3, "rl_factor": 2}, (222.2, 200, 200)),
        ({"tokens": "2T", "inference_tokens": "200T"}, (2, 1.333, 200)),
        ({"tokens": "2T", "inference_tokens": 0}, (2, 1.333, 0)),
        ({"compute": 3.6e26, "inference_tokens": "400T"}, (100, 66.67, 400)),
        ({"compute": 3.6e26, "tokens": "200T", "rl_tokens": 0}, (200, 0, 400)),
    ],
)
def test_one_number_sets_the_rest(given: dict[str, Any], expected: tuple[float, ...]) -> None:
    plan = rl.budget(active="100B", **given).plan
    found = (plan.tokens, plan.rl_tokens, plan.inference_tokens)
    assert [n / 1e12 for n in found] == pytest.approx(expected, rel=1e-3)


def test_size_cancels_out_of_tokens_but_not_of_the_optimum() -> None:
    small, large = (rl.budget(active=n, inference_tokens="200T") for n in ("10B", "100B"))
    assert small.plan.tokens == pytest.approx(large.plan.tokens)
    assert small.plan.flops["rl"] == pytest.approx(large.plan.flops["rl"] / 10)
    assert small.overtraining == pytest.approx(10 * large.overtraining)
    assert small.optimum.cheapest.tokens != pytest.approx(large.optimum.cheapest.tokens, rel=0.01)


def test_worked_optimum_of_the_lecture() -> None:
    """C5-20: the loss of (100B, 2T), 200T served at equal MFU, no RL."""
    found = rl.budget(
        active="100B", tokens="2T", inference_tokens="200T", split="without-rl", mfu_ratio=1,
        law="hoffmann-2022",
    )  # fmt: skip
    best = found.optimum.cheapest
    assert best.n_params_active == pytest.approx(1.12e10, rel=0.1)
    assert best.tokens == pytest.approx(3.5e13, rel=0.1)
    assert best.demand / best.tokens == pytest.approx(1.9, rel=0.1)
    # C5-19: at (100B, 200T) the exponent is 1.21
    there = rl.budget(active="100B", tokens="200T", law="chinchilla").optimum
    assert there.exponent == pytest.approx(1.21, rel=0.02)


@pytest.mark.parametrize("law", [one.id for one in catalog.loss_laws()])
@pytest.mark.parametrize("unique", [None, "30T"])
def test_nothing_near_the_optimum_is_better(law: str, unique: str | None) -> None:
    found = rl.budget(active="30B", inference_tokens="40T", law=law, unique_tokens=unique)
    best, plan = found.optimum, found.optimum.plan
    n = best.cheapest.n_params_active * np.geomspace(0.5, 2, 401)
    cost = n * (best.tokens(n, plan.loss) + plan.demand)
    cheapest = best.cheapest
    assert cheapest.n_params_active * (cheapest.tokens + plan.demand) <= cost.min() * (1 + 1e-9)
    assert cheapest.loss == pytest.approx(plan.loss)
    assert cheapest.total_flops <= plan.total_flops
    assert best.best.total_flops == pytest.approx(plan.total_flops)
    assert best.best.loss <= plan.loss
    d = best.best.tokens * np.geomspace(0.5, 2, 401)
    loss = best.loss(plan.total_flops / 6 / (d + plan.demand), d)
    assert best.best.loss <= loss.min() + 1e-12


def test_without_anything_else_it_is_the_compute_optimum() -> None:
    found = rl.budget(active="100B", tokens="2T", inference_tokens=0, split="without-rl")
    best = found.optimum
    assert best.cheapest.n_params_active == pytest.approx(best.compute_optimal.n_params_active)
    assert best.exponent == pytest.approx(0, abs=0.05)  # the refit is Chinchilla's ratio
    assert found.overtraining == 1


def test_more_demand_makes_smaller_models_of_longer_training() -> None:
    sizes, lengths = [], []
    for served in ("1T", "10T", "100T", "1000T"):
        best = rl.budget(active="70B", tokens="2T", inference_tokens=served).optimum.cheapest
        sizes.append(best.n_params_active)
        lengths.append(best.tokens)
    assert sizes == sorted(sizes, reverse=True)
    assert lengths == sorted(lengths)


def test_laws_of_ones_own(tmp_path: Path) -> None:
    numbers = {"e": 1.8172, "a": 482.01, "b": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    path = tmp_path / "mine.toml"
    path.write_text(
        'id = "mine"\nname = "Mine"\n' + "".join(f"{k} = {v}\n" for k, v in numbers.items())
    )
    usual = rl.budget(active="7B", tokens="2T").optimum.cheapest
    for law in (str(path), {"id": "mine", "name": "Mine", **numbers}):
        found = rl.budget(active="7B", tokens="2T", law=law)
        assert found.optimum.cheapest == usual
        assert len(found.others) == len(catalog.loss_laws())
    with pytest.raises(SpecError, match="alpha"):
        rl.budget(active="7B", tokens="2T", law={"id": "x", "name": "x", **numbers, "alpha": -1})


def test_experts_make_the_loss_of_active_parameters_better() -> None:
    v3 = "deepseek-ai/DeepSeek-V3"
    plain, clark, twice = (rl.budget(v3, experts=e) for e in ("active", "clark", 2))
    n, total = plain.plan.n_params_active, float(rl.counts(plain.model).n_params)
    ratio = float(effective_params_routed(n, total / n)) / n
    assert clark.params_ratio == pytest.approx(ratio)
    assert ratio > 1
    law = plain.optimum.law
    expected = law.e + law.a * (2 * n) ** -law.alpha + law.b * plain.plan.tokens**-law.beta
    assert twice.optimum.plan.loss == pytest.approx(expected)
    assert any("active parameters alone" in note for note in plain.notes)


def test_published_tokens_are_the_start_where_nothing_is_given() -> None:
    found = rl.budget("deepseek-ai/DeepSeek-V3")
    assert found.plan.tokens == 14.8e12
    assert any("as published" in note for note in found.notes)


@pytest.fixture(scope="module")
def on_machine() -> rl.Budget:
    return rl.budget(LLAMA, "256xhgx-h100", traffic="20M", lifetime="180 d", global_batch=2048)


def test_efficiencies_are_those_of_the_answers(on_machine: rl.Budget) -> None:
    """Chapters 1 to 5 on one model: the step's MFU, and serving's."""
    step = rl.training(LLAMA, "256xhgx-h100", global_batch=2048)
    served = rl.serving(LLAMA, "h100-sxm", chips="best")
    n = float(rl.counts(rl.model(LLAMA)).n_params_active)
    peak = rl.chip("h100-sxm").peak["bf16"]
    use = on_machine.efficiency
    assert use.train_mfu == pytest.approx(6 * n * step.tokens_per_s_per_chip / peak)
    assert use.decode_mfu == pytest.approx(2 * n * served.chosen["tokens_per_s_per_chip"] / peak)
    assert use.ratio * (use.train_mfu or 0) == pytest.approx(use.decode_mfu)


def test_money_and_time_are_tokens_over_rates(on_machine: rl.Budget) -> None:
    """By the tokens per second of the two answers, without any MFU."""
    fleet = on_machine.efficiency.fleet
    assert fleet is not None
    assert fleet.training is not None
    assert fleet.serving is not None
    assert fleet.price is not None
    assert fleet.n_chips == 2048
    plan, values = on_machine.plan, on_machine.values
    seconds = plan.tokens / fleet.training.tokens_per_s_per_chip / 2048
    assert values["training_days"] == pytest.approx(seconds / 86_400)
    rate = fleet.serving.chosen["tokens_per_s_per_chip"]
    assert values["serving_chips"] == pytest.approx(20e6 / rate)
    hours = [row["chip_hours"] for row in on_machine.tables[0].rows]
    assert hours[0] == pytest.approx(hours[1]) == pytest.approx(hours[2])
    assert values["usd"] == pytest.approx(sum(hours[:3]) * fleet.price.usd_per_chip_hour)


def test_requests_bring_their_prefill(on_machine: rl.Budget) -> None:
    asked = rl.budget(LLAMA, "hgx-h100", tokens="15T", isl=4096, osl=256, train_mfu=0.4)
    assert asked.efficiency.fleet is not None
    assert asked.efficiency.fleet.training is None
    served = rl.serving(LLAMA, "h100-sxm", chips="best", isl=4096, osl=256)
    n = asked.plan.n_params_active
    peak = rl.chip("h100-sxm").peak["bf16"]
    assert asked.efficiency.decode_mfu == pytest.approx(
        2 * n * served.chosen["tokens_per_s_per_chip"] / peak
    )
    assert asked.plan.beta > on_machine.plan.beta


def test_a_size_alone_is_priced_at_assumed_mfus() -> None:
    found = rl.budget(None, "hgx-h100", active="70B", tokens="1T")
    assert (found.efficiency.train_mfu, found.efficiency.ratio) == pytest.approx((0.4, 1 / 3))
    assert sum("--train-mfu" in n or "--mfu-ratio" in n for n in found.notes) == 2


def test_published_runs_are_those_of_the_papers() -> None:
    runs = {run.name: run for run in catalog.published_runs()}
    assert len(runs) > 60
    assert runs["Meta-Llama-3.1-405B"].n_tokens == 15.6e12
    assert 6 * runs["Meta-Llama-3.1-405B"].n_params * 15.6e12 == pytest.approx(3.8e25, rel=0.01)
    assert runs["Chinchilla"].n_tokens / runs["Chinchilla"].n_params == 20
    counted = 0
    for run in runs.values():
        if any(run.model == one for one in catalog.entry_ids("models")):
            own = rl.counts(rl.model(run.model)).n_params
            assert float(own) == pytest.approx(run.n_params, rel=0.08), run.model
            counted += 1
    assert counted > 40


def test_published_runs_agree_with_the_facts_collected() -> None:
    path = Path(__file__).parents[3] / "shared" / "facts" / "models.csv"
    if not path.exists():
        pytest.skip("the facts are not beside this checkout")
    with path.open(newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["train_tokens_t"]]
    for row in rows:
        run = catalog.published_run(f"{row['org']}/{row['model']}")
        assert run is not None
        assert run.n_tokens == pytest.approx(float(row["train_tokens_t"]) * 1e12)


def test_what_it_depends_on_is_the_same_question_asked_again() -> None:
    found = rl.budget(active="100B", traffic="50M", lifetime="60 d")
    rows = {row["what"]: row for row in found.answer.table("changes").rows}
    again = {
        "as asked": {},
        "serving at half its MFU": {"mfu_ratio": 1 / 6},
        "RL of 6 FLOPs per parameter": {"rl_factor": 6},
        "twice the tokens served": {"traffic": "100M"},
    }
    for what, options in again.items():
        own = rl.budget(active="100B", **{"traffic": "50M", "lifetime": "60 d", **options})
        assert rows[what]["tokens"] == pytest.approx(own.plan.tokens)
        assert rows[what]["rl_tokens"] == pytest.approx(own.plan.rl_tokens)
        best = own.optimum.cheapest
        assert rows[what]["cheapest_params"] == pytest.approx(best.n_params_active)
    assert rows["serving at half its MFU"]["tokens"] == pytest.approx(2 * found.plan.tokens)


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no model": ({}, SpecError, "say how large it is"),
    "no start": ({"active": "1B"}, SpecError, "one number to start from"),
    "both sizes": ({"model": LLAMA, "active": "1B"}, SpecError, "without a model"),
    "active beyond all": ({"active": "2B", "params": "1B"}, SpecError, "exchange them"),
    "traffic alone": ({"active": "1B", "traffic": 5}, SpecError, "lifetime is missing"),
    "lifetime alone": ({"active": "1B", "lifetime": "9 d"}, SpecError, "traffic is missing"),
    "served twice": (
        {"active": "1B", "traffic": 5, "lifetime": "9 d", "inference_tokens": 4}, SpecError,
        "one of the two",
    ),
    "rl without rl": (
        {"active": "1B", "tokens": "1T", "rl_tokens": "1T", "split": "without-rl"}, SpecError,
        "leave rl_tokens out",
    ),
    "all and compute": (
        {"active": "1B", "tokens": 1, "rl_tokens": 1, "inference_tokens": 1, "compute": 1e20},
        SpecError, "Leave one out",
    ),
    "too little compute": (
        {"active": "100B", "inference_tokens": "200T", "compute": 1e24}, InfeasibleError,
        "1.2e26 FLOP",
    ),
    "unknown law": ({"active": "1B", "tokens": 1, "law": "chinchila"}, ValueError, "'chinchilla'"),
    "unknown option": ({"active": "1B", "token": 1}, SpecError, "Did you mean 'tokens'"),
    "unknown split": ({"active": "1B", "split": "halfs"}, SpecError, "Did you mean 'halves'"),
    "mfu above one": ({"active": "1B", "tokens": 1, "train_mfu": 40}, SpecError, "train_mfu"),
    "two efficiencies": (
        {"active": "1B", "tokens": 1, "decode_mfu": 0.1, "mfu_ratio": 0.3}, SpecError, "one of"
    ),
    "isl alone": ({"active": "1B", "tokens": 1, "isl": 100}, SpecError, "osl is missing"),
    "machines": ({"active": "1B", "tokens": 1, "on": "h100,a100"}, SpecError, "One machine"),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "kind", "said"), WRONG.values(), ids=list(WRONG))
def test_wrong_questions_say_what_is_missing(
    asked: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        rl.budget(**asked)


def test_examples_in_messages_are_in_range() -> None:
    with pytest.raises(SpecError) as found:
        rl.budget(active="1B", traffic=5, lifetime="1 s")
    assert "from 60 min" in str(found.value)
    assert "20 ms" not in str(found.value)


UNUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{
        name: ({"active": "1B", "tokens": 1, name: value}, f"{name} .* is of a machine")
        for name, value in {
            "price": 3, "basis": "spot", "chips": 64, "seq": 8192, "global_batch": 64,
            "context": 100, "reading": "ideal", "train_layout": "best",
        }.items()
    },
    "lengths": ({"active": "1B", "tokens": 1, "isl": 9, "osl": 8}, "osl .* is of a machine"),
    "step beside its MFU": (
        {"model": LLAMA, "on": "hgx-h100", "train_mfu": 0.4, "seq": 8192}, "seq .* train_mfu"
    ),
    "load beside its MFU": (
        {"model": LLAMA, "on": "hgx-h100", "decode_mfu": 0.1, "context": 9}, "context .* decode_mfu"
    ),
    "load beside its ratio": (
        {"model": LLAMA, "on": "hgx-h100", "mfu_ratio": 0.1, "isl": 9, "osl": 8}, "isl .* mfu_ratio"
    ),
    "context beside lengths": (
        {"model": LLAMA, "on": "hgx-h100", "context": 9, "isl": 9, "osl": 8}, "without lengths"
    ),
    "rl of no rl": (
        {"active": "1B", "tokens": 1, "rl_factor": 6, "split": "without-rl"}, "rl_factor .* leaves"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "said"), UNUSED.values(), ids=list(UNUSED))
def test_what_would_change_nothing_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        rl.budget(**asked)


def test_compute_that_nothing_is_left_to_follow_from() -> None:
    both = {"tokens": "1T", "inference_tokens": "1T", "compute": 1e27}
    with pytest.raises(SpecError, match="nothing is left to follow"):
        rl.budget(active="100B", split="without-rl", **both)
    assert rl.budget(active="100B", **both).plan.rl_tokens > 0


@pytest.mark.parametrize("beside", [{"inference_tokens": "200T"}, {"rl_tokens": 0}])
def test_equal_cost_is_known_however_it_is_given(beside: dict[str, Any]) -> None:
    found = rl.budget(active="100B", tokens="200T", split="without-rl", **beside)
    assert found.is_equal
    assert "it would be" not in str(found)
    other = rl.budget(active="100B", tokens="100T", inference_tokens="200T", split="without-rl")
    assert not other.is_equal
    assert "it would be 200 T" in str(other)


def test_sizes_read_as_people_write_them() -> None:
    for n, words in {"1M": "1.00 M", "7B": "7.00 B", "2T": "2.00 T"}.items():
        found = rl.budget(active=n, tokens="3B")
        assert found.name == f"A model of {words} active parameters"
        assert "3.00 B tokens of pre-training" in str(found)
        assert found.name in found.explain()
    counted = rl.budget(rl.Model.from_counts(37e9, 671e9), tokens="1T")
    assert counted.name == "A model of 37.0 B active parameters"
    assert "as many as Chinchilla's 20" in str(rl.budget(active="1B", tokens="20B"))


def test_a_load_that_keeps_no_limit_is_not_said_to_keep_one() -> None:
    found = rl.budget("Qwen/Qwen3-8B", "hgx-h100", context=1e7, train_mfu=0.4)
    notes = " ".join(found.notes)
    assert "none keeps the usual limits" in notes
    assert "more than Qwen3-8B is made for" in notes
    assert "at 0.00%" not in str(found)
    usual = rl.budget("Qwen/Qwen3-8B", "hgx-h100", train_mfu=0.4)
    assert "cheapest batch within the usual limits" in " ".join(usual.notes)


def test_the_layout_is_the_plain_one_or_the_best(on_machine: rl.Budget) -> None:
    options: dict[str, Any] = {"global_batch": 8, "chips": 4}
    qwen = ("Qwen/Qwen3-8B", "hgx-h100")
    plain, best = (
        rl.budget(*qwen, **options, mfu_ratio=0.3, train_layout=layout)
        for layout in ("plain", "best")
    )
    searched = rl.training_layouts(*qwen, **options, rank="time").best_training
    fleet = best.efficiency.fleet
    assert fleet is not None
    assert fleet.training is not None
    assert fleet.training.step_s == searched.step_s
    n, peak = best.plan.n_params_active, rl.chip("h100-sxm").peak["bf16"]
    assert best.efficiency.train_mfu == pytest.approx(6 * n * searched.tokens_per_s_per_chip / peak)
    assert (best.efficiency.train_mfu or 0) >= (plain.efficiency.train_mfu or 0)
    assert "the fastest that fits" in best.notes[0]
    with pytest.raises(InfeasibleError, match="train_mfu"):
        rl.budget(LLAMA, "hgx-h100", train_layout="best", mfu_ratio=0.3)
    small = rl.budget(LLAMA, "h100-sxm", chips=1, mfu_ratio=0.3)
    assert "a layout that does not fit" in str(small)
    assert "does not fit" not in str(on_machine)


def test_days_with_interruptions_are_those_of_the_run(on_machine: rl.Budget) -> None:
    tokens = on_machine.plan.tokens
    step = rl.training(LLAMA, "256xhgx-h100", global_batch=2048, tokens=tokens)
    assert step.run is not None
    assert on_machine.values["run_days"] == pytest.approx(step.run.total_s / 86_400)
    assert on_machine.values["run_days"] > on_machine.values["training_days"]
    assert on_machine.values["training_days"] == pytest.approx(step.run.work_s / 86_400)
    assert "with checkpoints and interruptions" in str(on_machine)
    given = rl.budget(LLAMA, "hgx-h100", train_mfu=0.4, mfu_ratio=0.3)
    assert given.values["run_days"] is None


def test_prices_of_ones_own_are_known_everywhere() -> None:
    found = rl.budget("Qwen/Qwen3-8B", "rtx-3090", price=0.25, mfu_ratio=0.3)
    hours = found.values["chip_hours"]
    assert found.values["usd"] == pytest.approx(0.25 * hours)
    assert not any("No price" in note for note in found.notes)
    assert f"= ${0.25 * hours:,.0f}" in found.explain()


def test_the_peak_is_named_after_its_format() -> None:
    chip = rl.chip("h100-sxm")
    old = chip.model_copy(update={"peak": {"fp32": 1e14}})
    for one, dtype in ((chip, "bf16"), (old, "fp32")):
        found = rl.budget(None, one, active="7B", tokens="1T")
        fleet = found.efficiency.fleet
        assert fleet is not None
        assert fleet.peak_dtype == dtype
        assert (dtype, fleet.peak_flops_per_s) in one.peak.items()
        assert f"dense {dtype}" in found.explain()


def test_a_loss_out_of_reach_of_the_text_is_said_as_none() -> None:
    found = rl.budget(active="1B", tokens="1T", unique_tokens="1B")
    assert math.isfinite(found.optimum.cheapest.tokens)  # this model reaches it, so others do
    assert found.to_json()


def test_text_seen_too_often_is_worth_nothing_more() -> None:
    found = rl.budget(active="7B", tokens="2T", unique_tokens="1M")
    assert found.values["exponent"] == math.inf
    assert "adds next to nothing" in str(found)
    assert any("2e+06 times" in note for note in found.notes)
    json.loads(found.to_json(), parse_constant=pytest.fail)
    enough = rl.budget(active="7B", tokens="2T", unique_tokens="5T")
    assert not any("worth less" in note for note in enough.notes)


def test_the_optimal_ratio_is_that_of_the_cheapest_model() -> None:
    """Not the exponent at the budget, which is it only at the optimum."""
    found = rl.budget(active="100B", inference_tokens="200T")
    best = found.optimum.cheapest
    assert found.values["optimal_demand_over_training"] == pytest.approx(best.demand / best.tokens)
    assert found.values["exponent"] == found.optimum.exponent
    again = rl.budget(
        active=best.n_params_active, tokens=best.tokens, rl_tokens=found.plan.rl_tokens,
        inference_tokens="200T",
    )  # fmt: skip
    assert again.values["exponent"] == pytest.approx(best.demand / best.tokens, rel=1e-4)


def test_tokens_say_what_they_come_from() -> None:
    both: dict[str, Any] = {"compute": 3.6e26, "inference_tokens": "400T"}
    expected = {"pretraining": "compute", "rl": "compute", "inference": "given"}
    found = rl.budget(active="100B", **both)
    assert {r["activity"]: r["from"] for r in found.tables[0].rows[:3]} == expected
    assert found.explain().count("from compute") == 2
    alone = rl.budget(active="100B", inference_tokens="400T")
    assert [r["from"] for r in alone.tables[0].rows[:3]] == ["equal cost", "equal cost", "given"]


def test_laws_that_agree_are_not_called_apart() -> None:
    assert "are wide" in str(rl.budget(active="100B", inference_tokens="200T"))
    assert "are wide" not in str(rl.budget(active="7B", tokens="2T", unique_tokens="10B"))


def test_a_law_of_ones_own_is_beyond_what_it_names_alone() -> None:
    law = {"id": "x", "name": "Mine", "e": 1.7, "a": 400, "b": 400, "alpha": 0.3, "beta": 0.3}
    notes = rl.budget(active="7B", tokens="2T", law={**law, "most_tokens": 1e12}).notes
    assert any("fitted on up to 1.00 T tokens: what" in note for note in notes)
    assert not any("fitted" in n for n in rl.budget(active="7B", tokens="2T", law=law).notes)


def test_changes_that_change_nothing_are_left_out() -> None:
    found = rl.budget(active="7B", tokens="2T", rl_tokens=0, inference_tokens="2T")
    assert not any("RL" in what for what, _, _ in found.changes)
    assert any("half its MFU" in what for what, _, _ in found.changes)


def test_answers_leave_in_every_form(on_machine: rl.Budget) -> None:
    data = on_machine.to_dict()
    assert data["question"] == "budget"
    assert data["values"]["tokens"] == on_machine.plan.tokens
    assert data["provenance"]["laws"]["besiroglu-2024"]["e"] == "besiroglu-2024"
    again = rl.BudgetScenario.from_dict(data["provenance"]["scenario"])
    assert again == on_machine.scenario
    assert "6 N (D + m)" in on_machine.explain()
    assert on_machine.to_csv().count("\n") == 5
