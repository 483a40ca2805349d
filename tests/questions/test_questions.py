"""The questions of the lecture's first chapters: what they find, and what wrong ones are told."""

from __future__ import annotations

import json
import math
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.errors import CatalogError, InfeasibleError, SpecError
from ridgeline.questions.design import KNOWN_MODELS
from ridgeline.questions.racks import domain_limits
from ridgeline.questions.serving import serve

if TYPE_CHECKING:
    from collections.abc import Callable

V3 = "deepseek-ai/DeepSeek-V3"


@pytest.fixture(scope="module")
def board() -> Any:
    return rl.serving(V3, "gb200-nvl72", reading="blackboard")


@pytest.fixture(scope="module")
def short() -> Any:
    """At a short context compute catches up: all regimes are there."""
    return rl.serving(V3, "gb200-nvl72", context=256, reading="blackboard")


@pytest.fixture(scope="module")
def calibrated() -> Any:
    return rl.serving(V3, "gb200-nvl72", reading="calibrated", batch=64)


@pytest.fixture(scope="module")
def counted() -> Any:
    """The lecture's frontier model on 64 chips."""
    return rl.serving(rl.Model.from_counts("100B", "1T", 1667, 8), "hgx-b200", chips=64, price=2)


def every(board: Any) -> dict[str, Any]:
    return {
        "tiers": rl.tiers(board, price_ratio=6, speed_ratio=2.5),
        "sparsity": rl.sparsity(board, requests_per_s=100),
        "racks": rl.racks(board),
        "pipelining": rl.pipelining(board),
        "scaleup": rl.scaleup(board),
        "generations": rl.generations(),
        "wall": rl.wall(board, usd_per_mtok=0.5),
        "design": rl.design("gb200-nvl72", tpot_s=0.02, context=32_000, usd_per_mtok=1),
        "sensitivity": rl.sensitivity(board),
    }


def test_all_answers_leave_as_strict_json_and_text(board: Any) -> None:
    for name, found in every(board).items():
        data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert data["sentences"] == list(found.sentences), name
        assert all(any(c.isdigit() for c in s) for s in found.sentences[:1]), name
        for table in found.tables:
            cells = table.cells()
            assert len(cells) == len(table.rows)
            assert not any("nan" in text for row in cells for text in row.values()), name


# ---- tiers


def test_a_tier_is_as_fast_and_as_dear_as_its_batch(board: Any) -> None:
    rows = rl.tiers(board).tables[0].rows
    assert rows[0]["tier"] == "normal"
    assert rows[-1]["batch"] == 1
    for row in rows:
        step = board.step(row["batch"], board.context)
        assert row["tokens_per_s_per_user"] == pytest.approx(1 / float(step.time_s))
    speeds = [r["tokens_per_s_per_user"] for r in rows]
    prices = [r["price_ratio"] for r in rows]
    assert speeds == sorted(speeds)
    assert prices == sorted(prices)


def test_what_bounds_the_fastest_tier_is_said_in_any_reading() -> None:
    said = [
        rl.tiers(
            rl.serving("Qwen/Qwen3-8B", "h100-sxm", chips=1, context=131_072, reading=r)
        ).sentences[1]
        for r in ("calibrated", "ideal", "blackboard")
    ]
    assert "attention over its cache is the limit" in said[0]
    assert all("reading its cache is the limit" in one for one in said[1:])


def test_compute_bound_machines_have_no_slow_tier(short: Any) -> None:
    found = rl.tiers(short)
    assert found.values["cheaper_share"] < 0.01
    assert "No slow tier is worth having" in str(found)
    normal = found.tables[0].rows[0]["batch"]
    assert normal == pytest.approx(short.balance.batch, rel=0.05)


def test_a_memory_bound_machine_could_be_cheaper_with_more_memory(board: Any) -> None:
    assert rl.tiers(board).values["cheaper_share"] == pytest.approx(0.0555, abs=0.002)


def test_the_lectures_ratios_come_back(short: Any) -> None:
    values = rl.tiers(short, price_ratio=6, speed_ratio=2.5).values
    assert values["batch_ratio"] == 15
    assert values["normal_batch"] / values["fast_batch"] == pytest.approx(15)


def test_too_fast_a_tier_is_told_what_comes_closest(board: Any) -> None:
    found = rl.tiers(board, price_ratio=6, speed_ratio=50)
    assert found.values["price_ratio_here"] is None
    assert "comes closest" in str(found)
    assert "Missing is a floor" in str(found)


