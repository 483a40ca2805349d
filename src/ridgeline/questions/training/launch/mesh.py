"""Degrees as meshes of chips inside a domain and of domains, as MaxText wants them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.trainer.job import TrainingJob

__all__ = ["mesh"]


def mesh(job: TrainingJob, known: Mapping[str, Any]) -> dict[str, Any]:
    """How much of each degree lies inside a scale-up domain, and how much across domains.

    Data-parallel ranks are those that share parameters out (``fsdp``), of them those that experts
    are spread over (``expert``), and copies (``data``).

    Parameters
    ----------
    job : TrainingJob
    known : mapping     Degrees, and ``dp_shard`` and ``dp_replicate``.

    Returns
    -------
    mapping   ``tp_inside``, ``tp_across`` and so on; ``mesh_is_cut`` where the degrees do not fill
              a domain.
    """
    n_chips = math.prod(known[name] for name in ("tp", "cp", "dp", "pp"))
    room = min(job.cluster.domain_size, n_chips)
    sharded = known["zero_3"]
    shards, ep = known["dp_shard"] if sharded else 1, known["ep"]
    experts, over = divmod(shards, ep)
    data = {
        "expert": 1 if over else ep,
        "fsdp": shards if over else experts,
        "data": known["dp"] // shards,
    }
    found: dict[str, Any] = {
        "domain_chips": room,
        "ep_cuts_dp": over > 0,
        "order_words": ", ".join(job.layout.order),
    }
    for name in job.layout.order:
        for part, degree in data.items() if name == "dp" else ((name, known[name]),):
            inside = math.gcd(degree, room)
            room //= inside
            found |= {f"{part}_inside": inside, f"{part}_across": degree // inside}
    return found | {"mesh_is_cut": room > 1}
