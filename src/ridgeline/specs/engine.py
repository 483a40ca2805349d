"""What a serving engine is: its releases, how it schedules, what it does with memory."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ridgeline.specs.engine_start import Pad, Sized, Start, StaticReserve
from ridgeline.specs.eras import HasEras
from ridgeline.specs.quantities import Bytes, PositiveCount
from ridgeline.specs.record import Record
from ridgeline.specs.refusal import Refusal, first_refusal

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip

__all__ = ["Engine", "ExpertCopies", "MicroBatches"]

#: a start that was chosen for a release is of all that is asked
_ANY: dict[str, Any] = {"versions": ()}


class MicroBatches(Record):
    """Two micro-batches in flight, so that experts' tokens of one travel while the other computes.

    Engines do so only where they are told; it is taken that whoever spreads experts over several
    domains tells them, and that they run in one batch where that is faster.

    Attributes
    ----------
    min_tokens, min_prompt_tokens : int   New tokens of a rank from which a step is split: of steps
                              that only decode, and of those with prompts. [tokens]
    eras : tuple of str       Eras that have it; empty for all.
    source : str
    """

    min_tokens: PositiveCount
    min_prompt_tokens: PositiveCount
    eras: tuple[str, ...] = ()
    source: str


class ExpertCopies(Record):
    """Copies of hot experts, and a balancer that deals experts out so that ranks are even.

    Attributes
    ----------
    share : float         Copies over experts, at the least: slots are filled up to whole ranks. [1]
    eras : tuple of str   Eras that have it; empty for all.
    source : str
    """

    share: float = Field(ge=0, le=1)
    eras: tuple[str, ...] = ()
    source: str


class UsualCache(Record):
    """The format of caches that goes with weights narrower than 9 bits, where nobody says.

    Attributes
    ----------
    chips : tuple of str   Patterns of ids of chips that it is usual on.
    cache : str            The format.
    source : str           Where this is known from.
    """

    chips: tuple[str, ...] = ("*",)
    cache: str
    source: str


class Engine(HasEras):
    """Facts of an engine; what it costs in time is fitted: see `EngineConstants`.

    Attributes
    ----------
    names : tuple of str      How tables call it.
    eras : tuple of Era       Oldest first; the first whose pattern fits a version is meant.
    since : str               Date of the releases, where all run alike.
    stands_for : tuple of str   Eras whose mean a name such as ``current`` means.
    prompts_first : bool      Prompts run before, not beside, sequences that decode.
    polling_steps : float     Steps between two looks for new requests: a request waits for half of
                              those beyond one. [1]
    dp_wait_steps : float     Steps at most that prompts wait until every rank of attention data
                              parallelism has one: half of them on the mean. [1]
    token_budget : int        New tokens of a step at most. [tokens]
    max_sequences : int       Sequences of a rank at most. [1]
    sized : tuple of Sized    Settings of its own on smaller chips, smallest first.
    memory_share : float      Of the memory, for everything; of what weights leave, for caches; or
                              of the memory, for weights and caches.
    memory_share_of : str     ``all``, ``free`` or ``static``.
    runtime_bytes : bytes     What a process takes besides weights and caches, activations and
                              buffers included where those are less. [bytes]
    starts : tuple of Start   What it tries out before it gives the rest to caches, by release; of
                              those that fit a release the first. Empty where it tries out nothing.
    reserve : StaticReserve or None   Its rule for what weights and caches leave, in place of a
                              share of the memory.
    pads : mapping            Format of experts to how they are widened when they are loaded.
    reserves_output : bool    A sequence is admitted only when all its output would fit.
    allgather_dispatch_max_chips : int   Chips up to which ranks of attention data parallelism
                              gather all tokens for their experts; more of them send each token to
                              its own. [1]
    micro_batches, expert_copies : MicroBatches, ExpertCopies or None   What it has for experts that
                              are sent their tokens (more chips than the above); None: not that.
    prompt_chunk : int        Tokens in which a prompt passes pipeline stages; 0 is in one piece.
    adds_in_fp16 : bool       Products add up in fp16, which GeForce does at twice its listed rate.
    refuses : tuple of Refusal   Layouts that it does not have, by conditions of `of_degrees`.
    usual_caches : tuple of UsualCache   Formats of caches that runs are taken to have which do not
                              state theirs; the first that fits a chip is meant.
    narrow_caches, narrow_weights : tuple of str   Narrower formats that are usual with it, widest
                              first.
    """

    name: str
    names: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()
    prompts_first: bool = False
    polling_steps: float = Field(default=1.0, ge=1)
    dp_wait_steps: float = Field(default=0.0, ge=0)
    token_budget: PositiveCount = 8192
    max_sequences: PositiveCount = 256
    sized: tuple[Sized, ...] = ()
    memory_share: float = Field(default=0.9, gt=0, le=1)
    memory_share_of: Literal["all", "free", "static"] = "all"
    runtime_bytes: Bytes = 1.5e9
    starts: tuple[Start, ...] = ()
    reserve: StaticReserve | None = None
    pads: dict[str, Pad] = Field(default_factory=dict)
    reserves_output: bool = False
    allgather_dispatch_max_chips: int = Field(default=0, ge=0)
    micro_batches: MicroBatches | None = None
    expert_copies: ExpertCopies | None = None
    prompt_chunk: int = Field(default=0, ge=0)
    adds_in_fp16: bool = False
    refuses: tuple[Refusal, ...] = ()
    usual_caches: tuple[UsualCache, ...] = ()
    narrow_caches: tuple[str, ...] = ("fp8",)
    narrow_weights: tuple[str, ...] = ("fp8", "nvfp4")
    notes: str = ""

    @property
    def start(self) -> Start | None:
        """What it tries out at its start; of a release that is not named what most of them do."""
        return next((s for s in self.starts if not s.versions), None)

    def on(self, chip: Chip, version: str = "", date: str = "") -> Engine:
        """The engine as a release of it sets itself up on a chip.

        Parameters
        ----------
        chip : Chip
        version : str   As a table writes it; empty for the newest, or that of the date.
        date : str      ISO.

        Examples
        --------
        >>> from ridgeline.catalog import chip, engine
        >>> [engine("vllm").on(chip(c)).token_budget for c in ("h100-sxm", "rtx-4090")]
        [8192, 2048]
        """
        memory = chip.memory.usable or chip.memory.capacity
        most = self.era(version, date).max_sequences or self.max_sequences
        changes: dict[str, Any] = {"max_sequences": most}
        if version:
            started = next((s for s in self.starts if s.is_of(version)), None)
            changes["starts"] = () if started is None else (started.model_copy(update=_ANY),)
        own = next((s for s in self.sized if s.is_of(chip.id, memory)), None)
        if own is not None:
            changes["token_budget"] = min(own.token_budget, self.token_budget)
            changes["max_sequences"] = min(own.max_sequences or most, most)
            if self.reserve is not None and own.graph_sequences is not None:
                graphs = {"graph_sequences": own.graph_sequences}
                changes["reserve"] = self.reserve.model_copy(update=graphs)
        return self.model_copy(update=changes)

    def usual_cache(self, chip_id: str) -> str:
        """The format of caches beside narrow weights on a chip; empty where it is the model's own.

        Examples
        --------
        >>> from ridgeline.catalog import engine
        >>> engine("vllm").usual_cache("b200-sxm"), engine("vllm").usual_cache("h100-sxm")
        ('fp8', '')
        """
        fit = (u.cache for u in self.usual_caches if any(fnmatchcase(chip_id, p) for p in u.chips))
        return next(fit, "")

    def of_degrees(
        self, *, pp: int = 1, attn_dp: int = 1, tp: int = 1, ep: int = 1
    ) -> dict[str, Any]:
        """Quantities of a replica that follow from its degrees alone, by name.

        Parameters
        ----------
        pp, attn_dp, tp, ep : int   Of one replica.

        Examples
        --------
        >>> Engine(id="x", name="X").of_degrees(attn_dp=2, tp=4, ep=8)["spreads_some"]
        False
        """
        stage = attn_dp * tp
        return {
            "tp": tp,
            "pp": pp,
            "attn_dp": attn_dp,
            "ep": ep,
            "stage_chips": stage,
            "replica_chips": pp * stage,
            "has_several_chips": pp * stage > 1,
            "has_tp": tp > 1,
            "has_pp": pp > 1,
            "has_attn_dp": attn_dp > 1,
            "spreads_experts": ep > 1,
            "spreads_some": ep not in (1, stage),
            # Ranks send each token to its own experts, by kernels for that.
            "exchanges": attn_dp > 1 and ep > 1 and stage > self.allgather_dispatch_max_chips,
        }

    def cannot_run(self, *, pp: int = 1, attn_dp: int = 1, tp: int = 1, ep: int = 1) -> str:
        """Why it has no layout of such degrees, in words; empty where it has.

        Parameters
        ----------
        pp, attn_dp, tp, ep : int   All of one replica: they are judged together.

        Examples
        --------
        >>> from ridgeline.catalog import engine
        >>> engine("vllm").cannot_run(tp=8, ep=2)
        'vLLM spreads experts over all 8 chips of a stage or over none, not over 2'
        """
        if not self.refuses:
            return ""
        known = self.of_degrees(pp=pp, attn_dp=attn_dp, tp=tp, ep=ep)
        return first_refusal(self.refuses, known)
