"""Results of serving benchmarks (vLLM, SGLang, InferenceX) as lines of a measurement table.

Each result becomes one line a metric, which then is read like any other table.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.columns import COLUMNS, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["FILLS", "is_result_file", "result_lines"]

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
}
#: metric -> key of vLLM, key of SGLang (milliseconds or tokens a second), key of InferenceX (s)
_METRICS: dict[str, tuple[str, str, str]] = {
    "ttft_s": ("mean_ttft_ms", "mean_ttft_ms", "mean_ttft"),
    "ttft_p99_s": ("p99_ttft_ms", "p99_ttft_ms", "p99_ttft"),
    "tpot_s": ("mean_tpot_ms", "mean_tpot_ms", "mean_tpot"),
    "tpot_p99_s": ("p99_tpot_ms", "p99_tpot_ms", "p99_tpot"),
    "itl_s": ("mean_itl_ms", "mean_itl_ms", "mean_itl"),
    "e2e_s": ("mean_e2el_ms", "mean_e2e_latency_ms", "mean_e2el"),
    "output_tokens_per_s": ("output_throughput", "output_throughput", "output_tokens_per_s"),
    "total_tokens_per_s": ("total_token_throughput", "total_throughput", "total_tokens_per_s"),
}
_VLLM, _SGLANG, _INFERENCEX = 0, 1, 2
#: InferenceX draws lengths evenly from 0.8 to 1.0 of what it names
_MEAN_OF_NOMINAL = 0.9


def is_result_file(path: Path, start: bytes) -> bool:
    """Whether a file holds JSON: by its name, or by how it begins."""
    return path.suffix.casefold() in (".json", ".jsonl") or start.lstrip()[:1] in (b"{", b"[")


def result_lines(path: Path, fill: Mapping[str, str]) -> Iterator[tuple[int, list[str] | Fault]]:
    """Lines of a measurement table made of a file of results.

    Parameters
    ----------
    path : Path      JSON: one result, a list of them, or one a line.
    fill : mapping   Columns that the user states; they come before what the file says.

    Yields
    ------
    (int, list of str or Fault)   The number of the result and its cells; first the column names.

    Raises
    ------
    RidgelineError   No JSON, or a run whose model or machine nobody states.
    """
    yield 0, list(COLUMNS)
    for n, result in enumerate(_results(path), 1):
        try:
            cells = {**_cells(result), **{k: v for k, v in fill.items() if v}}
        except Fault as fault:
            yield n, fault
            continue
        cells["n_chips"] = cells.get("n_chips") or _product(cells)
        _refuse_what_is_not_stated(path, n, cells)
        run = f"{path.stem}-{n}"
        for metric, value in _values(result):
            line = {
                **cells, "id": f"{run}-{metric}", "run": run, "metric": metric, "value": value,
                "cite": path.name,
            }  # fmt: skip
            yield n, [line.get(c, "") for c in COLUMNS]


def _results(path: Path) -> Iterator[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RidgelineError(f"{path} is not UTF-8 text; a JSON file is expected.") from None
    except OSError as error:
        raise RidgelineError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        whole = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        lines = [x for x in text.splitlines() if x.strip()]
        try:
            found = [json.loads(line) for line in lines]
        except (json.JSONDecodeError, RecursionError):
            raise RidgelineError(f"{path} is not valid JSON: {error}.") from None
    else:
        found = whole if isinstance(whole, list) else [whole]
    if not found:
        raise RidgelineError(f"{path} holds no results.")
    yield from found


def _refuse_what_is_not_stated(path: Path, n: int, cells: Mapping[str, str]) -> None:
    missing = [c for c in ("model", "chip", "n_chips") if not cells.get(c)]
    if missing:
        options = " and ".join(FILLS[c] if c != "n_chips" else "--tp or --n-chips" for c in missing)
        raise RidgelineError(
            f"{path}, result {n}, does not say {' or '.join(missing)}: give {options}."
        )


def _kind(result: Mapping[str, Any]) -> int:
    if "conc" in result and ("hw" in result or "hardware" in result):
        return _INFERENCEX
    if "mean_e2e_latency_ms" in result or "total_output_tokens_retokenized" in result:
        return _SGLANG
    if "total_input_tokens" in result and "mean_ttft_ms" in result:
        return _VLLM
    raise Fault(
        "unknown-format",
        "a result of 'vllm bench serve --save-result', of SGLang's bench_serving or a row of "
        "InferenceX is expected.",
    )


def _cells(result: Any) -> dict[str, str]:
    if not isinstance(result, dict):
        raise Fault("unknown-format", f"a JSON object is expected, not {type(result).__name__}.")
    kind = _kind(result)
    if kind == _INFERENCEX:
        return _inferencex(result)
    return {**_traffic(result), **(_sglang(result) if kind == _SGLANG else _vllm(result))}


def _values(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = _kind(result)
    flat = _flat(result)
    if kind == _INFERENCEX:
        flat |= _throughputs(flat)
    for metric, keys in _METRICS.items():
        value = _float(flat.get(keys[kind]))
        # These tools write 0 for what they did not measure.
        if value:
            scale = 1e-3 if keys[kind].endswith("_ms") else 1.0
            yield metric, repr(value * scale)


def _flat(result: Mapping[str, Any]) -> dict[str, Any]:
    inner = result.get("metrics")
    return {**result, **inner} if isinstance(inner, dict) else dict(result)


def _float(value: Any) -> float | None:
    """A number, or text that is one; None for what is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return ""
    return str(value).strip()


