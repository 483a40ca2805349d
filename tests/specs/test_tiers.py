"""Tiers: what a cluster's fields make, what further tiers add, what is refused."""

from __future__ import annotations

import math
import tomllib

import numpy as np
import pytest

from ridgeline import catalog
from ridgeline.errors import SpecError
from ridgeline.specs import Cluster, Tier
from ridgeline.specs.schema import json_schema

SPINE = """
[[outer_tiers]]
name = "spine"
size = 16
kind = "infiniband"
link = { value = "50 GB/s", source = "plan", kind = "estimate", low = "25 GB/s", high = "50 GB/s" }
latency_s = "5 us"
oversubscription = { value = 2, source = "plan", kind = "user" }
"""


def grown(cluster: str, text: str = "", **changes: object) -> Cluster:
    data = catalog.cluster(cluster).model_dump() | changes | tomllib.loads(text)
    return Cluster.parse(data, "test")


def test_two_fields_make_two_tiers() -> None:
    domain, out = catalog.cluster("mi300x-8").tiers
    assert (domain.size, domain.kind, domain.name) == (8, "mesh", "Infinity Fabric full mesh")
    assert (domain.link, domain.link_per_peer) == (448e9, 64e9)
    assert (domain.oversubscription, domain.latency_s) == (1, None)
    assert (out.size, out.kind, out.link, out.link_per_peer) == (1, "switch", 50e9, None)
    assert domain.sources["link_per_peer"].source == "derived"
    assert out.sources["link"].source == "inferencex-gpu-specs"


def test_a_single_chip_has_tiers_that_join_nothing() -> None:
    cluster = grown("rubin-cpx-single", scale_out=None)
    assert [(t.size, t.kind, t.link) for t in cluster.tiers] == [(1, "none", None)] * 2
    assert cluster.n_chips == 1


def test_further_tiers_come_after_scale_out() -> None:
    cluster = grown(
        "hgx-h100", SPINE, n_domains=32, scale_out_kind="infiniband", oversubscription=1.5
    )
    assert [t.size for t in cluster.tiers] == [8, 32, 16]
    assert [t.kind for t in cluster.tiers] == ["switch", "infiniband", "infiniband"]
    assert [t.oversubscription for t in cluster.tiers] == [1, 1.5, 2]
    assert cluster.n_chips == 4096
    spine = cluster.tiers[-1]
    assert spine.link == 50e9
    assert spine.latency_s == pytest.approx(5e-6)
    assert cluster.sources["outer_tiers.0.link"].low == 25e9
    assert cluster.replaced({"outer_tiers.0.size": 2}).n_chips == 512


@pytest.mark.parametrize("name", catalog.entry_ids("clusters"))
def test_every_cluster_of_the_catalogue_has_valid_tiers(name: str) -> None:
    cluster = catalog.cluster(name)
    for tier in cluster.tiers:
        assert Tier.parse(tier.model_dump(), name) == tier
    assert cluster.n_chips == cluster.domain_size * cluster.n_domains


def test_fields_may_be_arrays() -> None:
    links = np.asarray([450e9, 900e9])
    bound = {"link": links, "scale_out": links / 9}
    cluster = catalog.cluster("hgx-h100").model_copy(update=bound)
    assert cluster.tiers[0].link is links
    assert np.array_equal(np.asarray(cluster.tiers[1].link), links / 9)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"size": 2}, "needs a kind and its link rate"),
        ({"size": 2, "kind": "mesh"}, "needs a kind and its link rate"),
        ({"size": 2, "link": "1 GB/s"}, "needs a kind and its link rate"),
        ({"size": 1, "link_per_peer": "1 GB/s"}, "needs link, the sum over all peers"),
        ({"size": 8, "kind": "mesh", "link": "1 GB/s", "link_per_peer": "2 GB/s"}, "exceed link"),
        ({"size": 0}, "size: "),
        ({"size": 2, "kind": "star", "link": "1 GB/s"}, "kind: "),
        ({"size": 1, "oversubscription": 0.5}, "oversubscription: a number of at least 1"),
        ({"size": 1, "latency_s": -1}, "latency_s: .*not positive"),
        ({"size": 1, "links": 1}, "Did you mean 'link'"),
    ],
)
def test_wrong_tiers_are_explained(data: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Tier.parse(data, "test")


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (SPINE, {"scale_out": None}, "outer_tiers need a scale_out rate"),
        (SPINE.replace("size = 16", "size = 0"), {}, "outer_tiers.0.size"),
        ("", {"link": None, "domain_size": 1, "link_per_peer": 1e9}, "link_per_peer needs link"),
        ("", {"link_per_peer": 500e9}, "link_per_peer cannot exceed link"),
        ("", {"oversubscription": math.nan}, "oversubscription"),
        ("", {"scale_out_kind": "token ring"}, "scale_out_kind"),
    ],
)
def test_wrong_networks_are_explained(text: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        grown("hgx-h100", text, **changes)


def test_the_schema_knows_tiers() -> None:
    schema = json_schema("cluster")
    assert schema["properties"]["outer_tiers"]["items"] == {"$ref": "#/$defs/Tier"}
    assert "latency_s" in schema["$defs"]["Tier"]["properties"]
