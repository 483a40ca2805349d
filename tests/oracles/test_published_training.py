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
    page = (ROOT / "docs" / "training.md").read_text()
    assert script.built(page) == page, "run scripts/list_published_training.py"
