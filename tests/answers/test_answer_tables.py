"""Tables of any content: text, JSON, CSV and polars hold the same rows."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.answers import Table, plain
from ridgeline.answers import words as words_of
from ridgeline.grid import Axis, Column, Result

UNITS = sorted([*words_of._PLAIN, "", "s", "B", "B/s", "W", "USD/h", "FLOP/s"])

#: text as people write it: no control characters, no halves of surrogate pairs
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
names = st.text("abcdefgh_0", min_size=1, max_size=6)
numbers = st.floats(allow_nan=True, allow_infinity=True)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    numbers,
    numbers.map(np.float64),
    texts,
    st.lists(st.integers(0, 9), max_size=2),
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    keys = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    columns = {k: (draw(texts), draw(st.sampled_from(UNITS))) for k in keys}
    row = st.dictionaries(st.sampled_from([*keys, "more"]), values, max_size=5)
    return Table("any", draw(texts), columns, draw(st.lists(row, max_size=5)))


@given(tables())
def test_json_holds_all_rows(table: Table) -> None:
    data = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert data == table.to_dict()
    assert len(data["rows"]) == len(table.rows)
    for row, given_row in zip(data["rows"], table.rows, strict=True):
        assert list(row) == list(table.keys)
        assert {k: v for k, v in row.items() if k in given_row} == plain(given_row)


@given(tables())
def test_csv_holds_all_rows(table: Table) -> None:
    header, *rows = csv.reader(io.StringIO(table.to_csv(), newline=""))
    assert header == list(table.keys)
    for read, row in zip(rows, table.records(), strict=True):
        for text, value in zip(read, row.values(), strict=True):
            if isinstance(value, float):
                assert float(text) == value
            elif isinstance(value, list):
                assert json.loads(text) == value
            else:
                assert text == ("" if value is None else str(value))


@given(tables())
def test_polars_holds_all_rows(table: Table) -> None:
    frame = table.to_polars()
    assert frame.columns == list(table.keys)
    if not table.rows:
        return
    for key in table.keys:
        for got, row in zip(frame[key].to_list(), table.records(), strict=True):
            assert (got is None) == (row[key] is None)
            if type(row[key]) is type(got):
                assert got == row[key]


@given(tables())
def test_cells_are_short_text_without_nan(table: Table) -> None:
    for cells, row in zip(table.cells(), table.rows, strict=True):
        assert list(cells) == list(table.columns)
        for key, text in cells.items():
            value, unit = row.get(key), table.columns[key][1]
            assert isinstance(text, str)
            if isinstance(value, float) and unit and not math.isfinite(value):
                assert text == "none"


@given(st.sampled_from([u for u in UNITS if u]), st.floats(-1e30, 1e30))
def test_every_unit_writes_every_number(unit: str, value: float) -> None:
    assert any(c.isdigit() for c in words_of.quantity(value, unit))


def test_columns_of_mixed_numbers_and_text() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": 1, "c": None}, {"a": 2.5, "b": "any", "c": None}]
    table = Table("t", "", {"a": ("a", "1"), "b": ("b", "1"), "c": ("c", "s")}, rows)
    frame = table.to_polars()
    assert frame["a"].to_list() == [1.0, 2.5]
    assert frame["b"].to_list() == ["1", "any"]
    assert frame["c"].to_list() == [None, None]
    assert table.to_csv() == "a,b,c\n1,1,\n2.5,any,\n"


def test_reach_without_a_limit_is_any() -> None:
    table = Table("t", "", {"n": ("longest", "reach"), "s": ("s", "s")}, [{"n": None, "s": None}])
    assert table.cells() == [{"n": "any", "s": ""}]


def test_a_grid_becomes_a_table() -> None:
    batch = Axis("batch", np.array([1.0, 64.0]), "sequences", "batch")
    columns = {
        "time_s": Column(np.array([0.01, math.nan]), "s", "step time"),
        "bound": Column(np.array([1, 0]), "", "bound by", ("compute", "weights")),
    }
    result = Result((batch,), columns, np.array([0, 1]), ("out of memory",))
    table = Table.from_result(result)
    assert table.cells()[0] == {
        "batch": "1", "time_s": "10.0 ms", "bound": "weights", "infeasible": "",
    }  # fmt: skip
    assert table.records()[1] == {
        "batch": 64.0, "time_s": None, "bound": "compute", "infeasible": "out of memory",
    }  # fmt: skip
    assert list(Table.from_result(result, show=("time_s",)).columns) == ["time_s"]
    assert Table.from_result(result, first=1).rows == table.rows[:1]
    with pytest.raises(KeyError):
        Table.from_result(result, show=("tmie_s",))


def test_a_table_is_a_sequence_of_its_rows() -> None:
    table = Table("t", "Some", {"a": ("a", "1")}, [{"a": 1}, {"a": 2}])
    assert len(table) == 2
    assert [row["a"] for row in table] == [1, 2]
    assert table[-1]["a"] == 2
    assert "<table>" in table._repr_html_()


@pytest.mark.parametrize(
    ("search", "words", "first"),
    [
        (rl.models, ["llama 3.3"], "meta-llama/Llama-3.3-70B-Instruct"),
        (rl.models, ["deepseek", "v3"], "deepseek-ai/DeepSeek-V3"),
        (rl.chips, ["h100 nvl"], "h100-nvl"),
        (rl.clusters, ["gb200 nvl72"], "gb200-nvl72"),
    ],
)
def test_the_catalogue_as_tables(search: Any, words: list[str], first: str) -> None:
    table = search(*words)
    assert table[0]["id"] == first
    assert table.to_polars()["id"][0] == first
    assert first in table._repr_html_()


def test_a_search_without_a_match_is_refused() -> None:
    for search in (rl.models, rl.chips, rl.clusters):
        with pytest.raises(rl.RidgelineError, match="There is no"):
            search("zzzz")
