r"""Ways to cut a feed-forward layer over chips, and what each sends in inference."""

from __future__ import annotations

from typing import Any

__all__ = [
    "cut_2d_pays",
    "useful_tensor_parallel",
    "weight_gathered_bytes",
    "weight_stationary_1d_bytes",
    "weight_stationary_2d_bytes",
]


def weight_stationary_1d_bytes(n_tokens: Any, d_model: Any, element_bytes: Any) -> Any:
    r"""Bytes a chip sends in one layer where the hidden dimension is cut: ``2 B L E b``.

    Parameters
    ----------
    n_tokens : array        Tokens in the step, B L. [1]
    d_model : array         E. [1]
    element_bytes : array   b. [bytes]

    Returns
    -------
    array   The same for any number of chips: an all-gather and a reduce-scatter. [bytes]

    References
    ----------
    .. [1] Pope et al., "Efficiently Scaling Transformer Inference", 2022, sec. 3.2.1.

    Examples
    --------
    PaLM 540B, 512 sequences, 118 layers at 270 GB/s, milliseconds (claim E-15):

    >>> round(118 * weight_stationary_1d_bytes(512, 18432, 2) / 270e9 * 1e3, 1)
    16.5
    """
    return 2 * n_tokens * d_model * element_bytes


def weight_stationary_2d_bytes(
    n_tokens: Any, d_model: Any, n_chips: Any, element_bytes: Any
) -> Any:
    r"""The same where both dimensions are cut, F = 4 E: ``8 B L E b / sqrt(n)``.

    Parameters
    ----------
    n_tokens, d_model, element_bytes : array   As in `weight_stationary_1d_bytes`.
    n_chips : array                            n. [1]

    Returns
    -------
    array   Falls with the root of the chips. [bytes]

    References
    ----------
    .. [1] Pope et al., 2022, sec. 3.2.2 and appendix A.

    Examples
    --------
    >>> round(118 * weight_stationary_2d_bytes(512, 18432, 64, 2) / 270e9 * 1e3, 2)
    8.25
    """
    return 8 * n_tokens * d_model * element_bytes / n_chips**0.5


def weight_gathered_bytes(
    n_tokens: Any, d_model: Any, d_ff: Any, n_chips: Any, element_bytes: Any
) -> Any:
    r"""The same where weights are sent to tokens, over the best number of chips.

    .. math:: \frac{4\,E\,\sqrt{B L F}}{\sqrt n}\, b

    Parameters
    ----------
    n_tokens, d_model, n_chips, element_bytes : array   As before.
    d_ff : array                                        F. [1]

    Returns
    -------
    array   Grows with the root of the tokens only: for large batches and prefill. [bytes]

    References
    ----------
    .. [1] Pope et al., 2022, sec. 3.2.3.

    Examples
    --------
    >>> ratio = lambda n: weight_gathered_bytes(n, 1, 4, 64, 1) / weight_stationary_2d_bytes(
    ...     n, 1, 64, 1)
    >>> ratio(1), ratio(4.0)
    (1.0, 0.5)
    """
    return 4 * d_model * (n_tokens * d_ff) ** 0.5 / n_chips**0.5 * element_bytes


def cut_2d_pays(n_chips: Any, d_model: Any, d_ff: Any) -> Any:
    """Whether cutting both dimensions sends less than cutting one: ``sqrt(n) > F / E``.

    Parameters
    ----------
    n_chips, d_model, d_ff : array   n, E, F. [1]

    Returns
    -------
    array of bool

    References
    ----------
    .. [1] Pope et al., 2022, sec. 3.2.2 (claim E-14).

    Examples
    --------
    >>> cut_2d_pays(16, 1, 4), cut_2d_pays(64, 1, 4)
    (False, True)
    """
    return n_chips**0.5 > d_ff / d_model


def useful_tensor_parallel(d_ff: Any, batch: Any, bandwidth_ratio: Any) -> Any:
    r"""Chips a decoding layer can be cut over before the exchange takes longer than the weights.

    .. math:: Y = \frac{F}{B\,\beta}

    Parameters
    ----------
    d_ff : array              F. [1]
    batch : array             B. [1]
    bandwidth_ratio : array   Memory over link rate of a chip, beta. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, inference (claim SB-18).

    Examples
    --------
    >>> useful_tensor_parallel(16384, 32, 8)
    64.0
    """
    return d_ff / (batch * bandwidth_ratio)
