"""The shipped measurements: as well predicted as before, and never below the ideal floor."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from ridgeline.fidelity.measurements import read_rows, reading, row_chunks
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.runs import OK, Prediction, Row, Run
from ridgeline.fidelity.scores import Scored, Scores, answered, score_chunk
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import Group, decode, prefill

PINNED = tomllib.loads((Path(__file__).parent / "pinned_scores.toml").read_text())
#: room for a library's last digits, not for a worse model
SLACK = 1.01
COVERAGE_SLACK = 0.01


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Row, Prediction]]:
    rows = read_rows([SHIPPED])
    return list(zip(rows, answered(rows, predict), strict=True))


@pytest.fixture(scope="module")
def scores(pairs: list[tuple[Row, Prediction]]) -> Scores:
    found = Scores()
    found.add([r for r, _ in pairs], [p for _, p in pairs])
    return found


@pytest.mark.parametrize("group", PINNED)
def test_predictions_are_no_worse_than_they_were(scores: Scores, group: str) -> None:
    before = PINNED[group]
    now = scores.line(None if group == "all" else scores.where(regime=group))
    assert now["n_rows"] == before["n_rows"]
    assert now["n_answered"] >= before["n_answered"]
    for figure in ("median", "p90", "width"):
        assert now[figure] <= before[figure] * SLACK, figure
    assert now["coverage"] >= before["coverage"] - COVERAGE_SLACK


def test_chunks_are_predicted_and_scored_as_the_whole(
    pairs: list[tuple[Row, Prediction]], scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever rows a chunk has: what is evaluated at once changes no more than last digits."""
    monkeypatch.setattr(reading, "CHUNK", 171)
    found, predictions = Scored(), []
    for rows in row_chunks(SHIPPED):
        part, some = score_chunk(rows, predict)
        found, predictions = found.merged(part), [*predictions, *some]
    for (_, whole), one in zip(pairs, predictions, strict=True):
        assert (one.status, one.reason) == (whole.status, whole.reason)
        assert [one.value, one.low, one.high] == pytest.approx(
            [whole.value, whole.low, whole.high], rel=1e-11, nan_ok=True
        )
    for line, of_all in zip(found.scores.board(), scores.board(), strict=True):
        assert list(line.values())[:2] == list(of_all.values())[:2]
        numbers = [list(one.values())[2:] for one in (line, of_all)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-9)


def test_every_regime_is_pinned(scores: Scores) -> None:
    assert set(PINNED) == {"all", *scores.names("regime")}


def _floor_s(run: Run, *groups: Group) -> float:
    assert run.layout is not None
    pieces = count_ops(
        run.model, run.layout, groups, domain_size=run.cluster.domain_size, even=True
    )
    return float(np.asarray(combine_ideal(resources(pieces, run.cluster)).time_s))


def _ideal_s(row: Row, run: Run) -> float:
    """What a row's seconds are in the ideal reading, decoding at the shortest context."""
    assert run.layout is not None
    assert run.batch is not None
    batch, isl = run.batch / run.layout.replicas, run.isl or 0
    step = _floor_s(run, decode(batch, max(isl, 1)))
    if row.regime == "decode" or row.metric == "tpot_s":
        return step
    first = _floor_s(run, prefill(batch, isl)) if isl else 0.0
    if row.regime == "prefill" or row.metric == "ttft_s":
        return first
    return first + ((run.osl or 1) - 1) * step


def _seconds(row: Row, run: Run, predicted: float) -> float:
    """Seconds of the batch (or of a step of it) that a predicted number stands for."""
    batch, osl, isl = run.batch or 1, run.osl or 1, run.isl or 0
    n_out = batch if run.regime == "decode" else batch * osl
    return {
        "output_tokens_per_s": n_out / predicted,
        "output_tokens_per_s_per_chip": n_out / (predicted * run.n_chips),
        "prefill_tokens_per_s": batch * isl / predicted,
    }.get(row.metric, predicted)


def test_nothing_is_faster_than_the_ideal_floor(pairs: list[tuple[Row, Prediction]]) -> None:
    n_checked = 0
    for row, prediction in pairs:
        run = row.run
        fixed = row.regime in ("static", "decode", "prefill") and row.metric != "memory_bytes"
        if run is None or not fixed or prediction.status != OK:
            continue
        if run.layout is None or run.layout.pp > 1 or run.layout.ep > 1:
            continue
        n_checked += 1
        assert _seconds(row, run, prediction.value) >= _ideal_s(row, run) * 0.999, row.id
    assert n_checked > 100
