"""Pictures of the questions: valid Vega-Lite, drawn in both themes, saying units and limits."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import altair
import pytest
import vl_convert
from clear import assert_clear, layers_of, texts

import ridgeline as rl
from ridgeline.charts.labels import Plane
from ridgeline.charts.tornado import tornado_chart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ridgeline.charts import Chart


@pytest.fixture(scope="module")
def board() -> Any:
    return rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="blackboard")


@pytest.fixture(scope="module")
def unpriced() -> Any:
    return rl.serving("Qwen/Qwen3-8B", "vr200", reading="blackboard")


#: picture -> how it is asked for, and words that must be on it
PICTURES: dict[str, tuple[Callable[[Any], Chart], tuple[str, ...]]] = {
    "tiers": (
        lambda a: rl.tiers(a).chart(),
        ("speed of one user (tok/s)", "price of output ($ per million tokens)", "fastest, batch 1"),
    ),
    "sparsity": (
        lambda a: rl.sparsity(a).chart(),
        ("worth, dense (B params)", "total over active parameters", "that fit in memory"),
    ),
    "racks": (
        lambda a: rl.racks(a).chart(),
        ("(µs)", "2 domains, 144 chips", "scale-out 18x slower"),
    ),
    "pipelining": (
        lambda a: rl.pipelining(a).chart(),
        ("memory of the fullest chip (GB)", "capacity 198 GB", "8 stages"),
    ),
    "scaleup": (
        lambda a: rl.scaleup(a).chart(),
        ("chips in one scale-up domain", "(ms)", "a token may take 20 ms", "HGX H100"),
    ),
    "ladder": (
        lambda _: rl.generations().chart(),
        ("time to read all memory once (ms)", "multiplies per weight read", "the lecture: 300"),
    ),
    "cost": (
        lambda a: rl.wall(a, tpot_s=0.05).chart("cost"),
        ("context (tokens)", "$ per million tokens", "as it is", "sqrt(L)"),
    ),
    "bounds": (
        lambda a: rl.wall(a).chart("bounds"),
        ("batch (sequences in flight)", "context (tokens)", "memory full", "weights"),
    ),
    "design": (
        lambda _: rl.design("hgx-h100", tpot_s=0.05, context=32_000, usd_per_mtok=1).chart(),
        ("total parameters", "KV bytes read for each token", "DeepSeek-V3", "$1.00/Mtok"),
    ),
    "tornado": (
        lambda a: rl.sensitivity(a).chart(),
        ("cost per token against now", "memory bandwidth (8.00 TB/s)", "doubled"),
    ),
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("draw", "said"), PICTURES.values(), ids=list(PICTURES))
def test_valid_drawn_and_labelled(
    board: Any, draw: Callable[[Any], Chart], said: tuple[str, ...], dark: bool
) -> None:
    chart = draw(board)
    spec = chart.to_dict(dark=dark)
    altair.Chart.from_dict(spec, validate=True)
    svg = vl_convert.vegalite_to_svg(spec)
    assert "NaN" not in svg
    assert_clear(chart.spec, svg)
    for words in said:
        assert words in svg, words


@pytest.mark.parametrize("ask", [rl.tiers, rl.sensitivity], ids=["tiers", "sensitivity"])
def test_without_a_price_ratios_are_drawn(unpriced: Any, ask: Any) -> None:
    assert "NaN" not in vl_convert.vegalite_to_svg(ask(unpriced).chart().to_dict())


def test_nothing_that_fits_is_still_a_picture() -> None:
    """An empty region, and a map in which little fits."""
    none = rl.design("hgx-h100", tpot_s=1e-6, context=32_000).chart()
    assert "DeepSeek-V3" in vl_convert.vegalite_to_svg(none.to_dict())
    full = rl.serving("deepseek-ai/DeepSeek-V3", "hgx-h100", reading="blackboard")
    assert "bottleneck" in vl_convert.vegalite_to_svg(rl.wall(full).chart("bounds").to_dict())


def _undated(folder: Path, name: str, bandwidth: str) -> str:
    path = folder / f"{name}.toml"
    path.write_text(f"""id = "{name}"\nname = "{name.upper()}"\nvendor = "Acme"\ntdp = "400 W"
