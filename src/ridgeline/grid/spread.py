"""Where many jobs run: here, in processes, on any executor, on a cluster of Dask; what is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ridgeline.grid.processes import Processes

__all__ = ["Client", "Spread"]

_S = TypeVar("_S")
_J = TypeVar("_J")
_R = TypeVar("_R")
#: for so long work is tried in this process before others are started for the rest
ALONE_S = 0.3
#: of what would take less than this there is nothing to gain: so long processes take to start
WORTH_S = 1.5


class Client(Protocol):
    """What is used of a Client of Dask."""

    def get_executor(self, **options: Any) -> Executor:
        """Its tasks as an executor."""
        ...

    def nthreads(self) -> Any:
        """Threads of each worker."""
        ...


class Spread:
    """Where jobs run, and where what is finished is kept; a context that ends its own processes.

    Parameters
    ----------
    executor : Executor or Client or None
        Any `concurrent.futures.Executor` (of processes, threads, MPI ranks) or a Client of Dask; it
        stays the caller's, and is not shut down.
    workers : int
        Without `executor`: processes to start. None is started for what this process ends within
        about two seconds. A job whose process is killed is run again by a new one.
    resume : path or None
        Folder that keeps what is finished. The same study goes on from there; another is refused.

    Raises
    ------
    SpecError        No such executor or number, another study in the folder.
    RidgelineError   A job that killed its process three times, an executor that broke, a folder
                     that cannot be written. Errors of the jobs themselves come back as they are.
    """

    def __init__(
        self,
        executor: Executor | Client | None = None,
        *,
        workers: int = 1,
        resume: str | Path | None = None,
    ) -> None:
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise SpecError(f"workers: a whole number from 1 is expected, not {workers!r}.")
        if executor is not None and workers > 1:
            raise SpecError("Choose one of executor and workers: an executor has workers already.")
        self.workers = workers
        self.resume = None if resume is None else Path(resume)
        self._own: Processes | None = None
        self._n_studies = 0
        self._executor, self._n = _usable(executor)

    @property
    def is_plain(self) -> bool:
        """Whether all is done here and nothing is kept."""
        return self._executor is None and self.workers == 1 and self.resume is None

    @property
    def n_workers(self) -> int:
        """Processes or threads that share the work, as far as that is known."""
        return self.workers if self._executor is None else max(self._n, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.shutdown(cancel_futures=True)
            self._own = None

    def run(
        self,
        function: Callable[[_S, _J], _R],
        shared: _S,
        jobs: Iterable[_J],
        *,
        identity: Mapping[str, Any] | None = None,
        title: str = "",
        name: str = "shard",
    ) -> Iterator[tuple[int, _R]]:
        """Run a function on each job.

        Parameters
        ----------
        function : callable   Of a module; pure, called with `shared` and a job.
        shared : any          What all jobs share: sent along with each, read once per process.
        jobs : iterable       Read as there is room for them; a list says how many there are.
        identity : mapping or None   What tells this study from others, by part, for `resume`: then
                              the function gives arrays by name.
        title : str           What to call the study.
        name : str            What to call a job.

        Yields
        ------
        (int, result)   Number of the job and its result, as they are finished.
        """
        n_jobs = len(jobs) if isinstance(jobs, Sized) else None
        numbered = enumerate(jobs)
        if self.resume is None or identity is None:
            yield from self._all(function, shared, numbered, n_jobs, name)
            return
        from ridgeline.grid.kept import KeptShards  # noqa: PLC0415  (only where asked for)

        self._n_studies += 1
        kept = KeptShards.of(self.resume / str(self._n_studies), identity, title)
        missing: list[tuple[int, _J]] = []
        for i, job in numbered:
            found: Any = kept.load(i)
            if found is None:
                missing.append((i, job))
            else:
                yield i, found
        left = iter(missing)
        for i, result in self._all(function, shared, left, n_jobs, name, len(missing)):
            kept.save(i, result)  # pyright: ignore[reportArgumentType]
            yield i, result

    def _all(
        self,
        function: Callable[..., Any],
        shared: Any,
        jobs: Iterator[tuple[int, Any]],
        n_jobs: int | None,
        name: str,
        n_left: int | None = None,
    ) -> Iterator[tuple[int, Any]]:
        n_left = n_jobs if n_left is None else n_left
        if self._executor is not None:
            from ridgeline.grid.executing import over  # noqa: PLC0415  (only where it is used)

            yield from over(self._executor, self._n, function, shared, jobs, n_jobs, name)
            return
        n_done, begun = 0, 0.0
        if self._own is None:
            for i, job in jobs:
                yield i, function(shared, job)
                n_done += 1
                # The first job also prepares what all of them need.
                begun = begun or time.monotonic()
                if self.workers > 1 and _is_long(time.monotonic() - begun, n_done - 1, n_left):
                    from ridgeline.grid.processes import Processes  # noqa: PLC0415

                    self._own = Processes(self.workers)
                    break
        if self._own is not None:
            from ridgeline.grid.executing import over  # noqa: PLC0415

            yield from over(self._own, self.workers, function, shared, jobs, n_jobs, name)


def _is_long(passed_s: float, n_timed: int, n_jobs: int | None) -> bool:
    """Whether processes are worth their start for what is left."""
    if not n_timed:
        return False
    left_s = WORTH_S if n_jobs is None else passed_s / n_timed * (n_jobs - n_timed - 1)
    return passed_s >= ALONE_S and left_s >= WORTH_S


def _usable(executor: Any) -> tuple[Executor | None, int]:
    """An executor, whatever it was given as, and jobs that it can run at a time."""
    if executor is None:
        return None, 1
    from ridgeline.grid.clusters import executor_of_client, is_client  # noqa: PLC0415

    if is_client(executor):
        return executor_of_client(executor)
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise SpecError(
            "executor: a concurrent.futures.Executor or a Dask Client is expected, not a "
            f"{type(executor).__name__}."
        )
    return executor, getattr(executor, "_max_workers", 0) or os.cpu_count() or 1
