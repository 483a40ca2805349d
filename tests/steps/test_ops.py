"""Op of a step: against counts, against an independent count, and conserved over layouts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.kernels.calibration import calibration, op_seconds
from ridgeline.laws.collectives import all_reduce_wire_bytes, shard_wire_bytes
from ridgeline.laws.experts import busiest_rank_load, experts_hit
from ridgeline.specs import Layout, Model
from ridgeline.steps.counting import ExpertRules
from ridgeline.steps.memory import memory_per_chip
from ridgeline.steps.op import Collective, Op
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import decode, prefill

MODELS = [
    "Qwen/Qwen3-8B",
    "deepseek-ai/DeepSeek-V3",
    "deepseek-ai/DeepSeek-V3.2",
    "deepseek-ai/DeepSeek-V4-Flash",
    "openai/gpt-oss-120b",
    "Qwen/Qwen3.5-397B-A17B",
    "MiniMaxAI/MiniMax-M1-80k",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8",
    "tiiuae/falcon-mamba-7b",
]
ONE = Layout()


def total(pieces: Sequence[Op], field: str, **where: str) -> float:
    wanted = [w for w in pieces if all(getattr(w, k) == v for k, v in where.items())]
    return sum(w.repeat * getattr(w, field) for w in wanted)


@pytest.mark.parametrize("name", MODELS)
def test_decode_on_one_chip_does_what_counts_say(name: str) -> None:
    model = rl.model(name)
    tally = rl.counts(model)
    batch, context = 4096, 8192
    pieces = count_ops(model, ONE, [decode(batch, context)], domain_size=8)
    # the vectors of norms and biases add and scale; they are no products
    assert total(pieces, "flops") / batch == pytest.approx(tally.flops_per_token(context), rel=2e-3)
    written = tally.cache_bytes(context) - tally.cache_bytes(context - 1)
    read = tally.cache_read_bytes(context)
    kv = total(pieces, "kv_bytes") / batch
    assert read <= kv * (1 + 1e-9)
    assert kv <= read + 1.001 * max(written, tally.kv_bytes_per_token + tally.index_bytes_per_token)
    # with so many tokens nearly every expert is hit; the embedding table is only looked up
    table = 0 if model.tied else (model.vocab_size or 0) * (model.d_model or 0) * 2
    assert total(pieces, "weight_bytes") == pytest.approx(tally.weight_bytes - table, rel=5e-3)


@pytest.mark.parametrize("name", MODELS)
def test_prefill_is_decode_summed_over_the_prompt(name: str) -> None:
    model = rl.model(name)
    whole = count_ops(model, ONE, [prefill(3, 200)], domain_size=8)
    steps = [count_ops(model, ONE, [decode(3, i)], domain_size=8) for i in range(1, 201)]
    attention = sum(total(s, "flops", kind="attention") for s in steps)
    # A prompt expands its latents: 192 + 128 multiply-adds a head and pair instead of 576 + 512.
    # So does the first token, which has no cached ones.
    form, near = (320 / 1088, 1e-4) if name == "deepseek-ai/DeepSeek-V3" else (1.0, 1e-9)
    assert total(whole, "flops", kind="attention") == pytest.approx(form * attention, rel=near)
    layers = {"kind": "gemm", "part": "attention"}
    assert total(whole, "flops", **layers) == pytest.approx(
        sum(total(s, "flops", **layers) for s in steps)
    )


@given(st.sampled_from(MODELS), st.integers(1, 4000), st.integers(0, 4000))
def test_a_chunk_on_a_prefix_completes_the_whole(name: str, first: int, rest: int) -> None:
    model = rl.model(name)
    if rest == 0:
        return
    whole = count_ops(model, ONE, [prefill(1, first + rest)], domain_size=8)
    a = count_ops(model, ONE, [prefill(1, first)], domain_size=8)
    b = count_ops(model, ONE, [prefill(1, rest, first)], domain_size=8)
    flops = total(a, "flops", kind="attention") + total(b, "flops", kind="attention")
    at_once = total(whole, "flops", kind="attention")
    if name != "deepseek-ai/DeepSeek-V3":
        assert flops == pytest.approx(at_once, rel=1e-9)
        return
    # Cached latents are expanded again for each chunk, where that is less than to stay absorbed.
    again = 2 * 61 * 512 * 128 * 256 * first
    assert at_once * (1 - 1e-9) <= flops <= max(1088 / 320 * at_once, at_once + again) * (1 + 1e-9)
    if first > 1000 and rest > 1000:
        assert flops == pytest.approx(at_once + again, rel=1e-9)


def test_a_mixed_step_is_both_groups_with_the_weights_once() -> None:
    model = rl.model("Qwen/Qwen3-8B")
    d, p = decode(64, 4096), prefill(1, 512, 1024)
    mixed, alone, chunk = (count_ops(model, ONE, g, domain_size=8) for g in ([d, p], [d], [p]))
    assert total(mixed, "flops") == pytest.approx(total(alone, "flops") + total(chunk, "flops"))
    assert total(mixed, "weight_bytes") == total(alone, "weight_bytes")
    assert total(mixed, "kv_bytes") == total(alone, "kv_bytes") + total(chunk, "kv_bytes")


LAYOUTS = st.sampled_from(
    [Layout(tp=8), Layout(tp=2, attn_dp=4, ep=8), Layout(attn_dp=8, ep=4), Layout(pp=4, tp=2),
     Layout(attn_dp=8, ep=8), Layout(tp=4, ep=4, pp=2)]
)  # fmt: skip


@given(st.sampled_from(MODELS), LAYOUTS, st.sampled_from([8, 512, 8192]))
def test_products_are_conserved_over_layouts(name: str, layout: Layout, batch: int) -> None:
    """Chips of a stage x their work x micro-batches is the work of one chip, but for what is
    replicated over tensor parallelism (small projections, KV heads, routers, indexers)."""
    model = rl.model(name)
    one = count_ops(model, ONE, [decode(batch, 4096)], domain_size=8, even=True)
    cut = count_ops(model, layout, [decode(batch, 4096)], domain_size=8, even=True)
    chips = layout.attn_dp * layout.tp * layout.pp
    for part in ("ffn", "shared_experts", "head", "recurrent"):
        whole = total(one, "flops", kind="gemm", part=part)
        spread = total(cut, "flops", kind="gemm", part=part) * chips
        assert whole * (1 - 1e-9) <= spread <= whole * 1.25 * (1 if part != "ffn" else 8)
    whole, spread = (total(x, "flops", kind="gemm", part="experts") for x in (one, cut))
    assert spread * chips == pytest.approx(whole)
    kv = total(cut, "kv_bytes") * chips
    assert kv >= total(one, "kv_bytes") * (1 - 1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_memory_adds_up_to_the_whole(name: str) -> None:
    model = rl.model(name)
    tally = rl.counts(model)
    one = memory_per_chip(model, ONE, 8192)
    final = model.n_final_norm_vectors * (model.d_model or 0) * 4 + model.n_params_other * 2
    assert one.weights_bytes == pytest.approx(tally.weight_bytes, abs=final + 1)
    assert one.cache_bytes_per_sequence == pytest.approx(tally.cache_bytes(8192))


def test_what_each_degree_divides() -> None:
    """Stages divide weights and caches alike, the fullest of four has 16 of the 61 layers; per
    micro-batch the cache of one stage is what it was, since as many micro-batches are in flight as
    there are stages (the lecture, ch. 4)."""
    model = rl.model("deepseek-ai/DeepSeek-V3")
    one = memory_per_chip(model, Layout(attn_dp=64, ep=64), 8192)
    four = memory_per_chip(model, Layout(attn_dp=64, ep=64, pp=4), 8192)
    assert four.weights_bytes < one.weights_bytes / 3.3
    assert four.cache_bytes_per_sequence == pytest.approx(one.cache_bytes_per_sequence * 16 / 61)
    micro_batch = 2400
    assert 4 * micro_batch * four.cache_bytes_per_sequence == pytest.approx(
        micro_batch * one.cache_bytes_per_sequence * 64 / 61
    )


def test_kv_heads_are_replicated_below_tp() -> None:
    model = rl.model("Qwen/Qwen3-8B")
    caches = [memory_per_chip(model, Layout(tp=t), 8192).cache_bytes_per_sequence for t in (8, 16)]
    assert caches[0] == caches[1]
    mla = rl.model("deepseek-ai/DeepSeek-V3")
    latents = [memory_per_chip(mla, Layout(tp=t), 8192).cache_bytes_per_sequence for t in (1, 8)]
    assert latents[0] == latents[1]


def test_experts_that_do_not_divide_fill_some_chips_more() -> None:
    model = rl.model("deepseek-ai/DeepSeek-V3")
    pieces = count_ops(model, Layout(attn_dp=72, ep=72), [decode(72_000, 1)], domain_size=72)
    up = next(w for w in pieces if w.name == "gate+up" and w.part == "experts")
    assert up.count == pytest.approx(4)
    even = count_ops(model, Layout(attn_dp=64, ep=64), [decode(64_000, 1)], domain_size=72)
    assert next(w for w in even if w.name == "gate+up" and w.part == "experts").count == up.count


def test_expert_traffic_leaves_the_domain_by_its_share() -> None:
    model = rl.model("deepseek-ai/DeepSeek-V3")

    def dispatch(domain: int, layout: Layout):
        pieces = count_ops(model, layout, [decode(6400, 1)], domain_size=domain, even=True)
        send = next(w for w in pieces if w.name == "dispatch").collective
        assert send is not None
        return send

    inside = dispatch(72, Layout(attn_dp=64, ep=64))
    assert (inside.n_domains, inside.share_across) == (1, 0)
    two = dispatch(32, Layout(attn_dp=64, ep=64))
    assert (two.n_domains, two.share_across) == (2, 0.5)
    # about 7.6 of 8 copies go to distinct chips, one in 64 of them to itself; one byte each
    assert inside.payload_bytes == pytest.approx(100 * 7.58 * 63 / 64 * 7168, rel=1e-3)
    none = dispatch(72, Layout(tp=8, ep=8))
    assert (none.group, none.payload_bytes) == (1, 0)


@given(st.floats(1, 1e6), st.integers(1, 512), st.data())
def test_experts_hit_lies_between_one_token_and_all(tokens: float, n: int, data) -> None:
    k = data.draw(st.integers(1, n))
    hit = float(experts_hit(tokens, n, k))
    assert k * (1 - 1e-9) <= hit <= n * (1 + 1e-9)
    assert hit <= tokens * k * (1 + 1e-9)


def test_a_model_known_by_counts_has_no_pieces() -> None:
    with pytest.raises(ValueError, match="counts alone"):
        count_ops(Model.from_counts("8B"), ONE, [decode(1, 1)], domain_size=8)


@pytest.mark.parametrize("name", MODELS)
def test_arrays_equal_scalars(name: str) -> None:
    model = rl.model(name)
    batch, tp = np.asarray([1.0, 64.0, 4096.0])[:, None], np.asarray([1, 2, 4])[None, :]
    many = count_ops(model, ONE.model_copy(update={"tp": tp}), [decode(batch, 4096)], domain_size=2)
    for i, b in enumerate(batch[:, 0]):
        for j, t in enumerate(tp[0]):
            layout = Layout(tp=int(t))
            single = count_ops(model, layout, [decode(float(b), 4096)], domain_size=2)
            for field in ("flops", "weight_bytes", "kv_bytes", "activation_bytes"):
                grid = np.broadcast_to(total(many, field), (3, 3))
                assert grid[i, j] == pytest.approx(total(single, field))


@given(st.sampled_from([1, 16, 256, 4096]), st.sampled_from([1, 8, 64]), st.floats(0, 2))
def test_routing_loads_the_busiest_rank_and_never_less_than_evenly(
    batch: int, ep: int, expert_load_cv: float
) -> None:
    model, layout = rl.model("deepseek-ai/DeepSeek-V3"), Layout(attn_dp=64, ep=ep)
    groups = [decode(64 * batch, 1024)]
    even, busy = (
        count_ops(model, layout, groups, domain_size=72, expert_load_cv=expert_load_cv, even=e)
        for e in (True, False)
    )
    for field in ("flops", "weight_bytes"):
        least = total(even, field, kind="gemm", part="experts")
        assert total(busy, field, kind="gemm", part="experts") >= least * (1 - 1e-9)
    if ep == 1:
        assert even == busy


def test_a_lone_token_still_wakes_a_whole_expert_on_some_rank() -> None:
    model = rl.model("deepseek-ai/DeepSeek-V3")
    for even in (True, False):
        pieces = count_ops(
            model, Layout(attn_dp=64, ep=64), [decode(1, 1024)], domain_size=72, even=even
        )
        assert next(w for w in pieces if w.name == "gate+up" and w.part == "experts").count >= 1


def test_drafting_runs_the_prediction_layers_and_verifies_all_drafts() -> None:
    model = rl.model("deepseek-ai/DeepSeek-V3")
    plain = count_ops(model, ONE, [decode(8, 4096)], domain_size=8)
    drafted = count_ops(model, ONE, [decode(8, 4096, drafts=2)], domain_size=8)
    draft = [w for w in drafted if w.name.startswith("draft_")]
    verify = [w for w in drafted if not w.name.startswith("draft_")]
    # three tokens a sequence to multiply, one prediction layer and the head twice
    dense = {"kind": "gemm", "part": "attention"}
    assert total(verify, "flops", **dense) == pytest.approx(3 * total(plain, "flops", **dense))
    head = {"kind": "gemm", "part": "head"}
    assert total(draft, "flops", **head) == pytest.approx(2 * total(plain, "flops", **head))
    mtp = rl.counts(model).n_params_mtp
    (once,) = (
        total(count_ops(model, ONE, [decode(1e6, 2, 1)], domain_size=8), "weight_bytes") - n
        for n in [total(count_ops(model, ONE, [decode(1e6, 2)], domain_size=8), "weight_bytes")]
    )
    layer = once - total(draft, "weight_bytes", **head) / 2
    assert layer == pytest.approx(mtp, rel=0.02)  # fp8, scales and vectors aside


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        # attention 4096 x (32 + 2 x 8 + 32) x 128, FFN 3 x 4096 x 12,288, join 2 x 4096 x 4096
        ("Qwen/Qwen3-8B", 4096 * 80 * 128 + 3 * 4096 * 12_288 + 2 * 4096**2),
        # latent attention, of which a head has none: 64 and 2 x 8 heads of 128; d_ff 18,432
        ("moonshotai/Kimi-K2.5", 7168 * 144 * 128 + 3 * 7168 * 18_432 + 2 * 7168**2),
        # no dense layer: what a token passes of the experts, 4 of 2880
        ("openai/gpt-oss-120b", 2880 * 144 * 64 + 3 * 2880 * 4 * 2880 + 2 * 2880**2),
    ],
)
def test_a_model_without_prediction_layers_drafts_by_a_dense_head(name: str, layer: float) -> None:
    model = rl.model(name)
    pieces = count_ops(model, ONE, [decode(8, 4096, drafts=3)], domain_size=8)
    draft = [w for w in pieces if w.name.startswith("draft_") and w.part != "head"]
    assert total(draft, "weight_bytes", kind="gemm") == pytest.approx(3 * 2 * layer, rel=1e-3)


def test_several_prediction_layers_take_turns() -> None:
    model = rl.model("MiniMaxAI/MiniMax-M2.5")
    assert sum(b.repeat for b in model.mtp) == 3

    def read(n: float, part: str) -> float:
        pieces = count_ops(model, ONE, [decode(8, 4096, drafts=n)], domain_size=8)
        return total([w for w in pieces if w.name.startswith("draft_")], "weight_bytes", part=part)

    one = model.model_copy(update={"mtp": (model.mtp[0].model_copy(update={"repeat": 1}),)})
    single = count_ops(one, ONE, [decode(8, 4096, drafts=1)], domain_size=8)
    drafts = [w for w in single if w.name.startswith("draft_")]
    for part in ("attention", "head"):
        each = total(drafts, "weight_bytes", part=part)
        assert read(3, part) == pytest.approx(3 * each)
        assert read(6, part) == pytest.approx(6 * each)


def test_a_sum_in_two_halves_moves_as_much_and_norms_less() -> None:
    model, layout = rl.model("Qwen/Qwen3-8B"), Layout(tp=4)
    whole, halves = (
        count_ops(model, layout, [decode(64, 1024)], domain_size=8, sequence_parallel=s)
        for s in (False, True)
    )
    ring = sum(
        w.repeat * all_reduce_wire_bytes(w.collective.payload_bytes, 4)
        for w in whole if w.collective is not None and w.collective.kind == "all_reduce"
    )  # fmt: skip
    split = sum(
        w.repeat * shard_wire_bytes(w.collective.payload_bytes, 4)
        for w in halves if w.collective is not None and w.name.startswith(("mixer", "ffn"))
    )  # fmt: skip
    assert split == pytest.approx(ring)
    norms = [
        total(x, "activation_bytes", kind="elementwise", part="other") for x in (whole, halves)
    ]
    assert norms[1] == pytest.approx(norms[0] / 4)
    cal = calibration(rl.cluster("hgx-h100"))
    assert all(op_seconds(w, cal) > 0 for w in halves if w.name.startswith(("mixer", "ffn")))


def test_experts_cut_over_ranks_gather_all_tokens_and_scatter_the_sums() -> None:
    """ep = 1 under attention data parallelism: every chip sends its tokens to all others."""
    model = rl.model("Qwen/Qwen3-235B-A22B")
    pieces = count_ops(model, Layout(attn_dp=8), [decode(8 * 100, 1)], domain_size=8, even=True)
    send = next(w for w in pieces if w.name == "combine").collective
    assert send is not None
    assert (send.group, send.n_domains) == (8, 1)
    assert send.payload_bytes == pytest.approx(100 * 7 * 4096 * 2)
    # Cut within a rank that already shares its tokens, each chip sends them to one slice of each.
    cut_in_rank = count_ops(
        model, Layout(attn_dp=2, tp=4, ep=2), [decode(200, 1)], domain_size=8, even=True
    )
    send = next(w for w in cut_in_rank if w.name == "combine").collective
    assert send is not None
    copies = 2 * (1 - (1 / 2) ** 8)  # of two places, nearly both
    assert send.payload_bytes == pytest.approx(100 * copies * 7 / 8 * 4096 * 2, rel=1e-6)


def test_ranks_that_gather_get_every_token_whatever_its_experts() -> None:
    model, layout = rl.model("Qwen/Qwen3-235B-A22B"), Layout(attn_dp=8, ep=8)

    def sends(most: int) -> dict[str, Collective]:
        pieces = count_ops(
            model,
            layout,
            [decode(800, 1)],
            domain_size=8,
            rules=ExpertRules(most),
        )
        return {w.name: w.collective for w in pieces if w.collective is not None}

    apart, gathered = sends(4), sends(8)
    places = 8 * (1 - (7 / 8) ** 8)  # where the eight experts of a token lie
    load = busiest_rank_load(800, 128, 8, 8)
    assert apart["combine"].payload_bytes == pytest.approx(
        100 * places * 7 / 8 * 4096 * 2 * load, rel=1e-3
    )
    assert "combine_all" not in apart
    assert gathered["combine"].group == 1
    whole = gathered["combine_all"]
    assert (whole.kind, whole.group) == ("reduce_scatter", 8)
    assert whole.payload_bytes == pytest.approx(800 * 4096 * 2)
    assert gathered["dispatch_all"].kind == "all_gather"
