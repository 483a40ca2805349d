"""What a training step needs to know to count ops: degrees, formats, which tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, get_args

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import ceil, floats, maximum, where
from ridgeline.laws.experts import busiest_rank_load
from ridgeline.laws.placement import members_in_domain
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.specs.layout import Layout
from ridgeline.specs.training import Degree, Overlap
from ridgeline.steps.counting import ExpertRules, StepCount
from ridgeline.steps.tokens import Group

if TYPE_CHECKING:
    from ridgeline.specs.framework import Framework, FrameworkEra
    from ridgeline.specs.model import Model
    from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe

__all__ = ["TrainingCount", "column", "in_format", "order_code", "overlap_code", "stride_of"]

_BITS_PER_BYTE = 8
#: attention is multiplied in it, and caches of it are what queries read
_ATTENTION = "bf16"
#: recipes that send tokens to experts in their own format (DeepSeek-V3, sec. 3.3.2)
_SENT_NARROW = ("fp8-block",)
#: of frozen weights in QLoRA
_FROZEN = "nf4"
_GROUPS = get_args(Overlap)
#: pairs of degrees, of which an order of all says which comes first
_PAIRS = tuple(combinations(get_args(Degree), 2))


def column(value: Any) -> Any:
    """A value of each row, of shape (..., rows), beside an axis of stages: (..., rows, 1)."""
    return floats(value)[..., None]


def in_format(model: Model, recipe: TrainingRecipe) -> Model:
    """The model with weights in the format of the recipe's products, attention in 16 bits."""
    name = _FROZEN if recipe.task == "qlora" else recipe.precision
    wide = _ATTENTION if recipe.precision != "fp32" else "fp32"
    narrow = model.with_weight_dtype(name, dtype_of(name).bits)
    dtypes = dict.fromkeys(narrow.dtypes, wide)
    if dtypes:
        narrow = narrow.model_copy(update={"dtypes": dtypes})
    return narrow.model_copy(update={"kv_dtype": wide, "index_dtype": wide})


def stride_of(layout: TrainingLayout, degree: str) -> Any:
    """Chips from one rank of a degree to the next. [1]"""
    stride: Any = 1
    if not isinstance(layout.order, tuple):
        for bit, (one, other) in enumerate(_PAIRS):
            first = _digit(layout.order, bit)
            if other == degree:
                stride = stride * where(first, getattr(layout, one), 1)
            elif one == degree:
                stride = stride * where(first, 1, getattr(layout, other))
        return stride
    for name in layout.order[: layout.order.index(degree)]:  # type: ignore[arg-type]
        stride = stride * getattr(layout, name)
    return stride


def order_code(order: tuple[str, ...]) -> int:
    """An order of degrees as a number, for rows of jobs: a binary digit for each pair of them."""
    return sum(2**i * (order.index(a) < order.index(b)) for i, (a, b) in enumerate(_PAIRS))


def overlap_code(groups: tuple[str, ...]) -> int:
    """Groups whose exchanges run beside arithmetic as a number: a binary digit for each."""
    return sum(2**i * (name in groups) for i, name in enumerate(_GROUPS))


def _digit(code: Any, i: int) -> Any:
    """Whether a binary digit of whole numbers is 1; rounding up is quicker than remainders."""
    return ceil(-code / 2.0 ** (i + 1)) * 2 > ceil(-code / 2.0**i)


