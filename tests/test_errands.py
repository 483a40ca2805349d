"""The errands print what they say: their commands run in a terminal of 80 columns and compare."""

from __future__ import annotations

import re
import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "errands"
PAGES = [p for p in sorted(FOLDER.glob("*.md")) if p.stem != "README"]


@pytest.fixture(scope="module")
def builder() -> Any:
    spec = spec_from_file_location("build_errands", ROOT / "scripts" / "build_errands.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_page_is_up_to_date(builder: Any, page: Path, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    folder = Path(shutil.copytree(FOLDER / "files", tmp_path / "files"))
    text = page.read_text()
    assert builder.built(text, folder) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_outputs_fit_the_terminal(builder: Any, page: Path) -> None:
    blocks = [m["lines"] for m in builder.BLOCK.finditer(page.read_text())]
    assert blocks
    for line in "\n".join(blocks).splitlines():
        if "─" in line:  # tables; sentences are broken by the terminal
            assert len(line) <= builder.WIDTH, line


def test_the_index_lists_every_errand() -> None:
    listed = set(re.findall(r"\(([\w-]+)\.md\)", (FOLDER / "README.md").read_text()))
    assert listed == {p.stem for p in PAGES}


@pytest.mark.parametrize("page", [*PAGES, FOLDER / "README.md"], ids=lambda p: p.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