def test_tiers_without_a_price_still_compare() -> None:
    found = rl.tiers(rl.serving("Qwen/Qwen3-8B", "vr200", reading="blackboard"))
    assert "usd_per_mtok_output" not in found.tables[0].columns
    assert found.tables[0].rows[-1]["price_ratio"] > 1


# ---- sparsity


def test_a_dense_model_is_not_said_to_have_experts(short: Any) -> None:
    dense = rl.sparsity(rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=[1]))
    assert "It has no experts; twice its parameters" in " ".join(dense.sentences)
    bare = rl.sparsity(rl.serving(rl.Model.from_counts("8B"), "h100-sxm", context=0))
    assert "It has no experts" in " ".join(bare.sentences)
    routed = rl.Model.from_counts("37B", "296B", 0, 8)
    for answer in (short, rl.serving(routed, "gb200-nvl72", context=0)):
        assert "Twice the experts are worth" in " ".join(rl.sparsity(answer).sentences)


def test_sparsity_changes_floor_and_batch_not_the_rate(short: Any) -> None:
    rows = rl.sparsity(short, sparsities=(4, 8)).tables[0].rows
    assert rows[1]["latency_floor_s"] / rows[0]["latency_floor_s"] == pytest.approx(2, rel=0.05)
    assert rows[1]["balance_batch"] / rows[0]["balance_batch"] == pytest.approx(2, rel=0.05)
    assert rows[1]["tokens_per_s"] == pytest.approx(rows[0]["tokens_per_s"], rel=1e-6)
    assert rows[1]["effective_params"] > rows[0]["effective_params"]


def test_the_models_own_row_is_the_answers(short: Any) -> None:
    found = rl.sparsity(short)
    assert found.values["balance_batch"] == pytest.approx(short.balance.batch)
    assert found.values["sparsity"] == pytest.approx(18.32, rel=0.01)


def test_traffic_in_flight_is_a_fixed_point(short: Any) -> None:
    values = rl.sparsity(short, requests_per_s=100, osl=500).values
    n = values["in_flight"]
    step_s = float(short.step(n, short.context).time_s)
    assert n == pytest.approx(100 * 500 * step_s, rel=1e-6)
    assert 0 < values["waiting_saves"] < 1
    assert values["fill_s"] == pytest.approx(values["balance_batch"] / 100)


def test_enough_traffic_needs_no_waiting(short: Any) -> None:
    values = rl.sparsity(short, requests_per_s=1e6).values
    assert values["in_flight"] is None
    assert values["waiting_saves"] == 0


# ---- racks


def test_exchange_times_are_bytes_over_links(board: Any) -> None:
    rows = rl.racks(board, batch_per_chip=128).table("spread").rows
    assert rows[0]["outside_s"] == 0
    # Dispatch in fp8 or bf16 and combine in bf16, to about 7.6 of 8 chips: a few MB a chip.
    sent = rows[0]["inside_s"] * 900e9
    assert 128 * 7.6 * 7168 * 2 < sent < 128 * 8 * 7168 * 4
    assert rows[1]["outside_s"] > 5 * rows[0]["inside_s"]


def test_a_domain_holds_its_memory_in_experts(board: Any) -> None:
    rows = {r["id"]: r for r in rl.racks(board).table("generations").rows}
    hopper, blackwell = rows["hgx-h100"], rows["gb200-nvl72"]
    assert (hopper["experts_per_chip"], blackwell["n_idle"]) == (32, 8)
    # fp8 with a scale for each 128 x 128: a byte a parameter; 256 x 3 x 7168 x 2048 a layer.
    assert hopper["largest_params"] == pytest.approx(hopper["memory_bytes"], rel=0.001)
    layer = 256 * 3 * 7168 * 2048
    assert blackwell["n_layers"] == pytest.approx(blackwell["memory_bytes"] / layer, rel=0.01)


def test_limits_of_a_rack_by_hand() -> None:
    values = domain_limits("gb200-nvl72", 72).values
    assert values["power"] == (132_000 - 4_400) // 1625
    assert values["cooling"] == (4.18e6 * 3e-3 * 10 - 4_400) // 1625
    assert values["cables"] == 5184 // 72
    for name in ("vr200-nvl72", "rubin-ultra-nvl144", "hgx-h100"):
        built = rl.cluster(name).domain_size
        found = domain_limits(name, built)
        assert found.values[found.values["tightest"]] >= built, name


