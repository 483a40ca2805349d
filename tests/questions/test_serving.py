"""The question as the library asks it: rows, landmarks, prices, comparison, pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import CatalogError, InfeasibleError, SpecError
from ridgeline.questions.serving import choose_price


@pytest.fixture(scope="module")
def curve():
    return rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", context=1024)


def test_parts_add_up_to_the_step(curve) -> None:
    r = curve.result
    memory = r["weight_fetch_s"] + r["kv_fetch_s"]
    assert np.allclose(r["time_s"], np.maximum(r["compute_s"], memory))
    cost = np.maximum(r["usd_per_mtok_compute"], r["usd_per_mtok_weights"] + r["usd_per_mtok_kv"])
    assert np.allclose(r["usd_per_mtok_output"], cost)
    assert np.allclose(r["mfu"], r["compute_s"] / r["time_s"])


def test_cost_has_its_three_shapes_in_the_batch(curve) -> None:
    r = curve.result
    assert np.allclose(np.ptp(r["usd_per_mtok_compute"]), 0, atol=1e-12)
    assert np.allclose(np.ptp(r["usd_per_mtok_kv"]), 0, atol=1e-12)
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
    assert row["infeasible"].startswith("out of memory: more than the 199 GB")
    assert row["time_s"] > 0


def test_best_is_feasible(curve) -> None:
    cheapest = curve.best("usd_per_mtok_output")
    assert cheapest["infeasible"] == ""
    assert cheapest["bound"] == "compute"
    fastest = curve.best("tokens_per_s_per_user", largest=True)
    assert fastest["batch"] == 1
    with pytest.raises(SpecError, match="Did you mean 'usd_per_mtok_output'"):
        curve.best("usd_per_mtok")


def test_nothing_fits_is_said(curve) -> None:
    full = rl.serving("deepseek-ai/DeepSeek-V3", "hgx-h200", chips=8, context=1e6, batch=[64, 128])
    assert "No batch asked for fits in memory" in " ".join(full.sentences())
    with pytest.raises(InfeasibleError, match="out of memory"):
        full.best("time_s")


def test_several_contexts_are_an_axis() -> None:
    both = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=[1024, 8192], batch=[1, 8])
    one = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=8192, batch=[1, 8])
    assert both.result.shape == (2, 2)
    assert both.result["time_s"][1].tolist() == one.result["time_s"][0].tolist()
    assert both.chart("latency").to_dict()["layer"]


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
    answers = [rl.serving("Qwen/Qwen3-8B", on) for on in ("h100-sxm", "vr200", "mi300x")]
    rows = rl.compare(answers)
    costs = [r["usd_per_mtok_output"] for r in rows]
    assert costs[:2] == sorted(c for c in costs if c is not None)
    assert costs[2] is None


def test_a_model_that_does_not_fit_grows_by_whole_domains() -> None:
    answer = rl.serving("moonshotai/Kimi-K2-Instruct", "hgx-h100")
    assert answer.machine.n_chips == 16
    assert any("2 x HGX H100, 8 GPUs are the fewest" in n for n in answer.notes)


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
    small = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=1, weight_dtype="fp8", kv_dtype="fp8")
    assert 0.5 < small.counts.weight_bytes / plain.counts.weight_bytes < 0.6
    assert small.counts.kv_bytes_per_token == plain.counts.kv_bytes_per_token / 2
    with pytest.raises(SpecError, match="kv_bytes_per_token instead"):
        rl.serving(rl.Model.from_counts("8B"), "h100-sxm", kv_dtype="fp8")


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
    assert frame.shape == (n, 2 + len(curve.result.columns) + 1)
    assert curve.to_csv().count("\n") == n + 1


def test_explain_shows_the_numbers_of_the_row(curve) -> None:
    row, text = curve.at(64), curve.explain(batch=64)
    assert "One decode step at B = 64" in text
    assert f"{row['weight_fetch_s'] * 1e3:.2f} ms" in text
    assert "bound by weights" in text
