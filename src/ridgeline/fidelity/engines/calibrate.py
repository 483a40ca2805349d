"""Fit the constants of whole engines to measurements, and say what carries each."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import engine_constants, to_toml
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.engines.design import Design
from ridgeline.fidelity.engines.evaluate import Evaluator
from ridgeline.fidelity.engines.memory import fit_process
from ridgeline.fidelity.engines.pools import has_pools
from ridgeline.fidelity.engines.scatter import of_new_pairs, scatters
from ridgeline.fidelity.engines.solve import Problem, left_out, solve
from ridgeline.fidelity.warmth import warmth
from ridgeline.files import write_whole
from ridgeline.kernels.effects import EFFECTS, NEW_PAIR
from ridgeline.specs.constants import Effect, EngineConstants, Factor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.solve import Solution
    from ridgeline.fidelity.runs import Row
    from ridgeline.specs.effects import EffectKind

    Floats = NDArray[np.float64]

__all__ = [
    "calibrate",
    "constant_rows",
    "effects_of",
    "predictable",
    "read_constants",
    "write_constants",
]

NOTHING = (
    "There is nothing to fit: rows with a time or a rate, a model given by its shape and a chip "
    "are needed."
)
#: rows of one source, model, chip and number of chips tell less each, the more there are
_CROWDING = 0.4
#: runs whose layout and lengths are not stated count less
_UNSTATED_WEIGHT = 0.3
#: a row rests on a factor if it moves by this for each unit of its logarithm
_RESTS = 0.02
_DIGITS = 4
#: models that a place must be measured on to be known
_SEVERAL = 2
_HEADER = "# Written by 'ridgeline calibrate'; not by hand.\n"


def predictable(row: Row) -> bool:
    """Whether a row is of a time or a rate, of a run on one pool that is known piece by piece."""
    run = row.run
    if run is None or has_pools(run):
        return False
    return row.metric != "memory_bytes" and bool(run.model.blocks)


def calibrate(rows: Sequence[Row], start: EngineConstants | None = None) -> EngineConstants:
    """Fit all effects to measured rows, each by how much it tells.

    Parameters
    ----------
    rows : sequence of Row             Good ones, with values.
    start : EngineConstants or None    Where to begin; without, at what is expected beforehand.

    Returns
    -------
    EngineConstants   The same rows in the same order give the same digits.

    Raises
    ------
    RidgelineError   No row can be fitted.
    """
    measured_rows = [r for r in rows if r.value and r.value > 0]
    rows = [r for r in measured_rows if predictable(r)]
    weight = weights(rows)
    if not np.any(weight > 0):
        raise RidgelineError(NOTHING)
    evaluator = Evaluator(rows)
    design = Design(evaluator.plan.scopes)
    measured = np.log([float(row.value or 1.0) for row in rows])
    problem = Problem(evaluator, design, measured, weight)
    solution = solve(problem, design.start(start))
    first = evaluator.plan.of_run
    places = [evaluator.plan.scopes[first[i][0]] for i in evaluator.run_of_row]
    unseen, known = left_out(problem, solution, [_shape(row) for row in rows], places)
    scatter = scatters(rows, places, unseen, known)
    pairs = [place["pair"] for place in places]
    parts = [{k: v for k, v in place.items() if k != "pair"} for place in places]
    apart = left_out(problem, solution, pairs, parts)
    scatter[NEW_PAIR] = of_new_pairs(rows, places, *apart, scatter)
    return EngineConstants(
        id="engines",
        effects=effects_of([row.run.source if row.run else "" for row in rows], design, solution),
        scatter=scatter,
        process=fit_process(measured_rows),
        seen=seen_places(rows, places),
        pairs=tuple(sorted(set(pairs))),
        n_rows=int(np.count_nonzero(weight)),
        sources=tuple(sorted({row.run.source for row in rows if row.run})),
        date=max((row.run.date for row in rows if row.run), default=""),
    )


def weights(rows: Sequence[Row], crowding: float = _CROWDING) -> Floats:
    """Weight of each row; 0 where what is measured is not of the engine alone.

    Parameters
    ----------
    crowding : float   A row counts by the number of its source, model, chip and number of chips to
                       this power, as one source's oddities are not to be learned; 0 where they are.
    """
    cells = [_cell(row) for row in rows]
    crowd = Counter(cells)
    found = np.array([crowd[cell] ** -crowding for cell in cells])
    for i, row in enumerate(rows):
        regime = row.run.regime if row.run else ""
        untold = row.metric.endswith("_p99_s") or (regime, row.metric) in _NOT_FITTED
        if untold or (row.metric == "ttft_s" and _is_cold(row)):
            found[i] = 0.0
        elif regime == "slo":
            found[i] *= _UNSTATED_WEIGHT
    return found


def _is_cold(row: Row) -> bool:
    """Whether the first tokens were of a server that had served nothing before.

    Its first requests wait for what it loads and compiles: a mean over few requests tells more of
    that than of the engine.
    """
    return row.run is not None and warmth(row.run) == "cold"


#: the wait in a queue of a length of somebody's choice
_NOT_FITTED = {("offline", "ttft_s"), ("offline", "itl_s")}


def _shape(row: Row) -> Any:
    """Models of one shape are one model, whatever they are called."""
    assert row.run is not None
    model = row.run.model
    return model.d_model, model.vocab_size, tuple((b.repeat, b.mixer, b.ffn) for b in model.blocks)


def seen_places(rows: Sequence[Row], places: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Places measured on several models: what one model alone tells may be the model's own.

    A port must be measured on several chips, too.
    """
    models: dict[str, set[Any]] = defaultdict(set)
    chips: dict[str, set[str]] = defaultdict(set)
    for row, place in zip(rows, places, strict=True):
        for level, name in place.items():
            if level == "pair":
                continue
            models[name].add(_shape(row))
            if level == "port":
                chips[name].add(place["chip"])
    known = {name for name, shapes in models.items() if len(shapes) >= _SEVERAL}
    return tuple(sorted(known - {name for name, on in chips.items() if len(on) < _SEVERAL}))


