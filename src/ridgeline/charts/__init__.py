"""Every picture, defined once: for files, notebooks and, later, the browser."""

from ridgeline.charts.chart import Chart
from ridgeline.charts.headroom import headroom_chart
from ridgeline.charts.memory import MEMORY_PARTS, memory_chart
from ridgeline.charts.operators import roofline_chart
from ridgeline.charts.pareto import pareto_chart
from ridgeline.charts.rack import MOST_CHIPS_DRAWN, rack_chart
from ridgeline.charts.rl_step import rl_step_chart
from ridgeline.charts.schedule import schedule_chart
from ridgeline.charts.serving import serving_chart
from ridgeline.charts.timeline import timeline_chart
from ridgeline.charts.training import training_chart
from ridgeline.charts.training_memory import memory_time_chart, training_memory_chart

__all__ = [
    "MEMORY_PARTS",
    "MOST_CHIPS_DRAWN",
    "Chart",
    "headroom_chart",
    "memory_chart",
    "memory_time_chart",
    "pareto_chart",
    "rack_chart",
    "rl_step_chart",
    "roofline_chart",
    "schedule_chart",
    "serving_chart",
    "timeline_chart",
    "training_chart",
    "training_memory_chart",
]
