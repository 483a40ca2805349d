"""What ``validate`` scores: rows that are kept, left out of a fit, or set aside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.cli.spreading import spread_over
from ridgeline.cli.tables import Sides, chunks_of, predictor, progress
from ridgeline.cli.working import note, tell
from ridgeline.grid import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ridgeline.cli.spreading import Spreading
    from ridgeline.fidelity.runs import Row
    from ridgeline.fidelity.scores import PredictionLines, Scored, Unseen

__all__ = ["Rows", "scored_as_is", "scored_aside", "scored_unseen", "write_report"]


class Rows:
    """Rows of tables: those that are kept chunk by chunk, or all at once with what is set aside."""

    def __init__(self, tables: list[Path], sides: Sides, set_aside: Path | None) -> None:
        from ridgeline.fidelity.scores import read_set_aside  # noqa: PLC0415

        self.set_aside = None if set_aside is None else read_set_aside(set_aside)
        self._tables, self._sides = tables, sides
        self._all: list[Row] | None = None

    def all(self) -> list[Row]:
        """Every row, read once."""
        if self._all is None:
            chunks = chunks_of(self._tables, self._sides)
            self._all = [row for chunk in chunks for row in chunk]
            if self.set_aside is not None:
                note(f"{self.set_aside.words(self._all)}.")
        return self._all

    def kept(self) -> list[Row]:
        """Those that are not set aside."""
        return self.set_aside.split(self.all())[0] if self.set_aside else self.all()

    def chunks(self) -> Iterable[list[Row]]:
        """Those that are kept, as they come where nothing is set aside."""
        if self.set_aside is None and self._all is None:
            return chunks_of(self._tables, self._sides)
        return [self.kept()]


def scored_as_is(
    table: Rows,
    constants: Path | None,
    lines: PredictionLines | None,
    keep: int,
    spreading: Spreading | None = None,
) -> Scored:
    """Score the rows that are kept with constants as they are; `keep` rows are shown."""
    from ridgeline.fidelity.scores import score_chunks  # noqa: PLC0415

    chunks, model = table.chunks(), predictor(constants)
    how: dict[str, Any] = {"lines": lines, "progress": progress, "keep": keep}
    with spread_over(spreading) as where, Spread(**where) as spread:
        return score_chunks(chunks, model, spread=spread, **how)


def scored_unseen(
    table: Rows, what: str, lines: PredictionLines | None, keep: int
) -> tuple[Scored, dict[str, list[Unseen]], list[dict[str, Any]]]:
    """Score the rows that are kept with constants that have not seen them; and figures asked."""
    from ridgeline.fidelity.engines.calibrate import calibrate  # noqa: PLC0415
    from ridgeline.fidelity.predict import predict  # noqa: PLC0415
    from ridgeline.fidelity.runs import Prediction  # noqa: PLC0415
    from ridgeline.fidelity.scores import Scored  # noqa: PLC0415
    from ridgeline.fidelity.scores.engine_report import Means, left_out  # noqa: PLC0415
    from ridgeline.fidelity.scores.targets import targets  # noqa: PLC0415

    rows = table.kept()
    by_word, judged = left_out(rows, [what], Means(calibrate, predict), tell)
    unseen = by_word[what]
    outcome = Scored(keep=keep)
    outcome.add([one.row for one in unseen], [one.prediction for one in unseen])
    for line, one in zip(outcome.shown, unseen, strict=False):
        line["left_out"] = one.fold
    found = {one.place for one in unseen}
    if len(found) < len(rows):
        note(f"{len(rows) - len(found):,} rows are {_ALONE[what]}: not scored.")
    if lines is not None:
        alone = Prediction(math.nan, math.nan, math.nan, "not-left-out", f"It is {_ALONE[what]}.")
        rest = [(i, row, alone) for i, row in enumerate(rows) if i not in found]
        each = [*rest, *((one.place, one.row, one.prediction) for one in unseen)]
        each.sort(key=lambda line: line[0])
        lines.add([row for _, row, _ in each], [prediction for _, _, prediction in each])
    asked = targets(by_word, verdicts=judged)
    return outcome, by_word, [figure for figure in asked if figure["n_rows"]]


#: why a row may be in no fold
_ALONE = {
    "models": "of no model",
    "chips": "of a chip whose family has no other in these tables",
    "pairs": "of an engine or a chip that is in no other pair in these tables",
    "dates": "from before all dates left out, or without a date",
}


def scored_aside(
    table: Rows, constants: Path | None, unseen: dict[str, list[Unseen]]
) -> dict[str, Any]:
    """Scores of what is set aside, with constants that have not seen it."""
    from ridgeline.fidelity.engines.calibrate import calibrate, read_constants  # noqa: PLC0415
    from ridgeline.fidelity.predict import predict  # noqa: PLC0415
    from ridgeline.fidelity.scores.aside import beside_folds, predict_aside  # noqa: PLC0415
    from ridgeline.fidelity.scores.targets import score  # noqa: PLC0415

    assert table.set_aside is not None
    if constants is None:
        tell("fitting without what is set aside")
        fitted = calibrate([row for row in table.kept() if row.status == "ok"])
    else:
        fitted = read_constants(constants)
    aside = predict_aside(table.all(), table.set_aside, fitted, predict)
    return {"scoreboard": score(aside).board(), "beside": beside_folds(unseen, aside)}


def write_report(table: Rows, path: Path, *, look: bool) -> None:
    """Write the section on whole engines of a page."""
    from ridgeline.fidelity.engines.calibrate import calibrate  # noqa: PLC0415
    from ridgeline.fidelity.engines.freedom import freedom  # noqa: PLC0415
    from ridgeline.fidelity.predict import predict  # noqa: PLC0415
    from ridgeline.fidelity.scores.engine_report import (  # noqa: PLC0415
        Means,
        write_engine_report,
    )
    from ridgeline.fidelity.scores.targets import start_figures  # noqa: PLC0415

    write_engine_report(
        table.all(),
        path,
        Means(calibrate, predict, freedom),
        set_aside=table.set_aside,
        look=look,
        more=start_figures(),
        progress=tell,
    )
    note(f"Wrote {path}.")
