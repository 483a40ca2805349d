"""The picture of a step of reinforcement learning: all that is drawn can be read."""

from __future__ import annotations

from typing import Any

import pytest
from clear import assert_clear, texts

import ridgeline as rl
from ridgeline.charts.rl_step import PART_COLOURS
from ridgeline.questions.rl_step.words import PART_WORDS

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "turns": ("Qwen/Qwen3-8B", "hgx-h100", {"osl": "256:4k@mean=2k"}),
    "sides": ("Qwen/Qwen3-30B-A3B", "4xhgx-h100", {"off_policy": 1, "osl": "256:4k@mean=3k"}),
    "idle": ("Qwen/Qwen3-8B", "4xhgx-h100", {"off_policy": 1, "gen_chips": 28}),
    "ideal": ("Qwen/Qwen3-8B", "hgx-h100", {"reading": "ideal"}),
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_every_picture_is_clear(case: str, dark: bool) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    model, machine, options = CASES[case]
    chart = rl.rl_step(model, machine, **options).chart()
    svg = chart.to_bytes(".svg", dark=dark).decode()
    assert_clear(chart.spec, svg)
    assert texts(svg)[0]


def test_every_part_has_a_word_and_a_colour_of_its_own() -> None:
    assert list(PART_COLOURS) == list(PART_WORDS.values())
    assert len(set(PART_COLOURS.values())) == len(PART_COLOURS)
