"""The question as the library asks it: rows, landmarks, prices, comparison, pictures."""

from __future__ import annotations

import json
import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.errors import CatalogError, InfeasibleError, RidgelineError, SpecError
from ridgeline.questions.layouts.table import layouts_table
from ridgeline.questions.serving import choose_price, serve
from ridgeline.specs.scenario import Scenario


@pytest.fixture(scope="module")
def curve():
    return rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", context=1024, reading="blackboard")


def test_parts_add_up_to_the_step(curve) -> None:
    r = curve.result
    memory = r["weight_fetch_s"] + r["attention_s"]
    assert np.allclose(r["time_s"], np.maximum(r["compute_s"], memory))
    cost = np.maximum(
        r["usd_per_mtok_compute"], r["usd_per_mtok_weights"] + r["usd_per_mtok_attention"]
    )
    assert np.allclose(r["usd_per_mtok_output"], cost)
    assert np.allclose(r["mfu"], r["compute_s"] / r["time_s"])


def test_cost_has_its_three_shapes_in_the_batch(curve) -> None:
    r = curve.result
    assert np.allclose(np.ptp(r["usd_per_mtok_compute"]), 0, atol=1e-12)
    assert np.allclose(np.ptp(r["usd_per_mtok_attention"]), 0, atol=1e-12)
    assert np.allclose(r["usd_per_mtok_weights"][0] * r["batch"], r["usd_per_mtok_weights"][0, 0])


def test_the_default_batches_show_the_landmarks(curve) -> None:
    batches = curve.result["batch"]
    assert np.floor(curve.balance.batch) in batches
    assert np.floor(curve.balance.largest_batch) in batches
    assert batches[-1] > curve.balance.largest_batch
    assert (np.diff(batches) > 0).all()


def test_what_does_not_fit_is_a_point_with_a_reason(curve) -> None:
    over = curve.result["batch"] > curve.balance.largest_batch
    assert (curve.result.infeasible[0] != 0).tolist() == over.tolist()
    row = curve.at(curve.result["batch"][-1])
    assert row["infeasible"].startswith("out of memory: caches of so many sequences")
    assert row["infeasible"].endswith("a chip has")
    assert "the 198 GB" in row["infeasible"]
    assert row["time_s"] > 0


def test_best_is_feasible(curve) -> None:
    cheapest = curve.best("usd_per_mtok_output")
    assert cheapest["infeasible"] == ""
    assert cheapest["bound"] == "compute"
    fastest = curve.best("tokens_per_s_per_user", largest=True)
    assert fastest["batch"] == 1
    with pytest.raises(SpecError, match=r"Did you mean .*'usd_per_mtok_output'"):
        curve.best("usd_per_mtok")


def test_nothing_fits_is_said(curve) -> None:
    full = rl.serving("deepseek-ai/DeepSeek-V3", "hgx-h200", chips=8, context=1e6, batch=[64, 128])
    assert "no batch asked for fits in memory" in " ".join(full.sentences())
    with pytest.raises(InfeasibleError, match="out of memory"):
        full.best("time_s")


def test_several_contexts_are_an_axis() -> None:
    both = rl.serving("Qwen/Qwen3-8B", "1xh100-sxm", context=[1024, 8192], batch=[1, 8])
    one = rl.serving("Qwen/Qwen3-8B", "1xh100-sxm", context=8192, batch=[1, 8])
    assert both.result.shape == (2, 2)
    assert both.result["time_s"][1].tolist() == one.result["time_s"][0].tolist()
    drawn = json.dumps(both.chart("latency").to_dict())
    assert all(f"{context:,}" in drawn for context in (1024, 8192))


def test_lengths_of_a_request_give_its_mean_context() -> None:
    assert rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=4096, osl=1024).context == 4608


