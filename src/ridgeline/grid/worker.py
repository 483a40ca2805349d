"""A worker process of a pool of our own: reads tasks, writes results, ends with its owner.

It is started as ``python -c`` and reads frames from standard input (a length of eight bytes, then
a pickle that this program has written). Where the owner ends, whatever way, its end of the pipe
closes, and the worker ends at once, in the middle of a task. What a task prints goes to standard
error: the pipe of results is the owner's alone.
"""

from __future__ import annotations

import os
import pickle
import threading
from queue import SimpleQueue
from typing import IO

__all__ = ["read_frame", "serve", "write_frame"]

_LENGTH = 8


def write_frame(stream: IO[bytes], content: bytes) -> None:
    """Write one message."""
    stream.write(len(content).to_bytes(_LENGTH, "little"))
    stream.write(content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """Read one message.

    Raises
    ------
    EOFError   The other side ended.
    """
    head = stream.read(_LENGTH)
    content = stream.read(int.from_bytes(head, "little"))
    if len(head) < _LENGTH or len(content) < int.from_bytes(head, "little"):
        raise EOFError
    return content


def serve() -> None:
    """Run tasks, each ``(function, arguments)``, until the owner ends."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(source, tasks), daemon=True).start()
    while True:
        function, arguments = pickle.loads(tasks.get())  # noqa: S301  (of the owner's making)
        write_frame(sink, pickle.dumps(function(*arguments), protocol=5))


def _receive(source: IO[bytes], tasks: SimpleQueue[bytes]) -> None:
    try:
        while True:
            tasks.put(read_frame(source))
    except BaseException:  # the owner ended
        os._exit(0)
