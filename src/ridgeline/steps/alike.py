"""Layers of like structure as an axis: many different layers cost what their shapes differ.

A layer has three sides (mixer, feed-forward part, the rest) that are counted apart. Over a model,
sides that are equal are counted once; those of one structure that differ in numbers become a stack:
one block whose fields hold arrays along an axis before those of the grid. Sums over ops or layers
run over that axis, too (`ridgeline.steps.op.over_layers`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from ridgeline.layers import SIDES, Side, layer_of
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.bind import bound
from ridgeline.steps.cuts import fused
from ridgeline.steps.op import over_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ridgeline.laws.shapes import Layer
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.model import Model
    from ridgeline.steps.op import Op

__all__ = ["Part", "Same", "identity", "like_parts", "likeness", "merged", "parts_of"]

#: values of a stack's field over grid and layers together: more do not stay in a core's cache
_POINTS = 1 << 14
#: fields of a block that its rest consists of
_REST = ("n_norm_vectors", "n_params_other", "extra")
#: types whose values are compared; arrays are by identity
_BY_VALUE = frozenset((str, int, float, bool, np.float64, type(None)))
_PLAIN = (str, int, float, type(None))


class Part(NamedTuple):
    """One side of a kind of layer, or of several of like structure.

    Attributes
    ----------
    side : str           ``mixer``, ``ffn`` or ``rest``.
    block : Block        Whose side it is; its other sides are not to be looked at. `repeat` says
                         how many layers have it. In a stack, fields that differ are arrays.
    with_experts : bool  Whether it is of layers with experts, where these are told apart.
    sublayers : array    Of the rest: how many of mixer and feed-forward part the layer has. [1]
    stacked : int        Dimensions of the stack's arrays, the first of layers; 0 for one layer.
    """

    side: Side
    block: Block
    with_experts: bool
    sublayers: Any = 1
    stacked: int = 0

    def layer(self, d_model: Any) -> Layer:
        """Its products and streams."""
        return layer_of(self.block, self.side, d_model)

    def times(self, each: Any) -> Any:
        """What all its layers have together, where one has `each`."""
        return over_layers(self.block.repeat, each, self.stacked)


def parts_of(block: Block) -> list[Part]:
    """Return the sides that a kind of layer has, in the order they run.

    Parameters
    ----------
    block : Block
    """
    held = {"mixer": block.mixer is not None, "ffn": block.ffn is not None, "rest": True}
    experts = isinstance(block.ffn, MixtureOfExperts)
    n = {"rest": held["mixer"] + held["ffn"]}
    return [Part(side, block, experts, n.get(side, 1)) for side in SIDES if held[side]]


def like_parts(
    model: Model,
    counted: Iterable[Any],
    timed: Iterable[Any] = (),
    *,
    roles: bool = False,
    stacks: bool = True,
) -> tuple[Part, ...]:
    """All layers of a model, each shape once, and those of like structure stacked.

    Parameters
    ----------
    model : Model             By its shape; numeric fields may hold arrays.
    counted, timed : iterable   Records, or arrays, that hold the axes of the grid: those that ops
                              are counted by, and those that only their times depend on. An array
                              that neither has would be taken for layers.
    roles : bool              Keep layers with experts apart, as steps in two micro-batches do.
    stacks : bool             Else each shape is a part by itself.

    Returns
    -------
    tuple of Part

    Notes
    -----
    Layers whose fields hold arrays of their own (an axis bound to one layer) stay apart; an axis
    that all layers share does not part them. A stack has as many layers as, together with the grid,
    stay in a core's cache: over many points it is no faster than one layer after another. Arrays
    whose values are not there (of a kernel that is traced) leave it whole.
    """
    groups = _groups(Same(model), roles)
    if not stacks or all(len(group) == 1 for group in groups):
        return tuple(one for group in groups for one in group)
    own = [*_arrays_of(Same(model)), *_arrays(list(counted))]
    besides = [array for record in timed for array in _arrays_of(Same(record))]
    n_axes = max((array.ndim for array in (*own, *besides)), default=0)
    if n_axes and all(math.prod(array.shape) == 1 for array in (*own, *besides)):
        # Sums over layers could not be told from what varies over a grid of one point.
        return tuple(one for group in groups for one in group)
    shape = np.broadcast_shapes(*(a.shape for a in own if isinstance(a, np.ndarray)))
    most = max(_POINTS // max(math.prod(shape), 1), 1)
    found: list[Part] = []
    for group in groups:
        for first in range(0, len(group), most):
            found += _stack(group[first : first + most], n_axes + 1, model.d_model)
    return tuple(found)


def merged(ops: Iterable[Op]) -> list[Op]:
    """Ops that are equal but for how many layers have them, as one.

    Parameters
    ----------
    ops : iterable of Op   Arrays are compared by identity.

    Returns
    -------
    list of Op   In the order of the first of each, which gives the name.
    """
    found: dict[tuple[Any, ...], Op] = {}
    for op in ops:
        same = _alone(op) if op.stacked else op
        key = likeness(same)
        known = found.get(key)
        found[key] = same if known is None else known._replace(repeat=known.repeat + same.repeat)
    return list(found.values())


def likeness(op: Op) -> tuple[Any, ...]:
    """Equal for ops of which one repetition takes as long, under whatever constants.

    Parameters
    ----------
    op : Op   Arrays are compared by identity, and so have to be held as long as what is returned.
    """
    return tuple([v if type(v) in _BY_VALUE else id(v) for v in _compared(op)])


def _alone(op: Op) -> Op:
    """An op that is the same in all layers of its stack, as that of one kind of layer."""
    if any(np.ndim(value) == op.stacked for value in _compared(op)):
        return op
    return op._replace(repeat=np.sum(op.repeat), stacked=0)


def _compared(op: Op) -> tuple[Any, ...]:
    """What ops differ by: all but the name, which is for readers, and `repeat`, which adds up."""
    _, kind, part, _, *own, collective, phase, role, held, stacked = op
    return (kind, part, phase, role, held, stacked, *own, *(collective or ()))


def identity(value: Any) -> Any:
    """What tells a field's value from others: a number or text itself, which array it is."""
    return value if type(value) in _BY_VALUE else id(value)


