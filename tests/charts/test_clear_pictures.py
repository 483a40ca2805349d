"""Pictures can be read: nothing overprinted or cut, keys of what is drawn, colours that stand out.

The questions' and the layouts' pictures are held to the same in their own tests.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clear import assert_clear, contrast, layers_of, texts

import ridgeline as rl
from ridgeline.charts import Chart, memory_chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, log_axis, plain_axis, text_width, words, wrapped
from ridgeline.charts.theme import RESOURCES, SERIES, config, painted, tokens
from ridgeline.questions.layouts.pictures import PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = {
    "rack": ("deepseek-ai/DeepSeek-V3", "gb200-nvl72"),
    "node": ("meta-llama/Meta-Llama-3.1-70B", "hgx-h100"),
    "laptop": ("openai/gpt-oss-20b", "macbook-pro-m4-max"),
    "card": ("Qwen/Qwen3-8B", "rtx-4090"),
}


def check(chart: Chart, *, dark: bool) -> None:
    assert_clear(chart.spec, chart.to_bytes(".svg", dark=dark).decode())


@pytest.mark.parametrize("asked", [{"context": 8192}, {"isl": 4096, "osl": 1024},
                                   {"context": [1024, 16_384]}], ids=str)  # fmt: skip
@pytest.mark.parametrize("machine", ["rack", "laptop"])
def test_serving_is_clear(machine: str, asked: dict[str, Any]) -> None:
    check(rl.serving(*MACHINES[machine], **asked).chart("both"), dark=machine == "rack")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("machine", list(MACHINES))
def test_every_picture_is_clear(machine: str, dark: bool) -> None:
    for chart in _all_of(machine):
        check(chart, dark=dark)


def _all_of(machine: str) -> Iterator[Chart]:
    cases: list[dict[str, Any]] = [
        {},
        {"isl": 4096, "osl": 1024},
        {"context": [1024, 4000, 16_384, 65_536]},
        {"reading": "ideal"},
    ]
    for asked in cases:
        yield rl.serving(*MACHINES[machine], **asked).chart("both")
    board = rl.serving(*MACHINES[machine], reading="blackboard")
    yield board.chart("both")
    for question in (rl.tiers, rl.sparsity, rl.sensitivity, rl.scaleup):
        yield question(board).chart()
    yield rl.wall(board).chart("bounds")
    if board.price:
        yield rl.wall(board, tpot_s=0.05).chart("cost")
    found = rl.layouts(*MACHINES[machine])
    for name in PICTURES:
        if found.rows and (name != "timeline" or any(r["pp"] > 1 for r in found.rows)):
            yield found.chart(name)


def test_an_overprint_a_cut_text_and_a_key_of_nothing_are_seen() -> None:
    x, y = plain_axis("x", None, (0, 1)), plain_axis("y", None, (0, 1))
    rows = [{"x": 0.5, "y": 0.5, "say": s} for s in ("one word", "another")]
    two = Chart({"width": 200, "height": 200,
                 "layer": words(rows, {}, x=x, y=y, text={"field": "say"})})  # fmt: skip
    with pytest.raises(AssertionError, match="lies on"):
        check(two, dark=False)
    cut = '<svg width="50" height="20"><text transform="translate(40,10)">a long text</text></svg>'
    with pytest.raises(AssertionError, match="cut by the edge"):
        assert_clear({}, cut)
    colour = {"field": "say", "type": "nominal", "legend": {"title": None},
              "scale": {"domain": ["one word", "nowhere"]}}  # fmt: skip
    keyed = data_layer(rows[:1], {"type": "point"}, x=x, y=y, color=colour)
    with pytest.raises(AssertionError, match="nowhere"):
        assert_clear(keyed, '<svg width="1" height="1"/>')


def test_texts_are_where_the_renderer_puts_them() -> None:
    """The boxes that these tests compare: of the ink, a text in the middle of the panel."""
    x, y = plain_axis("x", None, (0, 1)), plain_axis("y", None, (0, 1))
    off = {"axis": None}
    layer = words([{"x": 0.5, "y": 0.5, "say": "here"}], {}, x=x | off, y=y | off,
                  text={"field": "say"})  # fmt: skip
    found, (width, height) = texts(
        Chart({"width": 200, "height": 100, "layer": layer}).to_bytes(".svg").decode()
    )
    ((said, (left, top, right, bottom)),) = found
    assert said == "here"
    assert (left + right) / 2 == pytest.approx(width / 2, abs=2)
    assert (top + bottom) / 2 == pytest.approx(height / 2, abs=4)
    assert 20 < right - left < 40  # measured in DejaVu Sans at 13 px: 31


@pytest.mark.parametrize("dark", [False, True])
def test_colours_stand_out(dark: bool) -> None:
    colours = tokens(dark=dark)
    paper = colours["paper"]
    for name, colour in colours.items():
        if name.startswith("on-"):
            assert contrast(colour, colours[name[3:]]) >= 4.5, name
        elif name.startswith("ink") or name.endswith("-line"):
            assert contrast(colour, paper) >= 4.5, name
        elif name.startswith("series") or name in ("edge", "network2"):
            assert contrast(colour, paper) >= 3, name
    # Time in which nothing works is pale on purpose, and always named.
    assert all(contrast(colours[r], paper) >= 3 for r in RESOURCES if r != "overhead")
    assert all(contrast(colours[f"{r}-pale"], colours["ink"]) >= 4.5 for r in RESOURCES)
    named = [v for v in json.dumps(config(dark=dark)).split('"') if v.startswith("#")]
    assert set(named) <= set(colours.values())


#: what each kind of dichromat sees of linear red, green, blue (Machado, Oliveira, Fernandes 2009)
SEEN = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _oklab(colour: str, seen: Any) -> np.ndarray:
    parts = np.asarray([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(seen) @ linear, 0, 1)
    cones = np.cbrt(np.asarray([[0.41222147, 0.53633254, 0.05144599],
                                [0.21190350, 0.68069955, 0.10739696],
                                [0.08830246, 0.28171884, 0.62997870]]) @ linear)  # fmt: skip
    return np.asarray([[0.21045426, 0.79361779, -0.00407205],
                       [1.97799850, -2.42859221, 0.45059371],
                       [0.02590404, 0.78277177, -0.80867577]]) @ cones  # fmt: skip


@pytest.mark.parametrize("seen", SEEN.values(), ids=list(SEEN))
@pytest.mark.parametrize("dark", [False, True])
def test_no_two_colours_look_alike(seen: Any, dark: bool) -> None:
    """Resources, and series, to every eye; one and the other to most. 0.02 is just seen."""
    colours = tokens(dark=dark)
    resources = [c for c in RESOURCES.values() if c != "$attention"]  # another word for the KV's
    for group in (resources, SERIES):
        for a, b in itertools.combinations(group, 2):
            apart = math.dist(_oklab(colours[a[1:]], seen), _oklab(colours[b[1:]], seen))
            assert apart > 0.075, (a, b)
    for series in SERIES:
        for resource in resources:
            apart = math.dist(*(_oklab(colours[c[1:]], np.eye(3)) for c in (series, resource)))
            assert apart > 0.075, (series, resource)


def test_colours_are_named_in_specifications() -> None:
    """A hex code in a specification would be the same on paper and on the board."""
    for chart in _all_of("card"):
        spec = json.dumps(chart.spec)
        assert not re.search(r'"#[0-9A-Fa-f]{6}"|"white"|"black"', spec)
        texts_of = [la["mark"] for la in layers_of(chart.spec) if la["mark"]["type"] == "text"]
        for mark in texts_of:
            colour = mark.get("color", "$ink")
            assert re.match(r"\$(ink|ink2|ink3|on-\w+|\w+-line)$", colour), colour
    with pytest.raises(KeyError):
        painted({"mark": {"color": "$nothing"}})


def test_a_key_leaves_out_what_is_not_drawn() -> None:
    bars = [{"label": "a", "note": "", "weights": 5e9, "caches": 1e9, "activations": 0.0,
             "buffers": 0.0, "reserve": 0.0}]  # fmt: skip
    chart = memory_chart(bars, 8e9, title="t", subtitle="s")
    assert chart.spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["weights", "caches"]


@pytest.fixture
def plane() -> Plane:
    return Plane(400, 200, log_axis("x", None, (1, 1e4)), plain_axis("y", None, (0, 1)))


def _boxes(plane: Plane) -> list[tuple[str, float, float]]:
    return [
        (r["text"], r["px"], r["py"])
        for layer in plane.layers()
        if layer["mark"].get("style") != "halo" and layer["mark"]["type"] == "text"
        for r in layer["data"]["values"]
    ]


def test_a_plane_knows_its_pixels(plane: Plane) -> None:
    assert plane.at({"x": 100, "y": 0.25}) == pytest.approx((200, 150))


def test_labels_keep_off_lines_points_and_each_other(plane: Plane) -> None:
    row = {"x": 100, "y": 0.5}
    plane.keep_off_points([row])
    plane.keep_off_line([{"x": 1, "y": 0.5}, {"x": 1e4, "y": 0.5}])
    assert all(plane.label(row, f"name {i}") for i in range(4))
    places = _boxes(plane)
    assert all(abs(py - 100) > 7.5 for _, _, py in places)  # none on the line
    for (_, ax, ay), (_, bx, by) in itertools.combinations(places, 2):
        assert abs(ax - bx) > text_width("name 0", 12) or abs(ay - by) > 15


def test_a_label_without_room_is_left_out(plane: Plane) -> None:
    plane.keep_off_points([{"x": 100, "y": 0.5}], 200)
    assert not plane.label({"x": 100, "y": 0.5}, "name")
    assert plane.layers() == []


def test_a_label_pushed_far_is_joined_to_its_point(plane: Plane) -> None:
    plane.keep_off_points([{"x": 100, "y": 0.5}], 30)
    assert plane.label({"x": 100, "y": 0.5}, "name")
    rules = [la for la in plane.layers() if la["mark"]["type"] == "rule"]
    join = rules[0]["data"]["values"][0]
    rim = math.hypot(join["px"] - 200, join["py"] - 100)
    assert rim == pytest.approx(4)  # of a dot
    # A line to the middle of the dot, prolonged, is the same line.
    away = math.hypot(join["qx"] - 200, join["qy"] - 100)
    long = math.hypot(join["qx"] - join["px"], join["qy"] - join["py"])
    assert long + rim == pytest.approx(away)


def test_joining_lines_do_not_cross_and_names_stand_by_their_own_points(plane: Plane) -> None:
    rows = [{"x": 10 ** (2 + 0.04 * i), "y": 0.5 + 0.02 * (-1) ** i} for i in range(4)]
    plane.keep_off_points(rows)
    for i, row in enumerate(rows):
        assert plane.label(row, f"point {i}")
    joins = [tuple(r[k] for k in ("px", "py", "qx", "qy")) for la in plane.layers()
             if la["mark"]["type"] == "rule" for r in la["data"]["values"]]  # fmt: skip
    assert joins
    for a, b in itertools.combinations(joins, 2):
        (p, q), (r, s) = (np.reshape(line, (2, 2)) for line in (a, b))
        turns = [np.linalg.det([v - u, w - u]) for u, v, w in
                 ((p, q, r), (p, q, s), (r, s, p), (r, s, q))]  # fmt: skip
        assert turns[0] * turns[1] > 0 or turns[2] * turns[3] > 0, "two joining lines cross"
    dots = np.asarray([plane.at(r) for r in rows])
    ends = np.asarray([j[:2] for j in joins])
    joined = {int(np.argmin(np.hypot(*(dots - e).T))) for e in ends}
    for i, (text, px, py) in enumerate(_boxes(plane)):
        if i not in joined:
            gap = np.maximum(abs(dots[:, 0] - px) - text_width(text, 12) / 2, 0)
            away = np.hypot(gap, np.maximum(abs(dots[:, 1] - py) - 7.5, 0))
            assert np.argmin(away) == i, f"{text} is nearer to another point"


def test_names_at_ends_are_spread_and_stay_beside_the_panel(plane: Plane) -> None:
    ends = [0.0, 0.01, 0.02, 1.0]
    plane.label_ends([([{"x": 1, "y": e}, {"x": 1e4, "y": e}], f"{e}", "$ink") for e in ends])
    heights = sorted(py for _, _, py in _boxes(plane))
    assert all(b - a >= 13 for a, b in itertools.pairwise(heights))
    assert heights[-1] <= 200
    assert all(px > 400 for _, px, _ in _boxes(plane))


def test_text_is_wrapped_to_a_width() -> None:
    lines = wrapped("a picture's subtitle of a good many words and no sense", 150, 14)
    assert len(lines) > 1
    assert all(text_width(line, 14) <= 150 for line in lines)
    assert wrapped("one-word-wider-than-that", 20, 14) == ["one-word-wider-than-that"]


def test_a_rule_without_room_beside_it_is_named_in_short_lines() -> None:
    """Three rules so near to each other that no name has room in one line between them."""
    near = Plane(400, 200, plain_axis("x", None, (0, 400)), plain_axis("y", None, (0, 1)))
    rules = (90.0, 210.0, 325.0)
    for at in rules:
        near.keep_off_rule(x=at)
    for at in rules:
        near.label_rule(at, "largest that fits: 188,660")
    assert len(_boxes(near)) > len(rules)
    placed = [r for la in near.layers() if la["mark"].get("style") != "halo"
              for r in [{**row, **la["mark"]} for row in la["data"]["values"]]]  # fmt: skip
    for r in placed:
        wide = text_width(r["text"], 12)
        left = r["px"] - {"left": 0.0, "right": wide, "center": wide / 2}[r["align"]]
        assert not any(left < at < left + wide for at in rules), r["text"]


def test_a_line_that_leaves_the_panel_is_named_where_it_leaves(plane: Plane) -> None:
    falling = [{"x": 1, "y": 0.9}, {"x": 1e4, "y": -0.9}]  # leaves at the foot, in the middle
    plane.keep_off_line(falling)
    plane.label_ends([(falling, "falling", "$ink")])
    ((_, px, py),) = _boxes(plane)
    assert 200 < px < 300
    assert 170 < py < 200


def test_a_line_through_a_text_is_seen() -> None:
    x, y = plain_axis("x", None, (0, 1)), plain_axis("y", None, (0, 1))
    off = {"axis": None}
    said = words([{"x": 0.5, "y": 0.5, "say": "a word"}], {}, x=x | off, y=y | off,
                 text={"field": "say"})  # fmt: skip
    for at, clear in ((0.52, False), (0.9, True)):
        rule = data_layer([{"x": at}], {"type": "rule"}, x=x | off)
        chart = Chart({"width": 200, "height": 100, "layer": [rule, *said]})
        if clear:
            check(chart, dark=False)
        else:
            with pytest.raises(AssertionError, match="lies on a line"):
                check(chart, dark=False)
