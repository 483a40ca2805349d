"""Lengths of requests: their forms, their moments, and the few that stand for all."""

from __future__ import annotations

import gzip
import json
import math
import os
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ridgeline.errors import SpecError
from ridgeline.specs.distributions import exponent, log_moment, power_quantile
from ridgeline.specs.length_files import read_columns
from ridgeline.specs.length_traces import LengthTrace
from ridgeline.specs.lengths import Lengths

BOUNDS = st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)).map(sorted)
REQUESTS = st.lists(st.integers(1, 200_000), min_size=1, max_size=60)


@st.composite
def ranges(draw) -> Lengths:
    low, high = draw(BOUNDS)
    mean = low + (high - low) * draw(st.floats(1e-6, 1 - 1e-6))
    if low < mean < high and draw(st.booleans()):
        return Lengths.between(low, high, mean)
    return Lengths.between(low, high)


KINDS = ranges() | REQUESTS.map(Lengths.of) | st.floats(1, 1e9).map(Lengths.of)


@pytest.mark.parametrize(
    ("text", "low", "high", "mean"),
    [
        ("2048", 2048, 2048, 2048),
        ("2k", 2000, 2000, 2000),
        ("2Ki", 2048, 2048, 2048),
        ("1,234", 1234, 1234, 1234),
        ("512:8k", 512, 8000, (8000 - 512) / math.log(8000 / 512)),
        ("512:8k@mean=2k", 512, 8000, 2000),
        (" 512 : 8192 @ mean = 4Ki ", 512, 8192, 4096),
        ("7:7@mean=7", 7, 7, 7),
    ],
)
def test_text_forms(text, low, high, mean) -> None:
    found = Lengths.of(text)
    assert (found.low, found.high) == (low, high)
    assert found.mean == pytest.approx(mean, rel=1e-15)


def test_a_mean_in_the_middle_is_uniform_and_none_is_log_uniform() -> None:
    uniform = Lengths.of("1:3@mean=2")
    assert uniform.percentile([0, 25, 50, 100]) == pytest.approx([1, 1.5, 2, 3], abs=1e-9)
    assert uniform.variation == pytest.approx(4 / 12 / 4, rel=1e-12)
    assert Lengths.of("100:10k").percentile(50) == pytest.approx(1000)
    assert Lengths.of("100:10k").variation == pytest.approx(
        (1e8 - 1e4) / 2 / math.log(100) / (9900 / math.log(100)) ** 2 - 1
    )


@given(ranges())
@settings(max_examples=50)
@example(Lengths.of("1:450456@mean=1.450455"))
def test_moments_agree_with_numerical_integration(lengths: Lengths) -> None:
    x = (np.arange(20_000) + 0.5) / 20_000
    # Points crowd towards both ends, where long tails lie.
    shares = np.clip(x**4 * (35 - 84 * x + 70 * x**2 - 20 * x**3), 0, 1)
    weights = 140 * (x * (1 - x)) ** 3 / len(x)
    assert lengths.percentile([0, 100]) == pytest.approx([lengths.low, lengths.high])
    drawn = lengths.percentile(100 * shares)
    assert weights @ drawn == pytest.approx(lengths.mean, rel=2e-3)
    assert weights @ np.square(drawn) == pytest.approx(lengths.second_moment, rel=1e-2)


@given(KINDS, st.integers(1, 64))
def test_quantiles_keep_the_mean_and_stay_inside(lengths: Lengths, k: int) -> None:
    found = lengths.quantiles(k)
    assert len(found) == (1 if lengths.is_fixed else k)
    assert found.mean() == pytest.approx(lengths.mean, rel=1e-12)
    assert (np.diff(found) >= -1e-9 * lengths.high).all()
    assert found[0] >= lengths.low * (1 - 1e-9)
    assert found[-1] <= lengths.high * (1 + 1e-9)
    assert np.square(found).mean() <= lengths.second_moment * (1 + 1e-9)


@given(KINDS)
def test_percentiles_grow_between_the_bounds(lengths: Lengths) -> None:
    found = lengths.percentile(np.linspace(0, 100, 23))
    assert (np.diff(found) >= 0).all()
    assert found[0] >= lengths.low * (1 - 1e-12)
    assert found[-1] == pytest.approx(lengths.high)


