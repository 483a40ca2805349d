"""Write the tables of docs/questions.md from the registry of questions.

python scripts/list_questions.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import ridgeline
from ridgeline.questions.registry import GROUPS, QUESTIONS, Question

PAGE = Path(__file__).parents[1] / "docs" / "questions.md"
LISTED = re.compile(r"(?<=<!-- questions -->\n).*?(?=<!-- /questions -->)", re.DOTALL)


def tables() -> str:
    """One Markdown table per group, in the registry's order."""
    parts = []
    for group, heading in GROUPS.items():
        rows = [_row(q) for q in QUESTIONS if q.group == group]
        parts += [f"### {heading}", "", "| question | command | library |", "| --- | --- | --- |"]
        parts += [*rows, ""]
    return "\n".join(["", *parts])


def _row(question: Question) -> str:
    module, _, name = question.function.partition(":")
    is_public = question.name.replace("-", "_") in ridgeline.__all__
    function = f"rl.{name}" if is_public else f"ridgeline.{module}.{name}"
    command = f"`ridgeline {question.name}`" if question.command else ""
    return f"| {question.summary} | {command} | `{function}` |"


def built(page: str) -> str:
    """Return the page with its tables anew."""
    return LISTED.sub(lambda _: tables(), page)


def main() -> int:
    """Write the page in place."""
    PAGE.write_text(built(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
