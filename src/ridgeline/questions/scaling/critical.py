"""The critical batch of a run, and which batch on how many chips ends it soonest or cheapest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.answers.words import quantity, tokens
from ridgeline.laws.batch_size import critical_batch_of_loss_tokens, tokens_over_least
from ridgeline.laws.budget import CHINCHILLA_TOKENS_PER_PARAM, chinchilla_tokens
from ridgeline.laws.economics import cost_per_step_usd
from ridgeline.laws.loss import loss_nats
from ridgeline.questions.scaling.rows import timed
from ridgeline.questions.training.legal import problems
from ridgeline.steps.counts import counts
from ridgeline.trainer.memory import LIKELY
from ridgeline.units import DAY_S, HOUR_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.scaling.rows import Row
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.trainer.job import TrainingJob

__all__ = ["Critical", "batch_rows", "best_rows", "critical_batch", "run_tokens_of"]

#: batches beside the one asked for: halved and doubled so many times
_OCTAVES = 5


@dataclass(frozen=True, slots=True)
class Critical:
    """The critical batch, and where it is from.

    Attributes
    ----------
    batch_tokens : float   [tokens]
    loss : float or None   That it was taken from. [nats/token]
    why : str              A clause: who says so.
    is_law : bool          Whether it is by a law, and not as given.
    """

    batch_tokens: float
    loss: float | None
    why: str
    is_law: bool = True


def run_tokens_of(model: Model, given: float | None) -> tuple[float, str]:
    """Tokens of the run, and what to say of them where nobody gave any.

    Parameters
    ----------
    model : Model
    given : float or None   [tokens]
    """
    if given is not None:
        return given, ""
    found = float(chinchilla_tokens(counts(model).n_params_active))
    each = CHINCHILLA_TOKENS_PER_PARAM
    return found, f"a run of {tokens(found)} tokens, {each} for each active parameter,"


def critical_batch(
    model: Model, run_tokens: float, given: float | None, loss: float | None
) -> Critical:
    """The critical batch at the end of a run.

    Parameters
    ----------
    model : Model
    run_tokens : float      [tokens]
    given : float or None   A critical batch that was measured. [tokens]
    loss : float or None    A loss that was measured; None for what a loss law gives. [nats/token]
    """
    if given is not None:
        return Critical(given, loss, "as given", is_law=False)
    if loss is not None:
        found = float(critical_batch_of_loss_tokens(loss))
        return Critical(found, loss, f"Kaplan et al. 2020 at the loss given, {loss:.3g} nats")
    law = catalog.loss_law()
    active = float(counts(model).n_params_active)
    end = float(loss_nats(active, run_tokens, *law.constants))
    return Critical(
        float(critical_batch_of_loss_tokens(end)),
        end,
        f"Kaplan et al. 2020 at {end:.3g} nats, the loss of {quantity(active, 'params')} active "
        f"parameters after {tokens(run_tokens)} tokens by {law.name}",
    )


def batch_rows(
    jobs: Sequence[TrainingJob], critical: Critical, run_tokens: float, price: Price | None
) -> list[Row]:
    """Runs to the same loss with each batch on each number of chips.

    Parameters
    ----------
    jobs : sequence of TrainingJob   One for each number of chips, in its layout.
    critical : Critical
    run_tokens : float               What the run takes with the batch of the last job. [tokens]
    price : Price or None

    Returns
    -------
    list of dict   ``n_chips``, ``global_batch``, ``batch_tokens``, ``tokens_over_least``,
                   ``run_s``, ``days``, ``chip_hours``, ``usd`` (None without a price), ``fits``.
                   Batches that a layout cannot be run with are left out.
    """
    asked = jobs[-1].load
    batches = [asked.global_batch * 2.0**i for i in range(-_OCTAVES, _OCTAVES + 1)]
    whole = [int(b) for b in batches if b == int(b) and b >= 1]
    tried = [
        replace(job, load=job.load.model_copy(update={"global_batch": b}))
        for job in jobs
        for b in whole
    ]
    legal = [job for job in tried if next(problems(job, int(job.n_chips)), None) is None]
    if not legal:
        return []
    base = tokens_over_least(asked.tokens, critical.batch_tokens)
    rows = []
    for job, measured in zip(legal, timed(legal), strict=True):
        over = tokens_over_least(job.load.tokens, critical.batch_tokens)
        run_s = measured["time_s"] * run_tokens * (over / base) / job.load.tokens
        n = int(job.n_chips)
        fits = measured["fits_probability"]
        rows.append(
            {
                "n_chips": n,
                "global_batch": job.load.global_batch,
                "batch_tokens": float(job.load.tokens),
                "tokens_over_least": float(over),
                "time_s": measured["time_s"],
                "mfu": measured["mfu"],
                "run_s": run_s,
                "days": run_s / DAY_S,
                "chip_hours": run_s * n / HOUR_S,
                "usd": None
                if price is None
                else cost_per_step_usd(run_s, price.usd_per_chip_hour, n),
                "fits": fits is None or fits >= LIKELY,
            }
        )
    return rows


def best_rows(rows: Sequence[Row]) -> tuple[list[Row], Row | None, Row | None]:
    """Of each batch the soonest end of a run, and of all the soonest and the cheapest.

    Parameters
    ----------
    rows : sequence of dict   Of `batch_rows`.

    Returns
    -------
    list of dict   One for each batch: ``fastest`` and ``cheapest`` rows.
    dict or None   The soonest of all.
    dict or None   The one of the fewest chip-hours.
    """
    held = [r for r in rows if r["fits"]] or list(rows)
    if not held:
        return [], None, None
    found = []
    for batch in np.unique([r["global_batch"] for r in held]):
        own = [r for r in held if r["global_batch"] == batch]
        fastest, cheapest = (min(own, key=_by(key)) for key in ("run_s", "chip_hours"))
        found.append(
            {
                "global_batch": int(batch),
                "batch_tokens": fastest["batch_tokens"],
                "tokens_over_least": fastest["tokens_over_least"],
                **{f"fastest_{k}": fastest[k] for k in _KEPT},
                **{f"cheapest_{k}": cheapest[k] for k in _KEPT},
            }
        )
    return found, min(held, key=_by("run_s")), min(held, key=_by("chip_hours"))


_KEPT = ("n_chips", "run_s", "days", "chip_hours", "usd")


def _by(key: str) -> Any:
    return lambda row: row[key]
