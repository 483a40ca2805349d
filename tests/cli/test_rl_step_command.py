"""``ridgeline rl-step``: the same answer as the library's, and sentences for what cannot be."""

from __future__ import annotations

import csv
import io
import json

import pytest

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.cli.scenario_options import option_of
from ridgeline.specs.question_record import fields_by_option
from ridgeline.specs.rl_scenario import RLOptions, RLScenario

QWEN = ["rl-step", "Qwen/Qwen3-8B", "--on"]
ASKED = ["--prompts", "32", "--samples", "8", "--isl", "200", "--osl", "256:4k@mean=1k",
         "--off-policy", "1", "--gen-chips", "4", "--price", "2"]  # fmt: skip


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
    printed = json.loads(run(*QWEN, "hgx-h100", *ASKED, "--reading", reading, "--json"))
    answer = rl.rl_step(
        "Qwen/Qwen3-8B", "hgx-h100", prompts=32, samples=8, isl=200, osl="256:4k@mean=1k",
        off_policy=1, gen_chips=4, price=2, reading=reading,
    )  # fmt: skip
    found = json.loads(answer.to_json())
    for part in ("sentences", "values", "tables", "notes", "charts"):
        assert printed[part] == found[part], part
    again = RLScenario.from_dict(found["provenance"]["scenario"])
    assert again == answer.scenario
    assert RLScenario.of("Qwen/Qwen3-8B", "hgx-h100", **again.options()) == again


def test_csv_is_where_the_time_goes(run) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*QWEN, "hgx-h100", *ASKED, "--csv"))))
    assert rows[-1]["part"] == "step"
    total = sum(float(r["time_s"]) for r in rows[:-1])
    assert total == pytest.approx(float(rows[-1]["time_s"]))


def test_settings_change_the_machine(run) -> None:
    asked = (*QWEN, "hgx-h100", *ASKED, "--reading", "ideal", "--json")
    usual = json.loads(run(*asked))["values"]
    faster = json.loads(run(*asked, "--set", "chip.memory.bandwidth=6.7 TB/s"))["values"]
    assert 1.5 < usual["generation_s"] / faster["generation_s"] < 2.01
    assert faster["updates_s"] <= usual["updates_s"]


def test_a_picture_is_written(run, tmp_path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    path = tmp_path / "step.png"
    run(*QWEN, "hgx-h100", *ASKED, "--out", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_options_are_those_of_the_record() -> None:
    fields = fields_by_option(RLScenario)
    assert sorted(RLOptions.__annotations__) == sorted(fields)
    for _, declared in fields.values():
        assert (declared.description or "").endswith(".")


#: options that any text is a name of, or a part of
_NAMES = {"framework", "framework_version", "engine_version"}
_OWN = {
    name for name, (path, _) in fields_by_option(RLScenario).items()
    if path[0] in ("rollout", "generation")
}  # fmt: skip
_ABSURD = ("-1", "-1e99", "1e99", "nan", "", "x", "1;2", "9:1", "[]", "1" * 400, "☃")


@pytest.mark.parametrize("name", sorted(_OWN - _NAMES))
def test_absurd_values_of_every_option(name: str, capsys) -> None:
    for value in _ABSURD:
        assert main([*QWEN, "hgx-h100", f"{option_of(name)}={value}"]) == 2, value
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("ridgeline: "), (value, printed.err)
        assert printed.err.count("\n") == 1
        assert len(printed.err) < 400


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rl-step", "--on", "hgx-h100"], "Name one model"),
        (["rl-step", "Qwen3-8B"], "Name a machine with --on"),
        ([*QWEN, "hgx-h100", "--sampels", "5"], "Did you mean --samples"),
        ([*QWEN, "hgx-h100,hgx-h200"], "--on: one machine at a time"),
        ([*QWEN, "hgx-h100", "--json", "--csv"], "Choose one of --json and --csv"),
        ([*QWEN, "hgx-h100", "--set", "load.batch=5"], "'load' is no record"),
        ([*QWEN, "hgx-h100", "--gen-chips", "4"], "off_policy (--off-policy)"),
        ([*QWEN, "hgx-h100", "--algorithm", "grop"], "Did you mean 'grpo'"),
        ([*QWEN, "hgx-h100", "--gen-weights", "nvfp4"], "choose others (--gen-weights)"),
        ([*QWEN, "hgx-h100", "--tp", "3"], "use 2 or 4 (--tp)"),
        ([*QWEN, "hgx-h100", "--prompts", "1", "--samples", "1"], "1 sample of an update"),
    ],
)
def test_what_cannot_be(arguments: list[str], says: str, capsys) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert "Traceback" not in printed.err
    assert len(printed.err.splitlines()) <= 2


def test_what_does_not_fit_is_said(run) -> None:
    assert "Training does not fit" in run("rl-step", "Qwen/Qwen3-8B", "--on", "rtx-4090")
    assert "Training does not fit" not in run(*QWEN, "4xhgx-h100", "--osl", "2k")
