"""The hardware half of the catalogue: parses, is sourced, is consistent, obeys physics."""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from datetime import date as Date  # noqa: N812
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

import ridgeline
from ridgeline import catalog
from ridgeline.catalog._store import other_names
from ridgeline.errors import SpecError
from ridgeline.questions.prices import choose_price
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.dtype import Dtype
from ridgeline.specs.record import SourceKind
from ridgeline.units import parse_quantity

CATALOG = Path(ridgeline.__file__).parent / "catalog"
REPOSITORY = Path(__file__).parents[2]
FACTS = REPOSITORY.parent / "shared" / "facts" / "hardware.csv"

CHIP_FILES = sorted((CATALOG / "chips").glob("*.toml"))
CLUSTER_FILES = sorted((CATALOG / "clusters").glob("*.toml"))
GB = 1e9
GIB = 2.0**30


@cache
def raw(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def chips() -> dict[str, Chip]:
    return {path.stem: Chip.parse(raw(path), path.name) for path in CHIP_FILES}


@cache
def clusters() -> dict[str, Cluster]:
    return {
        path.stem: Cluster.parse(
            {**raw(path), "chip": chips()[raw(path)["chip"]].model_dump()}, path.name
        )
        for path in CLUSTER_FILES
    }


@cache
def dtypes() -> dict[str, Dtype]:
    rows = raw(CATALOG.parent / "formats" / "dtypes.toml")["dtype"]
    return {row["id"]: Dtype.parse(row, f"dtypes.toml: {row['id']}") for row in rows}


@cache
def sources() -> dict[str, dict[str, Any]]:
    return raw(CATALOG / "sources.toml")


def folded(name: str) -> str:
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


def names_of(records: dict[str, Any]) -> dict[str, str]:
    """Folded id or alias -> id."""
    return {folded(n): r.id for r in records.values() for n in (r.id, *r.aliases)}


def repeated(records: dict[str, Any]) -> list[str]:
    names = [folded(n) for r in records.values() for n in (r.id, *r.aliases)]
    return [name for name, count in Counter(names).items() if count > 1]


def by_stem(path: Path) -> str:
    return path.stem


each_chip = pytest.mark.parametrize("path", CHIP_FILES, ids=by_stem)
each_cluster = pytest.mark.parametrize("path", CLUSTER_FILES, ids=by_stem)
each_dtype = pytest.mark.parametrize(
    "row", raw(CATALOG.parent / "formats" / "dtypes.toml")["dtype"], ids=lambda row: row["id"]
)

# --------------------------------------------------------------------------------------------
# sources


def test_there_is_a_catalogue():
    assert len(CHIP_FILES) >= 76
    assert len(CLUSTER_FILES) >= len(CHIP_FILES)


def test_sources_are_complete():
    for key, source in sources().items():
        assert key == key.lower(), key
        assert source["title"], key
        assert source["publisher"], key
        assert source["kind"] in get_args(SourceKind), key
        assert len(source["retrieved"]) == 10, key
        assert set(source) <= {"title", "publisher", "date", "retrieved", "kind", "url", "note"}


def test_no_file_names_a_path_on_somebodys_machine():
    absolute = re.compile(r"(?<![\w:/.*])/\w+/\w")
    for path in (*CHIP_FILES, *CLUSTER_FILES, *CATALOG.glob("*.toml")):
        found = absolute.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name} mentions {found}"


def check_sourced(record: Chip | Cluster | Dtype, fields: list[str]) -> None:
    for field in fields:
        assert field in record.sources, f"{record.id}: {field} has no source"
    for field, provenance in record.sources.items():
        where = f"{record.id}: {field}"
        assert provenance.source in sources(), f"{where} cites {provenance.source!r}"
        assert provenance.kind, f"{where} has no kind"


def check_range(record: Chip | Cluster | Dtype, field: str, value: float) -> None:
    provenance = record.sources[field]
    where = f"{record.id}: {field}"
    if provenance.low is not None:
        assert provenance.low <= value * (1 + 1e-9), f"{where} is below its low"
    if provenance.high is not None:
        assert provenance.high >= value * (1 - 1e-9), f"{where} is above its high"


# --------------------------------------------------------------------------------------------
# chips


