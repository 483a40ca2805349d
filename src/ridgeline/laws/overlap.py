"""Exchanges of experts that run beside arithmetic: two micro-batches in flight."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum

__all__ = ["two_batch_time_s"]


def two_batch_time_s(around_s: Any, experts_s: Any, dispatch_s: Any, combine_s: Any) -> Any:
    r"""Time of a layer with experts where each half of the batch exchanges beside the other.

    .. math:: t = \max(a, d) + \max(e, d) + \max(e, c) + \max(a, c)

    Parameters
    ----------
    around_s : array     What one half of the batch does before and after its experts: attention,
                         norms, router, shared experts, a. [s]
    experts_s : array    Its routed experts, e. [s]
    dispatch_s : array   Its tokens on their way to them, d. [s]
    combine_s : array    The results on their way back, c. [s]

    Returns
    -------
    array   Of both halves. Not less than ``2 (a + e)``, nor than ``2 (d + c)``; not more than all
            of it one after another. [s]

    Notes
    -----
    Chips multiply for one half at a time, and so does the network send. In turn: attention of the
    first half beside the dispatch of the second; experts of the second beside the dispatch of the
    first; experts of the first beside the combine of the second; attention of the second beside
    the combine of the first. Sums over equal layers obey the same law. That exchanges take compute
    units from what runs beside them is not in it; those for latency need none while data is on its
    way. DeepSeek and SGLang cut attention in two while decoding, to even out the turns.

    References
    ----------
    .. [1] vLLM, docs/design/dbo.md: the order of turns.
    .. [2] DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, sec. 3.4; profile-data, 2025.

    Examples
    --------
    Attention outlasts both exchanges, experts only the dispatch:

    >>> two_batch_time_s(30.0, 9.0, 7.5, 15.0)
    84.0

    Nothing to send, nothing gained; all time on the network, all of it spent:

    >>> two_batch_time_s(30.0, 9.0, 0.0, 0.0), two_batch_time_s(0.0, 0.0, 7.5, 15.0)
    (78.0, 45.0)
    """
    first = maximum(around_s, dispatch_s) + maximum(experts_s, dispatch_s)
    return first + maximum(experts_s, combine_s) + maximum(around_s, combine_s)
