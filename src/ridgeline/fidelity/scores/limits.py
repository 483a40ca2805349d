"""Whether predictions are right about latency limits at the rate that was measured."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ridgeline.fidelity.engines.assumptions import assume, limits_of
from ridgeline.fidelity.runs import OK, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.fidelity.runs import Prediction, Run

__all__ = ["Verdict", "verdicts"]

_RATE = "output_tokens_per_s"
_TAILS = ("ttft_p99_s", "tpot_p99_s")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A 99th percentile at the measured rate, beside its limit. [s]"""

    row: Row
    predicted: float
    limit: float

    @property
    def right(self) -> bool:
        """Whether prediction and measurement agree on the limit being kept."""
        return (self.predicted <= self.limit) == ((self.row.value or 0.0) <= self.limit)


def verdicts(
    rows: Sequence[Row], predict: Callable[[Sequence[Row]], list[Prediction]]
) -> list[Verdict]:
    """Predict the tails of runs under latency limits at the rate they were measured at.

    A prediction at its own highest rate keeps all limits by construction; at the measured rate it
    may not. Where the layout is not stated, it is the one with the highest predicted throughput
    under the limits, as for the runs themselves.

    Parameters
    ----------
    rows : sequence of Row
    predict : callable       Rows to predictions.

    Returns
    -------
    list of Verdict
        One for each measured 99th percentile with a limit, of runs that state their throughput and
        their output length; a tail that cannot be predicted is infinite.
    """
    of_run: dict[int, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row.status == OK and row.run is not None and row.run.regime == "slo":
            of_run[id(row.run)][row.metric] = row
    found = []
    for metrics in of_run.values():
        run = next(iter(metrics.values())).run
        tails = [metrics[m] for m in _TAILS if m in metrics]
        if run is not None and tails and _RATE in metrics and run.osl:
            found += _judged(run, (metrics[_RATE].value or 0.0) / run.osl, tails, predict)
    return found


def _judged(
    run: Run,
    requests_per_s: float,
    tails: Sequence[Row],
    predict: Callable[[Sequence[Row]], list[Prediction]],
) -> list[Verdict]:
    options = [
        replace(a.run, layout=a.layout, stated=a.run.stated | {"layout"}) for a in assume(run)
    ]
    throughput = predict([_row(one, _RATE) for one in options])
    best = max(zip(options, throughput, strict=True), key=lambda x: _number(x[1], -math.inf))[0]
    loaded = replace(best, regime="open", request_rate_per_s=requests_per_s)
    told = predict([_row(loaded, row.metric) for row in tails])
    limits = limits_of(run)
    limit_of: dict[str, float] = dict(
        zip(_TAILS, (limits.first_token_s, limits.gap_s), strict=True)
    )
    return [
        Verdict(row, _number(one, math.inf), limit_of[row.metric])
        for row, one in zip(tails, told, strict=True)
        if math.isfinite(limit_of[row.metric])
    ]


def _row(run: Run, metric: str) -> Row:
    return Row("", 0, run, metric, None, regime=run.regime, chip=run.cluster.chip.id)


def _number(one: Prediction, otherwise: float) -> float:
    return one.value if one.status == OK else otherwise