def test_every_number_of_a_rack_has_a_source() -> None:
    for record in catalog.racks():
        numbers = {
            n for n, v in record.model_dump(exclude={"sources"}).items()
            if isinstance(v, int | float)
        }  # fmt: skip
        assert numbers == set(record.sources), record.id
        assert {s.source for s in record.sources.values()} <= set(catalog.sources()), record.id


# ---- pipelining


def test_a_model_that_fits_needs_no_stages(board: Any) -> None:
    found = rl.pipelining(board)
    assert (found.values["n_stages"], found.values["ep"]) == (1, 64)


def test_a_model_larger_than_the_rack_gets_stages() -> None:
    answer = rl.serving(rl.Model.from_counts("100B", "20T", 2000, 8), "gb200-nvl72", chips=144)
    found = rl.pipelining(answer, micro_batch=100)
    assert found.values["n_stages"] == 2
    row = next(r for r in found.tables[0].rows if r["n_stages"] == 2)
    assert row["verdict"] == ""
    assert row["share_of_memory"] < 1


def test_caches_that_exceed_a_stage_are_told_the_most(board: Any) -> None:
    with pytest.raises(InfeasibleError, match="sequences would be the most even without weights"):
        rl.pipelining(board, micro_batch=1e6)


# ---- scale-up and generations


def test_larger_domains_read_faster_and_reach_further(board: Any) -> None:
    rows = rl.scaleup(board).table("sizes").rows
    times = [r["weight_fetch_s"] * r["n_chips"] for r in rows]
    assert max(times) == pytest.approx(min(times))
    contexts = [r["context"] for r in rows]
    assert contexts == sorted(contexts)


def test_affordable_context_takes_the_time(board: Any) -> None:
    rows = rl.scaleup(board, tpot_s=0.02, batch=1000).table("generations").rows
    row = next(r for r in rows if r["id"] == "gb200-nvl72")
    step = board.step(1000, row["context"])
    assert float(step.time_s) == pytest.approx(0.02, rel=1e-3)


def test_no_domain_is_fast_enough_is_told_the_closest(board: Any) -> None:
    assert "Closest is one" in str(rl.scaleup(board, tpot_s=1e-6))


def test_generations_say_what_the_lecture_rounds() -> None:
    values = rl.generations().values
    assert values["ratio_low"] < 160 < 300 < values["ratio_high"]
    assert values["drain_low_s"] < 0.020 < values["drain_high_s"]


# ---- the wall


def test_the_lectures_kink_comes_back(counted: Any) -> None:
    """N_a = 100 B, R near 300, 1667 bytes a token: 200k tokens."""
    values = rl.wall(counted).values
    assert values["balance_context"] == pytest.approx(200_000, rel=0.05)


def test_cost_doubles_with_context_beyond_the_kink(counted: Any) -> None:
    found = rl.wall(counted, tpot_s=0.05)
    rows = found.chart("cost").to_dict()["layer"][0]["data"]["values"]
    own = {round(r["context"]): r["usd"] for r in rows if r["attention"] == "as it is"}
    assert own[2**14] == pytest.approx(own[2**13])
    assert own[2**22] == pytest.approx(2 * own[2**21], rel=0.01)


def test_longest_contexts_take_all_the_time_or_memory(counted: Any) -> None:
    found = rl.wall(counted, tpot_s=0.02, batch=64)
    context = found.values["context_batch"]
    step = float(counted.step(64, context).time_s)
    room = counted.machine.capacity_bytes - counted.counts.weight_bytes
    full = 64 * float(counted.counts.cache_bytes(context)) / room
    assert max(step / 0.02, full) == pytest.approx(1, rel=1e-3)


def test_longer_time_and_more_money_allow_longer_contexts(counted: Any) -> None:
    def at(tpot_s: float, usd: float) -> tuple[Any, Any]:
        values = rl.wall(counted, tpot_s=tpot_s, usd_per_mtok=usd).values
        return values["context_one"], values["context_price"]

    assert at(0.02, 0.2)[0] > at(0.01, 0.2)[0]
    assert at(0.02, 0.4)[1] > at(0.02, 0.2)[1] > 0


