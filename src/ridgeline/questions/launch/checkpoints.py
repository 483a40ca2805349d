"""Which checkpoint holds the weights that were priced, or how an engine makes them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from ridgeline import catalog
from ridgeline.errors import InfeasibleError

if TYPE_CHECKING:
    from ridgeline.questions.launch.quantities import Priced
    from ridgeline.specs.engine_flags import EngineFlags, WeightRule

__all__ = ["Checkpoint", "checkpoint"]

_KIND = {"bf16": "BF16", "fp16": "F16", "fp32": "F32", "mxfp4": "MXFP4"}


class Checkpoint(NamedTuple):
    """What an engine loads.

    Attributes
    ----------
    name : str           Id, path, or a place to fill in.
    quantization : str   How the engine converts it; empty where it does not.
    note : str           What must be known about it; may be empty.
    """

    name: str
    quantization: str = ""
    note: str = ""


def checkpoint(priced: Priced, flags: EngineFlags) -> Checkpoint:
    """Find what an engine must load for the weights that were priced.

    Parameters
    ----------
    priced : Priced
    flags : EngineFlags   Of the engine.

    Raises
    ------
    InfeasibleError   The engine reads no weights in that format.
    """
    model, own = priced.replica.model, priced.own
    rule = _rule(model.weight_dtype, flags)
    if rule is None:
        told = ", ".join(pattern for r in flags.weights for pattern in r.formats)
        raise InfeasibleError(
            f"{flags.name} reads no weights in {model.weight_dtype}: it reads {told} (--weights). "
            f"{_instead(model.weight_dtype)}"
        )
    kind = _KIND.get(model.weight_dtype, model.weight_dtype.upper())
    if rule.file:
        name = rule.file.format(name=own.id.rsplit("/", 1)[-1], kind=kind)
        needed = rule.checkpoint.format(kind=kind)
        return Checkpoint(name, note=f"{name}: {needed} of {own.id}")
    if not priced.converts:
        return Checkpoint(own.id, note=_own_note(own.id))
    found = _published(own.id, model.weight_dtype)
    if found:
        return Checkpoint(found, note=f"{found} has the weights in {model.weight_dtype}")
    if rule.online and priced.own_is_wide:
        return Checkpoint(own.id, rule.online, _own_note(own.id))
    place = f"{own.id.rsplit('/', 1)[-1]}-{kind}"
    return Checkpoint(
        place,
        note=f"{place} stands for {rule.checkpoint} of {own.id}, whose own weights are in "
        f"{own.weight_dtype}",
    )


def _own_note(name: str) -> str:
    """Of a model that was read from a file, whose name is no id of a hub."""
    return "" if "/" in name else f"{name} stands for your checkpoint: put its path or id"


def _rule(dtype: str, flags: EngineFlags) -> WeightRule | None:
    for rule in flags.weights:
        if any(fnmatchcase(dtype, pattern) for pattern in rule.formats):
            return rule
    return None


def _instead(dtype: str) -> str:
    """Which engine reads a format."""
    fits = [e for e in catalog.engines_with_flags() if _rule(dtype, catalog.engine_flags(e))]
    if fits:
        return f"Choose --flags {' or '.join(fits)}, or other weights."
    return "Choose other weights."


def _published(own: str, dtype: str) -> str:
    """A checkpoint of the same model in the catalogue whose weights have a format; or empty."""
    maker, _, short = own.rpartition("/")
    found = []
    for name in catalog.entry_ids("models"):
        by, _, called = name.rpartition("/")
        if called.startswith(f"{short}-") and _is_suffix(called[len(short) + 1 :]):
            found.append((by != maker, name))
    return next((n for _, n in sorted(found) if catalog.model(n).weight_dtype == dtype), "")


def _is_suffix(ending: str) -> bool:
    """Whether the end of a name says a format, and not another model."""
    return ending.casefold() in {
        "fp8", "awq", "gptq", "int4", "int8", "gptq-int4", "gptq-int8", "nvfp4", "fp4", "mxfp4",
    }  # fmt: skip
