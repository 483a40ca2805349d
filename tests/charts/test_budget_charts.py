"""Pictures of a token budget: lines are the costs, marks lie where they should, all is read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from clear import assert_clear, layers_of

import ridgeline as rl
from ridgeline.charts.budget import iso_loss_chart

CASES: dict[str, dict[str, Any]] = {
    "lecture": {"active": "100B", "inference_tokens": "200T"},
    "small": {"active": "8B", "tokens": "15T", "inference_tokens": "1T", "law": "hoffmann-2022"},
    "no rl": {"active": "400B", "tokens": "2T", "split": "without-rl"},
    "repeated": {"active": "70B", "tokens": "30T", "unique_tokens": "3T"},
    "nothing else": {
        "active": "70B", "tokens": "1.4T", "inference_tokens": 0, "split": "without-rl"
    },
    "priced": {"on": "hgx-h100", "active": "70B", "tokens": "15T"},
}  # fmt: skip


def check(case: str, name: str, *, dark: bool) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    chart = rl.budget(**CASES[case]).chart(name)
    assert_clear(chart.spec, chart.to_bytes(".svg", dark=dark).decode())


@pytest.mark.parametrize("name", ["budget", "iso-loss"])
def test_pictures_are_clear(name: str) -> None:
    check("lecture", name, dark=name == "iso-loss")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["budget", "iso-loss"])
def test_every_picture_is_clear(case: str, name: str, dark: bool) -> None:
    check(case, name, dark=dark)


def rows_of(chart: Any, key: str) -> list[dict[str, Any]]:
    found = [la["data"]["values"] for la in layers_of(chart.spec) if "data" in la]
    return next(rows for rows in found if rows and key in rows[0])


def test_costs_are_of_models_of_one_loss() -> None:
    found = rl.budget(**CASES["lecture"])
    rows = rows_of(found.chart("budget"), "cost")
    whole = {r["tokens"]: r for r in rows if r["of"] == "all"}
    for row in whole.values():
        loss = float(found.optimum.loss(row["params"], row["tokens"]))
        assert loss == pytest.approx(found.optimum.plan.loss, rel=1e-6)
        assert row["cost"] == pytest.approx(
            6 * row["params"] * (row["tokens"] + found.plan.demand), rel=1e-6
        )
    least = min(whole.values(), key=lambda r: r["cost"])
    assert least["tokens"] == pytest.approx(found.optimum.cheapest.tokens, rel=0.03)


def test_published_models_are_on_the_map() -> None:
    rows = rows_of(rl.budget(**CASES["lecture"]).chart("iso-loss"), "released")
    assert {"Chinchilla", "DeepSeek-V3", "Llama-3.1-405B"} <= {r["name"] for r in rows}


def test_the_budget_is_on_its_picture_however_far_off() -> None:
    found = rl.budget(active="1T", tokens="1B")
    rules = [r["tokens"] for la in layers_of(found.chart("budget").spec)
             if la.get("mark", {}).get("type") == "rule" for r in la["data"]["values"]
             if "tokens" in r]  # fmt: skip
    assert any(at == pytest.approx(1e9) for at in rules)


def test_no_line_is_a_corner_and_no_loss_is_drawn_twice() -> None:
    from ridgeline.questions.budget.pictures import _losses, _optima  # noqa: PLC0415

    found = rl.budget(active="32B", tokens="36T", inference_tokens="526T", split="without-rl")
    limits = (3e8, 6.5e11), (1.9e11, 1.5e14)
    drawn = {name for name, line in _optima(found, limits).items() if line}
    assert drawn == {"training alone", "with this demand"}
    losses = sorted(_losses(found, limits))
    assert all(b / a > 1.005 for a, b in pairwise(losses))


def test_demands_keep_their_colours_whatever_is_drawn() -> None:
    def colours(optima: dict[str, list[dict[str, float]]]) -> dict[str, str]:
        spec = iso_loss_chart({}, optima, [], [], limits=((1, 10), (1, 10)), title="t",
                              subtitle="s").spec  # fmt: skip
        lines = [la for la in layers_of(spec) if la.get("mark", {}).get("strokeWidth") == 2.5]
        return {la["data"]["values"][0]["of"]: la["mark"]["color"] for la in lines}

    line = [{"params": float(n), "tokens": float(n)} for n in (2, 8)]
    every = colours({"none": line, "this": line, "more": line})
    assert len(set(every.values())) == 3
    assert colours({"none": [], "this": line, "more": []}) == {"this": every["this"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["budget", "iso-loss"])
def test_text_that_repeats_is_said_on_the_picture(name: str) -> None:
    for case in ("repeated", "lecture"):
        said = " ".join(rl.budget(**CASES[case]).chart(name).spec["title"]["subtitle"])
        assert ("of 3.00 T different tokens" in said) == (case == "repeated")
