"""What-if of training: elasticities by hand, machines side by side, facts that are set."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.catalog import training_effect_kinds
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.trainer.step import job_seconds

LLAMA, QWEN, MOE = "meta-llama/Meta-Llama-3-70B", "Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B"


def constants(answer: rl.Training) -> dict[str, dict[str, Any]]:
    return {row["what"]: dict(row) for row in rl.sensitivity(answer).table("constants").rows}


@pytest.fixture(scope="module")
def calibrated() -> rl.Training:
    return rl.training(LLAMA, "16xhgx-h100", seq=8192, tp=4, pp=4, vp=5, global_batch=512)


@pytest.fixture(scope="module")
def rows(calibrated: rl.Training) -> dict[str, dict[str, Any]]:
    return constants(calibrated)


def test_on_the_blackboard_elasticities_are_those_of_6_n_d_over_the_peak() -> None:
    rows = constants(rl.training(QWEN, "hgx-h100", tp=1, reading="blackboard"))
    assert rows["bf16 peak"]["time_elasticity"] == pytest.approx(-1, rel=1e-4)
    assert rows["bf16 peak"]["time_doubled"] == pytest.approx(0.5)
    assert rows["global batch"]["time_elasticity"] == pytest.approx(1)
    assert rows["global batch"]["cost_elasticity"] == pytest.approx(0, abs=1e-9)
    assert rows["data-parallel ranks"]["time_elasticity"] == pytest.approx(-1)
    assert rows["data-parallel ranks"]["cost_elasticity"] == pytest.approx(0, abs=1e-9)
    assert rows["price per chip-hour"]["cost_elasticity"] == pytest.approx(1)
    for idle in ("memory bandwidth", "scale-up link", "scale-out link", "memory capacity"):
        assert rows[idle]["time_elasticity"] == pytest.approx(0, abs=1e-12)
    assert not [row for row in rows.values() if row["kind"] == "framework"]


def test_rows_are_what_the_question_answers_with_that_field_changed(
    calibrated: rl.Training, rows: dict[str, dict[str, Any]]
) -> None:
    base = calibrated.step_s
    asked: dict[str, Any] = {"seq": 8192, "tp": 4, "pp": 4, "vp": 5, "global_batch": 512}

    def again(**changes: Any) -> rl.Training:
        options = asked | {k: v for k, v in changes.items() if k not in ("model", "on")}
        on = changes.get("on", calibrated.job.cluster)
        return rl.training(changes.get("model", calibrated.job.model), on, **options)

    cluster = calibrated.job.cluster
    assert cluster.link is not None
    fast = cluster.replaced({"link": 2 * cluster.link})
    assert rows["scale-up link"]["time_doubled"] == pytest.approx(again(on=fast).step_s / base)
    wide = calibrated.job.model.replaced({"d_model": 2 * 8192})
    answer = again(model=wide)
    assert rows["d_model"]["time_doubled"] == pytest.approx(answer.step_s / base)
    assert calibrated.memory is not None
    assert answer.memory is not None
    held = answer.values["memory_bytes_per_chip"] / calibrated.values["memory_bytes_per_chip"]
    assert rows["d_model"]["memory_doubled"] == pytest.approx(held)
    twice = again(global_batch=1024)
    assert rows["global batch"]["time_doubled"] == pytest.approx(twice.step_s / base)
    assert rows["global batch"]["cost_doubled"] == pytest.approx(twice.step_s / base / 2)
    more = again(on="32xhgx-h100", dp=16)
    assert rows["data-parallel ranks"]["time_doubled"] == pytest.approx(
        more.step_s / base, rel=1e-6
    )


def test_effects_are_knobs_by_their_own_slope(
    calibrated: rl.Training, rows: dict[str, dict[str, Any]]
) -> None:
    job = calibrated.job
    named = [what for what, row in rows.items() if row["kind"] == "framework"]
    assert len(named) >= 10
    assert {what.removeprefix("effect ") for what in named} <= set(training_effect_kinds())
    value = job.calibration.effects["compute"]
    up, down = (
        float(np.ravel(job_seconds(job.with_effects({"compute": value * f})))[0])
        for f in (1.01, 0.99)
    )
    slope = math.log(up / down) / math.log(1.01 / 0.99)
    assert rows["effect compute"]["time_elasticity"] == pytest.approx(slope)
    assert slope < -0.3
    # Nothing was ported here, so that there is nothing to change about it.
    assert "effect port" not in rows


def test_what_cannot_be_halved_or_doubled_is_left_open() -> None:
    answer = rl.training(MOE, "hgx-h100", global_batch=8, tp=1, ep=8, expert_tp=1, reading="ideal")
    rows = constants(answer)
    assert rows["global batch"]["time_halved"] is None  # 8 ranks have a sequence each
    assert rows["global batch"]["time_elasticity"] is not None
    assert rows["data-parallel ranks"]["time_doubled"] is None
    assert rows["data-parallel ranks"]["time_elasticity"] is None or (
        rows["data-parallel ranks"]["time_halved"] is not None
    )
    assert rows["micro-batch"]["time_halved"] is None


def test_the_best_buy_saves_most() -> None:
    found = rl.sensitivity(rl.training(QWEN, "2xhgx-h100", tp=2, reading="ideal"))
    rows = [r for r in found.table("constants").rows if r["kind"] == "machine"]
    saved = {r["what"]: r["cost_doubled"] for r in rows if r["what"] != "price per chip-hour"}
    assert saved[found.values["best_buy"]] == min(saved.values())
    assert "What to buy next" in found.sentences[1]
    with pytest.raises(rl.RidgelineError, match="an answer about training has its own"):
        rl.sensitivity(rl.training(QWEN, "hgx-h100"), batch=4)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_machines_side_by_side_are_their_own_answers() -> None:
    machines = ("16xhgx-h100", "16xhgx-b200", "16xmi300x-8", "h100-sxm")
    answers = [rl.training(LLAMA, on, seq=8192, global_batch=512, tokens="1T") for on in machines]
    found = rl.compare(answers)
    assert len(found) == 4
    by_cluster = {row["machine"]: row for row in found}
    assert len(by_cluster) == 4
    for answer in answers:
        row = next(r for r in found if r["time_s"] == answer.step_s)
        assert row["tokens_per_s_per_chip"] == pytest.approx(answer.tokens_per_s_per_chip)
        assert row["mfu"] == pytest.approx(answer.values["mfu_full"])
        assert row["usd"] == pytest.approx(answer.values["usd"])
        assert answer.price is not None
        per_token = answer.step_s * row["n_chips"] * answer.price.usd_per_chip_hour / 3600
        assert row["usd_per_mtok"] == pytest.approx(per_token / (512 * 8192) * 1e6)
    assert found[-1]["remark"] == "does not fit"
    fit = [row["usd_per_mtok"] for row in found if not row["remark"]]
    assert found.by_cost == (fit == sorted(fit))
    assert rl.compare(*answers).sentence() == found.sentence()


def test_answers_of_two_kinds_are_not_compared() -> None:
    with pytest.raises(rl.RidgelineError, match="of one kind"):
        rl.compare([rl.training(QWEN, "hgx-h100"), rl.serving(QWEN, "hgx-h100")])  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_zero_2_beside_stages_is_said_to_be_the_best_case() -> None:
    def notes(**options: Any) -> str:
        asked: dict[str, Any] = {"global_batch": 64, "tp": 1, "zero": 2, **options}
        return " ".join(rl.training(QWEN, "hgx-h100", **asked).notes)

    assert "ZeRO 2 beside pipeline stages" in notes(pp=2)
    assert "ZeRO 2" not in notes(pp=2, zero=1) + notes(pp=1) + notes(pp=2, tp=4)


def test_facts_of_a_framework_hold_for_its_release_too() -> None:
    from ridgeline.questions.training import train  # noqa: PLC0415
    from ridgeline.questions.training.setup import TrainingSetup, framework_with  # noqa: PLC0415

    scenario = TrainingScenario.of(QWEN, "4xhgx-h100", tp=1, framework="megatron-lm",
                                   reading="ideal")  # fmt: skip
    usual = train(scenario)
    narrow = framework_with(scenario.framework, {"gradient_bytes": 2.0, "hides": "dp, tp"})
    assert narrow.on().hides == ("dp", "tp")
    said = TrainingSetup(scenario, given_framework=narrow).set_words
    assert "hides dp, tp (not dp, tp_backward, tp, cp, pp)" in said[0]
    assert narrow.on().gradient_bytes == 2.0
    changed = train(scenario, framework=narrow)
    assert any("gradient_bytes 2.0" in note for note in changed.notes)
    assert not any(note.startswith("Set about") for note in usual.notes)
    assert changed.memory is not None
    assert usual.memory is not None
    parts = [float(np.ravel(a.memory.at_peak()["gradients"])[0]) for a in (changed, usual)]  # type: ignore[union-attr]
    before = usual.job.own_framework.gradient_bytes
    assert parts[0] / parts[1] == pytest.approx(2.0 / before)
    assert replace(usual.job, framework=narrow).own_framework == changed.job.own_framework


@pytest.mark.slow
def test_searched_sizes_are_no_slower_than_plain_ones() -> None:
    asked: dict[str, Any] = {"global_batch": 256, "sizes": [8]}
    plain, best = (rl.scaling(QWEN, "2xhgx-h100", search=s, **asked) for s in (False, True))
    for one, other in zip(plain.rows, best.rows, strict=True):
        assert other["time_s"] <= one["time_s"] * (1 + 1e-9)
        assert other["fits_probability"] >= 0.9
    assert best.rows[0]["time_s"] < 0.99 * plain.rows[0]["time_s"]
