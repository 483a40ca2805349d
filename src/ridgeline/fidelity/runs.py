"""What is measured and what is predicted: one record a run, one a row of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ridgeline.specs.drafts import Drafting

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["BUG", "METRICS", "OK", "REGIMES", "Metric", "Prediction", "Regime", "Row", "Run"]

Regime = Literal["static", "decode", "prefill", "closed", "open", "offline", "slo"]

Metric = Literal[
    "ttft_s", "ttft_p99_s", "tpot_s", "tpot_p99_s", "itl_s", "e2e_s", "output_tokens_per_s",
    "output_tokens_per_s_per_chip", "total_tokens_per_s", "prefill_tokens_per_s", "memory_bytes",
]  # fmt: skip

REGIMES: tuple[Regime, ...] = ("static", "decode", "prefill", "closed", "open", "offline", "slo")
METRICS: tuple[Metric, ...] = (
    "ttft_s", "ttft_p99_s", "tpot_s", "tpot_p99_s", "itl_s", "e2e_s", "output_tokens_per_s",
    "output_tokens_per_s_per_chip", "total_tokens_per_s", "prefill_tokens_per_s", "memory_bytes",
)  # fmt: skip

#: of a run whose tokens come one a step
NO_DRAFTS = Drafting(0.0, 0.0)

#: the status of a row or prediction that holds
OK = "ok"
#: and of one at which the program itself failed
BUG = "bug"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run of an engine; all metrics of it share this. SI units; None is not stated.

    Runs compare by identity, so that they can be keys.

    Attributes
    ----------
    key : str                   Id of the run.
    source : str                Short name of who published it.
    regime : str                ``static``, ``decode``, ``prefill``, ``closed``, ``open``,
                                ``offline`` or ``slo``.
    model : Model               With the formats of the row's weights and cache.
    cluster : Cluster           The chip's standard machine, of several nodes where it takes them.
    n_chips : int               Of the whole run.
    layout : Layout or None     Its replicas fill the chips; None where not stated.
    batch : float or None       Sequences of a fixed batch, whole system.
    concurrency : float or None   Requests kept in flight, whole system.
    request_rate_per_s : float or None   Poisson arrivals, whole system.
    isl, osl : float or None    Mean tokens of a request.
    cached : float              Of the input, found in a prefix cache.
    notes : mapping             What the notes say: ``n_requests``, ``limits``, ``nominal_isl``,
                                ``statistic``; remarks without a value are keys with an empty one.
                                Pool columns of disaggregated runs are here by their names.
    stated : frozenset          Which of ``weight_dtype``, ``kv_dtype``, ``layout``, ``ep``,
                                ``isl``, ``osl`` the source states.
    drafting : Drafting         Tokens drafted a step, how often they are accepted, and what of it
                                is assumed.
    """

    key: str
    source: str
    regime: str
    model: Model
    cluster: Cluster
    n_chips: int
    layout: Layout | None
    batch: float | None
    concurrency: float | None
    request_rate_per_s: float | None
    isl: float | None
    osl: float | None
    engine: str = ""
    engine_version: str = ""
    date: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    stated: frozenset[str] = frozenset()
    cached: float = 0.0
    drafting: Drafting = NO_DRAFTS


@dataclass(frozen=True, slots=True)
class Row:
    """One measured number, or the reason why it cannot be used.

    Attributes
    ----------
    line : int      In the file, from 1, where the row begins.
    run : Run or None   None where the row does not say what was run.
    value : float or None   SI; None where it is blank, as in a table to predict.
    status : str    ``ok`` or a word: ``unknown-chip``, ``bad-number`` and so on.
    reason : str    A sentence where the status is not ``ok``.
    source, chip, regime, table : str   As written, so that rows that fail are counted where they
                    belong.
    """

    id: str
    line: int
    run: Run | None
    metric: str
    value: float | None
    status: str = OK
    reason: str = ""
    source: str = ""
    chip: str = ""
    regime: str = ""
    table: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted number with its 80% interval, or the reason why there is none.

    Attributes
    ----------
    value, low, high : float   In the unit of the row's metric; NaN where there is none.
    status : str               ``ok`` or a word.
    reason : str               What was assumed or why there is no number; may be empty.
    """

    value: float
    low: float
    high: float
    status: str = OK
    reason: str = ""
