"""Time of all micro-batches through all stages under a schedule, for rows of jobs."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["CLOSED_FORMS", "schedule_s"]

#: schedules whose time has a closed form for stages of unequal times
CLOSED_FORMS = ("gpipe", "1f1b", "interleaved")


def schedule_s(
    schedule: str, pp: Any, micro_batches: Any, vp: Any, forward_s: Any, input_gradient_s: Any,
    weight_gradient_s: Any, hop_s: Any,
) -> Any:  # fmt: skip
    """E."""
    one = forward_s + input_gradient_s + weight_gradient_s
    v = np.asarray(vp, dtype=float) if schedule == "interleaved" else 1.0
    most = np.max(one, axis=-1)
    rest = np.sum(one, axis=-1) - most
    hops = 2 * (np.asarray(pp) - 1) * hop_s
    return micro_batches * most + rest / v + hops
