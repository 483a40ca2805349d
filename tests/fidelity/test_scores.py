"""The scoreboard, folds and noise floor, on rows whose answers are known."""

from __future__ import annotations

import itertools
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.catalog import engine_constants
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.engines.freedom import freedom
from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.runs import OK, Prediction, Row
from ridgeline.fidelity.scores import (
    BY,
    LEAVE_OUT,
    Scores,
    SetAside,
    Unseen,
    answered,
    folds,
    leave_out,
    noise,
    read_set_aside,
    score_chunk,
    score_chunks,
)
from ridgeline.fidelity.scores.aside import beside_folds, predict_aside
from ridgeline.fidelity.scores.engine_report import (
    Means,
    engine_report,
    read_notes,
    write_engine_report,
)
from ridgeline.fidelity.scores.limits import verdicts
from ridgeline.fidelity.scores.scoreboard import line
from ridgeline.fidelity.scores.splits import FAMILIES, family, pair_of, shape_of
from ridgeline.fidelity.scores.targets import (
    against,
    answered_share,
    coverage_targets,
    is_saturated,
    promised,
    targets,
)
from ridgeline.fidelity.scores.worst import worst_groups
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.fidelity.warmth import warmth
from ridgeline.specs.constants import Effect, EngineConstants, Factor


@pytest.fixture(scope="module")
def shipped() -> list[Row]:
    return read_rows([SHIPPED])


def off_by(factor: float, width: float = 1.5):
    """A model that always errs by the same factor."""

    def predict(rows, constants=None) -> list[Prediction]:
        return [
            Prediction(value * factor, value * factor / width, value * factor * width)
            for value in (r.value or 1.0 for r in rows)
        ]

    return predict


def unseen(rows: list[Row], factor: float, width: float = 1.5) -> list[Unseen]:
    """Rows as if left out of a fit, all off by a factor."""
    told = off_by(factor, width)(rows)
    return [Unseen(i, r, p, "x") for i, (r, p) in enumerate(zip(rows, told, strict=True))]


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
    for by in ("source", "chip", "regime", "metric", "model", "engine", "era"):
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


@settings(max_examples=15)
@given(st.data())
def test_parts_merge_to_the_whole_however_they_are_cut(shipped: list[Row], data: Any) -> None:
    bad = Row("x", 9, None, "tpot_s", None, "unknown-chip", "no such chip", regime="decode")
    rows = [*shipped[:40], bad, *shipped[300:330], bad]
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=6).map(sorted))
    chunks = [rows[a:b] for a, b in itertools.pairwise([0, *cuts, len(rows)])]
    parts = [pickle.loads(pickle.dumps(score_chunk(c, off_by(1.3), 45)[0])) for c in chunks]
    while len(parts) > 1:  # any two neighbours first
        i = data.draw(st.integers(0, len(parts) - 2))
        parts[i : i + 2] = [parts[i].merged(parts[i + 1])]
    whole = score_chunks([rows], off_by(1.3), keep=45)
    assert parts[0].scores.board(list(BY)) == whole.scores.board(list(BY))
    assert parts[0].scores.points() == whole.scores.points()
    assert len(whole.shown) == 45
    assert (parts[0].shown, parts[0].unanswered) == (whole.shown, whole.unanswered)
    assert parts[0].by_status == whole.by_status == {OK: 70, "unknown-chip": 2}


def test_merging_changes_neither_part(shipped: list[Row]) -> None:
    one, other = (score_chunk(shipped[a : a + 50], off_by(2.0))[0] for a in (0, 200))
    before = one.scores.board(), other.scores.board(), dict(one.by_status)
    assert len(one.merged(other).scores) == 100
    assert (one.scores.board(), other.scores.board(), dict(one.by_status)) == before


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_number_that_is_none_is_not_scored(shipped: list[Row], value: float) -> None:
    found = answered(shipped[:1], lambda _: [Prediction(value, value, value)])
    assert found[0].status == "no-number"


