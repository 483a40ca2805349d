"""Many steps of many models in one ledger: flat columns of ops, timed by one evaluation.

`count_ops` counts the steps of one model under arrays of layouts and loads. A ledger lays such
counts end to end by kind of op, each entry with the number of the step it belongs to. Counting is
done once; constants may then change as often as a fit wants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.stages import stage_imbalance
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import EXPERT_LOAD_CV
from ridgeline.steps.counting import ExpertRules
from ridgeline.steps.micro_batches import count_step
from ridgeline.steps.op import ROLES
from ridgeline.steps.tokens import Group, decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ridgeline.specs.model import Model
    from ridgeline.steps.op import Key, Op, StepOps

    Floats = NDArray[np.float64]

__all__ = ["N_SUMS", "Columns", "Fields", "Ledger", "Steps"]

#: what the columns of every piece hold
FIELDS = (
    "repeat", "m", "n", "k", "count", "flops", "weight_bytes", "kv_bytes", "activation_bytes",
    "held",
)  # fmt: skip
#: and of an exchange
SENDS = ("group", "payload_bytes", "n_domains", "share_across")
#: sums of a step's ops: in one batch, outside of layers with experts and within them; and of one
#: of two micro-batches, by `ROLES`
N_SUMS = 2 + len(ROLES)
_OUTSIDE, _WITHIN, _HALF = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of one model, an entry of each array a step of one replica.

    Attributes
    ----------
    tp, pp, attn_dp, ep : array   Degrees. [1]
    domain_size : array           Chips of a scale-up domain. [1]
    n_decode, context : array     Sequences that decode, and tokens the new one attends to.
    n_prefill, new, prefix : array   Prompts (or chunks) in the step, tokens of each, and those
                                  cached before.
    starting : array              Prompts that begin in the step: fewer than chunks. [1]
    drafts : array                Tokens drafted for each that decodes. [1]
    rules, expert_load_cv : ExpertRules, array   As in `ridgeline.steps.ops`. [1]
    """

    model: Model
    tp: Floats
    pp: Floats
    attn_dp: Floats
    ep: Floats
    domain_size: Floats
    n_decode: Floats
    context: Floats
    n_prefill: Floats
    new: Floats
    prefix: Floats
    starting: Floats
    drafts: Any = 0.0
    rules: ExpertRules = ExpertRules()  # noqa: RUF009  (a tuple)
    expert_load_cv: Any = EXPERT_LOAD_CV

    def __len__(self) -> int:
        return len(self.tp)

    @property
    def stage_imbalance(self) -> Floats:
        """How much longer a step takes because stages hold whole layers. [1]"""
        n_layers = sum(block.repeat for block in self.model.blocks)
        return np.asarray(stage_imbalance(n_layers, self.pp), dtype=float)

    def ops(self) -> StepOps:
        """Count the ops: see `ridgeline.steps.micro_batches`."""
        layout = Layout.model_construct(
            replicas=1, pp=self.pp, attn_dp=self.attn_dp, tp=self.tp, ep=self.ep
        )
        groups = []
        if np.any(self.n_decode > 0):
            groups.append(decode(self.n_decode, np.maximum(self.context, 1.0), self.drafts))
        if np.any(self.n_prefill > 0):
            groups.append(Group("prefill", self.n_prefill, np.maximum(self.new, 1.0), self.prefix))
        return count_step(
            self.model,
            layout,
            groups,
            domain_size=self.domain_size,
            expert_load_cv=self.expert_load_cv,
            rules=self.rules,
        )


