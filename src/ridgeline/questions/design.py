"""Designing a model for a machine: which sizes, sparsities and caches meet the limits on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, quantity, tokens, usd
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid import logspace
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.memory import memory_needed_bytes
from ridgeline.laws.roofline import sparsity as sparsity_of
from ridgeline.questions.prices import price_words, prices_of
from ridgeline.specs.arguments import Amount, reads
from ridgeline.specs.choices import PriceChoice
from ridgeline.specs.fields import Numbers
from ridgeline.specs.model import Model
from ridgeline.specs.ranges import (
    CHIPS,
    CONTEXT_TOKENS,
    LATENCY_S,
    SPARSITY,
    USD_PER_CHIP_HOUR,
    USD_PER_MTOK,
    WEIGHT_BITS,
)
from ridgeline.steps import counts, decode_step
from ridgeline.steps import machine as machine_of
from ridgeline.steps.bind import bound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.charts import Chart
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.price import Price
    from ridgeline.steps import Machine

__all__ = ["KNOWN_MODELS", "design"]

#: sizes looked at between the largest of the grid that is served and the next: 1% apart
_BETWEEN = 19
#: models that stand for their kind in the picture
KNOWN_MODELS = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.1-70B-Instruct",
    "meta-llama/Meta-Llama-3.1-405B",
    "Qwen/Qwen3-32B",
    "Qwen/Qwen3-235B-A22B",
    "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "openai/gpt-oss-20b",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-V3",
    "deepseek-ai/DeepSeek-V3.2",
    "moonshotai/Kimi-K2-Instruct",
    "google/gemma-3-1b-it",
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
    "MiniMaxAI/MiniMax-M2.5",
    "zai-org/GLM-5",
)
_SPARSITIES = (1.0, 4.0, 16.0, 64.0)
_LIMITS = ("feasible", "memory", "latency", "price")
_PARAMS = (1e9, 32e12)
_KV_BYTES = (64.0, 2.0**20)
_BATCHES = (1, 2**18)
_REGIONS = {
    "sparsity": ("total/active", "x"),
    "largest_params": ("largest model", "params"),
    "largest_params_active": ("active", "params"),
    "kv_at_largest": ("its KV read", "B"),
    "largest_kv": ("largest KV read", "B"),
    "ends_by": ("size ends by", ""),
}
_MODELS = {
    "model": ("model", ""),
    "n_params": ("parameters", "params"),
    "sparsity": ("total/active", "x"),
    "kv_bytes_per_token": ("KV read", "B"),
    "kv_kept_bytes_per_token": ("KV kept", "B"),
    "verdict": ("verdict", ""),
    "batch": ("batch", "#"),
    "usd_per_mtok_output": ("$/Mtok out", "USD/Mtok"),
    "time_s": ("token", "s"),
}
_FIRST = ("verdict", "n_params", "kv_kept_bytes_per_token", "kv_bytes_per_token", "sparsity")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The machine and the limits a model has to meet on it."""

    cluster: Cluster
    n_chips: int
    price: Price | None
    weight_bits: float
    context: float
    tpot_s: float
    usd_per_mtok: float | None


