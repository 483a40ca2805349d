"""Write pictures, and say so on standard error: what is piped or read by programs stays clean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ridgeline.cli.working import note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["beside", "save_picture"]


class _Picture(Protocol):
    def save(self, path: Path, *, dark: bool = ...) -> object: ...


def save_picture(picture: _Picture | None, out: Iterable[Path], *, dark: bool) -> None:
    """Write a picture to each path, and name the files.

    Parameters
    ----------
    picture : Chart or None   None where there is no path.
    out : paths
    dark : bool
    """
    for path in out:
        assert picture is not None
        picture.save(path, dark=dark)
        note(f"Wrote {path}.")


def beside(out: Sequence[Path], name: str) -> list[Path]:
    """Paths of one of several pictures: ``cost.png`` of ``h100-sxm`` is ``cost-h100-sxm.png``.

    Parameters
    ----------
    out : sequence of paths
    name : str   What the picture is of.
    """
    return [path.with_name(f"{path.stem}-{name}{path.suffix}") for path in out]
