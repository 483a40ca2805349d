"""Everything queued at once, on several replicas: each has its share of the requests."""

from __future__ import annotations

import pytest

import ridgeline as rl
from ridgeline.service.deployment import Deployment, steady


@pytest.mark.parametrize("replicas", [1, 2])
def test_serving_shares_the_queue_among_replicas_as_the_service_does(replicas):
    load = {"isl": 1000, "osl": 200, "arrival": "offline", "n_requests": 64}
    on = {"tp": 1, "replicas": replicas, "chips": replicas}
    answer = rl.serving("meta-llama/Meta-Llama-3.1-8B", "h100", **load, **on)
    same = steady(Deployment(answer.replica), answer.scenario.workload)
    for name in ("requests_per_s", "ttft_s", "tpot_s"):
        told = float(answer.result[name].ravel()[0])
        assert told == pytest.approx(float(getattr(same, name)), rel=1e-9), name
