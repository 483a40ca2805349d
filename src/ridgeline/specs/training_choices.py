"""What a question about training chooses: load, layout, recipe, framework, what a run meets."""

from __future__ import annotations

from typing import Annotated, Final, get_args

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.specs.choices import CONSTANTS
from ridgeline.specs.constants import EngineConstants
from ridgeline.specs.fields import Choice, Number, Text, Value, option, shown
from ridgeline.specs.limits import BARE_TIME
from ridgeline.specs.option_record import OptionRecord
from ridgeline.specs.ranges import CHIPS
from ridgeline.specs.training import (
    CpKind,
    Degree,
    Offload,
    OptimizerName,
    Overlap,
    Precision,
    Recompute,
    ScheduleName,
    Task,
    TrainingLayout,
)

__all__ = [
    "DEGREES",
    "ON_OFF",
    "FrameworkChoice",
    "RecipeChoice",
    "RunChoice",
    "TrainingLayoutChoice",
    "TrainingLoadChoice",
]

#: of a layout, whose product is the number of chips or which divide it
DEGREES: Final = ("tp", "pp", "vp", "cp", "dp", "ep", "expert_tp")

_TOKENS = Number(1, 1e8, whole=True)
_SEQUENCES = Number(1, 1e9, whole=True)
_USUAL = TrainingLayout()
#: defaults of fields, and so of the schema, which is why they stand here and not in the catalogue:
#: 419 unexpected interruptions of 16,384 H100 in 54 days, storage that takes 2 TB/s of all of them
#: (arXiv:2407.21783, section 3.3, table 5); failures found and diagnosed in less than ten minutes
#: (arXiv:2402.15627, section 6.3)
_INTERRUPTIONS, _CHECKPOINT_RATE, _RESTART_S = 0.47, 122e6, 600.0


def _words(words: tuple[str, ...], several: str) -> Value:
    """A rule for some of a few words, between commas."""
    expected = f"{several}: {', '.join(words)}, with commas between,"

    def read(value: object) -> tuple[str, ...]:
        parts = value.replace("-", ",").split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise SpecError(f"{expected} is expected, not {shown(value)}.")
        found = tuple(str(part).strip().casefold() for part in parts)
        for word in found:
            if word not in words:
                near = did_you_mean(word, words)
                raise SpecError(f"{expected} is expected, not {shown(value)}.{near}")
        if len(set(found)) < len(found):
            raise SpecError(f"{expected} each once, is expected, not {shown(value)}.")
        return found

    return Value(expected.rstrip(","), read, list, ("string", "array"), (",".join(words),))


def _order(value: object) -> tuple[str, ...]:
    words = get_args(Degree)
    found = _words(words, _ORDER_TEXT).read(value)
    if len(found) < len(words):
        missing = ", ".join(w for w in words if w not in found)
        raise SpecError(f"{_ORDER_TEXT} is expected, not {shown(value)}: {missing} missing.")
    return found


_ORDER_TEXT = "each of the degrees once, neighbours first"
_ORDER = Value(f"{_ORDER_TEXT}: tp,cp,dp,pp", _order, list, ("string", "array"), ("tp,cp,dp,pp",))


