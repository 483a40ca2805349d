"""Tables of training runs: told from their columns, every bad row named, every assumption said."""

from __future__ import annotations

from pathlib import Path

import pytest

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.training import is_training_table, read_training
from ridgeline.fidelity.training.aside import SHIPPED_ASIDE, read_training_aside
from ridgeline.fidelity.training.families import family_name

HEADER = (
    "id,run,group,source,date,framework,chip,n_chips,chips_per_node,internode_gbps_per_chip,model,"
    "task,precision,tp,pp,vp,cp,ep,dp,zero_stage,sequence_parallel,seq_len,micro_batch,global_batch,"
    "recompute,schedule,metric,value,quality,flops_convention,notes"
)
GOOD = {
    "id": "a.step_time_s", "run": "a", "source": "lab", "date": "2024-08-14",
    "framework": "NeMo 24.07", "chip": "h100-sxm", "n_chips": "64", "chips_per_node": "8",
    "model": "meta-llama/Meta-Llama-3-70B", "task": "pretrain", "precision": "fp8", "tp": "4",
    "pp": "4", "vp": "5", "cp": "2", "ep": "1", "dp": "2", "zero_stage": "1",
    "sequence_parallel": "1", "seq_len": "8192", "micro_batch": "1", "global_batch": "128",
    "recompute": "none", "schedule": "interleaved", "metric": "step_time_s", "value": "9.9",
    "quality": "high",
}  # fmt: skip


def _table(folder: Path, *changes: dict[str, str], header: str = HEADER) -> Path:
    names = header.split(",")
    lines = [",".join(f'"{(GOOD | change).get(n, "")}"' for n in names) for change in changes]
    path = folder / "runs.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_a_row_becomes_a_job(tmp_path: Path) -> None:
    (row,) = read_training([_table(tmp_path, {})])
    assert row.run is not None
    job = row.run.job
    assert (row.status, row.value) == ("ok", 9.9)
    assert (job.layout.tp, job.layout.pp, job.layout.vp, job.layout.cp, job.layout.dp) == (
        4, 4, 5, 2, 2,
    )  # fmt: skip
    assert job.micro_batches == 64
    assert job.cluster.n_domains == 8
    assert job.framework.id == "nemo"
    assert row.run.said == ()


def test_what_a_table_does_not_state_is_assumed_and_said(tmp_path: Path) -> None:
    blank = {"zero_stage": "unknown", "recompute": "unknown", "sequence_parallel": "unknown"}
    (row,) = read_training([_table(tmp_path, blank)])
    assert row.run is not None
    assert row.run.job.layout.zero == 1
    assert row.run.job.layout.sequence_parallel
    assert row.run.job.recipe.recompute == "none"
    assert len(row.run.said) == 3
    assert all("NVIDIA NeMo" in sentence for sentence in row.run.said)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"chip": "h100-sxmm"}, "unknown-chip", "Did you mean"),
        ({"model": "Meta-Llama-3-70X"}, "unknown-model", "70X"),
        ({"global_batch": "129"}, "bad-batch", "nearest that it divides is 128"),
        ({"micro_batch": "3"}, "bad-batch", "nearest that does is"),
        ({"dp": "4"}, "bad-layout", "2 here"),
        ({"tp": "5", "dp": ""}, "bad-layout", "does not divide the 64 chips"),
        ({"tp": "four"}, "bad-number", "tp is 'four'"),
        ({"precision": "fp9"}, "unknown-precision", "precision is 'fp9'"),
        ({"metric": "steptime_s"}, "unknown-metric", "Did you mean 'step_time_s'"),
        ({"metric": "mfu", "value": "45"}, "bad-number", "not a percentage"),
        ({"metric": "oom", "value": "2"}, "bad-number", "0 (it ran) or 1"),
        ({"metric": "time_to_train_s"}, "not-modelled", "converge"),
        ({"value": ""}, "no-value", "nothing to score"),
        ({"schedule": "zbx"}, "unknown-schedule", "zb-h1"),
    ],
)
def test_bad_cells_are_sentences(
    tmp_path: Path, change: dict[str, str], status: str, words: str
) -> None:
    good, bad = read_training([_table(tmp_path, {}, {"id": "b", "run": "b", **change})])
    assert good.status == "ok"
    assert (bad.status, bad.line) == (status, 3)
    assert words in bad.reason


def test_an_id_stands_for_one_row(tmp_path: Path) -> None:
    _, again = read_training([_table(tmp_path, {}, {})])
    assert again.status == "duplicate-id"


def test_columns_are_checked(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="no column 'global_batch'"):
        read_training([_table(tmp_path, {}, header=HEADER.replace("global_batch", "gbs"))])
    with pytest.raises(RidgelineError, match=r"'reccompute'.*Did you mean"):
        read_training([_table(tmp_path, {}, header=HEADER.replace("recompute", "reccompute"))])


def test_the_kind_of_a_table_is_told_from_its_columns(tmp_path: Path) -> None:
    assert is_training_table(_table(tmp_path, {}))
    other = tmp_path / "serving.csv"
    other.write_text("id,chip,n_chips,model,regime,metric,value\n")
    assert not is_training_table(other)


