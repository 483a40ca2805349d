"""The test matrix: every face gives one answer, and it is the one expected from elsewhere.

Expected values come from `matrix.toml` (the model that was scored before, and arithmetic by hand),
never from another face.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.catalog import engine as engine_of
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.runs import OK, Row, Run
from ridgeline.replica import Replica
from ridgeline.service.deployment import Deployment, steady
from ridgeline.service.performance import Performance
from ridgeline.service.pools import Pools
from ridgeline.service.prices import price_sheet
from ridgeline.service.requests import Requests
from ridgeline.specs.layout import Layout
from ridgeline.specs.workload import Workload
from ridgeline.steps import ops

sys.path.insert(0, str(Path(__file__).parent))

from matrix import Case, cases, name_of

SAME = 1e-9
ONE_POOL = [c for c in cases() if not c.disaggregated]
CALIBRATED = [c for c in ONE_POOL if c.reading == "calibrated"]


def replica_of(case: Case, layout: Layout | None = None, *, plain: bool = False) -> Replica:
    """Of the engine as it is, or plain: without copies of experts and micro-batches.

    What is expected of lower bounds was found without them.
    """
    engine = engine_of(case.engine or "current").on(case.cluster_record.chip, case.version)
    if case.max_sequences is not None:
        engine = engine.replaced({"max_sequences": case.max_sequences})
    if plain:
        engine = engine.model_copy(update={"micro_batches": None, "expert_copies": None})
    return Replica(
        case.model_record,
        case.cluster_record,
        layout or case.layout_record,
        engine=engine,
        version=case.version,
        reading=case.reading,
    )


def most_sequences(case: Case, replica: Replica) -> float | None:
    """Of a rank: what the engine's releases are set to."""
    if case.arrival == "offline" and case.concurrency is not None:
        return case.concurrency / case.replicas / replica.layout.attn_dp
    if case.reading != "calibrated":
        return None
    engine = replica.engine
    return float(engine.max_sequences)


def workload_of(case: Case) -> Workload:
    loads = {
        "closed": {"concurrency": case.concurrency},
        "open": {"rate": case.rate_per_s},
        "fixed": {"batch": case.load_per_replica},
        "offline": {},
    }
    return Workload.parse(
        {
            "isl": case.isl,
            "osl": case.osl,
            "prefix_hit": case.prefix_hit,
            "arrival": case.arrival,
            # In a closed loop what they are to the places decides who waits: the usual ten each.
            "n_requests": None if case.arrival == "closed" else case.n_requests,
            **loads[case.arrival],
        },
        "the workload",
    )


def answered(case: Case, *, plain: bool = False) -> Performance:
    if case.disaggregated:
        assert case.prefill is not None
        assert case.decode is not None
        p, d = case.prefill.record, case.decode.record
        one = p.model_copy(update={"replicas": 1}), d.model_copy(update={"replicas": 1})
        pools = Pools(
            replica_of(case, one[0], plain=plain),
            p.replicas,
            replica_of(case, one[1], plain=plain),
            d.replicas,
            case.n_chips,
        )
        return steady(Deployment(pools.decode, pools), workload_of(case))
    replica = replica_of(case, plain=plain)
    most = most_sequences(case, replica)
    return steady(Deployment(replica, None, most, case.exact_lengths), workload_of(case))


