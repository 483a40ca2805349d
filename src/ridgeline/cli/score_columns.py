"""Columns of tables that scores and fits of serving and of training have in common."""

from __future__ import annotations

__all__ = ["FIGURES", "FIRST_OF_MOVED", "MOVED"]

#: figures that are asked of constants
FIGURES = {
    "figure": ("figure", str),
    "value": ("reached", str),
    "limit": ("asked", str),
    "met": ("", str),
    "n_rows": ("rows", "{:,}".format),
}
#: factors that a fit moved
MOVED = {
    "effect": ("constant", str),
    "place": ("of", str),
    "before": ("before", "{:.4g}".format),
    "after": ("after", "{:.4g}".format),
    "unit": ("unit", str),
    "sigma_before": ("sigma before", "{:.3f}".format),
    "sigma": ("after", "{:.3f}".format),
    "n_rows": ("rows", "{:,}".format),
}
#: of them what a narrow screen keeps
FIRST_OF_MOVED = ("before", "after", "place", "n_rows")
