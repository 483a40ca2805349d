"""A sweep over fields of records is the same answers as one record at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import SpecError
from ridgeline.grid import Best, Histogram

MODEL, CLUSTER = "Qwen/Qwen3-8B", "hgx-h100"


def one(field: str, value: float, batch: int, context: float) -> float:
    """Step time with a changed cluster, asked the ordinary way."""
    cluster = rl.cluster(CLUSTER).replaced({field: value})
    layout = rl.Layout(tp=2)
    curve = rl.serving(
        MODEL, cluster, layout=layout, reading="calibrated", batch=[batch], context=context
    )
    return float(np.ravel(curve.result["time_s"])[0])


def test_each_point_is_the_ordinary_answer() -> None:
    bandwidths, batches = [2e12, 3.35e12], [1, 48]
    grid = rl.sweep(
        MODEL,
        CLUSTER,
        {"cluster.chip.memory.bandwidth": bandwidths, "load.batch": batches},
        layout=rl.Layout(tp=2),
    )
    for i, bandwidth in enumerate(bandwidths):
        for j, batch in enumerate(batches):
            expected = one("chip.memory.bandwidth", bandwidth, batch, 8192)
            assert grid["time_s"][i, j] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("model", "cluster", "tp"),
    [
        ("Qwen/Qwen3-8B", "macbook-pro-m4-max", 1),
        ("Qwen/Qwen3-8B", "tpu-v5e-8", 4),
        ("Qwen/Qwen3-0.6B", "pc-rtx-4090", 1),
    ],
)
def test_the_engine_is_what_runs_on_the_chip(model: str, cluster: str, tp: int) -> None:
    grid = rl.sweep(model, cluster, {"load.batch": [1, 4]}, layout=rl.Layout(tp=tp))
    asked = rl.serving(model, cluster, layout=rl.Layout(tp=tp), batch=[1, 4], context=8192)
    for column in ("time_s", "memory_bytes_per_chip"):
        expected = np.ravel(asked.result[column])
        np.testing.assert_allclose(grid[column], expected, rtol=1e-12)


def test_clusters_of_one_sweep_have_an_engine_each() -> None:
    both = rl.sweep(MODEL, CLUSTER, {"cluster": ["hgx-h100", "tpu-v5e-8"], "load.batch": [4]})
    for i, cluster in enumerate(["hgx-h100", "tpu-v5e-8"]):
        alone = rl.sweep(MODEL, cluster, {"load.batch": [4]})
        np.testing.assert_array_equal(both["time_s"][i], alone["time_s"])


def test_the_order_of_axes_does_not_matter() -> None:
    axes: dict[str, Any] = {
        "load.batch": [1, 8, 64],
        "load.context": [512, 8192],
        "model.d_model": [2048, 4096],
    }
    there = rl.sweep(MODEL, CLUSTER, axes)
    back = rl.sweep(MODEL, CLUSTER, dict(reversed(axes.items())))
    np.testing.assert_allclose(there["time_s"], back["time_s"].T, rtol=1e-13)


def test_fields_of_a_zipped_axis_vary_together() -> None:
    layouts = {"layout.tp": [1, 2, 4], "layout.attn_dp": [4, 2, 1]}
    zipped = rl.sweep(MODEL, CLUSTER, {"layout": layouts, "load.batch": [32]})
    assert zipped["time_s"].shape == (3, 1)
    for i, (tp, dp) in enumerate(zip(*layouts.values(), strict=True)):
        alone = rl.sweep(MODEL, CLUSTER, {"load.batch": [32]}, layout=rl.Layout(tp=tp, attn_dp=dp))
        assert zipped["time_s"][i, 0] == pytest.approx(alone["time_s"][0], rel=1e-12)


def test_ids_are_looped_over_outermost() -> None:
    models, clusters = [MODEL, "meta-llama/Llama-3.1-8B-Instruct"], ["hgx-h100", "hgx-h200"]
    grid = rl.sweep(MODEL, CLUSTER, {"load.batch": [1, 64], "model": models, "cluster": clusters})
    assert [a.name for a in grid.axes] == ["model", "cluster", "load.batch"]
    alone = rl.sweep(models[1], clusters[1], {"load.batch": [1, 64]})
    np.testing.assert_allclose(grid["time_s"][1, 1], alone["time_s"])


def test_reductions_find_what_the_table_holds() -> None:
    axes: dict[str, Any] = {
        "load.batch": np.arange(1, 257),
        "load.context": np.linspace(128, 32_768, 129),
    }
    table = rl.sweep(MODEL, "h100-sxm", axes)
    (left,) = rl.sweep(
        MODEL,
        "h100-sxm",
        axes,
        reductions=lambda: {
            "best": Best("usd_per_mtok_output", k=3, where="fits"),
            "spread": Histogram("time_s", edges=np.geomspace(1e-4, 10, 20)),
        },
    )
    fits = table["memory_bytes_per_chip"] <= 80e9
    feasible = np.where(table.infeasible == 0, table["usd_per_mtok_output"], np.inf)
    assert fits.any()
    assert left["best"][0]["usd_per_mtok_output"] == pytest.approx(feasible.min())
    assert int(np.sum(left["spread"])) == table["time_s"].size


class Slowest:
    """A reduction of a user's own: the largest time, or the point that has it."""

    def __init__(self, *, gives_points: bool) -> None:
        self.gives_points, self.most, self.where = gives_points, 0.0, -1

    def update(self, columns, index) -> None:
        i = int(np.argmax(columns["time_s"]))
        if columns["time_s"][i] > self.most:
            self.most, self.where = float(columns["time_s"][i]), int(index[i])

    def result(self) -> Any:
        return np.asarray([self.where]) if self.gives_points else self.most


