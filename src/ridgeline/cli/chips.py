"""``ridgeline chips``: search chips and clusters, show one with its sources, compare several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline import catalog
from ridgeline.cli.output import as_table, print_csv, print_json, print_text
from ridgeline.cli.search import Show, facts_of, find, show_fields
from ridgeline.errors import CatalogError, SpecError
from ridgeline.steps import chip_facts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster

__all__ = ["chips"]


def chips(
    *names: str,
    json: Annotated[bool, Parameter(negative=())] = False,
    csv: Annotated[bool, Parameter(negative=())] = False,
    wide: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Search the chips and clusters of the catalogue.

    Without a name all are listed. The exact id of one (or a TOML file) shows it with the source
    of every number; several exact ids stand side by side; anything else is searched for.

    Parameters
    ----------
    names
        Ids, aliases, TOML files, or words to search for.
    json
        As JSON, records whole.
    csv
        As CSV.
    wide
        Show all columns of tables, however narrow the terminal.
    """
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")
    show = Show(json=json, csv=csv, wide=wide)
    found = [record for name in names if (record := _exact(name)) is not None]
    if names and len(found) == len(names):
        _show(found, show)
        return
    _list(names, show)


def _exact(name: str) -> Chip | Cluster | None:
    for look_up in (catalog.chip, catalog.cluster):
        try:
            record = look_up(name)
        except CatalogError:
            if name.endswith(".toml") and look_up is catalog.cluster:
                raise
            continue
        except SpecError:
            # A user's file may be a cluster, not a chip: the second look-up has the last word.
            if not name.endswith(".toml") or look_up is catalog.cluster:
                raise
            continue
        return record
    return None


def _chip_row(chip: Chip) -> dict[str, Any]:
    facts = chip_facts(chip)
    peaks = {f"{k}_flops_per_s": chip.peak.get(k) for k in ("bf16", "fp8", "fp4", "int8")}
    return {
        "id": chip.id,
        "name": chip.name,
        "vendor": chip.vendor,
        "launched": chip.launched,
        "memory_bytes": chip.memory.usable or chip.memory.capacity,
        "bandwidth_bytes_per_s": chip.memory.bandwidth,
        **peaks,
        "hardware_ratio_bf16": facts.hardware_ratio.get("bf16"),
        "drain_s": facts.drain_s,
        "tdp_w": chip.tdp,
        "confidence": chip.confidence,
        "node": chip.node,
    }


def _in(dimension: str) -> Callable[[Any], str]:
    return lambda v: format_quantity(v, dimension)


_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "id": ("chip", str),
    "launched": ("launched", str),
    "memory_bytes": ("memory", _in("B")),
    "bandwidth_bytes_per_s": ("bandwidth", _in("B/s")),
    "bf16_flops_per_s": ("bf16", _in("FLOP/s")),
    "fp8_flops_per_s": ("fp8", _in("FLOP/s")),
    "fp4_flops_per_s": ("fp4", _in("FLOP/s")),
    "hardware_ratio_bf16": ("R (bf16)", lambda v: f"{v:,.0f}"),
    "drain_s": ("drain", _in("s")),
    "tdp_w": ("TDP", _in("W")),
    "node": ("standard node", str),
}


def _list(words: tuple[str, ...], show: Show) -> None:
    ids = find("chips", words)
    clusters = find("clusters", words)
    if not ids and not clusters:
        # Let the look-up say what is near.
        catalog.cluster(words[0])
    rows = [_chip_row(catalog.chip(i)) for i in ids]
    cluster_rows = [_cluster_row(catalog.cluster(i)) for i in clusters]
    if show.json:
        print_json({"chips": rows, "clusters": cluster_rows})
    elif show.csv:
        print_csv(rows)
    else:
        if rows:
            as_table(rows, _COLUMNS, title=f"{len(rows)} chips (dense peaks)", wide=show.wide)
        if cluster_rows:
            as_table(
                cluster_rows,
                _CLUSTER_COLUMNS,
                title=f"{len(cluster_rows)} clusters",
                wide=show.wide,
            )
        print_text("R: multiplies a chip can do in the time it reads one weight.")
        print_text("'ridgeline chips ID' shows the source of every number.")


def _cluster_row(cluster: Cluster) -> dict[str, Any]:
    from ridgeline.questions.serving import choose_price  # noqa: PLC0415  (only for prices)

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
    }


_CLUSTER_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "id": ("cluster", str),
    "chip": ("chip", str),
    "domain_size": ("chips", str),
    "fabric": ("fabric", str),
    "link_bytes_per_s": ("link, one way", _in("B/s")),
    "link_per_peer_bytes_per_s": ("to one peer", _in("B/s")),
    "scale_out_bytes_per_s": ("scale-out", _in("B/s")),
    "usd_per_chip_hour": ("$/chip-hour", lambda v: f"{v:,.2f}"),
    "price_basis": ("basis", str),
    "price_date": ("date", str),
}


def _show(records: list[Chip | Cluster], show: Show) -> None:
    if show.json:
        print_json([r.model_dump(exclude_none=True) for r in records])
    elif show.csv:
        print_csv([{k: f.value for k, f in facts_of(r).items()} for r in records])
    else:
        show_fields(records, with_sources=len(records) == 1, wide=show.wide)
