"""A ledger timed at once is each of its steps timed alone, and never below the ideal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.kernels import EFFECTS, LAWS, Calibration, calibration
from ridgeline.replica import Replica
from ridgeline.replica.ledger import Ledger, Steps
from ridgeline.replica.timer import HOST, Timer
from ridgeline.specs import Layout
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.tokens import Group, decode, prefill

NAMES = [
    "Qwen/Qwen3-8B",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-V3",
    "tiiuae/falcon-mamba-7b",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8",
]
CLUSTERS = ["hgx-h100", "hgx-a100-80gb", "mi300x-8", "gb200-nvl72"]
LAYOUTS = [
    Layout(),
    Layout(tp=8),
    Layout(attn_dp=8, ep=8),
    Layout(tp=2, pp=5),
    Layout(tp=2, attn_dp=8, ep=16),
]
#: sequences and their context; prompts, new tokens, cached tokens, prompts that begin
ROWS = [
    (1, 900, 0, 1, 0, 0),
    (64, 4096, 0, 1, 0, 0),
    (0, 1, 2, 1024, 0, 2),
    (16, 2000, 1, 512, 64, 0.25),
]


def steps(replica: Replica, rows: Sequence[tuple[float, ...]]) -> Steps:
    layout, domain = replica.layout, replica.cluster.domain_size
    degrees = [
        np.full(len(rows), float(x))
        for x in (layout.tp, layout.pp, layout.attn_dp, layout.ep, domain)
    ]
    columns = np.array(rows, dtype=float).T
    return Steps(replica.model, *degrees, *columns, rules=replica.expert_rules)


def groups_of(row: tuple[float, ...]) -> list[Group]:
    n, context, prompts, new, prefix, starting = (float(x) for x in row)
    groups = [decode(n, context)] if n else []
    return [*groups, *([prefill(prompts, new, prefix, starting)] if prompts else [])]


def effects_of(cal: Calibration, n: int) -> dict[str, np.ndarray]:
    return {k: np.full(n, v) for k, v in cal.effects.items()}


def timer_of(replica: Replica, rows: Sequence[tuple[float, ...]]) -> Timer:
    ledger = Ledger()
    ledger.add(steps(replica, rows))
    return Timer(ledger, [replica.cluster], np.zeros(ledger.n_steps, dtype=np.intp))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_ledger_is_its_steps(name: str, cluster: str, layout: Layout) -> None:
    """With its host, and with stages of unequal numbers of layers."""
    replica = Replica(rl.model(name), rl.cluster(cluster), layout)
    timer = timer_of(replica, ROWS)
    effects = effects_of(replica.calibration, len(ROWS))
    chips, host = timer.chips_s(timer.times(effects)), timer.host_s(effects)
    for row, on_chips, waiting in zip(ROWS, chips, host, strict=True):
        groups = groups_of(row)
        assert waiting == pytest.approx(float(replica.host_s(*groups)), rel=1e-9)
        assert on_chips + waiting == pytest.approx(float(replica.seconds(*groups)), rel=1e-9)
        ops = replica.ops(*groups)
        assert on_chips >= combine_ideal(resources(ops, replica.cluster)).time_s


def test_steps_of_many_replicas_in_one_ledger_are_those_of_each() -> None:
    """Each on its own machine, under effects of its own."""
    replicas = [
        Replica(rl.model(name), rl.cluster(cluster), layout)
        for name, cluster in zip(NAMES, [*CLUSTERS, "hgx-h200"], strict=True)
        for layout in LAYOUTS
    ]
    ledger = Ledger()
    where = [ledger.add(steps(replica, ROWS)) for replica in replicas]
    of_step = np.repeat(np.arange(len(replicas)), len(ROWS))
    timer = Timer(ledger, [r.cluster for r in replicas], of_step)
    factors = np.linspace(0.7, 1.4, len(replicas))
    cals = [
        r.calibration.with_effect("latency", f).with_effect("host_s", f)
        for r, f in zip(replicas, factors, strict=True)
    ]
    effects = {k: np.repeat([c.effects[k] for c in cals], len(ROWS)) for k in cals[0].effects}
    times = timer.chips_s(timer.times(effects)) + timer.host_s(effects)
    for replica, cal, own in zip(replicas, cals, where, strict=True):
        alone = [float(replica.with_fitted(cal).seconds(*groups_of(row))) for row in ROWS]
        np.testing.assert_allclose(times[own], alone, rtol=1e-9)


def test_some_of_the_steps_are_timed_as_among_all() -> None:
    replica = Replica(rl.model(NAMES[2]), rl.cluster(CLUSTERS[0]), LAYOUTS[-1])
    timer = timer_of(replica, ROWS)
    chosen = np.array([len(ROWS) - 1, 1, 2])
    effects = effects_of(replica.calibration, len(ROWS))
    few, own = timer.take(np.sort(chosen)), {k: v[:3] for k, v in effects.items()}
    whole, part = timer.times(effects), few.times(own)
    for law, times in whole.items():
        np.testing.assert_array_equal(part[law], times[:, np.sort(chosen)])
    np.testing.assert_array_equal(few.chips_s(part), timer.chips_s(whole)[np.sort(chosen)])
    np.testing.assert_array_equal(few.host_s(own), timer.host_s(effects)[np.sort(chosen)])


def test_known_laws_are_not_timed_again() -> None:
    replica = Replica(rl.model(NAMES[0]), rl.cluster("hgx-h100"), Layout(tp=2))
    timer = timer_of(replica, [(8, 900, 0, 1, 0, 0)])
    effects = effects_of(replica.calibration, 1)
    times = timer.times(effects)
    moved = {**effects, "latency": effects["latency"] * 2}
    kept = {k: v for k, v in times.items() if "latency" not in LAWS[k].needs}
    assert {"gemm", "decode"} <= set(kept)
    again = timer.times(moved, kept)
    assert timer.chips_s(again) == pytest.approx(timer.chips_s(timer.times(moved)), rel=1e-12)
    assert all(again[law] is kept[law] for law in kept)
    assert again["all_reduce"] > times["all_reduce"]


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_a_law_depends_on_the_effects_it_says(name: str) -> None:
    """Else a fit would keep times that an effect has moved."""
    for model, layout in ((NAMES[2], Layout(attn_dp=8, ep=8)), (NAMES[4], Layout(tp=2, pp=5))):
        for cluster in ("hgx-a100-80gb", "mi300x-8"):
            replica = Replica(rl.model(model), rl.cluster(cluster), layout)
            timer = timer_of(replica, ROWS)
            effects = effects_of(replica.calibration, len(ROWS))
            before = timer.times(effects)
            after = timer.times({**effects, name: effects[name] * 0.5})
            # Between kernels of a step with prompts there is more of one and the same gap.
            seen = "gap_s" if name == "eager_s" else name
            for law, needs in ((law, LAWS[law].needs) for law in LAWS):
                if seen not in needs:
                    np.testing.assert_array_equal(before[law], after[law])
            if name in HOST:
                assert (timer.host_s({**effects, name: effects[name] * 2}) >= 0).all()


@settings(max_examples=30)
@given(st.sampled_from(sorted(EFFECTS)), st.floats(1.1, 10))
def test_reach_is_time_won_and_times_are_time_lost(name: str, factor: float) -> None:
    replica = Replica(rl.model(NAMES[1]), rl.cluster("hgx-h100"), Layout(tp=4))
    groups = (decode(32.0, 2048.0), prefill(1.0, 512.0))
    before = replica.seconds(*groups)
    moved = replica.with_fitted(replica.calibration.with_effect(name, factor))
    after = moved.seconds(*groups)
    slower = name.endswith("_s") or name in ("latency", "unfused")
    assert (after >= before) if slower else (after <= before)


def test_the_host_waits_for_each_rank_by_itself() -> None:
    """One process a rank: eight ranks sample eight times as many in the same time."""
    model, on = rl.model(NAMES[2]), rl.cluster("hgx-h200")
    cal = calibration(on)
    one, ranks = (Replica(model, on, x) for x in (Layout(tp=8), Layout(attn_dp=8, ep=8)))
    step, start = cal.effects["sequence_s"], cal.effects["prompt_s"]
    mixed = (decode(64.0, 900.0), prefill(8.0, 512.0, 0.0, 2.0))
    whole = one.host_s(*mixed) - cal.effects["host_s"]
    assert whole == pytest.approx(64 * step + 2 * start)
    assert ranks.host_s(*mixed) - cal.effects["host_s"] == pytest.approx(whole / 8)
    # A verified draft is sampled like any other token.
    drafted = one.host_s(decode(64.0, 900.0, 2)) - cal.effects["host_s"]
    assert drafted == pytest.approx(3 * 64 * step)
