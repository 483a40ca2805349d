"""The base of every record: frozen, validated, and aware of where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as Date  # noqa: N812  (the field below is called date)
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ridgeline.errors import SpecError, UnitError, did_you_mean
from ridgeline.specs.problems import problem_words
from ridgeline.units import unit_of

__all__ = ["Provenance", "Record", "SourceKind", "Sourced"]

SourceKind = Literal[
    "datasheet", "paper", "measured", "price-page", "index", "leak", "derived", "estimate",
    "recalled", "user",
]  # fmt: skip


if TYPE_CHECKING:  # with it, a type checker reads the fields as it does of any record
    from pydantic._internal._model_construction import ModelMetaclass as _RecordType
else:

    class _RecordType(type(BaseModel)):
        """Makes errors of ``Layout(tp=0)`` sentences, as those of files are."""

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise SpecError(cls._refusal(error)) from None


class Record(BaseModel, metaclass=_RecordType):
    """A frozen record; unknown fields are refused by name."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), defer_build=True
    )

    @classmethod
    def _refusal(cls, error: ValidationError) -> str:
        """What is wrong with fields given by name."""
        said = _explain(error, cls, "").splitlines()[1:]
        return f"{cls.__name__}: {' '.join(line.strip() for line in said)}"

    @classmethod
    def parse(cls, data: object, where: str) -> Self:
        """Validate raw data, or raise one `SpecError` that lists every problem.

        Parameters
        ----------
        data : mapping   Raw fields, as read from TOML or JSON.
        where : str      What to call the origin in the message, such as a file name.

        Raises
        ------
        SpecError   Each line names a field, what it got and what it takes.
        """
        if not isinstance(data, Mapping):
            raise SpecError(f"{where}: a table of fields is expected, not {type(data).__name__}.")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise SpecError(_explain(error, cls, where)) from None

    def replaced(self, changes: Mapping[str, object], where: str = "--set") -> Self:
        """Return a copy with fields changed by dotted path, validated like any other input.

        Parameters
        ----------
        changes : mapping   ``{"chip.memory.bandwidth": "10 TB/s"}``; list items by their index.
        where : str         What to call the origin in messages.

        Raises
        ------
        SpecError   A path that leads nowhere (suggests near names), or a value that does not hold.
        """
        data = _listed(self.model_dump())
        for path, value in changes.items():
            for full in self._expand(path):
                _set(data, self, full.split("."), value, f"{where} {path}")
        return type(self).parse(data, where)

    def _expand(self, path: str) -> list[str]:
        """Full paths that a short one stands for; records with parts of a kind override it."""
        return [path]


def _listed(value: Any) -> Any:
    """Dumped data with lists for tuples, so that it can be changed in place."""
    if isinstance(value, dict):
        return {k: _listed(v) for k, v in value.items()}
    return [_listed(v) for v in value] if isinstance(value, tuple | list) else value


def _set(data: Any, record: object, path: list[str], value: object, where: str) -> None:
    """Change one leaf of dumped data, and note in its record's sources that the user set it."""
    if "sources" in path:
        raise SpecError(f"{where}: sources follow from what is set; set the number itself.")
    node, owner, at = data, data if isinstance(record, Sourced) else None, 0
    for depth, part in enumerate(path[:-1]):
        node = _child(node, part, where)
        record = _attribute(record, part)
        if isinstance(record, Sourced):
            owner, at = node, depth + 1
    _child(node, path[-1], where)
    node[int(path[-1]) if isinstance(node, list) else path[-1]] = value
    if owner is not None:
        owner["sources"][".".join(path[at:])] = {"source": "set by the user", "kind": "user"}


