"""Predictions and scores as tables of the library: what the commands print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ridgeline as rl
from ridgeline.cli import main

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


def test_what_cannot_be_asked_is_refused(runs: Path) -> None:
    with pytest.raises(rl.RidgelineError, match="Name a table"):
        rl.predict()
    with pytest.raises(rl.RidgelineError, match="no grouping 'metrc'"):
        rl.validate(runs, by=["metrc"])
