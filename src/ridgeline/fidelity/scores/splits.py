"""Score on what the constants have not seen: models, chips, pairs or late dates left out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.scoring import answered

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.specs.model import Model

__all__ = [
    "FAMILIES",
    "LEAVE_OUT",
    "Fold",
    "Unseen",
    "family",
    "folds",
    "leave_out",
    "pair_of",
    "shape_of",
]

LEAVE_OUT = ("models", "chips", "pairs", "dates")
_N_FOLDS = 8
#: chips with a larger share of the rows have a fold of their own
_LARGE = 0.03
#: of a family's other chips at most this share is left out at a time, and one at least
_AT_A_TIME = 1 / 3
#: shares of the dated rows that lie at or after the dates of the cuts
_LATER = (0.4, 0.2, 0.1)

#: families of chips that can stand for one another: id of a chip -> name
FAMILIES: dict[str, str] = {
    "A100": r"a100-.*",
    "H100/H200": r"h[128]00-.*|h20|gh200-.*",
    "Blackwell": r"g?b[23]00.*",
    "RTX": r"rtx-.*|a40|a10g|l4|l40s",
    "Apple": r"apple-.*",
    "CDNA": r"mi\d+.*",
    "Neuron": r"inferentia\d|trainium\d",
}


def family(chip_id: str) -> str:
    """The family a chip belongs to, or an empty string.

    Examples
    --------
    >>> family("h200-sxm"), family("a10g"), family("rx-7900-xtx")
    ('H100/H200', 'RTX', '')
    """
    return next((name for name, ids in FAMILIES.items() if re.fullmatch(ids, chip_id)), "")


def shape_of(model: Model) -> Hashable:
    """What makes two models one model: their layers and widths, whatever they are called."""
    if model.counts is not None:
        return model.id
    return model.d_model, tuple((b.repeat, b.mixer, b.ffn) for b in model.blocks)


def pair_of(row: Row) -> tuple[str, str]:
    """Engine and chip of a row that says what was run."""
    assert row.run is not None
    return row.run.engine, row.run.cluster.chip.id


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows that are left out together, and those that are fitted meanwhile: places in a list.

    Attributes
    ----------
    name : str      What is left out, for people; may be empty.
    unseen, fitted : tuple of int   Some rows may be in neither.
    """

    name: str
    unseen: tuple[int, ...]
    fitted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """A row predicted with constants that have not seen it.

    Attributes
    ----------
    place : int       Of the row, in the list.
    row, prediction : Row, Prediction
    fold : str        Name of its fold.
    pair_known : bool   Whether its engine was fitted on its chip, with other models.
    """

    place: int
    row: Row
    prediction: Prediction
    fold: str = ""
    pair_known: bool = True


def folds(rows: Sequence[Row], what: str) -> list[Fold]:
    """Which rows to leave out together.

    Parameters
    ----------
    rows : sequence of Row   Those that are not ``ok`` are in no fold.
    what : str
        ``models``: whole models, those of one shape together, in eight folds of near equal size.
        ``chips``: chips whose family has others. Those with many rows are alone in their fold; of
        the others of a family at most a third share one.
        ``pairs``: an engine on a chip, where both are known from other pairs, in at most eight
        folds; two pairs of one engine or one chip share a fold only where there is no other way.
        ``dates``: everything at or after a date, for three dates that leave 40%, 20% and 10% of the
        dated rows; a row is in each fold whose date it lies after. Rows whose month or year may lie
        on either side are in neither part, rows without a date are fitted.

    Returns
    -------
    list of Fold

    Raises
    ------
    RidgelineError   Another word.
    """
    if what not in LEAVE_OUT:
        raise RidgelineError(
            f"{what!r} cannot be left out.{did_you_mean(what, LEAVE_OUT)} "
            f"There are {', '.join(LEAVE_OUT[:-1])} and {LEAVE_OUT[-1]}."
        )
    used = {i: r for i, r in enumerate(rows) if r.status == OK and r.run is not None}
    if what == "dates":
        return _by_date({i: r.run.date for i, r in used.items() if r.run})
    if what == "models":
        keys = {i: shape_of(r.run.model) for i, r in used.items() if r.run}
        place = _balanced(Counter(keys.values()))
    elif what == "chips":
        keys = {i: r.run.cluster.chip.id for i, r in used.items() if r.run}
        place = _few_of_a_family(Counter(keys.values()))
    else:
        keys = {i: pair_of(r) for i, r in used.items()}
        place = _apart(Counter(keys.values()))
    found: dict[int, set[int]] = defaultdict(set)
    names: dict[int, dict[str, None]] = defaultdict(dict)
    for i, key in keys.items():
        if key in place:
            found[place[key]].add(i)
            names[place[key]][_named(rows[i], what)] = None
    return [
        Fold(", ".join(names[n]), tuple(sorted(away)), tuple(i for i in used if i not in away))
        for n, away in sorted(found.items())
    ]


def _named(row: Row, what: str) -> str:
    assert row.run is not None
    if what == "pairs":
        return " on ".join(pair_of(row))
    return row.run.model.id if what == "models" else row.run.cluster.chip.id


