"""Fit every component, score it on unseen shapes, and pool the constants by family.

One fit takes the times of all engines together: the constants are those of a typical good engine,
and what engines differ by is in their sigmas. There is no multiplier an engine.

How a rate falls with the number of cards on PCIe is a machine's: of its switches and sockets. One
machine of each kind was measured, so that its constant has the spread between machines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.exchanges import FABRICS
from ridgeline.fidelity.fitting import (
    REPEAT_SIGMA,
    Measured,
    Score,
    constant_sigmas,
    cross_validated,
    explained_variance,
    fit,
    score,
)
from ridgeline.fidelity.forms import FORMS, NUISANCES
from ridgeline.fidelity.pooling import pooled, pools
from ridgeline.files import make_folder, write_whole
from ridgeline.specs.constants import (
    ChipConstants,
    CollectiveConstants,
    Constant,
    DecodeConstants,
    ExchangeConstants,
    ExpertConstants,
    FabricConstants,
    FittedGroup,
    PrefillConstants,
    ProductConstants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ridgeline.fidelity.fitting import Form

__all__ = ["Outcome", "Scored", "calibrate", "machine_scaling", "write_constants"]

_GROUPS: dict[str, type[FittedGroup]] = {
    "product": ProductConstants,
    "experts": ExpertConstants,
    "decode": DecodeConstants,
    "prefill": PrefillConstants,
    "collective": CollectiveConstants,
    "exchange": ExchangeConstants,
}
_TABLES = "NVIDIA AIConfigurator 0.12.0 kernel tables, Apache-2.0"
_TABLES_DATE = "2026-08-21"
_UNSCORED_SCATTER = 0.2

Groups = dict[tuple[str, str, str], FittedGroup]


@dataclass(frozen=True)
class Scored:
    """One line of the scoreboard."""

    component: str
    place: str
    dtype: str
    n_fitted: int
    score: Score | None


@dataclass(frozen=True)
class Outcome:
    """What a calibration gives: scores on unseen shapes, and constants from all of them."""

    scores: list[Scored]
    chips: dict[str, ChipConstants]
    fabrics: dict[str, FabricConstants]


def calibrate(
    measured: Sequence[Measured], progress: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Fit and score all components.

    Parameters
    ----------
    measured : sequence of Measured   As `read_kernels` gives them.
    progress : callable               Told what is being fitted.

    Returns
    -------
    Outcome   The constants of each chip and fabric, of each family, and of all.

    Raises
    ------
    MissingExtraError   scipy is not installed.
    """
    groups: Groups = {}
    scores = []
    scaling = machine_scaling(measured)
    # Prefill takes the memory efficiency that decode found.
    for one in sorted(measured, key=lambda m: (m.component == "prefill", m.component)):
        progress(f"{one.component} {one.place} {one.dtype}: {len(one)} measurements")
        group, scored = _fit_and_score(one, _known(one, groups, scaling))
        if _on_shared_root(one):
            group = _with_spread(group, scaling)
        groups[one.component, one.place, one.dtype] = group
        scores.append(scored)
    order = list(_GROUPS)
    scores.sort(key=lambda s: (order.index(s.component), s.dtype, s.place))
    chips, fabrics = _assembled(groups)
    return Outcome(scores, chips, fabrics)


def machine_scaling(measured: Sequence[Measured]) -> Groups:
    """How rates and latencies on PCIe go with the number of cards, machine by machine.

    Parameters
    ----------
    measured : sequence of Measured   Of which those of machines on PCIe that are in order count,
                                      each with several numbers of cards.

    Returns
    -------
    dict
        By component, place and operation. The place ``pcie`` pools the machines, ``any`` the
        operations of one.
    """
    several = [m for m in measured if _on_shared_root(m) and _several_sizes(m)]
    groups: Groups = {(m.component, m.place, m.dtype): _fitted(m, {}) for m in several}
    places = sorted({m.place for m in several})
    machines = {("collective", p, "any"): _over_operations(groups, p) for p in places}
    pool = [*pooled(groups, places, "family"), *pooled(machines, places, "family")]
    return groups | machines | {(c, "pcie", dtype): g for (c, dtype), g in pool}