def test_sparse_attention_overtakes_less(counted: Any) -> None:
    rows = {r["attention"]: r for r in rl.wall(counted).tables[0].rows}
    own = rows["as it is"]
    assert "dense" not in rows  # it is dense already
    assert all(r["balance_context"] >= own["balance_context"] for r in rows.values())
    gemma = rl.serving("google/gemma-3-1b-it", "h100-sxm", reading="blackboard")
    windowed = {r["attention"]: r for r in rl.wall(gemma).tables[0].rows}
    assert windowed["dense"]["context_one"] < windowed["as it is"]["context_one"]


def test_attention_overtakes_where_the_counts_say(board: Any) -> None:
    at = rl.wall(board).values["overtaking_context"]
    assert float(board.counts.flops_per_token(at)) == pytest.approx(
        2 * float(board.counts.flops_per_token(0)), rel=1e-3
    )


def test_nothing_is_served_is_told_what_is_missing(board: Any) -> None:
    found = rl.wall(board, tpot_s=1e-5, usd_per_mtok=0.5)
    assert found.values["context_one"] == 0
    assert "Missing is bandwidth" in str(found)
    assert "none" in found.sentences[-1]


# ---- design


def test_feasible_models_meet_the_limits_when_asked() -> None:
    found = rl.design("gb200-nvl72", tpot_s=0.02, context=32_000, usd_per_mtok=0.5)
    rack = rl.cluster("gb200-nvl72")
    for row in found.table("models").rows:
        model = rl.Model.from_counts(
            row["n_params"] / row["sparsity"], row["n_params"], row["kv_bytes_per_token"], 8
        )
        answer = rl.serving(model, rack, context=32_000, chips=72)
        batches = answer.result["batch"]
        usable = (answer.result["time_s"][0] <= 0.02) & (answer.result.infeasible[0] == 0)
        costs = answer.result["usd_per_mtok_output"][0][usable]
        cheap = bool(costs.size) and float(costs.min()) <= 0.5
        if row["verdict"] == "feasible":
            # The grid of batches is finer in one than in the other.
            assert float(costs.min()) <= 0.5 * 1.1, row["model"]
        elif batches.size and costs.size:
            assert not cheap or costs.min() > 0.45, row["model"]


def test_known_models_get_the_batch_and_the_cost_that_serving_gives_them() -> None:
    """Of every kind of attention: also where a step reads a part of the cache that is kept."""
    found = rl.design("gb200-nvl72", tpot_s=0.02, context=128_000, usd_per_mtok=10)
    for row, name in zip(found.table("models").rows, KNOWN_MODELS, strict=True):
        batch = row["batch"]
        answer = rl.serving(
            name, "gb200-nvl72", context=128_000, weights="fp8", reading="blackboard",
            batch=[batch, math.ceil(1.05 * batch)],
        )  # fmt: skip
        same, more = answer.at(batch), answer.at(math.ceil(1.05 * batch))
        assert same["usd_per_mtok_output"] == pytest.approx(row["usd_per_mtok_output"], rel=0.02)
        assert same["time_s"] == pytest.approx(row["time_s"], rel=0.02)
        assert not same["infeasible"], name
        assert more["infeasible"] or more["time_s"] > 0.02, name


def test_sparser_models_may_be_larger() -> None:
    found = rl.design("gb200-nvl72", tpot_s=0.02, context=128_000, usd_per_mtok=1)
    largest = [r["largest_params"] for r in found.table("regions").rows]
    assert largest == sorted(largest)
    assert largest[0] < largest[-1]


def test_harder_limits_leave_less() -> None:
    def share(**limits: Any) -> float:
        return rl.design("gb200-nvl72", context=32_000, **limits).values["feasible_share"]

    assert share(tpot_s=0.02) > share(tpot_s=0.005) > share(tpot_s=0.001)
    assert share(tpot_s=0.02) > share(tpot_s=0.02, usd_per_mtok=0.1)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"on": "hgx-h100", "tpot_s": 1e-6, "context": 1000}, "takes"),
        ({"on": "hgx-h100", "tpot_s": 1e-3, "context": 1000, "usd_per_mtok": 1e-6}, "costs"),
        ({"on": "rtx-4090", "tpot_s": 1e-3, "context": 1e9}, "Not even"),
    ],
)
def test_impossible_designs_are_told_the_easiest(limits: dict[str, Any], said: str) -> None:
    found = rl.design(**limits)
    assert found.values["feasible_share"] == 0
    assert "no model looked at does it" in found.sentences[0]
    assert said in found.sentences[1]


# ---- sensitivity


