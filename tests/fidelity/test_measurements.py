"""Measurement tables: what is read, and that every bad row is named while good ones are kept."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements import Seen, read_rows, row_chunks
from ridgeline.fidelity.measurements import reading as reading_module
from ridgeline.fidelity.measurements.columns import COLUMNS
from ridgeline.fidelity.measurements.notes import read_notes
from ridgeline.fidelity.runs import OK, Row
from ridgeline.fidelity.shipped import SHIPPED

TRUTH = Path(__file__).parents[3] / "shared" / "truth"
needs_tables = pytest.mark.skipif(
    not TRUTH.exists(), reason="the full tables of measurements are not part of the project"
)

GOOD = {
    "id": "a-1", "run": "a", "source": "lab", "chip": "h100-sxm", "n_chips": "8",
    "model": "meta-llama/Llama-2-70b-hf", "weight_dtype": "fp8", "tp": "4", "pp": "2",
    "regime": "decode", "batch": "16", "isl": "512", "osl": "128", "metric": "tpot_s",
    "value": "0.02", "engine": "vllm", "engine_version": "0.9", "date": "2025-01",
}  # fmt: skip


def write(folder: Path, *rows: dict[str, str], name: str = "t.csv") -> Path:
    columns = list(dict.fromkeys(c for row in rows for c in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / name
    path.write_text(text.getvalue())
    return path


def read_one(folder: Path, **changes: str) -> Row:
    return read_rows([write(folder, GOOD | changes)])[0]


def test_a_good_row(tmp_path: Path) -> None:
    row = read_one(tmp_path, notes="n_requests=500; median")
    assert (row.status, row.line, row.value, row.metric) == (OK, 2, 0.02, "tpot_s")
    run = row.run
    assert run is not None
    assert run.layout is not None
    assert (run.layout.tp, run.layout.pp, run.layout.replicas) == (4, 2, 1)
    assert (run.batch, run.isl, run.osl, run.concurrency) == (16, 512, 128, None)
    assert run.model.weight_dtype == "fp8"
    assert run.cluster.id == "hgx-h100"
    assert run.stated == {"weight_dtype", "layout", "isl", "osl"}
    assert run.notes == {"n_requests": "500", "median": "", "statistic": "median"}


def test_metrics_of_a_run_share_it(tmp_path: Path) -> None:
    other = {"id": "a-2", "metric": "output_tokens_per_s", "value": "800", "notes": "rounded"}
    first, second = read_rows([write(tmp_path, GOOD | {"notes": "x=1"}, GOOD | other)])
    assert first.run is second.run
    assert first.run is not None
    assert first.run.notes == {"x": "1", "rounded": ""}


def test_one_run_id_with_two_regimes_is_two_runs(tmp_path: Path) -> None:
    prefill = {"id": "a-2", "regime": "prefill", "metric": "ttft_s", "value": "0.2"}
    first, second = read_rows([write(tmp_path, GOOD, GOOD | prefill)])
    assert first.run is not second.run


def test_nodes_grow_and_replicas_fill(tmp_path: Path) -> None:
    run = read_one(tmp_path, n_chips="20", tp="4", pp="").run
    assert run is not None
    assert run.layout is not None
    assert (run.cluster.n_domains, run.cluster.domain_size, run.layout.replicas) == (3, 8, 5)


def test_a_machine_with_more_slots_is_found(tmp_path: Path) -> None:
    run = read_one(tmp_path, chip="rtx-4090", n_chips="4", tp="4", pp="1").run
    assert run is not None
    assert run.cluster.domain_size >= 4
    assert run.cluster.fabric == "pcie"
    row = read_one(tmp_path, chip="apple-m2-ultra", n_chips="2", tp="2", pp="1")
    assert row.status == "unknown-machine"


def test_layout_is_none_where_nothing_is_stated(tmp_path: Path) -> None:
    run = read_one(tmp_path, tp="", pp="1").run
    assert run is not None
    assert run.layout is None
    assert "layout" not in run.stated


def test_formats_as_published_are_kept(tmp_path: Path) -> None:
    r1 = read_one(tmp_path, model="deepseek-ai/DeepSeek-R1", weight_dtype="fp8", tp="", pp="")
    assert r1.run is not None
    assert r1.run.model.weight_dtype == "fp8-block"
    oss = read_one(tmp_path, model="openai/gpt-oss-120b", weight_dtype="mxfp4", tp="", pp="")
    assert oss.run is not None
    assert set(oss.run.model.dtypes.values()) == {"bf16"}
    narrow = read_one(tmp_path, kv_dtype="fp8").run
    same = read_one(tmp_path, kv_dtype="fp16").run
    assert narrow is not None
    assert same is not None
    assert (narrow.model.kv_dtype, same.model.kv_dtype) == ("fp8", "bf16")


BAD: dict[str, tuple[dict[str, str], str, str]] = {
    "text for a number": ({"batch": "many"}, "bad-number", "batch is 'many'"),
    "a blank value": ({"value": ""}, "no-value", "'ridgeline predict'"),
    "a zero value": ({"value": "0"}, "bad-number", "a number above 0"),
    "a negative length": ({"isl": "-5"}, "bad-number", "a number from 0 to 1e+15"),
    "infinite": ({"value": "inf"}, "bad-number", "value is 'inf'"),
    "not a number": ({"value": "nan"}, "bad-number", "value is 'nan'"),
    "digits grouped": ({"batch": "1_6"}, "bad-number", "batch"),
    "thousands": ({"isl": "1,024"}, "bad-number", "isl is '1,024'"),
    "absurd": ({"batch": "1e300"}, "bad-number", "batch"),
    "part of a chip": ({"n_chips": "1.5"}, "bad-number", "a whole number"),
    "no chips": ({"n_chips": "0"}, "bad-number", "n_chips"),
    "chips not said": ({"n_chips": ""}, "missing-input", "n_chips"),
    "no batch": ({"batch": ""}, "missing-input", "batch is blank, which decode rows need"),
    "unknown chip": ({"chip": "h100-smx"}, "unknown-chip", "Did you mean 'h100-sxm'"),
    "no chip": ({"chip": ""}, "unknown-chip", "blank"),
    "unknown model": ({"model": "Llama-2-70"}, "unknown-model", "Did you mean"),
    "no model": ({"model": ""}, "unknown-model", "blank"),
    "unknown metric": ({"metric": "tpot_ms"}, "unknown-metric", "Did you mean 'tpot_s'"),
    "unknown regime": ({"regime": "decoding"}, "unknown-regime", "Did you mean 'decode'"),
    "unknown format": ({"weight_dtype": "fp7"}, "unknown-dtype", "Did you mean 'fp8'"),
    "layout too large": ({"tp": "3"}, "bad-layout", "does not divide the 8 chips"),
    "experts over too many": ({"ep": "3"}, "bad-layout", "must divide"),
    "no id": ({"id": ""}, "no-id", "blank"),
}


@pytest.mark.parametrize(("changes", "status", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_rows_are_named_and_good_ones_kept(
    tmp_path: Path, changes: dict[str, str], status: str, reason: str
) -> None:
    good = {"id": "a-9", "ep": "", "kv_dtype": ""}
    rows = read_rows([write(tmp_path, GOOD | good, GOOD | changes, GOOD | {"id": "a-8"})])
    assert [r.status for r in rows] == [OK, status, OK]
    assert rows[1].line == 3
    assert reason in rows[1].reason
    assert rows[1].run is None
    assert (rows[1].source, rows[1].regime) == ("lab", changes.get("regime", "decode"))


def test_values_are_not_looked_at_when_predicting(tmp_path: Path) -> None:
    table = write(tmp_path, GOOD | {"value": "later"}, {**GOOD, "id": "b", "value": ""})
    assert [r.status for r in read_rows([table], measured=False)] == [OK, OK]
    without = {k: v for k, v in GOOD.items() if k != "value"}
    assert read_rows([write(tmp_path, without)], measured=False)[0].value is None


def test_ids_are_used_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "CHUNK", 2)
    names = ("a", "b", "c", "a", "d", "d")
    table = write(tmp_path, *(GOOD | {"id": name, "run": name} for name in names))
    chunks = list(row_chunks(table))
    assert [len(c) for c in chunks] == [2, 2, 2]
    statuses = [r.status for c in chunks for r in c]
    assert statuses == [OK, OK, OK, "duplicate-id", OK, "duplicate-id"]
    again = read_rows([table, table])
    assert [r.status for r in again[6:]] == ["duplicate-id"] * 6


def test_a_chunk_ends_with_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "CHUNK", 2)
    runs = ("a", "b", "b", "b", "c", "d", *"eeeeee")
    lines = [GOOD | {"id": f"r{i}", "run": run} for i, run in enumerate(runs)]
    lines[3]["notes"] = "rounded"
    chunks = list(row_chunks(write(tmp_path, *lines)))
    assert [len(c) for c in chunks] == [4, 2, 4, 2]
    assert all(row.run is not None and row.run.notes for row in chunks[0][1:])


def test_seen_forgets_nothing() -> None:
    seen = Seen()
    for start in range(0, 1000, 100):
        assert all(seen.add(str(i)) for i in range(start, start + 100))
        seen.settle()
    assert not any(seen.add(str(i)) for i in range(1000))


def test_ragged_lines(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "x,y", "", lines[1].replace("a-1", "a-2") + ",more"]) + "\n")
    rows = read_rows([path])
    assert [(r.status, r.line) for r in rows] == [(OK, 2), ("ragged-line", 3), ("ragged-line", 5)]
    assert "a comma inside a cell needs quotes" in rows[2].reason


def test_an_open_quote_spoils_what_it_swallows_only(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    head, line = path.read_text().splitlines()
    huge = '"' + "x" * 200_000 + '"' + line[line.index(",") :]
    path.write_text("\n".join([head, huge, line]) + "\n")
    statuses = [r.status for r in read_rows([path])]
    assert statuses[0] == "bad-line"
    assert statuses[-1] == OK


def test_wrong_encoding(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD | {"engine": "zürich"}, GOOD | {"id": "b"})
    path.write_bytes(path.read_text().encode("latin-1"))
    rows = read_rows([path])
    assert [r.status for r in rows] == ["bad-text", OK]
    path.write_text(path.read_bytes().decode("latin-1"), encoding="utf-8-sig")
    assert [r.status for r in read_rows([path])] == [OK, OK]


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"  \n\n", "is empty"),
    "binary": (b"\x89PNG\x00\x00\x01", "not a text file"),
    "zero bytes": (b"id,ch\x00ip,n_chips\n", "not a text file"),
    "utf-16": ("id,chip".encode("utf-16"), "save it as UTF-8"),
    "no columns": (b"a,b\n1,2\n", "has no column 'id', 'chip', 'n_chips'"),
    "semicolons": (b"id;chip;n_chips\n", "separated by another mark than a comma"),
    "near columns": (
        b"id,chips,n_chips,model,regime,metric,value\n",
        "no column 'chip'. Did you mean 'chips'",
    ),
    "a column misspelt": (
        b"id,chip,n_chips,model,regime,metric,value,concurency\n",
        "'concurency' that is not known. Did you mean 'concurrency'",
    ),
    "a column twice": (b"id,id,chip,n_chips,model,regime,metric,value\n", "'id' twice"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES.keys())
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(RidgelineError, match=message):
        read_rows([path])


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="is a folder"):
        read_rows([tmp_path])
    with pytest.raises(RidgelineError, match="no such file"):
        read_rows([tmp_path / "none.csv"])


def test_models_and_chips_beside_a_table(tmp_path: Path) -> None:
    (tmp_path / "architectures_ours.csv").write_text(
        "id,n_layers,d_model,n_heads,n_kv_heads,d_head,d_ff,ffn_gated,vocab,tied_embeddings,"
        "n_experts,n_experts_active,d_ff_expert,n_shared_experts\n"
        "us/dense,32,4096,32,2.09,128,14336,true,32000,false,0,0,,0\n"
        "us/sparse,10,1024,16,,64,4096,1,32000,1,8,2,2048,1\n"
        "us/broken,10,1024,16,,64,lots,1,32000,1,0,0,,0\n"
    )
    (tmp_path / "chips_missing.csv").write_text(
        "slug,mem_gb,mem_bw_gbps,bf16_tflops,sure,source\nours,48,900,150,high,us\n"
        "odd,48,fast,150,high,us\nh100-sxm,1,1,1,high,us\n"
    )
    one = {"chip": "ours", "model": "US/Dense", "weight_dtype": "", "tp": "8", "pp": "1"}
    rows = read_rows([
        write(
            tmp_path,
            GOOD | one,
            GOOD | one | {"id": "b", "model": "us/sparse"},
            GOOD | one | {"id": "c", "model": "us/broken"},
            GOOD | one | {"id": "d", "chip": "odd"},
            GOOD | {"id": "e"},
        )
    ])  # fmt: skip
    assert [r.status for r in rows] == [OK, OK, "bad-model", "bad-chip", OK]
    dense, sparse = rows[0].run, rows[1].run
    assert dense is not None
    assert sparse is not None
    assert [(b.repeat, b.mixer.n_kv_heads) for b in dense.model.blocks] == [(31, 2), (1, 4)]  # type: ignore[union-attr]
    assert sparse.model.blocks[0].ffn.d_ff_shared == 2048  # type: ignore[union-attr]
    assert dense.cluster.chip.memory.bandwidth == 900e9
    assert "d_ff is 'lots'" in rows[2].reason
    catalogue = rows[4].run
    assert catalogue is not None
    assert catalogue.cluster.chip.memory.bandwidth > 1e12


def test_files_that_the_user_names_come_first(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("slug,mem_gb,mem_bw_gbps,bf16_tflops\nh100-sxm,80,1000,990\n")
    run = read_rows([write(tmp_path, GOOD)], chips=mine)[0].run
    assert run is not None
    assert run.cluster.chip.memory.bandwidth == 1e12
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("slug,mem_gb\nx,1\n")
    with pytest.raises(RidgelineError, match="no column 'mem_bw_gbps'"):
        read_rows([write(tmp_path, GOOD)], chips=wrong)
    with pytest.raises(RidgelineError, match="no such file"):
        read_rows([write(tmp_path, GOOD)], models=tmp_path / "none.csv")


def test_notes() -> None:
    text = "limits: p99 TTFT<=2s p99 TPOT<=0.2s (recalled); nodes=1; a, b; P50;; nominal 1024/8192"
    assert read_notes(text) == {
        "limits": "p99 TTFT<=2s p99 TPOT<=0.2s (recalled)", "nodes": "1", "a, b": "", "P50": "",
        "nominal 1024/8192": "", "nominal_isl": "1024", "nominal_osl": "8192",
        "statistic": "median",
    }  # fmt: skip


CELL = st.one_of(
    st.sampled_from(["", "8", "-1", "nan", "1e400", "h100-sxm", "decode", "tpot_s", "fp8", "ttft_s",
                     "meta-llama/Llama-2-70b-hf", "closed", "q4_k_m", "0", '"', "x" * 300]),
    st.text(max_size=12),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), CELL, max_size=12), max_size=6))
def test_whatever_is_in_cells_each_row_is_answered(tmp_path_factory, changes) -> None:
    rows = [GOOD | {"id": f"r{i}"} | change for i, change in enumerate(changes)]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("fuzz") / "t.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    found = read_rows([path])
    assert len(found) == len(rows)
    for row in found:
        assert (row.run is not None) == (row.status == OK) == (row.reason == "")
        row.id.encode()


ODD = (
    "1e3", " 7 ", "", "nan", "1,000", "\u0663", "9" * 400, "0x10", "1_000", "0", "-1", "1e16", "4",
    "2.5", "+5", "1.", "\u00bd", "inf",
)  # fmt: skip
NUMBERS = (
    "n_chips", "tp", "pp", "batch", "concurrency", "request_rate_per_s", "isl", "osl", "cached",
    "drafts", "value",
)  # fmt: skip
ROW_CHANGES = st.dictionaries(
    st.sampled_from((*NUMBERS, "regime", "notes")),
    st.sampled_from((*ODD, "closed", "open", "n_requests=7; median", "MTP=3")),
    max_size=3,
)


def as_read(row: Row) -> list[object]:
    """All of a row but for its place, with records that compare by identity by their names."""
    found: list[object] = [row.id, row.metric, row.value, row.status, row.reason]
    if row.run is not None:
        about = {f.name: getattr(row.run, f.name) for f in fields(row.run)}
        found.append(about | {"model": row.run.model.id, "cluster": row.run.cluster.id})
    return found


@settings(max_examples=30)
@given(st.lists(ROW_CHANGES, min_size=2, max_size=6))
def test_lines_that_share_cells_are_read_as_each_alone(tmp_path_factory, changes) -> None:
    folder = tmp_path_factory.mktemp("odd")
    lines = [GOOD | {"id": f"r{i}", "run": ""} | change for i, change in enumerate(changes)]
    every = dict.fromkeys(COLUMNS, "")
    together = read_rows([write(folder, *(every | line for line in lines))])
    for line, row in zip(lines, together, strict=True):
        (alone,) = read_rows([write(folder, every | line)])
        assert as_read(row) == as_read(alone)


@pytest.mark.parametrize("cell", ODD)
@pytest.mark.parametrize("column", ["isl", "value"])
def test_a_number_is_what_python_reads_without_underscores(
    tmp_path: Path, column: str, cell: str
) -> None:
    warm = [GOOD | {"id": f"w{i}"} for i in range(2)]
    row = read_rows([write(tmp_path, *warm, GOOD | {"run": "b", column: cell})])[-1]
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        value = math.nan
    least = 0.0 if column == "isl" else math.ulp(0.0)
    if not cell:
        assert row.status == {"isl": "missing-input", "value": "no-value"}[column]
    elif least <= value <= 1e15:
        assert row.run is not None
        assert (row.value if column == "value" else row.run.isl) == value
    else:
        assert row.status == "bad-number"
        assert f"{column} is {cell[:39]!r}"[:-1] in row.reason


@given(st.binary(max_size=300))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "t.csv"
    header = ",".join(COLUMNS).encode()
    for whole in (content, header + b"\n" + content):
        path.write_bytes(whole)
        try:
            rows = read_rows([path])
        except RidgelineError:
            continue
        assert all(r.status != OK for r in rows)


def test_the_shipped_selection() -> None:
    rows = read_rows([SHIPPED])
    assert {r.status for r in rows} == {OK}
    assert 200 < len(rows) < 1000
    assert {r.regime for r in rows} == {
        "static", "decode", "prefill", "closed", "open", "offline", "slo",
    }  # fmt: skip
    with SHIPPED.open(newline="") as file:
        assert all(line["cite"] and line["source"] for line in csv.DictReader(file))
    unchecked = {"argonne", "neuron", "xdai", "mlc"}
    assert not unchecked & {r.source for r in rows}


@needs_tables
def test_the_full_tables_are_read_whole() -> None:
    tables = [TRUTH / "inference.csv", TRUTH / "disagg.csv"]
    in_files: Counter[str] = Counter()
    for table in tables:
        with table.open(newline="") as lines:
            in_files.update(line["source"] for line in csv.DictReader(lines))
    rows = read_rows(tables)
    assert Counter(row.source for row in rows) == in_files
    assert len(rows) >= 5222  # rows are added to the tables, never taken away
    assert {r.status for r in rows} == {OK}
    pools = rows[-1].run
    assert pools is not None
    assert int(pools.notes["prefill_n_chips"]) + int(pools.notes["decode_n_chips"]) == pools.n_chips
