"""Run the code blocks of docs/lecture/chapter-*.md and write what they print below them.

    python scripts/build_lecture.py                the blocks that print the same anywhere
    python scripts/build_lecture.py 7 --measured   of chapter 7, those too that measure this machine

A block marked ``python`` is deterministic; ``python measured`` times and meters, needs PyTorch and
runs only when asked. All blocks of a page share their names. The block below, ``text``, is
replaced.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "lecture"
BLOCK = re.compile(
    r"^```python( measured)?\n(?P<code>.*?)^```\n(?P<gap>\n)```text\n(?P<output>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def pages() -> list[Path]:
    """All chapters there are."""
    return sorted(FOLDER.glob("chapter-*.md"))


def built(page: str, *, measured: bool, folder: Path) -> str:
    """Return a page with the outputs of its blocks.

    Parameters
    ----------
    page : str        Markdown.
    measured : bool   Run the blocks that measure, too.
    folder : Path     Where pictures go: blocks save to ``pictures/``.
    """
    names: dict[str, object] = {}

    def run(match: re.Match[str]) -> str:
        if match[1] and not measured:
            return match[0]
        out = io.StringIO()
        with redirect_stdout(out):
            exec(compile(match["code"], "a chapter", "exec"), names)  # noqa: S102  (our page)
        kind = match[1] or ""
        printed = "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
        return f"```python{kind}\n{match['code']}```\n\n```text\n{printed}\n```"

    here = Path.cwd()
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        return BLOCK.sub(run, page)
    finally:
        os.chdir(here)


def main() -> int:
    """Build pages in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapters", nargs="*", help="numbers; all by default")
    parser.add_argument("--measured", action="store_true")
    asked = parser.parse_args()
    wanted = {f"chapter-{n}" for n in asked.chapters} or {p.stem for p in pages()}
    for path in pages():
        if path.stem in wanted:
            path.write_text(built(path.read_text(), measured=asked.measured, folder=FOLDER))
    return 0


if __name__ == "__main__":
    sys.exit(main())
