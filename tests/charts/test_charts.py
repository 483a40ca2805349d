"""Pictures: valid Vega-Lite, drawn without complaint, the same each time."""

from __future__ import annotations

import re

import altair
import pytest
import vl_convert

import ridgeline as rl
from ridgeline.charts import Chart
from ridgeline.errors import SpecError

CASES = {
    "one context": {"context": 1024},
    "several contexts": {"context": [1024, 8192, 131_072]},
    "one batch": {"context": 1024, "batch": 64},
    "blackboard": {"context": 1024, "reading": "blackboard"},
    "blackboard contexts": {"context": [1024, 8192], "reading": "blackboard"},
    "request": {"isl": 1024, "osl": 128},
    "nothing fits": {"context": 1e6, "chips": 8, "batch": [64, 4096]},
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def answer(request):
    return rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", **request.param)


@pytest.mark.parametrize("name", ["latency", "cost", "both"])
@pytest.mark.parametrize("dark", [False, True])
def test_valid_and_drawn_alike_twice(answer, name: str, dark: bool) -> None:
    chart = answer.chart(name)
    spec = chart.to_dict(dark=dark)
    altair.Chart.from_dict(spec, validate=True)
    first = _drawn(vl_convert.vegalite_to_svg(spec))
    assert first == _drawn(chart.to_bytes(".svg", dark=dark).decode())
    assert "NaN" not in first


def _drawn(svg: str) -> str:
    """The renderer numbers its clip paths on and on within a process; the rest is the same."""
    return re.sub(r"clip\d+", "clip", svg)


def test_the_picture_says_units_bound_and_landmarks() -> None:
    asked = {"context": 1024, "reading": "blackboard"}
    svg = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", **asked).chart("both")
    text = svg.to_bytes(".svg").decode()
    for words in ("(ms)", "($ per million tokens)", "sequences in flight", "bound by weights",
                  "balance batch: 13,864", "largest that fits", "per chip-hour"):  # fmt: skip
        assert words in text


def test_notebooks_get_vega_lite() -> None:
    bundle = rl.serving("Qwen/Qwen3-8B", "h100-sxm").chart("latency")._repr_mimebundle_()
    assert next(iter(bundle)).startswith("application/vnd.vegalite")


def test_other_formats_are_refused() -> None:
    with pytest.raises(SpecError, match=r"not as '\.gif'"):
        Chart({}).to_bytes(".gif")
