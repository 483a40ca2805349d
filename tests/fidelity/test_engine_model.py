"""Whole engines: constants come back from rows they made, predictions keep their bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ridgeline.catalog import chip, cluster, dtype, engine, engine_constants, model, node_of
from ridgeline.errors import RidgelineError, SpecError
from ridgeline.fidelity.engines.assumptions import assume, limits_of, n_requests
from ridgeline.fidelity.engines.calibrate import (
    calibrate,
    constant_rows,
    read_constants,
    write_constants,
)
from ridgeline.fidelity.engines.memory import fit_process
from ridgeline.fidelity.engines.scatter import scatters
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.runs import Row, Run
from ridgeline.fidelity.warmth import warmth
from ridgeline.specs import Layout, Model
from ridgeline.specs.constants import Process
from ridgeline.specs.eras import Era
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import decode, prefill

METRIC = {
    "static": "e2e_s",
    "decode": "tpot_s",
    "prefill": "ttft_s",
    "closed": "tpot_s",
    "open": "ttft_s",
    "offline": "output_tokens_per_s",
    "slo": "output_tokens_per_s",
}


def run(regime: str = "static", on: str = "h100-sxm", name: str = "Qwen/Qwen3-8B", **given) -> Run:
    known = {
        "key": "r",
        "source": "made",
        "regime": regime,
        "model": model(name),
        "cluster": node_of(chip(on)),
        "n_chips": 1,
        "layout": Layout(),
        "batch": 8.0,
        "concurrency": 8.0,
        "request_rate_per_s": 1.0,
        "isl": 512.0,
        "osl": 128.0,
        "engine": "vllm",
        "engine_version": "0.18.0",
        "stated": frozenset({"weight_dtype", "layout", "isl", "osl"}),
    }
    return Run(**{**known, **given})


def row(of: Run, metric: str = "", value: float | None = None) -> Row:
    return Row("id", 2, of, metric or METRIC[of.regime], value, source=of.source)


@pytest.mark.parametrize("regime", METRIC)
def test_every_regime_has_an_answer_with_an_interval(regime: str) -> None:
    (found,) = predict([row(run(regime))])
    assert found.status == "ok"
    assert 0 < found.low < found.value < found.high < math.inf
    assert found.value**2 == pytest.approx(found.low * found.high)


def test_rows_together_are_rows_alone() -> None:
    rows = [row(run(r, on, batch=b, concurrency=b))
            for r in METRIC for on in ("h100-sxm", "mi300x") for b in (1.0, 32.0)]  # fmt: skip
    together = predict(rows)
    for one, found in zip(rows, together, strict=True):
        assert predict([one])[0].value == pytest.approx(found.value)


@pytest.mark.parametrize("on", ["h100-sxm", "a100-80gb-sxm", "rtx-4090", "mi300x", "tpu-v5p"])
@pytest.mark.parametrize("engine_", ["vllm", "llama.cpp", "tensorrt-llm", "nobody's"])
def test_no_prediction_below_the_ideal(on: str, engine_: str) -> None:
    for batch in (1.0, 64.0):
        case = run("static", on, batch=batch, engine=engine_)
        step = [decode(batch, 512.0), prefill(batch, 512.0)]
        times = [
            combine_ideal(
                resources(count_ops(case.model, Layout(), [g], domain_size=1), case.cluster)
            ).time_s
            for g in step
        ]
        ideal = times[1] + 127 * times[0]
        assert predict([row(case)])[0].value >= ideal


def test_more_of_everything_takes_longer() -> None:
    def value(**given: Any) -> float:
        return predict([row(run("static", **given))])[0].value

    assert value() < value(batch=64.0)
    assert value() < value(isl=4096.0)
    assert value() < value(osl=512.0)


def test_a_batch_that_does_not_fit_runs_in_waves() -> None:
    def value(batch: float) -> float:
        long = run("static", name="meta-llama/Llama-2-7b-hf", batch=batch, isl=8192.0)
        return predict([row(long)])[0].value

    # 16 caches of 4.4 GB fill 80 GB: twice as many take twice as long, not less.
    assert value(64.0) > 1.8 * value(32.0)


def test_weights_that_may_be_in_another_format_do_not_stop_the_answer() -> None:
    unstated = run("static", name="meta-llama/Llama-2-70b-hf", stated=frozenset({"isl", "osl"}))
    (found,) = predict([row(unstated)])
    assert found.status == "ok"
    assert "larger than the chips" in found.reason


@pytest.mark.parametrize("regime", METRIC)
def test_what_cannot_fit_is_said_and_not_predicted(regime: str) -> None:
    large = run(regime, name="meta-llama/Llama-2-70b-hf")
    long = run(regime, isl=10_000_000.0)
    for case, says in ((large, "weights are larger"), (long, "memory has room for 0.0")):
        (found,) = predict([row(case)])
        assert found.status == "does-not-fit"
        assert says in found.reason


def test_a_steady_batch_must_fit_at_once() -> None:
    # 8,000 tokens of Qwen3-8B take 1.18 GB: about 54 beside its weights in 80 GB.
    for batch, status in ((40.0, "ok"), (100.0, "does-not-fit")):
        (found,) = predict([row(run("decode", batch=batch, isl=8000.0, osl=0.0))])
        assert found.status == status


def test_a_format_nobody_states_is_said_and_counts_for_more_than_other_assumptions() -> None:
    stated = run("decode")
    silent = replace(stated, stated=frozenset({"layout", "isl", "osl"}))
    plain, wide = predict([row(stated), row(silent)])
    assert "format of the weights not stated" in wide.reason
    width = math.log(wide.high / wide.low) ** 2 - math.log(plain.high / plain.low) ** 2
    assert (width / (2 * 1.2816) ** 2) ** 0.5 == pytest.approx(math.log(2) / 2, rel=1e-6)


def test_a_median_leaves_open_how_long_its_request_waited() -> None:
    mean = run("closed", concurrency=64.0, isl=8192.0)
    median = replace(mean, notes={"statistic": "median"})
    for metric in ("ttft_s", "tpot_s"):
        a, b = predict([row(mean, metric), row(median, metric)])
        assert b.high / b.low > 1.5 * a.high / a.low


def test_each_rank_has_a_host_of_its_own() -> None:
    """Host time grows with the sequences of a rank, not with those of all ranks."""
    shipped = engine_constants()
    effect = shipped.effects["sequence_s"]
    slow = effect.factors["all"].model_copy(update={"value": 1e3 * effect.factors["all"].value})
    changed = effect.model_copy(update={"factors": {**effect.factors, "all": slow}})
    slower = shipped.model_copy(update={"effects": {**shipped.effects, "sequence_s": changed}})
    layouts = (Layout(tp=8), Layout(attn_dp=8))
    cases = [row(run("closed", n_chips=8, layout=x, concurrency=64.0, osl=4096.0)) for x in layouts]
    sums, ranks = (
        after.value - before.value
        for before, after in zip(predict(cases), predict(cases, slower), strict=True)
    )
    assert ranks == pytest.approx(sums / 8, rel=0.05)


def test_latency_limits_are_met_smoothly() -> None:
    """A limit a little looser allows a little more: nothing jumps from one batch to another."""

    def rate(limit_s: float) -> float:
        limits = f"limits: p99 TTFT<=2s p99 TPOT<={limit_s}s"
        notes = {"limits": limits.removeprefix("limits: ")}
        return predict([row(run("slo", n_chips=8, layout=Layout(tp=8), notes=notes))])[0].value

    rates = [rate(0.020 * 1.01**i) for i in range(6)]
    assert rates == sorted(rates)
    steps = np.diff(np.log(rates))
    assert steps.max() < 4 * max(np.median(steps), 1e-3)


def test_saturation_is_said() -> None:
    def reason(regime: str, **given: Any) -> str:
        return predict([row(run(regime, **given))])[0].reason

    assert reason("closed", concurrency=64.0) == ""
    crowded = reason("closed", concurrency=1e5)
    assert crowded.startswith("saturated: ")
    assert crowded.endswith("of 100,000 requests run at a time")
    assert reason("open", request_rate_per_s=1.0) == ""
    assert "of 1e+03 requests/s are served" in reason("open", request_rate_per_s=1000.0)
    long = {"name": "meta-llama/Llama-2-7b-hf", "isl": 8192.0}
    assert "rounds" in reason("static", batch=64.0, **long)


def test_a_closed_loop_keeps_littles_law() -> None:
    case = run("closed", concurrency=32.0)
    first, gap, rate = (
        predict([row(case, m)])[0].value for m in ("ttft_s", "tpot_s", "output_tokens_per_s")
    )
    latency = first + 127 * gap
    assert rate / 128 * latency == pytest.approx(32.0, rel=1e-6)


def test_an_open_loop_waits_near_saturation() -> None:
    values = [
        predict([row(run("open", request_rate_per_s=r), "ttft_s")])[0].value
        for r in (0.1, 5.0, 500.0)
    ]
    assert values == sorted(values)
    assert values[2] > 10 * values[0]


def test_what_is_not_stated_is_said_and_widens() -> None:
    stated = predict([row(run("offline", n_chips=8, layout=Layout(tp=8)))])[0]
    silent = predict([row(run("offline", n_chips=8, layout=None, isl=None))])[0]
    assert stated.reason == ""
    assert "layout not stated" in silent.reason
    assert "prompt length not stated" in silent.reason
    assert silent.high / silent.low > stated.high / stated.low


def test_a_chip_nobody_measured_is_less_sure() -> None:
    known, new = (predict([row(run("decode", on))])[0] for on in ("h100-sxm", "tpu-v5p"))
    assert new.high / new.low > 1.05 * known.high / known.low


def test_a_chip_unlike_those_measured_says_so_and_is_less_sure() -> None:
    hgx = cluster("hgx-h100")
    slow = hgx.chip.memory.model_copy(update={"bandwidth": hgx.chip.memory.bandwidth / 20})
    chip = hgx.chip.model_copy(update={"id": "own", "name": "Own", "memory": slow})
    case = replace(run("decode"), cluster=hgx.model_copy(update={"chip": chip}))
    known, (unlike,) = predict([row(run("decode"))])[0], predict([row(case)])
    assert "unlike" not in known.reason
    assert "Own is unlike the chips measured: memory bandwidth 168 GB/s" in unlike.reason
    reach = math.log(unlike.high / unlike.low) - math.log(known.high / known.low)
    assert reach > 0.02
    pools = {"prefill_workers": "2", "prefill_tp": "1", "decode_workers": "2", "decode_tp": "1"}
    two = replace(case, regime="closed", concurrency=32.0, n_chips=4, notes=pools)
    assert "Own is unlike the chips measured" in predict([row(two, "tpot_s")])[0].reason


def test_a_model_known_by_its_counts_says_why() -> None:
    bare = run(model=Model.from_counts("8B"))
    for metric in ("e2e_s", "memory_bytes"):
        (found,) = predict([row(bare, metric)])
        assert found.status == "no-shape"
        assert found.reason
        assert math.isnan(found.value)


def test_a_metric_the_regime_lacks_says_so() -> None:
    (found,) = predict([row(run("decode"), "ttft_s")])
    assert found.status == "no-such-metric"


def test_settings_of_a_benchmark_or_of_the_notes_are_the_engines() -> None:
    known = run("closed", engine="sglang", notes={"InferenceX run, nominal 1024/1024": ""})
    stated = run("closed", engine="sglang", notes={"polling_steps": "11"})
    polls = [assume(x)[0].engine.polling_steps for x in (run("closed", engine="sglang"), stated)]
    assert polls == [1, 11]
    assert assume(known)[0].engine.polling_steps == 30
    plain, polled = (predict([row(x, "ttft_s")])[0].value for x in (stated, known))
    assert polled > plain


@pytest.mark.parametrize(
    ("notes", "date", "said"),
    [
        ("cold server: none sent before", "2026-02-01", "cold"),
        ("server not warmed up", "2026-02-01", "cold"),
        ("without warm-up", "", "cold"),
        ("cold plates on all chips", "", "not stated"),
        ("InferenceX run, nominal 1024/1024", "2026-01-20", "cold"),
        ("InferenceX run, nominal 1024/1024", "2026-01-21", "warm"),
        ("warmed up", "2025-01-01", "warm"),
        ("", "2025-12-01", "not stated"),
    ],
)
def test_warm_cold_or_not_stated(notes: str, date: str, said: str) -> None:
    assert warmth(run("closed", notes={notes: ""}, date=date)) == said


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(SpecError, match="polling_steps"):
        assume(run("closed", notes={"polling_steps": "0"}))


def test_a_silent_cache_is_what_is_usual_with_the_engine_on_the_chip() -> None:
    def cache(on: str, engine_: str, weights: str, **given: Any) -> str:
        narrow = model("Qwen/Qwen3-8B").with_weight_dtype(weights, dtype(weights).bits)
        (found,) = assume(run("closed", on, engine=engine_, model=narrow, **given))
        assert ("cache format" in " ".join(found.said)) == (found.run.model is not narrow)
        return found.run.model.kv_dtype

    own = model("Qwen/Qwen3-8B").kv_dtype
    assert cache("h100-sxm", "tensorrt-llm", "fp8") == "fp8"
    assert cache("b200-sxm", "vllm", "nvfp4") == "fp8"
    assert cache("h100-sxm", "vllm", "fp8") == own
    assert cache("b200-sxm", "vllm", "bf16") == own
    stated = frozenset({"weight_dtype", "kv_dtype", "layout", "isl", "osl"})
    assert cache("h100-sxm", "tensorrt-llm", "fp8", stated=stated) == own


def test_a_pair_that_nobody_measured_is_less_sure() -> None:
    shipped = engine_constants()
    case = row(run("closed"))
    (known,) = predict([case], shipped)
    without = [p for p in shipped.pairs if not p.startswith("pair vllm on h100-sxm")]
    (new,) = predict([case], shipped.model_copy(update={"pairs": tuple(without)}))
    assert new.value == known.value
    assert new.high / new.low > known.high / known.low


def test_notes_and_classes() -> None:
    limits = limits_of(run(notes={"limits": "p99 TTFT<=0.45s p99 TPOT<=0.04s (recalled)"}))
    assert (limits.first_token_s, limits.gap_s) == (0.45, 0.04)
    assert n_requests(run(notes={"n_requests": "3200 max_num_seqs=3200"})) == 3200
    exact, mixed = run(engine="sglang"), run(engine="sglang", notes={"nominal_isl": "1024"})
    assert assume(exact)[0].is_lockstep
    assert not assume(mixed)[0].is_lockstep
    (dp,) = assume(run(n_chips=8, layout=Layout(tp=8), notes={"attention DP enabled": "likely"}))
    assert (dp.layout.attn_dp, dp.layout.ep) == (8, 8)


@pytest.mark.parametrize(
    ("name", "version", "date", "era"),
    [
        ("vllm", "0.18.0", "", "vllm-v1"),
        ("vllm", "", "2025-10-29", "vllm-v1"),
        ("vllm", "vLLM 0.4.3+rocm614, PyTorch 2.3.0", "", "vllm-v1"),
        ("vllm", "mid-2024", "", "vllm-2024"),
        ("trtllm", "0.17", "", "tensorrt-llm-0.10"),
        ("tensorrt-llm", "TensorRT 10.2.0, CUDA 12.4", "", "tensorrt-llm-0.10"),
        ("tensorrt-llm", "TensorRT 10.13, CUDA 13.0", "", "tensorrt-llm-1.0"),
        ("sglang", "", "", "sglang-2026"),
        ("vllm", "0.20.0", "", "vllm-v1"),
        ("vllm", "0.2.7", "", "vllm-2023"),
        ("sglang", "0.5.1.post1", "", "sglang-2025"),
        ("tensorrt-llm", "", "2025-10-29", "tensorrt-llm-1"),
    ],
)
def test_eras(name: str, version: str, date: str, era: str) -> None:
    assert engine(name).era(version, date).id == era


def test_ages_are_of_dates_and_a_date_that_is_none_is_refused() -> None:
    ages = [Era(id="x", since=since).age for since in ("", "2022-01", "2024-06-30", "2026")]
    assert ages == ["", "2023", "2024", "2025"]
    with pytest.raises(SpecError, match="since"):
        Era.parse({"id": "x", "since": "spring 2024"}, where="the engine")


def _made_rows(seed: int) -> list[Row]:
    """Rows an engine with known constants would give, with 3 % of noise."""
    truth = engine_constants()
    effect = truth.effects["host_s"]
    slow = effect.factors["all"].model_copy(update={"value": 20 * effect.factors["all"].value})
    factors = {**effect.factors, "all": slow}
    effects = {**truth.effects, "host_s": effect.model_copy(update={"factors": factors})}
    made = truth.model_copy(update={"effects": effects})
    rows = [
        row(run(regime, on, name, batch=b, isl=isl))
        for regime in ("static", "decode", "prefill")
        for on in ("h100-sxm", "a100-80gb-sxm")
        for name in ("Qwen/Qwen3-8B", "meta-llama/Llama-3.2-1B", "Qwen/Qwen3-14B")
        for b in (1.0, 8.0, 64.0)
        for isl in (128.0, 2048.0)
    ]
    noise = np.random.default_rng(seed).normal(0, 0.03, len(rows))
    values = [p.value for p in predict(rows, made)]
    return [replace(r, value=v * math.exp(e)) for r, v, e in zip(rows, values, noise, strict=True)]


def test_calibrate_finds_what_made_the_rows_and_repeats_to_the_digit(tmp_path) -> None:
    rows = _made_rows(0)
    before = np.log([p.value / (r.value or 1) for r, p in zip(rows, predict(rows), strict=True)])
    found = calibrate(rows)
    after = np.log(
        [p.value / (r.value or 1) for r, p in zip(rows, predict(rows, found), strict=True)]
    )
    assert np.median(np.abs(before)) > 0.12
    assert np.median(np.abs(after)) < 0.06
    assert calibrate(rows) == found
    write_constants(found, tmp_path / "c.toml")
    assert read_constants(tmp_path / "c.toml") == found
    lines = constant_rows(found)
    assert {"memory", "compute", "host_s"} <= {line["constant"] for line in lines}
    assert all(line["sigma"] >= 0 and line["n_rows"] >= 0 for line in lines)


def test_one_model_does_not_make_a_place_known() -> None:
    rows = [r for r in _made_rows(0) if r.run is not None]
    several = calibrate(rows)
    single = calibrate([r for r in rows if r.run and r.run.model.id == "Qwen/Qwen3-8B"])
    assert "era vllm-v1" in several.seen
    assert "era vllm-v1" not in single.seen
    wide, narrow = predict(rows[:1], single)[0], predict(rows[:1], several)[0]
    assert wide.high / wide.low > narrow.high / narrow.low


def test_memory_of_a_process_comes_back_from_what_made_it() -> None:
    made = engine_constants().model_copy(
        update={"process": Process(runtime_bytes=3e9, activation_copies=12, sigma=0.1)}
    )
    rows = [
        row(run("static", name=name, batch=b), "memory_bytes")
        for name in ("Qwen/Qwen3-8B", "meta-llama/Llama-3.2-1B")
        for b in (1.0, 16.0, 64.0)
    ]
    values = [p.value for p in predict(rows, made)]
    rows = [replace(r, value=v) for r, v in zip(rows, values, strict=True)]
    found = fit_process(rows)
    assert found.runtime_bytes == pytest.approx(3e9, rel=1e-3)
    assert found.activation_copies == pytest.approx(12, rel=1e-3)
    assert fit_process([]).n_rows == 0


def test_scatter_is_told_apart_by_kind_and_place() -> None:
    """Rows of one era scatter three times as much; kinds keep their own width."""
    source = np.random.default_rng(1)
    sigma = {"tpot_s": 0.1, "ttft_s": 0.2}
    cases = [
        (metric, era, sigma[metric] * (3 if era == "loud" else 1))
        for metric in sigma
        for era in ("calm", "loud")
        for _ in range(400)
    ]
    rows = [row(run("closed"), m) for m, _, _ in cases]
    places = [{"engine": "engine x", "era": f"era {e}", "chip": "chip y"} for _, e, _ in cases]
    residual = np.array([source.normal(0, s) for *_, s in cases])
    found = scatters(rows, places, residual, np.ones(len(rows), dtype=bool))
    ratio = found["era loud"].sigma / found["era calm"].sigma
    assert ratio == pytest.approx(3, rel=0.15)
    assert found["closed ttft_s"].sigma / found["closed tpot_s"].sigma == pytest.approx(2, rel=0.15)


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(RidgelineError, match="nothing to fit"):
        calibrate([row(run(), value=None)])


def test_shipped_constants_are_within_reason() -> None:
    shipped = engine_constants()
    assert shipped.n_rows > 3000
    value = {name: effect.factors["all"].value for name, effect in shipped.effects.items()}
    reach = ("memory", "compute", "link", "expert", "wo_memory")
    assert all(0.1 < value[n] <= 1.6 for n in reach)
    assert all(1e-7 < value[n] < 1e-4 for n in ("gap_s", "eager_s"))
    assert 1e-5 < value["host_s"] < 5e-3
