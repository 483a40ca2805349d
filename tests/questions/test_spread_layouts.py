"""Machines searched in other processes give the layouts and fleets of this one."""

from __future__ import annotations

import pickle
from concurrent.futures import Executor, Future
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid import Spread
from ridgeline.questions.layouts import fleets, search_layouts
from ridgeline.specs.scenario import Scenario

MACHINES = ["h100-sxm", "mi300x", "rtx-4090", "2xhgx-h100"]


class Elsewhere(Executor):
    """Runs tasks on copies, as another process would, and gives copies back."""

    def submit(self, fn, /, *args, **kwargs) -> Future[Any]:
        future: Future[Any] = Future()
        function, own = pickle.loads(pickle.dumps((fn, args)))
        future.set_result(pickle.loads(pickle.dumps(function(*own, **kwargs))))
        return future


def test_layouts_are_the_same_wherever_machines_are_searched() -> None:
    asked: dict[str, Any] = {"isl": 2048, "osl": 256, "tpot": "50 ms"}
    here = rl.layouts("Qwen/Qwen3-32B", MACHINES, **asked)
    there = rl.layouts("Qwen/Qwen3-32B", MACHINES, executor=Elsewhere(), **asked)
    assert there.rows == here.rows
    assert there.sentences() == here.sentences()
    assert there.unfit == here.unfit
    assert there.to_dict() == here.to_dict()
    assert there.best["layout"] == here.best["layout"]


def test_fleets_are_the_same_wherever_machines_are_searched() -> None:
    scenario = Scenario.of("Qwen/Qwen3-8B", MACHINES[:2], rate=20, isl=1024, osl=128)
    here, there = fleets(scenario), fleets(scenario, Spread(Elsewhere()))
    assert [f.sentences() for f in there] == [f.sentences() for f in here]


def test_errors_are_those_of_one_process() -> None:
    for options, error in (({"rank": "usd", "batch": 0}, SpecError), ({}, InfeasibleError)):
        said = set()
        for executor in (None, Elsewhere()):
            with pytest.raises(error) as refused:
                rl.layouts("deepseek-ai/DeepSeek-V3", ["rtx-4090"], executor=executor, **options)
            said.add(str(refused.value))
        assert len(said) == 1


@pytest.mark.slow
def test_layouts_in_processes(monkeypatch) -> None:
    monkeypatch.setattr("ridgeline.grid.spread.ALONE_S", 0)
    monkeypatch.setattr("ridgeline.grid.spread.WORTH_S", 0)
    scenario = Scenario.of("Qwen/Qwen3-32B", MACHINES, isl=2048, osl=256)
    with Spread(workers=2) as spread:
        there = search_layouts(scenario, spread=spread)
    assert there.rows == search_layouts(scenario).rows