def chip_numbers(chip: Chip) -> dict[str, float]:
    numbers = {"memory.capacity": chip.memory.capacity, "memory.bandwidth": chip.memory.bandwidth}
    optional = {"memory.usable": chip.memory.usable, "tdp": chip.tdp}
    numbers |= {k: v for k, v in optional.items() if v is not None}
    return numbers | {f"peak.{k}": v for k, v in chip.peak.items()}


@each_chip
def test_chip_parses_and_every_number_has_a_source(path):
    chip = chips()[path.stem]
    assert chip.id == path.stem
    assert chip.vendor
    assert chip.launched
    assert chip.confidence
    assert chip.memory.technology
    numbers = chip_numbers(chip)
    check_sourced(chip, list(numbers))
    for field, value in numbers.items():
        check_range(chip, field, value)


@each_chip
def test_standard_node_of_a_chip_holds_that_chip(path):
    chip = chips()[path.stem]
    assert chip.node in clusters(), f"{chip.id}: no cluster {chip.node!r}"
    assert clusters()[chip.node].chip.id == chip.id


def test_chip_names_are_unique():
    assert repeated(chips()) == []


@each_chip
def test_chip_memory_is_sane(path):
    memory = chips()[path.stem].memory
    # Vendors write GB for GiB: what a program sees may be up to 7.4% above the printed figure.
    if memory.usable is not None:
        assert 0.6 * memory.capacity < memory.usable <= GIB / GB * 1.001 * memory.capacity
    drain_s = memory.capacity / memory.bandwidth
    low, high = DRAIN_S.get(chips()[path.stem].kind, (0.005, 0.1))
    assert low < drain_s < high, "drain time in seconds"


#: time to read all memory once, where it is not that of HBM or GDDR [s]
DRAIN_S = {
    "sram": (1e-6, 1e-5),
    "wafer": (1e-6, 1e-5),
    "local": (0.05, 0.7),  # unified memory of many GB at a few hundred GB/s
    "cpu": (0.5, 2.0),
}
#: TDP that no GPU or accelerator card of its kind has: name and why
ODD_TDP = {"wse-3": "of the whole CS-3", "rubin-ultra": "a package of four dies"}


@each_chip
def test_chip_power_is_plausible(path):
    chip = chips()[path.stem]
    if chip.tdp is None:
        return
    assert 20 <= chip.tdp <= 2500 or chip.id in ODD_TDP
    best = max(chip.peak.values())
    assert 1e10 < best / chip.tdp < 4e13, "FLOP/s per watt"


@each_chip
def test_formats_speed_up_alike_in_one_generation(path):
    """INT8 runs at the rate of FP8, or twice it where GeForce halves FP8."""
    chip = chips()[path.stem]
    if {"int8", "fp8"} <= set(chip.peak) and chip.id not in UNLIKE_INT8:
        ratio = chip.peak["int8"] / chip.peak["fp8"]
        assert ratio == pytest.approx(2.0 if chip.kind == "consumer" else 1.0, rel=0.01)
    if chip.generation == "Ada Lovelace":
        assert chip.peak["fp8"] == pytest.approx(2 * chip.peak["bf16"], rel=0.02)


#: INT8 that is no rate of FP8, and why
UNLIKE_INT8 = {
    "b300-sxm": "INT8 was cut for FP4",
    "gb300": "INT8 was cut for FP4",
    "vr200": "INT8 was cut for FP4",
    "tpu-v6e": "FP8 is emulated at the bf16 rate",
    "inferentia2": "FP8 runs at the bf16 rate",
    "trainium1": "FP8 runs at the bf16 rate",
}


#: FP8 that is not two times bf16, and why
WIDE_FP8 = {
    "trainium3": "MXFP8 is 3.75 times bf16",
    "vr200": "bf16 is recalled, FP8 is half of FP4",
    "maia-200": "bf16 runs on the vector engine",
}


@each_chip
def test_chip_peaks_are_sane(path):
    chip = chips()[path.stem]
    peak = chip.peak
    bf16 = peak.get("bf16")
    if bf16 is None:
        without = {"rubin-cpx", "rubin-ultra", "groq-3-lp30", "tpu-8t", "tpu-8i"}
        assert chip.id in without
        return
    if chip.kind in {"gpu", "tpu", "asic", "consumer"}:
        assert 1 < bf16 / chip.memory.bandwidth < 3000
    if "fp8" in peak and chip.id not in WIDE_FP8:
        assert peak["fp8"] <= 2.05 * bf16
    if "fp4" in peak:
        # FP32 accumulation at half rate makes GeForce's bf16 small; VR200's ratio is announced.
        limit = 9.0 if chip.kind == "consumer" or chip.id in WIDE_FP8 else 6.5
        assert peak["fp4"] <= limit * bf16
    if "fp32" in peak:
        assert peak["fp32"] <= bf16
    if "tf32" in peak:
        assert peak["tf32"] <= bf16


