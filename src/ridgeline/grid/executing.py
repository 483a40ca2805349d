"""Keep an executor busy with jobs, and bring back results and errors."""

from __future__ import annotations

import hashlib
import pickle
import socket
import threading
import traceback
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline import __version__
from ridgeline.errors import RidgelineError, SpecError, first_line
from ridgeline.grid.clusters import is_lost
from ridgeline.grid.digest import installed
from ridgeline.grid.processes import TRIES, Processes, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["over"]

#: jobs in flight of an executor that may have more workers than it says
_IN_FLIGHT = 64


def over(
    executor: Executor,
    n_workers: int,
    function: Callable[..., Any],
    shared: Any,
    jobs: Iterator[tuple[int, Any]],
    n_jobs: int | None,
    name: str,
) -> Iterator[tuple[int, Any]]:
    """Keep an executor busy, with few jobs waiting; give results as they come."""
    # Threads share what is here; to others it is sent.
    is_here = isinstance(executor, ThreadPoolExecutor)
    task = _Task(function, shared) if is_here else _packed(function, shared)
    room = max(2 * n_workers + 2, 0 if isinstance(executor, Processes) else _IN_FLIGHT)
    waiting: dict[Future[Any], int] = {}
    try:
        for i, job in jobs:
            waiting[_submitted(executor, task, job)] = i
            while len(waiting) >= room:
                yield from _ended(waiting, n_jobs, name)
        while waiting:
            yield from _ended(waiting, n_jobs, name)
    finally:
        for future in waiting:
            future.cancel()


def _submitted(executor: Executor, task: _Task | _Packed, job: Any) -> Future[Any]:
    try:
        return executor.submit(_answer, task, job)
    except (BrokenExecutor, RuntimeError) as error:
        raise RidgelineError(f"The executor takes no more work: {first_line(error)}.") from None


def _ended(
    waiting: dict[Future[Any], int], n_jobs: int | None, name: str
) -> Iterator[tuple[int, Any]]:
    """Wait until something is finished, and give it."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        number = waiting.pop(future)
        try:
            result = future.result()
        except Exception as error:
            whole = f" of {n_jobs:,}" if n_jobs else ""
            raise _lost(error, f"{name} {number + 1:,}{whole}") from None
        if isinstance(result, _Failure):
            raise result.error
        yield number, result


def _lost(error: Exception, job: str) -> Exception:
    """What happened to a job that has no result; other errors as they are."""
    if isinstance(error, WorkerLostError):
        why = first_line(error)
        hint = " It may take more memory than there is." if why.startswith("signal") else ""
        return RidgelineError(f"{job.capitalize()} ended its process {TRIES} times ({why}).{hint}")
    if is_lost(error):
        return RidgelineError(f"{job.capitalize()} was given up by Dask: {first_line(error)}.")
    if isinstance(error, BrokenExecutor):
        return RidgelineError(
            f"The executor broke at {job}: a process of it was killed, or takes more memory than "
            "there is. workers=N starts such processes again."
        )
    if isinstance(error, CancelledError):
        return RidgelineError(f"{job.capitalize()} was cancelled: the executor was closed.")
    return error


@dataclass(frozen=True)
class _Task:
    """What all jobs share, where it is to be run."""

    function: Callable[..., Any]
    shared: Any


@dataclass(frozen=True)
class _Packed:
    """The same to be sent: with a name by which a process knows that it has it already."""

    name: str
    program: str
    content: bytes


@dataclass(frozen=True)
class _Failure:
    """An error on its way back."""

    error: Exception


def _packed(function: Callable[..., Any], shared: Any) -> _Packed:
    try:
        content = pickle.dumps((function, shared), protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SpecError(
            f"This cannot be sent to other processes: {first_line(error)}. What is to run there is "
            "defined at the top of a module, and holds no open files or lambdas."
        ) from None
    return _Packed(hashlib.sha256(content).hexdigest(), installed(), content)


def _answer(task: _Task | _Packed, job: Any) -> Any:
    """Run one job where a worker is; errors are results, so that no executor handles them."""
    try:
        here = task if isinstance(task, _Task) else _unpacked(task)
        return here.function(here.shared, job)
    except Exception as error:
        return _Failure(_portable(error))


#: the task of this process: there is one at a time, and what it prepared is kept
_unpacked_tasks: dict[str, _Task] = {}
_unpacking = threading.Lock()


def _unpacked(packed: _Packed) -> _Task:
    """Read what all jobs share, once in this process.

    Raises
    ------
    SpecError   This process has another program, or not the modules that are needed.
    """
    with _unpacking:
        if packed.name not in _unpacked_tasks:
            if packed.program != installed():
                raise SpecError(
                    f"A worker on {socket.gethostname()} has another version of Ridgeline (or of "
                    f"numpy or numba) than its caller: install {__version__} there, too."
                )
            try:
                task = _Task(*pickle.loads(packed.content))  # noqa: S301  (from this program)
            except (AttributeError, ImportError) as error:
                raise SpecError(
                    f"A worker cannot load what it is to run: {first_line(error)}. Define it in a "
                    "module that workers can import, not in a script or a notebook."
                ) from None
            _unpacked_tasks.clear()
            _unpacked_tasks[packed.name] = task
        return _unpacked_tasks[packed.name]


def _portable(error: Exception) -> Exception:
    """An error that can be sent; of a fault, with where it happened."""
    if not isinstance(error, RidgelineError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  (made here)
    except Exception:
        again = None
    if type(again) is not type(error):
        return RuntimeError(f"{type(error).__name__}: {first_line(error)}")
    return error