def test_elasticities_of_a_bound_step_are_one_and_nought(board: Any) -> None:
    rows = {r["what"]: r for r in rl.sensitivity(board, batch=1).table("constants").rows}
    assert rows["memory bandwidth"]["time_elasticity"] == pytest.approx(-1)
    assert rows["fp8 peak"]["time_elasticity"] == 0
    assert rows["batch"]["cost_elasticity"] == pytest.approx(-1, abs=0.01)
    # All bytes scale with something: layers, and what lies outside them.
    assert rows["layers"]["time_elasticity"] == pytest.approx(1, abs=0.01)


def test_calibrated_elasticities_of_rates_stay_within_bounds(calibrated: Any) -> None:
    rows = rl.sensitivity(calibrated, batch=512).table("constants").rows
    rates = [r for r in rows if r["kind"] == "machine"]
    assert all(-1.001 <= r["time_elasticity"] <= 0.001 for r in rates)
    assert -1.2 < sum(r["time_elasticity"] for r in rates) < -0.1
    assert all(r["time_doubled"] <= 1.001 for r in rates)


@pytest.mark.parametrize(
    ("model", "on"), [("Qwen/Qwen3-8B", "h100-sxm"), ("deepseek-ai/DeepSeek-V3", "gb200-nvl72")]
)
def test_what_comes_in_whole_numbers_is_not_nudged_by_a_fraction(model: str, on: str) -> None:
    found = rl.sensitivity(rl.serving(model, on))
    rows = {r["what"]: r for r in found.table("constants").rows}
    assert 0.9 < rows["layers"]["time_elasticity"] < 1
    for name, row in rows.items():
        if name == "layers" or name.startswith("n_"):
            expected = math.log2(row["time_doubled"])
            assert row["time_elasticity"] == pytest.approx(expected, abs=1e-9), name
    assert f"twice as many take {rows['layers']['time_doubled']:.3g}x the time" in str(found)


def test_what_to_buy_next_is_the_best_of_the_table(board: Any) -> None:
    found = rl.sensitivity(board)
    rows = [r for r in found.table("constants").rows if r["kind"] == "machine"]
    least = min(r["cost_refilled"] for r in rows)
    assert found.values["cost_refilled"] == least
    assert found.values["best_buy"] == "memory bandwidth"
    assert "What to buy next: memory bandwidth" in str(found)


def test_a_change_after_which_nothing_fits_has_no_cost() -> None:
    answer = rl.serving(rl.Model.from_counts("100B", "1T", 1667, 8), "hgx-b200")
    rows = {r["what"]: r for r in rl.sensitivity(answer).table("constants").rows}
    assert rows["parameters"]["cost_refilled"] is None


# ---- advice


def test_advice_is_sorted_and_worth_it(calibrated: Any) -> None:
    found = rl.advice(calibrated)
    *ranked, last = found
    assert last.subject == "price"
    assert ranked == sorted(ranked, key=lambda a: (not a.saves, -a.worth))
    assert all(a.worth >= 0.03 for a in found)
    # Copies of hot experts fill the chips that 256 experts on 72 would leave without any.
    assert "experts" not in {a.subject for a in found}


@pytest.mark.parametrize("ttft", ["500 ms", "p99<600 ms"])
def test_advice_is_about_the_limit_that_is_missed(ttft: str) -> None:
    """Here prompts are too slow and decoding is fast: what advice gives is time to first token."""
    found = rl.serving("Qwen/Qwen3-8B", "1xh100-sxm", isl=16_000, osl=200, ttft=ttft, tpot=0.2)
    assert not found.chosen["within_limits"]
    key = "ttft_p99_s" if "p99" in ttft else "ttft_s"
    formats = [a for a in rl.advice(found) if a.subject.endswith("dtype")]
    assert formats
    for one in formats:
        assert one.scenario is not None
        then = serve(one.scenario).chosen
        assert one.worth == pytest.approx(1 - then[key] / found.chosen[key], rel=1e-6)
        assert ("TTFT p99" if "p99" in ttft else "TTFT") in one.text
        assert ("keeps" in one.text) == then["within_limits"]


def test_no_advice_where_nothing_fits() -> None:
    full = rl.serving(V3, "hgx-h200", chips=8, context=1e9, reading="blackboard")
    assert rl.advice(full) == []


