"""Every quantity that an option of a training tool may be set to, of a job that was timed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

from ridgeline.errors import InfeasibleError
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.launch.refused import LayoutError
from ridgeline.questions.training.launch.mesh import mesh
from ridgeline.questions.training.launch.shape import stage_modules, stage_text
from ridgeline.specs.training import Degree, Offload, Overlap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.training_flags import TrainingFlags
    from ridgeline.trainer.job import TrainingJob

__all__ = ["quantities", "spoken"]

#: what stands where the number of steps is not known
_STEPS = "TRAIN_STEPS"
_WIDE_BYTES = 4
_DEGREES = ("tp", "pp", "vp", "cp", "dp", "ep")
#: quantities that a tool has words for, what they are called, and the option that asks for them
_SPOKEN = {
    "task": ("task", "--task"),
    "precision": ("precision", "--precision"),
    "optimizer": ("optimizer", "--optimizer"),
    "zero": ("ZeRO", "--zero"),
    "schedule": ("schedule", "--schedule"),
    "cp_kind": ("context parallelism of the kind", "--cp-kind"),
    "recompute": ("recompute", "--recompute"),
    "order": ("order", "--order"),
}


def quantities(job: TrainingJob, n_steps: float | None = None) -> dict[str, Any]:
    """What options say of a job, by name.

    Parameters
    ----------
    job : TrainingJob         Of numbers, not of arrays.
    n_steps : float or None   Optimizer steps of the run; None where it is not known.

    Raises
    ------
    LayoutError   Its chips do not divide over hosts.
    """
    layout, recipe, load = job.layout, job.recipe, job.load
    n_chips = int(job.n_chips)
    n_layers = sum(block.repeat for block in job.model.blocks)
    degrees = {name: int(getattr(layout, name)) for name in _DEGREES}
    expert_tp = int(layout.expert_tp or layout.tp)
    if layout.expert_tp is None and degrees["ep"] > 1 and job.own_framework.expert_tp == "one":
        expert_tp = 1
    known: dict[str, Any] = degrees | {f"has_{n}": d > 1 for n, d in degrees.items()}
    zero = _shared_out(job)
    known |= {f"zero_{i}": zero == i for i in range(4)}
    known |= {f"hides_{group}": bool(job.count.hides(group)) for group in get_args(Overlap)}
    known |= {f"offloads_{what}": what in recipe.offload for what in get_args(Offload)}
    known |= _hosts(job, n_chips) | _shards(job) | _batches(job, n_chips)
    known |= mesh(job, known)
    is_nvidia = job.cluster.chip.vendor == "NVIDIA"
    chunks = degrees["pp"] * int(SCHEDULES[job.schedule].chunks(degrees["vp"]))
    chunks = chunks if degrees["pp"] > 1 else 1
    switches = {
        "shares_tokens": bool(layout.sequence_parallel) and degrees["tp"] > 1,
        "hides_dp": known["hides_dp"] and layout.dp * layout.cp > 1,
        "wide_reduce": job.own_framework.reduce_bytes >= _WIDE_BYTES,
    }
    known |= switches | {f"{n}_word": "true" if on else "false" for n, on in switches.items()}
    again, of_stage = int(recipe.recompute_layers), -(-n_layers // degrees["pp"])
    return known | {
        "n_chips": n_chips,
        "expert_tp": expert_tp,
        "experts_share_tp": expert_tp == degrees["tp"],
        "expert_tp_is_odd": expert_tp not in (1, degrees["tp"]),
        "vp_or_null": degrees["vp"] if degrees["vp"] > 1 else "null",
        "vp_or_none": degrees["vp"] if degrees["vp"] > 1 else "None",
        "uneven_stages": n_layers % chunks > 0,
        "stage_layout": stage_text(n_layers, chunks),
        "stage_layout_long": stage_text(n_layers, chunks, short=False),
        "stage_modules": stage_modules(n_layers, chunks),
        "stage_layers": of_stage,
        "chunk_layers": n_layers // chunks,
        "recompute_layers": again,
        "recompute_chunk_layers": again // degrees["vp"],
        "recompute_uneven": again % degrees["vp"] > 0,
        "recompute_is_nth": again > 0 and of_stage % again == 0,
        "every_nth_layer": f"{of_stage // max(again, 1)}",
        "seq_len": int(load.seq_len),
        "n_positions": max(int(load.seq_len), job.model.n_learned_positions),
        "n_steps": _STEPS if n_steps is None else math.ceil(n_steps),
        "n_steps_if_known": None if n_steps is None else math.ceil(n_steps),
        "document": load.document,
        "packs_documents": load.document is not None,
        "lora_rank": recipe.lora_rank,
        "sends_once": job.own_framework.sends_once and degrees["ep"] > 1 and is_nvidia,
        "keeps_gathered": job.own_framework.pipelines_keep_gathered,
        "shards_gradients": zero > 1,
        "has_ranks": layout.dp * layout.cp > 1,
        "zero_stage": zero,
        "is_google": job.cluster.chip.vendor == "Google",
        "is_nvidia": is_nvidia,
        "is_true": True,
    }


def _shared_out(job: TrainingJob) -> int:
    """What data-parallel ranks share out, ZeRO 0 to 3: nothing where there is but one of them."""
    return int(job.layout.zero) if job.layout.dp * job.layout.cp > 1 else 0


def _hosts(job: TrainingJob, n_chips: int) -> dict[str, Any]:
    """How the chips lie on hosts."""
    each = job.cluster.chips_per_host
    n_nodes = -(-n_chips // each)
    if n_chips % n_nodes:
        raise LayoutError(
            f"{n_chips} chips do not divide evenly over {n_nodes} hosts of {each}: launchers start "
            "as many processes on each",
            "Choose another number of chips (--chips).",
        )
    return {
        "n_nodes": n_nodes,
        "several_nodes": n_nodes > 1,
        "chips_per_node": n_chips // n_nodes,
    }


def _shards(job: TrainingJob) -> dict[str, Any]:
    """Over how many ranks parameters and states are shared out, and how many copies there are."""
    layout = job.layout
    ranks = int(layout.dp * layout.cp)
    zero = _shared_out(job)
    shared = int(layout.shard or ranks) if zero else 1
    of_dp, over = divmod(shared, int(layout.cp))
    fits = not over and of_dp > 0 and layout.dp % max(of_dp, 1) == 0
    return {
        "shard_ranks": shared,
        "copies": ranks // shared,
        "has_copies": zero > 0 and shared < ranks,
        "dp_shard": of_dp if fits else 1,
        "dp_replicate": int(layout.dp) // of_dp if fits else int(layout.dp),
        "shard_cuts_cp": zero > 0 and not fits,
    }


def _batches(job: TrainingJob, n_chips: int) -> dict[str, Any]:
    load, recipe, layout = job.load, job.recipe, job.layout
    per_rank = int(load.global_batch) // int(layout.dp)
    return {
        "global_batch": int(load.global_batch),
        "micro_batch": int(recipe.micro_batch),
        "micro_batches": per_rank // int(recipe.micro_batch),
        "rank_batch": per_rank,
        "micro_batches_odd": per_rank // int(recipe.micro_batch) % int(layout.pp) > 0,
        "chip_batch": int(load.global_batch) / n_chips,
        "chip_micro_batch": int(recipe.micro_batch) * int(layout.dp) / n_chips,
    }


def spoken(job: TrainingJob, flags: TrainingFlags, known: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's own words for what a job chooses by name.

    Parameters
    ----------
    job : TrainingJob
    flags : TrainingFlags
    known : mapping         See `quantities`.

    Returns
    -------
    mapping   ``precision_word`` and the like, and ``precision_is_fp8`` for each of our words.

    Raises
    ------
    LayoutError       It has none for a schedule, an order, what is shared out or computed again.
    InfeasibleError   It has none for a task, a precision or an optimizer, which no layout mends.
    """
    chosen: dict[str, str | None] = {
        "task": job.recipe.task,
        "precision": job.recipe.precision,
        "optimizer": job.recipe.optimizer,
        "zero": str(_shared_out(job)),
        "schedule": job.schedule if known["has_pp"] else None,
        "cp_kind": job.layout.cp_kind if known["has_cp"] else None,
        "recompute": job.recipe.recompute,
        "order": _order(job, flags, known),
    }
    found: dict[str, Any] = {}
    for name, word in chosen.items():
        words = flags.words.get(name, {})
        # A tool without any word for it refuses what it is of by a rule of its own.
        if word is not None and words and word not in words:
            title, option = _SPOKEN[name]
            fixed = name in ("task", "precision", "optimizer")
            raise (InfeasibleError if fixed else LayoutError)(
                f"{flags.name} has no {title} {word}: it has {', '.join(words)} ({option})",
                *([] if fixed else ["Choose one of these, or another tool."]),
            )
        found[f"{name}_word"] = words.get(word or "") or None
        found |= {f"{name}_is_{w.replace('-', '_')}": w == word for w in words}
    return found | {
        "numbers_dp_last": (chosen["order"] or "").endswith("dp"),
        "precision_list": [found["precision_word"]] if found["precision_word"] else None,
    }


def _order(job: TrainingJob, flags: TrainingFlags, known: Mapping[str, Any]) -> str:
    """The first of a tool's orders that numbers chips as the job's does."""

    def bare(order: Any) -> list[str]:
        return [name for name in order if known[f"has_{name}"]]

    own = bare(job.layout.order)
    for order in flags.words["order"]:
        if bare(order.split(",")) == own:
            return order
    assert set(own) <= set(get_args(Degree))
    return ",".join(job.layout.order)