def test_many_quantiles_have_the_variance() -> None:
    lengths = Lengths.of("512:8k@mean=2k")
    lost = [1 - lengths.quantiles(k).var() / lengths.mean**2 / lengths.variation for k in (8, 16)]
    assert 0.03 < lost[0] < 0.07
    assert 0.01 < lost[1] < 0.02


@given(KINDS)
def test_plain_form_reads_back(lengths: Lengths) -> None:
    assert Lengths.of(json.loads(json.dumps(lengths.plain()))) == lengths


@given(REQUESTS)
def test_lengths_of_requests_are_what_numpy_says(requests: list[int]) -> None:
    lengths = Lengths.of(requests)
    assert lengths.mean == pytest.approx(np.mean(requests), rel=1e-12)
    assert lengths.second_moment == pytest.approx(np.mean(np.square(requests, dtype=float)))
    assert lengths.percentile(50) == np.percentile(requests, 50, method="inverted_cdf")
    assert lengths.is_fixed == (len(set(requests)) == 1)


@given(st.floats(1e-9, 15), st.floats(1e-9, 1 - 1e-9))
def test_the_exponent_is_solved_to_the_last_digits(span: float, share: float) -> None:
    ratio = 1 + math.expm1(span) * share
    if not 1 < ratio < math.exp(span):
        return
    theta = exponent(ratio, span)
    assert math.exp(log_moment(1, theta, span)) == pytest.approx(ratio, rel=1e-13)
    assert power_quantile(1.0, theta, span) == pytest.approx(span)


@pytest.mark.parametrize(
    "value",
    [
        "-5", "0", "2,35", "nan", "inf", "1e300", "8k:2k", "1:5@mean=9", "1:5@mean=5", "1:5@mean=",
        "1:5@median=2", "1:2:3", "x", "", ":", "@", "a" * 300 + ".csv", "nothing.csv", "\0.txt",
        -1, 0, math.nan, math.inf, 10**400, True, None, [], [1, -2], ["x"], [[1]], {},
        {"values": [1, 2], "counts": [1]}, {"values": [2, 1], "counts": [1, 1]}, object(),
        np.array([0.0]), b"2048",
    ],
)  # fmt: skip
def test_nonsense_is_one_sentence(value) -> None:
    with pytest.raises(SpecError) as caught:
        Lengths.of(value)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert "array(" not in message
    assert "{" not in message
    assert len(message) < 400


@given(st.text(max_size=30))
def test_any_text_is_lengths_or_one_sentence(text: str) -> None:
    try:
        assert Lengths.of(text).mean >= 1
    except SpecError as error:
        assert str(error)


# --- files

CSV = "time,ContextTokens,GeneratedTokens\n0,100,10\n1,200,30\n"
JSONL = '{"input_length": 100, "output_length": 10}\n{"input_length": 200, "output_length": 30}\n'
ROWS = '[{"prompt_len": 100, "output_len": 10}, {"prompt_len": 200, "output_len": 30}]'
LISTS = '{"date": "today", "input_lens": [100, 200], "output_lens": [10, 30]}'


@pytest.mark.parametrize(
    ("name", "text"), [("t.csv", CSV), ("t.jsonl", JSONL), ("t.json", ROWS), ("t.json", LISTS)]
)
def test_traces_are_read(tmp_path, name, text) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert Lengths.of(str(path), "isl").mean == 150
    assert Lengths.of(str(path), "osl").values == (10, 30)
    trace = LengthTrace.of(str(path))
    assert trace.mean_product == (100 * 10 + 200 * 30) / 2
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert LengthTrace.of(str(packed)).isl == trace.isl


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.txt", "# mine\n100\n\n200\n"), ("t.csv", "100\n200\n"), ("t.json", "[100, 200]")],
)
def test_numbers_without_a_name_are_either_length(tmp_path, name, text) -> None:
    path = tmp_path / name
    path.write_text(text)
    for column in ("isl", "osl", ""):
        assert Lengths.of(str(path), column).values == (100, 200)


