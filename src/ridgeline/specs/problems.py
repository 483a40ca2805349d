"""What the validation library finds wrong, in plain words."""

from __future__ import annotations

from typing import Any, Final

from ridgeline.specs.shown import plain_number, shown

__all__ = ["problem_words"]

_SHORT = 60

#: beginning of a problem's type -> what was expected
_EXPECTED: Final = {
    "int_": "a whole number",
    "float_": "a number",
    "decimal_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_": "text",
    "model_": "a table of fields",
    "dict_": "a table of fields",
    "mapping_": "a table of fields",
    "dataclass_": "a table of fields",
    "list_": "a list",
    "tuple_": "a list",
    "set_": "a list",
    "frozen_set_": "a list",
    "is_instance_of": "a record",
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "a number of at least {}"),
    "greater_than": ("gt", "a number above {}"),
    "less_than_equal": ("le", "a number of at most {}"),
    "less_than": ("lt", "a number below {}"),
}


def problem_words(problem: Any) -> str:
    """One problem as a sentence: what is expected, and what it was.

    Parameters
    ----------
    problem : dict   Of pydantic's ``ValidationError.errors()``, with its context.

    Examples
    --------
    >>> problem_words({"type": "int_parsing", "input": "x", "msg": "", "ctx": {}})
    "a whole number is expected, not 'x'."
    >>> problem_words({"type": "greater_than_equal", "input": -4, "msg": "", "ctx": {"ge": 1}})
    'a number of at least 1 is expected, not -4.'
    """
    kind, given = problem["type"], problem["input"]
    context = problem.get("ctx") or {}
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = context.get(name)
        limit = plain_number(float(bound)) if isinstance(bound, int | float) else str(bound)
        return f"{words.format(limit)} is expected, not {shown(given)}."
    if kind in ("literal_error", "enum"):
        words = str(context.get("expected", "")).replace("'", "")
        return f"one of {words} is expected, not {shown(given)}."
    for start, expected in _EXPECTED.items():
        if kind.startswith(start) and "too_" not in kind and "pattern" not in kind:
            return f"{expected} is expected, not {shown(given)}."
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "value_error" and (isinstance(given, dict) or _is_said(given, message)):
        return message
    return f"{message.rstrip('.')} (got {_short(given)})."


def _is_said(given: object, message: str) -> bool:
    return _short(given) in message or shown(given) in message


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}…"