class Same:
    """A record compared by identity: looking at all of it costs as much as what is kept."""

    def __init__(self, record: Any) -> None:
        self.record = record

    def __hash__(self) -> int:
        return id(self.record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.record is self.record


@lru_cache(maxsize=8)
def _groups(known: Same, roles: bool) -> tuple[tuple[Part, ...], ...]:
    """Sides of a model's layers, equal ones once, by structure."""
    model: Model = known.record
    groups: dict[Any, dict[tuple[float, ...], Part]] = {}
    for side in SIDES:
        for block in model.blocks:
            for part in parts_of(block):
                if part.side == side:
                    part = part if roles else part._replace(with_experts=False)  # noqa: PLW2901
                    structure, numbers = _told_apart(part, model.d_model)
                    group = groups.setdefault(structure, {})
                    group[numbers] = _added(group[numbers], part) if numbers in group else part
    return tuple(tuple(group.values()) for group in groups.values())


def _added(known: Part, part: Part) -> Part:
    """The same part, in as many more layers."""
    repeat = known.block.repeat + part.block.repeat
    return known._replace(block=known.block.model_copy(update={"repeat": repeat}))


def _told_apart(part: Part, d_model: Any) -> tuple[Any, tuple[float, ...]]:
    """Structure of a part, and the numbers that tell it from others of the same."""
    block, layer = part.block, part.layer(d_model)
    weights = sorted({product.part for product in layer.products} | {"other"})
    dtypes = tuple(block.dtypes.get(name) for name in weights)  # pyright: ignore[reportArgumentType, reportCallIssue]
    structure: list[Any] = [part.side, part.with_experts, dtypes, _form(layer)]
    numbers: list[float] = [part.sublayers] if part.side == "rest" else []
    for path, value in _leaves(block, part.side):
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        structure.append((path, "number" if plain else identity(value)))
        numbers += [value] if plain else []
    return tuple(structure), tuple(numbers)


def _form(layer: Layer) -> tuple[Any, ...]:
    """What a layer's ops are, apart from numbers: which products run as one, streams, a state."""
    runs = tuple(tuple((p.name, p.part, p.split) for p in run) for run in fused(layer.products))
    streams = tuple((stream.name, stream.cache, stream.split) for stream in layer.streams)
    return runs, streams, isinstance(layer.state_elements, int) and layer.state_elements == 0


def _leaves(node: Any, side: Side | None = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths and values of all that a side of a block, or a record in it, is given by."""
    if isinstance(node, tuple):
        for i, item in enumerate(node):
            yield from _leaves(item, None, f"{path}.{i}")
    elif isinstance(node, BaseModel):
        names = type(node).model_fields
        for name in names if side is None else _REST if side == "rest" else (side,):
            yield from _leaves(getattr(node, name), None, f"{path}.{name}")
    else:
        yield path, node


def _stack(parts: Sequence[Part], n_dims: int, d_model: Any) -> Sequence[Part]:
    """Parts of one structure as one part; as they are where that would change the structure."""
    if len(parts) == 1:
        return parts
    columns = [dict(_leaves(part.block, part.side)) for part in parts]
    values: dict[str, Any] = {
        f"block{path}": _column([column[path] for column in columns], n_dims)
        for path, first in columns[0].items()
        if any(identity(column[path]) != identity(first) for column in columns)
    }
    values["block.repeat"] = _column([part.block.repeat for part in parts], n_dims)
    block: Any = bound({"block": parts[0].block}, values)["block"]
    sublayers = _column([part.sublayers for part in parts], n_dims)
    found = parts[0]._replace(block=block, sublayers=sublayers, stacked=n_dims)
    return [found] if _form(found.layer(d_model)) == _form(parts[0].layer(d_model)) else parts


def _column(values: Sequence[float], n_dims: int) -> Any:
    """Numbers of a stack's layers along its first axis."""
    return np.asarray(values, dtype=float).reshape(-1, *[1] * (n_dims - 1))


def _arrays(value: Any) -> Iterator[Any]:
    """All arrays that records hold, and what stands for one."""
    if isinstance(getattr(value, "shape", None), tuple):
        yield value
    elif not isinstance(value, _PLAIN):
        for one in _held(value):
            yield from _arrays(one)


def _held(value: Any) -> Iterable[Any]:
    """What a record, a mapping or a sequence holds; where its numbers come from is no number."""
    if isinstance(value, BaseModel):
        return [getattr(value, name) for name in type(value).model_fields if name != "sources"]
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, Sequence) else ()


@lru_cache(maxsize=8)
def _arrays_of(known: Same) -> tuple[Any, ...]:
    """The same of a large record that many evaluations share."""
    return tuple(_arrays(known.record))