def _overlap(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip().casefold() == "none":
        return ()
    return () if value in ([], ()) else _words(get_args(Overlap), _OVERLAP_TEXT).read(value)


_OVERLAP_TEXT = "none, or groups whose exchanges run beside arithmetic"
_OVERLAP = Value(
    f"{_OVERLAP_TEXT}: {', '.join(get_args(Overlap))}, with commas between", _overlap, list,
    ("string", "array"), ("none", "dp,tp_backward"),
)  # fmt: skip


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = value.strip().casefold() if isinstance(value, str) else ""
    if text not in ("on", "off", "true", "false"):
        raise SpecError(f"on or off is expected, not {shown(value)}.")
    return text in ("on", "true")


#: how a choice of two is read
ON_OFF = Value("on or off", _switch, bool, ("boolean", "string"), ("on", "off"))


class TrainingLoadChoice(OptionRecord):
    """What an optimizer step takes in, and how much there is of it."""

    seq: Annotated[int, _TOKENS] = option(4096, "Tokens of a sequence.", "tokens")
    global_batch: Annotated[int | None, _SEQUENCES] = option(
        None,
        "Sequences of an optimizer step, on all chips together; about 1,024, as many as ranks and "
        "stages divide, if not given.",
        "sequences",
    )
    tokens: Annotated[float | None, Number(1, 1e18)] = option(
        None,
        "Tokens of the whole run, of which days, dollars, energy and failures follow.",
        "tokens",
    )
    document: Annotated[int | None, _TOKENS] = option(
        None,
        "Tokens of a document, where sequences are packed with documents that do not attend to "
        "each other; a sequence is one document if not given.",
        "tokens",
    )
    expert_load_cv: Annotated[float, Number(0, 10)] = option(
        0.0,
        "How unevenly experts are chosen: standard deviation over mean of an expert's load; 0, as "
        "losses for balance aim at, is even.",
    )


class TrainingLayoutChoice(OptionRecord):
    """Degrees of parallelism and the number of chips, as far as they are fixed."""

    tp: Annotated[int | None, CHIPS] = option(None, "Tensor parallel degree.", "chips")
    pp: Annotated[int | None, CHIPS] = option(None, "Pipeline stages.", "stages")
    vp: Annotated[int | None, CHIPS] = option(
        None, "Chunks of layers per pipeline stage (virtual stages).", "chunks"
    )
    cp: Annotated[int | None, CHIPS] = option(
        None, "Context parallel degree: ranks that share a sequence.", "ranks"
    )
    dp: Annotated[int | None, CHIPS] = option(
        None, "Data parallel degree; what the other degrees leave of the chips if not given.",
        "ranks",
    )  # fmt: skip
    ep: Annotated[int | None, CHIPS] = option(
        None, "Expert parallel degree: ranks over which the experts of a layer are spread.", "ranks"
    )
    expert_tp: Annotated[int | None, CHIPS] = option(
        None, "Chips that share one expert; the framework's default if not given.", "chips"
    )
    zero: Annotated[int | None, Number(0, 3, whole=True)] = option(
        None,
        "What data-parallel ranks share out: 0 nothing, 1 the optimizer's state, 2 and gradients, "
        "3 and parameters (FSDP); the framework's default if not given.",
        "stage",
    )
    shard: Annotated[int | None, CHIPS] = option(
        None,
        "Ranks over which they share it, copies beyond (HSDP); all of dp x cp if not given.",
        "ranks",
    )
    order: Annotated[tuple[str, ...], _ORDER] = option(
        _USUAL.order, "Order in which degrees number the chips: neighbours first."
    )
    sequence_parallel: Annotated[bool | None, ON_OFF] = option(
        None,
        "Whether tensor-parallel ranks share the tokens between sublayers, too: on or off; the "
        "framework's custom if not given.",
    )
    cp_kind: Annotated[CpKind, Choice(get_args(CpKind))] = option(
        _USUAL.cp_kind, "How attention spans context-parallel ranks: ring or all_to_all (Ulysses)."
    )
    chips: Annotated[int | None, CHIPS] = option(
        None, "Chips to train on; all of the machine if not given.", "chips"
    )

    @property
    def degrees(self) -> dict[str, int]:
        """Degrees that are fixed."""
        return {n: v for n in DEGREES if (v := getattr(self, n)) is not None}


class RecipeChoice(OptionRecord):
    """Formats, optimizer, and what is run again or moved away to save memory."""

    micro_batch: Annotated[int, _SEQUENCES] = option(
        1, "Sequences of a rank that pass forward together.", "sequences"
    )
    schedule: Annotated[ScheduleName | None, Choice(get_args(ScheduleName))] = option(
        None,
        "Schedule of pipeline stages: gpipe, 1f1b, interleaved, zb-h1, zb-h2, zb-v, v-half, v-min, "
        "dualpipe or dualpipev; 1f1b, or interleaved with several chunks, if not given.",
    )
    recompute: Annotated[Recompute | None, Choice(get_args(Recompute))] = option(
        None,
        "What the backward pass computes again: none, selective (the attention core), products "
        "(every second GEMM, and all between GEMMs), full, layers (some layers of a stage) or "
        "reversible; the framework's default if not given.",
    )
    recompute_layers: Annotated[int | None, Number(1, 10**5, whole=True)] = option(
        None, "Layers of a stage that are computed again, with recompute layers.", "layers"
    )
    offload: Annotated[
        tuple[Offload, ...], _words(get_args(Offload), "what the host's memory holds")
    ] = option(
        (), "What the host's memory holds: optimizer, activations or both; nothing if not given."
    )
    overlap: Annotated[tuple[Overlap, ...] | None, _OVERLAP] = option(
        None,
        "Exchanges that run beside arithmetic, as far as it is long enough: of the groups tp, "
        "tp_backward (those that need not be waited for), dp, cp, ep, pp, or none; those that the "
        "framework hides if not given.",
    )
    precision: Annotated[Precision, Choice(get_args(Precision))] = option(
        "bf16",
        "Format of the GEMMs: fp32, bf16, fp16, fp8, fp8-block, mxfp8 or nvfp4; masters stay wide.",
    )
    optimizer: Annotated[OptimizerName, Choice(get_args(OptimizerName))] = option(
        "adamw", "Optimizer: adamw, adamw-8bit, adafactor, muon or sgd."
    )
    task: Annotated[Task, Choice(get_args(Task))] = option(
        "pretrain", "What is trained: pretrain, finetune (all weights), lora or qlora."
    )
    lora_rank: Annotated[int | None, Number(1, 10**5, whole=True)] = option(
        None, "Rank of the adapters of lora and qlora; 16 if not given.", "columns"
    )


class FrameworkChoice(OptionRecord):
    """The framework whose custom is modelled."""

    name: Annotated[str | None, Text("the name of a framework, such as megatron-lm,")] = option(
        None,
        "Training framework to model, such as megatron-lm, nemo, torchtitan or deepspeed; current, "
        "the mean of the newest, if not given.",
        name="framework",
    )
    version: Annotated[str, Text("a version, such as 0.12,", empty=True)] = option(
        "", "Release of the framework; the newest if not given.", name="framework_version"
    )
    constants: Annotated[str | EngineConstants | None, CONSTANTS] = option(
        None,
        "Constants of frameworks of your own, in a TOML file as ridgeline calibrate writes it; "
        "those of the package if not given.",
    )


class RunChoice(OptionRecord):
    """What a run of days meets: interruptions, checkpoints, restarts."""

    interruptions: Annotated[float, Number(0, 1e4)] = option(
        _INTERRUPTIONS,
        "Unexpected interruptions of 1,000 chips in a day; Llama 3's on 16,384 H100 if not given.",
        "per day and 1,000 chips",
    )
    checkpoint_rate: Annotated[float, Number(1e3, 1e15, dimension="B/s")] = option(
        _CHECKPOINT_RATE,
        "Rate at which a chip writes its share of a checkpoint; Llama 3's storage, 2 TB/s for "
        "16,384 chips, if not given.",
        "B/s",
    )
    restart: Annotated[float, Number(1, 1e6, dimension="s", bare=BARE_TIME, or_zero=True)] = option(
        _RESTART_S,
        "From an interruption until the run goes on, work lost since the last checkpoint apart; "
        "MegaScale's ten minutes if not given.",
        "s",
    )
