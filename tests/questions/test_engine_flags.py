"""Commands for engines: what a layout is called, and what an engine cannot be told."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import ridgeline as rl
from ridgeline.catalog import engine as engine_named
from ridgeline.catalog import engine_flags, engines_with_flags
from ridgeline.errors import CatalogError, InfeasibleError
from ridgeline.questions.layouts.flags import engine_command, first_told
from ridgeline.service.requests import Requests
from ridgeline.specs import Layout

V3 = rl.model("deepseek-ai/DeepSeek-V3")
AT = Requests(4096, 1024)


def flags_of(layout: Layout, engine: str, batch: float = 256, **more) -> dict[str, str]:
    """The flags and values of the command as a shell would read it."""
    command = engine_command(
        V3, layout, engine, batch=batch, requests=AT, domain_size=8, settings=engine_named(), **more
    )
    words = shlex.split(str(command).replace("\\\n", ""))
    found: dict[str, str] = {}
    for word in words:
        if word.startswith("--"):
            found[word] = ""
        elif found:
            found[list(found)[-1]] = word
    return found


def test_vllm() -> None:
    assert flags_of(Layout(attn_dp=8, tp=2, ep=16), "vllm") == {
        "--tensor-parallel-size": "2",
        "--data-parallel-size": "8",
        "--enable-expert-parallel": "",
        "--max-num-seqs": "32",
        "--max-num-batched-tokens": "8192",
        "--gpu-memory-utilization": "0.9",
        "--max-model-len": "5120",
    }


def test_sglang_counts_the_whole_stage_as_tensor_parallel() -> None:
    assert flags_of(Layout(attn_dp=8, tp=2, ep=16), "sglang") == {
        "--model-path": "deepseek-ai/DeepSeek-V3",
        "--tp-size": "16",
        "--dp-size": "8",
        "--enable-dp-attention": "",
        "--ep-size": "16",
        "--moe-a2a-backend": "deepep",
        "--max-running-requests": "256",
        "--chunked-prefill-size": "65536",
        "--mem-fraction-static": "0.9",
        "--context-length": "5120",
    }


def test_the_cache_format_is_called_as_the_engine_does() -> None:
    narrow = V3.with_kv_dtype("fp8")
    for engine, name in (("vllm", "fp8"), ("sglang", "fp8_e4m3")):
        command = engine_command(
            narrow,
            Layout(tp=8),
            engine,
            batch=8,
            requests=AT,
            domain_size=8,
            settings=engine_named(),
        )
        assert ("--kv-cache-dtype", name) in command.flags


def test_what_an_engine_cannot_be_told_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="all 8 chips of a stage or over none"):
        engine_command(
            V3,
            Layout(tp=8, ep=2),
            "vllm",
            batch=1,
            requests=AT,
            domain_size=8,
            settings=engine_named(),
        )
    with pytest.raises(InfeasibleError, match="no flag here for a cache in int4"):
        engine_command(
            V3.with_kv_dtype("int4"),
            Layout(tp=8),
            "vllm",
            batch=1,
            requests=AT,
            domain_size=8,
            settings=engine_named(),
        )
    with pytest.raises(CatalogError, match="Did you mean 'vllm'"):
        engine_flags("vlm")


def test_the_next_layout_that_can_be_told_is_taken_and_named() -> None:
    i, why = first_told([Layout(tp=8, ep=2), Layout(tp=8, ep=8)], "vllm")
    assert i == 1
    assert "number 2 of the ranking" in why


def test_replicas_and_nodes_are_noted() -> None:
    command = engine_command(
        V3,
        Layout(replicas=2, attn_dp=16, ep=16),
        "vllm",
        batch=64,
        requests=AT,
        domain_size=8,
        settings=engine_named(),
    )
    said = " ".join(command.notes)
    assert "Start 2 of these" in said
    assert "2 nodes" in said


def test_the_answer_writes_the_command_of_its_best_layout() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "hgx-h100", tpot=0.03)
    text = str(answer.command("vllm"))
    assert text.startswith("vllm serve Qwen/Qwen3-32B")
    assert f"--max-num-seqs {int(answer.best['batch'])}" in text


def test_the_page_lists_every_flag() -> None:
    page = (Path(__file__).parents[2] / "docs" / "layouts.md").read_text()
    for engine in engines_with_flags():
        flags = engine_flags(engine)
        assert f"{flags.name} {flags.versions}" in page
        for flag in flags.flags:
            assert f"`{flag.flag}`" in page, flag.flag


@pytest.mark.parametrize("engine", engines_with_flags())
def test_every_engine_says_its_versions_and_sources(engine: str) -> None:
    flags = engine_flags(engine)
    assert flags.versions
    assert 8 <= len(flags.flags) <= 14
    assert all(s.url.startswith("https://") for s in flags.sources)
    assert len({f.flag for f in flags.flags}) == len(flags.flags)
