"""A replica that serves requests: the surface of its steps, and every question of a steady state.

One object answers for one layout or for thousands of layouts at once, so that a single curve and a
search over layouts take the same lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.kernels.spread import Z80, log_variance
from ridgeline.laws.scheduling import rounds
from ridgeline.service.fixed import GAUSS, batch_time, prompt_fill
from ridgeline.service.performance import Performance
from ridgeline.service.steady import (
    Service,
    admission_steps,
    closed,
    limited,
    offline,
    open_loop,
)
from ridgeline.service.surface import StepSurface
from ridgeline.steps.tokens import prefill

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.replica import Replica
    from ridgeline.service.requests import Requests

__all__ = ["Server", "intervals"]

#: no server is asked about more sequences than this
MOST_SEQUENCES = 2.0**24


@dataclass(frozen=True)
class Server:
    """One replica (or many layouts of one) with its requests.

    Attributes
    ----------
    replica : Replica          Degrees of its layout may be 1-D arrays: a row each.
    requests : Requests        Lengths, numbers.
    most : float               Live sequences that questions go up to, of a replica. [1]
    max_sequences : float or None   Sequences of a rank that the engine is set to take at most; None
                               for as many as memory holds.
    n_requests : array         Requests of a run, of a replica; NaN for as many as are usual. [1]
    exact_lengths : bool       All requests have these lengths, rather than on average.
    """

    replica: Replica
    requests: Requests
    most: float
    max_sequences: float | None = None
    n_requests: Any = math.nan
    exact_lengths: bool = True

    @property
    def _lockstep(self) -> bool:
        """Whether requests that begin together end together, and so begin together again."""
        exact = self.exact_lengths and self.requests.is_fixed
        return exact and self.replica.engine.prompts_first

    @cached_property
    def calibration(self) -> Calibration:
        """Constants of the replica's kernels and effects of its engine."""
        return self.replica.calibration

    @cached_property
    def timed(self) -> Replica:
        """The replica under the calibration of its requests."""
        return self.replica.with_fitted(self.calibration)

    @cached_property
    def surface(self) -> StepSurface:
        """Steps over live sequences, counted once."""
        held = float(np.max(self.slots, initial=1.0)) if np.isinf(self.most) else self.most
        return StepSurface(self.replica, self.requests, min(max(held, 1.0), MOST_SEQUENCES))

    @cached_property
    def memory_slots(self) -> Any:
        """Sequences of each row that memory holds, not rounded. [1]"""
        kept = self.requests.kept(self.replica.engine)
        fit = self.replica.max_sequences(kept, drafts=self.requests.has_drafts)
        n_rows = int(np.size(self.replica.n_chips))
        return np.minimum(np.broadcast_to(fit, (n_rows,)), MOST_SEQUENCES)

    @cached_property
    def slots(self) -> Any:
        """Sequences of each row that run at a time: what memory holds and the engine allows. [1]"""
        if self.max_sequences is None:
            return self.memory_slots
        return np.minimum(self.memory_slots, self.max_sequences * self.replica.layout.attn_dp)

    def service(self, row: Any = 0, cal: Calibration | None = None) -> Service:
        """The requests on some rows, an entry each.

        Parameters
        ----------
        row : array of int          Rows of the surface; any shape.
        cal : Calibration or None   Other constants.
        """
        used = self.calibration if cal is None else cal
        calibrated, engine = self.replica.how.calibrated, self.replica.engine
        times = self._own_times if cal is None else self.surface.times(cal)
        osl = np.maximum(self.requests.osl, 1.0)
        return Service(
            times=times,
            row=row,
            n_steps=self.requests.n_steps,
            osl=osl,
            slots=self.slots[row],
            lockstep=self._lockstep,
            queue=used.effects["queue"] if calibrated else 1.0,
            admission=admission_steps(
                engine, self._attn_dp[row], used.effects["admission"] if calibrated else None
            ),
            arrival_s=used.effects["frontend_s"] if calibrated else 0.0,
            requests=self.n_requests,
            n_chunks=times.n_chunks,
            ranks=self._ranks[row],
            variation=max(self._variation, 1.0),  # no less than what equal lengths were fitted with
            own_variation=self._variation,
        )

    @cached_property
    def _variation(self) -> float:
        """Variance of prompts' lengths over their squared mean. [1]"""
        w, new = np.array([(weight, part.new) for weight, part in self.requests.parts]).T
        mean = float((w * new).sum())
        return max(float((w * new**2).sum()) / max(mean, 1.0) ** 2 - 1.0, 0.0)

    @cached_property
    def _attn_dp(self) -> Any:
        return np.broadcast_to(self.replica.layout.attn_dp, (self.surface.n_rows,))

    @cached_property
    def _ranks(self) -> Any:
        layout = self.replica.layout
        return np.broadcast_to(layout.attn_dp * layout.pp, (self.surface.n_rows,))

    @cached_property
    def _own_times(self) -> Any:
        return self.surface.times(self.calibration)

    # --- questions

    def closed(self, offered: Any, row: Any = 0, cal: Calibration | None = None) -> Performance:
        """So many requests kept in flight in a replica: see `service.steady.closed`."""
        return closed(self.service(row, cal), offered)

    def open(self, rate: Any, row: Any = 0, cal: Calibration | None = None) -> Performance:
        """Requests that arrive at a replica at a rate: see `service.steady.open_loop`."""
        return open_loop(self.service(row, cal), rate)

    def offline(self, row: Any = 0, cal: Calibration | None = None) -> Performance:
        """Everything queued at once: see `service.steady.offline`."""
        return offline(self.service(row, cal))

    def limited(
        self, first_s: Any, gap_s: Any, row: Any = 0, cal: Calibration | None = None
    ) -> Performance:
        """The most that keeps 99th percentiles within limits: see `service.steady.limited`."""
        return limited(self.service(row, cal), first_s, gap_s)

    def use_of_peak(self, found: Performance, row: Any = 0) -> tuple[Any, Any]:
        """Share of the time in which FLOPs, and reads of weights and KV, would run at peak. [1]

        Parameters
        ----------
        found : Performance   Of the rows.
        row : array of int    Rows of the surface.

        Returns
        -------
        (array, array)   Of steps and prompts together, over all of the time: MFU and MBU.
        """
        requests, engine, layout = self.requests, self.replica.engine, self.replica.layout
        ranks = layout.attn_dp * layout.pp
        n = np.maximum(found.n_live, 1.0)
        one = self.replica
        if np.ndim(self.replica.n_chips) == 1:
            degrees = {d: np.asarray(getattr(layout, d))[row] for d in type(layout).model_fields}
            one = replace(one, layout=layout.model_copy(update=degrees))
        compute, weights, kv = one.at_peak(requests.decode(n))
        step = (compute, weights + kv)
        prompt: tuple[Any, Any] = (0.0, 0.0)
        for weight, part in requests.parts:
            share = weight * part.n_chunks(engine) / ranks
            # The decode step that a prompt shares has read the weights.
            multiplied, _, cached = self.replica.at_peak(part.prompts(ranks, engine))
            used = (multiplied, cached)
            shape = (int(np.size(self.replica.n_chips)),)
            each = tuple(np.broadcast_to(x * share, shape)[row] for x in used)
            prompt = (prompt[0] + each[0], prompt[1] + each[1])
        rate = found.requests_per_s
        compute, read = (
            rate * (requests.n_steps * s / n + p) for s, p in zip(step, prompt, strict=True)
        )
        return compute, read

    def fixed(self, batch: float, cal: Calibration | None = None) -> Performance:
        """A batch of the replica that starts together: its prompts whole, then its decoding.

        Parameters
        ----------
        batch : float   Sequences of the replica. [1]
        cal : Calibration or None   Other constants.
        """
        requests, replica = (
            self.requests,
            self.timed if cal is None else self.timed.with_fitted(cal),
        )
        if not requests.is_fixed:
            raise SpecError("A fixed batch has one input and one output length.")
        isl, osl = float(requests.isl), float(requests.osl)
        room = replica.max_sequences(isl + osl, drafts=requests.has_drafts)
        n_rounds = rounds(batch, room)
        n = batch / n_rounds
        first: Any = 0.0
        if isl > 0:
            group = prefill(n, requests.new, requests.cached)
            host = replica.host_s(group)
            chunk = replica.engine.prompt_chunk
            fill = prompt_fill(float(n), float(requests.new), replica.layout.pp, chunk)
            first = (replica.seconds(group) - host) * fill + host
        gap = np.mean(
            [
                replica.seconds(replace(requests, decode_context=isl + osl * x).decode(n))
                for x in GAUSS
            ],
            axis=0,
        )
        tpot = gap / requests.tokens_per_step
        found = batch_time(first, tpot, osl, n_rounds, batch)
        return Performance(
            ttft_s=first,
            tpot_s=tpot,
            e2e_s=found.e2e_s,
            requests_per_s=found.requests_per_s,
            capacity_per_s=found.requests_per_s,
            n_live=n,
            slots=room,
            step_s=gap,
            prompt_s=first / n,
            wait_s=0.0,
            least_first_s=first,
            least_gap_s=tpot,
        )


