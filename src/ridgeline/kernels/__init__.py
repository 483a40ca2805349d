"""Which law, constants and flags time an op: said once, for steps, fits and `--explain`."""

from ridgeline.kernels.calibration import Calibration, calibration
from ridgeline.kernels.effects import EFFECTS, resolve, scopes_of
from ridgeline.kernels.laws import LAWS, PARTS, host_s
from ridgeline.kernels.platform import Kernel, Platform

__all__ = [
    "EFFECTS",
    "LAWS",
    "PARTS",
    "Calibration",
    "Kernel",
    "Platform",
    "calibration",
    "host_s",
    "resolve",
    "scopes_of",
]
