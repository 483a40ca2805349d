"""``ridgeline models``: search models, show one with its counts, compare several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline import catalog
from ridgeline.cli.declare import OUTPUT, AssumeHarmless, Csv, Fetch, Json, Wide, model_names
from ridgeline.cli.output import (
    as_table,
    print_as_is,
    print_csv,
    print_json,
    print_table,
    print_text,
)
from ridgeline.errors import CatalogError, SpecError
from ridgeline.files import exists
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.model import Model

__all__ = ["models"]


def models(
    *names: Annotated[
        str,
        Parameter(
            completer=model_names,
            help="HuggingFace ids, paths of config.json or model TOML, or words to search for.",
        ),
    ],
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    toml: Annotated[
        bool,
        Parameter(
            group=OUTPUT,
            help="Print the record as TOML: to describe a model by hand, change such a file.",
        ),
    ] = False,
    formats: Annotated[
        bool, Parameter(group=OUTPUT, help="List number formats and their bits per weight.")
    ] = False,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Search the models of the catalogue, or read any config.json.

    Without a name all are listed. One exact id, config.json or model TOML is shown with its
    counts; several stand side by side; anything else is searched for.
    """
    if sum((toml, json, csv)) > 1:
        raise SpecError("Choose one of --toml, --json and --csv.")
    if formats:
        _show_formats(json=json, csv=csv)
        return
    # Records come after the arguments were read: what reads them checks them once more where it
    # finds pydantic loaded.
    from ridgeline.questions.models import model_row  # noqa: PLC0415
    from ridgeline.questions.models import models as models_named  # noqa: PLC0415

    found = [m for name in names if (m := _exact(name, assume_harmless, fetch=fetch)) is not None]
    exact = bool(names) and len(found) == len(names)
    if toml:
        if len(found) != 1 or not exact:
            raise SpecError("--toml prints one model: name it exactly.")
        print_as_is(catalog.to_toml(found[0]))
        return
    table = None if exact else models_named(*names)
    rows = [model_row(m) for m in found] if table is None else list(table)
    if json:
        print_json(rows)
    elif csv:
        print_csv(rows)
    elif table is not None:
        print_table(table, wide=wide)
        print_text("Active: what multiplies for a token, with LM head, without embedding table.")
    elif len(found) == 1:
        _show_one(found[0], model_row(found[0]), wide=wide)
    else:
        _side_by_side([model_row(m) for m in found], wide=wide)


def _show_formats(*, json: bool, csv: bool) -> None:
    rows = [
        {"id": d.id, "bits": d.bits, "compute": ", ".join(d.compute), "aliases": list(d.aliases)}
        for d in catalog.dtypes().values()
    ]
    if json:
        print_json(rows)
    elif csv:
        print_csv([{**row, "aliases": " ".join(row["aliases"])} for row in rows])
    else:
        shown = {
            "id": ("format", str),
            "bits": ("bits per weight, with scales", "{:.4g}".format),
            "compute": ("multiplied as", str),
            "aliases": ("also called", ", ".join),
        }
        as_table(rows, shown, title=f"{len(rows)} number formats")
        print_text("Forms such as int4-g128, int8-channel, exl2_4.25bpw and 6.5bit are read, too.")


def _exact(name: str, assume_harmless: tuple[str, ...], *, fetch: bool) -> Model | None:
    if fetch or name.endswith((".json", ".toml", ".gguf")) or exists(name):
        from ridgeline.cli.inputs import model_from  # noqa: PLC0415  (not for names)

        return model_from(name, None, assume_harmless, {}, fetch=fetch)
    try:
        return catalog.model(name)
    except CatalogError:
        return None


def _params(value: Any) -> str:
    return format_quantity(float(value), "").strip().replace("G", "B")


def _bytes(value: Any) -> str:
    return format_quantity(float(value), "B") if value else "-"


_FIELDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "family": ("family", str),
    "n_layers": ("layers", lambda v: f"{v:,}"),
    "d_model": ("d_model", lambda v: f"{v:,}"),
    "vocab_size": ("vocabulary", lambda v: f"{v:,}"),
    "max_context": ("longest context", lambda v: f"{v:,}"),
    "n_params": ("parameters", lambda v: f"{v:,.0f}"),
    "n_params_active": ("  active (with LM head, without embedding)", lambda v: f"{v:,.0f}"),
    "n_params_active_with_embedding": ("  active, with embedding too", lambda v: f"{v:,.0f}"),
    "n_params_active_without_head": ("  active, layers alone", lambda v: f"{v:,.0f}"),
    "n_params_mtp": ("  MTP layers, not included", lambda v: f"{v:,.0f}"),
    "sparsity": ("sparsity, total / active", lambda v: f"{v:.3g}"),
    "weight_dtype": ("stored as", str),
    "weight_bytes": ("weights", _bytes),
    "kv_dtype": ("KV cache as", str),
    "kv_bytes_per_token": ("KV per token, every layer keeping all", lambda v: f"{v:,.0f} B"),
    "index_bytes_per_token": ("index keys per token", lambda v: f"{v:,.0f} B"),
    "state_bytes": ("state per sequence", _bytes),
    "cache_bytes_8k": ("cache of 8,192 tokens", _bytes),
    "cache_bytes_128k": ("cache of 131,072 tokens", _bytes),
    "cache_read_bytes_128k": ("  read by a step at 131,072", _bytes),
    "flops_per_token": ("FLOPs per token, context 0", lambda v: format_quantity(v, "FLOP")),
    "flops_per_token_128k": ("  at context 131,072", lambda v: format_quantity(v, "FLOP")),
    "published_n_params": ("published parameters", _params),
    "published_n_params_active": ("published active", _params),
    "published_source": ("  source", str),
    "notes": ("notes", str),
}


def _show_one(model: Model, row: dict[str, Any], *, wide: bool) -> None:
    from ridgeline.questions.models import block_rows  # noqa: PLC0415  (not for lists)

    lines = [
        {"field": heading, "value": write(row[key])}
        for key, (heading, write) in _FIELDS.items()
        if row.get(key) not in (None, "", 0)
    ]
    as_table(lines, {"field": (model.id, str), "value": ("", str)}, wide=wide)
    blocks = block_rows(model)
    if blocks:
        shown = {
            "layers": ("layers", str),
            "mixer": ("mixer", str),
            "ffn": ("feed-forward", str),
            "params": ("parameters each", _params),
            "share": ("of all", lambda v: f"{v:.1%}"),
        }
        as_table(blocks, shown, wide=wide)


def _side_by_side(rows: list[dict[str, Any]], *, wide: bool) -> None:
    lines = [
        {"field": heading, **{r["id"]: write(r[key]) if r.get(key) else "" for r in rows}}
        for key, (heading, write) in _FIELDS.items()
        if any(r.get(key) for r in rows)
    ]
    as_table(lines, {"field": ("", str)} | {r["id"]: (r["id"], str) for r in rows}, wide=wide)
