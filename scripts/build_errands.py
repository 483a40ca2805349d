"""Run the command lines of docs/errands/*.md and write what they print below them.

    python scripts/build_errands.py            all pages
    python scripts/build_errands.py own-chip   one of them

A ``console`` block holds commands, each with what it prints in a terminal of 80 columns; what is
below a ``$`` is replaced. Commands run in a copy of docs/errands/files: ``ridgeline`` and ``cat``.
``<!-- from TEXT -->`` before a block leaves out what comes before the first line with that text.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "docs" / "errands"
WIDTH = 80
BLOCK = re.compile(
    r"(?:^<!-- from (?P<start>.+?) -->\n)?^```console\n(?P<lines>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def pages() -> list[Path]:
    """All errands there are, without their index."""
    return [p for p in sorted(FOLDER.glob("*.md")) if p.stem != "README"]


def commands(block: str) -> list[str]:
    r"""The commands of a block; a line that ends in a backslash goes on in the next."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)


def built(page: str, folder: Path) -> str:
    """Return a page with the outputs of its commands.

    Parameters
    ----------
    page : str      Markdown.
    folder : Path   Where commands run: a copy of docs/errands/files.
    """

    def run(match: re.Match[str]) -> str:
        start = match["start"]
        shown = [f"$ {c}\n{_from(start, printed(c))}".rstrip() for c in commands(match["lines"])]
        mark = f"<!-- from {start} -->\n" if start else ""
        return f"{mark}```console\n" + "\n\n".join(shown) + "\n```"

    with _in_terminal(folder):
        return BLOCK.sub(run, page)


def printed(command: str) -> str:
    """What a command prints, trailing spaces left out; what it says on the other stream follows."""
    name, *words = shlex.split(command.replace("\\\n", " "))
    if name == "cat":
        return "".join(Path(w).read_text() for w in words)
    assert name == "ridgeline", f"an errand runs ridgeline, not {name}"
    from ridgeline.cli import main  # noqa: PLC0415

    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said):
        code = main(words)
    # A refusal that a page shows is one sentence; anything else that goes wrong ends the build.
    assert code == 0 or (code == 2 and not out.getvalue()), said.getvalue()
    text = out.getvalue() + (said.getvalue() if code else "")
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def _from(start: str | None, text: str) -> str:
    lines = text.splitlines()
    if start is None:
        return text
    first = next((i for i, line in enumerate(lines) if start in line), None)
    assert first is not None, f"no line with {start!r} in\n{text}"
    return "\n".join(["…", *lines[first:]])


@contextmanager
def _in_terminal(folder: Path) -> Iterator[None]:
    here, columns = Path.cwd(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns


def main() -> int:
    """Build pages in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("errands", nargs="*", help="names of pages; all by default")
    wanted = set(parser.parse_args().errands)
    for path in pages():
        if not wanted or path.stem in wanted:
            with tempfile.TemporaryDirectory() as copy:
                folder = Path(shutil.copytree(FOLDER / "files", Path(copy) / "files"))
                path.write_text(built(path.read_text(), folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
