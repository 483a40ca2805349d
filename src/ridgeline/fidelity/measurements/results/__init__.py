"""Results of benchmarks as lines of a measurement table, one module per tool.

Each result becomes one line per metric, which then is read like any other table.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.errors import RidgelineError, bug
from ridgeline.fidelity.measurements.columns import COLUMNS, Fault
from ridgeline.fidelity.measurements.results import (
    genai_perf,
    guidellm,
    inferencex,
    llama_bench,
    llmperf,
    mlperf,
    sglang,
    trtllm,
    vllm,
)
from ridgeline.fidelity.measurements.results.record import mapping, plain
from ridgeline.fidelity.runs import BUG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ridgeline.fidelity.measurements.results.record import Result, Tool

__all__ = ["FILLS", "TOOLS", "result_lines", "tool_of"]

#: what a command line may say of a run that its file does not: column -> option
FILLS = {
    "model": "--model",
    "chip": "--on",
    "n_chips": "--n-chips",
    "tp": "--tp",
    "pp": "--pp",
    "ep": "--ep",
    "attn_dp": "--attn-dp",
    "weight_dtype": "--dtype",
    "kv_dtype": "--kv-dtype",
    "engine": "--engine",
    "batch": "--batch",
    "concurrency": "--concurrency",
    "isl": "--isl",
    "osl": "--osl",
    "cached": "--cached",
}
#: those that are known by more keys first
TOOLS: tuple[Tool, ...] = (
    inferencex.ROWS, sglang.SERVE, sglang.ONE_BATCH, sglang.OFFLINE, vllm.SERVE, vllm.LATENCY,
    vllm.THROUGHPUT, trtllm.REPORT, genai_perf.SUMMARY, guidellm.REPORT, llmperf.SUMMARY,
    llama_bench.ROWS, llama_bench.TABLE, mlperf.ROWS, mlperf.LOG,
)  # fmt: skip
#: files that tools write beside their results: keys, and what to give instead
_BESIDE = (
    ({"experiments"}, "raw records of GenAI-Perf: give profile_export_genai_perf.json"),
    ({"metadata", "metrics", "error"}, "records of single requests of AIPerf: give "
                                       "profile_export_aiperf.json"),
    ({"request_output_throughput_token_per_s", "end_to_end_latency_s"},
     "single requests of LLMPerf: give the file that ends in _summary.json"),
    ({"benchmark", "metric"}, "a record in PyTorch's form: give the .json of --save-result"),
)  # fmt: skip
#: lists of results under one of these keys are read
_WRAPPERS = ("results", "runs", "rows", "data", "result")
_SHOWN_KEYS = 8
_SUM_ERROR = 0.02
#: times from the start of a request, which in a queue of all requests hold the wait for a turn
_QUEUED = ("ttft_s", "ttft_p99_s", "e2e_s")


def tool_of(found: Mapping[str, Any]) -> Tool | None:
    """Return the tool that wrote an object, or a row with such columns; None for none known."""
    return next((tool for tool in TOOLS if tool.knows(found)), None)


def result_lines(
    documents: Iterator[tuple[int, Any]], name: str, fill: Mapping[str, str]
) -> Iterator[tuple[int, list[str] | Fault]]:
    """Lines of a measurement table made of results.

    Parameters
    ----------
    documents : iterator of (int, object)   JSON objects and where they are; or faults.
    name : str        Of the file, for ids and citations.
    fill : mapping    Columns that the user states; they come before what the file says.

    Yields
    ------
    (int, list of str or Fault)   Where the result is, and its cells; first the column names.
    """
    yield 0, list(COLUMNS)
    stem = name.rpartition(".")[0] or name
    fill = {k: v for k, v in fill.items() if v}
    n = 0
    for line, found in _results(documents):
        n += 1
        if isinstance(found, Fault):
            yield line, found
            continue
        cells = {**found.cells, **fill}
        try:
            _complete(cells, fill)
        except Fault as fault:
            yield line, Fault(fault.status, fault.reason, cells)
            continue
        yield from _lines(line, found, cells, f"{stem}-{n}", name)


def _lines(
    line: int, found: Result, cells: Mapping[str, str], run: str, name: str
) -> Iterator[tuple[int, list[str] | Fault]]:
    """One line per metric; one fault for those that this kind of run does not measure."""
    left_out: dict[str, str] = {}
    if cells.get("regime") == "offline":
        queued = [m for m in _QUEUED if m in found.values]
        reason = "with all requests queued at once, it holds the wait for a turn"
        left_out |= dict.fromkeys(queued, reason)
    shared = {**cells, "run": run, "cite": name, "notes": "; ".join(_notes(found))}
    for metric, value in found.values.items():
        if metric not in left_out:
            row = {**shared, "id": f"{run}-{metric}", "metric": metric, "value": repr(value)}
            yield line, [row.get(c, "") for c in COLUMNS]
    for reason in dict.fromkeys(left_out.values()):
        metrics = ", ".join(m for m, why in left_out.items() if why == reason)
        yield line, Fault("not-modelled", f"{metrics} of {run}: {reason}.", cells)
    if not found.values:
        reason = f"{run} states no time and no rate that is predicted."
        yield line, Fault("no-metrics", reason, cells)


def _notes(found: Result) -> list[str]:
    """Remarks of one run; those that are to be said with its predictions are one."""
    said = [n.removeprefix("remark: ") for n in found.notes if n.startswith("remark: ")]
    others = [n for n in found.notes if not n.startswith("remark: ")]
    # A table has its notes between semicolons.
    return [*others, *([f"remark: {', '.join(said)}".replace(";", ",")] if said else [])]


def _results(documents: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Result | Fault]]:
    for line, found in documents:
        if isinstance(found, Fault):
            yield line, found
            continue
        try:
            for result in _of_document(found):
                yield line, result
        except Fault as fault:
            yield line, fault
        except MemoryError:
            raise
        except Exception as error:  # the last handler of a result: others are still scored
            yield line, Fault(BUG, bug(error))


def _of_document(found: Any) -> Iterator[Result | Fault]:
    for one in _unwrapped(found):
        tool = tool_of(one)
        if tool is None:
            raise _unknown(one)
        yield from tool.read(one)


def _unwrapped(found: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list under a plain key, or the object itself."""
    if not isinstance(found, dict):
        raise Fault("unknown-format", f"a JSON object is expected, not {type(found).__name__}.")
    if tool_of(found) is None:
        for key in _WRAPPERS:
            inner = found.get(key)
            each = inner if isinstance(inner, list) else [inner]
            if inner and all(isinstance(x, dict) and tool_of(x) for x in each):
                yield from (mapping(x) for x in each)
                return
    yield found