def test_where_nothing_fits_advice_is_what_makes_it_fit() -> None:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("meta-llama/Llama-3.1-405B", "8xh100-sxm", {}),
        (
            "meta-llama/Llama-3.1-70B-Instruct",
            "2xrtx-4090",
            {"weights": "q4_k_m", "context": 4000},
        ),
        ("Qwen/Qwen3-8B", "1xh100-sxm", {"batch": 60}),
    ]
    said = []
    for model, machine, options in cases:
        full = rl.serving(model, machine, **options)
        assert full.chosen["infeasible"]
        found = rl.advice(full)
        assert found
        for advised in found:
            assert advised.scenario is not None
            asked = advised.scenario
            again = rl.serving(asked.model, asked.machines[0], **asked.options())
            assert not again.chosen["infeasible"]
        said.append(" ".join(a.text for a in found))
    assert "--weights fp8" in said[0]
    assert "--memory-utilization 0.97): 2 sequences fit" in said[1]
    assert "A batch of 44, the most that fits" in said[2]


def test_formats_are_advised_that_the_engine_has() -> None:
    options: dict[str, Any] = {"context": 32768, "batch": 1}
    for weights in ("q4_k_m", None):
        answer = rl.serving(
            "Qwen/Qwen3-8B", "rtx-4090", engine="llama.cpp", weights=weights, **options
        )
        formats = [a.text for a in rl.advice(answer) if a.subject.endswith("dtype")]
        assert any("--kv q8_0" in text for text in formats)
        assert not any("fp8" in text for text in formats)
    for name in catalog.engines_with_flags():
        engine, flags = catalog.engine(name), catalog.engine_flags(name)
        assert set(engine.narrow_caches) <= set(flags.kv_formats)
        patterns = [p for rule in flags.weights for p in rule.formats]
        for dtype in engine.narrow_weights:
            assert any(fnmatch(dtype, p) for p in patterns), (name, dtype)


def test_advice_counts_usable_memory_and_chips_that_are_there() -> None:
    one = rl.serving("Qwen/Qwen3-8B", "h100-sxm", chips=1)
    usable = one.machine.cluster.chip.memory.usable
    assert usable is not None
    (memory,) = [a.text for a in rl.advice(one) if a.subject == "capacity"]
    assert f"({2 * usable / 1e9:.0f} GB)" in memory
    small = rl.serving("Qwen/Qwen3-0.6B", "h100-sxm", chips=1, batch=1)
    (overhead,) = [a.text for a in rl.advice(small) if a.subject == "overhead"]
    assert "fewer chips" not in overhead


# ---- odd corners

ODD: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "nothing cached": ("google/gemma-2-9b", "rtx-3080-ti", {"context": 0, "reading": "ideal"}),
    "no network": (
        "zai-org/GLM-4.5-Air",
        "ws-rtx-a6000-4x",
        {"reading": "ideal", "weights": "int8"},
    ),
    "no growing cache": ("tiiuae/falcon-mamba-7b", "h100-sxm", {}),
    "hybrid": ("Qwen/Qwen3-Next-80B-A3B-Instruct", "h200-sxm", {"reading": "blackboard"}),
    "hardly fits": ("Qwen/Qwen3-8B", "pc-rtx-3070", {"context": 1e6, "reading": "blackboard"}),
    "counts, no cache": (rl.Model.from_counts("8B"), "l4", {}),
    "no price": ("deepseek-ai/DeepSeek-V3", "vr200", {"reading": "calibrated"}),
    "torus": ("Qwen/Qwen3-235B-A22B", "tpu-v5e", {"reading": "ideal"}),
}


@pytest.mark.parametrize(("model", "on", "more"), ODD.values(), ids=list(ODD))
def test_odd_corners_are_answered_or_refused_in_words(
    model: Any, on: str, more: dict[str, Any]
) -> None:
    answer = rl.serving(model, on, **more)
    asked: list[Callable[[], Any]] = [
        lambda: rl.tiers(answer, price_ratio=3, speed_ratio=2),
        lambda: rl.sparsity(answer, requests_per_s=10),
        lambda: rl.racks(answer),
        lambda: rl.pipelining(answer),
        lambda: rl.scaleup(answer),
        lambda: rl.wall(answer),
        lambda: rl.sensitivity(answer),
    ]
    for ask in asked:
        try:
            found = ask()
        except rl.RidgelineError as error:
            assert len(str(error)) > 40
            continue
        for name in found.charts:
            try:
                found.chart(name).to_dict()
            except rl.RidgelineError as error:
                assert len(str(error)) > 40
        assert "nan" not in " ".join(found.sentences)
    assert all("nan" not in a.text for a in rl.advice(answer))


