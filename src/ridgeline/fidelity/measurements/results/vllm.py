"""Results of vLLM: ``vllm bench serve``, ``latency``, ``throughput`` and ``sweep``."""

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
    nominal,
    number,
    plain,
    positive,
    request_notes,
    text,
    truth,
    without_step_gaps,
)

__all__ = ["LATENCY", "SERVE", "THROUGHPUT", "metadata_cells", "serve_traffic", "serve_values"]

Found = Mapping[str, Any]

#: metric -> the name in the keys mean_NAME_ms, mean_NAME, median_NAME_ms ...
_TIMES = {"ttft_s": "ttft", "tpot_s": "tpot", "itl_s": "itl", "e2e_s": "e2el"}
_TAILS = {"ttft_p99_s": "ttft", "tpot_p99_s": "tpot"}
_RATES = {
    "output_tokens_per_s": ("output_throughput",),
    "total_tokens_per_s": ("total_token_throughput", "total_throughput"),
}
#: column -> names under which people add it by --metadata, or a sweep sets it
_METADATA = {
    "tp": ("tensor_parallel_size", "tp_size", "tp"),
    "pp": ("pipeline_parallel_size", "pp_size", "pp"),
    "n_chips": ("n_chips", "num_gpus", "n_gpus", "gpu_count", "num_chips", "world_size"),
}
_DEVICES = (
    "chip", "gpu", "gpu_name", "gpu_type", "gpu_info", "device_name", "accelerator", "hardware",
)  # fmt: skip
_VERSIONS = ("engine_version", "vllm_version", "version")
_FORMATS = ("quantization", "weight_dtype", "precision", "dtype")
#: backends that name a protocol, not an engine
_PROTOCOLS = ("openai", "openai-chat", "openai-comp", "infinity", "infinity-embeddings")
_PREFIXES = ("cached_tokens_per_request", "random_prefix_len", "prefix_repetition_prefix_len")


def _is_serve(found: Found) -> bool:
    return "total_input_tokens" in found and any(
        f"{statistic}_{name}{unit}" in found
        for name in _TIMES.values()
        for statistic in ("mean", "median")
        for unit in ("_ms", "")
    )


