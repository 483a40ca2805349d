"""The config.json that a GGUF file's metadata amounts to, by a table of architectures."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import shown
from ridgeline.readers.expressions import Missing, evaluate
from ridgeline.shipped import read_shipped

if TYPE_CHECKING:
    from ridgeline.readers.gguf_header import GgufHeader, GgufTensor

__all__ = ["config_of", "layer_of", "part_of_tensor"]

_TABLE = Path(__file__).with_name("gguf_architectures.toml")
_LAYER = re.compile(r"blk\.(\d{1,6})\.(.+)")
_MOST_LAYERS = 10_000
_WINDOW_PATTERN = ("attention", "sliding_window_pattern")


@cache
def _table() -> dict[str, Any]:
    return read_shipped(_TABLE)


def config_of(header: GgufHeader) -> dict[str, Any]:
    """Write a file's metadata as a config.json.

    Parameters
    ----------
    header : GgufHeader

    Returns
    -------
    dict   With ``model_type``; keys that the file has no value for are left out.

    Raises
    ------
    ConfigError   No language model, or of an architecture that is not known.
    """
    name = header.metadata.get("general.architecture")
    known = _table()["arch"]
    if not isinstance(name, str) or header.metadata.get("general.type", "model") != "model":
        what = header.metadata.get("general.type", "no architecture")
        raise ConfigError(f"the file holds {shown(what)} and no language model.")
    if name not in known:
        raise ConfigError(
            f"the GGUF architecture {shown(name)} is not known.{did_you_mean(name, known)} "
            f"Known are {', '.join(sorted(known))}. Give the model's config.json and its format."
        )
    _check_depth(header.metadata.get(f"{name}.block_count"))
    scope = _File(header, name)
    found = {key: _value(text, scope) for key, text in _entries(name).items()}
    config = {key: value for key, value in found.items() if value is not None}
    return {**config, "model_type": config.pop("type")}


def _check_depth(n_layers: object) -> None:
    if type(n_layers) is not int or not 1 <= n_layers <= _MOST_LAYERS:
        raise ConfigError(
            f"block_count is {shown(n_layers)}; 1 to {_MOST_LAYERS:,} layers are what a model has."
        )


def _entries(name: str) -> dict[str, str]:
    """Keys of an architecture with those it is like."""
    own = _table()["arch"][name]
    below = _entries(own["like"]) if "like" in own else dict(_table()["base"])
    beside = _table()[own["with"]] if "with" in own else {}
    return below | beside | {key: text for key, text in own.items() if key not in {"like", "with"}}


def _value(text: str, scope: _File) -> Any:
    try:
        return evaluate(text, scope)
    except Missing:
        return None


def layer_of(name: str) -> tuple[int | None, str]:
    """The layer of a tensor, None outside of layers, and its name within it.

    Examples
    --------
    >>> layer_of("blk.3.attn_q.weight"), layer_of("output.weight")
    ((3, 'attn_q.weight'), (None, 'output.weight'))
    """
    match = _LAYER.fullmatch(name)
    return (int(match[1]), match[2]) if match else (None, name)


class _File:
    """What expressions see of a file."""

    def __init__(self, header: GgufHeader, architecture: str) -> None:
        self._metadata = header.metadata
        self._prefix = architecture
        self._layers: dict[str, list[int]] = defaultdict(list)
        for tensor in header.tensors:
            layer, name = layer_of(tensor.name)
            if layer is not None:
                self._layers[name].append(layer)
        self._tensors = {t.name: t for t in header.tensors}

    def lookup(self, path: tuple[str, ...]) -> Any:
        """Return the value of a dotted name."""
        special = getattr(self, f"_{path[0]}", None)
        if callable(special):
            return special(*path[1:])
        value = self._metadata.get(".".join((self._prefix, *path)))
        if value is None:
            raise Missing(".".join(path))
        return _one(value)

    # What follows answers names that are no metadata; each by the first word of the name.

    def _vocab_rows(self) -> int:
        table = self._tensors.get("token_embd.weight")
        if table is None or len(table.shape) != 2:
            raise ConfigError("the file has no embedding table (token_embd.weight).")
        return table.shape[1]

    def _has(self, name: str) -> bool:
        ends = (f"{name}.weight", f"{name}.bias")
        wanted = (f"{name.removesuffix('_bias')}.bias",) if name.endswith("_bias") else ends
        return any(n in self._layers or n in self._tensors for n in wanted)

    def _having(self, name: str) -> list[int]:
        return sorted(self._layers.get(f"{name}.weight", ()))

    def _first(self, name: str) -> int:
        if not self._having(name):
            raise Missing(name)
        return self._having(name)[0]

    def _every(self, name: str) -> int:
        found = self._having(name)
        if len(found) < 2:
            raise Missing(name)
        return found[1] - found[0]

    def _least(self, name: str) -> Any:
        return min(_numbers(self._raw(name)))

    def _most(self, name: str) -> Any:
        return max(_numbers(self._raw(name)))

    def _raw(self, name: str) -> Any:
        value = self._metadata.get(f"{self._prefix}.{name}")
        if value is None:
            raise Missing(name)
        return value

    def _windows(self) -> list[str]:
        names = {True: "sliding_attention", False: "full_attention"}
        return [names[bool(w)] for w in self._pattern()]

    def _pattern(self) -> list[bool]:
        value = self._metadata.get(".".join((self._prefix, *_WINDOW_PATTERN)))
        if not isinstance(value, list):
            raise Missing("windows")
        return value

    def _window(self, name: str) -> Any:
        return self._among(name, window=True)

    def _full(self, name: str) -> Any:
        if name.startswith("has_"):
            having = set(self._having(name.removeprefix("has_")))
            return any(i in having for i, w in enumerate(self._pattern()) if not w)
        return self._among(name, window=False)

    def _among(self, name: str, *, window: bool) -> Any:
        """The value of a list in layers that see a window, or in those that see all."""
        values = self._metadata.get(f"{self._prefix}.attention.{name}")
        if not isinstance(values, list):
            raise Missing(name)
        return _one([v for v, w in zip(values, self._pattern(), strict=False) if bool(w) is window])

    def _kinds(self, words: str) -> list[str]:
        return [self._kind(i, words) for i in range(self._raw("block_count"))]

    def _kind(self, layer: int, words: str) -> str:
        recurrent, conv = self._is_in(layer, "ssm_conv1d"), self._is_in(layer, "shortconv.conv")
        if words == "lfm2":
            return "conv" if conv else "full_attention"
        if words == "mixer":
            return "mamba" if recurrent else "attention"
        if recurrent:
            return "mamba"
        if self._is_in(layer, "attn_q"):
            return "attention"
        return "moe" if self._is_in(layer, "ffn_gate_inp") else "mlp"

    def _is_in(self, layer: int, name: str) -> bool:
        return layer in self._layers.get(f"{name}.weight", ())


def _numbers(value: Any) -> list[Any]:
    return value if isinstance(value, list) and value else [value]


def _one(value: Any) -> Any:
    """Of a list with a number per layer, the one that is not 0; the list where several are."""
    if not isinstance(value, list):
        return value
    distinct = {v for v in value if not isinstance(v, bool) and v}
    return distinct.pop() if len(distinct) == 1 else value


def part_of_tensor(tensor: GgufTensor, n_layers: int, attention_layers: frozenset[int]) -> str:
    """The part of a model that a tensor belongs to; ``mtp`` beyond its layers.

    Parameters
    ----------
    tensor : GgufTensor
    n_layers : int                       Of the model, without prediction layers.
    attention_layers : frozenset of int  Layers that have attention proper.

    Examples
    --------
    >>> from ridgeline.readers.gguf_header import GgufTensor
    >>> tensor = GgufTensor("blk.0.ffn_up_exps.weight", "q4_k", (64, 32, 8), 0)
    >>> part_of_tensor(tensor, 2, frozenset())
    'experts'
    """
    rules = _table()["parts"]
    layer, name = layer_of(tensor.name)
    if layer is not None and layer >= n_layers:
        return "mtp"
    small = sum(d > 1 for d in tensor.shape) < 2
    if layer is None:
        return next((p for start, p in rules["model"] if name.startswith(start)), "other")
    found = next((part for text, part in rules["layer"] if text in name), "other")
    if small and found not in ("mtp", "shared_experts"):
        return "other"
    beside = any(name.startswith(n) for n in rules["recurrent_beside_ssm"])
    return "recurrent" if beside and layer not in attention_layers else found