def test_a_table_may_have_a_row_for_each_run(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(
        "source_set,task,model,chip,n_chips,precision,seq_len,global_batch,micro_batch,tp,pp,vp,cp,"
        "ep,fsdp_or_zero,recompute,step_time_s,tokens_per_s_per_chip,model_tflops_per_chip,mfu,"
        "peak_alloc_gib,tokens_per_step,flops_convention,source,notes\n"
        "own,pretrain,meta-llama/Meta-Llama-3-8B,b200-sxm,8,bf16,4096,,1,,,,,,fsdp,full,2.5,,,,"
        "100.5,131072,,my torchtitan runs,\n"
    )
    assert is_training_table(path)
    step, memory = read_training([path])
    assert step.run is not None
    assert step.run is memory.run
    assert step.run.job.layout.zero == 3
    assert step.run.job.load.global_batch == 32
    assert step.run.job.framework.id == "torchtitan"
    assert memory.metric == "peak_memory_bytes"
    assert memory.value == 100.5 * 2**30


def test_stated_networks_and_domains_are_taken(tmp_path: Path) -> None:
    stated = {
        "chip": "a100-80gb-sxm", "precision": "bf16", "internode_gbps_per_chip": "6.25",
        "chips_per_node": "4",
    }  # fmt: skip
    (row,) = read_training([_table(tmp_path, stated)])
    assert row.run is not None
    cluster = row.run.job.cluster
    assert (cluster.scale_out, cluster.domain_size, cluster.n_domains) == (6.25e9, 4, 16)


def test_blocks_are_set_aside(tmp_path: Path) -> None:
    own = {"source": "nemo-24.07-rev3", "model": "meta-llama/Llama-2-7b-hf", "id": "b", "run": "b"}
    rows = read_training([_table(tmp_path, {}, own)])
    kept, aside = read_training_aside(SHIPPED_ASIDE).split(rows)
    assert [r.id for r in kept] == ["a.step_time_s"]
    assert [r.id for r in aside] == ["b"]


def test_cut_down_and_sibling_shapes_are_one_model() -> None:
    assert family_name("llama-3.1-405b-l7") == family_name("meta-llama/Meta-Llama-3.1-405B")
    assert family_name("vtrain-gpt-l12-h1024") != family_name("vtrain-gpt-l12-h2048")
    assert family_name("bloom-proto-l72-h14336-a16") == family_name("bloom-proto-l80-h14400-ax")


@pytest.mark.parametrize(
    ("words", "framework"),
    [
        ("github:pytorch/torchtitan benchmarks", "torchtitan"),
        ("a PyTorch blog on torchtitan", "torchtitan"),
        ("NVIDIA-NeMo/Megatron-Bridge, performance", "nemo"),
        ("bigscience Megatron-DeepSpeed", "megatron-deepspeed"),
        ("plain PyTorch FSDP", "pytorch"),
        ("our own loop", "current"),
    ],
)
def test_a_framework_is_told_from_the_source(tmp_path: Path, words: str, framework: str) -> None:
    change = {"framework": "", "notes": words}
    (row,) = read_training([_table(tmp_path, change, header=HEADER)])
    assert row.run is not None
    assert row.run.job.framework.id == framework
    assert any(sentence.startswith("framework not stated") for sentence in row.run.said)


@pytest.mark.parametrize(
    ("word", "zero"), [("FSDP2", 3), ("zero-1", 1), ("distributed optimizer", 1), ("DDP", 0)]
)
def test_sharding_by_name(tmp_path: Path, word: str, zero: int) -> None:
    (row,) = read_training([_table(tmp_path, {"zero_stage": word})])
    assert row.run is not None
    assert row.run.job.layout.zero == zero


@pytest.mark.parametrize(
    ("word", "precision"),
    [("FP8_MX", "mxfp8"), ("fp8-blockwise", "fp8-block"), ("NVFP4", "nvfp4"), ("amp_bf16", "bf16")],
)
def test_precisions_by_name(tmp_path: Path, word: str, precision: str) -> None:
    (row,) = read_training([_table(tmp_path, {"precision": word})])
    assert row.run is not None
    assert row.run.job.recipe.precision == precision


def test_exchanges_that_a_run_hides_are_told_from_its_notes(tmp_path: Path) -> None:
    plain = {"framework": "torchtitan", "notes": "asyncTP; vanilla TP"}
    hidden = {"id": "b", "run": "b", "framework": "torchtitan", "notes": "async TP"}
    rows = read_training([_table(tmp_path, plain, hidden)])
    told = ["tp" in row.run.job.framework.hides for row in rows if row.run]
    assert told == [False, True]


def test_the_first_layers_of_a_model_and_numbers_with_remarks(tmp_path: Path) -> None:
    table = tmp_path / "wide.csv"
    table.write_text(
        "source_set,task,model,chip,n_chips,precision,seq_len,global_batch,micro_batch,tp,pp,vp,cp,"
        "ep,fsdp_or_zero,recompute,step_time_s,tokens_per_s_per_chip,model_tflops_per_chip,mfu,"
        "peak_alloc_gib,tokens_per_step,flops_convention,source,notes\n"
        "x,pretrain,deepseek-v3 cut to 4 layers,h100-sxm,8,bf16,4096 (its default),32,1,1,1,1,1,8,"
        ",,"
        "0.5,,,,,,,somewhere,\n"
    )
    (row,) = read_training([table])
    assert row.run is not None, row.reason
    assert [(b.repeat, b.ffn.kind) for b in row.run.model.blocks if b.ffn] == [
        (3, "dense"), (1, "moe"),
    ]  # fmt: skip
    assert row.run.job.load.seq_len == 4096
    assert any("its default" in one for one in row.run.said)