def test_prices_are_dated_and_chosen_by_basis() -> None:
    h100 = rl.cluster("hgx-h100")
    usual, contract = choose_price(h100), choose_price(h100, "contract")
    assert usual is not None
    assert contract is not None
    assert (usual.basis, usual.date) == ("on-demand", "2026-05-20")
    assert (contract.usd_per_chip_hour, contract.date) == (2.35, "2026-03")
    assert choose_price(rl.cluster("vr200-nvl72")) is None
    with pytest.raises(SpecError, match="has no spot price; it has"):
        choose_price(rl.cluster("mi300x-8"), "spot")


def test_cost_follows_the_price() -> None:
    def cost(price: float) -> float:
        answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=8, price=price)
        return answer.at(8)["usd_per_mtok_output"]

    assert cost(4.0) == pytest.approx(2 * cost(2.0))


def test_comparison_puts_the_cheapest_first() -> None:
    machines = ("h100-sxm", "b200-sxm", "h200-sxm", "mi300x")
    answers = [rl.serving("Qwen/Qwen3-8B", on, basis="on-demand") for on in machines]
    rows = rl.compare(answers)
    costs = [r["usd_per_mtok_output"] for r in rows]
    assert costs == sorted(costs)
    assert costs == sorted(a.chosen["usd_per_mtok_output"] for a in answers)
    rates = [r["tokens_per_s_per_chip"] for r in rows]
    assert rates != sorted(rates, reverse=True)


def test_without_prices_on_one_basis_output_per_chip_ranks() -> None:
    for machines in (("h100-sxm", "vr200", "mi300x"), ("h100-sxm", "rtx-4090")):
        answers = [rl.serving("Qwen/Qwen3-8B", on) for on in machines]
        assert len({a.price.basis if a.price else None for a in answers}) > 1
        rates = [r["tokens_per_s_per_chip"] for r in rl.compare(answers)]
        assert rates == sorted(rates, reverse=True)


def test_a_model_that_does_not_fit_grows_by_whole_domains() -> None:
    bound = rl.serving("moonshotai/Kimi-K2-Instruct", "hgx-h100", reading="blackboard")
    assert bound.machine.n_chips == 16
    assert any("2 x HGX H100, 8 GPUs are the fewest" in n for n in bound.notes)
    # Tensor parallelism as high as it takes to keep few copies of the attention weights.
    calibrated = rl.serving("moonshotai/Kimi-K2-Instruct", "hgx-h100")
    # What an engine needs beside the weights may take a node more.
    assert calibrated.machine.n_chips in (16, 24)
    assert calibrated.layout is not None
    assert calibrated.layout.tp > 1 or calibrated.machine.n_chips == 24


def test_several_domains_are_a_cluster_too() -> None:
    one, four = rl.cluster("hgx-h100"), rl.cluster("4xhgx-h100")
    assert (four.n_domains, four.domain_size) == (4, 8)
    assert rl.serving("Qwen/Qwen3-8B", "4xhgx-h100").machine.n_chips == 32
    assert rl.serving("Qwen/Qwen3-8B", one).machine.n_chips == 8
    with pytest.raises(SpecError, match="need a scale_out rate"):
        rl.cluster("2xmacbook-pro-m5")
    with pytest.raises(CatalogError, match="There is no chip or cluster 'nothing'"):
        rl.cluster("2xnothing")


def test_weights_and_cache_in_other_formats() -> None:
    plain = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=1)
    small = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=1, weights="fp8", kv="fp8")
    assert 0.5 < small.counts.weight_bytes / plain.counts.weight_bytes < 0.6
    assert small.counts.kv_bytes_per_token == plain.counts.kv_bytes_per_token / 2
    with pytest.raises(SpecError, match="kv_bytes_per_token instead"):
        rl.serving(rl.Model.from_counts("8B"), "h100-sxm", kv="fp8")


def test_estimates_are_told() -> None:
    notes = " ".join(rl.serving("Qwen/Qwen3-8B", "vr200").notes)
    assert "Estimated, not published: NVIDIA VR200 Vera Rubin" in notes


