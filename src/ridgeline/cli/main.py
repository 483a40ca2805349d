"""Entry point: dispatch, and one place where an error becomes a sentence and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import Any

from cyclopts import App, CycloptsError

from ridgeline import __version__
from ridgeline.errors import RidgelineError

__all__ = ["app", "main"]

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = App(
    name="ridgeline",
    version=__version__,
    help="What it takes to serve a large language model: time, memory and money, "
    "from first principles.",
    help_format="plaintext",
)
# Named, not imported: a command's own imports are paid for only when it runs.
app.command("ridgeline.cli.serving:serving", name="serving")
app.command("ridgeline.cli.models:models", name="models")
app.command("ridgeline.cli.layouts:layouts", name="layouts")
app.command("ridgeline.cli.tiers:tiers", name="tiers")
app.command("ridgeline.cli.tiers:sparsity", name="sparsity")
app.command("ridgeline.cli.racks:racks", name="racks")
app.command("ridgeline.cli.racks:pipelining", name="pipelining")
app.command("ridgeline.cli.racks:scaleup", name="scaleup")
app.command("ridgeline.cli.racks:generations", name="generations")
app.command("ridgeline.cli.wall:wall", name="wall")
app.command("ridgeline.cli.wall:design", name="design")
app.command("ridgeline.cli.wall:sensitivity", name="sensitivity")
app.command("ridgeline.cli.chips:chips", name="chips")
app.command("ridgeline.cli.components:components", name="components")
app.command("ridgeline.cli.validate:validate", name="validate")
app.command("ridgeline.cli.predict:predict", name="predict")
app.command("ridgeline.cli.calibrate:calibrate", name="calibrate")
app.command("ridgeline.cli.reversible:reversible", name="reversible")
app.command("ridgeline.cli.ciphers:ciphers", name="ciphers")


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


def _refuse(message: str) -> int:
    print(f"ridgeline: {message}", file=sys.stderr)  # noqa: T201  (the face)
    return EXIT_BAD_INPUT
