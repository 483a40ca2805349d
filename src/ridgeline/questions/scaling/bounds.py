"""Bounds of the scaling book for a model on a machine, each named, as chips, degrees or tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.laws.context import overtaking_context_tokens
from ridgeline.laws.parallel_bounds import (
    chips_of_batch,
    fsdp_tokens_per_chip,
    mixed_tokens_per_chip,
    training_tensor_parallel,
)
from ridgeline.laws.roofline import sparsity
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.counts import counts
from ridgeline.trainer.utilization import peak_flops_per_s

if TYPE_CHECKING:
    from ridgeline.questions.scaling.rows import Row
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.trainer.job import TrainingJob

__all__ = ["bounds_of"]


def bounds_of(job: TrainingJob, *, weak: bool = False) -> list[Row]:
    """What the network lets a model's training scale to, at best.

    Parameters
    ----------
    job : TrainingJob   On the whole machine, with the batch of a step.
    weak : bool         Whether the batch grows with the chips, so that no number of them ends it.

    Returns
    -------
    list of dict   ``bound`` (its name), ``tokens_per_chip`` that it asks for, ``n_chips`` over
                   which the batch gives them, ``value`` with ``unit`` of bounds that are no number
                   of chips, ``holds`` (whether the batch gives each chip as much on the whole
                   machine), ``about`` (a clause). None where there is nothing to say.
    """
    cluster, model = job.cluster, job.model
    if not model.blocks:
        return []
    peak, batch = peak_flops_per_s(job), job.load.tokens
    d_ff = _width(model)
    ranks = int(job.layout.tp * job.layout.pp)
    alone, own = _rate_in(cluster, 1), _rate_in(cluster, ranks)
    routed = _experts_over_active(model)
    asked: list[tuple[str, Any, str]] = []
    if alone:
        about = "C / W, weights or gradients of all layers through a domain's links"
        asked.append(("FSDP or DP alone", fsdp_tokens_per_chip(peak, alone), about))
    if own and alone and own > alone:
        about = "C / W, gradients of a replica through the links of all its chips"
        asked.append((f"DP beside TP x PP = {ranks}", fsdp_tokens_per_chip(peak, own), about))
    if own and routed:
        about = f"(E / k) C / W with E / k = {routed:.3g}, experts not spread"
        asked.append(("DP of experts", fsdp_tokens_per_chip(peak, own, routed), about))
    if cluster.link:
        mixed = mixed_tokens_per_chip(d_ff, peak, cluster.link, cluster.link)
        several = cluster.n_domains > 1
        about = f"4 C^2 / (F W^2){', were all chips in one domain' * several}"
        asked.append((f"FSDP with TP{', one fabric' * several}", mixed, about))
    rows = [_chips(name, per_chip, batch, about) for name, per_chip, about in asked]
    given = batch / float(job.n_chips)
    for row in rows:
        enough = row["tokens_per_chip"]
        row["holds"] = None if enough is None else given >= enough
        row["n_chips"] = None if weak else row["n_chips"]
    if cluster.link:
        about = f"F W / C: ranks of a domain of {cluster.domain_size:,}"
        most = training_tensor_parallel(d_ff, peak, cluster.link)
        rows.append(_other("TP", most, "chips", about))
    length = job.load.document or job.load.seq_len
    active = float(counts(model).n_params_active)
    core = float(counts(model).flops_per_token(length)) / 2 - active
    if core > 0:
        longest = overtaking_context_tokens(active, core / length)
        about = "of a sequence; T > 8 D for plain layers"
        rows.append(_other("attention above all GEMMs", longest, "tokens", about))
    return rows


def _chips(name: str, per_chip: Any, batch: float, about: str) -> Row:
    return {
        "bound": name,
        "tokens_per_chip": float(per_chip),
        "n_chips": float(chips_of_batch(batch, per_chip)),
        "value": None,
        "unit": "",
        "holds": None,
        "about": about,
    }


def _other(name: str, value: Any, unit: str, about: str) -> Row:
    return {
        "bound": name, "tokens_per_chip": None, "n_chips": None, "value": float(value),
        "unit": unit, "holds": None, "about": about,
    }  # fmt: skip


def _rate_in(cluster: Cluster, ranks: int) -> float | None:
    """Rate at which a replica of so many chips takes in what its ranks share. [bytes/s]

    Chips of a domain pass on what each of them took in from outside, so that a replica within one
    has the links of the whole domain; a larger one those of all its chips.
    """
    link = None if cluster.link is None else cluster.link * ranks
    if cluster.n_domains == 1:
        return link
    if cluster.scale_out is None:
        return None
    outside = cluster.scale_out * max(ranks, cluster.domain_size)
    return outside if link is None else min(link, outside)


def _width(model: Model) -> float:
    """F: of the widest layer, all experts that a token passes together."""
    widths = []
    for block in model.blocks:
        ffn = block.ffn
        if isinstance(ffn, MixtureOfExperts):
            widths.append(ffn.n_experts_active * ffn.d_ff + ffn.d_ff_shared)
        elif ffn is not None:
            widths.append(getattr(ffn, "d_ff", 0))
    return float(max(widths, default=0) or (model.d_model or 1) * 4)


def _experts_over_active(model: Model) -> float:
    """Experts over active ones; 0 for a dense model."""
    found = [
        sparsity(b.ffn.n_experts, b.ffn.n_experts_active)
        for b in model.blocks
        if isinstance(b.ffn, MixtureOfExperts)
    ]
    return float(max(found, default=0.0))
