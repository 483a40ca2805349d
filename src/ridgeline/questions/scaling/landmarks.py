"""Numbers of chips at which something ends: hidden gradients, the batch, half the utilization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.scaling.critical import Critical
    from ridgeline.questions.scaling.rows import Row
    from ridgeline.trainer.job import TrainingJob

__all__ = ["EXPOSED", "Landmark", "landmarks_of"]

#: exchanges between data-parallel ranks count as exposed from this share of a step on
EXPOSED = 0.05
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Landmark:
    """A number of chips at which something ends.

    Attributes
    ----------
    name : str              ``dp_exposed``, ``batch_runs_out``, ``half_mfu``, ``critical_batch``.
    n_chips : float or None   None where it is not reached on the machine, or never.
    words : str             What happens there.
    short : str             The same in a picture.
    preposition : str       Whether it is so there (``from``), or only after (``beyond``).
    alone : tuple of int    Sizes where it is so although it is not on the largest. [chips]
    """

    name: str
    n_chips: float | None
    words: str
    short: str
    preposition: str = "from"
    alone: tuple[int, ...] = ()


def landmarks_of(
    rows: Sequence[Row], jobs: Sequence[TrainingJob], critical: Critical, *, weak: bool
) -> tuple[Landmark, ...]:
    """Where more chips begin to buy less, and where they buy nothing.

    Parameters
    ----------
    rows : sequence of dict          Of `rows.rows_of`, rising in chips.
    jobs : sequence of TrainingJob   The jobs that they are of.
    critical : Critical
    weak : bool                      Whether the batch grows with the chips.
    """
    best = max(row["mfu"] for row in rows)
    peak = next(i for i, row in enumerate(rows) if row["mfu"] == best)
    last = jobs[-1]
    exposed, exposed_alone = _first(rows, [row["dp_share"] > EXPOSED for row in rows])
    half, half_alone = _first(rows[peak:], [row["mfu"] < _HALF * best for row in rows[peak:]])
    found = [
        Landmark(
            "dp_exposed",
            exposed,
            f"data parallelism is exposed: its exchanges take more than {EXPOSED:.0%} of a step",
            f"DP exposed > {EXPOSED:.0%}",
            alone=exposed_alone,
        ),
        Landmark(
            "half_mfu",
            half,
            "MFU is below half its best",
            "MFU below half its best",
            alone=half_alone,
        ),
    ]
    if weak:
        return (
            *found,
            Landmark(
                "critical_batch",
                critical.batch_tokens / (last.load.tokens / int(last.n_chips)),
                "the batch is above it, and most of what more chips compute teaches nothing",
                "critical batch",
                "beyond",
            ),
        )
    return (
        *found,
        Landmark(
            "batch_runs_out",
            _most_chips(last, last.load.global_batch),
            "the global batch runs out: ranks have no micro-batch for each pipeline stage",
            "batch runs out",
            "beyond",
        ),
        Landmark(
            "critical_batch",
            _most_chips(last, critical.batch_tokens / last.load.seq_len),
            "a batch of that size runs out in the layout of the largest, so that more chips buy "
            "no progress",
            "critical batch runs out",
            "beyond",
        ),
    )


def _first(rows: Sequence[Row], hits: Sequence[bool]) -> tuple[float | None, tuple[int, ...]]:
    """From which size on all hit; and the sizes below it that do alone, where layouts differ."""
    start = len(hits)
    while start and hits[start - 1]:
        start -= 1
    alone = tuple(
        int(r["n_chips"]) for r, hit in zip(rows[:start], hits[:start], strict=True) if hit
    )
    return (float(rows[start]["n_chips"]) if start < len(rows) else None), alone


def _most_chips(job: TrainingJob, sequences: float) -> float:
    """Chips that a batch keeps busy in a layout: a micro-batch for each stage of each rank. [1]"""
    layout = job.layout
    ranks = sequences / (job.recipe.micro_batch * layout.pp)
    return float(ranks * layout.tp * layout.cp * layout.pp)