def _over_operations(groups: Groups, place: str) -> FittedGroup:
    """One machine's constants, the median of its operations."""
    own = {("collective", d, "any"): g for (_, p, d), g in groups.items() if p == place}
    return pooled(own, [d for _, d, _ in own], "family")[0][1]


def _on_shared_root(one: Measured) -> bool:
    return one.component == "collective" and FABRICS[one.place].family == "pcie"


def _several_sizes(one: Measured) -> bool:
    return len(np.unique(one.inputs["n_chips"])) > 1


def _known(one: Measured, groups: Groups, scaling: Groups) -> dict[str, Constant]:
    """Constants that other measurements give."""
    if one.component == "prefill":
        return {"memory_efficiency": _memory_efficiency(one, groups)}
    if not _on_shared_root(one) or _several_sizes(one):
        return {}
    # Pairs alone: the machine's other operations have its rate, other machines the latency.
    own, pool = (scaling.get(("collective", place, "any")) for place in (one.place, "pcie"))
    hop = scaling.get(("collective", "pcie", one.dtype))
    found = {"doubling_efficiency": own or pool, "hop_s": hop}
    return {name: g.constants[name] for name, g in found.items() if g is not None}


def _with_spread(group: FittedGroup, scaling: Groups) -> FittedGroup:
    """One machine was measured: the rate on another with such cards differs by their spread."""
    pool = scaling.get(("collective", "pcie", "any"))
    if pool is None:
        return group
    own = group.constants["doubling_efficiency"]
    sigma = max(own.sigma, pool.sigmas["doubling_efficiency"])
    return group.model_copy(update={"doubling_efficiency": own.model_copy(update={"sigma": sigma})})


def _memory_efficiency(one: Measured, groups: Groups) -> Constant:
    cache = "fp8" if "fp8" in one.dtype else "bf16"
    decode = groups.get(("decode", one.place, cache))
    if decode is None:
        raise RidgelineError(
            f"prefill of {one.place} in {one.dtype} needs the decode attention of that chip with "
            f"a {cache} cache, which was not measured."
        )
    return decode.constants["memory_efficiency"]


def _fit_and_score(one: Measured, known: dict[str, Constant]) -> tuple[FittedGroup, Scored]:
    form, rows = _with(one, known)
    _, of_shape = np.unique(one.shape, return_counts=True)
    several = len(of_shape) > 1 and len(one) - of_shape.max() >= len(form.bounds)
    result = score(rows, cross_validated(form, rows)) if several and one.scored.any() else None
    group = _fitted(one, known, result)
    return group, Scored(one.component, one.place, one.dtype, len(one), result)


def _with(one: Measured, known: dict[str, Constant]) -> tuple[Form, Measured]:
    """The law with some constants given: they are columns then, and not sought."""
    form = FORMS[one.component]
    columns = {name: np.full(len(one), c.value) for name, c in known.items()}
    bounds = {name: b for name, b in form.bounds.items() if name not in known}
    return replace(form, bounds=bounds), replace(one, inputs={**one.inputs, **columns})


def _fitted(one: Measured, known: dict[str, Constant], result: Score | None = None) -> FittedGroup:
    form, rows = _with(one, known)
    constants = fit(form, rows)
    sigmas = constant_sigmas(form, rows, constants)
    explained = explained_variance(form, rows, constants, sigmas)
    scatter = _remaining(result.scatter if result else _UNSCORED_SCATTER, explained)
    written = {
        name: {"value": _four_digits(value), "sigma": round(sigmas[name], 3)}
        for name, value in constants.items()
        if name not in NUISANCES
    }
    return _GROUPS[one.component].parse(
        {
            **written,
            **{name: c.model_dump() for name, c in known.items()},
            "n_points": len(one),
            "engines": tuple(np.unique(one.engine).tolist()),
            "members": (one.place,),
            "scatter": round(scatter, 3),
            "source": _TABLES,
            "date": _TABLES_DATE,
        },
        f"{one.component} of {one.place}",
    )


