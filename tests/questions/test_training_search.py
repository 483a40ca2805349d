"""The search of training layouts: what it tries, what it finds, against single calls."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.errors import SpecError
from ridgeline.grid import Spread
from ridgeline.questions.training.legal import RULES, problems
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.questions.training_layouts.kept import Chunk, Kept
from ridgeline.questions.training_layouts.search import TrainingSearch, search
from ridgeline.questions.training_layouts.space import AXES, Space
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import SURE, job_memory
from ridgeline.trainer.step import job_step

DENSE, EXPERTS = "openai-community/gpt2", "openai/gpt-oss-20b"


def setup(model: str = DENSE, machine: str = "2xhgx-h100", **options: Any) -> TrainingSetup:
    usual: dict[str, Any] = {"seq": 1024, "global_batch": 96, "framework": "megatron-lm"}
    return TrainingSetup(TrainingScenario.of(model, machine, **{**usual, **options}))


def single(job: TrainingJob) -> tuple[float, ...]:
    """Time, bytes and probability of fitting of one job by itself."""
    held = job_memory(job)
    found = (job_step(job).time_s[0], held.peak_bytes()[0], held.fits_probability[0])
    return tuple(float(f"{v:.11g}") for v in found)


def all_of(found: TrainingSearch) -> list[TrainingJob]:
    """Every job of a space that has no problem, one by one; schedules of stages by their names."""
    space = found.space
    jobs = (space.job(dict(zip(AXES, v, strict=True))) for v in product(*space.values.values()))
    return [
        job
        for job in jobs
        if not list(problems(job, found.setup.n_chips))
        and (job.recipe.schedule is None) == (job.layout.pp == 1)
    ]


SMALL: dict[str, Any] = {
    "tp": (1, 3, 4), "pp": (1, 2, 4), "vp": (1, 3), "micro_batch": (3, 5), "zero": (0, 1),
    "recompute": ("none", "layers 7", "full"), "schedule": (None, "1f1b", "interleaved"),
    "order": (("tp", "cp", "dp", "pp"), ("tp", "cp", "pp", "dp")),
    "overlap": (None, ("dp", "tp_backward")), "cp": (1, 2),
}  # fmt: skip
OF_EXPERTS: dict[str, Any] = SMALL | {
    "ep": (1, 8, 3), "expert_tp": (None, 1), "cp": (1,), "recompute": ("none", "full"),
    "overlap": (None,), "vp": (1,), "micro_batch": (1,), "pp": (1, 2), "tp": (1, 2),
    "zero": (1, 3), "shard": (None, 2), "order": SMALL["order"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "options", "stated"),
    [(DENSE, {}, SMALL), (EXPERTS, {"global_batch": 48}, OF_EXPERTS)],
    ids=["dense", "experts"],
)
def test_a_search_is_brute_force_over_single_calls(model, options, stated) -> None:
    found = search(setup(model, **options), Space.of(setup(model, **options), **stated))
    # The same under different names (a placement of degrees that are 1) is one row of the search.
    each = {single(job) for job in all_of(found)}
    times = sorted(t for t, _, sure in each if sure >= SURE)
    assert found.best(1)[0]["time_s"] == pytest.approx(times[0], rel=1e-10)
    rows = found.rows_at(found.kept.best.ids)
    assert len(rows) == min(found.n_fit, 1000) > 50
    mine = np.unique([float(f"{row['time_s']:.11g}") for row in rows])
    np.testing.assert_allclose(mine, np.unique(times)[: len(mine)], rtol=1e-10)
    assert found.n_legal >= len(each)
    for axis in AXES:
        for value, row in found.best_of(axis).items():
            assert row is None or row[axis] == value
            assert found.counts(axis)[value][1] > 0 or row is None


def test_rows_are_single_calls_of_the_question() -> None:
    found = search(setup(), Space.of(setup(), **SMALL))
    for row in (*found.best(5), *found.front[-3:], *found.nearest[:3]):
        time_s, peak, sure = single(found.job(row))
        assert row["time_s"] == pytest.approx(time_s, rel=1e-10)
        assert row["peak_bytes"] == pytest.approx(peak, rel=1e-10)
        assert row["fits_probability"] == pytest.approx(sure, rel=1e-9, abs=1e-12)
        asked = {n: row[n] for n in AXES if row[n] is not None}
        if asked["recompute"].startswith("layers"):
            asked["recompute"], asked["recompute_layers"] = asked["recompute"].split()
        answer = rl.training(
            DENSE, "2xhgx-h100", seq=1024, global_batch=96, framework="megatron-lm",
            price=2.0, **asked,
        )  # fmt: skip
        assert answer.step_s == pytest.approx(row["time_s"], rel=1e-12)
        assert row["mfu"] == pytest.approx(answer.utilization["full"], rel=1e-12)


def test_rules_look_at_the_fields_that_they_name() -> None:
    """Jobs alike in a rule's fields have its problems alike, and rules together are all."""
    given = Space.of(setup(EXPERTS), **OF_EXPERTS | {"cp": (1, 2), "recompute": SMALL["recompute"]})
    source = np.random.default_rng(1)
    for _ in range(400):
        at = {axis: values[source.integers(len(values))] for axis, values in given.values.items()}
        job = given.job(at)
        by_rule = [next(rule.problems(job), None) is None for rule in RULES]
        alone = [
            next(rule.problems(given.job({f: at[f] for f in rule.fields})), None) is None
            for rule in RULES
        ]
        assert by_rule == alone
        n_chips = job.n_chips
        assert all(by_rule) == (not list(problems(job, n_chips)))


