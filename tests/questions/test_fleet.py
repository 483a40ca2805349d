"""The fewest chips for a rate: checked against the service itself, and by looking at everything."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.layouts import fleet_words
from ridgeline.questions.layouts.fleet import Fleet, fleet_at, fleets
from ridgeline.questions.layouts.fleet import size_fleet as fleet
from ridgeline.questions.layouts.fleet_compare import compare_fleets
from ridgeline.questions.layouts.fleet_option import FleetOption
from ridgeline.questions.layouts.fleet_search import FleetSearch, fleet_search
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.replica import Replica
from ridgeline.service.deployment import Deployment, steady
from ridgeline.service.fleet import LONG_RUN, Miss
from ridgeline.service.performance import Performance
from ridgeline.specs.layout import Layout
from ridgeline.specs.price import Price
from ridgeline.specs.scenario import Scenario
from ridgeline.specs.workload import Workload

EXACT = 1e-9
PRICE = Price(usd_per_chip_hour=2.5, date="2026-01-01")


def base(model: str, cluster: str, **more: Any) -> Replica:
    return Replica(rl.model(model), rl.cluster(cluster), Layout(), **more)


def load(**given: Any) -> Workload:
    return Workload.parse({"isl": 1024, "osl": 512} | given, "load")


SMALL = base("meta-llama/Llama-3.1-8B-Instruct", "hgx-h100")
LARGE = base("meta-llama/Llama-3.1-70B-Instruct", "hgx-h100")
SPARSE = base("openai/gpt-oss-120b", "hgx-h100")
LATENT = base("deepseek-ai/DeepSeek-V3", "gb200-nvl72")
TAILS = {"ttft": "p99<400 ms", "tpot": "p90<18 ms", "e2e": "p50<9 s"}

CASES = {
    "default": (SMALL, load(rate=60)),
    "tails": (SMALL, load(rate=60, limits=TAILS)),
    "TP": (LARGE, load(rate=25, limits={"ttft": "p99<1s", "tpot": "40 ms"})),
    "no headroom": (LARGE, load(rate=25, headroom=0)),
    "MoE": (SPARSE, load(rate=80, limits={"tpot": "p99<20 ms"})),
    "MLA": (LATENT, load(isl=4096, osl=1024, rate=60)),
    "tokens": (SMALL, load(rate="30k tok/s")),
    "lengths": (SMALL, load(rate=60, isl="256:4k", osl="64:1k", limits={"e2e": "p99<60s"})),
    "drafts": (LARGE, load(rate=25, drafts=2, acceptance=0.7, prefix_hit=0.5)),
    "ideal": (replace(LARGE, reading="ideal"), load(rate=25)),
}


@pytest.fixture(scope="module", params=CASES)
def answer(request: pytest.FixtureRequest) -> Fleet:
    return fleet(*CASES[request.param], price=PRICE)


def of_the_service(found: Fleet, option: FleetOption) -> Performance:
    return steady(found.deployment(option), found.workload(option))


def allowed(workload: Workload, found: Performance, rate: float) -> bool:
    """Independently of the code under test: limits, and the share of the capacity."""
    if rate > found.capacity_per_s * workload.utilization_target * (1 + EXACT):
        return False
    return all(
        found.statistic(name, limit.statistic) <= limit.seconds * (1 + EXACT)
        for name, limit in workload.limits.items()
    )


# --- the fleet and the service say the same


def test_the_fleet_is_what_the_service_says_and_holds(answer: Fleet) -> None:
    workload = answer.workload()
    found = of_the_service(answer, answer.best)
    assert answer.best.misses == ()
    assert allowed(workload, found, answer.rate_per_s)
    for metric in ("ttft", "tpot", "e2e"):
        for name in ("mean", "p50", "p90", "p99"):
            own = answer.performance.statistic(metric, name)
            assert own == pytest.approx(float(found.statistic(metric, name)), rel=EXACT)
    for name in ("requests_per_s", "capacity_per_s", "n_live", "slots", "utilization"):
        own = float(getattr(answer.performance, name))
        assert own == pytest.approx(float(getattr(found, name)), rel=EXACT)
    assert float(found.requests_per_s) == pytest.approx(answer.rate_per_s, rel=EXACT)
    assert answer.n_chips == math.prod(
        getattr(answer.layout, n) for n in ("replicas", "pp", "attn_dp", "tp")
    )


def test_smaller_fleets_miss_what_they_say(answer: Fleet) -> None:
    sizes = [option.n_chips for option in (answer.best, *answer.smaller)]
    assert sizes == sorted(set(sizes), reverse=True)
    assert len(answer.smaller) <= 3
    for option in answer.smaller:
        assert option.misses
        assert option.rate_per_s <= answer.rate_per_s * (1 + EXACT)
        found = of_the_service(answer, option)
        assert not allowed(answer.workload(option), found, option.rate_per_s)
        saturated = option.rate_per_s > float(found.capacity_per_s)
        assert saturated == option.is_saturated
        for miss in option.misses:
            if miss.metric == "utilization":
                value, limit = (
                    option.rate_per_s / found.capacity_per_s,
                    1 - answer.search.workload.headroom,
                )
            else:
                value = found.statistic(miss.metric, miss.statistic)
                limit = getattr(answer.search.workload.limits, miss.metric).seconds
            assert miss.limit == pytest.approx(limit, rel=EXACT)
            assert value > limit
            if not (saturated and miss.metric in ("ttft", "e2e")):
                assert miss.value == pytest.approx(float(value), rel=EXACT)


@pytest.mark.parametrize(
    ("model", "workload", "most"),
    [
        (SMALL, load(rate=60), 16),
        (SMALL, load(rate=60, limits={"ttft": "p99<400 ms", "tpot": "p90<18 ms"}), 16),
        (SMALL, load(rate=20, limits={"tpot": "p90<4 ms"}), 16),
        (LARGE, load(rate=7, limits={"ttft": "300 ms", "tpot": "p99<40 ms"}), 16),
        (SPARSE, load(rate=30, limits={"ttft": "p90<200 ms", "tpot": "9 ms"}), 16),
    ],
    ids=["default", "tails", "fast", "large", "sparse"],
)
def test_nothing_smaller_holds(model: Replica, workload: Workload, most: int) -> None:
    rate = workload.rate_per_s
    assert rate is not None
    answer = fleet(model, workload)
    assert answer.n_chips <= most
    one, _ = legal_layouts(model.model, [1, 2, 4, 8], whole=False)
    held: dict[tuple[int, ...], float] = {}
    for layout in one:
        chips = layout.pp * layout.attn_dp * layout.tp
        alone = replace(model, layout=layout)
        for n in range(1, most // chips + 1):
            used = Deployment(replace(alone, layout=layout.model_copy(update={"replicas": n})))
            run = workload.model_copy(update={"n_requests": LONG_RUN * n})
            found = steady(used, run)
            if found.slots >= n and allowed(workload, found, rate):
                held[(n * chips, n, layout.pp, layout.attn_dp, layout.tp, layout.ep)] = float(
                    found.tpot_s
                )
    fewest = min(n_chips for n_chips, *_ in held)
    assert answer.n_chips == fewest
    fastest = min(tpot for (n_chips, *_), tpot in held.items() if n_chips == fewest)
    assert answer.performance.tpot_s == pytest.approx(fastest, rel=EXACT)


# --- how it moves


@pytest.mark.parametrize("model", [SMALL, SPARSE, LATENT], ids=["dense", "sparse", "latent"])
def test_more_requests_never_take_fewer_chips(model: Replica) -> None:
    search = fleet_search(model, load(limits={"ttft": "p99<1 s"}))
    rates = np.geomspace(0.01, 500, 60)
    rows = search.against(rates)
    chips = [row["n_chips"] for row in rows]
    assert chips == sorted(chips)
    assert chips[0] < chips[-1]
    for i in (0, 20, 40, 59):  # one at a time it is the same
        found = fleet_at(search, rates[i])
        assert (found.n_chips, found.layout.replicas) == (chips[i], rows[i]["replicas"])
        assert found.to_dict()["fleet"]["layout"] == rows[i]["layout"]


@pytest.mark.parametrize("metric", ["ttft", "tpot", "e2e"])
def test_tighter_limits_never_take_fewer_chips(metric: str) -> None:
    loose = {"ttft": 2.0, "tpot": 0.05, "e2e": 30.0}
    before = 0
    for share in (1.0, 0.5, 0.3, 0.2):
        for statistic in ("mean", "p90", "p99"):
            limit = f"{statistic}<{loose[metric] * share} s"
            found = fleet(SMALL, load(rate=100, limits=loose | {metric: limit}))
            now = math.inf if found.chosen is None else found.n_chips
            if statistic == "mean":
                mean = now
                assert now >= before
                before = now
            else:
                assert now >= mean  # pyright: ignore[reportPossiblyUnboundVariable]


def test_headroom_takes_chips() -> None:
    none, some = (fleet(LARGE, load(rate=50, headroom=h)) for h in (0.0, 0.2))
    assert some.n_chips > none.n_chips
    assert some.performance.utilization <= 0.8 * (1 + EXACT)
    assert some.performance.utilization < none.performance.utilization <= 1
    assert "capacity free" in some.sentences()[0]
    assert "capacity free" not in none.sentences()[0]


def test_a_rate_in_tokens_is_one_in_requests() -> None:
    tokens, requests = fleet(SMALL, load(rate="51200 tok/s")), fleet(SMALL, load(rate=100))
    assert tokens.to_dict() == requests.to_dict()


def test_the_largest_rate_of_a_fleet_is_just_held() -> None:
    answer = fleet(SMALL, load(rate=60))
    most = answer.best.most_per_s
    assert most >= 60
    for rate, holds in ((most * (1 - 1e-6), True), (most * (1 + 1e-6), False)):
        option = answer.search.option(
            answer.search.layouts.index(answer.layout.model_copy(update={"replicas": 1})),
            answer.layout.replicas, rate,
        )  # fmt: skip
        assert (not option.misses) == holds


# --- money, power, nodes


def test_money_and_power(answer: Fleet) -> None:
    used, requests = answer.best, answer.search.requests
    assert used.prices is not None
    assert used.usd_per_hour is not None
    assert used.usd_per_hour == pytest.approx(2.5 * used.n_chips)
    hours = 1 / 3600
    bill = used.usd_per_hour * hours / answer.rate_per_s
    assert used.prices.usd_per_request == pytest.approx(bill)
    parts = (
        requests.new * used.prices.usd_per_mtok_input
        + requests.cached * used.prices.usd_per_mtok_cached_input
        + requests.osl * used.prices.usd_per_mtok_output
    )
    assert parts / 1e6 == pytest.approx(bill)
    assert used.power_w is not None
    row = answer.rows()[0]
    tokens_per_s = answer.rate_per_s * requests.osl
    assert row["joule_per_token"] == pytest.approx(used.power_w / tokens_per_s)


def test_without_a_price_there_is_no_money() -> None:
    row = fleet(SMALL, load(rate=60)).rows()[0]
    assert row["usd_per_hour"] is row["usd_per_mtok_output"] is None


def test_one_chip_in_words() -> None:
    answer = fleet(SMALL, load(rate=1))
    assert answer.n_chips == 1
    assert "1 chip (on 1 node of 8), is the smallest" in answer.sentences()[0]
    assert not any("no room for the model" in s for s in answer.sentences())  # 1 is the least
    two = fleet(SMALL, load(rate=20))
    assert any(s.startswith("1 chip misses: ") for s in two.sentences())


def test_a_fleet_that_is_nearly_idle_says_so() -> None:
    """Live sequences are those of Little's law, over all time, and not one where there is any."""
    answer = fleet(SMALL, load(rate=0.001))
    found = answer.performance
    decoding = 0.001 * (found.e2e_s - found.ttft_s)
    assert answer.best.n_live == pytest.approx(decoding)
    assert answer.rows()[0]["n_live_per_replica"] == pytest.approx(decoding)
    words = " ".join(answer.sentences())
    assert f"with {decoding:.3g} live sequences on average" in words
    assert f"({0.001 * answer.search.requests.osl:.3g} output tok/s" in words


