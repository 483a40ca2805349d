"""Constants of what was not measured: the family's, with a wider band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.specs.constants import Constant, FittedGroup, Level

    Groups = Mapping[tuple[str, str, str], FittedGroup]

__all__ = ["pooled", "pools"]

#: nearly all that was measured is of one vendor: another's chip may differ by more than these do
_LEAST_BETWEEN = {"family": 0.05, "all": 0.2}
_LARGEST_SIGMA = 1.0


def pools(families: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Families and their members, and ``all`` last.

    Parameters
    ----------
    families : mapping   Member to family.

    Returns
    -------
    list of (str, list of str)
    """
    names = sorted(set(families.values()))
    found = [(name, sorted(m for m, f in families.items() if f == name)) for name in names]
    return [*found, ("all", sorted(families))]


def pooled(
    groups: Groups, members: Sequence[str], level: Level
) -> list[tuple[tuple[str, str], FittedGroup]]:
    """Pool the groups of several chips or fabrics.

    The value is the median of the members' on the log scale. Its variance is the mean of theirs
    plus the variance between them; with one member, the variance between all measured ones.

    Parameters
    ----------
    groups : mapping   All that were fitted, by component, place and format.
    members : sequence of str
    level : str        ``family`` or ``all``.

    Returns
    -------
    list of ((component, format), group)
    """
    kinds = sorted({(c, d) for c, place, d in groups if place in members})
    found = []
    for component, dtype in kinds:
        same = [(p, g) for (c, p, d), g in sorted(groups.items()) if (c, d) == (component, dtype)]
        ours = [(p, g) for p, g in same if p in members]
        like = [g for (c, _, _), g in sorted(groups.items()) if c == component]
        found.append(((component, dtype), _pool(ours, [g for _, g in same], like, level)))
    return found


def _pool(
    ours: Sequence[tuple[str, FittedGroup]],
    same: Sequence[FittedGroup],
    like: Sequence[FittedGroup],
    level: Level,
) -> FittedGroup:
    first = ours[0][1]
    changes: dict[str, Any] = {}
    for name in first.constants:
        values = [g.constants[name] for _, g in ours]
        # One member says nothing of how members differ: ask all of the format, or of the law.
        wider = next(
            (s for s in (values, _named(same, name), _named(like, name)) if len(s) > 1), ()
        )
        between = max(_scatter(wider), _LEAST_BETWEEN[level])
        own = float(np.mean([c.sigma**2 for c in values]))
        value = float(np.exp(np.median(np.log([c.value for c in values]))))
        changes[name] = values[0].model_copy(
            update={
                "value": float(f"{value:.4g}"),
                "sigma": round(min((own + between**2) ** 0.5, _LARGEST_SIGMA), 3),
            }
        )
    scatter = float(np.mean([g.scatter**2 for _, g in ours])) ** 0.5
    return first.model_copy(
        update={
            **changes,
            "level": level,
            "n_points": sum(g.n_points for _, g in ours),
            "engines": tuple(sorted({e for _, g in ours for e in g.engines})),
            "members": tuple(p for p, _ in ours),
            "scatter": round(scatter, 3),
            "source": "; ".join(sorted({g.source for _, g in ours})),
            "date": max(g.date for _, g in ours),
        }
    )


def _named(groups: Sequence[FittedGroup], name: str) -> list[Constant]:
    return [g.constants[name] for g in groups]


def _scatter(values: Sequence[Constant]) -> float:
    logs = np.log([c.value for c in values])
    return float(np.std(logs, ddof=1)) if len(logs) > 1 else 0.3
