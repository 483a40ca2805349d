"""Layers of like structure as an axis: sums over a model are those of its layers one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.catalog import engine as engine_of
from ridgeline.compiled import TracedKernel
from ridgeline.compiled.trace import trace
from ridgeline.questions.sweep import _Decoding, _engine, records_of
from ridgeline.replica import READINGS, Replica
from ridgeline.specs import Layout, Model
from ridgeline.specs.blocks import (
    Attention,
    Block,
    CompressedAttention,
    DeltaRule,
    Dense,
    ExtraProduct,
    Indexer,
    LatentAttention,
    Mamba2,
    MixtureOfExperts,
)
from ridgeline.steps.alike import like_parts, parts_of
from ridgeline.steps.bind import bound
from ridgeline.steps.memory import memory_per_chip
from ridgeline.steps.tokens import Group, decode, prefill

CLUSTER = rl.cluster("9xhgx-h100")
BASE = rl.model("Qwen/Qwen3-8B")
NAS = "nvidia/Llama-3_3-Nemotron-Super-49B-v1"

few = st.integers(1, 4)


@st.composite
def attentions(draw: st.DrawFn) -> Attention:
    n_kv = draw(st.sampled_from([2, 4, 8]))
    return Attention(
        n_heads=n_kv * draw(few),
        n_kv_heads=n_kv,
        d_head=draw(st.sampled_from([64, 128])),
        window=draw(st.sampled_from([None, 128, 512])),
        q_lora_rank=draw(st.sampled_from([None, None, 256, 4096])),
    )


@st.composite
def latents(draw: st.DrawFn) -> LatentAttention:
    index = Indexer(n_heads=8 * draw(few), d_head=64, top_k=256 * draw(few))
    return LatentAttention(
        n_heads=16 * draw(few),
        # Equal ranks of queries and keys make two products one.
        q_lora_rank=draw(st.sampled_from([None, 256, 512])),
        kv_lora_rank=draw(st.sampled_from([256, 512])),
        d_head_nope=64,
        d_head_rope=draw(st.sampled_from([0, 64])),
        d_head_v=64,
        indexer=draw(st.sampled_from([None, index])),
    )


@st.composite
def compressed(draw: st.DrawFn) -> CompressedAttention:
    return CompressedAttention(
        n_heads=32,
        d_head=64 * draw(few),
        window=128,
        q_lora_rank=512,
        o_lora_rank=256 * draw(few),
        o_groups=4,
        compress_ratio=draw(st.sampled_from([0, 4, 128])),
    )


@st.composite
def recurrents(draw: st.DrawFn) -> Mamba2 | DeltaRule:
    if draw(st.booleans()):
        return Mamba2(n_heads=8 * draw(few), d_head=64, d_state=64 * draw(few))
    return DeltaRule(n_k_heads=8, n_v_heads=8 * draw(few), d_k=64, d_v=64 * draw(few))


@st.composite
def experts(draw: st.DrawFn) -> MixtureOfExperts:
    return MixtureOfExperts(
        n_experts=72 * draw(few),
        n_experts_active=draw(few),
        d_ff=256 * draw(few),
        d_ff_shared=draw(st.sampled_from([0, 512, 1024])),
        d_latent=draw(st.sampled_from([None, None, 1024, 2048])),
    )


dense = st.builds(Dense, d_ff=few.map(lambda n: 1024 * n), gated=st.booleans())


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    mixer = draw(st.none() | attentions() | latents() | compressed() | recurrents())
    ffn = draw((dense | experts()) if mixer is None else (st.none() | dense | experts()))
    extra = draw(st.sampled_from([(), (), (4096, 64), (4096, 128)]))
    return Block(
        repeat=draw(few),
        mixer=mixer,
        ffn=ffn,
        n_norm_vectors=draw(few),
        extra=(ExtraProduct(name="more", k=extra[0], n=extra[1]),) if extra else (),
        dtypes=draw(st.sampled_from([{}, {}, {"attention": "fp8"}, {"ffn": "fp8"}])),
    )


models = st.lists(blocks(), min_size=2, max_size=9).map(
    lambda some: BASE.model_copy(update={"blocks": tuple(some), "order": ()})
)


def by_block(model: Model, *_: object, **__: object) -> list[Any]:
    return [part for block in model.blocks for part in parts_of(block)]


def held_by_block(replica: Replica, context: Any) -> dict[str, Any]:
    with patch("ridgeline.steps.memory.like_parts", by_block):
        held = replica.memory(context)
    return {name: getattr(held, name) for name in type(held).__slots__}


def check(replica: Replica, *groups: Group, context: Any = 4096.0) -> None:
    """Times, parts, reads and memory are those of all layers one by one."""
    how, ops = replica.how, replica.step_ops(*groups)
    whole, parts = how.seconds(replica, ops, groups), how.step(replica, ops, groups)
    assert np.all(np.isfinite(whole))
    found = replica.step(*groups)
    same = [(replica.seconds(*groups), whole), (found.time_s, parts.time_s)]
    same += [(found.parts_s[name], parts.parts_s[name]) for name in parts.parts_s]
    same += [(found.read_at_peak_s, parts.read_at_peak_s), (found.hidden_s, parts.hidden_s)]
    same += [(found.compute_at_peak_s, parts.compute_at_peak_s)]
    held = replica.memory(context)
    same += [(getattr(held, n), v) for n, v in held_by_block(replica, context).items()]
    scale = np.max(whole)
    for value, expected in same:
        # What is left of a difference (overheads, what is hidden) is as exact as what it is of.
        floor = 1e-12 * scale if np.max(expected) < scale else 0.0
        np.testing.assert_allclose(
            np.broadcast_arrays(value, expected)[0],
            np.broadcast_arrays(value, expected)[1],
            rtol=1e-11,
            atol=floor,
        )
    assert np.shape(replica.seconds(*groups)) == np.shape(whole)


def axes(n_axes: int, sizes: Sequence[int]) -> list[np.ndarray]:
    """Arrays from 0 to 1, each along its own axis of the grid."""
    shapes = [[n if i == j else 1 for j in range(n_axes)] for i, n in enumerate(sizes)]
    return [np.linspace(0.0, 1.0, n).reshape(s) for n, s in zip(sizes, shapes, strict=True)]


@given(
    models, st.sampled_from(sorted(READINGS)), st.integers(0, 3), st.sampled_from([1, 2]),
    st.booleans(), st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_sums_over_a_model_are_those_over_its_layers(
    model: Model, reading: str, n_axes: int, pp: int, prompts: bool, wide: bool
) -> None:
    batch, context, rate = [*axes(n_axes, [3, 2, 4][:n_axes]), 0.5, 0.5, 0.5][:3]
    layout = Layout(tp=2, pp=pp)
    if wide:
        # Experts on many chips, whose steps run in two micro-batches where there are many tokens.
        layout, batch = Layout(attn_dp=72, ep=72), batch * 40_000
    cluster = bound({"c": CLUSTER}, {"c.chip.memory.bandwidth": (1 + rate) * 3e12})["c"]
    replica = Replica(model, cluster, layout, engine=engine_of("sglang"), reading=reading)
    groups = [decode(1 + batch * 500, 1 + context * 5000)]
    if prompts:
        groups.append(prefill(1 + batch * 4, 512.0, 100 * context))
    check(replica, *groups, context=1 + context * 5000)


def test_two_micro_batches_of_unlike_layers_with_experts() -> None:
    """Experts of two widths, a dense layer, and attention of two shapes."""
    v3 = rl.model("deepseek-ai/DeepSeek-V3")
    layers, moe = v3.blocks[1], v3.blocks[1].ffn
    assert isinstance(moe, MixtureOfExperts)
    narrow = moe.model_copy(update={"d_ff": 1024, "n_experts": 144, "n_experts_active": 4})
    some = (v3.blocks[0], layers, layers.model_copy(update={"ffn": narrow, "repeat": 5}))
    replica = Replica(
        v3.model_copy(update={"blocks": some, "order": ()}),
        CLUSTER,
        Layout(attn_dp=72, ep=72),
        engine=engine_of("sglang"),
    )
    groups = (decode(np.asarray([72.0, 18_432.0]), 2050.0),)
    assert np.asarray(replica.step(*groups).hidden_s)[1] > 0
    assert [op.stacked for op in replica.step_sums(*groups).half if op.role == "experts"] == [2, 2]
    check(replica, *groups)


@pytest.mark.parametrize("reading", sorted(READINGS))
@pytest.mark.parametrize("name", [NAS, "stepfun-ai/Step-3.7-Flash", "openai/gpt-oss-120b"])
def test_real_models_with_unlike_layers(name: str, reading: str) -> None:
    batch, context = np.asarray([[1.0], [64.0], [300.0]]), np.asarray([[128.0, 30_000.0]])
    layout = bound({"x": Layout()}, {"x.tp": np.asarray([[1.0], [2.0], [8.0]])})["x"]
    replica = Replica(rl.model(name), rl.cluster("hgx-h200"), layout, reading=reading)
    check(replica, decode(batch, context), prefill(2.0, 1000.0), context=context)
    check(replace(replica, layout=Layout(pp=2, tp=2)), decode(64.0, 4096.0))


def test_attention_of_layers_with_experts_is_told_apart_where_they_are_timed_apart() -> None:
    """DeepSeek-V3 has one kind of attention: counted twice only for steps in two micro-batches."""
    replica = Replica(
        rl.model("deepseek-ai/DeepSeek-V3"),
        rl.cluster("9xhgx-h100"),
        Layout(attn_dp=72, ep=72),
        engine=engine_of("sglang"),
    )

    def n_cores(reading: str, batch: float) -> int:
        step = replace(replica, reading=reading).step_sums(decode(batch, 2050.0))
        return sum(op.kind == "attention" for op in step.whole)

    few, many = 72.0, 18_432.0
    assert [n_cores("ideal", few), n_cores("ideal", many)] == [1, 1]
    assert [n_cores("calibrated", few), n_cores("calibrated", many)] == [1, 2]
    for reading in READINGS:
        check(replace(replica, reading=reading), decode(few, 2050.0))
        check(replace(replica, reading=reading), decode(many, 2050.0))


@pytest.mark.parametrize("path", ["n_kv_heads", "d_ff", "blocks.1.mixer.n_kv_heads", "d_model"])
def test_an_axis_over_shapes_of_layers(path: str) -> None:
    """Shared by all layers, of one layer alone, or of the model."""
    whole = path in ("d_ff", "d_model")
    values = np.asarray([1024.0, 4096.0]) if whole else np.asarray([2.0, 8.0])
    for n_dims in (1, 2):
        axis = values.reshape(-1, *[1] * (n_dims - 1))
        model = bound({"model": rl.model(NAS)}, {f"model.{path}": axis})["model"]
        replica = Replica(model, rl.cluster("hgx-h200"), Layout(tp=4))
        check(replica, decode(np.asarray([1.0, 90.0]), 3000.0))


def nas_like(n_layers: int, n_widths: int) -> Model:
    """Layers of two kinds of attention, or none, and many widths."""
    base = rl.model(NAS)
    block = base.blocks[1]
    assert isinstance(block.mixer, Attention)
    assert isinstance(block.ffn, Dense)
    mixers = [block.mixer, block.mixer.model_copy(update={"n_kv_heads": 4}), None]
    some = [
        block.model_copy(
            update={
                "repeat": 1,
                "mixer": mixers[i % 3],
                "ffn": block.ffn.model_copy(update={"d_ff": 1024 * (1 + i % n_widths)}),
            }
        )
        for i in range(n_layers)
    ]
    return base.model_copy(update={"blocks": tuple(some), "order": ()})


def test_layers_cost_what_their_shapes_differ() -> None:
    """256 layers of 31 widths: as many ops as one layer on one point, and of each shape on many."""
    one, many = nas_like(1, 1), nas_like(256, 31)
    cluster = rl.cluster("hgx-h200")
    at = decode(64.0, 4096.0)
    single, stacked = (len(Replica(m, cluster, Layout()).step_sums(at).whole) for m in (one, many))
    # Norms around two sublayers and around one are apart where they are one op of another size.
    assert stacked == single
    rows = decode(np.linspace(1, 512, 1 << 14), 4096.0)
    each = Replica(many, cluster, Layout()).step_sums(rows)
    # Of widths a gate with its up, and a down; of two mixers three ops; two kinds of norms.
    assert len(each.whole) < single + 2 * 31 + 3 * 2
    assert len(like_parts(many, (rows,))) == 2 + 31 + 2
    assert sum(part.block.repeat for part in like_parts(many, (rows,)) if part.side == "ffn") == 256


def test_a_coincidence_of_numbers_is_structure() -> None:
    """Ranks of queries and of keys that are equal make one product of two, whatever they are."""
    one = LatentAttention(n_heads=16, kv_lora_rank=256, d_head_nope=64, d_head_rope=64, d_head_v=64)
    ranks = [(256, 256), (512, 512), (256, 512), (512, 256)]
    some = tuple(
        Block(mixer=one.model_copy(update={"q_lora_rank": q, "kv_lora_rank": kv}))
        for q, kv in ranks
    )
    model = BASE.model_copy(update={"blocks": some, "order": ()})
    replica = Replica(model, rl.cluster("hgx-h200"), Layout())
    check(replica, decode(64.0, 4096.0))
    mixers = [part.stacked for part in like_parts(model, ()) if part.side == "mixer"]
    assert sorted(mixers) == [0, 0, 1]


def test_a_traced_kernel_holds_layers_as_an_axis() -> None:
    """About as many operations as 3 layers have (memory's widest product has more)."""
    n = 64
    rows = {"load.batch": np.linspace(1, 512, n), "load.context": np.geomspace(100, 1e5, n)}

    def n_nodes(model: Model) -> int:
        records = records_of(model, "hgx-h200", None, None)
        kernel = _Decoding(records, "calibrated", 2.5, None, _engine(records))
        found = TracedKernel(kernel, 10**6, way="numpy").on([rows])
        assert found is not None
        columns, wanted = found([slice(0, n)]), kernel(rows)
        for name, value in wanted.items():
            np.testing.assert_allclose(np.broadcast_to(columns[name], n), value, rtol=1e-13)
        return len(trace(kernel, [rows]).graph.nodes)

    few, many = n_nodes(nas_like(3, 3)), n_nodes(nas_like(256, 31))
    assert many < 1.8 * few


def test_caches_of_a_model_are_told_apart_by_shape() -> None:
    """As many streams to add up as differ, and the sum as before."""
    model, context = nas_like(60, 7), np.asarray([1.0, 5000.0])
    found = rl.counts(model)
    assert len(found._caches) == 2
    elements = [
        2 * 128 * b.mixer.n_kv_heads for b in model.blocks if isinstance(b.mixer, Attention)
    ]
    np.testing.assert_allclose(found.cache_bytes(context), 2 * sum(elements) * context, rtol=1e-14)


def test_memory_alone_takes_any_shapes() -> None:
    """Of scalars, scalars: nothing of the axis of layers is left."""
    held = memory_per_chip(nas_like(7, 5), Layout(tp=2), 1000.0)
    assert np.ndim(held.weights_bytes) == np.ndim(held.cache_bytes_per_sequence) == 0


@pytest.mark.parametrize("model", [rl.model(NAS), nas_like(7, 5)], ids=["real", "made"])
def test_what_varies_over_layers_alone_is_a_number(model: Model) -> None:
    """Not one value with the dimensions of a grid that it does not vary over."""
    one = memory_per_chip(model, Layout(tp=8), 8192.0).weights_bytes
    for context in (np.asarray([8192.0, 1.0]), np.asarray([[8192.0, 1.0]]), np.ones((3, 1, 2))):
        held = memory_per_chip(model, Layout(tp=8), context)
        assert np.ndim(held.weights_bytes) == 0
        assert held.weights_bytes == pytest.approx(one, rel=1e-13)
        assert held.cache_bytes_per_sequence.shape == context.shape


shapes = st.lists(st.sampled_from([1, 2, 3]), max_size=3).map(tuple)


@st.composite
def grids(draw: st.DrawFn) -> list[np.ndarray]:
    """Three arrays of as many dimensions, or numbers, that broadcast."""
    sizes = draw(shapes)
    found = [tuple(n if draw(st.booleans()) else 1 for n in sizes) for _ in range(3)]
    return [np.ones(shape if draw(st.booleans()) else ()) for shape in found]


@given(
    st.sampled_from([BASE, nas_like(7, 5), nas_like(9, 2)]),
    grids(),
    st.sampled_from(sorted(READINGS)),
)
@settings(max_examples=60, deadline=None)
def test_sums_have_the_shapes_of_layers_one_by_one(
    model: Model, grid: list[np.ndarray], reading: str
) -> None:
    """Of one point, exactly; else one value may be a number, and is where it was."""
    batch, context, tp = grid
    layout = bound({"x": Layout()}, {"x.tp": 2 * tp})["x"] if tp.ndim else Layout(tp=2)
    replica = Replica(model, rl.cluster("hgx-h200"), layout, reading=reading)
    groups = (decode(64 * batch, 4096 * context),)
    step = replica.step(*groups)
    pairs = [*step.parts_s.items(), ("time_s", step.time_s)]
    apart = replica.how.step(replica, replica.step_ops(*groups), groups)
    expected = dict([*apart.parts_s.items(), ("time_s", apart.time_s)])
    held = replica.memory(4096 * context)
    pairs += [(name, getattr(held, name)) for name in type(held).__slots__]
    expected |= held_by_block(replica, 4096 * context)
    one_point = all(array.size == 1 for array in grid)
    for name, value in pairs:
        was = np.shape(expected[name])
        if one_point or was == () or math.prod(was) > 1:
            assert np.shape(value) == was, name
        else:
            assert np.size(value) == 1, name
        np.testing.assert_allclose(value, expected[name], rtol=1e-11, atol=1e-15)


def test_an_axis_that_nobody_named_is_not_taken_for_layers() -> None:
    replica = Replica(nas_like(6, 5), rl.cluster("hgx-h200"), Layout())
    ops = replica.step_sums(decode(64.0, 4096.0)).whole
    gemm = next(op for op in ops if op.stacked)
    with pytest.raises(AssertionError, match="axis of the grid"):
        gemm.times(np.ones((3, 5, 2)))
