"""The picture of an answer about a step of reinforcement learning: which chips do what, when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ridgeline.answers.words import percent, seconds
from ridgeline.errors import SpecError, there_is_no
from ridgeline.questions.rl_step.words import PART_WORDS

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.rl_step.answer import RLStep

__all__ = ["PICTURES", "draw"]

PICTURES: Final = ("time",)


def draw(answer: RLStep, name: str) -> Chart:
    """Draw a picture.

    Parameters
    ----------
    answer : RLStep
    name : str        One of `PICTURES`.

    Raises
    ------
    SpecError   There is no such picture.
    """
    if name not in PICTURES:
        raise SpecError(there_is_no("picture", name, PICTURES))
    from ridgeline.charts import rl_step_chart  # noqa: PLC0415  (only when drawn)

    least = "" if answer.is_calibrated else "at least "
    made = sum(answer.shares[n] for n in ("prompts", "decode", "tail"))
    trained = answer.shares["logprobs"] + answer.shares["updates"]
    asked = answer.scenario.rollout
    return rl_step_chart(
        _bars(answer),
        answer.step_s,
        title=f"{answer.name}: {least}{seconds(answer.step_s)} per {asked.algorithm.upper()} step",
        subtitle=(
            f"{asked.prompts:,} prompts x {asked.samples:,} samples; generation {percent(made)}, "
            f"training {percent(trained)} of all chips' time; {answer.reading}"
        ),
    )


def _bars(answer: RLStep) -> list[dict[str, Any]]:
    """What each side does, one thing after another. [s]"""
    own = answer.generation_s / answer.rollout.time_s
    prompts, tail = own * answer.rollout.prompts_s, own * answer.rollout.tail_s
    making = [
        ("prompts", prompts),
        ("decode", answer.generation_s - prompts - tail),
        ("tail", tail),
    ]
    training = [("logprobs", answer.logprobs_s), ("updates", answer.updates_s)]
    moving = [("swap", answer.swap_s), ("sync", answer.sync_s)]
    if not answer.steps_off:
        return _lane(f"all {answer.n_chips:,} chips", [*making, *training, *moving])
    longest = max(answer.generation_s, answer.training_s)
    waits = [("idle", longest - answer.generation_s)], [("idle", longest - answer.training_s)]
    return [
        *_lane(f"{answer.n_generating:,} generate", [*making, *waits[0], *moving]),
        *_lane(f"{answer.n_training:,} train", [*training, *waits[1], *moving]),
    ]


def _lane(lane: str, phases: list[tuple[str, float]]) -> list[dict[str, Any]]:
    found, at = [], 0.0
    for name, length in phases:
        if length > 0:
            words = f"{PART_WORDS[name]}, {seconds(length)}"
            found.append({"lane": lane, "part": PART_WORDS[name], "from_s": at,
                          "to_s": at + length, "words": words})  # fmt: skip
        at += length
    return found
