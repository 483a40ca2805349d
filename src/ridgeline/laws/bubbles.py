r"""Bubbles of pipeline schedules in closed form.

Between the forward and the backward pass of a batch a pipeline has to stop. How long it idles then
depends on the order of its passes alone; `ridgeline.trainer.timeline` has those orders. The bubble
is what the stage with the most of it idles between its first and its last pass.

Symbols: p stages; m micro-batches; v chunks per stage; f, b, w the times of forward, input gradient
and weight gradient of one micro-batch on one stage, all its chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.laws._namespace import maximum, where

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "bubble_s",
    "bubble_share",
    "dualpipe_bubble_s",
    "interleaved_bubble_s",
    "one_f_one_b_bubble_s",
    "v_half_bubble_s",
    "v_min_bubble_s",
    "zb_h1_bubble_s",
    "zb_h2_bubble_s",
    "zb_v_bubble_s",
]


def one_f_one_b_bubble_s(
    n_stages: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of GPipe and of 1F1B, which differ in memory alone.

    .. math:: (p - 1)(f + b + w)

    Parameters
    ----------
    n_stages : array                                              p. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        f, b, w. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Equal stages, any number of micro-batches, and hops that take no time. Of the step's time it is
    the share (p - 1) / (m + p - 1).

    References
    ----------
    .. [1] Huang et al., GPipe, arXiv:1811.06965; Narayanan et al., arXiv:2104.04473, sec. 2.2.1.
    .. [2] The lecture, ch. 3 (the textbook form of the bubble).

    Examples
    --------
    Four stages and eight micro-batches: 3 of 11.

    >>> bubble = one_f_one_b_bubble_s(4, 1.0, 1.0, 1.0)
    >>> bubble, bubble_share(bubble, 8 * 3.0) == 3 / 11
    (9.0, True)
    """
    return (n_stages - 1) * (forward_s + input_gradient_s + weight_gradient_s)


