"""Among layouts too close to call the simplest wins, by one definition."""

from __future__ import annotations

from typing import Any

import pytest

import ridgeline as rl
from ridgeline.questions.families import TOO_CLOSE, simplest_first, tied
from ridgeline.questions.layouts.ranking import RANKS
from ridgeline.questions.layouts.simplicity import simplicity
from ridgeline.specs import Layout

#: simplest first, on domains of 8 chips
IN_ORDER = [
    Layout(replicas=16),
    Layout(replicas=8, tp=2),
    Layout(replicas=8, pp=2),
    Layout(replicas=2, tp=8),
    Layout(replicas=4, tp=4, ep=4),
    Layout(replicas=4, attn_dp=4, ep=4),
    Layout(replicas=2, pp=4, tp=2),
    Layout(replicas=2, attn_dp=2, tp=4, ep=8),
    Layout(pp=2, tp=8),
]


def test_layouts_sort_by_how_simple_they_are() -> None:
    keys = [simplicity(x, 8) for x in IN_ORDER]
    assert keys == sorted(set(keys))


def test_a_wider_domain_makes_a_wide_group_as_simple_as_any() -> None:
    wide, narrow = Layout(tp=16), Layout(replicas=2, pp=4, tp=2)
    assert simplicity(narrow, 8) < simplicity(wide, 8)
    assert simplicity(wide, 16) < simplicity(narrow, 16)


def test_replicas_that_leave_part_of_a_host_over_are_less_simple() -> None:
    """18 chips on trays of 4 are five trays, of which engines refuse the last; 24 are six."""
    ragged, even = Layout(replicas=4, attn_dp=18, ep=18), Layout(replicas=3, attn_dp=24, ep=24)
    assert simplicity(ragged, 72) < simplicity(even, 72)
    assert simplicity(even, 72, 4) < simplicity(ragged, 72, 4)
    assert simplicity(Layout(replicas=2, tp=4), 8, 8) < simplicity(Layout(tp=3, replicas=2), 8, 8)


def row(cost: float, key: int, cluster: str = "one") -> dict:
    return {"usd_per_mtok": cost, "key": (key,), "cluster": cluster}


def test_only_ties_on_the_winners_machine_are_passed_over_for_simplicity() -> None:
    rank = RANKS["usd"]
    best, near = row(1.0, 3), row(1 + 0.9 * TOO_CLOSE, 2)
    far, other = row(1 + 1.1 * TOO_CLOSE, 1), row(1.01, 0, cluster="two")
    rows = [best, other, near, far]
    assert tied(rows, rank) == [best, near]
    assert simplest_first(rows, rank, lambda r: r["key"]) == [near, best, other, far]
    assert simplest_first([], rank, lambda r: r["key"]) == []


@pytest.mark.parametrize("rank", ["usd", "throughput", "latency"])
def test_the_winner_of_a_search_is_the_simplest_of_its_ties_and_says_so(rank: str) -> None:
    found = rl.layouts("Qwen/Qwen3-8B", "hgx-h100", rank=rank)
    first = min(found.rows, key=found.rank.score)
    ties = [r for r in found.rows if abs(found.rank.ratio(r, first) - 1) <= TOO_CLOSE]
    keys = [found.searches[0].simplicity(r) for r in ties]
    assert found.searches[0].simplicity(found.best) == min(keys)
    if len(ties) > 1:
        (said,) = [s for s in found.sentences() if "too close to call" in s]
        assert "It is the simplest of them." in said
        assert any(r["layout"] in said for r in ties if r is not found.best)


def test_bare_cards_in_a_search_are_said_to_be_one_machine() -> None:
    options: Any = {"chips": 2, "isl": 1000, "osl": 256}
    notes = rl.layouts("Qwen/Qwen3-8B", "rtx-4090", **options).notes()
    assert any("taken as one machine" in note for note in notes)
    assert not any(
        "taken as one machine" in note
        for note in rl.layouts("Qwen/Qwen3-8B", "hgx-h100", isl=1000, osl=256).notes()
    )
