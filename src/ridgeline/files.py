"""Everything that touches the file system: whole files in, whole files out, errors as sentences.

No function here raises `OSError`. What cannot be read or written is a sentence (`RidgelineError`,
or the class that the caller names); a question such as `is_file` that cannot be answered is False.
Input is opened once and read to its end, so that pipes and ``<(command)`` work like files.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ridgeline.errors import RidgelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "MOST_BYTES",
    "exists",
    "is_file",
    "is_folder",
    "is_regular",
    "listing",
    "make_folder",
    "named",
    "read_bytes",
    "read_text",
    "reading",
    "resolved",
    "user_config_folder",
    "write_whole",
    "writing_whole",
]

#: configs, catalogue entries and results that are read whole are kilobytes; more is a wrong file
MOST_BYTES = 64 * 10**6
_MOST_SHOWN = 200


def named(path: str | Path) -> str:
    """A path as messages write it: short, and printable whatever is in it.

    Examples
    --------
    >>> named("a/config.json"), named("a" * 300)
    ('a/config.json', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'… (300 characters)")
    """
    text = str(path)
    if len(text) > _MOST_SHOWN:
        return f"{text[:40]!r}… ({len(text):,} characters)"
    return text if text.isprintable() and text else repr(text)


def _unread(path: str | Path, what: str, error: OSError | ValueError) -> str:
    """Why a path cannot be read, as a sentence."""
    name = named(path)
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ENOENT:
        return f"{name}: there is no such file."
    if code == errno.EISDIR:
        return f"{name} is a folder; {what} is expected."
    return f"{name} cannot be read: {_why(error)}."


def _why(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return "a path has no NUL characters"
    if error.errno == errno.ELOOP:
        return "its symbolic links lead back to themselves"
    return (error.strerror or type(error).__name__).lower()


class _Input(io.FileIO):
    """A file whose read errors are sentences; errors of whoever reads it stay their own."""

    refuse: Callable[[OSError], Exception]

    def readinto(self, buffer: object, /) -> int | None:
        try:
            return super().readinto(buffer)  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise self.refuse(error) from None


@contextmanager
def reading(
    path: str | Path, what: str = "a file", error: type[Exception] = RidgelineError
) -> Iterator[io.BufferedReader[Any]]:
    """Open a file, a device or a pipe once, to be read through.

    Parameters
    ----------
    path : str or Path
    what : str             What is expected, for messages: ``a TOML file``.
    error : class          Of the errors that are raised.

    Yields
    ------
    BufferedReader   Binary; its `peek` looks ahead without taking anything away.

    Raises
    ------
    RidgelineError (or `error`)   It cannot be opened or read. What the block itself raises passes
                                  through unchanged.
    """
    try:
        raw = _Input(path, "rb")
    except (OSError, ValueError) as found:
        raise error(_unread(path, what, found)) from None
    raw.refuse = lambda found: error(_unread(path, what, found))
    with io.BufferedReader(raw, 1 << 16) as file:
        yield file


def read_bytes(
    path: str | Path,
    what: str = "a file",
    limit: int = MOST_BYTES,
    error: type[Exception] = RidgelineError,
) -> bytes:
    """Read all of a file, a device or a pipe, opened once, up to a limit.

    Parameters
    ----------
    path : str or Path
    what : str         What is expected, for messages: ``a TOML file``.
    limit : int        Bytes; one that has more is refused. [B]
    error : class      Of the errors that are raised.

    Raises
    ------
    RidgelineError (or `error`)   Missing, a folder, not permitted, too large.
    """
    with reading(path, what, error) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        size = f"{limit / 1e6:g} MB" if limit >= 1e6 else f"{limit:,} bytes"
        raise error(f"{named(path)} has more than {size}; {what} is expected.")
    return data


def read_text(
    path: str | Path,
    what: str = "a text file",
    limit: int = MOST_BYTES,
    error: type[Exception] = RidgelineError,
) -> str:
    """Read all of a text in UTF-8, with or without a byte-order mark; else as `read_bytes`.

    Raises
    ------
    RidgelineError (or `error`)   Also for what is no UTF-8.
    """
    data = read_bytes(path, what, limit, error)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{named(path)} is not a text file in UTF-8; {what} is expected.") from None


def exists(path: str | Path) -> bool:
    """Whether there is something to read at a path.

    True also where a folder on the way to it may not be searched: to read it then says why.
    """
    try:
        Path(path).stat()
    except PermissionError:
        return os.path.dirname(path) != ""  # noqa: PTH120  (Path("x").parent is ".")
    except (OSError, ValueError):
        return False
    return True


def is_file(path: str | Path) -> bool:
    """Whether a path leads to a file, device or pipe; False where that cannot be known."""
    return os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112  (never raise)


def is_regular(path: str | Path) -> bool:
    """Whether a path leads to a regular file, which can be opened without waiting for anybody."""
    return os.path.isfile(path)  # noqa: PTH113  (never raises)


def is_folder(path: str | Path) -> bool:
    """Whether a path leads to a folder; False where that cannot be known."""
    return os.path.isdir(path)  # noqa: PTH112  (never raises)


def listing(
    folder: str | Path, suffix: str = "", error: type[Exception] = RidgelineError
) -> list[Path]:
    """Entries of a folder whose names end with a suffix, sorted by name.

    Raises
    ------
    RidgelineError (or `error`)   The folder cannot be read.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208  (names only, nothing is looked up)
    except (OSError, ValueError) as found:
        raise error(_unread(folder, "a folder", found)) from None
    return [Path(folder, name) for name in sorted(names) if name.endswith(suffix)]


def make_folder(folder: str | Path) -> None:
    """Make a folder and those above it, where they do not exist.

    Raises
    ------
    RidgelineError   It cannot be made, or something else has its name.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise RidgelineError(f"{named(folder)} cannot be made: {_why(error)}.") from None


def resolved(path: str | Path) -> Path:
    """The absolute path behind links; as it is where the working directory is gone."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return Path(path)


def user_config_folder() -> Path | None:
    """``$XDG_CONFIG_HOME`` or ``~/.config``; None for a user without a home."""
    stated = os.environ.get("XDG_CONFIG_HOME")
    if stated:
        return Path(stated)
    try:
        return Path.home() / ".config"
    except (OSError, RuntimeError):
        return None


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file whole or not at all; as `writing_whole`.

    Parameters
    ----------
    path : str or Path
    content : str or bytes    Text is written as UTF-8.

    Raises
    ------
    RidgelineError   It cannot be written.
    """
    with writing_whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing_whole(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file to write that is seen whole or not at all.

    A regular file is written to a temporary neighbour, which takes its place at the end of the
    block. It keeps its mode, its owner where that is permitted, and links to it still lead to it;
    after an error it is as it was. Devices, pipes and ``/dev/stdout`` are written to directly.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    binary file

    Raises
    ------
    RidgelineError   It cannot be written. What the block itself raises passes through unchanged.
    """
    try:
        descriptor = _own_descriptor(path)
        is_regular = descriptor is None and _is_regular(path)
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None
    if is_regular:
        with _replacing(Path(os.path.realpath(path)), path) as file:
            yield file
    else:
        with _opened(path, path if descriptor is None else descriptor) as file:
            yield file


_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


def _own_descriptor(path: str | Path) -> int | None:
    """A copy of the open file that a path such as /dev/stdout stands for; None for other paths.

    To open such a path anew would start at its beginning, and a socket cannot be opened at all.
    """
    names = {"/dev/stdout": 1, "/dev/stderr": 2}
    match = _DESCRIPTOR.fullmatch(str(path))
    number = int(match[1]) if match else names.get(str(path))
    if number is None or not Path("/dev/fd").exists():
        return None
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    return os.dup(number)


def _is_regular(path: str | Path) -> bool:
    """Whether a path is a regular file, or leads to none yet."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    return stat.S_ISREG(mode)


def _unwritten(path: str | Path, error: OSError | ValueError) -> RidgelineError:
    return RidgelineError(f"{named(path)} cannot be written: {_why(error)}.")


class _Output(io.FileIO):
    """A file whose write errors are sentences; of a pipe whose reader left, the usual error."""

    path: str | Path

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # pyright: ignore[reportArgumentType]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unwritten(self.path, error) from None


@contextmanager
def _opened(path: str | Path, target: str | Path | int) -> Iterator[IO[bytes]]:
    """Open a target to write; closed whatever happens, and only a sound end can fail to close."""
    try:
        raw = _Output(target, "wb")
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None
    raw.path = path
    file = io.BufferedWriter(raw)
    try:
        yield file
        file.flush()
    finally:
        with suppress(RidgelineError, OSError):
            file.close()


@contextmanager
def _replacing(target: Path, path: str | Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of a regular file, which takes its place at a sound end."""
    import tempfile  # noqa: PLC0415  (slow to import, and most runs write nothing)

    try:
        old = target.stat() if target.exists() else None
        if old is not None and not _is_writable(target):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:20]}.")
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None
    try:
        with _opened(path, handle) as file:
            yield file
        try:
            _keep(old, temporary)
            Path(temporary).replace(target)
        except OSError as error:
            raise _unwritten(path, error) from None
    finally:
        with suppress(OSError):
            Path(temporary).unlink(missing_ok=True)


def _keep(old: os.stat_result | None, temporary: str) -> None:
    """Give a new file the owner and mode of the one it replaces."""
    if old is None:
        Path(temporary).chmod(0o666 & ~_umask())
        return
    with suppress(OSError):  # only the superuser may give files away
        os.chown(temporary, old.st_uid, old.st_gid)
    Path(temporary).chmod(stat.S_IMODE(old.st_mode))


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
