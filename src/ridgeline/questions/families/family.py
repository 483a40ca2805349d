"""Families of layouts: why each does not win, with the number that decides.

A family is all layouts with one value of one degree (or of another choice): TP 16, full recompute.
Its best member is compared with the winner part by part; the part that has grown most names the
cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import listed, times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ridgeline.questions.families.rank import Rank

__all__ = ["Family", "cause", "families", "nearest", "refused_words", "told"]

Row = dict[str, Any]

#: a part that has grown by less than this share of the whole explains nothing
_AS_GOOD = 0.005
#: of a part that takes less than this share of the winner no multiple is told
_NOTHING = 1e-4


@dataclass(frozen=True, slots=True)
class Family:
    """All layouts with one value of one degree, beside the winner.

    Attributes
    ----------
    degree : str             Or another choice that layouts differ in: a column of rows.
    value : int or str
    name : str               Degree and value in words.
    best : mapping or None   Its best row; None where none can be or meets the limits.
    ratio : float or None    Of what is ranked, over the winner's.
    reason : str             Why it does not win.
    """

    degree: str
    value: Any
    name: str
    best: Row | None
    ratio: float | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        layout = self.best["layout"] if self.best else None
        return {
            "degree": self.degree,
            "value": self.value,
            "best_layout": layout,
            "ratio": self.ratio,
            "reason": self.reason,
        }


def families(
    values: Mapping[str, Sequence[Any]],
    winner: Row,
    rank: Rank,
    *,
    best_of: Callable[[str, Any], Row | None],
    name: Callable[[str, Any], str],
    lacking: Callable[[str, Any], str],
    costs: Callable[[Row], str],
) -> list[Family]:
    """Every other value of every degree, with what is wrong with it.

    Parameters
    ----------
    values : mapping     Degree (or another choice) to the values that were looked at, in order.
    winner : mapping     Its row.
    rank : Rank          That was asked for.
    best_of : callable   The best row of a degree's value; None where there is none.
    name : callable      A degree and its value in words.
    lacking : callable   Why a degree's value has no row.
    costs : callable     What costs a row more than the winner, in words: see `cause`.
    """
    found = []
    for degree, tried in values.items():
        for value in (v for v in tried if v != winner[degree]):
            best, called = best_of(degree, value), name(degree, value)
            if best is None:
                found.append(Family(degree, value, called, None, None, lacking(degree, value)))
                continue
            if rank.score(best) <= rank.score(winner):
                reason = f"too close to call, and less simple ({best['layout']})"
            else:
                reason = costs(best)
            found.append(Family(degree, value, called, best, rank.ratio(best, winner), reason))
    return found


def cause(
    spent: Mapping[str, float],
    winner: Mapping[str, float],
    layout: str,
    words: Callable[[str, float], str],
) -> str:
    """What costs a layout most more than the winner, in words.

    Parameters
    ----------
    spent, winner : mapping   Time of a token by part, of both the same parts. [s]
    layout : str              Its name.
    words : callable          A part that has grown, and its share of the whole, in words.
    """
    more = {name: spent[name] - winner[name] for name in spent}
    worst = max(more, key=lambda name: more[name])
    if more[worst] <= _AS_GOOD * sum(winner.values()):
        return f"no part of it takes much more ({layout})"
    said = words(worst, spent[worst] / sum(spent.values()))
    grown = "new"
    if winner[worst] > _NOTHING * sum(winner.values()):
        grown = f"{times(spent[worst] / winner[worst])} the winner's"
    return f"{said}, {grown} per token"


def told(found: Iterable[Family], noun: str) -> list[str]:
    """Why families do not win, a sentence each; those with one reason together.

    Parameters
    ----------
    found : iterable of Family
    noun : str   Of what is ranked: "the cost".
    """
    by_reason: dict[str, list[Family]] = {}
    for family in found:
        by_reason.setdefault(family.reason, []).append(family)
    said = []
    for reason, alike in by_reason.items():
        ratio = alike[0].ratio
        times_as = "" if ratio is None else f"{times(ratio)} {noun}; "
        said.append(f"{listed([f.name for f in alike])}: {times_as}{reason.rstrip('.')}.")
    return said


def nearest(
    found: Sequence[Family], winner: Row, values: Mapping[str, Sequence[Any]]
) -> list[Family]:
    """Of each degree the family next below the winner's value and the one next above.

    Parameters
    ----------
    found : sequence of Family
    winner : mapping   Its row.
    values : mapping   Degree to all its values, in order.
    """
    near = []
    for degree in dict.fromkeys(f.degree for f in found):
        order = list(values[degree])
        at = order.index(winner[degree])
        own = {order.index(f.value): f for f in found if f.degree == degree}
        below, above = [i for i in own if i < at], [i for i in own if i > at]
        near += [own[i] for i in (*below[-1:], *above[:1])]
    return near


def refused_words(refused: Mapping[tuple[str, Any], str], name: Callable[[str], str]) -> list[str]:
    """What could not be built at all, values with one reason together.

    Parameters
    ----------
    refused : mapping   (Degree, value) to why not.
    name : callable     A degree in words.
    """
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (degree, value), reason in refused.items():
        by_reason.setdefault((degree, reason), []).append(str(value))
    return [f"{name(d)} {listed(vs)}: {why}" for (d, why), vs in by_reason.items()]
