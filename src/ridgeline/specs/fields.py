"""What a field of a question takes, stated once: range and unit for help, schema and messages.

A field's annotation (`Number`, `Numbers`, `Choice`, `Text`, `Value`) reads numbers or the text that
people type, and refuses anything else in one sentence that names what is expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core import core_schema

from ridgeline.errors import RidgelineError, SpecError, UnitError, did_you_mean
from ridgeline.specs.option_field import option, option_name, option_unit
from ridgeline.specs.shown import is_number, plain_number, shown
from ridgeline.units import (
    DIMENSIONS,
    parse_count,
    parse_quantity,
    short_quantity,
    split_values,
    unit_of,
    with_bare_unit,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Choice", "Number", "Numbers", "Rule", "Text", "Value", "is_number", "option",
    "option_name", "option_unit", "plain_number", "shown",
]  # fmt: skip

_MOST_TEXT = 4096
_MOST_VALUES = 100_000


class Rule:
    """Pydantic annotation: how one field is read. Subclasses say what is expected."""

    @property
    def expected(self) -> str:
        """What the field takes, as the start of a sentence: ``a number from 0 to 1``."""
        raise NotImplementedError

    @property
    def range(self) -> str:
        """The range for help texts; empty where there is none."""
        return ""

    @property
    def bare_unit(self) -> str:
        """Unit of a number that is typed without one; empty where it is the field's own."""
        return ""

    def read(self, value: object) -> Any:
        """Return the value in its form of the record.

        Raises
        ------
        SpecError   One sentence.
        """
        raise NotImplementedError

    def read_typed(self, text: str) -> Any:
        """Read text of the command line, where a bare number is in `bare_unit`.

        Raises
        ------
        SpecError   One sentence.
        """
        return self.read(text)

    def write(self, value: Any) -> Any:
        """Return the value in plain JSON types, which `read` takes back."""
        return list(value) if isinstance(value, tuple) else value

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of what is read."""
        raise NotImplementedError

    def refused(self, value: object) -> SpecError:
        """The error for a value that is not what is expected."""
        return SpecError(f"{self.expected} is expected, not {shown(value)}.")

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        optional = NoneType in get_args(source)
        schema = core_schema.no_info_plain_validator_function(
            lambda value: None if value is None and optional else self.read(value),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: None if value is None else self.write(value)
            ),
        )
        schema["metadata"] = {"optional": optional}
        return schema

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        found = self.schema()
        if not schema.get("metadata", {}).get("optional"):
            return found
        if "enum" in found:
            found = {**found, "enum": [*found["enum"], None]}
        kinds = found["type"] if isinstance(found["type"], list) else [found["type"]]
        return {**found, "type": [*kinds, "null"]}


@dataclass(frozen=True)
class Number(Rule):
    """One number in a range.

    Attributes
    ----------
    low, high : float   Both included, in SI.
    whole : bool        Whole numbers only; the record then holds an int.
    dimension : str     One of `units.DIMENSIONS` whose text is read (``20 ms``); empty: a count
                        (``8k``).
    above : bool        `low` itself is excluded.
    or_zero : bool      Zero is taken beside the range.
    bare : str          Unit of a number typed without one, where that is not the SI unit; from
                        Python such text needs its unit.
    times : bool        A factor, whose text may end as answers write it: ``6x``.
    """

    low: float
    high: float
    whole: bool = False
    dimension: str = ""
    above: bool = False
    or_zero: bool = False
    bare: str = ""
    times: bool = False

    @property
    def bare_unit(self) -> str:
        """Unit of a number that is typed without one."""
        return self.bare or self.dimension

    @property
    def expected(self) -> str:
        """What the field takes."""
        if self.dimension:
            what, example = DIMENSIONS[self.dimension]
            if not self.low <= parse_quantity(example, self.dimension) <= self.high:
                return f"{what} {self.range}"
            return f"{what} {self.range}, such as {example},"
        return f"a {'whole ' if self.whole else ''}number {self.range}"

    @property
    def range(self) -> str:
        """The range for help texts."""
        low, high = (self._text(v) for v in (self.low, self.high))
        end = " or 0" if self.or_zero else ""
        return f"above {low} up to {high}" if self.above else f"from {low} to {high}{end}"

    def _text(self, value: float) -> str:
        if not self.dimension or not value:
            return plain_number(value)
        if self.dimension == "USD/h":
            return f"${plain_number(value)}/h"
        return short_quantity(value, self.dimension)

    def read(self, value: object) -> float:
        """Read a number or its text."""
        found = value.item() if getattr(value, "ndim", None) == 0 else value  # pyright: ignore[reportAttributeAccessIssue]
        try:
            if isinstance(found, str):
                found = found.strip().removesuffix("x") if self.times else found
                number = self._quantity(found) if self.dimension else parse_count(found)
            elif is_number(found):
                number = float(found)  # pyright: ignore[reportArgumentType]
            else:
                raise self.refused(value)
        except SpecError:
            raise
        except (RidgelineError, OverflowError, ValueError):
            raise self.refused(value) from None
        inside = self.low <= number <= self.high and not (self.above and number == self.low)
        inside = inside or (self.or_zero and number == 0)
        if not inside or (self.whole and not number.is_integer()):
            raise self.refused(value)
        return int(number) if self.whole else number

    def read_typed(self, text: str) -> float:
        """Read text of the command line."""
        return self.read(with_bare_unit(text, self.bare) if self.bare else text)

    def _quantity(self, text: str) -> float:
        """A quantity in SI; where a bare number would be of another unit when typed, none."""
        if self.bare and not isinstance(text, float) and unit_of(text)[1] is None:
            raise SpecError(
                f"{shown(text)} has no unit: write {text} {self.bare} or {text} {self.dimension}, "
                f"or give a number in {self.dimension}."
            )
        return parse_quantity(text, self.dimension)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema; bounds hold for numbers, text is read and then held to them."""
        low = "exclusiveMinimum" if self.above else "minimum"
        kind = "integer" if self.whole else "number"
        least = 0 if self.or_zero else self.low
        return {"type": [kind, "string"], low: least, "maximum": self.high}


