"""The section of ``docs/fidelity.md`` on whole engines, every figure of it computed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ridgeline.catalog._store import read_toml
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.report import write_section
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.noise_floor import noise
from ridgeline.fidelity.scores.scoreboard import Scores
from ridgeline.fidelity.scores.scoring import answered
from ridgeline.fidelity.scores.splits import leave_out
from ridgeline.fidelity.scores.targets import Unseen, by_family, coverage_targets, targets
from ridgeline.fidelity.scores.worst import GROUP, worst_groups
from ridgeline.files import is_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ridgeline.fidelity.runs import Prediction, Row

__all__ = ["engine_report", "write_engine_report"]

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
  CDNA, Neuron) is predicted with constants fitted without any row of it, one chip at a time.
* **Below saturation** is decided by the measurement, not by the prediction: in open loop at least
  85% of the offered rate was served; in closed loop the source does not note that memory or a cap
  kept requests waiting for more than half of their time. *e2e* is ttft + (osl - 1) x time per token
  of runs that state both.
"""


def engine_report(
    rows: Sequence[Row],
    *,
    calibrate: Callable[[list[Row]], Any],
    predict: Callable[..., list[Prediction]],
    notes: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """The section as Markdown.

    Parameters
    ----------
    rows : sequence of Row
    calibrate : callable      Rows to constants.
    predict : callable        Rows, and constants or none, to predictions.
    notes : mapping or None   Written by hand: ``group`` and ``target`` tables, see `read_notes`.
    progress : callable       Told what is being done.
    """
    notes = notes or {}
    begun = time.perf_counter()
    fitted = answered(rows, predict)
    rate = len(rows) / max(time.perf_counter() - begun, 1e-9)
    models = _unseen(rows, leave_out(rows, "models", calibrate, predict, progress))
    chips = _unseen(rows, leave_out(rows, "chips", calibrate, predict, progress))
    n_answered = sum(p.status == OK for p in fitted)
    parts = [
        _HEAD,
        _about(rows, rate),
        _targets(targets(models, chips, len(rows), n_answered), notes),
        _coverage(coverage_targets(models)),
        _families(by_family(chips)),
        _worst(worst_groups(models), notes),
        _noise(noise(rows)),
        _board("Every group, models left out", _scores(models)),
        _board("Every group, constants as shipped", _scores(list(zip(rows, fitted, strict=True)))),
        _unanswered(rows, fitted),
    ]
    return "\n".join(part for part in parts if part)


def _unseen(rows: Sequence[Row], found: Sequence[Prediction | None]) -> Unseen:
    return [(r, p) for r, p in zip(rows, found, strict=True) if p is not None]


def _scores(pairs: Unseen) -> Scores:
    scores = Scores()
    scores.add([r for r, _ in pairs], [p for _, p in pairs])
    return scores


def _about(rows: Sequence[Row], rate: float) -> str:
    runs = len({id(r.run) for r in rows if r.run is not None})
    sources = len({r.source for r in rows})
    chips = len({r.chip for r in rows})
    return (
        f"* **Measured:** {len(rows):,} rows of {runs:,} runs from {sources} sources on {chips} "
        "kinds of\n  chip. Predicting 10,000 rows took "
        f"{10_000 / rate:.1f} s on one core when this was written.\n"
    )


def _targets(found: Sequence[Mapping[str, Any]], notes: Mapping[str, Any]) -> str:
    lines = [
        "### What is asked, and what is reached\n",
        "| figure | rows | asked | reached | |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in found:
        sign = "<=" if row["word"] == "at most" else ">="
        lines.append(
            f"| {row['figure']} | {row['n_rows']:,} | {sign} {_in(row['limit'], row['unit'])} "
            f"| {_in(row['value'], row['unit'])} | {'met' if row['met'] else '**missed**'} |"
        )
    tried = {t["figure"]: t["tried"] for t in notes.get("target", ())}
    missed = [r["figure"] for r in found if not r["met"]]
    if missed:
        lines.append("\nWhat was tried where a figure is missed:\n")
        lines += [f"* **{name}:** {tried.get(name, 'not yet written.')}" for name in missed]
    return "\n".join(lines) + "\n"


def _coverage(found: Sequence[Mapping[str, Any]]) -> str:
    n_met = sum(r["met"] for r in found)
    lines = [
        "### Coverage of the 80% intervals\n",
        f"Models left out; groups of 30 rows or more. {n_met} of {len(found)} in their range.\n",
        "| group | rows | asked | covered | |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {r['group']} | {r['n_rows']:,} | {r['low']:.0%} to {r['high']:.0%} "
        f"| {_percent(r['coverage'])} | {'' if r['met'] else '**missed**'} |"
        for r in found
    ]
    return "\n".join(lines) + "\n"


_SCORE_HEAD = (
    "| rows | answered | median | p90 | bias | within 20% | covered | width |",
    "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def _score_cells(r: Mapping[str, Any]) -> str:
    width = "" if r["width"] is None else f"{r['width']:.2f}"
    bias = "" if r["bias"] is None else f"{r['bias'] * 100:+.1f}%"
    return (
        f"| {r['n_rows']:,} | {r['n_answered']:,} | {_percent(r['median'])} | {_percent(r['p90'])} "
        f"| {bias} | {_percent(r['within_20'])} | {_percent(r['coverage'])} | {width} |"
    )


def _families(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    lines = [
        "### Chips predicted from their kin\n",
        "Static, decode and prefill rows, with every chip left out of the fit in turn.\n",
        f"| family {_SCORE_HEAD[0]}",
        f"| --- {_SCORE_HEAD[1]}",
    ]
    lines += [f"| {r['group']} {_score_cells(r)}" for r in found]
    return "\n".join(lines) + "\n"


def _worst(found: Sequence[Mapping[str, Any]], notes: Mapping[str, Any]) -> str:
    lines = [
        "### The worst ten groups\n",
        "Models left out; groups of one source, chip, regime and metric with ten rows or more.\n"
        "What is seen is read off the residuals; why is written by hand.\n",
        "| source | chip | regime | metric | engine | rows | median | bias | seen | why |",
        "| --- | --- | --- | --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    lines += [
        f"| {r['source']} | {r['chip']} | {r['regime']} | {r['metric']} | {r['engine']} "
        f"| {r['n_rows']} | {_percent(r['median'])} | {r['bias'] * 100:+.1f}% "
        f"| {'; '.join(r['seen'])} | {_why(r, notes)} |"
        for r in found
    ]
    return "\n".join(lines) + "\n"


def _why(group: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """The explanation that says most of the group's words; those it leaves out fit any."""
    fits = [
        n
        for n in notes.get("group", ())
        if all(n.get(key, group[key]) == group[key] for key in GROUP)
    ]
    best = max(fits, key=lambda n: sum(key in n for key in GROUP), default={"why": ""})
    return str(best["why"])


def _noise(found: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "### The noise floor\n",
        "The same run to the last stated input (models of one shape are one model), measured with\n"
        "two releases of an engine, by two sources, or with two engines: what the second gives\n"
        "over the first. Nothing is fitted below these differences.\n",
    ]
    if found:
        lines += [
            "| first | second | cells | p10 | median | p90 | median difference |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        ]
    lines += [
        f"| {r['one']} | {r['other']} | {r['n_cells']} | {r['p10']:.2f} | {r['median']:.2f} "
        f"| {r['p90']:.2f} | {_percent(r['error'])} |"
        for r in found
    ]
    lines.append(_NOISE_STATED)
    return "\n".join(lines) + "\n"


#: from the comparison of published results that the tables were reduced from
_NOISE_STATED = """
Stated by those who collected the table, from runs it no longer holds:

* MLPerf, same round, chip, count, model and scenario, 48 cells of four submitters or more:
  coefficient of variation 2.6% (median), 7.0% (p90); submitters share code, so this is too low.
* TensorRT-LLM releases on identical cells, median ratio (p10 to p90): 0.10 to 0.12 1.15
  (0.93 to 1.65); 0.11 to 0.12 0.98 (0.88 to 1.13); 0.12 to 0.17 1.07 (0.99 to 1.27); 0.17 to 1.0
  0.99 (0.94 to 1.08).
* vLLM on ROCm, same cell, February to July 2025: latency 0.92 (0.74 to 1.09).
* An independent rerun of one InferenceX point: time per token 1.10 to 1.34 times, time to first
  token 1.36 to 1.67 times the official value."""


def _board(title: str, scores: Scores) -> str:
    lines = [f"### {title}\n", f"| by | group {_SCORE_HEAD[0]}", f"| --- | --- {_SCORE_HEAD[1]}"]
    lines += [f"| {r['by']} | {r['group']} {_score_cells(r)}" for r in scores.board()]
    return "\n".join(lines) + "\n"


def _unanswered(rows: Sequence[Row], found: Sequence[Prediction]) -> str:
    reasons: dict[str, list[str]] = {}
    for row, prediction in zip(rows, found, strict=True):
        if prediction.status != OK:
            reasons.setdefault(f"{prediction.status}: {prediction.reason}", []).append(row.id)
    if not reasons:
        return ""
    lines = ["### Rows without an answer\n", "| rows | first | reason |", "| ---: | --- | --- |"]
    ranked = sorted(reasons.items(), key=lambda item: -len(item[1]))
    lines += [f"| {len(ids)} | {ids[0]} | {reason} |" for reason, ids in ranked[:20]]
    return "\n".join(lines) + "\n"


def _in(value: float | None, unit: str) -> str:
    if value is None:
        return "none"
    return _percent(value) if unit == "%" else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f}%"


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
    *,
    calibrate: Callable[[list[Row]], Any],
    predict: Callable[..., list[Prediction]],
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the section into a page, in place of the last one; other sections stay.

    Parameters
    ----------
    rows, calibrate, predict, progress
        As for `engine_report`.
    path : Path   Made with a heading if it does not exist.
    """
    text = engine_report(
        rows, calibrate=calibrate, predict=predict, notes=read_notes(path), progress=progress
    )
    write_section(path, _BEGIN, _END, text)
