"""The question about one step of reinforcement learning."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ridgeline.catalog import rl_loop as loop_of
from ridgeline.errors import InfeasibleError
from ridgeline.kernels.spread import Z80
from ridgeline.questions.caveats import input_caveats
from ridgeline.questions.lengths import length_notes
from ridgeline.questions.rl_step.answer import RLStep
from ridgeline.questions.rl_step.setup import RLSetup
from ridgeline.questions.serving.words import extrapolation_words, link_words
from ridgeline.specs.rl_scenario import RLScenario
from ridgeline.trainer.forward import job_forward_seconds
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_step
from ridgeline.trainer.weight_sync import n_matrices, weight_sync_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.catalog import MachineNamed
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.rl_scenario import RLOptions
    from ridgeline.trainer.job import TrainingJob

__all__ = ["ask", "rl_step"]

_WHY_SPLIT = (
    "How many chips generate is not given: of eighths of all, in whole domains, this is the "
    "fastest on which training fits."
)
_WHY_UNFIT = (
    "How many chips generate is not given: of eighths of all, in whole domains, training fits on "
    "none; this is the fastest."
)


def rl_step(model: Model | str, on: Cluster | Chip | str, **options: Unpack[RLOptions]) -> RLStep:
    """Ask what one step of reinforcement learning takes: samples, log-probabilities, updates.

    Parameters
    ----------
    model : Model or str        Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str   A cluster is used whole; ``16xhgx-h100`` is 16 nodes.
    **options : RLOptions       Everything else, by the names of the command line; see
                                `ridgeline.specs.rl_scenario`. Degrees are those of training, with
                                ``gen_`` those of generation; without, plain ones are used, and
                                said.

    Returns
    -------
    RLStep   Time with its interval and parts, shares of all chips' time, tokens per second and
             chip, FLOPs per parameter and token, and the use of the peak of each part.

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   Layouts that cannot be, or a model that has no room beside its samples.

    Examples
    --------
    >>> import ridgeline as rl
    >>> step = rl.rl_step("Qwen/Qwen3-8B", "hgx-h100", prompts=64, samples=8, osl="256:4k@mean=2k")
    >>> step.flops_per_param_and_token
    12
    """
    return ask(RLScenario.of(model, on, **options))


def ask(scenario: RLScenario, *, named: MachineNamed | None = None) -> RLStep:
    """Answer `rl_step` for a scenario.

    Parameters
    ----------
    scenario : RLScenario          Of one machine.
    named : MachineNamed or None   The scenario's machine, and how much of it was named; None to
                                   look it up.

    Raises
    ------
    As for `rl_step`.
    """
    setup = RLSetup(scenario, named)
    tried = []
    for split in setup.splits:
        with suppress(InfeasibleError):
            tried.append(_answered(RLSetup(scenario, setup.named, split)))
    if tried:
        best = min(tried, key=lambda one: (not one.fits, one.step_s))
        return replace(best, why_split=_WHY_SPLIT if best.fits else _WHY_UNFIT)
    return _answered(setup)


def _answered(setup: RLSetup) -> RLStep:
    """The answer for one split of the chips."""
    scenario = setup.scenario
    job, rollout = setup.job, setup.rollout
    step = job_step(job, interval=True)
    forward = float(np.ravel(job_forward_seconds(job))[0])
    made, trained, sigma, scatter = 1.0, 1.0, 0.0, 0.0
    if step.low_s is not None:
        loop = loop_of()
        made, trained, scatter = loop.generation, loop.training, loop.scatter
        sigma = math.log(float(step.high_s[0]) / float(step.low_s[0])) / (2 * Z80)
    apart = bool(scenario.rollout.off_policy)
    passes = trained * scenario.rollout.updates
    return RLStep(
        scenario=scenario,
        rollout=rollout,
        job=job,
        memory=job_memory(job) if setup.model.blocks else None,
        passes=setup.passes,
        price=setup.price,
        n_generating=setup.n_generating,
        n_training=setup.n_training,
        generation_s=made * rollout.time_s / max(scenario.rollout.off_policy, 1),
        logprobs_s=setup.passes.forward * passes * forward,
        updates_s=setup.passes.trained * passes * float(step.time_s[0]),
        sync_s=_sync_s(job, setup.n_generating if apart else 0),
        swap_s=0.0 if apart else setup.passes.trained * _swap_s(job),
        training_sigma=sigma,
        scatter=scatter,
        peak_flops_per_s=setup.peak_flops_per_s,
        notes=tuple(_notes(setup, job)),
    )


def _sync_s(job: TrainingJob, n_generating: int) -> float:
    """New weights on their way, and on the same chips what the host does for each matrix. [s]"""
    sent = float(np.ravel(weight_sync_s(job, n_generating))[0])
    if n_generating or job.reading != "calibrated":
        return sent
    return sent + n_matrices(job) * loop_of().matrix_s


def _swap_s(job: TrainingJob) -> float:
    """What one trained model keeps goes to the host and comes back, for generation or another. [s]

    0 where the link is not known, and for the blackboard.
    """
    rate = job.cluster.host_link
    if job.reading == "blackboard" or not rate or not job.model.blocks:
        return 0.0
    if job.reading == "calibrated":
        rate = min(rate, loop_of().host_copy_bytes_per_s)
    held = job_memory(job).parts_bytes
    kept = sum(held[name] for name in ("parameters", "master", "optimizer"))
    return 2 * float(np.max(kept)) / rate


def _notes(setup: RLSetup, job: TrainingJob) -> Iterator[str]:
    asked = setup.scenario.rollout
    yield (
        f"{asked.algorithm.upper()}: {setup.passes.forward} forward "
        f"pass{'' if setup.passes.forward == 1 else 'es'} of every sample "
        f"({setup.passes.words}; {setup.passes.source})."
    )
    if job.reading == "calibrated":
        loop = loop_of()
        yield (
            f"Beside a tuned server and a tuned pre-training run, generation is taken to last "
            f"{loop.generation:.3g} times as long and passes over samples {loop.training:.3g} "
            "times: fitted to six published steps of NeMo RL on H100. Twelve others, of "
            "DeepSeek-V3 and on GB200, took up to twice what is predicted: the interval says so."
        )
    yield (
        "Rewards, tools and environments are taken to cost nothing: only tokens that the model "
        "itself generates are timed."
    )
    if setup.passes.trained > 1:
        moved = "is not counted" if asked.off_policy else "is counted"
        yield (
            f"The {setup.passes.trained} models that are trained take turns in the chips' memory, "
            f"which has to hold one of them; that the others go to the host and back {moved}."
        )
    if not asked.off_policy and not job.cluster.host_link:
        yield (
            f"{job.cluster.id} has no host_link: what training keeps is taken to leave and to come "
            "back at no cost."
        )
    if asked.off_policy > 1:
        yield (
            f"Samples of {asked.off_policy} steps are generated together: the wait for the longest "
            "is shared by them."
        )
    replica = setup.rollout.replica
    yield from length_notes(setup.model, asked.isl.high + asked.osl.high)
    yield from extrapolation_words(replica)
    yield from link_words(replica) if job.n_chips > 1 else ()
    yield from input_caveats(setup.model, job.cluster, setup.price)
