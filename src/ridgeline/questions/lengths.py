"""The lengths of a question beside the length that its model is made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ridgeline.specs.model import Model
    from ridgeline.specs.workload import Workload

__all__ = ["length_notes", "longest"]

_BINARY = 1024
#: 128k is 0.977 of 128Ki, 1M is 0.954 of 1Mi
_NEAR = 0.95


def longest(load: Workload) -> float:
    """Tokens that the longest sequence reaches, with its output; 0 without lengths. [tokens]"""
    if load.trace is not None:
        return float(np.max(np.add(load.trace.isl, load.trace.osl)))
    if load.isl is not None and load.osl is not None:
        return load.isl.high + load.osl.high
    return 0.0 if load.context is None else float(np.max(load.context))


def length_notes(model: Model, tokens: float) -> list[str]:
    """Say where a sequence is longer than the model is made for, or nearly that long.

    Parameters
    ----------
    model : Model
    tokens : float   Of the longest sequence. [tokens]

    Returns
    -------
    list of str   At most one.

    Examples
    --------
    >>> from ridgeline import catalog
    >>> length_notes(catalog.model("meta-llama/Llama-3.3-70B-Instruct"), 128_000)
    ['128,000 tokens are near the own length of Llama-3.3-70B-Instruct, 131,072 (128Ki).']
    """
    own = model.max_context
    if not own or tokens == own or tokens < _NEAR * own:
        return []
    name = model.name or model.id
    binary = f" ({own // _BINARY:,}Ki)" if own % _BINARY == 0 else ""
    if tokens < own:
        return [f"{tokens:,.0f} tokens are near the own length of {name}, {own:,}{binary}."]
    return [
        f"{tokens:,.0f} tokens are more than {name} is made for: its own length is {own:,}{binary}."
    ]
