# pyright: reportMissingImports=false
"""Reversible layers against the same function with stored activations, for every option."""

from __future__ import annotations

import warnings
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'ridgeline[torch]'")

import torch
from torch import nn

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible import (
    FeistelLayer,
    ReversibleBlock,
    ReversibleSequence,
    fixed_point_forward,
    fixed_point_inverse,
    from_prenorm,
)
from ridgeline.mixing.reversible.fixed_point import to_fixed

torch.set_num_threads(1)
D = 6


def branch(dropout: float = 0.0, d: int = D, dtype: torch.dtype = torch.float64) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * d, d)
    ).to(dtype)


def mixed(dropout: float = 0.0, **options) -> Any:
    """Both forms of layer, one of them without parameters, one frozen."""
    torch.manual_seed(0)
    frozen = branch(dropout).requires_grad_(False)
    layers = [
        ReversibleBlock(branch(dropout), branch(dropout)),
        FeistelLayer(branch(dropout)),
        ReversibleBlock(nn.Tanh(), frozen),
        FeistelLayer(nn.Softsign()),
        FeistelLayer(branch(dropout)),
    ]
    return ReversibleSequence(layers, **options)


def gradients(sequence, x, *args, loss=lambda y: (y**2).sum(), seed: int = 3, **kwargs):
    """Output and the gradients of input and parameters."""
    torch.manual_seed(seed)
    sequence.zero_grad(set_to_none=True)
    x = x.detach().requires_grad_()
    y = sequence(x, *args, **kwargs)
    loss(y).backward()
    return [y.detach(), x.grad, *(p.grad for p in sequence.parameters() if p.requires_grad)]


def both(sequence, x, *args, **kwargs):
    found = []
    for stored in (True, False):
        sequence.store_activations = stored
        found.append(gradients(sequence, x, *args, **kwargs))
    return found


def assert_same(stored, recomputed, tolerance: float = 1e-12) -> None:
    assert len(stored) == len(recomputed) > 2
    for a, b in zip(stored, recomputed, strict=True):
        scale = max(1.0, a.abs().max().item())
        assert (a - b).abs().max().item() <= tolerance * scale


def double(*shape: int, seed: int = 1) -> Any:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("dropout", "keeps"), [(0.0, True), (0.0, False), (0.4, True)])
def test_gradients_equal_those_with_stored_activations(dropout: float, keeps: bool) -> None:
    assert_same(*both(mixed(dropout, keeps_random=keeps), double(3, 5, 2 * D)))


def test_generator_ends_where_the_stored_network_leaves_it() -> None:
    sequence, states = mixed(0.4), []
    for stored in (True, False):
        sequence.store_activations = stored
        gradients(sequence, double(3, 2 * D))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_dropout_without_replay_is_wrong() -> None:
    """The comparison can fail: without the generator's state other values are dropped."""
    stored, recomputed = both(mixed(0.4, keeps_random=False), double(3, 2 * D))
    assert (stored[1] - recomputed[1]).abs().max() > 1e-3


@pytest.mark.parametrize("fraction_bits", [None, 20])
def test_gradcheck(fraction_bits: int | None) -> None:
    sequence = mixed()
    x = double(2, 2 * D).requires_grad_()
    if fraction_bits is None:
        assert torch.autograd.gradcheck(sequence, (x,))
        return
    # Rounding has no derivative; straight through, it must be that of stored activations.
    sequence.fraction_bits = fraction_bits
    assert_same(*both(sequence, x), tolerance=1e-14)


def test_gradcheck_of_parameters() -> None:
    sequence = ReversibleSequence([ReversibleBlock(branch(), branch())])
    names = [n for n, _ in sequence.named_parameters()]

    def call(*values: Any) -> torch.Tensor:
        named = dict(zip(names, values, strict=True))
        for name, value in named.items():
            owner, _, last = name.rpartition(".")
            module = sequence.get_submodule(owner)
            module._parameters.pop(last, None)
            module.register_parameter(last, value)
        return sequence(double(2, 2 * D))

    values = [p.detach().clone().requires_grad_() for p in sequence.parameters()]
    assert torch.autograd.gradcheck(call, tuple(nn.Parameter(v) for v in values))


