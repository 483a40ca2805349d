"""Predicted against measured: valid Vega-Lite that says its units, however many points."""

from __future__ import annotations

import altair
import pytest
import vl_convert
from clear import assert_clear

from ridgeline.charts.fidelity import fidelity_chart
from ridgeline.errors import SpecError


def points(n: int, metrics: tuple[str, ...], scale: float = 1.0) -> list[dict]:
    regimes = ("static", "decode", "closed", "slo")
    return [
        {
            "source": "lab", "chip": "h100-sxm", "model": "m", "regime": regimes[i % 4],
            "metric": metrics[i % len(metrics)], "measured": scale * 1.3**i,
            "predicted": scale * 1.35**i, "low": scale * 1.2**i, "high": scale * 1.5**i,
        }
        for i in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_valid_and_drawn(n: int, dark: bool) -> None:
    metrics = ("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s", "memory_bytes")
    chart = fidelity_chart(points(n, metrics, 0.01), "A title", "and more")
    spec = chart.to_dict(dark=dark)
    altair.Chart.from_dict(spec, validate=True)
    svg = vl_convert.vegalite_to_svg(spec)
    assert "NaN" not in svg
    for words in ("A title", "and more", "measured (ms)", "time to first token"):
        assert words in svg
    assert_clear(chart.spec, svg)


def test_units_and_regimes() -> None:
    every = points(12, ("tpot_s", "total_tokens_per_s"))
    spec = fidelity_chart(every, "t").to_dict()
    titles = [panel["title"]["text"] for panel in spec["concat"]]
    assert titles == ["time per output token (6)", "throughput (6)"]
    circles = spec["concat"][0]["layer"][-1]
    first = circles["data"]["values"][0]
    assert (first["measured"], first["predicted"]) == (1000, 1000)
    colours = circles["encoding"]["color"]["scale"]
    assert colours["domain"] == ["static", "decode", "closed", "slo"]
    band = spec["concat"][0]["layer"][0]["data"]["values"]
    assert band[0]["over"] / band[0]["at"] == pytest.approx(1.2)


def test_nothing_to_draw() -> None:
    with pytest.raises(SpecError, match="nothing to draw"):
        fidelity_chart([], "t")
