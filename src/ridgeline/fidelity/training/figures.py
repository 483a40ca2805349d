"""What is asked of predictions of training, and what they reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.fidelity.scores.targets import against
from ridgeline.fidelity.training.families import family_name, source_family
from ridgeline.fidelity.training.runs import RATES
from ridgeline.fidelity.training.scores import memory_verdicts, score_line
from ridgeline.fidelity.training.sets import (
    has_experts,
    is_dense,
    is_fp8,
    is_high,
    is_lora,
    is_peak_memory,
    mfu_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ridgeline.fidelity.runs import Prediction
    from ridgeline.fidelity.training.folds import UnseenRun
    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["answered_share", "coverage_figures", "training_figures"]

#: of the median error of a model with experts, none of which is in the fit
_EXPERTS = 0.30
_ANSWERED = 0.98
_OVERALL, _EACH, _FEWEST = (0.72, 0.88), (0.65, 0.95), 30
_NANOTRON, _VTRAIN = "nanotron-h100", "vtrain-single"
_USEFUL = 0.2


class _Asked(NamedTuple):
    figure: str
    left_out: str
    keep: Callable[[TrainingRow], bool]
    limits: Mapping[str, float | None]


def _is_of(source: str) -> Callable[[TrainingRow], bool]:
    return lambda r: r.source == source and r.metric in RATES


ASKED: tuple[_Asked, ...] = (
    _Asked("dense", "models", is_dense, {"median": 0.08, "mape": 0.13, "p90": None}),
    _Asked("dense", "chips", is_dense, {"median": 0.15, "mape": None}),
    _Asked("fp8", "models", is_fp8, {"median": 0.12}),
    _Asked("LoRA", "models", lambda r: r.metric in RATES and is_lora(r), {"median": None}),
    _Asked("vtrain, one depth apart", "layers", _is_of(_VTRAIN), {"median": 0.08}),
    _Asked("vtrain, one width apart", "models", _is_of(_VTRAIN), {"median": 0.18}),
    _Asked("nanotron", "models", lambda r: is_high(r, _NANOTRON), {"median": 0.25}),
    _Asked(
        "nanotron, MFU above 20%",
        "models",
        lambda r: is_high(r, _NANOTRON) and mfu_of(r) > _USEFUL,
        {"median": 0.15},
    ),
    _Asked(
        "nanotron, a field inferred",
        "models",
        lambda r: _is_of(_NANOTRON)(r) and r.quality != "high",
        {"median": None},
    ),
    _Asked("peak memory", "groups", is_peak_memory, {"median": 0.08}),
    _Asked("peak memory", "models", is_peak_memory, {"median": 0.12}),
)
#: share right, and share of failures that were given less than a tenth
_VERDICTS = {"groups": (0.97, 0.01), "models": (0.94, 0.04)}


def training_figures(unseen: Mapping[str, Sequence[UnseenRun]]) -> list[dict[str, Any]]:
    """Every figure asked of what was left out.

    Parameters
    ----------
    unseen : mapping   What was left out (models, chips, groups, layers) to predictions; figures of
                       what is missing here are left out.

    Returns
    -------
    list of dict   ``figure``, ``value``, ``word``, ``limit``, ``unit``, ``met``, ``n_rows``.
    """
    found = []
    for asked in ASKED:
        if asked.left_out not in unseen:
            continue
        one = score_line(unseen[asked.left_out], asked.keep)
        if one["n_answered"]:
            found += [
                against(
                    f"{asked.figure}, {asked.left_out} left out: {name}", one[name], limit,
                    one["n_answered"],
                )
                for name, limit in asked.limits.items()
            ]  # fmt: skip
    if "models" in unseen:
        found += _experts(unseen["models"])
        found += _published(unseen["models"])
    for what, (right, missed) in _VERDICTS.items():
        one = memory_verdicts(unseen.get(what, ()))
        if one["n_answered"]:
            name = f"out of memory, {what} left out"
            n = one["n_answered"]
            found += [
                against(f"{name}: share right", one["right"], right, n, at_least=True),
                against(f"{name}: failures given < 10%", one["missed"], missed, one["n_failed"]),
                against(f"{name}: Brier score", one["brier"], None, n, unit="1"),
            ]
    return found


def _experts(unseen: Sequence[UnseenRun]) -> list[dict[str, Any]]:
    """Models with experts, of which none is in the fit, one by one."""
    names = {
        family_name(u.row.run.model.id)
        for u in unseen
        if u.row.run and u.row.metric in RATES and has_experts(u.row.run)
        and source_family(u.row.source) != "primus"
    }  # fmt: skip
    found = []
    for name in sorted(names):
        one = score_line(
            unseen,
            lambda r, n=name: (
                r.run is not None and r.metric in RATES and family_name(r.run.model.id) == n
            ),
        )
        figure = f"experts, none in the fit, {name}: median"
        found.append(against(figure, one["median"], _EXPERTS, one["n_answered"]))
    return found


def _published(unseen: Sequence[UnseenRun]) -> list[dict[str, Any]]:
    """Korthikanti et al., table 5: whose rows are in no fit."""
    one = score_line(
        unseen, lambda r: source_family(r.source) == "korthikanti" and r.metric == "step_time_s"
    )
    if not one["n_answered"]:
        return []
    return [
        against("Korthikanti et al. table 5, step time: mean", one["mape"], 0.06, one["n_answered"])
    ]


def answered_share(
    rows: Sequence[TrainingRow], predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """Share of rows with an answer; whole runs to convergence are not asked for."""
    pairs = zip(rows, predictions, strict=True)
    wanted = [p.status == "ok" for r, p in pairs if r.metric != "time_to_train_s"]
    share = float(np.mean(wanted)) if wanted else None
    return against("rows answered", share, _ANSWERED, len(wanted), at_least=True)


def coverage_figures(unseen: Sequence[UnseenRun]) -> list[dict[str, Any]]:
    """Coverage of the 80% intervals: of all rows, and of each source with thirty or more.

    Returns
    -------
    list of dict   ``group``, ``coverage``, ``low``, ``high``, ``n_rows``, ``met``, ``width``.
    """
    sources = sorted({u.row.source for u in unseen})
    groups = [("all rows", score_line(unseen), _OVERALL)]
    for source in sources:
        one = score_line(unseen, lambda r, s=source: r.source == s)
        if one["n_answered"] >= _FEWEST:
            groups.append((f"source {source}", one, _EACH))
    return [
        {
            "group": name,
            "coverage": one["coverage"],
            "low": low,
            "high": high,
            "n_rows": one["n_answered"],
            "met": one["coverage"] is not None and low <= one["coverage"] <= high,
            "width": one["width"],
        }
        for name, one, (low, high) in groups
    ]
