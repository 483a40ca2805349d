"""Tables of the section of ``docs/fidelity.md`` on whole engines, as Markdown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.worst import GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.fidelity.scores.scoreboard import Scores

__all__ = [
    "aside_part",
    "board_part",
    "coverage_part",
    "cuts_part",
    "families_part",
    "freedom_part",
    "noise_part",
    "promise_part",
    "targets_part",
    "unanswered_part",
    "worst_part",
]


def targets_part(found: Sequence[Mapping[str, Any]], notes: Mapping[str, Any]) -> str:
    """Every figure asked for, and what was tried where it is missed."""
    lines = [
        "### What is asked, and what is reached\n",
        "| figure | rows | asked | reached | |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in found:
        sign = "<=" if row["word"] == "at most" else ">="
        limit = "" if row["limit"] is None else f"{sign} {_in(row['limit'], row['unit'])}"
        lines.append(
            f"| {row['figure']} | {row['n_rows']:,} | {limit} "
            f"| {_in(row['value'], row['unit'])} | {_MET[row['met']]} |"
        )
    tried = {t["figure"]: t["tried"] for t in notes.get("target", ())}
    missed = [r["figure"] for r in found if r["met"] is False]
    if missed:
        lines.append("\nWhat was tried where a figure is missed:\n")
        lines += [f"* **{name}:** {tried.get(name, 'not yet written.')}" for name in missed]
    return "\n".join(lines) + "\n"


def coverage_part(found: Sequence[Mapping[str, Any]], what: str) -> str:
    """Coverage of the 80% intervals, group by group."""
    n_met = sum(r["met"] for r in found)
    lines = [
        f"### Coverage of the 80% intervals, {what} left out\n",
        f"Groups of 30 rows or more. {n_met} of {len(found)} in their range.\n",
        "| group | rows | asked | covered | width | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {r['group']} | {r['n_rows']:,} | {r['low']:.0%} to {r['high']:.0%} "
        f"| {_percent(r['coverage'])} | {_in(r['width'], 'x')} "
        f"| {'' if r['met'] else '**missed**'} |"
        for r in found
    ]
    return "\n".join(lines) + "\n"


def promise_part(found: Sequence[Mapping[str, Any]]) -> str:
    """What may be expected of configurations that nobody measured."""
    lines = [
        "### What is promised\n",
        "For configurations that nobody measured: every row is predicted with constants fitted\n"
        "without its model, without its engine on its chip, or without anything at or after a\n"
        "date. Half of the answers are nearer than the median error, nine of ten than p90.\n",
        "| question | what nobody measured | rows | median | p90 | covered | high / low |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r['question']} | {r['unmeasured']} | {r['n_answered']:,} | {_percent(r['median'])} "
        f"| {_percent(r['p90'])} | {_percent(r['coverage'])} | {_in(r['width'], 'x')} |"
        for r in found
    ]
    return "\n".join(lines) + "\n"


def aside_part(words: str, found: Sequence[Mapping[str, Any]] | None, scores: Scores | None) -> str:
    """Runs set aside before anything was chosen, beside the folds; or that they were not scored."""
    lines = ["### Set aside\n", f"{words}.\n"]
    if found is None or scores is None:
        lines.append("They are in no fit, no fold and no score here.")
        return "\n".join(lines) + "\n"
    held, one = [r for r in found if r["met"] is not None], scores.line()
    n_met = sum(r["met"] for r in held)
    lines += [
        "Nothing was chosen by them, and the constants they are scored with have not seen them.\n"
        f"Their intervals cover {_percent(one['coverage'])}. Median errors within "
        f"{held[0]['limit'] if held else 1:.1f} times those of the folds: "
        f"{n_met} of {len(held)}.\n",
        "| figure | rows in folds | folds | rows set aside | set aside | ratio | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {r['figure']} | {r['n_folds']:,} | {_percent(r['folds'])} | {r['n_aside']:,} "
        f"| {_percent(r['aside'])} | {_in(r['value'], 'x')} | {_MET[r['met']]} |"
        for r in found
    ]
    lines += ["", f"| by | group {_SCORE_HEAD[0]}", f"| --- | --- {_SCORE_HEAD[1]}"]
    lines += [f"| {r['by']} | {r['group']} {_score_cells(r)}" for r in scores.board()]
    return "\n".join(lines) + "\n"


def cuts_part(found: Mapping[str, Scores]) -> str:
    """Errors after each date left out."""
    if not found:
        return ""
    lines = [
        "### Everything after a date\n",
        f"| fitted before, scored {_SCORE_HEAD[0]}",
        f"| --- {_SCORE_HEAD[1]}",
    ]
    lines += [f"| {name} {_score_cells(scores.line())}" for name, scores in found.items()]
    return "\n".join(lines) + "\n"


def freedom_part(found: Sequence[Mapping[str, Any]]) -> str:
    """How many constants the fit has in effect."""
    if not found:
        return ""
    lines = [
        "### Effective degrees of freedom\n",
        "Each factor counts by how far measurements narrowed what was expected of it: 1 where\n"
        "they alone say it, 0 where they say nothing. *Determined* are factors whose standard\n"
        "deviation is below 0.7 of the one expected.\n",
        "| effect | level | factors | degrees of freedom | determined |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r['effect']} | {r['level']} | {r['n_factors']} | {r['freedom']:.1f} "
        f"| {r['n_determined']} |"
        for r in found
    ]
    return "\n".join(lines) + "\n"


_MET = {True: "met", False: "**missed**", None: ""}

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


def families_part(found: Sequence[Mapping[str, Any]]) -> str:
    """Each family of chips."""
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


def worst_part(found: Sequence[Mapping[str, Any]], notes: Mapping[str, Any]) -> str:
    """The groups predicted worst."""
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


def noise_part(found: Sequence[Mapping[str, Any]]) -> str:
    """What the same run differs by."""
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


def board_part(title: str, scores: Scores) -> str:
    """A scoreboard."""
    lines = [f"### {title}\n", f"| by | group {_SCORE_HEAD[0]}", f"| --- | --- {_SCORE_HEAD[1]}"]
    lines += [f"| {r['by']} | {r['group']} {_score_cells(r)}" for r in scores.board()]
    return "\n".join(lines) + "\n"


def unanswered_part(rows: Sequence[Row], found: Sequence[Prediction]) -> str:
    """Rows without an answer, by reason."""
    reasons: Counter[str] = Counter()
    first: dict[str, str] = {}
    for row, prediction in zip(rows, found, strict=True):
        if prediction.status != OK:
            reason = f"{prediction.status}: {prediction.reason}"
            reasons[reason] += 1
            first.setdefault(reason, row.id)
    if not reasons:
        return ""
    lines = ["### Rows without an answer\n", "| rows | first | reason |", "| ---: | --- | --- |"]
    lines += [f"| {n} | {first[reason]} | {reason} |" for reason, n in reasons.most_common(40)]
    if len(reasons) > 40:
        lines.append(f"\nand {len(reasons) - 40} more reasons.")
    return "\n".join(lines) + "\n"


def _in(value: float | None, unit: str) -> str:
    if value is None:
        return "none"
    return _percent(value) if unit == "%" else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f}%"
