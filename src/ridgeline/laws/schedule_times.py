r"""Time of a training step under GPipe, 1F1B and interleaved 1F1B where stages differ.

First and last stage have embedding, head and loss, and layers seldom divide, so that the slowest
stage sets the pace and the others are passed once, down and up. Stages are the last axis; links
too: link s joins stages s and s + 1, and the last one, of interleaved 1F1B alone, the last stage
and the first. A hop takes time and keeps no stage busy.

Each law is the longest of a few chains of passes. `ridgeline.trainer.timeline` times all passes;
the docstrings say how near the laws come.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum, minimum, where

__all__ = ["gpipe_time_s", "interleaved_time_s", "one_f_one_b_time_s"]


def _stages(values: Any, n_stages: int) -> list[Any]:
    """Each stage's numbers; those of all where there is one number."""
    if not getattr(values, "ndim", 0):
        return [values] * n_stages
    return [values[..., s] for s in range(n_stages)]


def _largest(values: list[Any]) -> Any:
    found = values[0]
    for value in values[1:]:
        found = maximum(found, value)
    return found


def gpipe_time_s(forward_s: Any, backward_s: Any, n_micro_batches: Any, hop_s: Any = 0.0) -> Any:
    r"""Time of a step under GPipe: all micro-batches forward, then all backward.

    .. math:: \sum_s (f_s + b_s) + (m - 1)(\max_s f_s + \max_s b_s) + 2 \sum_s h_s

    Parameters
    ----------
    forward_s : array [..., stage]    Of a micro-batch, f. [s]
    backward_s : array [..., stage]   Input and weight gradient, b. [s]
    n_micro_batches : array           m. [1]
    hop_s : array                     One number, or [..., link], h. [s]

    Returns
    -------
    array [...]   Exact. [s]

    References
    ----------
    .. [1] Derived: equal jobs in a flow shop, twice.

    Examples
    --------
    >>> import numpy as np
    >>> float(gpipe_time_s(np.array([1.0, 1.0, 2.0]), np.array([2.0, 2.0, 4.0]), 4))
    30.0
    """
    p = forward_s.shape[-1]
    f, b, h = _stages(forward_s, p), _stages(backward_s, p), _stages(hop_s, p)
    hops = sum(h[:-1], 0 * f[0])
    slowest = _largest(f) + _largest(b)
    return sum(f[1:], f[0]) + sum(b[1:], b[0]) + (n_micro_batches - 1) * slowest + 2 * hops


def one_f_one_b_time_s(
    forward_s: Any, backward_s: Any, n_micro_batches: Any, hop_s: Any = 0.0
) -> Any:
    r"""Time of a step under 1F1B: about the way through all stages, and the slowest for the rest.

    .. math:: \sum_s t_s + (m - 1) \max_s t_s, \quad t_s = f_s + b_s

    is the textbook's, up to 15% too long where stages differ much, and blind to hops. Here it is
    the longest, over all stages k, of: the way to stage k and back; and there all passes in turn
    (m t_k), or up to n trips to the last stage and back, E_k, of which each stands for p - k
    micro-batches: after the last stage's answer only stage k's next forward pass can start.

    .. math:: n E_k + (m - 1 - (n - 1)(p - k))\, t_k,
              \quad E_k = \sum_{s \ge k} t_s + 2 \sum_{s \ge k} h_s

    Parameters
    ----------
    forward_s : array [..., stage]    Of a micro-batch, f. [s]
    backward_s : array [..., stage]   Input and weight gradient, b. [s]
    n_micro_batches : array           m. [1]
    hop_s : array                     One number, or [..., link], h. [s]

    Returns
    -------
    array [...]   [s]

    Notes
    -----
    Never above the timeline. Exact for equal stages without hops, where it is (m + p - 1)(f + b).
    For up to twice the time on some stages within 1% below it, 0 in the median; with hops of a
    tenth of f within 2%.

    References
    ----------
    .. [1] Derived from the order of passes; Narayanan et al., arXiv:2104.04473, for equal stages.

    Examples
    --------
    The last of four stages takes twice as long: 3 + 8 x 2 of 3.

    >>> import numpy as np
    >>> f = np.array([1.0, 1.0, 1.0, 2.0])
    >>> float(one_f_one_b_time_s(f, 2 * f, 8))
    57.0

    Hops are not hidden: with h on each link a step of equal stages loses up to 2 h (p - 1) / p per
    micro-batch.

    >>> round(float(one_f_one_b_time_s(np.ones(4), 2 * np.ones(4), 400, 0.1)), 1)  # without: 1209
    1269.0
    """
    p = forward_s.shape[-1]
    m = n_micro_batches
    f, b, h = _stages(forward_s, p), _stages(backward_s, p), _stages(hop_s, p)
    way = [0 * f[0]]  # to a stage and back
    for s in range(p):
        way.append(way[-1] + f[s] + b[s] + (2 * h[s] if s < p - 1 else 0 * f[s]))
    found = []
    for k in range(p):
        span, trip, each = p - k, way[p] - way[k], f[k] + b[k]
        later = maximum(m - span, 0 * m)
        once = trip + maximum((m - 1) * b[k] + later * f[k], (m - 1) * f[k] + later * b[k])
        most = 1 + (m - 1) // span
        trips = trip * most + (m - 1 - (most - 1) * span) * each
        twice = where(most >= 2, 2 * trip + (m - 1 - span) * each, 0 * once)
        trips = where(most >= 2, trips, 0 * once)
        found.append(way[k] + _largest([m * each, once, twice, trips]))
    return _largest(found)


