"""Look up fits of the loss of language models."""

from __future__ import annotations

from functools import cache

from ridgeline.catalog._store import find_file, index, read_toml
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.specs.loss_law import LossLaw

__all__ = ["loss_law", "loss_laws"]


@cache
def loss_law(name: str = "besiroglu-2024") -> LossLaw:
    """Return a fit of the loss by id, alias or TOML file.

    Parameters
    ----------
    name : str   ``besiroglu-2024``, ``chinchilla``, ``my-fit.toml``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    SpecError      A file that is no valid law.

    Examples
    --------
    >>> loss_law("refit").slopes
    (482.01, 2085.43, 0.3478, 0.3658)
    """
    path = find_file("loss_laws", name)
    if path is None:
        laws = loss_laws()
        every = [n for law in laws for n in (law.id, *law.aliases)]
        raise CatalogError(
            f"There is no loss law {name!r}.{did_you_mean(name, every)} There are "
            f"{', '.join(law.id for law in laws)}; a .toml file of your own works too."
        )
    return LossLaw.parse(read_toml(path), where=path.name)


def loss_laws() -> list[LossLaw]:
    """All fits of the loss known, by date of publication."""
    found = [LossLaw.parse(read_toml(p), where=p.name) for p in index("loss_laws").values()]
    return sorted(found, key=lambda law: (_year(law.id), law.id))


def _year(name: str) -> str:
    return next((part for part in name.split("-") if part.isdigit()), "")
