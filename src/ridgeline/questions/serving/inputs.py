"""What a serving question is asked with, read and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.serving.price import choose_price
from ridgeline.service.requests import Requests
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.load import Load
from ridgeline.specs.price import Price

if TYPE_CHECKING:
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.model import Model
    from ridgeline.steps import Counts

__all__ = [
    "axis_values",
    "check_native",
    "cluster_of",
    "drafts_of",
    "engine_of",
    "expert_load_cv_of",
    "lengths_of",
    "model_of",
    "price_of",
]

_DEFAULT_CONTEXT = 8192


def model_of(model: Model | str, weight_dtype: str | None, kv_dtype: str | None) -> Model:
    """The model, with weights and caches in the formats asked for."""
    record = catalog.model(model) if isinstance(model, str) else model
    if weight_dtype is not None:
        stored = catalog.dtype(weight_dtype)
        record = record.with_weight_dtype(stored.id, stored.bits)
    if kv_dtype is not None:
        record = record.with_kv_dtype(catalog.dtype(kv_dtype).id)
    return record


def cluster_of(on: Cluster | Chip | str) -> tuple[Cluster, bool]:
    """The machine, and whether only a chip of it was named."""
    if isinstance(on, Cluster):
        return on, False
    if isinstance(on, Chip):
        return catalog.node_of(on), True
    return catalog.cluster_or_chip(on)


def lengths_of(
    context: Any, isl: float | None, osl: float | None, prefix_hit: float
) -> tuple[np.ndarray, Requests]:
    """Contexts to evaluate, and the requests: of no output where sequences only decode."""
    if context is None and isl is None and osl is None:
        context = _DEFAULT_CONTEXT
    if context is not None and (isl is not None or osl is not None):
        raise SpecError("Give either context, or isl and osl, not both.")
    if context is None:
        if isl is None or osl is None:
            raise SpecError("isl and osl come together: give the other one, too.")
        load = Load.parse({"isl": isl, "osl": osl, "prefix_hit": prefix_hit}, where="the load")
        assert load.isl is not None
        assert load.osl is not None
        requests = Requests(load.isl, load.osl, load.isl * load.prefix_hit)
        return np.asarray([float(requests.context)]), requests
    if prefix_hit:
        raise SpecError("prefix_hit is of a request's input: give isl and osl with it.")
    contexts = axis_values(context, "context", least=0)
    return contexts, Requests(decode_context=float(contexts[0]))


def axis_values(values: Any, name: str, least: float) -> np.ndarray:
    """Numbers of an axis, checked."""
    try:
        array = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        raise SpecError(f"{name}: {values!r} is not a number or a list of numbers.") from None
    good = np.isfinite(array) & (array >= least) & (array <= 1e12)
    if array.ndim != 1 or array.size == 0 or not good.all():
        raise SpecError(f"{name}: numbers from {least} to 1e12 are expected, got {values!r}.")
    return array


def check_native(tally: Counts, cluster: Cluster) -> None:
    """A format asked for by name must be native: falling back in silence would mislead."""
    chip = cluster.chip
    for dtype in tally.dtypes.values():
        first = dtype.compute[0]
        if first not in chip.peak and first != "bf16":
            raise InfeasibleError(
                f"{chip.name} has no {first} arithmetic (it has {', '.join(chip.peak)}), so "
                f"{dtype.id} weights cannot be multiplied as such. Add --compute bf16 to store "
                f"them as {dtype.id} and multiply in bf16, or choose other --weights or chip."
            )


def drafts_of(drafts: float, acceptance: float | None) -> tuple[float, float]:
    """Tokens drafted per sequence and step, and how often one is accepted, checked."""
    given = {"drafts": drafts, "context": 0}
    if acceptance is not None:
        given["acceptance"] = acceptance
    load = Load.parse(given, where="the load")
    if load.drafts and acceptance is None:
        raise SpecError("With drafts, say how often one is accepted: acceptance, from 0 to 1.")
    return load.drafts, load.acceptance


def expert_load_cv_of(value: float) -> float:
    """How unevenly experts are chosen, checked."""
    return Load.parse(
        {"expert_popularity_cv": value, "context": 0}, "the load"
    ).expert_popularity_cv


def engine_of(name: str, memory_utilization: float | None) -> Engine:
    """The engine, with the share of memory asked for."""
    usual = catalog.engine(name)
    if memory_utilization is None:
        return usual
    changes = {"memory_share": memory_utilization}
    return usual.replaced(changes, where="the engine")


def price_of(cluster: Cluster, price: float | str | None, basis: str | None) -> Price | None:
    """The price given, else the catalogue's of that basis."""
    if price is None:
        return choose_price(cluster, basis)
    return Price.parse({"usd_per_chip_hour": price, "basis": "user"}, where="the price")
