"""``validate`` and ``predict``: what they print and write, with a model whose errors are known."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
import types
from pathlib import Path

import pytest

import ridgeline.fidelity.scores.engine_report  # noqa: F401  (before its parts are replaced)
from ridgeline.cli import main
from ridgeline.fidelity.measurements import reading
from ridgeline.fidelity.runs import Prediction

HEAD = (
    "id,source,chip,n_chips,model,weight_dtype,tp,pp,regime,batch,concurrency,isl,osl,metric,value"
)
LINES = [
    "a,lab,h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct,bf16,1,1,decode,1,,512,128,tpot_s,0.01",
    "b,lab,h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct,bf16,1,1,prefill,1,,512,1,ttft_s,0.02",
    "c,lab,h200-sxm,8,meta-llama/Llama-3.1-70B-Instruct,fp8,8,1,closed,,64,512,512,tpot_s,0.012",
    "d,lab,h100-smx,1,meta-llama/Llama-3.1-8B-Instruct,bf16,1,1,decode,1,,512,128,tpot_s,0.01",
    'e,"la, b",h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct,bf16,1,1,decode,1,,512,9,tpot_s,fast',
]


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predict the measured value plus 10 %, or 1 where there is none, times the constants."""

    def predict(rows, constants=1) -> list[Prediction]:
        values = [1.1 * constants * (r.value or 1 / 1.1) for r in rows]
        return [Prediction(v, v / 1.5, v * 1.5, reason="assumed:  much") for v in values]

    told = types.ModuleType("ridgeline.fidelity.predict")
    told.predict = predict  # type: ignore[attr-defined]
    fitted = types.ModuleType("ridgeline.fidelity.engines.calibrate")
    fitted.calibrate = len  # type: ignore[attr-defined]
    fitted.constant_rows = lambda n: [  # type: ignore[attr-defined]
        {"constant": "host_s", "place": "vllm", "value": n / 1e3, "unit": "s", "sigma": 0.2,
         "n_rows": n, "sources": ["lab", "la, b"]}
    ]  # fmt: skip
    fitted.write_constants = lambda n, path: path.write_text(f"n = {n}")  # type: ignore[attr-defined]
    fitted.read_constants = lambda path: int(path.read_text()[4:])  # type: ignore[attr-defined]
    package = types.ModuleType("ridgeline.fidelity.engines")
    package.calibrate = fitted  # type: ignore[attr-defined]
    counted = types.ModuleType("ridgeline.fidelity.engines.freedom")
    counted.freedom = lambda n: [  # type: ignore[attr-defined]
        {"effect": "host_s", "level": "all", "n_factors": 1, "freedom": 0.75, "n_determined": 1}
    ]
    monkeypatch.setitem(sys.modules, "ridgeline.fidelity.engines.freedom", counted)
    monkeypatch.setitem(sys.modules, "ridgeline.fidelity.predict", told)
    monkeypatch.setitem(sys.modules, "ridgeline.fidelity.engines", package)
    monkeypatch.setitem(sys.modules, "ridgeline.fidelity.engines.calibrate", fitted)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "ours.csv"
    path.write_text("\n".join([HEAD, *LINES]) + "\n")
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> tuple[str, str]:
        code = main([str(a) for a in arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return printed.out, printed.err

    return call


def test_the_scoreboard(run, table: Path) -> None:
    out, err = run("validate", table, "--json")
    answer = json.loads(out)
    every = answer["scoreboard"][0]
    assert (every["n_rows"], every["n_answered"]) == (5, 3)
    assert every["median"] == pytest.approx(0.1)
    assert every["coverage"] == 1
    assert every["width"] == pytest.approx(2.25)
    groups = {(r["by"], r["group"]) for r in answer["scoreboard"]}
    assert {("source", "la, b"), ("chip", "h100-smx"), ("regime", "closed")} <= groups
    assert [(u["line"], u["status"]) for u in answer["unanswered"]] == [
        (5, "unknown-chip"), (6, "bad-number"),
    ]  # fmt: skip
    assert "ours.csv, line 5 (d): unknown-chip: There is no chip" in err
    assert "line 6 (e): bad-number: value is 'fast'" in err


def test_table_csv_and_json_tell_the_same(run, table: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("validate", table, "--csv", "--by", "regime")[0])))
    board = json.loads(run("validate", table, "--json", "--by", "regime")[0])["scoreboard"]
    assert [r["group"] for r in rows] == [r["group"] for r in board]
    assert float(rows[0]["median"]) == board[0]["median"]
    text = run("validate", table, "--by", "regime")[0]
    for word in ("all rows", "decode", "closed", "prefill", "10.0%", "+9.5%", "2.25"):
        assert word in text


