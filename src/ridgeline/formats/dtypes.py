"""Storage formats by name: a table, and the patterns whose bits are in their name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.naming import folded
from ridgeline.shipped import read_shipped
from ridgeline.specs.dtype import Dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.chip import ComputeDtype

__all__ = ["dtype", "dtypes", "mean_bits", "mixture"]

_TABLE = Path(__file__).with_name("dtypes.toml")

_BPW = re.compile(r"(exl[23]|aqlm|vptq|higgs)-(\d+(?:\.\d+)?)bpw")
_GROUPED = re.compile(r"int([1-8])-(?:g(\d{1,7})|(channel))(?:-(zp|affine))?")
_PLAIN = re.compile(r"(\d+(?:\.\d+)?)bit")
_MIXED = re.compile(r"(.+)@(\d+(?:\.\d+)?)bpw")
_SCALE_BITS = 16
#: in messages
_USUAL = ("bf16", "fp8", "int8", "nvfp4", "mxfp4", "w4a16", "q4_k_m", "q8_0")
_WIDEST_BITS = 64


@cache
def dtypes() -> dict[str, Dtype]:
    """All named formats: id -> record."""
    rows = read_shipped(_TABLE)["dtype"]
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
            f"There is no number format {name!r}.{did_you_mean(name, dtypes())} Usual are "
            f"{', '.join(_USUAL)}; forms such as int4-g128 and exl2_4.25bpw are read, too. "
            "'ridgeline models --formats' lists all."
        )
    return found


def mean_bits(base: str, bits: float) -> str:
    """Name a format that runs as another and takes so many bits per weight on the mean.

    Parameters
    ----------
    base : str     A format; of one that is a mixture, what it runs as.
    bits : float   Per weight, with what is stored beside it. [bit]

    Raises
    ------
    CatalogError   No such format, or more bits than a weight can have.

    Examples
    --------
    >>> mean_bits("nvfp4", 6.1), mean_bits("nvfp4", 4.5)
    ('nvfp4@6.1bpw', 'nvfp4')
    """
    found = dtype(base)
    return found.id if bits == found.bits else dtype(f"{found.base or found.id}@{bits:.6g}bpw").id


def mixture(sizes: Mapping[str, float], beside_bits: float = 0.0) -> str:
    """Name the format of weights: the one they all have, or the commonest with their mean bits.

    Parameters
    ----------
    sizes : mapping       Format to the number of weights stored so. [1]
    beside_bits : float   Stored beside them, whatever their number: codebooks. [bit]

    Examples
    --------
    >>> mixture({"q6_k": 10}), mixture({"q4_k": 3, "q6_k": 1})
    ('q6_k', 'q4_k@5.01562bpw')
    """
    most = max(sizes, key=lambda name: sizes[name])
    total = sum(sizes.values())
    if not total or (sizes[most] == total and not beside_bits):
        return dtype(most).id
    bits = sum(n * dtype(name).bits for name, n in sizes.items()) + beside_bits
    return mean_bits(most, bits / total)


def _found(key: str) -> Dtype | None:
    return _by_name().get(key) or _patterned(key)