#: TFLOP/s: dense peaks as they must be, beside the sparse headline somebody will want to "correct"
DENSE = [
    ("a100-80gb-sxm", "bf16", 312, 624),
    ("h100-sxm", "bf16", 989.4, 1979),
    ("h100-sxm", "fp8", 1978.9, 3958),
    ("h200-sxm", "fp8", 1978.9, 3958),
    ("l4", "bf16", 121, 242),
    ("l40s", "fp8", 733, 1466),
    ("rtx-5090", "fp4", 1676, 3352),
    ("dgx-spark-gb10", "fp4", 500, 1000),
    ("b200-sxm", "fp4", 9000, 18000),
    ("b200-sxm", "bf16", 2250, 4500),
    ("b300-sxm", "fp4", 13500, 18000),
    ("gb200", "fp4", 10000, 20000),
    ("gb300", "fp4", 15000, 20000),
    ("mi300x", "fp8", 2614.9, 5229.8),
    ("mi355x", "fp4", 10066.3, 20133),
    ("rtx-6000-ada", "fp8", 728.5, 1457),
    ("rtx-5000-ada", "fp8", 522.2, 1044.4),
    ("rtx-4090", "fp8", 330.3, 660.6),
    ("rtx-4080", "fp8", 194.9, 389.9),
    ("h200-nvl", "fp8", 1670.5, 3341),
    ("rtx-pro-6000-max-q", "fp4", 1755.5, 3511),
    ("trainium2", "bf16", 667, 2563),
    ("trainium3", "bf16", 671, 2517),
    ("wse-3", "bf16", 15600, 125000),
]


@pytest.mark.parametrize(("chip", "dtype", "dense", "sparse"), DENSE)
def test_peaks_are_dense(chip, dtype, dense, sparse):
    peak = chips()[chip].peak[dtype]
    assert peak == pytest.approx(dense * 1e12)
    assert peak < 0.8 * sparse * 1e12


def test_gib_is_not_gb():
    assert chips()["tpu-v7"].memory.capacity == 192 * GIB
    assert chips()["tpu-v5p"].memory.capacity == 95 * GIB
    assert chips()["trainium2"].memory.capacity == 96 * GIB
    assert chips()["h200-sxm"].memory.capacity == 141 * GB
    assert chips()["b200-sxm"].memory.usable == pytest.approx(178.35 * GIB)


#: what CUDA, HIP or Metal tells a program, from logs of engines; bytes
SEEN_BY_PROGRAMS = {
    "h100-sxm": 79.18 * GIB,
    "rtx-4090": 25.25 * GB,
    "h200-sxm": 139.81 * GIB,
    "a100-80gb-sxm": 79.14 * GIB,
    "b300-sxm": 267.69 * GIB,
    "gb300": 276.5 * GIB,
    "rtx-5090": 31.37 * GIB,
    "l40s": 44.39 * GIB,
    "mi355x": 287.98 * GIB,
    "mi350x": 287.98 * GIB,
    "apple-m4-max": 115448.73e6,
    "apple-m3-max": 55662.79e6,
    "apple-m3-ultra": 498216.21e6,
    "apple-m1-8c": 12713.12e6,
}


@pytest.mark.parametrize(("chip", "seen"), SEEN_BY_PROGRAMS.items())
def test_usable_memory_is_what_a_program_sees_and_not_what_a_tool_of_the_driver_prints(chip, seen):
    assert chips()[chip].memory.usable == pytest.approx(seen, rel=0.003)


def test_memory_beyond_what_is_installed_is_refused():
    h100 = chips()["h100-sxm"]
    with pytest.raises(SpecError, match="GB or GiB mixed up"):
        h100.replaced({"memory.usable": 1.1 * h100.memory.capacity})


