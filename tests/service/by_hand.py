"""A calculator of serving from first principles, independent of the library it checks.

Shapes and datasheet peaks are typed in; everything else is arithmetic on them. Nothing of
``ridgeline`` is imported. It covers what can be counted on paper: memory per chip, the blackboard's
decode step, the ideal step of dense, MoE and MLA models under any layout, what follows from two
such steps (offline, open loop, one request after another, a fixed batch), and money.

Symbols: B sequences, L cached tokens per sequence, t tensor parallelism, d width, f FFN width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

BF16, FP8, FP32 = 2.0, 1.0, 4.0  # bytes per value
FP8_BLOCK = (8 + 32 / 128**2) / 8  # an fp32 scale per block of 128 x 128
MXFP4 = (4 + 8 / 32) / 8  # an 8-bit exponent per 32 values

#: how unevenly experts are chosen, standard deviation over mean: the library's stated default
EXPERT_LOAD_CV = 1.2
#: two Gauss points integrate over the output what grows evenly with context
GAUSS = (0.5 - 3**-0.5 / 2, 0.5 + 3**-0.5 / 2)


# --- machines


@dataclass(frozen=True)
class Chip:
    """Datasheet rates of one chip: dense FLOP/s by weight format; links one way. [SI]

    `link` is over all of a chip's links; in a mesh only `peer` of it leads to any one other chip.
    """

    bandwidth: float
    bf16: float
    fp8: float
    fp4: float
    usable_bytes: float
    link: float
    scale_out: float
    domain: int
    peer: float = np.inf

    def group_link(self, n_chips: int) -> float:
        """Rate of a chip to the other members of a group: only links that lead to them count."""
        return min(self.link, max(n_chips - 1, 1) * self.peer)

    def rate(self, value_bytes: float) -> float:
        """FLOP/s of a GEMM with weights of so many bytes per value; 0 is a unit it lacks."""
        if value_bytes < 1:
            return self.fp4 or self.bf16  # widened to bf16 where there are no fp4 units
        if value_bytes < 2:
            return self.fp8 or self.bf16
        return self.bf16


MIB = 2.0**20
CHIPS = {
    # NVIDIA H100 SXM5: HBM3 3.35 TB/s, NVLink 4 at 450 GB/s one way, ConnectX-7 400 Gbit/s
    "hgx-h100": Chip(3.35e12, 989.4e12, 1978.9e12, 0, 81559 * MIB, 450e9, 50e9, 8),
    # NVIDIA H200: H100 with HBM3e 4.8 TB/s
    "hgx-h200": Chip(4.8e12, 989.4e12, 1978.9e12, 0, 143771 * MIB, 450e9, 50e9, 8),
    # NVIDIA HGX B200: 7.7 TB/s per GPU, NVLink 5 at 900 GB/s one way
    "hgx-b200": Chip(7.7e12, 2250e12, 4500e12, 9000e12, 183359 * MIB, 900e9, 50e9, 8),
    # NVIDIA GB200 NVL72: 8 TB/s per GPU, 72 in one NVLink domain
    "gb200-nvl72": Chip(8e12, 2500e12, 5000e12, 10000e12, 189471 * MIB, 900e9, 50e9, 72),
    # NVIDIA A100 SXM 80 GB: no fp8; NVLink 3 at 300 GB/s one way
    "hgx-a100-80gb": Chip(2.039e12, 312e12, 0, 0, 81920 * MIB, 300e9, 25e9, 8),
    # AMD MI300X: 5.3 TB/s, mesh of 7 x 64 GB/s
    "mi300x-8": Chip(5.3e12, 1307.4e12, 2614.9e12, 0, 191.98 * 2**30, 448e9, 50e9, 8, 64e9),
    # NVIDIA L40S: GDDR6 864 GB/s, PCIe 4.0 x16
    "l40s-8": Chip(864e9, 362e12, 733e12, 0, 46068 * MIB, 32e9, 50e9, 8),
}


# --- models


@dataclass(frozen=True)
class Shape:
    """A published shape. Bytes per value: `main` (GEMMs), `experts`, `wide` (tables, norms).

    `n_dense` of the layers have a dense FFN of width `d_ff`; the others have experts. `n_window` of
    them see `window` tokens only. MLA models have a `kv_rank`.
    """

    n_layers: int
    d: int
    vocab: int
    n_heads: int
    n_kv: int = 1
    d_head: int = 128
    d_ff: int = 0
    n_dense: int = 0
    n_experts: int = 0
    n_active: int = 0
    d_expert: int = 0
    d_shared: int = 0
    n_window: int = 0
    window: int = 0
    q_rank: int = 0
    kv_rank: int = 0
    d_rope: int = 0
    d_nope: int = 0
    d_v: int = 0
    biases: bool = False  # gpt-oss: of qkv, output, router and experts; a sink per head
    vectors: int = 0  # per layer besides two norms of width d: q and k norms, or those of latents
    main: float = BF16
    experts: float = BF16
    wide: float = BF16
    router: float = BF16
    kv: float = BF16

    @property
    def n_moe(self) -> int:
        return self.n_layers - self.n_dense


def _dense(n_layers: int, d: int, vocab: int, heads: tuple[int, int], d_ff: int, **more) -> Shape:
    n_heads, n_kv = heads
    return Shape(n_layers, d, vocab, n_heads, n_kv, d_ff=d_ff, n_dense=n_layers, **more)


LLAMA_70B = _dense(80, 8192, 128256, (64, 8), 28672)
DEEPSEEK = Shape(
    61, 7168, 129280, 128, d_ff=18432, n_dense=3, n_experts=256, n_active=8, d_expert=2048,
    d_shared=2048, q_rank=1536, kv_rank=512, d_rope=64, d_nope=128, d_v=128, vectors=1536 + 512,
    main=FP8_BLOCK, experts=FP8_BLOCK,
)  # fmt: skip
QWEN3_235B = Shape(
    94, 4096, 151936, 64, 4, n_experts=128, n_active=8, d_expert=1536, vectors=2 * 128
)
GPT_OSS = Shape(
    36, 2880, 201088, 64, 8, 64, n_experts=128, n_active=4, d_expert=2880, n_window=18,
    window=128, biases=True, experts=MXFP4,
)  # fmt: skip

#: from the papers and config.json files of the models
SHAPES = {
    "Qwen/Qwen3-8B": _dense(36, 4096, 151936, (32, 8), 12288, vectors=2 * 128),
    "Qwen/Qwen3-32B": _dense(64, 5120, 151936, (64, 8), 25600, vectors=2 * 128),
    "meta-llama/Llama-3.1-8B-Instruct": _dense(32, 4096, 128256, (32, 8), 14336),
    "meta-llama/Llama-3.1-70B-Instruct": LLAMA_70B,
    "nvidia/Llama-3.1-70B-Instruct-FP8": replace(LLAMA_70B, main=FP8, kv=FP8),
    "mistralai/Mixtral-8x7B-v0.1": Shape(
        32, 4096, 32000, 32, 8, n_experts=8, n_active=2, d_expert=14336
    ),
    "Qwen/Qwen3-235B-A22B": QWEN3_235B,
    "Qwen/Qwen3-235B-A22B-FP8": replace(QWEN3_235B, main=FP8_BLOCK, experts=FP8_BLOCK),
    "openai/gpt-oss-120b": GPT_OSS,
    "deepseek-ai/DeepSeek-V3": DEEPSEEK,
    "deepseek-ai/DeepSeek-R1": DEEPSEEK,
}


@dataclass(frozen=True)
class Degrees:
    """How a replica is cut: ``pp * attn_dp * tp`` chips."""

    pp: int = 1
    attn_dp: int = 1
    tp: int = 1
    ep: int = 1

    @property
    def chips(self) -> int:
        return self.pp * self.attn_dp * self.tp


ONE = Degrees()


# --- weights and caches


def _heads_held(s: Shape, tp: int) -> float:
    """Share of the KV heads on a chip: at least one head, replicated beyond."""
    return max(1 / tp, 1 / s.n_kv)


def _attention_params(s: Shape, tp: int = 1) -> float:
    """Of one layer on one chip."""
    if s.kv_rank:
        whole = s.d * s.q_rank + s.d * (s.kv_rank + s.d_rope)  # down-projections: on every chip
        up = s.q_rank * s.n_heads * (s.d_nope + s.d_rope)
        up += s.kv_rank * s.n_heads * (s.d_nope + s.d_v)
        return whole + (up + s.n_heads * s.d_v * s.d) / tp
    q_and_out = 2 * s.d * s.n_heads * s.d_head / tp
    return q_and_out + 2 * s.d * s.n_kv * s.d_head * _heads_held(s, tp)


def _expert_params(s: Shape) -> int:
    """Gate, up and down of one expert."""
    return 3 * s.d * s.d_expert


def _vector_params(s: Shape, n_experts: float) -> float:
    """Norms and biases of all layers with so many experts on the chip."""
    n = s.n_layers * (2 * s.d + s.vectors)
    if s.biases:
        qkv = (s.n_heads + 2 * s.n_kv) * s.d_head
        n += s.n_layers * (qkv + s.d + s.n_heads)
        n += s.n_moe * (s.n_experts + n_experts * (2 * s.d_expert + s.d))
    return n


def weight_bytes_per_chip(s: Shape, at: Degrees = ONE) -> float:
    """Weights on the fullest chip. [bytes]

    The fullest pipeline stage holds whole layers, each of the mean size, and one of the two tables;
    a single stage holds both. Experts are dealt out whole over `ep`, E / ep rounded up on the
    fullest chip, and each is cut over ``attn_dp * tp / ep`` chips.
    """
    held = -(-s.n_experts // at.ep) if s.n_experts else 0
    slices = at.attn_dp * at.tp / at.ep
    layers = s.n_layers * _attention_params(s, at.tp) * s.main
    layers += s.n_dense * 3 * s.d * s.d_ff / at.tp * s.main
    layers += s.n_moe * s.d * s.n_experts * s.router
    layers += s.n_moe * 3 * s.d * s.d_shared / at.tp * s.main
    layers += s.n_moe * held * _expert_params(s) / slices * s.experts
    layers += _vector_params(s, held / slices) * s.wide
    table = s.d * s.vocab / at.tp * s.wide
    ends = 2 * table if at.pp == 1 else table
    return layers * stage_imbalance(s.n_layers, at.pp) / at.pp + ends + s.d * s.wide


def weight_bytes(s: Shape) -> float:
    """All weights. [bytes]"""
    return weight_bytes_per_chip(s)


def _cache_values(s: Shape) -> int:
    """Values cached per token and layer: keys and values, or one latent for all heads."""
    return s.kv_rank + s.d_rope if s.kv_rank else 2 * s.n_kv * s.d_head


def _tokens_kept(s: Shape, tokens: float) -> float:
    """Token entries kept, summed over layers."""
    return (s.n_layers - s.n_window) * tokens + s.n_window * min(tokens, s.window)


def cache_bytes_per_sequence(s: Shape, tokens: float) -> float:
    """Cache of one sequence on all chips, nothing replicated. [bytes]"""
    return _tokens_kept(s, tokens) * _cache_values(s) * s.kv


def cache_bytes_per_sequence_per_chip(s: Shape, tokens: float, at: Degrees = ONE) -> float:
    """What one more sequence of the replica takes of a chip of the fullest stage, on average over
    its attention-data-parallel ranks. [bytes]
    """
    held = 1.0 if s.kv_rank else _heads_held(s, at.tp)
    held *= stage_imbalance(s.n_layers, at.pp) / at.pp
    return cache_bytes_per_sequence(s, tokens) * held / at.attn_dp


def stage_imbalance(n_layers: int, pp: int) -> float:
    """The longest of pp stages of whole layers over their mean: ceil(n / pp) pp / n. [1]"""
    return -(-n_layers // pp) * pp / n_layers


# --- steps


@dataclass(frozen=True)
class Tokens:
    """What a step holds: n sequences that decode at a context, and whole prompts."""

    decoding: float = 0.0
    context: float = 1.0
    prompts: float = 0.0
    isl: float = 0.0

    @property
    def new(self) -> float:
        return self.decoding + self.prompts * self.isl


@dataclass(frozen=True)
class Parts:
    """Seconds that a step asks of each resource; the busiest decides."""

    compute_s: float
    weights_s: float
    kv_s: float
    network_s: float = 0.0

    @property
    def time_s(self) -> float:
        return max(self.compute_s, self.weights_s + self.kv_s, self.network_s)

    @property
    def bottleneck(self) -> str:
        if self.compute_s >= self.time_s:
            return "compute"
        if self.weights_s + self.kv_s >= self.time_s:
            return "KV" if self.kv_s > self.weights_s else "weights"
        return "network"


def blackboard(s: Shape, chip: Chip, n_chips: int, step: Tokens) -> Parts:
    """All chips as one: multiply active parameters, read all weights once and each cache once."""
    main = s.n_layers * _attention_params(s) + s.n_dense * 3 * s.d * s.d_ff
    main += s.n_moe * 3 * s.d * s.d_shared
    experts = s.n_moe * s.n_active * _expert_params(s)
    wide = s.vocab * s.d + _vector_params(s, s.n_active) + s.d
    router = s.n_moe * s.d * s.n_experts
    compute = 2 * step.new * main / chip.rate(s.main)
    compute += 2 * step.new * experts / chip.rate(s.experts)
    compute += 2 * step.new * (wide + router) / chip.rate(s.wide)
    read = step.decoding * cache_bytes_per_sequence(s, step.context)
    rate = n_chips * chip.bandwidth
    return Parts(compute / n_chips, weight_bytes(s) / rate, read / rate)


def experts_hit(s: Shape, tokens: float) -> float:
    """Distinct experts that tokens choose from gamma-distributed popularities. [1]"""
    v = EXPERT_LOAD_CV**2
    x = -tokens * np.log(1 - s.n_active / s.n_experts)
    return float(s.n_experts * (1 - (1 + v * x) ** (-1 / v)))


def ideal(s: Shape, chip: Chip, at: Degrees, step: Tokens) -> Parts:
    """The fullest chip's work at datasheet peaks, all resources overlapping.

    With pipeline stages it is one micro-batch on its way through all of them; as many go round.
    Experts' tokens fall evenly on their ranks. Embedding look-ups and vectors cost nothing.
    """

    def share(n: float, ways: int) -> float:  # the fullest rank: an even share, one at least
        return max(n / ways, min(n, 1.0))

    decoding, prompts = share(step.decoding, at.pp), share(step.prompts, at.pp)
    all_new = decoding + prompts * step.isl  # of the micro-batch
    decoding, prompts = share(decoding, at.attn_dp), share(prompts, at.attn_dp)
    new, sampled = decoding + prompts * step.isl, decoding + prompts

    flops: dict[float, float] = {}  # by bytes per value
    bytes_read = 0.0

    def gemm(params: float, value_bytes: float, tokens: float, read: float | None = None) -> None:
        nonlocal bytes_read
        flops[value_bytes] = flops.get(value_bytes, 0) + 2 * params * tokens
        bytes_read += (params if read is None else read) * value_bytes

    gemm(s.n_layers * _attention_params(s, at.tp), s.main, new)
    gemm(s.n_dense * 3 * s.d * s.d_ff / at.tp, s.main, new)
    gemm(s.d * s.vocab / at.tp, s.wide, sampled)  # LM head
    if s.n_moe:
        held, slices = -(-s.n_experts // at.ep), at.attn_dp * at.tp / at.ep
        hit = experts_hit(s, all_new)
        here = max(hit * held / s.n_experts, min(hit, 1.0))
        routed = all_new * s.n_active * held / s.n_experts  # tokens of the chip's experts
        one = s.n_moe * _expert_params(s) / slices
        gemm(one, s.experts, routed, read=one * here)
        gemm(s.n_moe * s.d * s.n_experts, s.router, new)
        gemm(s.n_moe * 3 * s.d * s.d_shared / at.tp, s.main, new)

    compute = sum(f / chip.rate(b) for b, f in flops.items())
    attention, cache = _attention(s, at, step, decoding, prompts)
    compute += attention / chip.rate(s.kv)
    network = _network_s(s, chip, at, new, sampled)
    return Parts(compute, bytes_read / chip.bandwidth, cache / chip.bandwidth, network)


def _attention(
    s: Shape, at: Degrees, step: Tokens, decoding: float, prompts: float
) -> tuple[float, float]:
    """FLOPs of scores and values, and bytes of caches read and written, on one chip."""
    held = 1.0 if s.kv_rank else _heads_held(s, at.tp)
    macs = s.n_heads * (2 * s.kv_rank + s.d_rope if s.kv_rank else 2 * s.d_head) / at.tp
    flops = cache = 0.0
    for n, window in ((s.n_layers - s.n_window, np.inf), (s.n_window, s.window)):
        # decoding: one query over what is visible; its own entry is written
        seen = min(step.context, window)
        flops += n * 2 * macs * seen * decoding
        cache += n * (seen + 1) * decoding
        if prompts:
            visible = np.minimum(np.arange(1, int(step.isl) + 1), window).sum()
            flops += n * 2 * macs * visible * prompts
            spanned = min(step.isl, window + step.isl - 1)
            cache += n * (spanned + step.isl) * prompts
    return flops, cache * _cache_values(s) * held * s.kv


def _network_s(s: Shape, chip: Chip, at: Degrees, new: float, sampled: float) -> float:
    """Per chip: sums after attention and FFN, logits, experts' all-to-all, hops between stages."""
    hidden = new * s.d * BF16
    t = at.tp
    assert t <= chip.domain
    # a sum in the switch sends S (t + 1) / t, a ring 2 S (t - 1) / t: the less of the two
    summed = 2 * s.n_layers * hidden * min((t + 1) / t, 2 * (t - 1) / t)
    gathered = sampled * s.vocab * FP32 * (t - 1) / t
    inside_s = (summed + gathered) / chip.group_link(t)
    outside = 0.0
    stage = at.attn_dp * t
    if s.n_moe and at.attn_dp > 1:
        # a token goes to the distinct chips of its experts, to every slice; fp8 there, bf16 back
        copies = min(at.ep * (1 - (1 - 1 / at.ep) ** s.n_active), s.n_active)
        copies *= stage / at.ep * (stage - 1) / stage
        sent = s.n_moe * new / t * copies * s.d * (FP8 + BF16)
        domains = -(-stage // chip.domain)
        inside_s += sent / domains / chip.group_link(stage)
        outside += sent * (domains - 1) / domains
    if at.pp > 1:
        hop = (at.pp - 1) * hidden / t
        if at.chips > chip.domain:
            outside += hop
        else:
            inside_s += hop / chip.group_link(2)
    return max(inside_s, outside / chip.scale_out)


# --- from steps to service


@dataclass(frozen=True)
class Steps:
    """Decode steps and steps with prompts of one replica, in one of the two lower bounds.

    `reading` is ``blackboard`` or ``ideal``; prompts fit the token budget of a step (`budget`).
    """

    reading: str
    shape: Shape
    chip: Chip
    at: Degrees
    isl: float
    osl: float
    budget: float = 8192.0

    def parts(self, step: Tokens) -> Parts:
        if self.reading == "blackboard":
            return blackboard(self.shape, self.chip, self.at.chips, step)
        return ideal(self.shape, self.chip, self.at, step)

    def decode(self, n: float, context: float | None = None) -> Parts:
        return self.parts(Tokens(n, self.isl + self.osl / 2 if context is None else context))

    def step_s(self, n: float) -> float:
        """A decode step of n live sequences at their mean context. [s]"""
        return self.decode(n).time_s

    def at_once(self, n: float) -> float:
        """Prompts in the steps that have any: as many as sequences end, one per rank at least."""
        ending = min(max(n / self.osl, 1.0), max(self.budget / self.isl, 1.0))
        return max(ending, min(self.at.attn_dp * self.at.pp, n))

    def prompt_s(self, n: float) -> float:
        """What a prompt adds to the step it is in. [s]"""
        k = self.at_once(n)
        mixed = self.parts(Tokens(n, self.isl + self.osl / 2, k, self.isl)).time_s
        return (mixed - self.step_s(n)) / k


def fixed_batch(steps: Steps, batch: float) -> dict[str, float]:
    """A batch that starts together: its prompts in one step, then token by token. [s], [1/s]

    Through s pipeline stages prompts go in s micro-batches, each a pass of all stages long: the
    last comes out after 2 s - 1 stages' time.
    """
    s = steps.at.pp
    assert batch >= s
    first = steps.parts(Tokens(prompts=batch, isl=steps.isl)).time_s * (2 * s - 1) / s
    gap = np.mean([steps.decode(batch, steps.isl + steps.osl * x).time_s for x in GAUSS])
    total = first + (steps.osl - 1) * gap
    return {
        "ttft_s": first,
        "tpot_s": float(gap),
        "e2e_s": float(total),
        "requests_per_s": float(batch / total),
    }


def offline(steps: Steps, n: float) -> dict[str, float]:
    """n sequences always live: a request takes one n-th of its steps, and its own prompt."""
    step, prompt = steps.step_s(n), steps.prompt_s(n)
    rate = 1 / (steps.osl * step / n + prompt)
    return {"tpot_s": step, "requests_per_s": rate}


def one_after_another(steps: Steps) -> dict[str, float]:
    """A single request in flight: it meets half a step, its own prompt's step, then bare steps."""
    step = steps.step_s(1.0)
    first = step + steps.prompt_s(1.0) + step / 2
    total = first + (steps.osl - 1) * step
    return {"ttft_s": first, "tpot_s": step, "e2e_s": total, "requests_per_s": 1 / total}


def open_loop(steps: Steps, rate: float) -> dict[str, float]:
    """Poisson arrivals at a replica well below its capacity.

    Prompts take the share ``rate * t_p`` of all time; Little's law gives the sequences in flight; a
    prompt waits for others' as in an M/M/1 queue.
    """
    n = 1.0

    def gap_s(n: float) -> float:
        return steps.step_s(n) / (1 - rate * steps.prompt_s(n))

    for _ in range(200):
        n = (n + max(rate * steps.osl * gap_s(n), 1.0)) / 2
    gap, busy = gap_s(n), rate * steps.prompt_s(n)
    first = steps.step_s(n) + steps.prompt_s(n) + gap / 2
    first += busy / (1 - busy) * steps.prompt_s(n)
    total = first + (steps.osl - 1) * gap
    return {"ttft_s": first, "tpot_s": gap, "e2e_s": total, "requests_per_s": rate}


# --- money


def usd_per_request(usd_per_chip_hour: float, n_chips: float, requests_per_s: float) -> float:
    """All chips of the system, by the requests of the system. [USD]"""
    return usd_per_chip_hour * n_chips / 3600 / requests_per_s


def usd_per_mtok(usd_per_request: float, isl: float, osl: float) -> float:
    """All tokens of a request alike, input and output. [USD per million tokens]"""
    return usd_per_request / (isl + osl) * 1e6
