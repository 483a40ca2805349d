"""The bytes that a checkpoint's files hold, part by part, laid over the model of its config.

The config says what a model is; the files say what is stored. Where the two agree the files confirm
the counts; where they do not, the files win for storage, and the model's notes say by how much.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from ridgeline.layers import weights_of
from ridgeline.specs.blocks import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ridgeline.specs.model import Model

__all__ = ["Stored", "expected_params", "gathered", "with_stored"]

_BITS_PER_BYTE = 8
#: formats have at most this many bits; beyond it a part was counted wrongly
_MOST_BITS = 64
#: a part that differs by more than this is worth a note, unless it is a trifle of the model
_NOTED, _TRIFLE = 0.02, 0.005


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
        return f"{self.base}@{bits:.6g}bpw" if 0 < bits <= _MOST_BITS else None


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
