"""What was priced, and every quantity that an engine's option may be set to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import engine as engine_of
from ridgeline.catalog import engine_flags
from ridgeline.errors import InfeasibleError
from ridgeline.laws.experts import slots_per_chip
from ridgeline.laws.parallel import domains_spanned
from ridgeline.questions.launch.places import too_many_hosts
from ridgeline.questions.launch.refused import LayoutError
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.refusal import first_refusal
from ridgeline.steps.machine import chip_capacity_bytes

if TYPE_CHECKING:
    from ridgeline.replica import Replica
    from ridgeline.service.requests import Requests
    from ridgeline.specs.engine_flags import EngineFlags
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps.memory import MemoryPerChip

__all__ = ["Priced", "quantities", "refuses", "round_down", "runs_on_chip"]

_WIDE = ("bf16", "fp16", "fp32")
#: sequences that a fleet's replica has slots for, over those that are live on average
_SPARE = 2
#: what shares of memory are rounded down to
_STEP = 0.01


@dataclass(frozen=True)
class Priced:
    """Replicas that were priced alike: all of a system, or one of its two pools.

    Attributes
    ----------
    replica : Replica      One of them: model, machine, layout, engine's settings.
    own : Model            The model as it was named, before a format was chosen.
    requests : Requests
    batch : float          Sequences in flight in one replica; of a fleet, those it has room for.
    n_replicas : int
    longest_tokens : int   Longest request, input and output; 0 where it is not known.
    kept_tokens : float    Tokens that memory keeps for a sequence.
    pool : str             ``prefill``, ``decode`` or empty.
    asked_batch : bool     The batch was asked for, so that it is not cut.
    n_live : float         Sequences of a replica that decode on average, where requests come and
                           go (a fleet); 0 where the batch is kept in flight.
    asked_step_tokens : int   The token budget where one was asked for, else 0.
    slot, first_chip : int   Servers on its host before it, and chips that they have: see `placed`.
    """

    replica: Replica
    own: Model
    requests: Requests
    batch: float
    n_replicas: int = 1
    longest_tokens: int = 0
    kept_tokens: float = 0.0
    pool: str = ""
    asked_batch: bool = False
    n_live: float = 0.0
    asked_step_tokens: int = 0
    slot: int = 0
    first_chip: int = 0

    @property
    def layout(self) -> Layout:
        """How one replica is divided over chips."""
        return self.replica.layout

    @property
    def n_chips(self) -> int:
        """Chips of one replica."""
        return self.layout.pp * self.layout.attn_dp * self.layout.tp

    @property
    def chips_per_host(self) -> int:
        """Chips that one operating system sees."""
        return self.replica.cluster.chips_per_host

    @property
    def servers_per_host(self) -> int:
        """Replicas that a host has room for."""
        return max(self.chips_per_host // self.n_chips, 1)

    @property
    def fills_hosts(self) -> bool:
        """Whether replicas leave no chip of their hosts unused."""
        n, each = self.n_chips, self.chips_per_host
        return n % each == 0 or each % n == 0

    @cached_property
    def held(self) -> MemoryPerChip:
        """What the fullest chip holds."""
        return self.replica.memory(self.kept_tokens, drafts=self.requests.has_drafts)

    @property
    def n_nodes(self) -> int:
        """Hosts of one replica."""
        return -(-self.n_chips // self.chips_per_host)

    @property
    def chips_per_node(self) -> int:
        """Chips of a replica on each of its hosts.

        Raises
        ------
        LayoutError   They do not divide over the hosts.
        """
        if self.n_chips % self.n_nodes:
            raise LayoutError(
                f"A replica of {self.n_chips} chips does not divide evenly over {self.n_nodes} "
                f"hosts of {self.chips_per_host}: engines want as many on each",
                "Choose other degrees (--tp, --pp, --attn-dp).",
            )
        return self.n_chips // self.n_nodes

    @property
    def converts(self) -> bool:
        """Whether weights were priced in another format than the model's own checkpoint has."""
        model = self.replica.model
        return (model.weight_dtype, model.dtypes) != (self.own.weight_dtype, self.own.dtypes)

    @property
    def own_is_wide(self) -> bool:
        """Whether the model's own checkpoint has 16 bits per weight, which engines can convert."""
        return self.own.weight_dtype in _WIDE


