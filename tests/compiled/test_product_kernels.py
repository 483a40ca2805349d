"""The product's own kernel traced: every model, all readings, the digits of the untraced one."""

from __future__ import annotations

import numpy as np
import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.compiled import TracedKernel
from ridgeline.questions.sweep import _Decoding, _engine, records_of

N = 48
CUT = [slice(0, N)]


def rows(n_chips: int) -> dict[str, np.ndarray]:
    """Layouts, loads and machines, everything different in each row."""
    source = np.random.default_rng(7)
    tp = source.choice([2.0**i for i in range(int(np.log2(n_chips)) + 1)], N)
    attn_dp = np.minimum(n_chips / tp, source.choice([1.0, 2.0, 8.0], N))
    pp = n_chips / tp / attn_dp
    return {
        "layout.tp": tp,
        "layout.attn_dp": attn_dp,
        "layout.pp": pp,
        "layout.ep": source.choice([0.0, 1.0], N) * (tp * attn_dp - 1) + 1,
        "load.batch": np.exp(source.uniform(0, 9, N)),
        "load.context": np.exp(source.uniform(4, 12, N)),
        "cluster.chip.memory.bandwidth": source.uniform(2e12, 8e12, N),
        "cluster.chip.memory.capacity": source.uniform(8e10, 2e11, N),
        "cluster.scale_out": source.uniform(2e10, 1e11, N),
    }


def kernel_of(model, cluster: str, reading: str, **load) -> _Decoding:
    records = records_of(model, cluster, None, rl.Load(batch=1, context=4096, **load))
    return _Decoding(records, reading, 2.5, None, _engine(records))


def alike(kernel, axes, way: str, within: float) -> None:
    traced = TracedKernel(kernel, 10**6, way=way).on(axes)
    assert traced is not None
    found, wanted = traced(CUT), kernel(axes[0])
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        a, b = np.broadcast_arrays(value, found[name])
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=within, err_msg=f"{name} of {way}")


def models() -> list[str]:
    return [m for m in catalog.entry_ids("models") if catalog.model(m).blocks]


SOME = ["deepseek-ai/DeepSeek-V3", "openai/gpt-oss-120b", "meta-llama/Llama-3.1-70B-Instruct",
        "Qwen/Qwen3-Next-80B-A3B-Instruct", "google/gemma-3-27b-it"]  # fmt: skip


@pytest.mark.parametrize("reading", ["ideal", "calibrated"])
@pytest.mark.parametrize("model", SOME)
def test_traced_rows_are_the_untraced_ones(model, reading) -> None:
    cluster = "2xhgx-h100" if reading == "ideal" else "gb200-nvl72"
    kernel = kernel_of(model, cluster, reading)
    alike(kernel, [rows(16)], "numpy", 1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("reading", ["ideal", "calibrated"])
def test_traced_rows_of_every_model(reading) -> None:
    for model in models():
        alike(kernel_of(model, "2xhgx-b200", reading), [rows(16)], "numpy", 1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["4xhgx-h100", "gb200-nvl72", "2xmi355x-8"])
@pytest.mark.parametrize("model", SOME[:3])
def test_compiled_rows_are_the_untraced_ones(model, cluster) -> None:
    pytest.importorskip("numba", reason="extra [fast]")
    alike(kernel_of(model, cluster, "calibrated"), [rows(16)], "numba", 2e-15)


def test_drafts_and_routing_that_vary_are_traced_too() -> None:
    kernel = kernel_of(SOME[0], "gb200-nvl72", "calibrated", drafts=1, acceptance=0.8)
    axes = rows(16) | {"load.expert_load_cv": np.linspace(0, 0.6, N)}
    alike(kernel, [axes], "numpy", 1e-14)


def test_each_row_alone_is_what_it_is_among_others() -> None:
    """What the trace relies on: a branch that one row needs changes no other row."""
    kernel = kernel_of(SOME[0], "gb200-nvl72", "calibrated")
    together = kernel(axes := rows(16))
    for i in range(0, N, 5):
        alone = kernel({name: v[i : i + 1] for name, v in axes.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(value, np.broadcast_to(together[name], N)[i : i + 1], 1e-13)
