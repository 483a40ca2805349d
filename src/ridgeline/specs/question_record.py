"""A question as one record with flat names: what scenarios of serving and of training share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, get_args

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.specs.chip import Chip
from ridgeline.specs.choices import ReadingName
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.constants import EngineConstants
from ridgeline.specs.fields import Choice, Value, option, option_name, plain_number, shown
from ridgeline.specs.length_traces import LengthTrace
from ridgeline.specs.lengths import Lengths
from ridgeline.specs.limits import Limit
from ridgeline.specs.model import Model
from ridgeline.specs.option_record import OptionRecord, record_of
from ridgeline.specs.rates import Rate
from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

__all__ = [
    "MACHINES",
    "MODEL_RULE",
    "Machines",
    "QuestionRecord",
    "fields_by_option",
    "read_question",
]

_MACHINES = (
    "the name of a chip or cluster, such as h100-sxm or gb200-nvl72, or a list of such names"
)


def _model(value: object) -> str | Model:
    if isinstance(value, Model):
        return value
    if isinstance(value, Mapping):
        return Model.parse(value, "the model")
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise SpecError(
        f"a HuggingFace id, the path of a config.json or a Model is expected, not {shown(value)}."
    )


def _machines(value: object) -> tuple[str | Cluster | Chip, ...]:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    elif isinstance(value, Cluster | Chip | Mapping):
        value = [value]
    if not isinstance(value, Sequence) or not value:
        raise SpecError(f"{_MACHINES} is expected, not {shown(value) if value else 'nothing'}.")
    return tuple(_machine(v) for v in value)


def _machine(value: object) -> str | Cluster | Chip:
    if isinstance(value, Cluster | Chip):
        return value
    if isinstance(value, Mapping):
        return (Cluster if "chip" in value else Chip).parse(value, "the machine")
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise SpecError(f"{_MACHINES} is expected, not {shown(value)}.")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value.model_dump(mode="json") if isinstance(value, Record) else value


ModelNamed = str | Model
#: how a model is named
MODEL_RULE = Value("a model", _model, _plain, ("string", "object"), ("deepseek-ai/DeepSeek-V3",))
Machines = tuple[str | Cluster | Chip, ...]
#: how machines are read, of one question or to be compared
MACHINES = Value(_MACHINES, _machines, _plain, ("string", "array", "object"), ("gb200-nvl72",))


class QuestionRecord(OptionRecord):
    """A question about a model on machines: groups of options, each of which has a flat name.

    Attributes
    ----------
    earlier_names : mapping   Of options: earlier name to present name.
    """

    earlier_names: ClassVar[Mapping[str, str]] = {}

    model: Annotated[ModelNamed, MODEL_RULE] = option(
        ..., "Model: a HuggingFace id of the catalogue, the path of a config.json, or a record."
    )
    machine: Annotated[Machines, MACHINES] = option(..., "Machine.")
    reading: Annotated[ReadingName | None, Choice(get_args(ReadingName))] = option(
        None,
        "How time is counted: calibrated (what engines reach), ideal (the same work at datasheet "
        "peaks) or blackboard (the lecture's forms); calibrated where the model allows it if not "
        "given.",
    )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, or the same written by hand.

        Raises
        ------
        SpecError   One sentence for each wrong field.
        """
        return cls.parse(data)

    @property
    def machines(self) -> tuple[str | Cluster | Chip, ...]:
        """The machines to compare, one at least where a question is about machines."""
        return self.machine or ()

    def to_dict(self) -> dict[str, Any]:
        """In JSON types, group by group; defaults are written out, so that it keeps its meaning."""
        return self.model_dump(mode="json")

    def options(self) -> dict[str, Any]:
        """Flat names of the options that are not at their default, with their values.

        Returns
        -------
        dict   `of` makes the same record of them.
        """
        found: dict[str, Any] = {}
        usual = type(self)(model="any", machine=self.machine)
        for name, (path, _) in fields_by_option(type(self)).items():
            value = _at(self, path)
            if value != _at(usual, path):
                # None stands for "not given"; a limit that was taken off says so.
                found[name] = "none" if value is None else value
        return found

    def _with(self, options: Mapping[str, Any]) -> Self:
        """The same question with some options changed; None puts one back to its default."""
        changed = self.options() | _by_name(type(self), options)
        return read_question(type(self), self.model, self.machine, changed)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema (draft 2020-12) of the groups.

        Returns
        -------
        dict   Each field has a description, its unit under ``unit``, its range, and under
               ``option`` its flat name where that is another.

        Examples
        --------
        >>> from ridgeline.specs.scenario import Scenario
        >>> price = Scenario.json_schema()["$defs"]["PriceChoice"]["properties"]
        >>> price["usd_per_chip_hour"]["unit"]
        'USD/h'
        """
        schema = cls.model_json_schema()
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def __repr__(self) -> str:
        # Some questions need no model or no machine.
        named = [] if self.model is None else [self.model]
        parts = [repr(m if isinstance(m, str) else m.id) for m in named]
        machines = ",".join(m if isinstance(m, str) else m.id for m in self.machines)
        parts += [repr(machines)] if machines else []
        parts += [f"{name}={_brief(value)}" for name, value in self.options().items()]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __str__(self) -> str:
        return repr(self)


def _brief(value: object) -> str:
    """An option's value in few characters, as it could be given."""
    if isinstance(value, Lengths | LengthTrace):
        plain = value.plain()
        value = plain if isinstance(plain, float | str) else value
    if isinstance(value, EngineConstants):
        return f"<{value.id}>"
    if isinstance(value, tuple) and len(value) > 4:
        return f"({plain_number(value[0])}, … {plain_number(value[-1])}: {len(value)} values)"
    if isinstance(value, float):
        return plain_number(value)
    return repr(str(value) if isinstance(value, Limit | Rate) else value)


