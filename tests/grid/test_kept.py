"""Finished shards are files: what was interrupted goes on, and gives the same."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spread_kernels import Deadly, bumpy, reductions

from ridgeline.errors import RidgelineError, SpecError
from ridgeline.grid import Best, Spread, evaluate, reduce_grid
from ridgeline.grid.digest import digest
from ridgeline.specs.layout import Layout

AXES = [{"a": np.linspace(0, 9, 40)}, {"b": np.arange(30.0)}]
BLOCK = 60


def asked(folder: Path, *, stop: int | None = None, axes=AXES, kernel=bumpy, **other):
    """The reductions of the grid; interrupted after so many shards."""
    told = []

    def progress(done: int, whole: int) -> None:
        told.append(done)
        if stop is not None and len(told) == stop:
            raise KeyboardInterrupt

    with Spread(resume=folder) as spread:
        return reduce_grid(
            kernel, axes, other.pop("reductions", reductions)(), block_points=BLOCK, spread=spread,
            progress=progress, **other,
        )  # fmt: skip


def same(found, wanted) -> None:
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("stop", [1, 7, 20])
def test_an_interrupted_study_goes_on_and_gives_the_same(tmp_path: Path, stop: int) -> None:
    whole = reduce_grid(bumpy, AXES, reductions(), block_points=BLOCK)
    with pytest.raises(KeyboardInterrupt):
        asked(tmp_path, stop=stop)
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")}
    assert len(files) == stop
    same(asked(tmp_path), whole)
    assert len(list(tmp_path.rglob("*.npz"))) == 20
    assert {p: p.stat().st_mtime_ns for p in files} == files, "none was computed twice"


def test_whole_columns_are_resumed_too(tmp_path: Path) -> None:
    whole = evaluate(bumpy, AXES, block_points=BLOCK)
    for _ in range(2):
        with Spread(resume=tmp_path) as spread:
            same(evaluate(bumpy, AXES, block_points=BLOCK, spread=spread), whole)
    assert len(list(tmp_path.rglob("*.npz"))) == 20


def test_a_damaged_shard_is_computed_again_and_said(tmp_path: Path, caplog) -> None:
    whole = asked(tmp_path)
    files = sorted(tmp_path.rglob("*.npz"))
    files[0].write_bytes(files[0].read_bytes()[:-40])  # truncated
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 1
    files[1].write_bytes(content)  # one bit
    files[2].write_bytes(b"")
    files[3].write_bytes(files[4].read_bytes())  # another's
    np.savez(files[5], objects=np.asarray([{}], dtype=object))  # a pickle
    with caplog.at_level(logging.WARNING):
        same(asked(tmp_path), whole)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 5
    for path, line in zip(files[:6][:3], said, strict=False):
        assert line == f"{path} is damaged: this shard is computed again."
    caplog.clear()
    same(asked(tmp_path), whole)
    assert not caplog.records


def test_another_study_in_the_folder_is_refused_by_name(tmp_path: Path, monkeypatch) -> None:
    asked(tmp_path)
    other = [{"a": AXES[0]["a"]}, {"b": np.arange(29.0)}]
    with pytest.raises(SpecError) as refused:
        asked(tmp_path, axes=other)
    assert str(refused.value) == (
        f"{tmp_path / '1'} keeps another study, '40 a x 30 b'; this is '40 a x 29 b'. What "
        "differs: axes. Name another folder to resume from, or delete this one."
    )
    changes: list[tuple[dict[str, Any], str]] = [
        ({"kernel": Deadly(99.0, str(tmp_path))}, "what is evaluated"),
        ({"reductions": lambda: {**reductions(), "low": Best("y", 8)}}, "differs: reductions"),
    ]
    for change, words in changes:
        with pytest.raises(SpecError, match=words):
            asked(tmp_path, **change)
    monkeypatch.setattr("ridgeline.grid.kept.installed", lambda: "another")
    with pytest.raises(SpecError, match="Ridgeline itself"):
        asked(tmp_path)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RidgelineError, match="cannot be made"):
        asked(tmp_path / "file")
    (tmp_path / "1").mkdir()
    for wrong in ("", "[]", '{"study": "x", "digests": 3}'):
        (tmp_path / "1" / "study.json").write_text(wrong)
        with pytest.raises(SpecError, match="is no record of a study"):
            asked(tmp_path)


def test_no_file_holds_a_pickle(tmp_path: Path) -> None:
    asked(tmp_path)
    for path in tmp_path.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as file:
            assert all(file[name].dtype.kind in "fiUb" for name in file.files)
    about = json.loads((tmp_path / "1" / "study.json").read_text())
    assert about["study"] == "40 a x 30 b"


def test_a_digest_says_what_is_in_a_value() -> None:
    values = [
        None, 0, 0.0, False, "", "0", b"", [], (), {}, {"a": 1}, {"a": 1.0}, {"b": 1}, [1, 2],
        [2, 1], [[1], 2], [1, [2]], np.zeros(2), np.zeros(2, dtype=np.float32), np.zeros((2, 1)),
        {1, 2}, {1, 3}, Layout(), Layout(tp=2), Deadly(1.0, "a"), Deadly(1.0, "b"), bumpy, np.sin,
        Best("x"), Best("x", 2), Best("x", largest=True), Path("a"),
        np.asarray(["a"]), np.asarray(["a"], dtype=object),
    ]  # fmt: skip
    found = [digest(value) for value in values]
    assert len(set(found)) == len(values)
    assert found == [digest(value) for value in values]
    assert digest(np.arange(6)[::2]) == digest(np.asarray([0, 2, 4]))
    assert digest({"x": np.float64(1)}) == digest({"x": 1.0})
    with pytest.raises(SpecError, match="define it at the top of a module"):
        digest(lambda: None)
    with pytest.raises(SpecError, match="cannot be told from others"):
        digest(object())
