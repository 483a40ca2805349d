"""Models and chips that are in no catalogue, from CSV files beside a table or named by the user."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ridgeline import catalog
from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.files import named, read_text
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["HEADS_ASSUMED", "SideFile", "beside", "chips_file", "models_file"]

R = TypeVar("R", Model, Chip)
Cells = dict[str, str]

_MODELS_BESIDE = "architectures*.csv"
_CHIPS_BESIDE = "chips_missing*.csv"
#: what the notes of a model say whose file leaves its heads blank
HEADS_ASSUMED = "The number of heads is not stated: heads of 128 are taken."
_USUAL_HEAD = 128
#: what joins chips of which nothing more is stated
_PCIE_GBPS = 32.0
#: columns that are looked at for a near name
_MOST_NAMES = 500


class SideFile(Generic[R]):
    """Records by name, each built when it is asked for.

    Attributes
    ----------
    path : Path
    first : bool   Whether it comes before the catalogue: the user named it.
    """

    def __init__(
        self, path: Path, rows: Mapping[str, Cells], build: Callable[[Cells, str], R], first: bool
    ) -> None:
        self.path = path
        self.first = first
        self._rows = rows
        self._build = build

    def get(self, name: str) -> R | None:
        """The record of that name, or None.

        Raises
        ------
        RidgelineError   Its row does not hold.
        """
        cells = self._rows.get(_folded(name))
        return None if cells is None else self._build(cells, f"{self.path.name}: {name}")

    def machine(self, name: str, chip: Chip) -> Cluster:
        """The machine a chip of this file stands in."""
        return _machine(self._rows[_folded(name)], chip, f"{self.path.name}: {name}")


def models_file(path: Path, *, first: bool = True) -> SideFile[Model]:
    """Read shapes of models: a CSV file with a row each, or one TOML record or config.json.

    Raises
    ------
    RidgelineError   It cannot be read, or has not the columns.
    """
    if path.suffix.casefold() != ".csv":
        model = catalog.model(str(path))
        names = {_folded(model.id): {}, _folded(path.stem.replace("__", "/")): {}}
        return SideFile(path, names, lambda _cells, _where: model, first)
    needed = ("id", "n_layers", "d_model", "n_heads", "d_ff", "vocab")
    rows, have = _table(path)
    return SideFile(path, _by_name(path, rows, have, needed, "id"), _model, first)


def chips_file(path: Path, *, first: bool = True) -> SideFile[Chip]:
    """Read chips: a CSV file with a row each, or one TOML record.

    Raises
    ------
    RidgelineError   It cannot be read, or has not the columns.
    """
    if path.suffix.casefold() != ".csv":
        chip = catalog.chip(str(path))
        names = {_folded(n): {} for n in (chip.id, *chip.aliases)}
        return SideFile(path, names, lambda _cells, _where: chip, first)
    rows, have = _table(path)
    name = "slug" if "slug" in have else "chip"
    by_name = _by_name(path, rows, have, (name, "mem_bw_gbps", "bf16_tflops"), name)
    return SideFile(path, by_name, _chip, first)


def beside(table: Path) -> tuple[tuple[SideFile[Model], ...], tuple[SideFile[Chip], ...]]:
    """Files of models and chips in the folder of a table.

    Returns
    -------
    (tuple of SideFile, tuple of SideFile)   Models, chips.
    """
    folder = table.parent
    models = tuple(models_file(p, first=False) for p in sorted(folder.glob(_MODELS_BESIDE)))
    chips = tuple(chips_file(p, first=False) for p in sorted(folder.glob(_CHIPS_BESIDE)))
    return models, chips


def _folded(name: str) -> str:
    return name.strip().casefold()


def _table(path: Path) -> tuple[list[Cells], list[str]]:
    """Rows and column names of a CSV file, read once."""
    text = read_text(path, "a CSV file")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = [{k: v or "" for k, v in row.items() if k} for row in reader]
    except csv.Error as error:
        raise RidgelineError(f"{named(path)} cannot be read as CSV: {error}.") from None
    return rows, list(reader.fieldnames or [])


def _by_name(
    path: Path, rows: list[Cells], have: list[str], needed: tuple[str, ...], name: str
) -> dict[str, Cells]:
    for column in needed:
        if column not in have:
            hint = did_you_mean(column, have[:_MOST_NAMES])
            raise RidgelineError(
                f"{named(path)} has no column {column!r}.{hint} {', '.join(needed)} are needed."
            )
    found: dict[str, Cells] = {}
    for row in rows:
        found.setdefault(_folded(row[name]), row)
    return found


def _number(cells: Cells, column: str, where: str, default: float | None = None) -> float:
    text = cells.get(column, "").strip()
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e15:
        raise RidgelineError(f"{where}: {column} is {text!r}; a number is expected.")
    return value


def _whole(cells: Cells, column: str, where: str, default: int | None = None) -> int:
    value = _number(cells, column, where, default)
    if value != int(value):
        raise RidgelineError(f"{where}: {column} is {value:g}; a whole number is expected.")
    return int(value)


def _yes(cells: Cells, column: str, where: str) -> bool:
    text = cells.get(column, "").strip().casefold()
    if text in ("true", "1", "yes"):
        return True
    if text in ("false", "0", "no", ""):
        return False
    raise RidgelineError(f"{where}: {column} is {text!r}; true or false is expected.")


def _model(cells: Cells, where: str) -> Model:
    n_layers = _whole(cells, "n_layers", where)
    n_dense = _whole(cells, "n_dense_layers", where, 0)
    experts = _experts(cells, where)
    dense = {
        "kind": "dense",
        "d_ff": _whole(cells, "d_ff", where, 1),
        "gated": _yes(cells, "ffn_gated", where),
    }
    kinds: list[tuple[int, dict[str, Any]]] = [(n_layers, dense)]
    if experts:
        kinds = [(n_dense, dense), (n_layers - n_dense, experts)]
    blocks = [
        {"repeat": repeat, "mixer": mixer, "ffn": ffn}
        for layers, ffn in kinds
        if layers > 0
        for repeat, mixer in _mixers(cells, layers, where)
    ]
    fields = {
        "id": cells["id"],
        "d_model": _whole(cells, "d_model", where),
        "vocab_size": _whole(cells, "vocab", where),
        "tied": _yes(cells, "tied_embeddings", where),
        "blocks": blocks,
        "notes": cells.get("notes", "") if cells.get("n_heads") else HEADS_ASSUMED,
    }
    return Model.parse(fields, where)


def _experts(cells: Cells, where: str) -> dict[str, Any] | None:
    n_experts = _whole(cells, "n_experts", where, 0)
    if n_experts <= 1:
        return None
    d_ff = _whole(cells, "d_ff_expert", where, 0) or _whole(cells, "d_ff", where)
    return {
        "kind": "moe",
        "n_experts": n_experts,
        "n_experts_active": _whole(cells, "n_experts_active", where),
        "d_ff": d_ff,
        "gated": _yes(cells, "ffn_gated", where),
        "d_ff_shared": d_ff * _whole(cells, "n_shared_experts", where, 0),
    }


def _mixers(cells: Cells, n_layers: int, where: str) -> list[tuple[int, dict[str, Any]]]:
    """Attention of the layers; a mean of KV heads is shared out over counts that divide the heads.

    2.09 of 32 heads in 32 layers is 30 layers of 2 and 2 of 4 (2.12).
    """
    n_heads = _whole(cells, "n_heads", where, _usual_heads(cells, where))
    if n_heads < 1:
        raise RidgelineError(f"{where}: n_heads is {n_heads}; at least 1 is expected.")
    mean = _number(cells, "n_kv_heads", where, n_heads)
    d_head = _whole(cells, "d_head", where, 0) or _whole(cells, "d_model", where) // n_heads
    shape = {"kind": "attention", "n_heads": n_heads, "d_head": d_head}
    divisors = [d for d in range(1, n_heads + 1) if n_heads % d == 0]
    low = max((d for d in divisors if d <= mean), default=1)
    high = min((d for d in divisors if d >= mean), default=n_heads)
    n_high = round(n_layers * (mean - low) / (high - low)) if high > low else n_layers
    parts = [(n_layers - n_high, low), (n_high, high)]
    return [(repeat, {**shape, "n_kv_heads": heads}) for repeat, heads in parts if repeat > 0]


def _usual_heads(cells: Cells, where: str) -> int:
    """Heads of about the usual width that divide the model's."""
    d_model = _whole(cells, "d_model", where)
    near = d_model / _USUAL_HEAD
    divisors = [n for n in range(1, d_model // 8 + 1) if d_model % n == 0]
    return min(divisors, key=lambda n: abs(n - near), default=1)


def _chip(cells: Cells, where: str) -> Chip:
    name = cells.get("slug") or cells.get("chip") or ""
    capacity = _number(cells, "mem_gb" if "mem_gb" in cells else "mem_gb_usable", where)
    peak = {"bf16": _number(cells, "bf16_tflops", where) * 1e12}
    if cells.get("fp8_tflops"):
        peak["fp8"] = _number(cells, "fp8_tflops", where) * 1e12
    fields = {
        "id": name,
        "name": name,
        "vendor": cells.get("vendor") or "-",
        "memory": {
            "capacity": capacity * 1e9,
            "bandwidth": _number(cells, "mem_bw_gbps", where) * 1e9,
            "technology": cells.get("mem_type", ""),
        },
        "peak": peak,
        "notes": cells.get("notes") or cells.get("source", ""),
    }
    return Chip.parse(fields, where)


def _machine(cells: Cells, chip: Chip, where: str) -> Cluster:
    """As many as the file says in a domain; where it is silent, eight on a PCIe bus."""
    domain = _whole(cells, "scaleup_domain", where, 8)
    link = _number(cells, "scaleup_uni_gbps_per_dev", where, _PCIE_GBPS)
    scale_out = _number(cells, "scaleout_uni_gbps_per_dev", where, 0.0)
    fields: dict[str, Any] = {
        "id": chip.id,
        "name": chip.name,
        "chip": chip,
        "domain_size": domain,
        "fabric": "none" if domain == 1 else "pcie" if link <= 2 * _PCIE_GBPS else "switch",
        "fabric_name": cells.get("scaleup_tech", ""),
        "notes": "" if cells.get("scaleup_domain") else "No links are stated: PCIe is assumed.",
    }
    if domain > 1:
        fields["link"] = link * 1e9
    if scale_out:
        fields["scale_out"] = scale_out * 1e9
    return Cluster.parse(fields, where)
