"""Look up the constants of the calibrated laws: of chips and of fabrics."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from ridgeline.catalog._entries import loaded
from ridgeline.catalog._store import index
from ridgeline.errors import SpecError
from ridgeline.specs.constants import ChipConstants, FabricConstants
from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster

__all__ = ["constants", "fabric_constants", "family_of", "widest_constants"]

R = TypeVar("R", bound=Record)


def family_of(found: Chip) -> str:
    """Chips whose constants stand for one another: a vendor's, by kind of memory.

    Examples
    --------
    >>> from ridgeline.catalog import chip
    >>> family_of(chip("h20")), family_of(chip("rtx-4090")), family_of(chip("mi300x"))
    ('nvidia-hbm', 'nvidia-gddr', 'amd-hbm')
    """
    letters = "".join(takewhile(str.isalpha, found.memory.technology))
    return f"{found.vendor}-{letters}".casefold()


def constants(found: Chip) -> ChipConstants:
    """Constants of the calibrated laws for a chip: its own, else its family's, else all there are.

    Kinds of chips that launch no kernels (wafers, chips of SRAM, TPUs, CPUs) have constants of
    their kind in place of those of all, which are GPUs'. Looked up for each component and format by
    itself; ``level`` of each group says which it is, and the wider ones have wider sigmas.

    Parameters
    ----------
    found : Chip

    Raises
    ------
    SpecError   A file of constants that does not hold.
    """
    family = family_of(found)
    kind = f"kind-{found.kind}"
    base = kind if kind in index("constants") else "all"
    records = _constants_of("constants", ChipConstants, (base, family, found.id))
    parts = {
        part: {k: v for record in records for k, v in getattr(record, part).items()}
        for part in ("product", "experts", "decode", "prefill")
    }
    return ChipConstants(id=found.id, family=family, **parts)


def widest_constants() -> ChipConstants:
    """Constants of all chips that were measured, which stand for any chip of no measured family."""
    (record,) = _constants_of("constants", ChipConstants, ("all",))
    return record


def _of_size(constants: FabricConstants, found: Cluster) -> bool:
    """Whether constants are of domains as large as a cluster's, which may be an array of sizes."""
    least = most = found.domain_size
    if not isinstance(least, int | float):
        import numpy as np  # noqa: PLC0415  (lists of the catalogue do without)

        least, most = np.min(least), np.max(least)
    if constants.min_domain <= least and most <= constants.max_domain:
        return True
    if least <= constants.max_domain and constants.min_domain <= most:
        raise SpecError(
            f"Domains of {least:g} to {most:g} chips were measured apart: on {constants.id} those "
            f"of {constants.min_domain:g} to {constants.max_domain:g}. Ask for the sizes one by "
            "one, or for the ideal reading, which knows no measurements."
        )
    return False


def fabric_constants(found: Cluster) -> FabricConstants:
    """Constants of exchanges on a cluster's fabric: its generation's, its kind's, or all there are.

    Parameters
    ----------
    found : Cluster

    Raises
    ------
    SpecError   A file of constants that does not hold; sizes of domains in an array that were
                measured apart.
    """
    # Through host memory cards are as fast as directly, give or take what `spread` gives.
    access = "broken" if found.peer_access == "broken" else "direct"
    known = [loaded(FabricConstants, p) for p in index("constants/fabrics").values()]
    fits = [
        f
        for f in known
        if f.generation
        and (f.kind, f.peer_access) == (found.fabric, access)
        and found.fabric_name.startswith(f.generation)
        and _of_size(f, found)
    ]
    # The longest name that fits says most.
    own = max(fits, key=lambda f: len(f.generation), default=None)
    kind = (found.fabric, *([f"{found.fabric}-{access}"] if access != "direct" else []))
    names = ("all", *kind, *([own.id] if own else []))
    records = _constants_of("constants/fabrics", FabricConstants, names)
    parts = {
        part: {k: v for record in records for k, v in getattr(record, part).items()}
        for part in ("collective", "exchange")
    }
    return records[-1].model_copy(update=parts)


def _constants_of(kind: str, cls: type[R], names: tuple[str, ...]) -> list[R]:
    """Records of those names that exist, widest first."""
    paths = (index(kind).get(name) for name in names)
    return [loaded(cls, path) for path in paths if path is not None]
