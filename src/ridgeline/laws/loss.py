r"""How good a model of N parameters is after D tokens, and the cheapest way to be so good.

Hoffmann et al.'s parametric loss, :math:`L = E + A N^{-\alpha} + B D^{-\beta}`, and what follows
from it. Constants are the caller's; ``catalog/loss_laws`` has published fits.

Symbols: N parameters, D tokens trained on, C FLOPs of training, :math:`\ell = L - E`, m what else
is done with every parameter, as the tokens of pre-training that cost as much
(:math:`\alpha D_{RL} + \beta D_{inf}` of `ridgeline.laws.budget`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from ridgeline.laws._namespace import exp, where
from ridgeline.laws.budget import TRAINING_FLOPS
from ridgeline.laws.repetition import R_STAR, repeated_elasticity, repeated_worth_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "best_at_cost",
    "cheapest_at_loss",
    "coefficient_of_active",
    "loss_nats",
    "loss_slope_ratio",
    "optimal_params",
    "optimal_tokens",
    "tokens_at_loss",
]

#: halvings of an interval: to the last bit
_HALVINGS = 80
#: more tokens than any question has: e^70 is 2.5e30
_LOG_TOKENS = 70.0


def loss_nats(n_params: Any, n_tokens: Any, e: Any, a: Any, b: Any, alpha: Any, beta: Any) -> Any:
    r"""Loss of a model of N parameters after D tokens.

    .. math:: L(N, D) = E + \frac{A}{N^\alpha} + \frac{B}{D^\beta}

    Parameters
    ----------
    n_params : array      N, of a dense model; of a routed one see `coefficient_of_active`. [1]
    n_tokens : array      D, each seen once; of repeated ones `repeated_worth_tokens`. [tokens]
    e : array             E, the entropy of the text. [nats/token]
    a, b : array          A, B, for N and D as numbers. [nats/token]
    alpha, beta : array   Exponents. [1]

    Returns
    -------
    array   [nats/token]

    Notes
    -----
    Fitted on 70M to 16B parameters and 5B to 500B tokens of one text and tokenizer. Losses of two
    laws do not compare; ratios of tokens to parameters in the thousands lie beyond every fit.

    References
    ----------
    .. [1] Hoffmann et al., "Training Compute-Optimal Large Language Models", arXiv:2203.15556,
       2022, eq. 10 and appendix D.3.

    Examples
    --------
    Chinchilla and Gopher, of the same compute, by the constants as printed:

    >>> printed = (1.69, 406.4, 410.7, 0.34, 0.28)
    >>> [round(loss_nats(n, d, *printed), 3) for n, d in ((70e9, 1.4e12), (280e9, 0.3e12))]
    [1.937, 1.993]
    """
    return e + a * n_params**-alpha + b * n_tokens**-beta


def loss_slope_ratio(n_params: Any, n_tokens: Any, a: Any, b: Any, alpha: Any, beta: Any) -> Any:
    r"""By how much more a percent of parameters lowers the loss than a percent of tokens.

    .. math:: \rho = \frac{\alpha A N^{-\alpha}}{\beta B D^{-\beta}}

    1 at the compute optimum. Where m tokens' worth is done besides with every parameter, the
    cheapest model has :math:`\rho = 1 + m / D`; along an iso-loss curve the cost of training falls
    as :math:`N^{1 - \rho}` while all else rises as N.

    Parameters
    ----------
    n_params, n_tokens, a, b, alpha, beta : array   As for `loss_nats`. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Derived: the ratio of elasticities of `loss_nats`.

    Examples
    --------
    The lecture's end point, where all else is to cost 1.21 times the training:

    >>> round(loss_slope_ratio(100e9, 200e12, 406.4, 410.7, 0.34, 0.28), 2)
    2.21
    """
    return alpha * a * n_params**-alpha / (beta * b * n_tokens**-beta)


def optimal_params(flops: Any, a: Any, b: Any, alpha: Any, beta: Any) -> Any:
    r"""Parameters of the model of least loss for the FLOPs of its training.

    .. math:: N = G \left(\frac{C}{6}\right)^{\beta / (\alpha + \beta)}, \qquad
              G = \left(\frac{\alpha A}{\beta B}\right)^{1 / (\alpha + \beta)}

    Parameters
    ----------
    flops : array                  C = 6 N D. [FLOP]
    a, b, alpha, beta : array      As for `loss_nats`. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    For each token seen once and nothing but training paid for: no inference, no RL.

    References
    ----------
    .. [1] Hoffmann et al., arXiv:2203.15556, eq. 4.
    .. [2] Besiroglu et al., "Chinchilla Scaling: A replication attempt", arXiv:2404.10102, 2024.

    Examples
    --------
    Gopher's compute, by the refit: close to Chinchilla's 70 billion; as printed, 32.

    >>> round(optimal_params(5.76e23, 482.01, 2085.43, 0.3478, 0.3658) / 1e9)
    72
    >>> round(optimal_params(5.76e23, 406.4, 410.7, 0.34, 0.28) / 1e9)
    32
    """
    g = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    return g * (flops / TRAINING_FLOPS) ** (beta / (alpha + beta))


def optimal_tokens(flops: Any, a: Any, b: Any, alpha: Any, beta: Any) -> Any:
    r"""Tokens of the model of least loss for the FLOPs of its training.

    .. math:: D = G^{-1} \left(\frac{C}{6}\right)^{\alpha / (\alpha + \beta)}

    Parameters
    ----------
    flops, a, b, alpha, beta : array   As for `optimal_params`. [FLOP, 1]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] Hoffmann et al., arXiv:2203.15556, eq. 4.

    Examples
    --------
    Tokens per parameter at Gopher's compute: 18 by the refit, 93 as printed.

    >>> refit = (5.76e23, 482.01, 2085.43, 0.3478, 0.3658)
    >>> round(optimal_tokens(*refit) / optimal_params(*refit))
    18
    >>> printed = (5.76e23, 406.4, 410.7, 0.34, 0.28)
    >>> round(optimal_tokens(*printed) / optimal_params(*printed))
    93
    """
    return flops / TRAINING_FLOPS / optimal_params(flops, a, b, alpha, beta)


def tokens_at_loss(n_params: Any, loss: Any, e: Any, a: Any, b: Any, alpha: Any, beta: Any) -> Any:
    r"""Tokens after which a model of N parameters has a loss: the iso-loss curve.

    .. math:: D = \left(\frac{B}{L - E - A N^{-\alpha}}\right)^{1/\beta}

    Parameters
    ----------
    n_params : array               N. [1]
    loss : array                   L. [nats/token]
    e, a, b, alpha, beta : array   As for `loss_nats`. [nats/token, 1]

    Returns
    -------
    array   Infinite where the model is too small ever to have it. [tokens]

    References
    ----------
    .. [1] Derived: `loss_nats`, solved for D.

    Examples
    --------
    >>> printed = (1.69, 406.4, 410.7, 0.34, 0.28)
    >>> round(tokens_at_loss(70e9, loss_nats(70e9, 1.4e12, *printed), *printed) / 1e12, 3)
    1.4
    >>> tokens_at_loss(1e9, 1.9, *printed)
    inf
    """
    left = loss - e - a * n_params**-alpha
    return where(left > 0, (b / where(left > 0, left, 1.0)) ** (1 / beta), inf)


def coefficient_of_active(a: Any, alpha: Any, params_ratio: Any) -> Any:
    r"""A for a routed model's active parameters, which are worth r times as many dense ones.

    .. math:: A (r N)^{-\alpha} = A r^{-\alpha}\,N^{-\alpha}

    Parameters
    ----------
    a, alpha : array       As for `loss_nats`. [nats/token, 1]
    params_ratio : array   r, dense parameters of equal loss over active ones. [1]

    Returns
    -------
    array   [nats/token]

    Notes
    -----
    The ratio is taken to stay as the model grows. `laws.scaling.effective_params_routed` has one
    fit of it, on small models of few, large experts.

    References
    ----------
    .. [1] Derived.

    Examples
    --------
    >>> round(coefficient_of_active(406.4, 0.34, 4.0), 1)
    253.7
    """
    return a * params_ratio**-alpha


def cheapest_at_loss(
    excess_nats: Any,
    demand_tokens: Any,
    a: Any,
    b: Any,
    alpha: Any,
    beta: Any,
    unique_tokens: Any = inf,
    r_star: Any = R_STAR,
) -> tuple[Any, Any]:
    r"""Parameters and tokens of the cheapest model of a loss, all that is done with it counted.

    .. math:: \min_{N, D} 6 N (D + m) \;\big|\; L(N, D) = L
              \quad\Leftrightarrow\quad \rho = \epsilon \left(1 + \frac{m}{D}\right)

    with :math:`\rho` of `loss_slope_ratio` at the tokens' worth and :math:`\epsilon` of
    `repeated_elasticity`.

    Parameters
    ----------
    excess_nats : array               L - E. [nats/token]
    demand_tokens : array             m; 0 for training alone. [tokens]
    a, b, alpha, beta : array         As for `loss_nats`. [nats/token, 1]
    unique_tokens, r_star : array     As for `repeated_worth_tokens`. [tokens, 1]

    Returns
    -------
    tuple of array   N and D; both infinite where the unique tokens do not suffice for the loss.
                     [1, tokens]

    Notes
    -----
    One equation of ln D with one root: the left side rises, the right falls. The demand does not
    depend on the model's size.

    References
    ----------
    .. [1] Sardana et al., "Beyond Chinchilla-Optimal: Accounting for Inference in Language Model
       Scaling Laws", arXiv:2401.00448, 2023: the same problem, with tokens of inference alone.
    .. [2] The lecture, ch. 5 (claims C5-19, C5-20).

    Examples
    --------
    The loss of (100B, 2T) at the least cost for 200T tokens of inference at equal MFU, which cost
    as much as 67T of training: 11 billion parameters on 36T.

    >>> excess = loss_nats(100e9, 2e12, 0, 406.4, 410.7, 0.34, 0.28)
    >>> n, d = cheapest_at_loss(excess, 200e12 / 3, 406.4, 410.7, 0.34, 0.28)
    >>> round(n / 1e9, 1), round(d / 1e12, 1)
    (11.2, 35.7)
    """

    def of_params(D: Any) -> Any:
        worth = repeated_worth_tokens(D, unique_tokens, r_star)
        return excess_nats - b * worth**-beta

    def beyond(D: Any) -> Any:
        slope = alpha * of_params(D) / (beta * (excess_nats - of_params(D)))
        return slope > repeated_elasticity(D, unique_tokens, r_star) * (1 + demand_tokens / D)

    D = _first_tokens(beyond)
    left = of_params(D)
    N = (a / where(left > 0, left, 1.0)) ** (1 / alpha)
    return where(left > 0, N, inf), where(left > 0, D, inf)


def best_at_cost(
    flops: Any,
    demand_tokens: Any,
    a: Any,
    b: Any,
    alpha: Any,
    beta: Any,
    unique_tokens: Any = inf,
    r_star: Any = R_STAR,
) -> tuple[Any, Any]:
    r"""Parameters and tokens of the best model for a cost, all that is done with it counted.

    .. math:: \min_{N, D} L(N, D) \;\big|\; 6 N (D + m) = C

    The condition is that of `cheapest_at_loss`; the constraint is another.

    Parameters
    ----------
    flops : array   C, of training and of all else at what it costs in training's FLOPs. [FLOP]
    demand_tokens, a, b, alpha, beta, unique_tokens, r_star : array
        As for `cheapest_at_loss`. [tokens, nats/token, 1]

    Returns
    -------
    tuple of array   N and D. [1, tokens]

    References
    ----------
    .. [1] Derived: as `cheapest_at_loss`.

    Examples
    --------
    Without demand, the compute optimum:

    >>> law = (482.01, 2085.43, 0.3478, 0.3658)
    >>> n, d = best_at_cost(5.76e23, 0.0, *law)
    >>> round(n / optimal_params(5.76e23, *law), 9), round(d / optimal_tokens(5.76e23, *law), 9)
    (1.0, 1.0)
    """

    def params(D: Any) -> Any:
        return flops / TRAINING_FLOPS / (D + demand_tokens)

    def beyond(D: Any) -> Any:
        worth = repeated_worth_tokens(D, unique_tokens, r_star)
        slope = loss_slope_ratio(params(D), worth, a, b, alpha, beta)
        return slope > repeated_elasticity(D, unique_tokens, r_star) * (1 + demand_tokens / D)

    D = _first_tokens(beyond)
    return params(D), D


def _first_tokens(beyond: Callable[[Any], Any]) -> Any:
    """The fewest tokens from which on something holds, by halving the interval of ln D."""
    low, high = 0.0, _LOG_TOKENS
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        over = beyond(exp(middle))
        low, high = where(over, low, middle), where(over, middle, high)
    return exp(high)