def test_measured_chips_are_found_under_their_slugs():
    slugs = (
        "a10g a100-40gb-sxm a100-80gb-pcie a100-80gb-sxm a40 apple-m1-7c apple-m1-8c apple-m1-max "
        "apple-m1-pro-14c apple-m2-ultra apple-m3-max apple-m3-pro-18c b200-sxm gaudi2 gb200-nvl72 "
        "gb300-nvl72 h100-96gb-hbm2e-500w h100-pcie h100-sxm h20 h200-sxm h800-sxm inferentia2 "
        "intel-max-1550 l40s mi250-gcd mi250x-gcd mi300x mi355x rtx-3070 rtx-3080-10gb rtx-3080-ti "
        "rtx-3090 rtx-3090-ti rtx-4000-ada rtx-4070-ti rtx-4080 rtx-4090 rtx-5000-ada rtx-6000-ada "
        "rtx-a6000 rx-7900-xtx tpu-v5p tpu-v6e trainium1"
    )
    nvl72 = {"gb200-nvl72": "gb200", "gb300-nvl72": "gb300"}
    for slug in slugs.split():
        assert catalog.chip(slug).id == nvl72.get(slug, slug)


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("H100", "h100-sxm"),
        ("h100_sxm", "h100-sxm"),
        ("A100", "a100-80gb-sxm"),
        ("rtx4090", "rtx-4090"),
        ("RTX 4090", "rtx-4090"),
        ("m3-ultra", "apple-m3-ultra"),
        ("tpu7x", "tpu-v7"),
        ("Ironwood", "tpu-v7"),
        ("trn2", "trainium2"),
        ("inf2", "inferentia2"),
        ("GB200 NVL72", "gb200"),
        ("rtx_pro_6000_server", "rtx-pro-6000-server"),
        ("b60", "arc-pro-b60"),
    ],
)
def test_people_find_chips_by_the_names_they_use(name, chip):
    assert catalog.chip(name).id == chip


# --------------------------------------------------------------------------------------------
# clusters


def cluster_numbers(cluster: Cluster) -> dict[str, float]:
    fields = (
        "link", "link_per_peer", "scale_out", "host_link",
        "allin_power_per_chip", "purchase_per_chip",
    )  # fmt: skip
    return {f: v for f in fields if (v := getattr(cluster, f)) is not None}


@each_cluster
def test_cluster_parses_and_every_number_has_a_source(path):
    cluster = clusters()[path.stem]
    assert cluster.id == path.stem
    numbers = cluster_numbers(cluster)
    check_sourced(cluster, list(numbers))
    for field, value in numbers.items():
        check_range(cluster, field, value)


def test_cluster_names_are_unique():
    assert repeated(clusters()) == []


def test_no_name_of_one_kind_shadows_another():
    """A name means a chip, a cluster or a model, and never two of them."""
    models = {
        folded(name)
        for path, others in other_names("models").items()
        for name in (path.stem.replace("__", "/"), *others)
    }
    of_chips, of_clusters = set(names_of(chips())), set(names_of(clusters()))
    assert of_chips & of_clusters == set()
    assert (of_chips | of_clusters) & models == set()


@pytest.mark.parametrize(
    ("name", "n_chips"), [("gb200-nvl72", 72), ("GB300 NVL72", 72), ("dgx-spark", 1)]
)
def test_the_name_of_a_rack_means_the_rack(name, n_chips):
    named = catalog.machine_named(name)
    assert not named.is_chip
    assert named.cluster.n_chips == n_chips
    assert catalog.chip(name) == named.cluster.chip


@each_cluster
def test_cluster_links_are_sane(path):
    cluster = clusters()[path.stem]
    if cluster.domain_size == 1:
        assert cluster.fabric == "none"
        assert cluster.link is None
        return
    assert cluster.link is not None
    assert cluster.fabric_name
    # Links are faster than the network and slower than memory.
    assert cluster.link < cluster.chip.memory.bandwidth
    if cluster.scale_out is not None:
        assert cluster.scale_out <= 2 * cluster.link
    neighbours_only = cluster.fabric in {"mesh", "torus"}
    assert (cluster.link_per_peer is not None) >= neighbours_only, "a mesh is not a switch"
    if cluster.fabric == "switch":
        assert cluster.link_per_peer is None


