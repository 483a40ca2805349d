"""Write files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ridgeline.errors import RidgelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["write_whole", "writing_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file by way of a temporary neighbour, so that no half-written file is ever seen.

    Parameters
    ----------
    path : Path               Replaced if it exists.
    content : str or bytes    Text is written as UTF-8.

    Raises
    ------
    RidgelineError   The folder does not exist or cannot be written to.
    """
    with writing_whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour to write to, which takes the file's place if all goes well.

    Parameters
    ----------
    path : Path   Replaced if it exists; left as it was if the block ends with an error.

    Raises
    ------
    RidgelineError   The folder does not exist or cannot be written to.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        raise RidgelineError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
