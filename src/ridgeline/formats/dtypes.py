"""Storage formats by name: a table, and the patterns whose bits are in their name."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.specs.dtype import Dtype

if TYPE_CHECKING:
    from ridgeline.specs.chip import ComputeDtype

__all__ = ["dtype", "dtypes", "folded"]

_TABLE = Path(__file__).with_name("dtypes.toml")

_BPW = re.compile(r"(exl[23]|aqlm|vptq|higgs|gguf)-(\d+(?:\.\d+)?)bpw")
_GROUPED = re.compile(r"int([2-8])-(?:g(\d{1,7})|(channel))(?:-(zp|affine))?")
_PLAIN = re.compile(r"(\d+(?:\.\d+)?)bit")
_MIXED = re.compile(r"(.+)@(\d+(?:\.\d+)?)bpw")
_SCALE_BITS = 16
_WIDEST_BITS = 64


def folded(name: str) -> str:
    """Fold what people type alike: case, underscores and spaces."""
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


@cache
def dtypes() -> dict[str, Dtype]:
    """All named formats: id -> record."""
    rows = tomllib.loads(_TABLE.read_text(encoding="utf-8"))["dtype"]
    records = [Dtype.parse(row, where=f"dtypes.toml: {row.get('id')}") for row in rows]
    return {record.id: record for record in records}


@cache
def _by_name() -> dict[str, Dtype]:
    return {folded(n): d for d in dtypes().values() for n in (d.id, *d.aliases)}


def _patterned(key: str) -> Dtype | None:
    if match := _BPW.fullmatch(key):
        return _of_bits(f"{match[1]}_{float(match[2]):g}bpw", float(match[2]), ("bf16",))
    if match := _GROUPED.fullmatch(key):
        return _grouped(key, int(match[1]), match[2], match[4])
    if match := _PLAIN.fullmatch(key):
        bits = float(match[1])
        return _of_bits(f"{bits:g}bit", bits, _compute_for(bits))
    if match := _MIXED.fullmatch(key):
        base = _found(match[1])
        if base is None or base.base:
            return None
        bits = float(match[2])
        return _of_bits(f"{base.id}@{bits:g}bpw", bits, base.compute, base)
    return None


def _of_bits(
    id: str, bits: float, compute: tuple[ComputeDtype, ...], base: Dtype | None = None
) -> Dtype | None:
    if not 0 < bits <= _WIDEST_BITS:
        return None
    if base is None:
        return Dtype(id=id, bits=bits, compute=compute)
    return Dtype(id=id, bits=bits, compute=compute, base=base.id, engine=base.engine)


def _grouped(key: str, bits: int, group: str | None, offset: str | None) -> Dtype | None:
    """Integers with a 16-bit scale per group, and a zero point of their width or a 16-bit offset.

    A scale per output channel is shared by thousands of weights: nothing that counts.
    """
    if group is None:
        return _of_bits(key, bits, ("bf16",))
    if int(group) < 1:
        return None
    extra = {None: 0, "zp": bits, "affine": _SCALE_BITS}[offset]
    return _of_bits(key, bits + (_SCALE_BITS + extra) / int(group), ("bf16",))


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
        ``bf16``, ``fp8``, ``nvfp4``, ``q4_k_m``; or a pattern: ``exl2_4.25bpw`` (bits per weight),
        ``int4-g32`` (bits, and a 16-bit scale per group), ``int4-g32-zp`` (with a zero point of as
        many bits), ``int4-g64-affine`` (with a 16-bit offset), ``int4-channel``, ``8bit`` (bits
        alone), ``nvfp4@6.1bpw`` (a mixture that is mostly nvfp4, by its mean bits).

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
    found = _found(folded(name))
    if found is None:
        raise CatalogError(
            f"There is no number format {name!r}.{did_you_mean(name, dtypes())} Known are "
            f"{', '.join(dtypes())}; and the patterns exl2_4.25bpw, int4-g32, int4-g32-zp, "
            "int4-g64-affine, int4-channel, 8bit, nvfp4@6.1bpw."
        )
    return found


def _found(key: str) -> Dtype | None:
    return _by_name().get(key) or _patterned(key)