def test_reductions_of_ones_own_give_what_they_give() -> None:
    (found,) = rl.sweep(
        MODEL,
        CLUSTER,
        {"load.batch": [64, 1, 128, 2]},
        reductions=lambda: {n: Slowest(gives_points=n == "rows") for n in ("rows", "time_s")},
    )
    assert [row["load.batch"] for row in found["rows"]] == [128]
    assert found["rows"][0]["time_s"] == found["time_s"]


def test_fields_of_a_load_without_effect_on_a_step_are_refused() -> None:
    with pytest.raises(SpecError, match=r"load.context alone"):
        rl.sweep(MODEL, CLUSTER, {"load.prefix_hit": [0, 0.5]})


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"cluster.chip.memory.bandwith": [1]}, "bandwidth"),
        ({"chip.memory": [1]}, "Records are"),
        ({"cluster.name": [1]}, "holds no number"),
        ({"load.batch": []}, "'load.batch' has no values"),
        ({"layout": {"layout.tp": [1, 2], "layout.pp": [1]}}, "as many values"),
        ({"load.batch": [1, 2], "z": {"load.batch": [3, 4]}}, "load.batch is on several axes"),
        ({"model": [], "load.batch": [1]}, "'model' has no values"),
        ({"cluster": "hgx-h100", "load.batch": [1]}, "a list of ids is expected, not 'hgx-h100'"),
    ],
)
def test_wrong_paths_say_what_there_is(axes: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        rl.sweep(MODEL, CLUSTER, axes)


def test_a_reading_that_cannot_be_swept_is_named() -> None:
    with pytest.raises(SpecError, match="ideal or calibrated"):
        rl.sweep(MODEL, CLUSTER, {"load.batch": [1]}, reading="blackboard")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("cluster.chip.memory.bandwidth", -4.8e12, "is not positive"),
        ("cluster.chip.memory.bandwidth", "4.8 TB", "a rate"),
        ("cluster.chip.peak.bf16", 0, "is not positive"),
        ("load.batch", 0, "a number from 1 to 1e12 is expected, not 0"),
        ("load.batch", -3, "a number from 1"),
        ("load.batch", math.nan, "a number from 1"),
        ("load.context", -8192, "a number from 1 to 1e9 or 0 is expected, not -8192"),
        ("load.context", "8 apples", "not '8 apples'"),
        ("load.acceptance", 1.5, "at most 1"),
        ("layout.tp", 1.5, "a whole number is expected"),
        ("model.n_kv_heads", 0, "at least 1"),
    ],
)
@pytest.mark.parametrize("kind", [list, np.asarray])
def test_values_that_no_record_could_hold_are_refused(
    path: str, value: Any, words: str, kind: Any
) -> None:
    with pytest.raises(SpecError, match=words) as refused:
        rl.sweep(MODEL, CLUSTER, {path: kind([value])})
    assert path in str(refused.value)


