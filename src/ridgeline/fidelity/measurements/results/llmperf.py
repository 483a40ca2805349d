"""Summaries of LLMPerf (``token_benchmark_ray.py``): flat keys, times in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.record import (
    Result,
    Tool,
    load_cells,
    nominal,
    number,
    plain,
    positive,
    request_notes,
    text,
)

__all__ = ["SUMMARY"]

Found = Mapping[str, Any]

#: the last second of the year 9999: later timestamps are no dates
_LAST_S = 253402300799


def _is_summary(found: Found) -> bool:
    return "num_concurrent_requests" in found and (
        "results" in found or any(k.startswith("results_") for k in found)
    )


def _flat(found: Found, before: str = "") -> dict[str, Any]:
    """Nested results under the keys that the tool writes: ``results_ttft_s_mean``."""
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}_")
        else:
            flat[f"{before}{key}"] = value
    return flat


def _read(found: Found) -> Iterator[Result]:
    flat = _flat(found)
    n_done = number(flat, "results_num_completed_requests")
    if not n_done or n_done < 0:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    cells, notes = load_cells(None, positive(flat, "num_concurrent_requests"))
    isl = positive(flat, "results_number_input_tokens_mean", "mean_input_tokens")
    osl = positive(flat, "results_number_output_tokens_mean", "mean_output_tokens")
    cells |= {
        "source": "llmperf",
        "model": text(found.get("model")),
        "isl": plain(isl),
        "osl": plain(osl),
        "date": _date(flat),
    }
    if any((positive(flat, f"stddev_{x}_tokens") or 0) > 0 for x in ("input", "output")):
        notes = (*notes, nominal(isl, osl))
    failed = number(flat, "results_number_errors")
    yield Result(cells, _values(flat, osl), (*request_notes(n_done, failed), *notes))


def _values(flat: Found, osl: float | None) -> dict[str, float]:
    first = positive(flat, "results_ttft_s_mean")
    whole = positive(flat, "results_end_to_end_latency_s_mean")
    values = {
        "ttft_s": first,
        "ttft_p99_s": positive(flat, "results_ttft_s_quantiles_p99"),
        "e2e_s": whole,
        "output_tokens_per_s": positive(flat, "results_mean_output_throughput_token_per_s"),
    }
    # Its latency between tokens is the whole latency over all tokens, the first one's wait within.
    if first is not None and whole is not None and osl is not None and osl > 1 and whole > first:
        values["tpot_s"] = (whole - first) / (osl - 1)
    return {k: v for k, v in values.items() if v is not None}


def _date(flat: Found) -> str:
    stamp = positive(flat, "timestamp")
    if stamp is None or stamp > _LAST_S:
        return ""
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d")


SUMMARY = Tool("LLMPerf (a _summary.json)", _is_summary, _read)
