"""Entry point: the one place where errors become a sentence and an exit code.

What is slow to import is imported within `main`, so that Ctrl-C is heard from the start.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

EXIT_BAD_INPUT = 2
EXIT_BUG = 3
#: a shell's code for a process that a signal ended is this and the signal's number
_EXIT_SIGNAL = 128
#: new objects between two searches for cycles among them; Python's own 700 is a tenth of start-up
_OBJECTS_PER_COLLECTION = 500_000


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str or None   None takes them from the process.

    Returns
    -------
    int   Exit code: 0; 2 for input that cannot be answered, or output that cannot be written; 3 for
          a fault of the program; 128 and the number of the signal that ended it.

    Notes
    -----
    With ``RIDGELINE_DEBUG=1`` in the environment a fault of the program is shown with its
    traceback.
    """
    _usable_streams()
    with _few_collections(to_the_end=arguments is None), _signals() as received:
        try:
            return _run(sys.argv[1:] if arguments is None else arguments, received)
        except BaseException as error:
            if received or isinstance(error, KeyboardInterrupt):
                return _EXIT_SIGNAL + (received[0] if received else signal.SIGINT)
            if isinstance(error, SystemExit) and isinstance(error.code, int):
                return error.code
            raise


def _run(arguments: list[str], received: list[int]) -> int:
    from ridgeline.errors import RidgelineError  # noqa: PLC0415  (within reach of Ctrl-C)

    # Plugins that other packages have for pydantic are none of a command's business: to look for
    # them reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    try:
        from ridgeline.cli.app import run  # noqa: PLC0415

        run(arguments)
        sys.stdout.flush()
    except RidgelineError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # The reader (head, less) left: that is its right.
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        name = f"{error.filename!r}" if error.filename is not None else "The output"
        return _refuse(f"{name} cannot be used: {error.strerror or error}.")
    except MemoryError:
        return _refuse("This takes more memory than there is: ask for fewer values at once.")
    except Exception as error:  # the last handler
        if received:  # libraries may turn the exception of a signal into one of their own
            raise
        return _report(error)
    return 0


def _refuse(message: str) -> int:
    _tell(message)
    return EXIT_BAD_INPUT


def _report(error: Exception) -> int:
    """Say that the program itself is wrong, and what a report needs."""
    from ridgeline.errors import bug  # noqa: PLC0415

    _tell(bug(error))
    return EXIT_BUG


def _tell(message: str) -> None:
    import re  # noqa: PLC0415  (within reach of Ctrl-C)

    # What was typed is said back; a word of thousands of characters only as far as it is known by.
    short = re.sub(r"\S{200,}", lambda m: f"{m[0][:60]}…", message)
    with suppress(OSError):
        print(f"ridgeline: {short}", file=sys.stderr)  # noqa: T201  (the face)


def _usable_streams() -> None:
    """Streams that were closed by the caller swallow all; no character is beyond any of them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Keep the interpreter from trying once more to write what is left, at its end."""
    with suppress(OSError, ValueError):  # streams of tests have no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _few_collections(*, to_the_end: bool) -> Iterator[None]:
    """Look for cycles less often: what modules and records consist of stays to the end.

    Where the process ends with the command, not at its end either: that takes as long as an answer,
    and the system takes all memory back.
    """
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        if to_the_end:
            gc.freeze()
        gc.set_threshold(*usual)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Let signals that end the process end it by an exception, so that files are cleaned up.

    Yields
    ------
    list of int   Signals that came.
    """
    received: list[int] = []

    def stop(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(_EXIT_SIGNAL + number)

    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL,
             "SIGHUP": signal.SIG_DFL}  # fmt: skip
    replaced = []
    for name, handler in usual.items():
        number = getattr(signal, name, None)
        # What the caller handles or ignores (nohup) stays; other threads cannot set handlers.
        with suppress(ValueError):
            if number is not None and signal.getsignal(number) == handler:
                signal.signal(number, stop)
                replaced.append((number, handler))
    try:
        yield received
    finally:
        for number, handler in replaced:
            signal.signal(number, handler)
