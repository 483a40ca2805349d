"""Machine-readable bits of the notes of a row."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["read_notes"]

_ASSIGNED = re.compile(r"([A-Za-z][\w .%-]{0,40}?)\s*(?:=|:\s)\s*(\S.*)")
_NOMINAL = re.compile(r"\bnominal (\d+)\s*/\s*(\d+)")
_STATISTIC = re.compile(r"\b(?:median|P50)\b", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for raw in text.split(";"):
        part = raw.strip()
        if not part:
            continue
        assigned = _ASSIGNED.fullmatch(part)
        if assigned:
            found.setdefault(assigned[1].strip(), assigned[2].strip())
        else:
            found.setdefault(part, "")
    if nominal := _NOMINAL.search(text):
        found["nominal_isl"], found["nominal_osl"] = nominal[1], nominal[2]
    if _STATISTIC.search(text):
        found.setdefault("statistic", "median")
    return tuple(found.items())


def read_notes(text: str) -> dict[str, str]:
    """Split notes at semicolons into names and values.

    Parameters
    ----------
    text : str   ``n_requests=500; median``.

    Returns
    -------
    dict   ``name=value`` and ``name: value`` by name; other remarks with an empty value. Beside
           these ``nominal_isl`` and ``nominal_osl`` (of "nominal 8192/1024") and ``statistic``
           (``median``) where the text says so anywhere.

    Examples
    --------
    >>> read_notes("n_requests=500; limits: p99 TTFT<=2s; nominal 8192/1024; rounded")
    ... # doctest: +NORMALIZE_WHITESPACE
    {'n_requests': '500', 'limits': 'p99 TTFT<=2s', 'nominal 8192/1024': '', 'rounded': '',
     'nominal_isl': '8192', 'nominal_osl': '1024'}
    """
    return dict(_parts(text))
