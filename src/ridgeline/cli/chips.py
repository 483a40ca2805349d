"""``ridgeline chips``: search chips and clusters, show one with its sources, compare several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline import catalog
from ridgeline.cli.declare import Csv, Json, Wide, machine_names
from ridgeline.cli.output import one_output, print_csv, print_json, print_table, print_text
from ridgeline.cli.search import Show, show_fields
from ridgeline.errors import CatalogError

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster

__all__ = ["chips"]


def chips(
    *names: Annotated[
        str,
        Parameter(
            completer=machine_names, help="Ids, aliases, TOML files, or words to search for."
        ),
    ],
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Search the chips and clusters of the catalogue.

    Without a name all are listed. The exact id of one (or a TOML file) shows it with the source
    of every number; several exact ids stand side by side; anything else is searched for.
    """
    one_output(json, csv)
    show = Show(json=json, csv=csv, wide=wide)
    found = [record for name in names if (record := _exact(name)) is not None]
    if names and len(found) == len(names):
        _show(found, show)
        return
    _list(names, show)


def _exact(name: str) -> Chip | Cluster | None:
    """The record that a name is of: a rack's is the rack, not the chip in it."""
    try:
        named = catalog.machine_named(name)
    except CatalogError:
        if name.endswith(".toml"):
            raise
        return None
    return catalog.chip(name) if named.is_chip else named.cluster


def _list(words: tuple[str, ...], show: Show) -> None:
    # Records come after the arguments were read: what reads them checks them once more where it
    # finds pydantic loaded.
    from ridgeline.questions import machines  # noqa: PLC0415

    tables = []
    if catalog.find("chips", words):
        tables.append(machines.chips(*words))
    if catalog.find("clusters", words):
        tables.append(machines.clusters(*words))
    if not tables:
        catalog.cluster(words[0])  # which says what is near
    by_name = {t.name: list(t) for t in tables}
    if show.json:
        print_json({"chips": [], "clusters": []} | by_name)
    elif show.csv:
        print_csv([{"kind": t.name.removesuffix("s"), **row} for t in tables for row in t])
    else:
        for table in tables:
            print_table(table, wide=show.wide)
        print_text("R: multiplies a chip can do in the time it reads one weight.")
        print_text("'ridgeline chips ID' shows the source of every number.")


def _show(records: list[Chip | Cluster], show: Show) -> None:
    if show.json:
        print_json([r.model_dump(exclude_none=True) for r in records])
    elif show.csv:
        from ridgeline.specs.facts import facts_of  # noqa: PLC0415

        print_csv([{k: f.value for k, f in facts_of(r).items()} for r in records])
    else:
        show_fields(records, with_sources=len(records) == 1, wide=show.wide)
        each: list[Any] = [getattr(r, "chip", r) for r in records]
        memories = [chip.memory for chip in each]
        if any((memory.usable or 0) > memory.capacity for memory in memories):
            print_text(
                "memory.capacity is nominal, in GB as its maker prints it: the modules hold as "
                "many GiB, and memory.usable is what of them a program sees."
            )
