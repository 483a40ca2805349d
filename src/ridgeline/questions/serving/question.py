"""The first question: what does a decode step take at least, what binds it, what does it cost?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.errors import InfeasibleError, SpecError, did_you_mean
from ridgeline.grid import Axis, Column, Result, logspace
from ridgeline.laws.economics import cost_usd_per_mtok, throughput_tokens_per_s
from ridgeline.laws.memory import mean_decode_context_tokens
from ridgeline.laws.roofline import mfu
from ridgeline.questions.serving.answer import Serving
from ridgeline.questions.serving.price import choose_price
from ridgeline.questions.serving.readings import (
    BlackboardReading,
    CalibratedReading,
    IdealReading,
    Reading,
)
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.load import Load
from ridgeline.specs.price import Price
from ridgeline.steps import chip_capacity_bytes, counts
from ridgeline.steps.layouts import check_layout, default_layout
from ridgeline.steps.machine import fewest_chips, machine

if TYPE_CHECKING:
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps import Balance, Counts, Machine

__all__ = ["serving"]

_DEFAULT_CONTEXT = 8192
_LARGEST_BATCH_SHOWN = 2**20


def serving(
    model: Model | str,
    on: Cluster | Chip | str,
    *,
    context: Any = None,
    isl: float | None = None,
    osl: float | None = None,
    batch: Any = None,
    chips: int | str | None = None,
    weight_dtype: str | None = None,
    kv_dtype: str | None = None,
    compute: Any = None,
    price: float | str | None = None,
    basis: str | None = None,
    reading: str = "blackboard",
    layout: Layout | None = None,
) -> Serving:
    """Ask what a model's decode step takes and costs at least on a machine.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str       A cluster is used whole; a chip means the fewest chips of its
                                    standard node on which the model fits.
    context : number or 1-D array   Cached tokens a sequence; default 8192. [tokens]
    isl, osl : number               Or a request's lengths, for their mean context. [tokens]
    batch : number or 1-D array     Sequences in flight; default a range that shows all regimes. [1]
    chips : int or None             Chips that hold one copy of the model; ``"fewest"`` of this
                                    cluster that do.
    weight_dtype, kv_dtype : str    Store weights or caches in another format.
    compute : str or None           Run every product in this format.
    price : float, str or None      USD for a chip-hour, instead of the catalogue's.
    basis : str or None             Which of the catalogue's prices: ``spot``, ``contract``…
    reading : str                   ``blackboard``: the lecture's forms, all chips as one.
                                    ``ideal``: all the work under a layout, at datasheet peaks.
                                    ``calibrated``: the same at what good engines reach, with an
                                    80 % interval.
    layout : Layout or None         Of the last two; None for a plain default.

    Returns
    -------
    Serving   A curve over batch (and context, where several were given) with its landmarks.

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   The model fits on no number of such chips, or the chip cannot multiply it.

    Examples
    --------
    >>> import ridgeline as rl
    >>> answer = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", context=8192)
    >>> answer.best("usd_per_mtok_output")["bound"]
    'KV'
    """
    record = _model(model, weight_dtype, kv_dtype)
    cluster, is_chip = _cluster(on)
    contexts = _contexts(context, isl, osl)
    tally = counts(record)
    if weight_dtype is not None and compute is None:
        _check_native(tally, cluster)
    n_chips, grown = _n_chips(tally, cluster, float(contexts[0]), chips, is_chip)
    if layout is not None and chips is None:
        n_chips, grown = layout.replicas * layout.pp * layout.attn_dp * layout.tp, ""
    bound_machine = machine(cluster, n_chips, tally, compute)
    asked = _reading(reading, record, tally, bound_machine, layout, compute)
    landmarks = asked.landmarks(float(contexts[0]))
    rent = _price(cluster, price, basis)
    batches = _batches(batch, landmarks)
    notes = [*bound_machine.notes, *([grown] if grown else []), *_caveats(record, cluster, rent)]
    return Serving(
        model=record,
        machine=bound_machine,
        counts=tally,
        price=rent,
        balance=landmarks,
        result=_grid(record, asked, bound_machine, rent, batches, contexts),
        asked=asked,
        notes=tuple(notes),
    )


def _reading(
    name: str,
    model: Model,
    tally: Counts,
    bound_machine: Machine,
    layout: Layout | None,
    compute: Any,
) -> Reading:
    if name == "blackboard":
        if layout is not None:
            raise SpecError(
                "The blackboard sees all chips as one: a layout needs the ideal or the calibrated "
                "reading (--reading ideal)."
            )
        return BlackboardReading(tally, bound_machine)
    known = {"ideal": IdealReading, "calibrated": CalibratedReading}
    if name not in known:
        raise SpecError(
            f"There is no reading {name!r}.{did_you_mean(name, ['blackboard', *known])} "
            "There are blackboard, ideal and calibrated."
        )
    if not model.blocks:
        raise SpecError(
            f"{model.id} is known by its counts alone: only the blackboard can read it. "
            "Give its config.json for the others."
        )
    n_chips = bound_machine.n_chips
    chosen = layout or default_layout(model, bound_machine.cluster, n_chips)
    check_layout(model, chosen, n_chips)
    return known[name](model, tally, bound_machine, chosen, compute)


def _model(model: Model | str, weight_dtype: str | None, kv_dtype: str | None) -> Model:
    record = catalog.model(model) if isinstance(model, str) else model
    if weight_dtype is not None:
        stored = catalog.dtype(weight_dtype)
        record = record.with_weight_dtype(stored.id, stored.bits)
    if kv_dtype is not None:
        record = record.with_kv_dtype(catalog.dtype(kv_dtype).id)
    return record


def _cluster(on: Cluster | Chip | str) -> tuple[Cluster, bool]:
    if isinstance(on, Cluster):
        return on, False
    if isinstance(on, Chip):
        return catalog.node_of(on), True
    return catalog.cluster_or_chip(on)


def _contexts(context: Any, isl: float | None, osl: float | None) -> np.ndarray:
    if context is None and isl is None and osl is None:
        context = _DEFAULT_CONTEXT
    if context is None:
        load = Load.parse({"isl": isl, "osl": osl}, where="the load")
        return np.asarray([mean_decode_context_tokens(load.isl, load.osl)])
    if isl is not None or osl is not None:
        raise SpecError("Give either context, or isl and osl, not both.")
    return _axis_values(context, "context", least=0)


def _axis_values(values: Any, name: str, least: float) -> np.ndarray:
    try:
        array = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        raise SpecError(f"{name}: {values!r} is not a number or a list of numbers.") from None
    good = np.isfinite(array) & (array >= least) & (array <= 1e12)
    if array.ndim != 1 or array.size == 0 or not good.all():
        raise SpecError(f"{name}: numbers from {least} to 1e12 are expected, got {values!r}.")
    return array


def _check_native(tally: Counts, cluster: Cluster) -> None:
    """A format asked for by name must be native: falling back in silence would mislead."""
    chip = cluster.chip
    for dtype in tally.dtypes.values():
        first = dtype.compute[0]
        if first not in chip.peak and first != "bf16":
            raise InfeasibleError(
                f"{chip.name} has no {first} arithmetic (it has {', '.join(chip.peak)}), so "
                f"{dtype.id} weights cannot be multiplied as such. Add --compute bf16 to store "
                f"them as {dtype.id} and multiply in bf16, or choose another --dtype or chip."
            )


def _n_chips(
    tally: Counts, cluster: Cluster, context: float, chips: int | str | None, is_chip: bool
) -> tuple[int, str]:
    """How many chips, and a sentence where that is more than was named."""
    if chips == "fewest" or (chips is None and is_chip):
        return fewest_chips(tally, cluster, context), ""
    if chips is not None:
        if not isinstance(chips, int) or isinstance(chips, bool) or not 1 <= chips <= 10**7:
            raise SpecError(
                f"chips: a whole number from 1 to 10,000,000 is expected, not {chips!r}."
            )
        return chips, ""
    named = cluster.domain_size * cluster.n_domains
    fewest = fewest_chips(tally, cluster, context, whole_domains=True)
    if fewest <= named:
        return named, ""
    return fewest, (
        f"The model does not fit on {named} x {cluster.chip.name}; "
        f"{fewest // cluster.domain_size} x {cluster.name} are the fewest that hold it."
    )


def _price(cluster: Cluster, price: float | str | None, basis: str | None) -> Price | None:
    if price is None:
        return choose_price(cluster, basis)
    return Price.parse({"usd_per_chip_hour": price, "basis": "user"}, where="the price")


def _batches(batch: Any, landmarks: Balance) -> np.ndarray:
    if batch is not None:
        return _axis_values(batch, "batch", least=1)
    marks = [landmarks.batch, landmarks.batch_without_kv, landmarks.largest_batch]
    marks = [float(math.floor(m)) for m in marks if 1 <= m <= _LARGEST_BATCH_SHOWN]
    top = 2 ** math.ceil(math.log2(max([*marks, 64.0])) + 1)
    powers = 2.0 ** np.arange(math.log2(top) + 1)
    return np.unique(np.concatenate([logspace(1, top, per_octave=8), powers, marks]))


def _caveats(model: Model, cluster: Cluster, price: Price | None) -> list[str]:
    notes = []
    guessed = [p for p, s in cluster.chip.sources.items() if s.kind in ("estimate", "leak")]
    used = [p for p in guessed if p.startswith(("memory", "peak"))]
    if used:
        notes.append(f"Estimated, not published: {cluster.chip.name} {', '.join(used)}.")
    if price is None:
        notes.append(
            f"No price is known for {cluster.name}: give one with --price, in USD per chip-hour."
        )
    if model.notes:
        notes.append(model.notes)
    return notes


def _grid(
    model: Model,
    asked: Reading,
    bound_machine: Machine,
    price: Price | None,
    batches: np.ndarray,
    contexts: np.ndarray,
) -> Result:
    B, L = batches[None, :], contexts[:, None]
    shape = (len(contexts), len(batches))
    n_chips = bound_machine.n_chips
    step = asked.step(B, L)
    memory = asked.memory_bytes_per_chip(B, L)
    tokens_per_s = throughput_tokens_per_s(B, step.time_s)

    def cost(time_s: Any) -> Any:
        return cost_usd_per_mtok(time_s, B, price.usd_per_chip_hour, n_chips) if price else np.nan

    numbers = {
        "time_s": (step.time_s, "s", "step time"),
        "time_low_s": (step.low_s, "s", "step time, 80 % interval from"),
        "time_high_s": (step.high_s, "s", "to"),
        "compute_s": (step.compute_s, "s", "compute"),
        "weight_fetch_s": (step.weight_fetch_s, "s", "weight fetch"),
        "kv_fetch_s": (step.kv_fetch_s, "s", "KV fetch"),
        "network_s": (step.network_s, "s", "network"),
        "floor_s": (step.floor_s, "s", "launches and host"),
        "tokens_per_s_per_user": (1 / step.time_s, "tok/s", "tok/s per user"),
        "tokens_per_s_per_chip": (tokens_per_s / n_chips, "tok/s", "tok/s per chip"),
        "usd_per_mtok_output": (cost(step.time_s), "USD/Mtok", "$/Mtok output"),
        "usd_per_mtok_compute": (cost(step.compute_s), "USD/Mtok", "of that, compute alone"),
        "usd_per_mtok_weights": (cost(step.weight_fetch_s), "USD/Mtok", "weight fetch alone"),
        "usd_per_mtok_kv": (cost(step.kv_fetch_s), "USD/Mtok", "KV fetch alone"),
        "usd_per_mtok_network": (cost(step.network_s), "USD/Mtok", "network alone"),
        "mfu": (mfu(step.at_peak_s, step.time_s), "1", "MFU"),
        "memory_bytes_per_chip": (memory, "B", "memory per chip"),
    }
    columns = {
        name: Column(np.broadcast_to(np.asarray(v, dtype=float), shape), unit, label)
        for name, (v, unit, label) in numbers.items()
        if v is not None
    }
    columns["bound"] = Column(np.broadcast_to(step.bound, shape), "", "bound by", asked.bounds)
    capacity = chip_capacity_bytes(bound_machine.cluster.chip)
    reason = f"out of memory: more than the {capacity / 1e9:,.0f} GB a chip has"
    axes = (
        Axis("context", contexts, "tokens", "context"),
        Axis("batch", batches, "sequences", "batch"),
    )
    over = np.broadcast_to(memory > capacity, shape).astype(int)
    about = _about(model, bound_machine, price, asked)
    return Result(axes, columns, over, (reason,), about)


def _about(
    model: Model, bound_machine: Machine, price: Price | None, asked: Reading
) -> dict[str, Any]:
    cluster = bound_machine.cluster
    layout = getattr(asked, "layout", None)
    return {
        "reading": asked.name,
        "layout": layout.model_dump() if layout else None,
        "model": model.id,
        "cluster": cluster.id,
        "chip": cluster.chip.id,
        "n_chips": bound_machine.n_chips,
        "weight_dtype": model.weight_dtype,
        "kv_dtype": model.kv_dtype,
        "price": price.model_dump(exclude_none=True) if price else None,
        "sources": {k: s.model_dump(exclude_none=True) for k, s in cluster.chip.sources.items()},
    }
