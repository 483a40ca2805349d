"""Flat names of the options of a question, as library functions take them: typed here, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.length_traces import LengthTrace
    from ridgeline.specs.lengths import Lengths
    from ridgeline.specs.limits import Limit
    from ridgeline.specs.price_list import PriceList
    from ridgeline.specs.rates import Rate

__all__ = ["ALIASES", "ScenarioOptions"]

#: earlier names of options
ALIASES: Final = {
    "weight_dtype": "weights",
    "kv_dtype": "kv",
    "activation_dtype": "activations",
    "expert_popularity_cv": "expert_load_cv",
    "ttft_s": "ttft",
    "tpot_s": "tpot",
    "e2e_s": "e2e",
}


class ScenarioOptions(TypedDict, total=False):
    """Flat names of all options of a `Scenario`, as library functions take them.

    None is as if an option were not given. Text is read as on the command line, but times need
    their unit. Units, ranges and meanings are those of the records' fields.
    """

    reading: str | None
    isl: float | str | Sequence[float] | Lengths | LengthTrace | None
    osl: float | str | Sequence[float] | Lengths | None
    context: Any
    prefix_hit: float | str | None
    drafts: float | str | None
    acceptance: float | str | None
    expert_load_cv: float | str | None
    arrival: str | None
    concurrency: Any
    rate: float | str | Rate | None
    batch: Any
    n_requests: float | str | None
    headroom: float | str | None
    ttft: float | str | Limit | None
    tpot: float | str | Limit | None
    e2e: float | str | Limit | None
    weights: str | None
    kv: str | None
    activations: str | None
    compute: str | None
    engine: str | None
    engine_version: str | None
    memory_utilization: float | str | None
    max_sequences: float | str | None
    token_budget: float | str | None
    constants: str | Path | EngineConstants | None
    price: float | str | None
    basis: str | None
    prices: str | Path | Sequence[Mapping[str, Any]] | PriceList | None
    tp: int | str | None
    pp: int | str | None
    attn_dp: int | str | None
    ep: int | str | None
    replicas: int | str | None
    chips: int | str | None
