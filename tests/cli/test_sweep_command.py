"""``ridgeline sweep``: axes as typed, what is kept of a grid, where it runs, where it goes on."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.cli import main
from ridgeline.grid import Best, Histogram, Pareto

BASE = ["sweep", "Qwen/Qwen3-8B", "--on", "h100-sxm"]
BANDWIDTH = "cluster.chip.memory.bandwidth"


def asked(capsys, *options: str) -> str:
    assert main([*BASE, *options]) == 0
    return capsys.readouterr().out


def as_json(capsys, *options: str) -> Any:
    return json.loads(asked(capsys, *options, "--json"))


def test_a_table_is_the_librarys(capsys) -> None:
    found = as_json(
        capsys, "--over", "load.batch=1,8", "--over", f"{BANDWIDTH}=3e12,4 TB/s", "--tp", "2",
        "--context", "4k", "--reading", "ideal",
    )  # fmt: skip
    grid = rl.sweep(
        "Qwen/Qwen3-8B", "hgx-h100", {"load.batch": [1, 8], BANDWIDTH: [3e12, 4e12]},
        layout=rl.Layout(tp=2), load=rl.Load(context=4000), reading="ideal",
    )  # fmt: skip
    assert found["columns"]["time_s"]["values"] == grid["time_s"].tolist()
    assert found["axes"][BANDWIDTH] == {
        "unit": "B/s", "label": BANDWIDTH, "values": [3e12, 4e12]
    }  # fmt: skip
    shown = asked(capsys, "--over", "load.batch=1,8", "--tp", "2")
    assert "on HGX H100, 8 GPUs, TP2, calibrated reading: 2 points over load.batch (2)." in shown
    rows = list(csv.DictReader(io.StringIO(asked(capsys, "--over", "load.batch=1:64", "--csv"))))
    assert [float(r["load.batch"]) for r in rows] == rl.logspace(1, 64).tolist()


def test_what_is_kept_is_the_librarys(capsys) -> None:
    options = ["--batch", "1:500:200", "--over", f"{BANDWIDTH}=3e12:4e12:5"]
    found = as_json(
        capsys, *options, "--best", "usd_per_mtok_output", "--best", "time_s:largest", "--top", "3",
        "--pareto", "tokens_per_s_per_chip,time_s", "--histogram", "time_s",
    )  # fmt: skip
    batch = np.unique(np.rint(np.geomspace(1, 500, 200)))
    axes = {"load.batch": batch, BANDWIDTH: np.rint(np.geomspace(3e12, 4e12, 5))}
    (kept,) = rl.sweep(
        "Qwen/Qwen3-8B",
        "hgx-h100",
        axes,
        reductions=lambda: {
            "best usd_per_mtok_output": Best("usd_per_mtok_output", 3, where="fits"),
            "best time_s": Best("time_s", 3, largest=True, where="fits"),
            "front": Pareto("tokens_per_s_per_chip", "time_s", smaller_y=True, where="fits"),
            "fit": Histogram("time_s", np.asarray([0, 1e9]), where="fits"),
        },
    )
    for name in ("best usd_per_mtok_output", "best time_s"):
        assert found[name] == kept[name]
        assert len(found[name]) == 3
    assert found["pareto tokens_per_s_per_chip,time_s"] == kept["front"]
    assert found["n_fit"] == kept["fit"].sum()
    bins = found["histogram time_s"]
    assert sum(row["points"] for row in bins) == found["n_fit"]


def test_drafts_are_accepted_as_measured(capsys) -> None:
    found = as_json(capsys, "--batch", "1,8", "--drafts", "3", "--tp", "2")
    alone = rl.serving(
        "Qwen/Qwen3-8B", rl.cluster("hgx-h100"), batch=[1, 8], tp=2, context=8192, drafts=3
    )
    np.testing.assert_allclose(
        found["columns"]["tokens_per_s_per_chip"]["values"],
        np.ravel(alone.result["tokens_per_s_per_chip"]),
        rtol=1e-9,
    )


def test_models_and_machines_are_axes_too(capsys) -> None:
    assert main([
        "sweep", "--on", "h100-sxm,h200-sxm", "--over", "model=Qwen/Qwen3-8B,Qwen/Qwen3-32B",
        "--weights", "fp8", "--set", "cluster.link=1e12", "--over", "load.batch=1,8", "--json",
    ]) == 0  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert found["axes"]["model"]["values"] == ["Qwen/Qwen3-8B", "Qwen/Qwen3-32B"]
    times = np.asarray(found["columns"]["time_s"]["values"])
    assert times.shape == (2, 2, 2)
    alone = rl.serving(
        "Qwen/Qwen3-32B", rl.cluster("hgx-h200"), weights="fp8", batch=[1, 8], tp=1, context=8192,
    )  # fmt: skip
    np.testing.assert_allclose(times[1, 1], np.ravel(alone.result["time_s"]), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Name an axis with --over"),
        (["--over", "load.batch"], "FIELD=VALUES is expected"),
        (["--over", "load.batch=0:8"], "a number from 1 to 1e12 is expected, not '0'"),
        (["--over", "load.batch=8:1"], "to one that is not below it"),
        (["--over", "load.batch=1:8:x"], "a whole number from 2"),
        (["--over", "load.batch=1:2:3:4"], "such as 1,64,2400"),
        (["--over", "load.batch=1,,2"], "a value is missing"),
        (["--over", "load.bach=1"], "Did you mean 'batch'?"),
        (["--over", "lod.batch=1"], "Did you mean 'load'?"),
        (["--over", "load.isl=1,2"], "which has load.context alone"),
        (["--over", f"{BANDWIDTH}=4 TB"], "a rate"),
        (["--over", "load.batch=1", "--over", "load.batch=2"], "given twice"),
        (["--over", "load.batch=1", "--batch", "1,2"], "by another option, too"),
        (["--over", "load.batch=1,2", "--batch", "7"], "by another option, too"),
        (["--over", "layout.tp=1,2", "--tp", "4"], "by another option, too"),
        (["--over", "model=a,b"], "is named, too"),
        (["--over", "load.drafts=1,2"], "say it with --acceptance"),
        (["--batch", "1,2", "--best", "time"], "Did you mean 'time_s'?"),
        (["--batch", "1,2", "--best", "time_s:larges"], "Did you mean 'largest'?"),
        (["--batch", "1,2", "--pareto", "time_s"], "two columns are expected"),
        (["--batch", "1,2", "--top", "3"], "name a column"),
        (["--batch", "1,2", "--reading", "blackboard"], "ideal or calibrated"),
        (["--batch", "1,2", "--workers", "2", "--scheduler", "x"], "Choose one of"),
        (["--batch", "1,2", "--workers", "0"], "--workers: a whole number from 1"),
        (["--batch", "1,2", "--out", "x.txt"], "ends in .csv, .json, .parquet"),
        (["--batch", "1,2", "--best", "time_s", "--out", "x.parquet"], "is for whole grids"),
        (["--batch", "1,2", "--json", "--csv"], "Choose one of --json and --csv"),
    ],
)
def test_a_wrong_value_is_a_sentence(options: list[str], words: str, capsys) -> None:
    assert main([*BASE, *options]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""
    assert len(printed.err.splitlines()) <= 2


def test_rows_are_written_to_files(capsys, tmp_path: Path) -> None:
    for suffix in ("csv", "json", "parquet"):
        asked(capsys, "--batch", "1,8", "--out", str(tmp_path / f"grid.{suffix}"))
        if suffix != "parquet":
            kept = ["--best", "time_s", "--out", str(tmp_path / f"kept.{suffix}")]
            asked(capsys, "--batch", "1,8", *kept)
    with (tmp_path / "kept.csv").open() as file:
        assert [row["kept"] for row in csv.DictReader(file)] == ["best time_s"] * 2
    assert json.loads((tmp_path / "kept.json").read_text())["n_fit"] == 2
    assert len(json.loads((tmp_path / "grid.json").read_text())["columns"]["time_s"]["values"]) == 2
    assert (tmp_path / "grid.parquet").read_bytes()[:4] == b"PAR1"


def test_a_sweep_goes_on_where_it_was_interrupted(capsys, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    options = ["--batch", "1:10000:4000", "--context", "100:100000:2000", "--best", "time_s"]
    command = [sys.executable, "-m", "ridgeline", *BASE, *options, "--resume", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        begun = time.monotonic()
        while len(list(folder.rglob("*.npz"))) < 3:
            assert process.poll() is None
            assert time.monotonic() - begun < 30
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 128 + signal.SIGINT
        assert process.stderr
        assert process.stderr.read() == b""
    kept = sorted(folder.rglob("*.npz"))
    assert kept
    kept[0].write_bytes(b"broken")
    whole = as_json(capsys, *options)
    assert main([*BASE, *options, "--resume", str(folder), "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == whole
    assert printed.err == f"{kept[0]} is damaged: this shard is computed again.\n"
    assert main([*BASE, "--batch", "1,2", "--best", "time_s", "--resume", str(folder)]) == 2
    assert "keeps another study, 'Qwen3-8B on HGX H100" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_give_the_same(capsys, monkeypatch) -> None:
    monkeypatch.setattr("ridgeline.grid.spread.ALONE_S", 0)
    monkeypatch.setattr("ridgeline.grid.spread.WORTH_S", 0)
    options = ["--batch", "1:10000:3000", "--context", "100:100000:900", "--best", "time_s"]
    assert as_json(capsys, *options) == as_json(capsys, *options, "--workers", "2")
