"""What a search of training layouts tries: values by axis, and the combinations that can be."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from ridgeline.errors import SpecError, there_is_no
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.training.legal import tp_takes
from ridgeline.questions.training.setup import GLOBAL_BATCH, TrainingSetup
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.specs.training import (
    Degree,
    Offload,
    Overlap,
    Recompute,
    TrainingLayout,
    TrainingLoad,
)
from ridgeline.trainer.state import SHARDS_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.trainer.job import TrainingJob

__all__ = ["AXES", "Space", "recompute_of", "usual_batch"]

#: in the order in which combinations are made: what rules out most comes first
AXES: Final = (
    "tp", "pp", "cp", "dp", "ep", "expert_tp", "schedule", "vp", "micro_batch", "zero", "shard",
    "sequence_parallel", "recompute", "offload", "overlap", "order",
)  # fmt: skip
#: axes of whole numbers
_COUNTS = {"tp", "pp", "cp", "dp", "ep", "expert_tp", "vp", "micro_batch", "zero", "shard"}
_WORDS: dict[str, tuple[str, ...]] = {
    "recompute": get_args(Recompute),
    "schedule": tuple(SCHEDULES),
}
_PARTS: dict[str, tuple[str, ...]] = {
    "offload": get_args(Offload),
    "overlap": get_args(Overlap),
    "order": get_args(Degree),
}
#: values that stand for what follows from others: experts as wide as the framework has it, all
#: ranks share, the framework's own overlap, no stages to schedule
_OPEN = {"expert_tp", "shard", "overlap", "schedule"}
_LAYERS = "layers"
_ORDER = TrainingLayout.model_fields["order"].default

# What people choose, where nobody says. Of chunks and micro-batches more than these are rare; of a
# sequence ranks have some thousands of tokens each, or its exchange outlasts attention.
_MOST_CHUNKS, _MOST_SEQUENCES, _MOST_TOKENS, _LEAST_TOKENS = 12, 8, 32_768, 4096
#: without a fused core its scores are what recompute saves first
_AGAIN = {True: "products", False: "selective"}


def recompute_of(value: str) -> tuple[str, int]:
    """A value of the axis ``recompute`` as the recipe has it: what, and of how many layers.

    Examples
    --------
    >>> recompute_of("layers 4"), recompute_of("full")
    (('layers', 4), ('full', 0))
    """
    kind, _, layers = value.partition(" ")
    return kind, int(layers or 0)


def usual_batch(n_chips: int) -> int:
    """Sequences of a step where nobody says: about 1,024, with the odd factors of the chips.

    Parameters
    ----------
    n_chips : int

    Examples
    --------
    >>> [usual_batch(n) for n in (64, 16_384, 24, 7)]
    [1024, 1024, 768, 896]
    """
    odd = n_chips // (n_chips & -n_chips)
    return odd * 2 ** max(round(math.log2(GLOBAL_BATCH / odd)), 0)


@dataclass(frozen=True)
class Space:
    """Values that a search tries, by axis.

    Attributes
    ----------
    setup : TrainingSetup     What the scenario says of model, machine, load and framework.
    values : dict             Axis of `AXES` to its values. Those of ``recompute`` are names, and
                              ``layers 4`` for 4 layers of a stage. None is the framework's custom
                              (``expert_tp``, ``overlap``), all ranks (``shard``), or one stage
                              alone (``schedule``).
    """

    setup: TrainingSetup
    values: dict[str, tuple[Any, ...]]

    @classmethod
    def of(cls, setup: TrainingSetup, *, wide: bool = False, **stated: Iterable[Any]) -> Space:
        """The values of a search: those of the scenario, those stated, else those usual.

        Parameters
        ----------
        setup : TrainingSetup   What its scenario fixes has that value alone.
        wide : bool             Of axes that nobody states every value, not only those that people
                                choose.
        **stated : iterables    Values by axis; ``dp`` follows from the other degrees.

        Raises
        ------
        SpecError   An axis that there is not, that the scenario fixes, or a value of another kind.
        """
        usual = _Usual(setup, wide)
        fixed = usual.fixed()
        found = {axis: fixed.get(axis) or getattr(usual, axis)() for axis in AXES if axis != "dp"}
        for axis, values in stated.items():
            if axis not in AXES:
                raise SpecError(there_is_no("axis", axis, AXES))
            if axis in fixed:
                raise SpecError(f"{axis} is fixed by the question: state its values, or fix one.")
            found[axis] = _checked(axis, values)
        degrees = ((t, p, c) for t in found["tp"] for p in found["pp"] for c in found["cp"])
        left = {
            setup.n_chips // (t * p * c) for t, p, c in degrees if not setup.n_chips % (t * p * c)
        }
        asked = fixed.get("dp") or found.get("dp") or tuple(sorted(left))
        found["dp"] = tuple(d for d in asked if d in left) or asked or (1,)
        return cls(setup, {axis: found[axis] for axis in AXES})

    @property
    def sizes(self) -> tuple[int, ...]:
        """Values of each axis, in the order of `AXES`."""
        return tuple(len(self.values[axis]) for axis in AXES)

    def __str__(self) -> str:
        """Axes and their values: ``tp 1, 2, 4; pp 1, 2; ...``; those of one value left out."""
        many = (axis for axis in AXES if len(self.values[axis]) > 1)
        return "; ".join(f"{axis.replace('_', ' ')} {self.listed(axis)}" for axis in many)

    def listed(self, axis: str) -> str:
        """The values of an axis in words."""
        between = ", " if axis not in _PARTS else "; "
        return between.join(self.word(axis, value) for value in self.values[axis])

    @staticmethod
    def word(axis: str, value: Any) -> str:
        """A value of an axis in a word."""
        if value is None:
            return {"shard": "all", "schedule": "none"}.get(axis, "custom")
        if isinstance(value, bool):
            return "on" if value else "off"
        return ",".join(value) or "none" if isinstance(value, tuple) else str(value)

    @cached_property
    def load(self) -> TrainingLoad:
        """What a step takes in, the same for all: see `usual_batch` where nobody says."""
        asked = self.setup.scenario.load
        return TrainingLoad(
            seq_len=asked.seq,
            global_batch=asked.global_batch or usual_batch(self.setup.n_chips),
            document=asked.document,
        )

    @cached_property
    def plain(self) -> TrainingJob:
        """A job of one chip, of which all others are copies with other layouts and recipes."""
        one = self.setup.job(self.setup.layout({}), self.setup.recipe("none"))
        return replace(one, load=self.load)

    def job(self, values: dict[str, Any]) -> TrainingJob:
        """The job of one value of each axis; of an axis left out the first.

        Parameters
        ----------
        values : dict   By axis.
        """
        full = {axis: values.get(axis, self.values[axis][0]) for axis in AXES}
        kind, layers = recompute_of(full["recompute"])
        base = self.plain
        layout = TrainingLayout.model_construct(
            **{
                **dict(base.layout),
                **{n: full[n] for n in AXES if n in TrainingLayout.model_fields},
            }
        )
        recipe = base.recipe.model_copy(
            update={
                "micro_batch": full["micro_batch"],
                "schedule": full["schedule"],
                "recompute": kind,
                "recompute_layers": layers,
                "offload": full["offload"],
                "overlap": full["overlap"],
            }
        )
        found = replace(base, layout=layout, recipe=recipe)
        # What follows from framework and machine alone is found once.
        found.__dict__["own_framework"] = base.own_framework
        found.__dict__["calibration"] = base.calibration
        return found

    def numbers(self, axis: str) -> np.ndarray:
        """An axis of whole numbers as an array; of all ranks more than there are."""
        return np.array([np.inf if v is None else v for v in self.values[axis]], dtype=float)


def _checked(axis: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Values of an axis as a caller states them, each once.

    Raises
    ------
    SpecError   None of them, or one of another kind.
    """
    found = tuple(dict.fromkeys(tuple(v) if isinstance(v, list) else v for v in values))
    if not found:
        raise SpecError(f"{axis}: values to try are expected, not nothing.")
    for value in found:
        _check(axis, value)
    # Of values alike for a layout the first is listed: the usual order, where it is among them.
    return tuple(sorted(found, key=lambda v: v != _ORDER)) if axis == "order" else found