def test_without_a_table_the_shipped_rows_are_scored(run) -> None:
    out, err = run("validate", "--by", "source", "--json")
    answer = json.loads(out)
    assert answer["scoreboard"][0]["n_rows"] == answer["scoreboard"][0]["n_answered"] > 200
    assert answer["unanswered"] == []
    assert err == ""


def test_predictions_are_one_line_a_row_in_order(run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run("validate", table, "--predictions", out)
    lines = out.read_text().splitlines()
    assert lines[:4] == [
        "id,measured,predicted,low,high,status,reason",
        "a,0.01,0.011,0.00733333,0.0165,ok,assumed: much",
        "b,0.02,0.022,0.0146667,0.033,ok,assumed: much",
        "c,0.012,0.0132,0.0088,0.0198,ok,assumed: much",
    ]
    assert lines[4].startswith("d,,,,,unknown-chip,There is no chip or cluster 'h100-smx'.")
    assert lines[5:] == [
        "e,,,,,bad-number,value is 'fast'; a number above 0 up to 1e+15 is expected."
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ours.csv", "out.csv"]


def test_a_broken_run_leaves_the_old_predictions(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")
    monkeypatch.setattr(reading, "CHUNK", 1)

    def broken(rows, constants=None) -> list[Prediction]:
        if rows[0].id == "b":
            raise MemoryError
        return [Prediction(1, 1, 1)]

    monkeypatch.setattr(sys.modules["ridgeline.fidelity.predict"], "predict", broken)
    assert main(["validate", str(table), "--predictions", str(out)]) == 2
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ours.csv", "out.csv"]


def test_a_bug_at_one_row_is_one_line_and_the_others_are_scored(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(rows, constants=None) -> list[Prediction]:
        if any(row.id == "b" for row in rows):
            raise KeyError("int4")
        return [Prediction(1, 1, 1) for _ in rows]

    monkeypatch.setattr(sys.modules["ridgeline.fidelity.predict"], "predict", broken)
    out = tmp_path / "out.csv"
    assert main(["validate", str(table), "--json", "--predictions", str(out)]) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["scoreboard"][0]["n_answered"] == 2
    assert "line 3 (b): bug: internal error: KeyError: 'int4'. This is a bug" in printed.err
    assert [line.split(",")[5] for line in out.read_text().splitlines()[1:4]] == ["ok", "bug", "ok"]
    assert main(["predict", str(table), "--csv"]) == 3


def test_few_rows_are_shown_with_what_is_said_of_them(run, table: Path) -> None:
    text = run("validate", table)[0]
    for word in ("measured", "predicted", "0.012", "0.0132", "+10.0%", "assumed: much"):
        assert word in text
    rows = json.loads(run("validate", table, "--json")[0])["rows"]
    assert [(r["id"], r["status"]) for r in rows][:4] == [
        ("a", "ok"), ("b", "ok"), ("c", "ok"), ("d", "unknown-chip"),
    ]  # fmt: skip
    assert rows[2]["measured"] == 0.012


def test_cells_that_spreadsheets_would_run_are_quoted(run, tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    lines = [line.replace("a,lab", '"=1+1",+lab', 1) for line in LINES[:1]]
    path.write_text("\n".join([HEAD, *lines, LINES[1]]) + "\n")
    run("validate", path, "--predictions", out)
    assert out.read_text().splitlines()[1].startswith("'=1+1,0.01,0.011,")
    assert "source,'+lab," in run("validate", path, "--csv", "--by", "source")[0]
    assert run("predict", path, "--csv")[0].splitlines()[1].startswith("'=1+1,tpot_s,")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the system has no /dev/fd")
def test_pipes_are_read_whole_and_once(run, table: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, table.read_bytes() * 1 + b"".join(b"%d,x\n" % i for i in range(9000)))
    os.close(writer)
    try:
        answer = json.loads(run("validate", f"/dev/fd/{reader}", "--json")[0])
    finally:
        os.close(reader)
    assert answer["scoreboard"][0]["n_rows"] == 9005
    assert answer["scoreboard"][0]["n_answered"] == 3


def test_names_too_long_for_a_file_are_faults_of_their_row(run, table: Path) -> None:
    text = table.read_text().replace("h100-smx", "h" * 300 + ".toml")
    table.write_text(text)
    out, err = run("validate", table, "--json")
    assert json.loads(out)["scoreboard"][0]["n_answered"] == 3
    assert "line 5 (d): unknown-chip" in err


def test_thousands_of_unknown_columns_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(HEAD + "," + ",".join(f"column_{i}" for i in range(100_000)) + "\n")
    begun = time.perf_counter()
    assert main(["validate", str(path)]) == 2
    assert time.perf_counter() - begun < 2


def test_chunks_are_scored_together(run, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("validate", table, "--json")[0]
    monkeypatch.setattr(reading, "CHUNK", 1)
    assert run("validate", table, "--json")[0] == whole


def test_leaving_out(run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    answer, err = run("validate", table, "--leave-out", "models", "--json", "--predictions", out)
    assert json.loads(answer)["scoreboard"][0]["n_rows"] == 5
    figures = {f["figure"]: f["n_rows"] for f in json.loads(answer)["figures"]}
    assert figures["fixed batches, models left out: median"] == 2
    names = {row["id"]: row["left_out"] for row in json.loads(answer)["rows"]}
    assert names["c"] == "meta-llama/Llama-3.1-70B-Instruct"
    assert figures["closed loop, TPOT, models left out: median"] == 1
    assert (
        "closed loop, TPOT, models left out: p90"
        in run("validate", table, "--leave-out", "models", "--wide")[0]
    )
    assert "fold" not in err  # told to terminals only
    assert len(out.read_text().splitlines()) == 6
    answer, err = run("validate", table, "--leave-out", "chips", "--json", "--predictions", out)
    assert json.loads(answer)["scoreboard"][0]["n_answered"] == 3
    one_chip = tmp_path / "one.csv"
    apart = LINES[2].replace("h200-sxm", "mi300x")
    one_chip.write_text("\n".join([HEAD, *LINES[:2], apart, LINES[2].replace("c,", "f,")]) + "\n")
    answer, err = run("validate", one_chip, "--leave-out", "chips", "--predictions", out)
    assert "1 rows are of a chip whose family has no other" in err
    assert out.read_text().splitlines()[3].startswith("c,0.012,,,,not-left-out,")


@pytest.fixture
def set_aside(tmp_path: Path) -> Path:
    path = tmp_path / "aside.toml"
    path.write_text('models = ["meta-llama/Llama-3.1-70B-Instruct"]\n')
    return path


def test_what_is_set_aside_is_in_no_fit_and_no_score(run, table: Path, set_aside: Path) -> None:
    out, err = run("validate", table, "--set-aside", set_aside, "--json")
    answer = json.loads(out)
    assert (answer["scoreboard"][0]["n_rows"], answer["scoreboard"][0]["n_answered"]) == (4, 2)
    assert "set_aside" not in answer
    assert "1 of 5 rows set aside: 1 by model, 0 by chip, 0 by date." in err
    (row,) = json.loads(
        run("calibrate", table, "--from-scratch", "--set-aside", set_aside, "--json")[0]
    )
    assert row["n_rows"] == 2


def test_what_is_set_aside_is_scored_when_asked(
    run, table: Path, set_aside: Path, tmp_path: Path
) -> None:
    arguments = ("validate", table, "--leave-out", "models", "--set-aside", set_aside)
    # The model of the fixture predicts in proportion to the rows fitted: 2 are kept.
    answer = json.loads(run(*arguments[:2], *arguments[4:], "--score-set-aside", "--json")[0])
    (board, *_) = answer["set_aside"]["scoreboard"]
    assert (board["n_rows"], board["median"]) == (1, pytest.approx(1.2))
    page = tmp_path / "page.md"
    other = table.read_text().replace("b,lab,h100-sxm,1,meta-llama/Llama-3.1-8B-Instruct",
                                      "b,lab,h100-sxm,1,Qwen/Qwen3-8B")  # fmt: skip
    table.write_text(other)
    run("validate", table, "--set-aside", set_aside, "--report", page)
    assert "They are in no fit, no fold and no score here." in page.read_text()
    run("validate", table, "--set-aside", set_aside, "--report", page, "--score-set-aside")
    text = page.read_text()
    assert "### Set aside\n\n1 of 5 rows set aside: 1 by model" in text
    # kept: one row fitted of two, so 10% off; set aside: both fitted, so 120%
    assert "| all rows, models left out | 2 | 10.0% | 1 | 120.0% | 12.00 | **missed** |" in text


def test_every_row_on_request(run, tmp_path: Path, table: Path) -> None:
    path = tmp_path / "many.csv"
    lines = [f"x{i}{LINES[0][1:]}" for i in range(50)]
    path.write_text("\n".join([HEAD, *lines, LINES[3]]) + "\n")
    assert "x49" not in run("validate", path)[0]
    assert "x49" in run("validate", path, "--rows", "--wide")[0]
    rows = list(csv.DictReader(io.StringIO(run("validate", path, "--rows", "--csv")[0])))
    assert [r["id"] for r in rows] == [*(f"x{i}" for i in range(50)), "d"]
    assert {k: rows[0][k] for k in ("measured", "predicted", "remark")} == {
        "measured": "0.01", "predicted": "0.011000000000000001", "remark": "assumed: much",
    }  # fmt: skip
    assert float(rows[0]["error"]) == pytest.approx(0.1)
    assert rows[-1]["status"] == "unknown-chip"


@pytest.mark.parametrize("suffix", ["json", "svg", "png"])
def test_pictures(run, table: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    _, err = run("validate", table, "--chart", path)
    assert f"Wrote {path}." in err
    assert path.stat().st_size > 1000
    if suffix == "json":
        drawn = json.loads(path.read_text())
        titles = [panel["title"]["text"] for panel in drawn["concat"]]
        assert titles == ["time to first token (1)", "time per output token (2)"]
        (points,) = (
            layer["data"]["values"]
            for layer in drawn["concat"][0]["layer"]
            if layer["mark"]["type"] == "circle"
        )
        assert (points[0]["measured"], points[0]["predicted"]) == (20, 22)


def test_the_report(run, table: Path, tmp_path: Path) -> None:
    page = tmp_path / "fidelity.md"
    run("validate", table, "--report", page)
    text = page.read_text()
    assert text.startswith("# Fidelity\n\n<!-- engines: written by 'ridgeline validate --report'")
    assert "| rows answered | 5 | >= 99.0% | 60.0% | **missed** |" in text
    assert "| host_s | all | 1 | 0.8 | 1 |" in text
    assert "unknown-chip: There is no chip" in text


def test_predict(run, table: Path, tmp_path: Path) -> None:
    without = tmp_path / "plan.csv"
    lines = [line.rpartition(",")[0] for line in (HEAD, *LINES)]
    without.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out.csv"
    text, err = run("predict", without, "--predictions", out)
    assert "out.csv: 4 of 5 rows predicted." in err
    assert "line 5 (d): unknown-chip" in err
    assert "tpot_s" in text
    assert out.read_text().splitlines()[1] == "a,1,0.666667,1.5,ok,assumed: much"
    rows = json.loads(run("predict", without, "--json")[0])
    assert [r["predicted"] for r in rows] == [1, 1, 1, None, 1]
    listed = list(csv.DictReader(io.StringIO(run("predict", without, "--csv")[0])))
    assert [r["status"] for r in listed] == ["ok", "ok", "ok", "unknown-chip", "ok"]


def test_predict_shows_the_first_rows_of_many(run, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    lines = [f"x{i}{LINES[0][1:]}" for i in range(50)]
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    out, err = run("predict", path)
    assert "The first 40 of 50 rows" in out
    assert err == ""


def test_a_file_of_results(run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    result = {
        "model_id": "meta-llama/Llama-3.1-8B-Instruct", "backend": "vllm", "completed": 10,
        "request_rate": "inf", "max_concurrency": 4, "total_input_tokens": 5120,
        "total_output_tokens": 1280, "mean_ttft_ms": 30.0, "mean_tpot_ms": 7.0,
    }  # fmt: skip
    path.write_text(json.dumps(result))
    out, _ = run("validate", path, "--on", "h100-sxm", "--tp", "1", "--dtype", "fp8", "--json")
    assert json.loads(out)["scoreboard"][0]["n_answered"] == 2


def test_calibrate(run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "constants.toml"
    text, err = run("calibrate", table, "--from-scratch", "--out", out)
    assert "host_s" in text
    assert "lab, la, b" in text
    assert f"Wrote {out}." in err
    assert "line 5 (d): unknown-chip" in err
    assert out.read_text() == "n = 3"
    (row,) = json.loads(run("calibrate", table, "--from-scratch", "--json")[0])
    assert (row["value"], row["n_rows"]) == (0.003, 3)
    (row,) = csv.DictReader(io.StringIO(run("calibrate", table, "--from-scratch", "--csv")[0]))
    assert row["sources"] == '["lab", "la, b"]'
    board = json.loads(run("validate", table, "--constants", out, "--json")[0])["scoreboard"]
    assert board[0]["median"] == pytest.approx(2.3)
    rows = json.loads(run("predict", table, "--constants", out, "--json")[0])
    assert rows[0]["predicted"] == 3


WRONG: dict[str, tuple[list[str], str]] = {
    "no such file": (["validate", "none.csv"], "there is no such file"),
    "a folder": (["validate", "."], "is a folder"),
    "unknown grouping": (["validate", "--by", "chips"], "Did you mean 'chip'"),
    "unknown fold": (["validate", "--leave-out", "model"], "Did you mean 'models'"),
    "two formats": (["validate", "--json", "--csv"], "Choose one"),
    "constants and folds": (
        ["validate", "t.csv", "--leave-out", "models", "--constants", "c.toml"],
        "fits constants of its own",
    ),
    "a look at nothing": (["validate", "--score-set-aside"], "name that file"),
    "no such set-aside file": (["validate", "t.csv", "--set-aside", "none.toml"], "none.toml"),
    "nothing to fit": (["calibrate", "bad.csv"], "No row of bad.csv can be predicted"),
    "nothing to predict": (["predict"], "Name a table of runs to predict"),
    "options without results": (["validate", "--on", "h100-sxm"], "Name the file of benchmark"),
    "options of a table": (["validate", "t.csv", "--tp", "2"], "which says itself what was run"),
    "side file": (["validate", "t.csv", "--chips", "none.csv"], "there is no such file"),
    "picture": (["validate", "t.csv", "--chart", "p.gif"], "not as '.gif'"),
    "folder of predictions": (["validate", "t.csv", "--predictions", "no/p.csv"], "be written"),
    "no good row": (["validate", "bad.csv"], "No row of bad.csv can be predicted. The first: line"),
    "none to predict": (["predict", "bad.csv"], "No row of bad.csv can be predicted"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_a_sentence(
    arguments: list[str], message: str, table: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    table.rename("t.csv")
    Path("bad.csv").write_text(f"{HEAD}\n{LINES[3]}\n")
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert {p.name for p in tmp_path.iterdir()} == {"t.csv", "bad.csv"}
