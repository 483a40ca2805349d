"""Number types that carry their unit: the annotations used by every record.

A field typed `Bytes` takes ``"141 GB"`` or a plain SI number and holds a float in bytes.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from pydantic_core import core_schema

from ridgeline.errors import UnitError
from ridgeline.specs.fields import plain_number
from ridgeline.units import BOUNDS, DIMENSIONS, parse_quantity

__all__ = [
    "Bytes",
    "BytesPerSecond",
    "Count",
    "FlopsPerSecond",
    "PositiveCount",
    "Seconds",
    "Usd",
    "UsdPerHour",
    "Watts",
]


class _Quantity:
    """Pydantic annotation: parse text with a unit, keep a positive finite SI float."""

    def __init__(self, dimension: str) -> None:
        self.dimension = dimension

    def _parse(self, value: object) -> float:
        try:
            number = parse_quantity(value, self.dimension)
        except UnitError as error:
            raise ValueError(str(error)) from None
        if number <= 0:
            what, example = DIMENSIONS[self.dimension]
            raise ValueError(f"{value!r} is not positive; {what} such as {example!r} is expected.")
        low, high = BOUNDS[self.dimension]
        if not low <= number <= high:
            what, example = DIMENSIONS[self.dimension]
            bounds = f"from {plain_number(low)} to {plain_number(high)} {self.dimension}"
            raise ValueError(f"{what} {bounds} is expected, such as {example!r}")
        return number

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._parse)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        what, example = DIMENSIONS[self.dimension]
        plain = [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "examples": [example]},
        ]
        sourced = {
            "type": "object",
            "properties": {
                "value": {"anyOf": plain},
                "source": {"type": "string"},
                "kind": {"type": "string"},
                "date": {"type": "string"},
                "low": {"anyOf": plain},
                "high": {"anyOf": plain},
                "note": {"type": "string"},
            },
            "required": ["value"],
            "additionalProperties": False,
        }
        return {
            "anyOf": [*plain, sourced],
            "unit": self.dimension,
            "description": f"{what[0].upper()}{what[1:]} in {self.dimension}, or text such as "
            f"{example!r}, or a table with its value and source.",
        }


Bytes = Annotated[float, _Quantity("B")]
BytesPerSecond = Annotated[float, _Quantity("B/s")]
FlopsPerSecond = Annotated[float, _Quantity("FLOP/s")]
Watts = Annotated[float, _Quantity("W")]
Seconds = Annotated[float, _Quantity("s")]
Usd = Annotated[float, _Quantity("USD")]
UsdPerHour = Annotated[float, _Quantity("USD/h")]

# Sizes beyond any model or machine are typing errors; a bound turns them into a message.
Count = Annotated[int, Field(ge=0, le=10**12)]
PositiveCount = Annotated[int, Field(ge=1, le=10**12)]
