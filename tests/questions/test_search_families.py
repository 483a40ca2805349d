"""Families of any search: every other value told once, with the part that has grown most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ridgeline.questions.families import (
    Rank,
    cause,
    close_words,
    families,
    front_of,
    nearest,
    refused_words,
    told,
)

TIME = Rank("time_s", largest=False, noun="the time")
VALUES = {"tp": [1, 2, 4, 8], "again": ["none", "some", "all"]}
WINNER = {"tp": 4, "again": "none", "time_s": 10.0, "layout": "TP4", "cluster": "one"}


def row(tp: int, again: str, time_s: float) -> dict[str, Any]:
    return WINNER | {"tp": tp, "again": again, "time_s": time_s, "layout": f"TP{tp} {again}"}


ROWS = [WINNER, row(2, "none", 12.0), row(8, "some", 13.0), row(2, "all", 9.9)]


def found_families() -> list[Any]:
    return families(
        VALUES,
        WINNER,
        TIME,
        best_of=lambda axis, v: min(
            (r for r in ROWS if r[axis] == v), key=TIME.score, default=None
        ),
        name=lambda axis, v: f"{axis} {v}",
        lacking=lambda axis, v: f"no {axis} of {v}.",
        costs=lambda r: f"costs {r['time_s']:.0f}",
    )


def test_every_other_value_has_its_best_member_beside_the_winner() -> None:
    found = {(f.degree, f.value): f for f in found_families()}
    assert list(found) == [("tp", 1), ("tp", 2), ("tp", 8), ("again", "some"), ("again", "all")]
    assert found["tp", 1].best is None
    assert found["tp", 1].reason == "no tp of 1."
    assert found["tp", 8].ratio == pytest.approx(1.3)
    assert found["again", "some"].reason == "costs 13"
    # What is no slower than the winner lost by simplicity alone.
    assert found["again", "all"].reason == "too close to call, and less simple (TP2 all)"
    assert found["tp", 2].best == ROWS[3]
    assert found["tp", 8].to_dict()["best_layout"] == "TP8 some"


def test_nearest_are_the_next_values_on_both_sides() -> None:
    near = nearest(found_families(), WINNER, VALUES)
    assert [(f.degree, f.value) for f in near] == [("tp", 2), ("tp", 8), ("again", "some")]


def test_families_of_one_reason_are_told_together() -> None:
    said = told(found_families(), "the time")
    assert "tp 8 and again some: 1.30 times the time; costs 13." in said
    assert "tp 1: no tp of 1." in said  # whose reason is a whole sentence, or a part of one
    assert len(said) == 3


def test_the_part_that_grew_most_is_the_cause() -> None:
    winner = {"gemm": 6.0, "net": 1.0, "bubble": 0.0}

    def words(part: str, share: float) -> str:
        return f"{part} {share:.2f}"

    said = cause({"gemm": 6.5, "net": 3.0, "bubble": 0.0}, winner, "TP8", words)
    assert said == "net 0.32, 3.00 times the winner's per token"
    assert cause({"gemm": 6.0, "net": 1.0, "bubble": 1.0}, winner, "x", words).endswith(
        "0.12, new per token"
    )
    # What rounding leaves of a part is none of it.
    rounded = winner | {"bubble": 1e-15}
    assert cause({"gemm": 6.0, "net": 1.0, "bubble": 1.0}, rounded, "x", words).endswith(
        "0.12, new per token"
    )
    assert cause(winner, winner, "TP8", words) == "no part of it takes much more (TP8)"


def test_what_cannot_be_is_told_by_reason() -> None:
    refused = {("tp", 3): "32 heads", ("tp", 5): "32 heads", ("pp", 7): "layers"}
    assert refused_words(refused, str.upper) == ["TP 3 and 5: 32 heads", "PP 7: layers"]


def test_what_is_too_close_is_named() -> None:
    ranking = [WINNER, row(2, "all", 9.9), row(8, "some", 10.1), row(1, "none", 20.0)]
    said = close_words(ranking, TIME, "So it goes.")
    assert said == (
        "Within 5% of it, too close to call without measuring: TP2 all and TP8 some. So it goes."
    )
    assert close_words([WINNER, row(1, "none", 20.0)], TIME) == ""


def test_the_front_is_what_nothing_beats() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 2.0, 9.0]), np.array([3.0, 2.0, 1.0, 1.0, 9.0])
    can_be = np.array([True, True, True, True, False])
    assert front_of({"x": x, "y": y, "ok": can_be}, "x", "y", "ok").tolist() == [2, 1, 0]
    assert front_of({"x": x, "y": y}, "x", "y").tolist() == [4]
