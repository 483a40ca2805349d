"""Storage formats by name: a table, and the patterns whose bits are in their name."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from ridgeline.catalog._store import BUILT_IN, folded, read_toml
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.specs.dtype import Dtype

if TYPE_CHECKING:
    from ridgeline.specs.chip import ComputeDtype

__all__ = ["dtype", "dtypes"]

_EXL = re.compile(r"exl[23]-(\d+(?:\.\d+)?)bpw")
_GROUPED = re.compile(r"int(\d+)-g(\d+)")
_PLAIN = re.compile(r"(\d+(?:\.\d+)?)bit")
_SCALE_BITS = 16


@cache
def dtypes() -> dict[str, Dtype]:
    """All named formats: id -> record."""
    rows = read_toml(BUILT_IN / "dtypes.toml")["dtype"]
    records = [Dtype.parse(row, where=f"dtypes.toml: {row.get('id')}") for row in rows]
    return {record.id: record for record in records}


@cache
def _by_name() -> dict[str, Dtype]:
    return {folded(n): d for d in dtypes().values() for n in (d.id, *d.aliases)}


def _patterned(name: str) -> Dtype | None:
    if match := _EXL.fullmatch(name):
        return Dtype(id=name, bits=float(match[1]), compute=("bf16",))
    if match := _GROUPED.fullmatch(name):
        bits, group = int(match[1]), int(match[2])
        if group > 0 and bits > 0:
            return Dtype(id=name, bits=bits + _SCALE_BITS / group, compute=("bf16",))
    if match := _PLAIN.fullmatch(name):
        bits = float(match[1])
        return Dtype(id=name, bits=bits, compute=_compute_for(bits))
    return None


def _compute_for(bits: float) -> tuple[ComputeDtype, ...]:
    """A format known by its bits alone runs in the narrowest arithmetic that holds it, or bf16."""
    if bits > 9:
        return ("bf16",)
    return ("fp4" if bits < 6 else "fp8", "bf16")


@cache
def dtype(name: str) -> Dtype:
    """Return a storage format by id, alias or pattern.

    Parameters
    ----------
    name : str
        ``bf16``, ``fp8``, ``nvfp4``, ``q4_k_m``; or a pattern: ``exl2_4.25bpw`` (bits a weight),
        ``int4-g32`` (bits plus a 16-bit scale a group), ``8bit`` (bits alone).

    Returns
    -------
    Dtype

    Raises
    ------
    CatalogError   Unknown; suggests near names.

    Examples
    --------
    >>> dtype("int4-g32").bits
    4.5
    """
    key = folded(name)
    found = _by_name().get(key) or _patterned(key)
    if found is None or not 0 < found.bits <= 64:
        raise CatalogError(
            f"There is no number format {name!r}.{did_you_mean(name, dtypes())} Known are "
            f"{', '.join(dtypes())}; and the patterns exl2_4.25bpw, int4-g32, 8bit."
        )
    return found