def test_models_are_left_out_whole(shipped: list[Row]) -> None:
    chosen = folds(shipped, "models")
    assert sorted(i for fold in chosen for i in fold.unseen) == list(range(len(shipped)))
    for fold in chosen:
        inside = {shape_of(shipped[i].run.model) for i in fold.unseen}  # type: ignore[union-attr]
        rest = {shape_of(shipped[i].run.model) for i in fold.fitted}  # type: ignore[union-attr]
        assert not inside & rest
        assert {*fold.unseen, *fold.fitted} == set(range(len(shipped)))


def test_llama_by_another_name_is_the_same_model(shipped: list[Row]) -> None:
    names = {"meta-llama/Meta-Llama-3.1-70B", "unsloth/Llama-3.3-70B-Instruct"}
    shapes = {shape_of(r.run.model) for r in shipped if r.run and r.run.model.id in names}
    assert len(shapes) == 1


def test_chips_are_left_out_whole_and_never_without_kin(shipped: list[Row]) -> None:
    chosen = folds(shipped, "chips")
    left_out: list[str] = []
    for fold in chosen:
        out = {shipped[i].run.cluster.chip.id for i in fold.unseen}  # type: ignore[union-attr]
        rest = {shipped[i].run.cluster.chip.id for i in fold.fitted}  # type: ignore[union-attr]
        assert not out & rest
        for chip in out:
            kin_out = sum(family(c) == family(chip) for c in out)
            kin_left = sum(family(c) == family(chip) for c in rest)
            assert kin_left >= (1 if kin_out == 1 else 2 * kin_out)
        left_out += out
    every = {r.run.cluster.chip.id for r in shipped if r.run}
    members = {name: {c for c in every if family(c) == name} for name in FAMILIES}
    assert sorted(left_out) == sorted(c for kin in members.values() if len(kin) > 1 for c in kin)


def test_chips_with_many_rows_are_left_out_alone(shipped: list[Row]) -> None:
    names = [f.name for f in folds(shipped, "chips")]
    assert {"h100-sxm", "h200-sxm"} <= set(names)
    assert len(names) < 20


def test_pairs_are_left_out_whole_and_both_parts_stay_known(shipped: list[Row]) -> None:
    chosen = folds(shipped, "pairs")
    assert 2 < len(chosen) <= 8
    for fold in chosen:
        out = {pair_of(shipped[i]) for i in fold.unseen}
        rest = {pair_of(shipped[i]) for i in fold.fitted}
        assert not out & rest
        assert {engine for engine, _ in out} <= {engine for engine, _ in rest}
        assert {chip for _, chip in out} <= {chip for _, chip in rest}
    every = {pair_of(r) for r in shipped}
    left = {pair_of(shipped[i]) for fold in chosen for i in fold.unseen}
    for engine, chip in every - left:
        alone = [p for p in every if p[0] == engine] == [(engine, chip)]
        assert alone or [p for p in every if p[1] == chip] == [(engine, chip)]


def test_everything_after_a_date_is_left_out(shipped: list[Row]) -> None:
    chosen = folds(shipped, "dates")
    dates = [r.run.date if r.run else "" for r in shipped]
    n_dated = sum(bool(d) for d in dates)
    assert len(chosen) == 3
    for fold, share in zip(chosen, (0.4, 0.2, 0.1), strict=True):
        cut = min(dates[i] for i in fold.unseen)
        assert fold.name == f"from {cut} on"
        assert len(fold.unseen) >= round(share * n_dated)
        assert {i for i, d in enumerate(dates) if d >= cut} == set(fold.unseen)
        assert all(dates[i] < cut for i in fold.fitted)
        # A year that a cut lies in is on either side: such rows are in neither part.
        neither = {*range(len(shipped))} - {*fold.unseen, *fold.fitted}
        assert all(cut.startswith(dates[i]) and dates[i] for i in neither)


