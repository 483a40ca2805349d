"""What an unmeasured chip may differ by: at least what the measured ones of its kin do."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from ridgeline.catalog import chip as chip_of
from ridgeline.catalog import family_of
from ridgeline.errors import CatalogError

if TYPE_CHECKING:
    from ridgeline.specs.constants import Effect

__all__ = ["spread_at"]


def spread_at(prior: float, effect: Effect | None, level: str, place: str) -> float:
    r"""Standard deviation of ln of an effect at a chip, or port to one, not measured. [1]

    .. math:: \sigma = \max\left(\sigma_0,\ \sqrt{\tfrac{1}{n} \sum_i \ln^2 f_i}\right)

    Parameters
    ----------
    prior : float     Expected between places of the level, sigma_0: all there is below two members.
    effect : Effect   As fitted, with the members' factors f; None before any fit.
    level, place : str

    Returns
    -------
    float

    Notes
    -----
    Kin of a chip are the chips of its family; of a port to a chip, the ports of any era to chips of
    that family. A fit draws factors to one, so that what members differ by is not overstated.

    Examples
    --------
    Two chips of a family, one 1.5 times as fast as expected and one as much slower:

    >>> from ridgeline.specs.constants import Effect, Factor
    >>> fast, slow = Factor(value=1.5, sigma=0.1), Factor(value=1 / 1.5, sigma=0.1)
    >>> fitted = Effect(factors={"chip mi300x": fast, "chip mi250-gcd": slow})
    >>> round(spread_at(0.1, fitted, "chip", "chip mi355x"), 3)
    0.405
    >>> spread_at(0.1, fitted, "chip", "chip h20")
    0.1
    """
    if effect is None or level not in ("chip", "port_chip"):
        return prior
    kin = _family(place)
    logs = [
        math.log(f.value)
        for other, f in effect.factors.items()
        if other != place and _level(other) == level and kin and _family(other) == kin
    ]
    if len(logs) < 2:
        return prior
    return max(prior, (sum(x * x for x in logs) / len(logs)) ** 0.5)


def _level(place: str) -> str:
    """``chip`` or ``port_chip``, or blank."""
    if place.startswith("chip "):
        return "chip"
    return "port_chip" if place.startswith("port ") and _family(place) else ""


@cache
def _family(place: str) -> str:
    """The family of the chip that a place ends with; blank where it ends with none."""
    try:
        return family_of(chip_of(place.rpartition(" ")[2]))
    except CatalogError:
        return ""
