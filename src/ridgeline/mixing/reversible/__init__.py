"""Reversible networks in PyTorch: built like a Feistel cipher, trained without stored inputs.

::

    from ridgeline.mixing.reversible import ReversibleBlock, ReversibleSequence

    blocks = [ReversibleBlock(attention(), feedforward()) for _ in range(48)]
    stack = ReversibleSequence(blocks)  # a drop-in nn.Module: one tensor in, one out
    stack(x).sum().backward()  # reconstructs each input on the way back

Names are loaded when first used; without PyTorch that says how to get it.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ridgeline.errors import MissingExtraError

if TYPE_CHECKING:
    from ridgeline.mixing.reversible.adapter import ReversibleStack as ReversibleStack
    from ridgeline.mixing.reversible.adapter import from_prenorm as from_prenorm
    from ridgeline.mixing.reversible.blocks import FeistelLayer as FeistelLayer
    from ridgeline.mixing.reversible.blocks import ReversibleBlock as ReversibleBlock
    from ridgeline.mixing.reversible.fixed_point import fixed_point_forward as fixed_point_forward
    from ridgeline.mixing.reversible.fixed_point import fixed_point_inverse as fixed_point_inverse
    from ridgeline.mixing.reversible.gpt import GPT as GPT
    from ridgeline.mixing.reversible.live_bytes import LiveBytes as LiveBytes
    from ridgeline.mixing.reversible.measurement import Measurement as Measurement
    from ridgeline.mixing.reversible.measurement import measure as measure
    from ridgeline.mixing.reversible.precision import gradient_errors as gradient_errors
    from ridgeline.mixing.reversible.precision import reconstruction_errors as reconstruction_errors
    from ridgeline.mixing.reversible.sequence import ReversibleSequence as ReversibleSequence
    from ridgeline.mixing.reversible.training import loss_curve as loss_curve

_HOME = {
    "FeistelLayer": "blocks",
    "GPT": "gpt",
    "LiveBytes": "live_bytes",
    "Measurement": "measurement",
    "ReversibleBlock": "blocks",
    "ReversibleSequence": "sequence",
    "ReversibleStack": "adapter",
    "fixed_point_forward": "fixed_point",
    "fixed_point_inverse": "fixed_point",
    "from_prenorm": "adapter",
    "gradient_errors": "precision",
    "loss_curve": "training",
    "measure": "measurement",
    "reconstruction_errors": "precision",
}

__all__ = [
    "GPT",
    "FeistelLayer",
    "LiveBytes",
    "Measurement",
    "ReversibleBlock",
    "ReversibleSequence",
    "ReversibleStack",
    "fixed_point_forward",
    "fixed_point_inverse",
    "from_prenorm",
    "gradient_errors",
    "loss_curve",
    "measure",
    "reconstruction_errors",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("torch") is None:
        raise MissingExtraError("A reversible network", "torch")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
