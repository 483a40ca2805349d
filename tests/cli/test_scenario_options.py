"""Options of a command come from the fields of a scenario: help and reading."""

from __future__ import annotations

import pytest
from cyclopts import App

from ridgeline import catalog
from ridgeline.cli.scenario_options import (
    ScenarioOptions,
    option_of,
    options_class,
    scenario_from,
)
from ridgeline.errors import SpecError
from ridgeline.grid import logspace
from ridgeline.specs.scenario import Scenario, option_fields

FewOptions = options_class("FewOptions", ("isl", "osl"))


def toy() -> App:
    app = App(name="toy", help_format="plaintext", result_action="return_value")

    @app.command
    def ask(
        model: str | None = None, /, *, options: ScenarioOptions | None = None, top: int = 3
    ) -> Scenario:
        """Ask."""
        assert top
        return scenario_from(model, options)

    @app.command
    def few(model: str | None = None, /, *, options: FewOptions | None = None) -> Scenario:  # pyright: ignore[reportInvalidTypeForm]
        """Ask with few options."""
        return scenario_from(model, options)

    return app


def asked(line: str) -> Scenario:
    return toy()(line, exit_on_error=False, print_error=False)


def test_help_lists_every_option_with_its_help(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    toy()("ask --help")
    lines = capsys.readouterr().out.splitlines()
    for name, (_, declared) in option_fields().items():
        line = next(x for x in lines if f"{option_of(name)} " in x.split("  ")[0])
        assert declared.description in line
    text = "\n".join(lines)
    assert "[tokens; from 0 to 64] [default: 0]" in text
    assert "[a bare number is in ms] [default: 50 ms]" in text
    assert "--on" in text
    assert "--top" in text
    toy()("few --help")
    assert "--tpot" not in capsys.readouterr().out


def test_texts_are_read() -> None:
    line = "x --on h100-sxm,mi300x --isl 512:8k@mean=2k --osl 1k --rate 12k --tpot p99<30 --ttft 2s"
    more = "--price $2.35/h --memory-utilization 0.95 --dtype fp8"
    assert asked(f"ask {line} {more}") == Scenario.of(
        "x", ["h100-sxm", "mi300x"], isl="512:8k@mean=2k", osl=1000, rate=12_000,
        tpot="p99 30 ms", ttft=2.0, price=2.35, memory_utilization=0.95, weights="fp8",
    )  # fmt: skip
    assert asked("ask x --on a --batch 1:64 --context 8k,32k --tpot none") == Scenario.of(
        "x", "a", batch=logspace(1, 64), context=[8000, 32_000], tpot="none"
    )
    assert asked("few x --on a --isl 5 --osl 6") == Scenario.of("x", "a", isl=5, osl=6)


def test_records_and_settings_from_elsewhere() -> None:
    model, rack = catalog.model("Qwen/Qwen3-8B"), catalog.cluster("gb200-nvl72")
    found = scenario_from(model, None, machine=rack, more={"batch": "4", "tpot": "20"})
    assert found == Scenario.of(model, rack, batch=4, tpot=0.02)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ask --on a", "Name a model"),
        ("ask x", "Name a machine with --on"),
        ("ask x --on ,", "--on: the name of a chip or cluster"),
        ("ask x --on a --tp 0", "--tp: a whole number from 1 to 1e6 is expected, not '0'."),
        ("ask x --on a --max-sequences q", "--max-sequences: a whole number"),
        ("ask x --on a --ttft 1x --tpot y", "--tpot: a time from"),
        ("ask x --on a --batch 4:1", "--batch: a range from a number above 0"),
        ("ask x --on a --isl nothing.csv --osl 1", "--isl: nothing.csv: there is no such file."),
    ],
)
def test_what_cannot_be_read_is_named_as_it_was_typed(line, says) -> None:
    with pytest.raises(SpecError) as caught:
        asked(line)
    assert says in str(caught.value)
