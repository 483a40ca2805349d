"""What makes a training layout impossible, in a sentence each, with the nearest that is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ridgeline import catalog
from ridgeline.errors import InfeasibleError
from ridgeline.laws.schedules import schedule_problem
from ridgeline.specs.blocks import Attention, CompressedAttention, LatentAttention, MixtureOfExperts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ridgeline.specs.model import Model
    from ridgeline.trainer.job import TrainingJob

__all__ = ["RULES", "Rule", "check_job", "check_precision", "near", "problems", "tp_takes"]


def check_job(job: TrainingJob, n_chips: int) -> None:
    """Refuse a job that cannot be.

    Parameters
    ----------
    job : TrainingJob
    n_chips : int       That there are.

    Raises
    ------
    InfeasibleError   A sentence for each reason.
    """
    found = list(problems(job, n_chips))
    if found:
        raise InfeasibleError("\n".join(found))


def problems(job: TrainingJob, n_chips: int) -> Iterator[str]:
    """Why a job cannot be, in a sentence each; of what follows from each other, the first.

    Parameters
    ----------
    job : TrainingJob   Of numbers, not of arrays.
    n_chips : int       That there are.
    """
    shape = [p for of in _OF_SHAPE for p in of.problems(job)] if job.model.blocks else []
    found = shape or list(_chips(job, n_chips))
    yield from found or [problem for of in _OF_REST for problem in of.problems(job)]


def near(legal: Iterator[int] | list[int] | range, asked: int) -> str:
    """The nearest legal values below and above, as the end of a sentence.

    Examples
    --------
    >>> near([1, 2, 4, 8], 3), near([1, 2], 5)
    ('2 or 4', '2')
    """
    values = sorted(set(legal))
    below = [v for v in values if v < asked][-1:]
    above = [v for v in values if v > asked][:1]
    return " or ".join(f"{v:,}" for v in (*below, *above))


def _divisors(n: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def _chips(job: TrainingJob, n_chips: int) -> Iterator[str]:
    layout = job.layout
    used = layout.n_chips
    if used == n_chips:
        return
    others = used // layout.dp
    rest, over = divmod(n_chips, others)
    if over and layout.dp == max(rest, 1):
        legal = [n for n in (rest * others, (rest + 1) * others) if n]
        yield (
            f"tp x cp x pp = {layout.tp} x {layout.cp} x {layout.pp} = {others:,} does not divide "
            f"{n_chips:,} chips: use {near(legal, n_chips)} chips (--chips), or other degrees."
        )
        return
    better = f"dp {rest:,} (--dp), or " if rest and not over else ""
    yield (
        f"tp x cp x pp x dp = {layout.tp} x {layout.cp} x {layout.pp} x {layout.dp} = {used:,}, "
        f"but there are {n_chips:,} chips: use {better}{used:,} chips (--chips)."
    )


def _layers(job: TrainingJob) -> Iterator[str]:
    layout, recipe = job.layout, job.recipe
    n_layers = sum(block.repeat for block in job.model.blocks)
    chunks = layout.pp * layout.vp
    if chunks > n_layers:
        what = f"pp = {layout.pp} stages"
        most = f"pp {n_layers // layout.vp}"
        if layout.vp > 1:
            what = f"pp x vp = {layout.pp} x {layout.vp} = {chunks} chunks"
            fewer = n_layers // layout.pp
            most = f"{most} or vp {fewer}" if fewer else most
        yield f"{what} are more than the {n_layers} layers of {job.model.id}: use {most} or less."
    if recipe.schedule is not None and layout.pp == 1:
        yield (
            f"schedule {recipe.schedule} is of pipeline stages, and there is one stage: give pp "
            "(--pp), too, or leave the schedule out."
        )


def _again(job: TrainingJob) -> Iterator[str]:
    layout, recipe = job.layout, job.recipe
    n_layers = sum(block.repeat for block in job.model.blocks)
    of_stage = -(-n_layers // layout.pp)
    if recipe.recompute == "layers" and recipe.recompute_layers > of_stage:
        yield (
            f"recompute_layers = {recipe.recompute_layers} is more than the {of_stage} layers of a "
            f"stage: use {of_stage} or less, or recompute full."
        )


def tp_takes(model: Model, tp: int) -> bool:
    """Whether tensor-parallel ranks can share a model's heads evenly.

    Parameters
    ----------
    model : Model
    tp : int        Keys and values of fewer heads are copied.
    """
    for block in model.blocks:
        heads = getattr(block.mixer, "n_heads", tp)
        if heads % tp:
            return False
        if isinstance(block.mixer, Attention):
            kv = block.mixer.n_kv_heads
            if kv % tp and tp % kv:
                return False
    return True


def _heads(job: TrainingJob) -> Iterator[str]:
    layout, model = job.layout, job.model
    if not tp_takes(model, layout.tp):
        heads = sorted({h for b in model.blocks if (h := getattr(b.mixer, "n_heads", 0))})
        legal = [t for t in range(1, max(heads) + 1) if tp_takes(model, t)]
        listed = " and ".join(str(h) for h in heads)
        yield (
            f"tp = {layout.tp} does not divide the {listed} attention heads of {model.id}: use "
            f"{near(legal, layout.tp)} (--tp)."
        )
    if layout.cp_kind == "all_to_all" and layout.cp > 1:
        for mixer in [block.mixer for block in model.blocks]:
            if not isinstance(mixer, Attention | LatentAttention | CompressedAttention):
                continue
            own = mixer.n_heads // layout.tp
            if own % layout.cp:
                yield (
                    f"cp = {layout.cp} does not divide the {own} heads that tp leaves a chip, "
                    f"which all_to_all exchanges: use {near(_divisors(max(own, 1)), layout.cp)} "
                    "(--cp), or cp_kind ring."
                )
                return


def _routed(job: TrainingJob) -> list[MixtureOfExperts]:
    return [b.ffn for b in job.model.blocks if isinstance(b.ffn, MixtureOfExperts)]


def _no_experts(job: TrainingJob) -> Iterator[str]:
    layout = job.layout
    for name, value in (("ep", layout.ep), ("expert_tp", layout.expert_tp or 1)):
        if value > 1 and not _routed(job):
            yield f"{name} = {value}: {job.model.id} has no experts; leave {name} out."


def _experts(job: TrainingJob) -> Iterator[str]:
    layout, routed = job.layout, _routed(job)
    if not routed:
        return
    n_experts = min(moe.n_experts for moe in routed)
    ranks = layout.dp * layout.cp * layout.tp
    # Chips that share an expert hold a part of it, those of tp where nobody says.
    alone = job.own_framework.expert_tp == "one" and layout.ep > 1
    wide = layout.expert_tp or (1 if alone else layout.tp)
    legal = [e for e in _divisors(n_experts) if ranks % (e * wide) == 0]
    if n_experts % layout.ep:
        yield (
            f"ep = {layout.ep} does not divide the {n_experts} experts of a layer: use "
            f"{near(legal or [1], layout.ep)} (--ep)."
        )
    elif layout.ep * wide < layout.tp:
        enough = [e for e in legal if e * wide >= layout.tp]
        best = [f"{near(enough, layout.ep)} (--ep)"] if enough else []
        yield (
            f"ep x expert_tp = {layout.ep} x {wide} is less than tp = {layout.tp}: chips of a "
            f"tensor-parallel group would hold experts in common; use "
            f"{' or '.join([*best, f'expert_tp {layout.tp // layout.ep or 1} (--expert-tp)'])}."
        )
    elif (layout.ep > 1 or layout.expert_tp) and ranks % (layout.ep * wide):
        best = [f"{near(legal, layout.ep)} (--ep)"] if legal else []
        best += ["expert_tp 1 (--expert-tp)"] if wide > 1 and ranks % layout.ep == 0 else []
        yield (
            f"ep x expert_tp = {layout.ep} x {wide} does not divide dp x cp x tp = {ranks:,}: "
            f"use {' or '.join(best) or 'other degrees'}."
        )


def _host(job: TrainingJob) -> Iterator[str]:
    if job.recipe.offload and not job.cluster.host_link:
        yield (
            f"offload {', '.join(job.recipe.offload)}: the rate between {job.cluster.id}'s chips "
            "and their hosts is not known; give it with host_link in the cluster's record, or "
            "leave --offload out."
        )


def _tokens(job: TrainingJob) -> Iterator[str]:
    layout, seq = job.layout, job.load.seq_len
    parts = layout.cp * (2 if layout.cp_kind == "ring" and layout.cp > 1 else 1)
    if seq % parts:
        twice = ", twice cp, as a ring gives each rank an early and a late part" * (
            parts > layout.cp
        )
        yield (
            f"seq = {seq:,} tokens do not divide by {parts}{twice}: use "
            f"{near([seq // parts * parts, (seq // parts + 1) * parts], seq)} (--seq)."
        )
    elif layout.sequence_parallel and layout.tp > 1 and seq % (layout.cp * layout.tp):
        by = layout.cp * layout.tp
        yield (
            f"seq = {seq:,} tokens do not divide by cp x tp = {by}, which share them between "
            f"sublayers: use {near([seq // by * by, (seq // by + 1) * by], seq)} (--seq), or "
            "sequence_parallel off."
        )


def _batch(job: TrainingJob) -> Iterator[str]:
    layout, recipe, batch = job.layout, job.recipe, job.load.global_batch
    each = layout.dp * recipe.micro_batch
    if batch % each:
        legal = [v for v in (batch // each * each, (batch // each + 1) * each) if v]
        yield (
            f"global_batch = {batch:,} sequences do not divide by dp x micro_batch = {layout.dp} x "
            f"{recipe.micro_batch}: use {near(legal, batch)} (--global-batch)."
        )
        return
    if layout.pp == 1:
        return
    chunks = layout.vp if layout.vp > 1 or job.schedule in ("interleaved", "1f1b") else None
    problem = schedule_problem(job.schedule, layout.pp, batch // each, chunks)
    if problem:
        yield (
            f"{problem} There are global_batch / (dp x micro_batch) = {batch // each} of them."
            if ("micro-batches" in problem)
            else problem
        )


def _sharding(job: TrainingJob) -> Iterator[str]:
    layout = job.layout
    most = job.own_framework.zero_with_stages
    if layout.pp > 1 and layout.zero > most:
        yield (
            f"zero = {layout.zero} beside pp = {layout.pp}: {job.framework.name} shares out no "
            f"more than ZeRO {most} does beside pipeline stages: use zero {most} (--zero), or pp 1."
        )
    ranks = layout.dp * layout.cp
    if layout.shard is not None and ranks % layout.shard:
        yield (
            f"shard = {layout.shard} does not divide dp x cp = {ranks}: use "
            f"{near(_divisors(ranks), layout.shard)} (--shard)."
        )


class Rule(NamedTuple):
    """One reason why jobs cannot be.

    Attributes
    ----------
    problems : callable   From a job of numbers to sentences; none where it can be.
    fields : tuple        Of layout and recipe, what it looks at: jobs alike in these are alike in
                          it. Model, machine, framework, load and the kind of context parallelism
                          are those of all jobs.
    """

    problems: Callable[[TrainingJob], Iterator[str]]
    fields: tuple[str, ...]


#: where one of the model's shape holds, those of the rest are not asked
_OF_SHAPE = (
    Rule(_layers, ("pp", "vp", "schedule")),
    Rule(_again, ("pp", "recompute")),
    Rule(_heads, ("tp", "cp")),
    Rule(_no_experts, ("ep", "expert_tp")),
)
_OF_REST = (
    Rule(_experts, ("tp", "cp", "dp", "ep", "expert_tp")),
    Rule(_tokens, ("tp", "cp", "sequence_parallel")),
    Rule(_batch, ("pp", "dp", "vp", "micro_batch", "schedule")),
    Rule(_sharding, ("pp", "cp", "dp", "zero", "shard")),
    Rule(_host, ("offload",)),
)
#: all but that degrees make up the chips: a job is legal if it has none of these problems
RULES = (*_OF_SHAPE, *_OF_REST)


def check_precision(job: TrainingJob) -> None:
    """A format chosen by name must be one that the chip multiplies.

    Raises
    ------
    InfeasibleError   The chip has no arithmetic for it.
    """
    chip, dtype = job.cluster.chip, catalog.dtype(job.recipe.precision)
    first = dtype.compute[0]
    if first not in chip.peak and first != "bf16":
        have = ", ".join(chip.peak)
        raise InfeasibleError(
            f"{chip.name} has no {first} arithmetic (it has {have}), so a step cannot "
            f"run in {dtype.id}: choose another precision (--precision), or another chip."
        )
