"""Bare numbers, prefixes and commas mean the same in every command, and in Python."""

from __future__ import annotations

import inspect
import json
import math

import pytest

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.cli.app import app
from ridgeline.errors import SpecError, UnitError
from ridgeline.questions.registry import QUESTIONS, load
from ridgeline.specs.budget_scenario import BudgetScenario
from ridgeline.specs.question_record import fields_by_option
from ridgeline.specs.rl_scenario import RLScenario
from ridgeline.specs.scenario import option_fields
from ridgeline.specs.scenario_options import ALIASES
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.units import parse_count, split_values

V3 = ["deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72"]
ASKED = {
    "design": ["design", "--on", "gb200-nvl72", "--context", "8k"],
    "wall": ["wall", *V3],
    "scaleup": ["scaleup", *V3],
}


def said(arguments: list[str], capsys) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ASKED)
def test_a_bare_time_is_in_ms_everywhere(command: str, capsys) -> None:
    asked = [*ASKED[command], "--json"]
    assert said([*asked, "--tpot", "20"], capsys) == said([*asked, "--tpot", "0.02 s"], capsys)


def test_a_bare_time_of_limits_and_hops_is_in_ms(capsys) -> None:
    asked = ["serving", "Qwen/Qwen3-8B", "--on", "h100-sxm", "--isl", "99", "--osl", "9", "--json"]
    limits = json.loads(said([*asked, "--tpot", "p99 20", "--ttft", "2000"], capsys))
    assert "20 ms" in json.dumps(limits) or "0.02" in json.dumps(limits)
    found = json.loads(said(["pipelining", *V3, "--hop", "2.5", "--json"], capsys))
    assert found["values"]["hop_s"] == pytest.approx(2.5e-3)


def test_every_time_of_the_command_line_has_one_bare_unit() -> None:
    for question in QUESTIONS:
        if question.command:
            for argument in app[question.name].assemble_argument_collection():
                if argument.parameter.metavar == "TIME":
                    assert "a bare number is in ms" in (argument.parameter.help or ""), (
                        argument.name
                    )


def test_prefixes_are_decimal_or_binary_everywhere(capsys) -> None:
    for command, option in ((["design", "--on", "gb200-nvl72", "--tpot", "20"], "--context"),
                            (["tiers", *V3], "--context")):  # fmt: skip
        outs = [said([*command, option, t, "--json"], capsys) for t in ("8k", "8000", "8,000")]
        assert len(set(outs)) == 1
        outs += [said([*command, option, t, "--json"], capsys) for t in ("8Ki", "8,192", "8192")]
        assert len(set(outs)) == 2


def test_commas_that_can_be_read_in_two_ways_are_refused(capsys) -> None:
    asked = ["serving", "Qwen/Qwen3-8B", "--on", "h100-sxm", "--batch", "1"]
    assert main([*asked, "--context", "8,192"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("ridgeline: --context: '8,192' can be one number or a list: write 8192")
    lists = {
        "8, 192": [8, 192],
        "8192": [8192],
        "4k,8k": [4000, 8000],
        "8,192, 16,384": [8192, 16384],
    }
    for text, values in lists.items():
        found = json.loads(said([*asked, "--context", text, "--json"], capsys))
        assert found["grid"]["axes"]["context"]["values"] == values
    with pytest.raises(SpecError, match="can be one number or a list"):
        rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch="64,128,256")


@pytest.mark.parametrize("text", ["1,64,2400", "0,128", "1,2", "16,384,1"])
def test_lists_that_are_no_thousands_are_lists(text: str) -> None:
    assert split_values(text) == text.split(",")


@pytest.mark.parametrize("text", ["0,350", "1,2345", "12,34", "1,,000", ",5", "1,000,"])
def test_commas_that_are_no_thousands_are_no_number(text: str) -> None:
    with pytest.raises(UnitError):
        parse_count(text)


def test_counts_with_thousands(capsys) -> None:
    asked = ["serving", "--on", "h100-sxm", "--reading", "blackboard", "--batch", "1", "--json"]
    outs = {
        said([*asked, "--from-counts", f"active={n},kv=1,024"], capsys)
        for n in ("8,030,261,248", "8030261248")
    }
    assert len(outs) == 1


def test_python_reads_the_same_text() -> None:
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context="8k", reading="blackboard")
    assert answer.context == 8000
    assert rl.wall(answer, tpot_s="20 ms").values == rl.wall(answer, tpot_s=0.02).values
    assert rl.tiers(answer, price_ratio="6", speed_ratio="2.5").values["batch_ratio"] == 15
    design = rl.design("gb200-nvl72", tpot_s="20 ms", context="8Ki", sparsities="1,4")
    assert design.values == rl.design(
        "gb200-nvl72", tpot_s=0.02, context=8192, sparsities=[1, 4]
    ).values  # fmt: skip
    with pytest.raises(SpecError, match="tpot_s: '20' has no unit: write 20 ms or 20 s"):
        rl.wall(answer, tpot_s="20")
    with pytest.raises(SpecError, match="batch: a number from 1"):
        rl.wall(answer, batch=math.nan)


#: options about files, screens and the machine, which functions take as records or not at all
_FACES = {
    "--on", "--chip", "--set", "--from-counts", "--assume-harmless", "--fetch", "--out", "--chart",
    "--dark", "--explain", "--json", "--csv", "--wide", "--top", "--flags", "--disaggregate",
    "--prices", "--scheduler", "--sensitivity", "--search", "--rank", "--try", "--workers",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["serving", "layouts", "training", "scaling", "budget", "rl-step", "tiers", "sparsity",
             "racks", "pipelining", "scaleup", "wall", "design", "sensitivity"],
)  # fmt: skip
def test_names_are_the_same_in_python(name: str) -> None:
    """The option's name is the argument's, without the unit that text carries itself."""
    question = next(q for q in QUESTIONS if q.name == name)
    takes = set(inspect.signature(load(question.function)).parameters)
    takes |= {
        *option_fields(),
        *ALIASES,
        *fields_by_option(TrainingScenario),
        *fields_by_option(BudgetScenario),
        *fields_by_option(RLScenario),
    }
    bare = takes | {t.removesuffix("_per_s").removesuffix("_s") for t in takes}
    for argument in app[name].assemble_argument_collection():
        options = [n for n in argument.names if n.startswith("--")]
        if options and options[0] not in _FACES:
            assert options[0].removeprefix("--").replace("-", "_") in bare, options[0]


@pytest.mark.parametrize(
    ("model", "tokens", "says"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "128k", "128,000 tokens are near the own length"),
        ("meta-llama/Llama-3.3-70B-Instruct", "129Ki", "more than Llama-3.3-70B-Instruct is made"),
        ("meta-llama/Llama-3.3-70B-Instruct", "128Ki", ""),
        ("meta-llama/Llama-3.3-70B-Instruct", "100k", ""),
    ],
)
def test_a_length_near_the_models_own_is_said(model: str, tokens: str, says: str) -> None:
    notes = rl.serving(model, "hgx-h100", context=tokens, batch=1).notes
    found = [n for n in notes if "own length" in n]
    assert (says in found[0]) if says else not found
