"""Pipeline stages of whole layers are seldom equal."""

from __future__ import annotations

from typing import Any

__all__ = ["stage_imbalance"]


def stage_imbalance(n_layers: Any, n_stages: Any) -> Any:
    r"""Layers of the fullest stage over their mean.

    .. math:: \lceil L / P \rceil\, P / L

    Parameters
    ----------
    n_layers, n_stages : array   L and P. [1]

    Returns
    -------
    array   At least 1: micro-batches go round at the pace of the fullest stage. [1]

    Notes
    -----
    Layers are taken as equal. Embedding and head are no layers; engines sometimes give the last
    stage fewer layers for them.

    References
    ----------
    .. [1] Derived.

    Examples
    --------
    61 layers on 8 stages: 8 on most of them, and the rest waits.

    >>> round(stage_imbalance(61, 8), 3), stage_imbalance(64, 8)
    (1.049, 1.0)
    """
    return -(-n_layers // n_stages) * n_stages / n_layers
