"""Which layers a pipeline stage holds."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.specs.model import Model

__all__ = ["chunk_layers", "chunk_layers_by_work", "stage_layers"]


def chunk_layers(n_layers: int, n_chunks: int) -> list[int]:
    """Layers of each chunk of a model, in depth order: as even as whole layers allow.

    Parameters
    ----------
    n_layers, n_chunks : int   Chunks are stages times chunks of a stage.

    Returns
    -------
    list of int   What is left over goes to chunks in the middle: the first has the embedding
                  beside its layers, the last the head and the loss.

    Examples
    --------
    >>> chunk_layers(61, 16)
    [3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3]
    """
    each, over = divmod(n_layers, n_chunks)
    found = [each] * n_chunks
    inner = [*range(1, n_chunks - 1), 0, n_chunks - 1] if n_chunks > 1 else [0]
    for i in inner[:over]:
        found[i] += 1
    return found


def chunk_layers_by_work(n_layers: int, n_chunks: int, head_layers: float) -> list[int]:
    """Layers of each chunk where the head's work is shared out among them, as nanotron does.

    Parameters
    ----------
    n_layers, n_chunks : int
    head_layers : float   Work of the head over that of a layer. [1]

    Returns
    -------
    list of int   A chunk takes layers until all so far have more than their share of the work; what
                  is left, with the head, is the last one's.

    Notes
    -----
    Where a head is worth more than a chunk, nanotron leaves it to the last but one and the loss to
    the last; here the last has both.

    Examples
    --------
    A head worth four layers:

    >>> chunk_layers_by_work(16, 4, 4.0)
    [6, 5, 5, 0]
    """
    share = (n_layers + head_layers) / n_chunks
    found = [0] * n_chunks
    chunk = 0
    for n in range(1, n_layers + 1):
        found[chunk] += 1
        if n > share * (chunk + 1) and chunk < n_chunks - 1:
            chunk += 1
    return found


def stage_layers(
    model: Model, pp: int, vp: int, head_layers: float | None = None, *, folded: bool = False
) -> NDArray[np.float64]:
    """Layers of each kind that each stage holds.

    Parameters
    ----------
    model : Model
    pp, vp : int   Stages, and chunks of each: stage s has chunks s, s + pp, s + 2 pp ...
    folded : bool   Of two chunks a stage: stage s has chunks s and 2 pp - 1 - s.
    head_layers : float or None   See `chunk_layers_by_work`; None: as even as layers allow.

    Returns
    -------
    array of shape (pp, kinds)   In the order of ``model.blocks``. [1]
    """
    return _stage_layers(_depths(model), len(model.blocks), pp, vp, head_layers, folded)


def _depths(model: Model) -> tuple[int, ...]:
    """The kind of each layer, in depth order; kinds of no stated order follow each other."""
    if model.order:
        return model.order
    return tuple(i for i, block in enumerate(model.blocks) for _ in range(int(block.repeat)))


@lru_cache(maxsize=4096)
def _stage_layers(
    depths: tuple[int, ...], n_kinds: int, pp: int, vp: int, head_layers: float | None, folded: bool
) -> NDArray[np.float64]:
    found = np.zeros((pp, n_kinds))
    at = 0
    n_layers, n_chunks = len(depths), pp * vp
    chunks = (
        chunk_layers(n_layers, n_chunks)
        if head_layers is None or n_chunks == 1
        else chunk_layers_by_work(n_layers, n_chunks, head_layers)
    )
    for chunk, n in enumerate(chunks):
        stage = 2 * pp - 1 - chunk if folded and chunk >= pp else chunk % pp
        for kind in depths[at : at + n]:
            found[stage, kind] += 1
        at += n
    found.setflags(write=False)
    return found
