"""Score on what the constants have not seen: whole models or whole chips left out of the fit."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.scoring import answered

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.specs.model import Model

__all__ = ["FAMILIES", "LEAVE_OUT", "family", "folds", "leave_out", "shape_of"]

LEAVE_OUT = ("models", "chips")
_N_FOLDS = 8

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


def folds(rows: Sequence[Row], what: str) -> list[set[int]]:
    """Which rows to leave out together.

    Parameters
    ----------
    rows : sequence of Row   Those that are not ``ok`` are in no fold.
    what : str
        ``models``: whole models, those of one shape together, in eight folds of near equal size.
        ``chips``: each chip whose family has others, in a fold of its own.

    Returns
    -------
    list of set of int   Places in `rows`.

    Raises
    ------
    RidgelineError   Another word.
    """
    if what not in LEAVE_OUT:
        raise RidgelineError(
            f"{what!r} cannot be left out.{did_you_mean(what, LEAVE_OUT)} "
            "There are models and chips."
        )
    used = [(i, r) for i, r in enumerate(rows) if r.status == OK and r.run is not None]
    keys: dict[int, Any]
    place: dict[Any, int]
    if what == "models":
        keys = {i: shape_of(r.run.model) for i, r in used if r.run is not None}
        place = _balanced(Counter(keys.values()))
    else:
        keys = {i: r.run.cluster.chip.id for i, r in used if r.run is not None}
        place = _one_by_one(Counter(keys.values()))
    found: list[set[int]] = [set() for _ in set(place.values())]
    for i, key in keys.items():
        if key in place:
            found[place[key]].add(i)
    return [fold for fold in found if fold]


def _balanced(sizes: Counter[Any]) -> dict[Any, int]:
    """The largest first, each to the smallest fold so far; ties in the order of the table."""
    totals = [0] * _N_FOLDS
    place = {}
    for key, n in sizes.most_common():
        place[key] = totals.index(min(totals))
        totals[place[key]] += n
    return place


def _one_by_one(sizes: Counter[str]) -> dict[str, int]:
    """A fold for each chip whose family has others, the largest of a family first."""
    kin = [[chip for chip, _ in sizes.most_common() if family(chip) == name] for name in FAMILIES]
    several = [chip for members in kin if len(members) > 1 for chip in members]
    return {chip: i for i, chip in enumerate(several)}


def leave_out(
    rows: Sequence[Row],
    what: str,
    calibrate: Callable[[list[Row]], Any],
    predict: Callable[[Sequence[Row], Any], list[Prediction]],
    progress: Callable[[str], None] = lambda _: None,
) -> list[Prediction | None]:
    """Predict each row with constants fitted without its model, or without its chip.

    Parameters
    ----------
    rows : sequence of Row
    what : str             ``models`` or ``chips``.
    calibrate : callable   Rows to constants.
    predict : callable     Rows and constants to predictions.
    progress : callable    Told which fold is fitted.

    Returns
    -------
    list of Prediction or None
        One a row. Bad rows have their status; None is for rows in no fold, whose chip has no kin.
    """
    found: list[Prediction | None] = [None] * len(rows)
    for i, row in enumerate(rows):
        if row.status != OK:
            found[i] = answered([row], lambda _: [])[0]
    chosen = folds(rows, what)
    for n, fold in enumerate(chosen, 1):
        rest = [r for i, r in enumerate(rows) if i not in fold and r.status == OK]
        if not rest:
            raise RidgelineError(
                f"Leaving out {what} needs rows of at least two of them to fit on the rest."
            )
        progress(f"leaving out {what}: fold {n} of {len(chosen)}, {len(fold)} rows")
        constants = calibrate(rest)
        unseen = sorted(fold)
        predictions = answered([rows[i] for i in unseen], lambda r, c=constants: predict(r, c))
        for i, prediction in zip(unseen, predictions, strict=True):
            found[i] = prediction
    return found