@dataclass(frozen=True)
class Numbers(Rule):
    """A number, or several: an axis of the answer. One value is held as a float, more as a tuple.

    Attributes
    ----------
    each : Number   What every value must be.
    """

    each: Number

    @property
    def expected(self) -> str:
        """What the field takes."""
        comma = "," if getattr(self.each, "or_zero", False) else ""
        return f"{self.each.expected}{comma} or a list of such numbers"

    @property
    def range(self) -> str:
        """The range for help texts."""
        return self.each.range

    @property
    def bare_unit(self) -> str:
        """Unit of a number that is typed without one."""
        return self.each.bare_unit

    def read(self, value: object) -> float | tuple[float, ...]:
        """Read a number, a sequence, or text such as ``1,64,2400``."""
        return self._read(value, self.each.read)

    def read_typed(self, text: str) -> float | tuple[float, ...]:
        """Read text of the command line."""
        return self._read(text, self.each.read_typed)

    def _read(self, value: object, read: Callable[[Any], float]) -> float | tuple[float, ...]:
        plain = value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(plain, str) and "," in plain and len(plain) <= _MOST_TEXT:
            try:
                plain = split_values(plain)
            except UnitError as error:
                raise SpecError(str(error)) from None
        if isinstance(plain, str) or is_number(plain):
            many = [plain]
        elif isinstance(plain, list | tuple | range) and 1 <= len(plain) <= _MOST_VALUES:
            many = plain
        else:
            raise self.refused(value)
        found = []
        for item in many:
            try:
                found.append(read(item))
            except SpecError:
                raise self.refused(item) from None
        return found[0] if len(found) == 1 else tuple(found)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        each = self.each.schema()
        return {**each, "type": [*each["type"], "array"], "items": each}


@dataclass(frozen=True)
class Choice(Rule):
    """One of a few words.

    Attributes
    ----------
    words : tuple of str     In the order of help texts.
    number : Number or None  What else is taken.
    """

    words: tuple[str, ...]
    number: Number | None = None

    @property
    def expected(self) -> str:
        """What the field takes."""
        words = ", ".join(self.words[:-1])
        words = f"{words} or {self.words[-1]}" if words else self.words[-1]
        if self.number is not None:
            return f"{self.number.expected}, or {words},"
        return f"one of {words}"

    @property
    def range(self) -> str:
        """The choices for help texts."""
        return self.number.range if self.number else ""

    def read(self, value: object) -> Any:
        """Read one of the words, whatever its case, or the number."""
        if isinstance(value, str) and value.strip().casefold() in self.words:
            return value.strip().casefold()
        if self.number is not None:
            try:
                return self.number.read(value)
            except SpecError:
                pass
        near = did_you_mean(value, self.words) if isinstance(value, str) else ""
        raise SpecError(f"{self.expected} is expected, not {shown(value)}.{near}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        if self.number is None:
            return {"type": "string", "enum": list(self.words)}
        return {**self.number.schema(), "examples": list(self.words)}


@dataclass(frozen=True)
class Text(Rule):
    """A name that others look up.

    Attributes
    ----------
    what : str    For messages: ``the name of an engine, such as vllm``.
    empty : bool  Whether empty text is a value.
    """

    what: str
    empty: bool = False

    @property
    def expected(self) -> str:
        """What the field takes."""
        return self.what

    def read(self, value: object) -> str:
        """Read text without blanks around it."""
        if not isinstance(value, str) or len(value) > _MOST_TEXT:
            raise self.refused(value)
        if not value.strip() and not self.empty:
            raise self.refused(value)
        return value.strip()

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return {"type": "string"}


@dataclass(frozen=True)
class Value(Rule):
    """A value with text forms of its own.

    Attributes
    ----------
    what : str               For messages.
    of : callable            Reads it; raises `SpecError`.
    plain : callable         Writes it in JSON types.
    kinds : tuple of str     JSON types that are read.
    examples : tuple         Text forms, for the schema.
    typed : callable         Reads text of the command line; None: as `of` does.
    bare : str               Unit of a number in it without one.
    """

    what: str
    of: Callable[[Any], Any]
    plain: Callable[[Any], Any]
    kinds: tuple[str, ...] = ("number", "string", "object")
    examples: tuple[str, ...] = ()
    typed: Callable[[str], Any] | None = None
    bare: str = ""

    @property
    def expected(self) -> str:
        """What the field takes."""
        return self.what

    @property
    def bare_unit(self) -> str:
        """Unit of a number that is typed without one."""
        return self.bare

    def read(self, value: object) -> Any:
        """Read the value."""
        return self.of(value)

    def read_typed(self, text: str) -> Any:
        """Read text of the command line."""
        return (self.typed or self.of)(text)

    def write(self, value: Any) -> Any:
        """Write the value."""
        return self.plain(value)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return {"type": list(self.kinds), "examples": list(self.examples)}
