"""Reports of ``trtllm-bench`` (``--report_json``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.devices import device_chip
from ridgeline.fidelity.measurements.results.record import (
    Result,
    Tool,
    draft_cells,
    first_of,
    format_name,
    load_cells,
    mapping,
    plain,
    positive,
    request_notes,
    text,
)

__all__ = ["REPORT"]

Found = Mapping[str, Any]

#: where N requests are sent at once, at least half are in the system on the mean of a run that
#: drains evenly; a cap of requests in flight is far fewer, and its mean is the cap
_ALL_AT_ONCE = 0.45
#: per second; the tool sends all requests without a pause, and writes that as about 1e9
_NO_RATE = 1e6


def _is_report(found: Found) -> bool:
    return {"performance", "request_info", "world_info"} <= set(found)


def _read(found: Found) -> Iterator[Result]:
    engine, world = mapping(found, "engine"), mapping(found, "world_info")
    requests, performance = mapping(found, "request_info"), mapping(found, "performance")
    n = positive(requests, "num_requests")
    if not n:
        raise Fault("no-requests", "num_requests is 0, so there is nothing to score.")
    cells, notes = _load(world, requests, n)
    cells |= {
        "source": "trtllm-bench",
        "engine": "tensorrt-llm",
        "engine_version": text(engine.get("version")),
        "model": first_of(engine, "model", "model_path"),
        "weight_dtype": format_name(engine.get("quantization"), engine.get("dtype")),
        "kv_dtype": format_name(engine.get("kv_cache_dtype")),
        "isl": plain(positive(requests, "avg_input_length")),
        "osl": plain(positive(requests, "avg_output_length")),
        **_layout(world),
        **_drafts(mapping(found, "decoding_stats")),
    }
    if device := first_of(mapping(found, "machine"), "name", "gpu_name"):
        cells["chip"] = device_chip(device)
    yield Result(cells, _values(found, performance), (*request_notes(n, None), *notes))


def _load(world: Found, requests: Found, n: float) -> tuple[dict[str, str], tuple[str, ...]]:
    """A rate where one is set; else a closed loop or all at once, by how many were in flight."""
    rate = positive(world, "issue_rate")
    if rate is not None and rate < _NO_RATE:
        return load_cells(rate, None)
    live = positive(requests, "avg_num_concurrent_requests")
    if live is None or live >= _ALL_AT_ONCE * n:
        return load_cells(None, None)
    cells, notes = load_cells(None, live)
    return cells, (*notes, "remark: concurrency is the mean that was measured, no cap is stated")


def _layout(world: Found) -> dict[str, str]:
    tp, pp, ep = (positive(world, f"{x}_size") for x in ("tp", "pp", "ep"))
    return {
        "tp": plain(tp),
        "pp": plain(pp),
        "ep": plain(ep) if ep and ep > 1 else "",
        "n_chips": plain(positive(world, "world_size")),
    }


def _drafts(stats: Found) -> dict[str, str]:
    """What drafts; tokens a step; and drafts, of which a share was accepted beside the first."""
    if not stats:
        return {}
    length, rate = (
        positive(mapping(stats, f"{x}_percentiles"), "average", "avg")
        for x in ("acceptance_length", "draft_acceptance_rate")
    )
    n = round((length - 1) / rate) if length and length > 1 and rate else None
    return draft_cells(text(stats.get("mode")) or "on", n, length)


def _values(found: Found, performance: Found) -> dict[str, float]:
    streaming = mapping(found, "streaming_metrics")
    tails = {x: mapping(streaming, f"{x}_percentiles") for x in ("ttft", "tpot")}
    values = {
        "ttft_s": _seconds(streaming, "avg_ttft_ms"),
        "ttft_p99_s": _seconds(tails["ttft"], "p99"),
        "tpot_s": _seconds(streaming, "avg_tpot_ms"),
        "tpot_p99_s": _seconds(tails["tpot"], "p99"),
        "e2e_s": _seconds(performance, "avg_request_latency_ms"),
        "output_tokens_per_s": positive(performance, "system_output_throughput_tok_s"),
        "total_tokens_per_s": positive(performance, "system_total_throughput_tok_s"),
    }
    return {k: v for k, v in values.items() if v is not None}


def _seconds(found: Found, key: str) -> float | None:
    """Times of a report are in milliseconds."""
    value = positive(found, key)
    return None if value is None else value * 1e-3


REPORT = Tool("trtllm-bench", _is_report, _read)
