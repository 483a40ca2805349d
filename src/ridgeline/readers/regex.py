"""Regular expressions of quantisers, evaluated without backtracking.

A config's patterns come from strangers. Python's own matcher tries every way to split a text, and
some patterns have exponentially many: ``([a-z_.0-9]+)+!`` never ends. Here a pattern maps the set
of places where it may begin to the set of places where it may end, a bit per place of the text, so
that its cost is bounded by its length times a power of the text's. Patterns that repeat little and
nothing within a repeat go to Python's matcher, which is faster and cannot get lost in them.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Regex", "regex"]

#: Python's own parser of patterns, which only its documentation keeps private
_parser: Any = import_module("re._parser")
_c: Any = import_module("re._constants")

_LONGEST = 4096
#: repeats without end that Python's matcher may meet in one pattern: its cost is the text's length
#: to this power
_FEW_REPEATS = 2
_DIGITS = frozenset("0123456789")
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    _c.CATEGORY_DIGIT: str.isdecimal,
    _c.CATEGORY_NOT_DIGIT: lambda ch: not ch.isdecimal(),
    _c.CATEGORY_SPACE: str.isspace,
    _c.CATEGORY_NOT_SPACE: lambda ch: not ch.isspace(),
    _c.CATEGORY_WORD: lambda ch: ch.isalnum() or ch == "_",
    _c.CATEGORY_NOT_WORD: lambda ch: not (ch.isalnum() or ch == "_"),
}
_REPEATS = (_c.MAX_REPEAT, _c.MIN_REPEAT)
_CHARACTERS = (_c.LITERAL, _c.NOT_LITERAL, _c.ANY, _c.IN)


@lru_cache(maxsize=4096)
def regex(source: str) -> Regex:
    """Return a pattern, read once.

    Raises
    ------
    ConfigError   Not a regular expression, or one that needs backtracking.
    """
    return Regex(source)


class Regex:
    """A pattern that matches from the start of a text, as ``re.match`` does.

    Attributes
    ----------
    tells_digits : bool   Whether it may tell one digit from another.
    cost : int            Of one match, in matches of a simple pattern.
    """

    def __init__(self, source: str) -> None:
        if len(source) > _LONGEST:
            raise ConfigError(
                f"{shown(source)} is a pattern of {len(source):,} characters; at most "
                f"{_LONGEST:,} are read."
            )
        try:
            with warnings.catch_warnings(action="ignore"):  # of sets that may change their meaning
                tree = _parser.parse(source)
                compiled = re.compile(source)
        except (re.error, RecursionError, OverflowError) as error:
            raise ConfigError(f"{shown(source)} is not a regular expression: {error}.") from None
        self._tree = tree
        self._fold = bool(tree.state.flags & re.IGNORECASE)
        nodes = list(_nodes(tree))
        strange = next((op for op, argument in nodes if not _is_known(op, argument)), None)
        if strange is not None:
            raise ConfigError(
                f"{shown(source)}: {str(strange).lower()} is not understood in a pattern of module "
                "names. Write it without back references, atomic groups and local flags."
            )
        self.tells_digits = any(_tells_digits(op, argument) for op, argument in nodes)
        self._plain = compiled if _is_simple(tree, nodes) else None
        self.cost = 1 if self._plain else 100

    def match(self, text: str) -> bool:
        r"""Whether the pattern matches a beginning of the text.

        Examples
        --------
        >>> Regex(r".*layers\.(0|1)\..*proj$").match("model.layers.1.mlp.up_proj")
        True
        >>> Regex("([a-z_.0-9]+)+!").match("model.layers.10.self_attn.o_proj" * 8)
        False
        """
        if self._plain is not None:
            return self._plain.match(text) is not None
        return _Run(text, fold=self._fold).sequence(self._tree, 1) != 0


def _nodes(tree: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    pending = [tree]
    while pending:
        for op, argument in pending.pop():
            yield op, argument
            pending.extend(_inner(op, argument))


def _is_simple(tree: Any, nodes: list[Any]) -> bool:
    """Whether Python's matcher has few ways to try: nothing repeats within a repeat."""
    repeats = [argument for op, argument in nodes if op in _REPEATS]
    if any(op in _REPEATS for argument in repeats for op, _ in _nodes(argument[-1])):
        return False
    # What is repeated at the very end is tried once.
    last = tree.data[-1:]
    ending = sum(1 for op, argument in last if op in _REPEATS and argument[0] <= 1)
    return len(repeats) - ending <= _FEW_REPEATS


def _inner(op: Any, argument: Any) -> list[Any]:
    if op is _c.BRANCH:
        return list(argument[1])
    if op is _c.SUBPATTERN or op in _REPEATS:
        return [argument[-1]]
    return [argument[1]] if op in (_c.ASSERT, _c.ASSERT_NOT) else []