def intervals(
    server: Server,
    solve: Callable[[Calibration | None], Performance],
    regime: str,
    more_sigma: float = 0.0,
) -> dict[str, tuple[Any, Any]]:
    """80% intervals of what a server gives.

    Parameters
    ----------
    server : Server
    solve : callable      The performance under a calibration; None for the server's own.
    regime : str          ``closed``, ``open``, ``offline``: what remains of it on unseen models.
    more_sigma : float    Standard deviation of ln t that assumptions add. [1]

    Returns
    -------
    dict of str to (low, high)   Of ``ttft_s``, ``tpot_s``, ``e2e_s`` and ``requests_per_s``; the
                                 value itself where the reading is a bound.
    """
    names = ("ttft_s", "tpot_s", "e2e_s", "requests_per_s")

    def stacked(cal: Calibration | None) -> Any:
        found = solve(cal)
        return np.stack(np.broadcast_arrays(*(getattr(found, n) for n in names)))

    middle = stacked(None)
    if not server.replica.how.calibrated:
        return {n: (value, value) for n, value in zip(names, middle, strict=True)}
    variance = np.zeros_like(middle) + log_variance(server.calibration, stacked, middle)
    more = more_sigma**2 + server.requests.drafts_sigma**2
    metrics = ("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s")
    found = {}
    for i, (name, metric) in enumerate(zip(names, metrics, strict=True)):
        own = server.calibration.scatter(regime, metric)
        reach = np.exp(Z80 * np.sqrt(variance[i] + own**2 + more))
        found[name] = (middle[i] / reach, middle[i] * reach)
    return found
