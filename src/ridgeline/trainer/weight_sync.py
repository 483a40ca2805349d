"""New weights on their way from the chips that trained them to those that generate with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.laws._namespace import ceil, maximum, minimum
from ridgeline.laws.parallel import share_across
from ridgeline.layers import weights_of
from ridgeline.steps.counts import counts
from ridgeline.steps.op import Collective, Op
from ridgeline.trainer.state import SHARDS_PARAMETERS, groups_of
from ridgeline.trainer.step import seconds_of

if TYPE_CHECKING:
    from ridgeline.trainer.job import TrainingJob

__all__ = ["n_gathers", "n_matrices", "weight_sync_s"]


def n_gathers(job: TrainingJob) -> int:
    """Collectives in which one copy of the weights is put together: one for each matrix. [1]

    Parameters
    ----------
    job : TrainingJob   Experts are gathered from all ranks they are spread over at once.
    """
    ep = max(job.layout.ep, 1)
    return sum(
        int(ceil(one.count / minimum(ep, one.count))) for _, one in weights_of(job.model).matrices()
    )


def n_matrices(job: TrainingJob) -> int:
    """Weight matrices of the layers, each expert's by itself: what an engine is given anew. [1]

    Parameters
    ----------
    job : TrainingJob
    """
    return sum(int(one.count) for _, one in weights_of(job.model).matrices())


def weight_sync_s(job: TrainingJob, n_generating: int = 0) -> Any:
    """Time in which every chip that generates has received the new weights.

    Parameters
    ----------
    job : TrainingJob    That trained them: by its own layout, rank by rank a part.
    n_generating : int   Chips of their own that generate; 0: the same chips do both.

    Returns
    -------
    array   0 for the blackboard, which knows no networks. [s]

    Notes
    -----
    As frameworks do it whatever the two layouts are: matrix by matrix the ranks of a copy gather
    the whole, of which each generating chip keeps its part; chips of their own receive all of it
    in a broadcast besides. Layouts that fit each other could send each chip its part alone.
    """
    if job.reading == "blackboard":
        return 0.0
    layout, on = job.layout, job.calibration if job.reading == "calibrated" else job.cluster
    spread = layout.ep * (layout.expert_tp or layout.tp)
    # Parameters that data-parallel ranks share out, too, come from all of them.
    shards = groups_of(job.count, experts=False)[2] if layout.zero == SHARDS_PARAMETERS else 1
    copy = layout.pp * maximum(layout.tp * shards, spread)
    whole = counts(job.count.model).n_params * job.count.weight_bytes

    def seconds(group: Any, n: int) -> Any:
        n_domains = ceil(group / job.cluster.domain_size)
        send = Collective("all_gather", group, whole / n, n_domains, share_across(n_domains))
        op = Op("weights", "exchange", "network", collective=send)
        return n * seconds_of(op, on) if group > 1 else 0.0

    gathered = seconds(copy, n_gathers(job))
    # A broadcast takes what an all-gather of as much takes: every chip receives the whole.
    sent = seconds(n_generating + 1, 1) if n_generating else 0.0
    return gathered + sent