@pytest.mark.parametrize("bad", [[], [0], [-1], [float("nan")], [[1, 2]], "many", None])
def test_bad_batches_are_refused(bad) -> None:
    if bad is None:
        return
    with pytest.raises(SpecError, match="batch:"):
        rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=bad)


def test_results_leave_in_every_form(curve) -> None:
    data = json.loads(curve.result.to_json())
    n = len(data["axes"]["batch"]["values"])
    assert np.shape(data["columns"]["time_s"]["values"]) == (1, n)
    assert data["columns"]["time_s"]["unit"] == "s"
    frame = curve.to_polars()
    assert frame.shape == (n, 2 + len(curve.result.columns) + 2)  # why not, mark
    assert curve.to_csv().count("\n") == n + 1


def test_explain_shows_the_numbers_of_the_row(curve) -> None:
    row, text = curve.at(64), curve.explain(batch=64)
    assert "One decode step at B = 64" in text
    assert f"{row['weight_fetch_s'] * 1e3:.2f} ms" in text
    assert "bound by weights" in text


@pytest.mark.parametrize("reading", ["blackboard", "ideal", "calibrated"])
def test_a_step_is_explained_alike_with_requests_and_without(reading: str) -> None:
    def said(**more) -> list[str]:
        found = rl.serving("Qwen/Qwen3-8B", "1xh100-sxm", batch=64, reading=reading, **more)
        lines = found.explain().splitlines()
        return [line.strip() for line in lines if line.startswith("  MFU")]

    alone, served = said(context=1500), said(isl=1000, osl=1000)
    assert served[:1] == alone
    # Prompts use the chip better than decoding does.
    mean = float(served[1].partition("prefill")[2].split("%")[0])
    (bare,) = re.findall(r"([\d.]+)%", alone[0])[:1]
    assert mean > 1.4 * float(bare)


def test_nothing_cached_is_an_answer() -> None:
    found = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=0, reading="blackboard")
    assert math.isinf(found.largest_batch())
    assert found.to_dict()["values"]["largest_batch"] is None
    assert len(found.table().rows) == len(found.to_dict()["grid"]["axes"]["batch"]["values"])


NAS = "nvidia/Llama-3_3-Nemotron-Super-49B-v1"


@pytest.mark.parametrize("command", ["serving", "sensitivity", "tiers", "layouts"])
def test_a_model_of_unlike_layers_is_answered(command: str, capsys) -> None:
    """Layers that differ, all of them counted along an axis: bytes that are said are numbers."""
    assert main([command, NAS, "--on", "hgx-h100"]) == 0
    assert "Nemotron" in capsys.readouterr().out


def test_what_a_model_of_unlike_layers_lacks_is_said_in_numbers() -> None:
    row = rl.serving(NAS, "hgx-h100", batch=[1, 4096]).at(4096)
    said = re.match(r"out of memory: caches .* weights ([\d.]+) GB", row["infeasible"])
    assert said
    assert float(said[1]) == pytest.approx(
        2 * rl.counts(rl.model(NAS)).n_params / 8 / 1e9, rel=0.01
    )


def test_what_lacks_memory_is_not_said_to_be_slow() -> None:
    many = [
        rl.serving("meta-llama/Llama-3.3-70B-Instruct", on, batch=8, reading="ideal", tpot=tpot)
        for on, tpot in (("1xa100-80gb-sxm", 0.02), ("1xh100-sxm", 0.02), ("1xb200", 0.001))
    ]
    small, found = rl.compare(many[:2]), rl.compare(many)
    assert "out of memory" in small.sentence()
    assert [row["remark"] for row in small] == ["does not fit"] * 2
    assert [row["remark"] for row in found] == ["misses the limits", *["does not fit"] * 2]
    assert found.sentence().startswith("No machine keeps")
    assert "B200" in found.sentence()


