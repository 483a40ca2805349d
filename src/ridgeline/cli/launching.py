"""``--flags``: what starts an answer, checked early and shown last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline import catalog
from ridgeline.cli.declare import OUTPUT
from ridgeline.cli.output import print_as_is
from ridgeline.cli.screen import screen_width, wrapped
from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.questions.launch import Launch

__all__ = ["Flags", "TrainingFlags", "check_flags", "launch_dict", "show_launch"]

_COMMENT = "# "

Flags = Annotated[
    str | None,
    Parameter(
        group=OUTPUT,
        metavar="ENGINE",
        help="Also print what starts it as priced: commands of vllm, sglang, tensorrt-llm or "
        "llama.cpp, or a manifest of dynamo, llm-d or kserve.",
    ),
]

TrainingFlags = Annotated[
    str | None,
    Parameter(
        name="--flags",
        group=OUTPUT,
        metavar="TOOL",
        help="Also print what starts the job as timed: options and files of megatron-lm, "
        "megatron-bridge, nemo, torchtitan, deepspeed or maxtext.",
    ),
]


def check_flags(
    flags: str | None,
    *,
    csv: bool,
    n_machines: int = 1,
    known: Callable[[str], str] | None = None,
) -> None:
    """Refuse an engine or a tool that nobody knows, and what flags do not go with.

    Parameters
    ----------
    flags : str or None
    csv : bool         Whether numbers are wanted alone.
    n_machines : int
    known : callable or None   Looks it up; None for engines.

    Raises
    ------
    CatalogError, SpecError   Says what is wrong, with near names.
    """
    if flags is None:
        return
    (known or catalog.known_flags)(flags)
    if csv:
        raise SpecError("--flags goes with the text and with --json, not with --csv.")
    if n_machines > 1:
        raise SpecError("--flags starts one machine; name one with --on.")


def launch_dict(found: Launch) -> dict[str, Any]:
    """What starts an answer as JSON: text to paste, and its parts."""
    return {"command": str(found), "launch": found.to_dict()}


def show_launch(found: Launch) -> None:
    """Print what starts an answer, and its notes as comments: all of it can be pasted."""
    print_as_is(f"\n{found}\n")
    width = screen_width()
    for note in found.notes:
        # A note in one line, whatever is in it; on a screen, comments of several lines.
        text = wrapped(" ".join(note.split()), width and max(width - len(_COMMENT), 1))
        print_as_is("\n".join(_COMMENT + line for line in text.split("\n")))
