"""Fit somebody's own few runs: constants of the package, moved as far as those runs tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.engines.calibrate import (
    NOTHING,
    carried_by,
    predictable,
    rounded,
    seen_places,
    weights,
)
from ridgeline.fidelity.engines.design import Design
from ridgeline.fidelity.engines.evaluate import Evaluator
from ridgeline.fidelity.engines.solve import Problem, left_out, solve
from ridgeline.specs.constants import Effect, EngineConstants, Factor, OwnRuns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.solve import Solution
    from ridgeline.fidelity.runs import Row

    Floats = NDArray[np.float64]

__all__ = ["Moved", "OwnFit", "errors_of", "fit_own", "moved_constants", "refuse_known"]

#: a factor that moved by less is as it was
_MOVED = 0.01


@dataclass(frozen=True, slots=True)
class Moved:
    """A factor that own runs moved.

    Attributes
    ----------
    effect, place : str    What it is of: ``memory`` at ``chip h100-sxm``.
    before, after : float  [1], or seconds at ``all`` for an effect that is a time
    sigma_before, sigma : float   Standard deviations on the log scale.
    n_rows : int           Own measurements whose prediction rests on it.
    unit : str             ``s`` for a time, ``x`` for a factor on one.
    """

    effect: str
    place: str
    before: float
    after: float
    sigma_before: float
    sigma: float
    n_rows: int
    unit: str = "x"


@dataclass(frozen=True, slots=True)
class OwnFit:
    """Constants moved by own runs, and what that is worth.

    Attributes
    ----------
    constants : EngineConstants
    moved : tuple of Moved   By more than 1%, the largest move first.
    errors : list of dict    For all rows and each metric: ``metric``, ``n_rows`` and median errors
                             ``before``, ``after``, and ``left_out`` where each run is predicted
                             from the others (None of a single run). [1]
    n_unfitted : int         Rows that tell nothing of these constants: memory, two pools, 99th
                             percentiles, waits in offline queues.
    """

    constants: EngineConstants
    moved: tuple[Moved, ...]
    errors: list[dict[str, Any]]
    n_unfitted: int


def fit_own(rows: Sequence[Row], held_to: EngineConstants, tables: Sequence[str] = ()) -> OwnFit:
    r"""Move constants as far as some rows tell.

    Parameters
    ----------
    rows : sequence of Row      Good ones, with values.
    held_to : EngineConstants   Fitted before.
    tables : sequence of str    Names of the files, for the record.

    Returns
    -------
    OwnFit   Widths of intervals, and what a process takes of memory, stay as they were.

    Raises
    ------
    RidgelineError   No row can be fitted, or rows of sources that `held_to` was fitted to.

    Notes
    -----
    The loss is that of `calibrate`, each row counted whole, with priors

    .. math:: \tfrac12 \sum_j \left(\frac{\ln f_j - \ln f_j^0}{\sigma_j}\right)^2

    around the factors f0 of the first fit, with their standard deviations; a place that was not
    fitted begins at 1, with what places of its level differ by. Wider priors met runs like those
    fitted more closely, and were led astray by single odd ones.

    Of the factors that make up an effect the narrowest move, of the chip and of the engine (its
    era, or its port to that chip), and those of places that were not measured before. Wider ones
    are shared with engines and chips that own runs tell nothing of; their standard deviations are
    wide only because narrower ones can make up for them.
    """
    refuse_known(rows, held_to)
    timed = [row for row in rows if row.value and row.value > 0 and predictable(row)]
    weight = weights(timed, crowding=0.0)
    if not np.any(weight > 0):
        raise RidgelineError(NOTHING)
    evaluator = Evaluator(timed)
    plan = evaluator.plan
    design = Design(plan.scopes, held_to, plan.members)
    measured = np.log([float(row.value or 1.0) for row in timed])
    problem = Problem(evaluator, design, measured, weight)
    before = evaluator.log_rows(design.effects(design.prior))[0] - measured
    solution = solve(problem, design.prior)
    places = [plan.scopes[plan.of_run[i][0]] for i in evaluator.run_of_row]
    unseen, _ = left_out(problem, solution, evaluator.run_of_row.tolist(), places)
    fitted = problem.fitted
    alone = len(set(evaluator.run_of_row[fitted])) < 2
    constants, moved = moved_constants(held_to, design, solution, tuple(tables))
    own = OwnRuns(n_rows=len(fitted), tables=tuple(tables))
    return OwnFit(
        constants.model_copy(
            update={
                "seen": tuple(sorted({*held_to.seen, *seen_places(timed, places)})),
                "pairs": tuple(sorted({*held_to.pairs, *(place["pair"] for place in places)})),
                "own": own,
            }
        ),
        tuple(sorted(moved, key=lambda one: -abs(np.log(one.after / one.before)))),
        errors_of(evaluator.metric[fitted], before[fitted], solution.residual[fitted],
                None if alone else unseen[fitted]),
        len(rows) - len(fitted),
    )  # fmt: skip


def refuse_known(rows: Sequence[Any], held_to: EngineConstants) -> None:
    """Refuse rows of sources that constants were fitted to."""
    known = [row.source for row in rows if row.source in held_to.sources]
    if known:
        raise RidgelineError(
            f"{len(known):,} of {len(rows):,} rows are of {', '.join(sorted(set(known)))}, to "
            "which the constants of the package were fitted: they would count twice. Leave them "
            "out (or name the source of your own rows otherwise), or fit all anew with "
            "--from-scratch."
        )


def moved_constants(
    held_to: EngineConstants, design: Design, solution: Solution, tables: tuple[str, ...]
) -> tuple[EngineConstants, list[Moved]]:
    """Constants with the factors of a fit, and those that moved."""
    sigma, carried = carried_by(solution)
    known, kinds = held_to.effects, design.kinds
    factors = {n: dict(known[n].factors) if n in known else {} for n in kinds}
    moved = []
    for i, (name, level, place) in enumerate(design.names):
        n_rows = int(carried[:, i].sum())
        old, move = factors[name].get(place), solution.unknowns[i] - design.prior[i]
        if not n_rows and (level != "all" if old is None else not move):
            continue
        start = old or Factor(value=float(np.exp(design.prior[i])), sigma=float(design.spread[i]))
        found = Factor(
            value=rounded(start.value * float(np.exp(move))),
            sigma=round(float(sigma[i]), 3),
            n_rows=start.n_rows + n_rows,
            sources=start.sources or tables,
        )
        factors[name][place] = found
        if abs(move) > _MOVED:
            moved.append(
                Moved(
                    name,
                    place,
                    start.value,
                    found.value,
                    round(float(design.spread[i]), 3),
                    found.sigma,
                    n_rows,
                    kinds[name].unit if place == "all" else "x",
                )
            )
    effects = {
        name: Effect(spread=dict(kinds[name].spread), factors=found)
        for name, found in factors.items()
    }
    return held_to.model_copy(update={"effects": effects}), moved


def errors_of(
    metric: NDArray[np.str_], before: Floats, after: Floats, unseen: Floats | None
) -> list[dict[str, Any]]:
    """Median errors before and after, of all rows and of each metric: see `OwnFit`."""
    found = []
    for name in ("all", *dict.fromkeys(metric.tolist())):
        here = np.full(len(metric), True) if name == "all" else metric == name
        found.append(
            {
                "metric": name,
                "n_rows": int(here.sum()),
                "before": _median_error(before[here]),
                "after": _median_error(after[here]),
                "left_out": None if unseen is None else _median_error(unseen[here]),
            }
        )
    return found


def _median_error(residual: Floats) -> float:
    return float(np.expm1(np.median(np.abs(residual))))
