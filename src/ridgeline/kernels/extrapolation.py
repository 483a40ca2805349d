"""Chips unlike any that was measured: how far beyond, and what that adds to intervals.

The laws carry a chip's own peak and bandwidth; what was fitted is the share of them that kernels
reach. It differs from chip to chip, and may drift with peak, bandwidth and their ratio. On the
chips measured a drift cannot be told from scatter; beyond them it adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import chip as chip_of
from ridgeline.catalog import engine_constants, family_of, widest_constants
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip

__all__ = ["Beyond", "beyond", "beyond_words", "extrapolation_sigma"]


@dataclass(frozen=True, slots=True)
class Beyond:
    """A figure of a chip that lies outside the chips measured.

    Attributes
    ----------
    what : str            ``bf16 peak``, ``memory bandwidth`` or ``FLOPs per byte``.
    unit : str            Of the figure.
    value : array         Of the chip.
    low, high : float     Of the chips measured.
    drift : array         How far outside, in standard deviations of ln of the chips measured, over
                          the root of their number: see `extrapolation_sigma`. [1]
    """

    what: str
    unit: str
    value: Any
    low: float
    high: float
    drift: Any


#: the kernels whose measured chips are the range
_GROUP = "bf16"
_CHIP = "chip "
#: ln of a figure this little outside is as good as inside
_NEAR = 0.05


@cache
def _measured(family: str) -> tuple[tuple[Chip, ...], tuple[Chip, ...]]:
    """Chips whose range a family is held to, and all that were measured.

    All are those whose kernels were measured, and those of the family on which engines were. Of a
    family without measured kernels only the latter tell how its share of the peak goes.
    """
    kernels = widest_constants().product[_GROUP].members
    engines = [s.removeprefix(_CHIP) for s in engine_constants().seen if s.startswith(_CHIP)]
    own = [name for name in engines if family_of(chip_of(name)) == family]
    everyone = tuple(chip_of(name) for name in dict.fromkeys([*kernels, *own]))
    if not own or family in {family_of(chip_of(name)) for name in kernels}:
        return everyone, everyone
    return tuple(chip_of(name) for name in own), everyone


@cache
def _between() -> float:
    """Standard deviation of ln of the share of the peak, from one measured chip to another. [1]"""
    return widest_constants().product[_GROUP].compute_efficiency.sigma


def _figures(chip: Chip) -> dict[str, tuple[str, Any]]:
    peak, bandwidth = chip.peak.get("bf16"), chip.memory.bandwidth
    found = {"memory bandwidth": ("B/s", bandwidth)}
    if peak is not None:
        found |= {"bf16 peak": ("FLOP/s", peak), "FLOPs per byte": ("1", peak / bandwidth)}
    return found


def beyond(chip: Chip) -> list[Beyond]:
    """Figures of a chip outside the range of the chips measured.

    Parameters
    ----------
    chip : Chip   Numeric fields may hold arrays.

    Returns
    -------
    list of Beyond   Empty for a chip that was measured itself, and where all lies within the chips
                     whose kernels were measured and those of its family on which engines were; of
                     a family without measured kernels, within the latter alone.

    Examples
    --------
    >>> from ridgeline.catalog import chip
    >>> beyond(chip("h200-nvl"))
    []
    >>> [b.what for b in beyond(chip("groq-lpu-v1"))]
    ['memory bandwidth', 'FLOPs per byte']

    Engines were measured on MI250 and MI300X alone of AMD's chips with HBM:

    >>> [b.what for b in beyond(chip("mi355x"))]
    ['memory bandwidth', 'bf16 peak', 'FLOPs per byte']
    """
    known, everyone = _measured(family_of(chip))
    measured, all_measured = ([_figures(one) for one in chips] for chips in (known, everyone))
    found = []
    for what, (unit, value) in _figures(chip).items():
        logs = np.log([own[what][1] for own in measured])
        at = np.log(value)
        outside = np.maximum(np.maximum(logs.min() - at, at - logs.max()), 0.0)
        if np.any(outside > _NEAR):
            low, high = float(np.exp(logs.min())), float(np.exp(logs.max()))
            spread = np.log([own[what][1] for own in all_measured]).std()
            drift = outside / spread / len(logs) ** 0.5
            found.append(Beyond(what, unit, value, low, high, drift))
    return found


def beyond_words(chip: Chip) -> str:
    """How a chip is unlike those measured, without a full stop; blank where it is not.

    Parameters
    ----------
    chip : Chip

    Examples
    --------
    >>> from ridgeline.catalog import chip
    >>> beyond_words(chip("h200-nvl"))
    ''
    """
    each = [
        f"{f.what} {_figure(f.value, f.unit)} (theirs {_figure(f.low, f.unit)} to "
        f"{_figure(f.high, f.unit)})"
        for f in beyond(chip)
    ]
    return f"{chip.name} is unlike the chips measured: {', '.join(each)}" if each else ""


def _figure(value: float, unit: str) -> str:
    if unit == "1":
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return format_quantity(value, unit)


def extrapolation_sigma(chip: Chip) -> Any:
    r"""Standard deviation of ln t for a chip unlike those measured; 0 within their range. [1]

    .. math:: \sigma^2 = \sum_x s^2 \frac{d_x^2}{n\,s_x^2}

    Parameters
    ----------
    chip : Chip   Numeric fields may hold arrays.

    Returns
    -------
    array

    Notes
    -----
    The error of a straight line through n chips whose shares of the peak scatter by s and whose
    figures (ln of peak, bandwidth, ratio) by s_x, a distance d_x beyond them. Figures count as
    independent. Of a family without measured kernels n counts its own chips, and d_x is from their
    range; s and s_x stay those of all, so that two chips alike do not seem to tell nothing.
    """
    total: Any = 0.0
    for figure in beyond(chip):
        total = total + (_between() * figure.drift) ** 2
    return total**0.5
