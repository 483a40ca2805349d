"""Blocks tile, axes space, files are whole."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import RidgelineError, SpecError
from ridgeline.files import write_whole
from ridgeline.grid import Axis, Column, Result, blocks, logspace


@given(st.lists(st.integers(1, 12), max_size=4), st.integers(1, 500))
def test_blocks_tile_the_grid_once_within_their_size(shape: list[int], points: int) -> None:
    seen = np.zeros(shape, dtype=int)
    for cut in blocks(tuple(shape), points):
        assert seen[cut].size <= points
        seen[cut] += 1
    assert (seen == 1).all()


@given(st.integers(1, 10**6), st.integers(0, 20), st.integers(1, 16))
def test_logspace_grows_by_ratio(low: int, octaves: int, per_octave: int) -> None:
    values = logspace(low, low * 2**octaves, per_octave)
    assert (values[0], values[-1]) == (low, low * 2**octaves)
    assert (np.diff(values) > 0).all()
    assert (values % 1 == 0).all()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, float("inf"))])
def test_logspace_refuses_what_has_no_logarithm(low: float, high: float) -> None:
    with pytest.raises(SpecError):
        logspace(low, high)


def test_files_are_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "one")
    write_whole(path, b"two")
    assert path.read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(RidgelineError, match="cannot be written"):
        write_whole(tmp_path / "none" / "a.txt", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RidgelineError, match="cannot be written"):
        write_whole(tmp_path / "folder", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder"]


def a_grid() -> Result:
    """Two axes, one of words; a choice, numbers without a value, a point that cannot be."""
    axes = (
        Axis("chip", np.array(["a", "=b"]), "", "chip"),
        Axis("batch", np.array([1.0, 2.0, 3.0]), "", "batch"),
    )
    time_s = np.array([[1.0, 2.0, np.inf], [4.0, np.nan, 6.0]])
    columns = {
        "time_s": Column(time_s, "s", "time"),
        "bound": Column(np.array([[0, 1, 0], [1, 1, 0]]), "", "bound", ("kv", "weights")),
        "n": Column(np.arange(6).reshape(2, 3), "#", "n"),
    }
    return Result(axes, columns, np.array([[0, 0, 1], [0, 0, 0]]), ("too large",))


def test_every_export_has_the_same_points() -> None:
    grid = a_grid()
    rows = list(grid.rows())
    assert grid.to_polars().to_dicts() == rows
    (_, *lines) = csv.reader(io.StringIO(grid.to_csv()))
    assert lines[2] == ["a", "3.0", "", "kv", "2", "too large"]
    assert lines[3][0] == "'=b", "no spreadsheet runs it"
    assert grid.to_dict()["columns"]["time_s"]["values"] == [[1, 2, None], [4, None, 6]]
    assert grid.to_dict()["columns"]["bound"]["values"][1] == ["weights", "weights", "kv"]


def test_a_grid_is_named_in_a_line() -> None:
    assert repr(a_grid()) == ("<Result: 2 chip x 3 batch, 1 infeasible; columns time_s, bound, n>")
