"""``ridgeline training``: the same answer as the library's, and sentences for what cannot be."""

from __future__ import annotations

import csv
import io
import json

import pytest

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.cli.scenario_options import option_of
from ridgeline.specs.question_record import fields_by_option
from ridgeline.specs.training_scenario import TrainingOptions, TrainingScenario

QWEN = ["training", "Qwen/Qwen3-8B", "--on"]
WIDE = ["--tp", "4", "--pp", "4", "--vp", "3", "--seq", "8k", "--global-batch", "512",
        "--recompute", "full", "--tokens", "1T", "--price", "2"]  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Run the command line; return its output, and fail on any complaint."""

    def call(*arguments: str) -> str:
        code = main(list(arguments))
        printed = capsys.readouterr()
        complaints = [x for x in printed.err.splitlines() if not x.startswith("Wrote ")]
        assert (code, complaints) == (0, [])
        return printed.out

    return call


@pytest.mark.parametrize("reading", ["calibrated", "ideal", "blackboard"])
def test_two_faces_one_answer(run, reading: str) -> None:
    printed = json.loads(run(*QWEN, "4xhgx-h100", *WIDE, "--reading", reading, "--json"))
    answer = rl.training(
        "Qwen/Qwen3-8B", "4xhgx-h100", tp=4, pp=4, vp=3, seq="8k", global_batch=512,
        recompute="full", tokens="1T", price=2, reading=reading,
    )  # fmt: skip
    found = json.loads(answer.to_json())
    for part in ("sentences", "values", "tables", "notes", "charts"):
        assert printed[part] == found[part], part


def test_a_chip_is_as_many_as_its_layout_asks(run) -> None:
    for on, more, n in (("h100-sxm", (), 8), ("h100-sxm", ("--chips", "64"), 64),
                        ("16xh100-sxm", ("--tp", "2"), 16)):  # fmt: skip
        values = json.loads(run(*QWEN, on, *more, "--reading", "blackboard", "--json"))["values"]
        assert values["n_chips"] == n


def test_csv_is_the_waterfall(run) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*QWEN, "4xhgx-h100", *WIDE, "--csv"))))
    assert rows[-1]["part"] == "step"
    total = sum(float(r["time_s"]) for r in rows[:-1])
    assert total == pytest.approx(float(rows[-1]["time_s"]))


def test_settings_change_the_machine(run) -> None:
    asked = (*QWEN, "hgx-h100", "--tp", "2", "--reading", "blackboard", "--json")
    usual = json.loads(run(*asked))["values"]["step_s"]
    faster = json.loads(run(*asked, "--set", "chip.peak.bf16=1978.8 TFLOP/s"))["values"]["step_s"]
    assert usual / faster == pytest.approx(2.0, rel=1e-3)


def test_pictures_are_written(run, tmp_path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    for name in ("time", "schedule", "memory", "memory-over-time"):
        path = tmp_path / f"{name}.png"
        run(*QWEN, "4xhgx-h100", *WIDE, "--chart", name, "--out", str(path))
        assert path.read_bytes().startswith(b"\x89PNG")


def test_options_are_those_of_the_record() -> None:
    fields = fields_by_option(TrainingScenario)
    assert sorted(TrainingOptions.__annotations__) == sorted(fields)
    for _, declared in fields.values():
        assert (declared.description or "").endswith(".")


#: options that any text is a name of, or a part of
_NAMES = {"framework", "framework_version"}
_ABSURD = ("-1", "-1e99", "1e99", "nan", "", "x", "1;2", "9:1", "[]", "1" * 400, "☃")


@pytest.mark.parametrize("name", sorted(set(fields_by_option(TrainingScenario)) - _NAMES))
def test_absurd_values_of_every_option(name: str, capsys) -> None:
    for value in _ABSURD:
        assert main([*QWEN, "hgx-h100", f"{option_of(name)}={value}"]) == 2, value
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(f"ridgeline: {option_of(name)}"), (value, printed.err)
        assert printed.err.count("\n") == 1
        assert len(printed.err) < 320


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["training", "--on", "hgx-h100"], "Name one model"),
        (["training", "Qwen3-8B"], "Name a machine with --on"),
        ([*QWEN, "hgx-h100", "--seqs", "5"], "Did you mean --seq"),
        (["scaling", *QWEN[1:], "hgx-h100,hgx-h200"], "--on: one machine at a time"),
        ([*QWEN, "hgx-h100,hgx-h200", "--sensitivity"], "--sensitivity: one machine at a time"),
        ([*QWEN, "hgx-h100", "--sensitivity", "--flags", "megatron-lm"], "answers of their own"),
        ([*QWEN, "hgx-h100", "--sensitivity", "--search"], "of one layout, not of a search"),
        ([*QWEN, "hgx-h100", "--sensitivity", "--chart", "memory"], "--sensitivity is tornado"),
        ([*QWEN, "hgx-h100", "--chart", "pie"], "no picture 'pie'"),
        ([*QWEN, "hgx-h100", "--chart", "schedule"], "there is one pipeline stage"),
        ([*QWEN, "hgx-h100", "--json", "--csv"], "Choose one of --json and --csv"),
        ([*QWEN, "hgx-h100", "--set", "load.batch=5"], "Did you mean 'global_batch'"),
        ([*QWEN, "hgx-h100", "--schedule", "zbh1"], "Did you mean 'zb-h1'"),
        ([*QWEN, "hgx-h100", "--restart", "10"], "--restart: a time from 1 s"),
        ([*QWEN, "hgx-h100", "--tp", "3"], "use 2 or 4 (--tp)"),
        ([*QWEN, "hgx-h100", "--framework", "megatron"], None),
        ([*QWEN, "hgx-h100", "--constants", "no.toml"], "no.toml"),
    ],
)
def test_what_cannot_be(arguments: list[str], says: str | None, capsys) -> None:
    code = main(arguments)
    printed = capsys.readouterr()
    if says is None:  # a name by which frameworks are called
        assert code == 0
        return
    assert code == 2
    assert printed.out == ""
    assert says in printed.err
    assert "Traceback" not in printed.err
    assert len(printed.err.splitlines()) <= 2


def test_scaling_is_the_librarys_answer(run) -> None:
    asked = ("--on", "16xhgx-h100", "--tp", "2", "--global-batch", "512", "--kind", "weak",
             "--critical-batch", "4M", "--sizes", "16,64,128")  # fmt: skip
    printed = json.loads(run("scaling", "Qwen/Qwen3-8B", *asked, "--json"))
    answer = rl.scaling("Qwen/Qwen3-8B", "16xhgx-h100", tp=2, global_batch=512, kind="weak",
                        critical_batch="4M", sizes=[16, 64, 128])  # fmt: skip
    found = json.loads(answer.to_json())
    for part in ("sentences", "values", "tables", "notes"):
        assert printed[part] == found[part], part


def test_any_field_of_the_question_can_be_set(run) -> None:
    base = ("training", "Qwen/Qwen3-8B", "--on", "2xhgx-h100", "--tp", "2", "--json")

    def step_s(*more: str) -> float:
        return json.loads(run(*base, *more))["values"]["step_s"]

    usual = step_s()
    for setting, option in (
        ("load.seq=8192", ("--seq", "8192")),
        ("recipe.micro_batch=2", ("--micro-batch", "2")),
        ("recipe.recompute=full", ("--recompute", "full")),
        ("layout.cp=2", ("--cp", "2")),
        ("framework.name=torchtitan", ("--framework", "torchtitan")),
    ):
        assert step_s("--set", setting) == step_s(*option) != usual, setting
    # A framework that hides nothing waits for all that it exchanges.
    assert step_s("--set", "framework.hides=") > usual
    assert step_s("--set", "model.d_model=8192") > 1.5 * usual
    assert step_s("--set", "cluster.link=100 GB/s") > usual


def test_several_machines_are_compared(run) -> None:
    asked = ("training", "Qwen/Qwen3-8B", "--on", "hgx-h100,hgx-b200,rtx-4090", "--tokens", "100B")
    printed = json.loads(run(*asked, "--json"))
    rows = printed["tables"]["machines"]["rows"]
    assert {row["cluster"] for row in rows} == {"hgx-h100", "hgx-b200", "pc-rtx-4090"}
    assert [one["question"] for one in printed["answers"]] == ["training"] * 3
    assert len({row["price_basis"] for row in rows if row["price_basis"]}) <= 2
    found = list(csv.DictReader(io.StringIO(run(*asked, "--csv"))))
    assert [float(row["time_s"]) for row in found] == [row["time_s"] for row in rows]
    screen = run(*asked)
    assert "tok/s" in screen
    assert "does not fit" in screen


def test_sensitivity_is_the_librarys_answer(run, tmp_path) -> None:
    asked = ("training", "Qwen/Qwen3-8B", "--on", "hgx-h100", "--tp", "2", "--reading", "ideal",
             "--sensitivity")  # fmt: skip
    printed = json.loads(run(*asked, "--json"))
    answer = rl.sensitivity(rl.training("Qwen/Qwen3-8B", "hgx-h100", tp=2, reading="ideal"))
    assert printed["values"] == json.loads(answer.to_json())["values"]
    assert printed["tables"] == json.loads(answer.to_json())["tables"]
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    path = tmp_path / "tornado.png"
    run(*asked, "--out", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


SEARCH = ["--seq", "8k", "--global-batch", "64", "--tp", "2", "--pp", "1", "--cp", "1", "--reading",
          "ideal"]  # fmt: skip


def test_a_search_has_two_faces_and_one_answer(run) -> None:
    printed = json.loads(run(*QWEN, "hgx-h100", *SEARCH, "--search", "--json"))
    answer = rl.training_layouts(
        "Qwen/Qwen3-8B", "hgx-h100", seq="8k", global_batch=64, tp=2, pp=1, cp=1, reading="ideal"
    )
    found = json.loads(answer.to_json())
    assert printed.keys() == found.keys()
    for part in ("sentences", "values", "rows", "front", "families", "options", "impossible"):
        assert printed[part] == found[part], part
    rows = list(csv.DictReader(io.StringIO(run(*QWEN, "hgx-h100", *SEARCH, "--search", "--csv"))))
    assert [r["layout"] for r in rows] == [r["layout"] for r in answer.rows]
    some = run(*QWEN, "hgx-h100", *SEARCH, "--search", "--csv", "--top", "3")
    assert len(some.strip().splitlines()) == 1 + 3
    most = json.loads(run(*QWEN, "hgx-h100", *SEARCH, "--search", "--json", "--top", "30"))
    assert [r["layout"] for r in most["rows"]] == [r["layout"] for r in answer.rows[:30]]
    shown = run(*QWEN, "hgx-h100", *SEARCH, "--search", "--explain")
    assert "Tried on hgx-h100" in shown
    assert "The winner alone: --tp 2" in shown


def test_what_a_search_prints_of_its_winner_asks_for_it_alone(run) -> None:
    shown = run(*QWEN, "hgx-h100", *SEARCH, "--search", "--explain")
    (words,) = (x for x in shown.splitlines() if x.startswith("The winner alone: "))
    asked = words.removeprefix("The winner alone: ").split()
    alone = ("--seq", "8k", "--reading", "ideal", *asked)
    values = json.loads(run(*QWEN, "hgx-h100", *alone, "--json"))["values"]
    best = json.loads(run(*QWEN, "hgx-h100", *SEARCH, "--search", "--json"))["values"]
    assert values["step_s"] == pytest.approx(best["time_s"], rel=1e-9)


@pytest.mark.parametrize(
    "option",
    [("--rank", "usd"), ("--top", "3"), ("--try", "pp=1,2"), ("--workers", "2"),
     ("--chart", "front"),
     ("--scheduler", "tcp://a:1")],
)  # fmt: skip
def test_what_is_of_a_search_is_refused_without_one(option, capsys) -> None:
    assert main([*QWEN, "hgx-h100", *option]) == 2
    said = capsys.readouterr().err
    assert option[0] in said
    assert "--search" in said


def test_the_picture_of_a_search_is_its_front(run, tmp_path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    path = tmp_path / "front.json"
    run(*QWEN, "hgx-h100", *SEARCH, "--search", "--out", str(path))
    assert "memory headroom" in path.read_text()