def _check(axis: str, value: Any) -> None:
    """Refuse a value of another kind.

    Raises
    ------
    SpecError
    """
    if value is None and axis in _OPEN:
        return
    if axis in _COUNTS:
        _check_count(axis, value)
    elif axis in _WORDS:
        _check_word(axis, str(value))
    elif axis in _PARTS:
        _check_parts(axis, value if isinstance(value, tuple) else (value,))
    elif not isinstance(value, bool):
        raise SpecError(f"{axis}: True and False are expected, not {value!r}.")


def _check_count(axis: str, value: Any) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    least, most = (0, SHARDS_PARAMETERS) if axis == "zero" else (1, np.inf)
    if not whole or value < least or value > most:
        upto = f" to {SHARDS_PARAMETERS}" if axis == "zero" else ""
        raise SpecError(f"{axis}: whole numbers from {least}{upto} are expected, not {value!r}.")


def _check_word(axis: str, value: str) -> None:
    word, _, layers = value.partition(" ")
    if word not in _WORDS[axis] or (layers and axis != "recompute"):
        raise SpecError(f"{axis}: {there_is_no('kind', value, _WORDS[axis])}")
    if (word == _LAYERS) != layers.isdigit() or layers == "0":
        raise SpecError(f"{axis}: layers and a number, such as 'layers 4', not {value!r}.")


