"""The same step over any fields of any records: a grid of answers, or what is left of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ridgeline import catalog
from ridgeline.answers.table import Table
from ridgeline.errors import SpecError
from ridgeline.grid import (
    BLOCK_POINTS,
    UNEXPANDED_BLOCK_POINTS,
    Axis,
    Column,
    ProgressLine,
    Reduction,
    Result,
    Spread,
    evaluate,
    points,
    reduce_grid,
)
from ridgeline.laws._namespace import where
from ridgeline.laws.economics import cost_usd_per_mtok, throughput_tokens_per_s
from ridgeline.questions.prices import prices_of
from ridgeline.questions.setup import chosen_constants
from ridgeline.replica import Replica
from ridgeline.service.requests import Requests
from ridgeline.specs.fields import shown
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import Load
from ridgeline.steps.axes import axis_unit, axis_values
from ridgeline.steps.bind import bound
from ridgeline.steps.layouts import can_be

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from ridgeline.grid import Kernel
    from ridgeline.grid.spread import Client
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.model import Model

__all__ = ["COLUMNS", "Sweep", "records_of", "sweep"]

Values = Sequence[Any] | np.ndarray
_READINGS = ("ideal", "calibrated")


class Sweep(Result):
    """The grid of a sweep; it shows itself as a table."""

    __slots__ = ()

    def table(self) -> Table:
        """The points as a table, last axis fastest."""
        return Table.from_result(self, "sweep", f"{math.prod(self.shape):,} points")

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.table()._repr_html_()


@overload
def sweep(
    model: Model | str,
    on: Cluster | str,
    axes: Mapping[str, Values | Mapping[str, Values]],
    *,
    layout: Layout | None = None,
    load: Load | None = None,
    reading: str = "calibrated",
    constants: str | Path | EngineConstants | None = None,
    reductions: None = None,
    executor: Executor | Client | None = None,
    workers: int = 1,
    resume: str | Path | None = None,
    run_as: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Sweep: ...
@overload
def sweep(
    model: Model | str,
    on: Cluster | str,
    axes: Mapping[str, Values | Mapping[str, Values]],
    *,
    layout: Layout | None = None,
    load: Load | None = None,
    reading: str = "calibrated",
    constants: str | Path | EngineConstants | None = None,
    reductions: Callable[[], Mapping[str, Reduction]],
    executor: Executor | Client | None = None,
    workers: int = 1,
    resume: str | Path | None = None,
    run_as: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]: ...
def sweep(
    model: Model | str,
    on: Cluster | str,
    axes: Mapping[str, Values | Mapping[str, Values]],
    *,
    layout: Layout | None = None,
    load: Load | None = None,
    reading: str = "calibrated",
    constants: str | Path | EngineConstants | None = None,
    reductions: Callable[[], Mapping[str, Reduction]] | None = None,
    executor: Executor | Client | None = None,
    workers: int = 1,
    resume: str | Path | None = None,
    run_as: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Sweep | list[dict[str, Any]]:
    """Evaluate a decode step over axes of any numeric fields.

    Parameters
    ----------
    model, on : record or str   What does not vary.
    axes : mapping
        Name of an axis to its values. The name is a field's path (``load.batch``,
        ``cluster.chip.memory.bandwidth``, ``layout.tp``, ``model.n_kv_heads``), or any word for a
        mapping of several paths to values of one length, which vary together. Values are numbers
        in SI or text with units (``"4.8 TB/s"``, ``"8k"``), as the field takes them. The names
        ``model`` and ``cluster`` take ids: they are looped over, outermost.
    layout, load : record or None   One chip and one sequence at 8192 tokens by default.
    reading : str               ``ideal`` or ``calibrated``.
    constants : path, EngineConstants or None   Of whole engines, as ``ridgeline calibrate`` writes
                                them; None for those of the package.
    reductions : callable or None
        Makes fresh reductions (`Best`, `Pareto`, `Histogram`): then no table is built, and a list
        of dicts comes back, one a combination of ids: points as rows of axes and columns.
    executor : Executor, Client or None
        A `concurrent.futures.Executor` or a Client of Dask that evaluates shards of the grid; it
        stays open.
    workers : int               Processes, where there is no executor; started only for what takes
                                this process longer than two seconds.
    resume : path or None       Folder that keeps finished shards: the same sweep goes on from
                                there, and gives the same to the last digit.
    run_as : str                ``auto`` traces the step once and replays it, with numpy or (extra
                                ``[fast]``) in compiled loops, where the grid is large enough;
                                ``untraced``, ``numpy`` and ``numba`` leave no choice.
    progress : callable or None
        Called with points done and in all; a line on the terminal by default.

    Returns
    -------
    Sweep, or list of dict   A `Result` with columns ``time_s``, ``tokens_per_s_per_chip``,
        ``usd_per_mtok_output``, ``memory_bytes_per_chip``; `infeasible` says why a point cannot be,
        and ``fits`` (a mask for reductions) that it can. Dollars are of prices on
        one basis; of clusters that have none in common they are NaN.

    Raises
    ------
    SpecError   A path that leads to no number, a value that its field does not take, values of
                unequal lengths, a reduction that cannot be spread, or a folder to resume from that
                keeps another study.
    MissingExtraError   ``numba`` is asked for and not installed.
    RidgelineError   A shard that killed its process three times, or an executor that broke.

    Examples
    --------
    >>> import numpy as np
    >>> grid = sweep("Qwen/Qwen3-8B", "hgx-h100", {
    ...     "load.batch": [1, 64],
    ...     "cluster.chip.memory.bandwidth": np.asarray([3.35e12, 6.7e12]),
    ... })
    >>> bool((grid["time_s"][:, 1] < grid["time_s"][:, 0]).all())
    True
    """
    if reading not in _READINGS:
        raise SpecError(f"A sweep is read as {' or '.join(_READINGS)}, not {reading!r}.")
    if constants is not None and reading != "calibrated":
        raise SpecError(f"constants are of the calibrated reading, not of the {reading} one.")
    fitted = chosen_constants(constants)
    ids = {n: _ids(n, axes[n]) for n in ("model", "cluster") if n in axes}
    first = {n: v[0] for n, v in ids.items()}
    known = records_of(first.get("model", model), first.get("cluster", on), layout, load)
    numeric = {n: _zipped(n, v, known) for n, v in axes.items() if n not in ids}
    named_paths = [path for paths in numeric.values() for path in paths]
    _refuse_unused(named_paths)
    _refuse_twice(named_paths)
    grid = list(numeric.values())
    found = []
    about = {"reading": reading} | ({"constants": fitted.id} if fitted else {})
    rents = _rents(ids.get("cluster", [on]))
    with Spread(executor, workers=workers, resume=resume) as spread:
        for chosen in product(*ids.values()):
            named = dict(zip(ids, chosen, strict=True))
            records = records_of(named.get("model", model), named.get("cluster", on), layout, load)
            rent = rents[ids["cluster"].index(named["cluster"]) if "cluster" in named else 0]
            kernel = _Decoding(records, reading, rent, fitted, _engine(records))
            how: dict[str, Any] = {
                "spread": spread,
                "run_as": run_as,
                "progress": progress or ProgressLine(),
                "block_points": BLOCK_POINTS if len(numeric) < 2 else UNEXPANDED_BLOCK_POINTS,
            }
            if reductions is None:
                found.append(evaluate(kernel, grid, **how))
                continue
            asked = reductions()
            left = reduce_grid(kernel, grid, asked, **how)
            found.append(
                {**{n: _id(v) for n, v in named.items()}, **_rows(kernel, grid, asked, left)}
            )
    if reductions is not None:
        return found
    units = {name: axis_unit(known, next(iter(paths))) for name, paths in numeric.items()}
    return _result(ids, numeric, found, units, about)


def _ids(name: str, values: Any) -> list[Any]:
    if isinstance(values, str | Mapping):
        raise SpecError(f"Axis {name!r}: a list of ids is expected, not {shown(values)}.")
    found = list(values)
    if not found:
        raise SpecError(f"Axis {name!r} has no values.")
    return found


def _zipped(
    name: str, values: Values | Mapping[str, Values], known: dict[str, Any]
) -> dict[str, np.ndarray]:
    paths = values if isinstance(values, Mapping) else {name: values}
    found = {path: axis_values(known, path, v) for path, v in paths.items()}
    if not all(len(v) for v in found.values()):
        raise SpecError(f"Axis {name!r} has no values.")
    if len({len(v) for v in found.values()}) != 1:
        raise SpecError(f"Axis {name!r}: fields that vary together need as many values each.")
    return found


#: fields of a load that a decode step does not have
_UNUSED = ("load.isl", "load.osl", "load.prefix_hit")


def _refuse_unused(paths: Sequence[str]) -> None:
    """Refuse axes along which nothing would change."""
    for path in paths:
        if path in _UNUSED:
            raise SpecError(
                f"Axis {path!r}: a sweep is of a decode step, which has load.context alone; "
                "serving and layouts answer for requests."
            )


def _refuse_twice(paths: Sequence[str]) -> None:
    """Refuse a field on two axes: one of them would change nothing."""
    for path in paths:
        if paths.count(path) > 1:
            raise SpecError(f"{path} is on several axes: give its values on one.")


def records_of(
    model: Model | str, on: Cluster | str, layout: Layout | None, load: Load | None
) -> dict[str, Any]:
    """The records of a sweep before it varies them; ids are looked up."""
    return {
        "model": catalog.model(model) if isinstance(model, str) else model,
        "cluster": catalog.cluster(on) if isinstance(on, str) else on,
        "layout": layout or Layout(),
        "load": load or Load(batch=1, context=8192),
    }


def _rents(clusters: Sequence[Cluster | str]) -> list[float]:
    """USD per chip-hour of each cluster; NaN for all where they have none on one basis."""
    records = [catalog.cluster(c) if isinstance(c, str) else c for c in clusters]
    if not records:
        return []
    found = prices_of(records)
    return [p.usd_per_chip_hour if p and found.comparable else np.nan for p in found.prices]


def _engine(records: Mapping[str, Any]) -> Engine:
    """The engine that such weights run on, on such a chip; as `serving` takes it."""
    chip = records["cluster"].chip
    usual, _ = catalog.usual_engine(records["model"], chip)
    return usual.on(chip)


@dataclass(frozen=True)
class _Decoding:
    """The kernel of a sweep: a decode step of the records, with arrays where paths lead."""

    records: Mapping[str, Any]
    reading: str
    rent_usd_per_chip_hour: float
    constants: EngineConstants | None
    engine: Engine

    @property
    def title(self) -> str:
        """What it is about, for messages."""
        model, cluster = self.records["model"], self.records["cluster"]
        return f"{model.name} on {cluster.name}, {self.reading}"

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """From arrays by path, that broadcast over the grid, to columns."""
        r = bound(self.records, values)
        layout, load = r["layout"], r["load"]
        replica = Replica(
            r["model"],
            r["cluster"],
            layout,
            reading=self.reading,
            engine=self.engine,
            expert_load_cv=load.expert_load_cv,
            constants=self.constants,
        )
        requests = Requests(
            decode_context=load.context, drafts=load.drafts, acceptance=load.acceptance
        )
        time_s = replica.seconds(requests.decode(load.batch))
        weighed = replica.memory(load.context, drafts=requests.has_drafts)
        memory = weighed.total_bytes(load.batch)
        tokens = load.batch * requests.tokens_per_step
        n_chips = replica.n_chips
        rent = self.rent_usd_per_chip_hour
        legal, reached = can_be(r["model"], layout), time_s < np.inf
        held = memory <= replica.capacity_bytes
        return {
            "time_s": time_s,
            "tokens_per_s_per_chip": throughput_tokens_per_s(tokens, time_s) / n_chips,
            "usd_per_mtok_output": cost_usd_per_mtok(time_s, tokens, rent, n_chips),
            "memory_bytes_per_chip": memory,
            "fits": legal & reached & held,
            # The first of `REASONS` that holds.
            "infeasible": where(legal, where(reached, where(held, 0.0, 3.0), 2.0), 1.0),
        }


def _rows(
    kernel: Kernel,
    grid: list[dict[str, np.ndarray]],
    asked: Mapping[str, Reduction],
    left: dict[str, Any],
) -> dict[str, Any]:
    """Give the points that reductions kept as rows; leave all else as it is."""
    shape = tuple(len(next(iter(fields.values()))) for fields in grid)
    found = dict(left)
    for name, reduction in asked.items():
        if not getattr(reduction, "gives_points", False) or not len(left[name]):
            continue
        where = np.unravel_index(left[name], shape)
        columns: dict[str, np.ndarray] = {
            path: v[i] for paths, i in zip(grid, where, strict=True) for path, v in paths.items()
        }
        columns |= points(kernel, grid, left[name])
        found[name] = [{n: v[i].item() for n, v in columns.items()} for i in range(len(left[name]))]
    return found


#: why a point cannot be
REASONS = (
    "no such layout: tp divides the heads, ep the chips of a stage and is at most the experts, and "
    "pp is at most the layers",
    "no link: the chips of a replica cannot exchange anything",
    "out of memory: more than a chip has",
)
#: columns of a sweep, beside ``fits``: unit and heading
COLUMNS = {
    "time_s": ("s", "step time"),
    "tokens_per_s_per_chip": ("tok/s", "tok/s per chip"),
    "usd_per_mtok_output": ("USD/Mtok", "$/Mtok output"),
    "memory_bytes_per_chip": ("B", "memory per chip"),
}


def _id(named: Model | Cluster | str) -> str:
    return named if isinstance(named, str) else named.id


def _result(
    ids: dict[str, list[Any]],
    numeric: dict[str, dict[str, np.ndarray]],
    found: list[dict[str, np.ndarray]],
    units: Mapping[str, str],
    about: dict[str, str],
) -> Sweep:
    """Stack the outer loops in front of the axes; a zipped axis shows its first field."""
    outer = tuple(len(v) for v in ids.values())
    shape = (*outer, *(len(next(iter(p.values()))) for p in numeric.values()))
    stacked = {n: np.stack([f[n] for f in found]).reshape(shape) for n in found[0]}
    named = [Axis(n, np.asarray([_id(v) for v in vs]), "", n) for n, vs in ids.items()]
    valued = [Axis(n, next(iter(p.values())), units[n], n) for n, p in numeric.items()]
    return Sweep(
        axes=(*named, *valued),
        columns={n: Column(stacked[n], *about) for n, about in COLUMNS.items()},
        infeasible=stacked["infeasible"].astype(int),
        reasons=REASONS,
        about=about,
    )
