"""The chips that hold one copy of a model, and what a step of theirs takes: one or many."""

from ridgeline.replica.readings import READINGS, Reading, StepTime
from ridgeline.replica.replica import Formats, Replica

__all__ = ["READINGS", "Formats", "Reading", "Replica", "StepTime"]