[memory]\ncapacity = "96 GB"\nbandwidth = "{bandwidth}"\n[peak]\nbf16 = "400 TFLOP/s"\n""")
    return str(path)


def test_chips_without_a_date_stand_in_a_column_of_their_own(tmp_path: Path) -> None:
    own = [_undated(tmp_path, "one", "6 TB/s"), _undated(tmp_path, "two", "1 TB/s")]
    for asked in (own, [own[0], "h100-sxm", own[1]]):
        svg = vl_convert.vegalite_to_svg(rl.generations(asked).chart().to_dict())
        drawn = {text for text, _ in texts(svg)[0]}
        assert {"ONE", "TWO", "ONE bf16", "TWO bf16", "no date"} <= drawn
        assert ("H100" in drawn) == (len(asked) == 3)
    assert "no date" not in vl_convert.vegalite_to_svg(rl.generations().chart().to_dict())


def test_points_of_one_month_do_not_hide_each_other() -> None:
    upper = rl.generations().chart().spec["vconcat"][0]
    dots = [la for la in layers_of(upper) if la["mark"]["type"] == "point"]
    x, y = (dots[0]["encoding"][c] for c in "xy")
    plane = Plane(upper["width"], upper["height"], x, y)
    places = [plane.at(r) for r in dots[0]["data"]["values"]]
    assert min(math.dist(a, b) for a, b in itertools.combinations(places, 2)) > 9


def test_several_contexts_promise_only_signs_that_are_drawn() -> None:
    said = str(rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=[2000, 32_000]).chart("latency")
               .spec["title"])  # fmt: skip
    assert "interval" not in said
    assert "compute binds" not in said
    assert "dotted" in said
    board = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=[100, 200], reading="blackboard")
    assert "compute binds" in str(board.chart("latency").spec["title"])


def test_a_single_batch_is_one_bar_not_a_range() -> None:
    panels = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=64).chart("latency").spec["vconcat"]
    for panel, field, end in ((panels[0], "from", "to"), (panels[2], "batch", "batch")):
        rows = [r for la in layers_of(panel) for r in la["data"]["values"] if field in r]
        low, high = min(r[field] for r in rows), max(r[end] for r in rows)
        assert 40 < low < 64 < high < 96
        assert math.sqrt(low * high) == pytest.approx(64)


def test_a_cost_needs_a_price(unpriced: Any) -> None:
    with pytest.raises(rl.RidgelineError, match="needs a price"):
        rl.wall(unpriced).chart("cost")


def test_a_tornado_says_where_its_bars_are_cut_and_what_does_not_fit() -> None:
    def row(what: str, doubled: float | None, halved: float | None) -> dict[str, Any]:
        return {"what": what, "kind": "k", "now": "1", "cost_refilled": doubled,
                "cost_refilled_halved": halved}  # fmt: skip

    rows = [row("far", 5.0, 0.205), row("near", 2.0, 0.5), row("over", None, 0.9)]
    spec = tornado_chart(rows, title="t", conditions="r").spec
    labels = {r["label"] for la in layers_of(spec) for r in la["data"]["values"] if "label" in r}
    assert labels == {"5x ▸", "◂ 0.205x", "2x", "0.5x", "does not fit", "0.9x"}
    filled = {r["label"] for la in layers_of(spec) for r in la["data"]["values"]
              if la["mark"]["type"] == "bar" and la["mark"].get("fillOpacity", 1) > 0}  # fmt: skip
    assert filled == labels - {"does not fit"}
    assert_clear(
        spec, vl_convert.vegalite_to_svg(tornado_chart(rows, title="t", conditions="r").to_dict())
    )


def test_the_band_of_a_cost_is_read_from_the_answer() -> None:
    result = rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=1000, osl=200, batch=[8, 64])
    grid = result.result
    middle, low, high = (grid[f"usd_per_mtok{end}"][0] for end in ("", "_low", "_high"))
    assert (low < middle).all()
    assert (middle < high).all()
    # As uncertain as the rate of requests, like the output's.
    out = [grid[f"usd_per_mtok_output{end}"][0] for end in ("", "_low", "_high")]
    assert low / middle == pytest.approx(out[1] / out[0])
    assert high / middle == pytest.approx(out[2] / out[0])
    panel = layers_of(result.chart("cost").spec)
    (band,) = [la["data"]["values"] for la in panel if la["mark"]["type"] == "area"
               and "low" in la["data"]["values"][0]]  # fmt: skip
    assert [b["low"] for b in band] == pytest.approx(low)
    assert [b["high"] for b in band] == pytest.approx(high)
