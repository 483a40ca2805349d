"""Whatever is done to a config, the answer is a model or a sentence; see tests/fuzz for more."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader_samples import SAMPLES, sample

from ridgeline.errors import ConfigError, SpecError
from ridgeline.readers import read_config
from ridgeline.specs import Model

_QUANTIZED = [
    {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["gate"]},
    {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {"-:.*attn.*": {}}},
    {"quant_method": "compressed-tensors", "ignore": ["re:.*attn.*"], "config_groups": {"g": {
        "targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "group_size": 32}}}},
    {"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["*attn*"]},
    {"quant_method": "exl2", "bits": 4.25},
]  # fmt: skip
_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 2, 3, 7, 10**6, 10**9, 10**13, 10**40, -(10**20)]),
    st.sampled_from([0.5, -2.5, 1e300, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from(["", "auto", "eight", "full_attention", "re:((", "\0", "4", "M-*E" * 3]),
    st.lists(st.sampled_from([0, 1, -1, "moe", None, 2.5, {}]), max_size=5),
    st.dictionaries(
        st.sampled_from(["num_bits", "head_dim", "ffn", "x"]), st.integers(), max_size=2
    ),
)
_FAST = settings(
    max_examples=75, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def answers(source: Any) -> None:
    try:
        assert isinstance(read_config(source), Model)
    except (ConfigError, SpecError) as error:
        assert len(str(error)) > 20


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    here = [path] if path else []
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    return here + [p for k, v in items for p in _places(v, (*path, k))]


def _holder(config: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        config = config[key]
    return config


@st.composite
def configs(draw) -> dict[str, Any]:
    config = copy.deepcopy(sample(draw(st.sampled_from(sorted(SAMPLES)))))
    if draw(st.booleans()):
        config["quantization_config"] = copy.deepcopy(draw(st.sampled_from(_QUANTIZED)))
    return config


@_FAST
@given(configs(), st.data())
def test_replaced_values(config, data):
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(config)))
        _holder(config, path)[path[-1]] = data.draw(_JUNK)
    answers(config)


@_FAST
@given(configs(), st.data())
def test_deleted_and_added_keys(config, data):
    for _ in range(data.draw(st.integers(1, 3))):
        config.pop(data.draw(st.sampled_from(sorted(config))), None)
        name = data.draw(st.sampled_from(["sliding_window", "num_slots", "layer_types", "n_head"]))
        if data.draw(st.booleans()):
            config[name] = data.draw(_JUNK)
        if not config:
            break
    answers(config)


@_FAST
@given(configs(), configs(), st.data())
def test_swapped_and_nested(config, other, data):
    key = data.draw(st.sampled_from(sorted(config)))
    choice = data.draw(st.integers(0, 3))
    if choice == 0:
        config[key] = other
    elif choice == 1:
        config = {"model_type": other["model_type"], "text_config": config}
    elif choice == 2:
        config["model_type"] = other["model_type"]
    else:
        config.update({k: v for k, v in other.items() if k != "model_type"})
    answers(config)


@_FAST
@given(configs(), st.data())
def test_cut_and_scrambled_text(tmp_path_factory, config, data):
    text = json.dumps(config)
    start = data.draw(st.integers(0, len(text)))
    cut = text[:start] + data.draw(st.sampled_from(["", "{", "]", "NaN", "-", "\\", '"', "1e999"]))
    path = tmp_path_factory.getbasetemp() / "config.json"
    path.write_text(cut + (text[start + 1 :] if data.draw(st.booleans()) else ""), encoding="utf-8")
    answers(path)


@settings(max_examples=50, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(content)
    answers(path)


@settings(max_examples=50, deadline=None, database=None)
@given(st.recursive(_JUNK, lambda inner: st.dictionaries(st.text(max_size=6), inner, max_size=4)))
def test_arbitrary_objects(value):
    answers(value)
    answers({"model_type": "llama", **value} if isinstance(value, dict) else {"a": value})