def _check_parts(axis: str, parts: tuple[Any, ...]) -> None:
    known = _PARTS[axis]
    for part in parts:
        if part not in known:
            raise SpecError(f"{axis}: {there_is_no('part', str(part), known)}")
    if axis == "order" and sorted(map(str, parts)) != sorted(known):
        raise SpecError(f"order: each of {', '.join(known)} once, not {', '.join(parts)}.")


class _Usual:
    """Values of each axis where nobody states any."""

    def __init__(self, setup: TrainingSetup, wide: bool) -> None:
        self.setup, self.wide = setup, wide
        self.n_layers = sum(int(block.repeat) for block in setup.model.blocks)
        self.load = setup.scenario.load

    def fixed(self) -> dict[str, tuple[Any, ...]]:
        """What the scenario says, by axis."""
        layout, recipe = self.setup.scenario.layout, self.setup.scenario.recipe
        found: dict[str, tuple[Any, ...]] = {n: (v,) for n, v in layout.degrees.items()}
        found |= {
            n: (v,)
            for n in ("zero", "shard", "sequence_parallel")
            if (v := getattr(layout, n)) is not None
        }
        if recipe.schedule is not None:
            found["schedule"] = (recipe.schedule,)
        if again := self.setup.recompute:
            layers = f" {recipe.recompute_layers}" if again == _LAYERS else ""
            found["recompute"] = (again + layers,)
        for record, name in ((recipe, "micro_batch"), (recipe, "offload"), (layout, "order")):
            if name in record.model_fields_set:
                found[name] = (getattr(record, name),)
        if recipe.overlap is not None:
            found["overlap"] = (recipe.overlap,)
        return found

    @cached_property
    def divisors(self) -> list[int]:
        """Numbers that divide the chips."""
        n = self.setup.n_chips
        return [d for d in range(1, n + 1) if n % d == 0]

    def tp(self) -> tuple[int, ...]:
        """Those that divide the heads; usually within a scale-up domain."""
        most = self.setup.n_chips if self.wide else self.setup.cluster.domain_size
        own = tuple(d for d in self.divisors if d <= most and tp_takes(self.setup.model, d))
        return own or (1,)

    def pp(self) -> tuple[int, ...]:
        """As many stages as there are layers."""
        return tuple(d for d in self.divisors if d <= self.n_layers)

    def cp(self) -> tuple[int, ...]:
        """Ranks that share a sequence; usually so few that each has some thousands of tokens."""
        least = 1 if self.wide else _LEAST_TOKENS
        most = max(self.load.seq // least, 1)
        return tuple(d for d in self.divisors if d <= most)

    def ep(self) -> tuple[int, ...]:
        """Those that divide the experts of a layer."""
        routed = self._routed()
        if not routed:
            return (1,)
        n_experts = min(moe.n_experts for moe in routed)
        return tuple(d for d in self.divisors if n_experts % d == 0)

    def _routed(self) -> list[MixtureOfExperts]:
        return [b.ffn for b in self.setup.model.blocks if isinstance(b.ffn, MixtureOfExperts)]

    def expert_tp(self) -> tuple[int | None, ...]:
        """Experts cut as the framework does, and whole."""
        if not self._routed():
            return (None,)
        return (None, *self.tp()) if self.wide else (None, 1)

    def schedule(self) -> tuple[str | None, ...]:
        """Those that the framework is run with."""
        return (None, *(SCHEDULES if self.wide else self.setup.default.schedules))

    def vp(self) -> tuple[int, ...]:
        """Chunks of a stage; usually a few, which divide the layers or double."""
        if "interleaved" not in self.schedule():
            return (1,)
        most = self.n_layers if self.wide else min(self.n_layers, _MOST_CHUNKS)
        every = range(1, most + 1)
        if self.wide:
            return tuple(every)
        return tuple(v for v in every if not self.n_layers % v or v & (v - 1) == 0)

    def micro_batch(self) -> tuple[int, ...]:
        """Sequences of a micro-batch; usually a few, doubled while they are short."""
        batch = self.load.global_batch or usual_batch(self.setup.n_chips)
        most = batch if self.wide else _MOST_SEQUENCES
        more = [2**i for i in range(20) if most < 2**i <= _MOST_TOKENS // self.load.seq]
        return tuple(n for n in (*range(1, most + 1), *more) if batch % n == 0)

    def zero(self) -> tuple[int, ...]:
        """The framework's own, and both that are usual: the optimizer's state, and all."""
        own = {0, 1, 2, 3} if self.wide else {self.setup.default.zero, 1, 3}
        return tuple(sorted(own))

    def shard(self) -> tuple[int | None, ...]:
        """All ranks; besides those of fewer."""
        return (None, *self.divisors[1:]) if self.wide else (None,)

    def sequence_parallel(self) -> tuple[bool, ...]:
        """The framework's custom; besides the other."""
        own = self.setup.default.sequence_parallel
        return (own, not own) if self.wide else (own,)

    def recompute(self) -> tuple[str, ...]:
        """Nothing, some layers of a stage, what saves most at least cost, all."""
        era = self.setup.framework.era(self.setup.scenario.framework.version)
        most = self.n_layers
        # Doubled, and halfway between: a stage of four layers may do with three.
        doubled = sorted({n << i for n in (1, 3) for i in range(20)})
        layers = range(1, most) if self.wide else [n for n in doubled if n < most]
        part = _AGAIN[era.fused_attention]
        own = self.setup.default.recompute
        kinds = dict.fromkeys(
            ("none", "selective", "products") if self.wide else ("none", part, own)
        )
        found = [kind for kind in kinds if kind != "full"]
        return (*found, *(f"{_LAYERS} {n}" for n in layers), "full")

    def offload(self) -> tuple[tuple[str, ...], ...]:
        """Nothing is moved to the host unless it is stated."""
        return ((),)

    def overlap(self) -> tuple[tuple[str, ...] | None, ...]:
        """What the framework hides."""
        return (None,)

    def order(self) -> tuple[tuple[str, ...], ...]:
        """Data parallelism beside tensor parallelism, and stages beside it; besides all."""
        if self.wide:
            return tuple(permutations(get_args(Degree)))
        return ("tp", "cp", "dp", "pp"), ("tp", "cp", "pp", "dp")