def test_a_trace_still_being_written_is_read_to_its_last_whole_line(tmp_path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(JSONL + '{"input_len')
    assert len(LengthTrace.of(str(path)).isl) == 2
    path.write_text('{"input_len\n' + JSONL)
    with pytest.raises(SpecError, match="line 1: this is not JSON"):
        Lengths.of(str(path), "isl")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", "isl\n5\nx\n", "line 3, isl: a length from 1 to 1e9 tokens is expected, not 'x'"),
        ("t.csv", "isl\n0\n", "not '0'"),
        ("t.csv", "a,b\n1,2\n", "has no column of lengths"),
        ("t.csv", "", "has no lengths"),
        ("t.txt", "", "has no lengths"),
        ("t.txt", "5\nnan\n", "line 2"),
        ("t.txt", b"\xff\xfe\x00", "not a text file in UTF-8"),
        ("t.json", "{", "is not JSON"),
        ("t.json", "[" * 100_000, "is not JSON"),
        ("t.json", "9" * 5000, "is not JSON"),
        ("t.json", "5", "a list of lengths"),
        ("t.json", '{"isl": [1], "osl": [1, 2]}', "of different lengths"),
        ("t.json", '[{"isl": {"a": 1}}]', "not a table"),
        ("t.csv.gz", b"no gzip", "cannot be read"),
    ],
)
def test_broken_files_say_where(tmp_path, name, content, says) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError, match=says) as caught:
        Lengths.of(str(path), "isl")
    assert "\n" not in str(caught.value)


def test_a_pipe_is_read_whole(tmp_path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_text("5\n" * 30_000)).start()
    assert read_columns(pipe) == {"": [5.0] * 30_000}


def test_files_of_limited_size_are_read(tmp_path, monkeypatch) -> None:
    link, folder = (tmp_path / f"{n}.txt" for n in ("link", "folder"))
    link.symlink_to("/dev/zero")
    folder.mkdir()
    for path, says in ((link, "has more than 64 MB"), (folder, "is a folder")):
        with pytest.raises(SpecError, match=says):
            Lengths.of(str(path))
    large = tmp_path / "large.txt"
    large.write_text("5\n" * 100)
    monkeypatch.setattr("ridgeline.specs.length_files._MOST_ROWS", 50)
    with pytest.raises(SpecError, match="more than 50 rows"):
        Lengths.of(str(large))


# --- pairs


@given(st.lists(st.tuples(st.integers(1, 10**5), st.integers(1, 10**4)), min_size=1, max_size=60),
       st.integers(1, 20))  # fmt: skip
def test_pairs_keep_both_means(requests, k) -> None:
    trace = LengthTrace.of({"isl": [r[0] for r in requests], "osl": [r[1] for r in requests]})
    weight, isl, osl = trace.pairs(k)
    assert len(weight) <= k
    assert weight.sum() == pytest.approx(1)
    assert weight @ isl == pytest.approx(np.mean(trace.isl), rel=1e-12)
    assert weight @ osl == pytest.approx(np.mean(trace.osl), rel=1e-12)
    assert LengthTrace.of(json.loads(json.dumps(trace.plain()))) == trace


def test_pairs_keep_the_correlation() -> None:
    rng = np.random.default_rng(0)
    isl = np.ceil(np.exp(rng.normal(6, 1, 4000)))
    osl = np.ceil(2e5 / isl)
    trace = LengthTrace.of({"isl": isl, "osl": osl})
    weight, few_isl, few_osl = trace.pairs(16)
    assert weight @ (few_isl * few_osl) == pytest.approx(trace.mean_product, rel=0.1)
    assert trace.mean_product < 0.4 * isl.mean() * osl.mean()


def test_as_many_pairs_as_requests_are_the_requests() -> None:
    trace = LengthTrace.of({"isl": [1, 2, 2, 9], "osl": [5, 5, 6, 7]})
    weight, isl, osl = trace.pairs(10)
    assert sorted(zip(isl, osl, weight, strict=True)) == [
        (1, 5, 0.25), (2, 5, 0.25), (2, 6, 0.25), (9, 7, 0.25)
    ]  # fmt: skip


@pytest.mark.parametrize("k", [0, 1.5, True, 10**9])
def test_k_is_a_sensible_whole_number(k) -> None:
    with pytest.raises(SpecError, match="a whole number from 1 to 100,000"):
        Lengths.of("1:5").quantiles(k)


def test_reprs_are_short() -> None:
    many = Lengths.of(list(range(1, 5000)))
    assert repr(many) == "Lengths of 4,999 requests: 1 to 4,999 (mean 2,500)"
    assert len(repr(LengthTrace.of({"isl": range(1, 5000), "osl": range(1, 5000)}))) < 120
