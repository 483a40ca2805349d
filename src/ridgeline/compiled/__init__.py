"""Kernels traced to graphs, and run in blocks by numpy or by compiled loops."""

from ridgeline.compiled.kernel import WAYS, OnGrid, TracedKernel

__all__ = ["WAYS", "OnGrid", "TracedKernel"]
