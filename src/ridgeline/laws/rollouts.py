"""Sequences generated together for reinforcement learning: how many still run, when the last ends.

Steps of reinforcement learning wait for the longest sample. What is decoded at a position are the
sequences that are that long, so that one curve, the share of samples longer than x, gives the batch
at every step and the end.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum, minimum, namespace, where
from ridgeline.laws.budget import FORWARD_FLOPS, TRAINING_FLOPS

__all__ = [
    "any_running",
    "expected_longest_tokens",
    "live_sequences",
    "off_policy_step_s",
    "packed_sequences",
    "queued_steps",
    "rl_factor_at",
    "rl_flops_per_param_and_token",
]


def any_running(longer: Any, n: Any) -> Any:
    r"""Probability that at least one of n samples is still being generated.

    .. math:: 1 - (1 - S)^n

    Parameters
    ----------
    longer : array   Share of samples that are longer, S. [1]
    n : array        Samples. [1]

    Returns
    -------
    array   From 0 to 1. [1]

    Notes
    -----
    Lengths are independent; samples of one prompt are alike in truth, which ends the batch sooner.

    References
    ----------
    .. [1] Derived: the largest of n independent values.

    Examples
    --------
    Two samples, each longer with probability one half:

    >>> any_running(0.5, 2)
    0.75
    """
    return 1 - (1 - minimum(longer, 1.0)) ** n


def live_sequences(longer: Any, n: Any) -> Any:
    r"""Sequences that decode in a replica which still has any.

    .. math:: \frac{n S}{1 - (1 - S)^n}

    Parameters
    ----------
    longer : array   Share of samples that are longer, S. [1]
    n : array        Samples of the replica. [1]

    Returns
    -------
    array   From n, at the start, down to 1. [1]

    References
    ----------
    .. [1] Derived: the mean of a binomial number, given that it is not 0.

    Examples
    --------
    >>> round(live_sequences(0.5, 2), 4), live_sequences(1.0, 2)
    (1.3333, 2.0)
    """
    # Where nearly none is left the quotient is 1, and of rounding alone.
    s = minimum(maximum(longer, 1e-9), 1.0)
    return minimum(maximum(n * s / any_running(s, n), 1.0), maximum(n, 1.0))


def expected_longest_tokens(lengths: Any, n: Any) -> Any:
    r"""Expected length of the longest of n samples.

    .. math:: \sum_{i=1}^{k} x_i \left[(i / k)^n - ((i - 1) / k)^n\right]

    Parameters
    ----------
    lengths : array [k]   Equally likely lengths, growing, x. [tokens]
    n : number            Samples. [1]

    Returns
    -------
    number   Between mean and longest of the lengths. [tokens]

    Notes
    -----
    With fewer lengths than samples the tail is cut off: take several for each sample.

    References
    ----------
    .. [1] Derived: the distribution of the largest of n is the n-th power of that of one.

    Examples
    --------
    A coin for 100 or 200 tokens, twice: in three of four cases one is long.

    >>> import numpy as np
    >>> float(expected_longest_tokens(np.array([100.0, 200.0]), 2))
    175.0
    """
    xp = namespace(lengths)
    k = lengths.shape[-1]
    up_to = (xp.arange(k, dtype=xp.float64) + 1) / k
    return xp.sum(lengths * (up_to**n - (up_to - 1 / k) ** n), axis=-1)


def queued_steps(n: Any, slots: Any, mean_tokens: Any) -> Any:
    r"""Decode steps with every slot taken before the last samples have begun.

    .. math:: \frac{\max(n - m, 0)\,L}{m}

    Parameters
    ----------
    n : array             Samples of a replica. [1]
    slots : array         Of them, how many run at a time, m. [1]
    mean_tokens : array   Of a sample, L. [tokens]

    Returns
    -------
    array   0 where all run at once. [1]

    Notes
    -----
    The last m samples are then timed as if they began together: exact in tokens, and in time where
    all are equally long and n is a multiple of m. Where lengths spread, the end is a little late,
    since they began one after another; where they hardly do, up to one sample early, since the last
    round takes as long as the others, however few are in it.

    References
    ----------
    .. [1] Derived: m slots give m tokens a step.

    Examples
    --------
    >>> queued_steps(96, 64, 1000), queued_steps(32, 64, 1000)
    (500.0, 0.0)
    """
    m = minimum(slots, n)
    return maximum(n - m, 0) * mean_tokens / m


def packed_sequences(n: Any, mean_tokens: Any, share_long: Any, capacity_tokens: Any) -> Any:
    r"""Packed sequences that hold n samples.

    .. math:: \max\left(\frac{n L}{C},\ n\,q,\ 1\right)

    Parameters
    ----------
    n : array                 Samples. [1]
    mean_tokens : array       Of a sample, L. [tokens]
    share_long : array        Of the samples, those longer than half of C, q. [1]
    capacity_tokens : array   Of a packed sequence, C. [tokens]

    Returns
    -------
    array   Not rounded. [1]

    Notes
    -----
    The usual lower bound of bin packing: two samples longer than half never share. First-fit
    decreasing needs at most 11/9 of the fewest, and comes near them where samples are many.

    References
    ----------
    .. [1] D. S. Johnson et al., "Worst-case performance bounds for simple one-dimensional packing
       algorithms", 1974.

    Examples
    --------
    >>> packed_sequences(100, 1000, 0.1, 4000), packed_sequences(100, 3000, 0.9, 4000)
    (25.0, 90.0)
    """
    return maximum(maximum(n * mean_tokens / capacity_tokens, n * share_long), 1.0)


def off_policy_step_s(generation_s: Any, training_s: Any, sync_s: Any, steps_off: Any) -> Any:
    r"""Time from one update of the policy to the next.

    .. math:: g + t + u \quad (k = 0), \qquad \max(g, t) + u \quad (k \ge 1)

    Parameters
    ----------
    generation_s : array   Generation of a step's samples, g. [s]
    training_s : array     Log-probabilities and updates, t. [s]
    sync_s : array         New weights on their way to the generators, u. [s]
    steps_off : array      Updates that samples may be behind, k. [1]

    Returns
    -------
    array   [s]

    Notes
    -----
    With k of 1 or more both sides run at once, on chips of their own, and the faster one waits.
    Weights stop both. What larger k saves, the wait for the longest sample, is in g.

    References
    ----------
    .. [1] M. Noukhovitch et al., "Asynchronous RLHF", 2024, fig. 2: one-step off-policy.

    Examples
    --------
    >>> off_policy_step_s(60.0, 40.0, 5.0, 0), off_policy_step_s(60.0, 40.0, 5.0, 1)
    (105.0, 65.0)
    """
    apart = generation_s + training_s
    return where(steps_off > 0, maximum(generation_s, training_s), apart) + sync_s


def rl_flops_per_param_and_token(
    n_forward: Any, n_trained: Any, trained_flops: Any = TRAINING_FLOPS
) -> Any:
    r"""FLOPs of a step of reinforcement learning over parameters times tokens.

    .. math:: k = 2 + 2 f + c b

    Parameters
    ----------
    n_forward : array       Forward passes for log-probabilities and values, f. [1]
    n_trained : array       Models trained on the samples, b. [1]
    trained_flops : array   Of a model that is trained, c: 6, or 4 where its weights are frozen and
                            only adapters learn. [FLOP/token]

    Returns
    -------
    array   2 for the tokens' own generation alone. [1]

    Notes
    -----
    As if every token of a sample was generated: those of prompts were not, but read.

    References
    ----------
    .. [1] The lecture, ch. 5: between 2 (generated, and not trained on) and 6 (one forward and one
       backward pass); log-probabilities, and that training reads each sample once more, come on
       top.

    Examples
    --------
    >>> rl_flops_per_param_and_token(2, 1)  # GRPO with a reference policy
    12
    """
    return FORWARD_FLOPS * (1 + n_forward) + trained_flops * n_trained


def rl_factor_at(flops_per_param_and_token: Any, mfu: Any, decode_mfu: Any) -> Any:
    r"""FLOPs per parameter and token that cost as much at another MFU.

    .. math:: k' = k\,e' / e

    Parameters
    ----------
    flops_per_param_and_token : array   Of a whole step, k. [FLOP/token]
    mfu : array                         At which the step computes them, e. [1]
    decode_mfu : array                  At which they are to be counted, e'. [1]

    Returns
    -------
    array   What `laws.budget.rl_weight` takes beside that MFU. [FLOP/token]

    References
    ----------
    .. [1] Derived: chip-seconds are FLOPs over MFU and peak.

    Examples
    --------
    >>> rl_factor_at(12, 0.04, 0.01)
    3.0
    """
    return flops_per_param_and_token * decode_mfu / mfu
