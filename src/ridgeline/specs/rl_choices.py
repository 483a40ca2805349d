"""What a question about reinforcement learning chooses: samples, their use, their generation."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ridgeline.specs.fields import Choice, Number, Text, option
from ridgeline.specs.lengths import Lengths
from ridgeline.specs.option_record import OptionRecord
from ridgeline.specs.ranges import CHIPS
from ridgeline.specs.training_choices import ON_OFF
from ridgeline.specs.workload import lengths_rule

__all__ = [
    "MOST_SAMPLES", "MOST_SEQUENCE_TOKENS", "Algorithm", "GenerationChoice", "RolloutChoice",
]  # fmt: skip

#: which passes a sample gets before it is trained on: see `ridgeline.questions.rl_step.algorithms`
Algorithm = Literal["grpo", "dapo", "ppo"]

#: as for a training step
MOST_SEQUENCE_TOKENS, MOST_SAMPLES = 1e8, 1e11
_COUNT = Number(1, 1e9, whole=True)
_PROMPT = 512.0
_ANSWER = Lengths.between(256, 8192, 2048)


class RolloutChoice(OptionRecord):
    """Samples of a step, and what is done with them."""

    prompts: Annotated[int, _COUNT] = option(64, "Prompts of a step.", "prompts")
    samples: Annotated[int, _COUNT] = option(
        16, "Samples generated for each prompt (the group of GRPO).", "samples"
    )
    isl: Annotated[Lengths, lengths_rule("isl")] = option(
        Lengths.of(_PROMPT), "Tokens of a prompt: a number or a range, of which the mean counts.",
        "tokens",
    )  # fmt: skip
    osl: Annotated[Lengths, lengths_rule("osl")] = option(
        _ANSWER,
        "Tokens generated for a sample: a number, a range with its mean (256:8k@mean=2k), or a "
        "file of lengths. Its end is the limit on length.",
        "tokens",
    )
    seq: Annotated[int | None, Number(1, MOST_SEQUENCE_TOKENS, whole=True)] = option(
        None,
        "Tokens of a sequence that samples are packed (or padded) to for training; the longest "
        "prompt and sample if not given.",
        "tokens",
    )
    packing: Annotated[bool, ON_OFF] = option(
        True,
        "Whether several samples share a sequence in training: on or off, where each is padded to "
        "the longest.",
    )
    updates: Annotated[int, Number(1, 10**6, whole=True)] = option(
        1, "Optimizer steps into which the samples of a step are divided.", "steps"
    )
    algorithm: Annotated[Algorithm, Choice(get_args(Algorithm))] = option(
        "grpo",
        "What is computed of a sample: grpo (log-probabilities of the policy and of a reference), "
        "dapo (those of the policy alone) or ppo (those of grpo, and a critic as large as the "
        "policy).",
    )
    off_policy: Annotated[int, Number(0, 1000, whole=True)] = option(
        0,
        "Updates that samples may be behind the policy; 0: generation and training take turns on "
        "the same chips, else each has chips of its own.",
        "steps",
    )


class GenerationChoice(OptionRecord):
    """How samples are generated; None is the plain choice."""

    chips: Annotated[int | None, CHIPS] = option(
        None,
        "Chips that only generate, of all of the machine, off policy; the fastest of eighths of "
        "them, in whole domains, if not given, or as many as train where their number is given.",
        "chips",
        name="gen_chips",
    )
    tp: Annotated[int | None, CHIPS] = option(
        None,
        "Tensor parallel degree of a generating replica; the fastest power of two if no degree is "
        "given.",
        "chips",
        name="gen_tp",
    )
    pp: Annotated[int | None, CHIPS] = option(
        None, "Pipeline stages of a generating replica.", "stages", name="gen_pp"
    )
    attn_dp: Annotated[int | None, CHIPS] = option(
        None, "Attention data parallel degree of a generating replica.", "ranks", name="gen_attn_dp"
    )
    ep: Annotated[int | None, CHIPS] = option(
        None,
        "Chips over which a generating replica spreads the experts of a layer.",
        "chips",
        name="gen_ep",
    )
    weights: Annotated[str, Text("the name of a number format, such as bf16 or fp8,")] = option(
        "bf16", "Format in which generation stores the weights.", name="gen_weights"
    )
    engine: Annotated[str | None, Text("the name of an engine, such as vllm,")] = option(
        None, "Serving engine that generates: vllm, sglang, tensorrt-llm; current if not given."
    )
    engine_version: Annotated[str, Text("a version, such as 0.9.1,", empty=True)] = option(
        "", "Release of the engine; the newest if not given."
    )
    memory_utilization: Annotated[float | None, Number(0, 1, above=True)] = option(
        None,
        "Share of a chip's memory that the engine may fill; the engine's own, usually 0.9, if not "
        "given. What training keeps on the same chips has to fit beside it.",
    )
    max_sequences: Annotated[int | None, Number(1, 10**9, whole=True)] = option(
        None,
        "Most sequences in flight per attention-data-parallel rank (vLLM: --max-num-seqs).",
        "sequences",
    )

    @property
    def degrees(self) -> dict[str, int]:
        """Degrees that are fixed."""
        names = ("tp", "pp", "attn_dp", "ep")
        return {n: v for n in names if (v := getattr(self, n)) is not None}
