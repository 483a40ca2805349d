"""What is published: the wheel and the sdist hold what they should, install alone, and answer.

Slow: each test builds or installs; ``.ci/run`` runs them.
"""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import ridgeline

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
QUESTION = ("serving", "deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72")
EXTRAS = ("charts", "tables", "calibrate", "gguf", "hub")


def _run(*words: object, cwd: Path, code: int = 0) -> str:
    """Run a program away from the repository, with nothing of it in the environment."""
    home = {"HOME": str(Path.home()), "PATH": "/usr/bin:/bin", "COLUMNS": "80"}
    done = subprocess.run(
        [str(w) for w in words], cwd=cwd, env=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, built from the sdist, and the sdist."""
    if UV is None and os.environ.get("RIDGELINE_IN_CI"):
        pytest.fail("uv, which builds and installs, is not on the path")
    if UV is None:
        pytest.skip("uv, which builds and installs, is not on the path")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([UV, "build", "-q", "--out-dir", out], cwd=ROOT, check=True)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def _uv(*words: object) -> None:
    assert UV is not None
    subprocess.run([UV, *(str(w) for w in words), "-q"], cwd=ROOT, check=True)


def _environment(place: Path, *requirements: object) -> Path:
    """Make an empty environment with these; return the folder of its programs."""
    _uv("venv", "--python", sys.executable, place)
    _uv("pip", "install", "--python", place / "bin" / "python", *requirements)
    return place / "bin"


def test_the_wheel_holds_code_and_data_and_nothing_else(built: tuple[Path, Path]) -> None:
    wheel, _ = built
    names = zipfile.ZipFile(wheel).namelist()
    packaged = {n for n in names if n.startswith("ridgeline/")}
    own = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src").rglob("*")
           if p.is_file() and "__pycache__" not in p.parts}  # fmt: skip
    assert packaged == own
    assert "ridgeline/py.typed" in packaged
    assert all(n.split("/")[0] in {"ridgeline", _info(wheel)} for n in names)
    assert wheel.stat().st_size < 3e6


def _info(wheel: Path) -> str:
    return f"ridgeline-{ridgeline.__version__}.dist-info"


def test_metadata(built: tuple[Path, Path]) -> None:
    wheel, _ = built
    zipped = zipfile.ZipFile(wheel)
    text = zipped.read(f"{_info(wheel)}/METADATA").decode()
    fields = email.message_from_string(text)
    assert fields["Version"] == ridgeline.__version__
    assert fields["License-Expression"] == "Apache-2.0"
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(
        fields.get_all("Classifier", [])
    )
    assert set(EXTRAS) < set(fields.get_all("Provides-Extra", []))
    assert f"{_info(wheel)}/licenses/LICENSE" in zipped.namelist()
    page = fields.get_payload()
    assert isinstance(page, str)
    assert "What it is" in page
    assert re.findall(r"\]\((?!https?:)[^)]*\)", page) == [], "links that lead nowhere on an index"


def test_the_changelog_names_the_version() -> None:
    newest = re.search(r"^## \[([^\]]+)\] - (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest
    release, date = newest.groups()
    version = ridgeline.__version__
    assert (version == release) is (date != "unreleased")
    assert version.removesuffix(".dev0") == release


def test_the_sdist_holds_what_a_build_needs(built: tuple[Path, Path]) -> None:
    _, sdist = built
    with tarfile.open(sdist) as packed:
        top = {name.split("/")[1] for name in packed.getnames() if "/" in name}
    files = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert top == {"src", *files}


def test_an_empty_environment_answers_and_draws(built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, _ = built
    programs = _environment(tmp_path / "core", wheel)
    told = _run(programs / "ridgeline", *QUESTION, cwd=tmp_path)
    assert told.startswith("DeepSeek-V3 on GB200 NVL72")
    asked = "import ridgeline as r; print(r.__file__, len(r.models()), r.chips('h100')[0]['id'])"
    place, n_models, _ = _run(programs / "python", "-c", asked, cwd=tmp_path).split()
    assert place.startswith(str(tmp_path))
    assert int(n_models) > 100
    draw = (*QUESTION, "--out", "x.png")
    assert "ridgeline[charts]" in _run(programs / "ridgeline", *draw, cwd=tmp_path, code=2)
    _uv("pip", "install", "--python", programs / "python", f"ridgeline[charts] @ {wheel.as_uri()}")
    _run(programs / "ridgeline", *draw, cwd=tmp_path)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_lowest_versions_that_are_allowed(built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, _ = built
    # Of the project's file the dependencies are direct ones; of the wheel they are not.
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    lowest = ("--resolution", "lowest-direct", "--python", sys.executable, "--no-header")
    _uv("pip", "compile", "pyproject.toml", *extras, *lowest, "-o", tmp_path / "low.txt")
    programs = _environment(tmp_path / "low", "-r", tmp_path / "low.txt")
    _uv("pip", "install", "--no-deps", "--python", programs / "python", wheel)
    _run(programs / "ridgeline", "serving", "--help", cwd=tmp_path)
    _run(programs / "ridgeline", *QUESTION, "--out", "x.png", cwd=tmp_path)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    asked = (
        "import ridgeline as rl; a = rl.serving('Qwen/Qwen3-8B', 'hgx-h100'); "
        "print(a.to_polars().height > 3, 'svg' in a._repr_html_())"
    )
    assert _run(programs / "python", "-c", asked, cwd=tmp_path) == "True True\n"