#: one-way GB/s of one chip, and to one peer
ONE_WAY = [
    ("hgx-a100-80gb", 300, None),
    ("hgx-h100", 450, None),
    ("hgx-h800", 200, None),
    ("hgx-h200", 450, None),
    ("hgx-b200", 900, None),
    ("gb200-nvl72", 900, None),
    ("gb300-nvl72", 900, None),
    ("vr200-nvl72", 1800, None),
    ("mi300x-8", 448, 64),
    ("mi355x-8", 537.6, 76.8),
    ("gaudi3-8", 525, 75),
    ("h100-nvl-pair", 300, None),
    ("h100-nvl-8", 300, None),
    ("h200-nvl-pair", 450, None),
    ("h200-nvl-4", 450, 150),
    ("h200-nvl-8", 450, 150),
    ("tpu-v5e-pod", 200, 50),
    ("tpu-v5p-pod", 600, 100),
    ("tpu-v6e-pod", 400, 100),
    ("tpu-v7-pod", 600, 100),
    ("trn2-ultraserver", 640, 128),
]


@pytest.mark.parametrize(("name", "link", "per_peer"), ONE_WAY)
def test_links_are_one_way(name, link, per_peer):
    cluster = clusters()[name]
    assert cluster.link == pytest.approx(link * GB)
    expected = None if per_peer is None else pytest.approx(per_peer * GB)
    assert cluster.link_per_peer == expected


@each_cluster
def test_cluster_power_and_purchase_are_sane(path):
    cluster = clusters()[path.stem]
    if cluster.allin_power_per_chip is not None and cluster.chip.tdp is not None:
        assert 1.2 < cluster.allin_power_per_chip / cluster.chip.tdp < 3
    if cluster.purchase_per_chip is not None:
        assert 1e3 <= cluster.purchase_per_chip <= 5e6
        assert cluster.sources["purchase_per_chip"].kind == "estimate"


@each_cluster
def test_prices_are_sane_and_sourced(path):
    for price in clusters()[path.stem].prices:
        where = f"{path.stem}: {price.basis} of {price.date}"
        assert price.source in sources(), f"{where} cites {price.source!r}"
        assert price.kind, where
        assert price.date >= "2020", where
        assert Date.fromisoformat(f"{price.date}-01-01"[:10]) <= Date.today(), where
        assert not price.source.startswith("recalled") or price.is_recalled, where
        assert 0.05 <= price.usd_per_chip_hour <= 50, where
        low, high = price.low, price.high
        assert low is None or 0.05 <= low <= price.usd_per_chip_hour, where
        assert high is None or price.usd_per_chip_hour <= high <= 50, where


@each_cluster
def test_commitments_are_cheaper_than_no_commitment(path):
    """Of a list, three years cost less than an hour; and so do the newest prices of each basis."""
    cluster = clusters()[path.stem]
    newest = {p.basis: p for p in sorted(cluster.prices, key=lambda p: p.date)}
    hour = newest.get("on-demand")
    for basis in ("rental-3yr", "contract", "own-tco-hyperscaler", "own-tco-neocloud"):
        if hour is not None and basis in newest:
            assert newest[basis].usd_per_chip_hour < hour.usd_per_chip_hour, basis


@pytest.mark.parametrize(
    ("machine", "usd_per_hour", "n_chips"),
    [("inf2-48xlarge", 12.98, 12), ("gb200-nvl72", 9.08, 2), ("trn1-32xlarge", 21.50, 16)],
)
def test_prices_are_per_chip(machine, usd_per_hour, n_chips):
    price = choose_price(clusters()[machine], "on-demand")
    assert price is not None
    assert price.usd_per_chip_hour == pytest.approx(usd_per_hour / n_chips, rel=0.01)


def test_bridges_join_few_cards_and_pcie_the_rest():
    for name, bridged in (("h100-nvl-8", 2), ("h200-nvl-8", 4), ("h200-nvl-4x2", 2)):
        cluster = clusters()[name]
        assert (cluster.n_chips, cluster.domain_size) == (8, bridged)
        assert cluster.scale_out is not None
        assert cluster.link is not None
        assert cluster.scale_out < cluster.link / 4
        assert cluster.scale_out_kind == "pcie"
    for name in ("h100-nvl-pcie", "h200-nvl-pcie"):
        cluster = clusters()[name]
        assert (cluster.domain_size, cluster.fabric, cluster.link) == (8, "pcie", 64 * GB)


