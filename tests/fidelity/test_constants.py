"""Constants of the catalogue: every chip and cluster has some, wider the further they come."""

from __future__ import annotations

import pytest

from ridgeline import catalog
from ridgeline.errors import SpecError
from ridgeline.fidelity.pooling import pooled, pools
from ridgeline.laws.collectives import all_reduce_wire_bytes, collective_time_s
from ridgeline.laws.gemm import product_time_s
from ridgeline.specs.constants import ProductConstants

FORMATS = {"bf16", "fp8", "fp8-block", "nvfp4", "int8", "w8a16", "w4a16"}
OF_EXPERTS = {"bf16", "fp8", "fp8-block", "nvfp4", "mxfp4", "mxfp4-wo", "w4a16"}
OPERATIONS = {
    "all_reduce",
    "all_reduce_graph",
    "all_reduce_eager",
    "all_gather",
    "reduce_scatter",
    "all_to_all",
}


def group(start: float, sigma: float = 0.1, **more: object) -> ProductConstants:
    one = {"value": 0.8, "sigma": sigma}
    fields = {
        "start_s": {"value": start, "sigma": sigma},
        "step_s": {"value": 1e-10, "sigma": sigma},
        "compute_efficiency": one,
        "memory_efficiency": one,
        "n_points": 10,
        "scatter": 0.1,
        "source": "made up",
        "date": "2026",
    }
    return ProductConstants.parse(fields | more, "test")


@pytest.mark.parametrize("name", catalog.entry_ids("chips"))
def test_every_chip_has_constants_for_every_format(name: str) -> None:
    chip = catalog.chip(name)
    found = catalog.constants(chip)
    by_hand = chip.kind in {"wafer", "sram", "tpu", "cpu"}
    assert set(found.product) == ({"bf16"} if by_hand else FORMATS)
    assert set(found.experts) == ({"bf16"} if by_hand else OF_EXPERTS)
    assert set(found.decode) == {"bf16", "fp8"}
    assert set(found.prefill) == {"bf16", "bf16-kv-fp8", "fp8"}
    parts = (found.product, found.experts, found.decode, found.prefill)
    for g in (group for part in parts for group in part.values()):
        assert g.level != "own" or g.members == (chip.id,)
        assert (g.n_points == 0) == (g.level == "kind") == by_hand
        assert by_hand or "Apache-2.0" in g.source


@pytest.mark.parametrize("name", catalog.entry_ids("clusters"))
def test_every_cluster_has_constants_for_every_exchange(name: str) -> None:
    found = catalog.fabric_constants(catalog.cluster(name))
    assert set(found.collective) == OPERATIONS
    assert {"dispatch", "combine"} <= set(found.exchange)


@pytest.mark.parametrize(
    ("cluster", "fabric"),
    [
        ("hgx-h100", "nvlink4"),
        ("hgx-h800", "nvlink4"),
        ("hgx-b200", "nvlink5"),
        ("gb200-nvl72", "nvl72"),
        ("hgx-a100-80gb", "nvlink3"),
        ("l40s-8", "pcie4"),
        ("rtx-pro-6000-8", "pcie5"),
        ("arc-pro-b60-8", "pcie5-x8"),
        ("vr200-nvl72", "switch"),
        ("mi300x-8", "all"),
    ],
)
def test_a_cluster_finds_its_fabric(cluster: str, fabric: str) -> None:
    assert catalog.fabric_constants(catalog.cluster(cluster)).id == fabric


@pytest.mark.parametrize(
    ("cluster", "access", "fabric"),
    [
        ("l40s-8", "host", "pcie4"),
        ("l40s-8", "broken", "pcie4-broken"),
        ("rtx-pro-6000-8", "broken", "pcie-broken"),
    ],
)
def test_cards_that_do_not_reach_each_other_are_another_fabric(
    cluster: str, access: str, fabric: str
) -> None:
    on = catalog.cluster(cluster).replaced({"peer_access": access})
    assert catalog.fabric_constants(on).id == fabric


def bus_bytes_per_s(cluster: str, n: int, access: str = "") -> float:
    """Of a long all-reduce, as its users count: bytes of a ring over time."""
    on = catalog.cluster(cluster).replaced({"peer_access": access} if access else {})
    group = catalog.fabric_constants(on).collective["all_reduce"]
    wire = all_reduce_wire_bytes(2.0**29, n)
    return float(wire / collective_time_s(wire, n, on.link, **group.values))


