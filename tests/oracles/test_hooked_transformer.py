"""An independent count: a small real transformer runs, and every matrix product it does is counted.

It decodes one token for each of a few sequences against caches it has filled itself; the products
of its numpy code, hooked, must be those the step's work lists.
"""

from __future__ import annotations

import numpy as np
import pytest

from ridgeline.specs import Layout, Model
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import decode

D, VOCAB, LAYERS, BATCH, CONTEXT = 48, 211, 3, 5, 17


class Hook:
    """Multiplies, and keeps count of the multiply-adds."""

    def __init__(self) -> None:
        self.macs = 0
        self.rng = np.random.default_rng(0)

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        out = a @ b
        self.macs += out.size * a.shape[-1]
        return out

    def weight(self, k: int, n: int) -> np.ndarray:
        return self.rng.normal(size=(k, n)) / np.sqrt(k)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(mm: Hook, x: np.ndarray, n_heads: int, n_kv: int, d: int) -> np.ndarray:
    """Grouped-query attention of one new token over CONTEXT cached ones, itself included."""
    q = mm(x, mm.weight(D, n_heads * d)).reshape(BATCH, n_kv, n_heads // n_kv, d)
    k_new = mm(x, mm.weight(D, n_kv * d)).reshape(BATCH, n_kv, 1, d)
    v_new = mm(x, mm.weight(D, n_kv * d)).reshape(BATCH, n_kv, 1, d)
    past = mm.rng.normal(size=(2, BATCH, n_kv, CONTEXT - 1, d))
    k = np.concatenate([past[0], k_new], axis=2)
    v = np.concatenate([past[1], v_new], axis=2)
    scores = softmax(mm(q, k.swapaxes(-1, -2)))
    return mm(mm(scores, v).reshape(BATCH, n_heads * d), mm.weight(n_heads * d, D))


def attend_latent(mm: Hook, x: np.ndarray, n_heads: int, q_rank: int, rank: int, nope: int,
                  rope: int, d_v: int) -> np.ndarray:  # fmt: skip
    """MLA as engines decode it: queries and outputs go through the latent, nothing is expanded."""
    q = mm(mm(x, mm.weight(D, q_rank)), mm.weight(q_rank, n_heads * (nope + rope)))
    q = q.reshape(BATCH, n_heads, nope + rope)
    latent_new = mm(x, mm.weight(D, rank + rope))
    past = mm.rng.normal(size=(BATCH, CONTEXT - 1, rank + rope))
    cache = np.concatenate([past, latent_new[:, None]], axis=1)
    up_k = mm.rng.normal(size=(n_heads, nope, rank))
    absorbed = mm(q[:, :, None, :nope], up_k[None])[:, :, 0]
    query = np.concatenate([absorbed, q[:, :, nope:]], axis=-1)
    scores = softmax(mm(query, cache.swapaxes(-1, -2)))
    mixed = mm(scores, cache[:, :, :rank])
    up_v = mm.rng.normal(size=(n_heads, rank, d_v))
    out = mm(mixed[:, :, None, :], up_v[None])[:, :, 0]
    return mm(out.reshape(BATCH, n_heads * d_v), mm.weight(n_heads * d_v, D))


def feed(mm: Hook, x: np.ndarray, d_ff: int, gated: bool) -> np.ndarray:
    up = mm(x, mm.weight(D, d_ff))
    if gated:
        up = up * np.tanh(mm(x, mm.weight(D, d_ff)))
    return mm(up, mm.weight(d_ff, D))


def feed_experts(mm: Hook, x: np.ndarray, n: int, k: int, d_ff: int, d_shared: int) -> np.ndarray:
    """Each token goes to its own k experts, one at a time, as routing really does."""
    routed = np.argsort(mm(x, mm.weight(D, n)), axis=-1)[:, -k:]
    experts = [(mm.weight(D, d_ff), mm.weight(D, d_ff), mm.weight(d_ff, D)) for _ in range(n)]
    out = feed(mm, x, d_shared, gated=True)
    for i, chosen in enumerate(routed):
        for e in chosen:
            gate, up, down = experts[e]
            token = x[i : i + 1]
            out[i] += mm(mm(token, gate) * mm(token, up), down)[0]
    return out


def run(mixer, ffn) -> float:
    mm = Hook()
    x = mm.rng.normal(size=(BATCH, D))
    for _ in range(LAYERS):
        x = x + mixer(mm, x)
        x = x + ffn(mm, x)
    mm(x, mm.weight(D, VOCAB))
    return mm.macs


CASES = {
    "dense, MHA": (
        {"kind": "attention", "n_heads": 6, "n_kv_heads": 6, "d_head": 8},
        {"kind": "dense", "d_ff": 100, "gated": False},
        lambda mm, x: attend(mm, x, 6, 6, 8),
        lambda mm, x: feed(mm, x, 100, gated=False),
    ),
    "gated, GQA": (
        {"kind": "attention", "n_heads": 6, "n_kv_heads": 2, "d_head": 16},
        {"kind": "dense", "d_ff": 130},
        lambda mm, x: attend(mm, x, 6, 2, 16),
        lambda mm, x: feed(mm, x, 130, gated=True),
    ),
    "MLA": (
        {"kind": "mla", "n_heads": 4, "q_lora_rank": 20, "kv_lora_rank": 24, "d_head_nope": 12,
         "d_head_rope": 6, "d_head_v": 10},
        {"kind": "dense", "d_ff": 130},
        lambda mm, x: attend_latent(mm, x, 4, 20, 24, 12, 6, 10),
        lambda mm, x: feed(mm, x, 130, gated=True),
    ),
    "experts": (
        {"kind": "attention", "n_heads": 6, "n_kv_heads": 2, "d_head": 16},
        {"kind": "moe", "n_experts": 9, "n_experts_active": 3, "d_ff": 20, "d_ff_shared": 30},
        lambda mm, x: attend(mm, x, 6, 2, 16),
        lambda mm, x: feed_experts(mm, x, 9, 3, 20, 30),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("mixer", "ffn", "attention", "feed_forward"), CASES.values(), ids=CASES)
def test_work_counts_what_a_real_transformer_multiplies(
    mixer, ffn, attention, feed_forward
) -> None:
    block = {"repeat": LAYERS, "mixer": mixer, "ffn": ffn}
    model = Model.parse({"id": "s", "d_model": D, "vocab_size": VOCAB, "blocks": [block]}, "small")
    pieces = count_ops(model, Layout(), [decode(BATCH, CONTEXT)], domain_size=1)
    counted = sum(w.repeat * w.flops for w in pieces) / 2
    assert counted == pytest.approx(run(attention, feed_forward), rel=1e-12)