def _cell(row: Row) -> tuple[Any, ...]:
    run = row.run
    assert run is not None
    return run.source, run.model.id, run.cluster.chip.id, run.n_chips


def effects_of(sources: Sequence[str], design: Design, solution: Solution) -> dict[str, Effect]:
    """Factors of each effect, with how sure each is and how many measurements rest on it.

    Parameters
    ----------
    sources : sequence of str   Who measured each row.
    design, solution : Design, Solution   What was fitted.
    """
    sigma, carried = carried_by(solution)
    named = np.array(sources)
    factors: dict[str, dict[str, Factor]] = {name: {} for name in design.kinds}
    for i, (effect, level, place) in enumerate(design.names):
        on_it = carried[:, i]
        if not on_it.any() and level != "all":
            continue
        factors[effect][place] = Factor(
            value=rounded(float(np.exp(solution.unknowns[i]))),
            sigma=round(float(sigma[i]), 3),
            n_rows=int(on_it.sum()),
            sources=tuple(np.unique(named[on_it]).tolist()),
        )
    return {
        name: Effect(spread=dict(design.kinds[name].spread), factors=found)
        for name, found in factors.items()
    }


def carried_by(solution: Solution) -> tuple[Floats, NDArray[np.bool_]]:
    """Standard deviation of each unknown, and which rows rest on which unknown."""
    sigma = np.sqrt(np.diag(np.linalg.inv(solution.precision)))
    return sigma, (np.abs(solution.jacobian) > _RESTS) & (solution.row_weight[:, None] > 0)


def rounded(value: float) -> float:
    """A value as it is written."""
    return float(f"{value:.{_DIGITS}g}")


def write_constants(constants: EngineConstants, path: Path) -> None:
    """Write constants as TOML, whole or not at all.

    Raises
    ------
    RidgelineError   The folder does not exist or cannot be written to.
    """
    write_whole(path, _HEADER + to_toml(constants))


def read_constants(path: Path) -> EngineConstants:
    """Read constants as `write_constants` writes them.

    Raises
    ------
    CatalogError, SpecError   See `catalog.engine_constants`.
    """
    return engine_constants(path)


def constant_rows(
    constants: EngineConstants, kinds: Mapping[str, EffectKind] = EFFECTS
) -> list[dict[str, Any]]:
    """Every constant as a line of a table: what, where, value, unit, sigma, rows, sources."""
    return [
        {
            "constant": name,
            "place": place,
            "value": factor.value,
            "unit": kinds[name].unit if place == "all" else "x",
            "sigma": factor.sigma,
            "n_rows": factor.n_rows,
            "sources": list(factor.sources),
        }
        for name, effect in constants.effects.items()
        for place, factor in effect.factors.items()
    ]
