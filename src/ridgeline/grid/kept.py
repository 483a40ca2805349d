"""Finished shards as files, so that what was interrupted goes on."""

from __future__ import annotations

import io
import json
import logging
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import RidgelineError, SpecError
from ridgeline.files import exists, make_folder, named, read_text, reading, write_whole
from ridgeline.grid.digest import digest, installed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["KeptShards"]

_STUDY = "study.json"
#: what tells one study from another, and how messages call it
_PARTS = {
    "kernel": "what is evaluated (records, reading, constants, code of your own)",
    "run_as": "how kernels are run",
    "program": "Ridgeline itself (its version, laws or catalogue), or numpy",
}
#: name of the array that says whose a shard is
_OWNER = "owner"
_SUM_BYTES = 8


@dataclass(frozen=True)
class KeptShards:
    """The shards of one study in a folder of its own: ``study.json``, and ``00012.npz`` each.

    Attributes
    ----------
    folder : Path
    owner : str   Digest of the study.
    """

    folder: Path
    owner: str

    @classmethod
    def of(cls, folder: Path, identity: Mapping[str, Any], title: str) -> KeptShards:
        """Open the folder of a study, or make it.

        Parameters
        ----------
        folder : Path
        identity : mapping   What the study is, by part: kernel, axes, reductions.
        title : str          What to call it.

        Raises
        ------
        SpecError        Another study is kept there, or one that has no name.
        RidgelineError   The folder cannot be read or written.
        """
        digests = {name: digest(part) for name, part in identity.items()}
        digests["program"] = installed()
        path = folder / _STUDY
        make_folder(folder)
        if not exists(path):
            about = {"study": title, "digests": digests}
            write_whole(path, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        else:
            _refuse_another(path, digests, title)
        return cls(folder, digest(digests))

    def path(self, index: int) -> Path:
        """The file of a shard."""
        return self.folder / f"{index:05}.npz"

    def load(self, index: int) -> dict[str, np.ndarray] | None:
        """The arrays of a shard that was finished; None where there is none, or a damaged one."""
        path = self.path(index)
        if not exists(path):
            return None
        with reading(path, "a finished shard") as file:
            content = file.read()
        found: dict[str, np.ndarray] = {}
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
        except Exception:  # whatever a reader of damaged files runs into
            found.clear()
        owner = found.pop(_OWNER, None)
        is_whole = content[-_SUM_BYTES:] == _sum(memoryview(content)[:-_SUM_BYTES])
        if not is_whole or owner is None or owner.tolist() != [self.owner, str(index)]:
            logging.getLogger(__name__).warning(
                "%s is damaged: this shard is computed again.", named(path)
            )
            return None
        return found

    def save(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a shard, whole or not at all.

        Raises
        ------
        RidgelineError   It cannot be written.
        """
        file = io.BytesIO()
        owner = np.asarray([self.owner, str(index)])
        np.savez(file, allow_pickle=False, **{_OWNER: owner}, **arrays)
        # An archive ends with the length of its comment, none so far, and the comment.
        file.seek(-2, io.SEEK_END)
        file.write(_SUM_BYTES.to_bytes(2, "little"))
        with file.getbuffer() as content:
            total = _sum(content)
        file.write(total)
        write_whole(self.path(index), file.getvalue())


def _sum(content: memoryview) -> bytes:
    """A checksum of all of a file but its last bytes, which it becomes."""
    return b"%0*x" % (_SUM_BYTES, zlib.crc32(content))


def _refuse_another(path: Path, digests: dict[str, str], title: str) -> None:
    try:
        about = json.loads(read_text(path, "a study's record"))
        kept, study = dict(about["digests"]), str(about["study"])
    except (ValueError, TypeError, KeyError, RidgelineError):
        raise SpecError(
            f"{named(path)} is no record of a study: name another folder to resume from, or delete "
            "this one."
        ) from None
    names = [str(n) for n in {**digests, **kept} if digests.get(n) != kept.get(n)]
    differing = [_PARTS.get(n, n) for n in names]
    if differing:
        raise SpecError(
            f"{named(path.parent)} keeps another study, {study!r}; this is {title!r}. What "
            f"differs: {', '.join(differing)}. Name another folder to resume from, or delete this "
            "one."
        )