def evaluated(text: str) -> float:
    """A line of the working as the number it comes to."""
    bare = re.sub(r"[a-z$,]", "", text.strip(" ="))
    return eval(bare.replace("^", "**"))


@pytest.mark.parametrize("reading", ["ideal", "calibrated"])
@pytest.mark.parametrize(
    "asked",
    [
        {"drafts": 1, "acceptance": 0.8, "batch": 512},
        {"batch": 512},
        {"isl": 1000, "osl": 500, "prefix_hit": 0.5, "batch": 64, "drafts": 1, "acceptance": 0.8},
    ],
)
def test_the_equation_of_the_cost_comes_to_the_cost(reading: str, asked: dict) -> None:
    found = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading=reading, **asked)
    row = found.chosen
    _, *lines = found.explain().partition("Cost at")[2].splitlines()
    left, _, right = lines[1].strip(" =").partition(" = ")
    want = row["usd_per_request" if "isl" in asked else "usd_per_mtok_output"]
    (said,) = map(float, re.findall(r"^\$([\d.]+)", right))
    assert evaluated(left.replace(" x ", " * ")) == pytest.approx(want, rel=0.01)
    assert said == pytest.approx(want, rel=0.01)
    if "isl" in asked:
        shares = re.sub(r"(new |cached )?(in|out)put ", "", lines[2]).replace(" x ", " * ")
        assert evaluated(shares) == pytest.approx(want, rel=0.01)


def test_calibrated_is_the_default_where_the_model_is_known_by_shape() -> None:
    assert rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=1).reading == "calibrated"
    by_counts = rl.Model.from_counts("8B", kv_bytes_per_token=1e5)
    assert rl.serving(by_counts, "h100-sxm", batch=1).reading == "blackboard"
    with pytest.raises(SpecError, match="known by its counts alone"):
        rl.serving(by_counts, "h100-sxm", reading="calibrated")


@pytest.mark.parametrize("reading", ["blackboard", "ideal", "calibrated"])
def test_a_request_is_asked_about_prefill_too(reading: str) -> None:
    def row(hit: float, isl: float = 2048):
        answer = rl.serving(
            "Qwen/Qwen3-8B", "1xh100-sxm", isl=isl, osl=256, batch=[32], prefix_hit=hit,
            reading=reading,
        )  # fmt: skip
        return answer.at(32)

    plain, cached = row(0.0), row(0.75)
    assert cached["ttft_s"] < plain["ttft_s"] < row(0.0, 8192)["ttft_s"]
    # A prompt of which less is computed stalls the others less.
    assert cached["tpot_s"] <= plain["tpot_s"]
    assert plain["time_s"] <= plain["tpot_s"] * 1.1
    assert plain["e2e_s"] == pytest.approx(plain["ttft_s"] + 255 * plain["tpot_s"])
    # All that is paid for is what the chips cost in the time between requests.
    assert plain["usd_per_request"] == pytest.approx(2.95 / 3600 / plain["requests_per_s"])
    if reading == "calibrated":
        assert plain["ttft_low_s"] < plain["ttft_s"] < plain["ttft_high_s"]


def test_prefill_in_chunks_takes_at_least_the_whole_at_once() -> None:
    answers = {
        r: rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=100_000, osl=8, batch=[1], reading=r).at(1)
        for r in ("ideal", "calibrated")
    }
    assert answers["calibrated"]["ttft_s"] > answers["ideal"]["ttft_s"]


def test_drafts_trade_step_time_for_tokens() -> None:
    def row(**more):
        return rl.serving("deepseek-ai/DeepSeek-V3", "hgx-h200", batch=[16], **more).at(16)

    plain, drafted = row(), row(drafts=1, acceptance=0.85)
    assert drafted["time_s"] > plain["time_s"]
    assert drafted["tpot_s"] == pytest.approx(drafted["time_s"] / 1.85)
    assert drafted["tpot_s"] < plain["tpot_s"]
    assert drafted["memory_bytes_per_chip"] > plain["memory_bytes_per_chip"]
    with pytest.raises(SpecError, match="The blackboard knows no drafts"):
        row(drafts=1, acceptance=0.5, reading="blackboard")


