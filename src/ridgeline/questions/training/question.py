"""The question about training: what an optimizer step takes, whether it fits, what a run costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from ridgeline.kernels.extrapolation import beyond_words
from ridgeline.kernels.links import peer_access_words
from ridgeline.questions.caveats import input_caveats
from ridgeline.questions.training.answer import Training
from ridgeline.questions.training.legal import check_job, check_precision, problems
from ridgeline.questions.training.plain import chosen_job
from ridgeline.questions.training.run import run_of
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.specs.arguments import TRAINING_LAYOUT, reads
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.trainer.changes import cheapest_changes
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.state import SHARDS_GRADIENTS
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.catalog import MachineNamed
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.training import TrainingLayout
    from ridgeline.specs.training_scenario import TrainingOptions
    from ridgeline.trainer.changes import Change
    from ridgeline.trainer.job import TrainingJob

__all__ = ["train", "training"]

#: that are told where a job does not fit
_CHANGES = 3


@reads(layout=TRAINING_LAYOUT)
def training(
    model: Model | str,
    on: Cluster | Chip | str,
    *,
    layout: TrainingLayout | None = None,
    **options: Unpack[TrainingOptions],
) -> Training:
    """Ask what an optimizer step of a model takes on a machine, and a run of such steps.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str       A cluster is used whole; ``128xhgx-h100`` is 128 nodes. A chip
                                    alone means one host's; ``64xh100-sxm`` is sixty-four.
    layout : TrainingLayout or None   A layout record, instead of ``tp``, ``pp`` and so on.
    **options : TrainingOptions     Everything else, by the names of the command line; see
                                    `ridgeline.specs.training_scenario`. Without degrees a plain
                                    layout that fits is used, and said.

    Returns
    -------
    Training   Time with its interval, parts, memory, utilisation; with ``tokens`` the run.

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   The layout cannot be, or the chip cannot multiply the format.

    Examples
    --------
    >>> import ridgeline as rl
    >>> answer = rl.training("meta-llama/Meta-Llama-3.1-405B", "1024xhgx-h100", seq=8192,
    ...                      global_batch=2048, tp=8, pp=16, reading="blackboard")
    >>> round(answer.step_s, 2), round(answer.bubble_share, 3)  # 15 / (32 + 15)
    (7.36, 0.319)
    """
    return train(TrainingScenario.of(model, on, **options), layout)


def train(
    scenario: TrainingScenario,
    layout: TrainingLayout | None = None,
    *,
    named: MachineNamed | None = None,
    framework: Framework | None = None,
    price: Price | None = None,
) -> Training:
    """Answer `training` for a scenario.

    Parameters
    ----------
    scenario : TrainingScenario     Of one machine.
    layout : TrainingLayout or None   A layout record, instead of the scenario's degrees.
    named : MachineNamed or None    The scenario's machine, and how much of it was named; None to
                                    look it up.
    framework : Framework or None   With facts of one's own, instead of the scenario's name.
    price : Price or None           Chosen beside those of other machines; None for the scenario's.

    Raises
    ------
    SpecError   Several machines; and as for `training`.
    """
    setup = TrainingSetup(scenario, layout, named, framework)
    check_precision(setup.job(setup.layout({}), setup.recipe()))
    chosen = chosen_job(setup)
    job = chosen.job
    check_job(job, setup.n_chips)
    step = job_step(job, interval=True)
    memory = job_memory(job) if setup.model.blocks else None
    changes = () if memory is None else _changes(job, setup.n_chips)
    price = price or setup.price
    run = None
    if scenario.load.tokens is not None:
        low, high = (None if v is None else float(v[0]) for v in (step.low_s, step.high_s))
        times = (float(step.time_s[0]), low, high)
        run = run_of(job, scenario.load.tokens, times, scenario.run, price)
    return Training(
        scenario=scenario,
        job=job,
        step=step,
        memory=memory,
        run=run,
        price=price,
        changes=changes,
        notes=(*setup.set_words, *_notes(job), *input_caveats(job.model, job.cluster, price)),
        why_layout=" ".join(filter(None, (chosen.why, _why_batch(setup, job)))),
    )


def _changes(job: TrainingJob, n_chips: int) -> tuple[Change, ...]:
    """The cheapest changes that would make it fit, of those that can be."""
    return cheapest_changes(
        job, most=_CHANGES, is_legal=lambda one: next(problems(one, n_chips), None) is None
    )


def _why_batch(setup: TrainingSetup, job: TrainingJob) -> str:
    """How many sequences a step has, where nobody says."""
    if setup.scenario.load.global_batch is not None:
        return ""
    return (
        f"No batch is given: {job.load.global_batch:,} sequences are what ranks and stages divide "
        "of about 1,024."
    )


def _notes(job: TrainingJob) -> Iterator[str]:
    cluster, model = job.cluster, job.model
    if job.reading == "calibrated":
        if said := beyond_words(cluster.chip):
            yield f"{said}. Times are extrapolated, and their intervals wider for it."
        if cluster.domain_size > 1 and job.n_chips > 1 and (said := peer_access_words(cluster)):
            yield f"{said}."
    if model.encoder is not None:
        yield f"{model.name or model.id}: the encoder of images is not trained, and not counted."
    most = model.n_learned_positions or model.max_context
    if most and job.load.seq_len > most:
        yield (
            f"{model.name or model.id} is made for {most:,} tokens: sequences of "
            f"{job.load.seq_len:,} need a table or rotation of positions for them, which costs "
            "nothing here."
        )
    if model.vocab_size and model.vocab_size % job.layout.tp:
        yield (
            f"The vocabulary of {model.vocab_size:,} does not divide by TP {job.layout.tp}: it is "
            "taken as cut evenly, where frameworks pad it."
        )
    own = job.own_framework
    reduces_once = own.accumulates != "sharded" or own.pipelines_keep_gathered
    if (
        job.reading != "blackboard" and job.layout.zero == SHARDS_GRADIENTS and reduces_once
        and job.layout.pp > 1 and job.layout.dp * job.layout.cp > 1 and job.micro_batches > 1
    ):  # fmt: skip
        yield (
            "ZeRO 2 beside pipeline stages: gradients are taken as held in shards and reduced once "
            "a step. A framework that holds them so reduces them after each micro-batch, which "
            "takes longer; one that reduces once holds them whole, which takes more memory."
        )
    if "optimizer" in job.recipe.offload or "activations" in job.recipe.offload:
        yield (
            "The host's memory is taken to hold what is offloaded, and to move 1.4 times what the "
            "chips' links to it do."
        )
    if model.mtp:
        yield "Multi-token-prediction layers are extra to the model, and left out."
