"""Which prices machines are compared at, what is said of them, and prices of one's own."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.cli import main
from ridgeline.errors import SpecError
from ridgeline.questions.prices import choose_price, price_words, prices_of
from ridgeline.specs.choices import PriceChoice
from ridgeline.specs.price import Price
from ridgeline.specs.price_list import PriceList

RENTS = """
[[rent]]
machine = "h200-sxm"
usd_per_chip_hour = 3.1
date = 2026-11-20
source = "a quote"

[[rent]]
machine = "hgx-h200"
usd_per_chip_hour = "$2.90/h"
basis = "contract"
date = "2025-06"
source = "our contract"
"""


def clusters(*names: str) -> list[rl.Cluster]:
    return [catalog.cluster(name) for name in names]


def asked(name: str, **options: Any) -> Any:
    return rl.serving("Qwen/Qwen3-8B", name, reading="blackboard", batch=[64], **options)


# ---- one basis for all


def bases(*names: str, **choice: Any) -> list[str | None]:
    found = prices_of(clusters(*names), PriceChoice(**choice))
    return [p.basis if p else None for p in found.prices]


def test_machines_are_compared_on_the_most_usual_basis_that_all_have() -> None:
    assert bases("hgx-b200") == ["on-demand"]
    assert bases("hgx-b200", "hgx-b300") == ["rental-3yr", "rental-3yr"]
    found = prices_of(clusters("hgx-b200", "hgx-b300"))
    assert found.comparable
    assert "rental-3yr, the most usual basis that both" in found.notes[0]


def test_prices_come_from_one_list_where_it_has_all_machines() -> None:
    hopper = prices_of(clusters("hgx-h100", "hgx-h200"))
    assert {p.source for p in hopper.prices if p} == {"mercatus-gpu-pricing"}
    blackwell = prices_of(clusters("hgx-h200", "hgx-b200", "gb200-nvl72"))
    assert {p.source for p in blackwell.prices if p} == {"spheron"}
    assert "from one list" in blackwell.notes[0]


def test_a_basis_that_some_lack_falls_back_and_ranks_nothing() -> None:
    found = prices_of(clusters("hgx-h100", "hgx-b300"), PriceChoice(basis="spot"))
    assert [p.basis for p in found.prices if p] == ["spot", "rental-3yr"]
    assert not found.comparable
    assert "HGX B300, 8 GPUs has no spot price; rental-3yr is shown" in found.notes[0]
    with pytest.raises(SpecError, match="None of the machines has a contract price"):
        prices_of(clusters("hgx-b200", "hgx-b300"), PriceChoice(basis="contract"))
    with pytest.raises(SpecError, match="HGX B300, 8 GPUs has no spot price; it has rental-3yr"):
        prices_of(clusters("hgx-b300"), PriceChoice(basis="spot"))


def test_no_common_basis_or_no_price_ranks_nothing() -> None:
    apart = prices_of(clusters("hgx-a100-80gb", "rtx-4090"))
    assert not apart.comparable
    assert "No basis of price is known for all machines" in apart.notes[0]
    unknown = prices_of(clusters("hgx-h100", "a40"))
    assert not unknown.comparable
    assert unknown.prices[1] is None
    assert "No price is known for Server with 8 A40" in unknown.notes[0]


def test_a_price_given_is_everybodys() -> None:
    found = prices_of(clusters("hgx-h100", "a40"), PriceChoice(usd_per_chip_hour=2.0))
    assert [p.usd_per_chip_hour for p in found.prices if p] == [2.0, 2.0]
    assert found.comparable


def test_a_winner_by_a_recalled_price_says_so() -> None:
    found = prices_of(clusters("hgx-h100", "mi300x"))
    assert found.comparable
    assert "On the basis rental-3yr all prices were read." in found.notes[-1]
    words = rl.compare([asked("hgx-h100"), asked("mi300x")]).sentence()
    assert "MI300X" in words
    assert "at a price that is recalled and on no list" in words


def test_a_comparison_across_bases_ranks_by_throughput() -> None:
    answers = [asked("hgx-h100"), asked("hgx-b300")]
    rows = rl.compare(answers)
    assert {row["price_basis"] for row in rows} == {"on-demand", "rental-3yr"}
    assert rows[0]["tokens_per_s_per_chip"] >= rows[1]["tokens_per_s_per_chip"]
    assert "dollars do not rank" in rows.sentence()


def test_a_sweep_over_machines_has_dollars_of_one_basis_only() -> None:
    def cost(*names: str) -> list[float]:
        axes = {"cluster": list(names), "load.batch": [8.0]}
        found = rl.sweep("Qwen/Qwen3-0.6B", names[0], axes, reading="ideal")
        return [float(v) for v in found["usd_per_mtok_output"].ravel()]

    assert all(math.isnan(v) for v in cost("hgx-a100-80gb", "rtx-4090"))
    alone = cost("hgx-b200")[0]  # on demand; beside B300, which has none, on a contract
    assert cost("hgx-b200", "hgx-b300")[0] == pytest.approx(alone * 2.90 / 6.03)


# ---- words and age


def test_recalled_and_old_prices_say_so() -> None:
    assert price_words(choose_price(catalog.cluster("hgx-b200"))) == (
        "$6.03 per chip-hour (on-demand, 2026-03-17)"
    )
    recalled = price_words(choose_price(catalog.cluster("mi300x")))
    assert recalled == "$1.99 per chip-hour (on-demand, recalled 2026-11 and on no list)"
    old = Price(usd_per_chip_hour=1.7, basis="contract", date="2025-10")
    assert price_words(old).endswith("(contract, 2025-10, more than a year old)")
    assert price_words(Price(usd_per_chip_hour=2.0)) == "$2.00 per chip-hour (as given)"


@pytest.mark.parametrize(
    ("dated", "first_old_day"),
    [
        ("2025-03-17", date(2026, 3, 18)),
        ("2025-03", date(2026, 4, 1)),
        ("2025", date(2027, 1, 1)),
    ],
)
def test_a_price_is_old_when_it_must_be_more_than_a_year(dated: str, first_old_day: date) -> None:
    price = Price(usd_per_chip_hour=1.0, date=dated)
    assert price.is_old(first_old_day)
    assert not price.is_old(date.fromordinal(first_old_day.toordinal() - 1))


def test_what_is_old_depends_on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    price = Price(usd_per_chip_hour=1.0, basis="spot", date="2026-03-17")
    monkeypatch.setenv("RIDGELINE_TODAY", "2027-03-18")
    assert "more than a year old" in price_words(price)
    monkeypatch.setenv("RIDGELINE_TODAY", "tomorrow")
    with pytest.raises(SpecError, match="RIDGELINE_TODAY: a date such as 2026-11-27"):
        price_words(price)


@pytest.mark.parametrize("dated", ["yesterday", "2026-13", "26", "2026-02-30", True])
def test_dates_of_prices_are_dates(dated: Any) -> None:
    with pytest.raises(SpecError, match="a date such as 2026-11-27"):
        Price.parse({"usd_per_chip_hour": 1, "date": dated}, "price")


def test_every_recalled_price_of_the_catalogue_is_marked_in_answers() -> None:
    found = [choose_price(catalog.cluster(n)) for n in catalog.entry_ids("clusters")]
    recalled = [p for p in found if p is not None and p.source.startswith("recalled")]
    assert len(recalled) > 20
    assert all("recalled" in price_words(p) for p in recalled)


# ---- prices of one's own


@pytest.fixture
def rents(tmp_path: Path) -> Path:
    path = tmp_path / "rents.toml"
    path.write_text(RENTS, encoding="utf-8")
    return path


def test_own_rents_come_before_the_catalogues(rents: Path) -> None:
    price = asked("hgx-h200", prices=str(rents)).price
    assert (price.usd_per_chip_hour, price.basis, price.source) == (3.1, "on-demand", "a quote")
    assert price_words(price).endswith("(on-demand, 2026-11-20, as given)")
    contract = asked("hgx-h200", prices=rents, basis="contract").price
    assert contract.usd_per_chip_hour == 2.9
    assert asked("hgx-h100", prices=rents).price == choose_price(catalog.cluster("hgx-h100"))


def test_a_rent_of_a_cluster_hides_that_of_its_chip() -> None:
    listed = [
        {"machine": "h200", "usd_per_chip_hour": 3, "date": "2026-11", "source": "a"},
        {"machine": "hgx-h200", "usd_per_chip_hour": 2, "date": "2026-10", "source": "b"},
    ]
    assert asked("hgx-h200", prices=listed).price.usd_per_chip_hour == 2
    assert asked("h200-sxm", prices=listed[:1]).price.usd_per_chip_hour == 3


def test_own_rents_decide_the_basis_of_a_comparison() -> None:
    spot = [
        {"machine": m, "usd_per_chip_hour": 1, "basis": "spot", "date": "2026-11", "source": "x"}
        for m in ("h100-sxm", "b300-sxm")
    ]
    found = prices_of(clusters("hgx-h100", "hgx-b300"), PriceChoice(prices=PriceList.of(spot)))
    assert [p.usd_per_chip_hour for p in found.prices if p] == [1, 1]
    assert found.comparable


def test_a_scenario_keeps_its_prices() -> None:
    listed = [{"machine": "h100", "usd_per_chip_hour": 3, "date": "2026", "source": "a"}]
    scenario = rl.Scenario.of("Qwen/Qwen3-8B", "h100", prices=listed)
    assert rl.Scenario.from_dict(scenario.to_dict()) == scenario
    assert rl.Scenario.of("Qwen/Qwen3-8B", "h100", **scenario.options()) == scenario


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"machine": "h200sxn"}, r"rent 1: There is no chip .* Did you mean 'h200-sxm'"),
        ({"usd_per_chip_hour": -3}, "rent 1, usd_per_chip_hour: -3 is not positive"),
        ({"date": "2099-01"}, "2099-01 has not come yet"),
        ({"date": ""}, "a date such as 2026-11-27"),
        ({"basis": "spott"}, "Did you mean 'spot'"),
        ({"source": ""}, "where the price was read is expected"),
        ({"low": 9}, "low is above the price"),
        ({"prize": 1}, "rent 1, prize: there is no such field"),
    ],
)
def test_a_wrong_rent_is_named(change: dict[str, Any], says: str) -> None:
    rent = {"machine": "h200", "usd_per_chip_hour": 3, "date": "2026-11", "source": "a"}
    with pytest.raises(SpecError, match=says) as caught:
        asked("h200", prices=[rent | change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rents]]\n", "there is no rents in a list of prices. Did you mean 'rent'"),
        ("rent = 5\n", "a list of rents is expected"),
        ("[[rent\n", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "rents.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=rf"rents\.toml.*{says}"):
        PriceList.of(path)
    with pytest.raises(SpecError, match="there is no such file"):
        PriceList.of(tmp_path / "none.toml")


COMMANDS = [
    "serving Qwen/Qwen3-8B --on hgx-h200 --reading blackboard --batch 64",
    "serving Qwen/Qwen3-8B --on hgx-h200,hgx-h100 --reading blackboard --batch 64",
    "layouts Qwen/Qwen3-0.6B --on hgx-h200 --isl 512 --osl 64 --tp 8 --reading ideal",
    "design --on hgx-h200 --tpot 20ms --context 8k --sparsity 4",
    "tiers Qwen/Qwen3-8B --on hgx-h200 --reading blackboard",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_take_a_file_of_prices(
    command: str, rents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*command.split(), "--prices", str(rents)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "$3.10 per chip-hour (on-demand, 2026-11-20, as given)" in shown
