"""Training runs that no fit may see until the end: blocks of a source, by model and chips."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pydantic import Field

from ridgeline.catalog._store import BUILT_IN, read_toml
from ridgeline.errors import CatalogError
from ridgeline.fidelity.training.families import family_name, source_family
from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["SHIPPED_ASIDE", "Block", "TrainingAside", "read_training_aside"]

#: what was set aside before training was begun
SHIPPED_ASIDE = BUILT_IN / "measurements" / "set_aside_training.toml"


class Block(Record):
    """Runs of a source: of a model, on a number of chips of a kind where these are named.

    Attributes
    ----------
    source : str    Revisions and parts of one publication are one source.
    model : str     Cut-down and sibling shapes are one model.
    chip : str      As tables write it; empty for all.
    n_chips : int   0 for all.
    runs : int      How many there were.
    """

    source: str
    model: str
    chip: str = ""
    n_chips: int = Field(default=0, ge=0)
    runs: int = Field(default=0, ge=0)

    def has(self, row: TrainingRow) -> bool:
        """Whether a row is of this block; one that does not say what was run is of none."""
        run = row.run
        if run is None:
            return False
        own = source_family(row.source), family_name(run.model.id)
        return (
            own == (self.source, self.model)
            and self.chip in ("", row.chip, run.cluster.chip.id)
            and self.n_chips in (0, run.n_chips)
        )


class TrainingAside(Record):
    """Runs that are kept away from every fit."""

    block: tuple[Block, ...] = ()

    def split(self, rows: Sequence[TrainingRow]) -> tuple[list[TrainingRow], list[TrainingRow]]:
        """Rows that are kept, and rows that are set aside, each in their order."""
        kept, aside = [], []
        for row in rows:
            (aside if any(b.has(row) for b in self.block) else kept).append(row)
        return kept, aside

    def words(self, rows: Sequence[TrainingRow]) -> str:
        """How many rows are set aside: ``12 of 90 rows set aside: 8 of nemo, 4 of mlperf``."""
        _, aside = self.split(rows)
        of = Counter(source_family(row.source) for row in aside)
        each = ", ".join(f"{n:,} of {source}" for source, n in of.items()) or "none of any source"
        return f"{len(aside):,} of {len(rows):,} rows set aside: {each}"


def read_training_aside(path: Path) -> TrainingAside:
    """Read what is set aside: a TOML file of ``[[block]]`` with ``source`` and ``model``.

    Raises
    ------
    CatalogError   No such file, no TOML, or a list of serving runs.
    SpecError      A field that there is not.
    """
    data = read_toml(path)
    if "block" not in data:
        raise CatalogError(
            f"{path.name} sets aside no training runs: tables of [[block]] with source and model "
            "are expected."
        )
    return TrainingAside.parse(data, where=path.name)
