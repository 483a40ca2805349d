"""The pages on the lecture's first chapters print what they say: their blocks run and compare."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "lecture"
#: chapter 7 measures, too, and has a test of its own
PAGES = [p for p in sorted(FOLDER.glob("chapter-*.md")) if p.stem != "chapter-7"]


@pytest.fixture(scope="module")
def builder() -> Any:
    spec = spec_from_file_location("build_lecture", ROOT / "scripts" / "build_lecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _shown(page: Path) -> set[str]:
    return set(re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_page_is_up_to_date(builder: Any, page: Path, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    text = page.read_text()
    assert builder.built(text, measured=False, folder=tmp_path) == text
    drawn = {p.name for p in (tmp_path / "pictures").iterdir()}
    assert drawn == _shown(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_block_has_its_output(builder: Any, page: Path) -> None:
    text = page.read_text()
    found = list(builder.BLOCK.finditer(text))
    assert len(found) == text.count("```python") == text.count("```text") > 0
    assert all(m["output"].strip() for m in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_pictures_and_links_are_there(page: Path) -> None:
    kept = {p.name for p in (FOLDER / "pictures").glob(f"{page.stem}-*")}
    assert kept == _shown(page)
    for target in re.findall(r"[^!]\[[^\]]+\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_first_five_chapters_are_there() -> None:
    assert {f"chapter-{n}" for n in (1, 2, 3, 4, 5)} <= {p.stem for p in PAGES}