def interleaved_bubble_s(
    n_stages: Any, n_chunks: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of interleaved 1F1B: the first micro-batch reaches the last stage v times sooner.

    .. math:: (p - 1)(f + b + w) / v

    Parameters
    ----------
    n_stages, n_chunks : array                                    p, v. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        Of all chunks, f, b, w. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Equal chunks, micro-batches a multiple of the stages, hops that take no time: each of them comes
    v times as often.

    References
    ----------
    .. [1] Narayanan et al., arXiv:2104.04473, sec. 2.2.2.

    Examples
    --------
    >>> interleaved_bubble_s(4, 3, 1.0, 1.0, 1.0)
    3.0
    """
    return one_f_one_b_bubble_s(n_stages, forward_s, input_gradient_s, weight_gradient_s) / n_chunks


def zb_h1_bubble_s(
    n_stages: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of ZB-H1: weight gradients, for which nobody waits, fill the end of the step.

    .. math:: (p - 1)(f + b - w)

    Parameters
    ----------
    n_stages : array                                              p. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        f, b, w. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Equal stages, w no longer than f and b, at least p micro-batches.

    References
    ----------
    .. [1] Qi et al., arXiv:2401.10241, sec. 2.

    Examples
    --------
    A third of 1F1B's where the three take as long.

    >>> zb_h1_bubble_s(4, 1.0, 1.0, 1.0)
    3.0
    """
    return (n_stages - 1) * (forward_s + input_gradient_s - weight_gradient_s)


def zb_h2_bubble_s(
    n_stages: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of ZB-H2: twice as many forward passes before the first backward pass.

    .. math:: \max(0,\ (p - 1)(f + b - 2 w))

    Parameters
    ----------
    n_stages : array                                              p. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        f, b, w. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Equal stages, w no longer than f and b, at least 2p - 1 micro-batches. Between a stage's own
    first and last pass: see `schedules.wait_for_all_s`.

    References
    ----------
    .. [1] Qi et al., arXiv:2401.10241, sec. 2.

    Examples
    --------
    >>> round(zb_h2_bubble_s(4, 1.0, 1.2, 0.8), 3), zb_h2_bubble_s(4, 1.0, 1.0, 1.0)
    (1.8, 0.0)
    """
    found = (n_stages - 1) * (forward_s + input_gradient_s - 2 * weight_gradient_s)
    return maximum(found, 0 * found)


def zb_v_bubble_s(
    n_stages: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of ZB-V: none where the three take as long, in the memory of 1F1B.

    .. math:: (p - 1)\,(\max(f, b, w) - w)

    Parameters
    ----------
    n_stages : array                                              p. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        Of both chunks, f, b, w. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Published is the zero for equal times; what unequal ones leave is read off the timeline: where w
    is the shortest, it is never more and seldom less. Otherwise the timeline answers. At least
    2p - 1 micro-batches; between a stage's own first and last pass: see
    `schedules.wait_for_all_s`.

    References
    ----------
    .. [1] Qi et al., arXiv:2405.15362 and arXiv:2401.10241 (first version), ZB-V.

    Examples
    --------
    >>> zb_v_bubble_s(4, 1.0, 1.0, 1.0), round(zb_v_bubble_s(4, 1.0, 1.2, 0.8), 3)
    (0.0, 1.2)
    """
    longest = maximum(maximum(forward_s, input_gradient_s), weight_gradient_s)
    return (n_stages - 1) * (longest - weight_gradient_s)


def v_half_bubble_s(
    n_stages: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of V-Half, which holds half of the activations of 1F1B: half of its bubble, too.

    .. math:: (3 p - 3 - (p \bmod 2))\,(f + b + w) / 6

    Parameters
    ----------
    n_stages : array                                              p. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        Of both chunks, f, b, w. [s]

    Returns
    -------
    array   At least 0. [s]

    Notes
    -----
    Holds where f, b and w are equal; published as a share of about p / (2 m). Where they are not,
    each micro-batch may lose time (it does unless w + 2b >= 2f and w + 2f >= 2b): ask the timeline.

    References
    ----------
    .. [1] Qi et al., arXiv:2405.15362; the exact number of passes from its building block.

    Examples
    --------
    >>> v_half_bubble_s(4, 1.0, 1.0, 1.0), v_half_bubble_s(5, 1.0, 1.0, 1.0)
    (4.5, 5.5)
    """
    n_passes = 3 * n_stages - 3 - n_stages % 2
    one = (forward_s + input_gradient_s + weight_gradient_s) / 6
    return maximum(n_passes, 0 * n_passes) * one


def v_min_bubble_s(
    n_stages: Any, forward_s: Any, input_gradient_s: Any, weight_gradient_s: Any
) -> Any:
    r"""Bubble of V-Min, which holds a third of the activations of 1F1B: two thirds of its bubble.

    .. math:: (4 p - 5 + 2\,[3 \mid p])\,(f + b + w) / 6

    Parameters
    ----------
    n_stages : array                                              p. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        Of both chunks, f, b, w. [s]

    Returns
    -------
    array   At least 0. [s]

    Notes
    -----
    Holds where f, b and w are equal; published as a share of about 2 p / (3 m). Where they are not,
    every micro-batch loses time, so that the bubble grows with their number: ask the timeline.

    References
    ----------
    .. [1] Qi et al., arXiv:2405.15362; the exact number of passes from its building block.

    Examples
    --------
    >>> v_min_bubble_s(4, 1.0, 1.0, 1.0), v_min_bubble_s(6, 1.0, 1.0, 1.0)
    (5.5, 10.5)
    """
    n_passes = 4 * n_stages - where(n_stages % 3 == 0, 0 * n_stages + 3, 0 * n_stages + 5)
    one = (forward_s + input_gradient_s + weight_gradient_s) / 6
    return maximum(n_passes, 0 * n_passes) * one


def dualpipe_bubble_s(
    n_stages: Any,
    forward_s: Any,
    input_gradient_s: Any,
    weight_gradient_s: Any,
    pair_s: Any = None,
) -> Any:
    r"""Bubble of DualPipe: micro-batches enter at both ends of the pipeline.

    .. math:: \max(0,\ (p / 2 - 1)(t + b - 2 w))

    Parameters
    ----------
    n_stages : array                                              p, even. [1]
    forward_s, input_gradient_s, weight_gradient_s : array        f, b, w. [s]
    pair_s : array or None                                        Of a forward and a backward pass
                                                                  that run as one, t; f + b + w if
                                                                  None. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Published as (p/2 - 1)(F&B + B - 3W), where B is the whole backward pass, b + w. Equal stages,
    f, b and w about equal, at least 2p micro-batches. DualPipeV on p stages, of two chunks each, is
    DualPipe on 2p stages of half the time: (p - 1)(t + b - 2 w) / 2.

    References
    ----------
    .. [1] DeepSeek-V3 Technical Report, arXiv:2412.19437, table 2; deepseek-ai/DualPipe.

    Examples
    --------
    >>> dualpipe_bubble_s(8, 1.0, 1.0, 1.0)
    6.0
    """
    pair = forward_s + input_gradient_s + weight_gradient_s if pair_s is None else pair_s
    found = (n_stages / 2 - 1) * (pair + input_gradient_s - 2 * weight_gradient_s)
    return maximum(found, 0 * found)


def bubble_s(
    schedule: str,
    n_stages: Any,
    n_chunks: Any,
    forward_s: Any,
    input_gradient_s: Any,
    weight_gradient_s: Any,
    pair_s: Any = None,
) -> Any:
    """Bubble of a schedule by name, from `fewest_micro_batches` on.

    Parameters
    ----------
    schedule : str                                           A name of `SCHEDULES`.
    n_stages, n_chunks : array                               p, v. [1]
    forward_s, input_gradient_s, weight_gradient_s : array   f, b, w. [s]
    pair_s : array or None                                   See `dualpipe_bubble_s`. [s]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] See the law of each schedule.

    Examples
    --------
    >>> [bubble_s(name, 8, 2, 1.0, 1.0, 1.0) for name in ("1f1b", "zb-h1", "dualpipev")]
    [21.0, 7.0, 7.0]
    """
    times = (forward_s, input_gradient_s, weight_gradient_s)
    if schedule == "interleaved":
        return interleaved_bubble_s(n_stages, n_chunks, *times)
    if schedule == "dualpipe":
        return dualpipe_bubble_s(n_stages, *times, pair_s)
    if schedule == "dualpipev":
        return dualpipe_bubble_s(2 * n_stages, *times, pair_s) / 2
    return _BUBBLES[schedule](n_stages, *times)


_BUBBLES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "gpipe": one_f_one_b_bubble_s,
    "1f1b": one_f_one_b_bubble_s,
    "zb-h1": zb_h1_bubble_s,
    "zb-h2": zb_h2_bubble_s,
    "zb-v": zb_v_bubble_s,
    "v-half": v_half_bubble_s,
    "v-min": v_min_bubble_s,
}


def bubble_share(bubble_s: Any, busy_s: Any) -> Any:
    """Share of a step in which a stage idles.

    Parameters
    ----------
    bubble_s : array   [s]
    busy_s : array     Of all micro-batches, m (f + b + w). [s]

    Returns
    -------
    array   [1]

    Notes
    -----
    Of the step's time. Some papers print bubble over busy time, which is larger: for 1F1B
    (p - 1) / m.

    References
    ----------
    .. [1] The lecture, ch. 3.

    Examples
    --------
    >>> bubble_share(9.0, 24.0) == 3 / 11
    True
    """
    return bubble_s / (bubble_s + busy_s)
