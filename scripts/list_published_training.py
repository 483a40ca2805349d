"""Write the tables of published training runs and of published layouts in docs/training.md.

python scripts/list_published_training.py

Run it after constants of training, or the search of layouts, have changed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import published_layouts

import ridgeline as rl

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "training.md"
RUNS = ROOT / "tests" / "oracles" / "published_training.toml"
LISTED = re.compile(r"(?<=<!-- published -->\n).*?(?=<!-- /published -->)", re.DOTALL)
CHOSEN = re.compile(r"(?<=<!-- chosen -->\n).*?(?=<!-- /chosen -->)", re.DOTALL)


class Compared(NamedTuple):
    """A published figure beside the predicted one, with its 80% interval and its unit."""

    name: str
    published: float
    predicted: float
    low: float
    high: float
    unit: str
    bar: float

    @property
    def ratio(self) -> float:
        """Predicted over published."""
        return self.predicted / self.published


def compared() -> list[Compared]:
    """All runs of the file."""
    runs = tomllib.loads(RUNS.read_text(encoding="utf-8"))["run"]
    return [_compared(run) for run in runs]


def _compared(run: dict[str, Any]) -> Compared:
    answer = rl.training(run["model"], run["on"], **run["options"])
    assert answer.interval_s is not None
    low_s, high_s = answer.interval_s
    if run["figure"] == "tflops":
        per_s = answer.flops["full"] / answer.job.n_chips / 1e12
        figures = per_s / answer.step_s, per_s / high_s, per_s / low_s
        return Compared(run["name"], run["published"], *figures, "TFLOP/s per chip", run["bar"])
    each = run["options"]["tokens"] / answer.job.load.tokens * answer.job.n_chips / 3600 / 1e6
    figures = each * answer.step_s, each * low_s, each * high_s
    published = run["published"] / 1e6
    return Compared(run["name"], published, *figures, "million chip-hours", run["bar"])


def table() -> str:
    """As Markdown."""
    lines = [
        "| run | unit | published | predicted | 80% interval | predicted / published |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {c.name} | {c.unit} | {c.published:.4g} | {c.predicted:.3g} | {c.low:.3g} to "
        f"{c.high:.3g} | {c.ratio:.2f} |"
        for c in compared()
    ]
    return "\n".join(["", *lines, "", ""])


def built(page: str) -> str:
    """Return the page with its tables anew."""
    page = LISTED.sub(lambda _: table(), page)
    chosen = published_layouts.table(published_layouts.placed())
    return CHOSEN.sub(lambda _: chosen, page)


def main() -> int:
    """Write the page in place."""
    PAGE.write_text(built(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
