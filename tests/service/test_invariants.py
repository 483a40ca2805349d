"""What holds at the seams, whatever the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.replica import Replica
from ridgeline.service.deployment import Deployment, steady
from ridgeline.service.requests import Requests, mixed_requests
from ridgeline.service.server import Server
from ridgeline.specs.layout import Layout
from ridgeline.specs.workload import Workload
from ridgeline.steps.tokens import decode, prefill

ONE = np.zeros(1, dtype=np.intp)


def replica(model: str, cluster: str, layout: Layout, reading: str = "calibrated") -> Replica:
    return Replica(rl.model(model), rl.cluster(cluster), layout, reading=reading)


DENSE = replica("meta-llama/Llama-3.1-8B-Instruct", "hgx-h100", Layout(tp=2))
SPARSE = replica("openai/gpt-oss-120b", "hgx-h200", Layout(attn_dp=4, ep=4))


@pytest.mark.parametrize("base", [DENSE, SPARSE], ids=["dense", "sparse"])
@given(
    isl=st.floats(8, 30_000), osl=st.floats(2, 4000), offered=st.floats(1, 4000),
    drafts=st.sampled_from([0, 2]),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_littles_law_and_order(
    base: Replica, isl: float, osl: float, offered: float, drafts: int
) -> None:
    requests = Requests(isl, osl, drafts=drafts, acceptance=0.6)
    server = Server(base, requests, most=offered)
    found = server.closed(np.array([offered]), ONE)
    # As many are in flight as arrive times how long they stay.
    assert found.requests_per_s * found.e2e_s == pytest.approx(offered, rel=1e-9)
    for metric in ("ttft", "tpot", "e2e"):
        order = [found.statistic(metric, name)[0] for name in ("p50", "p90", "p99")]
        assert order == sorted(order)
        bound = replace(base, reading="ideal")
        ideal = bound.seconds(requests.decode(found.n_live)) / requests.tokens_per_step
        if metric == "tpot":
            assert order[0] >= float(np.min(ideal)) * (1 - 1e-9)
    assert found.utilization <= 1
    # No more requests than have their prompts read.
    assert found.requests_per_s * found.prompt_s <= 1 + 1e-9
    assert found.n_live <= np.maximum(found.slots, 1) * (1 + 1e-9)


@pytest.mark.parametrize("base", [DENSE, SPARSE], ids=["dense", "sparse"])
@given(isl=st.floats(8, 30_000), osl=st.floats(2, 4000), offered=st.floats(1, 1000))
@settings(max_examples=15, deadline=None)
def test_calibrated_is_never_faster_than_ideal(
    base: Replica, isl: float, osl: float, offered: float
) -> None:
    requests = Requests(isl, osl)
    times = []
    for reading in ("ideal", "calibrated"):
        server = Server(replace(base, reading=reading), requests, most=offered)
        times.append(server.closed(np.array([offered]), ONE))
    ideal, calibrated = times
    assert ideal.e2e_s <= calibrated.e2e_s * (1 + 1e-9)
    assert ideal.requests_per_s >= calibrated.requests_per_s * (1 - 1e-9)


@given(rate=st.floats(0.1, 60), replicas=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_another_replica_at_fixed_traffic_never_raises_tpot(rate: float, replicas: int) -> None:
    load = Workload.parse({"isl": 1024, "osl": 256, "rate": rate}, "load")
    tpot = []
    for n in (replicas, replicas + 1):
        one = replace(DENSE, layout=Layout(replicas=n, tp=2))
        tpot.append(float(steady(Deployment(one), load).tpot_s))
    assert tpot[1] <= tpot[0] * (1 + 1e-9)


def test_replicas_times_a_replica_is_the_system() -> None:
    load = Workload.parse({"isl": 1024, "osl": 256, "concurrency": 96}, "load")
    one = Workload.parse({"isl": 1024, "osl": 256, "concurrency": 32}, "load")
    three = steady(Deployment(replace(DENSE, layout=Layout(replicas=3, tp=2))), load)
    single = steady(Deployment(DENSE), one)
    assert three.requests_per_s == pytest.approx(3 * single.requests_per_s, rel=1e-12)
    assert three.tpot_s == pytest.approx(single.tpot_s, rel=1e-12)
    assert three.slots == pytest.approx(3 * single.slots, rel=1e-12)
    given_batch = Workload.parse({"isl": 1024, "osl": 256, "batch": 32}, "load")
    batch = steady(Deployment(replace(DENSE, layout=Layout(replicas=3, tp=2))), given_batch)
    assert batch.requests_per_s == pytest.approx(three.requests_per_s, rel=1e-12)


@pytest.mark.parametrize("reading", ["ideal", "calibrated"])
def test_uneven_stages_are_never_faster(reading: str) -> None:
    """80 layers over 3 stages are 27, 27 and 26: every step takes 81/80 of an even one."""
    model = rl.model("meta-llama/Llama-3.1-70B-Instruct")
    cluster = rl.cluster("2xhgx-h100")
    group = decode(48.0, 2048.0)
    uneven = Replica(model, cluster, Layout(pp=3, tp=4), reading=reading)
    assert uneven.stage_imbalance == pytest.approx(81 / 80)
    ops = uneven.step_ops(group)
    even = uneven.how.seconds(replace(uneven, model=_one_layer_less(model)), ops, (group,))
    assert uneven.seconds(group) >= even


def _one_layer_less(model: rl.Model) -> rl.Model:
    (block,) = model.blocks
    return model.model_copy(update={"blocks": (block.model_copy(update={"repeat": 78}),)})


@pytest.mark.parametrize("tp", [2, 4, 8])
def test_a_mesh_carries_no_more_than_its_links(tp: int) -> None:
    """MI300X: 64 GB/s to each of seven peers, 448 GB/s in all."""
    model, mesh = rl.model("meta-llama/Llama-3.1-70B-Instruct"), rl.cluster("mi300x-8")
    ideal = Replica(model, mesh, Layout(tp=tp), reading="ideal")
    group = prefill(1.0, 8192.0)
    sent = 0.0
    for op in ideal.ops(group):
        if (
            op.collective is not None
            and float(op.collective.group) > 1
            and op.collective.kind == "all_reduce"
        ):
            n = float(op.collective.group)
            sent += (
                op.repeat * float(op.collective.payload_bytes) * min((n + 1) / n, 2 * (n - 1) / n)
            )
    assert sent > 0
    network = float(ideal.step(group).parts_s["network"])
    assert network >= sent / (64e9 * (tp - 1)) * (1 - 1e-9)


@given(context=st.floats(1, 1e5), batch=st.floats(1, 4096))
@settings(max_examples=30, deadline=None)
def test_blackboard_is_below_ideal_where_both_hold(context: float, batch: float) -> None:
    """A dense model on one chip: the same weights and caches; the ideal adds attention's FLOPs."""
    group = decode(batch, context)
    board = replace(DENSE, layout=Layout(), reading="blackboard")
    ideal = replace(DENSE, layout=Layout(), reading="ideal")
    # The lecture fetches all weights, the table of embeddings too, of which a step reads few rows.
    model, chip = ideal.model, ideal.cluster.chip
    assert model.vocab_size
    assert model.d_model
    table_s = model.vocab_size * model.d_model * 2 / chip.memory.bandwidth
    assert board.seconds(group) <= (ideal.seconds(group) + table_s) * (1 + 1e-3)


