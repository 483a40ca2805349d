r"""How much larger a batch may be before more of it teaches nothing: the critical batch.

Symbols: B tokens of an optimizer step, :math:`B_c` the critical batch, :math:`S_{min}` the fewest
steps to a loss with any batch, :math:`E_{min}` the fewest tokens with a small one.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "critical_batch_of_loss_tokens",
    "fastest_batch_tokens",
    "gradient_noise_scale",
    "steps_over_least",
    "tokens_over_least",
]

# Kaplan et al. 2020, eq. 5.3: part of the law, not of any machine or model.
_B_STAR_TOKENS, _ALPHA_B = 2e8, 0.21


def steps_over_least(batch_tokens: Any, critical_tokens: Any) -> Any:
    r"""Steps to a loss over the fewest that any batch takes.

    .. math:: \frac{S}{S_{min}} = 1 + \frac{B_c}{B}

    Parameters
    ----------
    batch_tokens : array      B. [tokens]
    critical_tokens : array   :math:`B_c`. [tokens]

    Returns
    -------
    array   2 at the critical batch. [1]

    References
    ----------
    .. [1] S. McCandlish et al., "An empirical model of large-batch training", arXiv:1812.06162,
       eq. 2.11.

    Examples
    --------
    >>> steps_over_least(4e6, 4e6), steps_over_least(1e6, 4e6)
    (2.0, 5.0)
    """
    return 1 + critical_tokens / batch_tokens


def tokens_over_least(batch_tokens: Any, critical_tokens: Any) -> Any:
    r"""Tokens to a loss over the fewest, which a small batch takes.

    .. math:: \frac{E}{E_{min}} = 1 + \frac{B}{B_c}

    Parameters
    ----------
    batch_tokens : array      B. [tokens]
    critical_tokens : array   :math:`B_c`. [tokens]

    Returns
    -------
    array   2 at the critical batch. [1]

    Notes
    -----
    With :math:`S/S_{min}` of `steps_over_least`, :math:`(S/S_{min} - 1)(E/E_{min} - 1) = 1`. It is
    derived for plain SGD at its best learning rate, with :math:`B_c` the same all along; where the
    critical batch grows during a run, so that a schedule of batches follows it, less is lost.

    References
    ----------
    .. [1] S. McCandlish et al., arXiv:1812.06162, eq. 2.11.

    Examples
    --------
    >>> tokens_over_least(4e6, 4e6), tokens_over_least(1e6, 4e6)
    (2.0, 1.25)
    """
    return 1 + batch_tokens / critical_tokens


def gradient_noise_scale(
    small_tokens: Any, small_norm_squared: Any, large_tokens: Any, large_norm_squared: Any
) -> Any:
    r"""The simple noise scale of gradients, an estimate of the critical batch.

    .. math::
        |G|^2 = \frac{B_2 |G_2|^2 - B_1 |G_1|^2}{B_2 - B_1}, \quad
        \mathrm{tr}\,\Sigma = \frac{|G_1|^2 - |G_2|^2}{1/B_1 - 1/B_2}, \quad
        B_c \approx \frac{\mathrm{tr}\,\Sigma}{|G|^2}

    Parameters
    ----------
    small_tokens, large_tokens : array               Batches of two sizes, :math:`B_1 < B_2`, such
                                                     as of one rank and of all of them. [tokens]
    small_norm_squared, large_norm_squared : array   Of the mean gradient of each, squared. [any]

    Returns
    -------
    array   [tokens]

    Notes
    -----
    Both estimates are noisy: average numerator and denominator over many steps before dividing.
    It leaves out curvature, and was found to be the true one up to a factor of a few.

    References
    ----------
    .. [1] S. McCandlish et al., arXiv:1812.06162, eq. 2.9 and app. A.1.

    Examples
    --------
    A gradient of squared norm 1 and a variance of 3 M for one token: norms 4 and 1.75.

    >>> gradient_noise_scale(1e6, 1 + 3.0, 4e6, 1 + 0.75)
    3000000.0
    """
    signal = (large_tokens * large_norm_squared - small_tokens * small_norm_squared) / (
        large_tokens - small_tokens
    )
    noise = (small_norm_squared - large_norm_squared) / (1 / small_tokens - 1 / large_tokens)
    return noise / signal


def critical_batch_of_loss_tokens(
    loss: Any, scale_tokens: Any = _B_STAR_TOKENS, exponent: Any = _ALPHA_B
) -> Any:
    r"""Critical batch of a language model that has reached a loss.

    .. math:: B_c = \frac{B_*}{L^{1/\alpha_B}}

    Parameters
    ----------
    loss : array           Cross-entropy, L. [nats per token]
    scale_tokens : array   :math:`B_*`. [tokens]
    exponent : array       :math:`\alpha_B`. [1]

    Returns
    -------
    array   Twice as much for a loss 13% lower. [tokens]

    Notes
    -----
    Measured with models of 3 M and 85 M parameters on WebText2, in nats of its text and vocabulary:
    for a recent model it is an extrapolation by orders of magnitude, good for the decade. Newer
    measurements find that the critical batch grows with the tokens of a run and hardly with the
    parameters [2]_, and that it rises from nothing to a plateau within a run [3]_. One that was
    measured is better than this.

    References
    ----------
    .. [1] J. Kaplan et al., "Scaling laws for neural language models", arXiv:2001.08361, eq. 5.3.
    .. [2] H. Zhang et al., "How does critical batch size scale in pre-training?",
       arXiv:2410.21676.
    .. [3] W. Merrill et al., "Critical batch size revisited", arXiv:2505.23971.

    Examples
    --------
    At a loss of 1.82 nats 11.6 M tokens; 13% less loss, twice as many:

    >>> round(critical_batch_of_loss_tokens(1.82) / 1e6, 1)
    11.6
    >>> round(critical_batch_of_loss_tokens(0.87) / critical_batch_of_loss_tokens(1.0), 2)
    1.94
    """
    return scale_tokens / loss ** (1 / exponent)


def fastest_batch_tokens(critical_tokens: Any, fixed_s: Any, per_token_s: Any) -> Any:
    r"""The batch that reaches a loss soonest, where a step takes a fixed time and one per token.

    .. math:: B = \sqrt{B_c\,\frac{t_0}{t_1}}

    Parameters
    ----------
    critical_tokens : array   :math:`B_c`. [tokens]
    fixed_s : array           Of a step, whatever its batch: weights exchanged and changed, the
                              pipeline filled, :math:`t_0`. [s]
    per_token_s : array       More for each token, on the same chips, :math:`t_1`. [s]

    Returns
    -------
    array   On given chips the cheapest as well. [tokens]

    Notes
    -----
    Least of :math:`S_{min} (1 + B_c/B)(t_0 + t_1 B)`: convergence asks for small batches, systems
    for large ones; without a fixed time the smallest is best.

    References
    ----------
    .. [1] The lecture, ch. 3: small batches converge better, large ones keep machines busy.
    .. [2] S. McCandlish et al., arXiv:1812.06162, eq. 2.11, of which it is derived.

    Examples
    --------
    >>> fastest_batch_tokens(4e6, 1.0, 1e-6)
    2000000.0
    """
    return (critical_tokens * fixed_s / per_token_s) ** 0.5
