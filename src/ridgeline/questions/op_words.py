"""Ops in words: what a working lists of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.answers.words import count, quantity
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.steps.op import Op

__all__ = ["op_lines", "op_name", "op_shape"]


def op_name(op: Op) -> str:
    """What an op is called, with its part where that says more."""
    if op.kind == "attention":
        return f"{op.part} {op.name.replace('_', ', ')}"
    return f"{op.part} {op.name}" if op.kind == "gemm" and op.part != op.name else op.name


def op_shape(op: Op) -> str:
    """What an op is of: its matrices, its cache and how much of it a query sees, its message."""
    if op.kind == "gemm":
        shape = f"{quantity(float(op.m), '1')} x {float(op.k):.6g} x {float(op.n):.6g}"
        return shape if op.count == 1 else f"{float(op.count):.3g} x ({shape})"
    if op.collective is not None:
        size = format_quantity(float(op.collective.payload_bytes), "B")
        return f"{size} over {float(op.collective.group):.0f} chips"
    if op.kind != "attention":
        return ""
    seen = f", {count(float(op.k))} keys per query" if op.part == "attention" else ""
    return format_quantity(float(op.kv_bytes), "B") + seen


def op_lines(listed: Sequence[tuple[str, str, float]], total_s: float) -> list[str]:
    """Lines of a list of ops: name, shape, seconds, share.

    Parameters
    ----------
    listed : sequence   Name, shape and seconds of each.
    total_s : float     Of which shares are. [s]
    """
    wide, wider = max(len(name) for name, *_ in listed), max(len(s) for _, s, _ in listed)
    return [
        f"  {name:<{wide}} {shape:<{wider}} {format_quantity(seconds, 's'):>8} "
        f"{seconds / total_s:6.1%}"
        for name, shape, seconds in listed
    ]
