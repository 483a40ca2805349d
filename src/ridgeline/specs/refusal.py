"""What an engine, or what deploys it, cannot do: conditions on quantities, and a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Refusal", "first_refusal", "holds"]


class Refusal(Record):
    """What cannot be done: `why`, filled in with quantities, where all conditions hold.

    Attributes
    ----------
    when : tuple of str   Names of quantities that must be true; ``!name`` is its opposite.
    why : str             In words, with places for quantities.
    """

    when: tuple[str, ...] = Field(min_length=1)
    why: str


def holds(condition: str, known: Mapping[str, Any]) -> bool:
    """Whether a condition holds: a name of a quantity, or its opposite as ``!name``.

    Examples
    --------
    >>> holds("has_tp", {"has_tp": 1}), holds("!has_tp", {"has_tp": 1})
    (True, False)
    """
    name = condition.removeprefix("!")
    return bool(known[name]) != condition.startswith("!")


def first_refusal(rules: Iterable[Refusal], known: Mapping[str, Any]) -> str:
    """The first of some rules whose conditions hold, filled in; empty where none does.

    Examples
    --------
    >>> first_refusal([Refusal(when=("has_tp",), why="no TP {tp}")], {"has_tp": True, "tp": 2})
    'no TP 2'
    """
    for rule in rules:
        if all(holds(condition, known) for condition in rule.when):
            return rule.why.format(**known)
    return ""
