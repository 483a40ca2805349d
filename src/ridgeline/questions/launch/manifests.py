"""Manifests of what deploys engines on Kubernetes."""

from __future__ import annotations

import math
import re
import shlex
from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import listed
from ridgeline.catalog import deployment, device_of, engine_flags
from ridgeline.errors import InfeasibleError
from ridgeline.questions.launch.checkpoints import check_chip, checkpoint
from ridgeline.questions.launch.commands import Launch, options_of
from ridgeline.questions.launch.fill import filled
from ridgeline.questions.launch.notes import engine_notes, pool_notes
from ridgeline.questions.launch.places import too_many_hosts
from ridgeline.questions.launch.quantities import quantities, refuses
from ridgeline.questions.launch.refused import LayoutError
from ridgeline.questions.launch.yaml_text import to_yaml
from ridgeline.specs.refusal import first_refusal
from ridgeline.steps import counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.launch.quantities import Priced
    from ridgeline.specs.engine_flags import Deployment, EngineFlags

__all__ = ["engine_of", "manifest"]

#: longest name of a Kubernetes object that leaves room for what is made of it
_LONGEST_NAME = 50
#: a volume for a checkpoint is this much larger than the weights
_ROOM = 1.2
_GIB = 2**30


def engine_of(tool: str, engine: str) -> str:
    """The engine that a deployment tool starts: the one priced where it runs it, else its first.

    Parameters
    ----------
    tool : str     Id of a deployment tool.
    engine : str   Id of the engine that was priced.
    """
    engines = deployment(tool).engines
    return engine if engine in engines else next(iter(engines))


def manifest(priced: Sequence[Priced], tool: str) -> Launch:
    """Write the manifest that deploys what was priced.

    Parameters
    ----------
    priced : sequence of Priced   One, or a pool that prefills and one that decodes.
    tool : str                    ``dynamo``, ``llm-d`` or ``kserve``.

    Returns
    -------
    Launch   With one file, no commands.

    Raises
    ------
    CatalogError      Nobody knows the tool.
    LayoutError       It, or its engine, cannot run the layout; says why.
    InfeasibleError   They cannot do what was priced, in whatever layout.
    """
    how = deployment(tool)
    engine = engine_of(tool, priced[0].replica.engine.id)
    known: dict[str, Any] = dict.fromkeys(("pool_decode", "pool_prefill", "pool_all"))
    notes = [
        f"{how.name} {how.versions}, with {engine_flags(engine).name} "
        f"{engine_flags(engine).versions}.",
        f"{how.apply.replace('FILE', f'{tool}.yaml')}.",
        *engine_notes(priced[0], engine_flags(engine)),
    ]
    why = too_many_hosts(priced)
    if why:
        raise LayoutError(why, "Choose another layout.")
    for one in priced:
        pool, its_notes = _pool(one, how, engine)
        known[f"pool_{one.pool or 'all'}"] = pool
        notes += its_notes
    known |= _common(priced[0], how, engine)
    known["pool_decode_or_all"] = known["pool_decode"] or known["pool_all"]
    known["pool_prefill_or_none"] = known["pool_prefill"] or {"create": False}
    text = to_yaml(filled(how.document, known))
    notes += how.notes
    return Launch(tool, (), ((f"{tool}.yaml", text),), "", tuple(dict.fromkeys(notes)))


def _common(priced: Priced, how: Deployment, engine: str) -> dict[str, Any]:
    """Quantities that both pools share."""
    device = device_of(priced.replica.cluster.chip)
    found = checkpoint(priced, engine_flags(engine))
    # What an engine converts while it loads is stored as it was.
    stored = priced.own if found.quantization else priced.replica.model
    size = counts(stored).weight_bytes * _ROOM / _GIB
    return how.engines[engine] | {
        "image": _image(priced, how, engine),
        "engine": engine,
        "name": _object_name(priced.own.id),
        "served_name": priced.own.id,
        "model_name": found.name,
        "volume": f"{math.ceil(size)}Gi",
        "resource": device.resource,
        "accelerator": device.accelerator,
        "is_pool": bool(priced.pool),
    }


