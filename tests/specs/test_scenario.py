"""A scenario: flat names and groups say the same; options are declared once, read or refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import catalog
from ridgeline.errors import SpecError
from ridgeline.grid import logspace
from ridgeline.specs.fields import Choice, Number, Numbers, Rule, option_unit
from ridgeline.specs.limits import Limit
from ridgeline.specs.scenario import Scenario, option_fields
from ridgeline.specs.scenario_options import ALIASES, ScenarioOptions

FEW = {
    "reading": st.sampled_from(["calibrated", "ideal", "blackboard"]),
    "prefix_hit": st.floats(0, 1),
    "expert_load_cv": st.floats(0, 10),
    "n_requests": st.integers(1, 10**6),
    "headroom": st.floats(0, 0.9),
    "ttft": st.floats(1e-3, 60) | st.sampled_from(["none", "900 s", "p99<2s", "p50 30 ms"]),
    "tpot": st.floats(1e-3, 5) | st.sampled_from(["none", "20 s", "p90 <= 1 s"]),
    "e2e": st.sampled_from(["none", "p99 1 min"]),
    "weights": st.sampled_from(["fp8", "bf16"]),
    "kv": st.sampled_from(["fp8", "bf16"]),
    "activations": st.sampled_from(["fp8", "bf16"]),
    "compute": st.sampled_from(["fp8", "bf16"]),
    "engine": st.sampled_from(["current", "vllm"]),
    "engine_version": st.sampled_from(["", "0.9.1"]),
    "memory_utilization": st.floats(0.01, 1),
    "max_sequences": st.integers(1, 4096),
    "token_budget": st.integers(1, 65536),
    "constants": st.just("mine.toml"),
    "price": st.floats(0.01, 100) | st.just("$2.35/h"),
    "basis": st.sampled_from(["spot", "on-demand"]),
    "prices": st.just([{"machine": "h100", "usd_per_chip_hour": 2, "date": "2026", "source": "x"}]),
    "tp": st.sampled_from([1, "2", 8]),
    "pp": st.integers(1, 8),
    "attn_dp": st.integers(1, 8),
    "replicas": st.integers(1, 8),
    "chips": st.integers(1, 512) | st.sampled_from(["fewest", "best"]),
}
LENGTHS = st.fixed_dictionaries(
    {
        "isl": st.sampled_from(["2k", "512:8k", "512:8k@mean=2k"]) | st.integers(1, 10**6),
        "osl": st.floats(1, 1e5) | st.sampled_from(["1:100"]),
    }
)
LOADS = (
    st.just({})
    | st.fixed_dictionaries({"concurrency": st.integers(1, 4096)})
    | st.fixed_dictionaries({"batch": st.lists(st.integers(1, 99), min_size=1, max_size=5)})
    | st.fixed_dictionaries({"rate": st.sampled_from([40, "12k tok/s", "3 req/s"])})
    | st.just({"arrival": "offline"})
    | st.just({"arrival": "fixed", "batch": 8})
)


@st.composite
def options(draw):
    found = draw(st.fixed_dictionaries({}, optional=FEW)) | draw(LENGTHS) | draw(LOADS)
    if draw(st.booleans()):
        found |= {"drafts": draw(st.integers(1, 8)), "acceptance": draw(st.floats(0, 1))}
    return found


@given(options(), st.sampled_from(["h100-sxm", ["h100-sxm", "mi300x"], "a, b"]))
@settings(max_examples=60)
def test_every_way_round_is_the_same(given_options, machine) -> None:
    scenario = Scenario.of("Qwen/Qwen3-8B", machine, **given_options)
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert Scenario.of(scenario.model, scenario.machine, **scenario.options()) == scenario
    assert scenario.with_options() == scenario
    assert len(repr(scenario)) < 900


def test_flat_names_are_exactly_the_fields() -> None:
    assert list(ScenarioOptions.__annotations__) == list(option_fields())
    assert set(ALIASES.values()) <= set(option_fields())
    assert not set(ALIASES) & set(option_fields())


@pytest.mark.parametrize("name", option_fields())
def test_every_option_says_what_it_is(name: str) -> None:
    path, declared = option_fields()[name]
    assert declared.description
    assert declared.description.endswith(".")
    rules = [m for m in declared.metadata if isinstance(m, Rule)]
    assert len(rules) == 1
    if isinstance(rules[0], Number | Numbers):
        assert rules[0].range
        shares = ("prefix_hit", "acceptance", "headroom", "memory_utilization", "expert_load_cv")
        assert bool(option_unit(declared)) == (name not in shares)
    assert path


def _node(schema, path):
    node = schema
    for name in path:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        node = node["properties"][name]
    return node


@pytest.mark.parametrize("name", option_fields())
def test_the_schema_has_description_unit_and_range(name: str) -> None:
    path, declared = option_fields()[name]
    node = _node(Scenario.json_schema(), path)
    assert node["description"] == declared.description
    assert node["unit"] == option_unit(declared)
    rule = declared.metadata[0]
    if isinstance(rule, Number | Numbers):
        assert "maximum" in node
        assert {"minimum", "exclusiveMinimum"} & set(node)
    if isinstance(rule, Choice) and rule.number is None:
        assert node["enum"]


WRONG = {
    "reading": "real", "isl": "2,35", "osl": math.nan, "context": np.array([-1.0]),
    "prefix_hit": 1.5, "drafts": -1, "acceptance": "x", "expert_load_cv": math.inf,
    "arrival": "opne", "concurrency": 0, "rate": -40, "batch": [1, [2]], "n_requests": 1.5,
    "headroom": 1, "ttft": "50", "tpot": "p95 1s", "e2e": -1, "weights": "", "kv": 8,
    "activations": ["bf16"], "compute": "x", "engine": 5, "engine_version": {},
    "memory_utilization": 90, "max_sequences": True, "token_budget": "many", "constants": 3,
    "price": "2,35", "basis": "ondemand", "prices": [{}], "tp": 0, "pp": 1.5, "attn_dp": "-1",
    "ep": 10**400, "replicas": "1e300", "chips": "all",
}  # fmt: skip


@pytest.mark.parametrize("name", option_fields())
def test_a_wrong_value_is_one_sentence_that_names_the_option(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        Scenario.of("m", "c", **{name: WRONG[name]})  # pyright: ignore[reportArgumentType]
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert message.endswith((".", "?"))
    for ugly in ("\n", "array(", "(got", "{", "[", "Input should", "Value error"):
        assert ugly not in message


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@given(st.sampled_from(list(option_fields())), JUNK)
def test_any_junk_is_a_scenario_or_one_clear_error(name, junk) -> None:
    try:
        assert isinstance(Scenario.of("m", "c", **{name: junk}), Scenario)
    except SpecError as error:
        assert "\n" not in str(error)


@given(JUNK, JUNK)
def test_any_junk_for_model_and_machine(model, machine) -> None:
    try:
        Scenario.of(model, machine)
    except SpecError as error:
        assert str(error)


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(SpecError, match=r"weigths: .* no such option\. Did you mean 'weights'"):
        Scenario.of("m", "c", weigths="fp8")  # pyright: ignore[reportCallIssue]
    with pytest.raises(SpecError, match=r"layuot: .* no such field\. Did you mean 'layout'"):
        Scenario.from_dict({"model": "m", "machine": "c", "layuot": {}})
    with pytest.raises(SpecError, match="machine: this is required"):
        Scenario.from_dict({"model": "m"})


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_earlier_names_are_read(old: str, new: str) -> None:
    value = {"ttft": 0.5, "tpot": 0.02, "e2e": 30.0, "expert_load_cv": 0.7}.get(new, "fp8")
    earlier = Scenario.of("m", "c", **{old: value})  # pyright: ignore[reportArgumentType]
    assert earlier == Scenario.of("m", "c", **{new: value})  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="earlier name; give one"):
        Scenario.of("m", "c", **{old: value, new: value})  # pyright: ignore[reportArgumentType]


def test_what_does_not_hold_together() -> None:
    with pytest.raises(SpecError, match=r"^ep \(3\) must divide attn_dp x tp \(4\)\.$"):
        Scenario.of("m", "c", tp=4, ep=3)
    with pytest.raises(SpecError, match=r"^Give either context, or isl and osl, not both\.$"):
        Scenario.of("m", "c", isl=1, osl=1, context=1)


def test_records_instead_of_names() -> None:
    model, rack = catalog.model("Qwen/Qwen3-8B"), catalog.cluster("gb200-nvl72")
    scenario = Scenario.of(model, [rack, catalog.chip("h100-sxm")])
    assert scenario.machines == (rack, catalog.chip("h100-sxm"))
    assert repr(scenario) == "Scenario('Qwen/Qwen3-8B', 'gb200-nvl72,h100-sxm')"
    assert str(scenario) == repr(scenario)
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario


def test_options_are_changed_and_put_back() -> None:
    scenario = Scenario.of("m", "c", context=8192, batch=logspace(1, 64), tp=8)
    assert scenario.layout.layout is not None
    assert scenario.layout.layout.tp == 8
    request = scenario.with_options(context=None, isl=1000, osl=100, tp=None, tpot="p99 40 ms")
    assert request.workload.limits.tpot == Limit(0.04, "p99")
    assert request.workload.limits.ttft == Limit(2.0)
    assert request.layout.layout is None
    assert request.workload.batch == scenario.workload.batch


def test_none_is_as_if_not_given() -> None:
    nothing = dict.fromkeys(option_fields())
    assert Scenario.of("m", "c", **nothing) == Scenario.of("m", "c")  # pyright: ignore[reportArgumentType]


def test_fields_change_by_path() -> None:
    scenario = Scenario.of("m", "c", isl=1000, osl=10)
    changed = scenario.replaced({"workload.isl": "2k", "layout.tp": "8"})
    assert changed == Scenario.of("m", "c", isl=2000, osl=10, tp=8)