def test_a_distribution_of_one_length_is_that_length() -> None:
    plain = Server(DENSE, Requests(1024.0, 256.0), most=64.0)
    mixed = Server(DENSE, mixed_requests([0.5, 0.5], [1024, 1024], [256, 256]), most=64.0)
    a, b = (s.closed(np.array([32.0]), ONE) for s in (plain, mixed))
    assert a.tpot_s == pytest.approx(b.tpot_s, rel=1e-12)
    assert a.ttft_s == pytest.approx(b.ttft_s, rel=1e-12)


def test_long_outputs_fill_the_slots() -> None:
    """Two kinds with one mean: the mean context is that of the long ones, so steps are slower."""
    even = Server(DENSE, Requests(1024.0, 1000.0), most=64.0)
    mixed = Server(DENSE, mixed_requests([0.9, 0.1], [1024, 1024], [100, 9100]), most=64.0)
    a, b = (s.closed(np.array([32.0]), ONE) for s in (even, mixed))
    assert b.tpot_s > a.tpot_s
    assert b.slots < a.slots


def test_money_adds_up_to_the_bill() -> None:
    from ridgeline.service.prices import price_sheet  # noqa: PLC0415

    requests = Requests(2000.0, 500.0, 800.0)
    found = Server(DENSE, requests, most=64.0).closed(np.array([48.0]), ONE)
    sheet = price_sheet(found, requests, 2.5, 2, cached_s=1e-7)
    paid = (
        sheet.usd_per_mtok_input * 1200
        + sheet.usd_per_mtok_cached_input * 800
        + sheet.usd_per_mtok_output * 500
    )
    assert paid / 1e6 == pytest.approx(sheet.usd_per_request, rel=1e-12)
    assert sheet.usd_per_request == pytest.approx(2.5 * 2 / 3600 / found.requests_per_s, rel=1e-12)