_Q = TypeVar("_Q", bound=QuestionRecord)


def read_question(
    cls: type[_Q],
    model: Any,
    machine: Any,
    options: Mapping[str, Any],
    label: Callable[[str], str] = str,
) -> _Q:
    """Make a question from flat names in a mapping.

    Parameters
    ----------
    cls : type                 What to make.
    model, machine : object    As in ``cls.of``.
    options : mapping          None is as if not given.
    label : callable           How messages write an option's name: ``--max-sequences``.

    Raises
    ------
    SpecError   One sentence for each option that cannot be read or does not exist.
    """
    data: dict[str, Any] = {"model": model, "machine": machine}
    fields = fields_by_option(cls)
    for name, value in _by_name(cls, options, label).items():
        if value is None:
            continue
        *groups, leaf = fields[name][0]
        node = data
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    return cls.read(data, label)


@cache
def fields_by_option(
    cls: type[QuestionRecord],
) -> dict[str, tuple[tuple[str, ...], FieldInfo]]:
    """Every option of a question by its flat name: the path of its field, and the field.

    Returns
    -------
    dict   In the order of the records; without model and machine, which are not options.
    """
    return {n: v for n, v in _fields(cls, ()).items() if n not in ("model", "machine")}


def _fields(
    cls: type[BaseModel], path: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], FieldInfo]]:
    found: dict[str, tuple[tuple[str, ...], FieldInfo]] = {}
    for name, field in cls.model_fields.items():
        inner = record_of(field)
        flat = option_name(field, name)
        if inner is not None:
            found |= _fields(inner, (*path, name))
        elif flat is not None:
            found[flat] = ((*path, name), field)
    return found


def _at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = getattr(record, name)
    return record


def _by_name(
    cls: type[QuestionRecord], options: Mapping[str, Any], label: Callable[[str], str] = str
) -> dict[str, Any]:
    """Options by their present names."""
    known, earlier = fields_by_option(cls), cls.earlier_names
    found: dict[str, Any] = {}
    for given, value in options.items():
        name = earlier.get(given, given)
        if name not in known:
            near = did_you_mean(given, [*known, *earlier])
            raise SpecError(f"{label(given)}: there is no such option.{near}")
        if found.get(name) is not None and value is not None:
            raise SpecError(f"{label(given)}: this is {label(name)} by its earlier name; give one.")
        if value is not None or name not in found:
            found[name] = value
    return found
