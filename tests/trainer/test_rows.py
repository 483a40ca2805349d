"""Rows of training jobs traced: the digits of the untraced ones, and of each row alone."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from ridgeline import catalog
from ridgeline.compiled import TracedKernel
from ridgeline.compiled.graph import NotTraceable
from ridgeline.compiled.trace import trace
from ridgeline.errors import SpecError
from ridgeline.grid import evaluate
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.kept import ALL_LAYERS
from ridgeline.steps.training_count import order_code, overlap_code
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.rows import TrainingRows
from ridgeline.trainer.step import job_step

N = 60
DENSE, EXPERTS, MIXED = "openai-community/gpt2", "deepseek-ai/DeepSeek-V3", "openai/gpt-oss-20b"
CLOSED = ("gpipe", "1f1b", "interleaved")


def fields(**fixed: float) -> dict[str, np.ndarray]:
    """Layouts and batches, everything different in each row."""
    source = np.random.default_rng(3)
    found = {
        "layout.tp": source.choice([1.0, 2, 4, 8], N),
        "layout.pp": source.choice([1.0, 2, 3, 8], N),
        "layout.vp": source.choice([1.0, 2, 4], N),
        "layout.cp": source.choice([1.0, 2], N),
        "layout.dp": source.choice([8.0, 16, 64], N),
        "layout.zero": source.choice([0.0, 1, 2, 3], N),
        "recipe.micro_batch": source.choice([1.0, 2, 4], N),
        "load.global_batch": source.choice([512.0, 1024, 4096], N),
        "load.seq_len": source.choice([2048.0, 8192], N),
    }
    return {n: v for n, v in found.items() if n not in fixed} | {
        n: np.full(N, v) for n, v in fixed.items()
    }


def rows(
    model: str = DENSE,
    cluster: str = "512xhgx-h100",
    framework: str = "megatron-lm",
    *,
    ep: int = 1,
    layout: dict[str, Any] | None = None,
    reading: str = "calibrated",
    **recipe: Any,
) -> TrainingRows:
    job = TrainingJob(
        catalog.model(model),
        catalog.machine_named(cluster).cluster,
        TrainingLayout(dp=8, ep=ep, **(layout or {})),
        TrainingRecipe(**recipe),
        TrainingLoad(),
        catalog.framework(framework),
        reading=reading,
    )
    return TrainingRows(job)


def alike(kernel: TrainingRows, values: dict[str, np.ndarray], way: str = "numpy") -> None:
    wanted = kernel(values)
    traced = TracedKernel(kernel, 10**6, way=way).on([values])
    assert traced is not None
    for cut in (slice(0, N), slice(7, 8)):
        found = traced([cut])
        assert found.keys() == wanted.keys()
        for name, whole in wanted.items():
            value = np.broadcast_to(found[name], cut.stop - cut.start)
            assert np.isfinite(value).all(), name
            np.testing.assert_allclose(value, whole[cut], rtol=1e-12, atol=1e-300, err_msg=name)


@pytest.mark.parametrize("schedule", CLOSED)
@pytest.mark.parametrize(("model", "ep"), [(DENSE, 1), (EXPERTS, 8), (MIXED, 4)])
def test_traced_rows_are_the_untraced_ones(schedule, model, ep) -> None:
    alike(rows(model, ep=ep, schedule=schedule), fields())


@pytest.mark.parametrize(
    "recipe",
    [
        {"recompute": "selective"}, {"recompute": "products"}, {"recompute": "full"},
        {"recompute": "layers", "recompute_layers": 2}, {"recompute": "reversible"},
        {"precision": "fp8-block"}, {"precision": "fp32"}, {"task": "lora"}, {"task": "qlora"},
        {"offload": ("optimizer", "activations")}, {"optimizer": "muon"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("model", [DENSE, MIXED])
def test_traced_rows_of_every_recipe(recipe, model) -> None:
    model = EXPERTS if "fp8-block" in recipe.values() else model
    alike(rows(model, ep=1 if model == DENSE else 4, **recipe), fields())


@pytest.mark.parametrize("framework", sorted(catalog.entry_ids("frameworks")))
def test_traced_rows_under_every_framework(framework) -> None:
    alike(rows(MIXED, framework=framework, ep=2, layout={"shard": 8}), fields())


def test_traced_rows_at_datasheet_peaks() -> None:
    alike(rows(MIXED, ep=2, reading="ideal"), fields())


def test_rows_on_the_blackboard_are_its_steps() -> None:
    kernel, values = rows(MIXED, ep=2, reading="blackboard"), fields()
    found = evaluate(kernel, [values], run_as="numpy")
    assert found["time_s"].tolist() == job_step(kernel.of_rows(values)).time_s.tolist()


OVERLAPS = ((), ("dp",), ("tp", "tp_backward", "dp", "cp", "ep", "pp"), ("tp_backward", "ep"))
ORDERS = (("tp", "cp", "dp", "pp"), ("pp", "dp", "tp", "cp"), ("dp", "tp", "pp", "cp"))


def test_some_layers_and_all_of_them_may_stand_side_by_side() -> None:
    values = fields(**{"layout.vp": 1})
    layers = np.arange(N) % 3 * ALL_LAYERS / 2
    coded = values | {"recipe.recompute_layers": np.where(layers == ALL_LAYERS / 2, 2.0, layers)}
    for model, ep in ((DENSE, 1), (MIXED, 2)):
        kernel = rows(model, ep=ep, recompute="layers", recompute_layers=1)
        alike(kernel, coded)
        found = kernel(coded)
        for i, kind in enumerate(("none", "layers", "full")):
            own = {"recompute": kind, "recompute_layers": 2 * (kind == "layers")}
            alone = rows(model, ep=ep, **own)({n: v[i::3] for n, v in values.items()})
            for name, value in alone.items():
                assert value.tolist() == found[name][i::3].tolist(), (kind, name)


def test_overlap_and_order_may_differ_from_row_to_row() -> None:
    values = fields()
    kinds = np.arange(N) % (len(OVERLAPS) * len(ORDERS))
    overlaps = [OVERLAPS[k % len(OVERLAPS)] for k in kinds]
    orders = [ORDERS[k // len(OVERLAPS)] for k in kinds]
    coded = values | {
        "recipe.overlap": np.array([overlap_code(o) for o in overlaps], dtype=float),
        "layout.order": np.array([order_code(o) for o in orders], dtype=float),
    }
    kernel = rows(MIXED, ep=2, schedule="interleaved")
    found = kernel(coded)
    alike(kernel, coded)
    for i in range(N):
        alone = rows(
            MIXED, ep=2, schedule="interleaved", layout={"order": orders[i]}, overlap=overlaps[i]
        )
        row = alone({n: v[[i]] for n, v in values.items()})
        for name, value in row.items():
            np.testing.assert_allclose(value[0], found[name][i], rtol=1e-13, err_msg=name)
    assert len(np.unique(found["time_s"])) == N


@pytest.mark.slow
@pytest.mark.parametrize(("model", "ep"), [(DENSE, 1), (EXPERTS, 8)])
def test_compiled_rows_are_the_untraced_ones(model, ep) -> None:
    pytest.importorskip("numba", reason="extra [fast]")
    alike(rows(model, ep=ep), fields(), "numba")


@pytest.mark.parametrize("schedule", ["zb-h1", "dualpipev"])
def test_schedules_without_a_closed_form_run_as_they_are(schedule) -> None:
    kernel = rows(schedule=schedule)
    values = {n: v[:4] for n, v in fields(**{"layout.vp": 1, "layout.cp": 1}).items()}
    with pytest.raises(NotTraceable):
        trace(kernel, [values])
    found = evaluate(kernel, [values], run_as="numpy")
    assert found["time_s"].tolist() == kernel(values)["time_s"].tolist()


def test_a_row_alone_is_what_it_is_among_others() -> None:
    """What a trace rests on: a branch that one row needs changes no other row."""
    kernel, values = rows(EXPERTS, ep=8), fields()
    together = kernel(values)
    for i in range(0, N, 9):
        # Which schedule runs is told by all rows: chunks of a stage are interleaved.
        alone = rows(EXPERTS, ep=8, schedule="interleaved")({n: v[[i]] for n, v in values.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(value[0], together[name][i], rtol=1e-12, err_msg=name)


def test_columns_are_those_of_step_and_memory() -> None:
    kernel, values = rows(MIXED, ep=2), fields()
    found, job = kernel(values), kernel.of_rows(values)
    step, held = job_step(job), job_memory(job)
    assert found["time_s"].tolist() == step.time_s.tolist()
    assert found["peak_bytes"].tolist() == held.peak_bytes().tolist()
    assert found["fits_probability"].tolist() == held.fits_probability.tolist()
    tokens = values["load.global_batch"] * values["load.seq_len"]
    np.testing.assert_allclose(
        found["tokens_per_s_per_chip"] * step.time_s * job.n_chips, tokens, rtol=1e-14
    )
    assert (found["mfu"] < 0.8).all()


def test_rows_of_one_pipeline_are_traced_though_no_field_says_so() -> None:
    kernel = rows(layout={"pp": 4})
    alike(kernel, {n: fields()[n] for n in ("layout.tp", "load.global_batch")})


def test_a_kernel_of_rows_can_be_sent_and_says_what_it_is() -> None:
    kernel, values = rows(), fields()
    sent = pickle.loads(pickle.dumps(kernel))
    assert sent(values)["time_s"].tolist() == kernel(values)["time_s"].tolist()
    assert kernel.title == "training gpt2 on HGX H100, 8 GPUs, calibrated"
    with pytest.raises(SpecError, match="lie along one axis"):
        kernel({"layout.tp": np.ones((2, 1))})
    with pytest.raises(SpecError, match="no field 'tq' here"):
        kernel({"layout.tq": np.ones(2)})
