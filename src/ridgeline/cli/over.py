"""Axes and reductions of a sweep, as typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ridgeline.cli.declare import ladder
from ridgeline.errors import SpecError, did_you_mean, there_is_no
from ridgeline.grid import Best, Histogram, Pareto
from ridgeline.questions.sweep import COLUMNS
from ridgeline.steps.axes import axis_values
from ridgeline.steps.bind import bound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.grid import Reduction

__all__ = ["FITTING", "Kept", "axes_from", "kept_from", "split"]

#: axes that take names, not numbers
_NAMED: Final = ("model", "cluster")
#: of these columns more is better
_LARGER: Final = {"tokens_per_s_per_chip"}
_SIDES: Final = ("smallest", "largest")
#: bins of a histogram: 1, 2 and 5 of each decade, wide enough for all columns
_BINS: Final = np.asarray([d * 10.0**e for e in range(-9, 19) for d in (1, 2, 5)])
#: name of the count of points that fit
FITTING: Final = "points that fit"


def axes_from(texts: Mapping[str, str], records: Mapping[str, Any]) -> dict[str, Any]:
    """Read the values of axes.

    Parameters
    ----------
    texts : mapping     Name of a field to its values, as `split` gives them; names apart.
    records : mapping   That paths lead into; see `ridgeline.steps.bind`.

    Returns
    -------
    dict   Name of an axis to its values, as `sweep` takes them.

    Raises
    ------
    SpecError   No field of this name, or values that it does not take.
    """
    found: dict[str, Any] = {}
    for name, values in texts.items():
        try:
            found[name] = _values(name, values, records)
        except SpecError as error:
            why = str(error).removeprefix(f"Axis {name!r}: ")
            raise SpecError(f"--over {name}: {why}") from None
    return found


def split(texts: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Part ``load.batch=1:1024`` into its field and its values; axes of names come first.

    Raises
    ------
    SpecError   No such pair, a missing value, or an axis that is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not name or not values:
            raise SpecError(
                f"--over {text!r}: FIELD=VALUES is expected, such as load.batch=1:1024 or "
                "cluster.chip.memory.bandwidth=3e12,4e12."
            )
        if name in found:
            raise SpecError(f"--over {name} is given twice; write its values in one list.")
        if not all(part.strip() for part in values.split(",")):
            raise SpecError(f"--over {name}: a value is missing in {values!r}.")
        found[name] = values
    names = {n: [w.strip() for w in found.pop(n).split(",")] for n in _NAMED if n in found}
    return names, found


def _values(name: str, text: str, records: Mapping[str, Any]) -> Any:
    parts = [part.strip() for part in text.split(",")]
    bound(records, {name: 1.0})  # refuses a path that leads nowhere
    if ":" not in text:
        return axis_values(records, name, parts)
    if len(parts) > 1 or text.count(":") > 2:
        raise SpecError(
            f"a list such as 1,64,2400, a range 1:1024, or one of so many values 1:1024:100 is "
            f"expected, not {text!r}."
        )
    return ladder(text, lambda end: float(axis_values(records, name, [end])[0]))


class Kept(NamedTuple):
    """What is kept of a sweep, instead of a table of it."""

    title: str
    reduction: Reduction

    @property
    def is_count(self) -> bool:
        """Whether it counts points, and names none."""
        return isinstance(self.reduction, Histogram)

    def bins(self, counts: np.ndarray) -> list[dict[str, Any]]:
        """The bins of a histogram that hold points."""
        assert isinstance(self.reduction, Histogram)
        edges = self.reduction.edges
        return [
            {"from": float(edges[i]), "to": float(edges[i + 1]), "points": int(counts[i])}
            for i in np.flatnonzero(counts)
        ]

    @property
    def column(self) -> str:
        """Of a histogram."""
        assert isinstance(self.reduction, Histogram)
        return self.reduction.column


def kept_from(
    best: Sequence[str], pareto: Sequence[str], histogram: Sequence[str], top: int
) -> dict[str, Kept]:
    """Read ``--best COLUMN[:largest]``, ``--pareto X,Y`` and ``--histogram COLUMN``.

    Returns
    -------
    dict   Name to what is kept, fresh; of points that fit.

    Raises
    ------
    SpecError   No such column.
    """
    found: dict[str, Kept] = {}
    for text in best:
        column, largest = _column("--best", text)
        side = "largest" if largest else "smallest"
        found[f"best {column}"] = Kept(
            f"{side.capitalize()} {COLUMNS[column][1]}",
            Best(column, top, largest=largest, where="fits"),
        )
    for text in pareto:
        pair = text.split(",")
        if len(pair) != 2:
            raise SpecError(
                f"--pareto {text!r}: two columns are expected, such as "
                "tokens_per_s_per_chip,time_s."
            )
        (x, large_x), (y, large_y) = (_column("--pareto", part.strip()) for part in pair)
        found[f"pareto {x},{y}"] = Kept(
            f"Pareto front of {COLUMNS[x][1]} and {COLUMNS[y][1]}",
            Pareto(x, y, smaller_x=not large_x, smaller_y=not large_y, where="fits"),
        )
    for text in histogram:
        column, _ = _column("--histogram", text)
        found[f"histogram {column}"] = Kept(
            f"Points by {COLUMNS[column][1]}", Histogram(column, _BINS, where="fits")
        )
    if found:
        every = Histogram("time_s", np.asarray([0, np.inf]), where="fits")
        found[FITTING] = Kept("Points that fit", every)
    return found


def _column(option: str, text: str) -> tuple[str, bool]:
    """A column, and whether its largest values are the best."""
    column, colon, side = text.partition(":")
    if column not in COLUMNS:
        raise SpecError(f"{option}: {there_is_no('column', column, COLUMNS)}")
    if colon and side not in _SIDES:
        raise SpecError(
            f"{option} {text!r}: {' or '.join(_SIDES)} is expected after the colon."
            f"{did_you_mean(side, _SIDES)}"
        )
    return column, side == "largest" if colon else column in _LARGER
