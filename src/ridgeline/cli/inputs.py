"""Turn what people type into numbers, lists and records."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ridgeline import catalog
from ridgeline.cli.declare import read_text
from ridgeline.cli.working import tell
from ridgeline.errors import SpecError, did_you_mean
from ridgeline.files import exists
from ridgeline.specs.fields import Rule
from ridgeline.specs.model import Model
from ridgeline.specs.ranges import KV_BYTES_PER_TOKEN, PARAMS, WEIGHT_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.catalog import MachineNamed
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster

__all__ = [
    "chips_of",
    "load_changes",
    "machines_from",
    "model_from",
    "on_from",
    "read_option",
    "settings",
]


@overload
def read_option(text: str, name: str, rule: Rule) -> Any: ...
@overload
def read_option(text: str | None, name: str, rule: Rule) -> Any | None: ...
def read_option(text: str | None, name: str, rule: Rule) -> Any | None:
    """Read the value of an option by the rule of its range.

    Parameters
    ----------
    text : str or None   None, for an option that is not given, passes through.
    name : str           Of the option, without dashes.
    rule : Rule          Such as those of `specs.ranges`; it says the unit of a bare number.

    Raises
    ------
    SpecError   Not what the rule takes.
    """
    if text is None:
        return None
    try:
        return read_text(text, rule)
    except SpecError as error:
        raise SpecError(f"--{name}: {error}") from None


_SUBJECTS = ("model", "chip", "cluster", "price", "load")


def settings(
    pairs: tuple[str, ...], subjects: tuple[str, ...] = _SUBJECTS
) -> dict[str, dict[str, str]]:
    """Sort ``cluster.chip.memory.bandwidth=10 TB/s`` by the record it changes.

    Parameters
    ----------
    pairs : tuple of str
    subjects : tuple of str   Records that there are.

    Returns
    -------
    dict   Record name to its changes, for `Record.replaced`.

    Raises
    ------
    SpecError   No ``=``, or a first word that names no record.
    """
    sorted_by: dict[str, dict[str, str]] = {name: {} for name in subjects}
    for pair in pairs:
        path, equals, value = pair.partition("=")
        subject, _, rest = path.strip().partition(".")
        if not equals or not rest:
            raise SpecError(
                f"--set {pair!r}: RECORD.FIELD=VALUE is expected, such as "
                '--set chip.memory.bandwidth="10 TB/s".'
            )
        if subject not in sorted_by:
            raise SpecError(
                f"--set {pair!r}: {subject!r} is no record.{did_you_mean(subject, subjects)} "
                f"There are {', '.join(subjects)}."
            )
        if subject == "chip":  # the chip of the machine named, whichever that is
            subject, rest = "cluster", f"chip.{rest}"
        sorted_by[subject][rest] = value.strip()
    return sorted_by


_COUNT_NAMES = {
    "active": ("n_params_active", PARAMS),
    "total": ("n_params", PARAMS),
    "kv": ("kv_bytes_per_token", KV_BYTES_PER_TOKEN),
    "bits": ("weight_bits", WEIGHT_BITS),
}


def model_from(
    name: str | None,
    from_counts: str | None,
    assume_harmless: tuple[str, ...],
    changes: Mapping[str, str],
    *,
    fetch: bool = False,
) -> Model:
    """Find or build the model asked for, and apply the user's changes.

    Raises
    ------
    RidgelineError   No model, two models, or one that cannot be read.
    """
    if (not name) == (from_counts is None):
        raise SpecError(
            "Name one model: a HuggingFace id, the path of a config.json, or "
            "--from-counts active=37B,total=671B,kv=70272,bits=8."
        )
    if from_counts is not None:
        model = _by_counts(from_counts)
    elif fetch and name and not exists(name):
        from ridgeline.readers import read_hub  # noqa: PLC0415  (slow to import)

        tell(f"fetching {name}")
        model = read_hub(name, assume_harmless=assume_harmless)
    elif assume_harmless and not exists(name or ""):
        raise SpecError("--assume-harmless is about the fields of a config.json: name one.")
    elif assume_harmless and name:
        from ridgeline.readers import read_checkpoint  # noqa: PLC0415  (slow to import)

        model = read_checkpoint(Path(name), assume_harmless=assume_harmless)
    else:
        model = catalog.model(name or "")
    return model.replaced({**changes}, "--set model") if changes else model


def _by_counts(text: str) -> Model:
    given: dict[str, Any] = {}
    # Commas within a number separate thousands: active=8,030,261,248.
    for part in re.split(r",(?=\s*[^\d\s])", text):
        key, equals, value = part.partition("=")
        if not equals or key.strip() not in _COUNT_NAMES:
            raise SpecError(
                f"--from-counts {part!r}: active=, total=, kv= or bits= is expected, "
                "such as active=37B,total=671B,kv=70272,bits=8."
            )
        name, rule = _COUNT_NAMES[key.strip()]
        if name in given:
            raise SpecError(f"--from-counts: {key.strip()}= is given twice; leave one out.")
        try:
            given[name] = rule.read(value)
        except SpecError as error:
            raise SpecError(f"--from-counts {key.strip()}: {error}") from None
    if "n_params_active" not in given:
        raise SpecError("--from-counts: active= is needed, the parameters that multiply a token.")
    return Model.from_counts(**given)


def on_from(name: str, chip: str | None, changes: Mapping[str, str]) -> MachineNamed:
    """Find the machine named, put another chip in it, and apply the user's changes."""
    named = catalog.machine_named(name)
    found = named.cluster
    if chip is not None:
        found = _with_chip(found, catalog.chip(chip))
    if changes:
        found = found.replaced({**changes}, "--set cluster")
    return replace(named, cluster=found)


def _with_chip(cluster: Cluster, chip: Chip) -> Cluster:
    """A machine with another chip, which its name says and its price is of."""
    if chip.id == cluster.chip.id:
        return cluster.model_copy(update={"chip": chip})
    changes = {
        "chip": chip,
        "name": f"{cluster.name} with {chip.name}",
        "prices": catalog.node_of(chip).prices,
    }
    return cluster.model_copy(update=changes)


def machines_from(
    on: str | None, chip: str | None, changes: Mapping[str, str]
) -> list[MachineNamed]:
    """The machines named with ``--on``, several separated by commas; or a chip by itself.

    Raises
    ------
    SpecError   None is named.
    """
    names = [n.strip() for n in (on or chip or "").split(",") if n.strip()]
    if not names:
        raise SpecError(
            "Name a machine with --on, such as --on gb200-nvl72 or --on h100-sxm,mi300x."
        )
    return [on_from(name, chip if on else None, changes) for name in names]


def chips_of(given: str | None, named: MachineNamed, has_layout: bool = False) -> Any:
    """The number of chips for a machine: as given, as named, else to be chosen for a chip alone."""
    if given is not None:
        return given
    if named.n_chips is not None or has_layout:
        return named.n_chips
    return "best" if named.is_chip else None


def load_changes(changes: Mapping[str, dict[str, str]]) -> dict[str, str]:
    """Options that ``--set load.batch=…`` and ``--set price.usd_per_chip_hour=…`` stand for.

    Raises
    ------
    SpecError   A field that is none of them.
    """
    found = {}
    for name, value in changes["load"].items():
        if name not in ("context", "batch", "isl", "osl"):
            raise SpecError(
                f"--set load.{name}: there are load.context, load.batch, load.isl, load.osl."
            )
        found[name] = value
    for name, value in changes["price"].items():
        if name != "usd_per_chip_hour":
            raise SpecError(f"--set price.{name}: there is price.usd_per_chip_hour.")
        found["price"] = value
    return found
