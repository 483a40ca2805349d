"""The first question: what does a decode step take, what binds it, what does a token cost?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.grid import logspace
from ridgeline.questions.serving.answer import Serving
from ridgeline.questions.serving.columns import answer_grid
from ridgeline.questions.serving.inputs import (
    axis_values,
    check_native,
    cluster_of,
    drafts_of,
    engine_of,
    expert_load_cv_of,
    lengths_of,
    model_of,
    price_of,
)
from ridgeline.questions.serving.landmarks import landmarks
from ridgeline.questions.serving.sizing import Sizing, reading_name
from ridgeline.questions.serving.words import choice_of_experts
from ridgeline.replica import Formats
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.steps import counts

if TYPE_CHECKING:
    from ridgeline.service.requests import Requests
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.steps import Balance

__all__ = ["serving"]

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
    reading: str | None = None,
    layout: Layout | None = None,
    activation_dtype: str = "bf16",
    prefix_hit: float = 0.0,
    drafts: float = 0,
    acceptance: float | None = None,
    expert_popularity_cv: float = EXPERT_POPULARITY_CV,
    engine: str = "current",
    engine_version: str = "",
    memory_utilization: float | None = None,
) -> Serving:
    """Ask what a model's decode step takes and costs on a machine.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str       A cluster is used whole; a chip means the fewest chips of its
                                    standard node on which the model fits.
    context : number or 1-D array   Cached tokens a sequence; default 8192. [tokens]
    isl, osl : number               Or a request's lengths: for their mean context, and to be asked
                                    about prefill too. [tokens]
    batch : number or 1-D array     Sequences in flight in one replica; default a range that shows
                                    all regimes. With isl and osl, requests kept in flight. [1]
    chips : int or None             Chips that hold one copy of the model; ``"fewest"`` of this
                                    cluster that do.
    weight_dtype, kv_dtype : str    Store weights or caches in another format.
    compute : str or None           Run every product in this format.
    price : float, str or None      USD for a chip-hour, instead of the catalogue's.
    basis : str or None             Which of the catalogue's prices: ``spot``, ``contract``…
    reading : str or None           ``calibrated``: all the work under a layout at what good engines
                                    reach, with an 80% interval; the default. ``ideal``: the same
                                    work at datasheet peaks. ``blackboard``: the lecture's forms,
                                    all chips as one; the default of a model known by counts.
    layout : Layout or None         Of the first two; None for a plain default.
    activation_dtype : str          Format of hidden states.
    prefix_hit : number             Share of a request's input that is cached already. [1]
    drafts, acceptance : number     Tokens drafted a sequence and step, and how often one is taken;
                                    by the model's own prediction layers where it has them.
    expert_popularity_cv : number   Spread of how often experts are chosen; 0 is uniform.
    engine : str                    Serving engine to model: ``vllm``, ``sglang``…; ``current`` is
                                    the mean of the newest ones.
    engine_version : str            Release of it; empty for the newest.
    memory_utilization : number     Share of memory an engine may fill, instead of the usual one.

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
    >>> answer = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="blackboard")
    >>> answer.best("usd_per_mtok_output")["bound"]
    'KV'
    """
    record = model_of(model, weight_dtype, kv_dtype)
    cluster, is_chip = cluster_of(on)
    contexts, requests = lengths_of(context, isl, osl, prefix_hit)
    drafted, accepted = drafts_of(drafts, acceptance)
    requests = replace(requests, drafts=drafted, acceptance=accepted)
    tally = counts(record)
    if weight_dtype is not None and compute is None:
        check_native(tally, cluster)
    sizing = Sizing(
        model=record,
        counts=tally,
        cluster=cluster,
        layout=layout,
        formats=Formats(compute, catalog.dtype(activation_dtype).id),
        engine=engine_of(engine, memory_utilization),
        version=engine_version,
        requests=requests,
        expert_load_cv=expert_load_cv_of(expert_popularity_cv),
        reading=reading_name(reading, record),
    )
    kept = float(requests.kept(sizing.engine)) if np.any(requests.osl) else float(contexts[0])
    sized, grown = sizing.sized(kept, chips, is_chip)
    replica, bound = sized.replica, sized.machine
    marks = landmarks(replica, bound, requests, kept)
    rent = price_of(cluster, price, basis)
    notes = [*bound.notes, *grown, *_caveats(record, cluster, rent, requests)]
    if not replica.how.whole:
        notes += choice_of_experts(record, replica.expert_load_cv)
    return Serving(
        model=record,
        machine=bound,
        counts=tally,
        price=rent,
        balance=marks,
        result=answer_grid(replica, bound, rent, _batches(batch, marks), contexts, requests),
        replica=replica,
        requests=requests,
        notes=tuple(notes),
    )


def _batches(batch: Any, found: Balance) -> np.ndarray:
    if batch is not None:
        return axis_values(batch, "batch", least=1)
    marks = [found.batch, found.batch_without_kv, found.largest_batch]
    marks = [float(math.floor(m)) for m in marks if 1 <= m <= _LARGEST_BATCH_SHOWN]
    top = 2 ** math.ceil(math.log2(max([*marks, 64.0])) + 1)
    powers = 2.0 ** np.arange(math.log2(top) + 1)
    return np.unique(np.concatenate([logspace(1, top, per_octave=8), powers, marks]))


def _caveats(model: Model, cluster: Cluster, price: Price | None, requests: Requests) -> list[str]:
    notes = []
    guessed = [p for p, s in cluster.chip.sources.items() if s.kind in ("estimate", "leak")]
    used = [p for p in guessed if p.startswith(("memory", "peak"))]
    if used:
        notes.append(f"Estimated, not published: {cluster.chip.name} {', '.join(used)}.")
    if price is None:
        notes.append(
            f"No price is known for {cluster.name}: give one with --price, in USD per chip-hour."
        )
    if requests.has_drafts and not model.mtp:
        notes.append(
            f"{model.name or model.id} has no prediction layers: drafts are taken to cost nothing "
            "but their verification."
        )
    if model.notes:
        notes.append(model.notes)
    return notes
