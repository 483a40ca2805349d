"""Write files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ridgeline.errors import RidgelineError

__all__ = ["write_whole"]


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
    data = content.encode() if isinstance(content, str) else content
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise RidgelineError(f"{path} cannot be written: {error.strerror}.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