def _balanced(sizes: Counter[Any]) -> dict[Any, int]:
    """The largest first, each to the smallest fold so far; ties in the order of the table."""
    totals = [0] * _N_FOLDS
    place = {}
    for key, n in sizes.most_common():
        place[key] = totals.index(min(totals))
        totals[place[key]] += n
    return place


def _few_of_a_family(sizes: Counter[Any]) -> dict[Any, int]:
    """Folds of chips: each large one alone; of the others some of every family at a time."""
    ranked = [chip for chip, _ in sizes.most_common()]
    kin = [[chip for chip in ranked if family(chip) == name] for name in FAMILIES]
    several = [members for members in kin if len(members) > 1]
    large = _LARGE * sizes.total()
    alone = [chip for members in several for chip in members if sizes[chip] > large]
    place = {chip: i for i, chip in enumerate(alone)}
    for members in several:
        at_a_time = max(int(_AT_A_TIME * len(members)), 1)
        small = [chip for chip in members if chip not in place]
        place |= {chip: len(alone) + i // at_a_time for i, chip in enumerate(small)}
    return place


def _apart(sizes: Counter[Any]) -> dict[Any, int]:
    """Folds of pairs: where both parts are in other pairs too, each to where it meets no kin.

    A fold never has all pairs of an engine, nor all of a chip.
    """
    of_part = [Counter(pair[side] for pair in sizes) for side in (0, 1)]
    pairs = [p for p, _ in sizes.most_common() if all(of_part[s][p[s]] > 1 for s in (0, 1))]
    members: list[list[Any]] = [[] for _ in range(_N_FOLDS)]
    place = {}
    for pair in pairs:
        alike = [[sum(p[s] == pair[s] for p in fold) for s in (0, 1)] for fold in members]
        free = [
            n for n in range(_N_FOLDS) if all(alike[n][s] + 1 < of_part[s][pair[s]] for s in (0, 1))
        ]
        place[pair] = min(
            free, key=lambda n, a=alike: (sum(a[n]), sum(sizes[p] for p in members[n]), n)
        )
        members[place[pair]].append(pair)
    return place


def _by_date(dates: dict[int, str]) -> list[Fold]:
    """Folds of everything at or after a date."""
    dated = sorted(date for date in dates.values() if date)
    if not dated:
        return []
    cuts = dict.fromkeys(dated[-max(round(share * len(dated)), 1)] for share in _LATER)
    found = []
    for cut in cuts:
        later = tuple(i for i, date in dates.items() if date >= cut)
        before = tuple(i for i, date in dates.items() if date < cut and not cut.startswith(date))
        undated = tuple(i for i, date in dates.items() if not date)
        found.append(Fold(f"from {cut} on", later, tuple(sorted({*before, *undated}))))
    return found


def leave_out(
    rows: Sequence[Row],
    what: str,
    calibrate: Callable[[list[Row]], Any],
    predict: Callable[[Sequence[Row], Any], list[Prediction]],
    progress: Callable[[str], None] = lambda _: None,
    beside: Callable[
        [list[Row], Callable[[Sequence[Row]], list[Prediction]]], None
    ] = lambda _, __: None,
) -> list[Unseen]:
    """Predict rows with constants fitted without them: see `folds`.

    Parameters
    ----------
    rows : sequence of Row
    what : str             One of `LEAVE_OUT`.
    calibrate : callable   Rows to constants.
    predict : callable     Rows and constants to predictions.
    progress : callable    Told which fold is fitted.
    beside : callable      Called once a fold with its rows and what predicts them unseen: for what
                           else is to be asked of such constants.

    Returns
    -------
    list of Unseen
        In the order of the rows. Bad rows have their status. Rows that are in no fold are missing:
        a chip without kin, a pair whose engine or chip has no other, a run before all dates.

    Raises
    ------
    RidgelineError   Nothing is left to fit.
    """
    found = [
        Unseen(i, row, answered([row], lambda _: [])[0])
        for i, row in enumerate(rows)
        if row.status != OK
    ]
    chosen = folds(rows, what)
    for n, fold in enumerate(chosen, 1):
        if not fold.fitted:
            raise RidgelineError(f"Leaving out {what} leaves no row to fit on: {fold.name}.")
        progress(f"leaving out {what}: fold {n} of {len(chosen)}, {len(fold.unseen)} rows")
        rest = [rows[i] for i in fold.fitted]
        pairs = {pair_of(r) for r in rest}
        constants = calibrate(rest)
        away = [rows[i] for i in fold.unseen]
        model = partial(_with, predict, constants)
        predictions = answered(away, model)
        beside(away, model)
        found += [
            Unseen(i, row, prediction, fold.name, pair_of(row) in pairs)
            for i, row, prediction in zip(fold.unseen, away, predictions, strict=True)
        ]
    return sorted(found, key=lambda one: one.place)


def _with(
    predict: Callable[[Sequence[Row], Any], list[Prediction]], constants: Any, rows: Sequence[Row]
) -> list[Prediction]:
    return predict(rows, constants)