def test_the_fit_never_sees_what_it_is_scored_on(shipped: list[Row]) -> None:
    def calibrate(rows: list[Row]) -> set[object]:
        return {shape_of(r.run.model) for r in rows if r.run}

    def predict(rows, constants) -> list[Prediction]:
        assert not {shape_of(r.run.model) for r in rows} & constants
        return off_by(1.0)(rows)

    found = leave_out(shipped, "models", calibrate, predict)
    assert [one.place for one in found] == list(range(len(shipped)))
    assert all(one.prediction.status == OK for one in found)
    with pytest.raises(RidgelineError, match=r"'model' cannot be left out\. Did you mean 'models'"):
        folds(shipped, "model")
    with pytest.raises(RidgelineError, match="leaves no row to fit on"):
        leave_out(shipped[:1], "models", calibrate, predict)


def test_a_row_knows_whether_its_engine_was_fitted_on_its_chip(shipped: list[Row]) -> None:
    found = leave_out(shipped, "pairs", lambda _: None, off_by(1.0))
    assert found
    assert not any(one.pair_known for one in found)
    assert any(x.pair_known for x in leave_out(shipped, "models", lambda _: None, off_by(1.0)))


def test_rows_of_chips_without_kin_have_no_prediction(shipped: list[Row]) -> None:
    lonely = [r for r in shipped if r.chip in ("a100-80gb-sxm", "h100-sxm", "h200-sxm")]
    found = leave_out(lonely, "chips", lambda _: None, off_by(1.0))
    assert {one.row.chip for one in found} == {"h100-sxm", "h200-sxm"}


def test_set_aside_goes_by_shape_machine_and_day(shipped: list[Row]) -> None:
    everything = SetAside(models=("meta-llama/Meta-Llama-3.1-70B",), chips=("gb200-nvl72",))
    causes = everything.causes(shipped)
    by_model = {
        r.run.model.id for r, c in zip(shipped, causes, strict=True) if c == "models" and r.run
    }
    assert {"meta-llama/Meta-Llama-3.1-70B", "unsloth/Llama-3.3-70B-Instruct"} <= by_model
    assert not any("8B" in name for name in by_model)
    kept, aside = everything.split(shipped)
    assert len(kept) + len(aside) == len(shipped)
    assert not any(r.chip.startswith("gb200") for r in kept)
    late = SetAside(since="2025-09-09")
    for row, cause in zip(shipped, late.causes(shipped), strict=True):
        assert row.run is not None
        # "2025-10" is later as a whole, "2025-09" and "2025" are not
        assert (cause == "dates") == (row.run.date >= "2025-09-09")
    n_models, n_chips = causes.count("models"), causes.count("chips")
    assert everything.words(shipped) == (
        f"{len(aside)} of {len(shipped)} rows set aside: {n_models} by model, {n_chips} by chip, "
        "0 by date"
    )
    assert SetAside().split(shipped) == (shipped, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [('sinse = "2026-01-01"', "since"), ('since = "2026-01"', "ISO date"), ("= 1", "TOML")],
)
def test_files_of_what_is_set_aside_that_do_not_hold(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "aside.toml").write_text(text)
    with pytest.raises(RidgelineError, match=message):
        read_set_aside(tmp_path / "aside.toml")


def test_set_aside_rows_stand_beside_folds_of_their_kind(shipped: list[Row]) -> None:
    set_aside = SetAside(chips=("mi300x",), since="2025-07-01")
    rows, _ = set_aside.split(shipped)
    folded = {what: unseen(rows, 1.1) for what in ("models", "chips", "dates")}
    aside = predict_aside(shipped, set_aside, None, off_by(1.2))
    assert {one.fold for one in aside} == {"chips", "dates"}
    found = {row["figure"]: row for row in beside_folds(folded, aside)}
    chips = found["fixed batches, chips left out"]
    assert (chips["value"], chips["met"]) == (pytest.approx(2.0), False)
    assert chips["n_aside"] == sum(
        one.fold == "chips" and one.row.regime == "static" for one in aside
    )
    assert found["all rows, models left out"]["n_aside"] == len(aside)
    assert "fixed batches, models left out" not in found
    (alone,) = (r for r in beside_folds({"chips": []}, aside) if r["figure"] == chips["figure"])
    assert (alone["value"], alone["met"], alone["n_aside"]) == (None, None, chips["n_aside"])


