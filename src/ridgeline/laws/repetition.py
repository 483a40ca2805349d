"""What tokens are worth that a model sees again and again."""

from __future__ import annotations

from math import inf
from typing import Any

from ridgeline.laws._namespace import divide, exp, expm1, log, maximum, minimum, where

__all__ = ["R_STAR", "repeated_elasticity", "repeated_worth_tokens", "tokens_of_worth"]

#: Muennighoff et al. 2023, appendix A: repetitions that are worth 1 - 1/e of fresh tokens each
R_STAR = 15.387756


def repeated_worth_tokens(n_tokens: Any, unique_tokens: Any, r_star: Any = R_STAR) -> Any:
    r"""Fresh tokens that D tokens are worth, of which U are different.

    .. math:: D' = U + U R^* \left(1 - e^{-R / R^*}\right), \qquad R = D / U - 1

    Parameters
    ----------
    n_tokens : array        D, repetitions counted. [tokens]
    unique_tokens : array   U; infinite for no want of text. [tokens]
    r_star : array          R*: at so many repetitions they are worth 1 - 1/e of fresh ones. [1]

    Returns
    -------
    array   D where D is no more than U; at most U (1 + R*). [tokens]

    Notes
    -----
    Fitted on 10M to 9B parameters and up to 1,500 epochs. In the fit parameters beyond the
    compute optimum of U tokens lose value, too, faster than tokens (R* of 5.31), which is not in
    it: models trained far beyond Chinchilla's ratio have none to spare.

    References
    ----------
    .. [1] Muennighoff et al., "Scaling Data-Constrained Language Models", arXiv:2305.16264, 2023,
       section 3.1 and appendix A.

    Examples
    --------
    Four epochs are nearly as good as fresh text, forty are worth fifteen:

    >>> [round(repeated_worth_tokens(n * 1e12, 1e12) / 1e12, 2) for n in (1, 4, 40)]
    [1.0, 3.73, 15.17]
    """
    seen = minimum(n_tokens, unique_tokens)
    repetitions = maximum(n_tokens / unique_tokens - 1, 0.0)
    return seen * (1 - r_star * expm1(-repetitions / r_star))


def repeated_elasticity(n_tokens: Any, unique_tokens: Any, r_star: Any = R_STAR) -> Any:
    r"""Percent that a percent more tokens adds to what they are worth.

    .. math:: \epsilon = \frac{D}{D'} \frac{dD'}{dD} = \frac{D}{D'}\,e^{-R / R^*}

    Parameters
    ----------
    n_tokens, unique_tokens, r_star : array   As for `repeated_worth_tokens`. [tokens, 1]

    Returns
    -------
    array   1 where no token is repeated. [1]

    References
    ----------
    .. [1] Derived: the logarithmic slope of `repeated_worth_tokens`.

    Examples
    --------
    >>> [round(repeated_elasticity(n * 1e12, 1e12), 2) for n in (1, 4, 40)]
    [1.0, 0.88, 0.21]
    """
    repetitions = maximum(n_tokens / unique_tokens - 1, 0.0)
    worth = repeated_worth_tokens(n_tokens, unique_tokens, r_star)
    return n_tokens / worth * exp(-repetitions / r_star)


def tokens_of_worth(worth_tokens: Any, unique_tokens: Any, r_star: Any = R_STAR) -> Any:
    r"""Tokens, repetitions counted, that are worth as many fresh ones.

    .. math:: D = U \left(1 - R^* \ln\left(1 - \frac{D' / U - 1}{R^*}\right)\right)

    Parameters
    ----------
    worth_tokens : array            D'. [tokens]
    unique_tokens, r_star : array   As for `repeated_worth_tokens`. [tokens, 1]

    Returns
    -------
    array   Infinite from U (1 + R*) on, which no number of epochs is worth. [tokens]

    References
    ----------
    .. [1] Derived: `repeated_worth_tokens`, solved for D.

    Examples
    --------
    >>> round(tokens_of_worth(repeated_worth_tokens(4e12, 1e12), 1e12) / 1e12, 6)
    4.0
    >>> tokens_of_worth(17e12, 1e12)
    inf
    """
    left = 1 - maximum(divide(worth_tokens, unique_tokens) - 1, 0.0) / r_star
    repetitions = where(left > 0, -r_star * log(where(left > 0, left, 1.0)), inf)
    return minimum(worth_tokens, unique_tokens) * (1 + repetitions)