def test_h100_prices_keep_their_history():
    series = {(p.basis, p.date): p.usd_per_chip_hour for p in clusters()["hgx-h100"].prices}
    assert series["on-demand", "2024-10"] == 2.99
    assert series["contract", "2025-10"] == 1.70
    assert series["contract", "2026-03"] == 2.35
    assert series["spot", "2026-06"] == 2.60
    assert series["on-demand", "2026-05-20"] == 2.95


# --------------------------------------------------------------------------------------------
# dtypes


@each_dtype
def test_dtype_parses_and_is_sourced(row):
    dtype = Dtype.parse(row, row["id"])
    check_sourced(dtype, ["bits"])
    check_range(dtype, "bits", dtype.bits)
    assert 1 <= dtype.bits <= 32


def test_dtype_names_are_unique():
    assert repeated(dtypes()) == []


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("bfloat16", 16),
        ("half", 16),
        ("float8_e4m3fn", 8),
        ("fp8_block", 8 + 32 / 128**2),
        ("nvfp4", 4 + 8 / 16),
        ("mxfp4", 4 + 8 / 32),
        ("mxfp8", 8 + 8 / 32),
        ("awq", 4 + 16 / 128),
        ("int4-g32", 4 + 16 / 32),
        ("q4_0", 18 * 8 / 32),
        ("q8_0", 34 * 8 / 32),
        ("q2_k_block", 84 * 8 / 256),
        ("q3_k", 110 * 8 / 256),
        ("q4_k", 144 * 8 / 256),
        ("q5_k", 176 * 8 / 256),
        ("q6_k", 210 * 8 / 256),
        ("iq2_xs", 74 * 8 / 256),
        ("iq4_xs", 136 * 8 / 256),
    ],
)
def test_bits_follow_from_the_block_layout(name, bits):
    assert dtypes()[names_of(dtypes())[folded(name)]].bits == pytest.approx(bits)


def test_gguf_mixes_lie_above_the_block_they_are_named_after():
    for mix, block in (("q3_k_m", "q3_k"), ("q4_k_s", "q4_k"), ("q4_k_m", "q4_k_s")):
        assert dtypes()[mix].bits > dtypes()[block].bits


# --------------------------------------------------------------------------------------------
# against the table the catalogue was written from

#: (chip, column): why the catalogue departs from the table
DEPARTURES = {
    ("h100-nvl", "scaleout_uni_gbps_per_dev"): "50 is the server's network; pairs meet on its bus",
    ("trainium1", "scaleout_uni_gbps_per_dev"): "12.5 is trn1n; trn1 has 800 Gbit/s for 16 chips",
    ("rtx-pro-6000-server", "mem_bw_gbps"): "1792 is the Workstation Edition; kernels confirm 1597",
    (
        "inferentia2",
        "rental_usd_h_typical",
    ): "of inf2.xlarge; inf2.48xlarge is 12.98 / 12",
}
#: the table counts these as one domain; the standard node is a single machine
ONE_MACHINE = {"dgx-spark-gb10", "apple-m3-ultra", "wse-3"}

RATES = {
    "scaleout_uni_gbps_per_dev": "scale_out",
    "host_link_uni_gbps": "host_link",
}


def facts() -> list[Any]:
    if not FACTS.is_file():
        skip = pytest.mark.skip(reason="the table of collected facts is not at hand")
        return [pytest.param({"name": "no table"}, marks=skip)]
    with FACTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chip_of(row: dict[str, str]) -> Chip:
    return catalog.chip(row["name"].partition("(")[0].partition("/")[0].strip())


each_fact = pytest.mark.parametrize("row", facts(), ids=lambda row: row["name"])


@pytest.mark.skipif(not FACTS.is_file(), reason="the table of collected facts is not at hand")
def test_every_chip_of_the_table_is_here():
    assert len({chip_of(row).id for row in facts()}) == len(facts())