def round_down(share: float) -> float:
    """A share of memory in hundredths, never more than it is."""
    return math.floor(share / _STEP + 1e-6) * _STEP


def refuses(priced: Priced, engine: str) -> str:
    """Why an engine cannot run a layout that was priced; empty where it can.

    Parameters
    ----------
    priced : Priced
    engine : str   Id of an engine with flags, that runs on the chip: see `runs_on_chip`.

    Raises
    ------
    CatalogError   Nobody knows the engine.
    """
    flags, layout = engine_flags(engine), priced.layout
    cannot = engine_of(engine).cannot_run(
        pp=layout.pp, attn_dp=layout.attn_dp, tp=layout.tp, ep=layout.ep
    )
    own = first_refusal(flags.refuses, shape(priced, engine))
    return cannot or own or too_many_hosts([priced])


def runs_on_chip(priced: Priced, engine: str) -> bool:
    """Whether an engine runs on the chips that were priced, in whatever layout.

    Parameters
    ----------
    priced : Priced
    engine : str   Id of an engine with flags.
    """
    return priced.replica.cluster.chip.vendor in engine_flags(engine).vendors


def shape(priced: Priced, engine: str) -> dict[str, Any]:
    """Quantities of layout, drafts and pool, which say whether an engine can do it.

    Parameters
    ----------
    priced : Priced
    engine : str   Id of the engine that is started, whose limits they are.
    """
    layout, vendor = priced.layout, priced.replica.cluster.chip.vendor
    drafts = float(priced.requests.drafts)
    degrees = engine_of(engine).of_degrees(
        pp=layout.pp, attn_dp=layout.attn_dp, tp=layout.tp, ep=layout.ep
    )
    return degrees | {
        "n_replicas": priced.n_replicas,
        "n_nodes": priced.n_nodes,
        "several_nodes": priced.n_nodes > 1,
        "has_drafts": drafts > 0,
        "drafts_itself": drafts > 0 and bool(priced.own.mtp),
        "drafts_by_model": drafts > 0 and not priced.own.mtp,
        "is_pool": bool(priced.pool),
        "is_prefill": priced.pool == "prefill",
        "is_decode": priced.pool == "decode",
        "is_nvidia": vendor == "NVIDIA",
        "is_amd": vendor == "AMD",
        "has_requests": bool(priced.requests.osl),
        **_wide_experts(priced, engine),
    }


