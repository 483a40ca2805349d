"""From an answer to what starts it: the first of its layouts that an engine can run."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.questions.launch.commands import Launch, launch
from ridgeline.questions.launch.manifests import manifest
from ridgeline.questions.launch.quantities import Priced
from ridgeline.questions.launch.refused import LayoutError, NoneRunsError
from ridgeline.questions.lengths import longest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.replica import Replica
    from ridgeline.service.requests import Requests
    from ridgeline.specs.scenario import Scenario

#: reasons given where no layout runs
_REASONS = 3

__all__ = [
    "first_started",
    "first_that_runs",
    "prompts_of_a_step",
    "start",
    "what_was_priced",
    "why_not",
]


def what_was_priced(
    scenario: Scenario,
    replica: Replica,
    requests: Requests,
    batch: float,
    n_replicas: int,
    **more: Any,
) -> Priced:
    """Gather what an engine's options depend on.

    Parameters
    ----------
    scenario : Scenario    The question, for what was asked for.
    replica : Replica      One of the replicas.
    requests : Requests
    batch : float          Sequences in flight in it.
    n_replicas : int
    **more : object        Further fields of `Priced`.
    """
    named, load, engine = scenario.model, scenario.workload, scenario.engine
    load = load.with_default_lengths(decode_only=not requests.osl)
    kept = requests.kept(replica.engine) if requests.osl else requests.context
    return Priced(
        replica=replica,
        own=catalog.model(named) if isinstance(named, str) else named,
        requests=requests,
        batch=float(batch),
        n_replicas=int(n_replicas),
        longest_tokens=math.ceil(longest(load)),
        kept_tokens=float(kept),
        asked_batch=any(
            v is not None for v in (load.batch, load.concurrency, engine.max_sequences)
        ),
        asked_step_tokens=engine.token_budget or 0,
        **more,
    )


def prompts_of_a_step(replica: Replica, requests: Requests) -> float:
    """Prompts that a replica which only prefills works on: as many as its steps take whole."""
    each = max(replica.engine.token_budget // max(float(requests.new), 1.0), 1.0)
    return each * replica.layout.attn_dp * replica.layout.pp


def start(priced: Sequence[Priced], name: str) -> Launch:
    """Write what starts what was priced: commands of an engine, or a manifest.

    Parameters
    ----------
    priced : sequence of Priced   One, or a pool that prefills and one that decodes.
    name : str                    ``vllm``, ``sglang``, ``tensorrt-llm``, ``llama.cpp``; ``dynamo``,
                                  ``llm-d`` or ``kserve``.

    Raises
    ------
    CatalogError      Nobody knows it.
    LayoutError       It cannot start the layout; says why.
    InfeasibleError   It cannot do what was priced, in whatever layout; says what.
    """
    found = catalog.known_flags(name)
    return manifest(priced, found) if found in catalog.deployments() else launch(priced, found)


def why_not(priced: Priced, name: str) -> str:
    """Why an engine or a deployment tool cannot start a layout; empty where it can.

    Raises
    ------
    InfeasibleError   It cannot start any layout of what was priced; says why.
    """
    try:
        start([priced], name)
    except LayoutError as error:
        return error.why
    return ""


def first_that_runs(
    n: int, at: Callable[[int], Priced], name: str, tell: Callable[[int], str]
) -> Launch:
    """Start the first of some layouts, best first, that an engine can run.

    Parameters
    ----------
    n : int           How many there are.
    at : callable     What was priced, by number.
    name : str        See `start`.
    tell : callable   A layout in a few letters, by number.

    Raises
    ------
    CatalogError, InfeasibleError   As `start`; also where it can run none of them.
    """
    return first_started(n, lambda i: start([at(i)], name), tell)


def first_started(n: int, attempt: Callable[[int], Launch], tell: Callable[[int], str]) -> Launch:
    """The first of some layouts, best first, that can be started, and why not those before it.

    Parameters
    ----------
    n : int              How many there are.
    attempt : callable   What starts a layout, by number; raises LayoutError where it cannot be.
    tell : callable      A layout in a few letters, by number.

    Raises
    ------
    NoneRunsError   None of them can.
    """
    reasons: list[str] = []
    for i in range(n):
        try:
            found = attempt(i)
        except LayoutError as error:
            reasons.append(error.why)
            continue
        if not i:
            return found
        note = f"{reasons[0]}: number {i + 1} of the ranking, {tell(i)}."
        return replace(found, notes=(note, *found.notes))
    raise NoneRunsError(f"None of the layouts found: {_some(reasons)}.")


def _some(reasons: Sequence[str]) -> str:
    """The most frequent reasons, in words; those that differ in numbers alone are one."""
    alike: dict[str, list[str]] = {}
    for why in reasons:
        alike.setdefault(re.sub(r"\d+", "#", why), []).append(why)
    most = sorted(alike.values(), key=len, reverse=True)[:_REASONS]
    return "; ".join(
        f"{same[0]} (and {len(same) - 1} more)" if same[1:] else same[0] for same in most
    )
