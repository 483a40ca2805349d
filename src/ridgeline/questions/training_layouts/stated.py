"""Values of a search's axes as text: ``schedule=1f1b,zb-h1``, ``overlap=none,dp,dp+tp``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ridgeline.errors import SpecError, there_is_no
from ridgeline.questions.training_layouts.space import AXES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["axes_of"]

_WORDS: Final = ("schedule", "recompute")
_PARTS: Final = ("offload", "overlap", "order")
#: what stands for an axis left to what follows from others
_OPEN: Final = {"schedule": "none", "shard": "all", "expert_tp": "custom", "overlap": "custom"}


def axes_of(texts: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Axes and their values from text, values between commas, parts of one between plus signs.

    Parameters
    ----------
    texts : iterable of str   ``AXIS=VALUE,VALUE``: one axis each.

    Raises
    ------
    SpecError   No such axis, one twice, no value, or one that cannot be read.

    Examples
    --------
    >>> axes_of(["tp=2,4", "shard=8,all", "overlap=none,dp+tp", "sequence-parallel=on,off"])
    {'tp': (2, 4), 'shard': (8, None), 'overlap': ((), ('dp', 'tp')), 'sequence_parallel': (True, False)}
    """  # noqa: E501  (as it prints)
    found: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        axis = name.strip().replace("-", "_")
        if axis not in AXES:
            raise SpecError(f"{text!r}: {there_is_no('axis', axis, AXES)}")
        if axis in found:
            raise SpecError(f"{axis} is given twice: put all its values between commas.")
        each = [v.strip() for v in values.split(",") if v.strip()]
        if not equals or not each:
            raise SpecError(f"{text!r}: values are expected, such as {axis}={_EXAMPLES[axis]}.")
        found[axis] = tuple(_value(axis, v) for v in each)
    return found


_EXAMPLES: Final = dict.fromkeys(AXES, "2,4") | {
    "schedule": "1f1b,zb-h1",
    "recompute": "none,layers 4,full",
    "shard": "8,all",
    "expert_tp": "1,custom",
    "sequence_parallel": "on,off",
    "offload": "none,optimizer",
    "overlap": "none,dp,dp+tp",
    "order": "tp+cp+dp+pp,tp+cp+pp+dp",
}


def _value(axis: str, text: str) -> Any:
    if text == _OPEN.get(axis):
        return None
    if axis in _WORDS:
        return text
    if axis in _PARTS:
        return () if text == "none" else tuple(text.split("+"))
    if axis == "sequence_parallel":
        if text not in ("on", "off"):
            raise SpecError(f"{axis}: on or off is expected, not {text!r}.")
        return text == "on"
    if not text.isdecimal():
        raise SpecError(
            f"{axis}: whole numbers are expected, such as {axis}={_EXAMPLES[axis]}, not {text!r}."
        )
    return int(text)
