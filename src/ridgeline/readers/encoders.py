"""Read the encoder of images beside a language model: for the memory it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.specs.encoder import Encoder

__all__ = ["encoder_of"]

#: names of each size, the usual first
_LAYERS = ("depth", "num_hidden_layers", "vt_num_hidden_layers")
_WIDTH = ("hidden_size", "vt_hidden_size", "embed_dim")
_INNER = ("intermediate_size", "vt_intermediate_size")
_GATED = frozenset({"silu", "swiglu", "swish"})
_COLOURS = 3
#: patches of the largest image where sizes are free: of encoders that merge frames, and of others
_MOST_MERGED, _MOST = 65_536, 16_384
_MOST_SIDE = 10_000


def encoder_of(raw: Mapping[str, Any], d_model: int) -> Encoder | None:
    """The encoder of images of a multimodal config; None where none is told by its sizes.

    Parameters
    ----------
    raw : mapping   A whole config.
    d_model : int   Width of the language model.
    """
    vision = raw.get("vision_config")
    if not isinstance(vision, Mapping):
        return None
    layers, width, inner = (_size(vision, names) for names in (_LAYERS, _WIDTH, _INNER))
    patch = _size(vision, ("patch_size",))
    if not (layers and width and inner and patch):
        return None
    frames = _size(vision, ("temporal_patch_size",)) or 1
    merged = (_size(vision, ("spatial_merge_size",)) or 1) ** 2
    gated = str(vision.get("hidden_act", "")) in _GATED
    image = _size(vision, ("image_size",))
    side = image // patch if image else 0
    free = _MOST_MERGED if frames > 1 else _MOST
    values = _COLOURS * frames * patch**2
    projected = width * merged
    projector = projected * projected + projected * (_size(vision, ("out_hidden_size",)) or d_model)
    return Encoder(
        n_params=layers * (4 * width**2 + (3 if gated else 2) * width * inner)
        + values * width
        + projector,
        d_model=width,
        d_ff=inner,
        patch_values=values,
        most_patches=side**2 if side else free,
    )


def _size(table: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first size that is a plain number; 0 where none is."""
    found = (table.get(name) for name in names)
    whole = (v for v in found if isinstance(v, int) and not isinstance(v, bool))
    size = next(whole, 0)
    return size if 0 < size < _MOST_SIDE**2 else 0
