"""The first question: what a step takes, what requests experience, what a token costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.grid import logspace
from ridgeline.grid.axis import distinct
from ridgeline.questions.caveats import input_caveats
from ridgeline.questions.drafts import draft_words
from ridgeline.questions.lengths import length_notes, longest
from ridgeline.questions.serving.answer import Serving
from ridgeline.questions.serving.columns import answer_grid
from ridgeline.questions.serving.landmarks import landmarks, most_sequences
from ridgeline.questions.serving.sizing import Sizing
from ridgeline.questions.serving.words import (
    choice_of_experts,
    engine_words,
    extrapolation_words,
    link_words,
    vector_words,
    wide_experts,
)
from ridgeline.questions.setup import Setup, machine_of
from ridgeline.specs.arguments import LAYOUT, reads
from ridgeline.specs.scenario import Scenario
from ridgeline.steps import counts

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.scenario_options import ScenarioOptions
    from ridgeline.steps import Balance

__all__ = ["serve", "serving"]

_LARGEST_BATCH_SHOWN = 2**20


@reads(layout=LAYOUT)
def serving(
    model: Model | str,
    on: Cluster | Chip | str,
    *,
    layout: Layout | None = None,
    **options: Unpack[ScenarioOptions],
) -> Serving:
    """Ask what a model takes and costs to serve on a machine.

    Parameters
    ----------
    model : Model or str            Record, HuggingFace id, or path of a ``config.json``.
    on : Cluster, Chip or str       A cluster is used whole; a chip alone means the number of chips
                                    of its node with the lowest cost per output token within the
                                    limits, at the batches given if some are; ``8xh100-sxm`` is
                                    eight.
    layout : Layout or None         A layout record, instead of ``tp``, ``pp`` and so on.
    **options : ScenarioOptions     Everything else, by the names of the command line; see
                                    `ridgeline.specs.scenario`. With ``isl`` and ``osl``, answers
                                    are of requests: `batch` of them kept in flight in each
                                    replica. Without, sequences only decode at ``context`` (8192).

    Returns
    -------
    Serving   A curve over batch (and context, where several were given) with its landmarks.

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   The model fits on no number of such chips, or the chip cannot multiply it.

    Examples
    --------
    >>> import ridgeline as rl
    >>> answer = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="blackboard")
    >>> answer.best("usd_per_mtok_output")["bound"]
    'KV'
    """
    return serve(Scenario.of(model, on, **options), layout)


def serve(
    scenario: Scenario,
    layout: Layout | None = None,
    *,
    price: Price | None = None,
    interval: bool = True,
) -> Serving:
    """Answer `serving` for a scenario.

    Parameters
    ----------
    scenario : Scenario      Of one machine.
    layout : Layout or None  A layout record, instead of the scenario's degrees.
    price : Price or None    Chosen beside those of other machines; None for the scenario's.
    interval : bool          Whether to add 80% intervals, which take most of the time.

    Raises
    ------
    SpecError   Several machines, or a rate, which `fleet` answers; and as for `serving`.
    """
    if len(scenario.machines) > 1:
        raise SpecError("One machine at a time: `compare` puts several answers side by side.")
    if scenario.workload.arrival == "open":
        raise SpecError("A rate is answered by a fleet: `fleet` finds how many replicas it takes.")
    load = scenario.workload.with_default_lengths(decode_only=True)
    setup = Setup(scenario, load, layout)
    record, requests, contexts = setup.model, setup.requests, setup.contexts
    named = machine_of(next(iter(scenario.machines)))
    cluster, tally = named.cluster, counts(record)
    setup.check_native(cluster)
    sizing = Sizing(
        model=record,
        counts=tally,
        cluster=cluster,
        layout=setup.layout,
        formats=setup.formats,
        engine=setup.engine_on(cluster.chip),
        version=scenario.engine.version,
        requests=requests,
        expert_load_cv=load.expert_load_cv,
        reading=setup.reading,
        limits=load.limits,
        constants=setup.constants,
        max_sequences=setup.max_sequences,
        batches=setup.batches(),
    )
    kept = float(requests.kept(sizing.engine)) if requests.osl else float(contexts[0])
    chips = scenario.layout.chips if scenario.layout.chips is not None else named.n_chips
    sized, notes = sizing.sized(kept, chips, named.is_chip)
    replica, bound = sized.replica, sized.machine
    marks = landmarks(replica, bound, requests, kept)
    rent = price or setup.prices.prices[0]
    further = [most_sequences(replica, bound, requests, float(c)) for c in contexts[1:]]
    batches = _batches(setup.batches(replica.layout.replicas), marks, further)
    if load.arrival == "offline":
        batches = np.asarray([max(math.floor(marks.largest_batch), 1.0)])
    said = [
        *bound.notes,
        *notes,
        *length_notes(record, longest(load)),
        *engine_words(replica),
        *extrapolation_words(replica),
        *(link_words(replica) if replica.n_chips > 1 else ()),
        *vector_words(replica),
        *draft_words(record, load),
        *input_caveats(record, cluster, rent),
    ]
    if not replica.how.whole:
        said += choice_of_experts(record, replica.expert_load_cv)
        said += wide_experts(replica)
    return Serving(
        scenario=scenario,
        model=record,
        machine=bound,
        counts=tally,
        price=rent,
        balance=marks,
        result=answer_grid(
            replica,
            bound,
            rent,
            batches,
            contexts,
            requests,
            load,
            setup.max_sequences,
            interval=interval,
        ),
        replica=replica,
        requests=requests,
        notes=tuple(said),
        given_layout=layout,
    )


def _batches(given: np.ndarray | None, found: Balance, further: list[float]) -> np.ndarray:
    if given is not None:
        return distinct(given)
    marks = [found.batch, found.batch_without_kv, found.largest_batch, *further]
    marks = [float(math.floor(m)) for m in marks if 1 <= m <= _LARGEST_BATCH_SHOWN]
    top = 2 ** math.ceil(math.log2(max([*marks, 64.0])) + 1)
    powers = 2.0 ** np.arange(math.log2(top) + 1)
    return distinct(np.concatenate([logspace(1, top, per_octave=8), powers, marks]))
