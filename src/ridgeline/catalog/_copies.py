"""Find the model that a name means: a copy of a known one, in the format that its name says."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ridgeline.catalog._names import (
    CopyFormat,
    Named,
    is_narrow,
    key,
    loose_key,
    parsed,
    without_host,
)
from ridgeline.catalog._store import entry_id, index, other_names
from ridgeline.catalog._stored import stored_as
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.formats import dtype, folded
from ridgeline.specs.blocks import Attention
from ridgeline.specs.fields import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ridgeline.specs.model import Model

__all__ = ["bases", "copies", "known_names", "model_named", "shape"]

Key = tuple[str, ...]
_GGUF_EXAMPLES = "Q4_K_M, Q5_K_M, Q6_K, Q8_0, IQ4_XS or another of llama.cpp's"


@dataclass(frozen=True, slots=True)
class Base:
    """A name under which an entry of the catalogue is known."""

    name: str
    path: Path

    @property
    def organisation(self) -> str:
        """Of the name; blank for a short name."""
        return folded(self.name.rpartition("/")[0])


@cache
def bases() -> tuple[dict[Key, list[Base]], dict[Key, list[Base]]]:
    """All names of models by their words: all of them, and without those of tuning."""
    exact: dict[Key, list[Base]] = defaultdict(list)
    loose: dict[Key, list[Base]] = defaultdict(list)
    for base in _every():
        last = base.name.rpartition("/")[2]
        for name in dict.fromkeys((last, parsed(last).base)):
            exact[key(name)].append(base)
            loose[loose_key(name)].append(base)
    return dict(exact), dict(loose)


def _every() -> Iterable[Base]:
    others = other_names("models")
    for path in index("models").values():
        for name in (entry_id(path), *others.get(path, ())):
            yield Base(name, path)


def known_names() -> list[str]:
    """Ids of all models and of the checkpoints that share their shapes."""
    return [base.name for base in _every() if "/" in base.name]


def copies(name: str) -> list[str]:
    """Ids of the catalogue whose names say that they are a model in some format.

    Parameters
    ----------
    name : str   Id of the model.
    """
    base = folded(name.rpartition("/")[2])
    ids = (entry_id(path) for path in index("models").values())
    return [i for i in ids if (named := parsed(i)).format is not None and named.base == base]


def model_named(name: str, load: Callable[[Path], Model]) -> Model:
    """Return the model that a name means, with notes that say what was assumed.

    Parameters
    ----------
    name : str        No id or alias of the catalogue.
    load : callable   Reads an entry's file.

    Raises
    ------
    CatalogError   The model or its format is not known, or several models are meant.
    """
    if (path := _by_last_part(name)) is not None:
        return load(path)
    named = parsed(name)
    base = _found(named, load)
    if base is None:
        raise _unknown(name, named)
    if named.format is None:
        return _renamed(load(base.path), base, name)
    return _copied(without_host(name), named.format, base, load(base.path))


def _by_last_part(name: str) -> Path | None:
    """``DeepSeek-V3`` means ``deepseek-ai/DeepSeek-V3`` as long as one organisation has it."""
    wanted = folded(name)
    hits = {b.path for b in _every() if folded(b.name.rpartition("/")[2]) == wanted}
    return hits.pop() if len(hits) == 1 else None


def _found(named: Named, load: Callable[[Path], Model]) -> Base | None:
    """The entry whose shape a name has: by all of its words, else without those of tuning."""
    if not named.base:
        return None
    exact, loose = bases()
    for text in _readings(named.base):
        hits = exact.get(key(text)) or loose.get(loose_key(text))
        if hits:
            return _one_of(named, hits, load)
    return None


def _readings(base: str) -> Iterable[str]:
    """The name, and the name without an organisation that is written before it."""
    yield base
    for organisation in sorted({b.organisation for b in _every()} - {""}, key=len, reverse=True):
        if base.startswith(f"{organisation}-"):
            yield base.removeprefix(f"{organisation}-")


def _one_of(named: Named, hits: list[Base], load: Callable[[Path], Model]) -> Base:
    """The hit that is nearest to what was typed; several are no harm where their shapes agree."""
    wanted = key(named.base)

    def rank(base: Base) -> tuple[bool, bool, bool, str]:
        last = base.name.rpartition("/")[2]
        return (
            is_narrow(base.name),
            base.organisation != named.organisation,
            key(last) != wanted,
            base.name,
        )

    ranked = sorted(hits, key=rank)
    best = ranked[0]
    if named.organisation and best.organisation == named.organisation:
        return best
    for other in dict.fromkeys(b.path for b in ranked[1:]):
        if other != best.path and shape(load(best.path)) != shape(load(other)):
            ids = list(dict.fromkeys(b.name for b in ranked))
            raise CatalogError(
                f"{named.base!r} may mean {' or '.join(ids[:4])}, which differ in shape: name one."
            )
    return best


def shape(model: Model) -> tuple[object, ...]:
    """What two checkpoints of the same architecture have in common, whatever they are stored as.

    Parameters
    ----------
    model : Model
    """
    plain = [b.model_copy(update={"dtypes": {}, "repeat": 1}) for b in model.blocks]
    if model.order:
        layers = [plain[i] for i in model.order]
    else:
        layers = [p for p, b in zip(plain, model.blocks, strict=True) for _ in range(b.repeat)]
    return (layers, model.counts, model.d_model, model.vocab_size, model.tied)


def _renamed(record: Model, base: Base, name: str) -> Model:
    said = f"{name!r} was read as {base.name}, by its name."
    return record.model_copy(update={"notes": _joined(record.notes, said), "aliases": ()})


def _joined(*notes: str) -> str:
    return " ".join(filter(None, notes))


def _unknown(name: str, named: Named) -> CatalogError:
    what = f"There is no model {shown(name)}"
    if named.format is not None:
        stored = f" stored as {named.format.dtype}" if named.format.dtype else ""
        what += f": it would be a copy of {shown(named.base)}{stored}, and that model is not known"
    hint = (
        "'ridgeline models' lists all; the path of a config.json works for any other, and "
        "--fetch reads one from the HuggingFace hub."
    )
    return CatalogError(f"{what}.{did_you_mean(named.base, known_names())} {hint}")


def _copied(name: str, stated: CopyFormat, base: Base, record: Model) -> Model:
    if stated.unclear:
        raise CatalogError(
            f"{name!r} is a copy of {base.name}, but its name does not say how it is stored: "
            f"{stated.unclear}. {_how_to_say(name, stated)}"
        )
    try:
        found = dtype(stated.dtype)
        parts = {part: dtype(stored).id for part, stored in stated.dtypes.items()}
    except CatalogError as error:
        raise CatalogError(f"{name!r} is a copy of {base.name}. {error}") from None
    copy = stored_as(record, found.id)
    if stated.mixers and _has_other_mixers(record):
        parts |= dict.fromkeys(("attention", "recurrent", "indexer"), stated.mixers)
    cache = f", its cache as {stated.kv}" if stated.kv else ""
    said = (
        f"Read as {base.name} stored as {found.id}{cache}, from its name: which layers are "
        f"quantised is the convention of {stated.method}; the path of its config.json is exact."
    )
    update: dict[str, object] = {
        "id": name,
        "name": name.rpartition("/")[2],
        "aliases": (),
        "notes": _joined(_without_formats(record.notes), said),
        "dtypes": {p: d for p, d in {**copy.dtypes, **parts}.items() if d != copy.weight_dtype},
    }
    if stated.kv:
        update["kv_dtype"] = stated.kv
    return copy.model_copy(update=update)


def _how_to_say(name: str, stated: CopyFormat) -> str:
    if stated.method.startswith("GGUF"):
        example = f"{name.partition(':')[0]}:Q4_K_M"
        return f"Name the file's format behind a colon, {example}: {_GGUF_EXAMPLES}."
    return "Give the path of its config.json, or the base model's id and a weight format."


def _has_other_mixers(model: Model) -> bool:
    return any(b.mixer is not None and not isinstance(b.mixer, Attention) for b in model.blocks)


def _without_formats(notes: str) -> str:
    """Notes of a record that still hold for a copy: what they say of its own formats does not."""
    about = ("quantis", "Stored in 32 bits", "FP8")
    kept = [s for s in notes.split(". ") if s and not any(word in s for word in about)]
    return ". ".join(kept)
