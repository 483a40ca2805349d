"""What chips and clusters there are: their numbers as rows for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers.table import Table
from ridgeline.answers.words import counted

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster

__all__ = ["chip_row", "chips", "cluster_row", "clusters"]

_CHIPS = {
    "id": ("chip", ""),
    "launched": ("launched", ""),
    "memory_bytes": ("memory", "B"),
    "bandwidth_bytes_per_s": ("bandwidth", "B/s"),
    "bf16_flops_per_s": ("bf16", "FLOP/s"),
    "fp8_flops_per_s": ("fp8", "FLOP/s"),
    "fp4_flops_per_s": ("fp4", "FLOP/s"),
    "hardware_ratio_bf16": ("R (bf16)", "R"),
    "drain_s": ("drain", "s"),
    "tdp_w": ("TDP", "W"),
    "node": ("standard node", ""),
}
#: the most important first
_FIRST_OF_CHIPS = (
    "memory_bytes", "bandwidth_bytes_per_s", "bf16_flops_per_s", "fp8_flops_per_s",
    "fp4_flops_per_s", "tdp_w", "launched",
)  # fmt: skip
_CLUSTERS = {
    "id": ("cluster", ""),
    "chip": ("chip", ""),
    "domain_size": ("chips", "#"),
    "fabric": ("fabric", ""),
    "link_bytes_per_s": ("link, one way", "B/s"),
    "link_per_peer_bytes_per_s": ("to one peer", "B/s"),
    "scale_out_bytes_per_s": ("scale-out", "B/s"),
    "usd_per_chip_hour": ("per chip-hour", "USD/h"),
    "price_basis": ("basis", ""),
    "price_date": ("date", ""),
    "price_kind": ("read from", ""),
}
#: the most important first
_FIRST_OF_CLUSTERS = (
    "chip", "domain_size", "link_bytes_per_s", ("usd_per_chip_hour", "price_basis"), "fabric",
)  # fmt: skip


def chips(*words: str) -> Table:
    """Search the chips of the catalogue.

    Parameters
    ----------
    *words : str   What a person remembers of the names; all chips for no words.

    Returns
    -------
    Table   A row per chip, best match first: see `chip_row`. `rl.chip` takes its ``id``.

    Raises
    ------
    CatalogError   No chip has any of the words; says what is near.

    Examples
    --------
    >>> import ridgeline as rl
    >>> [row["id"] for row in rl.chips("mi355x")]
    ['mi355x']
    """
    ids = catalog.find("chips", words) or [catalog.chip(" ".join(words)).id]
    rows = catalog.rows_of("chips", ids, lambda i: chip_row(catalog.chip(i)))
    return Table(
        "chips", f"{counted(len(rows), 'chip')} (dense peaks)", _CHIPS, rows, first=_FIRST_OF_CHIPS
    )


def clusters(*words: str) -> Table:
    """Search the clusters of the catalogue.

    Parameters
    ----------
    *words : str   What a person remembers of the names, also of their chips; all for no words.

    Returns
    -------
    Table   A row per cluster, best match first: see `cluster_row`. `rl.cluster` takes its ``id``.

    Raises
    ------
    CatalogError   No cluster has any of the words; says what is near.

    Examples
    --------
    >>> import ridgeline as rl
    >>> rl.clusters("nvl72")[0]["domain_size"]
    72
    """
    ids = catalog.find("clusters", words) or [catalog.cluster(" ".join(words)).id]
    rows = catalog.rows_of("clusters", ids, lambda i: cluster_row(catalog.cluster(i)))
    return Table(
        "clusters", counted(len(rows), "cluster"), _CLUSTERS, rows, first=_FIRST_OF_CLUSTERS
    )


def chip_row(chip: Chip) -> dict[str, Any]:
    """The numbers of a chip, flat.

    Parameters
    ----------
    chip : Chip

    Returns
    -------
    dict   Names carry units; peaks are dense.
    """
    from ridgeline.steps import chip_facts  # noqa: PLC0415  (rows of lists are kept)

    facts = chip_facts(chip)
    peaks = {f"{k}_flops_per_s": chip.peak.get(k) for k in ("bf16", "fp8", "fp4", "int8")}
    return {
        "id": chip.id,
        "name": chip.name,
        "vendor": chip.vendor,
        "launched": chip.launched,
        "memory_bytes": chip.memory.capacity,
        "bandwidth_bytes_per_s": chip.memory.bandwidth,
        **peaks,
        "hardware_ratio_bf16": facts.hardware_ratio.get("bf16"),
        "drain_s": facts.drain_s,
        "tdp_w": chip.tdp,
        "confidence": chip.confidence,
        "node": chip.node,
    }


def cluster_row(cluster: Cluster) -> dict[str, Any]:
    """The numbers of a cluster, flat.

    Parameters
    ----------
    cluster : Cluster

    Returns
    -------
    dict   Names carry units; the price is the one that answers use by default.
    """
    from ridgeline.questions.prices import choose_price  # noqa: PLC0415  (rows of lists are kept)

    price = choose_price(cluster)
    return {
        "id": cluster.id,
        "chip": cluster.chip.id,
        "domain_size": cluster.domain_size,
        "fabric": cluster.fabric,
        "link_bytes_per_s": cluster.link,
        "link_per_peer_bytes_per_s": cluster.link_per_peer,
        "scale_out_bytes_per_s": cluster.scale_out,
        "usd_per_chip_hour": price.usd_per_chip_hour if price else None,
        "price_basis": price.basis if price else None,
        "price_date": price.date if price else None,
        "price_kind": price.kind if price else None,
    }
