"""Training runs: scores on paper, folds that keep kin together, fits that find what is there."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ridgeline import catalog
from ridgeline.cli import main
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.runs import Prediction
from ridgeline.fidelity.training import TrainingRow, read_training
from ridgeline.fidelity.training.calibrate import calibrate_training, timed_runs, weights
from ridgeline.fidelity.training.evaluate import StepEvaluator
from ridgeline.fidelity.training.families import family_name
from ridgeline.fidelity.training.fit_memory import fit_memory
from ridgeline.fidelity.training.folds import UnseenRun, leave_out_training, training_folds
from ridgeline.fidelity.training.own import fit_own_training
from ridgeline.fidelity.training.predict import Fitted, predict_training
from ridgeline.fidelity.training.scores import memory_verdicts, score_line
from ridgeline.fidelity.training.shipped import SHIPPED_TRAINING
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.step import job_seconds


@pytest.fixture(scope="module")
def shipped() -> list[TrainingRow]:
    return read_training([SHIPPED_TRAINING])


def _seconds(job: TrainingJob) -> float:
    return float(np.ravel(job_seconds(job))[0])


def _some(shipped: list[TrainingRow], n: int = 24) -> list[TrainingRow]:
    """Steps of dense models in bf16, evenly spaced."""
    good = [
        r for r in shipped
        if r.metric == "step_time_s" and r.run and r.run.precision == "bf16"
        and r.source == "dgxc-benchmarking" and "grok" not in r.run.model.id
    ]  # fmt: skip
    return [good[i] for i in np.linspace(0, len(good) - 1, min(n, len(good))).astype(int)]


def _unseen(row: TrainingRow, predicted: float, measured: float, reach: float) -> UnseenRun:
    p = Prediction(predicted, predicted / reach, predicted * reach)
    return UnseenRun(replace(row, value=measured), p, "")


def test_rows_of_a_group_are_averaged_first(shipped: list[TrainingRow]) -> None:
    one, other = _some(shipped, 2)
    assert one.run is not None
    assert other.run is not None
    rows = [
        _unseen(one, 1.1, 1.0, 1.2),  # off by 10% ...
        _unseen(one, 0.7, 1.0, 1.2),  # ... and 30%: 20% together
        _unseen(other, 3.0, 2.0, 1.2),  # 50%
    ]
    line = score_line(rows)
    assert line["n_groups"] == 2
    assert line["mape"] == pytest.approx((0.2 + 0.5) / 2)
    assert line["signed"] == pytest.approx((-0.1 + 0.5) / 2)
    assert line["coverage"] == pytest.approx(1 / 3)


def test_failures_are_scored_as_probabilities(shipped: list[TrainingRow]) -> None:
    row = next(r for r in shipped if r.metric == "oom")
    given = [(0.9, 1.0), (0.05, 1.0), (0.2, 0.0), (0.6, 0.0)]
    found = memory_verdicts([_unseen(row, p, y, 1.0) for p, y in given])
    assert found["right"] == 0.5
    assert found["missed"] == 0.5
    assert found["brier"] == pytest.approx((0.01 + 0.9025 + 0.04 + 0.36) / 4)
    assert sum(b["n_rows"] for b in found["reliability"]) == 4


@pytest.mark.parametrize("what", ["models", "chips", "groups"])
def test_every_row_is_left_out_once_with_its_kin(shipped: list[TrainingRow], what: str) -> None:
    folds = training_folds(shipped, what)
    assert sorted(i for fold in folds for i in fold) == list(range(len(shipped)))

    def key(row: TrainingRow) -> str:
        assert row.run is not None
        return {
            "models": family_name(row.run.model.id), "chips": row.run.cluster.chip.id,
            "groups": row.run.group,
        }[what]  # fmt: skip

    for fold in folds:
        away = {key(shipped[i]) for i in fold}
        rest = {key(row) for i, row in enumerate(shipped) if i not in set(fold)}
        assert not away & rest


def test_words_that_are_not_known_are_told_near_ones(shipped: list[TrainingRow]) -> None:
    with pytest.raises(RidgelineError, match="Did you mean 'models'"):
        training_folds(shipped, "modells")


def test_side_by_side_is_one_by_one(shipped: list[TrainingRow]) -> None:
    jobs = [r.run.job for r in _some(shipped, 12) if r.run]
    evaluator = StepEvaluator(jobs)
    kinds = catalog.training_effect_kinds()
    effects = {name: np.full(len(evaluator.scopes), kind.prior) for name, kind in kinds.items()}
    together, case = evaluator.log_rows(effects)
    own = {name: kind.prior for name, kind in kinds.items()}
    alone = [math.log(_seconds(job.with_effects(own))) for job in jobs]
    assert together == pytest.approx(alone, rel=1e-9)
    slope = evaluator.slopes(effects, together, 1e-5)["compute"]
    moved, _ = evaluator.log_rows({**effects, "compute": effects["compute"] * math.exp(1e-3)})
    assert slope == pytest.approx((moved - together) / 1e-3, abs=2e-3)
    assert case.max() + 1 == len(evaluator.scopes)


def _as_if(rows: list[TrainingRow], **factors: float) -> list[TrainingRow]:
    """Rows as they would be measured under other effects, of a source of their own."""
    found = []
    for row in rows:
        assert row.run is not None
        job = row.run.job
        effects = {n: job.calibration.effects[n] * f for n, f in factors.items()}
        seconds = _seconds(job.with_effects(effects))
        run = replace(row.run, source="own")
        found.append(replace(row, run=run, value=seconds, source="own"))
    return found


def test_a_fit_finds_what_is_there(shipped: list[TrainingRow]) -> None:
    rows = _as_if(_some(shipped), compute=0.7)
    fitted = calibrate_training(rows, scattered=False)
    predicted = [p.value for p in predict_training(rows, fitted)]
    ratio = np.array(predicted) / [r.value or 0 for r in rows]
    assert np.median(np.abs(ratio - 1)) < 0.03
    usual = [p.value for p in predict_training(rows)]
    assert np.median(usual / np.array(predicted)) < 0.85


def test_own_runs_move_constants_and_say_what_moved(shipped: list[TrainingRow]) -> None:
    rows = _as_if(_some(shipped, 8), compute=0.8)
    fit = fit_own_training(rows, catalog.training_constants(), ["own.csv"])
    every = fit.errors[0]
    assert every["before"] > 0.1
    assert every["after"] < every["before"] / 2
    assert fit.moved
    assert fit.constants.own is not None
    assert fit.constants.own.tables == ("own.csv",)


def test_rows_that_the_package_was_fitted_to_do_not_count_twice(
    shipped: list[TrainingRow],
) -> None:
    with pytest.raises(RidgelineError, match="count twice"):
        fit_own_training(_some(shipped, 3), catalog.training_constants())


def test_models_with_experts_and_published_checks_are_in_no_fit(
    shipped: list[TrainingRow],
) -> None:
    runs = timed_runs(shipped)
    for one, weight in zip(runs, weights(runs), strict=True):
        apart = "grok" in one.run.model.id or one.run.source.startswith("korthikanti")
        apart = apart or one.run.task == "lora"
        assert (weight == 0) == apart, one.run.key


def test_memory_is_fitted_to_what_is_read(shipped: list[TrainingRow]) -> None:
    rows = [r for r in shipped if r.metric == "peak_memory_bytes"]
    known = catalog.training_memory()
    more = {"workspace": known.workspace.model_copy(update={"value": 4e9})}
    there = known.model_copy(update=more)
    read = predict_training(rows, Fitted(memory=there))
    as_if = [replace(r, value=p.value) for r, p in zip(rows, read, strict=True)]
    again = fit_memory(as_if)
    assert again.workspace.value == pytest.approx(4e9, rel=0.15)


def test_left_out_rows_are_predicted_by_what_has_not_seen_them(
    shipped: list[TrainingRow],
) -> None:
    seen: list[set[str]] = []

    def fit(rows) -> Fitted:  # type: ignore[no-untyped-def]
        seen.append({r.id for r in rows})
        return Fitted()

    rows = _some(shipped)
    found = leave_out_training(rows, "models", fit, predict_training)
    assert [u.row.id for u in found] == [r.id for r in rows]
    for fold, others in zip(training_folds(rows, "models"), seen, strict=True):
        assert not others & {rows[i].id for i in fold}


def test_published_runs_that_no_fit_saw(shipped: list[TrainingRow]) -> None:
    """Korthikanti et al. 2022, table 5: 22B, 175B, 530B and 1T, full recompute and selective."""
    rows = [r for r in shipped if r.source == "korthikanti-2022-t5" and r.metric == "step_time_s"]
    assert len(rows) == 8
    off = [p.value / (r.value or 1) - 1 for r, p in zip(rows, predict_training(rows), strict=True)]
    assert np.mean(np.abs(off)) <= 0.06


PINNED = tomllib.loads((Path(__file__).parent / "pinned_training.toml").read_text())
#: room for a library's last digits, not for a worse model
SLACK = 1.01


def test_predictions_are_no_worse_than_they_were(shipped: list[TrainingRow]) -> None:
    pairs = [UnseenRun(r, p, "") for r, p in zip(shipped, predict_training(shipped), strict=True)]
    for group, before in PINNED.items():
        _compare([u for u in pairs if group in ("all", u.row.metric)], group, before)


def _compare(unseen: list[UnseenRun], group: str, before: dict[str, float]) -> None:
    if group == "oom":
        now = memory_verdicts(unseen)
        assert (now["n_rows"], now["n_failed"]) == (before["n_rows"], before["n_failed"])
        assert now["right"] >= before["right"] - 0.01
        assert now["missed"] <= before["missed"] + 0.01
        assert now["brier"] <= before["brier"] * SLACK
        return
    now = score_line(unseen)
    assert now["n_rows"] == before["n_rows"], group
    assert now["n_answered"] >= before["n_answered"], group
    for figure in ("median", "mape", "p90", "width"):
        assert now[figure] <= before[figure] * SLACK, (group, figure)
    assert now["coverage"] >= before["coverage"] - 0.01, group


def test_validate_takes_training_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(SHIPPED_TRAINING), "--by", "source", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "training"
    assert found["scoreboard"][0]["n_rows"] > 300
    assert found["memory"]["n_failed"] > 5
    assert not found["unanswered"]


def test_kinds_of_tables_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "serving.csv"
    other.write_text("id,chip,n_chips,model,regime,metric,value\n")
    assert main(["validate", str(SHIPPED_TRAINING), str(other)]) == 2
    assert "a call of its own" in " ".join(capsys.readouterr().err.split())


def test_calibrate_takes_training_tables(
    tmp_path: Path, shipped: list[TrainingRow], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = {r.id for r in _some(shipped, 6)}
    lines = SHIPPED_TRAINING.read_text().splitlines()
    chosen = [line for line in lines[1:] if line.split(",")[0] in ids]
    table, out = tmp_path / "own.csv", tmp_path / "own.toml"
    table.write_text("\n".join([lines[0], *chosen]).replace("dgxc-benchmarking,", "own,") + "\n")
    assert main(["calibrate", str(table), "--out", str(out), "--json"]) == 0
    capsys.readouterr()
    assert catalog.training_constants(out).own is not None
    assert main(["validate", str(table), "--constants", str(out), "--csv"]) == 0
