"""Shards anywhere give what one process gives: to the digit, with errors, deaths and interrupts."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spread_kernels import Deadly, Failing, OddError, bumpy, reductions

import ridgeline.grid.spread
from ridgeline import errors
from ridgeline.errors import MissingExtraError, RidgelineError, SpecError
from ridgeline.grid import Spread, evaluate, reduce_grid
from ridgeline.grid.processes import Processes
from ridgeline.grid.shards import Study
from ridgeline.questions.launch.refused import LayoutError

AXES = [{"a": np.linspace(0, 9, 40)}, {"b": np.arange(30.0), "c": np.arange(30.0) ** 2}]
BLOCK = 60


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Processes are started for everything."""
    monkeypatch.setattr(ridgeline.grid.spread, "ALONE_S", 0)
    monkeypatch.setattr(ridgeline.grid.spread, "WORTH_S", 0)


class Late(Executor):
    """Somebody's executor: it runs what it was given last first, when it is waited for."""

    def __init__(self) -> None:
        self.tasks = []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.tasks.append((future, fn, args))
        if len(self.tasks) == 20:
            threading.Thread(target=self.run).start()
        return future

    def run(self) -> None:
        while self.tasks:
            future, fn, args = self.tasks.pop()
            if future.set_running_or_notify_cancel():
                future.set_result(fn(*pickle.loads(pickle.dumps(args))))


def same(spread: Spread | None, kernel=bumpy) -> None:
    alone = reduce_grid(bumpy, AXES, reductions(), block_points=BLOCK)
    apart = reduce_grid(kernel, AXES, reductions(), block_points=BLOCK, spread=spread)
    for name, value in alone.items():
        np.testing.assert_array_equal(apart[name], value)
    columns = evaluate(kernel, AXES, block_points=BLOCK, spread=spread)
    for name, value in evaluate(bumpy, AXES, block_points=BLOCK).items():
        np.testing.assert_array_equal(columns[name], value)


def test_shards_cover_the_grid_once(monkeypatch) -> None:
    whole = Study.of(bumpy, AXES, None, "shared", 1).shards(AXES, BLOCK)
    assert [shard.axes for shard in whole] == [()] * 20, "small axes go with the study"
    monkeypatch.setattr("ridgeline.grid.shards._SENT_BYTES", 0)
    study = Study.of(bumpy, AXES, None, "shared", 1)
    shards = study.shards(AXES, BLOCK)
    assert [shard.cuts for shard in shards] == [shard.cuts for shard in whole]
    assert len(shards) == 20
    seen = np.zeros((40, 30), dtype=int)
    for shard in shards:
        for cut, own in zip(shard.cuts, shard.own_cuts, strict=True):
            seen[cut] += 1
            for fields, whole, c, o in zip(shard.axes, AXES, cut, own, strict=True):
                for name, values in fields.items():
                    np.testing.assert_array_equal(values[o], whole[name][c])
    assert (seen == 1).all()
    assert max(len(shard.axes[0]["a"]) for shard in shards) == 2
    axes = [{"a": np.zeros(100_000)}]
    same(None)
    same(Spread(Late()))
    many = Study.of(bumpy, axes, None, "shared", 1).shards(axes, 10)
    assert len(many) == 625
    assert sum(shard.n_points for shard in many) == 100_000


def test_any_executor_gives_the_same_to_the_digit() -> None:
    with ThreadPoolExecutor(3) as threads:
        same(Spread(threads))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        same(Spread(processes))
        assert processes.submit(abs, -1).result() == 1, "it stays the caller's"


def test_an_executor_of_somebody_else_that_ends_in_another_order() -> None:
    alone = reduce_grid(bumpy, AXES, reductions(), block_points=BLOCK)
    apart = reduce_grid(bumpy, AXES, reductions(), block_points=BLOCK, spread=Spread(Late()))
    for name, value in alone.items():
        np.testing.assert_array_equal(apart[name], value)


@pytest.mark.usefixtures("at_once")
def test_processes_of_its_own_give_the_same_and_are_gone_afterwards() -> None:
    seen: list[tuple[int, int]] = []
    with Spread(workers=2) as spread:
        same(spread)
        evaluate(bumpy, AXES, block_points=BLOCK, spread=spread,
                 progress=lambda done, of: seen.append((done, of)))  # fmt: skip
        assert spread._own is not None
        pids = spread._own.pids()
        assert 1 <= len(pids) <= 2
    assert [s[0] for s in seen] == list(range(60, 1201, 60))
    assert {s[1] for s in seen} == {1200}
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_what_is_short_starts_no_process(monkeypatch) -> None:
    monkeypatch.setattr("ridgeline.grid.processes.Processes", None)
    with Spread(workers=8) as spread:
        same(spread)


@pytest.mark.usefixtures("at_once")
def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / str(i)).touch()
    # The first shards run here, before there are processes.
    with Spread(workers=2) as spread:
        same(spread, Deadly(float(AXES[0]["a"][21]), str(tmp_path)))
    assert not list(tmp_path.iterdir()), "it was killed twice"


