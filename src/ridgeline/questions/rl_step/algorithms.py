"""Which passes each algorithm of reinforcement learning makes over a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ALGORITHMS", "Passes"]


@dataclass(frozen=True, slots=True)
class Passes:
    """Passes over all samples of a step, besides their generation.

    Attributes
    ----------
    forward : int   Forward passes alone: log-probabilities and values. [1]
    trained : int   Models with a forward and a backward pass and an optimizer. [1]
    words : str     What the forward passes are for.
    source : str
    """

    forward: int
    trained: int
    words: str
    source: str


ALGORITHMS: Final = {
    "grpo": Passes(
        2, 1, "log-probabilities of the policy and of a reference", "arXiv:2402.03300, eq. 3 and 4"
    ),
    "dapo": Passes(
        1, 1, "log-probabilities of the policy; no reference", "arXiv:2503.14476, section 2.3"
    ),
    "ppo": Passes(
        3, 2, "log-probabilities of policy and reference, and values of a critic as large",
        "arXiv:2203.02155, section 3.5: a value function beside the policy, and a reference",
    ),
}  # fmt: skip
