"""The search over layouts: all of them, each right, ranked, with reasons that hold."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.families import TOO_CLOSE
from ridgeline.questions.layouts.grid import COLUMNS, Candidates
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.questions.layouts.load import lengths_words, limit_words
from ridgeline.service.requests import Requests
from ridgeline.specs.limits import Limits
from ridgeline.specs.load import EXPERT_LOAD_CV
from ridgeline.steps.layouts import check_layout

V3, RACK = "deepseek-ai/DeepSeek-V3", "gb200-nvl72"
LIMITS: dict[str, Any] = {"ttft_s": 1.0, "tpot_s": 0.03}


@pytest.fixture(scope="module")
def found() -> rl.Layouts:
    return rl.layouts(V3, RACK, **LIMITS)


@pytest.fixture(scope="module")
def ideal() -> rl.Layouts:
    return rl.layouts(V3, RACK, reading="ideal", **LIMITS)


# ---- which layouts


@pytest.mark.parametrize(("model", "n"), [(V3, 72), ("Qwen/Qwen3-32B", 8), ("gpt-oss-120b", 16)])
def test_every_layout_fills_the_chips_and_could_run(model: str, n: int) -> None:
    record = rl.model(model)
    layouts, _ = legal_layouts(record, [n])
    assert len(set(layouts)) == len(layouts) > 3
    for layout in layouts:
        assert layout.replicas * layout.pp * layout.attn_dp * layout.tp == n
        check_layout(record, layout, n)


def test_none_is_left_out_and_refusals_say_why() -> None:
    """By brute force over all factorisations of 16 for a dense model."""
    record = rl.model("Qwen/Qwen3-32B")  # 64 layers, 64 heads, 8 KV heads, d_ff 25600
    layouts, refusals = legal_layouts(record, [16])
    every = {(r, pp, 16 // r // pp) for r, pp in itertools.product((1, 2, 4, 8, 16), repeat=2)
             if r * pp <= 16}  # fmt: skip
    assert {(x.replicas, x.pp, x.tp) for x in layouts} == every
    assert not refusals
    _, refusals = legal_layouts(rl.model(V3), [72])
    assert any(r.degree == "tp" and r.value == 3 and "128 attention heads" in r.reason
               for r in refusals)  # fmt: skip
    assert any(r.degree == "pp" and r.value == 36 and "idle" in r.reason for r in refusals)


def test_block_quantised_experts_are_not_cut_within_a_block() -> None:
    """Qwen3-235B has experts 1536 wide in blocks of 128: 12 slices at most, so none of 8."""
    record = rl.model("Qwen/Qwen3-235B-A22B-FP8")
    layouts, _ = legal_layouts(record, [8])
    assert not [x for x in layouts if x.tp == 8 and x.ep == 1]
    assert [x for x in layouts if x.tp == 8 and x.ep == 8]


# ---- each point


def test_points_are_those_of_a_single_evaluation(found: rl.Layouts) -> None:
    """The grid agrees with each layout timed by itself, as scalars."""
    search = found.searches[0]
    for row in found.rows[:: max(1, len(found.rows) // 7)]:
        candidates = search.candidates
        alone = Candidates(
            candidates.base,
            (search.layout(row),),
            candidates.requests,
            candidates.limits,
            candidates.usd_per_chip_hour,
        ).columns(np.asarray([0]), np.asarray([row["batch"]]))
        for name in COLUMNS:
            assert float(np.ravel(alone[name])[0]) == pytest.approx(row[name], rel=1e-9), name


#: columns that both questions have, whatever is asked
SHARED = ("tpot_s", "tokens_per_s_per_user", "tokens_per_s_per_chip", "concurrency",
          "usd_per_mtok_output", "joule_per_token", "tokens_per_s_per_mw",
          "memory_bytes_per_chip")  # fmt: skip
#: and where requests were described
OF_REQUESTS = ("ttft_s", "e2e_s", "requests_per_s", "usd_per_mtok", "usd_per_mtok_input",
               "usd_per_mtok_cached_input")  # fmt: skip


@pytest.mark.parametrize("reading", ["calibrated", "ideal"])
@pytest.mark.parametrize(
    ("model", "on", "more"),
    [
        (V3, RACK, {"isl": 4096, "osl": 1024}),
        (V3, "2xhgx-h200", {"isl": 4096, "osl": 1024, "prefix_hit": 0.5}),
        ("openai/gpt-oss-120b", "mi300x-8", {"isl": 512, "osl": 2048, "engine": "vllm"}),
        ("Qwen/Qwen3-8B", "hgx-h100", {"isl": 20_000, "osl": 100, "engine": "sglang"}),
        (V3, "hgx-b200", {"isl": 1024, "osl": 1024, "drafts": 2, "acceptance": 0.7}),
    ],
)
def test_a_batch_agrees_with_the_serving_question(
    model: str, on: str, more: dict[str, Any], reading: str
) -> None:
    """The same layout at the same batch has the same digits, on the lattice of steps and off it."""
    batches = [1.0, 7.0, 64.0, 150.0]
    answer = rl.layouts(model, on, batch=batches, reading=reading, rank="throughput", **more)
    search = answer.searches[0]
    picked = answer.rows[:: max(1, len(answer.rows) // 6)]
    assert len({r["layout"] for r in picked}) > 3
    for row in picked:
        layout = search.layout(row)
        curve = rl.serving(model, on, batch=batches, reading=reading, layout=layout, **more)
        for j, batch in enumerate(batches):
            found = search.candidates.columns(np.asarray([row["candidate"]]), np.asarray([batch]))
            for name in (*SHARED, *OF_REQUESTS):
                expected = float(curve.result[name][0, j])
                value = float(np.ravel(found[name])[0])
                assert value == pytest.approx(expected, rel=1e-9, nan_ok=True), (name, batch)


@pytest.mark.parametrize("reading", ["calibrated", "ideal"])
def test_decoding_alone_agrees_with_the_serving_question(reading: str) -> None:
    """To the digit where steps are timed; the search draws lines between those points."""
    asked: dict[str, Any] = {"context": 8192, "reading": reading}
    answer = rl.layouts(V3, RACK, batch=[64, 100, 1024], **asked)
    search = answer.searches[0]
    for row in answer.rows[:: max(1, len(answer.rows) // 6)]:
        curve = rl.serving(V3, RACK, batch=[64, 100, 1024], layout=search.layout(row), **asked)
        index = np.asarray([row["candidate"]])
        for j, batch in enumerate((64.0, 100.0, 1024.0)):
            found = search.candidates.columns(index, np.asarray([batch]))
            pairs = [("step_s", "time_s"), *((n, n) for n in SHARED)]
            for name, other in pairs:
                value = float(np.ravel(found[name])[0])
                expected = float(curve.result[other][0, j])
                near = 1e-9 if batch != 100 else 0.02
                assert value == pytest.approx(expected, rel=near, nan_ok=True), (name, batch)


def test_no_calibrated_point_is_faster_than_the_ideal_one() -> None:
    calibrated, bound = (
        rl.layouts(V3, RACK, batch=[1, 64, 1024, 8192], reading=reading, rank="throughput")
        .searches[0].result
        for reading in ("calibrated", "ideal")
    )  # fmt: skip
    assert (calibrated["step_s"] >= bound["step_s"] * (1 - 1e-9)).all()
    assert (calibrated["ttft_s"] >= bound["ttft_s"] * (1 - 1e-9)).all()


def test_times_money_and_rates_fit_together(found: rl.Layouts) -> None:
    price = found.searches[0].price
    assert price is not None
    osl, isl, rent = 1024, 4096, price.usd_per_chip_hour
    for row in found.rows[:10]:
        assert row["e2e_s"] == pytest.approx(row["ttft_s"] + (osl - 1) * row["tpot_s"])
        # A request pays for its input and its output; all requests pay for all chips.
        per_request = (row["usd_per_mtok_input"] * isl + row["usd_per_mtok_output"] * osl) / 1e6
        assert row["requests_per_s"] * per_request * 3600 == pytest.approx(72 * rent)
        assert row["usd_per_mtok"] * (isl + osl) / 1e6 == pytest.approx(per_request)
        # Little: requests in flight = rate x time each of them takes.
        assert row["requests_per_s"] * row["e2e_s"] == pytest.approx(row["concurrency"])
        assert 0 < row["mfu"] < 1
        assert 0 < row["mbu"] < 1
        watts = row["joule_per_token"] * row["tokens_per_s_per_chip"]
        assert watts == pytest.approx(
            1e6 * row["tokens_per_s_per_chip"] / row["tokens_per_s_per_mw"]
        )


def test_replicas_are_copies() -> None:
    """Two of eight chips give each user what one of eight does, and twice the requests."""
    one = rl.layouts(V3, "hgx-b200", batch=[64], rank="throughput")
    two = rl.layouts(V3, "2xhgx-b200", batch=[64], rank="throughput")
    layout = one.rows[0]
    twin = next(r for r in two.rows if r["layout"] == f"2x {layout['layout']}")
    assert twin["tpot_s"] == pytest.approx(layout["tpot_s"])
    assert twin["requests_per_s"] == pytest.approx(2 * layout["requests_per_s"])


def test_a_cached_prefix_is_cheaper_than_computing_it() -> None:
    cold = rl.layouts(V3, RACK, batch=[64])
    warm = rl.layouts(V3, RACK, batch=[64], prefix_hit=0.75)
    for a, b in zip(
        sorted(cold.rows, key=lambda r: r["layout"]),
        sorted(warm.rows, key=lambda r: r["layout"]),
        strict=True,
    ):
        assert b["ttft_s"] < a["ttft_s"]
        assert b["usd_per_mtok"] < a["usd_per_mtok"]
        assert b["usd_per_mtok_cached_input"] < 0.7 * b["usd_per_mtok_input"]


def test_accepted_drafts_are_tokens_for_the_same_step() -> None:
    """With n drafts all accepted a step gives 1 + n tokens; with none it only gets longer."""
    plain, vain, lucky = (
        rl.layouts("Qwen/Qwen3-8B", "h100-sxm", chips=1, context=4096, batch=[8], **more).best
        for more in ({}, {"drafts": 2, "acceptance": 0.0}, {"drafts": 2, "acceptance": 1.0})
    )
    assert plain["step_s"] < vain["step_s"] == pytest.approx(lucky["step_s"])
    assert vain["tpot_s"] == pytest.approx(vain["step_s"])
    assert lucky["tpot_s"] == pytest.approx(lucky["step_s"] / 3)
    assert lucky["tokens_per_s_per_chip"] == pytest.approx(8 / lucky["tpot_s"])


def test_skewed_experts_and_less_memory_make_it_worse() -> None:
    old: dict[str, Any] = {"engine": "vllm", "engine_version": "0.6.3"}
    even, usual, skewed = (
        rl.layouts(V3, RACK, tpot=0.03, expert_load_cv=cv, **old).best
        for cv in (0.0, EXPERT_LOAD_CV, 2.0)
    )
    assert even["usd_per_mtok"] < usual["usd_per_mtok"] < skewed["usd_per_mtok"]
    # Today copies of hot experts keep ranks even.
    even, skewed = (
        rl.layouts(V3, RACK, tpot=0.03, expert_load_cv=cv).best for cv in (0.0, EXPERT_LOAD_CV)
    )
    assert even["usd_per_mtok"] <= skewed["usd_per_mtok"] <= 1.05 * even["usd_per_mtok"]
    small = rl.layouts(V3, RACK, memory_utilization=0.5)
    assert max(r["largest_batch"] for r in small.rows) < even["largest_batch"] * 1.5


@pytest.mark.parametrize("on", ["hgx-h100", "mi300x-8", RACK])
def test_reasons_are_told_whatever_the_experts_exchange(on: str) -> None:
    """Ranks gather within eight chips and send beyond: each has its words."""
    answer = rl.layouts("Qwen/Qwen3-30B-A3B", on, context=4096)
    assert all(family.reason for family in answer.families())


# ---- limits and ranking


def test_the_last_batch_meets_the_limits_and_the_next_does_not(found: rl.Layouts) -> None:
    candidates = found.searches[0].candidates
    edge = candidates.within_limits
    index = np.flatnonzero((edge >= 1) & (edge < candidates.fits))
    assert index.size > 50
    last, after = (candidates.columns(index, edge[index] + more) for more in (0, 1))
    assert (last["tpot_s"] <= 0.03).all()
    assert (last["ttft_s"] <= 1.0).all()
    assert ((after["tpot_s"] > 0.03) | (after["ttft_s"] > 1.0)).all()
    full = np.flatnonzero(edge >= candidates.fits)
    assert (edge[full] == candidates.fits[full]).all()


def test_what_fits_fits_and_one_more_does_not(found: rl.Layouts) -> None:
    candidates = found.searches[0].candidates
    index = np.flatnonzero(candidates.fits >= 1)
    held = candidates.columns(index, candidates.fits[index])["memory_bytes_per_chip"]
    more = candidates.columns(index, candidates.fits[index] + 1)["memory_bytes_per_chip"]
    capacity = candidates.capacity_bytes
    assert (held <= capacity).all()
    assert (more > capacity).all()


@pytest.mark.parametrize("rank", ["usd", "throughput", "latency"])
def test_rows_are_ranked_and_within_limits(rank: str) -> None:
    answer = rl.layouts(V3, RACK, rank=rank, e2e=60.0, **LIMITS)
    scores = [answer.rank.score(r) for r in answer.rows]
    # In front the simplest of those too close to call, then best first.
    assert scores[1:] == sorted(scores[1:])
    assert abs(scores[0] / min(scores) - 1) <= TOO_CLOSE
    for row in answer.rows:
        assert row["ttft_s"] <= 1.0
        assert row["tpot_s"] <= 0.03
        assert row["e2e_s"] <= 60.0
        assert row["infeasible"] == ""
        assert row["memory_bytes_per_chip"] <= rl.cluster(RACK).chip.memory.usable


def test_a_tighter_limit_never_gives_a_better_answer() -> None:
    # The cheapest of all: in front is the simplest of those too close to call.
    costs = [
        min(row["usd_per_mtok"] for row in rl.layouts(V3, RACK, tpot=t).rows)
        for t in (0.1, 0.05, 0.03, 0.02)
    ]
    assert costs == sorted(costs)


def test_the_front_is_not_beaten_by_any_point(found: rl.Layouts) -> None:
    result = found.searches[0].result
    x, y = result["tokens_per_s_per_user"], result["tokens_per_s_per_chip"]
    good = result.infeasible == 0
    assert len(found.front) > 5
    for row in found.front:
        better = (x > row["tokens_per_s_per_user"]) & (y > row["tokens_per_s_per_chip"])
        assert not (better & good).any()


def test_the_fewest_chips_are_the_fewest() -> None:
    asked: dict[str, Any] = {"tpot_s": 0.03, "ttft_s": 2.0}
    answer = rl.layouts("meta-llama/Meta-Llama-3.1-70B", "h100-sxm", chips="fewest", **asked)
    n = answer.best["n_chips"]
    assert n > 1
    with pytest.raises(InfeasibleError):
        _ = rl.layouts("meta-llama/Meta-Llama-3.1-70B", "hgx-h100", chips=n // 2, **asked).best


def test_a_chip_alone_is_the_number_with_the_most_output_per_chip() -> None:
    asked: dict[str, Any] = {"tpot_s": 0.03, "ttft_s": 2.0}
    model = "meta-llama/Meta-Llama-3.1-70B"
    answer = rl.layouts(model, "h100-sxm", **asked)
    each = {}
    for n in (1, 2, 4, 8):
        try:
            each[n] = rl.layouts(model, "hgx-h100", chips=n, rank="throughput", **asked).best
        except InfeasibleError:
            continue
    best = max(each, key=lambda n: each[n]["tokens_per_s_per_chip"])
    assert len(each) > 1
    # Within a twentieth of each other the simpler one is taken.
    least = 0.95 * each[best]["tokens_per_s_per_chip"]
    assert each[answer.best["n_chips"]]["tokens_per_s_per_chip"] >= least
    assert "lowest cost per output token within the limits" in " ".join(answer.notes())
    whole = rl.layouts(model, "8xh100-sxm", **asked)
    assert whole.best["n_chips"] == 8


def test_several_machines_are_one_ranking() -> None:
    answer = rl.layouts("openai/gpt-oss-120b", ["hgx-h100", "mi300x"], tpot=0.05)
    assert {"hgx-h100"} < {r["cluster"] for r in answer.rows}
    least = min(answer.rows, key=lambda r: r["usd_per_mtok"])
    assert answer.best["cluster"] == least["cluster"]
    assert answer.best["usd_per_mtok"] <= 1.05 * least["usd_per_mtok"]
    assert "Best of each machine" in " ".join(answer.sentences())
    assert "price of MI300X platform, 8 GPUs is recalled" in " ".join(answer.notes())


def test_machines_of_different_price_bases_are_not_ranked_by_dollars() -> None:
    # A marketplace's spot price of the 4090 is all there is.
    machines = ["hgx-a100-80gb", "rtx-4090"]
    options: dict[str, Any] = {"isl": 512, "osl": 64, "tpot": 0.05}
    answer = rl.layouts("Qwen/Qwen3-0.6B", machines, **options)
    assert {s.price.basis for s in answer.searches if s.price} == {"on-demand", "spot"}
    assert answer.rank.column == "tokens_per_s_per_chip"
    assert "dollars do not rank" in " ".join(answer.notes())
    with pytest.raises(SpecError, match=r"dollars do not rank .* Rank by throughput"):
        rl.layouts("Qwen/Qwen3-0.6B", machines, rank="usd", **options)


@given(tpot_ms=st.floats(1.0, 200.0), ttft_ms=st.floats(5.0, 5000.0), osl=st.integers(2, 4000))
@settings(max_examples=25)
def test_whatever_is_asked_is_kept(tpot_ms: float, ttft_ms: float, osl: int) -> None:
    asked: dict[str, Any] = {"tpot_s": tpot_ms / 1e3, "ttft_s": ttft_ms / 1e3}
    answer = rl.layouts("Qwen/Qwen3-8B", "hgx-h100", isl=1000, osl=osl, **asked)
    for row in answer.rows:
        assert row["tpot_s"] <= asked["tpot_s"]
        assert row["ttft_s"] <= asked["ttft_s"]
    if not answer.rows:
        worst = answer.closest(1)[0]["overshoot"]
        assert worst > 1
    assert answer.sentences()


# ---- words


def test_every_family_has_a_reason_with_a_number(found: rl.Layouts) -> None:
    families = found.families()
    assert {f.degree for f in families} == {"replicas", "pp", "attn_dp", "tp", "ep"}
    for family in families:
        assert family.reason
        if family.best is None:
            assert re.search(r"needs [\d.]+ [GM]B (a|per) chip|at best", family.reason)
        else:
            assert family.ratio is not None
            assert family.ratio >= 1 - TOO_CLOSE
            told = ("%", "nothing", "too close")
            assert any(word in family.reason for word in told)


def test_tensor_parallelism_over_domains_is_told() -> None:
    answer = rl.layouts(
        "meta-llama/Llama-2-70b-hf", "2xhgx-h100", context=64, rank="throughput", tpot=0.02
    )
    (wide,) = [f for f in answer.families() if (f.degree, f.value) == ("tp", 16)]
    assert wide.ratio is not None
    assert wide.ratio < 1
    assert re.search(r"all-reduces, which cross 2 domains of 8 chips, take \d+ ?%", wide.reason)


def test_replicated_latents_are_told() -> None:
    """MLA has one latent for all heads: TP 8 holds it eight times."""
    answer = rl.layouts(V3, RACK, context=65_536, rank="throughput", reading="ideal")
    (family,) = [f for f in answer.families() if (f.degree, f.value) == ("tp", 8)]
    assert "held 8 times over" in family.reason


def test_intervals_hold_the_middle(found: rl.Layouts, ideal: rl.Layouts) -> None:
    for row in found.with_intervals(found.rows[:5]):
        assert row["tpot_low_s"] < row["tpot_s"] < row["tpot_high_s"]
        assert row["ttft_low_s"] < row["ttft_s"] < row["ttft_high_s"]
    # A bound has none.
    assert ideal.with_intervals(ideal.rows[:2]) == ideal.rows[:2]


def test_the_dict_is_plain_and_says_what_was_asked(found: rl.Layouts) -> None:
    told = found.to_dict(n=3)
    assert told["about"]["limits"] == {"ttft": "mean <= 1 s", "tpot": "mean <= 30 ms"}
    assert told["meets_limits"]
    assert len(told["rows"]) == 3
    assert told["about"]["n_points"] > 5000


# ---- wrong questions


def test_limits_nothing_meets_are_answered_with_what_comes_closest() -> None:
    answer = rl.layouts(V3, RACK, tpot=1e-4)
    assert answer.rows == []
    closest = answer.closest()
    assert closest[0]["overshoot"] == min(r["overshoot"] for r in closest) > 1
    said = " ".join(answer.sentences())
    assert "TPOT of 100 µs cannot be met" in said
    assert closest[0]["layout"] in said
    with pytest.raises(InfeasibleError, match="cannot be met"):
        _ = answer.best


def test_a_batch_that_nothing_has_room_for() -> None:
    answer = rl.layouts("Qwen/Qwen3-8B", "hgx-h100", batch=[1e6], tpot=1.0)
    (said,) = answer.sentences()
    most = max(float(s.candidates.fits.max()) for s in answer.searches)
    assert f"room for a batch of 1,000,000 in one replica: {most:,.0f} sequences" in said
    assert answer.closest() == []


def test_limits_that_are_met_only_apart_are_told_so() -> None:
    alone = rl.layouts(V3, "hgx-h200", tpot="none", ttft="none").searches[0].result
    fits = alone.infeasible == 0
    tpot, ttft = (float(alone[n][fits].min()) for n in ("tpot_s", "ttft_s"))
    answer = rl.layouts(V3, "hgx-h200", tpot=tpot * 1.001, ttft=ttft * 1.001)
    if not answer.rows:
        assert "can be met alone" in " ".join(answer.missing())


def test_a_model_larger_than_the_fleet_is_told_by_how_much() -> None:
    with pytest.raises(InfeasibleError, match=r"[\d.]+ GB more than the [\d.]+ GB that a chip has"):
        rl.layouts(V3, "hgx-h100")
    with pytest.raises(InfeasibleError, match="does not fit"):
        rl.layouts(V3, "rtx-4090")


@pytest.mark.parametrize("reading", ["calibrated", "ideal"])
def test_an_arithmetic_the_chip_lacks_is_told(reading: str) -> None:
    with pytest.raises(InfeasibleError, match="has no fp8 arithmetic"):
        rl.layouts("Qwen/Qwen3-8B", "hgx-a100-80gb", compute="fp8", reading=reading)


def test_a_number_of_chips_that_nothing_divides() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "2xhgx-h100", chips=7, rank="throughput")
    assert {r["layout"] for r in answer.rows} == {"7x 1 chip", "PP7"} - {
        "PP7" if math.ceil(64 / 7) * 7 / 64 > 1 / 0.9 else ""
    }
    assert any("TP 7" in line for line in answer.impossible())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rank": "cheap"}, "There is no rank"),
        ({"reading": "blackboard"}, "ideal or calibrated"),
        ({"context": 100, "isl": 1, "osl": 2}, "not both"),
        ({"isl": 100}, "come together"),
        ({"isl": 100, "osl": 1}, "at least 2"),
        ({"prefix_hit": 1.5}, "prefix_hit"),
        ({"prefix_hit": 1.0}, "less than 1"),
        ({"context": 100, "prefix_hit": 0.5}, "isl and osl"),
        ({"tpot_s": 0.0}, "tpot: a time from 1 µs to 1e6 s, .* is expected, not 0"),
        ({"tpot_s": float("nan")}, "tpot: a time from 1 µs to 1e6 s, .* is expected, not nan"),
        ({"chips": 0}, "a whole number from 1"),
        ({"chips": 2.5}, "a whole number from 1"),
        ({"batch": [0]}, "batch: a number from 1 .* is expected, not 0"),
        ({"batch": "many"}, "batch: a number from 1 .* is expected, not 'many'"),
    ],
)  # fmt: skip
def test_wrong_input(options, match: str) -> None:
    with pytest.raises(SpecError, match=match):
        rl.layouts(V3, RACK, **options)


def test_ranking_by_dollars_needs_a_price() -> None:
    with pytest.raises(SpecError, match="needs a price"):
        rl.layouts("Qwen3-8B", "vr200", rank="usd")
    assert rl.layouts("Qwen3-8B", "vr200").rank.column == "tokens_per_s_per_chip"


def test_models_known_by_counts_cannot_be_cut() -> None:
    with pytest.raises(SpecError, match="counts alone"):
        rl.layouts(rl.Model.from_counts("37B"), RACK)


def test_limits_and_lengths_say_what_they_are() -> None:
    assert list(limit_words(Limits.parse({"ttft": "none", "tpot": 0.03}))) == [
        ("tpot", "TPOT", 0.03)
    ]
    assert (
        lengths_words(Requests(4096, 1024, 1024))
        == "4,096 tokens in, 1,024 of them cached, 1,024 out"
    )
    assert lengths_words(Requests(decode_context=8192)) == "8,192 tokens of context"


def test_cards_on_one_host_are_joined_as_in_serving():
    found = rl.layouts("Qwen/Qwen3-8B", "rtx-4090", chips=4, isl=1024, osl=128)
    assert {row["tp"] for row in found.rows} > {1}
    assert found.searches[0].candidates.base.cluster.fabric == "pcie"


def test_chips_that_nothing_joins_serve_alone():
    found = rl.layouts("Qwen/Qwen3-8B", "apple-m4-max", chips=4, isl=1024, osl=128)
    assert {(row["replicas"], row["tp"], row["pp"]) for row in found.rows} == {(4, 1, 1)}
    with pytest.raises(InfeasibleError, match="no network"):
        rl.layouts("Qwen/Qwen3-8B", "apple-m4-max", chips=2, tp=2)
