"""Many layouts at many batches at once: times, rates, money, and what cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid.axis import distinct
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.energy import energy_per_token_j, tokens_per_s_per_mw
from ridgeline.laws.memory import memory_needed_bytes
from ridgeline.laws.roofline import mfu
from ridgeline.questions.layouts.spending import PARTS, Spending
from ridgeline.questions.layouts.words import layout_name
from ridgeline.questions.serving.power import power_w
from ridgeline.service.edges import largest_kept
from ridgeline.service.pools import prefill_times
from ridgeline.service.prices import price_sheet, usd_per_mtok, usd_per_request
from ridgeline.service.server import Server, intervals
from ridgeline.service.surface import StepSurface
from ridgeline.specs.layout import Layout
from ridgeline.steps.bind import bound
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.replica import Replica
    from ridgeline.service.performance import Performance
    from ridgeline.service.requests import Requests
    from ridgeline.specs.limits import Limits
    from ridgeline.steps.memory import MemoryPerChip

__all__ = ["COLUMNS", "DEGREES", "PARTS", "Candidates", "degrees"]

DEGREES = ("replicas", "pp", "attn_dp", "tp", "ep")
#: halvings that find the largest batch within the limits
_HALVINGS = 30
_LARGEST_BATCH = 2.0**24
_EXCLUDED = 1e300

#: columns with their unit and label; parts of the decode step come after
COLUMNS = {
    "batch": ("sequences", "sequences in flight in a replica"),
    "concurrency": ("sequences", "sequences in flight in all replicas"),
    "step_s": ("s", "decode step"),
    "tpot_s": ("s", "time per output token"),
    "ttft_s": ("s", "time to first token"),
    "e2e_s": ("s", "time to last token"),
    "tokens_per_s_per_user": ("tok/s", "tok/s per user"),
    "tokens_per_s_per_chip": ("tok/s", "output tok/s per chip"),
    "requests_per_s": ("1/s", "requests/s of all chips"),
    "usd_per_mtok_input": ("USD/Mtok", "$/Mtok input"),
    "usd_per_mtok_cached_input": ("USD/Mtok", "$/Mtok cached input"),
    "usd_per_mtok_output": ("USD/Mtok", "$/Mtok output"),
    "usd_per_mtok": ("USD/Mtok", "$/Mtok, all tokens"),
    "mfu": ("1", "MFU"),
    "mbu": ("1", "MBU"),
    "joule_per_token": ("J/token", "J per output token, chips at TDP"),
    "tokens_per_s_per_mw": ("tok/s/MW", "output tok/s per MW of TDP"),
    "memory_bytes_per_chip": ("B", "memory per chip"),
}


def degrees(layouts: Sequence[Layout]) -> dict[str, np.ndarray]:
    """The degrees of many layouts as arrays. Path of the field to 1-D array."""
    return {
        f"layout.{name}": np.asarray([getattr(x, name) for x in layouts], dtype=float)
        for name in DEGREES
    }


def _as_arrays(layouts: Sequence[Layout]) -> Layout:
    """One layout whose degrees are 1-D arrays."""
    return bound({"layout": Layout()}, degrees(layouts))["layout"]


def _between(low: Any, high: Any) -> Any:
    """Halfway on a logarithmic scale, a whole number."""
    middle = np.floor(np.sqrt(np.maximum(low, 1.0) * np.maximum(high, 1.0)))
    return np.minimum(np.maximum(middle, low + 1), high)


@dataclass(frozen=True)
class Candidates:
    """Layouts of one cluster with what is common to all their batches.

    Attributes
    ----------
    base : Replica              In any layout: those of the candidates take its place.
    layouts : tuple of Layout
    requests : Requests         Lengths; of no output where sequences only decode.
    limits : Limits
    usd_per_chip_hour : float or None
    max_sequences : float or None   Sequences of a rank that the engine is set to take.
    fixed : mapping             Degrees that every candidate has.
    """

    base: Replica
    layouts: tuple[Layout, ...]
    requests: Requests
    limits: Limits
    usd_per_chip_hour: float | None
    max_sequences: float | None = None
    fixed: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_requests(self) -> bool:
        """Whether prompts come at all, or sequences only decode."""
        return bool(self.requests.osl)

    @cached_property
    def arrays(self) -> Layout:
        """One layout whose degrees are 1-D arrays."""
        return _as_arrays(self.layouts)

    @cached_property
    def replica(self) -> Replica:
        """All candidates as one replica, a row each."""
        return replace(self.base, layout=self.arrays)

    @cached_property
    def server(self) -> Server:
        """The same with its requests, up to the most sequences that any of them holds."""
        most = float(np.minimum(self.fits.max(initial=1.0), _LARGEST_BATCH))
        return Server(
            self.replica, self.requests, most=max(most, 1.0), max_sequences=self.max_sequences
        )

    def chosen(self, index: Sequence[int] | np.ndarray) -> Candidates:
        """Some of the candidates, for questions that cost more for each."""
        return replace(self, layouts=tuple(self.layouts[int(i)] for i in index))

    @cached_property
    def n_chips(self) -> np.ndarray:
        """Chips of one replica."""
        return np.asarray(self.replica.n_chips)

    @property
    def capacity_bytes(self) -> float:
        """Memory of a chip that a program can use. [bytes]"""
        return self.base.capacity_bytes

    @cached_property
    def kept(self) -> float:
        """Tokens that memory holds for each sequence. [tokens]"""
        if not self.has_requests:
            return float(self.requests.context)
        return float(self.requests.kept(self.base.engine))

    def memory(self, layout: Layout) -> MemoryPerChip:
        """What the fullest chip of a layout holds."""
        one = replace(self.base, layout=layout)
        return one.memory(self.kept, drafts=self.requests.has_drafts)

    def replica_of(self, layout: Layout) -> Replica:
        """One layout by itself, under the calibration of its requests."""
        return replace(self.base, layout=layout).with_fitted(self.server.calibration)

    def rows_of(self, layouts: Sequence[Layout]) -> Replica:
        """The same of many layouts, a row each."""
        replica = replace(self.base, layout=_as_arrays(layouts))
        return replica.with_fitted(self.server.calibration)

    def name(self, index: int) -> str:
        """A layout in a few letters."""
        return layout_name(self.layouts[index])

    @cached_property
    def held(self) -> tuple[np.ndarray, np.ndarray]:
        """What the fullest chip holds before any sequence, and of each. [bytes]"""
        held = self.replica.memory(self.kept, drafts=self.requests.has_drafts)
        both = (held.fixed_bytes, held.bytes_per_sequence)
        shape = self.n_chips.shape
        fixed, each = (np.broadcast_to(np.asarray(v, dtype=float), shape) for v in both)
        return fixed, each

    @cached_property
    def fits(self) -> np.ndarray:
        """Sequences of a replica that fit, whole ones; 0 where not even one does."""
        most = self.replica.max_sequences(self.kept, drafts=self.requests.has_drafts)
        most = np.broadcast_to(np.asarray(most, dtype=float), self.n_chips.shape)
        if self.max_sequences is not None:
            most = np.minimum(most, self.max_sequences * self.arrays.attn_dp)
        return np.floor(np.minimum(most, _LARGEST_BATCH))

    @cached_property
    def within_limits(self) -> np.ndarray:
        """Sequences of a replica that fit and keep the limits; 0 if none.

        Times grow with the batch, so that halving finds the edge of all layouts at once.
        """
        index, nothing = np.arange(len(self.layouts))[:, None], np.zeros(len(self.layouts))

        def kept(batch: Any) -> Any:
            return (batch >= 1) & self._meets(np.maximum(batch, 1.0), index)

        return largest_kept(
            nothing, self.fits, kept, _between, halvings=_HALVINGS, first=self.fits, close=1.0
        )

    def _meets(self, batch: Any, index: Any) -> Any:
        return self.performance(batch, index).keeps(self.limits)

    def performance(self, batch: Any, index: Any, cal: Calibration | None = None) -> Performance:
        """Steady state with so many requests kept in flight in a replica, or only decoding."""
        batch = np.asarray(batch, dtype=float)
        if self.has_requests:
            return self.server.closed(batch, index, cal)
        service = self.server.service(index, cal)
        step, _ = at = service.at(batch)
        gained = self.requests.tokens_per_step
        nothing = np.full(step.shape, np.nan)
        return (
            service.answer(batch, at, nothing, step, nothing)
            if gained == 1
            else replace(service.answer(batch, at, nothing, step, nothing), tpot_s=step / gained)
        )

    @cached_property
    def prefill(self) -> tuple[np.ndarray, np.ndarray]:
        """A prompt by itself, and the replica's time per prompt when it only reads prompts. [s]"""
        replica = self.replica.with_fitted(self.server.calibration)
        alone, each = prefill_times(replica, self.requests)
        shape = self.n_chips.shape
        return np.broadcast_to(alone, shape), np.broadcast_to(each, shape)

    def columns(self, index: Any, batch: Any) -> dict[str, Any]:
        """Everything about layouts at batches; the two broadcast.

        Parameters
        ----------
        index : array of int   Which candidates.
        batch : array          Sequences in flight in one replica.
        """
        found = self.outcomes(index, batch) | self.details(index, batch)
        return {name: found[name] for name in (*COLUMNS, *PARTS, "bound", "infeasible")}

    def outcomes(self, index: Any, batch: Any) -> dict[str, Any]:
        """What layouts are ranked by and limits hold, and why points cannot be: see `columns`."""
        batch = np.asarray(batch, dtype=float)
        found = self.performance(batch, index)
        replicas, n_chips = np.asarray(self.arrays.replicas)[index], self.n_chips[index]
        per_chip = self._tokens_per_s(found, batch) / n_chips
        fixed, each = (v[index] for v in self.held)
        columns = {
            "batch": batch,
            "concurrency": batch * replicas,
            "step_s": self.server.service(index).at(batch)[0],
            "tpot_s": found.tpot_s,
            "ttft_s": found.ttft_s,
            "e2e_s": found.e2e_s,
            "tokens_per_s_per_user": 1 / found.tpot_s,
            "tokens_per_s_per_chip": per_chip,
            "requests_per_s": found.requests_per_s * replicas,
            "usd_per_mtok": self._usd_per_mtok(found, batch, n_chips),
            "memory_bytes_per_chip": memory_needed_bytes(fixed, batch, each),
        }
        return columns | {"infeasible": self._infeasible(columns, found)}

    def details(self, index: Any, batch: Any) -> dict[str, Any]:
        """What time, energy and money of layouts go to, at batches: see `columns`.

        Only the layouts among `index` are looked at, so that a few rows cost little.
        """
        index, batch = np.asarray(index), np.asarray(batch, dtype=float)
        found, n_chips = self.performance(batch, index), self.n_chips[index]
        few, row = self._spending_of(index)
        live = np.maximum(found.n_live, 1.0)
        step, (compute, read) = few.step(batch, row), few.at_peak(live, row)
        tokens, served = self._tokens_per_s(found, batch), self.has_requests
        per_chip = tokens / n_chips
        power = power_w(self.base.cluster)
        sent = found.requests_per_s if served else 0.0
        prompts = [v[row] if served else 0.0 for v in few.prompt_at_peak]
        steps_per_s = tokens / self.requests.tokens_per_step / live
        return {
            **self._money(found, batch, few.cached_s[row], n_chips),
            "mfu": mfu(compute * steps_per_s + sent * prompts[0], 1.0),
            "mbu": mfu(read * steps_per_s + sent * prompts[1], 1.0),
            "joule_per_token": energy_per_token_j(power, per_chip) if power else np.nan,
            "tokens_per_s_per_mw": tokens_per_s_per_mw(power, per_chip) if power else np.nan,
            **step,
        }

    def _tokens_per_s(self, found: Performance, batch: Any) -> Any:
        if self.has_requests:
            return found.requests_per_s * self.requests.osl
        return batch / found.tpot_s

    @cached_property
    def _spending(self) -> Spending:
        return Spending(self.server.surface, self.server.calibration)

    def _spending_of(self, index: np.ndarray) -> tuple[Spending, Any]:
        """What steps of the layouts among `index` go to, and the row there of each."""
        rows = distinct(index.ravel())
        if len(rows) == len(self.layouts):
            return self._spending, index
        surface = self.server.surface
        few = replace(self.base, layout=_as_arrays([self.layouts[i] for i in rows]))
        own = StepSurface(few, self.requests, surface.most)
        return Spending(own, self.server.calibration), np.searchsorted(rows, index)

    def _usd_per_mtok(self, found: Performance, batch: Any, n_chips: Any) -> Any:
        rent = self.usd_per_chip_hour
        if rent is None:
            return np.nan
        if not self.has_requests:
            return cost_usd_per_mtok(found.tpot_s, batch, rent, n_chips)
        return usd_per_mtok(usd_per_request(found, rent, n_chips), self.requests)

    def _money(self, found: Performance, batch: Any, cached_s: Any, n_chips: Any) -> dict[str, Any]:
        """Dollars by what the time is spent on: input, cached input and output apart."""
        names = tuple(f"usd_per_mtok_{of}" for of in ("input", "cached_input", "output"))
        if self.usd_per_chip_hour is None:
            return dict.fromkeys(names, np.nan)
        if not self.has_requests:
            decoded = self._usd_per_mtok(found, batch, n_chips)
            return dict(zip(names, (np.nan, np.nan, decoded), strict=True))
        sheet = price_sheet(found, self.requests, self.usd_per_chip_hour, n_chips, cached_s)
        return {name: getattr(sheet, name) for name in names}

    def intervals(self, index: Any, batch: Any) -> dict[str, tuple[Any, Any]]:
        """80% intervals of TTFT, TPOT, e2e and rate of some layouts, each at a batch."""
        few = self.chosen(np.asarray(index))
        batch, rows = np.asarray(batch, dtype=float), np.arange(len(few.layouts))

        def solved(cal: Calibration | None) -> Performance:
            return few.performance(batch, rows, cal)

        return intervals(few.server, solved, "closed" if self.has_requests else "decode")

    def reasons(self) -> tuple[str, ...]:
        """Why points cannot be, in the order of their codes."""
        capacity = self.capacity_bytes
        said = [
            "no link: the chips of a replica cannot exchange anything",
            f"out of memory: more than the {format_quantity(capacity, 'B')} a chip has",
        ]
        return (
            *said,
            *(f"{name.upper()} {limit} is not kept" for name, limit in self.limits.items()),
        )

    def _infeasible(self, columns: dict[str, Any], found: Performance) -> Any:
        """Code of the first reason that holds at each point."""
        tests = [
            ~(columns["step_s"] < _EXCLUDED),
            np.asarray(columns["memory_bytes_per_chip"] > self.capacity_bytes),
        ]
        for name, limit in self.limits.items():
            tests.append(np.asarray(found.statistic(name, limit.statistic) > limit.seconds))
        return np.select(np.broadcast_arrays(*tests), list(range(1, len(tests) + 1)), 0)