def interleaved_time_s(
    forward_s: Any, backward_s: Any, n_micro_batches: Any, n_chunks: Any, hop_s: Any = 0.0
) -> Any:
    r"""Time of a step under interleaved 1F1B.

    .. math:: m\,t_k + \sum_{s \ne k} t_s / v, \quad t_s = f_s + b_s

    with the slowest stage k is the plain form, up to 10% off where stages differ much. Here it is
    the longest chain, over all stages k, of: the way to stage k and back; and there all passes in
    turn, or first the chunks before the last one, which go round at the pace of the slowest stage
    or of the way round, a trip to the last stage and back, what is left in turn, and the same at
    the end.

    Parameters
    ----------
    forward_s : array [..., stage]    Of a micro-batch, all chunks, f. [s]
    backward_s : array [..., stage]   Input and weight gradient, b. [s]
    n_micro_batches : array           m, a multiple of p. [1]
    n_chunks : array                  v, of equal time. [1]
    hop_s : array                     One number, or [..., link], h. [s]

    Returns
    -------
    array [...]   [s]

    Notes
    -----
    Exact for equal stages, hops included as long as they hide in the time of a pass. For up to
    twice the time on some stages between 4% below the timeline and 1% above, 0 in the median.

    References
    ----------
    .. [1] Derived from the order of passes; Narayanan et al., arXiv:2104.04473, for equal stages.

    Examples
    --------
    Equal stages: m (f + b) + (p - 1)(f + b) / v.

    >>> import numpy as np
    >>> float(interleaved_time_s(np.ones(4), 2 * np.ones(4), 8, 3))
    27.0
    """
    p = forward_s.shape[-1]
    v, n_all = n_chunks, n_micro_batches * n_chunks
    f = [one / v for one in _stages(forward_s, p)]
    b = [one / v for one in _stages(backward_s, p)]
    h = _stages(hop_s, p)
    hops = sum(h[1:], h[0]) if p > 2 else 2 * (p - 1) * h[0]  # all the way round
    round_f = (v - 1) * maximum(p * _largest(f), sum(f[1:], f[0]) + hops)
    round_b = (v - 1) * maximum(p * _largest(b), sum(b[1:], b[0]) + hops)
    way = [0 * f[0]]
    for s in range(p):
        way.append(way[-1] + f[s] + b[s] + (2 * h[s] if s < p - 1 else 0 * f[s]))
    found = []
    for k in range(p):
        warm = minimum(2 * (p - k - 1) + (v - 1) * p, n_all)
        trip, each = way[p] - way[k], f[k] + b[k]
        later = maximum(n_all - warm - 1, 0 * n_all)
        one = round_f + trip + (n_all - 1 - (v - 1) * p) * b[k] + later * f[k] + round_b
        start = round_f + trip + (n_all - 1) * b[k] + later * f[k]
        end = (n_all - 1) * f[k] + later * b[k] + trip + round_b
        both = round_f + 2 * trip + (n_all - warm - 2) * each + round_b
        both = where(n_all >= warm + 2, both, 0 * both)
        found.append(way[k] + _largest([n_all * each, one, start, end, both]))
    return _largest(found)
