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

from ridgeline.laws._namespace import ceil, maximum, minimum, namespace, where

__all__ = ["gpipe_time_s", "interleaved_time_s", "one_f_one_b_time_s"]


class _Stages:
    """Stages of each row, and reductions over them."""

    def __init__(self, example: Any, n_stages: Any) -> None:
        self.xp = namespace(example)
        n = example.shape[-1]
        #: stages of a row, and which of them it is, from 0
        self.p = n if n_stages is None else _beside(n_stages)
        self.k = self.xp.arange(n, dtype=self.xp.float64)
        self.there = None if n_stages is None else self.k < self.p

    def own(self, values: Any) -> Any:
        """The same, 0 past a row's last stage."""
        return values if self.there is None else where(self.there, values, 0.0)

    def links(self, hop_s: Any, n_links: Any) -> Any:
        """Hops over the link behind each stage, of the first so many links."""
        return where(self.k < n_links, hop_s, 0 * hop_s)

    def before(self, values: Any) -> Any:
        """Of all stages before each."""
        running = getattr(self.xp, "cumsum", None) or self.xp.cumulative_sum
        return running(values, axis=-1) - values

    def total(self, values: Any) -> Any:
        """Of all stages, kept as one."""
        return self.xp.sum(values, axis=-1, keepdims=True)

    def most(self, values: Any) -> Any:
        """Of all stages, kept as one."""
        return self.xp.max(values, axis=-1, keepdims=True)


def _beside(values: Any) -> Any:
    """Numbers of rows beside an axis of stages."""
    return values[..., None] if getattr(values, "ndim", 0) else values


def gpipe_time_s(
    forward_s: Any,
    backward_s: Any,
    n_micro_batches: Any,
    hop_s: Any = 0.0,
    n_stages: Any = None,
) -> Any:
    r"""Time of a step under GPipe: all micro-batches forward, then all backward.

    .. math:: \sum_s (f_s + b_s) + (m - 1)(\max_s f_s + \max_s b_s) + 2 \sum_s h_s

    Parameters
    ----------
    forward_s : array [..., stage]    Of a micro-batch, f. [s]
    backward_s : array [..., stage]   Input and weight gradient, b. [s]
    n_micro_batches : array           m. [1]
    hop_s : array                     One number, or [..., link], h. [s]
    n_stages : array or None          p, where rows differ in it: what is past a row's last stage
                                      is not looked at. None: all there are. [1]

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
    on = _Stages(forward_s, n_stages)
    f, b = on.own(forward_s), on.own(backward_s)
    slowest = on.most(f) + on.most(b)
    way = on.total(f + b + on.links(2 * hop_s, on.p - 1))
    return (way + (_beside(n_micro_batches) - 1) * slowest)[..., 0]


def one_f_one_b_time_s(
    forward_s: Any,
    backward_s: Any,
    n_micro_batches: Any,
    hop_s: Any = 0.0,
    n_stages: Any = None,
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
    n_stages : array or None          p, where rows differ in it: what is past a row's last stage
                                      is not looked at. None: all there are. [1]

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
    on = _Stages(forward_s, n_stages)
    m = _beside(n_micro_batches)
    f, b = on.own(forward_s), on.own(backward_s)
    each = f + b
    step = each + on.links(2 * hop_s, on.p - 1)
    way = on.before(step)  # to a stage and back
    whole = on.total(step)
    span = maximum(on.p - on.k, 1)
    later = maximum(m - span, 0 * m)
    # A trip is what the way leaves of the whole.
    once = whole + maximum((m - 1) * b + later * f, (m - 1) * f + later * b)
    most = 1 - ceil((1 - m) / span)
    trip = whole - way
    trips = trip * (most - 1) + (m - 1 - (most - 1) * span) * each
    twice = whole + maximum(trip + (m - 1 - span) * each, trips)
    found = maximum(way + m * each, where(most >= 2, maximum(once, twice), once))
    return where(on.p == 1, m * whole, on.most(on.own(found)))[..., 0]


def interleaved_time_s(
    forward_s: Any,
    backward_s: Any,
    n_micro_batches: Any,
    n_chunks: Any,
    hop_s: Any = 0.0,
    n_stages: Any = None,
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
    n_stages : array or None          p, where rows differ in it: what is past a row's last stage
                                      is not looked at. None: all there are. [1]

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
    on = _Stages(forward_s, n_stages)
    p, v, n_all = on.p, _beside(n_chunks), _beside(n_micro_batches * n_chunks)
    f, b = on.own(forward_s / _beside(n_chunks)), on.own(backward_s / _beside(n_chunks))
    # All the way round: of two stages there is one link.
    hops = where(p > 2, 1, 2 * (p - 1)) * on.total(on.links(hop_s, where(p > 2, p, 1)))
    round_f = (v - 1) * maximum(p * on.most(f), on.total(f) + hops)
    round_b = (v - 1) * maximum(p * on.most(b), on.total(b) + hops)
    each = f + b
    step = each + on.links(2 * hop_s, on.p - 1)
    way, whole = on.before(step), on.total(step)
    left = n_all - minimum(2 * (p - on.k - 1) + (v - 1) * p, n_all)
    later = maximum(left - 1, 0 * left)
    first = maximum(round_f + round_b + (n_all - 1 - (v - 1) * p) * b, round_f + (n_all - 1) * b)
    once = maximum(first + later * f, (n_all - 1) * f + later * b + round_b)
    twice = (whole - way) + (left - 2) * each + (round_f + round_b)
    once = whole + where(left >= 2, maximum(once, twice), once)
    found = on.most(on.own(maximum(way + n_all * each, once)))
    return where(p == 1, n_all * whole, found)[..., 0]
