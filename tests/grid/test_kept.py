"""Finished shards are files: what was interrupted goes on, and gives the same."""

from __future__ import annotations

import json
import logging
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spread_kernels import Deadly, bumpy, reductions

from ridgeline.errors import RidgelineError, SpecError
from ridgeline.grid import Best, Spread, evaluate, reduce_grid
from ridgeline.grid.digest import digest
from ridgeline.grid.kept import KeptShards
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


def lacking(path: Path, change) -> None:
    """Write a shard again without its first array, or with another name for it."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    first = next(name for name in arrays if name != "owner")
    change(arrays, first)
    np.savez(path, allow_pickle=False, **arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, name: arrays.pop(name),
        lambda arrays, name: arrays.update({name + "z": arrays.pop(name)}),
        lambda arrays, name: arrays.update({name: arrays[name] + 1}),
        lambda arrays, name: [arrays.pop(n) for n in list(arrays) if n != "owner"],
    ],
)
def test_a_shard_that_lost_an_array_is_damaged(tmp_path: Path, caplog, change) -> None:
    wanted = evaluate(bumpy, AXES, block_points=BLOCK)
    evaluate(bumpy, AXES, block_points=BLOCK, spread=Spread(resume=tmp_path))
    lacking(sorted(tmp_path.rglob("*.npz"))[3], change)
    found = evaluate(bumpy, AXES, block_points=BLOCK, spread=Spread(resume=tmp_path))
    same(found, wanted)
    assert [r.getMessage().split("/")[-1] for r in caplog.records] == [
        "00003.npz is damaged: this shard is computed again."
    ]


def test_no_damage_is_taken_for_a_shard_or_ends_the_study(tmp_path: Path) -> None:
    kept = KeptShards.of(tmp_path, {"kernel": bumpy}, "a study")
    arrays = {"0.x": np.arange(5.0), "1.y": np.asarray([True, False]), "2.z": np.float64(3)}
    kept.save(0, arrays)
    same(kept.load(0), arrays)
    whole = kept.path(0).read_bytes()
    with zipfile.ZipFile(kept.path(0)) as archive:  # as other programs read it
        assert archive.testzip() is None
        assert archive.comment == whole[-8:] == f"{zlib.crc32(whole[:-8]):08x}".encode()
    random = np.random.default_rng(1)
    for i in range(1500):
        content = bytearray(whole)
        where = int(random.integers(len(whole)))
        if i % 3:
            content[where] ^= 1 << int(random.integers(8))
        else:
            del content[where : where + int(random.integers(1, 9))]
        if i % 2:  # a reader that is not warned by the sum
            content[-8:] = f"{zlib.crc32(content[:-8]):08x}".encode()
            kept.path(0).write_bytes(content)
            kept.load(0)
        else:
            kept.path(0).write_bytes(content)
            assert kept.load(0) is None


def test_columns_that_come_and_go_are_refused() -> None:
    def kernel(axes):
        return {"x": axes["a"], **({"y": axes["a"]} if axes["a"][0] < first else {})}

    for first in (2, 100):
        axes = [{"a": np.arange(4.0) if first == 2 else np.asarray([100.0, 1.0])}]
        with pytest.raises(SpecError, match="same columns everywhere; one block has x"):
            evaluate(kernel, axes, block_points=1)


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
