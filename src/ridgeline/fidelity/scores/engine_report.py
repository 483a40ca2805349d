"""The section of ``docs/fidelity.md`` on whole engines, every figure of it computed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.catalog._store import read_toml
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.report import write_section
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.aside import beside_folds, predict_aside
from ridgeline.fidelity.scores.limits import verdicts
from ridgeline.fidelity.scores.noise_floor import noise
from ridgeline.fidelity.scores.report_parts import (
    aside_part,
    board_part,
    coverage_part,
    cuts_part,
    families_part,
    freedom_part,
    noise_part,
    promise_part,
    targets_part,
    unanswered_part,
    worst_part,
)
from ridgeline.fidelity.scores.scoreboard import Scores
from ridgeline.fidelity.scores.scoring import answered
from ridgeline.fidelity.scores.splits import LEAVE_OUT, leave_out
from ridgeline.fidelity.scores.targets import (
    by_family,
    coverage_targets,
    promised,
    score,
    targets,
)
from ridgeline.fidelity.scores.worst import worst_groups
from ridgeline.files import is_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.fidelity.scores.aside import SetAside
    from ridgeline.fidelity.scores.limits import Verdict
    from ridgeline.fidelity.scores.splits import Unseen

__all__ = ["Means", "engine_report", "left_out", "write_engine_report"]

_BEGIN = "<!-- engines: written by 'ridgeline validate --report' -->"
_END = "<!-- engines: end -->"
_NOTES = "fidelity-notes.toml"

_HEAD = """\
## Whole engines

How near predictions of whole engines come to published measurements.

Written by `ridgeline validate TABLE ... --report docs/fidelity.md`; explanations come from
`fidelity-notes.toml` beside the page, figures from the rows.

* **Error** is exp|ln(predicted / measured)| - 1; *bias* the median of ln(predicted / measured),
  above 0 where too much is predicted; *covered* the share of measurements inside their 80%
  interval; *width* the median of its high end over its low end.
* **Models left out:** models of one shape are one model. They are shared out over eight folds of
  near equal size; each fold is predicted with constants fitted on the other seven.
* **Chips left out:** each chip whose family has others (A100, H100/H200, Blackwell, RTX, Apple,
  CDNA, Neuron) is predicted with constants fitted without any row of it. Chips with few rows share
  folds, at most a third of a family at a time.
* **Pairs left out:** an engine on a chip, where both are known from other pairs, in eight folds.
* **Dates left out:** everything at or after a date, for the dates that leave 40%, 20% and 10% of
  the dated rows; late rows are scored once for each.
* **Warm** is a server that had served requests before: the notes say so, or the run is dated from
  2026-01-21, when the public benchmark began to send some first. Cold: the notes say so, or a run
  of that benchmark from before.
* **Latency limits** (MLPerf) are judged at the rate that was measured, not at the predicted one:
  whether the 99th percentiles keep them there, as measured.
* **Below saturation** is decided by the measurement, not by the prediction: in open loop at least
  85% of the offered rate was served; in closed loop the source does not note that memory or a cap
  kept requests waiting for more than half of their time.
