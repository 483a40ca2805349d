"""Words of answers about training: parts of a step, degrees of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ridgeline.answers.words import counted, percent
from ridgeline.specs.blocks import DeltaRule, LightningAttention, Mamba1, Mamba2, ShortConv

if TYPE_CHECKING:
    from ridgeline.specs.model import Model
    from ridgeline.specs.training import TrainingLayout, TrainingRecipe
    from ridgeline.trainer.job import TrainingJob

__all__ = [
    "KINDS_OF_TIME",
    "MEMORY_WORDS",
    "PART_WORDS",
    "job_words",
    "layout_words",
    "part_words",
    "probability_words",
]

#: mixers that keep a state instead of attending to all tokens before
_SCANS: Final = (DeltaRule, LightningAttention, Mamba1, Mamba2, ShortConv)
#: parts of a step's time, as tables and pictures call them
PART_WORDS: Final = {
    "products": "GEMMs",
    "experts": "GEMMs of experts",
    "attention": "attention",
    "elementwise": "norms, activations, loss",
    "recompute": "recompute",
    "tp": "TP collectives, exposed",
    "cp": "CP exchange, exposed",
    "ep": "EP all-to-all, exposed",
    "launch": "launch of kernels",
    "hops": "P2P of stages, exposed",
    "bubble": "pipeline bubble",
    "dp": "DP collectives, exposed",
    "optimizer": "optimizer",
    "offload": "offload, exposed",
    "host": "host",
    "stragglers": "stragglers",
}
#: what parts have in common, as the picture colours them
KINDS_OF_TIME: Final = {
    "arithmetic": ("products", "experts"),
    "attention": ("attention",),
    "computed again": ("recompute",),
    "memory passes": ("elementwise", "optimizer"),
    "exposed communication": ("tp", "cp", "ep", "hops", "dp", "offload"),
    "bubble": ("bubble",),
    "overhead": ("launch", "host", "stragglers"),
}
#: parts of a chip's memory, as tables and pictures call them
MEMORY_WORDS: Final = {
    "parameters": "parameters",
    "master": "master copy",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "activations": "activations in flight",
    "logits": "logits and loss",
    "working": "working set of a layer",
    "gathered": "gathered parameters",
    "buffers": "buffers of collectives",
    "workspace": "workspace",
    "fragmentation": "fragmentation",
    "context": "driver context",
}


def part_words(model: Model, part: str) -> str:
    """What a part of the step's time is called: of state space layers attention is a scan.

    Examples
    --------
    >>> from ridgeline import catalog
    >>> part_words(catalog.model("tiiuae/falcon-mamba-7b"), "attention")
    'state scans'
    """
    if part != "attention":
        return PART_WORDS[part]
    scans = {isinstance(block.mixer, _SCANS) for block in model.blocks}
    return {(True,): "state scans", (False, True): "attention and state scans"}.get(
        tuple(sorted(scans)), PART_WORDS[part]
    )


def layout_words(layout: TrainingLayout) -> str:
    """The degrees that are not one, and what is shared out.

    Examples
    --------
    >>> from ridgeline.specs.training import TrainingLayout
    >>> layout_words(TrainingLayout(tp=8, pp=16, vp=2, dp=4, zero=1))
    'TP 8, PP 16 x 2 chunks, DP 4, ZeRO 1'
    """
    names = {"tp": "TP", "cp": "CP", "pp": "PP", "dp": "DP", "ep": "EP"}
    shown = []
    for name, word in names.items():
        degree = getattr(layout, name)
        chunks = f" x {layout.vp} chunks" if name == "pp" and layout.vp > 1 else ""
        if degree > 1:
            shown.append(f"{word} {degree}{chunks}")
        if name == "ep" and degree > 1 and layout.expert_tp is not None and layout.expert_tp > 1:
            shown[-1] += f" x TP {layout.expert_tp}"
    if layout.dp * layout.cp > 1 and layout.zero:
        copies = f" over {layout.shard}" if layout.shard is not None else ""
        shown.append(f"ZeRO {layout.zero}{copies}")
    return ", ".join(shown) or "one chip"


def job_words(job: TrainingJob) -> str:
    """Layout, and what of the recipe is not plain."""
    return ", ".join([layout_words(job.layout), *_recipe_words(job)])


def _recipe_words(job: TrainingJob) -> list[str]:
    recipe: TrainingRecipe = job.recipe
    found = []
    if job.layout.pp > 1 and job.schedule != "1f1b":
        found.append(job.schedule)
    if recipe.recompute == "layers":
        found.append(f"recompute of {counted(recipe.recompute_layers, 'layer')}")
    elif recipe.recompute != "none":
        found.append(f"{recipe.recompute} recompute")
    found += [f"{what} offloaded" for what in recipe.offload]
    found += [recipe.precision] * (recipe.precision != "bf16")
    found += [recipe.optimizer] * (recipe.optimizer != "adamw")
    if not recipe.trains_all:
        found.append(f"{recipe.task} of rank {recipe.lora_rank}")
    return found


def probability_words(p: float) -> str:
    """A probability, never certain: the error of a memory is known but for its size.

    Examples
    --------
    >>> probability_words(0.144), probability_words(1.0)
    ('14%', 'more than 99%')
    """
    return "less than 1%" if p < 0.01 else "more than 99%" if p > 0.99 else percent(p)