@reads(
    tpot_s=LATENCY_S,
    context=CONTEXT_TOKENS,
    usd_per_mtok=USD_PER_MTOK,
    chips=CHIPS,
    weight_bits=WEIGHT_BITS,
    price=USD_PER_CHIP_HOUR,
    sparsities=Numbers(SPARSITY),
)
def design(
    on: Cluster | str,
    *,
    tpot_s: Amount,
    context: Amount,
    usd_per_mtok: Amount | None = None,
    chips: int | str | None = None,
    weight_bits: Amount = 8,
    price: Amount | None = None,
    basis: str | None = None,
    prices: Any = None,
    sparsities: Amount = _SPARSITIES,
    known: Sequence[str] = KNOWN_MODELS,
) -> Answer:
    """Which models a machine can serve within a latency and a price.

    Parameters
    ----------
    on : Cluster or str           Machine, by record or name.
    tpot_s : float or str         Time a token may take. [s]
    context : float or str        Cached tokens of a sequence. [tokens]
    usd_per_mtok : float or None  What a million output tokens may cost.
    chips : int or None           Chips that hold one copy; None for one scale-up domain.
    weight_bits : float           Bits a weight, scales included.
    price : float, str or None    USD per chip-hour, instead of the catalogue's.
    basis : str or None           Which prices to use; None for the most usual.
    prices : str, list or None    Rents of your own: a TOML file, or its contents.
    sparsities : sequence         Total over active parameters.
    known : sequence of str       Models to show among the regions, as if stored in these bits.

    Returns
    -------
    Answer
        Tables ``regions`` (a row a sparsity: the largest model, and the largest cache a token of
        any model) and ``models``. Values: ``feasible_share`` of the space looked at. Picture
        ``region``.

    Raises
    ------
    SpecError   A limit that is none, a price limit without a price, or nobody's sparsity.

    Notes
    -----
    The lecture's forms over 1 B to 32 T parameters and 64 bytes to 1 MiB of KV a token. A point is
    feasible if some batch fits the memory, the latency and the price at once. Its model reads all
    the cache that it keeps; a known model, of sparse attention say, may read less than it keeps.

    Examples
    --------
    >>> found = design("gb200-nvl72", tpot_s=0.02, context=128_000, usd_per_mtok=1.0)
    >>> [r["verdict"] for r in found.table("models").rows if r["model"] == "DeepSeek-V3"]
    ['price']
    """
    choice = PriceChoice.parse({"usd_per_chip_hour": price, "basis": basis, "prices": prices})
    asked = _asked(on, tpot_s, context, usd_per_mtok, chips, weight_bits, choice)
    params = logspace(*_PARAMS, per_octave=4)
    kv = logspace(*_KV_BYTES, per_octave=8)
    edges, regions, share = [], [], []
    for s in np.unique(np.atleast_1d(sparsities)).tolist():
        codes = _codes(asked, params[:, None], params[:, None] / s, kv[None, :])
        edge = _ended(asked, s, _edge(params, kv, codes == 0), params, kv)
        edges += [{"sparsity": s, **row} for row in edge]
        regions.append(_region(s, edge, params, codes))
        share.append(float((codes == 0).mean()))
    models = [_known_row(asked, name) for name in known]

    def picture() -> Chart:
        from ridgeline.charts.design import design_chart  # noqa: PLC0415  (only when drawn)

        return design_chart(edges, models, asked.cluster.name, _limit_words(asked))

    known_as = (
        f"Known models, as if stored in {weight_bits:g} bits; bytes of cache per token of context "
        "that a step reads (KV read) and that stay in memory (KV kept)"
    )
    columns = {k: c for k, c in _MODELS.items() if asked.price or k != "usd_per_mtok_output"}
    return Answer(
        question="design",
        title=f"Models for {asked.cluster.name}",
        sentences=_words(asked, regions, models),
        tables=(
            Table("regions", _limit_words(asked), _REGIONS, regions),
            Table("models", known_as, columns, models, first=_FIRST),
        ),
        values={"feasible_share": sum(share) / len(share)},
        notes=(_price_note(asked),),
        provenance={
            "reading": "blackboard", "cluster": asked.cluster.id, "n_chips": asked.n_chips,
            "tpot_s": tpot_s, "context": context, "usd_per_mtok": usd_per_mtok,
            "weight_bits": weight_bits,
        },
        charts={"region": picture},
    )  # fmt: skip


def _asked(
    on: Cluster | str,
    tpot_s: float,
    context: float,
    usd_per_mtok: float | None,
    chips: Any,
    weight_bits: float,
    choice: PriceChoice,
) -> _Asked:
    cluster = catalog.cluster(on) if isinstance(on, str) else on
    n_chips = cluster.domain_size if chips is None else chips
    rent = prices_of([cluster], choice).prices[0]
    if usd_per_mtok is not None and rent is None:
        raise SpecError(
            f"No price is known for {cluster.name}, so no token can be too dear: give one in USD "
            "per chip-hour (--price)."
        )
    asked = _Asked(cluster, n_chips, rent, weight_bits, context, tpot_s, usd_per_mtok)
    try:
        _bind(asked, 1.0, 1.0, 1.0)
    except InfeasibleError:
        peaks = ", ".join(cluster.chip.peak)
        raise InfeasibleError(
            f"{cluster.chip.name} cannot multiply weights of {weight_bits:g} bits: it has {peaks}. "
            "Choose other bits per weight (--bits), or another machine."
        ) from None
    return asked