def _truth(value: Any) -> bool:
    return value is True or _text(value).casefold() in ("true", "1", "yes")


def _whole(value: Any) -> str:
    number = _float(value)
    return "" if number is None or not math.isfinite(number) else f"{number:g}"


def _product(cells: Mapping[str, str]) -> str:
    if not cells.get("tp"):
        return ""
    degrees = (_float(cells.get(c) or "1") or math.nan for c in ("tp", "pp", "attn_dp"))
    total = math.prod(degrees)
    return f"{total:g}" if math.isfinite(total) else ""


def _traffic(result: Mapping[str, Any]) -> dict[str, str]:
    """Regime, lengths and remarks, which vLLM and SGLang write alike."""
    n_done = _float(result.get("completed"))
    tokens_in = _float(result.get("total_input_tokens"))
    tokens_out = _float(result.get("total_output_tokens"))
    if not n_done or tokens_in is None or tokens_out is None:
        raise Fault("no-requests", "no request was completed, so there is nothing to score.")
    rate = _float(result.get("request_rate"))
    is_open = rate is not None and 0 < rate < math.inf
    concurrency = _whole(result.get("max_concurrency"))
    regime = "open" if is_open else "closed" if concurrency else "offline"
    remarks = [f"n_requests={n_done:g}"]
    if failed := _float(result.get("failed")):
        remarks.append(f"n_failed={failed:g}")
    if is_open and concurrency:
        remarks.append(f"max_concurrency={concurrency}")
    burstiness = _float(result.get("burstiness"))
    if is_open and burstiness not in (None, 1.0):
        remarks.append(f"burstiness={burstiness:g}")
    return {
        "regime": regime,
        "concurrency": concurrency if regime == "closed" else "",
        "request_rate_per_s": f"{rate:g}" if is_open else "",
        "isl": f"{tokens_in / n_done:.6g}",
        "osl": f"{tokens_out / n_done:.6g}",
        "date": _text(result.get("date"))[:8],
        "notes": "; ".join(remarks),
    }


def _vllm(result: Mapping[str, Any]) -> dict[str, str]:
    # Users add KEY=VALUE pairs by --metadata; these are the names engines give the options.
    tp = result.get("tensor_parallel_size", result.get("tp"))
    return {
        "source": "vllm-bench",
        "engine": _text(result.get("backend") or result.get("endpoint_type")) or "vllm",
        "model": _text(result.get("model_id")),
        "tp": _whole(tp),
        "pp": _whole(result.get("pipeline_parallel_size", result.get("pp"))),
    }


def _sglang(result: Mapping[str, Any]) -> dict[str, str]:
    server = result.get("server_info")
    server = server if isinstance(server, dict) else {}
    tp, dp = _float(server.get("tp_size")), _float(server.get("dp_size")) or 1.0
    shared = bool(tp) and _truth(server.get("enable_dp_attention"))
    pp = _float(server.get("pp_size")) or 1.0
    cells = {
        "source": "sglang-bench",
        "engine": _text(result.get("backend")) or "sglang",
        "engine_version": _text(server.get("version")),
        "model": _text(server.get("model_path") or result.get("model")),
        "weight_dtype": _text(server.get("quantization")),
        "kv_dtype": _text(server.get("kv_cache_dtype")).removeprefix("auto"),
    }
    if tp:
        # With attention data parallelism tp_size counts all chips of the stage.
        cells |= {
            "tp": f"{tp / dp if shared else tp:g}",
            "attn_dp": f"{dp if shared else 1:g}",
            "pp": f"{pp:g}",
            "ep": _whole(server.get("ep_size")),
            "n_chips": f"{tp * pp * (1 if shared else dp):g}",
        }
    return cells