"""


@dataclass(frozen=True, slots=True)
class Means:
    """How constants are fitted and used.

    Attributes
    ----------
    calibrate : callable   Rows to constants.
    predict : callable     Rows and constants to predictions.
    freedom : callable     Constants to lines of `ridgeline.fidelity.engines.freedom.freedom`.
    """

    calibrate: Callable[[list[Row]], Any]
    predict: Callable[..., list[Prediction]]
    freedom: Callable[[Any], list[dict[str, Any]]] = lambda _: []


def left_out(
    rows: Sequence[Row],
    what: Sequence[str],
    means: Means,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, list[Unseen]], list[Verdict]]:
    """Predict rows with constants that have not seen them; and judge limits, models left out.

    Parameters
    ----------
    rows, means, progress
        As for `engine_report`.
    what : sequence of str   Words of `LEAVE_OUT`.
    """
    judged: list[Verdict] = []

    def judge(away: list[Row], model: Callable[[Sequence[Row]], list[Prediction]]) -> None:
        judged.extend(verdicts(away, model))

    found = {}
    for word in what:
        beside = judge if word == "models" else _nothing
        found[word] = leave_out(rows, word, means.calibrate, means.predict, progress, beside)
    return found, judged


def _nothing(_rows: list[Row], _model: Callable[[Sequence[Row]], list[Prediction]]) -> None:
    """Ask for nothing beside."""


def engine_report(
    rows: Sequence[Row],
    means: Means,
    *,
    set_aside: SetAside | None = None,
    look: bool = False,
    more: Sequence[Mapping[str, Any]] = (),
    notes: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """The section as Markdown.

    Parameters
    ----------
    rows : sequence of Row
    means : Means
    set_aside : SetAside or None   Whose rows are in no fit and no fold.
    look : bool               Whether these are scored too, apart.
    more : sequence of mapping     Figures of other kinds of rows, as of `targets.against`, that are
                              asked for too.
    notes : mapping or None   Written by hand: ``group`` and ``target`` tables, see `read_notes`.
    progress : callable       Told what is being done.
    """
    notes, everything = notes or {}, rows
    rows = set_aside.split(rows)[0] if set_aside else rows
    progress(f"fitting {len(rows):,} rows")
    constants = means.calibrate([r for r in rows if r.status == OK])
    begun = time.perf_counter()
    fitted = answered(rows, lambda r: means.predict(r, constants))
    rate = len(rows) / max(time.perf_counter() - begun, 1e-9)
    unseen, judged = left_out(rows, LEAVE_OUT, means, progress)
    found, shown = None, None
    if set_aside and look:
        aside = predict_aside(everything, set_aside, constants, means.predict)
        found, shown = beside_folds(unseen, aside), score(aside)
    cuts = {one.fold: None for one in unseen["dates"] if one.fold}
    shipped = Scores()
    shipped.add(rows, fitted)
    parts = [
        _HEAD,
        _about(rows, rate),
        promise_part(promised(unseen)),
        targets_part([*targets(unseen, rows, fitted, judged), *more], notes),
        aside_part(set_aside.words(everything), found, shown) if set_aside else "",
        *(coverage_part(coverage_targets(unseen[what]), what) for what in ("models", "pairs")),
        cuts_part({cut: score([x for x in unseen["dates"] if x.fold == cut]) for cut in cuts}),
        families_part(by_family(unseen["chips"])),
        freedom_part(means.freedom(constants)),
        worst_part(worst_groups(unseen["models"]), notes),
        noise_part(noise(rows)),
        board_part("Every group, models left out", score(unseen["models"])),
        board_part("Every group, constants fitted to all of these rows", shipped),
        unanswered_part(rows, fitted),
    ]
    return "\n".join(part for part in parts if part)


def _about(rows: Sequence[Row], rate: float) -> str:
    runs = len({id(r.run) for r in rows if r.run is not None})
    sources = len({r.source for r in rows})
    chips = len({r.chip for r in rows})
    return (
        f"* **Measured:** {len(rows):,} rows of {runs:,} runs from {sources} sources on {chips} "
        "kinds of\n  chip. Predicting 10,000 rows took "
        f"{10_000 / rate:.1f} s on one core when this was written.\n"
    )


def read_notes(page: Path) -> dict[str, Any]:
    """Explanations written by hand, from ``fidelity-notes.toml`` beside the page.

    ``[[group]]`` has any of source, chip, regime and metric, and ``why``; ``[[target]]`` has
    ``figure`` and ``tried``.

    Raises
    ------
    RidgelineError   It is no valid TOML, or an entry lacks what it must have.
    """
    path = page.parent / _NOTES
    if not is_file(path):
        return {}
    notes = read_toml(path)
    for table, needed in (("group", ("why",)), ("target", ("figure", "tried"))):
        for entry in notes.get(table, ()):
            missing = [key for key in needed if key not in entry]
            if missing:
                raise RidgelineError(f"{path}: a [[{table}]] has no {' and no '.join(missing)}.")
    return notes


def write_engine_report(
    rows: Sequence[Row],
    path: Path,
    means: Means,
    *,
    set_aside: SetAside | None = None,
    look: bool = False,
    more: Sequence[Mapping[str, Any]] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the section into a page, in place of the last one; other sections stay.

    Parameters
    ----------
    rows, means, set_aside, look, more, progress
        As for `engine_report`.
    path : Path   Made with a heading if it does not exist.
    """
    text = engine_report(
        rows,
        means,
        set_aside=set_aside,
        look=look,
        more=more,
        notes=read_notes(path),
        progress=progress,
    )
    write_section(path, _BEGIN, _END, text)
