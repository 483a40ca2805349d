r"""Where the members of a parallel group lie: how many share a fast domain."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import ceil, maximum, minimum

__all__ = ["members_in_domain"]


def members_in_domain(degree: Any, stride: Any, domain_size: Any) -> Any:
    r"""Members of a group that share a scale-up domain, where they are `stride` chips apart.

    .. math:: \max\left(1,\ \min\left(d,\ \lfloor S / s \rfloor\right)\right)

    Parameters
    ----------
    degree : array        Members of the group, d. [1]
    stride : array        Chips from one member to the next, s. [1]
    domain_size : array   Chips of a domain, S. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    Degrees that divide the domain fill it; of others the fullest domain is meant.

    References
    ----------
    .. [1] Derived: ranks are numbered with the first degree fastest.

    Examples
    --------
    Data parallelism beside tensor parallelism of 4 in boxes of 8 chips, and of 8:

    >>> float(members_in_domain(16, 4, 8)), float(members_in_domain(16, 8, 8))
    (2.0, 1.0)
    """
    return maximum(minimum(degree, -ceil(-domain_size / stride)), 1.0)
