"""Results of MLPerf Inference: rows of ``summary.csv``, and ``mlperf_log_summary.txt``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.devices import device_chip
from ridgeline.fidelity.measurements.results.record import (
    Result,
    Tool,
    first_of,
    number,
    plain,
    positive,
    text,
)

__all__ = ["LOG", "ROWS", "from_log", "is_log"]

Found = Mapping[str, Any]

LOG_TITLE = "MLPerf Results Summary"
_NS = 1e-9
_SCENARIOS = {"offline": "offline", "server": "slo", "interactive": "slo"}


@dataclass(frozen=True, slots=True)
class _Task:
    """A language model of the benchmark.

    Attributes
    ----------
    model : str      Its id.
    osl : float      Mean output tokens of the reference on the data set; 0 where not known here.
    limits : dict    Scenario to limits of TTFT and TPOT at the 99th percentile. [s]
    """

    model: str
    osl: float
    limits: dict[str, tuple[float, float]]


#: limits of the rules (mlcommons/inference_policies, inference_rules.adoc, v4.1 to v5.1); lengths
#: are TOKENS_PER_SAMPLE of its submission checker
_TASKS = {
    "llama2-70b": _Task(
        "meta-llama/Llama-2-70b-hf", 294.45, {"server": (2, 0.2), "interactive": (0.45, 0.04)}
    ),
    "mixtral-8x7b": _Task("mistralai/Mixtral-8x7B-v0.1", 145.9, {"server": (2, 0.2)}),
    "llama3.1-405b": _Task(
        "meta-llama/Llama-3.1-405B-Instruct",
        684.68,
        {"server": (6, 0.175), "interactive": (4.5, 0.08)},
    ),
    "llama3.1-8b": _Task(
        "meta-llama/Llama-3.1-8B-Instruct", 128, {"server": (2, 0.1), "interactive": (0.5, 0.03)}
    ),
    "deepseek-r1": _Task(
        "deepseek-ai/DeepSeek-R1", 3886.23, {"server": (2, 0.08), "interactive": (1.5, 0.015)}
    ),
}
#: the first round whose results of these models are in tokens, whatever the unit column says
_TOKENS_SINCE = (4, 0)
_ACCURACY = re.compile(r"-99(?:\.9)?$")


def _is_row(found: Found) -> bool:
    return {"MlperfModel", "Scenario", "Result"} <= set(found)


def _read_row(found: Found) -> Iterator[Result]:
    name, scenario = _task(found)
    per_node, nodes = positive(found, "accelerators_per_node"), positive(found, "number_of_nodes")
    value = positive(found, "Result")
    if name not in _TASKS:
        raise Fault(
            "not-modelled",
            f"the model is {name!r}; of MLPerf {', '.join(_TASKS)} are predicted.",
        )
    if value is None:
        raise Fault("no-requests", "Result is 0, so there is nothing to score.")
    if _round(found) < _TOKENS_SINCE:
        raise Fault("not-modelled", "results of rounds before v4.0 are samples, not tokens.")
    if text(found.get("inferred")) == "1":
        raise Fault("not-modelled", "the result is inferred from another scenario's, not measured.")
    task, framework = _TASKS[name], text(found.get("framework"))
    cells = {
        "source": "mlperf",
        "engine": _engine(framework),
        "engine_version": framework,
        "model": task.model,
        "chip": device_chip(text(found.get("accelerator_model_name"))),
        "n_chips": plain(per_node * (nodes or 1)) if per_node else "",
        **_load(scenario),
        "osl": plain(task.osl),
    }
    notes = _limits(task.limits.get(scenario), scenario, name)
    yield Result(cells, {"output_tokens_per_s": value}, notes)


def _task(found: Found) -> tuple[str, str]:
    """The model without its accuracy, and the scenario, which some rounds have in its name."""
    name = _ACCURACY.sub("", first_of(found, "Model", "MlperfModel").casefold())
    if name.endswith("-interactive"):
        return name.removesuffix("-interactive"), "interactive"
    return name, text(found.get("Scenario")).casefold()


def _round(found: Found) -> tuple[int, int]:
    stated = re.match(r"v?(\d{1,3})\.(\d{1,3})", text(found.get("version")))
    return (int(stated[1]), int(stated[2])) if stated else _TOKENS_SINCE


def _engine(framework: str) -> str:
    """The engine that a list of software names; blank where it names none of those known."""
    folded = framework.casefold()
    known = {"vllm": "vllm", "sglang": "sglang", "tensorrt": "tensorrt-llm"}
    return next((engine for word, engine in known.items() if word in folded), "")


def _load(scenario: str) -> dict[str, str]:
    regime = _SCENARIOS.get(scenario)
    if regime is None:
        raise Fault(
            "not-modelled",
            f"the scenario is {scenario or 'not stated'!r}; {', '.join(_SCENARIOS)} are predicted.",
        )
    return {"regime": regime}


def _limits(limits: tuple[float, float] | None, scenario: str, name: str) -> tuple[str, ...]:
    if _SCENARIOS[scenario] == "offline":
        return ()
    if limits is None:
        raise Fault("not-modelled", f"limits of {name} in {scenario} are not known.")
    return (f"limits: p99 TTFT<={limits[0]:g}s p99 TPOT<={limits[1]:g}s",)


# --- the log of a run


def is_log(start: str) -> bool:
    """Whether a text begins as a summary of a run does."""
    return LOG_TITLE in start


def from_log(lines: Iterator[str]) -> dict[str, str]:
    """Return the names and values of a summary."""
    found: dict[str, str] = {"summary": LOG_TITLE}
    for line in lines:
        name, colon, value = line.partition(" : ") if " : " in line else line.partition(":")
        if colon and name.strip():
            found.setdefault(" ".join(name.split()), value.strip())
    return found


def _is_log(found: Found) -> bool:
    return found.get("summary") == LOG_TITLE


def _read_log(found: Found) -> Iterator[Result]:
    """The run of one system under test; which model and machine it was, the log does not say."""
    scenario = text(found.get("Scenario")).casefold()
    cells = {"source": "mlperf", **_load(scenario)}
    if text(found.get("Mode")) not in ("", "PerformanceOnly"):
        raise Fault("not-modelled", f"the mode is {text(found.get('Mode'))!r}, no run for speed.")
    rate = positive(found, "Completed tokens per second", "Tokens per second")
    if rate is None:
        raise Fault(
            "not-modelled", "the log states no tokens per second: no run of a language model."
        )
    values: dict[str, float] = {"output_tokens_per_s": rate}
    notes: tuple[str, ...] = ()
    if cells["regime"] == "slo":
        values |= _latencies(found)
        limits = [number(found, f"{x}_latency (ns)") for x in ("ttft", "tpot")]
        if limits[0] is None or limits[1] is None:
            raise Fault("not-modelled", "the log states no limits of TTFT and TPOT.")
        notes = _limits((limits[0] * _NS, limits[1] * _NS), scenario, "the model")
    if "INVALID" in text(found.get("Result is")):
        notes = (*notes, "remark: the run is INVALID by the rules of the benchmark")
    yield Result(cells, values, notes)


def _latencies(found: Found) -> dict[str, float]:
    keys = {
        "ttft_s": "Mean First Token latency (ns)",
        "ttft_p99_s": "99.00 percentile first token latency (ns)",
        "tpot_s": "Mean Time to Output Token (ns)",
        "tpot_p99_s": "99.00 percentile time to output token (ns)",
    }
    each = {metric: positive(found, key) for metric, key in keys.items()}
    return {metric: value * _NS for metric, value in each.items() if value is not None}


ROWS = Tool("MLPerf Inference (summary.csv)", _is_row, _read_row)
LOG = Tool("MLPerf Inference (mlperf_log_summary.txt)", _is_log, _read_log)
