"""Reports of GuideLLM: ``benchmarks.json``, of its first versions and of later ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.record import (
    Result,
    Tool,
    first_of,
    load_cells,
    mapping,
    nested,
    nominal,
    number,
    plain,
    positive,
    request_notes,
    text,
)

__all__ = ["REPORT"]

Found = Mapping[str, Any]

#: metric -> metric of the tool, in milliseconds with _ms at its end, else in seconds. Its
#: time_per_output_token counts the first token, too, and is not ours
_TIMES = {
    "ttft_s": "time_to_first_token",
    "tpot_s": "inter_token_latency",
    "e2e_s": "request_latency",
}
_TAILS = {"ttft_p99_s": "time_to_first_token", "tpot_p99_s": "inter_token_latency"}
_RATES = {
    "output_tokens_per_s": ("output_tokens_per_second",),
    "total_tokens_per_s": ("tokens_per_second",),
}
_SHARED = re.compile(r"\bprefix_tokens[\"']?\s*[=:]\s*(\d+)")


def _is_report(found: Found) -> bool:
    runs = found.get("benchmarks")
    return isinstance(runs, list) and any(mapping(r, "metrics") for r in runs)


def _read(found: Found) -> Iterator[Result | Fault]:
    for run in found["benchmarks"]:
        try:
            yield _run(mapping(run), found)
        except Fault as fault:
            yield fault


def _run(run: Found, report: Found) -> Result:
    metrics = mapping(run, "metrics")
    cells, notes = _load(run)
    n_done, n_failed = _requests(run)
    if not n_done:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    cells |= {
        "source": "guidellm",
        "model": _model(run, report),
        "isl": plain(_length(metrics, "prompt_token_count")),
        "osl": plain(_length(metrics, "output_token_count")),
        "cached": plain(_prefix(run, report)),
    }
    if any((number(_stats(metrics, x), "std_dev") or 0) > 0 for x in _LENGTHS):
        notes = (*notes, nominal(cells["isl"], cells["osl"]))
    notes = (*request_notes(n_done, n_failed), *notes)
    return Result(cells, _values(metrics), notes)


_LENGTHS = ("prompt_token_count", "output_token_count")


def _stats(metrics: Found, name: str) -> Found:
    """Statistics of the requests that were completed."""
    return mapping(metrics, name, "successful") or mapping(metrics, name, "completed")


def _length(metrics: Found, name: str) -> float | None:
    stats = _stats(metrics, name)
    mean = positive(stats, "mean")
    total, count = positive(stats, "total_sum"), positive(stats, "count")
    return total / count if mean is None and total and count else mean


def _seconds(metrics: Found, name: str, statistic: str) -> float | None:
    for key, scale in ((f"{name}_ms", 1e-3), (name, 1.0)):
        stats = _stats(metrics, key)
        found = mapping(stats, "percentiles") if statistic == "p99" else stats
        value = positive(found, statistic)
        value = positive(stats, statistic) if value is None else value
        if value is not None:
            return value * scale
    return None


def _values(metrics: Found) -> dict[str, float]:
    values = {m: _seconds(metrics, name, "mean") for m, name in _TIMES.items()}
    values |= {m: _seconds(metrics, name, "p99") for m, name in _TAILS.items()}
    for metric, names in _RATES.items():
        for name in names:
            whole = _stats(metrics, name) or mapping(metrics, name, "total")
            values[metric] = positive(whole, "mean")
    return {k: v for k, v in values.items() if v is not None}


def _strategy(run: Found) -> Found:
    for path in (("config", "strategy"), ("args", "strategy"), ("scheduler", "strategy")):
        if found := mapping(run, *path):
            return found
    return {}


def _load(run: Found) -> tuple[dict[str, str], tuple[str, ...]]:
    strategy = _strategy(run)
    kind = first_of(strategy, "type_", "type", "kind")
    streams = positive(strategy, "streams", "max_concurrency")
    rate = positive(strategy, "rate")
    if kind == "synchronous":
        return load_cells(None, 1.0)
    if kind == "throughput":
        return load_cells(None, None)
    if rate is not None and kind != "concurrent":
        cells, notes = load_cells(rate, None)
        spaced = kind not in ("poisson", "async")
        return cells, (*notes, *(("remark: requests come at even intervals",) if spaced else ()))
    if streams is None:
        raise Fault(
            "not-modelled",
            f"the strategy {kind or 'of the run'!r} states neither streams nor a rate, so the "
            "load is not known.",
        )
    return load_cells(None, streams)


def _requests(run: Found) -> tuple[float | None, float | None]:
    for path in (
        ("metrics", "request_totals"),
        ("run_stats", "requests_made"),
        ("scheduler_metrics", "requests_made"),
    ):
        totals = mapping(run, *path)
        if (done := number(totals, "successful")) is not None:
            return done, number(totals, "errored")
    state = mapping(run, "scheduler_state")
    return number(state, "successful_requests"), number(state, "errored_requests")


def _model(run: Found, report: Found) -> str:
    """Of the backend that was asked; else of the arguments of the whole report."""
    places = (
        (run, ("backend_model", "target_model")),
        (mapping(run, "config"), ("model",)),
        (mapping(report, "args"), ("model",)),
        (mapping(run, "args"), ("model",)),
    )
    for tree, names in places:
        for _, value in nested(tree, names):
            if name := text(value):
                return name
    return ""


def _prefix(run: Found, report: Found) -> float | None:
    for tree in (run, mapping(report, "args")):
        for _, value in nested(tree, ("prefix_tokens",)):
            return positive({"prefix_tokens": value}, "prefix_tokens")
        for _, value in nested(tree, ("data",)):
            each = value if isinstance(value, list) else [value]
            for stated in filter(None, map(text, each)):
                if shared := _SHARED.search(stated[:10_000]):
                    return float(shared[1][:12])
    return None


REPORT = Tool("GuideLLM (benchmarks.json)", _is_report, _read)