def _price_note(asked: _Asked) -> str:
    if asked.price is None:
        return f"No price is known for {asked.cluster.name}."
    return f"{asked.cluster.name}: {price_words(asked.price)}."


def _bind(asked: _Asked, n_params: Any, n_active: Any, kv: Any) -> tuple[Any, Machine]:
    """Counts with arrays in them, and the machine that multiplies such weights."""
    base = Model.from_counts(1.0, 1.0, 1.0, asked.weight_bits)
    values = {
        "model.counts.n_params": n_params,
        "model.counts.n_params_active": n_active,
        "model.counts.kv_bytes_per_token": kv,
    }
    tally = counts(bound({"model": base}, values)["model"])
    return tally, machine_of(asked.cluster, asked.n_chips, tally)


def _at_batches(
    asked: _Asked, n_params: Any, n_active: Any, kv: Any, batch: Any, kept: Any = None
) -> Any:
    """Time, cost (0 without a price) and fit; a sequence keeps `kept` bytes, or what it reads."""
    tally, machine = _bind(asked, n_params, n_active, kv)
    time_s = decode_step(tally, machine, batch, asked.context).time_s
    kept = tally.cache_bytes(asked.context) if kept is None else kept
    needed = memory_needed_bytes(tally.weight_bytes, batch, kept)
    rent = asked.price.usd_per_chip_hour if asked.price else 0.0
    cost = cost_usd_per_mtok(time_s, batch, rent, asked.n_chips)
    return time_s, cost, needed <= machine.capacity_bytes


def _codes(
    asked: _Asked, n_params: Any, n_active: Any, kv: Any, kept: float | None = None
) -> np.ndarray:
    """Index into `_LIMITS`: what stops a model, the first of them that no batch gets past."""
    batch = logspace(*_BATCHES, per_octave=4)
    n_params, n_active, kv = (np.asarray(v)[..., None] for v in (n_params, n_active, kv))
    time_s, cost, fits = _at_batches(asked, n_params, n_active, kv, batch, kept)
    quick = fits & (time_s <= asked.tpot_s)
    cheap = quick & (cost <= (asked.usd_per_mtok or math.inf))
    stops = [cheap.any(axis=-1), ~fits.any(axis=-1), ~quick.any(axis=-1)]
    return np.select(stops, [0, 1, 2], default=3)


def _edge(params: np.ndarray, kv: np.ndarray, good: np.ndarray) -> list[dict[str, float]]:
    """The largest cache a token at each size of model, where there is any."""
    found = []
    for n_params, row in zip(params, good, strict=True):
        hits = np.flatnonzero(row)
        if hits.size:
            found.append({"n_params": float(n_params), "kv": float(kv[hits[-1]])})
    return found


def _ended(
    asked: _Asked, s: float, edge: list[dict[str, float]], params: np.ndarray, kv: np.ndarray
) -> list[dict[str, float]]:
    """An edge that goes on to the largest model there is, between two sizes that were looked at."""
    larger = params[params > edge[-1]["n_params"] * 1.01] if edge else params[:0]
    if not larger.size:
        return edge
    between = np.geomspace(edge[-1]["n_params"], larger[0], _BETWEEN)
    codes = _codes(asked, between[:, None], between[:, None] / s, kv[None, :])
    found = _edge(between[1:], kv, codes[1:] == 0)
    return [*edge, *found[-1:]]


def _region(
    s: float, edge: list[dict[str, float]], params: np.ndarray, codes: np.ndarray
) -> dict[str, Any]:
    """One sparsity in a row; what stops the next larger model, with the least cache."""
    last = edge[-1] if edge else None
    beyond = 0 if last is None else int(np.searchsorted(params, last["n_params"] * 1.01))
    ends = _LIMITS[int(codes[beyond, 0])] if beyond < len(params) else ""
    return {
        "sparsity": s,
        "largest_params": last["n_params"] if last else None,
        "largest_params_active": last["n_params"] / s if last else None,
        "kv_at_largest": last["kv"] if last else None,
        "largest_kv": max((e["kv"] for e in edge), default=None),
        "ends_by": ends,
    }