@pytest.mark.usefixtures("at_once")
def test_a_shard_that_kills_its_worker_thrice_is_named(tmp_path: Path) -> None:
    lives, kept = tmp_path / "lives", tmp_path / "kept"
    lives.mkdir()
    for i in range(5):
        (lives / str(i)).touch()
    kernel = Deadly(float(AXES[0]["a"][38]), str(lives))
    with Spread(workers=2, resume=kept) as spread, pytest.raises(RidgelineError) as refused:
        reduce_grid(kernel, AXES, reductions(), block_points=BLOCK, spread=spread)
    assert str(refused.value).startswith("Shard 20 of 20 ended its process 3 times (signal 9).")
    assert len(list(lives.iterdir())) == 2
    # Finished shards were kept: with the reason gone, the rest is done.
    for life in lives.iterdir():
        life.unlink()
    assert len(list(kept.rglob("*.npz"))) >= 15
    with Spread(resume=kept) as spread:
        found = reduce_grid(kernel, AXES, reductions(), block_points=BLOCK, spread=spread)
    alone = reduce_grid(bumpy, AXES, reductions(), block_points=BLOCK)
    for name, value in alone.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_killed_process_is_replaced() -> None:
    pool = Processes(1)
    try:
        first = pool.submit(os.getpid).result(30)
        waiting = pool.submit(time.sleep, 0.3)
        os.kill(first, signal.SIGKILL)
        waiting.result(30)
        assert pool.submit(os.getpid).result(30) != first
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow
def test_an_executor_that_broke_is_a_sentence(tmp_path: Path) -> None:
    for i in range(9):
        (tmp_path / str(i)).touch()
    kernel = Deadly(float(AXES[0]["a"][5]), str(tmp_path))
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(RidgelineError, match=r"The executor (broke at shard|takes no more)"),
    ):
        reduce_grid(kernel, AXES, reductions(), block_points=BLOCK, spread=Spread(pool))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("spec", SpecError, "a field is wrong."),
        ("extra", MissingExtraError, "This needs the optional part [tables]. Install"),
        # Dask, where it was imported, teaches pickle to send this one, too.
        ("odd", (RuntimeError, OddError), "1 and 2"),
        ("fault", KeyError, "fault"),
    ],
)
def test_errors_come_back_as_they_are(kind: str, error: Any, words: str) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(error):
        evaluate(Failing(kind), AXES, block_points=BLOCK, spread=Spread(pool))
    pool = Late()
    with pytest.raises(error) as refused:
        evaluate(Failing(kind), AXES, block_points=BLOCK, spread=Spread(pool))
    assert words in str(refused.value)


def every_error(kind: type = RidgelineError) -> list[type]:
    return [kind, *(found for sub in kind.__subclasses__() for found in every_error(sub))]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_can_be_sent(kind: type) -> None:
    made = kind("word", "other") if kind in (MissingExtraError, LayoutError) else kind("word")
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is kind
    assert (str(again), vars(again)) == (str(made), vars(made))
    assert errors.first_line(again)


def test_what_cannot_be_sent_or_used_is_said() -> None:
    with pytest.raises(SpecError, match="cannot be sent to other processes"):
        evaluate(lambda axes: {"x": axes["a"]}, AXES, block_points=BLOCK, spread=Spread(Late()))
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(SpecError, match="a whole number from 1"):
            Spread(workers=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="Executor or a Dask Client is expected, not a str"):
        Spread("tcp://host:8786")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="Executor or a Dask Client is expected, not a type"):
        Spread(ThreadPoolExecutor)  # pyright: ignore[reportArgumentType]
    with ThreadPoolExecutor(1) as pool, pytest.raises(SpecError, match="Choose one"):
        Spread(pool, workers=2)


def test_a_worker_with_another_program_is_refused(monkeypatch) -> None:
    pool = Late()
    monkeypatch.setattr("ridgeline.grid.executing.installed", iter(["one", *["two"] * 99]).__next__)
    with pytest.raises(SpecError, match="another version of Ridgeline"):
        evaluate(bumpy, AXES, block_points=BLOCK, spread=Spread(pool))


SCRIPT = """
    import sys, time
    sys.path.insert(0, {tests!r})
    import numpy as np
    import ridgeline.grid.spread as module
    from ridgeline.grid import Spread
    module.ALONE_S = module.WORTH_S = 0
    def told():
        with Spread(workers=2) as spread:
            for i, _ in spread.run(max, 0.0, [0.0, 0.1, 0.2, 0.3]):
                pass
            print(*spread._own.pids(), flush=True)
            for _ in spread.run(slow, None, range(100)):
                pass
    from spread_slow import slow
    told()
"""


@pytest.fixture
def at_work(tmp_path: Path):
    """A program, unguarded, whose two workers are busy for a minute; and their numbers."""
    (tmp_path / "spread_slow.py").write_text(
        "import time\ndef slow(_, i):\n    time.sleep(60 if i else 0)\n"
    )
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT).format(tests=str(tmp_path)))
    with subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        pids = [int(word) for word in process.stdout.readline().split()]
        time.sleep(0.5)
        yield process, pids
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_owner_nor_keeps_its_output_open(at_work, number: int) -> None:
    process, pids = at_work
    assert pids
    begun = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=20)  # ends when nobody has standard output open
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() - begun < 10
        time.sleep(0.02)
    assert time.monotonic() - begun < 5
