"""Rates inside a tier: numbers on paper, limits, and never above any link that carries them."""

from __future__ import annotations

from functools import partial

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.network import (
    group_rate_bytes_per_s,
    peer_rate_bytes_per_s,
    transfer_rate_bytes_per_s,
)

INF = float("inf")
MI300X = (448e9, 64e9)
H100 = (450e9, INF)

counts = st.integers(1, 10_000)
rates = st.floats(1e6, 1e13)
peers = rates | st.just(INF)
ratios = st.floats(1, 100)


@pytest.mark.parametrize(("n", "rate"), [(2, 64e9), (3, 128e9), (4, 192e9), (8, 448e9)])
def test_a_mesh_on_paper(n: int, rate: float) -> None:
    assert group_rate_bytes_per_s(n, *MI300X) == rate


@pytest.mark.parametrize("n", [1, 2, 8, 72])
def test_a_switch_gives_any_group_the_full_rate(n: int) -> None:
    assert group_rate_bytes_per_s(n, *H100) == 450e9
    assert group_rate_bytes_per_s(n, *H100, 2.0) == 225e9


def test_a_torus_reaches_no_more_than_all_its_links() -> None:
    assert group_rate_bytes_per_s(np.asarray([4.0, 7.0, 8960.0]), 600e9, 100e9).tolist() == [
        300e9, 600e9, 600e9,
    ]  # fmt: skip


def test_transfers_on_paper() -> None:
    assert transfer_rate_bytes_per_s(4, 4, *MI300X) == 16 * 64e9
    assert transfer_rate_bytes_per_s(1, 7, *MI300X) == 448e9
    assert transfer_rate_bytes_per_s(2, 6, *MI300X) == 12 * 64e9
    # Two receivers behind a switch are the narrower side.
    assert transfer_rate_bytes_per_s(6, 2, *H100) == 900e9


@given(counts, rates, peers, ratios)
def test_a_group_is_within_its_links(n: int, link: float, peer: float, over: float) -> None:
    rate = group_rate_bytes_per_s(n, link, peer, over)
    assert 0 < rate <= link / over
    assert rate <= peer * max(n - 1, 1) / over
    # One of the two is reached.
    assert rate == min(link, peer * max(n - 1, 1)) / over


@given(counts, counts, rates, peers)
def test_larger_groups_are_no_slower(n: int, more: int, link: float, peer: float) -> None:
    small, large = (group_rate_bytes_per_s(k, link, peer) for k in (n, n + more))
    assert small <= large
    # A group that grows never gains more than its links do.
    assert large * max(n - 1, 1) <= small * (n + more - 1) * (1 + 1e-12)


@given(rates, peers, ratios)
def test_two_chips_are_peers(link: float, peer: float, over: float) -> None:
    one = peer_rate_bytes_per_s(link, peer, over)
    assert group_rate_bytes_per_s(2, link, peer, over) == one
    assert group_rate_bytes_per_s(1, link, peer, over) == one
    assert transfer_rate_bytes_per_s(1, 1, link, peer, over) == one


@given(counts, counts, rates, peers, ratios)
def test_transfers_are_within_every_cut(
    s: int, r: int, link: float, peer: float, over: float
) -> None:
    rate = transfer_rate_bytes_per_s(s, r, link, peer, over)
    for cut in (s * link, r * link, s * r * peer):
        assert rate <= cut / over * (1 + 1e-12)
    assert rate >= min(s, r) * peer_rate_bytes_per_s(link, peer, over) * (1 - 1e-12)
    assert rate == transfer_rate_bytes_per_s(r, s, link, peer, over)
    assert rate <= transfer_rate_bytes_per_s(s + 1, r, link, peer, over)


@given(counts, rates, peers, ratios)
def test_oversubscription_divides(n: int, link: float, peer: float, over: float) -> None:
    for law in (
        partial(group_rate_bytes_per_s, n),
        peer_rate_bytes_per_s,
        partial(transfer_rate_bytes_per_s, n, 3),
    ):
        assert law(link, peer, over) == law(link, peer) / over


@given(rates, peers, st.floats(1e-3, 1e3))
def test_rates_scale_together(link: float, peer: float, f: float) -> None:
    for law in (partial(group_rate_bytes_per_s, 5), partial(transfer_rate_bytes_per_s, 2, 3)):
        assert law(f * link, f * peer) == pytest.approx(f * law(link, peer))


def test_inputs_broadcast() -> None:
    n = np.arange(1, 9)[:, None]
    peer = np.asarray([64e9, INF])
    table = group_rate_bytes_per_s(n, 448e9, peer)
    assert table.shape == (8, 2)
    assert table[:, 1].tolist() == [448e9] * 8
    assert np.array_equal(table[1:, 0], 64e9 * np.arange(1, 8))
    assert transfer_rate_bytes_per_s(n, n.T, 448e9, 64e9).shape == (8, 8)


@pytest.mark.parametrize(
    ("law", "inputs"),
    [
        (group_rate_bytes_per_s, ([1.0, 2.0, 8.0], [448e9] * 3, [64e9, INF, 64e9])),
        (peer_rate_bytes_per_s, ([448e9, 450e9], [64e9, INF], [1.0, 2.0])),
        (transfer_rate_bytes_per_s, ([1.0, 4.0], [7.0, 4.0], [448e9] * 2, [64e9, INF])),
    ],
)
def test_any_array_library_gives_the_same(law, inputs) -> None:
    ours = law(*(np.asarray(i) for i in inputs))
    theirs = law(*(strict.asarray(i, dtype=strict.float64) for i in inputs))
    assert [float(theirs[i]) for i in range(len(inputs[0]))] == ours.tolist()
    assert [float(law(*row)) for row in zip(*inputs, strict=True)] == ours.tolist()
