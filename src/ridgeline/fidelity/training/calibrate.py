"""Fit how training frameworks differ from lone kernels to measured steps."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import training_effect_kinds
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.engines.calibrate import effects_of
from ridgeline.fidelity.engines.design import Design
from ridgeline.fidelity.engines.solve import Problem, left_out, solve
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.training.evaluate import StepEvaluator
from ridgeline.fidelity.training.families import family_name, source_family
from ridgeline.fidelity.training.runs import RATES
from ridgeline.fidelity.training.sets import KEPT_OUT, has_experts
from ridgeline.fidelity.training.units import step_seconds
from ridgeline.kernels.effects import NEW_PAIR
from ridgeline.specs.constants import EngineConstants, Scatter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.solve import Solution
    from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun

    Floats = NDArray[np.float64]

__all__ = [
    "NOTHING", "Timed", "calibrate_training", "crowding", "is_kept_out", "seen_places",
    "timed_runs", "weights",
]  # fmt: skip

NOTHING = (
    "There is nothing to fit: rows of step_time_s, tokens_per_s_per_chip, tflops_per_chip or mfu "
    "of dense models are needed."
)
#: runs of one source, model, chip and number of chips tell less each, the more there are
_CROWDING = 0.4
#: runs of which a field was inferred count less
_MEDIUM_WEIGHT = 0.3
#: of these even runs with an inferred field are out
_HIGH_ONLY = ("nanotron-h100",)
_SEVERAL = 2
#: scatters are at least so much, whatever few rows say
_LEAST_SCATTER = 0.03


class Timed:
    """A run whose step was timed: by the most direct of its metrics. [s]"""

    def __init__(self, run: TrainingRun, quality: str) -> None:
        self.run = run
        self.quality = quality
        self.step_s = 0.0
        self._rank = len(RATES)

    def add(self, row: TrainingRow) -> None:
        """Take a row, if it says more directly how long a step took."""
        rank = RATES.index(row.metric)
        if rank < self._rank and row.convention != "unknown":
            self.step_s, self._rank = step_seconds(row), rank


def timed_runs(rows: Sequence[TrainingRow]) -> list[Timed]:
    """Runs of rows that tell how long a step took, in order."""
    found: dict[str, Timed] = {}
    for row in rows:
        if row.run is None or row.status != OK or row.metric not in RATES:
            continue
        found.setdefault(row.run.key, Timed(row.run, row.quality)).add(row)
    return [one for one in found.values() if one.step_s > 0]


def weights(runs: Sequence[Timed], *, own: bool = False) -> Floats:
    """How much each run counts; 0 for what is kept out of every fit.

    Parameters
    ----------
    own : bool   Somebody's own runs: nothing is kept out, and none counts less for its number.
    """
    if own:
        return np.array([1.0 if one.quality == "high" else _MEDIUM_WEIGHT for one in runs])
    cells = [crowding(one.run) for one in runs]
    crowd = Counter(cells)
    found = np.array([crowd[cell] ** -_CROWDING for cell in cells])
    for i, one in enumerate(runs):
        run = one.run
        apart = bool(run.job.framework.stands_for) or not run.job.recipe.trains_all
        if apart or has_experts(run) or is_kept_out(run, one.quality):
            found[i] = 0.0
        elif one.quality != "high":
            found[i] *= _MEDIUM_WEIGHT
    return found


def is_kept_out(run: TrainingRun, quality: str) -> bool:
    """Whether a run is in no fit, whatever it is fitted to."""
    source = source_family(run.source)
    return source in KEPT_OUT or (source in _HIGH_ONLY and quality != "high")


def crowding(run: TrainingRun) -> tuple[Any, ...]:
    """What makes runs tell the less of each other, the more of them there are."""
    return source_family(run.source), run.model.id, run.cluster.chip.id, run.n_chips


def calibrate_training(
    rows: Sequence[TrainingRow], start: EngineConstants | None = None, *, scattered: bool = True
) -> EngineConstants:
    """Fit all effects of training frameworks to measured steps, each run by how much it tells.

    Parameters
    ----------
    rows : sequence of TrainingRow
    start : EngineConstants or None   Where to begin; without, at what is expected beforehand.
    scattered : bool   Fit on models left out, too, for the scatter; without it that of `start`
                       stays.

    Returns
    -------
    EngineConstants   The same rows in the same order give the same digits.

    Raises
    ------
    RidgelineError   No row can be fitted.
    """
    runs = timed_runs(rows)
    weight = weights(runs)
    runs = [one for one, w in zip(runs, weight, strict=True) if w > 0]
    if not runs:
        raise RidgelineError(NOTHING)
    evaluator = StepEvaluator([one.run.job for one in runs])
    kinds = training_effect_kinds()
    design = Design(evaluator.scopes, kinds=kinds)
    measured = np.log([one.step_s for one in runs])
    problem = Problem(evaluator, design, measured, weight[weight > 0])
    solution = solve(problem, design.start(start))
    places = [evaluator.scopes[i] for i in evaluator.case]
    scatter = dict(start.scatter) if start else {}
    if scattered:
        families = [family_name(one.run.model.id) for one in runs]
        unseen, known = left_out(problem, solution, families, places)
        scatter = _scatters(unseen, known, places, problem.weight)
        apart, _ = left_out(problem, solution, [p["era"] for p in places], places)
        scatter[NEW_PAIR] = _of_new_eras(apart, places, problem, solution)
    return EngineConstants(
        id="training",
        effects=effects_of([one.run.source for one in runs], design, solution),
        scatter=scatter,
        seen=seen_places(runs, places),
        pairs=tuple(sorted({place["pair"] for place in places})),
        n_rows=len(runs),
        sources=tuple(sorted({one.run.source for one in runs})),
        date=max((one.run.date for one in runs), default=""),
    )


def seen_places(runs: Sequence[Timed], places: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Places measured on several models: what one model alone tells may be the model's own."""
    models: dict[str, set[str]] = defaultdict(set)
    for one, place in zip(runs, places, strict=True):
        for level, name in place.items():
            if level != "pair":
                models[name].add(one.run.model.id)
    return tuple(sorted(name for name, found in models.items() if len(found) >= _SEVERAL))


