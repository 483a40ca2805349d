"""How many constants a fit has in effect: what measurements tell beyond what was expected."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from ridgeline import catalog

if TYPE_CHECKING:
    from ridgeline.specs.constants import EngineConstants

__all__ = ["freedom", "level_of"]

#: rows determine a factor where its standard deviation fell below this share of what was expected
_DETERMINED = 0.7


def freedom(constants: EngineConstants) -> list[dict[str, Any]]:
    r"""Effective degrees of freedom: all, each effect, and each of its levels.

    Parameters
    ----------
    constants : EngineConstants   As `calibrate` fits them.

    Returns
    -------
    list of dict
        ``effect`` and ``level`` (``all effects``, ``all levels`` for sums), ``n_factors``;
        ``freedom``; ``n_determined``, factors whose sigma is below 0.7 of the spread expected.

    Notes
    -----
    With rows of Jacobian J and weights W, and a prior of standard deviations s, the covariance of
    the factors is C = (J'WJ + diag(1/s^2))^-1, and

    .. math:: \operatorname{tr}\left[J'WJ\,C\right] = \sum_j \left(1 - C_{jj}/s_j^2\right)

    so that each factor counts by how far its variance fell below the prior's: 1 where the rows
    alone say it, 0 where they say nothing. Factors that no row rests on are not in the file; they
    count nothing.

    References
    ----------
    .. [1] MacKay, "Bayesian Interpolation", Neural Computation 4, 1992: well-determined parameters.
    """
    by_level: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, effect in constants.effects.items():
        for place, factor in effect.factors.items():
            level = level_of(place)
            expected = effect.spread.get(level)
            if expected:
                by_level[name, level].append(min(factor.sigma / expected, 1.0))
    found = []
    for name in constants.effects:
        own = {level: v for (effect, level), v in by_level.items() if effect == name}
        if own:
            found.append(_line(name, "all levels", list(chain(*own.values()))))
            found += [_line(name, level, ratios) for level, ratios in own.items()]
    return [_line("all effects", "all levels", list(chain(*by_level.values()))), *found]


def _line(effect: str, level: str, ratios: list[float]) -> dict[str, Any]:
    return {
        "effect": effect,
        "level": level,
        "n_factors": len(ratios),
        "freedom": sum(1 - ratio**2 for ratio in ratios),
        "n_determined": sum(ratio < _DETERMINED for ratio in ratios),
    }


def level_of(place: str) -> str:
    """The level of a place of a factor.

    Examples
    --------
    >>> level_of("all"), level_of("era vllm-v1"), level_of("port vllm-v1 to mi300x")
    ('all', 'era', 'port_chip')
    """
    kind, _, name = place.partition(" ")
    if kind != "port":
        return kind
    return "port_chip" if name.rpartition(" to ")[2] in catalog.entry_ids("chips") else "port"