def _unknown(found: Mapping[str, Any]) -> Fault:
    for keys, about in _BESIDE:
        if keys <= set(found):
            return Fault("unknown-format", f"these are {about}.")
    keys = ", ".join(repr(str(k))[:40] for k in list(found)[:_SHOWN_KEYS])
    more = " …" if len(found) > _SHOWN_KEYS else ""
    return Fault(
        "unknown-format",
        f"it has the keys {keys}{more}, which is no result of a tool that is known. Known are "
        f"{known_tools()}.",
    )


def known_tools() -> str:
    """Return the names of tools whose files are read, as part of a sentence."""
    names = [tool.name for tool in TOOLS]
    return f"{', '.join(names[:-1])} and {names[-1]}"


# --- what a file leaves open


def _complete(cells: dict[str, str], fill: Mapping[str, str]) -> None:
    """Fill in what follows from other cells, and refuse what nobody states.

    Raises
    ------
    Fault   ``not-stated``, with the options that state it; ``contradiction``.
    """
    _lengths(cells)
    cells["n_chips"] = _n_chips(cells, fill)
    if fill.get("concurrency") and cells.get("regime") == "offline":
        cells["regime"] = "closed"
    needed = ["model", "chip", "n_chips"]
    needed += {"static": ["batch", "isl", "osl"], "closed": ["isl", "osl"]}.get(
        cells.get("regime", ""), []
    )
    missing = [c for c in needed if not cells.get(c)]
    if missing:
        options = [FILLS[c] if c != "n_chips" else "--tp or --n-chips" for c in missing]
        raise Fault(
            "not-stated",
            f"the file does not say {' or '.join(missing)}: give {' and '.join(options)}.",
        )


def _lengths(cells: dict[str, str]) -> None:
    """Where a file states only the tokens of a request, one length follows from the other."""
    stated = cells.pop("tokens", "")
    if not stated:
        return
    whole = float(stated)
    isl, osl = (_number(cells.get(c, "")) for c in ("isl", "osl"))
    if math.isnan(isl) and 0 < osl < whole:
        cells["isl"] = plain(whole - osl)
    elif math.isnan(osl) and 0 < isl < whole:
        cells["osl"] = plain(whole - isl)
    elif not abs(isl + osl - whole) <= _SUM_ERROR * whole:
        raise Fault(
            "not-stated" if math.isnan(isl + osl) else "contradiction",
            f"the file states {whole:g} tokens per request, input and output together: give --isl "
            "or --osl that go with it.",
        )


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _n_chips(cells: Mapping[str, str], fill: Mapping[str, str]) -> str:
    """Chips of the run: as the user says, as the file says, else of one replica or a machine."""
    stated = fill.get("n_chips") or _named_chips(fill, whole=False)
    degrees_are_changed = any(fill.get(c) for c in ("tp", "pp", "attn_dp"))
    if not stated and not degrees_are_changed:
        stated = cells.get("n_chips", "")
    return stated or _product(cells) or _named_chips(fill, whole=True)


def _product(cells: Mapping[str, str]) -> str:
    """Chips of one replica, whose degrees are stated."""
    if not cells.get("tp"):
        return ""
    total = math.prod(_number(cells.get(c) or "1") for c in ("tp", "pp", "attn_dp"))
    return plain(total) if math.isfinite(total) else ""


def _named_chips(fill: Mapping[str, str], *, whole: bool) -> str:
    """Chips that the user's name of a machine states: 8xh100-sxm; or all of a cluster."""
    if not fill.get("chip"):
        return ""
    try:
        named = catalog.machine_named(fill["chip"])
    except RidgelineError:
        return ""  # said of the row, with near names
    if named.n_chips is not None:
        return str(named.n_chips)
    machine = named.cluster
    return str(machine.domain_size * machine.n_domains) if whole and not named.is_chip else ""
