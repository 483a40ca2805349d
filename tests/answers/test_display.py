"""What consoles and notebooks show of every public object: short, whole, escaped."""

from __future__ import annotations

import json
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

import ridgeline as rl

MODEL, MACHINE = "Qwen/Qwen3-8B", "hgx-h100"


@cache
def shown() -> dict[str, Any]:
    """One of each."""
    serving = rl.serving(MODEL, MACHINE, batch=[1, 8])
    loaded: dict[str, Any] = {"isl": 1000, "osl": 200}
    return {
        "serving": serving,
        "answer": serving.answer,
        "table": serving.answer.table(),
        "layouts": rl.layouts(MODEL, MACHINE, batch=8, **loaded),
        "fleet": rl.fleet(MODEL, MACHINE, rate=40, tp=1, **loaded),
        "compare": rl.compare([serving, rl.serving(MODEL, "hgx-h200", batch=[1, 8])]),
        "sweep": rl.sweep(MODEL, MACHINE, {"load.batch": [1, 64]}),
        "models": rl.models("qwen3 8b"),
        "chips": rl.chips("h100"),
        "clusters": rl.clusters("h100"),
        "model": rl.model("deepseek-ai/DeepSeek-V3"),
        "chip": rl.chip("h100-sxm"),
        "cluster": rl.cluster("gb200-nvl72"),
    }


NAMES = ["serving", "answer", "table", "layouts", "fleet", "compare", "sweep", "models", "chips",
         "clusters", "model", "chip", "cluster"]  # fmt: skip
TABLES = [n for n in NAMES if n not in ("model", "chip", "cluster")]


class _Tags(HTMLParser):
    """Raise where tags do not close in order; count them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_a_repr_never_floods_a_console(name: str) -> None:
    assert 10 < len(repr(shown()[name]).encode()) < 1000
    assert "object at 0x" not in repr(shown()[name])


def test_the_text_of_an_answer_is_whole() -> None:
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=1000, osl=100)
    assert str(answer) == "\n".join(answer.answer.sentences)
    assert max(map(len, answer.answer.sentences)) > 300
    assert "…" in repr(answer)


@pytest.mark.parametrize("name", ["serving", "answer", "layouts", "fleet", "compare"])
def test_every_answer_is_one_json(name: str) -> None:
    found = shown()[name]
    data = json.loads(found.to_json())
    assert data == json.loads(json.dumps(found.to_dict(), allow_nan=False))
    plain = getattr(found, "answer", found).to_dict()
    assert data.items() >= json.loads(json.dumps(plain)).items()


def test_what_is_true_or_false_leaves_as_such() -> None:
    pytest.importorskip("polars", reason="frames need the extra [tables]")
    frame = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=[1, 512]).to_polars()
    assert frame["within_limits"].to_list() == [True, False]
    assert str(frame["within_limits"].dtype) == "Boolean"


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_get_whole_html(name: str) -> None:
    parser = _Tags()
    parser.feed(shown()[name]._repr_html_())
    parser.close()
    assert parser.open == []
    assert parser.seen.count("table") == 1
    assert parser.seen.count("tr") > 1
    assert "script" not in parser.seen


@pytest.mark.parametrize("name", TABLES)
def test_tables_leave_as_polars_frames(name: str) -> None:
    frame = shown()[name].to_polars()
    assert frame.height > 0
    assert frame.width > 3


def test_records_say_what_they_are() -> None:
    assert repr(shown()["model"]) == (
        "<Model 'deepseek-ai/DeepSeek-V3': 61 layers, d_model 7,168, weights fp8-block, "
        "KV cache bf16>"
    )
    assert repr(shown()["cluster"]) == "<Cluster 'gb200-nvl72': 72 x gb200, switch>"
    told = shown()["chip"]._repr_html_()
    assert "3.35 TB/s" in told
    assert "datasheet" in told


def test_text_in_records_is_escaped() -> None:
    chip = shown()["chip"].model_copy(update={"name": "<script>", "notes": "a < b & c"})
    told = chip._repr_html_()
    assert "<script>" not in told
    assert "a &lt; b &amp; c" in told


def test_a_narrow_table_names_what_it_leaves_out() -> None:
    told = shown()["serving"]._repr_html_()
    assert "Also in to_csv():" in told
    assert "More pictures: chart(&quot;cost&quot;)." in told