class Conditioned(nn.Module):
    """Takes a conditioning tensor, a mask that needs no gradient, a number and a nested list."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(D, D, dtype=torch.float64)

    def forward(self, x, scale, *, mask=None, power=1, extra=None):
        y = torch.tanh(self.inner(x)) * scale**power
        y = y if mask is None else y.masked_fill(mask, 0.0)
        return y if extra is None else y + extra["shifts"][0]


def test_other_inputs_get_gradients_and_reach_who_takes_them() -> None:
    layers = [
        ReversibleBlock(Conditioned(), Conditioned(), g_keywords=["power", "extra"])
        for _ in range(3)
    ]
    sequence = ReversibleSequence(layers)
    mask = torch.zeros(4, D, dtype=torch.bool)
    mask[0] = True
    found = []
    for stored in (True, False):
        sequence.store_activations = stored
        scale = double(D, seed=4).requires_grad_()
        shift = double(D, seed=5).requires_grad_()
        extra = {"shifts": [shift, None]}
        grads = gradients(sequence, double(4, 2 * D), scale, mask=mask, power=2, extra=extra)
        found.append([*grads, scale.grad, shift.grad])
    assert_same(*found)
    assert found[0][-1].abs().min() > 0


def test_gradients_accumulate_over_micro_batches() -> None:
    sequence = mixed()
    halves = double(4, 2 * D), double(4, 2 * D, seed=9)
    gradients(sequence, torch.cat(halves))
    whole = [p.grad.clone() for p in sequence.parameters() if p.requires_grad]
    sequence.zero_grad()
    for x in halves:
        (sequence(x) ** 2).sum().backward()
    parts = [p.grad for p in sequence.parameters() if p.requires_grad]
    assert_same(whole, parts)


def test_backward_twice_through_a_kept_graph() -> None:
    sequence = mixed()
    x = double(3, 2 * D).requires_grad_()
    loss = (sequence(x) ** 2).sum()
    loss.backward(retain_graph=True)
    once = x.grad.clone()
    loss.backward()
    assert torch.equal(x.grad, 2 * once)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_two_passes_at_once_do_not_meet() -> None:
    """Each forward pass has its own tape; backward passes may come in any order."""
    sequence = mixed()
    inputs = [double(3, 2 * D, seed=s).requires_grad_() for s in (1, 2)]
    losses = [(sequence(x) ** 2).sum() for x in inputs]
    for loss in losses:
        loss.backward()
    for x in inputs:
        alone = gradients(sequence, x)[1]
        assert torch.equal(x.grad, alone)


def test_gradients_by_autograd_grad_and_hooks() -> None:
    sequence, seen = mixed(), []
    weight = sequence.layers[0].f[1].weight
    weight.register_hook(lambda g: seen.append(g.clone()))
    x = double(3, 2 * D)
    (asked,) = torch.autograd.grad((sequence(x) ** 2).sum(), [weight])
    assert weight.grad is None
    gradients(sequence, x)
    gradient: Any = weight.grad
    assert torch.equal(asked, gradient)
    assert torch.equal(seen[0], seen[1])


def test_loss_on_one_half_alone() -> None:
    sequence, found = mixed(), []
    for stored in (True, False):
        sequence.store_activations = stored
        sequence.zero_grad(set_to_none=True)
        pair = double(3, D).requires_grad_(), double(3, D, seed=2).requires_grad_()
        (sequence(pair)[0] ** 2).sum().backward()
        grads = [p.grad for p in sequence.parameters() if p.requires_grad and p.grad is not None]
        found.append([*(h.grad for h in pair), *grads])
    assert_same(*found)


def test_input_without_gradient_and_evaluation_without_graph() -> None:
    sequence = mixed()
    y = sequence(double(3, 2 * D))
    assert y.requires_grad
    with torch.no_grad():
        assert torch.equal(sequence(double(3, 2 * D)), y)
    with torch.inference_mode():
        assert torch.equal(sequence(double(3, 2 * D)), y)


def test_split_along_another_dimension() -> None:
    sequence = ReversibleSequence(
        [ReversibleBlock(nn.Conv1d(3, 3, 3, padding=1), nn.Conv1d(3, 3, 1))], split_dim=1
    ).double()
    assert_same(*both(sequence, double(2, 6, 10)))
    assert torch.allclose(sequence.inverse(sequence(double(2, 6, 10))), double(2, 6, 10))


def test_batch_statistics_are_counted_once() -> None:
    found = []
    for stored in (True, False):
        torch.manual_seed(0)
        layers = [FeistelLayer(nn.Sequential(nn.BatchNorm1d(D), nn.Tanh())) for _ in range(2)]
        sequence = ReversibleSequence(layers, store_activations=stored).double()
        grads = gradients(sequence, double(8, 2 * D))
        buffers = [b.double() for b in sequence.buffers()]
        found.append([*grads, *buffers])
    assert_same(*found)


@pytest.mark.parametrize("inside", [False, True], ids=["backward outside", "backward inside"])
def test_autocast_is_replayed(inside: bool) -> None:
    sequence, found = mixed(0.2).float(), []
    x = double(3, 2 * D).float()
    for stored in (True, False):
        sequence.store_activations = stored
        torch.manual_seed(3)
        sequence.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = (sequence(x).float() ** 2).sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        found.append([p.grad for p in sequence.parameters() if p.requires_grad])
    # Roundings of bf16 flip where an input comes back one fp32 unit off.
    assert_same(*found, tolerance=2e-2)
    assert all(g.abs().max() > 0 for g in found[1])
    exact = mixed(0.2, fraction_bits=12).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(*both(exact, x), tolerance=1e-6)


def test_autocast_cache_is_not_poisoned() -> None:
    """A weight used both inside and after the stack under autocast keeps its gradient."""
    shared = nn.Linear(D, D)
    sequence = ReversibleSequence([FeistelLayer(shared)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y1, _ = sequence((torch.randn(3, D), torch.randn(3, D)))
        loss = shared(y1.detach()).float().sum()
    loss.backward()
    assert shared.weight.grad is not None


floats = {torch.float64: 1e-10, torch.float32: 2e-4, torch.bfloat16: 0.3}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=0, max_size=3),
    st.integers(1, 9),
    st.lists(st.booleans(), min_size=0, max_size=12),
    st.sampled_from(list(floats)),
    st.integers(0, 2**31),
)
def test_forward_then_inverse_is_identity(lead, width, forms, dtype, seed) -> None:
    torch.manual_seed(seed)
    make = partial(branch, d=width, dtype=dtype)
    layers = [ReversibleBlock(make(), make()) if b else FeistelLayer(make()) for b in forms]
    sequence = ReversibleSequence(layers)
    x = torch.randn(*lead, 2 * width).to(dtype)
    with torch.no_grad():
        back = sequence.inverse(sequence(x))
    assert back.dtype == dtype
    assert back.shape == x.shape
    assert (back - x).abs().max().item() <= floats[dtype] * max(1.0, x.abs().max().item())
    for layer in layers:
        pair = x[..., :width], x[..., width:]
        with torch.no_grad():
            again = layer.inverse(*layer(*pair))
        for a, b in zip(again, pair, strict=True):
            assert (a - b).abs().max().item() <= floats[dtype] * max(1.0, x.abs().max().item())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(4, 40), st.integers(0, 2**31))
def test_fixed_point_comes_back_to_the_bit(depth: int, bits: int, seed: int) -> None:
    torch.manual_seed(seed)
    layers = [ReversibleBlock(branch(dtype=torch.bfloat16), branch(dtype=torch.bfloat16))] * depth
    sequence = ReversibleSequence(layers)
    pair = to_fixed(torch.randn(4, D) * 100, bits), to_fixed(torch.randn(4, D), bits)
    options = {"fraction_bits": bits, "dtype": torch.bfloat16}
    moved = fixed_point_forward(sequence, pair, **options)
    back = fixed_point_inverse(sequence, moved, **options)
    assert not torch.equal(moved[0], pair[0])
    assert all(torch.equal(a, b) for a, b in zip(back, pair, strict=True))


def test_fixed_point_wraps_like_a_cipher() -> None:
    """Sums beyond 64 bits wrap and are undone all the same."""
    sequence = ReversibleSequence([FeistelLayer(nn.Identity())] * 2)
    pair = torch.tensor([2**62 + 5]), torch.tensor([2**62 + 9])
    options = {"fraction_bits": 0, "dtype": torch.float32}
    moved = fixed_point_forward(sequence, pair, **options)
    assert moved[0].item() < 0
    back = fixed_point_inverse(sequence, moved, **options)
    assert [b.item() for b in back] == [2**62 + 5, 2**62 + 9]


def test_lecture_form_is_a_residual_from_two_layers_back() -> None:
    """Claim C7-03 in PyTorch."""
    fs = [branch() for _ in range(5)]
    x, y = double(2, D), double(2, D, seed=2)
    layers = [y, x]
    for f in fs:
        layers.append(layers[-2] + f(layers[-1]))
    found = ReversibleSequence([FeistelLayer(f) for f in fs])((x, y))
    assert torch.equal(found[0], layers[-1])
    assert torch.equal(found[1], layers[-2])


def encoder(n_layers: int = 3, **options) -> nn.TransformerEncoder:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, norm_first=True, batch_first=True, **options
    )
    return nn.TransformerEncoder(
        layer, n_layers, norm=nn.LayerNorm(8), enable_nested_tensor=False
    ).double()


def test_adapter_shares_weights_and_is_exact_for_one_layer() -> None:
    """y1 + y2 - x of one reversible layer is the standard layer; deeper it is another function."""
    x = double(2, 5, 8)
    one = encoder(1)
    y1, y2 = from_prenorm(one).sequence((x, x))
    assert torch.allclose(y1 + y2 - x, one.layers[0](x), atol=1e-12)
    three = encoder(3)
    stack = from_prenorm(three)
    assert {id(p) for p in stack.parameters()} == {id(p) for p in three.parameters()}
    assert (stack(x) - three(x)).abs().max() > 1e-3


def test_adapter_takes_masks_and_has_the_gradients_of_stored_activations() -> None:
    stack, found = from_prenorm(encoder()), []
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    padding = torch.zeros(2, 5, dtype=torch.bool)
    padding[1, 3:] = True
    padding = torch.zeros(2, 5, dtype=torch.float64).masked_fill(padding, -1e9)
    for stored in (True, False):
        stack.sequence.store_activations = stored
        found.append(gradients(stack, double(2, 5, 8), attn_mask=mask, key_padding_mask=padding))
    assert_same(*found)
    # Causal: the first position does not see a change of the last.
    changed = double(2, 5, 8)
    changed[:, -1] += 1
    assert torch.equal(
        stack(changed, attn_mask=mask)[:, 0], stack(double(2, 5, 8), attn_mask=mask)[:, 0]
    )


def test_compiled_functions_and_a_compiled_whole_agree() -> None:
    """Functions compile in place; around the stack a compiled graph breaks, and goes on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = double(3, 2 * D)
        plain = gradients(mixed(), x)
        inner = mixed().compile_functions(backend="aot_eager")
        assert_same(plain, gradients(inner, x), tolerance=1e-10)
        whole = mixed()
        model = torch.compile(nn.Sequential(whole, nn.Identity()), backend="aot_eager")
        torch.manual_seed(3)
        start = x.detach().requires_grad_()
        (model(start) ** 2).sum().backward()
        assert (start.grad - plain[1]).abs().max() < 1e-10


