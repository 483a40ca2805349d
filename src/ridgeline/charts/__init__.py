"""Every picture, defined once: for files, notebooks and, later, the browser."""

from ridgeline.charts.chart import Chart
from ridgeline.charts.serving import serving_chart

__all__ = ["Chart", "serving_chart"]
