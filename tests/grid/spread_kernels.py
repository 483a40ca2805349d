"""Kernels that other processes can import: bumpy, with ties and holes; some fail, some kill."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgeline.errors import MissingExtraError, SpecError
from ridgeline.grid import Best, Histogram, Pareto


def bumpy(axes):
    """Sines, rounded so that there are ties, with holes."""
    phase = sum((3 * i + 1) * a for i, a in enumerate(axes.values()))
    x = np.round(np.sin(phase), 2)
    return {"x": x, "y": np.where(x < -0.9, np.nan, np.round(np.cos(1.7 * phase), 2))}


def reductions():
    """One of each kind, fresh."""
    return {
        "low": Best("y", 7),
        "front": Pareto("x", "y"),
        "spread": Histogram("x", np.linspace(-1, 1, 11)),
    }


@dataclass(frozen=True)
class Deadly:
    """Kills its process where an axis passes a point, as often as there are files to take away."""

    at: float
    folder: str

    def __call__(self, axes):
        if (axes["a"] == self.at).any():
            lives = sorted(Path(self.folder).iterdir())
            if lives:
                lives[0].unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return bumpy(axes)


def slow(axes):
    """A block takes a while."""
    time.sleep(0.05)
    return bumpy(axes)


class OddError(Exception):
    """An error that cannot be sent as it is."""

    def __init__(self, one, two) -> None:
        super().__init__(f"{one} and {two}")


@dataclass(frozen=True)
class Failing:
    """Raises an error of a kind."""

    kind: str

    def __call__(self, axes):
        if self.kind == "spec":
            raise SpecError("a field is wrong.")
        if self.kind == "extra":
            raise MissingExtraError("This", "tables")
        if self.kind == "odd":
            raise OddError(1, 2)
        raise KeyError("fault")


class Seen:
    """A reduction of a user's that cannot be put together from parts."""

    def __init__(self) -> None:
        self.n = 0

    def update(self, columns, index) -> None:
        self.n += len(index)

    def result(self):
        return self.n
