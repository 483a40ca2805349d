"""What steps and prompts of layouts consist of: components, work at peak, cached input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.kernels import PARTS as COMPONENTS
from ridgeline.service.prices import PromptSteps
from ridgeline.service.surface import LIVE, Line, lattice

if TYPE_CHECKING:
    from ridgeline.kernels.calibration import Calibration
    from ridgeline.service.surface import StepSurface

__all__ = ["PARTS", "Spending"]

#: columns of a decode step's components
PARTS = {f"{name.lower()}_s": name for name in COMPONENTS}


@dataclass(frozen=True)
class Spending:
    """What the time of some layouts goes to, a row each.

    Attributes
    ----------
    surface : StepSurface       Of the layouts.
    calibration : Calibration
    """

    surface: StepSurface
    calibration: Calibration

    @cached_property
    def _lines(self) -> dict[str, Line]:
        """Decode steps by component, on the lattice; and FLOPs and reads at peak. [s]"""
        surface = self.surface
        step = surface.live_step(self.calibration)
        shape = (surface.n_rows, lattice(surface.most, LIVE).size)
        values = {name: step.parts_s[part] for name, part in PARTS.items()}
        values |= {"compute": step.compute_at_peak_s, "read": step.read_at_peak_s}
        values["bound"] = step.bottleneck
        first = np.zeros(surface.n_rows)
        return {
            n: Line(first, np.broadcast_to(np.asarray(v, dtype=float), shape), LIVE)
            for n, v in values.items()
        }

    def step(self, batch: Any, row: Any) -> dict[str, Any]:
        """Components of a decode step [s], and the code of its bottleneck."""
        where = self._lines["bound"].find(batch, row)
        found = {name: self._lines[name].at(*where) for name in (*PARTS, "bound")}
        return found | {"bound": np.rint(found["bound"])}

    def at_peak(self, live: Any, row: Any) -> tuple[Any, Any]:
        """FLOPs, and bytes of weights and KV, of a decode step at the chip's rates. [s]"""
        where = self._lines["compute"].find(live, row)
        return self._lines["compute"].at(*where), self._lines["read"].at(*where)

    @cached_property
    def _prompts(self) -> PromptSteps | None:
        """Steps of prompts; None where sequences only decode."""
        timed = self.surface.replica.with_fitted(self.calibration)
        return PromptSteps(timed, self.surface.requests) if self.surface.requests.osl else None

    @cached_property
    def prompt_at_peak(self) -> tuple[Any, Any]:
        """FLOPs and reads of one prompt, at peak, of the replica's time. [s]"""
        nothing = np.zeros(self.surface.n_rows)
        return self._prompts.at_peak if self._prompts else (nothing, nothing)

    @cached_property
    def cached_s(self) -> Any:
        """Time of the replica that one cached input token takes. [s]"""
        return self._prompts.cached_token_s if self._prompts else np.zeros(self.surface.n_rows)