class Wider(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x], -1)


class Pair(nn.Module):
    def forward(self, x: torch.Tensor):
        return x, x


class InPlace(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mul_(2)


def changed_before_backward() -> None:
    y = mixed()(double(3, 2 * D).requires_grad_())
    pair = mixed()((double(3, D), double(3, D)))
    pair[0].mul_(2)
    (y.sum() + pair[0].sum()).backward()


def stepped_before_backward() -> None:
    sequence = mixed()
    loss = sequence(double(3, 2 * D)).sum()
    with torch.no_grad():
        sequence.layers[0].f[1].weight.add_(1)
    loss.backward()


def mode_changed_before_backward() -> None:
    sequence = mixed(0.5)
    loss = sequence(double(3, 2 * D)).sum()
    sequence.eval()
    loss.backward()


def feistel(f: nn.Module, **options) -> ReversibleSequence:
    return ReversibleSequence([FeistelLayer(nn.Identity()), FeistelLayer(f)], **options)


X = double(3, 2 * D)
BAD = [
    (lambda: mixed()(double(3, 5)), "odd length 5"),
    (lambda: mixed()((double(3, D), double(4, D))), r"differ in shape: \(3, 6\) and \(4, 6\)"),
    (lambda: mixed()((double(3, D), double(3, D).float())), "differ in dtype"),
    (lambda: mixed()((torch.ones(3, D, dtype=torch.int64),) * 2), "floating-point tensor"),
    (lambda: mixed()("text"), "pair of tensors is expected, not str"),
    (lambda: FeistelLayer(nn.Identity())(double(3), double(4)), "differ in shape"),
    (lambda: feistel(Wider())(X), r"layers\[1\].f turned shape \(3, 6\) into \(3, 12\)"),
    (lambda: feistel(Pair())(X), "returned tuple"),
    *[
        (lambda f=f, s=s, x=x: feistel(f, store_activations=s)(x), "changed its input in place")
        for f, s, x in product(
            (InPlace(), nn.ReLU(inplace=True)), (False, True), (X, X.clone().requires_grad_())
        )
    ],
    (changed_before_backward, "changed in place between the forward and the backward pass"),
    (stepped_before_backward, "step the optimizer after backward"),
    (mode_changed_before_backward, "was in train mode in the forward pass"),
    (lambda: ReversibleSequence([nn.Tanh()]), "Wrap a module that keeps its input's shape"),
    (
        lambda: ReversibleSequence(
            [ReversibleBlock(branch(), branch(), f_keywords=["mask"], g_keywords=[])]
        )(X, maks=1),
        "Did you mean 'mask'",
    ),
    (lambda: feistel(nn.Tanh(), fraction_bits=8)(X.bfloat16()), "Keep the halves in float32"),
    (lambda: feistel(nn.Tanh(), fraction_bits=50)(X * 100), "Use fewer fraction bits"),
    (lambda: fixed_point_forward(mixed(), (X, X), fraction_bits=8, dtype=torch.float32), "int64"),
    (lambda: from_prenorm([nn.Linear(2, 2)]), "Give split="),
    (
        lambda: from_prenorm([nn.TransformerEncoderLayer(8, 2, batch_first=True)]),
        "norm_first=False",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()


def test_second_derivatives_are_refused() -> None:
    x = double(2, 2 * D).requires_grad_()
    (g,) = torch.autograd.grad((mixed()(x) ** 2).sum(), [x], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_with_dropout_and_autocast() -> None:
    sequence = mixed(0.3, fraction_bits=12).float().cuda()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        assert_same(*both(sequence, double(3, 2 * D).float().cuda()), tolerance=1e-6)