def test_targets_are_met_by_a_good_model_and_missed_by_a_bad_one(shipped: list[Row]) -> None:
    def judged(factor: float, width: float) -> dict[str, bool | None]:
        scored = unseen(shipped, factor, width)
        told: dict[str, list[Unseen]] = {str(what): scored for what in LEAVE_OUT}
        found = targets(told, shipped, off_by(factor, width)(shipped))
        return {t["figure"]: t["met"] for t in found if t["n_rows"]}

    good, bad = judged(1.05, 1.2), judged(1.9, 1.4)
    assert set(good.values()) == {True, None}
    assert good.keys() == bad.keys()
    assert [name for name, met in bad.items() if met is True] == ["rows answered"]
    assert good["99th percentile of TTFT, models left out: median"] is None
    assert len([met for met in bad.values() if met is False]) >= 8


def test_limits_are_judged_at_the_measured_rate(shipped: list[Row]) -> None:
    def engine(first_s: float, gap_s: float):
        def predict(rows, constants=None) -> list[Prediction]:
            found = []
            for row in rows:
                rate = row.run.request_rate_per_s
                if row.metric == "output_tokens_per_s":
                    assert row.run.regime == "slo"
                    assert row.run.layout is not None
                    # One layout is best; only it is asked of at the measured rate.
                    value = 1e4 / row.run.layout.tp
                else:
                    assert row.run.regime == "open"
                    assert row.run.layout.tp == 1
                    value = first_s if row.metric == "ttft_p99_s" else gap_s
                    assert 0.1 < rate < 1e4
                found.append(Prediction(value, value, value))
            return found

        return predict

    good, bad = verdicts(shipped, engine(1e-3, 1e-3)), verdicts(shipped, engine(1e-3, 9.0))
    assert len(good) == len(bad) > 10
    assert all(one.right for one in good)  # every published run keeps its limits
    assert {one.row.metric for one in bad if not one.right} == {"tpot_p99_s"}
    share = targets({}, verdicts=bad)[0]
    assert (share["value"], share["met"]) == (pytest.approx(0.5, abs=0.05), False)


def test_intervals_are_asked_to_hold_what_they_say(shipped: list[Row]) -> None:
    def covered(share: float) -> list[Unseen]:
        some = [i % 100 < share * 100 for i in range(len(shipped))]
        return [
            unseen([r], 1.1, 1.5 if inside else 1.01)[0]
            for r, inside in zip(shipped, some, strict=True)
        ]

    for share, met in ((0.80, True), (0.70, False), (0.90, False)):
        overall, *groups = coverage_targets(covered(share))
        assert (overall["coverage"], overall["met"]) == (pytest.approx(share, abs=0.03), met)
        assert all(g["n_rows"] >= 30 and (g["low"], g["high"]) == (0.65, 0.92) for g in groups)
        kinds = {g["group"].split()[0] for g in groups}
        assert kinds == {"regime", "chip", "engine", "era"}


def test_rows_that_their_source_marks_broken_need_no_answer(shipped: list[Row]) -> None:
    nothing = Prediction(math.nan, math.nan, math.nan, "no-shape", "unknown.")
    rows, told = shipped[:100], [nothing, *off_by(1.0)(shipped[1:100])]
    assert answered_share(rows, told)["value"] == 0.99
    run = rows[0].run
    assert run is not None
    broken = replace(rows[0], run=replace(run, notes={"broken": "the server restarted"}))
    found = answered_share([broken, *rows[1:]], told)
    assert (found["value"], found["n_rows"], found["met"]) == (1.0, 99, True)


