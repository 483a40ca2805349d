"""What comes with the package, parsed and listed once per change and not once per run.

To parse the catalogue takes a fifth of a second. What was parsed is kept as JSON in one file of the
user's cache, with what tells each source file from any other state of it; an entry is decoded when
it is asked for, and only if its file is still the same. So are the rows of lists, which follow from
the whole catalogue and the code. The cache is never needed: what it lacks is parsed or computed. It
is made when something is missing, and may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline import __version__
from ridgeline.cache import digest, folder, identity, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["kept_data", "kept_rows", "read_shipped"]

ROOT = Path(__file__).parent
#: a file that changed this recently may change again without a later time. [ns]
_YOUNG_NS = 2 * 10**9
#: what changed after this may have been read before it changed. [ns]
_STARTED_NS = time.time_ns()


class _Index(NamedTuple):
    """What was parsed.

    Attributes
    ----------
    places : dict    Path below the package -> identity of the file, and begin and end of its data
                     in `body`; the same for data that JSON cannot hold, which is parsed anew.
    body : bytes     JSON of one file after another.
    """

    places: dict[str, tuple[list[int], int, int]]
    body: bytes

    def data_of(self, name: str, about: tuple[int, ...]) -> dict[str, Any] | None:
        """Decode an entry; None where it is not of the file as it is."""
        place = self.places.get(name)
        if place is None or tuple(place[0]) != about or place[1] == place[2]:
            return None
        return json.loads(self.body[place[1] : place[2]])

    def knows(self, name: str, about: tuple[int, ...]) -> bool:
        """Whether this file was looked at as it is."""
        place = self.places.get(name)
        return place is not None and tuple(place[0]) == about


_NOTHING = _Index({}, b"")


def read_shipped(path: Path) -> dict[str, Any]:
    """Read a TOML file that comes with the package.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict   The caller's own, to be changed as it likes.
    """
    found = kept_data(path)
    return _parsed(path) if found is None else found


def kept_data(path: Path) -> dict[str, Any] | None:
    """What a TOML file of the package says, without parsing it.

    Parameters
    ----------
    path : Path   Any.

    Returns
    -------
    dict or None   The caller's own, to be changed as it likes. None for files that are not the
                   package's, cannot be read, are no TOML or changed this very moment, and where
                   nothing can be kept: whoever asks parses it.
    """
    name = _name(path)
    about = identity(path) if name is not None else None
    if name is None or about is None:
        return None
    if not _index().knows(name, about):
        if _is_young(about):
            return None
        _renew()
    return _index().data_of(name, about)


def kept_rows(
    kind: str, ids: Sequence[str], row_of: Callable[[str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of a list of entries that come with the package.

    Parameters
    ----------
    kind : str                  Of the entries; a list has one.
    ids : sequence of str       None of them a user's own, nor made of what is.
    row_of : callable           Computes a row, of what JSON holds, from the package alone.

    Returns
    -------
    list of dict   In the order of the ids; the caller's own.

    Notes
    -----
    They are computed anew after any change of any file of the package, and not kept while files are
    younger than this process, which may have read them before.
    """
    state = _state()
    path = _kept_at(f".{kind}") if state is not None else None
    known = _rows_in(path, state) if path is not None and state is not None else {}
    new = {i: row_of(i) for i in dict.fromkeys(ids) if i not in known}
    if new and path is not None:
        text = json.dumps({"state": state, "rows": known | new}, separators=(",", ":"))
        if json.loads(text)["rows"] == known | new:
            write(path, text.encode())
    return [dict(new[i] if i in new else known[i]) for i in ids]


def _rows_in(path: Path, state: str) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(read(path) or b"null")
        return found["rows"] if found["state"] == state else {}
    except (ValueError, TypeError, KeyError):
        return {}


def _state() -> str | None:
    """What tells all code and data of the package from any other; None while they change."""
    files = sorted(_files((".py", ".toml")))
    latest = min(time.time_ns(), _STARTED_NS) - _YOUNG_NS
    if any((about := identity(f)) is None or max(about[1:3]) > latest for f in files):
        return None
    return digest(files, ROOT, sys.version)


def _name(path: Path) -> str | None:
    """A path below the package, as the index has it; None for files of elsewhere."""
    text, root = os.fspath(path), f"{ROOT}{os.sep}"
    is_ours = text.startswith(root) and text.endswith(".toml") and os.pardir not in text
    return text[len(root) :] if is_ours else None


def _parsed(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  (not for what is in the index)

    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


#: the index of this run, once something was read
_held: dict[Path, _Index] = {}


def _index() -> _Index:
    found = _held.get(ROOT)
    if found is None:
        path = _kept_at()
        content = read(path) if path is not None else None
        found = _held[ROOT] = _NOTHING if content is None else _decoded(content)
    return found


def _kept_at(kind: str = "") -> Path | None:
    """A file of this installation: several may share a user's cache."""
    found = folder("catalogue")
    if found is None:
        return None
    from zlib import crc32  # noqa: PLC0415

    return found / f"{crc32(os.fsencode(ROOT)):08x}{kind}.json"


def _decoded(content: bytes) -> _Index:
    """The index in a file; an empty one where it is of another version or another installation."""
    head, _, body = content.partition(b"\n")
    try:
        found = json.loads(head)
        if found["version"] == __version__ and found["root"] == os.fspath(ROOT):
            return _Index(found["places"], body)
    except (ValueError, TypeError, KeyError):
        pass
    return _NOTHING


def _is_young(about: tuple[int, ...]) -> bool:
    return max(about[1:3]) > time.time_ns() - _YOUNG_NS


def _renew() -> None:
    """Parse what is new or was changed, and keep all of it for the next run."""
    path = _kept_at()
    if path is None:
        return
    old, places, body = _index(), {}, bytearray()
    for file in map(Path, _files((".toml",))):
        name, about = _name(file), identity(file)
        if name is None or about is None or _is_young(about):
            continue
        begin = len(body)
        if old.knows(name, about):
            _, first, last = old.places[name]
            body += old.body[first:last]
        else:
            body += _json_of(file)
        if identity(file) == about:  # as it was before it was read
            places[name] = (list(about), begin, len(body))
    head = json.dumps(
        {"version": __version__, "root": os.fspath(ROOT), "places": places}, separators=(",", ":")
    )
    content = head.encode() + b"\n" + bytes(body)
    write(path, content)
    _remove_others(path.parent)
    _held[ROOT] = _decoded(content)  # also where it could not be kept


def _remove_others(kept: Path) -> None:
    """Remove what was kept of installations that are no more."""
    for path in kept.glob("*.json"):
        name = path.name.partition(".")[0]
        root = _root_of(read(path.with_name(f"{name}.json")))
        if root is None or not os.path.isdir(root):  # noqa: PTH112  (never raises)
            with suppress(OSError):
                path.unlink()


def _root_of(content: bytes | None) -> str | None:
    try:
        return str(json.loads((content or b"").partition(b"\n")[0])["root"])
    except (ValueError, TypeError, KeyError):
        return None


def _files(suffixes: tuple[str, ...]) -> Iterator[str]:
    for top, folders, names in os.walk(ROOT):
        folders.sort()
        yield from (f"{top}{os.sep}{n}" for n in sorted(names) if n.endswith(suffixes))


def _json_of(file: Path) -> bytes:
    """What a file says as JSON; nothing where that would not be all of it."""
    try:
        found = _parsed(file)
        text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
        return text.encode() if json.loads(text) == found else b""
    except (OSError, ValueError, TypeError, RecursionError):
        return b""
