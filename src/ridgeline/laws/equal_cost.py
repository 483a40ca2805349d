"""A falling and a rising cost: the heuristic that sets them equal, and the optimum beside it."""

from __future__ import annotations

from typing import Any

__all__ = ["equal_cost_excess", "equal_cost_x", "optimum_cost_ratio", "optimum_x"]


def optimum_x(a: Any, p: Any, b: Any, q: Any) -> Any:
    r"""Where a falling and a rising power law add up to the least.

    .. math:: \arg\min_x \left(a x^{-p} + b x^q\right)
              = \left(\frac{a p}{b q}\right)^{1 / (p + q)}

    Parameters
    ----------
    a, b : array   Coefficients, above 0. [1]
    p, q : array   Exponents, above 0. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Derived: the slope is 0.

    Examples
    --------
    >>> optimum_x(1.0, 1.0, 1.0, 1.0)
    1.0
    """
    return (a * p / (b * q)) ** (1 / (p + q))


def equal_cost_x(a: Any, p: Any, b: Any, q: Any) -> Any:
    r"""Where a falling and a rising power law are equal: the lecture's heuristic for `optimum_x`.

    .. math:: \left(\frac{a}{b}\right)^{1 / (p + q)}

    Parameters
    ----------
    a, p, b, q : array   As for `optimum_x`. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] The lecture, ch. 5 (claims C5-04, C5-05).

    Examples
    --------
    >>> equal_cost_x(8.0, 2.0, 1.0, 1.0)
    2.0
    """
    return (a / b) ** (1 / (p + q))


def optimum_cost_ratio(p: Any, q: Any) -> Any:
    r"""What falls over what rises, at the optimum of two power laws.

    .. math:: \frac{a x^{-p}}{b x^q} = \frac{q}{p}

    Parameters
    ----------
    p, q : array   Exponents of what falls and of what rises. [1]

    Returns
    -------
    array   1, as the heuristic has it, exactly where exponents agree. [1]

    References
    ----------
    .. [1] The lecture, ch. 5 (claim C5-06).

    Examples
    --------
    >>> optimum_cost_ratio(2, 1)
    0.5
    """
    return q / p


def equal_cost_excess(p: Any, q: Any) -> Any:
    r"""What the equal-cost point costs over the optimum of two power laws.

    .. math:: \frac{2}{r^{-p / (p + q)} + r^{q / (p + q)}} - 1, \qquad r = p / q

    Parameters
    ----------
    p, q : array   As for `optimum_cost_ratio`. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Derived: both points put into the sum.

    Examples
    --------
    With one exponent twice the other 6%, with four times 21%:

    >>> [round(equal_cost_excess(p, 1), 2) for p in (1, 2, 4)]
    [0.0, 0.06, 0.21]
    """
    r = p / q
    return 2 / (r ** (-p / (p + q)) + r ** (q / (p + q))) - 1
