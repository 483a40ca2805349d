"""Options that spread a command over processes or machines."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import SPREAD, takes
from ridgeline.cli.working import note
from ridgeline.errors import SpecError
from ridgeline.specs.fields import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Spreading", "noting", "spread_over"]


@Parameter(name="*", group=SPREAD)
@dataclass(frozen=True, kw_only=True)
class Spreading:
    """Where a command runs."""

    workers: Annotated[
        int,
        takes(
            Number(1, 10_000, whole=True),
            "Processes on this machine; more than one are started only for what takes one longer "
            "than two seconds.",
            SPREAD,
        ),
    ] = 1
    scheduler: Annotated[
        str | None,
        Parameter(
            metavar="ADDRESS",
            help="Run on a cluster of Dask, whose scheduler is at this address: tcp://host:8786.",
        ),
    ] = None


@contextmanager
def spread_over(given: Spreading | None) -> Iterator[dict[str, Any]]:
    """Options of the library that a command was given: ``executor``, ``workers``.

    Raises
    ------
    SpecError        Both are given.
    RidgelineError   No scheduler answers.
    """
    given = given or Spreading()
    if given.scheduler is not None and given.workers > 1:
        raise SpecError("Choose one of --workers and --scheduler.")
    if given.scheduler is None:
        yield {"workers": given.workers}
        return
    from ridgeline.grid.clusters import connected  # noqa: PLC0415  (slow to import)

    with connected(given.scheduler) as client:
        yield {"executor": client}


@contextmanager
def noting() -> Iterator[None]:
    """Let what the library logs beside its answer be said on standard error."""
    import logging  # noqa: PLC0415  (only for what may be resumed)

    class Noted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note(record.getMessage())

    handler, log = Noted(), logging.getLogger("ridgeline")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
