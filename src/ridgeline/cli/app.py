"""The commands, and what runs the one that is named."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cyclopts import App, CoercionError, CycloptsError, Group, Parameter

from ridgeline import __version__
from ridgeline.cli.examples import EXAMPLES
from ridgeline.cli.help import HelpLayout, default_of
from ridgeline.cli.working import working
from ridgeline.errors import RidgelineError
from ridgeline.questions.registry import GROUPS, QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ridgeline.questions.registry import Question

__all__ = ["app", "run"]

_LAYOUT = HelpLayout()
_OPTIONS = Group("Options", sort_key=len(GROUPS))
app = App(
    name="ridgeline",
    version=__version__,
    help="What it takes to serve a large language model: time, memory and money, "
    "from first principles.",
    help_format="plaintext",
    help_formatter=_LAYOUT,
    default_parameter=Parameter(negative=(), show_default=default_of),
    group_commands=_OPTIONS,  # --help and --version
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
app.command(
    "ridgeline.cli.completion:completion",
    name="--completion",
    help="Print the script for completion in bash, zsh, fish or powershell.",
    group=_OPTIONS,
)


def run(arguments: Sequence[str]) -> None:
    """Run the command that is named.

    Parameters
    ----------
    arguments : sequence of str   Without the program's name.

    Raises
    ------
    RidgelineError   Input that cannot be answered, or options that there are not.
    """
    try:
        with _its_own_help(arguments), working(arguments[0] if arguments else "ridgeline"):
            app(
                list(arguments),
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
    except CycloptsError as error:
        raise RidgelineError(_sentence(error, arguments)) from None


def _sentence(error: CycloptsError, arguments: Sequence[str]) -> str:
    """What is wrong with an option, and where to read what it takes."""
    cause = error.__cause__
    if isinstance(error, CoercionError) and isinstance(cause, RidgelineError):
        option = error.token.keyword if error.token is not None else None
        return f"{option}: {cause}" if option else str(cause)
    command = f"{arguments[0]} " if arguments and _question(arguments[0]) else ""
    return f"{error}\n'ridgeline {command}--help' shows what there is."


def _question(name: str) -> Question | None:
    return next((q for q in _COMMANDS if q.name == name), None)


@contextmanager
def _its_own_help(arguments: Sequence[str]) -> Iterator[None]:
    """Let the command that is named show its docstring, of which the summary is only a line."""
    named = _question(arguments[0]) if arguments else None
    if named is not None:
        app[named.name].help = None
        _LAYOUT.examples = EXAMPLES[named.name]
    try:
        yield
    finally:
        if named is not None:
            app[named.name].help = named.summary
            _LAYOUT.examples = ()
