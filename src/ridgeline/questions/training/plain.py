"""The layout where none is given: one rule, no search for the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.errors import InfeasibleError
from ridgeline.questions.training.legal import problems, tp_takes
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.trainer.memory import SURE, job_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.questions.training.setup import TrainingSetup
    from ridgeline.trainer.job import TrainingJob

__all__ = ["Chosen", "chosen_job"]

_MOST_STAGES = 64
_FULLY_SHARDED = 3

_FITS = (
    "No layout is given: this is the first that fits memory with a probability of 90%, tried in "
    "this order: {order}, context parallelism, ZeRO 3."
)
_NONE_FITS = (
    "No layout is given, and no plain one fits: this is the most sparing of {order}, context "
    "parallelism and ZeRO 3."
)
_TP, _PP, _AGAIN = (
    "more tensor parallelism within a scale-up domain", "more pipeline stages", "more recompute",
)  # fmt: skip
#: what is computed again, ever more; without a fused core its scores come first
_MORE_RECOMPUTE = {True: ("products", "full"), False: ("selective", "full")}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A job, and how its layout came about where it was not given.

    Attributes
    ----------
    job : TrainingJob
    why : str          A sentence; empty where the layout was given.
    """

    job: TrainingJob
    why: str = ""


def chosen_job(setup: TrainingSetup) -> Chosen:
    """The job of a scenario: in the degrees given, the rest data parallelism; else the plain one.

    Parameters
    ----------
    setup : TrainingSetup

    Raises
    ------
    InfeasibleError   No plain layout can be.
    """
    if setup.given_layout is not None:
        return Chosen(setup.job(setup.given_layout, setup.recipe()))
    degrees = setup.scenario.layout.degrees
    if degrees or not setup.model.blocks:
        return Chosen(setup.job(setup.layout(_filled(degrees, setup.n_chips)), setup.recipe()))
    return _plain(setup)


def _filled(degrees: dict[str, int], n_chips: int) -> dict[str, int]:
    """Degrees with data parallelism over what they leave of the chips."""
    rest = n_chips // (degrees.get("tp", 1) * degrees.get("pp", 1) * degrees.get("cp", 1))
    return {"dp": max(rest, 1), **degrees}


def _plain(setup: TrainingSetup) -> Chosen:
    wrong: list[str] = []
    last = None
    for job in _candidates(setup):
        found = list(problems(job, setup.n_chips))
        if found:
            wrong = wrong or found
            continue
        last = job
        if float(job_memory(job).fits_probability[0]) >= SURE:
            return Chosen(job, _FITS.format(order=_order(setup)))
    if last is None:
        raise InfeasibleError("\n".join(wrong))
    return Chosen(last, _NONE_FITS.format(order=_order(setup)))


def _order(setup: TrainingSetup) -> str:
    """What saves memory first: experts are spread already, and stages divide them further."""
    if _routed(setup):
        return f"experts over a domain, {_PP}, {_AGAIN}, {_TP}"
    return f"{_TP}, {_PP}, {_AGAIN}"


def _candidates(setup: TrainingSetup) -> Iterator[TrainingJob]:
    """Jobs that take less and less memory per chip."""
    again = _more_recompute(setup)
    recomputes = (None, *again)
    tps = _powers(setup, min(setup.cluster.domain_size, setup.n_chips))
    tps = [t for t in tps if tp_takes(setup.model, t)]
    spread = _expert_degrees(setup).get("ep", 1)
    n_layers = sum(block.repeat for block in setup.model.blocks)
    pps = _powers(setup, min(n_layers, setup.n_chips // spread))
    if _routed(setup):
        shapes = [(1, p) for p in pps]
        yield from (_job(setup, 1, p, r) for r in recomputes for p in pps)
        yield from (_job(setup, t, pps[-1], recomputes[-1]) for t in tps[1:])
    else:
        shapes = [*((t, 1) for t in tps), *((tps[-1], p) for p in pps[1:])]
        yield from (_job(setup, t, p, r) for r in recomputes for t, p in shapes)
    last = [(t, p) for t, p in shapes if t == shapes[-1][0]]
    for cp in _powers(setup, setup.n_chips)[1:]:
        yield from (_job(setup, t, p, recomputes[-1], cp=cp) for t, p in last)
    if setup.scenario.layout.zero is None:
        yield from (_job(setup, t, 1, r, zero=_FULLY_SHARDED) for r in recomputes for t in tps)


def _powers(setup: TrainingSetup, most: int) -> list[int]:
    """Degrees to be tried: powers of two that chips allow."""
    return [2**i for i in range(20) if 2**i <= min(most, setup.n_chips, _MOST_STAGES)]


def _job(
    setup: TrainingSetup, tp: int, pp: int, recompute: str | None, *, cp: int = 1,
    zero: int | None = None,
) -> TrainingJob:  # fmt: skip
    rest = max(setup.n_chips // (tp * pp * cp), 1)
    degrees = {"tp": tp, "pp": pp, "cp": cp, "dp": rest, **_expert_degrees(setup)}
    return setup.job(setup.layout(degrees, zero), setup.recipe(recompute))


def _more_recompute(setup: TrainingSetup) -> tuple[str, ...]:
    """What could be computed again beyond the framework's default, where nothing is said."""
    if setup.recompute is not None:
        return ()
    version = setup.scenario.framework.version
    kinds = _MORE_RECOMPUTE[setup.framework.era(version).fused_attention]
    default = setup.default.recompute
    return kinds[kinds.index(default) + 1 :] if default in kinds else kinds


def _expert_degrees(setup: TrainingSetup) -> dict[str, int]:
    """Experts spread over a domain, each whole, as far as they divide."""
    routed = _routed(setup)
    if not routed:
        return {}
    most = min(setup.cluster.domain_size, setup.n_chips)
    n_experts = min(moe.n_experts for moe in routed)
    fits = [e for e in range(1, most + 1) if n_experts % e == 0 and setup.n_chips % e == 0]
    return {"ep": max(fits), "expert_tp": 1}


def _routed(setup: TrainingSetup) -> list[MixtureOfExperts]:
    return [b.ffn for b in setup.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
