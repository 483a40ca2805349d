"""Numbers of chips, and the job on each: in degrees given, a plain layout or the best found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ridgeline.catalog import MachineNamed
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.training.legal import check_precision, problems
from ridgeline.questions.training.plain import chosen_job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.questions.training.setup import TrainingSetup
    from ridgeline.trainer.job import TrainingJob

__all__ = ["Jobs", "jobs_of_sizes", "searched_job"]

#: of the degrees that a job's chips divide by, whatever their number
_FIXED = ("tp", "pp", "cp")


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of all sizes.

    Attributes
    ----------
    setup : TrainingSetup    Of the whole machine.
    jobs : tuple             Of each number of chips that can be, rising.
    refused : tuple of dict  ``n_chips`` and ``reason`` of those that cannot.
    """

    setup: TrainingSetup
    jobs: tuple[TrainingJob, ...]
    refused: tuple[dict[str, object], ...]


def jobs_of_sizes(
    setup: TrainingSetup,
    sizes: Sequence[int] | None,
    *,
    weak: bool,
    choose: Callable[[TrainingSetup], TrainingJob] | None = None,
) -> Jobs:
    """The job on each number of chips.

    Parameters
    ----------
    setup : TrainingSetup         Of the whole machine; its global batch is of all of it.
    sizes : sequence or None      Numbers of chips; None for powers of two up to the machine's.
    weak : bool                   Whether the batch grows with the chips.
    choose : callable or None     The job of a size instead of the degrees' or the plain one.

    Raises
    ------
    SpecError         ``dp``, which the number of chips decides.
    InfeasibleError   No size can be: why not, of the last of them.
    """
    scenario = setup.scenario
    if scenario.layout.dp is not None:
        raise SpecError(
            f"dp (--dp {scenario.layout.dp}) is what the number of chips decides: leave it out."
        )
    check_precision(setup.job(setup.layout({}), setup.recipe()))
    choose = choose or _plainly
    whole = setup.n_chips
    wanted = sorted({*sizes}) if sizes else _sizes(setup, whole)
    whole = max(whole, *wanted) if sizes else whole
    setup = _at(setup, whole, scenario.load.global_batch)
    assert setup.n_chips == whole  # refuses more chips than there are
    batch = scenario.load.global_batch or _usual_batch(setup, choose)
    found: list[TrainingJob] = []
    refused: list[dict[str, object]] = []
    for n in wanted:
        here = batch * n / whole if weak else batch
        reason = ""
        if here != int(here) or here < 1:
            reason = (
                f"a batch of {batch:,} sequences on {whole:,} chips is {here:.3g} on {n:,}: give "
                "a global batch that they divide (--global-batch)."
            )
        else:
            try:
                job = choose(_at(setup, n, int(here)))
                reason = "\n".join(problems(job, n))
                found += [] if reason else [job]
            except InfeasibleError as error:
                reason = str(error)
        if reason:
            refused.append({"n_chips": n, "reason": reason.splitlines()[0]})
    if not found:
        raise InfeasibleError(
            f"On none of {', '.join(f'{n:,}' for n in wanted)} chips can it be trained: "
            f"{refused[-1]['reason']}"
        )
    return Jobs(setup, tuple(found), tuple(refused))


def _plainly(setup: TrainingSetup) -> TrainingJob:
    return chosen_job(setup).job


def searched_job(setup: TrainingSetup) -> TrainingJob:
    """The fastest job that a search finds to fit; the one that needs least memory if none does.

    Parameters
    ----------
    setup : TrainingSetup

    Raises
    ------
    InfeasibleError   No layout can be.
    """
    from ridgeline.questions.training_layouts.search import search  # noqa: PLC0415  (if wanted)

    found = search(setup)
    row = next(iter(found.best(1) or found.nearest), None)
    if row is None:
        reason = next(filter(None, found.refused.values()), "")
        raise InfeasibleError(
            reason or f"No layout of {setup.n_chips:,} chips can train {setup.model.id}."
        )
    return found.job(row)


def _at(setup: TrainingSetup, n_chips: int, batch: int | None) -> TrainingSetup:
    """The same question on so many chips of the machine, with a batch."""
    scenario = setup.scenario.with_options(chips=n_chips, global_batch=batch)
    named = setup.given_machine or setup.named
    if n_chips <= setup.cluster.n_chips:
        named = MachineNamed(setup.cluster)
    return replace(setup, scenario=scenario, given_machine=named)


def _usual_batch(setup: TrainingSetup, choose: Callable[[TrainingSetup], TrainingJob]) -> int:
    """Sequences of a step where nobody says: what `rl.training` takes on the whole machine."""
    return int(choose(setup).load.global_batch)


def _sizes(setup: TrainingSetup, whole: int) -> list[int]:
    """Powers of two of what the degrees need, else of chips in a domain and then of domains."""
    degrees = setup.scenario.layout.degrees
    domain = min(setup.cluster.domain_size, whole)
    if degrees:
        least = math.prod(degrees.get(n, 1) for n in _FIXED)
        least = math.lcm(least, degrees.get("ep", 1) * degrees.get("expert_tp", 1))
        found = [least * 2**i for i in range(40) if least * 2**i <= whole]
        return found if found and whole % least else [*found, *[whole] * (whole not in found)]
    inside = [2**i for i in range(domain.bit_length()) if 2**i < domain]
    beyond = [domain * 2**i for i in range(40) if domain * 2**i <= whole]
    return sorted({*inside, *beyond, whole})
