"""The one shape of answers: what leaves it, how it shows itself, and that every question has it."""

from __future__ import annotations

import builtins
import json
import math
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.answers import Answer, Table, plain
from ridgeline.answers import html as html_of
from ridgeline.charts import Chart
from ridgeline.errors import SpecError
from ridgeline.questions.registry import QUESTIONS, load

FORBIDDEN = '<script>alert("1 & 2")</script>'


def answer(**changes: Any) -> Answer:
    """A small answer with something awkward in every place."""
    rows = [
        {"what": "a", "time_s": np.float64(0.0144), "share": math.nan, "hidden": np.int64(3)},
        {"what": FORBIDDEN, "time_s": math.inf, "share": 0.5},
    ]
    columns = {"what": ("what", ""), "time_s": ("step", "s"), "share": ("of it", "%")}
    fields: dict[str, Any] = {
        "question": "tiers",
        "title": "A <title>",
        "sentences": ("One sentence with 1 number.", FORBIDDEN),
        "tables": (Table("main", "Title & more", columns, rows), Table("none", "", columns, [])),
        "values": {"cost_usd": np.float32(1.5), "none_s": math.nan, "n": np.int64(7)},
        "notes": ("Take care.", "Take care.", FORBIDDEN),
        "provenance": {"price": {"date": "2026-03-17"}, "batch": np.array([1.0, math.inf])},
    }
    return Answer(**fields | changes)


def asked() -> dict[str, Answer]:
    """Every question that needs no search, on a model and a machine where that is asked for."""
    board = rl.serving("deepseek-ai/DeepSeek-V3", "gb200-nvl72", reading="blackboard")
    alone = {
        "generations": rl.generations,
        "design": lambda: rl.design("gb200-nvl72", tpot_s=0.02, context=32_000),
    }
    own = {
        q.name for q in QUESTIONS if q.group == "lecture" and q.function.startswith("questions.")
    }
    return {
        q.name: alone[q.name]() if q.name in alone else load(q.function)(board)
        for q in QUESTIONS
        if q.name in own
    }


@pytest.fixture(scope="module")
def every() -> dict[str, Answer]:
    return asked()


# ---- every question


def test_every_question_answers_in_this_shape(every: dict[str, Answer]) -> None:
    assert len(every) >= 9
    for name, found in every.items():
        assert isinstance(found, Answer)
        assert found.question == name
        assert found.title
        assert found.sentences
        assert found.tables
        assert found.charts


def test_every_repr_is_short(every: dict[str, Answer]) -> None:
    for name, found in every.items():
        shown = repr(found)
        assert len(shown.encode()) < 1000, name
        assert shown.startswith(f"<Answer {name!r}: ")
        assert found.sentences[0][:60] in shown
        assert len(repr(found.tables[0])) < 200


def test_every_json_comes_back_as_it_left(every: dict[str, Answer]) -> None:
    for name, found in every.items():
        data = json.loads(found.to_json(), parse_constant=pytest.fail)
        assert data == found.to_dict(), name
        assert found.to_json() == found.to_json(), name
        assert list(data) == [
            "question", "title", "sentences", "values", "tables", "charts", "notes", "provenance",
        ]  # fmt: skip
        for table in found.tables:
            rows = data["tables"][table.name]["rows"]
            assert [list(row) for row in rows] == [list(table.keys)] * len(rows)


def test_every_value_is_a_single_number_or_name(every: dict[str, Answer]) -> None:
    for name, found in every.items():
        for key, value in found.values.items():
            assert value is None or isinstance(value, int | float | str), (name, key)


def test_every_table_leaves_as_csv_and_polars(every: dict[str, Answer]) -> None:
    for found in every.values():
        for table in found.tables:
            frame = found.to_polars(table.name)
            assert frame.shape == (len(table.rows), len(table.keys))
            assert found.to_csv(table.name).count("\n") == len(table.rows) + 1
        assert found.to_csv() == found.to_csv(found.tables[0].name)


def test_every_answer_shows_itself_in_a_notebook(every: dict[str, Answer]) -> None:
    for name, found in every.items():
        shown = found._repr_html_()
        assert "data:image/svg+xml" in shown, name
        assert "<script" not in shown
        assert len(shown) < 150_000, name


# ---- one answer


def test_numbers_that_are_none_and_numpy_scalars_leave_as_plain_values() -> None:
    data = answer().to_dict()
    assert data["values"] == {"cost_usd": 1.5, "none_s": None, "n": 7}
    assert type(data["values"]["n"]) is int
    assert data["provenance"] == {"price": {"date": "2026-03-17"}, "batch": [1.0, None]}
    assert data["tables"]["main"]["rows"] == [
        {"what": "a", "time_s": 0.0144, "share": None, "hidden": 3},
        {"what": FORBIDDEN, "time_s": None, "share": 0.5, "hidden": None},
    ]
    assert data["tables"]["main"]["columns"]["time_s"] == {"heading": "step", "unit": "s"}