def test_an_array_is_held_to_its_field_from_end_to_end() -> None:
    with pytest.raises(SpecError, match="not -1"):
        rl.sweep(MODEL, CLUSTER, {"load.batch": np.arange(-1, 9)})
    with pytest.raises(SpecError, match="a list of values is expected, not 4"):
        rl.sweep(MODEL, CLUSTER, {"layout.tp": 4})  # pyright: ignore[reportArgumentType]


def test_values_may_have_units() -> None:
    typed = {"cluster.chip.memory.bandwidth": ["4.8 TB/s", 3e12], "load.context": ["8k"]}
    plain = {"cluster.chip.memory.bandwidth": [4.8e12, 3e12], "load.context": [8000]}
    asked = [rl.sweep(MODEL, CLUSTER, axes) for axes in (typed, plain)]
    np.testing.assert_array_equal(asked[0]["time_s"], asked[1]["time_s"])


def test_sizes_of_domains_that_were_measured_apart_are_not_mixed() -> None:
    axes = {"cluster.domain_size": [4, 8]}
    layout = rl.Layout(tp=4)
    grid = rl.sweep("Qwen/Qwen3-32B", "hgx-b200", axes, layout=layout)
    one = rl.sweep("Qwen/Qwen3-32B", "hgx-b200", {"load.batch": [1]}, layout=layout)
    assert grid["time_s"][1] == one["time_s"][0]
    with pytest.raises(SpecError, match="8 to 72 chips were measured apart"):
        rl.sweep("Qwen/Qwen3-32B", "hgx-b200", {"cluster.domain_size": [8, 72]}, layout=layout)


def test_layouts_that_cannot_be_and_chips_that_nothing_joins_say_so() -> None:
    grid = rl.sweep(
        "Qwen/Qwen3-8B", "hgx-h100", {"layout.tp": range(1, 9), "load.batch": [8, 10**6]}
    )
    why = [["", *grid.reasons][code][:14] for code in grid.infeasible[:, 0]]
    assert [i + 1 for i, w in enumerate(why) if not w] == [1, 2, 4, 8]
    assert set(why) == {"", "no such layout"}
    assert grid.row((0, 1))["infeasible"].startswith("out of memory")
    alone = rl.sweep("Qwen/Qwen3-8B", "rtx-4090", {"layout.tp": [1, 2]})
    assert [r["infeasible"][:7] for r in alone.rows()] == ["", "no link"]
    experts = {"layout.ep": [1, 7, 8, 16], "load.batch": [64]}
    moe = rl.sweep("deepseek-ai/DeepSeek-V3", "4xhgx-h200", experts, layout=rl.Layout(tp=16))
    assert (moe.infeasible[:, 0] == [0, 1, 0, 0]).all()
    (best,) = rl.sweep(
        "Qwen/Qwen3-8B", "hgx-h100", {"layout.tp": range(1, 9)},
        reductions=lambda: {"best": Best("time_s", 8, where="fits")},
    )  # fmt: skip
    assert [row["layout.tp"] for row in best["best"]] == [8, 4, 2, 1]
