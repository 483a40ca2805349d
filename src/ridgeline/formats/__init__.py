"""Storage formats by name."""

from typing import TYPE_CHECKING

from ridgeline.lazy import from_modules

if TYPE_CHECKING:
    from ridgeline.formats.dtypes import dtype, dtypes, mean_bits, mixture
    from ridgeline.naming import folded
else:
    __getattr__ = from_modules(
        __name__,
        {
            "dtypes": "dtype dtypes mean_bits mixture",
            "ridgeline.naming": "folded",
        },
    )

__all__ = ["dtype", "dtypes", "folded", "mean_bits", "mixture"]
