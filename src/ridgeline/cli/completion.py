"""``ridgeline --completion SHELL``: the script that completes commands, options and names."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from ridgeline.cli.output import print_as_is

__all__ = ["completion"]


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"], Parameter(help="Shell to complete in.")
    ],
    /,
) -> None:
    """Print the script for shell completion: eval "$(ridgeline --completion bash)"."""
    from ridgeline.cli.app import app  # noqa: PLC0415  (it imports the commands)

    print_as_is(app.generate_completion(shell=shell))
