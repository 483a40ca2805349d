"""Options of a question, made from the fields of its record: each is declared there, once."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from cyclopts import Group, Parameter

from ridgeline.cli.declare import (
    EFFICIENCY,
    ENGINE,
    FORMATS,
    FRAMEWORK,
    GENERATION,
    LAYOUT,
    LIMITS,
    LOSS,
    MACHINE,
    PRICE,
    RECIPE,
    RUN,
    TOKENS,
    WORKLOAD,
    default_text,
    help_of,
    machine_names,
    metavar_of,
    words_of,
)  # fmt: skip
from ridgeline.cli.inputs import read_option
from ridgeline.errors import SpecError
from ridgeline.specs.fields import Rule, option_unit
from ridgeline.specs.limits import Limits
from ridgeline.specs.question_record import QuestionRecord, fields_by_option, read_question
from ridgeline.specs.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

    from ridgeline.specs.model import Model

__all__ = [
    "ScenarioOptions", "option_of", "options_class", "scenario_from",
]  # fmt: skip

_Q = TypeVar("_Q", bound=QuestionRecord)

#: other names of options, kept from before
_ALSO: Final = {"weights": "--dtype", "kv": "--kv-dtype", "expert_load_cv": "--expert-cv"}


def option_of(name: str) -> str:
    """How an option is written on the command line.

    Examples
    --------
    >>> option_of("memory_utilization"), option_of("machine"), option_of("model")
    ('--memory-utilization', '--on', 'MODEL')
    """
    if name == "model":
        return "MODEL"
    return "--on" if name == "machine" else f"--{name.replace('_', '-')}"


def options_class(
    name: str, only: Iterable[str] | None = None, of: type[QuestionRecord] = Scenario
) -> Any:
    """A class of options for a command, flat and all text.

    Parameters
    ----------
    name : str                        Of the class.
    only : iterable of str or None    Which options, by flat name, besides `on`; None for all.
    of : type                         The question whose fields they are.

    Returns
    -------
    class   A frozen dataclass of keywords, each a text or None where it is not given.

    Raises
    ------
    KeyError   There is no such option: a fault of the program.
    """
    known = {"on": (("machine",), of.model_fields["machine"])} | fields_by_option(of)
    names = known if only is None else ["on", *only]
    # How time is counted is listed with what it is counted under.
    groups = _GROUPS | ({"reading": FRAMEWORK} if "framework" in of.model_fields else {})
    columns = [
        (n, Annotated[str | None, _parameter(n, *known[n], groups)], field(default=None))
        for n in names
    ]
    made = make_dataclass(name, columns, frozen=True, kw_only=True)
    made.__doc__ = "Options of a question."
    # Options are taken out of classes of applications only, not of what passes for a builtin.
    made.__module__ = __name__
    return Parameter(name="*")(made)


def _parameter(
    name: str, path: tuple[str, ...], declared: FieldInfo, groups: Mapping[str, Group]
) -> Parameter:
    written = [option_of(name), *([_ALSO[name]] if name in _ALSO else [])]
    rule = next((m for m in declared.metadata if isinstance(m, Rule)), None)
    unit = option_unit(declared)
    is_limit = name in Limits.model_fields
    usual = None if declared.is_required() else declared.default
    default = default_text(usual, rule) or ("none" if is_limit else None)
    return Parameter(
        name=written,
        help=help_of(rule, declared.description or "", unit),
        group=groups[".".join(path).split(".")[-2:][0]],
        metavar=_several(declared) if path[0] == "machine" else metavar_of(rule, unit),
        completer=machine_names if path[0] == "machine" else words_of(rule),
        show_default=default or False,
    )


def _several(machine: FieldInfo) -> str:
    """Whether machines can be compared, as the help of the option says."""
    return "NAME[,NAME...]" if "compare" in (machine.description or "") else "NAME"


#: of records, and of fields that are in none
_GROUPS: Final = {
    "machine": MACHINE, "reading": ENGINE, "workload": WORKLOAD, "limits": LIMITS,
    "formats": FORMATS, "engine": ENGINE, "price": PRICE, "layout": LAYOUT, "load": WORKLOAD,
    "recipe": RECIPE, "framework": FRAMEWORK, "run": RUN, "rollout": WORKLOAD,
    "generation": GENERATION, "size": MACHINE, "demand": TOKENS, "efficiency": EFFICIENCY,
    "loss": LOSS,
}  # fmt: skip


if TYPE_CHECKING:

    class ScenarioOptions:
        """All options of a question, as typed; see `specs.scenario_options`."""

        on: str | None

        def __init__(self, **options: str | None) -> None: ...

else:
    ScenarioOptions = options_class("ScenarioOptions")


def scenario_from(
    model: Model | str | None,
    options: Any = None,
    *,
    machine: Any = None,
    more: Mapping[str, Any] | None = None,
    of: type[_Q] = Scenario,
) -> _Q:
    """Read a question as typed.

    Parameters
    ----------
    model : Model, str or None   Record or id.
    options : object             Of a class that `options_class` made; None for none.
    machine : object             Machines already found, instead of ``--on``.
    more : mapping or None       Options from elsewhere, such as ``--set load.batch``, by flat name;
                                 they come before those of the same name.
    of : type                    What to make.

    Returns
    -------
    Scenario   Or what `of` says. Numbers without a unit were read in the option's own unit, such as
               milliseconds, and ``1:16384`` as a range.

    Raises
    ------
    SpecError   No model, no machine, or options that cannot be read: a sentence for each.
    """
    given = {n: v for n, v in vars(options).items() if v is not None} if options else {}
    given |= more or {}
    machine = machine or given.get("on")
    given.pop("on", None)
    if model is None and of.model_fields["model"].is_required():
        raise SpecError("Name a model: a HuggingFace id or the path of a config.json.")
    if machine is None and of.model_fields["machine"].is_required():
        raise SpecError("Name a machine with --on, such as --on gb200-nvl72 or --on h100-sxm.")
    wrong = []
    for name, text in given.items():
        try:
            given[name] = _typed(of, name, text)
        except SpecError as error:
            wrong.append(str(error))
    if wrong:
        raise SpecError(" ".join(wrong))
    return read_question(of, model, machine, given, label=option_of)


def _typed(of: type[QuestionRecord], name: str, text: Any) -> Any:
    """Text as the rule of its option reads it when typed."""
    rules = [m for m in fields_by_option(of)[name][1].metadata if isinstance(m, Rule)]
    if not isinstance(text, str) or not rules:
        return text
    found = read_option(text, option_of(name).removeprefix("--"), rules[0])
    return "none" if found is None else found
