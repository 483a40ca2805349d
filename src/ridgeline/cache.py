"""What can be made again, kept between runs in a folder of the user's that is safe to delete.

Nothing depends on it: where it cannot be made, read or trusted, callers do without. Content is data
that is checked when it is read (`read`), or files of a library that guards its own (`folder`).
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from ridgeline import __version__
from ridgeline.errors import RidgelineError
from ridgeline.files import make_folder, read_bytes, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["digest", "folder", "identity", "read", "write"]

#: first bytes of a file that `write` made; the number changes with the layout
_MAGIC = b"ridgeline cache 1\n"
_SUM_BYTES = 8


def folder(name: str) -> Path | None:
    """Return a folder to keep files of one kind in, made if need be.

    It lies in ``$RIDGELINE_CACHE``, else in ``ridgeline`` of the user's folder for caches
    (``$XDG_CACHE_HOME``, ``~/.cache``; ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on
    Windows).

    Parameters
    ----------
    name : str   Kind of content: ``catalogue``, ``kernels``.

    Returns
    -------
    Path or None   None where there is no home, or where the folder or the one that it lies in
                   cannot be made or written, is not the user's own, or may be written by others:
                   then nothing is kept.
    """
    root = _root()
    if root is None:
        return None
    found = root / name
    try:
        made = (_is_own(root) and _is_own(found)) or _made(found)
    except (OSError, ValueError, RidgelineError):
        return None
    return found if made and os.access(found, os.W_OK | os.X_OK) else None


def _made(path: Path) -> bool:
    make_folder(path.parent.parent)
    for each in (path.parent, path):
        each.mkdir(mode=0o700, exist_ok=True)
        if not _is_own(each):  # others could put their own in its place
            return False
    return True


def _root() -> Path | None:
    """The folder of all that this program keeps; None for a user without a home."""
    if stated := os.environ.get("RIDGELINE_CACHE"):
        return Path(stated).absolute()
    of_user = os.environ.get("XDG_CACHE_HOME", "")
    if Path(of_user).is_absolute():
        return Path(of_user) / "ridgeline"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) / "ridgeline" / "cache" if local else None
    try:
        home = Path.home()
    except (OSError, RuntimeError):
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ridgeline"


def _is_own(path: Path) -> bool:
    """Whether a folder is there that nobody but the user may write."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(about.st_mode) and _is_users(about)


def _is_users(about: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True
    return about.st_uid == os.getuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def read(path: Path) -> bytes | None:
    """Read content that `write` kept.

    Parameters
    ----------
    path : Path   In a `folder`.

    Returns
    -------
    bytes or None   None for what is missing, cut short, damaged, of another layout or of another
                    user.
    """
    try:
        about = path.lstat()
        if not (stat.S_ISREG(about.st_mode) and _is_users(about)):
            return None
        found = read_bytes(path)
    except (OSError, ValueError, RidgelineError):
        return None
    begin = len(_MAGIC) + _SUM_BYTES
    content = memoryview(found)[begin:]
    if not found.startswith(_MAGIC) or found[len(_MAGIC) : begin] != _sum(content):
        return None
    return bytes(content)


def write(path: Path, content: bytes) -> bool:
    """Keep content: seen by other processes whole or not at all.

    Parameters
    ----------
    path : Path       In a `folder`.
    content : bytes   Of several writers the last one wins.

    Returns
    -------
    bool   Whether it was kept; a full disk or a lost permission is no error.
    """
    try:
        write_whole(path, _MAGIC + _sum(content) + content)
        path.chmod(0o600)  # whatever the user's mask: what a group may write is not read
    except (OSError, RidgelineError):
        return False
    return True


def _sum(content: bytes | memoryview) -> bytes:
    """A checksum of content: against accidents, since nobody else may write the folder."""
    return b"%0*x" % (_SUM_BYTES, zlib.crc32(content))


def identity(path: str | Path) -> tuple[int, ...] | None:
    """What of a file changes when its content does, without reading it; None for no file.

    Size, time of its last change, time of the last change of its record, and its number: a file
    that is edited, replaced or checked out anew differs, even if its time was set back.
    """
    try:
        about = os.stat(path)  # noqa: PTH116  (hundreds are asked at start-up)
    except (OSError, ValueError):
        return None
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


def digest(files: Iterable[str | Path], *more: object) -> str:
    """A short text that differs for another version of this package or any change of these files.

    Parameters
    ----------
    files : iterable of path   What the content was made from.
    more : object              Whatever else it depends on, told apart by its `repr`.
    """
    from hashlib import blake2b  # noqa: PLC0415  (only where something is kept by it)

    about = [__version__, *more, *((os.fspath(f), identity(f)) for f in files)]
    return blake2b(repr(about).encode(), digest_size=12).hexdigest()
