"""Read a HuggingFace ``config.json`` into a `Model`: the shape of the language model in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError, RidgelineError
from ridgeline.files import resolved
from ridgeline.readers.audit import audit
from ridgeline.readers.build import LayerPlan, build_blocks, fields_of
from ridgeline.readers.class_defaults import version
from ridgeline.readers.config import Config, shown
from ridgeline.readers.encoders import encoder_of
from ridgeline.readers.expressions import names_in
from ridgeline.readers.families import Family, family_of
from ridgeline.readers.gguf_mixes import is_gguf_mix, with_gguf_mix
from ridgeline.readers.layers import Label, labels, varied, whole_number
from ridgeline.readers.source import Source, load
from ridgeline.readers.storage import storage_of, with_storage
from ridgeline.readers.wrapper import LEFT_OUT, language_part
from ridgeline.specs.blocks import Block, ExtraProduct
from ridgeline.specs.model import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

__all__ = ["read_config"]

_MOST_MTP = 64
_ONLY_MEMORY = "Language part only: of the encoders of other media the memory alone is counted."
_HINTS = ("by hand", "nown are", "Remove the table")
_HINT = (
    " Correct the config, or describe the model by hand: a record in TOML, or its counts "
    "(Model.from_counts, --from-counts)."
)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def read_config(
    source: str | Path | Mapping[str, Any],
    *,
    id: str | None = None,
    assume_harmless: Collection[str] = (),
) -> Model:
    """Read a model's shape and storage formats from its ``config.json``.

    Parameters
    ----------
    source : path, text or mapping
        A ``config.json``, a folder that holds one, or one already parsed. Files in which quantisers
        write beside a config (``hf_quant_config.json``, ``quantize_config.json``,
        ``quant_config.json``) are read too.
    id : str or None
        What to call the model; None takes ``_name_or_path``, else the file's or folder's name.
    assume_harmless : collection of str
        Keys that are not understood and may be passed over: the caller knows that they change no
        count.

    Returns
    -------
    Model   Of a multimodal model the language part, which its notes say.

    Raises
    ------
    ConfigError   A file that is broken, a family or a key that is not understood, sizes that
        cannot be. Names the key, what it holds and what to do.

    Examples
    --------
    >>> model = read_config({
    ...     "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    ...     "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    ...     "vocab_size": 128256,
    ... })
    >>> model.blocks[0].repeat, model.blocks[0].mixer.n_kv_heads
    (32, 8)
    """
    loaded = load(source)
    try:
        return _read(loaded, id, assume_harmless)
    except RecursionError:
        raise ConfigError(f"{loaded.where} nests too deeply to be a model's config.") from None
    except RidgelineError as error:
        text = str(error)
        hint = "" if any(word in text for word in _HINTS) else _HINT
        where = "" if text.startswith(loaded.where) else f"{loaded.where}: "
        raise ConfigError(f"{where}{text}{hint}") from None


def _read(loaded: Source, id: str | None, assume_harmless: Collection[str]) -> Model:
    text, notes = language_part(loaded.raw, loaded.where)
    family = family_of(text, loaded.where)
    config = Config(text, family.aliases, family.defaults)
    for condition in family.refuse:
        if config.get(condition["when"], default=False):
            raise ConfigError(f"{condition['why']}. Describe the model by hand, in TOML.")
    audit(text, family, assume_harmless=assume_harmless, where=loaded.where)
    fields = fields_of(family, config)
    storage = storage_of(text, loaded.quant)
    n_layers = fields.pop("n_layers")
    n_mtp = _n_mtp(family, config)
    plans = _plans(family, config, n_layers, n_mtp)
    layers = [(plan.number, block) for plan, block in _built(family, config, plans)]
    if not layers:
        raise ConfigError("no layer has anything in it.")
    mtp = _mtp(family, config, plans[-1], n_mtp, int(fields["d_model"]))
    layers, mtp, stored = with_storage(layers, mtp, storage, family, int(fields["d_model"]))
    blocks, order = _runs([block for _, block in layers])
    remarks = [r["say"] for r in family.remarks if config.get(r["when"], default=False)]
    notes += [family.note, *remarks, _tied(config, family), _taken(config, text, family)]
    encoder = encoder_of(loaded.raw, int(fields["d_model"]))
    notes = [_ONLY_MEMORY if note == LEFT_OUT and encoder else note for note in notes]
    data = {
        **fields,
        "id": id or _name(loaded),
        "family": family.name,
        "blocks": blocks,
        "order": order,
        "mtp": mtp,
        **stored,
        "encoder": encoder,
        "notes": " ".join(note for note in (*notes, *storage.notes) if note),
    }
    model = Model.parse(data, where=loaded.where)
    return with_gguf_mix(model, model.weight_dtype) if is_gguf_mix(model.weight_dtype) else model


def _tied(config: Config, family: Family) -> str:
    """Say that embedding and head are one matrix where only the family says so."""
    tied = family.model["tied"]
    stated = any(config.get(key) is not None for key in names_in(tied) if key.startswith("tie"))
    if stated or not config.get(tied, default=False):
        return ""
    return "Embedding and LM head are one matrix: the default of the family."


def _taken(config: Config, text: Mapping[str, Any], family: Family) -> str:
    """Say which sizes the config left to the defaults of its class; all of them is no config."""
    if not config.taken:
        return ""
    known = family.keys()
    if not any(key in known and isinstance(value, int) for key, value in text.items()):
        raise ConfigError("it states no size of the model at all. Is it a model's config.json?")
    sizes = ", ".join(f"{key} = {shown(value)}" for key, value in config.taken.items())
    return (
        f"Absent from the config, taken from the defaults of its class in transformers "
        f"{version()}: {sizes}."
    )


def _n_mtp(family: Family, config: Config) -> int:
    what = "the number of multi-token-prediction layers"
    n = whole_number(config, family.mtp["count"], what, default=0)
    if n > _MOST_MTP:
        raise ConfigError(f"{what} is {shown(n)}; at most {_MOST_MTP} are believable.")
    return n


def _plans(family: Family, config: Config, n_layers: int, n_mtp: int) -> list[LayerPlan]:
    kinds = {
        kind: varied(
            labels(family.layers[kind], config, n_layers, n_mtp),
            family.variants(kind),
            config,
        )
        for kind in ("mixer", "ffn", "beside")
    }
    return [
        LayerPlan(i, *found)
        for i, found in enumerate(zip(kinds["mixer"], kinds["ffn"], kinds["beside"], strict=True))
    ]


def _built(
    family: Family, config: Config, plans: list[LayerPlan]
) -> Iterator[tuple[LayerPlan, Block]]:
    """Build each layer; equal plans share one record."""
    seen: dict[str, tuple[Block, ...]] = {}
    for plan in plans:
        key = repr((plan.mixer, plan.ffn, plan.beside))
        if key not in seen:
            seen[key] = build_blocks(family, config, plan)
        for block in seen[key]:
            yield plan, block


def _mtp(
    family: Family, config: Config, last: LayerPlan, n_mtp: int, d_model: int
) -> list[tuple[int, Block]]:
    """Multi-token-prediction modules: two hidden states joined, then layers like the model's."""
    if not n_mtp:
        return []
    plans = _listed_mtp(family, config, last.number + 1) or [
        LayerPlan(
            last.number + 1,
            Label(family.mtp.get("mixer", last.mixer.part), last.mixer.value),
            Label(family.mtp.get("ffn", last.ffn.part), last.ffn.value),
            last.beside,
        )
    ]
    blocks = [block for _, block in _built(family, config, plans)]
    join = ExtraProduct(name="mtp_join", part="other", k=2 * d_model, n=d_model)
    first = blocks[0].model_copy(
        update={
            "extra": (*blocks[0].extra, join),
            "n_norm_vectors": blocks[0].n_norm_vectors + family.mtp["norms"],
        }
    )
    every = [first, *blocks[1:]]
    return [(last.number + 1, b.model_copy(update={"repeat": n_mtp})) for b in every]


