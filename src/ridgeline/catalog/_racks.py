"""Look up racks: what the builders of a scale-up domain are up against."""

from __future__ import annotations

from functools import cache

from ridgeline.catalog._store import find_file, index, read_toml
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.specs.rack import Rack

__all__ = ["rack", "racks"]


@cache
def rack(name: str) -> Rack:
    """Return the rack of an id, or of a TOML file.

    Parameters
    ----------
    name : str   ``gb200-nvl72``, ``my-rack.toml``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    SpecError      A file that is no valid rack.
    """
    path = find_file("racks", name)
    if path is None:
        known = sorted(index("racks"))
        raise CatalogError(
            f"There is no rack {name!r}.{did_you_mean(name, known)} There are {', '.join(known)}; "
            "a .toml file works too."
        )
    return Rack.parse(read_toml(path), where=path.name)


def racks() -> list[Rack]:
    """All racks known, by id."""
    return [rack(name) for name in sorted(index("racks"))]
