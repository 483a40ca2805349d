"""Published training runs, none of which is in a fit, and the page that shows them."""

from __future__ import annotations

import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from ridgeline.questions.training_layouts.search import search
from ridgeline.questions.training_layouts.space import AXES
from ridgeline.trainer.step import job_step

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    sys.path.insert(0, str(ROOT / "scripts"))
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


def test_layouts_that_people_chose_are_near_the_fastest(script: Any) -> None:
    """Two whose published step times are near: 44.4 s of MT-NLG, 8.0 s of Nemotron-4."""
    (mt,) = script.published_layouts.placed("MT-NLG")
    (nemotron,) = script.published_layouts.placed("Nemotron")
    assert mt.time_s == pytest.approx(44.4, rel=0.15)
    assert nemotron.time_s == pytest.approx(8.0, rel=0.15)
    assert nemotron.n_faster == 0
    assert nemotron.best == nemotron.chosen | {"schedule": nemotron.best["schedule"]}
    for one in (mt, nemotron):
        assert 0 < one.n_fit < one.n_legal
        assert one.n_faster < 0.1 * one.n_fit
        assert one.best_s <= one.time_s * (1 + 1e-9)
        assert one.fits_probability > 0.9


def test_a_place_is_that_among_all_rows_of_the_search(script: Any) -> None:
    """BLOOM's: so few fit that the search keeps them all; some are timed by single calls."""
    own = script.published_layouts
    data = tomllib.loads(own.FILE.read_text())
    row = next(r for r in data["layout"] if "BLOOM" in r["name"])
    (found,) = own.placed("BLOOM")
    space = own.space_of(row, data["models"], own.published_job(row, data["models"]))
    rows = search(space.setup, space).best(1000)
    assert len(rows) == found.n_fit
    times = [one["time_s"] for one in rows]
    assert sum(t < found.time_s for t in times) == found.n_faster
    assert times[0] == pytest.approx(found.best_s)
    for one in rows[:: len(rows) // 5]:
        job = space.job({axis: one[axis] for axis in AXES})
        assert float(job_step(job).time_s[0]) == pytest.approx(one["time_s"])


@pytest.mark.slow
def test_the_page_has_their_places(script: Any) -> None:
    page = (ROOT / "docs" / "training.md").read_text()
    (shown,) = script.CHOSEN.findall(page)
    assert shown == script.published_layouts.table(script.published_layouts.placed())
