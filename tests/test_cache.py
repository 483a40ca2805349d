"""What is kept between runs is the user's own, whole, and never needed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ridgeline import cache


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "deep" / "cache"))
    found = cache.folder("things")
    assert found is not None
    return found


def test_a_folder_is_made_for_the_user_alone(kept: Path, tmp_path: Path) -> None:
    assert kept == tmp_path / "deep" / "cache" / "things"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert cache.folder("things") == kept


def test_it_is_where_the_platform_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIDGELINE_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for platform, expected in (("linux", ".cache"), ("darwin", "Library/Caches")):
        monkeypatch.setattr("sys.platform", platform)
        assert cache.folder("a") == tmp_path / expected / "ridgeline" / "a"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.folder("a") == tmp_path / "x" / "ridgeline" / "a"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # such are to be ignored
    assert cache.folder("a") == tmp_path / "Library/Caches" / "ridgeline" / "a"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("RIDGELINE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache.folder("a") is None


@pytest.mark.parametrize("where", ["/dev/null", "/proc/nowhere", "a\0b"])
def test_a_place_that_cannot_be_a_folder_keeps_nothing(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, "RIDGELINE_CACHE": where})
    assert cache.folder("a") is None


def test_a_folder_that_others_may_write_or_own_is_not_used(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.chmod(0o770)
    assert cache.folder("things") is None
    kept.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: kept.stat().st_uid + 1)
    assert cache.folder("things") is None


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_within_one_that_others_may_write_is_not_used(kept: Path, mode: int) -> None:
    kept.parent.chmod(mode)
    assert cache.folder("things") is None
    assert cache.folder("more") is None
    kept.parent.chmod(0o755)
    assert cache.folder("things") == kept


def test_all_that_is_made_is_the_users_alone_under_any_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "cache"))
    before = os.umask(0)
    try:
        assert cache.folder("things") == tmp_path / "cache" / "things"
    finally:
        os.umask(before)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_may_not_be_written_is_not_used(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The superuser may write everywhere, so that the answer of the system is put in.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert cache.folder("things") is None


def test_what_is_written_is_read(kept: Path) -> None:
    content = bytes(range(256)) * 100
    assert cache.write(kept / "x", content)
    assert cache.read(kept / "x") == content
    assert cache.write(kept / "empty", b"")
    assert cache.read(kept / "empty") == b""
    assert cache.read(kept / "missing") is None


def test_what_is_written_under_any_mask_is_the_users_alone(kept: Path) -> None:
    before = os.umask(0)  # as many systems have 2: a group's
    try:
        for content in (b"one", b"two"):
            assert cache.write(kept / "x", content)
            assert cache.read(kept / "x") == content
    finally:
        os.umask(before)


def test_what_is_damaged_is_not_read(kept: Path) -> None:
    path = kept / "x"
    cache.write(path, b"0123456789" * 50)
    whole = path.read_bytes()
    for wrong in (
        whole[:-1],
        whole + b"0",
        whole[:5],
        b"",
        whole.replace(b"5", b"6", 1),
        b"another layout " + whole,
        whole.replace(b"cache 1", b"cache 2"),
    ):
        assert wrong != whole
        path.write_bytes(wrong)
        assert cache.read(path) is None
    path.write_bytes(whole)
    assert cache.read(path) is not None


def test_what_is_not_the_users_own_file_is_not_read(kept: Path, tmp_path: Path) -> None:
    cache.write(kept / "x", b"1")
    (kept / "link").symlink_to(kept / "x")
    assert cache.read(kept / "link") is None
    os.mkfifo(kept / "pipe")  # to open it would wait for a writer
    assert cache.read(kept / "pipe") is None
    assert cache.read(kept) is None
    (kept / "x").chmod(0o666)
    assert cache.read(kept / "x") is None


def test_a_file_that_cannot_be_written_is_no_error(kept: Path) -> None:
    assert not cache.write(kept / "no" / "such" / "folder", b"1")
    assert not cache.write(Path("/dev/full"), b"1")


def test_readers_see_one_writers_content_or_none(kept: Path) -> None:
    path = kept / "x"
    contents = [bytes([letter]) * 200_000 for letter in b"abcd"]
    writers = [threading.Thread(target=cache.write, args=(path, c)) for c in contents * 5]
    for writer in writers:
        writer.start()
    seen = [cache.read(path) for _ in range(100)]
    for writer in writers:
        writer.join()
    assert set(seen) <= {None, *contents}
    assert cache.read(path) in contents
    assert [p.name for p in kept.iterdir()] == ["x"]  # no temporary file is left


def test_a_digest_changes_with_files_version_and_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.toml"
    path.write_text("a = 1\n")
    first = cache.digest([path], "kind")
    assert cache.digest([path], "kind") == first
    os.utime(path, ns=(1, 1))
    path.write_text("a = 2\n")
    second = cache.digest([path], "kind")
    about = path.stat()
    path.write_text("a = 3\n")  # of the same size, and its time set back
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    third = cache.digest([path], "kind")
    path.unlink()
    others = [second, third, cache.digest([path], "kind"), cache.digest([path], "other")]
    monkeypatch.setattr(cache, "__version__", "9")
    others.append(cache.digest([path], "kind"))
    assert len({first, *others}) == 1 + len(others)
