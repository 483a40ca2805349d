"""Readers of operator measurements on one chip: products and attention.

The tables are summaries of those of NVIDIA AIConfigurator 0.12.0 (Apache-2.0). What is left out,
and why, stands here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline import catalog
from ridgeline.fidelity.exchanges import read_exchanges
from ridgeline.fidelity.expert_products import read_expert_products
from ridgeline.fidelity.fitting import Measured
from ridgeline.fidelity.tables import Table, each, labels, newest, read_table
from ridgeline.laws.gemm import product_bytes, product_flops

if TYPE_CHECKING:
    from pathlib import Path

    from ridgeline.specs.chip import ComputeDtype

__all__ = ["SYSTEMS", "read_kernels"]

#: name of a system in the tables -> chip of the catalogue
SYSTEMS = {
    "a100_sxm": "a100-80gb-sxm",
    "h100_sxm": "h100-sxm",
    "h200_sxm": "h200-sxm",
    "b200_sxm": "b200-sxm",
    "b300_sxm": "b300-sxm",
    "gb200": "gb200",
    "gb300": "gb300",
    "l40s": "l40s",
    "rtx_pro_6000_server": "rtx-pro-6000-server",
    "b60": "arc-pro-b60",
}

#: last-level caches (data sheets, recalled) of the chips whose rows outrun memory, by up to three
#: times: their weights and caches were not read from memory. No row of the other chips does.
_CACHE_BYTES = {"l40s": 96e6, "rtx-pro-6000-server": 128e6}
_PARTLY_CACHED = 1.5

_DECODE_TARGET_BYTES = 64e6
_LARGE_READ_WEIGHT = 4.0
"""Long reads set the time of a step: they count four times in the fit of decode attention."""


class _Format(NamedTuple):
    """A measured format: its name here, what it multiplies in, bytes a value."""

    dtype: str
    compute: ComputeDtype
    weight_bytes: float
    activation_bytes: float


_FORMATS = {
    "bfloat16": _Format("bf16", "bf16", 2, 2),
    "fp8": _Format("fp8", "fp8", 1, 1),
    "fp8_block": _Format("fp8-block", "fp8", 1, 1),
    "nvfp4": _Format("nvfp4", "fp4", 4.5 / 8, 4.5 / 8),
    "sq": _Format("int8", "int8", 1, 1),
    "int8_wo": _Format("w8a16", "bf16", 1, 2),
    "int4_wo": _Format("w4a16", "bf16", 4.25 / 8, 2),
}

#: (component, system or any, engine, dtype or any): rows that say nothing of a good engine
_LEFT_OUT = (
    # 15 to 53 times the floor of other engines, whatever the size: an artefact of the collection.
    ("product", "", "vllm", "fp8_block"),
    # Up to 1.5 times faster than memory can deliver at a gigabyte: physically impossible.
    ("decode", "a100_sxm", "trtllm", ""),
    # Time depends on the context alone, not on heads or sequences: a fallback kernel.
    ("decode", "l40s", "trtllm", "fp8"),
)


def read_kernels(folder: Path) -> list[Measured]:
    """Read all tables of a folder of operator measurements.

    Parameters
    ----------
    folder : Path   Holds ``gemm_fraction_by_m.csv`` and the others.

    Returns
    -------
    list of Measured   One for each component, chip or fabric, and format.

    Raises
    ------
    RidgelineError   A table is missing or not what it should be.
    """
    return [
        *_products(folder),
        *read_expert_products(folder, SYSTEMS),
        *_decode(folder),
        *_prefill(folder),
        *read_exchanges(folder, SYSTEMS),
    ]


def _kept(table: Table, component: str, dtype: str) -> Table:
    keep = np.isin(table["system"], list(SYSTEMS))
    for part, system, engine, left_out in _LEFT_OUT:
        if part == component:
            same = table["backend"] == engine
            same &= (table["system"] == system) | (system == "")
            same &= (table[dtype] == left_out) | (left_out == "")
            keep &= ~same
    return table.where(keep)


def _mark_cached(measured: Measured, bytes_read: Any) -> Measured:
    """Mark what was read from the last-level cache: it tells of launches, not of memory.

    Such rows are fitted with a bandwidth of their own and not scored; what half fits goes.
    """
    cache = _CACHE_BYTES.get(measured.place, 0.0)
    cached = bytes_read < cache
    known = replace(
        measured,
        inputs={**measured.inputs, "cached": cached.astype(float)},
        scored=measured.scored & ~cached,
    )
    return known.where(cached | (bytes_read >= _PARTLY_CACHED * cache))


def _products(folder: Path) -> list[Measured]:
    table = read_table(
        folder,
        "gemm_fraction_by_m.csv",
        ["system", "backend", "version", "dtype"],
        ["m", "n", "k", "latency_us"],
    )
    table = newest(_kept(table, "product", "dtype"), ["system", "backend", "dtype", "m", "n", "k"])
    found = []
    for (system, name), rows in each(table, "system", "dtype"):
        form = _FORMATS.get(name)
        if form is not None and form.compute in catalog.chip(SYSTEMS[system]).peak:
            found.append(_product(SYSTEMS[system], form, rows, rows["latency_us"] * 1e-6))
    return found


def _product(chip_id: str, form: _Format, rows: Table, time_s: Any) -> Measured:
    chip = catalog.chip(chip_id)
    m, n, k = rows["m"], rows["n"], rows["k"]
    moved = product_bytes(m, n, k, form.weight_bytes, form.activation_bytes)
    # Engines take bf16 and quantise it first; weight-only formats multiply it as it comes.
    quantised = form.activation_bytes < 2
    prepared = m * k * (2 + form.activation_bytes) if quantised else 0.0 * m
    engines = rows["backend"]
    measured = Measured(
        component="product",
        place=chip_id,
        dtype=form.dtype,
        inputs={
            "flops": product_flops(m, n, k),
            "bytes_moved": moved,
            "k": k,
            "peak_flops_per_s": np.full(len(m), chip.peak[form.compute]),
            "bandwidth_bytes_per_s": np.full(len(m), chip.memory.bandwidth),
            "prepare_bytes": prepared,
        },
        time_s=time_s,
        engine=np.char.add(np.char.add(engines, " "), rows["version"]),
        shape=labels(n, k),
        point=labels(m, n, k),
        scored=np.ones(len(m), dtype=bool),
    )
    return _mark_cached(measured, moved)


def _decode(folder: Path) -> list[Measured]:
    table = read_table(
        folder,
        "decode_attention_bw.csv",
        ["system", "backend", "version", "kv_dtype"],
        ["num_heads", "kv_heads", "head_dim", "batch", "ctx", "latency_us"],
    )
    shape = ["num_heads", "kv_heads", "head_dim", "batch"]
    table = newest(
        _kept(table, "decode", "kv_dtype"), ["system", "backend", "kv_dtype", *shape, "ctx"]
    )
    found = []
    for (system, name), rows in each(table, "system", "kv_dtype"):
        chip, form = catalog.chip(SYSTEMS[system]), _FORMATS[name]
        items = rows["batch"] * rows["kv_heads"]
        read = 2 * items * rows["head_dim"] * rows["ctx"] * form.weight_bytes
        measured = Measured(
            component="decode",
            place=chip.id,
            dtype=form.dtype,
            inputs={
                "kv_bytes": read,
                "items": items,
                "context_tokens": rows["ctx"],
                "bandwidth_bytes_per_s": np.full(len(rows), chip.memory.bandwidth),
            },
            time_s=rows["latency_us"] * 1e-6,
            engine=np.char.add(np.char.add(rows["backend"], " "), rows["version"]),
            shape=labels(*(rows[c] for c in shape)),
            point=labels(*(rows[c] for c in shape), rows["ctx"]),
            scored=read > _DECODE_TARGET_BYTES,
            weight=np.where(read > _DECODE_TARGET_BYTES, _LARGE_READ_WEIGHT, 1.0),
        )
        found.append(_mark_cached(measured, read))
    return found


def _prefill(folder: Path) -> list[Measured]:
    table = read_table(
        folder,
        "context_attention_flops.csv",
        ["system", "backend", "version", "attn_dtype", "kv_dtype"],
        ["num_heads", "kv_heads", "batch", "isl", "latency_us"],
    )
    shape = ["num_heads", "kv_heads", "batch"]
    question = ["system", "backend", "attn_dtype", "kv_dtype", *shape, "isl"]
    table = newest(_kept(table, "prefill", "attn_dtype"), question)
    found = []
    for (system, name, kv), rows in each(table, "system", "attn_dtype", "kv_dtype"):
        chip, form = catalog.chip(SYSTEMS[system]), _FORMATS[name]
        if form.compute not in chip.peak:
            continue
        suffix = "" if kv == name else f"-kv-{_FORMATS[kv].dtype}"
        heads, tokens, d = rows["num_heads"], rows["batch"] * rows["isl"], 128
        kv_bytes = 2 * tokens * rows["kv_heads"] * d * _FORMATS[kv].weight_bytes
        found.append(
            Measured(
                component="prefill",
                place=chip.id,
                dtype=form.dtype + suffix,
                inputs={
                    "flops": 2 * tokens * rows["isl"] * heads * d,
                    "bytes_moved": tokens * heads * d * (form.activation_bytes + 2) + kv_bytes,
                    "keys": rows["isl"] / 2,
                    "peak_flops_per_s": np.full(len(rows), chip.peak[form.compute]),
                    "bandwidth_bytes_per_s": np.full(len(rows), chip.memory.bandwidth),
                },
                time_s=rows["latency_us"] * 1e-6,
                engine=np.char.add(np.char.add(rows["backend"], " "), rows["version"]),
                shape=labels(*(rows[c] for c in shape)),
                point=labels(*(rows[c] for c in shape), rows["isl"]),
                scored=np.ones(len(rows), dtype=bool),
            )
        )
    return found
