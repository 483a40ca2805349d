"""Read a GGUF file into a `Model`: shape from its metadata, formats from its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError, RidgelineError
from ridgeline.files import named
from ridgeline.readers.gguf_config import config_of, layer_of, part_of_tensor
from ridgeline.readers.gguf_header import GgufHeader, read_gguf_headers
from ridgeline.readers.gguf_mixes import dtype_of_type, is_gguf_mix
from ridgeline.readers.hf_config import read_config
from ridgeline.readers.stored import gathered, with_stored

if TYPE_CHECKING:
    from pathlib import Path

    from ridgeline.specs.model import Model

__all__ = ["model_of_header", "read_gguf"]

#: formats of whole files by general.file_type, as llama.h numbers them
_FILE_TYPES = {
    0: "fp32", 1: "fp16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k",
    11: "q3_k_s", 12: "q3_k_m", 13: "q3_k_l", 14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s",
    17: "q5_k_m", 18: "q6_k", 19: "iq2_xxs", 20: "iq2_xs", 21: "q2_k_s", 22: "iq3_xs",
    23: "iq3_xxs", 24: "iq1_s", 25: "iq4_nl", 26: "iq3_s", 27: "iq3_m", 28: "iq2_s", 29: "iq2_m",
    30: "iq4_xs", 31: "iq1_m", 32: "bf16", 36: "tq1_0", 37: "tq2_0", 38: "mxfp4_moe",
}  # fmt: skip


def read_gguf(path: str | Path, *, id: str | None = None) -> Model:
    """Read a model from the header of a GGUF file.

    Parameters
    ----------
    path : str or Path   Any file of a model; the other parts of one that is split lie beside it.
    id : str or None     What to call it; None takes the file's name.

    Returns
    -------
    Model   Its parts take the bytes that their tensors take in the file.

    Raises
    ------
    ConfigError         A file that is broken, or of an architecture that is not known.
    MissingExtraError   The library `gguf` is not installed.
    """
    header = read_gguf_headers(path)
    return model_of_header(header, id or header.path.stem)


def model_of_header(header: GgufHeader, id: str) -> Model:
    """The model that a header describes.

    Raises
    ------
    ConfigError   An architecture that is not known, or sizes that cannot be.
    """
    where = named(header.path)
    try:
        config = config_of(header)
        model = read_config(config, id=id, assume_harmless=tuple(config))
    except RidgelineError as error:
        text = str(error).removeprefix("the config: ")
        raise ConfigError(f"{where}: {text}") from None
    n_layers = config["num_hidden_layers"]
    attention = frozenset(
        layer
        for layer, name in (layer_of(t.name) for t in header.tensors)
        if layer is not None and name in ("attn_q.weight", "attn_output.weight", "attn_q_a.weight")
    )
    parts = gathered(
        (part_of_tensor(t, n_layers, attention), dtype_of_type(t.type), t.n_values, t.n_bytes)
        for t in header.tensors
    )
    model, said = with_stored(model, parts, _main(header.metadata, parts))
    notes = " ".join([*said, model.notes]).strip()
    return model.model_copy(update={"notes": notes})


def _main(metadata: dict[str, Any], parts: dict[str, Any]) -> str:
    """What the file's format is called: by its file type, else by the type of most of it."""
    stated = _FILE_TYPES.get(metadata.get("general.file_type", -1), "")
    most = max(parts.values(), key=lambda part: part.n_bytes).base
    wide = ("fp32", "fp16", "bf16")
    return stated if is_gguf_mix(stated) or stated in wide else most
