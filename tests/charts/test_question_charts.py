"""Pictures of the questions: valid Vega-Lite, drawn in both themes, saying units and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair
import pytest
import vl_convert
from clear import assert_clear

import ridgeline as rl

if TYPE_CHECKING:
    from collections.abc import Callable

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
        ("cost of a token against now", "memory bandwidth (8.00 TB/s)", "doubled"),
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


def test_a_cost_needs_a_price(unpriced: Any) -> None:
    with pytest.raises(rl.RidgelineError, match="needs a price"):
        rl.wall(unpriced).chart("cost")
