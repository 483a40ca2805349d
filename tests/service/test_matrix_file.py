"""The matrix covers what it should, and its by-hand values are the calculator's."""

from __future__ import annotations

from collections import Counter

import by_hand
import pytest
from matrix import Case, cases, name_of, named

BOUNDS = cases(reading="ideal") + cases(reading="blackboard")


def test_there_are_scenarios_of_every_kind() -> None:
    every = cases()
    assert len({case.name for case in every}) == len(every) >= 48
    assert len(cases(reading="calibrated")) >= 30
    assert min(len(cases(reading=r)) for r in ("ideal", "blackboard")) >= 10
    arrivals = Counter(case.arrival for case in cases(reading="calibrated", disaggregated=False))
    assert min(arrivals[a] for a in ("closed", "open", "offline", "fixed")) >= 6
    assert len(cases(disaggregated=True)) >= 5
    assert len(cases(reading="calibrated", uneven=True)) >= 4
    for arrival in ("closed", "open"):
        found = cases(reading="calibrated", arrival=arrival, disaggregated=False)
        assert {case.expected["saturated"] for case in found} == {True, False}
    machines = {"hgx-h100", "hgx-h200", "hgx-b200", "gb200-nvl72", "hgx-a100-80gb", "mi300x-8"}
    assert {case.machine for case in cases(reading="calibrated")} == machines | {"l40s-8"}
    bottlenecks = {case.expected["bottleneck"] for case in BOUNDS}
    assert bottlenecks == {"compute", "weights", "KV", "network"}


@pytest.mark.parametrize("case", cases(), ids=name_of)
def test_a_scenario_agrees_with_itself(case: Case) -> None:
    pools = [x for x in (case.layout, case.prefill, case.decode) if x is not None]
    assert sum(x.n_chips for x in pools) == case.n_chips
    domain = case.cluster_record.domain_size
    assert case.n_chips <= case.n_domains * domain
    n_layers = sum(block.repeat for block in case.model_record.blocks)
    if case.layout is not None and case.reading != "blackboard":
        wanted = by_hand.stage_imbalance(n_layers, case.layout.pp)
        assert case.stage_imbalance == pytest.approx(wanted)
    e = case.expected
    rate = e["requests_per_s"]
    assert e["output_tokens_per_s"] == pytest.approx(rate * case.osl)
    usd = by_hand.usd_per_request(case.usd_per_chip_hour, case.n_chips, rate)
    assert e["usd_per_request"] == pytest.approx(usd)
    assert e["usd_per_mtok"] == pytest.approx(by_hand.usd_per_mtok(usd, case.isl, case.osl))
    if "e2e_s" in e:
        whole = e["ttft_s"] + (case.osl - 1) * e["tpot_s"]
        assert e["e2e_s"] == pytest.approx(whole * e.get("rounds", 1.0))
    if case.arrival == "closed":  # Little's law
        assert case.concurrency == pytest.approx(rate * e["e2e_s"], rel=1e-6)


@pytest.mark.parametrize("case", cases(with_memory=True), ids=name_of)
def test_memory_is_by_hand(case: Case) -> None:
    shape, layout, memory = by_hand.SHAPES[case.model], case.layout, case.memory
    assert layout is not None
    assert memory is not None
    at = by_hand.Degrees(layout.pp, layout.attn_dp, layout.tp, layout.ep)
    weights = by_hand.weight_bytes_per_chip(shape, at)
    cache = by_hand.cache_bytes_per_sequence_per_chip(shape, memory.tokens_kept, at)
    if case.reading == "blackboard":
        weights = by_hand.weight_bytes(shape) / at.chips
        cache = by_hand.cache_bytes_per_sequence(shape, memory.tokens_kept) / at.chips
    case.check_memory(weights, cache)


@pytest.mark.parametrize("case", BOUNDS, ids=name_of)
def test_lower_bounds_are_by_hand(case: Case) -> None:
    layout = case.layout
    assert layout is not None
    at = by_hand.Degrees(layout.pp, layout.attn_dp, layout.tp, layout.ep)
    shape, chip = by_hand.SHAPES[case.model], by_hand.CHIPS[case.machine]
    steps = by_hand.Steps(case.reading, shape, chip, at, case.isl, case.osl)
    load = case.load_per_replica
    assert load is not None
    found = {
        "fixed": lambda: by_hand.fixed_batch(steps, load),
        "offline": lambda: by_hand.offline(steps, load),
        "open": lambda: by_hand.open_loop(steps, load),
        "closed": lambda: by_hand.one_after_another(steps),
    }[case.arrival]()
    found["requests_per_s"] *= layout.replicas
    one = steps.decode(case.expected["step_sequences"])
    found["step_s"] = one.time_s
    wanted = {name: case.expected[name] for name in found}
    assert found == pytest.approx(wanted, rel=1e-9)
    assert one.bottleneck == case.expected["bottleneck"]


def test_checks_tell_right_from_wrong() -> None:
    case = named("qwen3-8b-h100-tp1-vllm-closed-16")
    case.check(**case.expected)
    with pytest.raises(AssertionError, match=r"ttft_s is .*, expected"):
        case.check(ttft_s=case.expected["ttft_s"] * 1.05, tpot_s=case.expected["tpot_s"])
    with pytest.raises(AssertionError, match="saturated is True, expected False"):
        case.check(saturated=True)
    uneven = named("deepseek-v3-h200-pp4-tp4-vllm-closed-128-uneven")
    # What is expected of the calibrated reading holds the imbalance already.
    assert uneven.stage_imbalance > 1.04
    uneven.check(tpot_s=uneven.expected["tpot_s"])
    with pytest.raises(AssertionError):
        uneven.check(tpot_s=uneven.expected["tpot_s"] * uneven.stage_imbalance)
    exact = named("ideal-deepseek-r1-h100-pp2-tp8-offline-128-uneven")
    exact.check(step_s=exact.expected["step_s"] * exact.stage_imbalance)
    with pytest.raises(AssertionError):
        exact.check(step_s=exact.expected["step_s"])


def test_the_calculator_knows_published_sizes() -> None:
    """Sizes of the papers and model cards, to their rounding."""
    size = {name: by_hand.weight_bytes(shape) for name, shape in by_hand.SHAPES.items()}
    assert size["Qwen/Qwen3-8B"] / 2e9 == pytest.approx(8.2, rel=0.01)
    assert size["meta-llama/Llama-3.1-70B-Instruct"] / 2e9 == pytest.approx(70.6, rel=0.01)
    assert size["mistralai/Mixtral-8x7B-v0.1"] / 2e9 == pytest.approx(46.7, rel=0.01)
    assert size["Qwen/Qwen3-235B-A22B"] / 2e9 == pytest.approx(235, rel=0.01)
    assert size["deepseek-ai/DeepSeek-V3"] / 1e9 == pytest.approx(671, rel=0.01)
    assert size["openai/gpt-oss-120b"] / 2**30 == pytest.approx(60.8, rel=0.01)
    token = {n: by_hand.cache_bytes_per_sequence(s, 1.0) for n, s in by_hand.SHAPES.items()}
    assert token["deepseek-ai/DeepSeek-V3"] == 70_272
    assert token["Qwen/Qwen3-8B"] == 147_456
    assert token["openai/gpt-oss-120b"] == 73_728
