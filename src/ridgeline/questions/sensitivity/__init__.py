"""Sensitivity: what each constant of machine, model, load and framework does to time and cost."""

from ridgeline.questions.sensitivity.question import sensitivity

__all__ = ["sensitivity"]