def _listed_mtp(family: Family, config: Config, index: int) -> list[LayerPlan]:
    """Layers of a module that its own list of kinds names, as the model's list does."""
    for key in family.mtp.get("lists", ()):
        values = config.get(key)
        if not isinstance(values, (list, str)) or not values:
            continue
        found: list[list[Label]] = []
        for kind in ("mixer", "ffn"):
            wanted = "letters" if isinstance(values, str) else "list"
            rule = next(r for r in family.layers[kind] if r["by"] == wanted)
            found.append(labels([{**rule, "key": key}], config, len(values)))
        pairs = zip(found[0], found[1], strict=True)
        return [LayerPlan(index, mixer, ffn, Label("none")) for mixer, ffn in pairs]
    return []


def _runs(layers: list[Block]) -> tuple[list[Block], list[int]]:
    """Distinct blocks with their repeats, and the order where it is not simply one by one."""
    kinds: list[Block] = []
    order: list[int] = []
    by_identity: dict[int, int] = {}
    for block in layers:
        index = by_identity.get(id(block))
        if index is None:
            index = next((i for i, kind in enumerate(kinds) if kind == block), len(kinds))
            if index == len(kinds):
                kinds.append(block)
            by_identity[id(block)] = index
        order.append(index)
    blocks = [b.model_copy(update={"repeat": order.count(i)}) for i, b in enumerate(kinds)]
    return blocks, ([] if order == sorted(order) else order)


def _name(loaded: Source) -> str:
    """The id of a model: by its file (``org__name.json``), by what it says, or by its folder."""
    path = loaded.path
    if path is not None and path.name not in {"config.json", "params.json"}:
        return path.stem.replace("__", "/")
    stated = loaded.raw.get("_name_or_path")
    if isinstance(stated, str) and _REPOSITORY.fullmatch(stated):
        return stated
    if path is None:
        return "config"
    parts = [part for part in resolved(path).parts if part != "original"]
    cached = [p for p in parts if p.startswith("models--")]
    return cached[-1].removeprefix("models--").replace("--", "/") if cached else parts[-2]
