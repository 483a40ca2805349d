"""The question about scaling: a model's training on more and more chips of a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Unpack

from ridgeline.answers.words import tokens as token_words
from ridgeline.errors import SpecError
from ridgeline.kernels.extrapolation import beyond_words
from ridgeline.questions.caveats import input_caveats
from ridgeline.questions.scaling.answer import Scaling
from ridgeline.questions.scaling.bounds import bounds_of
from ridgeline.questions.scaling.critical import batch_rows, critical_batch, run_tokens_of
from ridgeline.questions.scaling.landmarks import landmarks_of
from ridgeline.questions.scaling.rows import from_smallest_that_fits, rows_of
from ridgeline.questions.scaling.sizes import jobs_of_sizes, searched_job
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.specs.arguments import Amount, reads
from ridgeline.specs.fields import Choice, Number, Numbers
from ridgeline.specs.ranges import CHIPS
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.trainer.memory import LIKELY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.catalog import MachineNamed
    from ridgeline.questions.scaling.critical import Critical
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model
    from ridgeline.specs.training_scenario import TrainingOptions
    from ridgeline.trainer.job import TrainingJob

__all__ = ["BATCH_TOKENS", "KINDS", "LOSS", "SIZES", "scale", "scaling"]

KINDS: Final = ("strong", "weak")
SIZES: Final = Numbers(CHIPS)
BATCH_TOKENS: Final = Number(1, 1e15)
LOSS: Final = Number(0.01, 20)


@reads(kind=Choice(KINDS), sizes=SIZES, critical_batch=BATCH_TOKENS, loss=LOSS)
def scaling(
    model: Model | str,
    on: Cluster | Chip | str,
    *,
    kind: str = "strong",
    search: bool = False,
    sizes: Any = None,
    critical_batch: Amount | None = None,
    loss: Amount | None = None,
    **options: Unpack[TrainingOptions],
) -> Scaling:
    """Ask what more chips buy in training a model, and where they buy no more.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str       The largest machine; ``global_batch`` is of all of it.
    kind : str                      ``strong``: one global batch on any number of chips; ``weak``:
                                    it grows with them.
    search : bool                   The fastest layout of each size, instead of the plain one.
    sizes : number or several       Numbers of chips; powers of two from the smallest that fits if
                                    not given.
    critical_batch : float or None  Critical batch that was measured; a law if not given. [tokens]
    loss : float or None            Loss for that law; what a loss law gives if not given. [nats]
    **options : TrainingOptions     As for `rl.training`. With degrees all sizes have them, and dp
                                    is the rest.

    Returns
    -------
    Scaling   Time, throughput, MFU, cost and days by number of chips; where data parallelism is
              exposed, where the batch runs out, where MFU is below half its best, beyond which
              batch and chips there is no more progress; bounds of the network; which batch on how
              many chips ends a run soonest, and which cheapest.

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   No size can be, or the chip cannot multiply the format.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = rl.scaling("meta-llama/Meta-Llama-3.1-405B", "2048xhgx-h100", seq=8192,
    ...                    global_batch=2048, tp=8, pp=16, reading="blackboard")
    >>> [round(row["time_s"], 1) for row in found.rows[-2:]]  # a bubble of 15 / 32, then 15 / 16
    [7.4, 4.9]
    >>> found.values["batch_runs_out_n_chips"]
    16384.0
    """
    scenario = TrainingScenario.of(model, on, **options)
    many = None if sizes is None else [int(n) for n in (sizes if _several(sizes) else [sizes])]
    return scale(scenario, kind=kind, search=search, sizes=many, critical=critical_batch, loss=loss)


def scale(
    scenario: TrainingScenario,
    *,
    kind: str = "strong",
    search: bool = False,
    sizes: list[int] | None = None,
    critical: float | None = None,
    loss: float | None = None,
    named: MachineNamed | None = None,
    framework: Framework | None = None,
) -> Scaling:
    """Answer `scaling` for a scenario.

    Parameters
    ----------
    scenario : TrainingScenario
    kind, search, sizes, critical, loss   As for `scaling`.
    named : MachineNamed or None    The scenario's machine where it is found already.
    framework : Framework or None   With facts of one's own, instead of the scenario's name.
    """
    weak = kind == "weak"
    setup = TrainingSetup(scenario, given_machine=named, given_framework=framework)
    if search and not setup.model.blocks:
        raise SpecError(
            f"search (--search): {setup.model.id} is known by its counts alone, which no layout "
            "differs by. Give its config.json, or leave the search out."
        )
    found = jobs_of_sizes(setup, sizes, weak=weak, choose=searched_job if search else None)
    jobs = found.jobs if sizes else from_smallest_that_fits(found.jobs)
    setup, whole = found.setup, jobs[-1]
    tokens = scenario.load.tokens
    run_tokens, assumed = run_tokens_of(setup.model, tokens)
    limit = critical_batch(setup.model, run_tokens, critical, loss)
    price = setup.price
    rows = rows_of(jobs, scenario, price)
    batch = f"with batches of {whole.load.global_batch:,} sequences"
    return Scaling(
        scenario=scenario,
        kind=kind,
        jobs=tuple(jobs),
        rows=tuple(rows),
        refused=found.refused,
        landmarks=landmarks_of(rows, jobs, limit, weak=weak),
        bounds=tuple(bounds_of(whole, weak=weak)),
        critical=limit,
        batches=tuple(batch_rows(jobs, limit, run_tokens, price)),
        run_words=f"{assumed or f'{token_words(run_tokens)} tokens'} {batch}",
        price=price,
        notes=(
            *setup.set_words,
            *_notes(whole, limit),
            *input_caveats(whole.model, whole.cluster, price),
        ),
        why_layout=_why(scenario, search, rows),
    )


def _several(sizes: Any) -> bool:
    return isinstance(sizes, list | tuple)


def _why(scenario: TrainingScenario, search: bool, rows: list[Any]) -> str:
    if search:
        return "Each size has the fastest layout that a search finds for it."
    chances = [row["fits_probability"] for row in rows]
    if not scenario.layout.degrees and None in chances:
        return "No layout is given: each size is data parallel, and memory is not known."
    if not scenario.layout.degrees and max(chances) < LIKELY:
        return "No layout is given: each size has the plain one that comes closest to fitting."
    if scenario.layout.degrees:
        return "All sizes have the degrees given; data parallelism is over what they leave."
    return "No layout is given: each size has the first plain one that fits memory."


def _notes(job: TrainingJob, critical: Critical) -> Iterator[str]:
    if job.reading == "calibrated" and (said := beyond_words(job.cluster.chip)):
        yield f"{said}. Times are extrapolated, and their intervals wider for it."
    if not job.recipe.trains_all or job.recipe.task != "pretrain":
        yield (
            "The laws behind the critical batch and the batches of a run are of pre-training: what "
            f"{job.recipe.task} needs is not known from them."
        )
    if critical.is_law:
        yield (
            "The critical batch is by a law that was fitted to models of 3 M and 85 M parameters; "
            "newer work (arXiv:2410.21676, arXiv:2505.23971) finds it to grow with the tokens of a "
            "run, not with its loss alone. Give --critical-batch where it was measured."
        )
