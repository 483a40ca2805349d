r"""Pipeline stages in decoding: what they divide, what they do not, and what they cost."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, maximum, where

__all__ = [
    "batch_in_flight",
    "fewest_stages",
    "kv_per_chip_bytes",
    "stage_idle_share",
    "token_latency_s",
    "weights_per_chip_bytes",
]


def batch_in_flight(micro_batch: Any, n_micro_batches: Any) -> Any:
    """Sequences in flight: micro-batches times their size.

    Parameters
    ----------
    micro_batch : array       Sequences that pass the stages together, b. [1]
    n_micro_batches : array   At least as many as stages, so that none waits. [1]

    Returns
    -------
    array   B = b P at the fewest. [1]

    References
    ----------
    .. [1] The lecture, ch. 4 (claim C4-02).

    Examples
    --------
    >>> batch_in_flight(2400, 4)
    9600
    """
    return micro_batch * n_micro_batches


def stage_idle_share(n_micro_batches: Any, n_stages: Any) -> Any:
    r"""Share of time a stage waits in steady decoding, where micro-batches go round and round.

    .. math:: \max(0,\ 1 - m / P)

    Parameters
    ----------
    n_micro_batches, n_stages : array   m and P. [1]

    Returns
    -------
    array   0 from as many micro-batches as stages on: decoding has no bubble. [1]

    Notes
    -----
    Equal stages. Training is another matter: between forward and backward it has to stop.

    References
    ----------
    .. [1] The lecture, ch. 3 (claims C3-06 to C3-08).

    Examples
    --------
    >>> float(stage_idle_share(1, 4)), float(stage_idle_share(4, 4))
    (0.75, 0.0)
    """
    return maximum(1 - n_micro_batches / n_stages, 0.0)


def token_latency_s(step_s: Any, n_stages: Any, hop_s: Any) -> Any:
    r"""Time of a token through all stages: the same work in other places, plus the hops.

    .. math:: t + P\,h \quad (P > 1)

    Parameters
    ----------
    step_s : array     Time of all layers on the chips of one stage, t. [s]
    n_stages : array   P; from the last the token goes back to the first. [1]
    hop_s : array      From one stage's chips to the next, h. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    The stages do not read their weights at the same time for one token, so that more of them do
    not make it faster. The lecture guesses hops of a few milliseconds, off by ten perhaps; an
    activation of 14 kB over RDMA takes some ten microseconds.

    References
    ----------
    .. [1] Derived from the lecture, ch. 4 (claim C4-06).

    Examples
    --------
    >>> float(token_latency_s(20.0, 4, 2.5)), float(token_latency_s(20.0, 1, 2.5))
    (30.0, 20.0)
    """
    return step_s + where(n_stages > 1, n_stages, 0 * n_stages) * hop_s


def weights_per_chip_bytes(weight_bytes: Any, n_chips_per_stage: Any, n_stages: Any) -> Any:
    """Weights on one chip: ``W / (E P)``.

    Parameters
    ----------
    weight_bytes : array        All weights, W. [bytes]
    n_chips_per_stage : array   Chips a layer is spread over, E. [1]
    n_stages : array            P. [1]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    Even and without replicas: `ridgeline.steps.memory` counts what attention data parallelism
    repeats.

    References
    ----------
    .. [1] The lecture, ch. 4 (claim C4-03).

    Examples
    --------
    >>> weights_per_chip_bytes(1e12, 64, 4) / 1e9
    3.90625
    """
    return weight_bytes / (n_chips_per_stage * n_stages)


def kv_per_chip_bytes(
    batch: Any, cache_bytes_per_sequence: Any, n_chips_per_stage: Any, n_stages: Any
) -> Any:
    r"""Caches on one chip: every stage keeps its layers' part of all sequences in flight.

    .. math:: \frac{B\,L\,\mathrm{kv}}{E\,P} = \frac{b\,L\,\mathrm{kv}}{E}
              \quad\text{with } B = b P

    Parameters
    ----------
    batch : array                      Sequences in flight, B. [1]
    cache_bytes_per_sequence : array   L kv. [bytes]
    n_chips_per_stage, n_stages : array   E, P. [1]

    Returns
    -------
    array   The same for every P where each stage is kept busy with b sequences. [bytes]

    References
    ----------
    .. [1] The lecture, ch. 4 (claims C4-04, C4-09).

    Examples
    --------
    >>> [float(kv_per_chip_bytes(2400 * p, 1e5 * 2000, 64, p)) / 1e9 for p in (1, 8)]
    [7.5, 7.5]
    """
    return batch * cache_bytes_per_sequence / (n_chips_per_stage * n_stages)


def fewest_stages(weight_bytes: Any, kv_bytes_per_stage: Any, stage_bytes: Any) -> Any:
    r"""Stages a model needs: weights are divided by them, the caches of a stage are not.

    .. math:: P = \left\lceil \frac{W}{M_{stage} - b\,L\,\mathrm{kv}} \right\rceil

    Parameters
    ----------
    weight_bytes : array         W. [bytes]
    kv_bytes_per_stage : array   Caches of one stage's share of micro-batches, b L kv. [bytes]
    stage_bytes : array          Memory of the chips of one stage. [bytes]

    Returns
    -------
    array   At least 1; inf where the caches alone fill the stage. [1]

    References
    ----------
    .. [1] Derived from the lecture, ch. 4 (claims C4-10, C4-11).

    Examples
    --------
    >>> float(fewest_stages(20e12, 0.0, 13.8e12)), float(fewest_stages(1e12, 5e12, 13.8e12))
    (2.0, 1.0)
    """
    left = maximum(stage_bytes - kv_bytes_per_stage, 0.0)
    whole = where(left > 0, -(-weight_bytes // where(left > 0, left, 1.0)), divide(1.0, 0.0))
    return maximum(whole, 1.0)
