"""How options are declared: what each takes, in which unit, and under which heading it is listed.

An option is an annotation made by `takes` from the rule of its range. The rule reads its text, and
says the unit of a bare number and the range; help shows both. Commands receive values, not text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Group, Parameter, Token

from ridgeline.errors import SpecError
from ridgeline.specs.fields import Choice, Number, Numbers, Rule, Text, plain_number, shown
from ridgeline.units import short_quantity

__all__ = [
    "EFFICIENCY",
    "ENGINE",
    "FORMATS",
    "FRAMEWORK",
    "GENERATION",
    "LAYOUT",
    "LIMITS",
    "LOSS",
    "MACHINE",
    "OUTPUT",
    "PRICE",
    "RECIPE",
    "RUN",
    "SPREAD",
    "STUDY",
    "TABLES",
    "TOKENS",
    "WORKLOAD",
    "AssumeHarmless",
    "Chip",
    "Csv",
    "CsvPoints",
    "Dark",
    "Explain",
    "Fetch",
    "FromCounts",
    "Json",
    "Model",
    "Out",
    "SetFields",
    "Wide",
    "default_text",
    "help_of", "ladder", "machine_names",
    "metavar_of", "model_names",
    "read_text",
    "takes", "words_of",
]  # fmt: skip

MACHINE: Final = Group("Model and machine", sort_key=1)
WORKLOAD: Final = Group(
    "Workload",
    sort_key=2,
    help="8k is 8,000 and 8Ki is 8,192. Commas separate values where several are taken "
    "(64,256,2400), else thousands (8,192).",
)
TOKENS: Final = Group(
    "Tokens",
    sort_key=2,
    help="One is enough: the others follow from equal cost. 15T is 15 trillion.",
)
LIMITS: Final = Group("Limits", sort_key=3)
EFFICIENCY: Final = Group("Efficiency", sort_key=4)
FORMATS: Final = Group("Formats", sort_key=4)
ENGINE: Final = Group("Engine", sort_key=5)
GENERATION: Final = Group("Generation", sort_key=5)
LAYOUT: Final = Group("Layout", sort_key=6)
RECIPE: Final = Group("Recipe", sort_key=6)
FRAMEWORK: Final = Group("Framework", sort_key=7)
LOSS: Final = Group("Loss", sort_key=5)
PRICE: Final = Group("Price", sort_key=7)
RUN: Final = Group("Run", sort_key=7)
TABLES: Final = Group("What was run, where the tables do not say", sort_key=8)
STUDY: Final = Group("What is measured", sort_key=8)
SPREAD: Final = Group("Where it runs", sort_key=8)
OUTPUT: Final = Group("Output", sort_key=9)


def machine_names(_: object) -> list[str]:
    """Names that a shell completes: of chips and clusters."""
    from ridgeline import catalog  # noqa: PLC0415  (only for completion)

    return [*catalog.entry_ids("chips"), *catalog.entry_ids("clusters")]


def model_names(_: object) -> list[str]:
    """Names that a shell completes: of models."""
    from ridgeline import catalog  # noqa: PLC0415  (only for completion)

    return catalog.entry_ids("models")


Model = Annotated[
    str | None,
    Parameter(
        completer=model_names,
        help="HuggingFace id of the catalogue, path of a config.json (or its folder), of a GGUF "
        "file or of a model TOML.",
    ),
]
Chip = Annotated[
    str | None,
    Parameter(
        completer=machine_names,
        group=MACHINE,
        metavar="NAME",
        help="Chip to put into the cluster instead of its own; without --on, a chip by itself.",
    ),
]
SetFields = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        group=MACHINE,
        metavar="FIELD=VALUE",
        help='Change any field, in SI units or with its unit: chip.memory.bandwidth="10 TB/s", '
        "model.n_kv_heads=4. May be repeated.",
    ),
]
FromCounts = Annotated[
    str | None,
    Parameter(
        group=MACHINE,
        metavar="COUNTS",
        help="A model known by numbers, instead of MODEL: active=37B,total=671B,kv=70272,bits=8 "
        "(parameters, bytes of KV per token, bits per weight).",
    ),
]
AssumeHarmless = Annotated[
    tuple[str, ...],
    Parameter(
        group=MACHINE,
        metavar="FIELD",
        consume_multiple=False,
        help="Field of the config.json to ignore although it is not understood. May be repeated.",
    ),
]
Fetch = Annotated[
    bool,
    Parameter(
        group=MACHINE,
        help="Read the config and the headers of the weights from the HuggingFace hub.",
    ),
]


def _picture_paths(_: object, tokens: Sequence[Token]) -> tuple[Path, ...]:
    """Paths of pictures; a wrong one is refused before anything is computed."""
    from ridgeline.charts.chart import PICTURE_SUFFIXES  # noqa: PLC0415  (only for pictures)

    for token in tokens:
        if Path(token.value).suffix.casefold() not in PICTURE_SUFFIXES:
            raise SpecError(
                f"pictures can be written as {', '.join(PICTURE_SUFFIXES)}; a file's name must end "
                f"in one, not {shown(token.value)}."
            )
    return tuple(Path(token.value) for token in tokens)


Out = Annotated[
    tuple[Path, ...],
    Parameter(
        group=OUTPUT,
        converter=_picture_paths,
        metavar="FILE",
        consume_multiple=False,
        help="Write the picture: .png, .svg, .html, .pdf or .json (Vega-Lite). May be repeated.",
    ),
]
Dark = Annotated[bool, Parameter(group=OUTPUT, help="Dark picture.")]
Explain = Annotated[
    bool, Parameter(group=OUTPUT, help="Show the working, with the numbers in the equations.")
]
Json = Annotated[bool, Parameter(group=OUTPUT, help="Everything as JSON.")]
Csv = Annotated[bool, Parameter(group=OUTPUT, help="The main table as CSV.")]
CsvPoints = Annotated[bool, Parameter(group=OUTPUT, name="--csv", help="Every point as CSV.")]
Wide = Annotated[
    bool,
    Parameter(group=OUTPUT, help="Show all columns of tables, however narrow the terminal."),
]


def takes(
    rule: Rule,
    about: str,
    group: Group,
    *,
    unit: str = "",
    name: str | Sequence[str] = (),
    metavar: str = "",
) -> Parameter:
    """Declare an option that a rule reads.

    Parameters
    ----------
    rule : Rule        Such as those of `specs.ranges`.
    about : str        What the option means, in a sentence.
    group : Group      Heading under which help lists it.
    unit : str         Of its number, where the rule has none: ``tokens``.
    name : str or several   As written, where it is not the parameter's; earlier names come last.
    metavar : str      What stands for the value; by the rule and the unit if not given.
    """

    def convert(_: object, tokens: Sequence[Token]) -> Any:
        return read_text(tokens[0].value, rule)

    return Parameter(
        name=name or None,
        group=group,
        converter=convert,
        n_tokens=1,
        help=help_of(rule, about, unit),
        metavar=metavar or metavar_of(rule, unit),
        completer=words_of(rule),
        show_default=lambda value: default_text(value, rule),
    )


def words_of(rule: Rule | None) -> Callable[[object], Sequence[str]] | None:
    """The completer of an option that takes one of a few words; None for others."""
    return (lambda _: rule.words) if isinstance(rule, Choice) else None


def read_text(text: str, rule: Rule) -> Any:
    """Read text of the command line by a rule.

    Parameters
    ----------
    text : str    Where several values are taken, a range is what `ladder` makes of it.
    rule : Rule   It says the unit of a bare number.

    Raises
    ------
    SpecError   Not what the rule takes.
    """
    if not isinstance(rule, Numbers):
        return rule.read_typed(text)
    try:
        return rule.read(_ladder(text, rule)) if ":" in text else rule.read_typed(text)
    except SpecError as error:
        raise SpecError(f"{error} Several values are written 1,64,2400, a range 1:16384.") from None


def _ladder(text: str, rule: Numbers) -> Any:
    if text.count(":") > 2:
        raise rule.refused(text)
    return ladder(text, rule.each.read_typed)


def ladder(text: str, read: Callable[[str], float]) -> Any:
    """Read a range of values, evenly spaced by ratio.

    Parameters
    ----------
    text : str        ``1:16384``, four values a doubling; ``1:16384:100``, so many values.
    read : callable   Of each end.

    Returns
    -------
    1-D array of float   Between whole numbers all are whole, each once.

    Raises
    ------
    SpecError   No such range.
    """
    low_text, _, rest = text.partition(":")
    high_text, colon, n_text = rest.partition(":")
    low, high = read(low_text), read(high_text)
    if not 0 < low <= high:
        raise SpecError(
            "a range from a number above 0 to one that is not below it is expected, not "
            f"{shown(text)}."
        )
    from ridgeline.grid import logspace, spaced  # noqa: PLC0415  (only for a range)

    return spaced(low, high, int(_VALUES.read_typed(n_text))) if colon else logspace(low, high)


#: of a range, in how many values it is cut
_VALUES: Final = Number(2, 10**8, whole=True)


def help_of(rule: Rule | None, about: str, unit: str = "") -> str:
    """What help says of an option: its meaning, unit and range."""
    notes = [unit] if unit not in ("", "s", "USD/h") else []
    if rule is not None:
        notes += [f"a bare number is in {rule.bare_unit}"] if rule.bare_unit else []
        notes += [rule.range] if rule.range else []
    return f"{about} [{'; '.join(notes)}]" if notes else about


_METAVARS: Final = {"s": "TIME", "tokens": "TOKENS", "USD/h": "USD", "1/s": "RATE"}


def metavar_of(rule: Rule | None, unit: str = "") -> str:
    """What stands for the value in help."""
    several = isinstance(rule, Numbers)
    each = rule.each if isinstance(rule, Numbers) else rule
    of = unit or getattr(each, "dimension", "")
    if of in _METAVARS:
        found = _METAVARS[of]
    elif isinstance(each, Number) or (isinstance(each, Choice) and each.number):
        found = "N"
    elif isinstance(each, Choice):
        found = "WORD"
    else:
        found = "NAME" if isinstance(each, Text) or each is None else "VALUE"
    return f"{found}[,{found}...]" if several else found


def default_text(value: object, rule: Rule | None = None) -> str | None:
    """How help writes a default; None for what is no more than "not given"."""
    if value is None or value is False or value in ("", ()):
        return None
    if isinstance(value, tuple | list):
        return ",".join(str(default_text(v, rule)) for v in value)
    if isinstance(value, float) and isinstance(rule, Number) and rule.dimension:
        return short_quantity(value, rule.dimension)
    if isinstance(value, float):
        return plain_number(value)
    return str(value).removeprefix("mean <= ")  # as a limit on a mean is typed
