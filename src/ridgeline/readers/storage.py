"""Which part of which layer is stored in what format, as the records say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ridgeline.errors import ConfigError
from ridgeline.formats import dtype
from ridgeline.readers.config import shown
from ridgeline.readers.part_formats import ENDS, PartFormats
from ridgeline.readers.quantization import quantized

if TYPE_CHECKING:
    from ridgeline.readers.families import Family
    from ridgeline.readers.names import Names
    from ridgeline.readers.scheme import Scheme
    from ridgeline.specs.blocks import Block

__all__ = ["Storage", "storage_of", "with_storage"]

_DTYPES = {
    "bfloat16": "bf16",
    "bf16": "bf16",
    "float16": "fp16",
    "fp16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "fp32": "fp32",
    "float": "fp32",
    "float8_e4m3fn": "fp8",
    "auto": "bf16",
}
_EXPERT_DTYPES = {"fp4": "mxfp4", "mxfp4": "mxfp4", "nvfp4": "nvfp4", "fp8": "fp8-block"}
_WIDE_BITS = 16
_STATE_KEYS = ("mamba_ssm_cache_dtype", "mamba_ssm_dtype")
Layers: TypeAlias = "list[tuple[int, Block]]"


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
    beside : mapping or None   Parsed files beside it in which a quantiser writes, by name.

    Raises
    ------
    ConfigError   A format or method that is not known.
    """
    stated = text.get("torch_dtype") or text.get("dtype")
    base = "bf16" if stated is None else _plain(stated, "torch_dtype")
    scheme = quantized(text, beside)
    if scheme is not None and scheme.groups and dtype(base).bits < _WIDE_BITS:
        base = "bf16"  # the dtype of what is quantised; the rest of such files has 16 bits
    notes: tuple[str, ...] = () if scheme is None else scheme.notes
    if base == "fp32" and scheme is None:
        notes = ("Stored in 32 bits; engines usually serve such weights in 16.",)
    experts = text.get("expert_dtype") or _table_of(text).get("expert_dtype")
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


def _table_of(text: Mapping[str, Any]) -> Mapping[str, Any]:
    table = text.get("quantization_config")
    return table if isinstance(table, Mapping) else {}


def _plain(name: object, what: str) -> str:
    text = name.removeprefix("torch.") if isinstance(name, str) else name
    if not isinstance(text, str) or text not in _DTYPES:
        raise ConfigError(f"{what} is {shown(name)}; known are {', '.join(_DTYPES)}.")
    return _DTYPES[text]


def with_storage(
    layers: Layers, mtp: Layers, storage: Storage, family: Family, d_model: int
) -> tuple[Layers, list[Block], dict[str, Any]]:
    """Write formats into blocks and into the model's fields, each only where it differs.

    Parameters
    ----------
    layers, mtp : list of (layer number, Block)
    storage : Storage
    family : Family   For the names by which quantisers list modules.
    d_model : int     With the blocks, the sizes of the modules.

    Returns
    -------
    tuple   Layers, MTP blocks, and fields of `Model`.

    Raises
    ------
    ConfigError   A list of modules that means none, or leaves nothing to quantise.
    """
    fields: dict[str, Any] = {"weight_dtype": storage.base}
    scheme = storage.scheme
    if storage.state:
        fields["state_dtype"] = storage.state
    if scheme is not None and scheme.kv_dtype:
        fields["kv_dtype"] = scheme.kv_dtype
    if (scheme is None or not scheme.groups) and storage.experts is None:
        return layers, [block for _, block in mtp], fields
    formats = PartFormats(storage, family, d_model)
    per_layer = [formats.of((str(index),), block) for index, block in layers]
    per_mtp = [formats.of((str(i), f"mtp.{i - mtp[0][0]}"), block) for i, block in mtp]
    usual = _usual(per_layer)
    ends = {part: formats.end(part) for part in ENDS}
    model: dict[str, str] = {**ends, "other": storage.base, **usual}
    if scheme is not None:
        _check_lists(scheme, storage, [*per_layer, *per_mtp, model])
    main = _main(usual, storage)
    fields["weight_dtype"] = main
    fields["dtypes"] = {part: name for part, name in model.items() if name != main}
    shared: dict[tuple[int, tuple[tuple[str, str], ...]], Block] = {}
    done = [
        (index, _stamped(block, parts, usual, shared))
        for (index, block), parts in zip(layers, per_layer, strict=True)
    ]
    done_mtp = [
        _stamped(block, parts, model, {}) for (_, block), parts in zip(mtp, per_mtp, strict=True)
    ]
    return done, done_mtp, fields


def _check_lists(scheme: Scheme, storage: Storage, found: list[dict[str, str]]) -> None:
    """Refuse lists of modules that mean none, or everything there is to quantise."""
    for names in scheme.lists:
        if not names.hit and not names.tells_of_others:
            raise ConfigError(
                f"quantization_config lists modules that this model does not have: "
                f"{_listed(names)} mean no weight of a layer, nor the head or the embedding."
            )
    if storage.experts is None and all(v == storage.base for p in found for v in p.values()):
        why = f"its list of excluded modules ({_listed(scheme.excluded)}) means all of them"
        if not scheme.excluded.every and not scheme.excluded.hit:
            why = f"its targets ({_listed(scheme.groups[0].names)}) mean none"
        raise ConfigError(
            f"quantization_config quantises no weight of this model: {why}. Remove the table to "
            "read the model in its unquantised format."
        )


def _listed(names: Names) -> str:
    more = len(names.patterns) - 3
    return ", ".join(map(shown, names.patterns[:3])) + (f" and {more} more" if more > 0 else "")


def _usual(per_layer: list[dict[str, str]]) -> dict[str, str]:
    """The commonest format of each part."""
    counts: dict[str, Counter[str]] = {}
    for parts in per_layer:
        for part, name in parts.items():
            counts.setdefault(part, Counter())[name] += 1
    return {part: counter.most_common(1)[0][0] for part, counter in counts.items()}


def _main(usual: Mapping[str, str], storage: Storage) -> str:
    """The format of the heaviest part that is quantised."""
    order: tuple[str, ...] = ("experts", "ffn", "attention", "recurrent")
    return next(
        (usual[p] for p in order if usual.get(p, storage.base) != storage.base), storage.base
    )


def _stamped(
    block: Block,
    parts: Mapping[str, str],
    usual: Mapping[str, str],
    shared: dict[tuple[int, tuple[tuple[str, str], ...]], Block],
) -> Block:
    differing = {part: name for part, name in parts.items() if usual.get(part) != name}
    key = (id(block), tuple(sorted(differing.items())))
    if key not in shared:
        shared[key] = block.model_copy(update={"dtypes": differing}) if differing else block
    return shared[key]
