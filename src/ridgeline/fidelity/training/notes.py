"""What the notes of training runs state: recipes, local batches, and how FLOPs were counted."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "accumulation",
    "counted",
    "job_number",
    "local_batch",
    "optimizer",
    "peak_flops_per_s",
    "schedule_of",
    "selective",
]

_IMPLIED = re.compile(r"implied ([\d.]+) GFLOP/token")
_ABOVE = re.compile(r"it is (\d+)% above the full-attention count")
_PEAK = re.compile(r"\b([A-Z]+\d+) ([\d.]+)(?: bf16)?/([\d.]+)")
_ACCUMULATED = re.compile(r"\bGA=(\d+)")
_LOCAL = re.compile(r"local batch (\d+)")
_JOB = re.compile(r"\bjob \d{6,}")
_SCHEDULE = re.compile(r"pipeline schedule ([\w-]+)")
_SELECTIVE = re.compile(r"selective-(op|layer)")
_SCHEDULES = {
    "zero-bubble": "zb-h1", "zb": "zb-h1", "zb-h1": "zb-h1", "zb-h2": "zb-h2", "zb-v": "zb-v",
    "zbv": "zb-v", "zbv-formatted": "zb-v", "v-half": "v-half", "v-min": "v-min", "vmin": "v-min",
    "vhalf": "v-half", "dualpipe": "dualpipe", "dualpipev": "dualpipev", "gpipe": "gpipe",
}  # fmt: skip
_OPTIMIZERS = ("muon", "adafactor", "sgd")


@lru_cache(maxsize=4096)
def counted(text: str) -> tuple[tuple[str, float], ...]:
    """How a source counted FLOPs beside the conventions.

    Returns
    -------
    tuple of (str, float)   ``flops_per_token``, as printed figures imply; ``above``, the ratio of
                            its count to the full one.

    Examples
    --------
    >>> counted("NeMo; implied 57.92 GFLOP/token")
    (('flops_per_token', 57920000000.0),)
    >>> counted("it is 13% above the full-attention count")
    (('above', 1.13),)
    """
    found: list[tuple[str, float]] = []
    if implied := _IMPLIED.search(text):
        found.append(("flops_per_token", float(implied[1]) * 1e9))
    if above := _ABOVE.search(text):
        found.append(("above", 1 + int(above[1]) / 100))
    return tuple(found)


def peak_flops_per_s(text: str, chip: str, *, narrow: bool) -> float | None:
    """The peak that a source divides by, where its notes state one for such chips. [FLOP/s]

    Examples
    --------
    >>> peak_flops_per_s("MFU peak: H100 989 bf16/1979 fp8, GB200 2450/4900", "gb200", narrow=True)
    4900000000000000.0
    """
    for name, wide, fp8 in _PEAK.findall(text):
        if chip.startswith(name.casefold()):
            return float(fp8 if narrow else wide) * 1e12
    return None


def accumulation(text: str) -> int | None:
    """Micro-batches of a rank in a step, where the notes say it."""
    found = _ACCUMULATED.search(text)
    return int(found[1]) or None if found else None


def local_batch(text: str) -> int | None:
    """Sequences of a data-parallel rank in a step, where the notes say it."""
    found = _LOCAL.search(text)
    return int(found[1]) if found else None


def job_number(text: str) -> str:
    """``job 13436293``, where the notes name one: numbers of one cluster follow the calendar."""
    found = _JOB.search(text)
    return found[0] if found else ""


def schedule_of(text: str) -> str:
    """The schedule that notes name, as the catalogue of schedules calls it; empty for none."""
    found = _SCHEDULE.search(text)
    return _SCHEDULES.get(found[1], "") if found else ""


def selective(text: str) -> str:
    """Of selective recompute: ``op``, ``layer``, or empty."""
    found = _SELECTIVE.search(text)
    return found[1] if found else ""


def optimizer(text: str) -> str:
    """The optimizer, where it is not Adam; empty where nothing is said."""
    folded = text.casefold()
    if "8-bit adam" in folded or "adamw-8bit" in folded or "adam8bit" in folded:
        return "adamw-8bit"
    return next((o for o in _OPTIMIZERS if re.search(rf"\b{o}\b", folded)), "")
