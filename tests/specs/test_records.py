"""Records: frozen, validated, units in the type, sources kept, changed by path."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ridgeline.errors import RidgelineError, SpecError, UnitError
from ridgeline.specs import Chip, Cluster, Layout, Load, Model, Price
from ridgeline.specs.schema import SCHEMAS, json_schema
from ridgeline.units import format_quantity, parse_count, parse_quantity

CHIP = {
    "id": "toy",
    "name": "Toy",
    "vendor": "-",
    "memory": {"capacity": "80 GB", "bandwidth": {"value": "2 TB/s", "source": "a-sheet"}},
    "peak": {"bf16": "400 TFLOP/s"},
}
BLOCK = {
    "repeat": 2,
    "mixer": {"kind": "attention", "n_heads": 8, "n_kv_heads": 2, "d_head": 64},
    "ffn": {"kind": "dense", "d_ff": 2048},
}
MODEL = {"id": "toy", "d_model": 512, "vocab_size": 1000, "blocks": [BLOCK]}


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("141 GB", "B", 141e9),
        ("96 GiB", "B", 96 * 2**30),
        ("4.8 TB/s", "B/s", 4.8e12),
        ("4.8TB/s", "B/s", 4.8e12),
        ("400 Gbit/s", "B/s", 50e9),
        ("400 Gbps", "B/s", 50e9),
        ("1_979 TFLOP/s", "FLOP/s", 1.979e15),
        ("$1,234,567.5", "USD", 1_234_567.5),
        ("4500 TOP/s", "FLOP/s", 4.5e15),
        ("1.73 kW", "W", 1730),
        ("20 ms", "s", 0.02),
        ("$2.35/h", "USD/h", 2.35),
        ("2.35 USD/h", "USD/h", 2.35),
        (5, "W", 5.0),
        ("1e12", "B", 1e12),
    ],
)
def test_quantities_are_read(text, dimension, value) -> None:
    assert parse_quantity(text, dimension) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "dimension", "says"),
    [
        ("4.8 TB", "B/s", "is a size; a rate is expected"),
        ("4.8 tb/s", "B/s", "unknown unit 'tb/s'"),
        ("fast", "B/s", "is not a number"),
        ("inf GB", "B", "is not a number"),
        (math.nan, "B", "not a finite number"),
        (True, "B", "is not a size"),
        (None, "W", "is not a power"),
        ("2,35", "USD/h", "commas separate thousands"),
        ("4,8 TB/s", "B/s", "commas separate thousands"),
        ("1,,,,2 GB", "B", "commas separate thousands"),
        ("1,2345 GB", "B", "commas separate thousands"),
        ("1 x" + " " * 40_000 + "y", "B", "characters"),
    ],
)
def test_bad_quantities_say_what_is_expected(text, dimension, says) -> None:
    with pytest.raises(UnitError, match=says):
        parse_quantity(text, dimension)


@given(st.floats(1e-12, 1e20), st.sampled_from(["B", "B/s", "FLOP/s", "W"]))
def test_what_is_written_reads_back(value: float, unit: str) -> None:
    assert parse_quantity(format_quantity(value, unit), unit) == pytest.approx(value, rel=6e-3)


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_one_clear_error(text: str) -> None:
    for read in (lambda: parse_quantity(text, "B"), lambda: parse_count(text)):
        try:
            assert isinstance(read(), float)
        except UnitError as error:
            assert str(error)


def test_sources_are_lifted_out_of_the_numbers() -> None:
    chip = Chip.parse(CHIP, "toy.toml")
    assert chip.memory.bandwidth == 2e12
    assert chip.sources["memory.bandwidth"].source == "a-sheet"


def test_an_estimate_needs_its_range() -> None:
    memory = {"capacity": "80 GB", "bandwidth": {"value": "2 TB/s", "kind": "estimate"}}
    with pytest.raises(SpecError, match="an estimate must give low and high"):
        Chip.parse(CHIP | {"memory": memory}, "toy.toml")
    memory["bandwidth"] |= {"low": "1 TB/s", "high": "3 TB/s"}
    chip = Chip.parse(CHIP | {"memory": memory}, "toy.toml")
    assert chip.sources["memory.bandwidth"].high == 3e12


def test_every_problem_is_named_at_once_with_near_names() -> None:
    with pytest.raises(SpecError) as caught:
        Chip.parse(
            CHIP | {"memory": {"capacity": "-1 GB", "bandwidht": "2 TB/s"}, "peaks": 1}, "toy.toml"
        )
    message = str(caught.value)
    assert message.startswith("toy.toml is not a valid Chip:")
    for part in ("memory.capacity", "not positive", "memory.bandwidth: this field is required"):
        assert part in message
    assert "Did you mean 'bandwidth'" in message
    assert "Did you mean 'peak'" in message


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Chip.parse(CHIP, "toy").memory.bandwidth = 1.0  # pyright: ignore[reportAttributeAccessIssue]


def test_fields_change_by_path_and_say_so() -> None:
    cluster = Cluster(id="c", name="c", chip=Chip.parse(CHIP, "toy"))
    changed = cluster.replaced({"chip.memory.bandwidth": "10 TB/s"})
    assert changed.chip.memory.bandwidth == 1e13
    assert changed.chip.sources["memory.bandwidth"].kind == "user"
    assert cluster.chip.memory.bandwidth == 2e12
    with pytest.raises(SpecError, match=r"'bandwith'.*Did you mean 'bandwidth'"):
        cluster.replaced({"chip.memory.bandwith": 1})
    with pytest.raises(SpecError, match="is a size; a rate is expected"):
        cluster.replaced({"chip.memory.bandwidth": "1 TB"})


def test_a_short_path_changes_every_block() -> None:
    model = Model.parse(MODEL, "toy").replaced({"n_kv_heads": "4"})
    assert model.blocks[0].mixer.n_kv_heads == 4  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    with pytest.raises(SpecError, match="must be a multiple of n_kv_heads"):
        model.replaced({"n_kv_heads": 3})


def test_layout_and_load_hold_together() -> None:
    assert Layout(tp=4, attn_dp=2, ep=8).ep == 8
    with pytest.raises(SpecError, match="ep \\(3\\) must divide"):
        Layout.parse({"tp": 4, "ep": 3}, "layout")
    with pytest.raises(SpecError, match="isl and osl come together"):
        Load.parse({"isl": 10}, "load")
    with pytest.raises(SpecError, match="either context, or isl and osl"):
        Load.parse({"isl": 10, "osl": 1, "context": 5}, "load")


def test_from_counts_refuses_what_cannot_be() -> None:
    assert Model.from_counts("37B", "671B", 70_272, 8).counts is not None
    for given_counts in (("671B", "37B"), (-1.0, 5.0), ("much", None)):
        with pytest.raises(RidgelineError):
            Model.from_counts(*given_counts)


def test_a_model_is_its_shape_or_its_counts() -> None:
    with pytest.raises(SpecError, match="one of the two"):
        Model.parse({"id": "x"}, "x")
    with pytest.raises(SpecError, match="order does not agree"):
        Model.parse(MODEL | {"order": [0]}, "x")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
PATHS = st.sampled_from(
    [
        ("chip", ("memory",)),
        ("chip", ("memory", "bandwidth")),
        ("chip", ("peak",)),
        ("chip", ("peak", "bf16")),
        ("chip", ("id",)),
        ("chip", ("sources",)),
        ("model", ("blocks",)),
        ("model", ("blocks", 0)),
        ("model", ("blocks", 0, "mixer")),
        ("model", ("blocks", 0, "mixer", "n_heads")),
        ("model", ("order",)),
        ("model", ("dtypes",)),
        ("price", ("usd_per_chip_hour",)),
        ("load", ("context",)),
    ]
)
GOOD = {
    "chip": (Chip, CHIP),
    "model": (Model, MODEL),
    "price": (Price, {"usd_per_chip_hour": 2.0}),
    "load": (Load, {"context": 8192}),
}


@given(PATHS, JUNK)
def test_any_junk_gives_a_record_or_one_clear_error(where, junk) -> None:
    name, path = where
    cls, good = GOOD[name]
    data = json.loads(json.dumps(good))
    node = data
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = junk
    try:
        assert isinstance(cls.parse(data, "fuzz"), cls)
    except SpecError as error:
        assert str(error).startswith("fuzz")


@pytest.mark.parametrize("name", SCHEMAS)
def test_exported_schemas_are_up_to_date(name: str) -> None:
    path = Path(__file__).parents[2] / "docs" / "schemas" / f"{name}.json"
    assert json.loads(path.read_text()) == json_schema(name), "run scripts/export_schemas.py"