def test_skewed_experts_are_slower_where_experts_are_spread() -> None:
    def time_s(cv: float, on: str = "hgx-h200", tp: int = 1) -> float:
        answer = rl.serving(
            "deepseek-ai/DeepSeek-V3", on, batch=[1024], expert_load_cv=cv, ep=8, attn_dp=8, tp=tp
        )
        return answer.at(1024)["time_s"]

    assert time_s(0.0) < time_s(0.5) < time_s(1.0)
    # Beyond one host hot experts have copies.
    assert time_s(1.0, "4xhgx-h200", 4) < 1.02 * time_s(0.0, "4xhgx-h200", 4)


def test_memory_adds_up_and_says_what_is_short() -> None:
    answer = rl.serving("Qwen/Qwen3-32B", "h100-sxm", batch=[1, 512], chips=1)
    held = answer.replica.memory(8192)
    assert answer.at(512)["memory_bytes_per_chip"] == pytest.approx(held.total_bytes(512))
    parts = (held.weights_bytes, held.activation_bytes, held.buffer_bytes, held.reserve_bytes)
    assert held.total_bytes(0) == pytest.approx(sum(parts))
    assert answer.at(1)["infeasible"] == ""
    assert "reserve" in answer.at(512)["infeasible"]
    full = rl.serving("Qwen/Qwen3-32B", "l40s", batch=[1], chips=1).at(1)
    assert "GB more than the" in full["infeasible"]
    more = rl.serving("Qwen/Qwen3-32B", "h100-sxm", batch=[1], memory_utilization=0.95)
    assert more.balance.largest_batch > answer.balance.largest_batch


def test_cards_without_a_network_share_their_hosts_bus_and_say_so() -> None:
    answer = rl.serving("Qwen/Qwen3-32B", "rtx-4090", batch=[1])
    assert answer.machine.n_chips > 1
    assert any("taken as one machine" in n for n in answer.notes)
    with pytest.raises(InfeasibleError, match="has no network"):
        rl.serving("Qwen/Qwen3-32B", "rtx-4090", batch=[1], chips=16)


def test_several_of_a_chip_by_its_file_and_the_way_out_of_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mem.toml"
    file.write_text(
        'id = "acme-mem"\nname = "Acme Mem-1"\nvendor = "Acme"\n[memory]\ncapacity = "40 GB"\n'
        'bandwidth = "6 TB/s"\n[peak]\nbf16 = "400 TFLOP/s"\n'
    )
    for named in (f"4x{file}", f"4 x {file}"):
        with pytest.raises(InfeasibleError, match=r"--set cluster\.scale_out"):
            rl.serving("Qwen/Qwen3-32B", named, batch=[1])
    joined = ["serving", "Qwen/Qwen3-32B", "--on", f"4x{file}", "--batch", "1"]
    assert main([*joined, "--set", "cluster.scale_out=50 GB/s"]) == 0
    assert "4 x Acme Mem-1" in " ".join(capsys.readouterr().out.split())
    for ask in (rl.layouts, partial(rl.fleet, rate=2)):
        with pytest.raises(InfeasibleError, match=r"no network.*TOML file or with --set cluster"):
            ask("Qwen/Qwen3-32B", str(file), isl="2k", osl=500)
    with pytest.raises(RidgelineError, match=r"^nix\.toml: there is no such file"):
        rl.serving("Qwen/Qwen3-32B", "4xnix.toml")


