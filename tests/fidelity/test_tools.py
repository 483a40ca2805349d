"""Each tool's results: what they say becomes cells and metrics in SI units, or a named fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.measurements.results.devices import device_chip
from ridgeline.fidelity.runs import OK, Row, Run

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
ON = {"chip": "h100-sxm", "tp": "1"}


def read(folder: Path, result: Any, name: str = "r.json", **fill: str) -> list[Row]:
    path = folder / name
    path.write_text(result if isinstance(result, str) else json.dumps(result))
    return read_rows([path], fill=fill)


def read_well(folder: Path, result: Any, name: str = "r.json", **fill: str) -> tuple[Run, Any]:
    rows = [r for r in read(folder, result, name, **fill) if r.status != "not-modelled"]
    assert {r.status for r in rows} == {OK}, [r.reason for r in rows]
    run = rows[0].run
    assert run is not None
    return run, {r.metric: pytest.approx(r.value) for r in rows}


# --- vLLM

SERVE_IN_SECONDS = {
    "model_id": MODEL, "completed": 160, "num_prompts": 200, "max_concurrency": 16,
    "request_rate": "inf", "total_input_tokens": 1_638_400, "total_output_tokens": 20_480,
    "output_throughput": 124.99, "median_ttft": 4.11, "p99_ttft": 21.7, "median_e2el": 28.1,
    "median_tpot": 0.18, "p99_tpot": 0.25,
}  # fmt: skip


def test_medians_in_seconds(tmp_path: Path) -> None:
    run, values = read_well(tmp_path, SERVE_IN_SECONDS, **ON)
    assert values == {
        "ttft_s": 4.11, "ttft_p99_s": 21.7, "tpot_s": 0.18, "tpot_p99_s": 0.25, "e2e_s": 28.1,
        "output_tokens_per_s": 124.99,
    }  # fmt: skip
    assert run.notes["statistic"] == "median"
    assert run.notes["n_failed"] == "40"  # sent, not completed


def test_metadata_of_a_vllm_run(tmp_path: Path) -> None:
    added = {
        "tensor-parallel-size": "2", "data_parallel_size": 4, "gpu": "NVIDIA H100 80GB HBM3",
        "quantization": "fp8", "vllm_version": "0.11", "random_prefix_len": 4096,
        "backend": "openai-chat", "kv_cache_dtype": "auto",
    }  # fmt: skip
    run, _ = read_well(tmp_path, SERVE_IN_SECONDS | added)
    assert run.layout is not None
    assert (run.n_chips, run.layout.tp, run.layout.replicas) == (8, 2, 4)
    assert (run.cluster.chip.id, run.model.weight_dtype) == ("h100-sxm", "fp8")
    assert (run.engine, run.engine_version, run.cached) == ("vllm", "0.11", 4096)
    assert "engine not stated" in run.notes["remark"]
    experts = added | {"enable_expert_parallel": "true"}
    spread, _ = read_well(tmp_path, SERVE_IN_SECONDS | experts)
    assert spread.layout is not None
    assert (spread.layout.attn_dp, spread.layout.ep, spread.n_chips) == (4, 8, 8)
    without = added | {"enable_prefix_caching": False}
    assert read_well(tmp_path, SERVE_IN_SECONDS | without)[0].cached == 0


def test_vllm_latency_and_throughput_take_what_they_lack(tmp_path: Path) -> None:
    latency = {"avg_latency": 1.02, "latencies": [1.02], "percentiles": {"50": 1.02}}
    (asked,) = read(tmp_path, latency, **ON)
    assert "model or batch or isl or osl" in asked.reason
    fill = {**ON, "model": MODEL, "batch": "8", "isl": "32", "osl": "128"}
    run, values = read_well(tmp_path, latency, **fill)
    assert (run.regime, run.batch, run.isl, run.osl) == ("static", 8, 32, 128)
    assert values == {"e2e_s": 1.02}
    queued = {
        "elapsed_time": 10.0, "num_requests": 100, "total_num_tokens": 64_000,
        "requests_per_second": 10.0, "tokens_per_second": 6400.0,
    }  # fmt: skip
    run, values = read_well(tmp_path, queued, **ON, model=MODEL, osl="128")
    assert (run.regime, run.isl, run.osl) == ("offline", 512, 128)
    assert values == {"total_tokens_per_s": 6400}
    (wrong,) = read(tmp_path, queued, **ON, model=MODEL, osl="128", isl="1000")
    assert wrong.status == "contradiction"


def test_a_sweeps_table_has_a_run_a_row(tmp_path: Path) -> None:
    head = ",max_concurrency,tensor_parallel_size,model_id,completed,total_input_tokens,"
    head += "total_output_tokens,request_rate,mean_ttft_ms,output_throughput,run_number\n"
    lines = [f"{i},{c},1,{MODEL},10,10240,1280,inf,50.0,{c}00.0,0" for i, c in enumerate((1, 8))]
    rows = read(tmp_path, head + "\n".join(lines) + "\n", "summary.csv", chip="h100-sxm")
    assert [(r.run.concurrency, r.value) for r in rows if r.run and r.metric[:3] == "out"] == [
        (1, 100), (8, 800),
    ]  # fmt: skip


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "run=0.json")
        paths[-1].write_text(json.dumps(SERVE_IN_SECONDS))
    rows = read_rows(paths, fill=ON)
    assert {r.status for r in rows} == {OK}
    assert len({r.id for r in rows}) == len(rows)


# --- SGLang

BATCH = {"run_name": "default", "batch_size": 8, "input_len": 1024, "output_len": 101}


def test_sglang_batches(tmp_path: Path) -> None:
    fill = {**ON, "model": MODEL}
    inside = BATCH | {
        "prefill_latency": 0.2, "median_decode_latency": 0.008, "total_latency": 1.0,
    }  # fmt: skip
    run, values = read_well(tmp_path, inside, "b.jsonl", **fill)
    assert (run.regime, run.batch, run.isl, run.osl) == ("static", 8, 1024, 101)
    assert values == {"ttft_s": 0.2, "tpot_s": 0.008, "e2e_s": 1, "output_tokens_per_s": 808}
    client = BATCH | {
        "latency": 1.2, "last_ttft": 0.2, "acc_length": -1.0, "cache_hit_rate": 0.5,
        "output_throughput": 808.0,
    }  # fmt: skip
    run, values = read_well(tmp_path, client, **fill)
    assert (values["tpot_s"], run.cached) == (0.01, 512)
    drafted, _ = read_well(tmp_path, client | {"acc_length": 3.1}, **fill)
    assert drafted.drafting.drafts == 3


def test_sglang_offline(tmp_path: Path) -> None:
    result = {
        "backend": "engine", "successful_requests": 100, "total_latency": 20.0,
        "total_input_tokens": 50_000, "total_output_tokens": 20_000, "output_throughput": 1000.0,
    }  # fmt: skip
    run, values = read_well(tmp_path, result, **ON, model=MODEL)
    assert (run.regime, run.isl, run.osl) == ("offline", 500, 200)
    assert values == {"output_tokens_per_s": 1000, "total_tokens_per_s": 3500}


# --- TensorRT-LLM

REPORT: dict[str, Any] = {
    "engine": {"model": MODEL, "version": "1.2.0", "dtype": "torch.bfloat16",
               "quantization": "FP8", "kv_cache_dtype": "FP8"},
    "world_info": {"tp_size": 2, "pp_size": 1, "ep_size": 1, "world_size": 2, "issue_rate": 1e9},
    "request_info": {"num_requests": 1000, "avg_num_concurrent_requests": 64.0,
                     "avg_input_length": 1024.0, "avg_output_length": 256.0},
    "performance": {"avg_request_latency_ms": 3000.0, "system_output_throughput_tok_s": 5000.0,
                    "system_total_throughput_tok_s": 25000.0},
    "streaming_metrics": {"avg_ttft_ms": 100.0, "avg_tpot_ms": 11.0,
                          "ttft_percentiles": {"p99": 300.0}},
}  # fmt: skip


def test_trtllm_bench(tmp_path: Path) -> None:
    machine = {"machine": {"name": "NVIDIA H200", "memory.total": "143771 MiB"}}
    run, values = read_well(tmp_path, REPORT | machine)
    assert values == {
        "ttft_s": 0.1, "ttft_p99_s": 0.3, "tpot_s": 0.011, "e2e_s": 3, "output_tokens_per_s": 5000,
        "total_tokens_per_s": 25000,
    }  # fmt: skip
    assert (run.regime, run.concurrency, run.n_chips) == ("closed", 64, 2)
    assert (run.cluster.chip.id, run.model.weight_dtype, run.model.kv_dtype) == (
        "h200-sxm", "fp8", "fp8",
    )  # fmt: skip
    at_once = REPORT | {"request_info": {**REPORT["request_info"],
                                         "avg_num_concurrent_requests": 700.0}}  # fmt: skip
    assert read_well(tmp_path, at_once, chip="h100-sxm")[0].regime == "offline"


# --- GenAI-Perf, AIPerf

SUMMARY = {
    "request_latency": {"unit": "ns", "avg": 3.1e9, "p99": 3.3e9},
    "time_to_first_token": {"unit": "ms", "avg": 100.0, "p99": 140.0},
    "time_to_second_token": {"unit": "ms", "avg": 9.0},
    "inter_token_latency": {"unit": "ms", "avg": 9.9},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 2048.0},
    "input_sequence_length": {"unit": "tokens", "avg": 550},
    "output_sequence_length": {"unit": "tokens", "avg": 200},
    "request_count": {"unit": "requests", "avg": 320.0},
}
CONFIGS = [
    {"model": [MODEL], "perf_analyzer": {"stimulus": {"concurrency": 32}}},
    {"formatted_model_name": MODEL, "concurrency": 32, "request_rate": None},
    {"endpoint": {"model_names": [MODEL]}, "loadgen": {"concurrency": 32}},
]


@pytest.mark.parametrize("config", CONFIGS, ids=["genai-perf", "flat", "aiperf"])
def test_genai_perf_and_aiperf(tmp_path: Path, config: Any) -> None:
    run, values = read_well(tmp_path, SUMMARY | {"input_config": config}, **ON)
    assert values == {
        "ttft_s": 0.1, "ttft_p99_s": 0.14, "tpot_s": 0.0099, "e2e_s": 3.1,
        "output_tokens_per_s": 2048,
    }  # fmt: skip
    assert (run.regime, run.concurrency, run.isl, run.osl) == ("closed", 32, 550, 200)
    assert run.notes["n_requests"] == "320"


def test_lengths_follow_from_the_tokens_of_all_requests(tmp_path: Path) -> None:
    without = {k: v for k, v in SUMMARY.items() if k != "input_sequence_length"}
    totals = {"total_isl": {"unit": "tokens", "avg": 176_000.0}, "input_config": CONFIGS[2]}
    assert read_well(tmp_path, without | totals, **ON)[0].isl == 550


def test_aiperf_says_device_prefix_and_errors(tmp_path: Path) -> None:
    config = {
        "endpoint": {"model_names": [MODEL]}, "loadgen": {"request_rate": 4.0},
        "input": {"prompt": {"prefix_prompt": {"shared_system_prompt_length": 400}}},
    }  # fmt: skip
    gpus = {"endpoints": {"node": {"gpus": {"gpu_0": {"gpu_name": "NVIDIA L40S"}}}}}
    errors = [{"error_details": {"code": 499}, "count": 81}, {"count": 3}]
    result = SUMMARY | {
        "input_config": config, "telemetry_data": gpus, "error_summary": errors,
        "was_cancelled": True,
    }  # fmt: skip
    run, _ = read_well(tmp_path, result, tp="1")
    assert (run.regime, run.request_rate_per_s, run.cached) == ("open", 4, 400)
    assert (run.cluster.chip.id, run.notes["n_failed"]) == ("l40s", "84")
    assert "stopped before its end" in run.notes["remark"]


def test_sections_of_csv(tmp_path: Path) -> None:
    text = (
        "Metric,avg,min,max,p99\n"
        'Time to First Token (ms),"1,588.80",382.24,"4,121.09","4,119.33"\n'
        "Request Latency (ms),6550.36,4996.25,9383.37,9381.63\n"
        "Inter Token Latency (ms),51.76,46.81,56.30,55.87\n"
        "Input Sequence Length (tokens),550.00,550,550,550\n"
        "Output Sequence Length (tokens),96.85,91.00,97.00,97.00\n"
        "\nMetric,Value\nRequest Throughput (requests/sec),13.16\n"
        "Output Token Throughput (tokens/sec),1274.63\n"
        "\nEndpoint,GPU_Index,Metric,avg\nlocalhost,0,GPU Power Usage (W),43.37\n"
    )
    run, values = read_well(
        tmp_path, text, "profile_export_aiperf.csv", **ON, model=MODEL, concurrency="100"
    )
    assert (run.regime, run.concurrency, run.isl, run.osl) == ("closed", 100, 550, 96.85)
    assert values == {
        "ttft_s": 1.5888, "ttft_p99_s": 4.11933, "tpot_s": 0.05176, "tpot_p99_s": 0.05587,
        "e2e_s": 6.55036, "output_tokens_per_s": 1274.63,
    }  # fmt: skip


# --- GuideLLM, LLMPerf


def _of(mean: float, **others: Any) -> dict[str, Any]:
    return {"successful": {"mean": mean, "std_dev": 0.0, **others}, "total": {"mean": 0.0}}


METRICS = {
    "request_totals": {"successful": 95, "errored": 5, "total": 100},
    "prompt_token_count": _of(512), "output_token_count": _of(128), "request_latency": _of(2.0),
    "time_to_first_token_ms": _of(40.0, percentiles={"p50": 39.0, "p99": 70.0}),
    "time_per_output_token_ms": _of(15.6), "inter_token_latency_ms": _of(15.4),
    "output_tokens_per_second": _of(900.0), "tokens_per_second": _of(4500.0),
}  # fmt: skip


def test_guidellm_of_several_versions(tmp_path: Path) -> None:
    later = {"config": {"strategy": {"type_": "concurrent", "streams": 16},
                        "backend": {"model": MODEL}}, "metrics": METRICS}  # fmt: skip
    first = {"args": {"strategy": {"type_": "constant", "rate": 2.5}},
             "worker": {"backend_model": MODEL}, "metrics": METRICS,
             "request_loader": {"data": "prompt_tokens=512,prefix_tokens=256"}}  # fmt: skip
    unknown = {"config": {"strategy": {"type_": "sweep"}}, "metrics": METRICS}
    report = {"benchmarks": [later, first, unknown]}
    rows = read(tmp_path, report, **ON)
    runs = list({id(r.run): r.run for r in rows if r.run}.values())
    assert [(r.regime, r.concurrency, r.request_rate_per_s) for r in runs] == [
        ("closed", 16, None), ("open", None, 2.5),
    ]  # fmt: skip
    assert [r.model.id for r in runs] == [MODEL] * 2
    assert (runs[1].cached, runs[0].notes["n_failed"]) == (256, "5")
    assert "even intervals" in runs[1].notes["remark"]
    assert [r.status for r in rows if r.status != OK] == ["not-modelled"]
    assert {r.metric: r.value for r in rows if r.run is runs[0]} == pytest.approx({
        "ttft_s": 0.04, "ttft_p99_s": 0.07, "tpot_s": 0.0154, "e2e_s": 2.0,
        "output_tokens_per_s": 900.0, "total_tokens_per_s": 4500.0,
    })  # fmt: skip


def test_llmperf_counts_the_first_token_among_the_gaps(tmp_path: Path) -> None:
    flat = {
        "model": MODEL, "num_concurrent_requests": 16, "mean_input_tokens": 550,
        "results_ttft_s_mean": 5.0, "results_ttft_s_quantiles_p99": 8.0,
        "results_end_to_end_latency_s_mean": 18.0, "results_inter_token_latency_s_mean": 0.1134,
        "results_number_output_tokens_mean": 131.0, "results_number_errors": 2,
        "results_mean_output_throughput_token_per_s": 124.3, "timestamp": 1718209276,
        "results_num_completed_requests": 112,
    }  # fmt: skip
    run, values = read_well(tmp_path, flat, **ON)
    assert values["tpot_s"] == 0.1
    assert (run.concurrency, run.isl, run.osl, run.date) == (16, 550, 131, "2024-06-12")
    assert run.notes["n_failed"] == "2"


# --- llama-bench

QWEN = "Qwen/Qwen3-8B"
TEST = {
    "build_number": 7825, "cpu_info": "Ryzen", "gpu_info": "NVIDIA GeForce RTX 4090",
    "backends": "CUDA", "model_filename": "models/Qwen3-8B-Q4_K_M.gguf",
    "model_type": "qwen3 8B Q4_K - Medium", "model_n_params": 8190735360, "n_gpu_layers": 99,
    "type_k": "f16", "n_prompt": 0, "n_gen": 128, "n_depth": 0, "avg_ts": 130.0,
}  # fmt: skip


def test_llama_bench(tmp_path: Path) -> None:
    prompt = TEST | {"n_prompt": 512, "n_gen": 0, "n_depth": 1024, "avg_ts": 9000.0}
    both = TEST | {"n_prompt": 512, "n_gen": 128, "avg_ts": 64.0}
    rows = read(tmp_path, [TEST, prompt, both], model=QWEN)
    assert [(r.status, r.metric, r.value) for r in rows] == [
        (OK, "output_tokens_per_s", 130), (OK, "prefill_tokens_per_s", 9000), (OK, "e2e_s", 10),
    ]  # fmt: skip
    runs = [r.run for r in rows if r.run]
    assert [(r.regime, r.isl, r.osl, r.cached) for r in runs] == [
        ("decode", 0, 128, 0), ("prefill", 1536, None, 1024), ("static", 512, 129, 0),
    ]  # fmt: skip
    assert {r.cluster.chip.id for r in runs} == {"rtx-4090"}
    assert {(r.engine, r.model.weight_dtype, r.n_chips) for r in runs} == {
        ("llama.cpp", "q4_k_m", 1)
    }


def test_llama_bench_csv_and_lines_are_the_same(tmp_path: Path) -> None:
    head = ",".join(TEST)
    values = ",".join(f'"{v}"' for v in TEST.values())
    for text, name in ((f"{head}\n{values}\n", "r.csv"), (json.dumps(TEST) + "\n", "r.jsonl")):
        run, values_read = read_well(tmp_path, text, name, model=QWEN)
        assert (values_read, run.cluster.chip.id) == ({"output_tokens_per_s": 130}, "rtx-4090")


def test_llama_bench_markdown(tmp_path: Path) -> None:
    text = (
        "ggml_cuda_init: found 1 CUDA devices:\n"
        "  Device 0: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes\n"
        "| model | size | params | backend | ngl | test | t/s |\n"
        "| --- | ---: | ---: | --- | --: | ---: | ---: |\n"
        "| qwen3 8B Q8_0 | 8.11 GiB | 8.19 B | CUDA | 99 | pp512 @ d4096 | 3436.00 ± 23.45 |\n"
        "| qwen3 8B Q8_0 | 8.11 GiB | 8.19 B | CUDA | 10 | tg 128 | 86.00 ± 0.59 |\n"
    )
    good, offloaded = read(tmp_path, text, "bench.md", model=QWEN)
    assert good.run is not None
    assert (good.run.cluster.chip.id, good.run.model.weight_dtype) == ("rtx-3090", "q8_0")
    assert (good.value, good.run.isl, good.run.cached) == (3436, 4608, 4096)
    assert offloaded.status == "not-modelled"
    assert "10 of 36 layers" in offloaded.reason
    (other, _) = read(tmp_path, text.replace("8.19 B", "7.62 B"), "other.md", model=QWEN)
    assert other.status == "bad-model"


def test_a_files_parameters_are_those_of_its_model(tmp_path: Path) -> None:
    (row,) = read(tmp_path, TEST, model=MODEL.replace("8B", "70B"))
    assert row.status == "bad-model"
    assert "8.19 G parameters" in row.reason
    (experts,) = read(tmp_path, TEST | {"n_cpu_moe": 12}, model=QWEN)
    assert experts.status == "not-modelled"


def test_llama_bench_on_several_devices(tmp_path: Path) -> None:
    two = TEST | {"gpu_info": "NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 4090"}
    run, _ = read_well(tmp_path, two | {"split_mode": "layer"}, model=QWEN)
    assert run.layout is not None
    assert (run.n_chips, run.layout.pp) == (2, 2)
    unlike = TEST | {"gpu_info": "NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 3090"}
    assert read(tmp_path, unlike, model=QWEN)[0].status == "not-modelled"


# --- MLPerf

ROW = {
    "Model": "llama2-70b-99.9", "MlperfModel": "llama2-70b-99.9", "Scenario": "Offline",
    "Result": "31263.8", "number_of_nodes": "1", "accelerator_model_name": "NVIDIA H200-SXM-141GB",
    "accelerators_per_node": "8", "framework": "TensorRT 10.2.0, CUDA 12.4", "version": "v4.1",
    "inferred": "0", "Units": "Samples/s",
}  # fmt: skip


def test_mlperf_summary(tmp_path: Path) -> None:
    other = ROW | {"Model": "resnet50", "MlperfModel": "resnet", "Result": "757446.0"}
    lines = [ROW, ROW | {"Scenario": "Server", "Result": "29715.3"}, other]
    text = ",".join(ROW) + "\n"
    text += "\n".join(",".join(f'"{v}"' for v in row.values()) for row in lines) + "\n"
    offline, server, image = read(tmp_path, text, "summary.csv")
    assert (offline.status, offline.metric, offline.value) == (OK, "output_tokens_per_s", 31263.8)
    assert offline.run is not None
    assert (offline.run.cluster.chip.id, offline.run.n_chips) == ("h200-sxm", 8)
    assert (offline.run.engine, offline.run.osl) == ("tensorrt-llm", 294.45)
    assert server.run is not None
    assert (server.regime, server.run.notes["limits"]) == ("slo", "p99 TTFT<=2s p99 TPOT<=0.2s")
    assert image.status == "not-modelled"


def test_mlperf_log(tmp_path: Path) -> None:
    text = (
        "================================================\nMLPerf Results Summary\n"
        "================================================\nSUT name : PySUT\nScenario : Server\n"
        "Mode     : PerformanceOnly\nCompleted samples per second    : 104.2\n"
        "Result is : VALID\n\nCompleted tokens per second                 : 29522.56\n"
        "Mean First Token latency (ns)               : 963332124\n"
        "99.00 percentile first token latency (ns)   : 1760966679\n"
        "Mean Time to Output Token (ns)               : 126269215\n"
        "ttft_latency (ns): 2000000000\ntpot_latency (ns): 200000000\n"
    )
    run, values = read_well(
        tmp_path, text, "mlperf_log_summary.txt", chip="h200-sxm", n_chips="8",
        model="meta-llama/Llama-2-70b-hf", osl="294.45", dtype="fp8",
    )  # fmt: skip
    assert run.notes["limits"] == "p99 TTFT<=2s p99 TPOT<=0.2s"
    assert values == {
        "output_tokens_per_s": 29522.56, "ttft_s": 0.963332124, "ttft_p99_s": 1.760966679,
        "tpot_s": 0.126269215,
    }  # fmt: skip


# --- files


def test_unknown_files_are_refused_by_what_is_known(tmp_path: Path) -> None:
    (row,) = read(tmp_path, {"tokens": 1, "speed": 2}, **ON)
    assert row.status == "unknown-format"
    assert "'tokens', 'speed'" in row.reason
    assert "trtllm-bench" in row.reason
    (raw,) = read(tmp_path, {"experiments": [], "version": "0.1"}, **ON)
    assert "give profile_export_genai_perf.json" in raw.reason


def test_a_cut_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    line = json.dumps(SERVE_IN_SECONDS)
    for text in (f"{line}\n{line[:99]}\n{line}\n", f"{line[:99]}\n{line}\n{line}\n"):
        rows = read(tmp_path, text, "r.jsonl", **ON)
        (cut,) = [r for r in rows if r.status != OK]
        assert cut.status == "bad-line"
        assert len({id(r.run) for r in rows if r.run}) == 2


def test_objects_over_several_lines_one_after_the_other(tmp_path: Path) -> None:
    text = json.dumps(SERVE_IN_SECONDS, indent=1)
    assert {r.line for r in read(tmp_path, f"{text}\n{text}\n", **ON)} == {1, 2}
    wrapped = {"results": [SERVE_IN_SECONDS, SERVE_IN_SECONDS]}
    assert len(read(tmp_path, wrapped, **ON)) == 2 * len(read(tmp_path, SERVE_IN_SECONDS, **ON))


def test_the_model_may_differ_by_row(tmp_path: Path) -> None:
    rows = read(tmp_path, [SERVE_IN_SECONDS, SERVE_IN_SECONDS | {"model_id": QWEN}], **ON)
    assert {r.run.model.id for r in rows if r.run} == {MODEL, QWEN}


@pytest.mark.parametrize(
    ("device", "chip"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100-80gb-sxm"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb-pcie"),
        ("NVIDIA A100-PCIE-40GB", ""),
        ("NVIDIA H200-SXM-141GB", "h200-sxm"),
        ("NVIDIA B200", "b200-sxm"),
        ("AMD Instinct MI300X", "mi300x"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "rtx-pro-6000-workstation"),
        ("Apple M2 Ultra", "apple-m2-ultra"),
        ("Apple M1 Ultra", "apple-m1-ultra"),
    ],
)
def test_names_of_devices(device: str, chip: str) -> None:
    assert device_chip(device) == (chip or device)
