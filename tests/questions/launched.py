"""What tools say that their options are, and reading commands back as the tools would."""

from __future__ import annotations

import json
import shlex
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import ridgeline as rl
from ridgeline.catalog import cluster, engine, stored_as
from ridgeline.questions.launch import Command, Priced
from ridgeline.replica import Replica
from ridgeline.service.requests import Requests
from ridgeline.specs import Layout
from ridgeline.steps.machine import joined

LISTS = Path(__file__).parents[1] / "oracles" / "engine_options"


@cache
def option_list(tool: str) -> dict[str, Any]:
    """Options of a tool, as its own source lists them."""
    return json.loads((LISTS / f"{tool}.json").read_text())


def priced(
    model: str = "deepseek-ai/DeepSeek-V3",
    on: str = "hgx-h100",
    layout: Layout | None = None,
    *,
    weights: str | None = None,
    kv: str | None = None,
    batch: float = 64,
    isl: float = 4096,
    osl: float = 1024,
    drafts: int = 0,
    settings: Any = None,
    **more: Any,
) -> Priced:
    """What was priced, without a search."""
    own = rl.model(model)
    record = own if weights is None else stored_as(own, weights)
    record = record if kv is None else record.with_kv_dtype(kv)
    layout = layout or Layout(tp=8)
    machine = joined(cluster(on), layout.pp * layout.attn_dp * layout.tp)
    requests = Requests(isl, osl, drafts=drafts, acceptance=0.8 if drafts else 0.0)
    replica = Replica(record, machine, layout, engine=settings or engine())
    usual = {"n_replicas": layout.replicas, "longest_tokens": int(isl + osl), "kept_tokens": isl}
    return Priced(replica, own, requests, batch, **(usual | more))


def parsed(command: Command, tool: str) -> dict[str, Any]:
    """Options of a command, of the kinds that the tool's list says; fails on any other."""
    words = shlex.split(str(command).replace("\\\n", " "))
    while "=" in words[0]:
        words.pop(0)
    if words[0] == "srun":
        words = words[words.index("trtllm-llmapi-launch") + 1 :]
    known = option_list(tool)["options"]
    found: dict[str, Any] = {}
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.startswith("-"):
            continue
        assert word in known, f"{tool} has no option {word}"
        about = known[word]
        if about["kind"] == "flag":
            found[word] = True
            continue
        found[word] = check(about, words[at], word)
        at += 1
    return found


def check(about: dict[str, Any], text: Any, where: str) -> Any:
    """A value of the kind and among the choices that a list says."""
    kind, choices = about["kind"], about.get("choices")
    if kind == "json":
        value = json.loads(text)
        assert set(value) <= set(about["keys"]), where
        for name, item in value.items():
            allowed = about["keys"][name]
            assert allowed is None or item in allowed, f"{where} {name}: {item}"
        return value
    value = {"int": int, "float": float}.get(kind, str)(text)
    assert choices is None or value in choices, f"{where}: {value} is not among {choices}"
    return value


def check_fields(document: Any, fields: dict[str, Any], path: str = "") -> int:
    """Every leaf of a document is a field that a list has; how many there are."""
    if isinstance(document, dict) and document:
        return sum(
            check_fields(v, fields, f"{path}.{k}" if path else str(k)) for k, v in document.items()
        )
    # Keys such as nvidia.com/gpu have dots of their own: a pattern takes them whole.
    about = fields.get(path) or next(
        (v for p, v in fields.items() if "*" in p and fnmatchcase(path, p)), None
    )
    if isinstance(document, list) and (about is None or about["kind"] != "list"):
        return sum(check_fields(item, fields, path) for item in document)
    assert about is not None, f"there is no field {path}"
    kinds = {"text": str, "int": int, "flag": bool, "list": list, "quantity": str, "table": dict}
    kinds |= {"float": float}
    assert isinstance(document, kinds[about["kind"]]), f"{path}: {document!r} is no {about['kind']}"
    assert "choices" not in about or document in about["choices"], f"{path}: {document}"
    return 1
