"""How layouts read in tables and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.answers.words import listed, percent, seconds, sequences, times

if TYPE_CHECKING:
    from ridgeline.specs.layout import Layout

__all__ = [
    "DEGREE_WORDS",
    "layout_name",
    "listed",
    "percent",
    "seconds",
    "sequences",
    "times",
]

DEGREE_WORDS = {
    "replicas": "replicas",
    "pp": "PP",
    "attn_dp": "attention DP",
    "tp": "TP",
    "ep": "EP",
}


def layout_name(layout: Layout) -> str:
    """A layout in a few letters, for tables and pictures.

    Examples
    --------
    >>> from ridgeline.specs import Layout
    >>> layout_name(Layout(replicas=9, tp=8)), layout_name(Layout(attn_dp=72, ep=72))
    ('9x TP8', 'DP72 EP72')
    """
    letters = {"PP": layout.pp, "DP": layout.attn_dp, "TP": layout.tp, "EP": layout.ep}
    one = " ".join(f"{name}{value}" for name, value in letters.items() if value > 1) or "1 chip"
    return f"{layout.replicas}x {one}" if layout.replicas > 1 else one
