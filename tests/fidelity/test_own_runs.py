"""Somebody's own few runs: what they move, what they leave, and the answers that rest on it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import ridgeline as rl
from ridgeline.catalog import engine_constants
from ridgeline.cli import main
from ridgeline.errors import CatalogError, RidgelineError, SpecError
from ridgeline.fidelity.engines.calibrate import write_constants
from ridgeline.fidelity.engines.own import OwnFit, fit_own
from ridgeline.fidelity.measurements import row_chunks
from ridgeline.fidelity.predict import predict
from ridgeline.specs.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from ridgeline.fidelity.runs import Row
    from ridgeline.specs.constants import EngineConstants

HEAD = (
    "id,source,chip,n_chips,model,weight_dtype,tp,engine,engine_version,regime,concurrency,isl,osl,"
    "metric,value"
)
QWEN = "h100-sxm,1,Qwen/Qwen3-8B,bf16,1,vllm,0.10.0,closed"
OWN = [f"c{c}{m},lab,{QWEN},{c},1024,512,{m},1" for c in (4, 32) for m in ("ttft_s", "tpot_s")]
OTHERS = [
    "a,lab,apple-m2-ultra,1,meta-llama/Llama-2-7b-hf,q4_0,1,llama.cpp,,closed,1,512,64,tpot_s,1",
    "b,lab,a100-80gb-sxm,1,Qwen/Qwen3-8B,bf16,1,tensorrt-llm,0.9,closed,8,1024,512,tpot_s,1",
    "c,lab,a100-80gb-sxm,1,Qwen/Qwen3-8B,bf16,1,vllm,0.3,closed,8,1024,512,tpot_s,1",
]
_EFFECT, _PLACE, _TRUE = "host_s", "engine vllm", 30.0


def rows_of(lines: list[str], folder: Path) -> list[Row]:
    path = folder / "rows.csv"
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    rows = [row for chunk in row_chunks(path) for row in chunk]
    for row in rows:
        assert row.status == "ok", row.reason
    return rows


def valued(rows: list[Row], constants: EngineConstants) -> list[Row]:
    return [
        replace(row, value=p.value) for row, p in zip(rows, predict(rows, constants), strict=True)
    ]


@pytest.fixture(scope="module")
def slower() -> EngineConstants:
    """A server whose host takes ten times as long."""
    shipped = engine_constants()
    effect = shipped.effects[_EFFECT]
    factor = effect.factors[_PLACE]
    moved = factor.model_copy(update={"value": factor.value * _TRUE})
    factors = {**effect.factors, _PLACE: moved}
    effects = {**shipped.effects, _EFFECT: effect.model_copy(update={"factors": factors})}
    return shipped.model_copy(update={"effects": effects})


@pytest.fixture(scope="module")
def own(slower: EngineConstants, tmp_path_factory) -> list[Row]:
    return valued(rows_of(OWN, tmp_path_factory.mktemp("own")), slower)


@pytest.fixture(scope="module")
def fit(own: list[Row]) -> OwnFit:
    return fit_own(own, engine_constants(), ["runs.json"])


@pytest.fixture(scope="module")
def mine(fit: OwnFit, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mine") / "mine.toml"
    write_constants(fit.constants, path)
    return path


def test_four_rows_come_nearer_and_name_what_is_off(fit: OwnFit) -> None:
    assert fit.moved[0].effect == _EFFECT
    assert fit.moved[0].place == _PLACE
    assert 1.4 < fit.moved[0].after / fit.moved[0].before < _TRUE
    assert fit.moved[0].sigma < fit.moved[0].sigma_before
    every = fit.errors[0]
    assert (every["metric"], every["n_rows"]) == ("all", 4)
    assert every["before"] > 0.15
    assert every["after"] < every["before"] / 1.5
    assert every["after"] <= every["left_out"] < every["before"]
    assert {e["metric"] for e in fit.errors} == {"all", "ttft_s", "tpot_s"}
    own = fit.constants.own
    assert own is not None
    assert (own.n_rows, own.tables) == (4, ("runs.json",))


def test_errors_are_those_of_predictions_with_the_constants(fit: OwnFit, own: list[Row]) -> None:
    for name, constants in (("before", engine_constants()), ("after", fit.constants)):
        off = sorted(
            abs(math.log(p.value / (row.value or 1)))
            for row, p in zip(own, predict(own, constants), strict=True)
        )
        assert fit.errors[0][name] == pytest.approx(math.expm1((off[1] + off[2]) / 2), rel=0.02)


def test_what_the_runs_do_not_tell_stays_to_the_digit(fit: OwnFit, tmp_path: Path) -> None:
    rows = rows_of(OTHERS, tmp_path)
    *before, kin = predict(rows)
    *after, new_kin = predict(rows, fit.constants)
    for old, new in zip(before, after, strict=True):
        assert (new.value, new.low, new.high) == (old.value, old.low, old.high)
    # Another release of the engine on another chip shares what has no era of its own.
    assert new_kin.value == pytest.approx(kin.value, rel=0.05)
    places = {one.place for one in fit.moved}
    assert places <= {"era vllm-v1", "engine vllm", "chip h100-sxm"}
    shared = engine_constants().effects[_EFFECT].factors["all"]
    assert fit.constants.effects[_EFFECT].factors["all"] == shared


def test_runs_that_are_met_move_nothing(own: list[Row]) -> None:
    shipped = engine_constants()
    found = fit_own(valued(own, shipped), shipped)
    assert found.moved == ()
    assert found.errors[0]["after"] == pytest.approx(0, abs=1e-3)


def test_one_run_has_no_other_to_be_predicted_from(own: list[Row]) -> None:
    found = fit_own(own[:1], engine_constants())
    assert found.errors[0]["left_out"] is None
    assert found.errors[0]["after"] < found.errors[0]["before"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("h100-sxm,1,Qwen/Qwen3-8B,bf16,1,vllm,0.10.0", "gb10,1,Qwen/Qwen3-8B,bf16,1,ours,1"),
        ("vllm,0.10.0", "current,"),
        (
            "h100-sxm,1,Qwen/Qwen3-8B,bf16,1,vllm,0.10.0",
            "h100-sxm,1,Qwen/Qwen3-8B,bf16,1,llama.cpp,b6000",
        ),
    ],
)
def test_begins_at_what_is_predicted_of_any_engine(old: str, new: str, tmp_path: Path) -> None:
    """An engine nobody knows, one that stands for several, one whose effects are assumed."""
    rows = rows_of([line.replace(old, new) for line in OWN[1:2]], tmp_path)
    shipped = engine_constants()
    (there,) = valued(rows, shipped)
    assert fit_own([there], shipped).errors[0]["before"] == pytest.approx(0, abs=1e-9)
    row = replace(there, value=1.2 * (there.value or 1))
    found = fit_own([row], shipped)
    (after,) = predict([row], found.constants)
    assert found.errors[0]["after"] == pytest.approx((row.value or 1) / after.value - 1, abs=2e-3)


def test_published_rows_would_count_twice(own: list[Row]) -> None:
    source = engine_constants().sources[0]
    with pytest.raises(RidgelineError, match=r"count twice.*--from-scratch"):
        fit_own([replace(own[0], source=source)], engine_constants())


def test_answers_rest_on_the_file_and_say_so(fit: OwnFit, own: list[Row], mine: Path) -> None:
    asked = {"engine": "vllm", "isl": 1024, "osl": 512, "tp": 1}
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=[4, 32], constants=mine, **asked)
    rate = predict([own[1], own[3]], fit.constants)
    # Tables have the newest release of a version's era: the same steps.
    for batch, one in zip((4, 32), rate, strict=True):
        assert answer.at(batch)["tpot_s"] == pytest.approx(one.value, rel=1e-3)
    (said,) = [note for note in answer.notes if "mine.toml" in note]
    assert "4 rows of runs.json" in said
    shipped = rl.serving("Qwen/Qwen3-8B", "h100-sxm", batch=[4, 32], **asked)
    assert answer.at(4)["tpot_s"] > 1.03 * shipped.at(4)["tpot_s"]
    assert not any("mine.toml" in note for note in shipped.notes)


def test_layouts_fleets_and_sweeps_take_them_too(fit: OwnFit, mine: Path) -> None:
    asked = {"engine": "vllm", "isl": 1024, "osl": 512}
    place = ("Qwen/Qwen3-8B", "h100-sxm")
    found = rl.layouts(*place, chips=1, constants=mine, **asked)
    usual = rl.layouts(*place, chips=1, **asked)
    # More requests wait for a slower host, up to the same limits.
    assert found.best["tokens_per_s_per_chip"] < 0.98 * usual.best["tokens_per_s_per_chip"]
    assert "mine.toml" in str(found.answer.to_dict()["notes"])
    fleet = rl.fleet(*place, rate=30, constants=fit.constants, **asked)
    plain = rl.fleet(*place, rate=30, **asked)
    assert fleet.performance.tpot_s > 1.02 * plain.performance.tpot_s
    assert "moved by 4 rows" in " ".join(fleet.sentences())
    axes = {"load.batch": [1, 2]}
    # A sweep has the mean of the newest engines, of which vLLM is one.
    slow, fast = (rl.sweep(*place, axes, constants=c)["time_s"] for c in (mine, None))
    assert (slow > 1.005 * fast).all()


def test_a_scenario_keeps_the_name_or_the_record(fit: OwnFit, mine: Path) -> None:
    named = Scenario.of("Qwen/Qwen3-8B", "h100-sxm", constants=mine)
    assert named.to_dict()["engine"]["constants"] == str(mine)
    held = Scenario.of("Qwen/Qwen3-8B", "h100-sxm", constants=fit.constants)
    for scenario in (named, held):
        assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert len(repr(held)) < 120


def test_files_that_are_none_are_refused(mine: Path, tmp_path: Path) -> None:
    def ask(path: object, **options: str) -> None:
        rl.serving("Qwen/Qwen3-8B", "h100-sxm", constants=path, **options)  # type: ignore[arg-type]

    with pytest.raises(CatalogError, match=r"none\.toml"):
        ask(tmp_path / "none.toml")
    (tmp_path / "chip.toml").write_text('id = "x"\nvendor = "y"\n')
    with pytest.raises(CatalogError, match=r"chip\.toml holds no constants.*ridgeline calibrate"):
        ask(tmp_path / "chip.toml")
    old = tmp_path / "old.toml"
    old.write_text(mine.read_text().replace("[effects.host_s", "[effects.gone_s"))
    with pytest.raises(CatalogError, match=r"old\.toml.*host_s.*ridgeline calibrate"):
        ask(old)
    with pytest.raises(SpecError, match="ideal"):
        ask(mine, reading="ideal")
    with pytest.raises(SpecError, match="ridgeline calibrate"):
        ask(3)


def test_the_command_says_what_moved(own: list[Row], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line[:-1] + f"{row.value:.6g}" for line, row in zip(OWN, own, strict=True)]
    (tmp_path / "runs.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    assert main(["calibrate", "runs.csv", "--out", "mine.toml", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["moved"][0]["effect"], answer["moved"][0]["place"]) == (_EFFECT, _PLACE)
    assert answer["errors"][0]["n_rows"] == 4
    asked = ["serving", "Qwen/Qwen3-8B", "--on", "h100-sxm", "--engine", "vllm", "--batch", "4"]
    assert main([*asked, "--isl", "1024", "--osl", "512", "--constants", "mine.toml"]) == 0
    assert "4 rows of runs.csv" in " ".join(capsys.readouterr().out.split())


def test_runs_that_contradict_each_other_are_said(
    own: list[Row], tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    met = valued(own, engine_constants())
    odd = [(row.value or 1) * by for row, by in zip(met, (1.5, 1.5, 0.67, 0.67), strict=True)]
    lines = [line[:-1] + f"{value:.6g}" for line, value in zip(OWN, odd, strict=True)]
    (tmp_path / "runs.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    assert main(["calibrate", "runs.csv"]) == 0
    assert "tell little of each other" in " ".join(capsys.readouterr().out.split())
