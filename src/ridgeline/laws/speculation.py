"""Tokens a step yields when it verifies drafts, and how often these are accepted for it."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum, minimum, where

__all__ = ["acceptance_of", "tokens_per_step"]

#: halvings of [0, 1]: to the last bit of a float
_HALVINGS = 53


def tokens_per_step(n_drafts: Any, acceptance: Any) -> Any:
    r"""Tokens a sequence gains in a step that verifies drafts: those accepted, and one more.

    .. math:: 1 + a + a^2 + \dots + a^{d} = \frac{1 - a^{d+1}}{1 - a}

    Parameters
    ----------
    n_drafts : array     Tokens drafted a sequence and step, d. [1]
    acceptance : array   Probability that a draft is accepted when all before it are, a. [1]

    Returns
    -------
    array   1 without drafts, at most d + 1. [tokens]

    Notes
    -----
    The first draft that is refused ends the run and is replaced by the model's own token, so that a
    step never yields less than one. Acceptance is taken alike for every draft; it falls with
    distance in truth.

    References
    ----------
    .. [1] Leviathan, Kalman and Matias, "Fast inference from transformers via speculative
       decoding", 2023, equation 1.

    Examples
    --------
    >>> round(tokens_per_step(1, 0.85), 3), round(tokens_per_step(3, 0.8), 3)
    (1.85, 2.952)
    >>> tokens_per_step(2, 1.0)
    3.0
    """
    a = minimum(acceptance, 1.0)
    rest = maximum(1 - a, 1e-12)
    return where(1 - a > 1e-9, (1 - a ** (n_drafts + 1)) / rest, n_drafts + 1.0)


def acceptance_of(n_drafts: Any, tokens: Any) -> Any:
    r"""How often a draft is accepted where a step yields so many tokens.

    The inverse of `tokens_per_step`, which grows with acceptance:

    .. math:: 1 + a + a^2 + \dots + a^{d} = L

    Parameters
    ----------
    n_drafts : array   Tokens drafted a sequence and step, d; above 0. [1]
    tokens : array     Tokens a step yields, L, from 1 to d + 1 (else the nearer end). [tokens]

    Returns
    -------
    array   Probability that a draft is accepted when all before it are, a. [1]

    Examples
    --------
    >>> round(acceptance_of(1, 1.85), 6), round(acceptance_of(3, 2.952), 6)
    (0.85, 0.8)
    >>> acceptance_of(3, 1.0), acceptance_of(3, 4.0)
    (0.0, 1.0)
    """
    low, high = 0.0 * tokens, 0.0 * tokens + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_less = tokens_per_step(n_drafts, middle) < tokens
        low, high = where(is_less, middle, low), where(is_less, high, middle)
    return where(tokens <= 1, 0.0 * tokens, where(tokens >= n_drafts + 1, 0.0 * tokens + 1, high))
