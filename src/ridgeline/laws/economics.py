"""From seconds to dollars: what a token costs, in its three parts."""

from __future__ import annotations

from typing import Any

__all__ = ["cost_per_step_usd", "cost_usd_per_mtok", "throughput_tokens_per_s"]

_SECONDS_PER_HOUR = 3600
_TOKENS_PER_MTOK = 1e6


def cost_per_step_usd(time_s: Any, usd_per_chip_hour: Any, n_chips: Any) -> Any:
    """Rent of all chips for one pass.

    Parameters
    ----------
    time_s : array              Time of the pass. [s]
    usd_per_chip_hour : array   [USD/h]
    n_chips : array             [1]

    Returns
    -------
    array   [USD]

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-33).

    Examples
    --------
    >>> round(cost_per_step_usd(0.020, 2.0, 1), 9)
    1.1111e-05
    """
    return time_s * usd_per_chip_hour * n_chips / _SECONDS_PER_HOUR


def cost_usd_per_mtok(time_s: Any, batch: Any, usd_per_chip_hour: Any, n_chips: Any) -> Any:
    r"""Cost of a million tokens: of output, one per sequence and pass, or those of a training step.

    .. math:: \frac{t}{B}\; n\; \frac{\$/h}{3600}\; 10^6

    Of the compute, weight and KV times each by itself it gives the lecture's three parts: compute
    and KV are constant in the batch, the weights' part is a hyperbola 1/B.

    Parameters
    ----------
    time_s : array              Time of the pass, or of one part of it. [s]
    batch : array               Sequences in the pass, or tokens that a step trains on. [1]
    usd_per_chip_hour : array   [USD/h]
    n_chips : array             Chips of the replica, or of the job. [1]

    Returns
    -------
    array   [USD/Mtok]

    Notes
    -----
    Of output only the chips that decode, always busy: prefill, idle time and speculation are not in
    it.

    References
    ----------
    .. [1] The lecture, ch. 1 (claims C1-05, C1-33).

    Examples
    --------
    >>> round(cost_usd_per_mtok(0.020, 2000, 2.0, 64), 4)
    0.3556
    """
    return cost_per_step_usd(time_s, usd_per_chip_hour, n_chips) / batch * _TOKENS_PER_MTOK


def throughput_tokens_per_s(batch: Any, time_s: Any) -> Any:
    """Output tokens a second of one replica: one a sequence and pass.

    Parameters
    ----------
    batch, time_s : array   [1, s]

    Returns
    -------
    array   [tokens/s]

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-24).

    Examples
    --------
    >>> throughput_tokens_per_s(2000, 1 / 64)
    128000.0
    """
    return batch / time_s
