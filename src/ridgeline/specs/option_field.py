"""Declare a field of a question as an option: its meaning, unit and flat name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["option", "option_name", "option_unit"]


def option(
    default: Any, description: str, unit: str = "", *, name: str | None = "", factory: Any = None
) -> Any:
    """Declare a field: its default, what it means in one sentence, and its unit.

    Parameters
    ----------
    default : object    None for not given; ``...`` for a field that must be given.
    description : str   A sentence in plain English, for help, schema and forms.
    unit : str          Of the number, as written in brackets: ``tokens``, ``s``, ``1/s``.
    name : str or None  The option's flat name, where it is not the field's; None for a field that
                        is no option by itself.
    factory : callable or None   Makes the default instead.
    """
    from pydantic import Field  # noqa: PLC0415  (rules of fields are of use without records)

    extra: dict[str, Any] = {"unit": unit}
    if name != "":
        extra["option"] = name
    if hasattr(default, "plain"):
        extra["default"] = default.plain()
    if factory is not None:
        return Field(default_factory=factory, description=description, json_schema_extra=extra)
    return Field(default, description=description, json_schema_extra=extra)


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}


def option_name(field: FieldInfo, name: str) -> str | None:
    """Flat name of a field: its own unless declared otherwise; None for a field without one."""
    return _extra(field).get("option", name)


def option_unit(field: FieldInfo) -> str:
    """Unit of a field; empty for words."""
    return str(_extra(field).get("unit", ""))
