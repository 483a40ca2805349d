"""Training on more and more chips: rows are single answers, limits, landmarks, the best batch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.laws.batch_size import critical_batch_of_loss_tokens, tokens_over_least
from ridgeline.laws.parallel_bounds import fsdp_tokens_per_chip
from ridgeline.questions.scaling.landmarks import EXPOSED
from ridgeline.trainer.groups import grouped
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_step

LLAMA, QWEN, MOE = "meta-llama/Meta-Llama-3.1-405B", "Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B"


def llama(**options: Any) -> rl.Scaling:
    given: dict[str, Any] = {"seq": 8192, "global_batch": 2048, "tp": 8, "pp": 16} | options
    return rl.scaling(LLAMA, "2048xhgx-h100", **given)


@pytest.mark.parametrize(
    ("model", "machine", "options"),
    [
        (LLAMA, "2048xhgx-h100", {"seq": 8192, "global_batch": 2048, "tp": 8, "pp": 16}),
        (LLAMA, "512xhgx-h100", {"seq": 8192, "global_batch": 1024, "recompute": "full"}),
        (QWEN, "16xhgx-h100", {"global_batch": 512, "reading": "ideal"}),
        (MOE, "32xhgx-b200", {"global_batch": 2048, "precision": "fp8"}),
    ],
    ids=["degrees", "plain", "ideal", "experts"],
)
def test_rows_are_single_answers(model: str, machine: str, options: dict[str, Any]) -> None:
    found = rl.scaling(model, machine, tokens="1T", **options)
    assert len(found.rows) >= 4
    for row in found.rows:
        one = rl.training(model, machine, chips=row["n_chips"], tokens="1T", **options)
        assert one.values["n_chips"] == row["n_chips"]
        for name, value in (
            ("time_s", one.step_s),
            ("mfu", one.values["mfu_causal" if options.get("reading") == "ideal" else "mfu_full"]),
            ("fits_probability", one.fits_probability),
            ("dp_share", one.parts_s["dp"] / one.step_s),
            ("days", one.values["run_s"] / 86400),
            ("usd", one.values["usd"]),
        ):
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
        if one.interval_s is not None:
            assert (row["time_low_s"], row["time_high_s"]) == pytest.approx(one.interval_s)


def test_jobs_of_other_names_are_grouped_apart_and_stay_what_they_are() -> None:
    options: tuple[dict[str, Any], ...] = (
        {"tp": 2},
        {"tp": 4, "recompute": "full"},
        {"tp": 2, "pp": 2},
        {"zero": 3, "tp": 1},
        {"tp": 8, "micro_batch": 2},
    )
    jobs = [rl.training(QWEN, "4xhgx-h100", global_batch=256, **o).job for o in options]
    groups = grouped(jobs)
    assert sorted(i for group in groups for i in group.places) == list(range(len(jobs)))
    assert len(groups) == 2
    for group in groups:
        members, rows = group.places, group.job
        times, held = job_step(rows).time_s, job_memory(rows).needed_bytes
        for k, i in enumerate(members):
            assert times[k] == pytest.approx(float(job_step(jobs[i]).time_s[0]), rel=1e-12)
            own = float(np.ravel(job_memory(jobs[i]).needed_bytes)[0])
            assert np.ravel(held)[k] == pytest.approx(own, rel=1e-12)


def test_the_blackboard_scales_as_its_bubble_does() -> None:
    """6 N D / peak / n, and (m + p - 1) / m with m = B / dp: all there is."""
    found = llama(reading="blackboard")
    work = found.rows[0]["time_s"] * 128 / (1 + 15 / 2048)
    for row in found.rows:
        m = 2048 * 128 / row["n_chips"]
        assert row["time_s"] == pytest.approx(work / row["n_chips"] * (1 + 15 / m), rel=1e-9)
    flat = rl.scaling(QWEN, "16xhgx-h100", tp=1, global_batch=1024, reading="blackboard")
    assert [row["efficiency"] for row in flat.rows] == pytest.approx([1.0] * len(flat.rows))
    assert flat.landmarks[0].n_chips is None


def test_the_ideal_reading_scales_perfectly_until_the_exchange_is_exposed() -> None:
    """Nothing but arithmetic and its own memory passes, until gradients outlast the passes."""
    found = rl.scaling(QWEN, "512xhgx-h100", tp=1, zero=0, seq=512, global_batch=4096,
                       optimizer="sgd", reading="ideal")  # fmt: skip
    hidden = [row for row in found.rows if row["dp_share"] == 0]
    shown = [row for row in found.rows if row["dp_share"] > 0]
    assert len(hidden) >= 4
    assert shown
    assert max(r["n_chips"] for r in hidden) < min(r["n_chips"] for r in shown)
    for row in found.rows:
        lost = 1 - (row["dp_share"] + row["memory passes_s"] / row["time_s"])
        assert row["tokens_per_s_per_chip"] / lost == pytest.approx(
            found.rows[0]["tokens_per_s_per_chip"]
            / (1 - found.rows[0]["memory passes_s"] / found.rows[0]["time_s"]),
            rel=1e-3,
        )
    mark = next(m for m in found.landmarks if m.name == "dp_exposed")
    assert mark.n_chips == next(r["n_chips"] for r in found.rows if r["dp_share"] > EXPOSED)
    # The book's bound for the backward pass alone is a factor away at most.
    bound = next(b for b in found.bounds if b["bound"] == "FSDP or DP alone")
    assert bound["n_chips"] / 4 < mark.n_chips < bound["n_chips"] * 4


@pytest.mark.parametrize("reading", ["calibrated", "ideal", "blackboard"])
def test_a_step_of_weak_scaling_never_falls(reading: str) -> None:
    found = llama(kind="weak", reading=reading, zero=0)
    times = [row["time_s"] for row in found.rows]
    assert all(b >= a * (1 - 1e-9) for a, b in itertools.pairwise(times))
    assert [row["global_batch"] for row in found.rows] == [16 * 2**i for i in range(8)]
    assert {row["micro_batches"] for row in found.rows} == {16.0}
    assert found.rows[-1]["time_s"] == pytest.approx(
        llama(reading=reading, zero=0).rows[-1]["time_s"]
    )


def test_landmarks_are_where_what_they_say_begins() -> None:
    found = llama(critical_batch="4Mi")
    values = found.values
    assert values["batch_runs_out_n_chips"] == 2048 * 8
    best = values["best_mfu"]
    half = [row["n_chips"] for row in found.rows if row["mfu"] < best / 2]
    assert values["half_mfu_n_chips"] == (half[0] if half else None)
    # 4 Mi tokens are 512 sequences of 8 Ki: a rank of 128 chips for each 16 of them.
    assert values["critical_batch_n_chips"] == 512 / 16 * 128
    assert values["tokens_over_least"] == 1 + 2048 * 8192 / 2**22
    weak = llama(critical_batch="4Mi", kind="weak").values
    assert weak["critical_batch_n_chips"] == 16384 / 4
    # Beyond, the next size has fewer micro-batches than stages.
    more = rl.scaling(LLAMA, "4096xhgx-h100", seq=8192, global_batch=2048, tp=8, pp=16)
    assert more.rows[-1]["micro_batches"] < more.rows[-1]["pp"]


def test_the_critical_batch_is_the_laws_unless_given() -> None:
    by_loss = llama(loss=2.0).critical
    assert by_loss.batch_tokens == pytest.approx(float(critical_batch_of_loss_tokens(2.0)))
    short, long = (llama(tokens=t).critical for t in ("1T", "15T"))
    assert short.loss is not None
    assert long.loss is not None
    assert short.loss > long.loss
    assert short.batch_tokens < long.batch_tokens
    assert llama(critical_batch=3e6).critical.batch_tokens == 3e6


def test_no_run_ends_sooner_or_costs_less_than_the_best() -> None:
    found = llama(tokens="1T", critical_batch="4M", recompute="full")
    fastest, cheapest = found.fastest, found.cheapest
    assert fastest is not None
    assert cheapest is not None
    rows = [row for row in found.batches if row["fits"]] or list(found.batches)
    assert min(r["run_s"] for r in rows) == fastest["run_s"]
    assert min(r["chip_hours"] for r in rows) == cheapest["chip_hours"]
    assert cheapest["n_chips"] <= fastest["n_chips"]
    # A run is its tokens, at that batch, over the rate of a single answer.
    one = rl.training(LLAMA, "2048xhgx-h100", seq=8192, tp=8, pp=16, chips=fastest["n_chips"],
                      recompute="full", global_batch=fastest["global_batch"])  # fmt: skip
    batches = fastest["batch_tokens"], 2048 * 8192
    more = tokens_over_least(batches[0], 4e6) / tokens_over_least(batches[1], 4e6)
    assert fastest["run_s"] == pytest.approx(1e12 * more / one.values["tokens_per_s"], rel=1e-9)
    # With no limit on what a batch teaches, the largest ends soonest.
    endless = llama(tokens="1T", critical_batch=1e15, recompute="full").fastest
    assert endless is not None
    assert endless["global_batch"] == max(r["global_batch"] for r in found.batches)


def test_bounds_are_the_laws_at_the_machines_rates() -> None:
    found = {b["bound"]: b for b in llama().bounds}
    chip, cluster = rl.chip("h100-sxm"), rl.cluster("hgx-h100")
    assert cluster.scale_out is not None
    peak = chip.peak["bf16"]
    alone = found["FSDP or DP alone"]
    assert alone["tokens_per_chip"] == pytest.approx(
        fsdp_tokens_per_chip(peak, 8 * cluster.scale_out)
    )
    assert alone["tokens_per_chip"] == pytest.approx(2475, rel=0.01)
    assert alone["n_chips"] * alone["tokens_per_chip"] == pytest.approx(2048 * 8192)
    wide = found["DP beside TP x PP = 128"]
    assert alone["tokens_per_chip"] / wide["tokens_per_chip"] == pytest.approx(16)
    experts = {b["bound"]: b for b in rl.scaling(MOE, "8xhgx-h100", global_batch=512).bounds}
    routed = experts["DP of experts"]["tokens_per_chip"]
    assert routed / experts["FSDP or DP alone"]["tokens_per_chip"] == pytest.approx(128 / 8)
    pod = {b["bound"]: b for b in rl.scaling(QWEN, "tpu-v5p-pod", global_batch=2048,
                                             sizes=[64]).bounds}  # fmt: skip
    assert "FSDP with TP" in pod


def test_what_cannot_be_is_told_by_size() -> None:
    found = rl.scaling(QWEN, "4xhgx-h100", tp=2, global_batch=12)
    assert [row["n_chips"] for row in found.rows] == [4, 8]
    assert [row["n_chips"] for row in found.refused] == [16, 32]
    assert "global_batch = 12" in found.refused[0]["reason"]
    weak = rl.scaling(QWEN, "4xhgx-h100", sizes=[24, 32], global_batch=4, tp=8, kind="weak")
    assert [row["global_batch"] for row in weak.rows] == [3, 4]
    with pytest.raises(rl.RidgelineError, match=r"of 4 sequences on 32 chips is 0\.5 on 4"):
        rl.scaling(QWEN, "4xhgx-h100", sizes=4, global_batch=4, tp=1, pp=4, cp=2, kind="weak")
    with pytest.raises(rl.RidgelineError, match="is what the number of chips decides"):
        rl.scaling(QWEN, "hgx-h100", dp=4)
    with pytest.raises(rl.RidgelineError, match="On none of 3 chips"):
        rl.scaling(QWEN, "hgx-h100", sizes=3)
    with pytest.raises(rl.RidgelineError, match=r"kind: .*'wide'"):
        rl.scaling(QWEN, "hgx-h100", kind="wide")
    with pytest.raises(rl.RidgelineError, match="There are 8 chips"):
        rl.scaling(QWEN, "hgx-h100", sizes=[8, 16])


def test_models_known_by_their_counts_scale_on_the_blackboard() -> None:
    model = rl.Model.from_counts(n_params_active=37e9, n_params=671e9, kv_bytes_per_token=70272)
    found = rl.scaling(model, "16xhgx-h100", global_batch=1024)
    assert found.reading == "blackboard"
    assert [row["efficiency"] for row in found.rows] == pytest.approx([1.0] * len(found.rows))
    assert found.bounds == ()
    with pytest.raises(rl.RidgelineError, match="known by its counts alone"):
        rl.scaling(model, "16xhgx-h100", search=True)


def test_a_chip_alone_scales_as_far_as_sizes_say() -> None:
    found = rl.scaling(QWEN, "h100-sxm", sizes="8,16,64", global_batch=128, tp=2)
    assert [row["n_chips"] for row in found.rows] == [8, 16, 64]
    one = rl.training(QWEN, "h100-sxm", chips=64, global_batch=128, tp=2)
    assert found.rows[-1]["time_s"] == pytest.approx(one.step_s, rel=1e-12)


def test_what_ends_on_some_sizes_alone_is_not_said_of_all_larger_ones() -> None:
    """100 chips waste most of a batch of 512 that 512 chips divide."""
    found = rl.scaling(QWEN, "64xhgx-h100", seq=4096, global_batch=512, sizes=[8, 100, 512],
                       search=True)  # fmt: skip
    mfu = [row["mfu"] for row in found.rows]
    assert mfu[1] < mfu[0] / 2 < mfu[2]
    half = next(m for m in found.landmarks if m.name == "half_mfu")
    assert (half.n_chips, half.alone) == (None, (100,))
    said = str(found)
    assert "n 100 chips MFU is below half its best" in said
    assert "stays above half" not in said
    assert found.rows[0]["bubble_share"] == 0.0


def test_more_chips_than_there_are_is_what_is_refused() -> None:
    with pytest.raises(rl.RidgelineError, match=r"^There are 512 chips"):
        rl.scaling(QWEN, "64xhgx-h100", global_batch=512, sizes=[8, 1024])


def test_a_size_that_no_layout_takes_says_what_stands_against_it() -> None:
    found = rl.scaling(QWEN, "2xhgx-h100", global_batch=64, tp=4, sizes=[8, 10], search=True)
    assert [r["n_chips"] for r in found.refused] == [10]
    assert "does not divide 10 chips" in str(found.refused[0]["reason"])


def test_nothing_is_said_to_fit_hide_or_end_that_is_not_known_to() -> None:
    none = rl.scaling("meta-llama/Meta-Llama-3.1-405B", "hgx-h100", seq=8192)
    assert "if memory sufficed" in str(none)
    assert "first plain one that fits" not in str(none)
    model = rl.Model.from_counts(n_params_active=37e9, n_params=671e9, kv_bytes_per_token=70272)
    counted = rl.scaling(model, "8xhgx-h100")
    assert "stays hidden" not in str(counted)
    assert "memory is not known" in str(counted)
    tuned = rl.scaling(QWEN, "pc-rtx-4090", task="qlora", global_batch=16)
    assert "Up to 1 chip" not in str(tuned)
    assert any("of pre-training" in note for note in tuned.notes)
