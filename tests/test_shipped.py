"""What is parsed once is what the files say now, whatever happens to the index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline import cache, shipped

_TEXT = 'id = "one"\nvalue = 1.0\nwhole = 1\n[table]\nname = "µ"\nlist = [true, 2, "x"]\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of TOML files that changed long ago, as far as can be told, and an empty cache."""
    root = tmp_path / "package"
    (root / "chips").mkdir(parents=True)
    for name in ("one", "two"):
        (root / "chips" / f"{name}.toml").write_text(_TEXT.replace("one", name))
    monkeypatch.setattr(shipped, "ROOT", root)
    monkeypatch.setattr(shipped, "_YOUNG_NS", 0)
    monkeypatch.setattr(shipped, "_STARTED_NS", 2**62)
    monkeypatch.setattr(shipped, "_held", {})
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "cache"))
    return root


def _kept(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "catalogue").glob("*"))


def _anew(path: Path) -> dict[str, Any] | None:
    """As another process reads it."""
    shipped._held.clear()
    return shipped.kept_data(path)


def test_every_file_of_the_package_is_kept_as_it_is_parsed() -> None:
    files = [Path(f) for f in shipped._files((".toml",))]
    assert len(files) > 400
    for file in files:
        assert json.loads(shipped._json_of(file)) == tomllib.loads(file.read_text()), file


@pytest.mark.parametrize("rows", [rl.chips, rl.clusters, rl.models])
def test_rows_of_lists_are_what_json_holds(rows: Callable[[], rl.Table]) -> None:
    for row in rows():
        again = json.loads(json.dumps(row))
        assert again == row
        assert [type(v) for v in again.values()] == [type(v) for v in row.values()]


