"""Write the score of published steps of reinforcement learning in docs/rl-step.md.

python scripts/score_rl_steps.py

Run it after constants of engines, of training, or of the loop have changed.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import ridgeline as rl
from ridgeline.catalog import machine_named, rl_loop

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "rl-step.md"
RUNS = ROOT / "tests" / "oracles" / "published_rl_steps.toml"
LISTED = re.compile(r"(?<=<!-- scored -->\n).*?(?=<!-- /scored -->)", re.DOTALL)


class Scored(NamedTuple):
    """A published step beside the predicted one; times in seconds."""

    name: str
    published_s: float
    answer: rl.RLStep
    aside: bool

    @property
    def ratio(self) -> float:
        """Predicted over published."""
        return self.answer.step_s / self.published_s

    @property
    def plain_ratio(self) -> float:
        """The same without the factors of the loop."""
        loop, found = rl_loop(), self.answer
        plain = replace(
            found,
            generation_s=found.generation_s / loop.generation,
            logprobs_s=found.logprobs_s / loop.training,
            updates_s=found.updates_s / loop.training,
        )
        return plain.step_s / self.published_s


class Score(NamedTuple):
    """How far some steps are off, as shares of the published time."""

    n: int
    median: float
    mean: float
    worst: float
    middle_ratio: float
    plain_ratio: float
    covered: int


def scored() -> list[Scored]:
    """All runs of the file."""
    data = tomllib.loads(RUNS.read_text(encoding="utf-8"))
    aside = data["aside"]
    return [
        Scored(
            run["name"],
            run["step_s"],
            rl.rl_step(run["model"], run["on"], **run["options"]),
            run["model"] in aside["models"]
            or machine_named(run["on"]).cluster.chip.id in aside["chips"],
        )
        for run in data["run"]
    ]


def score(rows: list[Scored]) -> Score:
    """Errors of some rows."""
    errors = [abs(row.ratio - 1) for row in rows]
    covered = 0
    for row in rows:
        low, high = row.answer.interval_s or (math.nan, math.nan)
        covered += low <= row.published_s <= high
    return Score(
        len(rows), statistics.median(errors), statistics.mean(errors), max(errors),
        statistics.median(row.ratio for row in rows),
        statistics.median(row.plain_ratio for row in rows), covered,
    )  # fmt: skip


def table(rows: list[Scored]) -> str:
    """As Markdown."""
    lines = [
        "| step | published | predicted | 80% interval | predicted / published | generation | "
        "training | idle |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        found, (low, high) = row.answer.shares, row.answer.interval_s or (math.nan, math.nan)
        made = sum(found[n] for n in ("prompts", "decode", "tail"))
        trained = found["logprobs"] + found["updates"]
        lines.append(
            f"| {row.name}{' *' if row.aside else ''} | {row.published_s:.4g} s | "
            f"{row.answer.step_s:.3g} s | {low:.3g} to {high:.3g} s | {row.ratio:.2f} | "
            f"{made:.0%} | {trained:.0%} | {found['idle']:.0%} |"
        )
    parts = [
        ("fitted to, and one with tools", score([r for r in rows if not r.aside])),
        ("set aside (*)", score([r for r in rows if r.aside])),
        ("all", score(rows)),
    ]
    lines += [
        "",
        "| steps | number | median error | mean | worst | median of predicted / published | "
        "without the factors | in the 80% interval |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {s.n} | {s.median:.0%} | {s.mean:.0%} | {s.worst:.0%} | "
            f"{s.middle_ratio:.2f} | {s.plain_ratio:.2f} | {s.covered} |"
            for name, s in parts
        ),
    ]
    return "\n".join(["", *lines, "", ""])


def built(page: str) -> str:
    """Return the page with its tables anew."""
    return LISTED.sub(lambda _: table(scored()), page)


def main() -> int:
    """Write the page in place."""
    PAGE.write_text(built(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