def _is_known(op: Any, argument: Any) -> bool:
    if op is _c.SUBPATTERN:
        return not argument[1] and not argument[2]
    if op is _c.AT:
        return argument in _PLACES
    return op in (*_CHARACTERS, *_REPEATS, _c.BRANCH, _c.ASSERT, _c.ASSERT_NOT, _c.FAILURE)


def _tells_digits(op: Any, argument: Any) -> bool:
    if op not in _CHARACTERS or op is _c.ANY:
        return False
    fits = [_fits(op, argument, digit) for digit in _DIGITS]
    return any(fits) and not all(fits)


def _fits(op: Any, argument: Any, ch: str) -> bool:
    """Whether one character is what a node of a single character asks for."""
    if op is _c.LITERAL:
        return ord(ch) == argument
    if op is _c.NOT_LITERAL:
        return ord(ch) != argument
    if op is _c.ANY:
        return ch != "\n"
    negated = argument[0][0] is _c.NEGATE
    return negated != any(_in_class(kind, value, ch) for kind, value in argument[negated:])


def _in_class(kind: Any, value: Any, ch: str) -> bool:
    if kind is _c.CATEGORY:
        return _CATEGORIES[value](ch)
    if kind is _c.RANGE:
        return value[0] <= ord(ch) <= value[1]
    return ord(ch) == value


def _is_word(ch: str) -> bool:
    return ch.isalnum() or ch == "_"


class _Run:
    """One text; a set of places is a number whose bit i stands for the place before character i."""

    def __init__(self, text: str, *, fold: bool) -> None:
        self.text = text
        self._places_of: dict[str, int] = {}
        for i, ch in enumerate(text):
            self._places_of[ch] = self._places_of.get(ch, 0) | 1 << i
        self._fold = fold
        self.everywhere = (1 << (len(text) + 1)) - 1
        self._masks: dict[int, int] = {}
        self._known: dict[tuple[int, int], int] = {}

    def sequence(self, nodes: Iterable[Any], places: int) -> int:
        for op, argument in nodes:
            if not places:
                return 0
            places = self._step(op, argument, places)
        return places

    def _step(self, op: Any, argument: Any, places: int) -> int:
        if op in _CHARACTERS:
            return (places & self._mask(op, argument)) << 1
        if op in _REPEATS:
            return self._repeated(argument, places)
        if op is _c.AT:
            return places & _PLACES[argument](self)
        if op in (_c.SUBPATTERN, _c.BRANCH):
            found = 0
            for branch in _inner(op, argument):
                found |= self.sequence(branch, places)
            return found
        return 0 if op is _c.FAILURE else self._around(op, argument, places)

    def _around(self, op: Any, argument: Any, places: int) -> int:
        direction, inner = argument
        seen = self._seen(inner, places) if direction > 0 else self.sequence(inner, self.everywhere)
        return places & (seen if op is _c.ASSERT else ~seen)

    def _mask(self, op: Any, argument: Any) -> int:
        key = id(argument) if op is _c.IN else hash((str(op), argument))
        if key not in self._masks:
            found = 0
            for ch, places in self._places_of.items():
                spelled = {ch, ch.lower(), ch.upper()} if self._fold else {ch}
                if any(_fits(op, argument, one) for one in spelled):
                    found |= places
            self._masks[key] = found
        return self._masks[key]

    def _seen(self, inner: Any, places: int) -> int:
        """Places from which what is looked for lies ahead."""
        return sum(
            1 << i
            for i in range(len(self.text) + 1)
            if places >> i & 1 and self.sequence(inner, 1 << i)
        )

    def _repeated(self, argument: Any, places: int) -> int:
        least, most, inner = argument
        for _ in range(least):
            after = self._once(inner, places)
            if after in (0, places):  # dead, or nothing changes any more
                places = after
                break
            places = after
        found = fresh = places
        left = most - least if most is not _c.MAXREPEAT else len(self.text) + 1
        while fresh and left > 0:
            fresh = self._once(inner, fresh) & ~found
            found |= fresh
            left -= 1
        return found

    def _once(self, inner: Any, places: int) -> int:
        key = (id(inner), places)
        if key not in self._known:
            self._known[key] = self.sequence(inner, places)
        return self._known[key]

    def ends(self) -> int:
        """The place behind the text."""
        return 1 << len(self.text)

    def borders(self) -> int:
        """Places between a word and what is none."""
        words = [False, *(_is_word(ch) for ch in self.text), False]
        return sum(1 << i for i in range(len(self.text) + 1) if words[i] != words[i + 1])


_PLACES: dict[Any, Callable[[_Run], int]] = {
    _c.AT_BEGINNING: lambda _: 1,
    _c.AT_BEGINNING_STRING: lambda _: 1,
    _c.AT_END: _Run.ends,
    _c.AT_END_STRING: _Run.ends,
    _c.AT_BOUNDARY: _Run.borders,
    _c.AT_NON_BOUNDARY: lambda run: run.everywhere & ~run.borders(),
}
