"""Look up what published models were trained on."""

from __future__ import annotations

from functools import cache

from ridgeline.catalog._store import BUILT_IN, folded, read_toml
from ridgeline.specs.published_run import PublishedRun, PublishedRuns

__all__ = ["published_run", "published_runs"]


@cache
def published_runs() -> tuple[PublishedRun, ...]:
    """Parameters and tokens of published models, by date of release."""
    path = BUILT_IN / "published_runs.toml"
    return PublishedRuns.parse(read_toml(path), where=path.name).runs


@cache
def _by_model() -> dict[str, PublishedRun]:
    return {folded(run.model): run for run in published_runs()}


def published_run(model_id: str) -> PublishedRun | None:
    """What a model was trained on; None where its authors do not say.

    Parameters
    ----------
    model_id : str   ``org/name``.

    Examples
    --------
    >>> found = published_run("deepseek-ai/DeepSeek-V3")
    >>> found.n_tokens, found.n_params_active
    (14800000000000.0, 37000000000.0)
    """
    return _by_model().get(folded(model_id))
