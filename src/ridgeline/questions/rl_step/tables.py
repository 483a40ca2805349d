"""Tables of an answer about a step of reinforcement learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.answers import Table
from ridgeline.questions.rl_step.words import PART_WORDS

if TYPE_CHECKING:
    from ridgeline.questions.rl_step.answer import RLStep

__all__ = ["tables"]


def tables(answer: RLStep) -> tuple[Table, ...]:
    """Where all chips' time goes, and what each phase takes on its own chips."""
    return _shares(answer), _phases(answer)


def _shares(answer: RLStep) -> Table:
    rows = [
        {"part": part, "of": PART_WORDS[part], "time_s": s, "share": answer.shares[part]}
        for part, s in answer.parts_s.items()
        if s > 0
    ]
    rows.append({"part": "step", "of": "step", "time_s": answer.step_s, "share": 1.0})
    least = "" if answer.is_calibrated else " ≥"
    columns = {"of": ("part", ""), "share": ("share", "%"), "time_s": (f"time{least}", "s")}
    return Table("shares", "Where the time of all chips goes", columns, rows)


def _phases(answer: RLStep) -> Table:
    made, trained = answer.n_generating, answer.n_training
    rows = [
        ("generation", answer.generation_s, made, answer.generated_tokens),
        ("log-probabilities", answer.logprobs_s, trained, answer.tokens),
        ("updates", answer.updates_s, trained, answer.tokens),
        ("new weights", answer.sync_s, answer.n_chips, None),
        ("state to host and back", answer.swap_s, answer.n_chips, None),
    ]
    least = "" if answer.is_calibrated else " ≥"
    most = "" if answer.is_calibrated else " ≤"
    return Table(
        "phases",
        "Phases, each on its own chips",
        {
            "phase": ("phase", ""),
            "time_s": (f"time{least}", "s"),
            "n_chips": ("chips", "#"),
            "tokens_per_s_per_chip": (f"tok/s per chip{most}", "tok/s"),
        },
        [
            {
                "phase": name,
                "time_s": s,
                "n_chips": n,
                "tokens_per_s_per_chip": None if t is None else t / s / n,
            }
            for name, s, n, t in rows
            if s > 0
        ],
    )
