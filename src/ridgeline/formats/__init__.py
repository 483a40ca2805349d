"""Storage formats by name."""

from ridgeline.formats.dtypes import dtype, dtypes, folded, mean_bits, mixture

__all__ = ["dtype", "dtypes", "folded", "mean_bits", "mixture"]
