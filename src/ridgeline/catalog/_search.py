"""Find entries by words: one ranking for the command line and the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ridgeline.catalog._store import entry_ids
from ridgeline.errors import SpecError
from ridgeline.naming import share, tokens
from ridgeline.specs.shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["find"]


def find(kind: Literal["chips", "clusters", "models"], words: Sequence[str]) -> list[str]:
    """Ids of entries that have the words, best match first (all ids for no words).

    Entries whose names have all of the words are listed; only where there is none, those whose
    vendor or notes have the rest; and only where there is none of these, those with most of them.

    Parameters
    ----------
    kind : str
    words : sequence of str   What a person remembers: ``["llama", "3.3"]``, ``["llama 3.3"]``.

    Examples
    --------
    >>> find("chips", ["h100 nvl"])
    ['h100-nvl']
    """
    for word in words:
        if not isinstance(word, str):
            raise SpecError(f"Words of a name are expected, not {shown(word)}.")
    ids = entry_ids(kind)
    asked = tokens(" ".join(words))
    if not asked:
        return [] if words else ids
    from ridgeline.catalog import _entries  # noqa: PLC0415  (a list of all needs no records)

    look_up = {"chips": _entries.chip, "clusters": _entries.cluster, "models": _entries.model}[kind]
    ranks = {i: _rank(asked, look_up(i)) for i in ids}
    for place in (0, 1):  # in names, else in all that is said of an entry
        if hits := [i for i, rank in ranks.items() if rank[place] == 1]:
            break
    else:
        best = max(rank[1] for rank in ranks.values()) if ranks else 0.0
        hits = [i for i, rank in ranks.items() if best and rank[1] == best]
    return sorted(hits, key=lambda i: ranks[i], reverse=True)


def _rank(asked: tuple[str, ...], record: Any) -> tuple[float, float, float, float]:
    """Share of the words in the names, in all that a person might remember, and in the id."""
    names = _text(record, _NAMES)
    last = record.id.rpartition("/")[2]
    everything = f"{names} {_text(record, _ABOUT)}"
    rest = share(tokens(last), " ".join(asked))
    return (share(asked, names), share(asked, everything), share(asked, record.id), rest)


_NAMES = ("id", "name", "aliases", "family", "generation")
_ABOUT = ("vendor", "kind", "fabric_name", "notes")


def _text(record: Any, fields: tuple[str, ...]) -> str:
    its_chip = getattr(record, "chip", None)
    own = " ".join(str(getattr(record, name, "")) for name in fields)
    return own if its_chip is None else f"{own} {_text(its_chip, fields)}"
