"""Rows of InferenceX (InferenceMAX), and of the aggregated files that its runs leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.record import (
    Result,
    Tool,
    draft_cells,
    first_of,
    mapping,
    nominal,
    plain,
    positive,
    text,
    truth,
    without_step_gaps,
)
from ridgeline.fidelity.measurements.results.vllm import serve_values

__all__ = ["ROWS"]

Found = Mapping[str, Any]

_TIMES = {"ttft_s": "ttft", "tpot_s": "tpot", "itl_s": "itl", "e2e_s": "e2el"}
_HARDWARE = ("hw", "hardware", "device")
_METHODS = ("spec_decoding", "spec_method")
_NUMBERS = ("num_speculative_tokens", "mtp", "num_nextn_predict_layers")
#: InferenceX draws lengths evenly from 0.8 to 1.0 of what it names
_MEAN_OF_NOMINAL = 0.9


def _is_row(found: Found) -> bool:
    return "conc" in found and any(k in found for k in _HARDWARE)


def _read(found: Found) -> Iterator[Result]:
    flat = {**found, **mapping(found, "metrics")}
    kind = text(flat.get("scenario_type")).replace("_", "-")
    if kind not in ("", "fixed-seq-len", "fixed-sequence"):
        raise Fault(
            "not-modelled",
            f"scenario_type is {kind!r}: conversations whose turns share prefixes, with lengths "
            "that the row does not state.",
        )
    chip = re.split(r"[-_]", first_of(flat, *_HARDWARE).casefold())[0]
    isl, osl = positive(flat, "isl"), positive(flat, "osl")
    cells = {
        "source": "inferencex",
        "engine": text(flat.get("framework")),
        "model": text(flat.get("model")),
        "chip": chip,
        "weight_dtype": _precision(text(flat.get("precision")), chip),
        "regime": "closed",
        "concurrency": plain(positive(flat, "conc")),
        "isl": plain(isl * _MEAN_OF_NOMINAL) if isl else "",
        "osl": plain(osl * _MEAN_OF_NOMINAL) if osl else "",
        "date": text(flat.get("date"))[:10],
    }
    notes = ["InferenceX run, lengths uniform 0.8-1.0 of nominal"]
    if isl and osl:
        notes.append(nominal(isl, osl))
    cells |= _pools(flat) if truth(flat.get("disagg")) else _one_pool(flat)
    cells |= _drafts(flat)
    values, about = serve_values(flat, _TIMES)
    values, gaps = without_step_gaps(values, cells)
    yield Result(cells, values | _throughputs(flat), (*notes, *about, *gaps))


def _drafts(flat: Found) -> dict[str, str]:
    length = positive(flat, "accept_length", "acceptance_length", "spec_decode_acceptance_length")
    return draft_cells(first_of(flat, *_METHODS), positive(flat, *_NUMBERS), length)


def _precision(name: str, chip: str) -> str:
    """4 bits mean NVIDIA's block format on NVIDIA's chips and the open one on AMD's."""
    if name.casefold() != "fp4":
        return name
    return "mxfp4" if chip.startswith("mi") else "nvfp4"


def _one_pool(flat: Found) -> dict[str, str]:
    tp = positive(flat, "tp", "decode_tp")
    shared = truth(flat.get("dp_attention", flat.get("decode_dp_attention")))
    return {
        "n_chips": plain(tp),
        "tp": "1" if shared else plain(tp),
        "attn_dp": plain(tp) if shared else "1",
        "pp": "1",
        "ep": plain(positive(flat, "ep", "decode_ep")),
    }


def _pools(flat: Found) -> dict[str, str]:
    cells: dict[str, str] = {}
    total = 0.0
    for pool in ("prefill", "decode"):
        tp = plain(positive(flat, f"{pool}_tp"))
        shared = truth(flat.get(f"{pool}_dp_attention"))
        n_chips = positive(flat, f"num_{pool}_gpu")
        total += n_chips or 0.0
        cells |= {
            f"{pool}_n_chips": plain(n_chips),
            f"{pool}_workers": plain(positive(flat, f"{pool}_num_workers")),
            f"{pool}_tp": "1" if shared else tp,
            f"{pool}_attn_dp": tp if shared else "1",
            f"{pool}_ep": plain(positive(flat, f"{pool}_ep")),
        }
    return cells | {"n_chips": plain(total) if total else ""}


def _throughputs(flat: Found) -> dict[str, float]:
    """Whole-system rates; where pools are apart, output is stated by chip of the decode pool."""
    pools = truth(flat.get("disagg"))
    n_decode, n_prefill = (positive(flat, f"num_{x}_gpu") or 0.0 for x in ("decode", "prefill"))
    n_chips = n_prefill + n_decode if pools else positive(flat, "tp", "decode_tp")
    output, total = positive(flat, "output_tput_per_gpu"), positive(flat, "tput_per_gpu")
    found = {}
    if output and n_chips:
        found["output_tokens_per_s"] = output * (n_decode if pools else n_chips)
    if total and n_chips:
        found["total_tokens_per_s"] = total * n_chips
    return found


ROWS = Tool("InferenceX", _is_row, _read)