def serve_values(
    found: Found, names: Mapping[str, str] = _TIMES
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the metrics of a serving benchmark, and remarks on them.

    Keys end in ``_ms`` or are in seconds. Means are taken; medians where a file has no means.

    Raises
    ------
    Fault   ``bad-number``.
    """
    values, notes = _times(found, names, "mean"), ()
    if not values:
        values, notes = _times(found, names, "median"), ("median",)
    for metric, name in _TAILS.items():
        if (value := _time(found, "p99", name)) is not None:
            values[metric] = value
    for metric, keys in _RATES.items():
        if (value := positive(found, *keys)) is not None:
            values[metric] = value
    return values, notes


def _times(found: Found, names: Mapping[str, str], statistic: str) -> dict[str, float]:
    each = {metric: _time(found, statistic, name) for metric, name in names.items()}
    return {metric: value for metric, value in each.items() if value is not None}


def _time(found: Found, statistic: str, name: str) -> float | None:
    in_ms = positive(found, f"{statistic}_{name}_ms")
    return positive(found, f"{statistic}_{name}") if in_ms is None else in_ms * 1e-3


def serve_traffic(found: Found) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return how requests came and their lengths, which vLLM and SGLang write alike; and remarks.

    Raises
    ------
    Fault   No request was completed, or the rate followed a plan that is not modelled.
    """
    n_done = number(found, "completed")
    tokens_in, tokens_out = (number(found, f"total_{x}_tokens") for x in ("input", "output"))
    if not n_done or n_done < 0 or tokens_in is None or tokens_out is None:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    rate, concurrency = _rate(found), positive(found, "max_concurrency")
    cells, notes = load_cells(rate, concurrency)
    burstiness = number(found, "burstiness", infinite=True)
    if cells["regime"] == "open" and burstiness not in (None, 1.0):
        notes = (*notes, f"burstiness={burstiness:g}")
    cells |= {"isl": f"{tokens_in / n_done:.6g}", "osl": f"{tokens_out / n_done:.6g}"}
    lengths = found.get("input_lens")
    if isinstance(lengths, list) and len({x for x in lengths if isinstance(x, int)}) > 1:
        notes = (*notes, nominal(cells["isl"], cells["osl"]))
    return cells, (*request_notes(n_done, _failed(found, n_done)), *notes)


def _rate(found: Found) -> float | None:
    if ramp := text(found.get("ramp_up_strategy")):
        raise Fault("not-modelled", f"the request rate ramps up ({ramp}): no steady rate to score.")
    if text(found.get("request_rate")) == "trace":
        raise Fault("not-modelled", "requests follow the times of a trace: no rate to score.")
    return number(found, "request_rate", infinite=True)


def _failed(found: Found, n_done: float) -> float | None:
    """Requests that failed: as stated, else those sent that were not completed."""
    stated = number(found, "failed")
    if stated is not None:
        return stated
    n_sent = number(found, "num_prompts")
    return None if n_sent is None else max(n_sent - n_done, 0.0)


def metadata_cells(found: Found) -> dict[str, str]:
    """Return what users add of a run by ``--metadata KEY=VALUE``, or a sweep sets.

    Raises
    ------
    Fault   ``bad-number``.
    """
    found = {_key(k): v for k, v in found.items()}
    cells = {column: plain(positive(found, *keys)) for column, keys in _METADATA.items()}
    cells |= _experts_and_ranks(found, cells)
    cells |= _drafts(found)
    if device := first_of(found, *_DEVICES):
        cells["chip"] = device_chip(device)
    cells["engine_version"] = first_of(found, *_VERSIONS)
    cells["weight_dtype"] = format_name(*(found.get(k) for k in _FORMATS))
    cells["kv_dtype"] = format_name(found.get("kv_cache_dtype"), found.get("kv_dtype"))
    cells["cached"] = "" if _without_cache(found) else plain(positive(found, *_PREFIXES))
    return {k: v for k, v in cells.items() if v}


def _key(name: str) -> str:
    """Return the name of an option as settings have it: --max-num-seqs is max_num_seqs."""
    return name.lstrip("-").replace("-", "_").casefold() if isinstance(name, str) else ""


def _experts_and_ranks(found: Found, cells: Mapping[str, str]) -> dict[str, str]:
    """Experts spread over all ranks, where the file says so; replicas of the whole engine."""
    ranks = positive(found, "data_parallel_size", "dp_size", "dp") or 1.0
    ep = positive(found, "expert_parallel_size", "ep_size", "ep")
    tp = float(cells["tp"] or 0)
    spread = truth(found.get("enable_expert_parallel")) or truth(found.get("expert_parallel"))
    if not tp or (ranks == 1 and not spread):
        return {"ep": plain(ep)} if ep and ep > 1 else {}
    if spread:
        # vLLM replicates attention over data-parallel ranks and spreads experts over all chips.
        return {"attn_dp": plain(ranks), "ep": plain(tp * ranks)}
    pp = float(cells["pp"] or 1)
    return {"n_chips": cells["n_chips"] or plain(tp * pp * ranks)}


def _drafts(found: Found) -> dict[str, str]:
    """What drafts, how many, and tokens a step: as configured, or as counted by the server."""
    length = positive(
        found, "spec_decode_acceptance_length", "acceptance_length", "accept_length", "acc_length"
    )
    method = first_of(found, "speculative_config", "speculative_method", "spec_method")
    n = positive(found, "num_speculative_tokens")
    config = found.get("speculative_config")
    if isinstance(config, Mapping):
        method = first_of(config, "method") or (
            "draft_model" if first_of(config, "model") else "on"
        )
        n = positive(config, "num_speculative_tokens") or n
    drafted, times = (positive(found, f"spec_decode_{x}") for x in ("draft_tokens", "num_drafts"))
    if n is None and drafted and times:
        n = round(drafted / times)
    return draft_cells(method, n, length)


def _without_cache(found: Found) -> bool:
    stated = text(found.get("enable_prefix_caching")) or str(found.get("enable_prefix_caching"))
    return stated.casefold() in ("false", "0", "no") or truth(found.get("no_enable_prefix_caching"))


def _engine(found: Found) -> tuple[str, tuple[str, ...]]:
    name = first_of(found, "engine", "backend", "endpoint_type")
    if name.casefold() in _PROTOCOLS or not name:
        return "vllm", (f"remark: engine not stated (backend {name or 'blank'}): taken as vLLM",)
    return name, ()


def _serve(found: Found) -> Iterator[Result]:
    cells, notes = serve_traffic(found)
    values, about = serve_values(found)
    engine, assumed = _engine(found)
    cells |= {
        "source": "vllm-bench",
        "engine": engine,
        "model": text(found.get("model_id")),
        "date": text(found.get("date"))[:8],
        **metadata_cells(found),
    }
    values, gaps = without_step_gaps(values, cells)
    yield Result(cells, values, (*notes, *about, *gaps, *assumed))


def _latency(found: Found) -> Iterator[Result]:
    """Time of one fixed batch. The file says neither model nor lengths."""
    mean = positive(found, "avg_latency")
    if mean is None:
        raise Fault("no-requests", "avg_latency is not stated, so there is nothing to score.")
    cells = {
        "source": "vllm-bench",
        "engine": "vllm",
        "regime": "static",
        "model": first_of(found, "model", "model_id"),
        "batch": plain(positive(found, "batch_size")),
        "isl": plain(positive(found, "input_len")),
        "osl": plain(positive(found, "output_len")),
        **metadata_cells(found),
    }
    yield Result(cells, {"e2e_s": mean})


def _throughput(found: Found) -> Iterator[Result]:
    """Everything queued at once. The file says the tokens of a request, not which are output."""
    n, tokens = positive(found, "num_requests"), positive(found, "total_num_tokens")
    seconds = positive(found, "elapsed_time")
    rate = positive(found, "tokens_per_second")
    if rate is None and tokens and seconds:
        rate = tokens / seconds
    if not n or rate is None:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    output = positive(found, "total_output_tokens")
    cells = {
        "source": "vllm-bench",
        "engine": "vllm",
        "regime": "offline",
        "model": first_of(found, "model", "model_id"),
        "tokens": plain(tokens / n) if tokens else "",
        "osl": plain(output / n) if output else "",
        "isl": plain((tokens - output) / n) if tokens and output else "",
        **metadata_cells(found),
    }
    values = {"total_tokens_per_s": rate}
    if output and seconds:
        values["output_tokens_per_s"] = output / seconds
    yield Result(cells, values, request_notes(n, None))


SERVE = Tool("vllm bench serve (and its sweeps)", _is_serve, _serve)
LATENCY = Tool(
    "vllm bench latency",
    lambda f: "avg_latency" in f and ("latencies" in f or "percentiles" in f),
    _latency,
)
THROUGHPUT = Tool(
    "vllm bench throughput",
    lambda f: {"elapsed_time", "num_requests", "tokens_per_second"} <= set(f),
    _throughput,
)
