# pyright: reportMissingImports=false
"""How much memory tensors hold, counted: on a CPU by storage, on a GPU by its allocator."""

from __future__ import annotations

import gc
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.mixing.reversible.arguments import taken_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LiveBytes", "Meter", "metered"]


class LiveBytes(TorchDispatchMode):
    """Count the bytes of storages that come into being while this is active, until they die.

    Every operation passes through here, those of the backward pass too. A storage is counted once
    however many views it has, from the operation that made it until its last holder lets go,
    whether that is a variable or autograd's graph. What existed before is not counted: parameters,
    gradients and inputs made beforehand.

    Attributes
    ----------
    alive_bytes : int   Now. [bytes]
    peak_bytes : int    At most so far. [bytes]

    Notes
    -----
    Logical bytes, as on any device; an allocator rounds up and keeps some in reserve. Buffers that
    a kernel takes and frees within one operation are not seen, nor are tensors made outside the
    dispatcher, such as saved states of random generators.

    Examples
    --------
    >>> with LiveBytes() as count:
    ...     x = torch.ones(1000)  # 4000 bytes; its view holds no more
    ...     y = x[1:] * 2
    ...     del x
    >>> count.alive_bytes, count.peak_bytes
    (3996, 7996)
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive_bytes = 0
        self.peak_bytes = 0
        self._held: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        _, came = taken_apart(args, kwargs)
        before = {t.untyped_storage()._cdata for t in came}
        for tensor in taken_apart((out,), {})[1]:
            self._see(tensor.untyped_storage(), before)
        return out

    def _see(self, storage: torch.UntypedStorage, before: set[int]) -> None:
        key = storage._cdata
        # A storage that an argument already had is a view or an in-place result.
        if key in before or key in self._held:
            return
        size = storage.nbytes()

        def gone(_: Any) -> None:
            self._held.pop(key, None)
            self.alive_bytes -= size

        self._held[key] = weakref.ref(storage, gone)
        self.alive_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.alive_bytes)


@dataclass(slots=True)
class Meter:
    """Readings above the level at the start.

    Attributes
    ----------
    alive_bytes, peak_bytes : callable   Now, and at most so far. [bytes]
    """

    alive_bytes: Any
    peak_bytes: Any


@contextmanager
def metered(device: torch.device) -> Iterator[Meter]:
    """Meter the memory that tensors take on a device.

    On a GPU by what its allocator hands out (`torch.cuda.memory_allocated` and
    `max_memory_allocated`, workspaces included, less the level at the start); elsewhere by
    `LiveBytes`.
    """
    gc.collect()
    if device.type != "cuda":
        with LiveBytes() as count:
            yield Meter(lambda: count.alive_bytes, lambda: count.peak_bytes)
        return
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    level = torch.cuda.memory_allocated(device)
    yield Meter(
        lambda: torch.cuda.memory_allocated(device) - level,
        lambda: torch.cuda.max_memory_allocated(device) - level,
    )
