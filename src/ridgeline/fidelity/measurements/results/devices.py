"""From the name a driver gives a device to a chip of the catalogue."""

from __future__ import annotations

import re
from functools import lru_cache

from ridgeline import catalog

__all__ = ["device_chip"]

#: words of a device's name that tell no two chips apart
_IDLE = frozenset((
    "nvidia", "amd", "intel", "google", "aws", "geforce", "instinct", "tesla", "corporation", "gpu",
    "graphics", "accelerator", "generation", "edition", "tm", "r", "c",
))  # fmt: skip
_MEMORY_KIND = re.compile(r"hbm\d*e?|gddr\d*x?|lpddr\d*x?")
_MEMORY_SIZE = re.compile(r"(\d+)gb")
#: what drivers count as the memory of a chip, against its datasheet
_SAME_MEMORY = 0.15


def device_chip(name: str) -> str:
    """Return the chip that a driver's name of a device means; the name itself where none is known.

    Parameters
    ----------
    name : str   ``NVIDIA H100 80GB HBM3``, ``Apple M2 Ultra``.

    Examples
    --------
    >>> device_chip("NVIDIA H100 80GB HBM3"), device_chip("NVIDIA GeForce RTX 4090")
    ('h100-sxm', 'rtx-4090')
    >>> device_chip("NVIDIA GeForce RTX 4090 Laptop GPU")
    'NVIDIA GeForce RTX 4090 Laptop GPU'
    """
    words = _words(name)
    known, sizes = _known()
    words = frozenset(w for w in words if not _MEMORY_KIND.fullmatch(w))
    if words in known:
        return known[words]
    stated = [w for w in words if _MEMORY_SIZE.fullmatch(w)]
    chip = known.get(words - set(stated), "")
    if chip and all(_is_size(w, sizes[chip]) for w in stated):
        return chip
    return name


def _is_size(word: str, capacity_bytes: float) -> bool:
    found = _MEMORY_SIZE.fullmatch(word)
    assert found is not None
    return abs(float(found[1]) * 1e9 - capacity_bytes) <= _SAME_MEMORY * capacity_bytes


def _words(name: str) -> frozenset[str]:
    plain = re.sub(r"\([^()]*\)", " ", name.casefold())
    plain = re.sub(r"(\d)\s*gi?b\b", r"\1gb", plain)
    found = (re.sub(r"^sxm\d$", "sxm", w) for w in re.split(r"[^a-z0-9]+", plain))
    return frozenset(w for w in found if w and w not in _IDLE)


@lru_cache(maxsize=1)
def _known() -> tuple[dict[frozenset[str], str], dict[str, float]]:
    """Words of every chip's id, aliases and name; and its memory. [bytes]"""
    names: dict[frozenset[str], str] = {}
    sizes: dict[str, float] = {}
    for chip in map(catalog.chip, catalog.entry_ids("chips")):
        sizes[chip.id] = float(chip.memory.capacity)
        for name in (chip.id, *chip.aliases, chip.name):
            names.setdefault(_words(name), chip.id)
    return names, sizes