def _inferencex(result: Mapping[str, Any]) -> dict[str, str]:
    flat = _flat(result)
    for key in ("spec_decoding", "spec_method", "mtp"):
        if _text(flat.get(key)).casefold() not in ("", "none", "off", "false", "0"):
            raise Fault("not-modelled", f"{key} is {flat[key]!r}: drafting tokens is not modelled.")
    hardware = _text(flat.get("hw") or flat.get("hardware")).casefold()
    chip = re.split(r"[-_]", hardware)[0]
    isl, osl = _float(flat.get("isl")), _float(flat.get("osl"))
    remarks = ["InferenceX run, lengths uniform 0.8-1.0 of nominal"]
    if isl and osl:
        remarks.append(f"nominal {isl:g}/{osl:g}")
    cells = {
        "source": "inferencex",
        "engine": _text(flat.get("framework")),
        "model": _text(flat.get("model")),
        "chip": chip,
        "weight_dtype": _precision(_text(flat.get("precision")), chip),
        "regime": "closed",
        "concurrency": _whole(flat.get("conc")),
        "isl": f"{isl * _MEAN_OF_NOMINAL:g}" if isl else "",
        "osl": f"{osl * _MEAN_OF_NOMINAL:g}" if osl else "",
        "date": _text(flat.get("date")),
        "notes": "; ".join(remarks),
    }
    return cells | (_pools(flat) if _truth(flat.get("disagg")) else _one_pool(flat))


def _precision(name: str, chip: str) -> str:
    """4 bits mean NVIDIA's block format on NVIDIA's chips and the open one on AMD's."""
    if name.casefold() != "fp4":
        return name
    return "mxfp4" if chip.startswith("mi") else "nvfp4"


def _one_pool(flat: Mapping[str, Any]) -> dict[str, str]:
    tp = _whole(flat.get("tp") or flat.get("decode_tp"))
    shared = _truth(flat.get("dp_attention", flat.get("decode_dp_attention")))
    return {
        "n_chips": tp,
        "tp": "1" if shared else tp,
        "attn_dp": tp if shared else "1",
        "pp": "1",
        "ep": _whole(flat.get("ep") or flat.get("decode_ep")),
    }


def _pools(flat: Mapping[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for pool in ("prefill", "decode"):
        tp = _whole(flat.get(f"{pool}_tp"))
        shared = _truth(flat.get(f"{pool}_dp_attention"))
        cells |= {
            f"{pool}_n_chips": _whole(flat.get(f"num_{pool}_gpu")),
            f"{pool}_workers": _whole(flat.get(f"{pool}_num_workers")),
            f"{pool}_tp": "1" if shared else tp,
            f"{pool}_attn_dp": tp if shared else "1",
            f"{pool}_ep": _whole(flat.get(f"{pool}_ep")),
        }
    total = sum(_float(cells[f"{pool}_n_chips"]) or 0 for pool in ("prefill", "decode"))
    return cells | {"n_chips": f"{total:g}" if total else ""}


def _throughputs(flat: Mapping[str, Any]) -> dict[str, float]:
    """Whole-system rates; where pools are apart, output is stated by chip of the decode pool."""
    pools = _truth(flat.get("disagg"))
    n_decode = _float(flat.get("num_decode_gpu")) or 0.0
    n_prefill = _float(flat.get("num_prefill_gpu")) or 0.0
    n_chips = n_prefill + n_decode if pools else _float(flat.get("tp") or flat.get("decode_tp"))
    output, total = _float(flat.get("output_tput_per_gpu")), _float(flat.get("tput_per_gpu"))
    found = {}
    if output and n_chips:
        found["output_tokens_per_s"] = output * (n_decode if pools else n_chips)
    if total and n_chips:
        found["total_tokens_per_s"] = total * n_chips
    return found