class Columns:
    """Pieces of one kind, laid end to end; each field when it is asked for.

    Attributes
    ----------
    step : array of int    Which step of the ledger an entry belongs to.
    tag : array of int     Code of what chooses the kernel: an index into `Ledger.keys`.
    """

    def __init__(self, parts: Sequence[tuple[Any, ...]]) -> None:
        self.step = np.concatenate([s for s, _, _ in parts])
        self.tag = np.concatenate([np.full(len(s), t, dtype=np.intp) for s, t, _ in parts])
        self._blocks = [block for _, _, block in parts]

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, name: str) -> Floats:
        """A field of `Op`, or of its `Collective`, of every entry."""
        place = (*FIELDS, *SENDS).index(name)
        return np.concatenate([block[place] for block in self._blocks])


@dataclass(slots=True)
class Ledger:
    """Ops of many steps by law's kind; grows by `add`, is read by `columns`, once.

    Attributes
    ----------
    keys : list    What chooses the kernel of an op, by code.
    sums : list    Which sum of its step an op is in, by code: see `N_SUMS`.
    n_steps : int
    """

    n_steps: int = 0
    keys: list[Key] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    _codes: dict[tuple[Key, int], int] = field(default_factory=dict)
    _parts: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    _imbalance: list[Floats] = field(default_factory=list)
    _host: list[Floats] = field(default_factory=list)
    _splits: list[Floats] = field(default_factory=list)

    def add(self, steps: Steps) -> slice:
        """Count the steps of one model and return where they lie.

        Parameters
        ----------
        steps : Steps

        Returns
        -------
        slice   Of the ledger's steps.
        """
        first = self.n_steps
        self.n_steps += len(steps)
        self._imbalance.append(steps.stage_imbalance)
        sampled = steps.n_decode * (1 + steps.drafts)
        self._host.append(np.stack([sampled, steps.starting, steps.attn_dp]))
        ops = steps.ops()
        self._splits.append(np.broadcast_to(ops.splits, len(steps)))
        for op in ops.whole:
            self._append(op, _WITHIN if op.role else _OUTSIDE, first, len(steps))
        for op in ops.half:
            self._append(op, _HALF + ROLES.index(op.role), first, len(steps))
        return slice(first, self.n_steps)

    @property
    def stage_imbalance(self) -> Floats:
        """Of each step. [1]"""
        return np.concatenate(self._imbalance) if self._imbalance else np.ones(0)

    @property
    def splits(self) -> Floats:
        """Whether each step may run in two micro-batches. [bool]"""
        return np.concatenate(self._splits) if self._splits else np.zeros(0, dtype=bool)

    @property
    def host_inputs(self) -> Floats:
        """Sequences sampled, prompts that begin, ranks: a row each, a column a step. [1]"""
        return np.concatenate(self._host, axis=1) if self._host else np.ones((3, 0))

    def _append(self, op: Op, of_sum: int, first: int, n: int) -> None:
        send = op.collective
        code = self._codes.setdefault((op.key, of_sum), len(self.keys))
        if code == len(self.keys):
            self.keys.append(op.key)
            self.sums.append(of_sum)
        fields = [getattr(op, name) for name in FIELDS]
        fields += [getattr(send, name) for name in SENDS] if send else []
        block = np.empty((len(fields), n))
        for row, value in zip(block, fields, strict=True):
            row[:] = value
        used = block[0] > 0
        if send:
            used &= (block[len(FIELDS)] > 1) & (block[len(FIELDS) + 1] > 0)
        else:
            used &= block[5:9].any(axis=0)
        where = np.flatnonzero(used)
        if where.size:
            kept = block if where.size == n else block[:, where]
            self._parts.setdefault(op.kind, []).append((where + first, code, kept))

    def columns(self) -> Iterator[Columns]:
        """All ops kind by kind: ``gemm``, ``attention``, ``exchange``, ``elementwise``; once.

        What has been read is let go of, since the columns of many steps are most of the memory
        that predicting them takes.
        """
        while self._parts:
            yield Columns(self._parts.pop(next(iter(self._parts))))


class Fields:
    """Columns under the names of an op's fields."""

    def __init__(self, values: dict[str, Floats]) -> None:
        self.__dict__.update(values)
