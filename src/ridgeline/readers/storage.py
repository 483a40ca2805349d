"""Which part of which layer is stored in what format, as the records say it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown
from ridgeline.readers.quantization import scheme_of
from ridgeline.specs.blocks import (
    Attention,
    Block,
    CompressedAttention,
    Dense,
    LatentAttention,
    MixtureOfExperts,
    Part,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.readers.families import Family
    from ridgeline.readers.scheme import Scheme

__all__ = ["Storage", "storage_of", "with_storage"]

_DTYPES = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "float": "fp32",
    "float8_e4m3fn": "fp8",
    "auto": "bf16",
}
_EXPERT_DTYPES = {"fp4": "mxfp4", "mxfp4": "mxfp4", "nvfp4": "nvfp4", "fp8": "fp8-block"}
_STATE_KEYS = ("mamba_ssm_cache_dtype", "mamba_ssm_dtype")
Layers = list[tuple[int, Block]]


@dataclass(frozen=True)
class Storage:
    """What a config says about formats: the unquantised one, and what is quantised."""

    base: str
    scheme: Scheme | None
    experts: str | None
    state: str | None
    notes: tuple[str, ...] = ()


def storage_of(text: Mapping[str, Any], beside: Mapping[str, Any] | None) -> Storage:
    """Read the formats of a config.

    Parameters
    ----------
    text : mapping   The language model's config.
    beside : mapping or None   A parsed ``hf_quant_config.json``.

    Raises
    ------
    ConfigError   A format or method that is not known.
    """
    stated = text.get("torch_dtype") or text.get("dtype")
    base = "bf16" if stated is None else _plain(stated, "torch_dtype")
    scheme = scheme_of(text.get("quantization_config"), beside)
    if scheme is None:
        scheme = scheme_of(text.get("compression_config"))
    notes: tuple[str, ...] = ()
    if base == "fp32" and scheme is None:
        notes = ("Stored in 32 bits; engines usually serve such weights in 16.",)
    experts = text.get("expert_dtype")
    if experts is not None and (not isinstance(experts, str) or experts not in _EXPERT_DTYPES):
        raise ConfigError(
            f"expert_dtype is {shown(experts)}; known are {', '.join(_EXPERT_DTYPES)}."
        )
    state = next((text[key] for key in _STATE_KEYS if text.get(key)), None)
    return Storage(
        base=base,
        scheme=scheme,
        experts=_EXPERT_DTYPES[experts] if experts else None,
        state=None if state is None else _plain(state, "the state's dtype"),
        notes=notes,
    )


def _plain(name: object, what: str) -> str:
    text = name.removeprefix("torch.") if isinstance(name, str) else name
    if not isinstance(text, str) or text not in _DTYPES:
        raise ConfigError(f"{what} is {shown(name)}; known are {', '.join(_DTYPES)}.")
    return _DTYPES[text]


def parts_of(block: Block) -> list[Part]:
    """Parts of the weights a block has, norms apart."""
    found: list[Part] = []
    mixer, ffn = block.mixer, block.ffn
    if isinstance(mixer, (Attention, LatentAttention, CompressedAttention)):
        found.append("attention")
        if mixer.indexer is not None and not mixer.indexer.reuses:
            found.append("indexer")
    elif mixer is not None:
        found.append("recurrent")
    if isinstance(ffn, Dense):
        found.append("ffn")
    elif isinstance(ffn, MixtureOfExperts):
        found.extend(("router", "experts"))
        if ffn.d_ff_shared:
            found.append("shared_experts")
        if ffn.d_latent:
            found.append("ffn")
    for product in block.extra:
        if product.part not in found:
            found.append(product.part)
    return found


def with_storage(
    layers: Layers, mtp: Layers, storage: Storage, family: Family
) -> tuple[Layers, list[Block], dict[str, Any]]:
    """Write formats into blocks and into the model's fields, each only where it differs.

    Parameters
    ----------
    layers, mtp : list of (layer number, Block)
    storage : Storage
    family : Family   For the names by which quantisers list modules.

    Returns
    -------
    tuple   Layers, MTP blocks, and fields of `Model`.
    """
    fields: dict[str, Any] = {"weight_dtype": storage.base}
    scheme = storage.scheme
    if storage.state:
        fields["state_dtype"] = storage.state
    if scheme is not None and scheme.kv_dtype:
        fields["kv_dtype"] = scheme.kv_dtype
    if scheme is None and storage.experts is None:
        return layers, [block for _, block in mtp], fields
    formats = _Formats(storage, family)
    per_layer = [formats.of(index, block) for index, block in layers]
    usual = _usual(per_layer)
    main = _main(usual, storage)
    model: dict[Part, str] = {"embedding": storage.base, "other": storage.base}
    model["head"] = scheme.head if scheme is not None and scheme.head else storage.base
    model.update(usual)
    fields["weight_dtype"] = main
    fields["dtypes"] = {part: dtype for part, dtype in model.items() if dtype != main}
    shared: dict[tuple[int, tuple[tuple[str, str], ...]], Block] = {}
    done = [
        (index, _stamped(block, parts, usual, shared))
        for (index, block), parts in zip(layers, per_layer, strict=True)
    ]
    done_mtp = [_stamped(block, formats.of(i, block), {**model, **usual}, {}) for i, block in mtp]
    return done, done_mtp, fields


def _usual(per_layer: list[dict[Part, str]]) -> dict[Part, str]:
    """The commonest format of each part."""
    counts: dict[Part, Counter[str]] = {}
    for parts in per_layer:
        for part, dtype in parts.items():
            counts.setdefault(part, Counter())[dtype] += 1
    return {part: counter.most_common(1)[0][0] for part, counter in counts.items()}


def _main(usual: Mapping[Part, str], storage: Storage) -> str:
    """The format of the heaviest part that is quantised."""
    order: tuple[Part, ...] = ("experts", "ffn", "attention", "recurrent")
    return next(
        (usual[p] for p in order if usual.get(p, storage.base) != storage.base), storage.base
    )


def _stamped(
    block: Block,
    parts: Mapping[Part, str],
    usual: Mapping[Part, str],
    shared: dict[tuple[int, tuple[tuple[str, str], ...]], Block],
) -> Block:
    differing = {part: dtype for part, dtype in parts.items() if usual.get(part) != dtype}
    key = (id(block), tuple(sorted(differing.items())))
    if key not in shared:
        shared[key] = block.model_copy(update={"dtypes": differing}) if differing else block
    return shared[key]


class _Formats:
    """Decides the format of each part by the names of its modules."""

    def __init__(self, storage: Storage, family: Family) -> None:
        self._storage = storage
        self._modules = family.modules

    def of(self, index: int, block: Block) -> dict[Part, str]:
        return {part: self._decide(part, index) for part in parts_of(block)}

    def _decide(self, part: Part, index: int) -> str:
        storage = self._storage
        if part == "experts" and storage.experts:
            return storage.experts
        # Routers choose; quantisers leave them, and whatever is neither mixer nor feed-forward.
        if storage.scheme is None or part in {"router", "other"}:
            return storage.base
        prefix = self._modules["prefix"]
        votes = Counter(
            storage.scheme.format_of(f"{prefix}.{index}.{name}") or storage.base
            for name in self._modules[part]
        )
        return votes.most_common(1)[0][0]