def test_a_stage_hands_over_at_the_rate_to_one_peer() -> None:
    """MI300X: 64 GB/s to a peer, whatever its other links could carry."""
    model, mesh = rl.model("meta-llama/Llama-3.1-70B-Instruct"), rl.cluster("mi300x-8")
    pipeline = Replica(model, mesh, Layout(pp=2))
    ((hop, seconds),) = [
        (op, s)
        for op, s in pipeline.op_seconds(prefill(2.0, 8192.0))
        if op.collective is not None and op.collective.kind == "hop"
    ]
    assert hop.collective is not None
    wire_s = float(hop.collective.payload_bytes) / 64e9
    assert wire_s <= seconds <= 1.8 * wire_s


def test_the_99th_percentile_of_a_burst_is_near_its_last_request() -> None:
    """Ten requests a place: the 99th percentile of all is the 90th of those that come together."""
    requests = Requests(4096.0, 256.0)
    found = Server(DENSE, requests, most=128.0).closed(np.array([128.0]), ONE)
    queued = 127 * found.prompt_s * Server(DENSE, requests, most=1.0).calibration.effects["queue"]
    alone = found.ttft_s - 0.05 * queued
    assert found.statistic("ttft", "p99") == pytest.approx(alone + 0.9 * queued, rel=0.1)
    assert found.statistic("ttft", "p50") < found.ttft_s
    assert found.statistic("tpot", "p99") == pytest.approx(1.2 * found.tpot_s, rel=1e-9)


def test_more_requests_a_place_wait_less_for_one_another() -> None:
    firsts = [
        float(Server(DENSE, Requests(4096.0, 256.0), most=64.0, n_requests=n).closed(64.0).ttft_s)
        for n in (64.0, 640.0, 6400.0)
    ]
    assert firsts == sorted(firsts, reverse=True)
    assert firsts[0] > 1.5 * firsts[-1]


def test_an_engine_that_looks_for_requests_now_and_then_answers_later() -> None:
    rare = DENSE.engine.model_copy(update={"polling_steps": 31.0})
    server = Server(DENSE, Requests(1024.0, 256.0), most=16.0)
    often = server.closed(np.array([16.0]), ONE)
    polled = replace(server, replica=replace(DENSE, engine=rare)).closed(np.array([16.0]), ONE)
    waited = polled.ttft_s - often.ttft_s
    assert waited == pytest.approx(15 * polled.tpot_s, rel=0.1)