def test_rates_that_were_computed_have_three_digits() -> None:
    answer = fleet(SMALL, load(rate=2))
    for most, written in ((2.8, "2.80"), (99.97, "100"), (1234.5, "1,234")):
        best = replace(answer.best, most_per_s=most)
        words = " ".join(replace(answer, chosen=best).sentences())
        assert f"hold up to {written} requests/s" in words
    assert " at 2 requests/s" in words


def test_a_utilization_that_is_barely_missed_is_told_apart() -> None:
    missed = Miss("utilization", "mean", 0.8003, 0.8)
    option = replace(fleet(SMALL, load(rate=1)).best, misses=(missed,))
    assert fleet_words.missed(option) == "utilization 80.03% of at most 80.00%"


@pytest.mark.parametrize(
    ("headroom", "words"), [(0.1, "that holds 10% of capacity free."), (0, "that holds the rate.")]
)
def test_without_limits_the_capacity_decides(headroom: float, words: str) -> None:
    none = {"ttft": "none", "tpot": "none"}
    answer = fleet(SMALL, load(rate=90, limits=none, headroom=headroom))
    assert answer.sentences()[0].endswith(words)
    assert [m.metric for m in answer.smaller[0].misses] == ["utilization"]


def test_nodes_are_those_that_replicas_fill() -> None:
    answer = fleet(LARGE, load(rate=40, isl=1024, osl=1024))
    chips = answer.n_chips // answer.layout.replicas
    assert answer.best.n_domains == math.ceil(answer.layout.replicas / (8 // chips))
    assert f"{answer.best.n_domains} nodes of 8" in answer.sentences()[0]


def test_a_replica_larger_than_its_node() -> None:
    # 671 GB in 8-bit do not fit on eight chips of 80 GB, so that two nodes make a replica.
    answer = fleet(base("deepseek-ai/DeepSeek-V3", "hgx-h100"), load(rate=3))
    assert answer.n_chips // answer.layout.replicas > 8
    assert answer.best.n_domains >= 2 * answer.layout.replicas
    assert answer.smaller == () or min(x.n_chips for x in answer.smaller) > 8


def test_the_engine_may_be_set_to_fewer_sequences() -> None:
    free, few = (fleet(SMALL, load(rate=60), max_sequences=n) for n in (None, 8))
    assert few.n_chips > free.n_chips
    slots = few.rows()[0]["slots_per_replica"]
    assert slots == 8 * few.layout.attn_dp


# --- where nothing holds


def test_limits_that_no_number_of_chips_holds() -> None:
    answer = fleet(LARGE, load(rate=10, limits={"ttft": "2 ms"}))
    assert answer.chosen is None
    assert answer.too_small is not None
    assert [miss.metric for miss in answer.too_small.misses] == ["ttft"]
    words = " ".join(answer.sentences())
    assert "no number of chips" in words
    assert "TTFT" in words
    with pytest.raises(InfeasibleError, match="no number of chips"):
        _ = answer.best
    found = of_the_service(answer, answer.too_small)
    assert answer.too_small.misses[0].value == pytest.approx(float(found.ttft_s), rel=EXACT)
    assert answer.to_dict()["holds"] is False
    assert answer.search.against([1.0, 10.0])[1]["n_chips"] is None


def test_more_chips_than_are_looked_at() -> None:
    search = fleet_search(SMALL, load(), most_chips=4)
    small, large = fleet_at(search, 5.0), fleet_at(search, 1000.0)
    assert small.n_chips <= 4
    assert large.chosen is None
    assert large.too_small is not None
    assert large.too_small.n_chips <= 4
    needed = fleet(SMALL, load(rate=1000)).n_chips
    assert needed <= search.chips_without_cap(1000.0)
    assert "more than the 4 that are looked at" in large.sentences()[0]
    assert "queue grows without end" in large.sentences()[1]


def test_a_model_that_fits_nowhere() -> None:
    with pytest.raises(InfeasibleError, match=r"does not fit on up to .* GB per chip"):
        fleet(base("deepseek-ai/DeepSeek-V3", "rtx-4090"), load(rate=1))


def test_what_a_fleet_needs_to_know() -> None:
    with pytest.raises(SpecError, match="rate"):
        fleet(SMALL, load())
    with pytest.raises(SpecError, match="isl and osl"):
        fleet_search(SMALL, Workload.parse({"context": 4096}, "load"))


# --- what is shown


def test_the_answer_in_words(answer: Fleet) -> None:
    words = answer.sentences()
    assert f"{answer.n_chips:,} chip" in words[0]
    assert "waiting until the engine has taken it in" in words[1]
    assert "Utilization" in words[3]
    assert words[4].startswith("It costs $")
    least = "at least" if answer.search.base.reading == "ideal" else "80% interval"
    assert least in words[1]
    least = not answer.smaller and answer.n_chips > 1
    of_head = sum("drafts are of a head" in sentence for sentence in words)
    assert of_head == answer.search.requests.has_drafts
    assert len(words) == 5 + len(answer.smaller) + least + of_head


def test_the_answer_as_data(answer: Fleet) -> None:
    data = answer.to_dict()
    text = json.dumps(data, allow_nan=False)
    assert len(text) < 50_000
    first = data["fleet"]
    assert first["n_chips"] == answer.n_chips
    assert first["step_wait_s"] == pytest.approx(float(answer.performance.admission_s))
    assert first["ttft_low_s"] <= first["ttft_s"] <= first["ttft_high_s"]
    assert first["tpot_low_s"] <= first["tpot_s"] <= first["tpot_high_s"]
    for option, row in zip(answer.smaller, data["smaller"], strict=True):
        assert row["misses"]
        assert len(row["missed"]) == len(option.misses)
    assert len(answer.table().cells()) == 1 + len(answer.smaller)
    for shown in (answer, answer.search, *answer.options):
        assert len(repr(shown)) < 1000


def test_a_fleet_that_holds_a_rate_but_not_all_below_it() -> None:
    # A few prompts side by side take longer than one alone or one per rank, so that this limit is
    # missed at some rates and held above them: those rates do not count.
    search = fleet_search(LATENT, load(isl=4096, osl=1024))
    found = _bump(search)
    if found is None:
        pytest.skip("TTFT grows with the rate in every layout")
    row, seconds, rate = found
    limits = {"ttft": seconds, "tpot": "none"}
    tight = replace(search, workload=load(isl=4096, osl=1024, limits=limits))
    one = replace(tight, layouts=(tight.layouts[row],))
    assert one.largest[0] < rate
    option = one.at_its_worst(0, 1, rate)
    assert option.misses
    assert option.rate_per_s < rate


def _bump(search: FleetSearch) -> tuple[int, float, float] | None:
    """A layout, a TTFT and a rate at which it is less than at some smaller rate."""
    for row in range(len(search.layouts)):
        rates = np.geomspace(0.01, 0.5, 200) * search.largest[row]
        if not rates[0]:
            continue
        ttft = search.rows.open(rates, np.full(len(rates), row)).ttft_s
        for before, at in pairwise(range(len(rates))):
            if ttft[at] < ttft[before] * (1 - 1e-2):
                return row, float(ttft[at] * (1 + 1e-4)), float(rates[at])
    return None


def test_a_layout_that_nothing_joins_is_refused():
    with pytest.raises(InfeasibleError, match="no network"):
        rl.fleet("openai/gpt-oss-20b", "apple-m4-max", rate=1, pp=4)


@pytest.fixture(scope="module")
def two_machines() -> list[Fleet]:
    on = ["h100-sxm", "h200-sxm"]
    return fleets(Scenario.of("Qwen/Qwen3-8B", on, rate=60, isl=1024, osl=512))


def test_fleets_of_several_machines_are_ranked_by_dollars(two_machines: list[Fleet]) -> None:
    found = compare_fleets(two_machines)
    costs = [row["usd_per_hour"] for row in found.table().rows]
    assert costs == sorted(costs)
    assert found.best is min(two_machines, key=lambda f: f.best.usd_per_hour or math.inf)
    assert found.best.search.base.cluster.chip.name in found.sentence


def test_fleets_without_prices_on_one_basis_are_not_ranked_by_dollars(
    two_machines: list[Fleet],
) -> None:
    first, second = two_machines
    other = Price(usd_per_chip_hour=0.01, date="2026-01-01", basis="spot")
    mixed = [replace(first, search=replace(first.search, price=other)), second]
    found = compare_fleets(mixed)
    watts = [row["power_w"] for row in found.table().rows]
    assert watts == sorted(watts)
    assert "dollars do not rank" in found.sentence


def test_a_fleet_that_holds_comes_before_a_cheaper_one_that_does_not(
    two_machines: list[Fleet],
) -> None:
    first, second = two_machines
    missing = fleet_at(replace(first.search, most_chips=1), 1e6)
    assert missing.chosen is None
    assert compare_fleets([missing, second]).best is second
    assert compare_fleets([missing]).sentence.startswith("No machine holds")


def test_what_starts_a_fleet_has_its_layout_and_slots(two_machines: list[Fleet]) -> None:
    found = two_machines[0]
    text = str(found.command("vllm"))
    slots = found.performance.slots / found.layout.replicas
    assert f"--max-num-seqs {slots:.0f}" in text
    assert "--max-model-len 1536" in text
    with pytest.raises(SpecError, match="from a scenario"):
        replace(found, scenario=None).command("vllm")


def test_every_face_of_compared_fleets_says_what_ranks_them_and_their_prices(
    two_machines: list[Fleet],
) -> None:
    found = rl.compare(*two_machines)
    told = json.loads(found.to_json())
    assert told["sentences"][0] == found.sentence
    assert any("most usual basis" in note for note in told["notes"])
    rows = told["tables"]["machines"]["rows"]
    assert [row["cluster"] for row in rows] == [f.search.base.cluster.id for f in found.fleets]
    assert {"usd_per_chip_hour", "price_basis", "price_date", "price_kind"} <= set(rows[0])
    assert two_machines[0].table().records()[0]["cluster"] == "hgx-h100"
