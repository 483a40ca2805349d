"""The picture of a training search: the front, the winner and families can be read."""

from __future__ import annotations

from functools import cache

import pytest
from clear import assert_clear, layers_of, texts

import ridgeline as rl
from ridgeline.questions.families import nearest

LLAMA = "meta-llama/Meta-Llama-3-70B"


@cache
def answer_of(machines: tuple[str, ...]) -> rl.TrainingLayouts:
    return rl.training_layouts(
        LLAMA, machines, cp=1, order="tp,cp,dp,pp", seq=8192, global_batch=256
    )


@pytest.mark.parametrize(
    ("machines", "dark"),
    [
        (("4xhgx-h100",), True),
        pytest.param(("4xhgx-h100", "4xhgx-h200"), False, marks=pytest.mark.slow),
    ],
)
def test_the_front_is_clear(machines: tuple[str, ...], dark: bool) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    chart = answer_of(machines).chart("front")
    svg = chart.to_bytes(".svg", dark=dark).decode()
    assert_clear(chart.spec, svg)
    (said, _) = texts(svg)
    shown = " ".join(map(str, said))
    assert answer_of(machines).best["layout"] in shown
    assert "memory headroom (GB per chip)" in shown
    assert "tok/s per chip" in shown


def test_points_are_those_of_the_answer() -> None:
    answer = answer_of(("4xhgx-h100",))
    layers = layers_of(answer.chart("front").spec)
    drawn = [layer["data"]["values"] for layer in layers if "data" in layer]

    def has(row: dict) -> bool:
        here = (row["headroom_bytes"] / 1e9, row["tokens_per_s_per_chip"])
        return any(
            (v.get("headroom_gb"), v.get("tokens_per_s_per_chip")) == here
            for values in drawn
            for v in values
        )

    assert has(answer.best)
    assert all(has(row) for row in answer.front)
    near = nearest(answer.families(), answer.best, answer.axes)
    assert all(has(f.best) for f in near if f.best is not None)
