"""The bytes that a checkpoint's files hold, part by part, laid over the model of its config.

The config says what a model is; the files say what is stored. Where the two agree the files confirm
the counts; where they do not, the files win for storage, and the model's notes say by how much.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from ridgeline.formats import dtype as dtype_of
from ridgeline.formats import mean_bits
from ridgeline.layers import weights_of
from ridgeline.specs.blocks import (
    Attention,
    CompressedAttention,
    LatentAttention,
    Part,
)
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ridgeline.specs.model import Model

__all__ = [
    "Stored",
    "expected_params",
    "gathered",
    "has_attention",
    "with_checked",
    "with_stored",
]

_BITS_PER_BYTE = 8
#: formats have at most this many bits; beyond it a part was counted wrongly
_MOST_BITS = 64
#: a part that differs by more than this is worth a note, unless it is a trifle of the model
_NOTED, _TRIFLE = 0.02, 0.005
#: files and config that agree this well mean the same formats
_SAME = 0.001
#: a format known by its bits alone: at most so many, and what engines widen it like
_PACKED = ((6, "w4a16"), (12, "w8a16"), (_MOST_BITS, "bf16"))


@dataclass(frozen=True, slots=True)
class Stored:
    """What files hold of one part.

    Attributes
    ----------
    n_bytes : int       Of its tensors. [bytes]
    base : str          The format of most of them.
    n_values : int      Values they hold, as far as a format shows them. [1]
    is_uniform : bool   Whether all are in that format.
    """

    n_bytes: int
    base: str
    n_values: int
    is_uniform: bool = False

    def dtype(self, n_params: int) -> str | None:
        """The format in which so many parameters take these bytes; None where none can."""
        if self.is_uniform and self.n_values == n_params:
            return self.base
        bits = _BITS_PER_BYTE * self.n_bytes / n_params
        return mean_bits(self.base, bits) if 0 < bits <= _MOST_BITS else None


def gathered(found: Iterable[tuple[str, str, int, int]]) -> dict[str, Stored]:
    """Add up tensors by part.

    Parameters
    ----------
    found : iterable of (part, format, values, bytes)   One per tensor.

    Returns
    -------
    dict   Part to what is stored of it.

    Examples
    --------
    >>> gathered([("ffn", "q4_k", 256, 144), ("ffn", "q6_k", 256, 210)])["ffn"].n_bytes
    354
    """
    sizes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    values: dict[str, int] = defaultdict(int)
    for part, name, n_values, n_bytes in found:
        sizes[part][name] += n_bytes
        values[part] += n_values
    return {
        part: Stored(
            sum(by.values()), max(by, key=lambda name: by[name]), values[part], len(by) == 1
        )
        for part, by in sizes.items()
    }


def expected_params(model: Model) -> dict[str, int]:
    """Parameters of each part as the record counts them, without prediction layers. [1]"""
    weights = weights_of(model)
    found: dict[str, int] = defaultdict(int)
    for _, product in weights.matrices():
        found[product.part] += product.count * product.k * product.n
    table = weights.embedding
    found["embedding"] += table.k * (table.n + weights.n_learned_positions)
    if weights.head is not None:
        found["head"] += weights.head.k * weights.head.n
    found["other"] += weights.n_vector_params + weights.n_params_other
    return {part: n for part, n in found.items() if n}


def with_stored(model: Model, stored: Mapping[str, Stored], main: str) -> tuple[Model, list[str]]:
    """Store each part of a model in the bytes that its files hold.

    Parameters
    ----------
    model : Model     As its config gives it.
    stored : mapping  Part to what the files hold of it.
    main : str        What the whole is called: ``q4_k_m``.

    Returns
    -------
    tuple of Model and list of str
        Formats are one per part (`base` with the part's mean bits); and where the files hold other
        numbers of values than the record counts, sentences.
    """
    params = expected_params(model)
    dtypes: dict[Part, str] = {}
    for part in get_args(Part):
        found, n = stored.get(part), params.get(part, 0)
        dtype = found.dtype(n) if found is not None and n else None
        if dtype is not None:
            dtypes[part] = dtype
    blocks = tuple(b.model_copy(update={"dtypes": {}}) for b in model.blocks)
    mtp = tuple(b.model_copy(update={"dtypes": {}}) for b in model.mtp)
    changes = {"weight_dtype": main, "dtypes": dtypes, "blocks": blocks, "mtp": mtp}
    return model.model_copy(update=changes), _differences(params, stored)


def _differences(params: Mapping[str, int], stored: Mapping[str, Stored]) -> list[str]:
    """Parts of which the files hold another number of values than the record counts."""
    total = sum(params.values())
    said = []
    for part in get_args(Part):
        found = stored.get(part)
        n, held = params.get(part, 0), 0 if found is None else found.n_values
        if abs(held - n) <= max(_NOTED * n, _TRIFLE * total):
            continue
        said.append(
            f"Of {part.replace('_', ' ')} the files hold {held / 1e6:,.1f} M values, and the "
            f"model's shape has {n / 1e6:,.1f} M."
        )
    return said


def has_attention(model: Model) -> list[bool]:
    """Per layer whether it has softmax attention rather than a recurrence."""
    kinds = (Attention, CompressedAttention, LatentAttention)
    return [isinstance(model.blocks[i].mixer, kinds) for i in weights_of(model).order]


def with_checked(model: Model, stored: Mapping[str, Stored]) -> Model:
    """Check the bytes of each part that a config implies against those of its files.

    Parameters
    ----------
    model : Model     As its config gives it.
    stored : mapping  Part to what the files hold of it; a base of "" is a packed format.

    Returns
    -------
    Model
        Unchanged where both agree. Else parts that differ take the bytes of the files, and the
        notes say which do by more than 2%.
    """
    params, implied = expected_params(model), _implied_bytes(model)
    parts = [p for p in get_args(Part) if params.get(p) and p in stored]
    held = {part: stored[part].n_bytes for part in parts}
    total = sum(implied.values())
    if abs(sum(held.values()) - total) <= _SAME * total:
        return model
    dtypes, said = dict(model.dtypes), _absent(params, stored, total)
    for part in parts:
        difference = held[part] / implied[part] - 1
        if abs(difference) <= _SAME:
            continue
        dtype = _format_of(model, part, stored[part], params[part])
        if dtype is not None:
            dtypes[part] = dtype
        if abs(difference) > _NOTED and abs(held[part] - implied[part]) > _TRIFLE * total:
            said.append(
                f"{part.replace('_', ' ')} {format_quantity(held[part], 'B')} in the files, "
                f"{format_quantity(implied[part], 'B')} by the config ({difference:+.0%})"
            )
    changed = {p for p in parts if dtypes.get(p) != model.dtypes.get(p)}
    blocks = tuple(
        b.model_copy(update={"dtypes": {p: d for p, d in b.dtypes.items() if p not in changed}})
        for b in model.blocks
    )
    note = f"Files and config differ: {'; '.join(said)}. The files are used." if said else ""
    notes = " ".join(n for n in (note, model.notes) if n)
    return model.model_copy(update={"dtypes": dtypes, "blocks": blocks, "notes": notes})


def _absent(params: Mapping[str, int], stored: Mapping[str, Stored], total: float) -> list[str]:
    """Parts that are in the config and not in the files."""
    gone = [p for p, n in params.items() if p not in stored and n > _TRIFLE * total]
    return [f"{part.replace('_', ' ')} is not in the files" for part in gone]


def _format_of(model: Model, part: Part, found: Stored, n_params: int) -> str | None:
    """The format in which a part takes the bytes of its files."""
    named = dtype_of(model.dtypes.get(part) or model.weight_dtype)
    bits = _BITS_PER_BYTE * found.n_bytes / n_params
    known = named.base or named.id
    if found.base:
        # One value an entry: the config's format if that is as wide, else the files'.
        same = abs(dtype_of(known).bits - dtype_of(found.base).bits) < 1
        base = known if same else found.base
    elif bits / 2 < dtype_of(known).bits < 2 * bits:
        base = known
    else:
        base = next(name for most, name in _PACKED if bits <= most or most == _MOST_BITS)
    return Stored(found.n_bytes, base, found.n_values, found.is_uniform).dtype(n_params)


def _implied_bytes(model: Model) -> dict[str, float]:
    """Bytes of each part in the formats of the record."""
    weights = weights_of(model)

    def bytes_of(part: str, n: float, own: Mapping[Part, str]) -> float:
        name = own.get(part) or model.dtypes.get(part) or model.weight_dtype  # pyright: ignore[reportArgumentType, reportCallIssue]
        return n * dtype_of(name).bits / _BITS_PER_BYTE

    found: dict[str, float] = defaultdict(float)
    for index, product in weights.matrices():
        own = model.blocks[weights.order[index]].dtypes
        n = product.count * product.k * product.n
        found[product.part] += bytes_of(product.part, n, own)
    params = expected_params(model)
    for part in ("embedding", "head", "other"):
        rest = params.get(part, 0) - sum(
            p.count * p.k * p.n for _, p in weights.matrices() if p.part == part
        )
        found[part] += bytes_of(part, rest, {})
    return dict(found)
