"""What tensor, pipeline and data parallelism divide, and what leaves a scale-up domain."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import ceil, maximum, minimum

__all__ = [
    "domains_spanned",
    "kv_share_per_chip",
    "pipeline_micro_batch",
    "share_across",
    "share_of_sequences",
]


def kv_share_per_chip(n_kv_heads: Any, tp: Any) -> Any:
    r"""Share of a layer's keys and values that one chip holds under tensor parallelism.

    .. math:: \max(1 / t,\ 1 / n_{kv})

    Parameters
    ----------
    n_kv_heads : array   [1]
    tp : array           Tensor-parallel degree, t. [1]

    Returns
    -------
    array   At least one head: beyond as many chips as heads they are replicated. [1]

    Examples
    --------
    >>> float(kv_share_per_chip(8, 4)), float(kv_share_per_chip(8, 16))
    (0.25, 0.125)
    """
    return maximum(1 / tp, 1 / n_kv_heads)


def domains_spanned(group: Any, domain_size: Any) -> Any:
    """Scale-up domains that a group of neighbouring chips lies in.

    Parameters
    ----------
    group, domain_size : array   Chips. [1]

    Returns
    -------
    array   ``ceil(group / domain)``. [1]

    Examples
    --------
    >>> domains_spanned(16, 8), domains_spanned(64, 72)
    (2.0, 1.0)
    """
    return ceil(group / domain_size)


def share_across(n_domains: Any) -> Any:
    r"""Share of uniform all-to-all traffic that leaves its domain.

    .. math:: (R - 1) / R

    Parameters
    ----------
    n_domains : array   Domains spanned, R. [1]

    Returns
    -------
    array   0 within one, a half over two. [1]

    References
    ----------
    .. [1] The lecture, ch. 2: two racks, half the tokens leave.

    Examples
    --------
    >>> share_across(2)
    0.5
    """
    return (n_domains - 1) / n_domains


def pipeline_micro_batch(batch: Any, pp: Any) -> Any:
    """Sequences that pass the stages together when as many micro-batches as stages go round.

    Parameters
    ----------
    batch : array   Sequences in flight in the replica. [1]
    pp : array      Pipeline stages. [1]

    Returns
    -------
    array   ``batch / pp``: the fewest micro-batches that leave no stage idle in decoding. [1]

    References
    ----------
    .. [1] The lecture, ch. 4.

    Examples
    --------
    >>> pipeline_micro_batch(9600, 4)
    2400.0
    """
    return share_of_sequences(batch, pp)


def share_of_sequences(n: Any, ways: Any) -> Any:
    """Sequences on the fullest of several equal ranks: an even share, but no less than one.

    Parameters
    ----------
    n : array      Sequences. [1]
    ways : array   Ranks, or micro-batches, they are dealt out to. [1]

    Returns
    -------
    array   Not rounded up above one: the mean over many batches. [1]

    Examples
    --------
    >>> float(share_of_sequences(64, 8)), float(share_of_sequences(2, 8))
    (8.0, 1.0)
    """
    return maximum(n / ways, minimum(n, 1.0))
