"""An answer about a step of reinforcement learning in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ridgeline.answers.words import (
    counted,
    factor,
    listed,
    percent,
    quantity,
    seconds,
    tokens,
    usd,
)  # fmt: skip
from ridgeline.questions.training.words import job_words, probability_words
from ridgeline.trainer.memory import SURE
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.rl_step.answer import RLStep

__all__ = ["PART_WORDS", "sentences"]

#: parts of all chips' time, as tables and pictures call them
PART_WORDS: Final = {
    "prompts": "prompts",
    "decode": "decoding",
    "tail": "wait for the longest",
    "logprobs": "log-probabilities",
    "updates": "updates",
    "sync": "new weights",
    "swap": "state to host and back",
    "idle": "idle",
}


def sentences(answer: RLStep) -> list[str]:
    """The step, where its time goes, the longest sample, FLOPs, and how it is laid out."""
    found = [_step(answer), _where(answer), _longest(answer), _flops(answer), _layout(answer)]
    return [*found, *_sides(answer), *_memory(answer)]


def _step(answer: RLStep) -> str:
    asked = answer.scenario.rollout
    about = "about" if answer.is_calibrated else "at least"
    most = "" if answer.is_calibrated else "at most "
    interval = ""
    if answer.interval_s is not None:
        low, high = answer.interval_s
        interval = f" (80% interval {seconds(low)} to {seconds(high)})"
    off = answer.steps_off
    policy = "on policy" if not off else f"{off} step{'s' if off > 1 else ''} off policy"
    price = f", {usd(answer.usd)}" if answer.usd is not None else ""
    return (
        f"{answer.name}, {asked.algorithm.upper()} {policy}: a step of "
        f"{counted(asked.prompts, 'prompt')} x {counted(asked.samples, 'sample')} "
        f"({tokens(answer.tokens)} tokens) takes {about} "
        f"{seconds(answer.step_s)}{interval}, {most}"
        f"{quantity(answer.tokens_per_s_per_chip, 'tok/s')} tok/s per chip{price}."
    )


def _where(answer: RLStep) -> str:
    shares = {n: s for n, s in answer.shares.items() if s >= 0.005}
    top = sorted(shares, key=lambda n: -shares[n])
    parts = [f"{PART_WORDS[n]} {percent(shares[n])}" for n in top]
    return f"Of all chips' time: {listed(parts)}."


def _longest(answer: RLStep) -> str:
    rollout, asked = answer.rollout, answer.scenario.rollout
    held = ""
    if rollout.n > rollout.live:
        held = f", {quantity(rollout.live, '1')} at a time"
    longest = "" if asked.osl.is_fixed else (
        f" The longest sample has {tokens(rollout.longest)} tokens, "
        f"{factor(rollout.longest / asked.osl.mean)} the mean."
    )  # fmt: skip
    return (
        f"A replica generates {quantity(rollout.n, '1')} samples{held}; on average "
        f"{quantity(rollout.mean_live, '1')} are being decoded.{longest}"
    )


def _flops(answer: RLStep) -> str:
    most = "" if answer.is_calibrated else "at most "
    trained = answer.trained_flops * answer.passes.trained
    return (
        f"It computes {answer.flops_per_param_and_token} FLOPs per active parameter and token "
        f"(generation 2, forward passes {2 * answer.passes.forward}, training {trained}); MFU is "
        f"{most}{percent(answer.decode_mfu)} in generation, "
        f"{percent(answer.training_mfu)} in updates and {percent(answer.mfu)} over the whole step."
    )


def _layout(answer: RLStep) -> str:
    layout, load = answer.rollout.replica.layout, answer.job.load
    names = {"tp": "TP", "pp": "PP", "attn_dp": "attention DP", "ep": "EP"}
    degrees = [f"{w} {getattr(layout, n)}" for n, w in names.items() if getattr(layout, n) > 1]
    n = layout.replicas
    how = "packed" if answer.scenario.rollout.packing else "padded"
    return (
        f"Generation: {n:,} replica{'s' if n != 1 else ''} of "
        f"{', '.join(degrees) or 'one chip'}. Training: {job_words(answer.job)}, "
        f"{answer.scenario.rollout.updates:,} x {load.global_batch:,} {how} sequences of "
        f"{load.seq_len:,} tokens."
    )


def _memory(answer: RLStep) -> list[str]:
    sure, memory = answer.fits_probability, answer.memory
    if memory is None or sure is None or sure >= SURE:
        return []
    total = float(np.ravel(memory.needed_bytes)[0])
    return [
        f"Training {'just fits' if answer.fits else 'does not fit'}: the fullest chip needs "
        f"{format_quantity(total, 'B')} of {format_quantity(memory.capacity_bytes, 'B')} "
        f"({probability_words(sure)} probability that it runs); ridgeline training says what would "
        "make it fit."
    ]


def _sides(answer: RLStep) -> list[str]:
    if not answer.steps_off:
        return []
    slow, fast = "generation", "training"
    longer, shorter = answer.generation_s, answer.training_s
    n_slow, n_fast = answer.n_generating, answer.n_training
    if longer < shorter:
        slow, fast, longer, shorter = fast, slow, shorter, longer
        n_slow, n_fast = n_fast, n_slow
    said = (
        f"{slow.capitalize()}, on {counted(n_slow, 'chip')}, takes {seconds(longer)} and {fast}, "
        f"on {n_fast:,}, {seconds(shorter)}, so that {fast} waits for {slow}."
    )
    return [" ".join(filter(None, (said, answer.why_split)))]
