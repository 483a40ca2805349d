"""Words that answers about deployments share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ridgeline.answers.words import count, usd
from ridgeline.catalog import usual_engine
from ridgeline.kernels.extrapolation import beyond, beyond_words
from ridgeline.kernels.links import peer_access_words
from ridgeline.laws.experts import slots_per_chip
from ridgeline.laws.parallel import domains_spanned
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.replica import Replica
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.limits import Limits
    from ridgeline.specs.model import Model
    from ridgeline.specs.workload import Workload

__all__ = [
    "choice_of_experts",
    "count",
    "engine_words",
    "extrapolation_words",
    "layout_words",
    "limits_words",
    "link_words",
    "one_box_words",
    "usd",
    "vector_words",
    "wide_experts",
]


def limits_words(limits: Limits, load: Workload) -> str:
    """Limits that count, and whether they were stated.

    Parameters
    ----------
    limits : Limits    Those that count.
    load : Workload    As it was asked for.
    """
    names = [name for name, _ in limits.items()]
    if not names or any(name in load.limits.model_fields_set for name in names):
        return str(limits)
    return f"{limits} (the usual limit{'' if len(names) == 1 else 's'})"


def one_box_words(cluster: Cluster) -> str:
    """What is assumed of cards that nothing but their host joins."""
    rate = format_quantity(cluster.link or 0.0, "B/s")
    return (
        f"{cluster.domain_size} x {cluster.chip.name} are taken as one machine: cards on "
        f"one host's bus, {rate} each way per card."
    )


def extrapolation_words(replica: Replica) -> list[str]:
    """What is said of a chip unlike those whose kernels were measured, where times rest on them."""
    said = beyond_words(replica.cluster.chip) if replica.how.calibrated else ""
    return [f"{said}. Times are extrapolated, and their intervals wider for it."] if said else []


_EXCHANGE_ON_PCIE = (
    "Exchanges of tokens between experts were measured over NVLink only: over PCIe their latency "
    "is taken as there, which may be too short."
)


def link_words(replica: Replica, layout: Layout | None = None) -> list[str]:
    """What is assumed of links between cards on PCIe.

    Parameters
    ----------
    replica : Replica
    layout : Layout or None   Another than the replica's own.
    """
    if not replica.how.calibrated:
        return []
    said = peer_access_words(replica.cluster)
    sends = replica.expert_rules.sends(layout or replica.layout)
    unmeasured = replica.cluster.fabric == "pcie" and bool(np.any(sends))
    return [f"{said}."] * bool(said) + [_EXCHANGE_ON_PCIE] * unmeasured


def vector_words(replica: Replica) -> list[str]:
    """What is assumed of vector units, which decode attention runs on, where nothing is stated."""
    chip = replica.cluster.chip
    if not replica.how.calibrated or not chip.matrix_units or "fp32" in chip.peak:
        return []
    if not beyond(chip):
        return []
    return [
        f"No fp32 rate of {chip.name} is stated (peak.fp32): attention in decoding, which runs on "
        "vector units, is taken to multiply at a sixteenth of the matrix units' rate."
    ]


def layout_words(layout: Layout) -> str:
    """The degrees that are not one.

    Examples
    --------
    >>> from ridgeline.specs import Layout
    >>> layout_words(Layout(tp=4, attn_dp=2, ep=8))
    'attention DP 2, TP 4, EP 8'
    """
    names = {"replicas": "replicas", "pp": "PP", "attn_dp": "attention DP", "tp": "TP", "ep": "EP"}
    shown = [f"{n} {getattr(layout, f)}" for f, n in names.items() if getattr(layout, f) > 1]
    return ", ".join(shown) or "one chip per replica"


def engine_words(replica: Replica) -> list[str]:
    """Why the engine modelled is not the servers' usual one, and whose constants it has."""
    if not replica.how.calibrated:
        return []
    usual, why = usual_engine(replica.model, replica.cluster.chip)
    said = [why] if why and replica.engine.id == usual.id else []
    return said if replica.constants is None else [*said, _constants_words(replica.constants)]


def _constants_words(constants: EngineConstants) -> str:
    """Where constants come from that are not the catalogue's."""
    start, own = f"Times rest on the constants of {constants.id}", constants.own
    if own is None:
        said = f"fitted to {_rows(constants.n_rows)} of {', '.join(constants.sources)}"
        return f"{start}, {said}, instead of those of the package."
    files = f" of {', '.join(own.tables)}" if own.tables else ""
    return f"{start}: those of the package, moved by {_rows(own.n_rows)}{files}."


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def choice_of_experts(model: Model, expert_load_cv: float) -> list[str]:
    """Say how unevenly experts are taken to be chosen, where a model has several."""
    routed = _routed(model)
    if not routed:
        return []
    if expert_load_cv == 0:
        return ["Experts are taken as chosen equally often."]
    return [
        "Experts are taken as unevenly chosen, with a standard deviation of "
        f"{expert_load_cv:g} times the mean (expert_load_cv)."
    ]


def wide_experts(replica: Replica) -> list[str]:
    """Say what is taken to be switched on where ranks send tokens to experts on other hosts.

    Parameters
    ----------
    replica : Replica   Of one layout.
    """
    routed, rules, layout = _routed(replica.model), replica.expert_rules, replica.layout
    if not routed or not replica.how.calibrated or not rules.sends(layout):
        return []
    engine, said = replica.engine, []
    if rules.balances(layout) and engine.expert_copies is not None:
        n_experts = max(moe.n_experts for moe in routed)
        slots = slots_per_chip(n_experts, layout.ep, rules.copies_share) * layout.ep
        said.append(
            f"Hot experts are taken to have copies, {slots:,.0f} slots for {n_experts:,} experts, "
            "placed so that ranks are even while popularities do not shift: off in engines unless "
            "set."
        )
    across = domains_spanned(layout.attn_dp * layout.tp, replica.cluster.domain_size) > 1
    if engine.micro_batches is not None and across:
        said.append(
            f"Steps with {rules.split_min_tokens:,} tokens per rank or more are taken to run in "
            "two micro-batches where that is faster, so that one's exchanges run beside the "
            "other's arithmetic: off in engines unless set."
        )
    return said


def _routed(model: Model) -> list[MixtureOfExperts]:
    """Layers that choose among experts."""
    routed = [b.ffn for b in model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    return [moe for moe in routed if moe.n_experts_active < moe.n_experts]
