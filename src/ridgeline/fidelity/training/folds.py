"""Training runs predicted with constants that have not seen them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.scoring import answered
from ridgeline.fidelity.training.families import family_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from ridgeline.fidelity.runs import Prediction
    from ridgeline.fidelity.training.predict import Fitted
    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["LEFT_OUT", "UnseenRun", "leave_out_training", "training_folds"]

#: what can be left out of the fit
LEFT_OUT = ("models", "chips", "groups", "layers")
_N_FOLDS = 8


@dataclass(frozen=True, slots=True)
class UnseenRun:
    """A row predicted with constants that have not seen it.

    Attributes
    ----------
    row, prediction : TrainingRow, Prediction
    fold : str   What was left out with it.
    """

    row: TrainingRow
    prediction: Prediction
    fold: str


def training_folds(rows: Sequence[TrainingRow], what: str) -> list[list[int]]:
    """Places of rows that are left out together.

    Parameters
    ----------
    rows : sequence of TrainingRow   Those that are not ``ok`` are in no fold.
    what : str
        ``models``: whole models, cut-down and sibling shapes together, in eight folds of near
        equal size. ``chips``: a chip at a time. ``groups``: configurations that repeat each other,
        in eight folds. ``layers``: numbers of layers of models that differ in it, in eight folds.

    Raises
    ------
    RidgelineError   Another word.
    """
    if what not in LEFT_OUT:
        raise RidgelineError(
            f"{what!r} cannot be left out of training runs.{did_you_mean(what, LEFT_OUT)} "
            f"There are {', '.join(LEFT_OUT[:-1])} and {LEFT_OUT[-1]}."
        )
    used = [i for i, row in enumerate(rows) if row.status == OK and row.run is not None]
    keys = {i: _key(rows[i], what) for i in used}
    if what == "layers":
        depths: dict[str, set[Hashable]] = {}
        for i in used:
            depths.setdefault(_family(rows[i]), set()).add(keys[i])
        used = [i for i in used if len(depths[_family(rows[i])]) > 2]
    sizes = Counter(keys[i] for i in used)
    n_folds = len(sizes) if what == "chips" else _N_FOLDS
    totals = [0] * max(min(n_folds, len(sizes)), 1)
    place: dict[Hashable, int] = {}
    for key, n in sizes.most_common():
        place[key] = totals.index(min(totals))
        totals[place[key]] += n
    found: list[list[int]] = [[] for _ in totals]
    for i in used:
        found[place[keys[i]]].append(i)
    return [fold for fold in found if fold]


def _family(row: TrainingRow) -> str:
    assert row.run is not None
    return family_name(row.run.model.id)


def _key(row: TrainingRow, what: str) -> Hashable:
    run = row.run
    assert run is not None
    if what == "models":
        return _family(row)
    if what == "chips":
        return run.cluster.chip.id
    if what == "groups":
        return run.group
    return sum(int(block.repeat) for block in run.model.blocks)


def leave_out_training(
    rows: Sequence[TrainingRow],
    what: str,
    fit: Callable[[Sequence[TrainingRow]], Fitted],
    predict: Callable[[Sequence[TrainingRow], Fitted], list[Prediction]],
    progress: Callable[[str], None] = lambda _: None,
) -> list[UnseenRun]:
    """Predict every row with constants fitted without its fold.

    Parameters
    ----------
    rows : sequence of TrainingRow
    what : str             See `training_folds`.
    fit : callable         Rows to constants.
    predict : callable     Rows and constants to predictions.
    progress : callable    Told what is being fitted.

    Returns
    -------
    list of UnseenRun   In the order of the rows.
    """
    found: dict[int, UnseenRun] = {}
    every = training_folds(rows, what)
    for n, fold in enumerate(every, 1):
        progress(f"{what} left out, fold {n} of {len(every)}")
        away = set(fold)
        constants = fit([row for i, row in enumerate(rows) if i not in away])
        own = [rows[i] for i in fold]
        predictions = answered(own, lambda r, c=constants: predict(r, c))  # type: ignore[arg-type]
        words = ", ".join(sorted({str(_key(row, what)) for row in own})[:_NAMED])
        for i, row, prediction in zip(fold, own, predictions, strict=True):
            found[i] = UnseenRun(row, prediction, words)
    return [found[i] for i in sorted(found)]


#: of a fold, so many names are told
_NAMED = 6
