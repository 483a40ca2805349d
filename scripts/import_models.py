"""Write a catalogue entry for every ``config.json`` of a folder.

The folder holds files named ``<org>__<name>.json``, or folders ``<org>__<name>`` with a
``config.json`` and perhaps a ``hf_quant_config.json``; each becomes ``<org>__<name>.toml``.
Aliases of an entry that is written anew are kept::

    python scripts/import_models.py FOLDER --facts models.csv --origins README.md

`--facts` is a table of what authors publish (columns config_file, total_params_b, active_params_b,
kv_bytes_per_token_bf16, release, param_source); `--origins` a Markdown table whose rows say where
each file was found.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from ridgeline.errors import RidgelineError
from ridgeline.readers import read_config
from ridgeline.specs.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

__all__ = ["compact", "entry", "main", "name_of", "to_toml"]

_TARGET = Path(__file__).parents[1] / "src" / "ridgeline" / "catalog" / "models"
_BILLION = 1e9
#: words about how a copy was looked up, which say nothing about the model
_LOOKUP = re.compile(
    r"\s*\((?:stored|find_string)[^()]*\)|\s*as quoted in a stored[^()]*(?:\([^()]*\))?"
)
#: repositories whose quantisation is in a hf_quant_config.json that the copy lacks
_FP8_ELSEWHERE = (
    "nvidia/Llama-3.1-70B-Instruct-FP8",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8",
)
_MODELOPT_FP8 = {
    "quant_method": "modelopt",
    "quant_algo": "FP8",
    "kv_cache_quant_algo": "FP8",
    "exclude_modules": ["lm_head"],
}
_FP8_NOTE = (
    "The quantisation file of this repository (hf_quant_config.json) was not at hand: FP8 for all "
    "linear layers but the LM head, and for the cache, is assumed from its name."
)
#: checkpoints of 32 bits whose config states no dtype
_FP32_UNSTATED = ("openai-community/gpt2", "openai-community/gpt2-medium")
#: checkpoints whose files have another format than the one their config asks engines to load
_LOADED_OTHERWISE = {
    "bigcode/starcoder2-7b": "Weights are stored in 32 bits; the config states bf16, in which "
    "engines load them.",
}


def compact(record: BaseModel) -> dict[str, Any]:
    """Dump a record without the fields that are at their defaults.

    Parameters
    ----------
    record : Record
    """
    out: dict[str, Any] = {}
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        default = field.get_default(call_default_factory=True)
        if value is not None and (name == "kind" or value != default):
            out[name] = _plain(value)
    return out


def _plain(value: Any) -> Any:
    if hasattr(type(value), "model_fields"):
        return compact(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value


def to_toml(model: Model) -> str:
    """Write a model as TOML, its `order` on one line.

    Parameters
    ----------
    model : Model
    """
    data = compact(model)
    order = data.pop("order", None)
    text = tomli_w.dumps(data)
    if order is None:
        return text
    head, mark, rest = text.partition("\n[")
    return f"{head}order = {order}\n{mark}{rest}" if mark else f"{text}order = {order}\n"


def _published(row: Mapping[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, column, unit in (
        ("n_params", "total_params_b", _BILLION),
        ("n_params_active", "active_params_b", _BILLION),
        ("kv_bytes_per_token_bf16", "kv_bytes_per_token_bf16", 1.0),
    ):
        if row.get(column):
            out[name] = round(float(row[column]) * unit)
    out["released"] = row.get("release", "")
    out["source"] = _LOOKUP.sub("", row.get("param_source", "")).strip()
    return out


def entry(path: Path, facts: Mapping[str, str] | None, origin: tuple[str, str] | None) -> Model:
    """Read one file and add what is known about it.

    Parameters
    ----------
    path : Path
    facts : mapping or None        Its row of the table of published figures.
    origin : tuple or None         What kind of copy it is, and where it was found.
    """
    name = name_of(path).replace("__", "/")
    assumed = name in _FP8_ELSEWHERE and path.is_file()
    more: dict[str, Any] = {"quantization_config": _MODELOPT_FP8} if assumed else {}
    if name in _FP32_UNSTATED:
        more = {"torch_dtype": "float32"}
    if more:
        model = read_config({**json.loads(path.read_text(encoding="utf-8")), **more}, id=name)
    else:
        model = read_config(path, id=name)
    update: dict[str, Any] = {"name": name.rpartition("/")[2]}
    note = _FP8_NOTE if assumed else _LOADED_OTHERWISE.get(name, "")
    if note:
        update["notes"] = " ".join(filter(None, (model.notes, note)))
    data = {**model.model_dump(), **update}
    if facts:
        data["published"] = _published(facts)
    if origin:
        kind, source = (_LOOKUP.sub("", text).strip() for text in origin)
        data["sources"] = {"blocks": {"source": source, "note": kind}}
    return Model.parse(data, where=path.name)


def name_of(path: Path) -> str:
    """Name an entry's file, without its ending.

    Parameters
    ----------
    path : Path   A file, or a folder with a ``config.json``.
    """
    return path.name.removesuffix(".json")


def _aliases(target: Path) -> tuple[str, ...]:
    if not target.exists():
        return ()
    return tuple(tomllib.loads(target.read_text(encoding="utf-8")).get("aliases", ()))


def _facts(path: Path | None) -> dict[str, dict[str, str]]:
    if path is None:
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["config_file"]: row for row in csv.DictReader(file)}


def _origins(path: Path | None) -> dict[str, tuple[str, str]]:
    if path is None:
        return {}
    rows = (line.split("|") for line in path.read_text(encoding="utf-8").splitlines())
    return {r[1].strip(): (r[2].strip(), r[3].strip()) for r in rows if len(r) >= 5}


def main(arguments: list[str] | None = None) -> int:
    """Import a folder; return the number of files that could not be read.

    Parameters
    ----------
    arguments : list of str or None   Of the command line; None takes the program's own.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--facts", type=Path, help="CSV of published figures")
    parser.add_argument("--origins", type=Path, help="Markdown table of where files were found")
    parser.add_argument("--to", type=Path, default=_TARGET, help="where entries are written")
    options = parser.parse_args(arguments)
    facts, origins = _facts(options.facts), _origins(options.origins)
    options.to.mkdir(parents=True, exist_ok=True)
    failed = 0
    for path in sorted(options.folder.glob("*__*")):
        try:
            model = entry(path, facts.get(path.name), origins.get(path.name))
        except RidgelineError as error:
            failed += 1
            sys.stderr.write(f"{error}\n")
            continue
        target = options.to / f"{name_of(path)}.toml"
        model = model.model_copy(update={"aliases": _aliases(target)})
        target.write_text(to_toml(model), encoding="utf-8")
    sys.stdout.write(f"{len(list(options.to.glob('*.toml')))} entries, {failed} files refused\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
