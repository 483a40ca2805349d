"""Predictions and scores as tables of the library: what the commands print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ridgeline as rl
from ridgeline.catalog import engine_constants
from ridgeline.cli import main
from ridgeline.fidelity.engines.calibrate import write_constants

HEAD = "id,chip,n_chips,model,regime,metric,batch,isl,osl,value"
ROWS = (
    "a,h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct,static,tpot_s,8,1024,128,0.0091",
    "b,h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct,static,tpot_s,64,1024,128,0.0140",
    "c,no-such-chip,1,meta-llama/Llama-3.1-8B-Instruct,static,tpot_s,64,1024,128,0.01",
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([HEAD, *ROWS]))
    return path


def test_predictions(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = rl.predict(runs)
    assert [row["status"] == "ok" for row in table] == [True, True, False]
    for row in list(table)[:2]:
        assert row["low"] < row["predicted"] < row["high"]
    assert main(["predict", str(runs), "--json"]) == 0
    for row, printed in zip(table, json.loads(capsys.readouterr().out), strict=True):
        expected = printed["predicted"]
        assert row["predicted"] == (expected and pytest.approx(expected, rel=1e-4))
    assert table.to_polars()["predicted"].null_count() == 1


def test_scores(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = rl.validate(runs, by=["metric"])
    assert table[0]["n_rows"] == 3
    assert table[0]["n_answered"] == 2
    assert main(["validate", str(runs), "--by", "metric", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["scoreboard"]
    assert table.records() == [{k: row.get(k) for k in table.keys} for row in printed]


def test_every_row_beside_its_measurement(runs: Path) -> None:
    table = rl.validate(runs, rows=True)
    assert [row["measured"] for row in table] == [0.0091, 0.014, None]
    for row in list(table)[:2]:
        assert row["error"] == pytest.approx(row["predicted"] / row["measured"] - 1)
        assert row["low"] < row["predicted"] < row["high"]
    assert table.columns["error"][0] == "off by"


def test_what_is_set_aside_is_not_scored(runs: Path, tmp_path: Path) -> None:
    aside = tmp_path / "aside.toml"
    aside.write_text('chips = ["h100-sxm"]\n')
    (everything, *_) = rl.validate(runs, set_aside=aside)
    assert (everything["n_rows"], everything["n_answered"]) == (1, 0)


def test_own_constants_change_predictions(runs: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    shipped = engine_constants()
    host_s = {"effects.host_s.factors.all.value": 0.05}
    write_constants(shipped.replaced(host_s), own)
    (slower, *_), (usual, *_) = rl.predict(runs, constants=own), rl.predict(runs)
    assert slower["predicted"] > 1.2 * usual["predicted"]
    assert rl.validate(runs, constants=own, rows=True)[0]["predicted"] == slower["predicted"]


def test_rows_are_scored_by_fits_that_have_not_seen_them(runs: Path, tmp_path: Path) -> None:
    other = runs.read_text().replace("b,h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct",
                                     "b,h100-sxm,1,Qwen/Qwen3-8B")  # fmt: skip
    runs.write_text(other)
    table = rl.validate(runs, leave_out="models", rows=True)
    assert [row["status"] == "ok" for row in table] == [True, True, False]


def test_what_cannot_be_asked_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(rl.RidgelineError, match="Did you mean 'models'"):
        rl.validate(runs, leave_out="model")
    with pytest.raises(rl.RidgelineError, match="fits constants of its own"):
        rl.validate(runs, leave_out="models", constants=tmp_path / "c.toml")
    with pytest.raises(rl.RidgelineError, match=r"none\.toml"):
        rl.validate(runs, constants=tmp_path / "none.toml")
    with pytest.raises(rl.RidgelineError, match="Name a table"):
        rl.predict()
    with pytest.raises(rl.RidgelineError, match="no grouping 'metrc'"):
        rl.validate(runs, by=["metrc"])
