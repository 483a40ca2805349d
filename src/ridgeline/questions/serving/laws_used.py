"""The laws of a calibrated step with the constants that were put in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.steps.terms import attention_group, product_group
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.steps.calibrated import Calibration
    from ridgeline.steps.work import Work

__all__ = ["laws_used"]

#: law of each kind of constants: F FLOPs, B bytes, P peak, M bandwidth, k width in, L keys,
#: K cache, n items, w bytes on the wire, b link rate, T tokens
_LAWS = {
    "product": "start + step k + sqrt((F / e_f P)^2 + (B / e_m M)^2)",
    "decode": "start + merge log2(1 + L / 1024) + item n + sqrt((K / e_m M)^2 + (F / e_f P)^2)",
    "prefill": "start + step L + sqrt((F (1 + h / L) / e_f P)^2 + (B / e_m M)^2)",
    "collective": "start + hop (n - 1) + x + 2 sqrt(fill x),  x = w / (e b)",
    "exchange": "start + hop log2(n) + token T + max(w_in / e_in b_in, w_out / e_out b_out)",
}
_SHORT = {
    "compute_efficiency": "e_f",
    "memory_efficiency": "e_m",
    "link_efficiency": "e",
    "scale_out_efficiency": "e_out",
    "doubling_efficiency": "c",
    "half_keys": "h",
}


def laws_used(pieces: Sequence[Work], cal: Calibration) -> list[str]:
    """Write down the laws that time the pieces, their constants, and the engine's effects.

    Parameters
    ----------
    pieces : sequence of Work
    cal : Calibration

    Returns
    -------
    list of str   Lines.
    """
    lines = ["The laws, with the constants of lone kernels on this machine"]
    groups = dict.fromkeys(g for p in pieces for g in _groups(p, cal))
    for kind, law in _LAWS.items():
        used = [g for g in groups if g.startswith(f"{kind} ") and g in cal.values]
        if used:
            lines.append(f"  {kind:<10} t = {law}")
        lines += [f"    {g.removeprefix(kind + ' '):<17}{_values(cal.values[g])}" for g in used]
    lines.append("What an engine makes of them: factors on rates and latencies, added times")
    shown = [f"{name} {_number(name, value)}" for name, value in cal.effects.items() if value]
    return [*lines, *(f"  {', '.join(shown[i : i + 5])}" for i in range(0, len(shown), 5))]


def _groups(piece: Work, cal: Calibration) -> list[str]:
    if piece.kind == "gemm":
        name, _ = product_group(piece.dtype, cal.cluster.chip, cal.compute)
        return [f"product {name}" if f"product {name}" in cal.values else "product bf16"]
    if piece.kind == "attention" and piece.part != "recurrent":
        return [attention_group(piece.name, piece.dtype)]
    if piece.send is None or float(piece.send.group) <= 1:
        return []
    return {
        "all_to_all": [f"exchange {piece.name}"],
        "all_reduce": ["collective all_reduce_graph", "collective all_reduce"],
        "reduce_scatter": ["collective reduce_scatter"],
    }.get(piece.send.collective, ["collective all_gather"])


def _values(values: object) -> str:
    assert isinstance(values, dict)
    return ", ".join(
        f"{_SHORT.get(n, n.removesuffix('_s'))} {_number(n, v)}" for n, v in values.items()
    )


def _number(name: str, value: float) -> str:
    return format_quantity(value, "s") if name.endswith("_s") else f"{value:.3g}"
