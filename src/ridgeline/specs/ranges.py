"""What numbers of a question can be, in one place: beyond these ranges is a typing error.

Ranges of quantities with a dimension are in `units.BOUNDS`; these are of counts and ratios, and of
quantities whose range in a question is narrower than in a record.
"""

from __future__ import annotations

from typing import Final

from ridgeline.specs.fields import Number
from ridgeline.specs.limits import BARE_TIME
from ridgeline.units import BOUNDS

__all__ = [
    "CHIPS",
    "CONTEXT_TOKENS",
    "HOP_S",
    "KV_BYTES_PER_TOKEN",
    "LATENCY_S",
    "LENGTH_TOKENS",
    "MFU",
    "PARAMS",
    "RATIO",
    "REQUESTS_PER_S",
    "RUN_FLOPS",
    "RUN_TOKENS",
    "SEQUENCES",
    "SPARSITY",
    "USD_PER_CHIP_HOUR",
    "USD_PER_MTOK",
    "WEIGHT_BITS",
]

LENGTH_TOKENS: Final = Number(1, 1e9)
CONTEXT_TOKENS: Final = Number(1, 1e9, or_zero=True)
SEQUENCES: Final = Number(1, 1e12)
REQUESTS_PER_S: Final = Number(1e-6, 1e12)
CHIPS: Final = Number(1, 10**6, whole=True)
LATENCY_S: Final = Number(1e-6, 1e6, dimension="s", bare=BARE_TIME)
#: from stage to stage of a pipeline
HOP_S: Final = Number(1e-9, 1e3, dimension="s", or_zero=True, bare=BARE_TIME)
USD_PER_CHIP_HOUR: Final = Number(*BOUNDS["USD/h"], dimension="USD/h")
USD_PER_MTOK: Final = Number(1e-6, 1e6)
#: of prices and speeds of two tiers
RATIO: Final = Number(1, 1e6, times=True)
#: total over active parameters
SPARSITY: Final = Number(1, 1e6)
PARAMS: Final = Number(1e3, 1e18)
KV_BYTES_PER_TOKEN: Final = Number(1, 1e12, or_zero=True)
WEIGHT_BITS: Final = Number(0.1, 64)
#: of a whole training, or of all that a model serves
RUN_TOKENS: Final = Number(1, 1e18)
RUN_FLOPS: Final = Number(1e12, 1e32)
MFU: Final = Number(1e-5, 1)