@pytest.mark.parametrize("reading", ["blackboard", "ideal", "calibrated"])
def test_utilisation_energy_and_the_three_prices(reading: str) -> None:
    answer = rl.serving(
        "Qwen/Qwen3-32B", "hgx-h200", isl=4096, osl=512, batch=[1, 256], reading=reading
    )
    alone = rl.serving("Qwen/Qwen3-32B", "hgx-h200", batch=[1, 256], reading=reading)
    for row in (alone.at(1), alone.at(256), answer.at(1)):
        assert 0 < row["mfu"] < row["mbu"] <= 1 + 1e-9
    # Prompts multiply more than they read: with many in flight they take most of the time.
    busy = answer.at(256)
    assert 0 < busy["mbu"] < busy["mfu"] <= 1
    flops = 2 * answer.counts.n_params_active * (4096 + 512) * busy["requests_per_s"]
    assert busy["mfu"] == pytest.approx(flops / (8 * 989.5e12), rel=0.1)
    for row in (answer.at(1), busy):
        per_chip = row["tokens_per_s_per_chip"]
        assert row["joule_per_token"] * per_chip == pytest.approx(
            1e6 / row["tokens_per_s_per_mw"] * per_chip
        )
        assert row["usd_per_mtok_cached_input"] < row["usd_per_mtok_input"]
        assert row["usd_per_mtok_input"] < row["usd_per_mtok_output"]


def test_limits_are_told_where_they_have_a_meaning() -> None:
    def said(**more) -> str:
        asked = rl.serving("Qwen/Qwen3-8B", "hgx-h100", batch=[1, 64], **more)
        return " ".join(asked.sentences())

    assert "within TPOT mean <= 50 ms (the usual limit)" in said()
    assert "cheapest within" not in said(tpot="none")
    request = {"isl": 4096, "osl": 512}
    assert "within TTFT mean <= 2 s, TPOT mean <= 50 ms (the usual limits)" in said(**request)
    missed = said(**request, tpot="none", ttft=0.001)
    assert "no batch asked for keeps TTFT mean <= 1 ms; the nearest is 1 request of" in missed


def test_the_chosen_point_keeps_a_limit_on_a_percentile() -> None:
    asked = {"isl": 1000, "osl": 200, "batch": [2**i for i in range(10)]}
    mean, p99 = (
        rl.serving("Qwen/Qwen3-8B", "1xh100-sxm", **asked, tpot=tpot).chosen
        for tpot in ("mean<20ms", "p99<20ms")
    )
    assert p99["within_limits"]
    assert p99["batch"] < mean["batch"]
    assert mean["tpot_s"] <= 0.02


def test_an_engine_is_chosen_by_name() -> None:
    def time_s(engine: str) -> float:
        return rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=[1], engine=engine).at(1)["time_s"]

    assert time_s("vllm") != time_s("tensorrt-llm")
    with pytest.raises(CatalogError, match="Did you mean 'vllm'"):
        time_s("vlm")


def test_the_number_of_chips_is_chosen_at_the_batch_asked_for() -> None:
    name = "meta-llama/Llama-3.1-8B-Instruct"
    found = rl.serving(name, "h100-sxm", batch=7)
    each = [rl.serving(name, f"{n}xh100-sxm", batch=7) for n in (1, 2, 4, 8)]
    costs = [answer.chosen["usd_per_mtok_output"] for answer in each]
    assert found.machine.n_chips == each[int(np.argmin(costs))].machine.n_chips
    assert found.chosen["usd_per_mtok_output"] == pytest.approx(min(costs))
    assert "at the batch asked for" in " ".join(found.notes)
    # Where no number keeps the limits, the fastest at that batch.
    fastest = rl.serving(name, "h100-sxm", batch=7, tpot="1 ms")
    assert fastest.chosen["tpot_s"] == pytest.approx(min(a.chosen["tpot_s"] for a in each))


