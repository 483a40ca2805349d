"""Generations of chips: multiplies for each weight read, and the time to read all memory."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers import Answer, Table
from ridgeline.answers.words import quantity
from ridgeline.errors import SpecError
from ridgeline.specs.arguments import NAMES, reads
from ridgeline.steps import chip_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.charts import Chart
    from ridgeline.specs.chip import Chip, ComputeDtype

__all__ = ["CHIPS", "generations"]

#: accelerators that large models are served on, oldest first
CHIPS = (
    "a100-80gb-sxm",
    "tpu-v4",
    "mi250x",
    "h100-sxm",
    "tpu-v5e",
    "tpu-v5p",
    "mi300x",
    "h200-sxm",
    "tpu-v6e",
    "mi325x",
    "b200-sxm",
    "trainium2",
    "gb200",
    "mi355x",
    "gb300",
    "tpu-v7",
    "trainium3",
    "mi455x",
    "vr200",
    "rubin-ultra",
)
#: formats models are stored in, widest first
_FORMATS: tuple[ComputeDtype, ...] = ("bf16", "fp8", "int8", "fp4")
_COLUMNS = {
    "chip": ("chip", ""),
    "launched": ("launched", ""),
    "memory_bytes": ("memory", "B"),
    "bandwidth_bytes_per_s": ("bandwidth", "B/s"),
    "drain_s": ("drain", "s"),
    "ratio_bf16": ("R bf16", "R"),
    "ratio_fp8": ("R fp8", "R"),
    "ratio_int8": ("R int8", "R"),
    "ratio_fp4": ("R fp4", "R"),
}
#: what the lecture says of all of them
LECTURE_RATIO, LECTURE_DRAIN_S = 300.0, 0.020


@reads(chips=NAMES)
def generations(chips: Sequence[str] = CHIPS) -> Answer:
    """Hardware ratio and drain period by generation, beside what the lecture says of them.

    Parameters
    ----------
    chips : sequence of str   Ids of the catalogue, or TOML files.

    Returns
    -------
    Answer
        Table ``chips``. Values: ``ratio_low``, ``ratio_median``, ``ratio_high`` (each chip in the
        fastest format it multiplies, the widest of equals), ``drain_low_s``, ``drain_median_s``,
        ``drain_high_s``. Chart ``ladder``.

    Raises
    ------
    SpecError   No chips.

    Examples
    --------
    >>> found = generations(["h100-sxm", "gb200"])
    >>> round(found.values["ratio_low"]), round(found.values["drain_high_s"] * 1e3)
    (295, 24)
    """
    if not chips:
        raise SpecError("Name at least one chip: 'ridgeline chips' lists all.")
    rows = [_row(catalog.chip(name)) for name in chips]
    ratios = sorted(r["ratio"] for r in rows)
    drains = sorted(r["drain_s"] for r in rows)
    values = {
        "ratio_low": ratios[0],
        "ratio_median": statistics.median(ratios),
        "ratio_high": ratios[-1],
        "drain_low_s": drains[0],
        "drain_median_s": statistics.median(drains),
        "drain_high_s": drains[-1],
    }

    def picture() -> Chart:
        from ridgeline.charts.ladder import ladder_chart  # noqa: PLC0415  (only when drawn)

        return ladder_chart(rows, LECTURE_RATIO, LECTURE_DRAIN_S)

    return Answer(
        question="generations",
        title="Generations of chips",
        sentences=(_ratio_words(rows, values), _drain_words(rows, values)),
        tables=(Table("chips", "", _COLUMNS, rows),),
        values=values,
        provenance={"chips": list(chips)},
        charts={"ladder": picture},
    )


def _built_for(chip: Chip) -> ComputeDtype:
    """The format it multiplies fastest, the widest of equals."""
    known: list[ComputeDtype] = [f for f in _FORMATS if f in chip.peak]
    return max(known, key=lambda f: (chip.peak[f], -_FORMATS.index(f)))


def _row(chip: Chip) -> dict[str, Any]:
    facts = chip_facts(chip)
    best = _built_for(chip)
    guessed = {s.kind for p, s in chip.sources.items() if p.startswith(("memory.b", "peak"))}
    return {
        "id": chip.id,
        "chip": chip.name,
        "vendor": chip.vendor,
        "launched": chip.launched,
        "memory_bytes": chip.memory.capacity,
        "bandwidth_bytes_per_s": chip.memory.bandwidth,
        "drain_s": facts.drain_s,
        "ratio": facts.hardware_ratio[best],
        "format": best,
        **{f"ratio_{f}": facts.hardware_ratio.get(f) for f in _FORMATS},
        "announced_only": bool(guessed & {"leak", "estimate"}),
    }


def _ratio_words(rows: list[dict[str, Any]], values: dict[str, Any]) -> str:
    low = min(rows, key=lambda r: r["ratio"])
    high = max(rows, key=lambda r: r["ratio"])
    return (
        f"Multiplies for each weight read, in the fastest format of each chip: "
        f"{low['ratio']:.0f} ({low['chip']}, {low['format']}) to {high['ratio']:.0f} "
        f"({high['chip']}, {high['format']}), half of them below {values['ratio_median']:.0f}. The "
        f"lecture says about {LECTURE_RATIO:.0f}, and that it is stable."
    )


def _drain_words(rows: list[dict[str, Any]], values: dict[str, Any]) -> str:
    low = min(rows, key=lambda r: r["drain_s"])
    high = max(rows, key=lambda r: r["drain_s"])
    return (
        f"Time to read all memory once: {quantity(low['drain_s'], 's')} ({low['chip']}) to "
        f"{quantity(high['drain_s'], 's')} ({high['chip']}), half of them below "
        f"{quantity(values['drain_median_s'], 's')}. The lecture says about "
        f"{quantity(LECTURE_DRAIN_S, 's')}."
    )
