"""Time all steps of a ledger at once, under effects that may differ from step to step.

What does not depend on effects (operator constants, peaks, bytes on the wire) is gathered once, so
that a fit evaluates many thousands of steps in some hundredths of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws.collectives import (
    all_reduce_wire_bytes,
    all_reduce_wire_bytes_in_switch,
    expert_exchange_time_s,
    shard_wire_bytes,
)
from ridgeline.steps.calibrated import operator_values
from ridgeline.steps.ideal import wire_bytes
from ridgeline.steps.ledger import Columns
from ridgeline.steps.terms import (
    LAUNCHES,
    QUANTISED,
    WIDENED,
    attention_group,
    collective_s,
    crossing_s,
    decode_s,
    engaged_collective,
    engaged_decode,
    engaged_prefill,
    engaged_product,
    prefill_s,
    prepared_share,
    product_group,
    product_s,
    row_share,
    stream_s,
    unfused_s,
)
from ridgeline.steps.work import Send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.specs.cluster import Cluster
    from ridgeline.steps.ledger import Ledger

    Floats = NDArray[np.float64]
    Effects = Mapping[str, Floats]

__all__ = ["NEEDS", "Timer"]

_PRODUCT = ("start_s", "step_s", "compute_efficiency", "memory_efficiency")
_DECODE = ("start_s", "merge_s", "item_s", "memory_efficiency")
_PREFILL = ("start_s", "key_step_s", "compute_efficiency", "half_keys", "memory_efficiency")
_COLLECTIVE = ("start_s", "hop_s", "fill_s", "link_efficiency", "doubling_efficiency")
_EXCHANGE = ("start_s", "hop_s", "token_s", "link_efficiency", "scale_out_efficiency")

#: effects that each kind of piece depends on
NEEDS: dict[str, tuple[str, ...]] = {
    "product": (
        "memory", "compute", "port", "narrow", "expert", "wo_memory", "wo_compute", "unfused",
        "gap_s",
    ),
    "decode": ("memory", "compute", "port", "decode_attention", "decode_compute", "gap_s"),
    "prefill": ("memory", "compute", "port", "prefill_attention", "gap_s"),
    "stream": ("memory", "gap_s"),
    "collective": ("latency", "link"),
    "exchange": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Part:
    """Pieces of one kind with what their law needs, and the law."""

    step: NDArray[np.intp]
    repeat: Floats
    time_s: Callable[[Effects], Any]


class Timer:
    """The steps of a ledger on their machines.

    Parameters
    ----------
    ledger : Ledger
    clusters : sequence of Cluster
    of_step : array of int    Which of the clusters each step runs on.
    """

    def __init__(
        self, ledger: Ledger, clusters: Sequence[Cluster], of_step: NDArray[np.intp]
    ) -> None:
        self.n_steps = ledger.n_steps
        gathered = _Gathered(ledger, clusters, of_step)
        self._parts = {kind: gathered.parts(kind) for kind in NEEDS}
        self._prompts = gathered.has_prompts()

    def times(self, effects: Effects, known: Mapping[str, Floats] | None = None) -> dict:
        """Time of each step on the chips, by kind of piece.

        Parameters
        ----------
        effects : mapping           Name of an effect to its value at each step.
        known : mapping or None     Kinds that need not be timed again.

        Returns
        -------
        dict of str to array   Their sum is the step without its host. [s]
        """
        gap = effects["gap_s"] + effects["eager_s"] * self._prompts
        effects = {**effects, "gap_s": gap}
        found = dict(known or {})
        for kind in NEEDS:
            if kind not in found:
                found[kind] = self._time(kind, effects)
        return found

    def _time(self, kind: str, effects: Effects) -> Floats:
        total = np.zeros(self.n_steps)
        for part in self._parts[kind]:
            here = {name: effects[name][part.step] for name in NEEDS[kind]}
            seconds = part.repeat * part.time_s(here)
            total += np.bincount(part.step, weights=seconds, minlength=self.n_steps)
        return total


class _Gathered:
    """Operator constants and hardware of each entry of a ledger's columns."""

    def __init__(
        self, ledger: Ledger, clusters: Sequence[Cluster], of_step: NDArray[np.intp]
    ) -> None:
        self.columns = ledger.columns()
        self.tags = ledger.tags
        self.clusters = clusters
        self.of_step = of_step
        self.values = [operator_values(cluster) for cluster in clusters]
        self.bandwidth = np.array([c.chip.memory.bandwidth for c in clusters])

    def parts(self, kind: str) -> list[_Part]:
        made = getattr(self, f"_{kind}")()
        return [part for part in made if len(part.step)]

    def has_prompts(self) -> Floats:
        """1 for steps with prompts, which run uncaptured."""
        found = np.zeros(len(self.of_step))
        attention = self.columns.get("attention")
        if attention is not None:
            prompts = np.array([t[0].endswith("_prefill") for t in self.tags])
            found[attention.step[prompts[attention.tag]]] = 1.0
        return found

    def _pick(self, kind: str, wanted: Callable[[tuple[str, str, str, str]], bool]) -> Columns:
        columns = self.columns.get(kind)
        if columns is None:
            empty = np.zeros(0, dtype=np.intp)
            return Columns(empty, empty, {})
        mask = np.array([wanted(tag) for tag in self.tags])[columns.tag]
        if mask.all():
            return columns
        values = {name: array[mask] for name, array in columns.values.items()}
        return Columns(columns.step[mask], columns.tag[mask], values)

    def _look_up(
        self, columns: Columns, names: Sequence[str], find: Callable[[int, Any], Sequence[float]]
    ) -> dict[str, Floats]:
        """`find(cluster, tag)` for each entry, once for each combination there is."""
        cluster = self.of_step[columns.step]
        key = cluster * len(self.tags) + columns.tag
        unique, inverse = np.unique(key, return_inverse=True)
        rows = [find(int(k) // len(self.tags), self.tags[int(k) % len(self.tags)]) for k in unique]
        table = np.array(rows, dtype=float).reshape(len(unique), len(names)).T
        return {name: row[inverse] for name, row in zip(names, table, strict=True)}

    def _product(self) -> list[_Part]:
        columns = self._pick("gemm", lambda _: True)

        def find(at: int, tag: tuple[str, str, str, str]) -> list[float]:
            name, peak = product_group(tag[2], self.clusters[at].chip)
            values, _ = self.values[at]
            v = values.get(f"product {name}", values["product bf16"])
            flags = (name in QUANTISED, name in WIDENED, tag[1] == "experts")
            numbers = [v[k] for k in _PRODUCT]
            return [*numbers, peak, prepared_share(name, tag[2]), *flags]

        names = (*_PRODUCT, "peak", "prepared", "narrow", "widened", "expert")
        found = self._look_up(columns, names, find)
        flags = {k: found[k] > 0 for k in ("narrow", "widened", "expert")}
        bandwidth = self.bandwidth[self.of_step[columns.step]]

        def time_s(e: Effects) -> Any:
            v = engaged_product(found, e, **flags)
            passes = unfused_s(columns, v["memory_efficiency"], bandwidth, e)
            own = product_s(
                columns,
                v,
                found["peak"],
                bandwidth,
                prepared=found["prepared"],
                expert=flags["expert"],
            )
            return own + passes

        return [_Part(columns.step, columns.values.get("repeat", np.zeros(0)), time_s)]

    def _core(self, columns: Columns, names: Sequence[str]) -> tuple[dict[str, Floats], Floats]:
        def find(at: int, tag: tuple[str, str, str, str]) -> list[float]:
            values, _ = self.values[at]
            v = values[attention_group(tag[0], tag[2])]
            _, peak = product_group(tag[2], self.clusters[at].chip)
            matrix = values["prefill bf16"]["compute_efficiency"]
            return [*(v[k] for k in names), peak, matrix, dtype_of(tag[2]).bits / 8]

        found = self._look_up(columns, (*names, "peak", "matrix", "dtype_bytes"), find)
        return found, self.bandwidth[self.of_step[columns.step]]

    def _decode(self) -> list[_Part]:
        columns = self._pick(
            "attention", lambda t: not t[0].endswith("_prefill") and t[1] != "recurrent"
        )
        found, bandwidth = self._core(columns, _DECODE)
        peak = found["peak"] * row_share(columns, found["dtype_bytes"])

        def time_s(e: Effects) -> Any:
            v = engaged_decode(found, e, found["matrix"])
            return decode_s(columns, v, peak, bandwidth)

        return [_Part(columns.step, columns.values.get("repeat", np.zeros(0)), time_s)]

    def _prefill(self) -> list[_Part]:
        columns = self._pick(
            "attention", lambda t: t[0].endswith("_prefill") and t[1] != "recurrent"
        )
        found, bandwidth = self._core(columns, _PREFILL)
        constants = {k: found[k] for k in _PREFILL}

        def time_s(e: Effects) -> Any:
            v = engaged_prefill(constants, e)
            return prefill_s(columns, v, found["peak"], bandwidth)

        return [_Part(columns.step, columns.values.get("repeat", np.zeros(0)), time_s)]

    def _stream(self) -> list[_Part]:
        state = self._pick("attention", lambda t: t[1] == "recurrent")
        norms = self._pick("elementwise", lambda _: True)
        return [
            self._streamed(state, "kv_bytes", 1),
            self._streamed(norms, "activation_bytes", LAUNCHES["elementwise"]),
        ]

    def _streamed(self, columns: Columns, bytes_of: str, launches: int) -> _Part:
        at = self.of_step[columns.step]
        bf16 = [values["product bf16"] for values, _ in self.values]
        start = np.array([v["start_s"] for v in bf16])[at]
        reach = np.array([v["memory_efficiency"] for v in bf16])[at]
        bandwidth = self.bandwidth[at]
        moved = columns.values.get(bytes_of, np.zeros(0))

        def time_s(e: Effects) -> Any:
            return stream_s(moved, start, reach, bandwidth, e, launches)

        return _Part(columns.step, columns.values.get("repeat", np.zeros(0)), time_s)

    def _of_clusters(self, columns: Columns, group: str, names: Sequence[str]) -> dict[str, Floats]:
        table = np.array([[values[group][n] for n in names] for values, _ in self.values])
        return dict(zip(names, table[self.of_step[columns.step]].T, strict=True))

    def _links(self, columns: Columns) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Scale-up and scale-out rate, size of the domain, and whether the switch adds."""
        at = self.of_step[columns.step]
        link = np.array([c.link or c.scale_out or np.inf for c in self.clusters])
        out = np.array([c.scale_out or c.link or np.inf for c in self.clusters])
        domain = np.array([float(c.domain_size) for c in self.clusters])
        adds = np.array([in_switch for _, in_switch in self.values])
        return link[at], out[at], domain[at], adds[at]

    def _collective(self) -> list[_Part]:
        kinds = sorted({tag[3] for tag in self.tags} - {"", "all_to_all"})
        return [self._one_collective(kind) for kind in kinds]

    def _one_collective(self, kind: str) -> _Part:
        x = self._pick("exchange", lambda t: t[3] == kind)
        if not len(x):
            return _Part(x.step, np.zeros(0), lambda _: np.zeros(0))
        link, out, domain, adds = self._links(x)
        inside = np.minimum(x.group, domain)
        if kind == "all_reduce":
            wire = np.where(
                adds,
                all_reduce_wire_bytes_in_switch(x.payload_bytes, inside),
                all_reduce_wire_bytes(x.payload_bytes, inside),
            )
            groups = ["collective all_reduce_graph", "collective all_reduce"]
        elif kind == "hop":
            wire, groups = x.payload_bytes * (1 - x.share_across), ["collective all_gather"]
        else:
            wire, groups = shard_wire_bytes(x.payload_bytes, inside), [f"collective {kind}"]
        values = [self._of_clusters(x, group, _COLLECTIVE) for group in groups]
        send = Send(kind, x.group, x.payload_bytes, x.n_domains, x.share_across)
        _, across = wire_bytes(send, domain)
        bulk = self._of_clusters(x, "exchange dispatch_bulk", _EXCHANGE)
        beyond = crossing_s(across, x.n_domains, out, bulk, send)

        def time_s(e: Effects) -> Any:
            times = [collective_s(wire, inside, link, engaged_collective(v, e)) for v in values]
            return np.minimum.reduce(times) + beyond

        return _Part(x.step, x.repeat, time_s)

    def _exchange(self) -> list[_Part]:
        return [self._one_side("dispatch"), self._one_side("combine")]

    def _one_side(self, side: str) -> _Part:
        x = self._pick(
            "exchange",
            lambda t: t[3] == "all_to_all" and (t[0] == "dispatch") == (side == "dispatch"),
        )
        if not len(x):
            return _Part(x.step, np.zeros(0), lambda _: np.zeros(0))
        link, out, domain, _ = self._links(x)
        send = Send("all_to_all", x.group, x.payload_bytes, x.n_domains, x.share_across)
        within, across = wire_bytes(send, domain)
        times = [
            expert_exchange_time_s(
                x.m, x.group, within, across, link, out,
                **self._of_clusters(x, f"exchange {name}", _EXCHANGE),
            )
            for name in (side, f"{side}_bulk")
        ]  # fmt: skip
        fixed = np.where(x.n_domains > 1, np.minimum(*times), times[0])
        return _Part(x.step, x.repeat, lambda _: fixed)
