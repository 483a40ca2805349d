"""The training runs that come with the package: published figures, each with its citation."""

from __future__ import annotations

from pathlib import Path

from ridgeline import catalog

__all__ = ["SHIPPED_TRAINING"]

#: a table as any other; models that the catalogue lacks lie beside it
SHIPPED_TRAINING = Path(catalog.__file__).parent / "measurements" / "training.csv"
