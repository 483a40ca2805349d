"""The laws of a calibrated step with the constants that were put in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.kernels.laws import LAWS
from ridgeline.kernels.platform import OUTSIDE
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.steps.op import Op

__all__ = ["laws_used"]

_SHORT = {
    "compute_efficiency": "e_f",
    "memory_efficiency": "e_m",
    "activation_efficiency": "e_a",
    "link_efficiency": "e",
    "scale_out_efficiency": "e_out",
    "doubling_efficiency": "c",
    "half_keys": "h",
}
_LISTED = ("gemm", "experts", "decode", "prefill", "all_reduce", "shards", "p2p", "exchange")


def laws_used(ops: Sequence[Op], cal: Calibration, who: str = "an engine") -> list[str]:
    """Write down the laws that time the ops, their constants, and the engine's effects.

    Parameters
    ----------
    ops : sequence of Op
    cal : Calibration
    who : str            Whose effects they are.

    Returns
    -------
    list of str   Lines.
    """
    lines = ["The laws, with the constants of lone kernels on this machine"]
    groups = _groups_by_law(ops, cal)
    for name in _LISTED:
        if name not in groups:
            continue
        lines.append(f"  {name:<10} t = {LAWS[name].text}")
        lines += [f"    {g:<28}{_values(cal.platform.constants[g])}" for g in groups[name]]
    lines.append(f"What {who} makes of them: factors on rates and latencies, added times")
    shown = [
        f"{name} {_number(name, value)}"
        for name, value in cal.effects.items()
        if value and (name in cal.effect_sigmas or not cal.effect_sigmas)
    ]
    return [*lines, *(f"  {', '.join(shown[i : i + 5])}" for i in range(0, len(shown), 5))]


def _groups_by_law(ops: Sequence[Op], cal: Calibration) -> dict[str, dict[str, None]]:
    """Groups of constants that times depend on, of each law."""
    found: dict[str, dict[str, None]] = {}
    for op in ops:
        kernel = cal.platform.kernel(op.key)
        if not kernel.groups or (op.collective is not None and float(op.collective.group) <= 1):
            continue
        groups = kernel.groups
        crosses = op.collective is not None and float(op.collective.n_domains) > 1
        if kernel.law == "exchange":
            groups = groups if crosses else groups[:1]
        elif crosses:
            groups = (*groups, OUTSIDE)
        found.setdefault(kernel.law, {}).update(dict.fromkeys(groups))
    return found


def _values(values: object) -> str:
    assert isinstance(values, dict)
    return ", ".join(
        f"{_SHORT.get(n, n.removesuffix('_s'))} {_number(n, v)}" for n, v in values.items()
    )


def _number(name: str, value: float) -> str:
    return format_quantity(value, "s") if name.endswith("_s") else f"{value:.3g}"
