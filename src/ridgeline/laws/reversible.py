r"""What training keeps in memory and computes twice: stored, checkpointed and reversible stacks.

A stack of n layers is described by two sizes: what one layer stores for its backward pass, and the
stream between layers, which is all that checkpointing or reversing keeps.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import namespace

__all__ = [
    "best_segment_layers",
    "checkpointed_activation_bytes",
    "checkpointed_peak_bytes",
    "prenorm_block_activation_bytes",
    "reconstruction_error",
    "reversible_activation_bytes",
    "reversible_peak_bytes",
    "standard_activation_bytes",
    "step_time_ratio",
    "stream_bytes",
    "training_flops",
]


def stream_bytes(n_tokens: Any, d_model: Any, bytes_per_value: Any) -> Any:
    """Size of the residual stream between two layers.

    Parameters
    ----------
    n_tokens : array          Of all sequences in the step. [tokens]
    d_model : array           Width of the stream. [1/token]
    bytes_per_value : array   [bytes]

    Returns
    -------
    array   [bytes]

    References
    ----------
    Derived: one vector a token.

    Examples
    --------
    >>> stream_bytes(512, 128, 4)
    262144
    """
    return n_tokens * d_model * bytes_per_value


def prenorm_block_activation_bytes(
    n_tokens: Any, d_model: Any, d_ff: Any, n_heads: Any, bytes_per_value: Any
) -> Any:
    r"""What a pre-norm transformer block stores for its backward pass.

    .. math:: T\,b\,(8 d + 2 d_{ff} + h + 4)

    Eight vectors of d a token: the inputs and outputs of both norms (4), queries, keys and values
    (3), the attention's output (1). Two of d_ff: before and after the activation function. Besides,
    a log-sum a head, and a mean and a deviation a norm.

    Parameters
    ----------
    n_tokens : array          T, of all sequences in the step. [tokens]
    d_model, d_ff : array     Width of the stream and of the feed-forward layer. [1/token]
    n_heads : array           h. [1/token]
    bytes_per_value : array   b. [bytes]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    For fused attention, which stores no scores; no dropout, which would store masks; a feed-forward
    layer without a gate; all in one precision.

    References
    ----------
    .. [1] Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models",
       2022, sec. 4.1: the same count with scores and masks, in 16 bits: 34 T d + 5 T h L.

    Examples
    --------
    >>> prenorm_block_activation_bytes(512, 128, 512, 4, 4) / stream_bytes(512, 128, 4)
    16.0625
    """
    return n_tokens * bytes_per_value * (8 * d_model + 2 * d_ff + n_heads + 4)


def standard_activation_bytes(n_layers: Any, layer_bytes: Any) -> Any:
    """Stored activations of a standard stack: linear in depth.

    Parameters
    ----------
    n_layers : array      [1]
    layer_bytes : array   What one layer stores. [bytes]

    Returns
    -------
    array   At the end of the forward pass, which is also the peak but for gradients in flight.
            [bytes]

    References
    ----------
    .. [1] The lecture, ch. 7 (claim C7-04).

    Examples
    --------
    >>> standard_activation_bytes(4, 1.0), standard_activation_bytes(8, 1.0)
    (4.0, 8.0)
    """
    return n_layers * layer_bytes


def checkpointed_activation_bytes(n_layers: Any, segment_layers: Any, stream_bytes: Any) -> Any:
    """What is alive at the end of the forward pass with checkpoints: a stream a segment.

    Parameters
    ----------
    n_layers, segment_layers : array   Depth, and layers between two checkpoints. [1]
    stream_bytes : array               [bytes]

    Returns
    -------
    array   [bytes]

    References
    ----------
    .. [1] Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016.

    Examples
    --------
    >>> float(checkpointed_activation_bytes(48, 7, 1.0))
    7.0
    """
    return _ceil(n_layers / segment_layers) * stream_bytes


def checkpointed_peak_bytes(
    n_layers: Any, segment_layers: Any, layer_bytes: Any, stream_bytes: Any
) -> Any:
    """Peak with checkpoints: all checkpoints, and one segment's layers while it is worked on.

    Parameters
    ----------
    n_layers, segment_layers : array   Depth, and layers between two checkpoints. [1]
    layer_bytes : array                What one layer stores. [bytes]
    stream_bytes : array               [bytes]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    Gradients in flight are left out, about a third of a layer.

    References
    ----------
    .. [1] Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016.

    Examples
    --------
    >>> float(checkpointed_peak_bytes(48, 7, 16.0, 1.0))  # 7 checkpoints + 7 layers
    119.0
    """
    checkpoints = checkpointed_activation_bytes(n_layers, segment_layers, stream_bytes)
    return checkpoints + segment_layers * layer_bytes


def best_segment_layers(n_layers: Any, layer_bytes: Any, stream_bytes: Any) -> Any:
    r"""Layers a segment that make the checkpointed peak least.

    .. math:: k = \sqrt{n\, s / a}, \qquad \text{peak} = 2 \sqrt{n\, s\, a}

    the minimum over k of (n / k) s + k a, with s the stream and a what a layer stores.

    Parameters
    ----------
    n_layers : array                    [1]
    layer_bytes, stream_bytes : array   [bytes]

    Returns
    -------
    array   Not rounded; below 1 every layer is a segment. [1]

    References
    ----------
    Derived: the derivative by k is zero where both terms are alike.

    Examples
    --------
    >>> float(best_segment_layers(64, 16.0, 1.0))
    2.0
    """
    return (n_layers * stream_bytes / layer_bytes) ** 0.5


def reversible_activation_bytes(n_layers: Any, stream_bytes: Any, n_kept: Any = 2) -> Any:
    """What is alive at the end of the forward pass of a reversible stack: its output alone.

    Parameters
    ----------
    n_layers : array       Depth, on which it does not depend. [1]
    stream_bytes : array   One half. [bytes]
    n_kept : array         Tensors kept: 2 halves, and 1 more where the output is made of them. [1]

    Returns
    -------
    array   [bytes]

    References
    ----------
    .. [1] The lecture, ch. 7 (claim C7-04); Gomez et al., "The Reversible Residual Network", 2017.

    Examples
    --------
    >>> reversible_activation_bytes(4, 1.0, 1), reversible_activation_bytes(8, 1.0, 1)
    (1.0, 1.0)
    """
    return n_kept * stream_bytes + 0 * n_layers


def reversible_peak_bytes(n_layers: Any, round_bytes: Any, stream_bytes: Any) -> Any:
    """Peak of a reversible stack: output, reconstruction and gradient, and one function's inside.

    Parameters
    ----------
    n_layers : array       Depth, on which it does not depend. [1]
    round_bytes : array    What the larger of the two functions of a layer stores. [bytes]
    stream_bytes : array   One half. [bytes]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    A lower bound. Left out are gradients inside the function, up to half as much again, and those
    of its parameters, which count where there are few tokens to a unit of width: at one token to
    a unit 1.7 times the bound was measured.

    References
    ----------
    Derived: three pairs of halves live at once, and one function is differentiated at a time.

    Examples
    --------
    >>> reversible_peak_bytes(48, 10.0, 1.0)
    16.0
    """
    return 6 * stream_bytes + round_bytes + 0 * n_layers


def training_flops(n_params: Any, n_tokens: Any, n_forwards: Any = 1) -> Any:
    r"""FLOPs of training: a forward pass 2 N D, a backward pass 4 N D.

    .. math:: (2 f + 4)\, N D

    Parameters
    ----------
    n_params : array     Parameters that multiply for one token, N. [1]
    n_tokens : array     D. [tokens]
    n_forwards : array   Forward passes a step, f: 2 where activations are recomputed. [1]

    Returns
    -------
    array   6 N D; 8 N D with recomputation. [FLOP]

    Notes
    -----
    Attention over the context is left out.

    References
    ----------
    .. [1] The lecture, ch. 7 (claim C7-05).

    Examples
    --------
    >>> training_flops(1e9, 2e10), training_flops(1e9, 2e10, 2)
    (1.2e+20, 1.6e+20)
    """
    return (2 * n_forwards + 4) * n_params * n_tokens


def step_time_ratio(n_forwards: Any = 2, backward_over_forward: Any = 2) -> Any:
    r"""Time of a step with recomputation over that without.

    .. math:: (f + r) / (1 + r)

    Parameters
    ----------
    n_forwards : array              Forward passes a step, f. [1]
    backward_over_forward : array   Time of a backward pass over a forward one, r. [1]

    Returns
    -------
    array   4/3 for one more forward pass: +33%. [1]

    Notes
    -----
    For a step bound by computing. Where it is bound by memory traffic or launches, what is not
    written and read back can make up for some of it.

    References
    ----------
    Derived: the ratio of `training_flops`, 8 N D / 6 N D, at r = 2.

    Examples
    --------
    >>> round(step_time_ratio(), 4)
    1.3333
    """
    return (n_forwards + backward_over_forward) / (1 + backward_over_forward)


def reconstruction_error(unit_roundoff: Any, n_rounds: Any, gain: Any = 1.0) -> Any:
    r"""Relative error of the input that is reconstructed through n rounds.

    .. math:: \epsilon = u \sqrt{\sum_{i<n} g^{2 i}}

    Each round adds and subtracts once, an independent relative error of u; going back through a
    further round multiplies what there is by g.

    Parameters
    ----------
    unit_roundoff : array   u: half the machine epsilon, 2^-24 in fp32 and 2^-8 in bf16. [1]
    n_rounds : array        Rounds; two a block of F and G. [1]
    gain : array            g: how much one inverse round stretches a small error, 1 for a residual
                            branch that is small beside the stream. [1]

    Returns
    -------
    array   Relative root mean square error; u sqrt(n) at g = 1. [1]

    Notes
    -----
    An order of magnitude: g differs from layer to layer. Exponential in depth where g > 1, as in
    trained nets whose branches are steep; that is where bf16 streams break first.

    References
    ----------
    Derived: independent roundings add up in squares.

    Examples
    --------
    >>> float(reconstruction_error(2.0**-8, 64)) / 2.0**-8
    8.0
    """
    xp = namespace(unit_roundoff, n_rounds, gain)
    g2 = gain * gain + 1e-12  # the limit g -> 1 without a branch
    return unit_roundoff * xp.sqrt(xp.asarray((g2**n_rounds - 1) / (g2 - 1)))


def _ceil(value: Any) -> Any:
    return -(-value // 1)