def _known_row(asked: _Asked, name: str) -> dict[str, Any]:
    record = catalog.model(name)
    tally = counts(record)
    n_params, active = float(tally.n_params), float(tally.n_params_active)
    context = max(asked.context, 1.0)
    kv = float(tally.cache_read_bytes(context)) / context
    kept = float(tally.cache_bytes(asked.context))
    code = int(_codes(asked, n_params, active, kv, kept))
    batch = logspace(*_BATCHES, per_octave=16)
    time_s, cost, fits = _at_batches(asked, n_params, active, kv, batch, kept)
    usable = np.flatnonzero(fits & (time_s <= asked.tpot_s))
    at = int(usable[-1]) if usable.size else None
    return {
        "model": record.name or record.id,
        "n_params": n_params,
        "sparsity": float(sparsity_of(n_params, active)),
        "kv_bytes_per_token": kv,
        "kv_kept_bytes_per_token": kept / context,
        "verdict": _LIMITS[code],
        "batch": None if at is None else float(batch[at]),
        "time_s": None if at is None else float(time_s[at]),
        "usd_per_mtok_output": None if at is None or not asked.price else float(cost[at]),
    }


def _limit_words(asked: _Asked) -> str:
    cheap = "" if asked.usd_per_mtok is None else f", {usd(asked.usd_per_mtok)}/Mtok"
    return (
        f"{quantity(asked.tpot_s, 's')} per token, {tokens(asked.context)} tokens of "
        f"context{cheap}, {asked.weight_bits:g} bits per weight"
    )


def _words(
    asked: _Asked, regions: list[dict[str, Any]], models: list[dict[str, Any]]
) -> tuple[str, ...]:
    where = f"{asked.n_chips} x {asked.cluster.chip.name}"
    if asked.n_chips == asked.cluster.domain_size:
        where = f"one {asked.cluster.name}"
    said = [f"On {where}, {_limit_words(asked)}:"]
    good = [r for r in regions if r["largest_params"]]
    if not good:
        return (f"{said[0]} no model looked at does it.", _closest(asked, regions))
    for r in good:
        what = "dense models" if r["sparsity"] == 1 else f"{r['sparsity']:g} times sparse ones"
        end = f"; beyond, {r['ends_by']} ends it" if r["ends_by"] not in ("", "feasible") else ""
        said.append(
            f"{what} reach {quantity(r['largest_params'], 'params')} "
            f"({quantity(r['largest_params_active'], 'params')} active){end}."
        )
    caches = sorted({quantity(r["largest_kv"], "B") for r in (good[0], good[-1])}, reverse=True)
    most = max(r["largest_kv"] for r in good)
    more = ", the most that is looked at," if most >= 0.999 * _KV_BYTES[1] else ""
    said.append(
        f"With fewer parameters the cache may be up to {' or '.join(caches)}{more} per token of "
        "context."
    )
    inside = [m["model"] for m in models if m["verdict"] == "feasible"]
    if models:
        which = ", ".join(inside) or "none"
        said.append(f"Of {len(models)} known models these meet the limits: {which}.")
    return tuple(said)


def _closest(asked: _Asked, regions: list[dict[str, Any]]) -> str:
    """What the easiest model would take: the smallest looked at, with the least cache."""
    small, kv = _PARAMS[0], _KV_BYTES[0]
    s = max(r["sparsity"] for r in regions)
    batch = logspace(*_BATCHES, per_octave=4)
    time_s, cost, fits = _at_batches(asked, small, small / s, kv, batch)
    if not fits.any():
        return f"Not even {count(small / 1e9)} B parameters fit beside one such context: add chips."
    quick = fits & (time_s <= asked.tpot_s)
    if not quick.any():
        return (
            f"The easiest, 1 B parameters with {kv:g} bytes per token, takes "
            f"{quantity(float(time_s[fits].min()), 's')} at least: allow that, shorten the context "
            "or add chips."
        )
    return (
        f"The easiest, 1 B parameters with {kv:g} bytes per token, costs "
        f"{usd(float(cost[quick].min()))} per million tokens in that time: allow that, or more "
        "time."
    )
