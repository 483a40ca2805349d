"""Blocks tile, axes space, files are whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import RidgelineError, SpecError
from ridgeline.files import write_whole
from ridgeline.grid import blocks, logspace


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
