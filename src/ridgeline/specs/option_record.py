"""The base of records whose fields people give by name: errors are plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ValidationError

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.specs.fields import option_name, shown
from ridgeline.specs.problems import problem_words
from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["OptionRecord", "record_of"]


class OptionRecord(Record):
    """A record whose fields are options: errors are sentences that start with the option's name."""

    @classmethod
    def _refusal(cls, error: ValidationError) -> str:
        """What is wrong with fields given by name."""
        return _sentences(cls, error, lambda name: name)

    @classmethod
    def parse(cls, data: object, where: str = "") -> Self:
        """Validate raw data.

        Parameters
        ----------
        data : mapping   Raw fields, as read from JSON or given by name.
        where : str      What to call the origin in the message; empty for nothing.

        Raises
        ------
        SpecError   One sentence for each wrong field.
        """
        return cls.read(data, lambda name: name, f"{where}: " if where else "")

    @classmethod
    def read(cls, data: object, label: Callable[[str], str], start: str = "") -> Self:
        """Validate raw data, with option names written as `label` does.

        Raises
        ------
        SpecError   One sentence for each wrong field.
        """
        if not isinstance(data, Mapping):
            raise SpecError(f"{start}a table of fields is expected, not {shown(data)}.")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise SpecError(start + _sentences(cls, error, label)) from None


def _sentences(cls: type[BaseModel], error: ValidationError, label: Callable[[str], str]) -> str:
    problems = error.errors(include_url=False)
    return " ".join(dict.fromkeys(_sentence(cls, problem, label) for problem in problems[:12]))


def _sentence(cls: type[BaseModel], problem: Any, label: Callable[[str], str]) -> str:
    """One problem, as a sentence."""
    owner: type[BaseModel] | None = cls
    named, name = False, ""
    known: list[str] = list(cls.model_fields)
    for part in problem["loc"]:
        field = owner.model_fields.get(str(part)) if owner else None
        name = (option_name(field, str(part)) if field else None) or str(part)
        owner = record_of(field)
        named = owner is None
        known = list(owner.model_fields) if owner else known
    kind = problem["type"]
    message = problem["msg"].removeprefix("Value error, ")
    message = message if kind == "value_error" else problem_words(problem)
    if kind == "extra_forbidden":
        return f"{label(name)}: there is no such field.{did_you_mean(name, known)}"
    if kind == "missing":
        return f"{label(name)}: this is required."
    if kind in ("model_type", "model_attributes_type"):
        return f"{name}: a table of fields is expected, not {shown(problem['input'])}."
    return f"{label(name)}: {message}" if named and name else message


def record_of(field: FieldInfo | None) -> type[BaseModel] | None:
    """The record that a field holds; None for a field that is a value itself."""
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