def test_the_winner_is_never_beaten_by_a_row_that_it_lists() -> None:
    found = search(setup(EXPERTS, "4xhgx-a100-80gb", global_batch=64))
    rows = found.best(200)
    times = [row["time_s"] for row in rows]
    assert times == sorted(times)
    assert all(row["fits_probability"] >= SURE for row in rows)
    front = found.front
    assert front[0]["time_s"] == times[0]
    assert [r["time_s"] for r in front] == sorted(r["time_s"] for r in front)
    assert [r["headroom_bytes"] for r in front] == sorted(r["headroom_bytes"] for r in front)
    for axis in AXES:
        own = [row["time_s"] for row in found.best_of(axis).values() if row]
        assert min(own) == times[0]


@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    model=st.sampled_from([DENSE, EXPERTS, "meta-llama/Meta-Llama-3-8B"]),
    machine=st.sampled_from(["1xhgx-h100", "3xhgx-a100-80gb", "1xgb200-nvl72", "4xh100-sxm"]),
    framework=st.sampled_from(["megatron-lm", "nanotron", "deepspeed", "current"]),
    seq=st.sampled_from([2048, 8192]),
    global_batch=st.sampled_from([24, 72, 128]),
    reading=st.sampled_from(["calibrated", "ideal"]),
)
def test_no_row_of_a_space_beats_its_winner(model, machine, **options) -> None:
    asked = setup(model, machine, **options, vp=None if model != DENSE else 1)
    stated = {"micro_batch": (1, 2), "recompute": ("none", "layers 2", "full")}
    found = search(asked, Space.of(asked, **stated))
    best = found.best(1)
    fastest = {axis: found.best_of(axis) for axis in AXES}
    sparest = {axis: found.nearest_of(axis) for axis in AXES}
    for row in found.rows_at(found.sample(25, np.random.default_rng(5))):
        assert not list(problems(found.job(row), asked.n_chips))
        fits = row["fits_probability"] >= SURE
        least = row["headroom_bytes"] - 1.0  # a byte of rounding
        for axis in AXES:
            n_legal, n_fit = found.counts(axis)[row[axis]]
            assert n_legal >= n_fit >= fits
            most, first = sparest[axis][row[axis]], fastest[axis][row[axis]]
            assert most is not None
            assert most["headroom_bytes"] >= least
            if fits:
                assert first is not None
                assert first["time_s"] <= row["time_s"] * (1 + 1e-12)
        if fits:
            assert row["time_s"] >= best[0]["time_s"] * (1 - 1e-12)
            faster = [r for r in found.front if r["time_s"] <= row["time_s"] * (1 + 1e-12)]
            assert max(r["headroom_bytes"] for r in faster) >= least
    for axis in AXES:
        assert sum(n for n, _ in found.counts(axis).values()) == found.n_legal
        assert sum(n for _, n in found.counts(axis).values()) == found.n_fit


@pytest.mark.parametrize("stated", [{"schedule": (None, "1f1b", "zb-v", "dualpipe", "zb-h1")}])
def test_schedules_without_a_closed_form_are_searched_exactly(stated) -> None:
    space = {
        "tp": (1, 2), "pp": (1, 2, 4), "micro_batch": (1, 2), "recompute": ("none", "full"),
        "zero": (1,), "cp": (1,), "order": (("tp", "cp", "dp", "pp"), ("tp", "cp", "pp", "dp")),
    }  # fmt: skip
    asked = setup(global_batch=128)
    found = search(asked, Space.of(asked, **space, **stated))
    each = [(single(job), job) for job in all_of(found)]
    assert len(each) > 100
    fastest: dict[Any, float] = {}
    for (time_s, _, sure), job in each:
        if sure >= SURE:
            name = job.recipe.schedule
            fastest[name] = min(fastest.get(name, np.inf), time_s)
    mine = {v: row["time_s"] for v, row in found.best_of("schedule").items() if row}
    assert mine == pytest.approx(fastest, rel=1e-10)
    times = np.unique([t for (t, _, sure), _ in each if sure >= SURE])
    own = np.unique([float(f"{row['time_s']:.11g}") for row in found.best(20)])
    np.testing.assert_allclose(own, times[: len(own)], rtol=1e-10)


