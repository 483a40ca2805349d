"""The question about sensitivity, of an answer about serving or training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ridgeline.errors import SpecError
from ridgeline.questions.sensitivity.served import served_sensitivity
from ridgeline.specs.arguments import ANSWER_OF_EITHER, Amount, reads
from ridgeline.specs.ranges import SEQUENCES

if TYPE_CHECKING:
    from ridgeline.answers import Answer
    from ridgeline.questions.serving import Serving
    from ridgeline.questions.training import Training

__all__ = ["sensitivity"]


@overload
def sensitivity(answer: Serving, *, batch: Amount | None = None) -> Answer: ...
@overload
def sensitivity(answer: Training) -> Answer: ...
@reads(batch=SEQUENCES)
def sensitivity(answer: Any, *, batch: Amount | None = None) -> Answer:
    """What a change of each constant does to time and cost, and what to buy next.

    Parameters
    ----------
    answer : Serving or Training   In any reading. Of a model that serves the first context counts.
    batch : float or None          Of a model that serves: sequences in flight; None for the most
                                   that fit. [1]

    Returns
    -------
    Answer
        Table ``constants``, most telling first. Elasticities are logarithmic derivatives by a
        nudge of 1%: -0.5 means that 1% more gives 0.5% less. What comes in whole numbers (layers,
        heads, experts, chips) has no 1%: its elasticities are means over doubling it. The factors
        are what doubling gives: past a change of regime they differ. Of serving, the last column
        lets the batch grow or shrink to what then fits; of training, it is the memory needed, and
        constants of the framework are among the rows. Values: ``best_buy``, the constant of the
        machine that saves most when doubled (of serving at the batch given; with the batch that
        then fits where none is), and its ``cost_doubled`` (and ``cost_refilled``). Chart
        ``tornado``.

    Raises
    ------
    SpecError   Less than one sequence; a batch beside an answer about training, which has its own.

    Notes
    -----
    One constant at a time, all others as they are. Engines cut layers, heads and experts over chips
    in whole ones, so that a fraction of one would take the time of one more.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = sensitivity(rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="blackboard"), batch=1)
    >>> found.values["best_buy"]
    'memory bandwidth'
    >>> found = sensitivity(rl.training("Qwen/Qwen3-8B", "hgx-h100", reading="blackboard"))
    >>> found.values["best_buy"]
    'bf16 peak'
    """
    from ridgeline.questions.sensitivity.trained import trained_sensitivity  # noqa: PLC0415
    from ridgeline.questions.training import Training  # noqa: PLC0415  (only where it is about it)

    if isinstance(answer, Training):
        if batch is not None:
            raise SpecError("batch: an answer about training has its own; ask rl.training again.")
        return trained_sensitivity(answer)
    return served_sensitivity(ANSWER_OF_EITHER.read(answer), batch)