# ---- wrong questions

WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "one ratio": (lambda a: rl.tiers(a, price_ratio=2), "come together"),
    "slow fast tier": (lambda a: rl.tiers(a, price_ratio=2, speed_ratio=0.5), "from 1 to 1e6"),
    "no traffic": (
        lambda a: rl.sparsity(a, requests_per_s=0),
        "requests_per_s: a number from 1e-6",
    ),
    "no output": (lambda a: rl.sparsity(a, osl=0), "osl: a number from 1"),
    "denser than dense": (lambda a: rl.sparsity(a, sparsities=[0.5]), "from 1 to 1e6"),
    "no sequence": (lambda a: rl.pipelining(a, micro_batch=0), "a number from 1 to 1e12"),
    "hop back in time": (lambda a: rl.pipelining(a, hop_s=-1), "hop_s: a time from"),
    "no time": (lambda a: rl.scaleup(a, tpot_s=0), "tpot_s: a time from 1 µs"),
    "no users": (lambda a: rl.scaleup(a, batch=0), "a number from 1 to 1e12"),
    "unknown cluster": (lambda a: rl.scaleup(a, clusters=["gb200-nvl27"]), "Did you mean"),
    "wall without time": (lambda a: rl.wall(a, tpot_s=-1), "tpot_s: a time from 1 µs"),
    "wall for nothing": (lambda a: rl.wall(a, usd_per_mtok=0), "usd_per_mtok: a number from 1e-6"),
    "unknown picture": (lambda a: rl.wall(a).chart("bound"), "Did you mean 'bounds'"),
    "nothing to draw": (lambda _: domain_limits("gb200-nvl72", 72).chart(), "nothing to draw"),
    "nothing to send": (lambda a: rl.racks(a, batch_per_chip=0), "batch_per_chip: a number from 1"),
    "no clusters": (lambda a: rl.scaleup(a, clusters=[]), "at least one cluster"),
    "a name where an answer is expected": (
        lambda _: rl.racks("Qwen/Qwen3-8B"),  # pyright: ignore[reportArgumentType]
        r"answer: an answer of rl\.serving\(model, machine\) is expected, not 'Qwen/Qwen3-8B'",
    ),
    "an answer of another question": (
        lambda _: rl.sensitivity("Qwen/Qwen3-8B"),  # pyright: ignore[reportCallIssue,reportArgumentType]
        "an answer of rl.serving or rl.training is expected",
    ),
    "nothing where an answer is expected": (
        lambda _: rl.wall(None),  # pyright: ignore[reportArgumentType]
        "an answer of rl.serving",
    ),
    "a number to compare": (
        lambda _: rl.compare(3),  # pyright: ignore[reportCallIssue,reportArgumentType]
        "an answer of rl.serving",
    ),
    "names to compare": (
        lambda _: rl.compare(["h100"]),  # pyright: ignore[reportCallIssue,reportArgumentType]
        "an answer of rl.serving.* not 'h100'",
    ),
    "a layout as text": (
        lambda _: rl.serving("Qwen/Qwen3-8B", "hgx-h100", layout="tp8"),  # pyright: ignore[reportArgumentType]
        r"layout: a layout, such as rl.Layout\(tp=8\), is expected, not 'tp8'",
    ),
    "a word that is none": (
        lambda _: rl.models(5),  # pyright: ignore[reportArgumentType]
        "Words of a name are expected, not 5",
    ),
    "a model that is a table": (
        lambda _: rl.model({"a": 1}),  # pyright: ignore[reportArgumentType]
        "A name or the path of a file is expected",
    ),
    "a layout over no chip": (lambda _: rl.Layout(tp=0), "^Layout: tp: a number of at least 1"),
    "fewer tokens than none": (
        lambda _: rl.counts("Qwen/Qwen3-8B").cache_bytes(-1),
        "context: a number from 1 to 1e9 or 0 is expected, not -1",
    ),
    "no list of batches": (
        lambda _: rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=[]),
        "not an empty list",
    ),
    "milliseconds as seconds": (
        lambda _: rl.serving("Qwen/Qwen3-8B", "h100-sxm", tpot=20),
        "tpot: a number is in seconds.*'20 ms' or 0.02",
    ),
    "many milliseconds as seconds": (
        lambda _: rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=1000, osl=100, ttft=2000),
        "ttft: a number is in seconds.*'2000 ms' or 2,",
    ),
    "no batch": (lambda a: rl.sensitivity(a, batch=0.5), "a number from 1 to 1e12"),
    "no chips": (lambda _: rl.generations([]), "at least one chip"),
    "unknown chip": (lambda _: rl.generations(["h100-smx"]), "Did you mean"),
    "unknown rack": (lambda _: domain_limits("gb200-nvl27", 72), "There is no rack"),
    "no such table": (lambda a: rl.racks(a).table("x"), "There are spread, generations, limits"),
    "design of nothing": (
        lambda _: rl.design("hgx-h100", tpot_s=0.02, context=-1),
        "context: a number from 1 to 1e9 or 0",
    ),
    "bits the chip lacks": (
        lambda _: rl.design("rubin-cpx-single", tpot_s=0.02, context=1000, weight_bits=16),
        "cannot multiply weights of 16 bits",
    ),
    "price of nothing": (
        lambda _: rl.design("vr200-nvl72", tpot_s=0.02, context=1000, usd_per_mtok=1),
        "No price is known",
    ),
}


