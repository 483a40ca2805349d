"""What fits, and how long a memory takes to empty: capacity, drain time, the train schedule."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import ceil, divide, maximum, where

__all__ = [
    "drain_time_s",
    "is_drain_possible",
    "largest_batch",
    "mean_decode_context_tokens",
    "memory_needed_bytes",
    "rounded_up",
    "sampling_peak_bytes",
    "worst_case_latency_s",
]


def drain_time_s(capacity_bytes: Any, bandwidth_bytes_per_s: Any) -> Any:
    """Time to read a full memory once: capacity / bandwidth.

    The lecture's train period: a pass that reads all of HBM cannot be shorter, and a longer one
    would only read the same bytes twice.

    Parameters
    ----------
    capacity_bytes, bandwidth_bytes_per_s : array   Of one chip, or both of many. [bytes, bytes/s]

    Returns
    -------
    array   13 to 40 ms for HBM, seconds for DDR, half an hour for flash. [s]

    References
    ----------
    .. [1] The lecture, ch. 1 (claims C1-20 to C1-22).

    Examples
    --------
    >>> drain_time_s(288e9, 20e12)
    0.0144
    """
    return capacity_bytes / bandwidth_bytes_per_s


def worst_case_latency_s(period_s: Any) -> Any:
    """A token that just missed a pass waits one period and rides one: two periods.

    Parameters
    ----------
    period_s : array   Time between departures. [s]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-19).

    Examples
    --------
    >>> worst_case_latency_s(0.020)
    0.04
    """
    return 2 * period_s


def is_drain_possible(time_s: Any, capacity_bytes: Any, bandwidth_bytes_per_s: Any) -> Any:
    """Whether a full memory can be read in the given time at all.

    Parameters
    ----------
    time_s, capacity_bytes, bandwidth_bytes_per_s : array   [s, bytes, bytes/s]

    Returns
    -------
    array of bool

    References
    ----------
    .. [1] The lecture's flashcard 9 (claim C1-23).

    Examples
    --------
    >>> is_drain_possible(0.010, 288e9, 20e12)
    False
    """
    return time_s >= drain_time_s(capacity_bytes, bandwidth_bytes_per_s)


def memory_needed_bytes(weight_bytes: Any, batch: Any, cache_bytes_per_sequence: Any) -> Any:
    r"""Memory of one replica: weights once, a cache for every sequence.

    .. math:: W + B\,L\,\mathrm{kv}

    Parameters
    ----------
    weight_bytes : array               [bytes]
    batch : array                      [1]
    cache_bytes_per_sequence : array   Cache and state kept, which can exceed what a step reads.
                                       [bytes]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    The blackboard's form: no activations, no workspace, no runtime reserve.

    Examples
    --------
    >>> memory_needed_bytes(700e9, 2000, 100_000 * 2048) / 1e12
    1.1096
    """
    return weight_bytes + batch * cache_bytes_per_sequence


def largest_batch(capacity_bytes: Any, weight_bytes: Any, cache_bytes_per_sequence: Any) -> Any:
    """Sequences whose caches fit beside the weights, not rounded down; 0 if the weights do not.

    Parameters
    ----------
    capacity_bytes : array             Memory of all chips of the replica. [bytes]
    weight_bytes : array               [bytes]
    cache_bytes_per_sequence : array   [bytes]

    Returns
    -------
    array   inf where nothing is cached and the weights fit. [1]

    Examples
    --------
    >>> float(largest_batch(80e9, 16e9, 1e9))
    64.0
    """
    left = maximum(capacity_bytes, weight_bytes) - weight_bytes
    return where(left > 0, divide(left, cache_bytes_per_sequence), 0.0)


def mean_decode_context_tokens(isl: Any, osl: Any) -> Any:
    """Mean cached tokens while decoding: the context runs evenly from isl to isl + osl.

    Parameters
    ----------
    isl, osl : array   Input and output tokens of a request. [tokens]

    Returns
    -------
    array   ``isl + osl / 2``. [tokens]

    Examples
    --------
    >>> mean_decode_context_tokens(4096, 1024)
    4608.0
    """
    return isl + osl / 2


def sampling_peak_bytes(
    n_sequences: Any, vocab: Any, logit_copies: Any, hidden_bytes: Any = 0, value_bytes: Any = 4
) -> Any:
    r"""Most memory that is held while tokens are drawn: logits, in several copies.

    .. math:: H + c\,N\,V\,b

    Parameters
    ----------
    n_sequences : array    Sequences sampled for, N. [1]
    vocab : array          Entries of the vocabulary, V: a whole row a sequence on every chip. [1]
    logit_copies : array   Copies of a row at the peak, c. [1]
    hidden_bytes : array   Hidden states of the step, still held, H. [bytes]
    value_bytes : array    Of a logit, b. [bytes]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    To draw from the most likely tokens by sorting takes 9.5 copies: logits in 16 bits (half of
    one) and 32 bits (one), numbers of tokens (64 bits: two), both sorted (three), and as much again
    as workspace of the sort (three). To draw by rejection takes 3.5: both logits, what is masked,
    and probabilities.

    Examples
    --------
    >>> round(sampling_peak_bytes(1024, 128_256, 9.5) / 2**30, 2)
    4.65
    """
    return hidden_bytes + logit_copies * n_sequences * vocab * value_bytes


def rounded_up(width: Any, multiple: Any) -> Any:
    """The smallest multiple that is not below a width: what kernels widen weights to.

    Parameters
    ----------
    width, multiple : array   [1]

    Returns
    -------
    array   [1]

    Examples
    --------
    >>> float(rounded_up(2880, 256))
    3072.0
    """
    return ceil(width / multiple) * multiple
