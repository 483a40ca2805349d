"""Runs that draft tokens: read from tables and files, predicted as they are answered."""

from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

import ridgeline as rl
from ridgeline.catalog import draft_table, drafting, model
from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.runs import OK
from ridgeline.laws.speculation import acceptance_of, tokens_per_step
from ridgeline.steps.drafting import draft_head

if TYPE_CHECKING:
    from pathlib import Path

    from ridgeline.fidelity.runs import Prediction, Row

R1, QWEN = "deepseek-ai/DeepSeek-R1", "Qwen/Qwen3-8B"
RUN = {
    "chip": "h200-sxm", "n_chips": 8, "model": R1, "weight_dtype": "fp8", "regime": "closed",
    "metric": "tpot_s", "value": 0.01, "tp": 8, "concurrency": 16, "isl": 1000, "osl": 1000,
    "engine": "sglang", "date": "2026-03-01",
}  # fmt: skip


def rows(folder: Path, *changes: dict[str, Any]) -> list[Row]:
    each = [{**RUN, "id": str(i), **change} for i, change in enumerate(changes)]
    names = list(dict.fromkeys(name for row in each for name in row))
    with (folder / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(each)
    return read_rows([folder / "runs.csv"])


def told(row: Row) -> tuple[float, float]:
    """Drafts, and tokens a step."""
    assert row.status == OK, row.reason
    assert row.run is not None
    found = row.run.drafting
    return found.drafts, float(tokens_per_step(found.drafts, found.acceptance))


def _given(*options: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return options


def width(found: Prediction) -> float:
    return math.log(found.high / found.low)


@pytest.mark.parametrize(
    ("stated", "drafts", "tokens"),
    [
        ({"drafts": 3, "acceptance": 0.8}, 3, 1 + 0.8 + 0.64 + 0.512),
        ({"drafts": 3, "accept_length": 2.5, "draft_method": "mtp"}, 3, 2.5),
        ({"drafts": 1, "accept_length": 1.85}, 1, 1.85),
        ({"notes": "n_requests=160; num_speculative_tokens=3; accept_length=2.5"}, 3, 2.5),
        ({"notes": "MTP-2; accept_length: 2.2"}, 2, 2.2),
        ({"notes": "mtp=2", "accept_length": 2.2}, 2, 2.2),
        ({"draft_method": "eagle", "accept_length": 4.5}, 4, 4.5),
        ({"draft_method": "eagle", "accept_length": 2.0}, 3, 2.0),
        ({}, 0, 1),
        ({"drafts": 0}, 0, 1),
        ({"draft_method": "none"}, 0, 1),
        ({"notes": "speculative decoding status not stated, times say off"}, 0, 1),
        ({"notes": "no MTP"}, 0, 1),
    ],
)
def test_a_table_states_drafts_in_columns_or_notes(
    tmp_path: Path, stated: dict[str, Any], drafts: float, tokens: float
) -> None:
    (row,) = rows(tmp_path, stated)
    assert told(row) == (drafts, pytest.approx(tokens, rel=1e-6))


@pytest.mark.parametrize(
    ("stated", "status", "words"),
    [
        ({"draft_method": "ngram", "drafts": 3}, "not-modelled", "by 'ngram'"),
        ({"drafts": 12}, "not-modelled", "No acceptance of 12 drafts"),
        ({"notes": "speculative decoding used"}, "not-modelled", "not clear"),
        ({"drafts": 2, "accept_length": 3.5}, "contradiction", "more than the 3 tokens"),
        ({"drafts": 2, "acceptance": 80}, "bad-number", "a share from 0 to 1"),
        ({"drafts": 2, "accept_length": 0.7}, "bad-number", "the model's own included"),
        ({"drafts": 200, "acceptance": 0.5}, "bad-number", "at most 64"),
        ({"drafts": "three"}, "bad-number", "drafts is 'three'"),
    ],
)
def test_drafts_that_cannot_be_known_are_named(
    tmp_path: Path, stated: dict[str, Any], status: str, words: str
) -> None:
    row, plain = rows(tmp_path, stated, {})
    assert (row.status, plain.status) == (status, OK)
    assert words in row.reason


def test_drafts_are_faster_a_token_by_what_arithmetic_says(tmp_path: Path) -> None:
    """Each sequence gains 2.5 tokens in a step that is longer: less than 2.5 times as fast.

    Of one sequence nothing else comes between: a step multiplies four tokens, which weights read
    anyway hide but for the experts they hit, and passes one layer of 61 and the head three times.
    """
    one = {"concurrency": 1, "isl": 100}
    three = {"drafts": 3, "accept_length": 2.5}
    nothing = {"drafts": 3, "acceptance": 0.0}
    plain, drafted, refused, all_kept = (
        p.value
        for p in predict(
            rows(tmp_path, one, one | three, one | nothing, one | three | {"accept_length": 4})
        )
    )
    step = refused / plain
    assert 1.2 < step < 2.5
    # The prompt is waited for as long, however few steps follow.
    assert drafted / refused == pytest.approx(1 / 2.5, rel=0.01)
    assert all_kept / refused == pytest.approx(1 / 4, rel=0.01)
    assert drafted < plain


def test_what_is_assumed_is_said_and_widens(tmp_path: Path) -> None:
    stated, measured, unknown_number, other_line = predict(
        rows(
            tmp_path,
            {"drafts": 3, "acceptance": 0.771},
            {"drafts": 3},
            {"notes": "MTP"},
            {"drafts": 3, "draft_method": "eagle3"},
        )
    )
    assert stated.value == pytest.approx(measured.value, rel=0.01)
    assert width(stated) < width(measured) < width(unknown_number)
    assert "yields 2.8" in stated.reason
    assert "not stated" not in stated.reason
    assert "as measured on DeepSeek-V3 (mtp) and DeepSeek-V4-Pro (mtp)" in measured.reason
    assert "number of drafts not stated: taken as 3" in unknown_number.reason
    assert "of other lines" in other_line.reason
    assert "EAGLE" in other_line.reason


@pytest.mark.parametrize(
    ("name", "on", "tp"), [(QWEN, "h100-sxm", 1), ("deepseek-ai/DeepSeek-V3", "h200-sxm", 8)]
)
def test_what_is_scored_is_what_answers(tmp_path: Path, name: str, on: str, tp: int) -> None:
    run = {
        "model": name, "chip": on, "n_chips": tp, "tp": tp, "engine": "vllm", "osl": 500,
        "engine_version": "0.18.0", "weight_dtype": "", "notes": "nominal 1000/500",
        "drafts": 3, "date": "",
    }  # fmt: skip
    ttft, tpot = (
        p.value for p in predict(rows(tmp_path, run | {"metric": "ttft_s"}, run))
    )  # fmt: skip
    answer = rl.serving(
        name, on, isl=1000, osl=500, batch=[16], engine="vllm", engine_version="0.18.0", tp=tp,
        drafts=3,
    ).at(16)  # fmt: skip
    assert answer["tpot_s"] == pytest.approx(tpot, rel=1e-6)
    assert answer["ttft_s"] == pytest.approx(ttft, rel=0.2)


# --- files of results


def of_file(folder: Path, result: dict[str, Any], **fill: str) -> list[Row]:
    (folder / "r.json").write_text(json.dumps(result))
    return [r for r in read_rows([folder / "r.json"], fill=fill) if r.status != "not-modelled"]


SGLANG = {
    "completed": 128, "total_input_tokens": 131_072, "total_output_tokens": 65_536,
    "max_concurrency": 16, "mean_ttft_ms": 120.0, "mean_tpot_ms": 7.0, "mean_e2e_latency_ms": 3700,
    "accept_length": 2.9,
    "server_info": {"model_path": QWEN, "tp_size": 1, "speculative_algorithm": "EAGLE",
                    "speculative_num_steps": 3, "speculative_num_draft_tokens": 4},
}  # fmt: skip
VLLM = {
    "model_id": R1, "completed": 80, "max_concurrency": 8, "total_input_tokens": 80_000,
    "total_output_tokens": 80_000, "mean_ttft_ms": 90.0, "mean_tpot_ms": 8.0, "mean_itl_ms": 15.0,
    "spec_decode_acceptance_length": 1.9, "spec_decode_num_drafts": 1000,
    "spec_decode_draft_tokens": 1000,
}  # fmt: skip
INFERENCEX = {
    "hw": "b200", "conc": 16, "framework": "sglang", "model": R1, "precision": "fp8", "tp": 8,
    "isl": 1024, "osl": 1024, "mean_tpot": 0.006, "mean_itl": 0.014, "spec_decoding": "mtp",
    "num_speculative_tokens": 3,
}  # fmt: skip
TRTLLM = {
    "engine": {"model": R1, "version": "1.2.0", "quantization": "FP8"},
    "world_info": {"tp_size": 8, "pp_size": 1, "world_size": 8},
    "request_info": {"num_requests": 100, "avg_num_concurrent_requests": 8.0,
                     "avg_input_length": 1024.0, "avg_output_length": 256.0},
    "performance": {"system_output_throughput_tok_s": 500.0},
    "decoding_stats": {"mode": "MTP", "acceptance_length_percentiles": {"average": 2.35},
                       "draft_acceptance_rate_percentiles": {"average": 0.45}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("result", "fill", "drafts", "tokens"),
    [
        (SGLANG, {"chip": "h100-sxm"}, 3, 2.9),
        (VLLM, {"chip": "h200-sxm", "tp": "8"}, 1, 1.9),
        (VLLM | {"spec_decode_num_drafts": None,
                 "speculative_config": {"method": "deepseek_mtp", "num_speculative_tokens": 2}},
         {"chip": "h200-sxm", "tp": "8"}, 2, 1.9),
        (INFERENCEX, {}, 3, 2.82),
        # 1.35 of the drafts are accepted, 45% of them: 3
        (TRTLLM, {"chip": "h200-sxm"}, 3, 2.35),
        (TRTLLM | {"decoding_stats": None}, {"chip": "h200-sxm"}, 0, 1),
    ],
)  # fmt: skip
def test_files_of_results_state_drafts(
    tmp_path: Path, result: dict[str, Any], fill: dict[str, str], drafts: float, tokens: float
) -> None:
    found = of_file(tmp_path, result, **fill)
    assert found
    for row in found:
        assert told(row) == (drafts, pytest.approx(tokens, rel=0.01))
    # A gap between chunks of several tokens is no time per token.
    assert "itl_s" not in {row.metric for row in found}


def test_a_tree_of_drafts_is_named(tmp_path: Path) -> None:
    server = SGLANG["server_info"] | {"speculative_eagle_topk": 4}  # type: ignore[operator]
    (tmp_path / "r.json").write_text(json.dumps(SGLANG | {"server_info": server}))
    (row,) = read_rows([tmp_path / "r.json"], fill={"chip": "h100-sxm"})
    assert row.status == "not-modelled"
    assert "speculative_eagle_topk 4" in row.reason


# --- what was measured


def test_every_length_that_was_measured_is_found_again() -> None:
    """With one row of a model and method, its own; with several, between them."""
    for row in draft_table().measured:
        for n, length in zip(row.drafts, row.lengths, strict=True):
            same = [
                other.lengths[other.drafts.index(n)]
                for other in draft_table().measured
                if (other.model, other.method) == (row.model, row.method) and n in other.drafts
            ]
            found = drafting(model(row.model), n, None, row.method)
            tokens = tokens_per_step(n, found.acceptance)
            assert min(same) - 1e-6 <= tokens <= max(same) + 1e-6, (row.model, n, length)


def test_nearer_models_are_surer_and_formats_do_not_matter() -> None:
    own = drafting(model("zai-org/GLM-5.2"), 3)
    copy = drafting(model("nvidia/GLM-5.2-NVFP4"), 3)
    line, other = drafting(model("zai-org/GLM-5.1"), 3), drafting(model("Qwen/Qwen3-8B"), 3)
    assert own == copy
    assert own.acceptance == line.acceptance
    assert own.sigma < line.sigma
    assert own.sigma < other.sigma
    assert "of the same line" in line.said[0]
    assert "of other lines" in other.said[0]


def test_between_drafts_that_were_measured_acceptance_is_between() -> None:
    """DeepSeek-V3 has 1 draft (88%) and 7 (3.15 tokens, 70%)."""
    each = [drafting(model("deepseek-ai/DeepSeek-V3"), n).acceptance for n in (1, 2, 4, 7)]
    assert each == sorted(each, reverse=True)
    assert each[0] == pytest.approx(0.875)
    assert tokens_per_step(7, each[-1]) == pytest.approx(3.145, rel=0.01)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_acceptance_follows_from_tokens_a_step(n: int) -> None:
    for acceptance in (0.05, 0.5, 0.77, 0.99):
        tokens = tokens_per_step(n, acceptance)
        assert acceptance_of(n, tokens) == pytest.approx(acceptance, abs=1e-9)
    assert acceptance_of(n, 0.5) == 0.0
    assert acceptance_of(n, n + 2.0) == 1.0


def test_a_question_takes_what_was_measured_and_says_so() -> None:
    given: dict[str, Any] = {"batch": [16], "isl": 1000, "osl": 500, "engine": "vllm"}
    usual = rl.serving(R1, "hgx-h200", drafts=1, **given)
    stated = rl.serving(R1, "hgx-h200", drafts=1, acceptance=0.872, **given)
    assert "as measured on DeepSeek-V3" in " ".join(usual.notes)
    assert "as measured on" not in " ".join(stated.notes)
    a, b = usual.at(16), stated.at(16)
    assert a["tpot_s"] == pytest.approx(b["tpot_s"], rel=0.005)
    assert a["tpot_high_s"] / a["tpot_low_s"] > b["tpot_high_s"] / b["tpot_low_s"]
    only = [
        rl.serving(QWEN, "h100-sxm", batch=[16], context=1000, drafts=3, **more).at(16)
        for more in _given({}, {"acceptance": 0.776})
    ]
    spans = [x["usd_per_mtok_output_high"] / x["usd_per_mtok_output_low"] for x in only]
    assert spans[0] > spans[1]


def test_a_head_is_in_memory_too() -> None:
    """One layer more, in 16 bits."""
    given: dict[str, Any] = {"batch": [1], "context": 1000, "tp": 1}
    plain, drafted = (
        rl.serving(QWEN, "h100-sxm", **given, **more).at(1)["memory_bytes_per_chip"]
        for more in _given({}, {"drafts": 2, "acceptance": 0.5})
    )
    head = draft_head(model(QWEN))
    assert head.mixer is not None
    weights = 2 * (4096 * 80 * 128 + 3 * 4096 * 12_288 + 2 * 4096**2)
    cache = 2 * 2 * 8 * 128 * 1000
    assert drafted - plain == pytest.approx(weights + cache, rel=0.01)
