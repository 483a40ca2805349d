"""Reader of measured products of experts: a layer's routed experts on one rank of a chip.

The table is a summary of those of NVIDIA AIConfigurator 0.12.0 (Apache-2.0). A row times choosing
experts, sorting, both grouped products with the activation between them, quantising and adding up,
with the load that its rank had. What is left out, and why, stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ridgeline import catalog
from ridgeline.fidelity.fitting import Measured
from ridgeline.fidelity.tables import Table, each, labels, newest, read_table
from ridgeline.laws.experts import padded_tokens
from ridgeline.laws.gemm import product_flops

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ridgeline.specs.chip import ComputeDtype

__all__ = ["N_PRODUCTS", "read_expert_products"]

_TABLE = "moe_products.csv.gz"
#: grouped products of a layer: gate and up as one, and down
N_PRODUCTS = 2
#: models of the table whose experts have no gate
_UNGATED = "Nemotron"
_ACTIVATION_BYTES = 2


class _Format(NamedTuple):
    """A measured format: its name here, what it multiplies in, bytes a weight with its scales."""

    dtype: str
    compute: ComputeDtype
    weight_bytes: float


_FORMATS = {
    "bfloat16": _Format("bf16", "bf16", 2),
    "fp8": _Format("fp8", "fp8", 1),
    "fp8_block": _Format("fp8-block", "fp8", 1),
    "nvfp4": _Format("nvfp4", "fp4", 4.5 / 8),
    # Beside inputs in mxfp8, and so at the rate of fp8.
    "w4a8_mxfp4_mxfp8": _Format("mxfp4", "fp8", 4.25 / 8),
    "w4a16_mxfp4": _Format("mxfp4-wo", "bf16", 4.25 / 8),
    "int4_wo": _Format("w4a16", "bf16", 4.125 / 8),
}

_BLACKWELL = ("b200_sxm", "b300_sxm", "gb200", "gb300")
_HOPPER = ("h100_sxm", "h200_sxm")

#: (systems, engine or any, kernel, format or any): kernels an engine does not serve with there
_LEFT_OUT = (
    # Half again to twice the time of the kernels generated for these chips, which SGLang serves
    # with; the timing script fell back where a shape did not suit them.
    (_BLACKWELL, "sglang", "triton", ""),
    # 1.3 to 2.5 times the time of the generated kernels, which recipes of this engine choose.
    (_BLACKWELL, "trtllm", "cutlass", "nvfp4"),
    (_BLACKWELL, "trtllm", "cutlass_nongated", "nvfp4"),
    (_BLACKWELL, "vllm", "cutlass", "nvfp4"),
    # 2 to 3 times the time of the generated kernels beside 16-bit inputs.
    (_BLACKWELL, "trtllm", "torch_flow", "w4a16_mxfp4"),
    (_BLACKWELL, "vllm", "marlin", "w4a16_mxfp4"),
    # 4 to 5 times the time of every other kernel, at any load.
    (_HOPPER, "sglang", "cutlass", "bfloat16"),
    # 2.5 times (L40S: 10 times) the time of the other engines' kernels for the same weights.
    ((*_HOPPER, "l40s"), "sglang", "triton", "w4a16_mxfp4"),
)


def read_expert_products(folder: Path, systems: Mapping[str, str]) -> list[Measured]:
    """Read the table of expert products of a folder.

    Parameters
    ----------
    folder : Path       Holds ``moe_products.csv.gz``.
    systems : mapping   Name of a system in the table to a chip of the catalogue.

    Returns
    -------
    list of Measured   One for each chip and format; a shape is a whole model, however it is cut.

    Raises
    ------
    RidgelineError   The table is missing or not what it should be.
    """
    question = ["system", "backend", "kernel", "moe_dtype", "model", "distribution"]
    numbers = ["hidden", "inter", "num_experts", "moe_tp", "moe_ep", "num_tokens", "latency_us"]
    table = read_table(
        folder,
        _TABLE,
        [*question, "version", "flag"],
        [*numbers, "rank_pairs", "experts_hit"],
    )
    table = newest(_kept(table, systems), [*question, *numbers[2:-1]])
    here = np.array([_FORMATS[name].dtype for name in table["moe_dtype"].tolist()])
    table = table.having("dtype", here)
    found = []
    for (system, dtype), rows in each(table, "system", "dtype"):
        measured = _measured(systems[system], dtype, rows)
        if measured is not None:
            found.append(measured)
    return found


def _kept(table: Table, systems: Mapping[str, str]) -> Table:
    keep = (table["flag"] == "") & np.isin(table["system"], list(systems))
    keep &= np.isin(table["moe_dtype"], list(_FORMATS))
    for places, engine, kernel, dtype in _LEFT_OUT:
        same = np.isin(table["system"], places) & (table["backend"] == engine)
        same &= (table["kernel"] == kernel) & ((table["moe_dtype"] == dtype) | (dtype == ""))
        keep &= ~same
    return table.where(keep)


def _measured(chip_id: str, dtype: str, rows: Table) -> Measured | None:
    """Products of one chip and format; None where the chip's peak in it is not known."""
    chip = catalog.chip(chip_id)
    forms = [_FORMATS[name] for name in rows["moe_dtype"].tolist()]
    if any(form.compute not in chip.peak for form in forms):
        return None
    hidden, inter = rows["hidden"], rows["inter"] / rows["moe_tp"]
    ungated = np.array([_UNGATED in model for model in rows["model"].tolist()])
    widths = np.where(ungated, 2, 3) * inter
    pairs, hit = rows["rank_pairs"], rows["experts_hit"]
    filled = padded_tokens(pairs / hit) / (pairs / hit)
    n = len(rows)
    cut = (rows[c] for c in ("moe_tp", "moe_ep", "num_tokens"))
    names = np.char.add(np.char.add(rows["model"], " "), rows["distribution"])
    return Measured(
        component="experts",
        place=chip_id,
        dtype=dtype,
        inputs={
            "flops": product_flops(pairs, widths, hidden) * filled,
            "weight_bytes": hit * widths * hidden * [form.weight_bytes for form in forms],
            # Each product takes its input in and gives its output: hidden, 2 inter; inter, hidden.
            "activation_bytes": pairs * (2 * hidden + widths) * _ACTIVATION_BYTES,
            "n_held": rows["num_experts"] / rows["moe_ep"],
            "peak_flops_per_s": np.array([chip.peak[form.compute] for form in forms]),
            "bandwidth_bytes_per_s": np.full(n, chip.memory.bandwidth),
            "n_products": np.full(n, float(N_PRODUCTS)),
        },
        time_s=rows["latency_us"] * 1e-6,
        engine=np.char.add(np.char.add(rows["backend"], " "), rows["version"]),
        shape=rows["model"],
        point=np.char.add(np.char.add(names, " "), labels(*cut)),
        scored=np.ones(n, dtype=bool),
    )