def _remaining(total: float, explained: Any) -> float:
    """What a single call scatters by beyond what uncertain constants explain."""
    return max(total**2 - float(np.median(explained)), REPEAT_SIGMA**2) ** 0.5


def _four_digits(value: float) -> float:
    """Round to what is written: more digits would only record the optimiser's last step."""
    return float(f"{value:.4g}")


def _assembled(groups: Groups) -> tuple[dict[str, ChipConstants], dict[str, FabricConstants]]:
    """Put groups together by place, and pool them by family and over all."""
    on_chip = {k: g for k, g in groups.items() if k[0] in ChipConstants.model_fields}
    between = {k: g for k, g in groups.items() if k not in on_chip}
    between = _with_scale_out(between)
    families = {place: catalog.family_of(catalog.chip(place)) for _, place, _ in on_chip}
    families_between = {place: FABRICS[place].family for _, place, _ in between}
    chips = {
        name: ChipConstants.parse(
            {"id": name, "family": families.get(name, ""), **_by_component(name, found)}, name
        )
        for name, found in _all_levels(on_chip, families).items()
    }
    fabrics = {}
    for name, found in _all_levels(between, families_between).items():
        fields: dict[str, Any] = {"id": name, **_by_component(name, found)}
        if name in FABRICS:
            fields |= {k: v for k, v in FABRICS[name]._asdict().items() if k != "systems"}
        elif name != "all":
            member = next(f for f in FABRICS.values() if f.family == name)
            fields |= {"kind": member.kind, "peer_access": member.peer_access}
        fabrics[name] = FabricConstants.parse(fields, name)
    return chips, fabrics


def _with_scale_out(groups: Groups) -> Groups:
    """Give fabrics measured inside one domain only the network efficiency of those beyond."""
    known = {k: g for k, g in groups.items() if k[0] == "exchange" and k[1] == "nvlink4"}
    filled = dict(groups)
    for key, group in groups.items():
        beyond = known.get((key[0], "nvlink4", key[2])) or known.get(
            (key[0], "nvlink4", "dispatch")
        )
        if key[0] == "exchange" and key[1] != "nvlink4" and beyond is not None:
            efficiency = beyond.constants["scale_out_efficiency"]
            wide = efficiency.model_copy(update={"sigma": max(efficiency.sigma, 0.2)})
            filled[key] = group.model_copy(update={"scale_out_efficiency": wide})
    return filled


def _all_levels(groups: Groups, families: dict[str, str]) -> dict[str, list[tuple[Any, Any]]]:
    found: dict[str, list[tuple[Any, Any]]] = {place: [] for place in sorted(families)}
    for (component, place, dtype), group in groups.items():
        found[place].append(((component, dtype), group))
    for name, members in pools(families):
        level = "all" if name == "all" else "family"
        # A machine that is out of order says nothing of those in order.
        fit = [m for m in members if level != "all" or m not in FABRICS or _in_order(m)]
        found[name] = pooled(groups, fit, level)
    return found


def _in_order(fabric: str) -> bool:
    return FABRICS[fabric].peer_access != "broken"


def _by_component(name: str, groups: Iterable[tuple[Any, Any]]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for (component, dtype), group in sorted(groups, key=lambda item: item[0]):
        tables.setdefault(component, {})[dtype] = group.model_dump()
    if not tables:
        raise RidgelineError(f"{name} has no constants.")
    return tables


def write_constants(outcome: Outcome, folder: Path) -> list[Path]:
    """Write one TOML file for each chip, family and fabric.

    Parameters
    ----------
    outcome : Outcome
    folder : Path   Made if it does not exist; fabrics go to ``fabrics`` below it.

    Returns
    -------
    list of Path
    """
    written = []
    parts = ((folder, outcome.chips), (folder / "fabrics", outcome.fabrics))
    for place, records in parts:
        make_folder(place)
        for name, record in records.items():
            path = place / f"{name}.toml"
            head = "# Written by 'ridgeline components --fit'; not by hand.\n"
            write_whole(path, head + catalog.to_toml(record))
            written.append(path)
    return written
