"""How layouts of training read in tables, pictures and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ridgeline.answers.words import listed
from ridgeline.questions.training_layouts.space import Space
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.trainer.job import TrainingJob
    from ridgeline.trainer.memory import TrainingMemory

__all__ = ["AXIS_WORDS", "axis_words", "family_name", "job_name", "memory_words", "option_words"]

#: what layouts differ in, in sentences
AXIS_WORDS: Final = {
    "tp": "TP",
    "pp": "PP",
    "vp": "chunks per stage",
    "cp": "CP",
    "dp": "DP",
    "ep": "EP",
    "expert_tp": "TP of experts",
    "zero": "ZeRO",
    "shard": "sharding over",
    "sequence_parallel": "sequence parallelism",
    "cp_kind": "context parallelism by",
    "order": "order",
    "micro_batch": "micro-batches of",
    "schedule": "schedule",
    "recompute": "recompute",
    "recompute_layers": "recomputed layers of a stage:",
    "overlap": "overlap of",
    "offload": "offload of",
}
_LETTERS: Final = {"tp": "TP", "cp": "CP", "pp": "PP", "dp": "DP", "ep": "EP"}
_NAMED_PARTS = 3


def axis_words(axis: str) -> str:
    """An axis in words; its own name where there are none.

    Examples
    --------
    >>> axis_words("micro_batch"), axis_words("tp")
    ('micro-batches of', 'TP')
    """
    return AXIS_WORDS.get(axis, axis.replace("_", " "))


def family_name(axis: str, value: Any) -> str:
    """An axis and one of its values.

    Examples
    --------
    >>> family_name("tp", 16), family_name("recompute", "layers 4"), family_name("shard", None)
    ('TP 16', 'recompute layers 4', 'sharding over all')
    """
    return f"{axis_words(axis)} {Space.word(axis, value)}"


def job_name(job: TrainingJob) -> str:
    """Layout and recipe of a job in a few letters, for tables and pictures.

    Examples
    --------
    >>> import ridgeline as rl
    >>> job = rl.training("Qwen/Qwen3-8B", "4xhgx-h100", tp=4, pp=2, vp=3, micro_batch=2,
    ...                   global_batch=512, recompute="full").job
    >>> job_name(job)
    'TP4 PP2x3 DP4 Z1 mb2 rc-full'
    """
    layout, recipe = job.layout, job.recipe
    said = []
    for name, letters in _LETTERS.items():
        degree = getattr(layout, name)
        chunks = f"x{layout.vp}" if name == "pp" and layout.vp > 1 else ""
        given = name == "ep" and layout.expert_tp is not None
        cut = f"x{layout.expert_tp}" if given and max(layout.tp, layout.expert_tp or 1) > 1 else ""
        said += [f"{letters}{degree}{chunks}{cut}"] if degree > 1 else []
    if layout.dp * layout.cp > 1:
        said.append(f"Z{layout.zero}" + (f"/{layout.shard}" if layout.shard is not None else ""))
    said.append(f"mb{recipe.micro_batch}")
    if layout.pp > 1 and recipe.schedule not in (None, "1f1b", "interleaved"):
        said.append(str(recipe.schedule))
    if recipe.recompute == "layers":
        said.append(f"rc-{recipe.recompute_layers}")
    elif recipe.recompute != "none":
        said.append(f"rc-{recipe.recompute}")
    if layout.order != type(layout).model_fields["order"].default:
        said.append("-".join(layout.order))
    if layout.tp > 1 and layout.sequence_parallel != job.own_framework.sequence_parallel:
        said.append("SP" if layout.sequence_parallel else "no SP")
    said += [f"off-{what}" for what in recipe.offload]
    if recipe.overlap is not None:
        said.append(f"hide-{'-'.join(recipe.overlap) or 'none'}")
    return " ".join(said)


def memory_words(memory: TrainingMemory) -> str:
    """What the fullest chip needs beside what it has, and of which parts most.

    Examples
    --------
    >>> import ridgeline as rl
    >>> said = memory_words(rl.training("Qwen/Qwen3-8B", "hgx-h100", tp=1, dp=8, zero=0).memory)
    >>> said.split(", master")[0]
    'needs 177 GB per chip, has 85.0 GB: optimizer state 65.5 GB'
    """
    from ridgeline.questions.training.words import MEMORY_WORDS  # noqa: PLC0415

    parts = {k: float(v[0]) for k, v in memory.at_peak().items()}
    most = sorted(parts, key=lambda k: -parts[k])[:_NAMED_PARTS]
    said = listed([f"{MEMORY_WORDS[k]} {format_quantity(parts[k], 'B')}" for k in most])
    need = format_quantity(float(memory.needed_bytes[0]), "B")
    return f"needs {need} per chip, has {format_quantity(memory.capacity_bytes, 'B')}: {said}"


def option_words(options: dict[str, Any]) -> str:
    """Options of `rl.training` as the command line takes them.

    Examples
    --------
    >>> option_words({"tp": 8, "expert_tp": None, "sequence_parallel": True, "offload": ()})
    '--tp 8 --sequence-parallel on'
    """
    said = []
    for name, value in options.items():
        if value is None or value == ():
            continue
        text = Space.word(name, value)
        said.append(f"--{name.replace('_', '-')} {text}")
    return " ".join(said)
