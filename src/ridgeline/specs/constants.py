"""Constants of the calibrated laws: what each is, how sure, and on how many measurements it stands.

A group holds the constants of one law for one chip (or fabric) and one number format. Field names
are the law's own arguments, so that ``law(..., **group.values)`` is a call. Groups are fitted
together and so share their provenance.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.cluster import FabricKind, PeerAccess
from ridgeline.specs.record import Record

__all__ = [
    "ChipConstants",
    "CollectiveConstants",
    "Constant",
    "DecodeConstants",
    "Effect",
    "EngineConstants",
    "ExchangeConstants",
    "ExpertConstants",
    "FabricConstants",
    "Factor",
    "FittedGroup",
    "Level",
    "OwnRuns",
    "PrefillConstants",
    "Process",
    "ProductConstants",
    "Scatter",
]

#: whose measurements a group stands on: its own, its family's, or all there are
Level = Literal["own", "family", "kind", "all"]


class Constant(Record):
    """A positive number and its standard deviation on the log scale.

    `sigma` is how far the constant moves, alone, to suit each measured engine, with its standard
    error; for a family it holds the scatter between members too.
    """

    value: float = Field(gt=0)
    sigma: float = Field(ge=0)


class FittedGroup(Record):
    """Constants fitted together.

    Attributes
    ----------
    level : str       ``own``, or the family, kind or pool they were taken from.
    n_points : int    Measurements fitted; 0 where the constants come from how such chips work.
    engines : tuple   Whose measurements: engines or libraries with their versions pooled.
    members : tuple   Chips or fabrics measured.
    scatter : float   Standard deviation of ln(measured / predicted) of a single call on shapes
                      left out of the fit, beyond what the sigmas explain.
    source, date : str   Of the measurements.
    """

    level: Level = "own"
    n_points: int = Field(ge=0)
    engines: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    scatter: float = Field(ge=0)
    source: str
    date: str

    @property
    def constants(self) -> dict[str, Constant]:
        """The constants by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: c for name, c in found.items() if isinstance(c, Constant)}

    @property
    def values(self) -> dict[str, float]:
        """The law's keyword arguments."""
        return {name: c.value for name, c in self.constants.items()}

    @property
    def sigmas(self) -> dict[str, float]:
        """Standard deviations on the log scale, by the same names."""
        return {name: c.sigma for name, c in self.constants.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, c in self.constants.items():
            if name.endswith("efficiency") and c.value > 1:
                raise ValueError(f"{name} is {c.value:g}: an efficiency is at most 1.")
        return self


class ProductConstants(FittedGroup):
    """Of `laws.gemm.product_time_s`."""

    start_s: Constant
    step_s: Constant
    compute_efficiency: Constant
    memory_efficiency: Constant


class ExpertConstants(FittedGroup):
    """Of `laws.gemm.grouped_products_time_s`."""

    start_s: Constant
    held_s: Constant
    compute_efficiency: Constant
    memory_efficiency: Constant
    activation_efficiency: Constant


class DecodeConstants(FittedGroup):
    """Of `laws.attention_core.decode_attention_time_s`."""

    start_s: Constant
    merge_s: Constant
    item_s: Constant
    memory_efficiency: Constant


class PrefillConstants(FittedGroup):
    """Of `laws.attention_core.prefill_attention_time_s`."""

    start_s: Constant
    key_step_s: Constant
    compute_efficiency: Constant
    half_keys: Constant
    memory_efficiency: Constant


class CollectiveConstants(FittedGroup):
    """Of `laws.collectives.collective_time_s`."""

    start_s: Constant
    hop_s: Constant
    fill_s: Constant
    link_efficiency: Constant
    doubling_efficiency: Constant


class ExchangeConstants(FittedGroup):
    """Of `laws.collectives.expert_exchange_time_s`."""

    start_s: Constant
    hop_s: Constant
    token_s: Constant
    link_efficiency: Constant
    scale_out_efficiency: Constant


class ChipConstants(Record):
    """All constants of what happens on one chip.

    Attributes
    ----------
    product : mapping   By format of the product: ``bf16``, ``fp8``, ``fp8-block``, ``nvfp4``,
                        ``int8``, ``w8a16``, ``w4a16``.
    experts : mapping   By format of the experts: ``bf16``, ``fp8``, ``fp8-block``, ``nvfp4``,
                        ``mxfp4`` (beside 8-bit inputs), ``mxfp4-wo`` (16-bit ones), ``w4a16``.
    decode : mapping    By format of the cache: ``bf16``, ``fp8``.
    prefill : mapping   By format attended in and of the cache: ``bf16``, ``bf16-kv-fp8``, ``fp8``.
    """

    id: str
    family: str = ""
    product: dict[str, ProductConstants] = Field(default_factory=dict)
    experts: dict[str, ExpertConstants] = Field(default_factory=dict)
    decode: dict[str, DecodeConstants] = Field(default_factory=dict)
    prefill: dict[str, PrefillConstants] = Field(default_factory=dict)


class FabricConstants(Record):
    """All constants of what happens between chips.

    Attributes
    ----------
    kind : str             Kind of fabric; ``none`` for the pool of all.
    generation : str       How the name of such a fabric begins.
    min_domain, max_domain : int   Sizes of domain it is meant for.
    in_switch : bool       Whether the switch adds: which wire count the all-reduce was fitted with.
    peer_access : str      ``broken``: measured where peer-to-peer copies collapse.
    collective : mapping   ``all_reduce_graph`` (a framework's own, inside a captured graph),
                           ``all_reduce_eager``, and the library's ``all_reduce``, ``all_gather``,
                           ``reduce_scatter``, ``all_to_all``.
    exchange : mapping     ``dispatch`` and ``combine`` for latency, ``dispatch_bulk`` and
                           ``combine_bulk`` for throughput across nodes, ``prepare`` where counts
                           are exchanged first.
    """

    id: str
    kind: FabricKind = "none"
    generation: str = ""
    min_domain: int = 2
    max_domain: int = 10**9
    in_switch: bool = False
    peer_access: PeerAccess = "direct"
    collective: dict[str, CollectiveConstants] = Field(default_factory=dict)
    exchange: dict[str, ExchangeConstants] = Field(default_factory=dict)


class Factor(Record):
    """A factor of an effect at one place: a family of chips, a chip, an engine, an era.

    Attributes
    ----------
    value : float     The effect itself at ``all``; elsewhere what it is multiplied by.
    sigma : float     Standard deviation on the log scale.
    n_rows : int      Measurements whose prediction rests on it.
    sources : tuple   Who measured them.
    """

    value: float = Field(gt=0)
    sigma: float = Field(ge=0)
    n_rows: int = Field(default=0, ge=0)
    sources: tuple[str, ...] = ()


class Effect(Record):
    """How whole engines differ from their kernels in one respect, place by place.

    Attributes
    ----------
    spread : mapping    Level (``family``, ``chip``, ``engine`` ...) to the standard deviation
                        between its places: what one more place, unmeasured, may differ by.
    factors : mapping   Place to factor; the product over a run's places is the effect there.
    """

    spread: dict[str, float] = Field(default_factory=dict)
    factors: dict[str, Factor] = Field(default_factory=dict)


class Scatter(Record):
    """What remains of ln(predicted / measured) on models and chips left out of the fit."""

    sigma: float = Field(gt=0)
    n_rows: int = Field(ge=0)


class Process(Record):
    """Memory that an engine's process takes on a chip besides weights and caches.

    Attributes
    ----------
    runtime_bytes : float       Driver, libraries, workspaces.
    activation_copies : float   Vectors of the model's width, in 16 bits, that are kept for each
                                token of the prompts that a fixed batch starts with. [1]
    sigma : float               Standard deviation of ln(predicted / measured).
    """

    runtime_bytes: float = Field(ge=0)
    activation_copies: float = Field(ge=0)
    sigma: float = Field(gt=0)
    n_rows: int = Field(default=0, ge=0)
    sources: tuple[str, ...] = ()


class OwnRuns(Record):
    """What somebody's constants were fitted to, beside what those of the package rest on.

    Attributes
    ----------
    n_rows : int      Measurements fitted.
    tables : tuple    Names of the files they were read from.
    """

    n_rows: int = Field(ge=1)
    tables: tuple[str, ...] = ()


class EngineConstants(Record):
    """Constants of whole engines, fitted together by ``ridgeline calibrate``.

    Attributes
    ----------
    effects : mapping   By name: see `ridgeline.steps.effects`.
    scatter : mapping   By regime and metric, ``closed tpot_s``; and by place as a factor of it.
    process : Process   Memory besides weights and caches; None where no row tells.
    seen : tuple        Places that were measured on several models.
    pairs : tuple       Engines on chips, by width of format, that were measured at all.
    n_rows, sources, date   What was fitted, and the newest date in it.
    own : OwnRuns or None   Somebody's own measurements that these were then moved by.
    """

    id: str
    effects: dict[str, Effect] = Field(default_factory=dict)
    scatter: dict[str, Scatter] = Field(default_factory=dict)
    process: Process | None = None
    seen: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    n_rows: int = Field(default=0, ge=0)
    sources: tuple[str, ...] = ()
    date: str = ""
    own: OwnRuns | None = None
