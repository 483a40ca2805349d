"""Dask: a cluster of machines as an executor (extra ``[dask]``), imported only where it is used."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ridgeline.errors import MissingExtraError, RidgelineError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

__all__ = ["connected", "executor_of_client", "is_client", "is_lost"]

#: seconds in which a scheduler answers
_ANSWERS_S = 10
#: of Dask and of what it runs on
_LOGGERS = ("distributed", "tornado", "asyncio")


def is_client(value: object) -> bool:
    """Whether something is a Dask Client; Dask is not imported to find out."""
    return _is_named(type(value), "distributed", "Client")


def is_lost(error: BaseException) -> bool:
    """Whether an error says that workers of Dask died, again and again."""
    return _is_named(type(error), "distributed", "KilledWorker")


def _is_named(kind: type, package: str, name: str) -> bool:
    return any(
        base.__name__ == name and base.__module__.partition(".")[0] == package
        for base in kind.__mro__
    )


def executor_of_client(client: Any) -> tuple[Executor, int]:
    """The executor of a Client, and the threads of all its workers now.

    The scheduler runs tasks of a worker that died on others; a task that has killed as many as the
    scheduler's ``allowed-failures`` (3) is given up.

    Raises
    ------
    RidgelineError   The client is not connected.
    """
    try:
        found, n_threads = client.get_executor(pure=False), sum(client.nthreads().values())
    except Exception as error:
        raise RidgelineError(f"The Dask client cannot be used: {first_line(error)}.") from None
    if not n_threads:
        logging.getLogger(__name__).warning("The cluster has no workers yet: waiting for some.")
    return found, n_threads


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to a scheduler of Dask.

    Parameters
    ----------
    address : str   ``tcp://host:8786``.

    Yields
    ------
    distributed.Client

    Raises
    ------
    MissingExtraError   Dask is not installed.
    RidgelineError      Nobody answers at this address.
    """
    try:
        from distributed import Client  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError:
        raise MissingExtraError("A scheduler of Dask", "dask") from None
    with _silent():
        try:
            client = Client(address, timeout=_ANSWERS_S, set_as_default=False)
        except Exception as error:
            raise RidgelineError(
                f"The scheduler {address!r} cannot be reached: {first_line(error)}. An address "
                "such as tcp://host:8786 is expected, as 'dask scheduler' prints it."
            ) from None
        try:
            yield client
        finally:
            client.close()


@contextmanager
def _silent() -> Iterator[None]:
    """What goes wrong is said once, in a sentence, and not in what Dask's event loop logs besides.

    Loggers are afterwards as they were; those that Dask makes meanwhile follow those here.
    """
    names = {*logging.root.manager.loggerDict, *_LOGGERS}
    found = [logging.getLogger(n) for n in names if n.partition(".")[0] in _LOGGERS]
    levels = [logger.level for logger in found]
    try:
        for logger in found:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(found, levels, strict=True):
            logger.setLevel(level)
