"""How help is laid out: paragraphs fill the terminal, examples come last."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions

__all__ = ["HelpLayout", "default_of", "example_lines", "reflowed"]

_CONTINUED = " \\"
_NARROWEST = 40


def reflowed(text: str) -> str:
    r"""Join the lines of each paragraph; indented lines stay as they are.

    Examples
    --------
    >>> reflowed("One\nparagraph.\n\nAnother\none.")
    'One paragraph.\n\nAnother one.'
    """
    return re.sub(r"(?<=\S)[ \t]*\n(?=\S)", " ", text)


def default_of(value: object) -> str | None:
    """How help writes a default of words; None for what is no more than "not given"."""
    return None if value is None or value is False or value in ("", ()) else str(value)


def example_lines(command: str, width: int) -> list[str]:
    """A command in as many lines as it takes, each but the last ending in a backslash.

    Parameters
    ----------
    command : str
    width : int   Of the terminal. [characters]
    """
    room = max(width, _NARROWEST) - len(_CONTINUED)
    lines = textwrap.wrap(
        command,
        room,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{line}{_CONTINUED}" for line in lines[:-1]] + lines[-1:]


class HelpLayout:
    """Help as panels, each text reflowed to the width of the terminal.

    Attributes
    ----------
    examples : sequence of str   Commands to show below.
    """

    show_metavar = True

    def __init__(self) -> None:
        self.examples: Sequence[str] = ()

    def __call__(self, console: Console, options: ConsoleOptions, panel: Any) -> None:
        """Print one panel."""
        for entry in panel.entries:
            _reflow(entry.description)
        _reflow(panel.description)
        self._usual()(console, options, panel)

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the usage line."""
        self._usual().render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, text: Any) -> None:
        """Print what the command does, and examples of it."""
        _reflow(text)
        self._usual().render_description(console, options, text)
        if self.examples:
            console.print("Examples:")
            for command in self.examples:
                lines = example_lines(command, console.width)
                console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
            console.print()

    @staticmethod
    def _usual() -> Any:
        from cyclopts.help import DefaultFormatter  # noqa: PLC0415  (slow to import)

        return DefaultFormatter()


def _reflow(inline: Any) -> None:
    """Reflow text within the containers that the parser of the command line has for it."""
    text = getattr(inline, "primary_renderable", inline)
    if hasattr(text, "plain"):
        text.plain = reflowed(text.plain)
