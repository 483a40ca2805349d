"""A workload: what holds together, what follows, and sentences for what does not."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import SpecError
from ridgeline.specs.limits import DEFAULT_LIMITS, Limit, Limits
from ridgeline.specs.rates import Rate
from ridgeline.specs.workload import DEFAULT_CONTEXT, DEFAULT_ISL, DEFAULT_OSL, Workload

TRACE = "input_tokens,output_tokens\n100,10\n300,50\n"


@pytest.mark.parametrize(
    ("text", "seconds", "statistic"),
    [
        ("2s", 2, "mean"),
        ("p99<2s", 2, "p99"),
        ("p90 2 s", 2, "p90"),
        ("P50 <= 1 min", 60, "p50"),
        ("mean ≤ 50 ms", 0.05, "mean"),
        ("p99 50µs", 50e-6, "p99"),
        (0.05, 0.05, "mean"),
        (np.float64(2), 2, "mean"),
    ],
)
def test_limits_are_read(text, seconds, statistic) -> None:
    limit = Limit.of(text)
    assert limit is not None
    assert (limit.seconds, limit.statistic) == (pytest.approx(seconds), statistic)


@pytest.mark.parametrize("value", ["none", math.inf, None])
def test_no_limit(value) -> None:
    assert Limit.of(value) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("50", "has no unit: write 50 ms or 50 s"),
        ("p95 2s", "the statistic is one of mean, p50, p90, p99, not p95"),
        ("p99", "a time from"),
        ("-1 s", "a time from"),
        ("2 GB", "a time from"),
        ("2,5 s", "a time from"),
        ("1e300 s", "a time from"),
        (0, "a time from"),
        (math.nan, "a time from"),
        (True, "a time from"),
        ([1], "not a list"),
    ],
)
def test_limits_that_cannot_be(value, says) -> None:
    with pytest.raises(SpecError, match=says):
        Limit.of(value)


@given(st.floats(1e-6, 1e6), st.sampled_from(["mean", "p50", "p90", "p99"]))
def test_a_limit_reads_back(seconds: float, statistic) -> None:
    limit = Limit(seconds, statistic)
    assert Limit.of(json.loads(json.dumps(limit.plain()))) == limit


def test_the_command_line_means_milliseconds() -> None:
    limits = Limits.parse_text(ttft="2s", tpot="p99 50", e2e=None)
    assert limits.ttft == Limit(2.0)
    assert limits.tpot == Limit(0.05, "p99")
    assert (limits.tpot_s, limits.e2e_s) == (0.05, math.inf)
    with pytest.raises(SpecError, match=r"^ttft: .* tpot: "):
        Limits.parse_text(ttft="x", tpot="y")


@pytest.mark.parametrize(("name", "seconds"), [("tpot", 20), ("ttft", 2000), ("e2e", 30_000)])
def test_numbers_meant_in_milliseconds_are_refused(name: str, seconds: float) -> None:
    with pytest.raises(SpecError, match=f"^{name}: a number is in seconds.*'{seconds} ms' or"):
        Limits.parse({name: seconds})
    meant = Limits.parse({name: f"{seconds} s"})
    assert getattr(meant, name) == Limit(seconds)
    assert Limits.parse(json.loads(meant.model_dump_json())) == meant
    assert getattr(Limits.parse({name: seconds / 1000}), name) == Limit(seconds / 1000)


def test_defaults_are_the_ones_of_one_constant() -> None:
    assert dict(Limits().items()) == DEFAULT_LIMITS
    assert str(Limits()) == "TTFT mean <= 2 s, TPOT mean <= 50 ms"
    assert dict(Workload.parse({"limits": {"tpot": "none"}}).limits.items()) == {
        "ttft": DEFAULT_LIMITS["ttft"]
    }


@pytest.mark.parametrize(
    ("text", "requests"),
    [("40", 40), ("40/s", 40), ("40 req/s", 40), (40, 40), ("12k tok/s", 24), ("12k tokens/s", 24)],
)
def test_rates_are_requests_or_output_tokens(text, requests) -> None:
    load = Workload.parse({"isl": 1000, "osl": 500, "rate": text})
    assert load.arrival == "open"
    assert load.rate_per_s == requests
    assert load.output_tokens_per_s == requests * 500
    assert load.rate is not None
    assert Rate.read(load.rate.plain()) == load.rate


@pytest.mark.parametrize("value", ["2,35", -1, 0, "12 kg", "", None, True, math.nan, [1], "1e99"])
def test_rates_that_cannot_be(value) -> None:
    with pytest.raises(SpecError, match="a rate above 0"):
        Rate.read(value)


def test_arrival_follows_from_the_load() -> None:
    lengths = {"isl": 1, "osl": 2}
    assert Workload.parse(lengths).arrival == "closed"
    assert Workload.parse({**lengths, "rate": 1}).arrival == "open"
    assert Workload.parse({**lengths, "batch": 8, "arrival": "fixed"}).batch == 8
    assert Workload.parse({**lengths, "arrival": "Offline", "n_requests": "1k"}).n_requests == 1000


def test_one_value_is_a_number_more_are_an_axis() -> None:
    load = Workload.parse({"context": "8k,32k", "batch": np.array([1.0])})
    assert load.context == (8000.0, 32000.0)
    assert load.batch == 1.0


def test_decoding_alone_has_no_limit_on_the_first_token() -> None:
    load = Workload.parse({"context": 8192})
    assert load.decode_only
    assert dict(load.limits.items()) == {"tpot": DEFAULT_LIMITS["tpot"]}
    assert Workload.parse(load.model_dump()) == load
    with pytest.raises(SpecError, match="A limit on TTFT needs isl and osl"):
        Workload.parse({"context": 8192, "limits": {"ttft": 1.0}})


def test_default_lengths() -> None:
    load = Workload.parse({"batch": 4})
    request, decode = load.with_default_lengths(), load.with_default_lengths(decode_only=True)
    assert request.isl is not None
    assert request.osl is not None
    assert (request.isl.mean, request.osl.mean) == (DEFAULT_ISL, DEFAULT_OSL)
    assert (decode.context, decode.batch) == (DEFAULT_CONTEXT, 4)
    assert request.with_default_lengths(decode_only=True) is request


def test_a_trace_keeps_its_pairs(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TRACE)
    for given_lengths in ({"isl": str(path)}, {"isl": str(path), "osl": str(path)}):
        load = Workload.parse(given_lengths)
        assert load.trace is not None
        assert load.osl is not None
        assert load.osl.mean == 30
        weight, isl, osl = load.pairs(8)
        assert weight @ (isl * osl) == (100 * 10 + 300 * 50) / 2
        assert Workload.parse(json.loads(json.dumps(load.model_dump(mode="json")))) == load
    apart = Workload.parse({"isl": str(path), "osl": 7})
    assert apart.trace is None
    assert apart.pairs(8).isl.tolist() == [100, 100, 100, 100, 300, 300, 300, 300]


def test_pairs_of_two_ranges_are_every_one_with_every_one() -> None:
    load = Workload.parse({"isl": "512:8k@mean=2k", "osl": "64:2k"})
    weight, isl, osl = load.pairs(16)
    assert load.isl is not None
    assert load.osl is not None
    assert len(weight) == 16
    assert weight @ isl == pytest.approx(load.isl.mean, rel=1e-12)
    assert weight @ (isl * osl) == pytest.approx(load.isl.mean * load.osl.mean, rel=1e-12)
    with pytest.raises(SpecError, match="need isl and osl"):
        Workload().pairs(4)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"isl": 1}, "isl and osl come together: give osl, too."),
        ({"osl": 1}, "isl and osl come together: give isl, too."),
        ({"isl": 1, "osl": 2, "context": 3}, "Give either context, or isl and osl, not both."),
        ({"rate": 1, "batch": 2}, "Give one of batch and rate:"),
        ({"concurrency": 1, "batch": 2}, "Give one of batch and concurrency:"),
        ({"context": 1, "rate": 2}, "Open arrivals are of requests"),
        ({"context": 1, "arrival": "offline"}, "Offline arrivals are of requests"),
        ({"arrival": "open"}, "Open arrivals need a rate."),
        (
            {"arrival": "offline", "batch": 2},
            "Offline arrivals take all slots there are, not batch.",
        ),
        ({"arrival": "fixed", "concurrency": 2}, "Fixed arrivals take batch, not concurrency."),
        ({"arrival": "opne"}, "Did you mean 'open'?"),
        ({"prefix_hit": 0.5, "context": 8}, "prefix_hit is a share of a request's input"),
        ({"bacth": 1}, "bacth: there is no such field. Did you mean 'batch'?"),
        ({"limits": {"tpto": 1}}, "tpto: there is no such field. Did you mean 'tpot'?"),
        ({"limits": 5}, "limits: a table of fields is expected, not 5."),
        ({"context": "1:16384"}, "context: a number from 1 to 1e9 or 0, or a list of such numbers"),
        ({"context": -1e-300}, "context: a number from 1 to 1e9"),
        ({"batch": [1, math.nan]}, "not nan."),
        ({"batch": np.array([0.0])}, "batch: a number from 1 to 1e12 or a list of such numbers is"),
        ({"batch": []}, "not an empty list."),
        ({"batch": {}}, "not a table."),
        ({"n_requests": 1.5}, "n_requests: a whole number from 1 to 1e12 is expected, not 1.5."),
        ({"n_requests": 10**400}, "not a number beyond all range."),
        ({"prefix_hit": True}, "prefix_hit: a number from 0 to 1 is expected, not True."),
    ],
)
def test_what_does_not_hold_is_a_sentence(fields, says) -> None:
    with pytest.raises(SpecError) as caught:
        Workload.parse(fields)
    message = str(caught.value)
    assert says in message
    assert message.count("\n") == 0
    assert "(got" not in message


def test_the_origin_of_a_workload_can_be_named() -> None:
    with pytest.raises(SpecError, match=r"^load\.toml: drafts: a number from 0 to 64"):
        Workload.parse({"drafts": -1}, "load.toml")
    with pytest.raises(SpecError, match="a table of fields is expected, not 5"):
        Workload.parse(5)
