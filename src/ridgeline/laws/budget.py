r"""Tokens for pre-training, RL and inference: what each costs, and how many cost as much.

Costs are counted in tokens of pre-training, so that parameters cancel: pre-training costs
:math:`D_{pre}`, RL :math:`\alpha D_{RL}`, inference :math:`\beta D_{inf}`.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide

__all__ = [
    "CHINCHILLA_TOKENS_PER_PARAM",
    "FORWARD_FLOPS",
    "TRAINING_FLOPS",
    "chinchilla_tokens",
    "chip_seconds",
    "cost_tokens",
    "demand_exponent",
    "expected_tokens",
    "inference_weight",
    "overtraining_factor",
    "rl_weight",
    "token_flops",
    "tokens_at_share",
    "total_of_share",
    "traffic_tokens",
]

#: per parameter and token: a multiply and an add forward, twice that backward
FORWARD_FLOPS, BACKWARD_FLOPS = 2, 4
TRAINING_FLOPS = FORWARD_FLOPS + BACKWARD_FLOPS
#: of Hoffmann et al. 2022, approaches 1 and 2, rounded as everybody does
CHINCHILLA_TOKENS_PER_PARAM = 20


def token_flops(flops_per_param: Any, n_params_active: Any, n_tokens: Any) -> Any:
    r"""FLOPs of doing something with tokens.

    .. math:: C = k N_a D

    Parameters
    ----------
    flops_per_param : array   k: 6 to train, 2 to generate, 2 to 6 in RL. [FLOP/token]
    n_params_active : array   N_a, parameters that multiply for a token. [1]
    n_tokens : array          D. [tokens]

    Returns
    -------
    array   [FLOP]

    Notes
    -----
    Attention over the context is left out: it grows with the context, not with N.

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-01, C5-02, C5-03).

    Examples
    --------
    >>> token_flops(TRAINING_FLOPS, 100e9, 200e12)
    1.2e+26
    """
    return flops_per_param * n_params_active * n_tokens


def rl_weight(rl_flops_per_param: Any, mfu_ratio: Any) -> Any:
    r"""Tokens of pre-training that cost as much as a token of RL.

    .. math:: \alpha = \frac{k_{RL} / 6}{e}

    Parameters
    ----------
    rl_flops_per_param : array   k_RL: 2 where rollouts are only generated, 6 where each is trained
                                 on, too. [FLOP/token]
    mfu_ratio : array            e, FLOP/s per dollar of decoding over those of training. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    All of RL's FLOPs are taken at the efficiency of decoding.

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-07, C5-08).

    Examples
    --------
    >>> round(rl_weight(3, 1 / 3), 6)
    1.5
    """
    return rl_flops_per_param / TRAINING_FLOPS / mfu_ratio


def inference_weight(mfu_ratio: Any) -> Any:
    r"""Tokens of pre-training that cost as much as a token of inference.

    .. math:: \beta = \frac{2 / 6}{e}

    Parameters
    ----------
    mfu_ratio : array   e, as for `rl_weight`. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-07, C5-09): to multiply by the efficiency, as the board
       first has it, would make inefficient work cheap.

    Examples
    --------
    >>> round(inference_weight(1 / 3), 6)
    1.0
    """
    return FORWARD_FLOPS / TRAINING_FLOPS / mfu_ratio


def cost_tokens(
    pretraining_tokens: Any, rl_tokens: Any, inference_tokens: Any, alpha: Any, beta: Any
) -> Any:
    r"""What all three cost, in tokens of pre-training.

    .. math:: D_{pre} + \alpha D_{RL} + \beta D_{inf}

    Parameters
    ----------
    pretraining_tokens, rl_tokens, inference_tokens : array   [tokens]
    alpha, beta : array   Of `rl_weight` and `inference_weight`. [1]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] The lecture, ch. 5 (claim C5-10): active parameters cancel.

    Examples
    --------
    Equal thirds of 200T:

    >>> round(cost_tokens(200e12, 133.333e12, 200e12, 1.5, 1.0) / 1e12)
    600
    """
    return pretraining_tokens + alpha * rl_tokens + beta * inference_tokens


def tokens_at_share(total_tokens: Any, share: Any, weight: Any) -> Any:
    r"""Tokens of an activity that takes a share of the cost.

    .. math:: D = s W / w

    Parameters
    ----------
    total_tokens : array   W, cost of everything as of `cost_tokens`. [tokens]
    share : array          s. [1]
    weight : array         w: 1 for pre-training, else `rl_weight` or `inference_weight`. [1]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-11, C5-12): equal thirds, or training as much as inference.

    Examples
    --------
    RL in equal thirds, where pre-training takes 200T:

    >>> round(tokens_at_share(600e12, 1 / 3, 1.5) / 1e12, 1)
    133.3
    """
    return share * total_tokens / weight


def total_of_share(n_tokens: Any, share: Any, weight: Any) -> Any:
    r"""Cost of everything, where one activity's tokens take a share of it.

    .. math:: W = w D / s

    Parameters
    ----------
    n_tokens : array        D. [tokens]
    share, weight : array   As for `tokens_at_share`. [1]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] Derived: `tokens_at_share`, solved for W.

    Examples
    --------
    >>> round(total_of_share(200e12, 1 / 3, 1.0) / 1e12)
    600
    """
    return weight * n_tokens / share


def traffic_tokens(tokens_per_s: Any, lifetime_s: Any) -> Any:
    r"""Tokens that a model serves while it is deployed.

    .. math:: D_{inf} = r\,t

    Parameters
    ----------
    tokens_per_s : array   Mean rate over the deployment. [tokens/s]
    lifetime_s : array     Until the next model. [s]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-13, C5-14).

    Examples
    --------
    50 million a second for two months:

    >>> traffic_tokens(50e6, 60 * 86_400) / 1e12
    259.2
    """
    return tokens_per_s * lifetime_s


def expected_tokens(n_tokens: Any, probability: Any) -> Any:
    r"""Tokens of inference to count on, where a model may never be deployed.

    .. math:: \bar D = p D

    Parameters
    ----------
    n_tokens : array      If it is. [tokens]
    probability : array   p. [1]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] The lecture, ch. 5 (claim C5-18).

    Examples
    --------
    >>> expected_tokens(200e12, 0.5) / 1e12
    100.0
    """
    return probability * n_tokens


def chinchilla_tokens(
    n_params_active: Any, tokens_per_param: Any = CHINCHILLA_TOKENS_PER_PARAM
) -> Any:
    r"""Tokens of the least loss for the compute of pre-training, by the rule of thumb.

    .. math:: D = 20 N_a

    Parameters
    ----------
    n_params_active : array    N_a. [1]
    tokens_per_param : array   [tokens]

    Returns
    -------
    array   [tokens]

    Notes
    -----
    Of one text, tokenizer and range of sizes; `laws.loss.optimal_tokens` has what a fit says.

    References
    ----------
    .. [1] Hoffmann et al., arXiv:2203.15556, table 3: 20 at 67 billion parameters.
    .. [2] The lecture, ch. 5 (claim C5-15).

    Examples
    --------
    >>> chinchilla_tokens(100e9) / 1e12
    2.0
    """
    return tokens_per_param * n_params_active


def overtraining_factor(
    n_tokens: Any, n_params_active: Any, tokens_per_param: Any = CHINCHILLA_TOKENS_PER_PARAM
) -> Any:
    r"""Tokens over those of Chinchilla's ratio.

    .. math:: D_{pre} / (20 N_a)

    Parameters
    ----------
    n_tokens : array                            D_pre. [tokens]
    n_params_active, tokens_per_param : array   As for `chinchilla_tokens`. [1, tokens]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-16, C5-17).

    Examples
    --------
    >>> overtraining_factor(200e12, 100e9)
    100.0
    """
    return n_tokens / chinchilla_tokens(n_params_active, tokens_per_param)


def chip_seconds(flops: Any, flops_per_s_per_chip: Any, mfu: Any) -> Any:
    r"""Time of one chip for FLOPs at a utilization; of n chips an n-th.

    .. math:: t = \frac{C}{P u}

    Parameters
    ----------
    flops : array                  C. [FLOP]
    flops_per_s_per_chip : array   P, dense peak. [FLOP/s]
    mfu : array                    u. [1]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] Derived: the definition of MFU.

    Examples
    --------
    Llama 3.1 405B's 3.8e25 FLOPs at 40% of an H100, in millions of chip-hours:

    >>> round(chip_seconds(3.8e25, 989e12, 0.40) / 3600 / 1e6, 1)
    26.7
    """
    return flops / flops_per_s_per_chip / mfu


def demand_exponent(slope_ratio: Any, elasticity: Any = 1.0) -> Any:
    r"""Exponent with which training gets cheaper as parameters grow at equal loss.

    .. math:: 6 N D \propto N^{-p}, \qquad p = \rho / \epsilon - 1

    All that is done besides costs in proportion to N, so that at the optimum it costs p times the
    training, and as much as it exactly where :math:`\rho = 2 \epsilon`.

    Parameters
    ----------
    slope_ratio : array   :math:`\rho` of `laws.loss.loss_slope_ratio`. [1]
    elasticity : array    :math:`\epsilon` of `laws.repetition.repeated_elasticity`. [1]

    Returns
    -------
    array   Below 0 where training gets dearer, too: more parameters than even its compute optimum.
            Infinite where more of a text seen too often is worth nothing. [1]

    References
    ----------
    .. [1] The lecture, ch. 5 (claim C5-19).

    Examples
    --------
    >>> round(demand_exponent(2.21), 2)
    1.21
    """
    return divide(slope_ratio, elasticity) - 1
