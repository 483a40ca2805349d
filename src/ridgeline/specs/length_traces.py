"""Input and output lengths of real requests, together, and the few pairs that stand for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.specs.length_files import read_columns
from ridgeline.specs.lengths import Lengths, check_parts, length, of_requests, plain_list

__all__ = ["LengthPairs", "LengthTrace"]

_TINY = 1e-18


class LengthPairs(NamedTuple):
    """Representative requests.

    Attributes
    ----------
    weight : array     Share of the requests that each stands for; they add up to 1. [1]
    isl, osl : array   Input and output lengths. [tokens]
    """

    weight: Any
    isl: Any
    osl: Any


@dataclass(frozen=True)
class LengthTrace:
    """Input and output lengths of real requests, together: long inputs may have short outputs.

    Attributes
    ----------
    isl, osl : tuple of float   Of each request. [tokens]
    source : str                File that they are from.
    """

    isl: tuple[float, ...]
    osl: tuple[float, ...]
    source: str = ""

    @classmethod
    def of(cls, value: object) -> LengthTrace:
        """Read a trace.

        Parameters
        ----------
        value : LengthTrace, str or mapping   Path of a file with both columns, or ``{"isl": …,
                                              "osl": …}``.

        Raises
        ------
        SpecError   A file without both columns, or lists that do not belong together.
        """
        if isinstance(value, LengthTrace):
            return value
        if isinstance(value, str):
            columns = read_columns(Path(value))
            if not {"isl", "osl"} <= set(columns):
                raise SpecError(f"{value} does not have a column of inputs and one of outputs.")
            return cls.of({**columns, "source": value})
        if not isinstance(value, Mapping) or set(value) - {"source"} != {"isl", "osl"}:
            raise SpecError("a trace is a file, or a table of isl and osl.")
        isl, osl = ([length(v) for v in plain_list(value[n])] for n in ("isl", "osl"))
        if len(isl) != len(osl) or not isl:
            raise SpecError(
                f"a trace has an isl and an osl per request, not {len(isl):,} and {len(osl):,}."
            )
        return cls(tuple(isl), tuple(osl), str(value.get("source", "")))

    @property
    def lengths(self) -> tuple[Lengths, Lengths]:
        """Lengths of the inputs and of the outputs, each by itself."""
        return tuple(of_requests(list(v), self.source) for v in (self.isl, self.osl))  # pyright: ignore[reportReturnType]

    @cached_property
    def mean_product(self) -> float:
        """Mean of input times output length. [tokens^2]"""
        return float(np.mean(np.multiply(self.isl, self.osl)))

    def pairs(self, k: int) -> LengthPairs:
        """Cluster the requests.

        Parameters
        ----------
        k : int   Clusters at most. [1]

        Returns
        -------
        LengthPairs   Each the mean of its cluster, so that the means over all are exactly the
                      trace's; fewer where fewer are distinct.

        Raises
        ------
        SpecError   k is not a whole number from 1 to 100,000.

        Notes
        -----
        The cluster whose lengths, over their mean, vary most in sum is cut at its mean along the
        longer axis, until there are k. Long requests, which weigh most on memory and time, are thus
        separated first.
        """
        check_parts(k)
        points = np.column_stack([self.isl, self.osl])
        scaled = points / points.mean(axis=0)
        clusters = [np.arange(len(points))]
        spread = [_scatter(scaled)]
        while len(clusters) < k:
            worst = int(np.argmax([s.max() for s in spread]))
            if spread[worst].max() <= _TINY:
                break
            chosen = clusters.pop(worst)
            axis = int(spread.pop(worst).argmax())
            values = scaled[chosen, axis]
            above = values > values.mean()
            for part in (chosen[~above], chosen[above]):
                clusters.append(part)
                spread.append(_scatter(scaled[part]))
        weight = np.asarray([len(c) for c in clusters]) / len(points)
        centres = np.asarray([points[c].mean(axis=0) for c in clusters])
        return LengthPairs(weight, centres[:, 0], centres[:, 1])

    def plain(self) -> dict[str, Any]:
        """In JSON types that `of` reads back."""
        return {"isl": list(self.isl), "osl": list(self.osl), "source": self.source}

    def __repr__(self) -> str:
        isl, osl = self.lengths
        return f"LengthTrace of {len(self.isl):,} requests: {isl} in, {osl} out"


def _scatter(points: Any) -> Any:
    """Sum of squared distances from the mean, per axis."""
    return np.square(points - points.mean(axis=0)).sum(axis=0)