def test_indented_json_says_the_same() -> None:
    assert json.loads(answer().to_json(indent=2)) == json.loads(answer().to_json())
    assert "\n" not in answer().to_json()


def test_records_become_dicts() -> None:
    model = rl.Model.from_counts("8B")
    assert plain({"m": model})["m"]["id"] == model.id
    assert plain(Table("a", "", {}, []))["name"] == "a"
    assert plain({3, 1, 2}) == [1, 2, 3]
    assert plain(Chart) == str(Chart)


def test_text_is_the_sentences() -> None:
    assert str(answer()) == f"One sentence with 1 number.\n{FORBIDDEN}"


def test_tables_and_charts_by_name() -> None:
    found = answer(charts={"cost": lambda: Chart({"mark": "point"})})
    assert found.chart() == found.chart("cost")
    assert found.table() is found.table("main")
    with pytest.raises(SpecError, match=r"no chart 'costs'. Did you mean 'cost'\?"):
        found.chart("costs")
    with pytest.raises(SpecError, match=r"no table 'mian'. Did you mean 'main'\?"):
        found.to_csv("mian")
    with pytest.raises(SpecError, match="nothing to draw"):
        answer().chart()
    with pytest.raises(SpecError, match="has no table"):
        answer(tables=()).to_polars()


def test_two_tables_of_one_name_are_a_mistake() -> None:
    table = Table("main", "", {}, [])
    with pytest.raises(AssertionError, match="one name"):
        answer(tables=(table, table))


@given(st.text(), st.text(), st.lists(st.text()))
def test_no_text_makes_a_long_repr(question: str, title: str, sentences: list[str]) -> None:
    found = answer(question=question * 50, title=title * 50, sentences=tuple(sentences * 3))
    assert len(repr(found).encode(errors="replace")) < 1000


def test_a_long_answer_says_that_it_goes_on() -> None:
    assert repr(answer(sentences=("A sentence of some length. " * 5,) * 50)).endswith("\n…")


# ---- HTML


class _Balanced(HTMLParser):
    """Raise where tags do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(found: Answer) -> _Balanced:
    parser = _Balanced()
    parser.feed(found._repr_html_())
    parser.close()
    assert parser.open == []
    return parser


def test_html_is_whole_escaped_and_without_scripts() -> None:
    shown = answer()._repr_html_()
    assert "script" not in _parsed(answer()).seen
    assert "&lt;script&gt;alert(&quot;1 &amp; 2&quot;)" in shown
    assert "A &lt;title&gt;" in shown
    assert shown.count("Take care.") == 1
    assert "14.4 ms" in shown


def test_html_says_units_that_cells_do_not() -> None:
    columns = {"rate": ("each user", "tok/s"), "out": ("$/Mtok out", "USD/Mtok")}
    shown = answer(tables=(Table("a", "", columns, [{"rate": 5.0, "out": 1.0}]),))._repr_html_()
    assert "each user <small>[tok/s]</small>" in shown
    assert "$/Mtok out</th>" in shown
    assert 'title="rate [tok/s]"' in shown


def test_long_tables_are_cut_in_html() -> None:
    rows = [{"n": i} for i in range(100)]
    shown = answer(tables=(Table("a", "", {"n": ("n", "#")}, rows),))._repr_html_()
    assert "60 more rows" in shown
    assert '<td class="text">39</td>' in shown
    assert '<td class="text">40</td>' not in shown


def test_html_has_the_first_chart_where_it_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Chart:
        raise SpecError("A cost picture needs a price.")

    spec = {"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": {"field": "a"}}}
    drawn = answer(charts={"a": lambda: Chart(spec), "b": fail})
    assert "data:image/svg+xml" in drawn._repr_html_()
    assert "data:image/svg+xml" not in answer(charts={"b": fail})._repr_html_()
    monkeypatch.setattr(html_of, "find_spec", lambda _: None)
    assert "data:image/svg+xml" not in drawn._repr_html_()


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_is_escaped(title: str, texts: list[str]) -> None:
    rows = [{"a": text} for text in texts]
    table = Table("a", title, {"a": (title, "")}, rows)
    found = answer(title=title, sentences=tuple(texts), notes=tuple(texts), tables=(table,))
    parser = _parsed(found)
    assert parser.seen <= {
        "div", "style", "p", "b", "table", "caption", "thead", "tbody", "tr", "th", "td", "small",
        "ul", "li", "details", "summary",
    }  # fmt: skip


def test_without_polars_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "polars":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(rl.RidgelineError, match=r"ridgeline\[tables\]"):
        answer().to_polars()