@pytest.mark.parametrize(("ask", "said"), WRONG.values(), ids=list(WRONG))
def test_wrong_questions_are_told(board: Any, ask: Callable[[Any], Any], said: str) -> None:
    with pytest.raises((SpecError, CatalogError, InfeasibleError), match=said):
        ask(board)


def test_one_name_is_a_list_of_one(board: Any) -> None:
    (row,) = rl.generations("h100-sxm").table().rows
    assert row["chip"] == rl.generations(["h100-sxm"]).table().rows[0]["chip"]
    alone = rl.scaleup(board, clusters="hgx-h100").table("generations").rows
    assert alone == rl.scaleup(board, clusters=["hgx-h100"]).table("generations").rows


def test_answers_are_compared_one_by_one_or_as_a_list() -> None:
    one, other = (rl.serving("Qwen/Qwen3-8B", on, batch=8) for on in ("h100-sxm", "h200-sxm"))
    assert list(rl.compare(one, other)) == list(rl.compare([one, other]))
    assert list(rl.compare(a for a in (one, other))) == list(rl.compare([one, other]))


def test_a_model_is_counted_by_its_name_at_lengths_as_typed() -> None:
    named = rl.counts("Qwen/Qwen3-8B")
    assert named.n_params == rl.counts(rl.model("Qwen/Qwen3-8B")).n_params
    assert named.cache_bytes("8k") == named.cache_bytes(8000)


def test_dense_models_have_no_experts_to_lay_out() -> None:
    with pytest.raises(SpecError, match="is dense: there are no experts"):
        rl.racks(rl.serving("Qwen/Qwen3-8B", "hgx-h100", reading="blackboard"))
    with pytest.raises(SpecError, match="known by its counts alone"):
        rl.racks(rl.serving(rl.Model.from_counts("8B"), "hgx-h100"))
    with pytest.raises(SpecError, match="has no scale-up link"):
        rl.racks(rl.serving("openai/gpt-oss-20b", "macbook-pro-m5-max", reading="blackboard"))


def test_tiers_need_one_sequence_that_fits() -> None:
    full = rl.serving(V3, "hgx-h200", chips=8, context=1e9, reading="blackboard")
    with pytest.raises(InfeasibleError, match="Not one sequence"):
        rl.tiers(full)


def test_no_model_that_is_served_lies_beyond_the_edge_of_its_region() -> None:
    cases: tuple[tuple[str, dict[str, Any]], ...] = (
        ("hgx-h100", {}),
        ("gb200-nvl72", {"usd_per_mtok": 1.0}),
    )
    for on, more in cases:
        found = rl.design(on, tpot_s=0.05, context=32_000, sparsities=(1, 16, 64), **more)
        largest = max(r["largest_params"] for r in found.table("regions").rows)
        served = [m["n_params"] for m in found.table("models").rows if m["verdict"] == "feasible"]
        assert max(served) <= largest
    # Eight H100 show programs 680 GB: no model of 8 bits is larger, and 1% less is served.
    region = rl.design("hgx-h100", tpot_s=0.05, context=1).table("regions").rows[0]
    memory = 8 * (rl.chip("h100-sxm").memory.usable or 0.0)
    assert 0.98 * memory < region["largest_params"] <= memory
