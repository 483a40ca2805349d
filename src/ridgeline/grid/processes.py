"""A pool of processes of our own: workers that die are started again, and never outlive it.

Why not `concurrent.futures.ProcessPoolExecutor`: forked, its workers inherit locks of threads that
they do not have; spawned, they run the caller's script once more, unless its author knew to guard
it; when one is killed all tasks in flight are lost, and none knows by which; and where their owner
is killed they wait for ever, with its standard output open. Workers here are new interpreters
(`ridgeline.grid.worker`) that import this package alone, each with a pipe and a thread of its own:
who dies is known by name, and only its task is run again.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from ridgeline.grid.worker import read_frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TRIES", "Processes", "WorkerLostError"]

#: so often a task is begun whose worker dies
TRIES = 3
_MOST_SAID = 200


class _Child:
    """One worker process."""

    def __init__(self) -> None:
        # Files, not the owner's streams: a worker never holds those open.
        self.said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; import ridgeline.grid.worker as w; w.serve()"
        )
        self.process = subprocess.Popen(  # noqa: S603  (this interpreter)
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            start_new_session=True,  # Ctrl-C is heard by the owner, who ends its workers
        )

    def ask(self, task: bytes) -> Any:
        """Run one task.

        Raises
        ------
        EOFError, OSError   The process died.
        """
        source, sink = self.process.stdout, self.process.stdin
        assert source is not None
        assert sink is not None
        write_frame(sink, task)
        return pickle.loads(read_frame(source))  # noqa: S301  (of a worker of this program)

    def end(self) -> str:
        """Let it end, or kill it; how it ended."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.process.kill()
        code = self.process.wait()
        self.said.seek(0)
        last = self.said.read().decode(errors="replace").strip().splitlines()[-1:]
        self.said.close()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}: {last[0][:_MOST_SAID]}" if last else how


class WorkerLostError(BrokenExecutor):
    """Each worker that began a task died."""


class Processes(Executor):
    """Processes that run tasks; started when there are tasks for them, gone after `shutdown`.

    Parameters
    ----------
    n : int   Processes at most.
    """

    def __init__(self, n: int) -> None:
        self._max_workers = n
        self._tasks: SimpleQueue[tuple[Future[Any], bytes] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._children: set[_Child] = set()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in a process.

        A task whose worker dies is begun again by a new one, `TRIES` times in all; then its future
        raises `WorkerLostError`.
        """
        if kwargs:
            raise TypeError("tasks of processes take positional arguments.")
        if self._closed:
            raise RuntimeError("the pool was shut down.")
        future: Future[Any] = Future()
        self._tasks.put((future, pickle.dumps((fn, args), protocol=5)))
        if len(self._threads) < self._max_workers:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; tasks in flight are given up unless `wait`, which ends them first."""
        if wait and not cancel_futures:
            for _ in self._threads:
                self._tasks.put(None)
            for thread in self._threads:
                thread.join()
        with self._lock:
            self._closed = True
            children = list(self._children)
        for child in children:
            child.process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def pids(self) -> list[int]:
        """Numbers of the processes that there are now."""
        with self._lock:
            return [child.process.pid for child in self._children]

    def _work(self) -> None:
        """Feed one process, in a thread."""
        child: _Child | None = None
        while (task := self._tasks.get()) is not None:
            future, content = task
            if self._closed or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            how = ""
            for _ in range(TRIES):
                try:
                    child = child or self._start()
                    future.set_result(child.ask(content))
                    break
                except (EOFError, OSError) as error:
                    how = self._end(child) if child else str(error)
                    child = None
                except Exception as error:  # a result that cannot be read here
                    future.set_exception(error)
                    break
                if self._closed:
                    how = "the pool was shut down"
                    break
            if not future.done():
                future.set_exception(WorkerLostError(how))
        if child is not None:
            self._end(child)

    def _start(self) -> _Child:
        with self._lock:
            if self._closed:
                raise EOFError
            child = _Child()
            self._children.add(child)
        return child

    def _end(self, child: _Child) -> str:
        with self._lock:
            self._children.discard(child)
        return child.end()
