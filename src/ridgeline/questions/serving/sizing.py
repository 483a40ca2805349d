"""Which reading answers, on how many chips, in which layout."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.answers.words import count
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid.axis import distinct
from ridgeline.questions.serving.words import one_box_words
from ridgeline.replica import Formats, Replica
from ridgeline.service.server import Server
from ridgeline.service.surface import LIVE, lattice
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import EXPERT_LOAD_CV
from ridgeline.steps.layouts import check_engine, check_layout, usual_layouts
from ridgeline.steps.machine import chip_capacity_bytes, fewest_chips, joined, machine, sizes

if TYPE_CHECKING:
    from ridgeline.service.requests import Requests
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.limits import Limits
    from ridgeline.specs.model import Model
    from ridgeline.steps import Counts, Machine

__all__ = ["Sized", "Sizing"]

#: batches looked at when a number of chips is chosen
_MOST = 2.0**14


def _kept(replica: Replica, requests: Requests) -> float:
    return float(requests.kept(replica.engine) if requests.osl else requests.context)


@dataclass(frozen=True, slots=True)
class Sized:
    """A replica, and all its machine's chips seen as one."""

    replica: Replica
    machine: Machine


@dataclass(frozen=True, slots=True)
class Sizing:
    """All that a replica needs but the number of chips.

    Attributes
    ----------
    constants : EngineConstants or None   Of whole engines; None for the catalogue's.
    batches : array or None   Sequences in flight in a replica that were asked for: the number of
                              chips is chosen at those; None for the best of all that fit.
    """

    model: Model
    counts: Counts
    cluster: Cluster
    layout: Layout | None
    formats: Formats
    engine: Engine
    version: str
    requests: Requests
    expert_load_cv: float
    reading: str
    limits: Limits
    constants: EngineConstants | None = None
    max_sequences: float | None = None
    batches: np.ndarray | None = None

    def sized(self, context: float, chips: int | str | None, is_chip: bool) -> tuple[Sized, list]:
        """The replica on the chips named, and a sentence where those are more than were named."""
        if self.layout is not None and chips is None:
            used = self.layout
            return self.on(used.replicas * used.pp * used.attn_dp * used.tp, context), []
        if chips == "best" or (chips is None and is_chip):
            return self.best(context)
        if chips == "fewest":
            return self.fewest(context), []
        if chips is not None:
            if not isinstance(chips, int) or isinstance(chips, bool) or not 1 <= chips <= 10**7:
                raise SpecError(
                    f"chips: a whole number from 1 to 10,000,000 is expected, not {chips!r}."
                )
            return self.on(chips, context), []
        return self._whole(context)

    def on(self, n_chips: int, context: float) -> Sized:
        """The replica on so many chips, in the plainest layout that holds a sequence."""
        whole = self.reading == "blackboard"
        cluster = self.cluster if whole else joined(self.cluster, n_chips)
        bound = machine(cluster, n_chips, self.counts, self.formats.compute)
        if cluster is not self.cluster:
            bound = replace(bound, notes=(*bound.notes, one_box_words(cluster)))
        if whole:
            self._plain_forms_only()
            return self._laid_out(Layout(tp=n_chips), bound)
        if self.layout is not None:
            return self._laid_out(self.layout, bound)
        usual = [
            self._laid_out(x, bound)
            for x in usual_layouts(self.model, cluster, n_chips, self.engine)
        ]
        return next((x for x in usual if self._fits(x, context)), usual[0])

    def _plain_forms_only(self) -> None:
        if self.layout is not None:
            raise SpecError(
                "The blackboard sees all chips as one: a layout needs the calibrated or the ideal "
                "reading."
            )
        skewed = self.expert_load_cv != EXPERT_LOAD_CV
        if self.requests.has_drafts or skewed or self.formats.activations != "bf16":
            raise SpecError(
                "The blackboard knows no drafts, skewed experts or activation formats: they need "
                "the calibrated or the ideal reading."
            )

    def _laid_out(self, layout: Layout, bound: Machine) -> Sized:
        if self.reading != "blackboard":
            check_layout(self.model, layout, bound.n_chips)
            check_engine(self.engine, layout)
        replica = Replica(
            model=self.model,
            cluster=bound.cluster,
            layout=layout,
            engine=self.engine,
            version=self.version,
            formats=self.formats,
            reading=self.reading,
            expert_load_cv=self.expert_load_cv,
            constants=self.constants,
        )
        return Sized(replica, bound)

    def fewest(self, context: float, *, whole_domains: bool = False) -> Sized:
        """The smallest usual number of chips on which one sequence fits."""
        least = fewest_chips(self.counts, self.cluster, context, whole_domains=whole_domains)
        reason = None
        for n_chips in sizes(self.cluster, whole_domains=whole_domains):
            if n_chips < least:
                continue
            try:
                found = self.on(n_chips, context)
            except InfeasibleError as error:
                reason = reason or error
                continue
            if self._fits(found, context):
                return found
        raise reason or InfeasibleError(
            f"No usual number of {self.cluster.chip.name} holds {self.model.id} in its plain "
            "layout: give one, such as --tp 8 --pp 4, or weights in a smaller format."
        )

    def best(self, context: float) -> tuple[Sized, list]:
        """The number of chips of a node with the lowest cost per output token within the limits.

        Without a price, that with most tokens per second and chip. Only the batches asked for
        count, where some were. Where no number keeps the limits, the one that is fastest for a
        single user, or at the smallest batch asked for. The blackboard takes the fewest: it
        divides everything evenly, so that a token costs the same on any number.
        """
        fewest = self.fewest(context)
        node = self.cluster.domain_size
        if self.reading == "blackboard" or fewest.machine.n_chips >= node:
            return fewest, []
        numbers = [n for n in sizes(self.cluster) if fewest.machine.n_chips <= n <= node]
        tried = [
            (n, found, *self._worth(found)) for n in numbers if (found := self._try(n, context))
        ]
        n_chips, best, why = self._chosen(tried)
        others = [n for n, *_ in tried if n != n_chips]
        if not others:
            return best, []
        chip, listed = self.cluster.chip.name, ", ".join(f"{n}" for n in others)
        return best, [f"{n_chips} x {chip}: {why}; {listed} were looked at, too (--chips)."]

    def _chosen(self, tried: list[tuple[int, Sized, float, float]]) -> tuple[int, Sized, str]:
        """The best of some numbers of chips with what each is worth, and why it is that."""
        asked = self.batches
        plural = "" if asked is None or len(asked) == 1 else "es"
        most = max(tried, key=lambda row: row[2])
        if most[2] > 0:
            at = "" if asked is None else f" at the batch{plural} asked for"
            why = f"the number with the lowest cost per output token{at}"
            return *most[:2], f"{why} within {self.limits}" if any(self.limits.items()) else why
        fastest = min(tried, key=lambda row: row[3])
        if math.isinf(fastest[3]):
            fullest = max(tried, key=lambda row: self._most(row[1]))
            return *fullest[:2], "the number that holds most sequences: none holds those asked for"
        whom = "for a single user" if asked is None else f"at a batch of {count(asked.min())}"
        return *fastest[:2], f"the fastest {whom}: no number keeps {self.limits}"

    def _try(self, n_chips: int, context: float) -> Sized | None:
        """The plain layout on so many chips; None where it does not hold a sequence."""
        try:
            found = self.on(n_chips, context)
        except InfeasibleError:
            return None
        return found if self._fits(found, context) else None

    def _most(self, found: Sized) -> float:
        """Sequences that a replica may have in flight at most."""
        replica, requests = found.replica, self.requests
        most = float(replica.max_sequences(_kept(replica, requests), drafts=requests.has_drafts))
        if self.max_sequences is not None:
            most = min(most, float(self.max_sequences * replica.layout.attn_dp))
        return most

    def _worth(self, found: Sized) -> tuple[float, float]:
        """Output tokens/s per chip within the limits, 0 for none; and the shortest TPOT. [s]"""
        replica, requests, most = found.replica, self.requests, self._most(found)
        if self.batches is None:
            batch = lattice(max(min(most, _MOST), 1.0), LIVE)
            batch = batch[batch <= max(most, 1.0)]
        else:
            batch = distinct(self.batches[self.batches <= most])
            if not batch.size:
                return 0.0, math.inf
        if not requests.osl:
            tpot = np.broadcast_to(replica.seconds(requests.decode(batch)), batch.shape)
            tpot = tpot / requests.tokens_per_step
            kept = tpot <= self.limits.tpot_s
            rate = batch / tpot / replica.n_chips
            return float(np.max(rate, where=kept, initial=0.0)), float(tpot[0])
        most_live = max(float(batch[-1]), 1.0)
        server = Server(replica, requests, most=most_live, max_sequences=self.max_sequences)
        perf = server.closed(batch, np.zeros(len(batch), dtype=np.intp))
        kept = perf.keeps(self.limits)
        rate = perf.requests_per_s * requests.osl / replica.n_chips
        return float(np.max(rate, where=kept, initial=0.0)), float(perf.tpot_s[0])

    def _fits(self, found: Sized, context: float) -> bool:
        drafts = self.requests.has_drafts
        return bool(found.replica.max_sequences(context, drafts=drafts) >= 1)

    def _whole(self, context: float) -> tuple[Sized, list]:
        """The cluster as it is, or as many of it as hold the model."""
        named = self.cluster.domain_size * self.cluster.n_domains
        if self.counts.weight_bytes <= named * chip_capacity_bytes(self.cluster.chip):
            found = self.on(named, context)
            if self._fits(found, context):
                return found, []
        grown = self.fewest(context, whole_domains=True)
        n_chips = grown.machine.n_chips
        if n_chips <= named:
            return self.on(named, context), []
        return grown, [
            f"The model does not fit on {named} x {self.cluster.chip.name}; "
            f"{n_chips // self.cluster.domain_size} x {self.cluster.name} are the fewest that "
            "hold it."
        ]