def _scatters(
    unseen: Floats,
    known: NDArray[np.bool_],
    places: Sequence[Mapping[str, str]],
    weight: Floats,
) -> dict[str, Scatter]:
    """What remains on models left out: of a step's time, and of frameworks and eras beside it."""
    use = known if np.any(known) else np.ones(len(unseen), dtype=bool)
    whole = _sigma(unseen[use], weight[use])
    found = {"training step_time_s": Scatter(sigma=round(whole, 4), n_rows=int(use.sum()))}
    for level in ("framework", "era"):
        names = np.array([place.get(level, "") for place in places])
        for name in np.unique(names):
            own = use & (names == name)
            if own.sum() < _FEWEST:
                own = names == name  # what is not known there is in its scatter, then
            if own.sum() < _FEWEST:
                continue
            above = whole
            if level == "era":
                wide = next(p["framework"] for p in places if p.get("era") == name)
                above = whole * (found[wide].sigma if wide in found else 1.0)
            ratio = _sigma(unseen[own], weight[own]) / above
            shrunk = ratio ** (own.sum() / (own.sum() + _FEWEST))
            found[str(name)] = Scatter(sigma=round(float(shrunk), 4), n_rows=int(own.sum()))
    return found


def _of_new_eras(
    residual: Floats,
    places: Sequence[Mapping[str, str]],
    problem: Problem,
    solution: Solution,
) -> Scatter:
    r"""What an era adds that was not measured, beyond what its effects are not known by.

    .. math:: \tau = m_{(k)} / z,\quad m^2 = \max(r^2 - v,\ 0),\quad k = \lceil 0.8 (n + 1) \rceil

    with the median r of an era's residuals where it was left out, the variance v of the factors
    that only this era has, and of n eras the k-th smallest m: one more era lies within it with a
    probability of 80%. How far its runs lie apart is in the scatter.
    """
    effects = problem.design.effects(solution.unknowns)
    slopes = problem.evaluator.slopes(effects, solution.residual + problem.ln_measured, 1e-4)
    eras = np.array([place["era"] for place in places])
    others = [{v for p, e in zip(places, eras, strict=True) if e != era for v in p.values()}
              for era in np.unique(eras)]  # fmt: skip
    found = []
    for era, known in zip(np.unique(eras), others, strict=True):
        own = eras == era
        if own.sum() < _FEWEST:
            continue
        place = next(p for p, e in zip(places, eras, strict=True) if e == era)
        variance = np.zeros(int(own.sum()))
        for name, kind in problem.design.kinds.items():
            apart = [kind.spread[x] ** 2 for x in kind.levels if place.get(x, "") not in known]
            variance += slopes[name][own] ** 2 * sum(apart)
        off = float(np.median(residual[own]))
        found.append(max(off**2 - float(np.median(variance)), 0.0) ** 0.5)
    at = min(math.ceil(_SHARE * (len(found) + 1)), len(found)) - 1
    between = sorted(found)[at] / _Z80 if found else 0.0
    return Scatter(sigma=round(max(between, _LEAST_SCATTER), 3), n_rows=len(found))


_FEWEST = 8
#: of eras and of residuals, those that an interval is to hold
_SHARE = 0.8
#: of a normal distribution, what lies within this many standard deviations is 80%
_Z80 = 1.2816


def _sigma(residual: Floats, weight: Floats) -> float:
    """A standard deviation whose 80% interval holds 80% of the residuals, by weight."""
    order = np.argsort(np.abs(residual))
    share = np.cumsum(weight[order]) / weight.sum()
    at = min(int(np.searchsorted(share, _SHARE)), len(order) - 1)
    return max(float(np.abs(residual[order][at])) / _Z80, _LEAST_SCATTER)
