"""Other tools on the same inputs: where we stand beside them, and what physics forbids.

`peer_numbers.csv` holds what they said, with version and date.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import ridgeline as rl
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.energy import energy_per_token_j

with (Path(__file__).parent / "peer_numbers.csv").open(newline="") as lines:
    ROWS = list(csv.DictReader(lines))

LATENCIES = [r for r in ROWS if r["quantity"] == "mean inter-token latency"]


def ours(row: dict[str, str], reading: str = "calibrated") -> float:
    """Our time between tokens on the same inputs. [ms]"""
    answer = rl.layouts(
        row["model"],
        row["chip"],
        chips=1,
        isl=float(row["isl"]),
        osl=float(row["osl"]),
        batch=[float(row["in_flight"])],
        reading=reading,
    )
    return answer.best["tpot_s"] * 1e3


def test_every_number_says_whose_and_when() -> None:
    for row in ROWS:
        assert row["peer"]
        assert float(row["value"]) > 0
        assert "20" in row["source"]


@pytest.mark.parametrize("row", LATENCIES, ids=lambda r: f"{r['peer']}-{r['in_flight']}")
def test_inter_token_latency(row: dict[str, str]) -> None:
    """Near the tools that know kernels; those on datasheets alone are a good deal faster."""
    peer, mine = float(row["value"]), ours(row)
    if row["kind"] == "datasheet roofline":
        assert mine > 1.15 * peer
    else:
        assert peer / 1.5 < mine < peer * 1.5


def test_one_peer_is_below_the_floor_of_memory() -> None:
    """Reading 15 GB of weights at 3.35 TB/s takes 4.5 ms; no step of one H100 is shorter."""
    few = [r for r in LATENCIES if r["in_flight"] == "7"]
    floor = ours(few[0], "ideal")
    assert floor == pytest.approx(4.6, abs=0.3)
    assert [r["peer"] for r in few if float(r["value"]) < floor] == ["BLIS roofline"]


def test_dollars_and_joules_as_inferencex_counts_them() -> None:
    """$/Mtok = $/GPU-h x 1e6 / (tok/s/GPU x 3600); J/token = kW x 1000 / (tok/s/GPU)."""
    rate = 1500.0
    assert cost_usd_per_mtok(1.0, rate, 2.21, 1) == pytest.approx(2.21 * 1e6 / (rate * 3600))
    assert energy_per_token_j(2100.0, rate) == pytest.approx(2.10 * 1000 / rate)
    for row in (r for r in ROWS if r["quantity"] == "all-in power"):
        power = rl.cluster(row["chip"]).allin_power_per_chip
        assert power == pytest.approx(float(row["value"]) * 1e3)
    for row in (r for r in ROWS if r["quantity"].startswith("price of a chip-hour")):
        basis = f"own-tco-{row['quantity'].split('(')[1].rstrip(')')}"
        prices = [p for p in rl.cluster(row["chip"]).prices if p.basis == basis]
        assert any(p.usd_per_chip_hour == pytest.approx(float(row["value"])) for p in prices)
