"""Results of serving benchmarks become rows like any other."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.runs import OK, Row, Run

MODEL = "meta-llama/Llama-3.1-8B-Instruct"

VLLM: dict[str, Any] = {
    "date": "20260301-101500", "endpoint_type": "vllm", "backend": "vllm", "label": None,
    "model_id": MODEL, "tokenizer_id": MODEL, "num_prompts": 200, "request_rate": "inf",
    "burstiness": 1.0, "max_concurrency": 16, "duration": 40.0, "completed": 200, "failed": 0,
    "total_input_tokens": 102_400, "total_output_tokens": 25_600, "request_throughput": 5.0,
    "output_throughput": 640.0, "total_token_throughput": 3200.0, "mean_ttft_ms": 50.0,
    "median_ttft_ms": 48.0, "p99_ttft_ms": 90.0, "mean_tpot_ms": 8.0, "median_tpot_ms": 8.0,
    "p99_tpot_ms": 9.0, "mean_itl_ms": 8.1, "p99_itl_ms": 20.0,
}  # fmt: skip
SGLANG: dict[str, Any] = {
    "backend": "sglang", "dataset_name": "random", "request_rate": 4.0, "max_concurrency": None,
    "completed": 100, "total_input_tokens": 100_000, "total_output_tokens": 20_000,
    "total_output_tokens_retokenized": 19_990, "duration": 30.0, "output_throughput": 666.0,
    "mean_e2e_latency_ms": 2100.0, "mean_ttft_ms": 80.0, "p99_ttft_ms": 200.0,
    "mean_tpot_ms": 10.0, "mean_itl_ms": 0.0,
    "server_info": {"model_path": MODEL, "tp_size": 4, "dp_size": 2, "ep_size": 1, "pp_size": 1,
                    "enable_dp_attention": True, "kv_cache_dtype": "fp8_e5m2", "version": "0.5.9"},
}  # fmt: skip
INFERENCEX: dict[str, Any] = {
    "hw": "h200-nv_3", "conc": 64, "model": "openai/gpt-oss-120b", "framework": "vllm",
    "precision": "fp4", "spec_decoding": "none", "disagg": False, "isl": 1024, "osl": 8192,
    "is_multinode": False, "tp": 4, "ep": 1, "dp_attention": "false", "tput_per_gpu": 500.0,
    "output_tput_per_gpu": 400.0, "mean_ttft": 0.2, "p99_ttft": 0.5, "mean_tpot": 0.012,
    "mean_e2el": 90.0,
}  # fmt: skip


def read(folder: Path, result: Any, name: str = "result.json", **fill: str) -> list[Row]:
    path = folder / name
    path.write_text(result if isinstance(result, str) else json.dumps(result))
    return read_rows([path], fill=fill)


def numbers(rows: list[Row]) -> dict[str, float | None]:
    assert {r.status for r in rows} == {OK}, [r.reason for r in rows]
    return {r.metric: r.value for r in rows}


def run_of(rows: list[Row]) -> Run:
    assert rows[0].run is not None
    assert all(r.run is rows[0].run for r in rows)
    return rows[0].run


def test_vllm(tmp_path: Path) -> None:
    rows = read(tmp_path, VLLM, chip="h100-sxm", tp="1")
    assert numbers(rows) == pytest.approx({
        "ttft_s": 0.05, "ttft_p99_s": 0.09, "tpot_s": 0.008, "tpot_p99_s": 0.009, "itl_s": 0.0081,
        "output_tokens_per_s": 640.0, "total_tokens_per_s": 3200.0,
    })  # fmt: skip
    run = run_of(rows)
    assert (run.regime, run.concurrency, run.isl, run.osl) == ("closed", 16, 512, 128)
    assert (run.n_chips, run.engine, run.date) == (1, "vllm", "20260301")
    assert run.notes["n_requests"] == "200"
    assert rows[0].id == "result-1-ttft_s"


def test_vllm_details_are_skipped_and_rates_are_open_loop(tmp_path: Path) -> None:
    detailed = VLLM | {
        "request_rate": 8.0, "max_concurrency": None, "input_lens": [512] * 200,
        "ttfts": [0.05] * 200, "itls": [[0.01]] * 200, "generated_texts": ["x"] * 200,
        "tensor_parallel_size": "2", "failed": 3,
    }  # fmt: skip
    run = run_of(read(tmp_path, detailed, chip="h100-sxm"))
    assert (run.regime, run.request_rate_per_s, run.concurrency, run.n_chips) == (
        "open",
        8,
        None,
        2,
    )
    assert run.notes["n_failed"] == "3"


def test_of_a_queue_of_all_requests_times_with_the_wait_are_left_out(tmp_path: Path) -> None:
    rows = read(tmp_path, VLLM | {"max_concurrency": None}, chip="h100", tp="1")
    assert {r.regime for r in rows} == {"offline"}
    left_out = [r for r in rows if r.status != OK]
    assert [r.status for r in left_out] == ["not-modelled"]
    assert left_out[0].reason.startswith("ttft_s, ttft_p99_s of result-1: with all requests queued")
    assert {"tpot_s", "output_tokens_per_s"} <= {r.metric for r in rows} - {"ttft_s"}


def test_several_results_in_a_file(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(VLLM | {"max_concurrency": c}) for c in (1, 2))
    for text in (lines, json.dumps([VLLM | {"max_concurrency": c} for c in (1, 2)])):
        rows = read(tmp_path, text, "many.jsonl", chip="h100-sxm", tp="1")
        concurrency = [r.run.concurrency for r in rows if r.run and r.metric == "ttft_s"]
        assert concurrency == [1, 2]
        assert {r.line for r in rows} == {1, 2}


def test_sglang(tmp_path: Path) -> None:
    rows = read(tmp_path, json.dumps(SGLANG) + "\n", "sglang.jsonl", chip="h200-sxm")
    assert numbers(rows) == pytest.approx({
        "ttft_s": 0.08, "ttft_p99_s": 0.2, "tpot_s": 0.01, "e2e_s": 2.1,
        "output_tokens_per_s": 666.0,
    })  # fmt: skip
    run = run_of(rows)
    assert run.layout is not None
    assert (run.layout.tp, run.layout.attn_dp, run.n_chips) == (2, 2, 4)
    assert (run.regime, run.request_rate_per_s, run.isl, run.osl) == ("open", 4, 1000, 200)
    assert (run.model.id, run.model.kv_dtype) == (MODEL, "fp8")
    replicas = SGLANG | {"server_info": SGLANG["server_info"] | {"enable_dp_attention": False}}
    run = run_of(read(tmp_path, replicas, chip="h200-sxm"))
    assert run.layout is not None
    assert (run.layout.tp, run.layout.replicas, run.n_chips) == (4, 2, 8)


def test_inferencex(tmp_path: Path) -> None:
    rows = read(tmp_path, [INFERENCEX])
    assert numbers(rows) == pytest.approx({
        "ttft_s": 0.2, "ttft_p99_s": 0.5, "tpot_s": 0.012, "e2e_s": 90.0,
        "output_tokens_per_s": 1600.0, "total_tokens_per_s": 2000.0,
    })  # fmt: skip
    run = run_of(rows)
    assert (run.cluster.chip.id, run.n_chips, run.concurrency) == ("h200-sxm", 4, 64)
    assert (run.isl, run.osl) == (pytest.approx(921.6), pytest.approx(7372.8))
    assert (run.notes["nominal_isl"], run.notes["nominal_osl"]) == ("1024", "8192")
    shared = run_of(read(tmp_path, INFERENCEX | {"dp_attention": "true", "ep": 4}))
    assert shared.layout is not None
    assert (shared.layout.tp, shared.layout.attn_dp, shared.layout.ep) == (1, 4, 4)
    amd = run_of(read(tmp_path, INFERENCEX | {"hw": "mi355x-amd_1", "model": MODEL}))
    assert amd.model.weight_dtype == "mxfp4"


def test_inferencex_pools(tmp_path: Path) -> None:
    pools = INFERENCEX | {
        "disagg": True, "is_multinode": True, "hw": "gb200-nv", "num_prefill_gpu": 4,
        "num_decode_gpu": 8, "prefill_tp": 4, "prefill_num_workers": 1, "decode_tp": 8,
        "decode_num_workers": 1, "decode_dp_attention": True, "prefill_ep": 4, "decode_ep": 8,
    }  # fmt: skip
    rows = read(tmp_path, pools)
    run = run_of(rows)
    assert (run.n_chips, run.layout) == (12, None)
    assert run.notes["decode_n_chips"] == "8"
    assert (run.notes["prefill_tp"], run.notes["decode_attn_dp"]) == ("4", "8")
    assert numbers(rows)["output_tokens_per_s"] == 3200.0
    assert numbers(rows)["total_tokens_per_s"] == 6000.0


def test_what_is_not_stated_is_asked_for(tmp_path: Path) -> None:
    for result, fill, asked in (
        (VLLM, {}, "does not say chip or n_chips: give --on and --tp or --n-chips"),
        (SGLANG, {}, "give --on"),
        (VLLM | {"model_id": ""}, {"chip": "h100-sxm", "tp": "1"}, "give --model"),
    ):
        (row,) = read(tmp_path, result, **fill)
        assert row.status == "not-stated"
        assert asked in row.reason


def test_options_are_for_results_only(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,chip,n_chips,model,regime,metric,value\n")
    with pytest.raises(RidgelineError, match="is a table, which says itself"):
        read_rows([path], fill={"chip": "h100-sxm"})


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"a": 1}, "unknown-format"),
        ([[1, 2]], "unknown-format"),
        (VLLM | {"completed": 0}, "no-requests"),
        (VLLM | {"total_input_tokens": None}, "no-requests"),
        (VLLM | {"completed": 10**400}, "bad-number"),
        (VLLM | {"mean_ttft_ms": [1, 2]}, "bad-number"),
        (VLLM | {"total_input_tokens": math.nan}, "bad-number"),
        (VLLM | {"request_rate": "trace"}, "not-modelled"),
        (VLLM | {"ramp_up_strategy": "linear"}, "not-modelled"),
        (VLLM | {"speculative_config": {"method": "ngram"}}, "not-modelled"),
        (SGLANG | {"accept_length": 2.9, "speculative_algorithm": "NGRAM"}, "not-modelled"),
        (SGLANG | {"dataset_name": "generated-shared-prefix"}, "not-modelled"),
        (INFERENCEX | {"spec_decoding": "suffix"}, "not-modelled"),
        (
            SGLANG | {"server_info": {**SGLANG["server_info"], "quantization": "w7"}},
            "unknown-dtype",
        ),
    ],
)
def test_results_that_cannot_be_used_are_named(tmp_path: Path, result: Any, status: str) -> None:
    results = [*(result if isinstance(result, list) else [result]), VLLM]
    rows = read(tmp_path, results, chip="h100-sxm", tp="1")
    assert rows[0].status == status
    assert rows[0].reason
    assert rows[-1].status == OK


@pytest.mark.parametrize("text", ["{", "[1,", '{"a":\n1}\n{', "[" * 100_000])
def test_broken_json(tmp_path: Path, text: str) -> None:
    with pytest.raises(RidgelineError, match="not valid JSON"):
        read(tmp_path, text)
    with pytest.raises(RidgelineError, match="holds no results"):
        read(tmp_path, "[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from([VLLM, SGLANG, INFERENCEX]), st.data())
def test_whatever_a_result_holds_it_is_read_or_refused(tmp_path_factory, result, data) -> None:
    keys = st.sampled_from(sorted({*result, "server_info", "metrics"}))
    changed = result | data.draw(st.dictionaries(keys, JSON, max_size=4))
    path = tmp_path_factory.mktemp("fuzz") / "r.json"
    path.write_text(json.dumps(changed))
    try:
        rows = read_rows([path], fill={"chip": "h100-sxm", "n_chips": "8", "model": MODEL})
    except RidgelineError:
        return
    for row in rows:
        assert (row.run is not None) == (row.status == OK) == (row.reason == "")
