"""Rates of kernels under an engine's effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.laws._namespace import minimum, where

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SUSTAINED", "capped", "clock_kept", "of_format"]

#: among effects: the clock under the power limit, see `laws.energy.sustained_clock`
SUSTAINED = "sustained"


def capped(efficiency: Any, *factors: Any) -> Any:
    """An efficiency under effects: never above one. [1]"""
    for factor in factors:
        efficiency = efficiency * factor
    return minimum(efficiency, 1.0)


def of_format(x: Mapping[str, Any], e: Mapping[str, Any]) -> Any:
    """Rate of arithmetic in a format of 8 or 4 bits beside that of bf16, under an engine. [1]"""
    return where(x["eight_bit"], e["fp8"], 1.0) * where(x["four_bit"], e["fp4"], 1.0)


def clock_kept(e: Mapping[str, Any]) -> Any:
    """Of a lone kernel's rate of arithmetic, what clocks under load leave. [1]

    Where long runs of large GEMMs are told apart from lone kernels, these run at the highest clock:
    none keeps more.
    """
    if SUSTAINED not in e:
        return e["compute"]
    return minimum(e["compute"] * e[SUSTAINED], 1.0)
