"""How good a routed model is: the dense model of equal loss."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import log10

__all__ = ["effective_params_routed"]

# S-BASE fit of Clark et al. 2022, Table 3 (log10): part of the law, not of any machine or model.
_A, _B, _C = -0.082, -0.108, 0.009
_E_START, _E_MAX = 1.847, 314.478


def effective_params_routed(n_params_active: Any, n_experts: Any) -> Any:
    r"""Parameters of the dense model that matches a routed one (one expert a token).

    .. math::
        \frac1{\hat E} = \frac1{E - 1 + (1/E_s - 1/E_m)^{-1}} + \frac1{E_m}, \qquad
        \bar N = N^{\alpha(\hat E)/\alpha(E_s)}\,(\hat E / E_s)^{b/\alpha(E_s)}, \quad
        \alpha(x) = a + c \log_{10} x

    Parameters
    ----------
    n_params_active : array   Parameters of the dense backbone, N. [1]
    n_experts : array         Experts a routed layer, E; 1 gives N back. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    Fitted on 15M to 1.3B active and up to 512 experts with top-1 routing; fine-grained experts
    and many active ones (every recent model) lie outside, where it is a lower guess at best.

    References
    ----------
    .. [1] Clark et al., "Unified Scaling Laws for Routed Language Models", arXiv 2202.01169, 2022.

    Examples
    --------
    >>> round(float(effective_params_routed(370e6, 64)) / 1e9, 2)
    1.37
    """
    saturating = n_experts - 1 + 1 / (1 / _E_START - 1 / _E_MAX)
    e_hat = 1 / (1 / saturating + 1 / _E_MAX)
    alpha_hat = _A + _C * log10(e_hat)
    alpha_start = _A + _C * log10(_E_START)
    ratio = e_hat / _E_START
    return n_params_active ** (alpha_hat / alpha_start) * ratio ** (_B / alpha_start)
