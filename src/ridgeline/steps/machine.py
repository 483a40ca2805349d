"""Bind a cluster to what a model asks of it: aggregate rates, and the formats products run in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ridgeline.errors import InfeasibleError
from ridgeline.laws.memory import memory_needed_bytes
from ridgeline.laws.roofline import multiplies_per_s
from ridgeline.specs.cluster import MOST_CARDS

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip, ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.dtype import Dtype
    from ridgeline.steps.counts import Counts

__all__ = [
    "Machine",
    "chip_capacity_bytes",
    "compute_dtype",
    "fewest_chips",
    "joined",
    "machine",
    "network_hint",
    "sizes",
]

#: any chip can multiply what it has read in wider arithmetic
_LAST_RESORT: tuple[ComputeDtype, ...] = ("tf32", "fp32")
#: beyond this many domains the model does not belong on this kind of machine
_MAX_DOMAINS = 64


def chip_capacity_bytes(chip: Chip) -> float:
    """Memory a program can use: what it sees, where that differs from the nameplate. [bytes]"""
    return chip.memory.usable or chip.memory.capacity


def compute_dtype(dtype: Dtype, chip: Chip, wanted: ComputeDtype | None = None) -> ComputeDtype:
    """The format products with these weights run in on this chip.

    Parameters
    ----------
    dtype : Dtype          Storage format of the weights.
    chip : Chip
    wanted : str or None   Run them in this arithmetic instead.

    Returns
    -------
    str   The one wanted, or the first of the format's arithmetics the chip has.

    Raises
    ------
    InfeasibleError   The chip lacks the one wanted, or has none of them.
    """
    if wanted is not None:
        if wanted not in chip.peak:
            raise InfeasibleError(
                f"{chip.name} has no {wanted} arithmetic: it has {', '.join(chip.peak)}. "
                f"Choose one of those with --compute, or another chip."
            )
        return wanted
    for candidate in (*dtype.compute, *_LAST_RESORT):
        if candidate in chip.peak:
            return candidate
    raise InfeasibleError(
        f"{chip.name} cannot multiply {dtype.id} weights: they need {' or '.join(dtype.compute)}, "
        f"and it has {', '.join(chip.peak)}. Choose another format or chip."
    )


def network_hint(cluster: Cluster) -> str:
    """What lets several chips share a model where nothing joins them; blank where something does.

    Parameters
    ----------
    cluster : Cluster
    """
    if cluster.domain_size > 1 or cluster.scale_out is not None:
        return ""
    return (
        f" {cluster.name} has no network: to let several share a model, give its rate in a "
        'cluster\'s TOML file or with --set cluster.scale_out="50 GB/s".'
    )


def joined(cluster: Cluster, n_chips: int) -> Cluster:
    """A machine with one chip and no network, with more of them on its host's bus.

    Raises
    ------
    InfeasibleError   More chips than a host's bus takes, or none is known.
    """
    if n_chips == 1 or cluster.domain_size > 1 or cluster.scale_out is not None:
        return cluster
    if cluster.host_link is None or n_chips > MOST_CARDS:
        raise InfeasibleError(
            f"{n_chips} x {cluster.chip.name} cannot share a model.{network_hint(cluster)}"
        )
    name = f"{n_chips} x {cluster.chip.name}"
    changes = {"name": name, "domain_size": n_chips, "fabric": "pcie", "link": cluster.host_link}
    return cluster.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class Machine:
    """`n_chips` equal chips seen as one: the blackboard divides all work evenly.

    Attributes
    ----------
    multiplies_per_s : mapping of compute dtype to 1/s       All chips together.
    compute : mapping of weight dtype id to compute dtype    What runs in what.
    notes : tuple of str    Sentences about choices a user should know.
    """

    cluster: Cluster
    n_chips: int
    bandwidth_bytes_per_s: float
    capacity_bytes: float
    multiplies_per_s: dict[ComputeDtype, float]
    compute: dict[str, ComputeDtype]
    notes: tuple[str, ...] = field(default=())

    @property
    def n_domains(self) -> int:
        """Scale-up domains the chips fill, the last perhaps in part."""
        return -(-self.n_chips // self.cluster.domain_size)


def machine(
    cluster: Cluster, n_chips: int, counts: Counts, compute: ComputeDtype | None = None
) -> Machine:
    """Bind a number of a cluster's chips to a model's storage formats.

    Parameters
    ----------
    cluster : Cluster
    n_chips : int                 Chips that hold one copy of the model.
    counts : Counts               For the formats its weights are stored in.
    compute : str or None         Run every product in this format instead of the usual one.

    Raises
    ------
    InfeasibleError   The chip lacks the arithmetic asked for, or any that fits a format.
    """
    chip = cluster.chip
    chosen: dict[str, ComputeDtype] = {
        d.id: compute_dtype(d, chip, compute) for d in counts.dtypes.values()
    }
    # Vectors, such as norms, and tables that are looked up are in no product.
    multiplied = {dtype for part, dtype in counts.active if part not in ("other", "embedding")}
    notes = tuple(
        f"{chip.name} has no {d.compute[0]} arithmetic: {d.id} weights are stored as they are "
        f"and multiplied in {chosen[d.id]}."
        for d in counts.dtypes.values()
        if compute is None and chosen[d.id] != d.compute[0] and d.id in multiplied
    )
    return Machine(
        cluster=cluster,
        n_chips=n_chips,
        bandwidth_bytes_per_s=n_chips * chip.memory.bandwidth,
        capacity_bytes=n_chips * chip_capacity_bytes(chip),
        multiplies_per_s={k: n_chips * multiplies_per_s(v) for k, v in chip.peak.items()},
        compute=chosen,
        notes=notes,
    )


def sizes(cluster: Cluster, *, whole_domains: bool = False) -> list[int]:
    """Numbers of chips people use of a cluster: powers of two in a domain, then whole domains.

    Parameters
    ----------
    cluster : Cluster
    whole_domains : bool   Leave out parts of a domain.

    Returns
    -------
    list of int   Increasing.
    """
    domain = cluster.domain_size
    # What nothing joins is one domain; single chips may share a host's bus: see `joined`.
    most = _MAX_DOMAINS if domain == 1 or cluster.scale_out is not None else 1
    parts = [] if whole_domains else [2**i for i in range(domain.bit_length()) if 2**i < domain]
    return [*parts, *(domain * k for k in range(1, most + 1))]


def fewest_chips(
    counts: Counts,
    cluster: Cluster,
    context: float,
    batch: float = 1,
    *,
    whole_domains: bool = False,
) -> int:
    """The smallest usual number of chips whose memory holds the model and its caches.

    Parameters
    ----------
    counts : Counts
    cluster : Cluster
    context : float         Cached tokens of each sequence. [tokens]
    batch : float           Sequences that must fit. [1]
    whole_domains : bool    Only whole scale-up domains.

    Raises
    ------
    InfeasibleError   Not even on the most domains looked at; says what is short.
    """
    needed = memory_needed_bytes(counts.weight_bytes, batch, counts.cache_bytes(context))
    options = sizes(cluster, whole_domains=whole_domains)
    for n_chips in options:
        if needed <= n_chips * chip_capacity_bytes(cluster.chip):
            return n_chips
    have = options[-1] * chip_capacity_bytes(cluster.chip)
    raise InfeasibleError(
        f"The model does not fit: it needs {needed / 1e9:,.0f} GB at this context, and "
        f"{options[-1]} x {cluster.chip.name} have {have / 1e9:,.0f} GB. "
        "Choose a chip with more memory, a smaller weight format, or give --chips."
    )
