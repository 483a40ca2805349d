"""The page on chapter 7 prints what it says: its deterministic blocks are run and compared."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "lecture" / "chapter-7.md"


@pytest.fixture(scope="module")
def builder() -> Any:
    spec = spec_from_file_location("build_lecture", ROOT / "scripts" / "build_lecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date(builder: Any, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    page = PAGE.read_text()
    assert builder.built(page, measured=False, folder=tmp_path) == page
    drawn = {p.name for p in (tmp_path / "pictures").iterdir()}
    assert drawn == {f"chapter-7-{n}.svg" for n in ("avalanche", "derivatives", "jacobians")}


def test_every_block_has_its_output(builder: Any) -> None:
    page = PAGE.read_text()
    found = list(builder.BLOCK.finditer(page))
    assert len(found) == page.count("```python") == page.count("```text")
    assert all(m["output"].strip() for m in found)


def test_a_stale_page_is_noticed(builder: Any, tmp_path: Path) -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n"
    assert "```text\n2\n```" in builder.built(page, measured=False, folder=tmp_path)
    measured = page.replace("```python", "```python measured")
    assert builder.built(measured, measured=False, folder=tmp_path) == measured
    assert builder.built(measured, measured=True, folder=tmp_path) != measured


def test_pictures_exist_and_are_shown() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE.read_text())
    assert len(shown) == 8
    assert all((PAGE.parent / p).exists() for p in shown)
    kept = {f"pictures/{p.name}" for p in (PAGE.parent / "pictures").glob("chapter-7-*")}
    assert kept == set(shown)
