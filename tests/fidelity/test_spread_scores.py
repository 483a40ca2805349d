"""Rows predicted elsewhere, in any order, have the scores of one process."""

from __future__ import annotations

import csv
import pickle
import threading
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.errors import SpecError
from ridgeline.fidelity.measurements import row_chunks
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.scores import score_chunks
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.grid import Spread


class Backwards(Executor):
    """Runs copies of what it was given, the last first, as soon as nobody gives it more."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Future[Any], bytes]] = []
        self.timer = threading.Timer(0, self.run)

    def submit(self, fn, /, *args, **kwargs) -> Future[Any]:
        future: Future[Any] = Future()
        self.tasks.append((future, pickle.dumps((fn, args))))
        self.timer.cancel()
        self.timer = threading.Timer(0.2, self.run)
        self.timer.start()
        return future

    def run(self) -> None:
        while self.tasks:
            future, task = self.tasks.pop()
            if future.set_running_or_notify_cancel():
                function, args = pickle.loads(task)
                future.set_result(pickle.loads(pickle.dumps(function(*args))))


class Lines:
    """Where predictions are written."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def add(self, rows, predictions) -> None:
        assert len(rows) == len(predictions)
        self.ids += [row.id for row in rows]


@pytest.fixture(scope="module")
def chunks() -> list:
    rows = [row for chunk in row_chunks(SHIPPED) for row in chunk][:240]
    return [rows[i : i + 50] for i in range(0, 240, 50)]


def test_chunks_are_merged_in_order_wherever_they_were_scored(chunks) -> None:
    here, there = Lines(), Lines()
    told: list[int] = []
    one: dict[str, Any] = {"lines": here, "keep": 70}
    other: dict[str, Any] = {"lines": there, "keep": 70, "progress": told.append}
    alone = score_chunks(chunks, predict, **one)
    apart = score_chunks(iter(chunks), predict, spread=Spread(Backwards()), **other)
    assert there.ids == here.ids
    assert told == [50, 100, 150, 200, 240]
    assert apart.shown == alone.shown
    assert apart.by_status == alone.by_status
    by = ("source", "chip", "metric")
    assert apart.scores.board(by) == alone.scores.board(by)


def test_validate_takes_an_executor(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    with SHIPPED.open() as file:
        lines = file.readlines()[:80]
    table.write_text("".join(lines))
    assert len(list(csv.reader(lines))) == 80
    apart = rl.validate(table, rows=True, executor=Backwards())
    assert apart.rows == rl.validate(table, rows=True).rows
    with pytest.raises(SpecError, match="leave executor and workers out"):
        rl.validate(table, leave_out="models", workers=2)


def test_the_command_refuses_workers_beside_fits(capsys) -> None:
    assert main(["validate", "--leave-out", "models", "--workers", "2"]) == 2
    assert "leave them out beside fits" in capsys.readouterr().err
