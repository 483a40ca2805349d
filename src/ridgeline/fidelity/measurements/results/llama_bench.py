"""Results of ``llama-bench``: JSON, JSON lines, CSV and the table in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.devices import device_chip
from ridgeline.fidelity.measurements.results.record import (
    Result,
    Tool,
    number,
    plain,
    positive,
    text,
)

__all__ = ["ROWS", "TABLE"]

Found = Mapping[str, Any]

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
#: types of llama.cpp, as files of weights carry them at the end of their names
_QUANT = r"(?:IQ\d\w{0,12}|Q\d\w{0,12}|TQ\d_\d|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32|FP16|FP32)"
_FILE_QUANT = re.compile(rf"[-._](?:UD-)?({_QUANT})$", re.IGNORECASE)
#: and as the tool describes a file: "Q4_K - Medium", "mostly Q4_0", "IQ4_XS - 4.25 bpw"
_TYPE_QUANT = re.compile(rf"\b({_QUANT})\b(?:\s*-\s*(Small|Medium|Large))?", re.IGNORECASE)
#: what the same types are called in the catalogue
_PLAIN_TYPES = {"f16": "fp16", "f32": "fp32", "mxfp4_moe": "mxfp4"}
_ON_CPU = frozenset(("cpu", "blas", "accelerate", ""))
_TEST = re.compile(
    r"(?:pp\s*(?P<pp>\d{1,9}))?\s*\+?\s*(?:tg\s*(?P<tg>\d{1,9}))?\s*(?:@\s*d\s*(?P<d>\d{1,9}))?"
)


def _read(found: Found) -> Iterator[Result]:
    n_prompt, n_gen, depth = (number(found, k) or 0.0 for k in ("n_prompt", "n_gen", "n_depth"))
    rate = positive(found, "avg_ts")
    file, kind = text(found.get("model_filename")), text(found.get("model_type"))
    stem = _SHARD.sub("", re.split(r"[/\\]", file)[-1].removesuffix(".gguf"))
    cells, values = _test(n_prompt, n_gen, depth, rate)
    cells |= {
        "model": _FILE_QUANT.sub("", stem),
        "weight_dtype": _format(_FILE_QUANT.search(stem)) or _format(_TYPE_QUANT.search(kind)),
        "kv_dtype": _plain_type(text(found.get("type_k"))),
        "engine_version": f"b{text(found.get('build_number'))}".removesuffix("b"),
        "date": text(found.get("test_time"))[:10],
        **_machine(found),
    }
    yield Result({k: v for k, v in cells.items() if v}, values, _notes(found))


def _read_row(found: Found) -> Iterator[Result]:
    """A row of the table in Markdown, which names neither the file nor the machine."""
    test = _TEST.fullmatch(text(found.get("test")))
    if test is None or not (test["pp"] or test["tg"]):
        raise Fault(
            "unknown-format", f"test is {text(found.get('test'))!r}; pp512, tg128 are read."
        )
    rate = positive({"t/s": text(found.get("t/s")).partition("±")[0].strip()}, "t/s")
    n_prompt, n_gen, depth = (float(test[x] or 0) for x in ("pp", "tg", "d"))
    cells, values = _test(n_prompt, n_gen, depth, rate)
    cells |= {
        "weight_dtype": _format(_TYPE_QUANT.search(text(found.get("model")))),
        "kv_dtype": _plain_type(text(found.get("type_k"))),
    }
    if device := text(found.get("device")):
        cells |= {"chip": device_chip(device), "tp": "1", "pp": "1"}
    stated = {
        "n_gpu_layers": found.get("ngl"),
        "backends": found.get("backend"),
        "model_n_params": _parameters(text(found.get("params"))),
    }
    yield Result({k: v for k, v in cells.items() if v}, values, _notes(stated))


def _parameters(shown: str) -> float | None:
    """The number of parameters as the table shows it: ``7.62 B``."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ([KMBT])", shown)
    return float(found[1]) * {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[found[2]] if found else None


def _test(
    n_prompt: float, n_gen: float, depth: float, rate: float | None
) -> tuple[dict[str, str], dict[str, float]]:
    """One sequence: a prompt, tokens after a context, or both."""
    if rate is None or not (n_prompt or n_gen):
        raise Fault("no-requests", "no tokens per second are stated, so there is nothing to score.")
    cells = {"source": "llama-bench", "engine": "llama.cpp", "batch": "1"}
    if not n_gen:
        cells |= {"regime": "prefill", "isl": plain(n_prompt + depth), "cached": plain(depth)}
        return cells, {"prefill_tokens_per_s": rate}
    if not n_prompt:
        cells |= {"regime": "decode", "isl": plain(depth), "osl": plain(n_gen)}
        return cells, {"output_tokens_per_s": rate}
    cells |= {
        "regime": "static",
        "isl": plain(n_prompt + depth),
        "cached": plain(depth),
        # Its prompt gives no token: as many steps follow as tokens are counted.
        "osl": plain(n_gen + 1),
    }
    return cells, {"e2e_s": (n_prompt + n_gen) / rate}


def _format(found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    size = found[2] if found.re is _TYPE_QUANT else None
    return _plain_type(found[1] + (f"_{size[0]}" if size else ""))


def _plain_type(name: str) -> str:
    return _PLAIN_TYPES.get(name.casefold(), name.casefold())


def _notes(found: Found) -> tuple[str, ...]:
    """What is checked once the model is known: its parameters, and its layers on the GPU."""
    notes = []
    if (n_params := positive(found, "model_n_params")) is not None:
        notes.append(f"n_params={plain(n_params)}")
    layers = number(found, "n_gpu_layers")
    if layers is not None and layers >= 0 and not _is_cpu(found):
        notes.append(f"n_gpu_layers={plain(layers)}")
    if (n_experts := positive(found, "n_cpu_moe")) is not None:
        raise Fault(
            "not-modelled",
            f"n_cpu_moe is {n_experts:g}: experts of some layers ran on the CPU, which is not "
            "predicted.",
        )
    return tuple(notes)


def _is_cpu(found: Found) -> bool:
    names = re.split(r"[,/\s]+", text(found.get("backends")).casefold())
    return bool(text(found.get("backends"))) and set(names) <= _ON_CPU


def _machine(found: Found) -> dict[str, str]:
    """The chip, and how its layers or tensors are split over several."""
    if _is_cpu(found):
        return {"chip": device_chip(text(found.get("cpu_info"))), "n_chips": "1", "tp": "1"}
    devices = [d.strip() for d in text(found.get("gpu_info")).split(",") if d.strip()]
    if not devices:
        return {}
    if len(set(devices)) > 1:
        raise Fault(
            "not-modelled",
            f"the layers are on unlike devices ({', '.join(sorted(set(devices)))[:120]}), which "
            "is not predicted.",
        )
    chosen = text(found.get("devices"))
    n = len(devices) if chosen in ("", "auto") else len(re.split(r"[/,]", chosen))
    split = text(found.get("split_mode")) or "layer"
    n = 1 if split == "none" else n
    layout = {"tp": "1", "pp": plain(n)} if split == "layer" else {"tp": plain(n), "pp": "1"}
    return {"chip": device_chip(devices[0]), "n_chips": plain(n), **layout}


ROWS = Tool(
    "llama-bench (JSON, JSON lines, CSV)",
    lambda f: {"n_prompt", "n_gen", "avg_ts"} <= set(f),
    _read,
)
TABLE = Tool("llama-bench (Markdown)", lambda f: {"model", "test", "t/s"} <= set(f), _read_row)