def _pool(priced: Priced, how: Deployment, engine: str) -> tuple[dict[str, Any], list[str]]:
    """One pool of workers, and what is to be known about it."""
    flags = engine_flags(engine)
    check_chip(priced, engine)
    found = checkpoint(priced, flags)
    known = quantities(priced, flags) | _common(priced, how, engine)
    why = refuses(priced, engine) or first_refusal(how.refuses, known)
    if why:
        raise LayoutError(why, f"Choose another layout, or --flags {engine}.")
    several = priced.n_nodes > 1
    out = {*how.leave_out, *(how.leave_out_nodes if several else ())}
    options, _, used = options_of(priced, flags, found)
    words = [w for flag, value in options if flag not in out for w in (flag, value) if w]
    known |= _places(priced, how, known, words)
    written = [row for row in used if row.flag not in out]
    return filled(how.pool, known), pool_notes(priced, flags, found, written)


def _places(
    priced: Priced, how: Deployment, known: dict[str, Any], words: list[str]
) -> dict[str, Any]:
    """Quantities of one pool that the templates have places for."""
    several, mode = priced.n_nodes > 1, known.get("mode")
    served = ["--served-model-name", priced.own.id] if known["model_name"] != priced.own.id else []
    own_mode = [mode, priced.pool] if mode and priced.pool else []
    model = [known["model"], known["model_name"]] if "model" in known else []
    nixl = _address_env(engine_flags(known["engine"])) if priced.pool else []
    extra = {"name": how.arguments_env, "value": shlex.join(words)}
    env = [_token_env(), *nixl, extra]
    container = {
        "name": "main",
        "image": known["image"],
        "env": env,
        "resources": {"limits": {known["resource"]: str(priced.chips_per_node)}},
    }
    return {
        "role": priced.pool or None,
        "gpus": str(priced.chips_per_node),
        "nodes_if_several": priced.n_nodes if several else None,
        "arguments": [*model, *served, *own_mode, *words],
        "options": words,
        "nixl_env": nixl or None,
        "additional_env": env,
        "tp_if_nodes": known["tp"] if several else None,
        "dp_if_nodes": known["attn_dp"] if several else None,
        "ranks_if_nodes": known["ranks_per_node"] if several else None,
        "ep_if_nodes": known["spreads_experts"] if several else None,
        "worker_containers": [container] if several else None,
    }


def _address_env(flags: EngineFlags) -> list[dict[str, Any]]:
    """The address at which decode workers reach a prefill worker: its pod's own."""
    here = {"fieldRef": {"fieldPath": "status.podIP"}}
    own = [name for name, value in flags.env.items() if value == "NODE_ADDRESS"]
    return [{"name": name, "valueFrom": here} for name in own]


def _image(priced: Priced, how: Deployment, engine: str) -> str:
    """The image of an engine for the chips that were priced.

    Raises
    ------
    InfeasibleError   There is none, or Kubernetes has no resource for the chip.
    """
    chip, images = priced.replica.cluster.chip, how.engines[engine]["images"]
    device = device_of(chip)
    if device.accelerator in images and device.resource:
        return images[device.accelerator]
    raise InfeasibleError(
        f"{how.name} has no image of {engine_flags(engine).name} for {chip.name}, only for "
        f"{listed([*images])}. Choose --flags {engine}."
    )


def _token_env() -> dict[str, Any]:
    key = {"name": "hf-token", "key": "HF_TOKEN"}
    return {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": key}}


def _object_name(model: str) -> str:
    """A name that Kubernetes takes: the model's, in lower case."""
    short = re.sub(r"[^a-z0-9]+", "-", model.rsplit("/", 1)[-1].casefold())
    return short[:_LONGEST_NAME].strip("-")
