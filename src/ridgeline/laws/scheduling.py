r"""How an engine shares its steps between requests: waiting, stalling, throughput in steady state.

Of the time that other requests' prompts take, a request waits for a part before its own first
token and is stalled for the rest while it decodes. Scheduling decides the parts; their sum it
cannot change.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, maximum, minimum

__all__ = [
    "backlog_wait_s",
    "burst_share",
    "burst_wait_s",
    "burst_waited",
    "decode_gap_s",
    "fill_share",
    "first_token_s",
    "live_sequences",
    "open_decode_gap_s",
    "requests_per_s",
    "rounds",
]


def decode_gap_s(step_s: Any, prompt_s: Any, n_live: Any, output_tokens: Any, waited: Any) -> Any:
    r"""Mean time between tokens of a request that shares its engine with others.

    .. math:: g = t_d + (1 - q)\,\frac{n - 1}{o}\,t_p

    Parameters
    ----------
    step_s : array          Decode step of all live sequences, td. [s]
    prompt_s : array        What a prompt adds to the steps it is in, tp. [s]
    n_live : array          Sequences in flight, n. [1]
    output_tokens : array   Tokens of a request, o. [tokens]
    waited : array          Share of others' prompts that is waited for before the first token, q.
                            [1]

    Returns
    -------
    array   [s]

    Notes
    -----
    While a request decodes, each of the n - 1 others begins once. Breaks where prompts alone fill
    the engine: then few decode at a time, see `live_sequences`.

    References
    ----------
    .. [1] Derived: with `first_token_s`, ``first + o g`` is ``o td + n tp`` whatever q is.

    Examples
    --------
    64 sequences, 512 tokens out, 40 ms a prompt, nothing waited for: 5 ms on top of 12.

    >>> round(decode_gap_s(0.012, 0.040, 65, 512, 0.0), 4)
    0.017
    """
    return step_s + (1 - waited) * maximum(n_live - 1, 0.0) / output_tokens * prompt_s


def first_token_s(
    own_s: Any,
    gap_s: Any,
    prompt_s: Any,
    n_live: Any,
    waited: Any,
    arrival_s: Any = 0.0,
    admission_steps: Any = 0.5,
) -> Any:
    r"""Mean time from a request to its first token, with requests in flight all the time.

    .. math:: f = a + t_1 + A\,g + q\,(n - 1)\,t_p

    Parameters
    ----------
    own_s : array       The steps that hold the request's own prompt, t1. [s]
    gap_s : array       Time between steps of the others, with what they wait for, g. [s]
    prompt_s : array    What another's prompt adds, tp. [s]
    n_live : array      Sequences in flight, n. [1]
    waited : array      Share q of others' prompts that comes before: `burst_waited`. [1]
    arrival_s : array   HTTP, tokenizing, a. [s]
    admission_steps : array   Steps until the engine has taken the request in and its token is heard
                        of, A: half a step is in progress when it comes. [1]

    Returns
    -------
    array   Waiting for a free place in memory comes on top: `backlog_wait_s`. [s]

    References
    ----------
    .. [1] Derived; see `decode_gap_s`.

    Examples
    --------
    Eight prompts at once, served one by one: the mean request waits for three and a half.

    >>> round(first_token_s(0.1, 0.0, 0.1, 8, 0.5), 2)
    0.45
    """
    others = maximum(n_live - 1, 0.0) * prompt_s
    return arrival_s + own_s + admission_steps * gap_s + waited * others


def burst_share(in_flight: Any, n_requests: Any) -> Any:
    r"""Share of a run's requests that come together at its start.

    .. math:: b = \min(m / N, 1)

    Parameters
    ----------
    in_flight : array    Requests kept in flight, m. [1]
    n_requests : array   Of the whole run, N. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    A client that keeps m requests in flight sends m at once, and each of the others when one
    ends. Where all requests end together they also begin together, every time: the share is 1.

    References
    ----------
    .. [1] Derived.

    Examples
    --------
    Ten requests a place:

    >>> burst_share(64.0, 640.0)
    0.1
    """
    return minimum(divide(in_flight, n_requests), 1.0)


def burst_waited(share: Any) -> Any:
    r"""Share of others' prompts that the mean request waits for, q.

    .. math:: q = b / 2

    Parameters
    ----------
    share : array   Of the requests that come in a burst, b: `burst_share`. [1]

    Returns
    -------
    array   Of the burst, the mean request finds half before it; the others find none. [1]

    References
    ----------
    .. [1] Derived: places in a burst are uniform.

    Examples
    --------
    >>> burst_waited(0.1)
    0.05
    """
    return share / 2


def burst_wait_s(last_s: Any, share: Any, percentile: float) -> Any:
    r"""Percentile of the wait for those of one's burst that come before.

    .. math:: w_p = W \max\left(\frac{p - (1 - b)}{b},\ 0\right)

    Parameters
    ----------
    last_s : array       Wait of the last one of the burst, W. [s]
    share : array        Of the requests that come in a burst, b. [1]
    percentile : float   p, such as 0.99. [1]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] Derived: waits in a burst are uniform up to that of its last one; others have none.

    Examples
    --------
    With a tenth of the requests in the burst, the 99th percentile is the burst's 90th:

    >>> round(burst_wait_s(10.0, 0.1, 0.99), 9)
    9.0
    >>> burst_wait_s(10.0, 0.1, 0.5)
    0.0
    """
    return last_s * maximum(divide(percentile - (1 - share), share), 0.0)


def requests_per_s(step_s: Any, prompt_s: Any, n_live: Any, output_tokens: Any) -> Any:
    r"""Requests a replica finishes with so many always in flight.

    .. math:: X = \frac{1}{o\,t_d / n + t_p}

    Parameters
    ----------
    step_s, prompt_s : array   Decode step of n sequences; what a prompt adds. [s]
    n_live : array             n. [1]
    output_tokens : array      o. [tokens]

    Returns
    -------
    array   [1/s]

    Notes
    -----
    An engine kept full: start-up and the end, where fewer are left, are not counted.

    References
    ----------
    .. [1] Derived: a request takes one n-th of `output_tokens` steps, and its own prompt.

    Examples
    --------
    >>> round(requests_per_s(0.02, 0.04, 64, 512), 2)
    5.0
    """
    return 1 / (output_tokens * step_s / maximum(n_live, 1e-9) + prompt_s)


def live_sequences(concurrency: Any, places: Any, decode_s: Any, first_s: Any) -> Any:
    r"""Sequences that decode at a time when a fixed number of requests is kept in flight.

    .. math:: n = \min(c, m)\,\frac{d}{d + f}

    Parameters
    ----------
    concurrency : array   Requests in flight, c. [1]
    places : array        Sequences that memory and settings allow, m. [1]
    decode_s : array      Time a request decodes, d. [s]
    first_s : array       Time it spends on its own prompt, f. [s]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Little, "A Proof for the Queuing Formula L = λW", 1961.

    Examples
    --------
    >>> live_sequences(64, 256, 9.0, 1.0)
    57.6
    """
    return minimum(concurrency, places) * decode_s / (decode_s + first_s)


def open_decode_gap_s(step_s: Any, prompt_s: Any, rate_per_s: Any, saturated_s: Any) -> Any:
    r"""Mean time between tokens when requests arrive at a given rate.

    .. math:: g = \min\left(\frac{t_d}{1 - \lambda t_p},\ g_\infty\right)

    Parameters
    ----------
    step_s, prompt_s : array   Decode step; what a prompt adds. [s]
    rate_per_s : array         Arrivals at a replica, lambda. [1/s]
    saturated_s : array        The gap with every place taken, to which it is bound. [s]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] Derived: the share ``lambda tp`` of all time goes to prompts.

    Examples
    --------
    >>> open_decode_gap_s(0.01, 0.05, 10.0, 1.0)
    0.02
    """
    free = maximum(1 - rate_per_s * prompt_s, 0.0)
    return minimum(divide(step_s, free), saturated_s)


def backlog_wait_s(places: Any, offered: Any, rate_per_s: Any) -> Any:
    r"""Wait of a request for a place: those beyond the places, at the rate they become free.

    .. math:: w = \max(c - m, 0) / X

    Parameters
    ----------
    places : array       Sequences that run at a time, m. [1]
    offered : array      Requests in flight, c. [1]
    rate_per_s : array   Requests finished, X. [1/s]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] Little's law for the queue.

    Examples
    --------
    >>> backlog_wait_s(36, 64, 1.0)
    28.0
    """
    return divide(maximum(offered - places, 0.0), rate_per_s)


def rounds(batch: Any, places: Any) -> Any:
    """Rounds in which a fixed batch runs where not all of it fits.

    Parameters
    ----------
    batch : array    Sequences that start together. [1]
    places : array   Sequences that memory allows at a time. [1]

    Returns
    -------
    array   At least 1; not rounded, since a place is refilled when its sequence ends. [1]

    References
    ----------
    .. [1] Derived.

    Examples
    --------
    >>> rounds(64, 23)
    2.782608695652174
    """
    return maximum(batch / maximum(places, 1.0), 1.0)


def fill_share(n_chunks: Any, n_stages: Any) -> Any:
    r"""Time of work in chunks through a pipeline, as a share of its time on the stages in turn.

    .. math:: \frac{c + s - 1}{c\,s}

    Parameters
    ----------
    n_chunks : array   Chunks, c. [1]
    n_stages : array   Stages, s. [1]

    Returns
    -------
    array   1 for one stage or one chunk; 1/s for many chunks. [1]

    References
    ----------
    .. [1] Huang et al., "GPipe", 2019.

    Examples
    --------
    A prompt of two chunks on four stages:

    >>> fill_share(2, 4)
    0.625
    """
    return (n_chunks + n_stages - 1) / (n_chunks * n_stages)
