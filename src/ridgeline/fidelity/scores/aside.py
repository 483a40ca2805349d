"""Runs that no fit may see until the end: whole models, whole chips, and the latest dates."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import field_validator

from ridgeline import catalog
from ridgeline.catalog._store import read_toml
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.scoring import answered
from ridgeline.fidelity.scores.splits import Unseen, pair_of, shape_of
from ridgeline.fidelity.scores.targets import ASKED, against, score
from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from pathlib import Path

    from ridgeline.fidelity.runs import Prediction, Row

__all__ = ["Cause", "SetAside", "beside_folds", "predict_aside", "read_set_aside"]

#: errors of what was set aside may be this many times those of the folds
_MOST = 1.3

_T = TypeVar("_T")

#: what a row is set aside by
Cause = Literal["models", "chips", "dates"]


class SetAside(Record):
    """Models, chips and dates whose runs are kept away from every fit.

    Attributes
    ----------
    models : tuple   Names as tables write them; models of the same shape go with them.
    chips : tuple    Names as tables write them.
    since : str      An ISO date: runs dated on that day or later. A date of a month or a year
                     counts where all of it lies on that day or later; none does where it is blank.
    """

    models: tuple[str, ...] = ()
    chips: tuple[str, ...] = ()
    since: str = ""

    @field_validator("since")
    @classmethod
    def _check_since(cls, value: str) -> str:
        if value and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError(f"an ISO date such as 2026-03-24 is expected, not {value!r}")
        return value

    def causes(self, rows: Sequence[Row]) -> list[Cause | None]:
        """Say of each row what it is set aside by; None where it is kept.

        A row that several apply to is told by the first of models, chips, dates. Rows that do not
        say what was run are kept: nothing is fitted to them.
        """
        shapes, chips = self._shapes(rows), self._chips()
        found: list[Cause | None] = []
        for row in rows:
            run = row.run
            if run is None:
                found.append(None)
            elif shape_of(run.model) in shapes:
                found.append("models")
            elif _folded(row.chip) in chips or _folded(run.cluster.chip.id) in chips:
                found.append("chips")
            else:
                late = bool(self.since) and run.date >= self.since
                found.append("dates" if late else None)
        return found

    def _shapes(self, rows: Sequence[Row]) -> set[Hashable]:
        """Shapes of the models named, in the catalogue and in the rows."""
        names = {_folded(name) for name in self.models}
        models = [r.run.model for r in rows if r.run and _folded(r.run.model.id) in names]
        return {shape_of(m) for m in (*models, *_known(catalog.model, self.models))}

    def _chips(self) -> set[str]:
        """Names of chips and of machines of them, and the chips' own."""
        of_machines = [machine.chip.id for machine in _known(catalog.cluster, self.chips)]
        return {_folded(name) for name in (*self.chips, *of_machines)}

    def split(self, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        """Rows that are kept, and rows that are set aside, each in their order."""
        causes = self.causes(rows)
        kept = [r for r, cause in zip(rows, causes, strict=True) if cause is None]
        aside = [r for r, cause in zip(rows, causes, strict=True) if cause is not None]
        return kept, aside

    def words(self, rows: Sequence[Row]) -> str:
        """How many rows are set aside by what: ``12 rows set aside: 8 by model, 4 by date``."""
        counts = Counter(cause for cause in self.causes(rows) if cause is not None)
        each = [f"{counts[cause]:,} by {word}" for cause, word in _SINGULAR.items()]
        return f"{counts.total():,} of {len(rows):,} rows set aside: {', '.join(each)}"


_SINGULAR: dict[Cause, str] = {"models": "model", "chips": "chip", "dates": "date"}


def _known(look_up: Callable[[str], _T], names: Sequence[str]) -> list[_T]:
    """Records of the names that the catalogue has; others are told by their rows."""
    found = []
    for name in names:
        with suppress(RidgelineError):
            found.append(look_up(name))
    return found


def _folded(name: str) -> str:
    return name.strip().casefold()


def read_set_aside(path: Path) -> SetAside:
    """Read what is set aside: a TOML file with ``models``, ``chips`` and ``since``.

    Raises
    ------
    CatalogError   No such file, or no TOML.
    SpecError      A field that there is not, or a date that is none.
    """
    return SetAside.parse(read_toml(path), where=path.name)


def predict_aside(
    rows: Sequence[Row],
    set_aside: SetAside,
    constants: Any,
    predict: Callable[[Sequence[Row], Any], list[Prediction]],
) -> list[Unseen]:
    """Predict the rows that are set aside; their fold is named by what they are set aside by.

    Parameters
    ----------
    rows : sequence of Row    All of them.
    constants : EngineConstants   Fitted to those that are kept.
    predict : callable        Rows and constants to predictions.
    """
    causes = set_aside.causes(rows)
    kept = [r for r, cause in zip(rows, causes, strict=True) if cause is None and r.status == OK]
    pairs = {pair_of(r) for r in kept}
    places = [i for i, cause in enumerate(causes) if cause is not None]
    away = [rows[i] for i in places]
    predictions = answered(away, lambda r: predict(r, constants))
    return [
        Unseen(i, row, prediction, causes[i] or "", pair_of(row) in pairs)
        for i, row, prediction in zip(places, away, predictions, strict=True)
    ]


def beside_folds(
    unseen: Mapping[str, Sequence[Unseen]], aside: Sequence[Unseen]
) -> list[dict[str, Any]]:
    """Errors of what was set aside beside those of the folds, figure by figure.

    A figure with models left out stands beside the rows set aside by model, and so on; all rows of
    all causes come last, beside those with models left out.

    Returns
    -------
    list of dict
        ``figure``; ``folds`` and ``aside``, median errors; ``n_folds``, ``n_aside``, answered rows;
        ``value``, the ratio of the errors, with ``limit`` and ``met`` as in `targets`.
    """
    found = []
    for asked in ASKED:
        if asked.left_out in unseen and asked.left_out in _SINGULAR:
            same = [one for one in aside if one.fold == asked.left_out]
            one, other = (score(x, asked.keep).line() for x in (unseen[asked.left_out], same))
            found.append(_beside(asked.figure, one, other))
    if "models" in unseen:
        one, other = score(unseen["models"]).line(), score(aside).line()
        found.append(_beside("all rows, models left out", one, other))
    return [row for row in found if row["n_aside"]]


def _beside(figure: str, folds: Mapping[str, Any], aside: Mapping[str, Any]) -> dict[str, Any]:
    both = folds["median"] and aside["median"] is not None
    ratio = aside["median"] / folds["median"] if both else None
    # With nothing on one side there is nothing to hold against the other.
    limit = None if ratio is None else _MOST
    return {
        **against(figure, ratio, limit, aside["n_answered"], unit="x"),
        "folds": folds["median"],
        "n_folds": folds["n_answered"],
        "aside": aside["median"],
        "n_aside": aside["n_answered"],
    }