def _child(node: Any, part: str, where: str) -> Any:
    if isinstance(node, tuple | list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    if isinstance(node, dict) and part in node:
        return node[part]
    known = [str(k) for k in node] if isinstance(node, dict) else []
    has = f" It has: {', '.join(known)}." if known else ""
    raise SpecError(f"{where}: there is no field {part!r} here.{did_you_mean(part, known)}{has}")


def _attribute(record: object, part: str) -> object:
    if isinstance(record, tuple | list):
        return record[int(part)]
    return record.get(part) if isinstance(record, dict) else getattr(record, part, None)


def _explain(error: ValidationError, cls: type[BaseModel], where: str) -> str:
    lines = [f"{where} is not a valid {cls.__name__}:"]
    problems = error.errors(include_url=False)
    for problem in problems[:12]:
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            parent = _class_at(cls, problem["loc"][:-1])
            known = list(parent.model_fields) if parent else []
            message = "there is no such field." + did_you_mean(str(problem["loc"][-1]), known)
            if known:
                message += f" It has: {', '.join(known)}."
        elif problem["type"] == "missing":
            message = "this field is required."
        else:
            message = problem_words(problem)
        lines.append(f"  {path or 'the whole'}: {message}")
    if len(problems) > 12:
        lines.append(f"  … and {len(problems) - 12} more.")
    return "\n".join(lines)


def _class_at(cls: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Follow a path of plain nested records; give up (None) inside unions and lists."""
    for part in path:
        field = cls.model_fields.get(str(part))
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        cls = kind
    return cls


def _any_number(value: object) -> object:
    """Read a bound such as ``"13 TB/s"`` whatever its unit; the value beside it has the same."""
    if isinstance(value, str):
        try:
            return unit_of(value)[0]
        except UnitError as error:
            raise ValueError(str(error)) from None
    return value


def _iso_date(value: object) -> object:
    """Keep a date as text: years, months and days are all honest answers."""
    return value.isoformat() if isinstance(value, Date) else value


_Bound = Annotated[float | None, BeforeValidator(_any_number)]


class Provenance(Record):
    """Where one number comes from.

    `source` is an id of the catalogue's ``sources.toml`` or free text; an ``estimate`` must give
    the range it believes in, in SI, because it widens everything computed from it.
    """

    source: str = "unknown"
    kind: SourceKind | None = None
    date: Annotated[str | None, BeforeValidator(_iso_date)] = None
    low: _Bound = None
    high: _Bound = None
    note: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "estimate" and (self.low is None or self.high is None):
            raise ValueError("an estimate must give low and high.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g}).")
        return self


_PROVENANCE_KEYS = frozenset({"value", *Provenance.model_fields})


def _lift(value: object, path: str, found: dict[str, Any]) -> object:
    """Replace each ``{value, source, …}`` table by its value and note the rest under its path."""
    if isinstance(value, Mapping):
        if "value" in value and _PROVENANCE_KEYS.issuperset(value):
            found[path] = {k: v for k, v in value.items() if k != "value"}
            return value["value"]
        return {k: _lift(v, f"{path}.{k}" if path else str(k), found) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lift(v, f"{path}.{i}", found) for i, v in enumerate(value)]
    return value


class Sourced(Record):
    """A record whose numbers may be written as ``{value = …, source = …}``.

    The fields stay plain numbers; `sources` maps the dotted path of a field to its `Provenance`.
    """

    sources: dict[str, Provenance] = Field(default_factory=dict, repr=False)

    def in_words(self) -> str:
        """What it is, in a few words: a part of its repr."""
        return ""

    def __repr__(self) -> str:
        """Id and a few words, below 300 characters; `model_dump` has all fields."""
        words = self.in_words()
        if not words:
            return super().__repr__()
        return f"<{type(self).__name__} {shorten(f'{self._id!r}: {words}', 280)}>"

    __str__ = __repr__

    @property
    def _id(self) -> str:
        return str(getattr(self, "id", ""))

    def _repr_html_(self) -> str:
        """Every field with its source, for notebooks."""
        from ridgeline.specs.facts import facts_html  # noqa: PLC0415  (only for notebooks)

        return facts_html(self)

    @model_validator(mode="before")
    @classmethod
    def _lift_sources(cls, data: object) -> object:
        if not isinstance(data, Mapping) or not isinstance(data.get("sources") or {}, Mapping):
            return data
        found: dict[str, Any] = dict(data.get("sources") or {})
        plain = {k: v if k == "sources" else _lift(v, str(k), found) for k, v in data.items()}
        return {**plain, "sources": found}
