"""The picture of a pipeline schedule: what is drawn is the timeline, and it can be read."""

from __future__ import annotations

from typing import Any

import pytest
import vl_convert
from clear import assert_clear, contrast, layers_of, texts

from ridgeline.charts import schedule_chart
from ridgeline.charts.schedule import KIND_COLOURS
from ridgeline.charts.theme import tokens
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.trainer.timeline import KINDS, timeline


def _panel(name: str, p: int, m: int, **more: Any) -> dict[str, Any]:
    found = timeline(name, p, m, 0.010, 0.010, 0.010, **more)
    idle = float(found.bubble_s.max() / found.time_s)
    title = f"{SCHEDULES[name].title}: {idle:.0%} idle"
    return {"title": title, "n_stages": p, "bars": found.bars()}


def _drawn(chart: Any, *, dark: bool = False) -> tuple[dict[str, Any], str, list[str]]:
    spec = chart.to_dict(dark=dark)
    svg = vl_convert.vegalite_to_svg(spec)
    return spec, svg, [text for text, _ in texts(svg)[0]]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_drawn_and_clear(name: str, dark: bool) -> None:
    chart = schedule_chart([_panel(name, 4, 8)], title=name, subtitle="4 stages, 8 micro-batches")
    spec, svg, said = _drawn(chart, dark=dark)
    assert_clear(spec, svg)
    assert {"time (ms)", "stage", "forward", "idle", "1", "4"} <= set(said)
    splits = SCHEDULES[name].splits_backward
    assert ("weight gradient" in said) == splits
    assert ("backward" in said) == (not splits or name.startswith("dualpipe"))


def test_bars_are_the_passes() -> None:
    """As many bars as passes, as long together as stages are busy; numbers and stages from 1."""
    chart = schedule_chart([_panel("zb-h1", 4, 8)], title="ZB-H1", subtitle="")
    rows = [
        row
        for layer in layers_of(chart.spec)
        if layer["mark"]["type"] == "bar"
        for row in layer["data"]["values"]
        if row["kind"] != "idle"
    ]
    assert len(rows) == 4 * 8 * 3
    assert sum(r["to"] - r["from"] for r in rows) == pytest.approx(4 * 8 * 30)  # ms
    assert {r["stage"] for r in rows} == {1, 2, 3, 4}
    assert {r["micro-batch"] for r in rows} == set(range(1, 9))


def test_exchanges_are_drawn_where_a_stage_waits_for_them() -> None:
    panel = _panel("1f1b", 4, 8, hop_s=0.004)
    waits = [b for b in panel["bars"] if b["kind"] == "exchange"]
    passes = [b for b in panel["bars"] if b["kind"] != "exchange"]
    assert 0 < max(b["to_s"] - b["from_s"] for b in waits) <= 0.004 + 1e-12
    for wait in waits:
        for one in passes:
            if one["stage"] == wait["stage"]:
                overlap = min(one["to_s"], wait["to_s"]) - max(one["from_s"], wait["from_s"])
                assert overlap <= 1e-12
    found = timeline("1f1b", 4, 8, 0.01, 0.01, 0.01, hop_s=0.004)
    total = sum(b["to_s"] - b["from_s"] for b in waits)
    assert found.exposed_exchange_s.sum() == pytest.approx(total)
    spec, svg, said = _drawn(schedule_chart([panel], title="1F1B", subtitle="with hops"))
    assert_clear(spec, svg)
    assert "exchange" in said


def test_lines_tell_chunks_apart_and_are_explained() -> None:
    two = schedule_chart([_panel("zb-v", 4, 8)], title="ZB-V", subtitle="")
    assert "a line at the foot of a bar: the second chunk" in _drawn(two)[2]
    three = schedule_chart([_panel("interleaved", 2, 4, n_chunks=3)], title="", subtitle="x")
    assert "a line at the foot of a bar: the second chunk, two: the third" in _drawn(three)[2]
    one = schedule_chart([_panel("1f1b", 4, 8)], title="1F1B", subtitle="")
    assert not any("foot" in text for text in _drawn(one)[2])


def test_large_schedules_have_no_numbers_and_stay_clear() -> None:
    panels = [_panel("1f1b", 16, 64), _panel("zb-h1", 16, 64)]
    spec, svg, said = _drawn(schedule_chart(panels, title="16 stages", subtitle="64 micro-batches"))
    assert_clear(spec, svg)
    assert "64" not in said
    assert "time (s)" in said


@pytest.mark.parametrize("dark", [False, True])
def test_every_kind_has_a_colour_with_words_that_can_be_read(dark: bool) -> None:
    assert set(KIND_COLOURS) == {*KINDS, "exchange", "idle"}
    colours = tokens(dark=dark)
    for kind in KINDS:
        name = KIND_COLOURS[kind][1:]
        assert contrast(colours[name], colours[f"on-{name}"]) >= 4.5
    fills = [colours[c[1:]] for c in KIND_COLOURS.values()]
    assert len(set(fills)) == len(fills)
