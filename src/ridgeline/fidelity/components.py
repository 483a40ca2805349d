"""Fit every component, score it on unseen shapes, and pool the constants by family.

One fit takes the times of all engines together: the constants are those of a typical good engine,
and what engines differ by is in their sigmas. There is no multiplier an engine.
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
    DecodeConstants,
    ExchangeConstants,
    FabricConstants,
    FittedGroup,
    PrefillConstants,
    ProductConstants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

__all__ = ["Outcome", "Scored", "calibrate", "write_constants"]

_GROUPS: dict[str, type[FittedGroup]] = {
    "product": ProductConstants,
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
    # Prefill takes the memory efficiency that decode found.
    for one in sorted(measured, key=lambda m: (m.component == "prefill", m.component)):
        progress(f"{one.component} {one.place} {one.dtype}: {len(one)} measurements")
        known, fixed = _with_memory_efficiency(one, groups)
        group, scored = _fit_and_score(known, fixed)
        groups[one.component, one.place, one.dtype] = group
        scores.append(scored)
    order = list(_GROUPS)
    scores.sort(key=lambda s: (order.index(s.component), s.dtype, s.place))
    chips, fabrics = _assembled(groups)
    return Outcome(scores, chips, fabrics)


def _with_memory_efficiency(one: Measured, groups: Groups) -> tuple[Measured, dict[str, Any]]:
    if one.component != "prefill":
        return one, {}
    cache = "fp8" if "fp8" in one.dtype else "bf16"
    decode = groups.get(("decode", one.place, cache))
    if decode is None:
        raise RidgelineError(
            f"prefill of {one.place} in {one.dtype} needs the decode attention of that chip with "
            f"a {cache} cache, which was not measured."
        )
    efficiency = decode.constants["memory_efficiency"]
    column = np.full(len(one), efficiency.value)
    known = replace(one, inputs={**one.inputs, "memory_efficiency": column})
    return known, {"memory_efficiency": efficiency.model_dump()}


def _fit_and_score(one: Measured, fixed: dict[str, Any]) -> tuple[FittedGroup, Scored]:
    form = FORMS[one.component]
    constants = fit(form, one)
    sigmas = constant_sigmas(form, one, constants)
    several = len(np.unique(one.shape)) > 1 and one.scored.any()
    result = score(one, cross_validated(form, one)) if several else None
    explained = explained_variance(form, one, constants, sigmas)
    scatter = _remaining(result.scatter if result else _UNSCORED_SCATTER, explained)
    written = {
        name: {"value": _four_digits(value), "sigma": round(sigmas[name], 3)}
        for name, value in constants.items()
        if name not in NUISANCES
    }
    group = _GROUPS[one.component].parse(
        {
            **written,
            **fixed,
            "n_points": len(one),
            "engines": tuple(np.unique(one.engine).tolist()),
            "members": (one.place,),
            "scatter": round(scatter, 3),
            "source": _TABLES,
            "date": _TABLES_DATE,
        },
        f"{one.component} of {one.place}",
    )
    return group, Scored(one.component, one.place, one.dtype, len(one), result)


def _remaining(total: float, explained: Any) -> float:
    """What a single call scatters by beyond what uncertain constants explain."""
    return max(total**2 - float(np.median(explained)), REPEAT_SIGMA**2) ** 0.5


def _four_digits(value: float) -> float:
    """Round to what is written: more digits would only record the optimiser's last step."""
    return float(f"{value:.4g}")


def _assembled(groups: Groups) -> tuple[dict[str, ChipConstants], dict[str, FabricConstants]]:
    """Put groups together by place, and pool them by family and over all."""
    on_chip = {k: g for k, g in groups.items() if k[0] in ("product", "decode", "prefill")}
    between = {k: g for k, g in groups.items() if k not in on_chip}
    between = _with_scale_out(between)
    families = {place: catalog.family_of(catalog.chip(place)) for _, place, _ in on_chip}
    kinds = {place: FABRICS[place].kind for _, place, _ in between}
    chips = {
        name: ChipConstants.parse(
            {"id": name, "family": families.get(name, ""), **_by_component(name, found)}, name
        )
        for name, found in _all_levels(on_chip, families).items()
    }
    fabrics = {}
    for name, found in _all_levels(between, kinds).items():
        about = FABRICS.get(name)
        fields: dict[str, Any] = {"id": name, **_by_component(name, found)}
        if about is not None:
            fields |= {k: v for k, v in about._asdict().items() if k != "systems"}
        elif name != "all":
            fields["kind"] = name
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
        found[name] = pooled(groups, members, level)
    return found


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
