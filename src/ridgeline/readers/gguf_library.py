"""The library `gguf`, held to what a header needs and to what a file can hold.

The library trusts a file's lengths: a list that claims 2^60 entries would never end. Here every
length is checked against the file, and lists of texts (the vocabulary) are skipped, not kept.
"""

from __future__ import annotations

import math
import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType
from gguf.constants import GGML_QUANT_SIZES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TensorInfo", "header_of"]

#: a header is mostly vocabulary: some 10 MB
_MOST_HEADER_BYTES = 128 * 2**20
_MOST_FIELDS = 10_000
_MOST_TENSORS = 20_000
_MOST_TEXTS = 4_000_000
_MOST_DIMENSIONS = 8


class TensorInfo(NamedTuple):
    """A tensor as a header lists it; `n_bytes` is what it takes in the file."""

    name: str
    type: str
    shape: tuple[int, ...]
    n_bytes: int


def header_of(path: Path, *, whole: bool = True) -> tuple[dict[str, Any], list[TensorInfo]]:
    """Metadata and tensors of a file; of a list of texts, its length.

    Parameters
    ----------
    path : Path
    whole : bool   Whether the tensors must be in the file; else its beginning is enough.

    Raises
    ------
    Exception   Whatever the library meets in a broken file.
    """
    found = _Reader(path)
    if whole:
        found.check_data()
    return {n: _value(f) for n, f in found.fields.items()}, found.listed


def _value(field: Any) -> Any:
    """A field as plain Python."""
    if field.types[-1:] == [GGUFValueType.STRING] and len(field.types) > 1:
        return int(field.parts[_LENGTH][0])
    return field.contents()


#: where a list's length stands among the parts of a field: after the key's and the type's
_LENGTH = 4


class _Reader(GGUFReader):
    """Reads a header and nothing behind it."""

    listed: list[TensorInfo]
    _ends: list[int]

    def check_data(self) -> None:
        """Refuse a file that ends before its tensors do."""
        for tensor, end in zip(self.listed, self._ends, strict=True):
            if end > len(self.data):
                raise ValueError(f"it ends before the end of {tensor.name!r}, so it is cut off")

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        self._check_end(int(offset) + int(count) * np.dtype(dtype).itemsize)
        return super()._get(offset, dtype, count, override_order)

    def _check_end(self, end: int) -> None:
        if end > len(self.data):
            raise ValueError("it ends within its header, so it is cut off")
        if end > _MOST_HEADER_BYTES:
            raise ValueError(f"its header is longer than {_MOST_HEADER_BYTES // 2**20} MiB")

    def _build_fields(self, offs: int, count: int) -> int:
        _check_count("metadata keys", count, _MOST_FIELDS)
        return super()._build_fields(offs, count)

    def _build_tensor_info(self, offs: int, count: int) -> Any:
        _check_count("tensors", count, _MOST_TENSORS)
        return super()._build_tensor_info(offs, count)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        if GGUFValueType(raw_type) != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind = self._get(orig_offs, np.uint32)
        length = self._get(orig_offs + kind.nbytes, np.uint64)
        inner = GGUFValueType(int(kind[0]))
        start, n = int(orig_offs) + kind.nbytes + length.nbytes, int(length[0])
        types = [GGUFValueType.ARRAY, inner]
        if inner == GGUFValueType.STRING:
            return self._after_texts(start, n) - orig_offs, [kind, length], [], types
        plain = self.gguf_scalar_to_np.get(inner)
        if plain is None:
            raise ValueError("its metadata has lists of lists")
        values = self._get(start, plain, n)
        return start + values.nbytes - orig_offs, [kind, length, values], [2], types

    def _after_texts(self, offset: int, n: int) -> int:
        """Skip a list of texts, each a length and its bytes."""
        _check_count("texts in a list", n, _MOST_TEXTS)
        is_little = (sys.byteorder == "little") == (self.byte_order == "I")
        length = struct.Struct("<Q" if is_little else ">Q")
        buffer = self.data.data
        last = min(len(self.data), _MOST_HEADER_BYTES) - length.size
        for _ in range(n):
            self._check_end(offset + length.size if offset > last else 0)
            offset += length.size + length.unpack_from(buffer, offset)[0]
        self._check_end(offset)
        return offset

    def _build_tensors(self, start_offs: int, fields: list[Any]) -> None:
        self.listed, self._ends = [], []
        for field in fields:
            tensor, offset = _tensor(field)
            self.listed.append(tensor)
            self._ends.append(int(start_offs) + offset + tensor.n_bytes)
        if len({t.name for t in self.listed}) != len(self.listed):
            raise ValueError("two of its tensors have one name")


def _tensor(field: Any) -> tuple[TensorInfo, int]:
    """A tensor, and where it begins behind the header. [bytes]"""
    _, _, n_dims, dims, raw_type, offset = field.parts
    if int(n_dims[0]) > _MOST_DIMENSIONS:
        raise ValueError(f"{field.name!r} has {int(n_dims[0])} dimensions")
    kind = GGMLQuantizationType(int(raw_type[0]))
    values, size = GGML_QUANT_SIZES[kind]
    shape = tuple(int(d) for d in dims)
    n_bytes = math.prod(shape) // values * size
    return TensorInfo(field.name, kind.name.lower(), shape, n_bytes), int(offset[0])


def _check_count(what: str, n: int, most: int) -> None:
    if n > most:
        raise ValueError(f"it says that it has {int(n):,} {what}")
