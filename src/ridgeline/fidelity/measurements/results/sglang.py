"""Results of SGLang: ``bench_serving``, ``bench_one_batch``, ``bench_offline_throughput``."""

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
    mapping,
    nominal,
    number,
    plain,
    positive,
    request_notes,
    text,
    truth,
)
from ridgeline.fidelity.measurements.results.vllm import serve_traffic, serve_values

__all__ = ["OFFLINE", "ONE_BATCH", "SERVE"]

Found = Mapping[str, Any]

_TIMES = {"ttft_s": "ttft", "tpot_s": "tpot", "itl_s": "itl", "e2e_s": "e2e_latency"}
_DEVICES = ("gpu_name", "device_name", "gpu", "accelerator")


def _is_serve(found: Found) -> bool:
    keys = ("mean_e2e_latency_ms", "total_output_tokens_retokenized", "median_e2e_latency_ms")
    return "completed" in found and any(k in found for k in keys)


def _serve(found: Found) -> Iterator[Result]:
    server = mapping(found, "server_info")
    if (mode := text(server.get("disaggregation_mode"))) not in ("", "null", "none"):
        raise Fault(
            "not-modelled",
            f"disaggregation_mode is {mode!r}: prefill and decode have servers of their own, of "
            "which the file describes one; a measurement table has columns for both.",
        )
    cells, notes = serve_traffic(found)
    values, about = serve_values(found, _TIMES)
    cells |= {
        "source": "sglang-bench",
        "engine": text(found.get("backend")) or "sglang",
        "engine_version": text(server.get("version")),
        "model": text(server.get("model_path") or found.get("model")),
        "weight_dtype": format_name(server.get("quantization")),
        "kv_dtype": format_name(server.get("kv_cache_dtype")),
        "cached": _shared_prefix(found, server),
        **_layout(server),
        **_drafts(found, server),
    }
    if device := first_of(server, *_DEVICES):
        cells["chip"] = device_chip(device)
    if _lengths_vary(found):
        notes = (*notes, nominal(cells["isl"], cells["osl"]))
    yield Result(cells, values, (*notes, *about))


def _drafts(found: Found, server: Found) -> dict[str, str]:
    """What drafts, how many, and tokens a step.

    Raises
    ------
    Fault   ``not-modelled``: several drafts for one place, of which one is kept.
    """
    method = first_of(server, "speculative_algorithm") or first_of(found, "speculative_algorithm")
    n = positive(server, "speculative_num_steps")
    verified = positive(server, "speculative_num_draft_tokens")
    branches = positive(server, "speculative_eagle_topk") or 1.0
    if branches > 1 or (n and verified and verified != n + 1):
        raise Fault(
            "not-modelled",
            f"drafts are a tree (speculative_eagle_topk {branches:g}, "
            f"speculative_num_draft_tokens {verified or 0:g}, speculative_num_steps {n or 0:g}); "
            "one draft for each place is predicted, and the token before them.",
        )
    if n is None and verified:
        n = verified - 1
    return draft_cells(method, n, positive(found, "accept_length", "acc_length"))


def _lengths_vary(found: Found) -> bool:
    """Only random lengths in a range from 1.0 are all alike."""
    if not text(found.get("dataset_name")).startswith("random"):
        return bool(text(found.get("dataset_name")))
    return number(found, "random_range_ratio") not in (None, 1.0)


def _shared_prefix(found: Found, server: Found) -> str:
    """Tokens of the prompts that the server's prefix cache holds."""
    if text(found.get("dataset_name")) != "generated-shared-prefix":
        return ""
    if truth(server.get("disable_radix_cache")):
        return ""
    length = positive(found, "gsp_system_prompt_len")
    if length is None:
        raise Fault(
            "not-modelled",
            "requests share prefixes (dataset_name generated-shared-prefix), and the file does not "
            "say how long they are (gsp_system_prompt_len).",
        )
    return plain(length)


def _layout(server: Found) -> dict[str, str]:
    tp, dp = positive(server, "tp_size"), positive(server, "dp_size") or 1.0
    if tp is None:
        return {}
    shared = truth(server.get("enable_dp_attention"))
    pp = positive(server, "pp_size") or 1.0
    # With attention data parallelism tp_size counts all chips of the stage.
    return {
        "tp": plain(tp / dp if shared else tp),
        "attn_dp": plain(dp if shared else 1.0),
        "pp": plain(pp),
        "ep": plain(positive(server, "ep_size")),
        "n_chips": plain(tp * pp * (1 if shared else dp)),
    }


def _is_one_batch(found: Found) -> bool:
    return {"batch_size", "input_len", "output_len"} <= set(found) and any(
        k in found for k in ("prefill_latency", "total_latency", "latency")
    )


def _one_batch(found: Found) -> Iterator[Result]:
    """A batch that starts together: timed inside the engine, or from a client of its server."""
    batch, isl, osl = (positive(found, k) for k in ("batch_size", "input_len", "output_len"))
    if batch is None or isl is None or osl is None:
        raise Fault("no-requests", "batch_size, input_len or output_len is 0: nothing to score.")
    hit = positive(found, "cache_hit_rate")
    cells = {
        "source": "sglang-bench",
        "engine": "sglang",
        "regime": "static",
        "model": first_of(found, "model_path", "model"),
        "batch": plain(batch),
        "isl": plain(isl),
        "osl": plain(osl),
        "cached": plain(hit * isl) if hit else "",
        **_layout(found),
        **_drafts(found, {}),
    }
    yield Result(cells, _batch_values(found, batch, osl))


def _batch_values(found: Found, batch: float, osl: float) -> dict[str, float]:
    first = positive(found, "prefill_latency", "last_ttft", "ttft")
    whole = positive(found, "total_latency", "latency")
    gap = positive(found, "median_decode_latency")
    if gap is None and first is not None and whole is not None and osl > 1:
        gap = (whole - first) / (osl - 1)
    values = {"ttft_s": first, "tpot_s": gap if osl > 1 else None, "e2e_s": whole}
    if whole is not None:
        values["output_tokens_per_s"] = batch * osl / whole
    return {k: v for k, v in values.items() if v is not None and v > 0}


def _is_offline(found: Found) -> bool:
    return {"successful_requests", "total_latency", "total_output_tokens"} <= set(found)


def _offline(found: Found) -> Iterator[Result]:
    n = positive(found, "successful_requests")
    tokens_in, tokens_out = (positive(found, f"total_{x}_tokens") for x in ("input", "output"))
    seconds = positive(found, "total_latency")
    if not n or not tokens_in or not tokens_out or not seconds:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    cells = {
        "source": "sglang-bench",
        "engine": "sglang",
        "regime": "offline",
        "model": first_of(found, "model_path", "model"),
        "isl": plain(tokens_in / n),
        "osl": plain(tokens_out / n),
    }
    values = {
        "output_tokens_per_s": tokens_out / seconds,
        "total_tokens_per_s": (tokens_in + tokens_out) / seconds,
    }
    yield Result(cells, values, request_notes(n, None))


SERVE = Tool("SGLang's bench_serving", _is_serve, _serve)
ONE_BATCH = Tool("SGLang's bench_one_batch and bench_one_batch_server", _is_one_batch, _one_batch)
OFFLINE = Tool("SGLang's bench_offline_throughput", _is_offline, _offline)
