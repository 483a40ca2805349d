"""Token lengths of requests: a number, a range with or without a mean, or a file of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ridgeline.errors import SpecError, UnitError
from ridgeline.specs.distributions import bin_means, exponent, log_moment, power_quantile
from ridgeline.specs.fields import is_number, plain_number, shown
from ridgeline.specs.length_files import is_length_file, read_columns
from ridgeline.units import parse_count

__all__ = ["Lengths", "check_parts", "length", "of_requests", "plain_list"]

_LEAST, _MOST = 1.0, 1e9
_MOST_PARTS = 100_000
_SAME = 1e-9
_FORMS = (
    "a length such as 2048 or 8k, a range such as 512:8k or 512:8k@mean=2k, or a file of lengths "
    "(.txt, .csv, .json, .jsonl)"
)


@dataclass(frozen=True)
class Lengths:
    """How many tokens the inputs, or the outputs, of requests have.

    Three kinds: all of one length; a range, of which the mean may be known; lengths of real
    requests. Make one with `of`.

    Attributes
    ----------
    low, high : float           Shortest and longest. [tokens]
    mean : float                [tokens]
    values : tuple of float     Distinct lengths of real requests, growing; empty for the other
                                kinds. [tokens]
    counts : tuple of int       How many requests have each.
    source : str                File that they are from.

    Notes
    -----
    A range is log-uniform: every doubling is as likely as the next. With a mean, it is the
    log-uniform distribution tilted by a power of the length until it has that mean (see
    `specs.distributions`). Against a truncated log-normal, the tilt needs no width that nobody
    states, reaches every mean between the bounds, and has its quantiles and moments in closed form.
    Given the mean and the 1st and 99th percentile of twelve public sets of lengths (Azure 2023,
    Mooncake, ShareGPT, arXiv summaries), its variance is 1.1 times theirs in the median and 0.85 to
    1.7 times in eleven; for outputs that are nearly all tiny (Azure's code completion) it is 0.4
    times. Bounds at the extremes of a set give up to five times: state those that nearly all
    lengths keep.

    Examples
    --------
    >>> Lengths.of("512:8k@mean=2k")
    Lengths('512:8000@mean=2000')
    >>> Lengths.of(2048).mean
    2048.0
    """

    low: float
    high: float
    mean: float
    values: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    source: str = ""

    @classmethod
    def of(cls, value: object, column: str = "") -> Lengths:
        """Read lengths.

        Parameters
        ----------
        value : number, str, sequence, mapping or Lengths   A length; text in one of its forms
                       (``2k`` is 2000, ``2Ki`` is 2048); lengths of real requests; or what `plain`
                       gave.
        column : str   ``isl`` or ``osl``: which column of a trace is meant.

        Raises
        ------
        SpecError   None of these, or lengths that cannot be; says which.
        """
        plain = value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(plain, Lengths):
            return plain
        if is_number(plain):
            fixed = length(plain)
            return cls(fixed, fixed, fixed)
        if isinstance(plain, str):
            return _from_text(plain.strip(), column)
        if isinstance(plain, Mapping):
            return _from_plain(plain)
        if isinstance(plain, Sequence) and not isinstance(plain, bytes | bytearray):
            return of_requests([length(v) for v in plain])
        raise SpecError(f"{_FORMS} is expected, not {shown(value)}.")

    @classmethod
    def between(cls, low: float, high: float, mean: float | None = None) -> Lengths:
        """Lengths in a range.

        Parameters
        ----------
        low, high : float      Shortest and longest. [tokens]
        mean : float or None   Strictly between them; None for the log-uniform one's. [tokens]

        Raises
        ------
        SpecError   Bounds in the wrong order, or a mean that is not between them.
        """
        a, b = length(low), length(high)
        if a > b:
            raise SpecError(
                f"the range {plain_number(a)}:{plain_number(b)} ends below its start: write the "
                "shorter length first."
            )
        usual = (b - a) / math.log1p((b - a) / a) if b > a else a
        if mean is None:
            return cls(a, b, min(max(usual, a), b))
        wanted = length(mean)
        if not (a < wanted < b or a == wanted == b):
            raise SpecError(
                f"a mean between {plain_number(a)} and {plain_number(b)} is expected, not "
                f"{plain_number(wanted)}."
            )
        return cls(a, b, wanted)

    # --- what they are

    @property
    def is_fixed(self) -> bool:
        """Whether all requests have one length."""
        return self.low == self.high

    @cached_property
    def _exponent(self) -> float:
        return exponent(self.mean / self.low, self._span)

    @property
    def _span(self) -> float:
        return math.log(self.high / self.low)

    @cached_property
    def _arrays(self) -> tuple[Any, Any]:
        """Distinct lengths, and the share of requests up to each."""
        return np.asarray(self.values), np.cumsum(self.counts) / sum(self.counts)

    @cached_property
    def second_moment(self) -> float:
        """Mean of the squared length. [tokens^2]"""
        if self.is_fixed:
            return self.mean**2
        if self.values:
            return float(np.average(np.square(self.values), weights=self.counts))
        log_ratio = float(log_moment(2, self._exponent, self._span))
        return max(self.low**2 * math.exp(log_ratio), self.mean**2)

    @property
    def variation(self) -> float:
        r"""Squared coefficient of variation, :math:`c^2 = \mathrm{Var}[x] / E[x]^2`. [1]"""
        return max(self.second_moment / self.mean**2 - 1, 0.0)

    def percentile(self, p: Any) -> Any:
        """Length that p percent of the requests do not exceed.

        Parameters
        ----------
        p : array   From 0 to 100. [%]

        Returns
        -------
        array   A float for a number. [tokens]

        Raises
        ------
        SpecError   Outside of 0 to 100.
        """
        share = np.asarray(p, dtype=float) / 100
        if not np.all((share >= 0) & (share <= 1)):
            raise SpecError("percentile: numbers from 0 to 100 are expected.")
        if self.is_fixed:
            found = np.full_like(share, self.mean)
        elif self.values:
            values, up_to = self._arrays
            found = values[np.minimum(np.searchsorted(up_to, share - _SAME), len(values) - 1)]
        else:
            found = self.low * np.exp(power_quantile(share, self._exponent, self._span))
            found = np.clip(found, self.low, self.high)
        return float(found) if np.ndim(found) == 0 else found

    def quantiles(self, k: int) -> Any:
        """Representative lengths, equally likely, with exactly this mean: for quadrature.

        Parameters
        ----------
        k : int   How many. [1]

        Returns
        -------
        array   k growing lengths, each the mean of its part of the requests; only one where all
                requests have one length. [tokens]

        Raises
        ------
        SpecError   k is not a whole number from 1 to 100,000.

        Notes
        -----
        What varies within a part is lost: with 8 parts 3 to 6% of the variance of a range over four
        octaves, with 16 a third of that, but half of it and more where few requests are very long.
        `second_moment` has all of it, and `LengthTrace.pairs` keeps more with unequal weights.

        Examples
        --------
        >>> Lengths.between(512, 8192, 2048).quantiles(4).mean().item()
        2048.0
        """
        check_parts(k)
        if self.is_fixed:
            return np.asarray([self.mean])
        if self.values:
            values, up_to = self._arrays
            edges = np.linspace(0.0, 1.0, k + 1)
            # The integral of the quantile function is piecewise linear in the share.
            total = np.cumsum(values * np.diff(up_to, prepend=0.0))
            found = np.diff(np.interp(edges, [0.0, *up_to], [0.0, *total])) * k
        else:
            found = self.low * bin_means(k, self._exponent, self._span)
        return found * (self.mean / found.mean())

    # --- how they are written

    def plain(self) -> Any:
        """In JSON types that `of` reads back: a number, text, or a table of real lengths."""
        if self.values:
            return {
                "values": list(self.values), "counts": list(self.counts), "source": self.source
            }  # fmt: skip
        return self.mean if self.is_fixed else self._text

    @property
    def _text(self) -> str:
        if self.is_fixed:
            return plain_number(self.mean)
        bounds = f"{plain_number(self.low)}:{plain_number(self.high)}"
        if Lengths.between(self.low, self.high).mean == self.mean:
            return bounds
        return f"{bounds}@mean={plain_number(self.mean)}"

    def __str__(self) -> str:
        if self.is_fixed:
            return f"{self.mean:,.0f}"
        return f"{self.low:,.0f} to {self.high:,.0f} (mean {self.mean:,.0f})"

    def __repr__(self) -> str:
        if not self.values:
            return f"Lengths({self._text!r})"
        return f"Lengths of {sum(self.counts):,} requests: {self}"


def check_parts(k: int) -> None:
    """Raise a `SpecError` unless k is a whole number from 1 to 100,000."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= _MOST_PARTS:
        raise SpecError(f"k: a whole number from 1 to {_MOST_PARTS:,} is expected, not {shown(k)}.")


def plain_list(value: object) -> Sequence[Any]:
    """A list of plain values from any sequence or array.

    Raises
    ------
    SpecError   Not a list.
    """
    plain = value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        raise SpecError(f"a list of lengths is expected, not {shown(value)}.")
    return plain


def length(value: object) -> float:
    """One length, from a number or its text.

    Raises
    ------
    SpecError   Not a length from 1 to 1e9 tokens.
    """
    try:
        if is_number(value) or isinstance(value, str):
            number = parse_count(value) if isinstance(value, str) else float(value)  # pyright: ignore[reportArgumentType]
            if _LEAST <= number <= _MOST:
                return number
    except (UnitError, OverflowError):
        pass
    raise SpecError(f"a length from 1 to 1e9 tokens is expected, not {shown(value)}.")


def _from_text(text: str, column: str) -> Lengths:
    if is_length_file(text):
        return _from_file(text, column)
    bounds, at, mean = text.partition("@")
    low, colon, high = bounds.partition(":")
    name, _, number = mean.partition("=")
    if colon and (not at or (name.strip() == "mean" and number)):
        return Lengths.between(*(length(t.strip()) for t in (low, high, *([number] if at else []))))
    try:
        return Lengths.of(parse_count(text))
    except UnitError:
        raise SpecError(f"{_FORMS} is expected, not {shown(text)}.") from None


def _from_file(text: str, column: str) -> Lengths:
    columns = read_columns(Path(text))
    if "" in columns:
        return of_requests(columns[""], text)
    if column and column not in columns:
        raise SpecError(f"{text} has no column of {'inputs' if column == 'isl' else 'outputs'}.")
    if not column and len(columns) > 1:
        raise SpecError(f"{text} has both inputs and outputs: read it as isl or as osl.")
    return of_requests(columns[column] if column else next(iter(columns.values())), text)


def of_requests(lengths: list[float], source: str = "") -> Lengths:
    """Lengths of real requests.

    Parameters
    ----------
    lengths : list   Of each request. [tokens]
    source : str     File that they are from.

    Raises
    ------
    SpecError   The list is empty.
    """
    if not lengths:
        raise SpecError("a list of lengths is empty.")
    values, counts = np.unique(lengths, return_counts=True)
    if len(values) == 1:
        return Lengths.of(float(values[0]))
    mean = math.fsum(lengths) / len(lengths)
    distinct = tuple(values.tolist())
    return Lengths(distinct[0], distinct[-1], mean, distinct, tuple(counts.tolist()), source)


def _from_plain(table: Mapping[Any, Any]) -> Lengths:
    values, counts = (plain_list(table.get(n)) for n in ("values", "counts"))
    if set(table) - {"values", "counts", "source"} or len(values) != len(counts):
        raise SpecError("a table of lengths has values, as many counts, and a source.")
    if not all(isinstance(n, int) and 1 <= n <= _MOST for n in counts):
        raise SpecError("counts are whole numbers from 1 to 1e9.")
    lengths = [length(v) for v in values]
    if lengths != sorted(set(lengths)) or len(lengths) < 2:
        raise SpecError("values are two lengths or more, each once, growing.")
    mean = math.fsum(v * n for v, n in zip(lengths, counts, strict=True)) / sum(counts)
    source = str(table.get("source", ""))
    return Lengths(lengths[0], lengths[-1], mean, tuple(lengths), tuple(counts), source)