def test_the_share_of_faster_rows_is_counted_to_a_hundredth_of_the_time() -> None:
    times = np.random.default_rng(2).lognormal(1.0, 0.5, 5000)
    none = np.zeros((1, 2), dtype=np.int64)
    parts = [Kept((1,) * len(AXES), 100) for _ in range(2)]
    for kept, own in zip(parts, np.split(np.arange(5000), 2), strict=True):
        index = {axis: 0 * own for axis in AXES if axis not in ("overlap", "order")}
        chunk = Chunk(index, own, none, none[0, :1], own.astype(np.float64))
        kept.weighed(chunk, own >= 0)
        kept.timed(chunk, times[own][:, None])
    parts[0].merge(parts[1])
    found = parts[0]
    assert found.best.values.tolist() == np.sort(times)[:100].tolist()
    for share in (0.003, 0.015, 0.1, 0.5, 0.9):
        time_s = np.quantile(times, share)
        low, high = (np.mean(times < time_s * x) for x in (0.99, 1.0))
        assert low <= found.share_faster(time_s) <= high
    assert found.share_faster(float(np.sort(times)[7])) == 7 / 5000


def test_what_the_question_fixes_has_one_value() -> None:
    asked = setup(tp=2, recompute="full", micro_batch=1, zero=1, schedule="1f1b", overlap="none")
    space = Space.of(asked)
    fixed = {"tp": (2,), "recompute": ("full",), "micro_batch": (1,), "schedule": ("1f1b",),
             "overlap": ((),), "zero": (1,)}  # fmt: skip
    assert {axis: space.values[axis] for axis in fixed} == fixed
    assert search(asked, space).best(1)[0]["pp"] > 1
    with pytest.raises(SpecError, match="tp is fixed by the question"):
        Space.of(asked, tp=(1, 2))
    with pytest.raises(SpecError, match=r"no axis 'recompte'\. Did you mean 'recompute'"):
        Space.of(setup(), recompte=("none",))
    with pytest.raises(SpecError, match="'layers 4'"):
        Space.of(setup(), recompute=("layers",))
    with pytest.raises(SpecError, match="zero: whole numbers from 0 to 3"):
        Space.of(setup(), zero=(4,))


def test_values_that_nothing_has_are_told_in_words() -> None:
    asked = setup(global_batch=96)
    found = search(asked, Space.of(asked, tp=(1, 5, 8), micro_batch=(1, 7)))
    said = found.refused
    assert "tp = 5 does not divide the 12 attention heads" in said["tp", 5]
    assert "dp x micro_batch" in said["micro_batch", 7]
    assert found.counts("tp")[5] == (0, 0)


def test_where_nothing_fits_rows_nearest_to_it_are_told() -> None:
    asked = setup("meta-llama/Meta-Llama-3-70B", "1xhgx-h100", global_batch=8, seq=8192)
    found = search(asked)
    assert found.n_fit == 0 < found.n_legal
    assert found.best() == found.front == []
    rows = found.nearest
    assert rows[0]["headroom_bytes"] < 0
    left = [row["headroom_bytes"] for row in rows]
    assert left == sorted(left, reverse=True)
    best = found.nearest_of("tp")
    assert max(row["headroom_bytes"] for row in best.values() if row) == left[0]


def test_groups_of_rows_spread_over_processes_merge_to_the_same() -> None:
    asked = setup(global_batch=64)
    alone = search(asked)
    with Spread(workers=2) as spread:
        shared = search(asked, spread=spread)
    assert shared.kept.best.ids.tolist() == alone.kept.best.ids.tolist()
    assert shared.n_legal == alone.n_legal
    assert shared.kept.front.result().tolist() == alone.kept.front.result().tolist()


def test_overlap_hides_exchanges_as_far_as_arithmetic_is_long_enough() -> None:
    asked: dict[str, Any] = {"seq": 8192, "global_batch": 256, "tp": 8, "pp": 2, "dp": 16}
    of = {
        overlap: rl.training("meta-llama/Meta-Llama-3-70B", "32xhgx-h100", overlap=overlap, **asked)
        for overlap in (None, "none", "dp", "tp_backward", "tp,tp_backward,dp,cp,pp")
    }
    parts = {overlap: answer.parts_s for overlap, answer in of.items()}
    assert of["none"].step_s > of["dp"].step_s > of[None].step_s
    assert of["tp,tp_backward,dp,cp,pp"].step_s == of[None].step_s  # the framework's own
    assert parts["none"]["tp"] == parts["dp"]["tp"] > parts["tp_backward"]["tp"] > parts[None]["tp"]
    assert parts["none"]["dp"] > 2 * parts["dp"]["dp"] > 0
    with pytest.raises(SpecError, match="overlap: none, or groups whose exchanges"):
        rl.training("gpt2", "hgx-h100", overlap="pd")