def _wide_experts(priced: Priced, engine: str) -> dict[str, Any]:
    """Copies of hot experts and micro-batches, where they were priced and the engine has them."""
    replica, started = priced.replica, engine_of(engine)
    layout, rules = replica.layout, replica.expert_rules
    routed = [b.ffn.n_experts for b in replica.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    copies, splits, n_copies = False, False, 0
    if routed and replica.how.calibrated:
        copies = bool(rules.balances(layout)) and started.expert_copies is not None
        slots = slots_per_chip(max(routed), layout.ep, rules.copies_share) * layout.ep
        n_copies = int(slots) - max(routed) if copies else 0
        across = domains_spanned(layout.attn_dp * layout.tp, replica.cluster.domain_size) > 1
        splits = bool(rules.sends(layout)) and across and rules.split_min_tokens < math.inf
    return {
        "copies_experts": copies,
        "expert_copies": n_copies,
        "splits_steps": bool(splits and started.micro_batches is not None),
    }


def quantities(priced: Priced, flags: EngineFlags, node: int = 0) -> dict[str, Any]:
    """Everything an option may be set to, by the names the catalogue uses.

    Parameters
    ----------
    priced : Priced
    flags : EngineFlags   Of the engine that is started.
    node : int            Which host of a replica.

    Raises
    ------
    InfeasibleError   The engine has no such format of the cache, drafts are not whole, or the
                      chips do not divide over hosts.
    """
    known = shape(priced, flags.id)
    model, layout = priced.replica.model, priced.layout
    if model.kv_dtype not in flags.kv_formats:
        raise InfeasibleError(
            f"{flags.name} has no flag here for a cache in {model.kv_dtype}: it has "
            f"{', '.join(flags.kv_formats)} (--kv)."
        )
    drafts = float(priced.requests.drafts)
    if drafts % 1:
        raise InfeasibleError(
            f"An engine drafts a whole number of tokens, not {drafts:g} (--drafts)."
        )
    per_rank = _sequences(priced, flags)
    budget = _step_tokens(priced, per_rank)
    chips = priced.chips_per_node
    rank_chips = layout.tp * layout.pp
    ranks = chips // rank_chips
    usual_kv = next(iter(flags.kv_formats.values()))
    return known | {
        "sequences_per_rank": per_rank,
        "sequences": per_rank * layout.attn_dp,
        "step_tokens": budget,
        "step_tokens_all": budget * layout.attn_dp,
        "asked_step_tokens": priced.asked_step_tokens,
        "longest_tokens": priced.longest_tokens,
        "context_of_slots": priced.longest_tokens * per_rank,
        "memory_share": _memory_share(priced, flags),
        "kv_format": flags.kv_formats[model.kv_dtype],
        "narrow_kv": flags.kv_formats[model.kv_dtype] != usual_kv and model.kv_dtype not in _WIDE,
        "caches_prefixes": bool(priced.requests.cached > 0),
        "drafts": int(drafts),
        "verified": int(drafts) + 1,
        "even_split": ",".join(["1"] * priced.n_chips),
        "chips_per_node": chips,
        "ranks_fit_nodes": chips % rank_chips == 0,
        "ranks_per_node": ranks,
        "node": node,
        "first_rank": node * ranks,
        "is_first_node": node == 0,
        "other_port": flags.port + priced.slot if priced.slot else 0,
        "cache_port": flags.cache_port + priced.slot * flags.cache_ports,
    }


def _sequences(priced: Priced, flags: EngineFlags) -> int:
    """Sequences of a rank to allow: those priced.

    Room that a fleet does not use is left out: memory for it is set aside when an engine starts. An
    engine that takes no more allows what it takes, unless as many were asked for or are live.
    """
    ranks = priced.layout.attn_dp
    per_rank, live = math.ceil(priced.batch / ranks), math.ceil(priced.n_live / ranks)
    if not priced.asked_batch and 0 < _SPARE * live <= flags.usual_sequences:
        per_rank = min(per_rank, flags.usual_sequences)
    most = flags.most_sequences or per_rank
    needed = per_rank if priced.asked_batch else live
    if needed > most:
        raise LayoutError(
            f"{flags.name} takes at most {most} sequences, not {needed:,}",
            "Ask for fewer (--batch, --max-sequences), or for more replicas.",
        )
    return max(min(per_rank, most), 1)


def _step_tokens(priced: Priced, per_rank: int) -> int:
    """Tokens of a step: the budget, but at least a token and its drafts of every sequence."""
    least = per_rank * (1 + math.ceil(float(priced.requests.drafts)))
    return max(priced.replica.engine.token_budget, least)


def _memory_share(priced: Priced, flags: EngineFlags) -> float | None:
    """The engine's own share of memory that leaves caches as much as was priced. [1]"""
    settings = priced.replica.engine
    if flags.memory == "none":
        return None
    if flags.memory == settings.memory_share_of and settings.reserve is None:
        return round(settings.memory_share, 4)
    held = priced.held
    capacity = float(chip_capacity_bytes(priced.replica.cluster.chip))
    weights, fixed = float(held.loaded_bytes), float(held.fixed_bytes)
    caches, unused = max(capacity - fixed, 0.0), float(held.unused_bytes)
    shares = {
        "all": (capacity - unused) / capacity,
        "static": (weights + caches) / capacity,
        "free": caches / max(capacity - fixed + unused, 1.0),
    }
    return round(round_down(shares[flags.memory]), 2)