def test_what_is_promised_is_what_was_left_out(shipped: list[Row]) -> None:
    told = {"models": unseen(shipped, 1.1), "pairs": unseen(shipped, 1.3)}
    found = {(r["question"], r["unmeasured"]): r for r in promised(told)}
    assert found["a fixed batch", "the model"]["median"] == pytest.approx(0.1)
    assert found["a fixed batch", "the engine on the chip"]["median"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("date", "notes", "said"),
    [
        ("2026-01-21", {}, "warm"),
        ("2026-01-20", {"InferenceX run, nominal 1024/1024": ""}, "cold"),
        ("2026-01-20", {}, "not stated"),
        ("", {"InferenceX run": ""}, "not stated"),
        ("2025-01-01", {"warmed up": ""}, "warm"),
        ("2026-02-01", {"cold server": "no warm-up requests"}, "cold"),
        ("2026-02-01", {"no warm-up requests": ""}, "cold"),
    ],
)  # fmt: skip
def test_servers_are_warm_by_note_or_date(
    shipped: list[Row], date: str, notes: dict[str, str], said: str
) -> None:
    run = shipped[0].run
    assert run is not None
    assert warmth(replace(run, date=date, notes=notes)) == said


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

    told = predict(shipped)
    pairs = enumerate(zip(shipped, told, strict=True))
    worst = worst_groups([Unseen(i, r, p) for i, (r, p) in pairs], 3)
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
        '[[target]]\nfigure = "fixed batches, models left out: median"\ntried = "much"\n'
    )
    page = tmp_path / "fidelity.md"
    page.write_text("# Fidelity\n\nBy hand.\n")
    for factor in (1.4, 1.01):
        means = Means(lambda _: None, off_by(factor, 1.2))
        write_engine_report(shipped, page, means)
        text = page.read_text()
        assert text.startswith("# Fidelity\n\nBy hand.\n\n<!-- engines")
        assert text.count("## Whole engines") == 1
        missed = factor > 1.2
        assert ("left out: median:** much" in text) == missed
        assert "rounded to a millisecond" in text
        assert "### The noise floor" in text
        assert "### What is promised" in text
        assert text.count("| from 20") == 3
    more = [against("KV capacity: median", 0.2, 0.08, 9)]
    text = engine_report(shipped, Means(lambda _: None, off_by(1.0)), more=more)
    assert "| KV capacity: median | 9 | <= 8.0% | 20.0% | **missed** |\n" in text


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


def test_freedom_is_the_trace_of_what_rows_tell() -> None:
    draw = np.random.default_rng(3)
    jacobian, weight = draw.normal(size=(40, 3)) * [3.0, 0.3, 0.0], draw.uniform(0.5, 2, 40)
    spread = {"all": 0.5, "engine": 0.4, "era": 0.3}
    told = jacobian.T @ (weight[:, None] * jacobian)
    covariance = np.linalg.inv(told + np.diag([s**-2 for s in spread.values()]))
    sigma = np.sqrt(np.diag(covariance))
    places = ("all", "engine vllm", "era vllm-v1")
    factors = {p: Factor(value=1.0, sigma=s) for p, s in zip(places, sigma, strict=True)}
    constants = EngineConstants(id="x", effects={"memory": Effect(spread=spread, factors=factors)})
    every, effect, *levels = freedom(constants)
    assert every["freedom"] == pytest.approx(np.trace(told @ covariance))
    assert (every["n_factors"], effect["freedom"]) == (3, every["freedom"])
    assert [row["level"] for row in levels] == ["all", "engine", "era"]
    # The first is all but known, the last not at all.
    assert levels[0]["freedom"] > 0.98
    assert levels[-1]["freedom"] == pytest.approx(0, abs=1e-9)
    assert [row["n_determined"] for row in (levels[0], levels[-1])] == [1, 0]


def test_shipped_constants_tell_less_than_they_are_many() -> None:
    every, *lines = freedom(engine_constants())
    effects = [row for row in lines if row["level"] == "all levels"]
    assert sum(row["freedom"] for row in effects) == pytest.approx(every["freedom"])
    assert sum(row["n_factors"] for row in effects) == every["n_factors"]
    assert 20 < every["freedom"] < 0.6 * every["n_factors"]
