"""Files are written whole, nothing but regular files is replaced, and every error is a sentence."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ridgeline import files
from ridgeline.errors import CatalogError, RidgelineError


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who is not the superuser, who would be permitted everything."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        for inner in folder.iterdir():
            inner.chmod(0o700)
        shutil.rmtree(folder)


def test_a_file_keeps_mode_and_links(tmp_path: Path) -> None:
    target, link = tmp_path / "out.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target.name)
    files.write_whole(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.csv", "out.csv"]


def test_a_link_to_nothing_yet_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("made")
    files.write_whole(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "made").read_bytes() == b"x"


def test_devices_stay_devices() -> None:
    before = Path(os.devnull).stat()
    files.write_whole(os.devnull, "anything")
    after = Path(os.devnull).stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_pipes_are_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    files.write_whole(pipe, "through")
    reader.join(5)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_standard_output_keeps_its_place(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "from ridgeline.files import write_whole; print('before');"
        "write_whole('/dev/stdout', 'file\\n'); print('after')"
    )
    with out.open("w") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert out.read_text() == "before\nfile\nafter\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_a_sentence() -> None:
    with pytest.raises(RidgelineError, match="/dev/full cannot be written: no space left"):
        files.write_whole("/dev/full", "x" * 100_000)


def test_errors_of_the_block_are_the_block_s_own(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")

    def half(path: Path) -> None:
        with files.writing_whole(path) as file:
            file.write(b"half")
            raise FileNotFoundError(2, "elsewhere")

    for path in (target, Path(os.devnull)):
        with pytest.raises(FileNotFoundError, match="elsewhere"):
            half(path)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(FileNotFoundError, match="elsewhere"), files.reading(target):
        raise FileNotFoundError(2, "elsewhere")


def test_a_protected_file_is_not_replaced(unprivileged: Path) -> None:
    target = unprivileged / "out"
    target.write_text("old")
    target.chmod(0o444)
    with pytest.raises(RidgelineError, match="cannot be written: permission denied"):
        files.write_whole(target, "new")
    assert target.read_text() == "old"


@pytest.mark.parametrize("name", ["", "gone/x", "a" * 300, "a\0b", "loop", "folder"])
def test_paths_that_cannot_be_written_or_read(tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    with pytest.raises(RidgelineError, match="cannot be written"):
        files.write_whole(name, "x")
    with pytest.raises(CatalogError, match=r"cannot be read|no such file|is a folder"):
        files.read_text(name, "a TOML file", error=CatalogError)
    assert not files.is_file(name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "loop"]


def test_a_folder_that_may_not_be_searched(unprivileged: Path) -> None:
    closed = unprivileged / "closed"
    closed.mkdir(mode=0)
    inner = closed / "config.json"
    assert not files.is_file(inner)
    assert not files.is_folder(inner)
    assert files.exists(inner)  # so that reading it says why not
    for attempt in (files.read_bytes, files.listing):
        with pytest.raises(RidgelineError, match="permission denied"):
            attempt(inner)
    with pytest.raises(RidgelineError, match="cannot be made: permission denied"):
        files.make_folder(inner)


def test_what_never_ends_is_read_to_the_limit() -> None:
    with pytest.raises(RidgelineError, match="/dev/zero has more than 1,000 bytes"):
        files.read_bytes("/dev/zero", limit=1000)


def test_pipes_are_read_once_and_whole() -> None:
    content = b"x" * 200_000
    inner, outer = os.pipe()

    def feed() -> None:
        with os.fdopen(outer, "wb") as file:
            file.write(content)

    threading.Thread(target=feed).start()
    try:
        assert files.is_file(f"/dev/fd/{inner}")
        assert files.read_bytes(f"/dev/fd/{inner}") == content
    finally:
        os.close(inner)


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(RidgelineError, match="in UTF-8; a list of words is expected"):
        files.read_text(tmp_path / "x", "a list of words")
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfmarked")
    assert files.read_text(tmp_path / "x") == "marked"


def test_a_user_without_a_home_has_no_config(monkeypatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/somewhere")
    assert files.user_config_folder() == Path("/somewhere/.config")

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert files.user_config_folder() is None
