"""Entry point: dispatch, and one place where an error becomes a sentence and exit code 2."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Group

from ridgeline import __version__
from ridgeline.errors import RidgelineError
from ridgeline.questions.registry import GROUPS, QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["app", "main"]

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = App(
    name="ridgeline",
    version=__version__,
    help="What it takes to serve a large language model: time, memory and money, "
    "from first principles.",
    help_format="plaintext",
    group_commands=Group("Options", sort_key=len(GROUPS)),  # --help and --version
)
_HEADINGS = {g: Group(heading, sort_key=i) for i, (g, heading) in enumerate(GROUPS.items())}
_COMMANDS = [q for q in QUESTIONS if q.command]
for _i, _q in enumerate(_COMMANDS):
    # Named, not imported: a command's own imports are paid for only when it runs.
    app.command(
        f"ridgeline.{_q.command}",
        name=_q.name,
        help=_q.summary,
        group=_HEADINGS[_q.group],
        sort_key=_i,
    )


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str or None   None takes them from the process.

    Returns
    -------
    int   Exit code: 0, or 2 for input that cannot be answered.
    """
    try:
        with _its_own_help(sys.argv[1:] if arguments is None else arguments):
            app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _refuse(f"{error}\n'ridgeline --help' shows what there is.")
    except RidgelineError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # The reader (head, less) left; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


@contextmanager
def _its_own_help(arguments: list[str]) -> Iterator[None]:
    """Let the command that is named show its docstring, of which the summary is only a line."""
    named = next((q for q in _COMMANDS if arguments and q.name == arguments[0]), None)
    if named is not None:
        app[named.name].help = None
    try:
        yield
    finally:
        if named is not None:
            app[named.name].help = named.summary


def _refuse(message: str) -> int:
    print(f"ridgeline: {message}", file=sys.stderr)  # noqa: T201  (the face)
    return EXIT_BAD_INPUT
