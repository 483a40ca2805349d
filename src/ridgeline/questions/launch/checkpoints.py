"""Which checkpoint holds the weights that were priced, or how an engine makes them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from ridgeline import catalog
from ridgeline.answers.words import listed
from ridgeline.catalog import dtypes
from ridgeline.errors import InfeasibleError
from ridgeline.questions.launch.quantities import runs_on_chip

if TYPE_CHECKING:
    from ridgeline.questions.launch.quantities import Priced
    from ridgeline.specs.engine_flags import EngineFlags, WeightRule

__all__ = ["Checkpoint", "check_chip", "checkpoint"]

#: formats of a pattern that are all named
_ALL_NAMED = 3
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
        known = ", ".join(_in_words(pattern) for r in flags.weights for pattern in r.formats)
        raise InfeasibleError(
            f"{flags.name} reads no weights in {model.weight_dtype}: it reads {known} (--weights). "
            f"{_engines_instead(priced, ', or other weights')}"
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
    """What to put for a model that was read from a file, whose name is no id of a hub."""
    return "" if "/" in name else f"{name} stands for your checkpoint: put its path or id"


def _rule(dtype: str, flags: EngineFlags) -> WeightRule | None:
    for rule in flags.weights:
        if any(fnmatchcase(dtype, pattern) for pattern in rule.formats):
            return rule
    return None


def _engines_instead(priced: Priced, also: str = "") -> str:
    """Which engines run on the chip that was priced and read its weights, as advice."""
    dtype, chip = priced.replica.model.weight_dtype, priced.replica.cluster.chip
    every = {e: catalog.engine_flags(e) for e in catalog.engines_with_flags()}
    here = {e: flags for e, flags in every.items() if chip.vendor in flags.vendors}
    fits = [e for e, flags in here.items() if _rule(dtype, flags)]
    if fits:
        return f"Choose --flags {' or '.join(fits)}{also}."
    if here:
        verb = "runs" if len(here) == 1 else "run"
        return (
            f"No engine with flags reads {dtype} on {chip.name}, where {listed([*here])} {verb}: "
            "choose other weights."
        )
    return f"No engine with flags ({listed([*every])}) runs on {chip.name}."


def check_chip(priced: Priced, engine: str) -> None:
    """Refuse an engine that does not run on the chips that were priced, in whatever layout.

    Parameters
    ----------
    priced : Priced
    engine : str   Id of an engine with flags.

    Raises
    ------
    InfeasibleError   Names engines that do.
    """
    flags = catalog.engine_flags(engine)
    if not runs_on_chip(priced, engine):
        chip = priced.replica.cluster.chip.name
        raise InfeasibleError(
            f"{flags.name} does not run on {chip} (it runs on chips of {listed(flags.vendors)}). "
            f"{_engines_instead(priced)}"
        )


def _in_words(pattern: str) -> str:
    """Formats of a pattern, of many the first."""
    fits = [name for name in dtypes() if fnmatchcase(name, pattern)]
    if len(fits) > _ALL_NAMED:
        return f"{fits[0]} and {len(fits) - 1} like it"
    return ", ".join(fits)


def _published(own: str, dtype: str) -> str:
    """A checkpoint of the same model in the catalogue whose weights have a format; or empty."""
    maker = own.rpartition("/")[0]
    found = sorted((name.rpartition("/")[0] != maker, name) for name in catalog.copies(own))
    return next((n for _, n in found if catalog.model(n).weight_dtype == dtype), "")
