"""The engine modelled where none is named: what such weights, or such a chip, are run with."""

from __future__ import annotations

from typing import Any

import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.errors import InfeasibleError
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.steps.layouts import usual_layouts

QWEN = "Qwen/Qwen3-8B"


def _engine(machine: str, **options: object) -> str:
    return rl.serving(QWEN, machine, batch=1, **options).replica.engine.id  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("machine", "options", "engine"),
    [
        ("h100-sxm", {}, "current"),
        ("h100-sxm", {"weights": "fp8"}, "current"),
        ("h100-sxm", {"weights": "q4_k_m"}, "llama.cpp"),
        ("h100-sxm", {"weights": "iq4_xs", "engine": "vllm"}, "vllm"),
        ("apple-m4-max", {}, "llama.cpp"),
        ("apple-m4-max", {"engine": "current"}, "current"),
    ],
)
def test_the_engine_follows_weights_and_chip_unless_named(
    machine: str, options: dict[str, object], engine: str
) -> None:
    assert _engine(machine, **options) == engine


def test_each_machine_of_a_comparison_has_its_own_engine() -> None:
    found = rl.layouts(QWEN, "h100-sxm,apple-m4-max", context=2048)
    assert {s.candidates.base.engine.id for s in found.searches} == {"current", "llama.cpp"}


def test_answers_say_which_engine_and_why() -> None:
    said = " ".join(rl.serving(QWEN, "h100-sxm", weights="q4_k_m").notes)
    assert "The engine is llama.cpp, which q4_k_m weights are made for." in said
    said = " ".join(rl.layouts(QWEN, "apple-m4-max").notes())
    assert "llama.cpp, which is what runs on Apple M4 Max" in said
    said = " ".join(
        rl.fleet(QWEN, "h100-sxm", weights="q4_k_m", rate=1, isl=256, osl=64).sentences()
    )
    assert "The engine is llama.cpp" in said
    assert "engine is" not in " ".join(rl.serving(QWEN, "h100-sxm", reading="ideal").notes)


@pytest.mark.parametrize(("kv", "bits"), [("q8_0", 8.5), ("q4_0", 4.5)])
def test_caches_take_gguf_types_too(kv: str, bits: float) -> None:
    wide = rl.serving(QWEN, "h100-sxm", weights="q4_k_m").counts.kv_bytes_per_token
    narrow = rl.serving(QWEN, "h100-sxm", weights="q4_k_m", kv=kv).counts.kv_bytes_per_token
    assert narrow == pytest.approx(wide * bits / 16)


def test_only_what_the_engine_can_run_is_searched_and_taken() -> None:
    """llama.cpp cuts layers or tensors, never experts or sequences."""
    moe, machine = "Qwen/Qwen3-30B-A3B", "2xrtx-4090"
    gguf: dict[str, Any] = {"weights": "q4_k_m", "batch": 1}
    plain = rl.serving(moe, machine, **gguf).replica.layout
    assert (plain.attn_dp, plain.ep) == (1, 1)
    searched = rl.layouts(moe, machine, **gguf)
    names = {row["layout"] for row in searched.rows}
    assert names == {"2x 1 chip", "TP2", "PP2"}
    refused = {(r.degree, r.value): r.reason for r in searched.searches[0].refusals}
    assert "llama.cpp has no attention data parallelism" in refused["attn_dp", 2]
    assert "llama.cpp has no expert parallelism" in refused["ep", 2]
    every = rl.layouts(moe, machine, engine="vllm", **gguf)
    assert {"DP2", "TP2 EP2"} <= {row["layout"] for row in every.rows}
    degrees: list[dict[str, Any]] = [{"tp": 2, "ep": 2}, {"attn_dp": 2}]
    for asked in degrees:
        with pytest.raises(InfeasibleError, match=r"llama.cpp has no .*--engine"):
            rl.serving(moe, machine, **gguf, **asked)
        with pytest.raises(InfeasibleError, match=r"llama.cpp has no .*--engine"):
            rl.layouts(moe, machine, **gguf, **asked)
    with pytest.raises(InfeasibleError, match="by layers or by tensors, not both"):
        rl.layouts(moe, "4xrtx-4090", tp=2, pp=2, **gguf)
    four, _ = legal_layouts(rl.model(moe), [4], engine=catalog.engine("llama.cpp"))
    assert not [x for x in four if x.tp > 1 and x.pp > 1]
    assert [x for x in four if x.tp == 4]


def test_a_search_for_an_engine_ranks_what_it_runs() -> None:
    """What flags refuse by degrees alone is not searched; the mean of engines has all layouts."""
    v3, machine = "deepseek-ai/DeepSeek-V3", "hgx-h200"
    some = {"vllm": lambda x: x.ep not in (1, x.attn_dp * x.tp), "tensorrt-llm": lambda x: (
        x.attn_dp > 1 and x.tp > 1
    )}  # fmt: skip
    every, _ = legal_layouts(rl.model(v3), [8], engine=catalog.engine())
    for name, cannot in some.items():
        engine = catalog.engine(name)
        own, _ = legal_layouts(rl.model(v3), [8], engine=engine)
        assert own == [x for x in every if not cannot(x)]
        assert 3 < len(own) < len(every)
        asked = next(x for x in every if cannot(x))
        degrees = {n: getattr(asked, n) for n in ("pp", "attn_dp", "tp", "ep")}
        for ask in (rl.layouts, rl.serving):
            with pytest.raises(InfeasibleError, match=rf"{engine.name} .*--engine"):
                ask(v3, machine, engine=name, **degrees)
        answer = rl.layouts(v3, machine, engine=name)
        assert "number" not in answer.command(name).notes[0]


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm", "llama.cpp", "current"])
@pytest.mark.parametrize("name", ["deepseek-ai/DeepSeek-V3", "mistralai/Mixtral-8x7B-v0.1"])
@pytest.mark.parametrize("n_chips", [8, 16, 72, 320])
def test_the_plain_layout_is_one_the_engine_has(engine: str, name: str, n_chips: int) -> None:
    """More chips than a layer has experts are stages of as many, or cut experts further."""
    model, settings = rl.model(name), catalog.engine(engine)
    usual = usual_layouts(model, catalog.cluster("gb200-nvl72"), n_chips, settings)
    for x in usual:
        assert not settings.cannot_run(pp=x.pp, attn_dp=x.attn_dp, tp=x.tp, ep=x.ep)
        assert x.pp * x.attn_dp * x.tp == n_chips
    if engine == "vllm" and n_chips < 320:
        assert usual[0].ep > 1
