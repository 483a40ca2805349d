"""The engine modelled where none is named: what such weights, or such a chip, are run with."""

from __future__ import annotations

import pytest

import ridgeline as rl

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
