"""What the commands print, and that all output modes tell the same."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ridgeline.catalog import model
from ridgeline.cli import main
from ridgeline.units import format_quantity

V3 = ["serving", "deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72"]


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


@pytest.mark.parametrize(
    "arguments",
    [
        (*V3, "--explain"),
        (*V3, "--reading", "blackboard", "--explain"),
        (*V3, "--reading", "ideal", "--explain", "--batch", "1:65536"),
        ("serving", "Llama-3.1-8B-Instruct", "--on", "h100-sxm", "--batch", "1,7,50", "--explain"),
        (*V3, "--reading", "blackboard", "--context", "1024", "--batch", "64,4096"),
        (*V3, "--isl", "4096", "--osl", "1024", "--prefix-hit", "0.5", "--drafts", "1",
         "--acceptance", "0.85", "--batch", "64,4096"),
        ("serving", "Llama-3.1-70B-Instruct", "--on", "h100-sxm,mi300x,rtx-4090", "--isl", "4096",
         "--osl", "1024"),
        ("serving", "--from-counts", "active=100B,total=1T,kv=1667,bits=8", "--on", "hgx-b200",
         "--context", "200k", "--price", "2"),
        ("chips", "h100-sxm"),
        ("chips", "hgx-h100"),
        ("models", "deepseek-ai/DeepSeek-V3.2"),
        ("models", "openai/gpt-oss-20b", "google/gemma-3-1b-it"),
    ],
    ids=lambda a: "-".join(x.strip("-").split("/")[-1] for x in a),
)  # fmt: skip
def test_printed(run, snapshot, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == snapshot


def test_json_csv_and_table_tell_the_same(run) -> None:
    answer = json.loads(run(*V3, "--batch", "1,64,4096", "--json"))
    rows = list(csv.DictReader(io.StringIO(run(*V3, "--batch", "1,64,4096", "--csv"))))
    grid = answer["grid"]
    times = grid["columns"]["time_s"]["values"][0]
    assert [r["time_s"] for r in answer["tables"]["points"]["rows"]] == times
    assert [float(r["time_s"]) for r in rows] == times
    assert [float(r["batch"]) for r in rows] == grid["axes"]["batch"]["values"] == [1, 64, 4096]
    assert answer["provenance"]["n_chips"] == 72
    assert answer["values"]["latency_floor_s"] == pytest.approx(min(times), rel=0.01)
    table = run(*V3, "--batch", "1,64,4096")
    assert format_quantity(times[-1], "s") in table


def test_compared_machines_are_one_answer_on_every_face(run) -> None:
    asked = ("serving", "Qwen3-8B", "--on", "1xh100-sxm,1xa100-80gb-sxm", "--batch", "8")
    text, told = run(*asked), json.loads(run(*asked, "--json"))
    assert told["sentences"][0] in text
    assert all(f"Note: {note}" in text for note in told["notes"])
    assert sum("per chip-hour" in note for note in told["notes"]) == 2
    one, other = told["answers"]
    rows = told["tables"]["machines"]["rows"]
    assert {row["cluster"] for row in rows} == {a["provenance"]["cluster"] for a in (one, other)}
    costs = [row["usd_per_mtok_output"] for row in rows]
    assert costs == sorted(costs)


@pytest.mark.parametrize(("on", "n"), [("h100-sxm,b200", 1), ("h100-sxm,a100-80gb-sxm", 2)])
def test_refused_machines_are_part_of_the_answer(run, on: str, n: int) -> None:
    asked = ("serving", "Qwen3-8B", "--on", on, "--weights", "fp4", "--batch", "8")
    text, told = run(*asked), json.loads(run(*asked, "--json"))
    refused = told["tables"]["refused"]["rows"]
    assert len(refused) == n
    assert all(f"{row['cluster']}: {row['reason']}" in text for row in refused)
    assert len(told["answers"]) == len(told["tables"]["machines"]["rows"]) == 2 - n
    assert ("None of 2 machines" in told["sentences"][0]) == (n == 2)


def test_json_is_strict_where_there_is_no_number(run) -> None:
    answer = json.loads(
        run("serving", "Qwen3-8B", "--on", "vr200", "--json"), parse_constant=pytest.fail
    )
    assert answer["provenance"]["price"] is None
    assert set(answer["grid"]["columns"]["usd_per_mtok_output"]["values"][0]) == {None}
    assert any("No price is known" in note for note in answer["notes"])


@pytest.mark.parametrize("suffix", ["png", "svg", "html", "pdf", "json"])
def test_pictures_are_written(run, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    run(*V3, "--out", str(path), "--chart", "cost")
    start = {
        "png": b"\x89PNG",
        "svg": b"<svg",
        "html": b"<!DOCTYPE html>",
        "pdf": b"%PDF",
        "json": b"{",
    }
    assert path.read_bytes().lstrip().startswith(start[suffix])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_offline_page_asks_nobody(run, tmp_path: Path) -> None:
    path = tmp_path / "picture.html"
    run(*V3, "--out", str(path))
    page = path.read_text()
    assert 'src="http' not in page
    assert "@import" not in page


def test_a_chip_means_its_best_number_a_cluster_the_whole(run) -> None:
    def asked(on: str, *more: str) -> dict[str, Any]:
        return json.loads(run("serving", "DeepSeek-V3", "--on", on, "--json", *more))

    def chips_for(on: str, *more: str) -> int:
        return asked(on, *more)["provenance"]["n_chips"]

    def usd(n_chips: int) -> float:
        columns = asked("gb200", "--chips", str(n_chips))["grid"]["columns"]
        cost, good = (columns[n]["values"][0] for n in ("usd_per_mtok_output", "within_limits"))
        return min(c for c, kept in zip(cost, good, strict=True) if kept)

    best = chips_for("gb200")
    assert 4 < best < 72
    # Within a twentieth of each other the smaller one is taken.
    assert usd(best) <= 1.05 * min(usd(n) for n in (8, 16, best, 64, 72))
    assert chips_for("gb200-nvl72") == 72
    assert chips_for("8xgb200") == 8
    assert chips_for("2xgb200-nvl72") == 144
    assert chips_for("gb200", "--chips", "fewest") == 4
    assert chips_for("h200-sxm") == 8
    assert chips_for("hgx-h100", "--reading", "blackboard") == 8
    assert chips_for("hgx-h100", "--weights", "bf16", "--reading", "blackboard") == 16
    assert chips_for("tpu-v5e", "--chips", "fewest") == 64


def test_set_changes_any_field(run) -> None:
    def time_s(*more: str) -> float:
        answer = json.loads(run(*V3, "--reading", "blackboard", "--batch", "1", "--json", *more))
        return answer["grid"]["columns"]["time_s"]["values"][0][0]

    faster = time_s("--set", "cluster.chip.memory.bandwidth=16 TB/s")
    assert faster == pytest.approx(time_s() / 2)
    assert time_s("--set", "model.n_experts=128") < 0.6 * time_s()
    assert time_s("--set", "load.context=0") < time_s()
    answer = json.loads(run(*V3, "--set", "price.usd_per_chip_hour=$1/h", "--json"))
    assert answer["provenance"]["price"]["usd_per_chip_hour"] == 1.0


def test_users_files(run, tmp_path: Path) -> None:
    chip = tmp_path / "mine.toml"
    chip.write_text(
        'id = "mine"\nname = "Mine"\nvendor = "-"\n'
        '[memory]\ncapacity = "1 TB"\nbandwidth = "10 TB/s"\n[peak]\nfp8 = "10 PFLOP/s"\n'
        'bf16 = "5 PFLOP/s"\n'
    )
    cluster = tmp_path / "two.toml"
    cluster.write_text(
        'id = "two"\nname = "Two of mine"\nchip = "mine.toml"\ndomain_size = 2\n'
        'fabric = "switch"\nlink = "1 TB/s"\n[[prices]]\nusd_per_chip_hour = 2\n'
    )
    out = run("serving", "DeepSeek-V3", "--on", str(cluster))
    assert out.startswith("DeepSeek-V3 on Two of mine")
    assert "$2.00 per chip-hour" in out
    assert run("serving", "DeepSeek-V3", "--on", str(chip)).startswith("DeepSeek-V3 on Mine, ")
    alone = run("serving", "DeepSeek-V3", "--chip", str(chip))
    assert alone.startswith("DeepSeek-V3 on Mine, ")
    swapped = run("serving", "DeepSeek-V3", "--on", "hgx-h100", "--chip", str(chip), "--json")
    assert json.loads(swapped)["provenance"]["chip"] == "mine"


def test_a_folder_of_the_users_comes_first(
    run, tmp_path: Path, monkeypatch, fresh_catalogue
) -> None:
    own = tmp_path / "own" / "chips"
    own.mkdir(parents=True)
    (own / "h100-sxm.toml").write_text(
        'id = "h100-sxm"\nname = "Our H100"\nvendor = "-"\n'
        '[memory]\ncapacity = "1 TB"\nbandwidth = "10 TB/s"\n[peak]\nbf16 = "5 PFLOP/s"\n'
    )
    (tmp_path / "ridgeline.toml").write_text('catalog = ["own"]\n')
    monkeypatch.chdir(tmp_path)
    fresh_catalogue()
    assert run("serving", "Qwen3-8B", "--on", "h100-sxm").startswith("Qwen3-8B on Our H100")


def test_models_print_as_toml_that_reads_back(run, tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    path.write_text(run("models", "openai/gpt-oss-20b", "--toml"))
    assert model(str(path)) == model("openai/gpt-oss-20b")


@pytest.mark.parametrize("command", ["chips", "models"])
def test_lists_search_and_csv(run, command: str) -> None:
    every = list(csv.DictReader(io.StringIO(run(command, "--csv"))))
    assert len(every) >= {"chips": 54, "models": 90}[command]
    some = run(command, {"chips": "instinct", "models": "gpt-oss"}[command])
    assert {"chips": "mi300x", "models": "openai/gpt-oss-120b"}[command] in some


def test_another_chip_in_a_machine_is_named_and_priced_as_itself(run) -> None:
    found = json.loads(
        run("serving", "Qwen3-8B", "--on", "gb200-nvl72", "--chip", "h100-sxm", "--json")
    )
    text = run("serving", "Qwen3-8B", "--on", "gb200-nvl72", "--chip", "h100-sxm", "--batch", "8")
    assert "GB200 NVL72 rack, 72 GPUs with NVIDIA H100 SXM5 80 GB" in " ".join(text.split())
    own = json.loads(run("serving", "Qwen3-8B", "--on", "hgx-h100", "--json"))
    assert found["provenance"]["price"] == own["provenance"]["price"]
    same = run("serving", "Qwen3-8B", "--on", "hgx-h100", "--chip", "h100-sxm", "--batch", "8")
    assert " with NVIDIA" not in same


@pytest.mark.parametrize("names", [("h100-sxm", "gb200-nvl72"), ("gb200-nvl72", "h100-sxm")])
def test_a_chip_beside_a_cluster_is_csv_of_all_their_fields(names: tuple[str, str], capsys) -> None:
    assert main(["chips", *names, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["id"] for row in rows] == list(names)
    by_id = {row["id"]: row for row in rows}
    assert float(by_id["h100-sxm"]["memory.bandwidth"]) == 3.35e12
    assert by_id["gb200-nvl72"]["domain_size"] == "72"
    assert by_id["gb200-nvl72"]["memory.bandwidth"] == ""


def test_a_search_as_csv_has_chips_and_clusters(capsys) -> None:
    assert main(["chips", "nvl", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert "cluster" in {row["kind"] for row in rows}
