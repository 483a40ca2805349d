"""The scoreboard, folds and noise floor, on rows whose answers are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.runs import OK, Prediction, Row
from ridgeline.fidelity.scores import Scores, answered, folds, leave_out, noise, score_chunks
from ridgeline.fidelity.scores.engine_report import engine_report, read_notes, write_engine_report
from ridgeline.fidelity.scores.scoreboard import line
from ridgeline.fidelity.scores.splits import FAMILIES, family, shape_of
from ridgeline.fidelity.scores.targets import is_saturated, targets
from ridgeline.fidelity.scores.worst import worst_groups
from ridgeline.fidelity.shipped import SHIPPED


@pytest.fixture(scope="module")
def shipped() -> list[Row]:
    return read_rows([SHIPPED])


def off_by(factor: float, width: float = 1.5):
    """A model that always errs by the same factor."""

    def predict(rows, constants=None) -> list[Prediction]:
        return [
            Prediction(r.value * factor, r.value * factor / width, r.value * factor * width)
            for r in rows
        ]

    return predict


def test_a_constant_error_is_seen_everywhere(shipped: list[Row]) -> None:
    scores = score_chunks([shipped], off_by(1.25, 1.3)).scores
    for row in scores.board():
        assert row["median"] == pytest.approx(0.25)
        assert row["p90"] == pytest.approx(0.25)
        assert row["bias"] == pytest.approx(math.log(1.25))
        assert (row["within_20"], row["coverage"]) == (0, 1)
        assert row["width"] == pytest.approx(1.69)
        assert row["n_rows"] == row["n_answered"]


def test_too_slow_and_too_fast_by_a_factor_weigh_alike() -> None:
    one = np.ones(2)
    up = line(one, one * 2, one, one * 3)
    down = line(one, one / 2, one / 3, one)
    assert up["median"] == pytest.approx(down["median"]) == pytest.approx(1.0)
    assert up["bias"] == pytest.approx(-down["bias"])


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40))
def test_scores_stay_in_their_ranges(ratios: list[float]) -> None:
    p = np.array(ratios)
    one = line(np.ones(len(p)), p, p / 2, p * 2)
    assert 0 <= one["median"] <= one["p90"]
    assert 0 <= one["within_20"] <= 1
    assert one["coverage"] == np.mean((p <= 2) & (p >= 0.5))


def test_rows_add_up_over_every_grouping(shipped: list[Row]) -> None:
    scores = score_chunks([shipped[:300], shipped[300:]], off_by(1.1)).scores
    for by in ("source", "chip", "regime", "metric", "model", "engine"):
        board = scores.board([by])
        assert sum(r["n_rows"] for r in board[1:]) == board[0]["n_rows"] == len(shipped)
    assert scores.where(regime=("static", "nonsense")).sum() == sum(
        r.regime == "static" for r in shipped
    )


def test_what_is_not_answered_counts_and_says_why(shipped: list[Row]) -> None:
    bad = Row("x", 9, None, "tpot_s", None, "unknown-chip", "no such chip", regime="decode")

    def shy(rows, constants=None) -> list[Prediction]:
        told = off_by(1.0)(rows)
        nothing = Prediction(math.nan, math.nan, math.nan, "no-memory", "does not fit.")
        return [nothing if r.regime == "slo" else p for r, p in zip(rows, told, strict=True)]

    scored = score_chunks([[bad, *shipped]], shy)
    n_slo = sum(r.regime == "slo" for r in shipped)
    assert scored.by_status == {
        OK: len(shipped) - n_slo, "unknown-chip": 1, "no-memory": n_slo,
    }  # fmt: skip
    assert scored.unanswered[0] == {
        "table": "", "line": 9, "id": "x", "status": "unknown-chip", "reason": "no such chip",
    }  # fmt: skip
    slo = scored.scores.line(scored.scores.where(regime="slo"))
    assert (slo["n_rows"], slo["n_answered"], slo["median"]) == (n_slo, 0, None)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_number_that_is_none_is_not_scored(shipped: list[Row], value: float) -> None:
    found = answered(shipped[:1], lambda _: [Prediction(value, value, value)])
    assert found[0].status == "no-number"


def test_models_are_left_out_whole(shipped: list[Row]) -> None:
    chosen = folds(shipped, "models")
    assert sorted(i for fold in chosen for i in fold) == list(range(len(shipped)))
    for fold in chosen:
        inside = {shape_of(shipped[i].run.model) for i in fold}  # type: ignore[union-attr]
        rest = {shape_of(r.run.model) for i, r in enumerate(shipped) if i not in fold and r.run}
        assert not inside & rest


def test_llama_by_another_name_is_the_same_model(shipped: list[Row]) -> None:
    names = {"meta-llama/Meta-Llama-3.1-70B", "unsloth/Llama-3.3-70B-Instruct"}
    shapes = {shape_of(r.run.model) for r in shipped if r.run and r.run.model.id in names}
    assert len(shapes) == 1


def test_chips_are_left_out_whole_and_never_without_kin(shipped: list[Row]) -> None:
    chosen = folds(shipped, "chips")
    for fold in chosen:
        out = {shipped[i].run.cluster.chip.id for i in fold}  # type: ignore[union-attr]
        rest = {r.run.cluster.chip.id for i, r in enumerate(shipped) if i not in fold and r.run}
        assert not out & rest
        for chip in out:
            assert family(chip) in {family(c) for c in rest}
        assert len(out) == 1
    assert len(chosen) == len({family(c) and c for c in _chips(shipped)} - {""} - _alone(shipped))


def _chips(rows: list[Row]) -> set[str]:
    return {r.run.cluster.chip.id for r in rows if r.run}


def _alone(rows: list[Row]) -> set[str]:
    members = {name: {c for c in _chips(rows) if family(c) == name} for name in FAMILIES}
    return {c for chips in members.values() if len(chips) == 1 for c in chips}


def test_the_fit_never_sees_what_it_is_scored_on(shipped: list[Row]) -> None:
    def calibrate(rows: list[Row]) -> set[object]:
        return {shape_of(r.run.model) for r in rows if r.run}

    def predict(rows, constants) -> list[Prediction]:
        assert not {shape_of(r.run.model) for r in rows} & constants
        return off_by(1.0)(rows)

    found = leave_out(shipped, "models", calibrate, predict)
    assert all(p is not None and p.status == OK for p in found)
    with pytest.raises(RidgelineError, match=r"'model' cannot be left out\. Did you mean 'models'"):
        folds(shipped, "model")
    with pytest.raises(RidgelineError, match="at least two"):
        leave_out(shipped[:1], "models", calibrate, predict)


def test_rows_of_chips_without_kin_have_no_prediction(shipped: list[Row]) -> None:
    lonely = [r for r in shipped if r.chip in ("a100-80gb-sxm", "h100-sxm", "h200-sxm")]
    found = leave_out(lonely, "chips", lambda _: None, off_by(1.0))
    for row, prediction in zip(lonely, found, strict=True):
        assert (prediction is None) == (row.chip == "a100-80gb-sxm")


def test_targets_are_met_by_a_good_model_and_missed_by_a_bad_one(shipped: list[Row]) -> None:
    def judged(factor: float) -> list[bool]:
        pairs = list(zip(shipped, off_by(factor, 1.2)(shipped), strict=True))
        return [t["met"] for t in targets(pairs, pairs, len(shipped), len(shipped))]

    assert all(judged(1.05))
    assert judged(1.9) == [True, *[False] * 9, True, True]


def test_saturation_is_read_from_the_measurement(shipped: list[Row]) -> None:
    loaded = [r for r in shipped if r.regime == "open"]
    assert {is_saturated(r) for r in loaded} == {True, False}
    for row in loaded:
        if row.run and row.run.request_rate_per_s == 1:
            assert not is_saturated(row)


def test_the_worst_groups_are_found_and_described(shipped: list[Row]) -> None:
    def is_bad(row: Row) -> bool:
        return (row.source, row.chip, row.regime) == ("trtllm0.9", "h100-sxm", "static")

    def predict(rows) -> list[Prediction]:
        factors = (2 * (r.run.batch or 1) ** 0.5 if is_bad(r) else 1.02 for r in rows)
        return [off_by(f)([r])[0] for f, r in zip(factors, rows, strict=True)]

    worst = worst_groups(list(zip(shipped, predict(shipped), strict=True)), 3)
    assert (worst[0]["source"], worst[0]["chip"], worst[0]["regime"]) == (
        "trtllm0.9", "h100-sxm", "static",
    )  # fmt: skip
    assert worst[0]["engine"] == "tensorrt-llm 0.9"
    assert "100% of rows too high" in worst[0]["seen"]
    assert any(text.startswith("batch below") for text in worst[0]["seen"])
    assert worst[1]["median"] == worst[2]["median"] == pytest.approx(0.02)
    assert worst[1]["seen"] == ["100% of rows too high"]


def test_noise_compares_releases_on_the_same_run(tmp_path: Path) -> None:
    head = (
        "id,run,source,engine,engine_version,chip,n_chips,model,tp,pp,regime,batch,isl,osl,metric"
    )
    lines = [
        f"{v}-{b},{v}-{b},lab,vllm,{v},h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct,1,1,decode,{b},"
        f"512,128,tpot_s,{b * (1.2 if v == '0.10' else 1.0)}"
        for v in ("0.9", "0.10")
        for b in (1, 2, 4, 8)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([f"{head},value", *lines]) + "\n")
    (found,) = noise(read_rows([path]))
    assert (found["one"], found["other"]) == ("vllm 0.9 (lab)", "vllm 0.10 (lab)")
    assert (found["n_cells"], found["same_engine"]) == (4, True)
    assert found["median"] == pytest.approx(1.2)
    assert found["error"] == pytest.approx(0.2)


def test_the_report_states_every_target_and_includes_what_is_written_by_hand(
    shipped: list[Row], tmp_path: Path
) -> None:
    (tmp_path / "fidelity-notes.toml").write_text(
        '[[group]]\nwhy = "rounded to a millisecond"\n'
        '[[target]]\nfigure = "static, decode, prefill, models left out: median"\ntried = "much"\n'
    )
    page = tmp_path / "fidelity.md"
    page.write_text("# Fidelity\n\nBy hand.\n")
    for factor in (1.4, 1.01):
        write_engine_report(shipped, page, calibrate=lambda _: None, predict=off_by(factor, 1.2))
        text = page.read_text()
        assert text.startswith("# Fidelity\n\nBy hand.\n\n<!-- engines")
        assert text.count("## Whole engines") == 1
        missed = factor > 1.2
        assert ("left out: median:** much" in text) == missed
        assert "rounded to a millisecond" in text
        assert "### The noise floor" in text
    assert "**missed** |\n" in engine_report(shipped, calibrate=lambda _: None, predict=off_by(2.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [("[[group]]\nsource = 'x'\n", "has no why"), ("[[target]]\n", "no figure and no tried"),
     ("= 1", "not valid TOML")],
)  # fmt: skip
def test_notes_that_do_not_hold(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "fidelity-notes.toml").write_text(text)
    with pytest.raises(RidgelineError, match=message):
        read_notes(tmp_path / "fidelity.md")


def test_no_rows_no_scores() -> None:
    assert Scores().board()[0]["n_rows"] == 0