@pytest.mark.parametrize(
    ("cluster", "access", "n", "gb_per_s"),
    [
        # The tables' own: NCCL and frameworks on machines in order, and on the one that is not.
        ("l40s-8", "direct", 2, 20),
        ("l40s-8", "direct", 4, 21),
        ("l40s-8", "direct", 8, 21),
        ("rtx-pro-6000-8", "direct", 2, 39),
        ("rtx-pro-6000-8", "direct", 4, 27),
        ("rtx-pro-6000-8", "direct", 8, 24),
        ("l40s-8", "broken", 2, 20),
        ("l40s-8", "broken", 4, 5.1),
        ("l40s-8", "broken", 8, 1.5),
        # Nobody's here: four RTX 4090 under a driver patched for peer access
        # (tinygrad/open-gpu-kernel-modules issue 17), RTX 5090 without it (NVIDIA/nccl issue 1639).
        ("ws-rtx-4090-8x", "direct", 4, 24.7),
        ("rtx-pro-6000-8", "host", 4, 35),
        ("rtx-pro-6000-8", "host", 8, 28),
    ],
)
def test_cards_on_pcie_exchange_at_the_rates_measured(
    cluster: str, access: str, n: int, gb_per_s: float
) -> None:
    assert bus_bytes_per_s(cluster, n, access) == pytest.approx(gb_per_s * 1e9, rel=0.3)


def test_geforce_cards_reach_each_other_through_their_host() -> None:
    names = ("pc-rtx", "ws-rtx-3", "ws-rtx-4090")
    geforce = {n for n in catalog.entry_ids("clusters") if n.startswith(names)}
    assert len(geforce) >= 12
    assert {catalog.cluster(n).peer_access for n in geforce} == {"host"}
    assert catalog.cluster("ws-rtx-a6000-4x").peer_access == "direct"


def test_peer_access_is_of_cards_on_pcie() -> None:
    with pytest.raises(SpecError, match="peer_access is for cards on PCIe: a switch has links"):
        catalog.cluster("hgx-h100").replaced({"peer_access": "broken"})


def test_an_unmeasured_chip_is_less_sure_than_a_measured_one() -> None:
    own = catalog.constants(catalog.chip("h100-sxm")).product["bf16"]
    family = catalog.constants(catalog.chip("h20")).product["bf16"]
    foreign = catalog.constants(catalog.chip("mi300x")).product["bf16"]
    assert (own.level, family.level, foreign.level) == ("own", "family", "all")
    for name in ("compute_efficiency", "memory_efficiency"):
        assert own.sigmas[name] < family.sigmas[name] < foreign.sigmas[name]


def test_a_group_is_the_arguments_of_its_law() -> None:
    constants = catalog.constants(catalog.chip("h100-sxm")).product["bf16"]
    t = product_time_s(2 * 8192**2, 2 * 8192**2, 8192, 989e12, 3.35e12, **constants.values)
    # 40 us of reading, and some 5 us to start and walk.
    assert 45e-6 < t < 55e-6


def test_what_small_all_reduces_take_is_right() -> None:
    """The numbers a wrong choice of which costs a factor of four in decode."""
    found = catalog.fabric_constants(catalog.cluster("hgx-h100")).collective
    latency = {k: g.values["start_s"] + 7 * g.values["hop_s"] for k, g in found.items()}
    assert 3e-6 < latency["all_reduce_graph"] < 5e-6
    assert 14e-6 < latency["all_reduce"] < 18e-6
    assert 21e-6 < latency["all_reduce_eager"] < 40e-6


def test_pooling_on_paper() -> None:
    groups = {("product", p, "bf16"): group(s) for p, s in (("a", 1e-6), ("b", 4e-6))}
    [(_, found)] = pooled(groups, ["a", "b"], "family")
    assert found.values["start_s"] == pytest.approx(2e-6)
    # ln 4 / sqrt(2) between two members, beside a tenth of their own.
    assert found.sigmas["start_s"] == pytest.approx((0.1**2 + 0.98026**2) ** 0.5, abs=1e-3)
    assert found.sigmas["compute_efficiency"] == pytest.approx((0.1**2 + 0.05**2) ** 0.5, abs=1e-3)
    assert found.n_points == 20
    assert found.members == ("a", "b")


def test_a_family_of_one_borrows_the_spread_of_all() -> None:
    groups = {("product", p, "bf16"): group(s) for p, s in (("a", 1e-6), ("b", 4e-6))}
    [(_, found)] = pooled(groups, ["a"], "family")
    assert found.values["start_s"] == pytest.approx(1e-6)
    assert found.sigmas["start_s"] > 0.9
    assert pools({"a": "x", "b": "y"}) == [("x", ["a"]), ("y", ["b"]), ("all", ["a", "b"])]


def test_an_efficiency_above_one_is_refused() -> None:
    with pytest.raises(SpecError, match=r"memory_efficiency is 1\.1"):
        group(1e-6, memory_efficiency={"value": 1.1, "sigma": 0.1})


def test_a_changed_copy_shows_its_change() -> None:
    one = group(1e-6)
    assert one.values["start_s"] == 1e-6
    other = one.model_copy(update={"start_s": one.step_s})
    assert other.values["start_s"] == 1e-10