@dataclass(frozen=True)
class TrainingCount:
    """One micro-batch of a training step, as the pieces of a layer ask for it.

    Attributes
    ----------
    model : Model          In the recipe's format: see `in_format`.
    layout, recipe, load : TrainingLayout, TrainingRecipe, TrainingLoad
    framework, era : Framework, FrameworkEra
    domain_size : array    Chips of a scale-up domain. [1]
    expert_load_cv : array   As in `ridgeline.steps.ops`.
    even : bool            Experts' tokens fall evenly on their ranks.
    """

    model: Model
    layout: TrainingLayout
    recipe: TrainingRecipe
    load: TrainingLoad
    framework: Framework
    era: FrameworkEra
    domain_size: Any
    expert_load_cv: Any = 0.0
    even: bool = False

    @cached_property
    def expert_tp(self) -> Any:
        """Chips that share one expert. [1]"""
        if self.layout.expert_tp is not None:
            return self.layout.expert_tp
        if self.framework.expert_tp == "tp":
            return self.layout.tp
        # Experts that are not spread are cut like all else.
        return where(self.layout.ep > 1, 1, self.layout.tp)

    @cached_property
    def expert_chips(self) -> Any:
        """Chips that hold all experts of a layer once. [1]"""
        return maximum(self.layout.ep * self.expert_tp, self.layout.tp)

    @cached_property
    def expert_ranks(self) -> Any:
        """Of ranks with tokens of their own, those that share experts. [1]"""
        return self.expert_chips / self.layout.tp

    @cached_property
    def step(self) -> StepCount:
        """One micro-batch of as many ranks as share experts."""
        layout, recipe, load = self.layout, self.recipe, self.load
        document = load.seq_len if load.document is None else load.document
        n = recipe.micro_batch * self.expert_ranks * load.seq_len / document
        # A rank of context parallelism has a share of each document, early and late tokens of it.
        new = document / layout.cp
        group = Group("forward", n, new, (document - new) / 2, sampled=new)
        spread = Layout.model_construct(
            replicas=1,
            pp=1,
            attn_dp=self.expert_ranks,
            tp=layout.tp,
            ep=self.expert_chips / self.expert_tp,
        )
        wide = _ATTENTION if recipe.precision != "fp32" else "fp32"
        element = dtype_of(wide).bits
        return StepCount(
            self.model,
            spread,
            (group,),
            self.domain_size / stride_of(layout, "tp"),
            element / _BITS_PER_BYTE,
            dtype_of(recipe.precision if recipe.precision in _SENT_NARROW else wide).bits / 8,
            self.expert_load_cv,
            ExpertRules(),
            self.even,
            layout.sequence_parallel,
        )

    def hides(self, group: Overlap) -> Any:
        """Whether a group's exchanges run beside arithmetic; an array where rows differ."""
        asked: Any = self.recipe.overlap
        if asked is None:
            return group in self.framework.hides
        return group in asked if isinstance(asked, tuple) else _digit(asked, _GROUPS.index(group))

    @property
    def folded(self) -> bool:
        """Whether chunks of layers run down the stages and up again."""
        schedule = self.recipe.schedule
        return schedule is not None and SCHEDULES[schedule].shape == "folded"

    def expert_load(self, n_experts: Any, n_active: Any) -> Any:
        """Tokens of the busiest rank of experts over the mean; 1 where they fall evenly. [1]"""
        if self.even:
            return 1.0
        ranks = self.expert_chips / self.expert_tp
        tokens = self.tokens * self.expert_ranks
        return busiest_rank_load(tokens, n_experts, n_active, ranks, self.expert_load_cv)

    @property
    def weight_bytes(self) -> float:
        """Of one parameter, in the width that passes read. [bytes]"""
        return 4.0 if self.recipe.precision == "fp32" else 2.0

    @property
    def tokens(self) -> Any:
        """Of a micro-batch on one rank. [tokens]"""
        return self.step.tokens

    @cached_property
    def stream_tokens(self) -> Any:
        """Of them, those whose residual stream a chip holds. [tokens]"""
        return self.tokens / (self.layout.tp if self.layout.sequence_parallel else 1)

    def group(self, *degrees: str) -> tuple[Any, Any]:
        """Members of a group of degrees, and those of them in one domain. [1]"""
        size: Any = 1
        inside: Any = 1
        for name in degrees:
            degree = getattr(self.layout, name)
            size = size * degree
            stride = stride_of(self.layout, name)
            inside = inside * members_in_domain(degree, stride, self.domain_size)
        return size, inside
