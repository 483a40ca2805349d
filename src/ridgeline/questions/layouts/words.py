"""How layouts, batches and limits are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.specs.layout import Layout

__all__ = ["DEGREE_WORDS", "layout_name", "listed", "per_cent", "seconds", "sequences", "times"]

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


def sequences(n: float) -> str:
    """So many sequences.

    Examples
    --------
    >>> sequences(1), sequences(3303.0)
    ('1 sequence', '3,303 sequences')
    """
    return f"{n:,.0f} sequence{'' if round(n) == 1 else 's'}"


def seconds(value: float) -> str:
    """A time with its unit."""
    return format_quantity(value, "s")


def per_cent(share: float) -> str:
    """A share in whole per cents.

    Examples
    --------
    >>> per_cent(0.414), per_cent(0.004)
    ('41 %', '0.4 %')
    """
    digits = 0 if share >= 0.01 or share == 0 else 1
    return f"{share * 100:.{digits}f} %"


def times(ratio: float) -> str:
    """How many times as much.

    Examples
    --------
    >>> times(1.042), times(12.7)
    ('1.04 times', '13 times')
    """
    return f"{ratio:.2f} times" if ratio < 9.995 else f"{ratio:,.0f} times"


def listed(items: list[str]) -> str:
    """Words as a list in a sentence.

    Examples
    --------
    >>> listed(["3", "6", "12"])
    '3, 6 and 12'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
