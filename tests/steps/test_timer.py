"""A ledger timed at once is each of its steps timed alone, and never below the ideal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.catalog import chip, engine, engine_constants
from ridgeline.specs import Layout
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.steps.calibrated import calibration, time_step
from ridgeline.steps.effects import EFFECTS, places_of, resolve
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.ledger import Ledger, Steps
from ridgeline.steps.timer import NEEDS, Timer
from ridgeline.steps.tokens import decode, prefill
from ridgeline.steps.work import work

NAMES = [
    "Qwen/Qwen3-8B",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-V3",
    "tiiuae/falcon-mamba-7b",
]
CLUSTERS = ["hgx-h100", "hgx-a100-80gb", "mi300x-8", "gb200-nvl72"]


def steps(name: str, layout: Layout, domain: int, rows: Sequence[tuple[float, ...]]) -> Steps:
    degrees = [
        np.full(len(rows), float(x))
        for x in (layout.tp, layout.pp, layout.attn_dp, layout.ep, domain)
    ]
    return Steps(rl.model(name), *degrees, *np.array(rows, dtype=float).T)


def effects_of(on, n: int) -> dict[str, np.ndarray]:
    return {k: np.full(n, v) for k, v in calibration(on).effects.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("layout", [Layout(), Layout(tp=8), Layout(attn_dp=8, ep=8)])
def test_a_ledger_is_its_steps(name: str, cluster: str, layout: Layout) -> None:
    on = rl.cluster(cluster)
    rows = [(1, 900, 0, 1, 0), (64, 4096, 0, 1, 0), (0, 1, 2, 1024, 0), (16, 2000, 1, 512, 64)]
    ledger = Ledger()
    where = ledger.add(steps(name, layout, on.domain_size, rows))
    timer = Timer(ledger, [on], np.zeros(ledger.n_steps, dtype=np.intp))
    effects = effects_of(on, ledger.n_steps)
    at_once = np.sum(list(timer.times(effects).values()), axis=0)[where]
    silent = {**calibration(on).effects, "host_s": 0.0, "sequence_s": 0.0}
    for row, found in zip(rows, at_once, strict=True):
        n, context, prompts, new, prefix = row
        groups = [decode(float(n), float(context))] if n else []
        groups += [prefill(float(prompts), float(new), float(prefix))] if prompts else []
        pieces = work(
            rl.model(name),
            layout,
            groups,
            domain_size=on.domain_size,
            popularity_cv=EXPERT_POPULARITY_CV,
        )
        cal = calibration(on)
        alone = time_step(pieces, _with(cal, silent)).time_s
        assert found == pytest.approx(float(alone), rel=1e-9)
        assert found >= combine_ideal(resources(pieces, on)).time_s


def _with(cal, effects):
    return replace(cal, effects=effects)


def test_known_kinds_are_not_timed_again() -> None:
    on = rl.cluster("hgx-h100")
    ledger = Ledger()
    ledger.add(steps(NAMES[0], Layout(tp=2), 8, [(8, 900, 0, 1, 0)]))
    timer = Timer(ledger, [on], np.zeros(1, dtype=np.intp))
    effects = effects_of(on, 1)
    times = timer.times(effects)
    moved = {**effects, "latency": effects["latency"] * 2}
    kept = {k: v for k, v in times.items() if "latency" not in NEEDS[k]}
    again = timer.times(moved, kept)
    assert sum(again.values()) == pytest.approx(sum(timer.times(moved).values()))
    assert again["collective"] > times["collective"]


@settings(max_examples=30)
@given(st.sampled_from(sorted(EFFECTS)), st.floats(1.1, 10))
def test_reach_is_time_won_and_times_are_time_lost(name: str, factor: float) -> None:
    on = rl.cluster("hgx-h100")
    pieces = work(rl.model(NAMES[1]), Layout(tp=4), [decode(32.0, 2048.0), prefill(1.0, 512.0)],
                  domain_size=8)  # fmt: skip
    cal = calibration(on)
    before = time_step(pieces, cal).time_s
    after = time_step(pieces, _with(cal, {**cal.effects, name: cal.effects[name] * factor})).time_s
    slower = name.endswith("_s") or name in ("latency", "unfused")
    assert (after >= before) if slower else (after <= before)


def test_a_place_nobody_measured_is_wider_and_names_no_factor() -> None:
    fitted = engine_constants()
    known, new = (resolve(fitted, chip(c), "vllm", "0.18") for c in ("h100-sxm", "tpu-v5p"))
    assert new["memory"].sigma > known["memory"].sigma
    assert new["port"].sigma > 0 == known["port"].sigma


def test_ports_are_of_other_vendors_only() -> None:
    record = engine("vllm")
    home = places_of(chip("h100-sxm"), record, record.era("0.18"))
    abroad = places_of(chip("mi300x"), record, record.era("0.18"))
    assert "port" not in home
    assert abroad["port"] == "port vllm-v1 to amd"
