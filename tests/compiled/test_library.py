"""The store of compiled loops: found again, made again when damaged, and never for small grids."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.compiled import TracedKernel, library, with_numba
from ridgeline.errors import MissingExtraError, RidgelineError
from ridgeline.grid import Best

AXES = [{"x": np.linspace(1.0, 2.0, 50)}]
WHOLE = [slice(0, 50)]


def kernel(v):
    found = v["x"]
    for i in range(10):
        found = np.sqrt(found * (i + 1.5)) + v["x"]
    return {"a": found}


@pytest.fixture
def store(monkeypatch, tmp_path):
    """An empty store, and a process that has compiled nothing."""
    pytest.importorskip("numba", reason="extra [fast]")
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "kernels"
    forget()


def forget() -> None:
    for name in [n for n in sys.modules if n.startswith("ridgeline_kernel_")]:
        del sys.modules[name]


def compiled() -> np.ndarray:
    forget()
    on = TracedKernel(kernel, 1e9, way="numba").on(AXES)
    assert on is not None
    assert on.is_compiled
    return on(WHOLE)["a"]


def source() -> str:
    on = TracedKernel(kernel, 1e9, way="numpy").on(AXES)
    assert on is not None
    return with_numba.source_of(on.stages)


def test_what_was_compiled_is_found_again_and_what_is_damaged_is_made_again(store) -> None:
    assert not library.is_stored(source())
    wanted = compiled()
    assert np.allclose(wanted, kernel({"x": AXES[0]["x"]})["a"], rtol=1e-15)
    assert library.is_stored(source())
    kept = sorted((store / "__pycache__").iterdir())
    assert {p.suffix for p in kept} == {".nbc", ".nbi"}
    before = [p.stat().st_mtime_ns for p in kept]
    assert np.array_equal(compiled(), wanted)
    assert [p.stat().st_mtime_ns for p in kept] == before
    for damage in (b"", b"not a pickle", kept[0].read_bytes()[:40]):
        for path in kept:
            path.write_bytes(damage)
        assert np.array_equal(compiled(), wanted)


def test_other_constants_are_the_same_loops(store) -> None:
    def other(v):
        found = v["x"]
        for _ in range(10):
            found = np.sqrt(found * 7.25) + v["x"]
        return {"a": found}

    compiled()
    # Equal constants in some places and not in others are no other structure.
    on = TracedKernel(other, 1e9, way="numba").on(AXES)
    assert on is not None
    assert np.allclose(on(WHOLE)["a"], other({"x": AXES[0]["x"]})["a"], rtol=1e-15)
    assert len(list(store.glob("*.py"))) == 1


def test_without_a_folder_loops_are_made_for_the_process(store, monkeypatch, tmp_path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("RIDGELINE_CACHE", str(blocked / "below"))
    assert np.allclose(compiled(), kernel({"x": AXES[0]["x"]})["a"], rtol=1e-15)
    assert not store.exists()


def test_without_numba_it_is_named_where_asked_for_and_done_without_elsewhere(monkeypatch) -> None:
    monkeypatch.setattr("ridgeline.compiled.library.has_numba", lambda: False)
    monkeypatch.setattr("ridgeline.compiled.kernel.has_numba", lambda: False)
    on = TracedKernel(kernel, 1e12, way="auto").on(AXES)
    assert on is not None
    assert not on.is_compiled
    with pytest.raises(MissingExtraError, match=r"ridgeline\[fast\]"):
        TracedKernel(kernel, 10, way="numba").on(AXES)


def test_a_numba_that_cannot_be_imported_is_said_and_done_without(store, monkeypatch) -> None:
    compiled()
    kept = sorted(p.name for p in (store / "__pycache__").iterdir())
    monkeypatch.setitem(sys.modules, "numba", None)
    forget()
    with pytest.warns(RuntimeWarning, match="numba is installed and cannot be imported"):
        on = TracedKernel(kernel, 1e12).on(AXES)
    assert on is not None
    assert not on.is_compiled
    assert np.array_equal(on(WHOLE)["a"], kernel({"x": AXES[0]["x"]})["a"])
    with pytest.raises(RidgelineError, match="Install a version that fits"):
        TracedKernel(kernel, 10, way="numba").on(AXES)
    assert sorted(p.name for p in (store / "__pycache__").iterdir()) == kept


@pytest.mark.parametrize(("n_points", "yes"), [(1e6, False), (3e8, True)])
def test_all_processes_of_a_study_decide_alike(store, n_points, yes) -> None:
    for _ in range(2):
        on = TracedKernel(kernel, n_points, way="shared").on(AXES)
        assert on is not None
        assert on.is_compiled == yes


_QUIET = """
import sys
import ridgeline as rl
rl.sweep("Qwen/Qwen3-8B", "hgx-h100", {"load.batch": range(1, 200), "load.context": range(1, 99)})
rl.serving("Qwen/Qwen3-8B", "hgx-h100")
print([n for n in ("numba", "llvmlite", "distributed", "dask") if n in sys.modules])
"""


def test_numba_stays_away_from_single_answers_and_small_grids() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _QUIET], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_way_finds_the_same_best_point() -> None:
    source = np.random.default_rng(1)
    n = 40_000
    axes = {
        "row": {
            "load.batch": source.uniform(1, 4000, n),
            "load.context": source.uniform(100, 1e5, n),
            "cluster.chip.memory.bandwidth": source.uniform(2e12, 8e12, n),
        }
    }
    ways = ["auto", "untraced", "numpy"]
    found = [
        rl.sweep(
            "openai/gpt-oss-120b", "hgx-h100", axes, layout=rl.Layout(tp=8), run_as=way,
            reductions=lambda: {"best": Best("usd_per_mtok_output", 5, where="fits")},
        )[0]["best"]
        for way in ways
    ]  # fmt: skip
    assert found[0] == found[1] == found[2]
    whole = {w: rl.sweep("openai/gpt-oss-120b", "hgx-h100", axes, run_as=w) for w in ways[1:]}
    for name, column in whole["untraced"].columns.items():
        assert np.array_equal(column.values, whole["numpy"].columns[name].values), name