@each_fact
def test_chip_agrees_with_the_table(row):
    chip = chip_of(row)
    assert chip.launched == row["launch"].partition(" ")[0]
    assert chip.confidence == {"med": "medium"}.get(row["confidence"], row["confidence"])
    for dtype in ("fp32", "tf32", "bf16", "fp8", "fp4", "int8"):
        column = f"{dtype}_tops" if dtype == "int8" else f"{dtype}_tflops"
        if row[column]:
            assert chip.peak[dtype] == pytest.approx(float(row[column]) * 1e12), dtype
    if row["tdp_w"]:
        assert chip.tdp == pytest.approx(float(row["tdp_w"]))
    bandwidth = float(row["mem_bw_gbps"]) * GB
    if (chip.id, "mem_bw_gbps") not in DEPARTURES:
        assert chip.memory.bandwidth == pytest.approx(bandwidth, rel=0.001)


@each_fact
def test_memory_agrees_with_the_table_in_gb_or_gib(row):
    memory = chip_of(row).memory
    spec = float(row["mem_gb_spec"])
    assert memory.capacity in (pytest.approx(spec * GB), pytest.approx(spec * GIB))
    # Apple's limits rose with macOS 15, which the table does not have.
    if row["mem_gb_usable"] and row["vendor"] != "Apple":
        seen = memory.usable or memory.capacity
        usable = float(row["mem_gb_usable"])
        # The table's "usable" is now GB, now the GiB that nvidia-smi prints.
        assert seen in (
            pytest.approx(usable * GB, rel=0.025),
            pytest.approx(usable * GIB, rel=0.025),
        )


@each_fact
def test_node_agrees_with_the_table(row):
    chip = chip_of(row)
    node = clusters()[chip.node]
    domain = int(row["scaleup_domain"])
    assert node.domain_size == (1 if chip.id in ONE_MACHINE else domain)
    if node.domain_size > 1 and row["scaleup_uni_gbps_per_dev"]:
        link = float(row["scaleup_uni_gbps_per_dev"]) * GB
        assert node.link == pytest.approx(link)
    for column, field in RATES.items():
        if row[column] and (chip.id, column) not in DEPARTURES:
            assert getattr(node, field) == pytest.approx(float(row[column]) * GB), field
    if row["allin_kw_per_dev"]:
        watts = parse_quantity(f"{row['allin_kw_per_dev']} kW", "W")
        assert node.allin_power_per_chip == pytest.approx(watts)


@each_fact
def test_prices_agree_with_the_table(row):
    prices = clusters()[chip_of(row).node].prices
    bases = {
        "own_tco_usd_h_hyperscaler": "own-tco-hyperscaler",
        "own_tco_usd_h_neocloud": "own-tco-neocloud",
        "rental_usd_h_3yr_semianalysis": "rental-3yr",
    }
    for column, basis in bases.items():
        if row[column]:
            found = [p.usd_per_chip_hour for p in prices if p.basis == basis]
            assert found == [pytest.approx(float(row[column]))], basis
    column = "rental_usd_h_typical"
    if row[column] and (chip_of(row).id, column) not in DEPARTURES:
        typical = float(row[column])
        assert any(p.usd_per_chip_hour == pytest.approx(typical) for p in prices)
    assert bool(prices) == any(row[c] for c in ("rental_usd_h_typical", *bases))


# --------------------------------------------------------------------------------------------
# everything that says where it comes from


def cited(value: Any, path: str) -> list[tuple[str, str]]:
    """Every ``source`` of raw data with its path."""
    if isinstance(value, list):
        return [c for i, item in enumerate(value) for c in cited(item, f"{path}.{i}")]
    if not isinstance(value, dict):
        return []
    own = [(path, value["source"])] if isinstance(value.get("source"), str) else []
    return own + [c for key, item in value.items() for c in cited(item, f"{path}.{key}")]


@pytest.mark.parametrize("kind", ["chips", "clusters", "racks"])
def test_every_source_is_in_the_list(kind):
    found = [c for p in (CATALOG / kind).glob("*.toml") for c in cited(raw(p), p.stem)]
    assert len(found) > 30
    assert [c for c in found if c[1] not in sources()] == []


def test_every_number_of_a_rack_has_a_source():
    for rack in catalog.racks():
        numbers = [n for n, v in rack.model_dump().items() if isinstance(v, int | float)]
        assert [n for n in numbers if n not in rack.sources] == [], rack.id


def test_every_group_of_fitted_constants_says_what_it_was_fitted_to():
    for path in (CATALOG / "constants").rglob("*.toml"):
        groups = [g for part in raw(path).values() if isinstance(part, dict) for g in part.values()]
        assert groups, path.name
        assert all(g["source"] and g["date"] for g in groups), path.name
