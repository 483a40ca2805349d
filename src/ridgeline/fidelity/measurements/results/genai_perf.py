"""Summaries of GenAI-Perf and AIPerf, in JSON or as the sections of their CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.devices import device_chip
from ridgeline.fidelity.measurements.results.record import (
    SECONDS,
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
    truth,
)

__all__ = ["SUMMARY", "from_sections", "is_section_header"]

Found = Mapping[str, Any]

#: metric -> metric and statistic of the tool. Its latency between tokens is of a request: the time
#: after the first token, over the tokens after the first
_TIMES = {
    "ttft_s": ("time_to_first_token", "avg"),
    "ttft_p99_s": ("time_to_first_token", "p99"),
    "tpot_s": ("inter_token_latency", "avg"),
    "tpot_p99_s": ("inter_token_latency", "p99"),
    "e2e_s": ("request_latency", "avg"),
}
_RATES = {
    "output_tokens_per_s": "output_token_throughput",
    "total_tokens_per_s": "total_token_throughput",
}
_PREFIXES = ("shared_system_prompt_length", "prefix_prompt_length")


def _is_summary(found: Found) -> bool:
    return "request_latency" in found and (
        "request_throughput" in found or "input_config" in found or "request_count" in found
    )


def _read(found: Found) -> Iterator[Result]:
    config = mapping(found, "input_config")
    cells, notes = load_cells(_setting(config, "request_rate"), _setting(config, "concurrency"))
    n_done, n_failed = _stat(found, "request_count"), _errors(found)
    if n_done is not None and n_done <= 0:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    if truth(found.get("was_cancelled")):
        notes = (*notes, "remark: the benchmark was stopped before its end")
    cells |= {
        "source": "genai-perf",
        "engine": _engine(config),
        "model": _model(config),
        "isl": plain(_length(found, "input", n_done)),
        "osl": plain(_length(found, "output", n_done)),
        "cached": plain(_prefix(config)),
        "date": text(found.get("start_time"))[:10],
    }
    if device := _device(found):
        cells["chip"] = device_chip(device)
    if any((_stat(found, x, "std") or 0) > 0 for x in _LENGTHS):
        notes = (*notes, nominal(cells["isl"], cells["osl"]))
    notes = (*request_notes(n_done, n_failed), *notes)
    yield Result({k: v for k, v in cells.items() if v}, _values(found), notes)


def _length(found: Found, side: str, n_done: float | None) -> float | None:
    """Mean tokens of a request; else all of them over the requests."""
    mean, total = _stat(found, f"{side}_sequence_length"), _stat(found, f"total_{side[0]}sl")
    return total / n_done if mean is None and total and n_done else mean


_LENGTHS = ("input_sequence_length", "output_sequence_length")


def _values(found: Found) -> dict[str, float]:
    values = {}
    for metric, (name, statistic) in _TIMES.items():
        value = _stat(found, name, statistic)
        if value is not None and value > 0:
            values[metric] = value * _unit(found, name)
    for metric, name in _RATES.items():
        if (value := _stat(found, name)) is not None and value > 0:
            values[metric] = value
    return values


def _stat(found: Found, name: str, statistic: str = "avg") -> float | None:
    """A statistic of a metric; some versions write what has only one as a bare number."""
    stated = found.get(name)
    if isinstance(stated, Mapping):
        return number(stated, statistic, *(("value",) if statistic == "avg" else ()))
    return number(found, name) if statistic == "avg" else None


def _unit(found: Found, name: str) -> float:
    """Seconds in the unit of a time; milliseconds where none is stated."""
    unit = text(mapping(found, name).get("unit")).casefold() or "ms"
    if unit not in SECONDS:
        raise Fault("bad-number", f"the unit of {name} is {unit!r}; {', '.join(SECONDS)} are read.")
    return SECONDS[unit]


def _setting(config: Found, name: str) -> float | None:
    """A number of the load, wherever a version keeps it; of a sweep's list, none is one run's."""
    for _, value in nested(config, (name,)):
        each = value if isinstance(value, list) else [value]
        if len(each) == 1 and not isinstance(each[0], Mapping | bool) and each[0] not in (None, ""):
            return positive({name: each[0]}, name)
    return None


def _model(config: Found) -> str:
    for name in ("model_names", "model", "models", "formatted_model_name"):
        for _, value in nested(config, (name,)):
            found = first_of({name: value}, name)
            if found:
                return found
    return ""


def _engine(config: Found) -> str:
    known = ("vllm", "tensorrtllm", "sglang")
    for _, value in nested(config, ("backend", "engine")):
        name = text(value).casefold()
        if name in known:
            return "tensorrt-llm" if name == "tensorrtllm" else name
    return ""


def _prefix(config: Found) -> float | None:
    """Tokens that requests share: of a system prompt, or of prompts from a pool."""
    for _, prompt in nested(config, ("prefix_prompt",)):
        shared = positive(mapping(prompt), "shared_system_prompt_length", "length")
        if shared:
            return shared
    for name, value in nested(config, _PREFIXES):
        if shared := positive({name: value}, name):
            return shared
    return None


def _errors(found: Found) -> float | None:
    stated = _stat(found, "error_request_count") or _stat(found, "error_count")
    if stated:
        return stated
    summary = found.get("error_summary")
    if not isinstance(summary, list):
        return None
    return sum(number(mapping(x), "count") or 0.0 for x in summary) or None


def _device(found: Found) -> str:
    names = {text(v) for _, v in nested(found.get("telemetry_data"), ("gpu_name",))}
    return names.pop() if len(names) == 1 else ""


_TITLE = re.compile(r"\s*([^()]+?)\s*(?:\(([^()]*)\))?\s*")


def is_section_header(names: list[str]) -> bool:
    """Whether a line of CSV begins a section of a summary: ``Metric,avg,min,...``."""
    first = names[0].strip().casefold() if names else ""
    rest = {n.strip().casefold() for n in names[1:]}
    return first == "metric" and bool(rest & {"avg", "value"})


def from_sections(lines: Iterator[list[str]]) -> dict[str, Any]:
    """Return the object that a summary in CSV holds: metric to its unit and statistics.

    Parameters
    ----------
    lines : iterator of list of str   The cells of each line.
    """
    found: dict[str, Any] = {}
    names: list[str] = []
    for cells in lines:
        if is_section_header(cells):
            names = ["avg" if n.strip().casefold() == "value" else n.strip() for n in cells]
        elif cells and cells[0].strip().casefold() == "endpoint":
            names = []  # what the chips drew is not read
        elif names and (title := _TITLE.fullmatch(cells[0])):
            key = re.sub(r"\W+", "_", title[1].strip().casefold())
            statistics = dict(zip(names[1:], cells[1:], strict=False))
            found[key] = {"unit": (title[2] or "").strip(), **statistics}
    return found


SUMMARY = Tool("GenAI-Perf and AIPerf (profile_export_*.json or .csv)", _is_summary, _read)
