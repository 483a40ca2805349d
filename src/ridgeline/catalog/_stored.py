"""A model's weights in another format: one function for all faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.errors import CatalogError
from ridgeline.formats import dtype

if TYPE_CHECKING:
    from ridgeline.specs.model import Model

__all__ = ["element_dtype", "stored_as"]


def stored_as(model: Model, weights: str) -> Model:
    """Return the model with its weights in another format, as converters store them.

    A format of GGUF files gives each part the types that llama.cpp's quantiser gives it. Of others,
    embedding, head, router and norms stay wide, as engines keep them.

    Parameters
    ----------
    model : Model
    weights : str   Id, alias or pattern of a format: ``fp8``, ``q4_k_m``, ``int4-g32``.

    Raises
    ------
    CatalogError   There is no such format.

    Examples
    --------
    >>> from ridgeline.catalog import model
    >>> stored_as(model("Qwen/Qwen3-32B"), "Q4_K_M").dtypes["head"]
    'q6_k'
    """
    found = dtype(weights)
    # Only formats of files have an engine of their own; others need no readers.
    if model.blocks and found.engine:
        from ridgeline.readers.gguf_mixes import is_gguf_mix, with_gguf_mix  # noqa: PLC0415

        if is_gguf_mix(found.id):
            return with_gguf_mix(model, found.id)
    return model.with_weight_dtype(found.id, found.bits)


def element_dtype(name: str) -> str:
    """Return the id of a format that single values have: of caches and activations.

    Raises
    ------
    CatalogError   There is no such format, or it is a mixture that a whole checkpoint has.

    Examples
    --------
    >>> element_dtype("Q8_0"), element_dtype("e4m3")
    ('q8_0', 'fp8')
    """
    found = dtype(name)
    if found.base or (found.engine and _is_file_mix(found.id)):
        raise CatalogError(
            f"{name!r} is a mixture of whole checkpoints; caches and activations have one "
            "format, such as bf16, fp8 or q8_0."
        )
    return found.id


def _is_file_mix(name: str) -> bool:
    """Whether a GGUF format names files alone, and no type of tensor."""
    from ridgeline.readers.gguf_mixes import gguf_types, is_gguf_mix  # noqa: PLC0415

    return is_gguf_mix(name) and name not in gguf_types()
