"""Published training runs, none of which is in a fit, and the page that shows them."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    path = ROOT / "scripts" / "list_published_training.py"
    spec = spec_from_file_location("list_published_training", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_predictions_are_near_what_was_published(script: Any) -> None:
    found = script.compared()
    assert len(found) == 4
    for run in found:
        assert 1 / run.bar < run.ratio < run.bar, run.name
        assert run.low < run.predicted < run.high
    held = sum(run.low <= run.published <= run.high for run in found)
    assert held >= 3


def test_the_page_is_up_to_date(script: Any) -> None:
    """Figures of the page are those of today within 5%, which a fit may move before it is built."""
    page = (ROOT / "docs" / "training.md").read_text()
    (shown,) = script.LISTED.findall(page)
    lines = [line for line in shown.splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    for row, run in zip(rows, script.compared(), strict=True):
        assert row[:2] == [run.name, run.unit]
        low, high = row[4].split(" to ")
        found = [float(v) for v in (row[2], row[3], low, high, row[5])]
        today = [run.published, run.predicted, run.low, run.high, run.ratio]
        assert found == pytest.approx(today, rel=0.05), "run scripts/list_published_training.py"
