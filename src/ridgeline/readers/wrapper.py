"""Find the language model inside a multimodal config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown
from ridgeline.readers.families import text_model_type
from ridgeline.readers.quantization import KEYS

__all__ = ["LEFT_OUT", "language_part"]

_INNER = ("text_config", "llm_config", "language_config", "llm_cfg", "thinker_config")
_OTHER_PARTS = (
    "vision_config", "audio_config", "vision_tower", "mm_vision_tower", "visual", "vision_encoder",
    "multimodal",
)  # fmt: skip
#: keys that a wrapper states for the language model too; the first table that has one wins
_OUTER_FIRST = ("tie_word_embeddings",)
_INNER_FIRST = (*KEYS, "torch_dtype", "dtype")
_DEEPEST = 4
LEFT_OUT = "Language part only: the encoders of other media are left out."


def language_part(raw: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """Return the config of the language model, and what to note about the rest.

    Parameters
    ----------
    raw : mapping   A whole config.
    where : str     What to call it in messages.

    Returns
    -------
    tuple   The keys of the language model, with what the wrapper says for it; notes.

    Raises
    ------
    ConfigError   A nested config that is no table, or nests without end.
    """
    text: dict[str, Any] = dict(raw)
    for _ in range(_DEEPEST):
        key = next((k for k in _INNER if text.get(k)), None)
        if key is None:
            return _flat(text), _notes(raw)
        inner = text[key]
        if not isinstance(inner, Mapping):
            raise ConfigError(
                f"{where}: {key} is {shown(inner)}; a table with the language model is expected."
            )
        text = _joined(text, inner)
    raise ConfigError(f"{where}: configs nest more than {_DEEPEST} deep; which one is the model?")


def _flat(text: dict[str, Any]) -> dict[str, Any]:
    """Name the model of a wrapper that has the language model's keys beside its own."""
    stated = text_model_type(text.get("model_type"))
    return text if stated is None else {**text, "model_type": stated}


def _joined(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    out = {str(k): v for k, v in inner.items()}
    for key in _OUTER_FIRST:
        if outer.get(key) is not None:
            out[key] = outer[key]
    for key in _INNER_FIRST:
        if not out.get(key) and outer.get(key) is not None:  # an empty table says nothing
            out[key] = outer[key]
    if not isinstance(out.get("model_type"), str):
        stated = text_model_type(outer.get("model_type"))
        if stated is not None:
            out["model_type"] = stated
    # An inner list of classes names the inner model; the wrapper's names the wrapper.
    return out


def _notes(raw: Mapping[str, Any]) -> list[str]:
    parts = [key for key in (*_INNER, *_OTHER_PARTS) if raw.get(key)]
    if not parts or (parts == ["text_config"] and "vision_config" not in raw):
        return ["Language part only."] if parts else []
    return [LEFT_OUT]
