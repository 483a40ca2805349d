"""GGUF files for tests: headers that the library writes, over data that is a hole in the file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter

Tensors = dict[str, tuple[tuple[int, ...], str]]


def bytes_of(shape: tuple[int, ...], kind: str) -> int:
    values, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind.upper()]]
    return math.prod(shape) // values * size


def write_gguf(
    path: Path, arch: str, metadata: dict[str, Any], tensors: Tensors, n_tokens: int = 8
) -> Path:
    """Write a header; shapes as in the file, rows first. Lists and numbers go under the arch."""
    writer = GGUFWriter(path, arch)
    writer.add_token_list([f"t{i}" for i in range(n_tokens)])
    for key, value in metadata.items():
        _add(writer, key if key.startswith(("general.", "split.")) else f"{arch}.{key}", value)
    for name, (shape, kind) in tensors.items():
        dtype = GGMLQuantizationType[kind.upper()]
        rows = tuple(reversed(shape))
        values, size = GGML_QUANT_SIZES[dtype]
        raw = (*rows[:-1], rows[-1] // values * size) if values > 1 else rows
        plain = np.dtype({"f32": "f4", "f16": "f2"}.get(kind, "u1"))
        writer.add_tensor_info(
            name, raw if plain.kind == "u" else rows, plain, bytes_of(shape, kind), raw_dtype=dtype
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    held = sum(-(-bytes_of(*t) // 32) * 32 for t in tensors.values())
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        file.truncate(-(-end // 32) * 32 + held)
    return path


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def llama_like(
    n_layers: int, d: int, d_ff: int, heads: int, kv: int, d_head: int, vocab: int, **kinds: str
) -> Tensors:
    """Tensors of a dense decoder; `kinds` names types of tensors, `base` those of the others."""
    base = kinds.get("base", "q4_k")
    layer = {
        "attn_q": (d, heads * d_head), "attn_k": (d, kv * d_head), "attn_v": (d, kv * d_head),
        "attn_output": (heads * d_head, d), "ffn_gate": (d, d_ff), "ffn_up": (d, d_ff),
        "ffn_down": (d_ff, d),
    }  # fmt: skip
    found: Tensors = {"token_embd.weight": ((d, vocab), kinds.get("token_embd", base))}
    for i in range(n_layers):
        for name, shape in layer.items():
            found[f"blk.{i}.{name}.weight"] = (shape, kinds.get(name, base))
        for name in ("attn_norm", "ffn_norm"):
            found[f"blk.{i}.{name}.weight"] = ((d,), "f32")
    found["output_norm.weight"] = ((d,), "f32")
    if "output" in kinds:
        found["output.weight"] = ((d, vocab), kinds["output"])
    return found
