"""Measured against predicted: readers of measurements, fits of constants, scores on unseen shapes.

Only this package knows the measured tables; only it writes ``catalog/constants``.
"""

from ridgeline.fidelity.components import Outcome, calibrate, write_constants
from ridgeline.fidelity.fitting import Form, Measured, Score, cross_validated, fit, score
from ridgeline.fidelity.kernels import read_kernels
from ridgeline.fidelity.report import report, write_report

__all__ = [
    "Form",
    "Measured",
    "Outcome",
    "Score",
    "calibrate",
    "cross_validated",
    "fit",
    "read_kernels",
    "report",
    "score",
    "write_constants",
    "write_report",
]