def test_the_headline_says_of_which_batch_and_context_it_speaks() -> None:
    name = "Qwen/Qwen3-8B"
    one = rl.serving(name, "1xh100-sxm", batch=40, tpot="5 ms").sentences()[0]
    assert "the batch of 40 asked for does not keep TPOT" in one
    requests = rl.serving(name, "1xh100-sxm", batch=4, isl=2000, osl=500, ttft="1 ms")
    assert "the batch asked for, 4 requests of" in requests.sentences()[0]
    several = rl.serving(name, "1xh100-sxm", batch=[30, 40], tpot="5 ms").sentences()[0]
    assert "no batch asked for keeps TPOT" in several
    contexts = rl.serving(name, "1xh100-sxm", batch=[1, 16], context=[1, 8000]).sentences()[0]
    assert "at 1 token of context, the first asked for" in contexts
    assert "the first asked for" not in one


def test_what_is_short_is_told_to_three_digits() -> None:
    full = rl.serving(
        "meta-llama/Llama-3.1-70B-Instruct", "2xrtx-4090", weights="q4_k_m", context=4000
    )
    assert re.search(r"are [\d.]*[1-9]\d* MB more than", full.sentences()[0])


def test_norms_in_fp32_are_in_no_product() -> None:
    said = " ".join(rl.serving("meta-llama/Llama-2-7b-hf", "apple-m2-ultra", weights="q4_0").notes)
    assert "fp32" not in said
    said = " ".join(rl.serving("Qwen/Qwen3-8B-FP8", "a100-80gb-sxm", batch=1).notes)
    assert "has no fp8 arithmetic" in said


def test_one_of_a_thing_is_singular() -> None:
    one = rl.serving("Qwen/Qwen3-8B", "h100-sxm", chips=1, context=1, batch=1)
    assert "1 token of context" in " ".join(one.sentences())
    found = rl.layouts("Qwen/Qwen3-8B", "h100-sxm", chips=1, batch=1)
    assert layouts_table(found, found.rows).title.startswith("1 layout, 1 point, ")


def test_a_comparison_at_a_given_price_and_without_limits_reads_well() -> None:
    none: dict[str, Any] = {"ttft": "none", "tpot": "none"}
    asked = {"isl": 1000, "osl": 200, "chips": 1, **none}
    machines = ["h100-sxm", "h200-sxm"]
    answers = [rl.serving("Qwen/Qwen3-8B", on, price=3, **asked) for on in machines]
    said = rl.compare(answers).sentence()
    assert "each machine at its cheapest batch, at the price given: " in said
    sentences = rl.layouts("Qwen/Qwen3-8B", "h100-sxm", chips=1, batch=1, **none).sentences()
    assert "1,024 out: one chip" in sentences[0]


def test_exchanges_that_nobody_measured_are_said() -> None:
    asked: dict = {"weights": "fp8", "context": 2000, "batch": 64}
    wide = rl.Layout(attn_dp=16, ep=16)
    over = {
        on: " ".join(rl.serving("Qwen/Qwen3-30B-A3B", on, layout=wide, **asked).notes)
        for on in ("2xl40s-8", "2xhgx-h100")
    }
    assert "over PCIe their latency is taken as there" in over["2xl40s-8"]
    assert "PCIe" not in over["2xhgx-h100"]


@pytest.mark.parametrize("lengths", [{}, {"isl": 512, "osl": 128, "batch": [1, 16]}])
def test_without_intervals_all_else_is_the_same(lengths: dict[str, Any]) -> None:
    """Advice asks again without them, which takes most of an answer's time."""
    scenario = Scenario.of("Qwen/Qwen3-8B", "h100-sxm", chips=1, **lengths)
    whole, plain = (serve(scenario, interval=i) for i in (True, False))
    ends = {n for n in whole.result.columns if n.endswith(("_low", "_high", "_low_s", "_high_s"))}
    assert {"time_low_s", "usd_per_mtok_output_high"} <= ends
    assert set(whole.result.columns) - set(plain.result.columns) == ends
    for name in plain.result.columns:
        np.testing.assert_array_equal(whole.result[name], plain.result[name], err_msg=name)
    assert whole.chosen["batch"] == plain.chosen["batch"]
    assert whole.notes == plain.notes