def test_what_was_parsed_once_is_not_parsed_again(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (package / "chips" / f"{name}.toml" for name in ("one", "two"))
    first = shipped.read_shipped(one)
    assert first == tomllib.loads(_TEXT)
    assert [type(first[k]) for k in ("value", "whole")] == [float, int]
    first["id"] = "the caller's own"

    def parse(_: Path) -> dict[str, Any]:
        raise AssertionError("parsed again")

    monkeypatch.setattr(shipped, "_parsed", parse)
    assert shipped.read_shipped(one)["id"] == "one"
    shipped._held.clear()
    assert shipped.read_shipped(one) == tomllib.loads(_TEXT)
    assert shipped.read_shipped(two)["id"] == "two"  # kept with the first


@pytest.mark.parametrize("time_is_set_back", [False, True])
def test_an_edited_entry_is_seen_at_once(
    package: Path, time_is_set_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (package / "chips" / f"{name}.toml" for name in ("one", "two"))
    shipped.read_shipped(one)
    about = one.stat()
    one.write_text(_TEXT.replace("whole = 1", "whole = 2"))
    if time_is_set_back:
        os.utime(one, ns=(about.st_atime_ns, about.st_mtime_ns))
    parsed = []
    plain = shipped._parsed
    monkeypatch.setattr(shipped, "_parsed", lambda p: (parsed.append(p), plain(p))[1])
    assert shipped.read_shipped(one)["whole"] == 2
    assert shipped.read_shipped(two)["whole"] == 1
    assert parsed == [one]  # the other was taken over
    assert (_anew(one) or {})["whole"] == 2
    new = one.with_name("three.toml")
    new.write_text("whole = 3")
    assert shipped.read_shipped(new) == {"whole": 3}
    one.unlink()
    assert _anew(one) is None
    assert (_anew(two) or {})["whole"] == 1


def test_a_file_that_changed_this_moment_is_parsed_each_time(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shipped, "_YOUNG_NS", 10**12)
    one = package / "chips" / "one.toml"
    assert shipped.kept_data(one) is None
    assert shipped.read_shipped(one)["id"] == "one"
    assert _kept(tmp_path) == []


def test_a_file_that_json_cannot_hold_is_parsed_each_time(package: Path) -> None:
    dated = package / "chips" / "dated.toml"
    dated.write_text("day = 2026-11-27\nnumber = nan\n")
    broken = package / "chips" / "broken.toml"
    broken.write_text("id = \n")
    assert shipped.kept_data(dated) is None
    assert shipped.read_shipped(dated)["day"].year == 2026
    assert _anew(broken) is None
    with pytest.raises(tomllib.TOMLDecodeError):
        shipped.read_shipped(broken)
    assert (_anew(package / "chips" / "one.toml") or {})["id"] == "one"


def test_files_of_elsewhere_are_not_kept(package: Path, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("a = 1")
    for path in (tmp_path / "x.toml", package / ".." / "x.toml", package / "missing.toml", package):
        assert shipped.kept_data(path) is None


def test_a_deleted_or_damaged_index_is_made_again(package: Path, tmp_path: Path) -> None:
    one = package / "chips" / "one.toml"
    shipped.read_shipped(one)
    (kept,) = _kept(tmp_path)
    whole = kept.read_bytes()
    content = cache.read(kept)
    assert content is not None
    kept.unlink()
    assert (_anew(one) or {})["id"] == "one"
    assert kept.read_bytes() == whole
    for wrong in (whole[: len(whole) // 2], whole.replace(b'"one"', b'"two"', 1), b"", b"\0" * 99):
        kept.write_bytes(wrong)
        assert (_anew(one) or {})["id"] == "one"
        assert kept.read_bytes() == whole
    head, _, body = content.partition(b"\n")
    for strange in (b"[]", b"{}", b"null", head.replace(b'"version":"', b'"version":"9'),
                    head.replace(b"package", b"another"), b"no JSON"):  # fmt: skip
        assert strange != head
        cache.write(kept, strange + b"\n" + body.replace(b"one", b"two"))
        assert (_anew(one) or {})["id"] == "one"


def test_what_was_kept_of_installations_that_are_gone_is_removed(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, there = tmp_path / "gone", tmp_path / "there"
    for root in (gone, there):
        (root / "chips").mkdir(parents=True)
        (root / "chips" / "one.toml").write_text(_TEXT)
        monkeypatch.setattr(shipped, "ROOT", root)
        shipped.read_shipped(root / "chips" / "one.toml")
        shipped.kept_rows("chips", ["one"], lambda i: {"id": i})
    assert len(_kept(tmp_path)) == 4
    shutil.rmtree(gone)
    monkeypatch.setattr(shipped, "ROOT", package)
    shipped.read_shipped(package / "chips" / "one.toml")
    about = {shipped._root_of(cache.read(p)) for p in _kept(tmp_path) if ".chips" not in p.name}
    assert about == {str(there), str(package)}
    assert len(_kept(tmp_path)) == 3  # and the rows of one


def test_another_version_makes_its_own(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = package / "chips" / "one.toml"
    shipped.read_shipped(one)
    (kept,) = _kept(tmp_path)
    first = kept.read_bytes()
    monkeypatch.setattr(shipped, "__version__", "9")
    assert (_anew(one) or {})["id"] == "one"
    assert kept.read_bytes() != first


def test_rows_are_computed_once_per_change_of_anything(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "law.py").write_text("x = 1\n")
    computed: list[str] = []

    def row_of(name: str) -> dict[str, Any]:
        computed.append(name)
        return {"id": name, "whole": 1, "real": 0.1, "none": None, "no_end": float("inf")}

    def rows(*names: str) -> list[str]:
        computed.clear()
        found = shipped.kept_rows("chips", names, row_of)
        assert [row["id"] for row in found] == list(names)
        assert all(type(row["whole"]) is int and type(row["real"]) is float for row in found)
        assert {row["no_end"] for row in found} == {float("inf")}
        found[0]["id"] = "the caller's own"
        return computed

    assert rows("two", "one", "two") == ["two", "one"]
    assert rows("one", "two") == []
    assert rows("one", "three") == ["three"]
    assert rows("three", "one", "two") == []
    (package / "law.py").write_text("x = 2\n")  # of the same size
    assert rows("one") == ["one"]
    (package / "chips" / "two.toml").write_text(_TEXT)
    assert rows("one") == ["one"]
    (package / "chips" / "new.toml").write_text(_TEXT)
    assert rows("one") == ["one"]
    assert rows("one") == []
    for wrong in (b"", b"[]", b'{"state": 1}', b"no JSON"):
        (kept,) = _kept(tmp_path)
        cache.write(kept, wrong)
        assert rows("one") == ["one"]
    monkeypatch.setattr(cache, "__version__", "9")
    assert rows("one") == ["one"]


def test_rows_are_not_kept_while_files_change(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may have read an entry before it was edited: its row is of the old text."""
    started = max((package / "chips" / "one.toml").stat()[7:10]) * 10**9 - 10**9
    monkeypatch.setattr(shipped, "_STARTED_NS", started)
    for _ in range(2):
        assert shipped.kept_rows("chips", ["one"], lambda i: {"id": i}) == [{"id": "one"}]
    assert _kept(tmp_path) == []


@pytest.mark.parametrize("at_folder", [True, False])
def test_where_nothing_can_be_kept_files_are_parsed(
    package: Path, at_folder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if at_folder:
        monkeypatch.setattr(shipped, "folder", lambda _: None)
    else:
        monkeypatch.setattr(shipped, "write", lambda *_: False)
    for name in ("one", "two"):
        assert shipped.read_shipped(package / "chips" / f"{name}.toml")["id"] == name
    assert shipped.kept_rows("chips", ["one"], lambda i: {"id": i}) == [{"id": "one"}]


def test_several_processes_may_make_it_at_once(tmp_path: Path) -> None:
    code = (
        "from ridgeline import catalog\n"
        "print(catalog.chip('h100-sxm').memory.capacity, catalog.entry_ids('chips')[:3])"
    )
    environment = {**os.environ, "RIDGELINE_CACHE": str(tmp_path)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = {run.communicate()[0] for run in runs}
    assert len(said) == 1
    assert b"80000000000" in said.pop()
    (kept,) = (tmp_path / "catalogue").iterdir()
    assert cache.read(kept) is not None
