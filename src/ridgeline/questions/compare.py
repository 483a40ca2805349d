"""Answers for several machines side by side, whatever the question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast, overload

from ridgeline.errors import SpecError
from ridgeline.questions.layouts.fleet import Fleet
from ridgeline.questions.layouts.fleet_compare import compare_fleets
from ridgeline.questions.serving import Serving
from ridgeline.questions.serving.compare import compare_served

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.questions.layouts.fleet_compare import ComparedFleets
    from ridgeline.questions.serving import Comparison
    from ridgeline.questions.training import Training
    from ridgeline.questions.training.compare import ComparedTraining

__all__ = ["compare"]


@overload
def compare(*answers: Serving | Iterable[Serving]) -> Comparison: ...
@overload
def compare(*answers: Fleet | Iterable[Fleet]) -> ComparedFleets: ...
@overload
def compare(*answers: Training | Iterable[Training]) -> ComparedTraining: ...
def compare(*answers: Any) -> Comparison | ComparedFleets | ComparedTraining:
    """Rank machines: by what a token costs, served or trained on, or by what a fleet costs.

    Parameters
    ----------
    *answers : Serving, Fleet or Training   The same question on several machines, one by one or as
                                            one list.

    Returns
    -------
    Comparison, ComparedFleets or ComparedTraining
        A row per machine. Cheapest first where all have a price on one basis; prices of different
        bases are not compared, so that then, and without prices, throughput per chip ranks (of
        fleets, their power).

    Raises
    ------
    SpecError   No answers, or what is none.

    Notes
    -----
    `questions.prices.prices_of` chooses prices of one basis for all of them.

    Examples
    --------
    >>> import ridgeline as rl
    >>> chips = ("h100-sxm", "h200-sxm")
    >>> found = rl.compare(rl.fleet("Qwen/Qwen3-8B", c, rate=60, isl=1024, osl=512) for c in chips)
    >>> [row["n_chips"] for row in found.table().rows]
    [7, 6]
    """
    many: list[Any] = []
    for given in answers:
        many += given if isinstance(given, list | tuple | Iterator) else [given]
    if not many:
        raise SpecError(
            "There is nothing to compare: give answers of rl.serving, rl.training or rl.fleet."
        )
    if all(isinstance(one, Fleet) for one in many):
        return compare_fleets(cast("list[Fleet]", many))
    if not all(isinstance(one, Serving) for one in many):
        from ridgeline.questions.training import Training  # noqa: PLC0415  (only where it is asked)
        from ridgeline.questions.training.compare import compare_trained  # noqa: PLC0415

        if any(isinstance(one, Training) for one in many):
            return compare_trained(many)
    return compare_served(many)