@pytest.mark.parametrize("case", cases(), ids=name_of)
def test_service_gives_what_is_expected(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = case.reading != "calibrated"
    if by_hand:  # with latents absorbed in prompts, too
        monkeypatch.setattr(ops, "pair_macs", lambda stream, *_: stream.macs)
    found = answered(case, plain=by_hand)
    values = {
        "ttft_s": found.ttft_s,
        "tpot_s": found.tpot_s,
        "e2e_s": found.e2e_s,
        "requests_per_s": found.requests_per_s,
        "output_tokens_per_s": found.requests_per_s * case.osl,
        "usd_per_request": case.usd_per_chip_hour * case.n_chips / 3600 / found.requests_per_s,
    }
    case.check(**{n: float(v) for n, v in values.items() if n in case.expected})


@pytest.mark.parametrize("case", cases(with_memory=True, disaggregated=False), ids=name_of)
def test_memory_is_what_arithmetic_by_hand_gives(case: Case) -> None:
    assert case.memory is not None
    held = replica_of(case, plain=True).memory(case.memory.tokens_kept)
    case.check_memory(float(held.weights_bytes), float(held.cache_bytes_per_sequence))


LOWER_BOUNDS = [c for c in ONE_POOL if "step_s" in c.expected]


@pytest.mark.parametrize("case", LOWER_BOUNDS, ids=name_of)
def test_steps_of_the_lower_bounds_by_hand(case: Case) -> None:
    replica = replica_of(case, plain=True)
    requests = Requests(case.isl, case.osl)
    step = replica.step(requests.decode(float(case.expected["step_sequences"])))
    named = replica.how.bottlenecks[int(step.bottleneck)]
    case.check(1e-6, step_s=float(step.time_s), bottleneck=named)


def run_of(case: Case) -> Run:
    return Run(
        key=case.name,
        source="matrix",
        regime={"fixed": "static"}.get(case.arrival, case.arrival),
        model=case.model_record,
        cluster=case.cluster_record,
        n_chips=case.n_chips,
        layout=case.layout_record if not case.disaggregated else None,
        batch=case.batch,
        concurrency=case.concurrency,
        request_rate_per_s=case.rate_per_s,
        isl=case.isl,
        osl=case.osl,
        engine=case.engine,
        engine_version=case.version,
        notes=({} if case.arrival == "closed" else {"n_requests": str(case.n_requests)})
        | ({} if case.exact_lengths else {"nominal_isl": str(case.isl)}),
        stated=frozenset({"weight_dtype", "kv_dtype", "layout", "ep", "isl", "osl"}),
    )


def test_what_is_scored_is_what_answers() -> None:
    """`predict` and the service: the same digits, whatever the arrival."""
    metrics = ("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s")
    rows = [Row(f"{c.name} {m}", 1, run_of(c), m, None) for c in CALIBRATED for m in metrics]
    predicted = {r.id: p for r, p in zip(rows, predict(rows), strict=True)}
    for case in CALIBRATED:
        found = answered(case)
        for metric in metrics:
            own = predicted[f"{case.name} {metric}"]
            if own.status != OK:
                continue
            value = (
                found.requests_per_s * case.osl
                if metric == "output_tokens_per_s"
                else getattr(found, metric)
            )
            assert own.value == pytest.approx(float(value), rel=SAME), (case.name, metric)


CLOSED = [c for c in ONE_POOL if c.arrival == "closed"]


@pytest.mark.parametrize("case", CLOSED, ids=name_of)
def test_serving_and_layouts_give_the_same_answer(case: Case) -> None:
    """One question to two faces: TTFT, TPOT, rate, memory and money."""
    batch = case.load_per_replica
    assert batch is not None
    options: dict[str, Any] = {
        "isl": case.isl,
        "osl": case.osl,
        "batch": [batch],
        "engine": case.engine or "current",
        "engine_version": case.version,
        "reading": case.reading,
        "price": case.usd_per_chip_hour,
        "max_sequences": case.max_sequences,
    }
    whole = case.reading == "blackboard"
    place: dict[str, Any] = {"chips": case.n_chips} if whole else {"layout": case.layout_record}
    one = rl.serving(
        case.model_record,
        case.cluster_record,
        **options,
        **place,
    )
    row = one.at(batch)
    replica = replica_of(case)
    found = steady(Deployment(replica), workload_of(case))
    requests = Requests(case.isl, case.osl)
    assert row["ttft_s"] == pytest.approx(float(found.ttft_s), rel=SAME)
    assert row["tpot_s"] == pytest.approx(float(found.tpot_s), rel=SAME)
    assert row["requests_per_s"] == pytest.approx(float(found.requests_per_s), rel=SAME)
    assert row["concurrency"] == pytest.approx(case.concurrency, rel=SAME)
    assert row["usd_per_request"] == pytest.approx(
        case.usd_per_chip_hour * case.n_chips / 3600 / float(found.requests_per_s), rel=SAME
    )
    per_replica = found.of_system(1 / case.replicas)
    sheet = price_sheet(per_replica, requests, case.usd_per_chip_hour, replica.n_chips)
    bill = sheet.usd_per_mtok_input * case.isl + sheet.usd_per_mtok_output * case.osl
    assert float(bill) / 1e6 == pytest.approx(row["usd_per_request"], rel=SAME)
    if whole:
        return
    several = rl.layouts(
        case.model_record, case.cluster_record, chips=case.n_chips, **options,
    )  # fmt: skip
    want = case.layout_record
    (search,) = several.searches
    index = [i for i, x in enumerate(search.candidates.layouts) if x == want]
    if not index:
        return  # a layout that no search looks at, such as uneven stages
    other = search.row(index[0], 0)
    for name in (
        "ttft_s", "tpot_s", "e2e_s", "requests_per_s", "concurrency", "tokens_per_s_per_chip",
        "memory_bytes_per_chip", "usd_per_mtok_output", "usd_per_mtok_input", "usd_per_mtok",
    ):  # fmt: skip
        assert other[name] == pytest.approx(row[name], rel=SAME), name
