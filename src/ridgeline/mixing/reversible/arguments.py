# pyright: reportMissingImports=false
"""Take the tensors out of nested arguments and put others in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["Arguments", "taken_apart"]


@dataclass(frozen=True, slots=True)
class _Slot:
    index: int


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of a call without their tensors, which autograd must see one by one."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def filled(
        self, tensors: tuple[torch.Tensor, ...], keywords: frozenset[str] | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with `tensors` in their slots; of the keywords, only those named."""
        kwargs = {k: v for k, v in self.kwargs.items() if keywords is None or k in keywords}
        return _put(self.args, tensors), _put(kwargs, tensors)


def taken_apart(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Arguments, tuple[torch.Tensor, ...]]:
    """Split arguments into their shape and their tensors, at any depth of lists, tuples and dicts.

    Examples
    --------
    >>> one, two = torch.ones(1), torch.zeros(1)
    >>> shape, tensors = taken_apart((one, 3), {"masks": [two, None]})
    >>> len(tensors), shape.filled((two, one), None)
    (2, ((tensor([0.]), 3), {'masks': [tensor([1.]), None]}))
    """
    tensors: list[torch.Tensor] = []
    return Arguments(_take(args, tensors), _take(kwargs, tensors)), tuple(tensors)


def _take(value: Any, tensors: list[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return _Slot(len(tensors) - 1)
    return _rebuilt(value, lambda v: _take(v, tensors))


def _put(value: Any, tensors: tuple[torch.Tensor, ...]) -> Any:
    if isinstance(value, _Slot):
        return tensors[value.index]
    return _rebuilt(value, lambda v: _put(v, tensors))


def _rebuilt(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {k: change(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(change(v) for v in value))
    if isinstance(value, list | tuple):
        return type(value)(change(v) for v in value)
    return value
