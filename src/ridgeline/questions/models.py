"""What models there are, and what a model is made of: its counts as rows for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.answers.table import Table
from ridgeline.answers.words import counted

if TYPE_CHECKING:
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.model import Model

__all__ = ["block_rows", "model_row", "models"]

_CONTEXTS = {"8k": 8192, "128k": 131_072}
_COLUMNS = {
    "id": ("model", ""),
    "family": ("family", ""),
    "n_params": ("params", "params"),
    "n_params_active": ("active", "params"),
    "weight_bytes": ("weights", "B"),
    "weight_dtype": ("stored as", ""),
    "kv_bytes_per_token": ("KV/token", "B"),
    "state_bytes": ("state", "B"),
    "max_context": ("context", "tokens"),
}
#: the most important first
_FIRST = ("n_params", "n_params_active", "weight_bytes", "kv_bytes_per_token", "max_context")


def models(*words: str) -> Table:
    """Search the models of the catalogue.

    Parameters
    ----------
    *words : str   What a person remembers of the names; all models for no words.

    Returns
    -------
    Table   A row per model, best match first: see `model_row`. `rl.model` takes its ``id``.

    Raises
    ------
    CatalogError   No model has any of the words; says what is near.

    Examples
    --------
    >>> import ridgeline as rl
    >>> rl.models("llama 3.3")[0]["id"]
    'meta-llama/Llama-3.3-70B-Instruct'
    """
    ids = catalog.find("models", words) or [catalog.model(" ".join(words)).id]
    rows = catalog.rows_of("models", ids, lambda i: model_row(catalog.model(i)))
    return Table("models", counted(len(rows), "model"), _COLUMNS, rows, first=_FIRST)


def model_row(model: Model) -> dict[str, Any]:
    """Everything countable about a model, flat.

    Parameters
    ----------
    model : Model

    Returns
    -------
    dict   Names carry units; published figures under ``published_…``.
    """
    from ridgeline.laws.roofline import sparsity  # noqa: PLC0415  (rows of lists are kept)
    from ridgeline.steps import counts  # noqa: PLC0415

    c = counts(model)
    plain = (
        "n_params", "n_params_active", "n_params_active_with_embedding",
        "n_params_active_without_head", "n_params_mtp", "weight_bytes", "kv_bytes_per_token",
        "index_bytes_per_token", "state_bytes",
    )  # fmt: skip
    row: dict[str, Any] = {
        "id": model.id,
        "family": model.family,
        "n_layers": sum(b.repeat for b in model.blocks) or None,
        "d_model": model.d_model,
        "vocab_size": model.vocab_size,
        "max_context": model.max_context,
        "weight_dtype": model.weight_dtype,
        "kv_dtype": model.kv_dtype,
        "notes": model.notes,
    }
    row |= {name: float(getattr(c, name)) for name in plain}
    row["sparsity"] = sparsity(c.n_params, c.n_params_active)
    row["flops_per_token"] = float(c.flops_per_token(0))
    row["flops_per_token_128k"] = float(c.flops_per_token(_CONTEXTS["128k"]))
    row["cache_read_bytes_128k"] = float(c.cache_read_bytes(_CONTEXTS["128k"]))
    row |= {f"cache_bytes_{k}": float(c.cache_bytes(v)) for k, v in _CONTEXTS.items()}
    published = model.published
    row["published_n_params"] = published.n_params if published else None
    row["published_n_params_active"] = published.n_params_active if published else None
    row["published_source"] = published.source if published else ""
    return row


def block_rows(model: Model) -> list[dict[str, Any]]:
    """One row a kind of layer: what it is, how often, how heavy."""
    from ridgeline.laws.shapes import product_params  # noqa: PLC0415  (lists have none)
    from ridgeline.layers import block_layers  # noqa: PLC0415
    from ridgeline.steps import counts  # noqa: PLC0415

    total = counts(model).n_params if model.blocks else 0
    rows = []
    for block in model.blocks:
        layers = block_layers(block, model.d_model)
        each = sum(
            layer.n_vector_params + sum(product_params(p) for p in layer.products)
            for layer in layers
        )
        rows.append(
            {
                "layers": block.repeat,
                "mixer": _words(block, "mixer"),
                "ffn": _words(block, "ffn"),
                "params": each,
                "share": block.repeat * each / total,
            }
        )
    return rows


def _words(block: Block, part: str) -> str:
    """A part's kind and the fields that are set, in one line."""
    record = getattr(block, part)
    if record is None:
        return "-"
    defaults = {n: f.default for n, f in type(record).model_fields.items()}
    fields = {
        n: v
        for n, v in record.model_dump(exclude={"kind"}, exclude_none=True).items()
        if v != defaults[n] and not isinstance(v, dict) and n != "n_params_other"
    }
    extra = " + indexer" if getattr(record, "indexer", None) else ""
    return f"{record.kind}{extra}: " + ", ".join(f"{n} {v}" for n, v in fields.items())
