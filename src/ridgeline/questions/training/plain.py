"""The layout where none is given: one rule, no search for the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.errors import InfeasibleError
from ridgeline.questions.training.legal import problems, tp_takes
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.training.memory import job_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.questions.training.setup import TrainingSetup
    from ridgeline.training.job import TrainingJob

__all__ = ["Chosen", "chosen_job"]

#: a plain default is to fit as surely as this
_SURE = 0.9
_MOST_STAGES = 64
_FULLY_SHARDED = 3

_FITS = (
    "No layout is given: this is the first that fits memory with a probability of 90%, tried in "
    "this order: more tensor parallelism within a scale-up domain, more pipeline stages, more "
    "recompute, ZeRO 3."
)
_NONE_FITS = (
    "No layout is given, and no plain one fits: this is the most sparing of more tensor "
    "parallelism within a scale-up domain, more pipeline stages, more recompute and ZeRO 3."
)
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
        if float(job_memory(job).fits_probability[0]) >= _SURE:
            return Chosen(job, _FITS)
    if last is None:
        raise InfeasibleError("\n".join(wrong))
    return Chosen(last, _NONE_FITS)


def _candidates(setup: TrainingSetup) -> Iterator[TrainingJob]:
    """Jobs that take less and less memory per chip."""
    spread = _expert_degrees(setup)
    powers = [2**i for i in range(20)]
    n, domain = setup.n_chips, setup.cluster.domain_size
    tps = [t for t in powers if t <= min(domain, n) and tp_takes(setup.model, t)]
    layers = sum(block.repeat for block in setup.model.blocks)
    pps = [p for p in powers[1:] if tps[-1] * p <= n and p <= min(layers, _MOST_STAGES)]
    shapes = [*((tp, 1) for tp in tps), *((tps[-1], pp) for pp in pps)]

    def job(tp: int, pp: int, recompute: str | None = None, zero: int | None = None) -> TrainingJob:
        degrees = {"tp": tp, "pp": pp, "dp": max(n // (tp * pp), 1), **spread}
        return setup.job(setup.layout(degrees, zero), setup.recipe(recompute))

    for tp, pp in shapes:
        yield job(tp, pp)
    again = _more_recompute(setup)
    for recompute in again:
        for tp, pp in shapes:
            yield job(tp, pp, recompute)
    if setup.scenario.layout.zero is None:
        for recompute in (None, *again):
            for tp in tps:
                yield job(tp, 1, recompute, _FULLY_SHARDED)


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
    routed = [b.ffn for b in setup.model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    if not routed:
        return {}
    most = min(setup.cluster.domain_size, setup.n_chips)
    n_experts = min(moe.n_experts for moe in routed)
    fits = [e for e in range(1, most + 1) if n_experts % e == 0 and setup.n_chips % e == 0]
    return {"ep": max(fits), "expert_tp": 1}
