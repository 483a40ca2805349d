"""Storage formats by name."""

from ridgeline.formats.dtypes import dtype, dtypes, folded

__all__ = ["dtype", "dtypes", "folded"]
