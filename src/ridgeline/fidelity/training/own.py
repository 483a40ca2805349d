"""Fit somebody's own training runs: constants of the package, moved as far as those runs tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ridgeline.catalog import training_effect_kinds
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.engines.design import Design
from ridgeline.fidelity.engines.own import OwnFit, errors_of, moved_constants, refuse_known
from ridgeline.fidelity.engines.solve import Problem, left_out, solve
from ridgeline.fidelity.training.calibrate import NOTHING, seen_places, timed_runs, weights
from ridgeline.fidelity.training.evaluate import StepEvaluator
from ridgeline.specs.constants import OwnRuns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.training.runs import TrainingRow
    from ridgeline.specs.constants import EngineConstants

__all__ = ["fit_own_training"]


def fit_own_training(
    rows: Sequence[TrainingRow], held_to: EngineConstants, tables: Sequence[str] = ()
) -> OwnFit:
    """Move constants of training frameworks as far as some runs tell.

    As `engines.own.fit_own`, whose notes say what moves. Runs of models with experts, and of frozen
    weights, count here as all others do.

    Parameters
    ----------
    rows : sequence of TrainingRow   Good ones.
    held_to : EngineConstants        Fitted before.
    tables : sequence of str         Names of the files, for the record.

    Raises
    ------
    RidgelineError   No row can be fitted, or rows of sources that `held_to` was fitted to.
    """
    refuse_known(rows, held_to)
    runs = timed_runs(rows)
    if not runs:
        raise RidgelineError(NOTHING)
    evaluator = StepEvaluator([one.run.job for one in runs])
    design = Design(evaluator.scopes, held_to, evaluator.members, kinds=training_effect_kinds())
    measured = np.log([one.step_s for one in runs])
    problem = Problem(evaluator, design, measured, weights(runs, own=True))
    before = evaluator.log_rows(design.effects(design.prior))[0] - measured
    solution = solve(problem, design.prior)
    places = [evaluator.scopes[i] for i in evaluator.case]
    alone = len(runs) < 2
    unseen = None if alone else left_out(problem, solution, list(range(len(runs))), places)[0]
    constants, moved = moved_constants(held_to, design, solution, tuple(tables))
    seen = {*held_to.seen, *seen_places(runs, places)}
    own = OwnRuns(n_rows=len(runs), tables=tuple(tables))
    return OwnFit(
        constants.model_copy(update={"seen": tuple(sorted(seen)), "own": own}),
        tuple(sorted(moved, key=lambda one: -abs(np.log(one.after / one.before)))),
        errors_of(np.array(["step_time_s"] * len(runs)), before, solution.residual, unseen),
        len(rows) - len(runs),
    )
