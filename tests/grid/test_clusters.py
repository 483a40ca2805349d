"""A cluster of Dask as an executor: the same answers, with workers killed in the middle."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from spread_kernels import Deadly, Failing, bumpy, reductions, slow

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.errors import MissingExtraError, RidgelineError, SpecError
from ridgeline.grid import Best, Spread, evaluate, reduce_grid
from ridgeline.grid.clusters import _silent, connected, is_client

AXES = [{"a": np.linspace(0, 9, 40)}, {"b": np.arange(30.0)}]
BLOCK = 30
WHOLE = reduce_grid(bumpy, AXES, reductions(), block_points=BLOCK)


def same(found) -> None:
    for name, value in WHOLE.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.fixture
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="extra [dask]")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as found:
        yield found


@pytest.mark.cluster
@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same_though_its_workers_are_killed(cluster, tmp_path) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(connected(cluster.scheduler_address))
        assert is_client(client)
        pids = list(client.run(os.getpid).values())
        told = []

        def progress(done: int, whole: int) -> None:
            told.append(done)
            if len(told) in (5, 15):
                os.kill(pids.pop(), signal.SIGKILL)

        found = reduce_grid(
            slow, AXES, reductions(), block_points=BLOCK, spread=Spread(client), progress=progress
        )
        same(found)
        assert (told[-1], len(told), pids) == (1200, 40, [])
        # Errors come as they are, at once; the client stays open.
        with pytest.raises(SpecError, match="a field is wrong"):
            evaluate(Failing("spec"), AXES, block_points=BLOCK, spread=Spread(client))
        # What kills every worker is given up, and named.
        for i in range(30):
            (tmp_path / str(i)).touch()
        deadly = Deadly(float(AXES[0]["a"][30]), str(tmp_path))
        with pytest.raises(RidgelineError, match="Shard 31 of 40 was given up by Dask"):
            reduce_grid(deadly, AXES, reductions(), block_points=BLOCK, spread=Spread(client))
        assert client.submit(abs, -1).result() == 1


@pytest.mark.cluster
@pytest.mark.filterwarnings("default")
def test_a_sweep_on_a_cluster_is_the_sweep(cluster, capsys) -> None:
    axes = {"load.batch": np.arange(1.0, 200.0), "load.context": np.linspace(100, 9e3, 3000)}

    def asked() -> dict[str, Best]:
        return {"best": Best("usd_per_mtok_output", k=3, where="fits")}

    with connected(cluster.scheduler_address) as client:
        there = rl.sweep("Qwen/Qwen3-8B", "h100-sxm", axes, reductions=asked, executor=client)
    assert there == rl.sweep("Qwen/Qwen3-8B", "h100-sxm", axes, reductions=asked)
    command = ["sweep", "Qwen/Qwen3-8B", "--on", "h100-sxm", "--batch", "1:512", "--json"]
    assert main([*command, "--best", "time_s", "--scheduler", cluster.scheduler_address]) == 0
    found = capsys.readouterr().out
    assert main([*command, "--best", "time_s"]) == 0
    assert found == capsys.readouterr().out


def test_loggers_are_silent_while_connected_and_then_as_they_were() -> None:
    levels = {"distributed": 10, "distributed.some": 0, "asyncio": 30, "other": 20}
    loggers = {name: logging.getLogger(name) for name in levels}
    before = {name: logger.level for name, logger in loggers.items()}
    try:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
        with _silent():
            late = logging.getLogger("distributed.made.meanwhile")
            assert not late.isEnabledFor(logging.ERROR)
            assert not loggers["asyncio"].isEnabledFor(logging.ERROR)
            assert loggers["other"].level == 20
        assert {name: logger.level for name, logger in loggers.items()} == levels
        with pytest.raises(KeyError), _silent():
            raise KeyError
        assert {name: logger.level for name, logger in loggers.items()} == levels
    finally:
        for name, logger in loggers.items():
            logger.setLevel(before[name])


@pytest.mark.cluster
@pytest.mark.filterwarnings("default")
def test_no_scheduler_is_a_sentence(monkeypatch) -> None:
    pytest.importorskip("distributed", reason="extra [dask]")
    monkeypatch.setattr("ridgeline.grid.clusters._ANSWERS_S", 0.2)
    for address in ("tcp://127.0.0.1:1", "nowhere"):
        level = logging.getLogger("distributed").level
        with pytest.raises(RidgelineError, match="cannot be reached"), connected(address):
            pass
        assert logging.getLogger("distributed").level == level < logging.CRITICAL


def test_without_dask_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"\[dask\]"), connected("tcp://127.0.0.1:1"):
        pass


def test_dask_is_not_imported_to_know_its_client() -> None:
    code = (
        "import sys; from ridgeline.grid import Spread; from concurrent.futures import "
        "ThreadPoolExecutor as T; Spread(T(1)); print('distributed' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
