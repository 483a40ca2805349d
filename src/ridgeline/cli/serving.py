"""``ridgeline serving``: what a decode step takes and costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from cyclopts import Parameter

from ridgeline.cli.inputs import model_from, numbers, on_from, settings
from ridgeline.cli.output import as_table, print_csv, print_json, print_text
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.advice import advice
from ridgeline.questions.serving import Serving, compare
from ridgeline.questions.serving import serving as ask
from ridgeline.questions.serving.words import count, usd
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.model import Model

__all__ = ["serving"]

#: pieces of advice below an answer
_HINTS = 3

_Many = Parameter(negative=(), consume_multiple=False)
_Flag = Annotated[bool, Parameter(negative=())]


def serving(
    model: str | None = None,
    /,
    *,
    on: str | None = None,
    chip: str | None = None,
    chips: int | None = None,
    context: str | None = None,
    isl: str | None = None,
    osl: str | None = None,
    batch: str | None = None,
    prefix_hit: float = 0.0,
    drafts: float = 0,
    acceptance: float | None = None,
    expert_cv: float = EXPERT_POPULARITY_CV,
    weights: Annotated[str | None, Parameter(name=("--weights", "--dtype"))] = None,
    kv: Annotated[str | None, Parameter(name=("--kv", "--kv-dtype"))] = None,
    activations: str = "bf16",
    compute: str | None = None,
    price: str | None = None,
    basis: str | None = None,
    engine: str = "current",
    memory_utilization: float | None = None,
    reading: str | None = None,
    tp: int | None = None,
    pp: int | None = None,
    ep: int | None = None,
    attn_dp: int | None = None,
    replicas: int | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    from_counts: str | None = None,
    assume_harmless: Annotated[tuple[str, ...], _Many] = (),
    out: Annotated[tuple[Path, ...], _Many] = (),
    chart: str = "both",
    dark: _Flag = False,
    explain: _Flag = False,
    json: _Flag = False,
    csv: _Flag = False,
) -> None:
    """What a decode step takes, what binds it, and what a token costs.

    Three readings. The calibrated: all of the step's work under a layout (experts hit, attention,
    exchanges) at what good engines reach, with an interval. The ideal, a lower bound: the same work
    at datasheet peaks. The blackboard, a lower bound: all weights are read once a step, each
    sequence's cache once, and computing overlaps with reading, on all chips as one.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json (or its folder), or a model TOML.
    on
        Machine, or several separated by commas, compared cheapest first: a cluster is used whole,
        a chip means the fewest of its standard node on which the model fits; 4xhgx-h100 is four
        of them. Names of the catalogue or TOML files.
    chip
        Chip to put into the cluster instead of its own; alone, a chip by itself.
    chips
        Chips that hold one copy of the model.
    context
        Cached tokens a sequence (default 8192); several separated by commas.
    isl
        Instead of context: input tokens of a request, with --osl. Asks about prefill, too.
    osl
        Output tokens of a request.
    batch
        Sequences in flight: a list 1,64,2400 or a range 1:16384.
    prefix_hit
        Share of a request's input that is cached already, 0 to 1; with --isl.
    drafts
        Tokens drafted a sequence and step, by the model's prediction layers where it has them.
    acceptance
        How often a draft is accepted, 0 to 1.
    expert_cv
        How unevenly experts are chosen: standard deviation over mean; 0 is uniform.
    weights
        Store weights in this format: bf16, fp8, nvfp4, q4_k_m, exl2_4.25bpw…
    kv
        Store the KV cache in this format.
    activations
        Format of hidden states.
    compute
        Multiply in this arithmetic: bf16, fp8, fp4, int8.
    price
        USD per chip-hour, instead of the catalogue's price.
    basis
        Which of the catalogue's prices: on-demand, spot, contract, rental-3yr, own-tco-neocloud…
    engine
        Whose calibrated reading: vllm, sglang, tensorrt-llm…; current is the mean of the newest.
    memory_utilization
        Share of a chip's memory that an engine may fill (usually 0.9).
    reading
        calibrated (the default), ideal or blackboard.
    tp
        Tensor parallel degree (not for the blackboard; a plain default where no degree is given).
    pp
        Pipeline stages.
    ep
        Chips that the experts of a layer are spread over.
    attn_dp
        Attention data parallel degree.
    replicas
        Copies of the model.
    set_
        Change any field: cluster.chip.memory.bandwidth="10 TB/s", model.n_kv_heads=4.
    from_counts
        A model known by numbers: active=37B,total=671B,kv=70272,bits=8.
    assume_harmless
        Config field to ignore although it is not understood.
    out
        Write the picture: .png, .svg, .html, .pdf or .json (Vega-Lite). May be repeated.
    chart
        Which picture: latency, cost or both.
    dark
        Dark picture.
    explain
        Show the working, with the numbers in the equations.
    json
        Everything as JSON.
    csv
        Every point as CSV.
    """
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")
    changes = settings(set_)
    record = model_from(model, from_counts, assume_harmless, changes["model"])
    options = _options(changes, context, isl, osl, batch, price)
    options |= {"reading": reading, "layout": _layout(tp, pp, ep, attn_dp, replicas)}
    options |= {"weight_dtype": weights, "kv_dtype": kv, "activation_dtype": activations}
    options |= {"compute": compute, "basis": basis, "memory_utilization": memory_utilization}
    options |= {"engine": engine}
    options |= {"prefix_hit": prefix_hit, "drafts": drafts, "acceptance": acceptance}
    options |= {"expert_popularity_cv": expert_cv}
    answers, refused = _ask_each(record, on, chip, chips, changes["cluster"], options)
    _draw(answers, out, chart, dark)
    if json:
        every = [a.to_dict() for a in answers]
        print_json(
            every[0] if len(every) == 1 and not refused else {"answers": every, "refused": refused}
        )
    elif csv:
        print_csv([_about(a) | row for a in answers for row in a.result.rows()])
    elif len(answers) + len(refused) == 1:
        _show(answers[0], explain)
    else:
        _show_comparison(answers, refused, explain)


def _layout(
    tp: int | None, pp: int | None, ep: int | None, attn_dp: int | None, replicas: int | None
) -> Layout | None:
    """The layout asked for; None where no degree is given."""
    given = {"tp": tp, "pp": pp, "ep": ep, "attn_dp": attn_dp, "replicas": replicas}
    given = {k: v for k, v in given.items() if v is not None}
    return Layout.parse(given, "the layout") if given else None


def _options(
    changes: dict[str, dict[str, str]],
    context: str | None,
    isl: str | None,
    osl: str | None,
    batch: str | None,
    price: str | None,
) -> dict[str, Any]:
    """Inputs of the load and the price, whether given by their options or by --set."""
    load = {"context": context, "batch": batch, "isl": isl, "osl": osl}
    for name, value in changes["load"].items():
        if name not in load:
            raise SpecError(f"--set load.{name}: there are load.{', load.'.join(load)}.")
        load[name] = value
    for name, value in changes["price"].items():
        if name != "usd_per_chip_hour":
            raise SpecError(f"--set price.{name}: there is price.usd_per_chip_hour.")
        price = value
    lengths = {k: numbers(load[k], k) for k in ("isl", "osl")}
    return {
        "context": numbers(load["context"], "context"),
        "batch": numbers(load["batch"], "batch"),
        "price": price,
        **{k: float(v[0]) for k, v in lengths.items() if v is not None},
    }


def _ask_each(
    model: Model,
    on: str | None,
    chip: str | None,
    chips: int | None,
    changes: dict[str, str],
    options: dict[str, Any],
) -> tuple[list[Serving], list[dict[str, str]]]:
    """Ask on every machine; among several, one that cannot serve is an answer too."""
    if on is None and chip is None:
        raise SpecError(
            "Name a machine with --on, such as --on gb200-nvl72 or --on h100-sxm,mi300x."
        )
    names = [n.strip() for n in (on or chip or "").split(",") if n.strip()]
    answers, refused = [], []
    for name in names:
        cluster, is_chip = on_from(name, chip if on else None, changes)
        open_number = "fewest" if is_chip and options["layout"] is None else None
        number = chips if chips is not None else open_number
        try:
            answers.append(ask(model, cluster, chips=number, **options))
        except InfeasibleError as error:
            if len(names) == 1:
                raise
            refused.append({"cluster": name, "reason": str(error)})
    return answers, refused


def _draw(answers: list[Serving], out: tuple[Path, ...], chart: str, dark: bool) -> None:
    if not out:
        return
    if len(answers) != 1:
        raise SpecError("--out draws one machine; name one with --on.")
    picture = answers[0].chart(chart)
    for path in out:
        picture.save(path, dark=dark)


def _about(answer: Serving) -> dict[str, Any]:
    return {
        "model": answer.model.id,
        "cluster": answer.machine.cluster.id,
        "n_chips": answer.machine.n_chips,
    }


def _show(answer: Serving, explain: bool) -> None:
    print_text("\n".join(answer.sentences()))
    if explain:
        print_text("\n" + answer.explain())
    columns = _columns(answer)
    contexts = answer.result["context"]
    for i, context in enumerate(contexts):
        rows = [answer.result.row((i, j)) for j in _telling(answer)]
        title = f"context {context:,.0f} tokens" if len(contexts) > 1 else None
        as_table(rows, columns, title=title, faint=lambda r: bool(r["infeasible"]))
    for hint in advice(answer)[:_HINTS]:
        print_text(f"Advice: {hint.text}")
    for note in answer.notes:
        print_text(f"Note: {note}")


def _columns(answer: Serving) -> dict[str, tuple[str, Callable[[Any], str]]]:
    """Columns of the table; bounds say on which side the truth lies."""
    least, most = (" ≥", " ≤") if answer.reading != "calibrated" else ("", "")

    def seconds(value: Any) -> str:
        return format_quantity(value, "s")

    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "batch": ("batch", count),
        "ttft_s": (f"TTFT{least}", seconds),
        "tpot_s": (f"TPOT{least}", seconds),
        "tpot_low_s": ("80% from", seconds),
        "tpot_high_s": ("to", seconds),
        "time_s": (f"step{least}", seconds),
        "time_low_s": ("80% from", seconds),
        "time_high_s": ("to", seconds),
        "compute_s": ("compute", seconds),
        "weight_fetch_s": ("weights", seconds),
        "kv_fetch_s": ("KV", seconds),
        "network_s": ("network", seconds),
        "overhead_s": ("overhead", seconds),
        "bound": ("bound by", str),
        "tokens_per_s_per_user": (f"tok/s/user{most}", lambda v: f"{v:,.0f}"),
        "tokens_per_s_per_chip": (f"tok/s/chip{most}", lambda v: f"{v:,.0f}"),
        "usd_per_mtok_output": (f"$/Mtok out{least}", usd),
        "usd_per_mtok_input": (f"$/Mtok in{least}", usd),
        "requests_per_s": (f"req/s{most}", lambda v: f"{v:,.3g}"),
        "mfu": (f"MFU{most}", lambda v: f"{v:.0%}"),
        "mbu": (f"MBU{most}", lambda v: f"{v:.0%}"),
        "joule_per_token": (f"J/token{least}", lambda v: f"{v:,.3g}"),
        "memory_bytes_per_chip": ("memory/chip", lambda v: format_quantity(v, "B")),
        "infeasible": ("", lambda v: "does not fit" if v else ""),
    }
    known = answer.result.columns
    unused = {"usd_per_mtok_output", "usd_per_mtok_input"} if answer.price is None else set()
    parts = ("compute_s", "weight_fetch_s", "kv_fetch_s", "network_s", "overhead_s")
    unused |= {n for n in parts[3:] if not answer.result[n].any()}
    # A request has columns of its own; the parts of its steps are in --explain and --csv.
    steps = {"time_s", "time_low_s", "time_high_s", *parts, "mbu", "joule_per_token"}
    unused |= steps if answer.has_requests else {"tpot_s"}
    unused |= {"joule_per_token"} if np.isnan(answer.result["joule_per_token"]).any() else set()
    return {
        n: c
        for n, c in columns.items()
        if n not in unused and (n in known or n in ("batch", "infeasible"))
    }


def _telling(answer: Serving) -> list[int]:
    """The batches worth a line: all of a short list, else powers of two and the landmarks."""
    batches = answer.result["batch"]
    if len(batches) <= 24:
        return list(range(len(batches)))
    marks = {np.floor(v) for v in answer.landmarks().values()}
    is_power = np.log2(batches) % 1 == 0
    return [j for j, b in enumerate(batches) if is_power[j] or b in marks]


def _show_comparison(answers: list[Serving], refused: list[dict[str, str]], explain: bool) -> None:
    rows = compare(answers)
    bounds = any(a.reading != "calibrated" for a in answers)
    least, most, about = (" ≥", " ≤", "at least") if bounds else ("", "", "about")
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "machine": ("machine", str),
        "latency_floor_s": ("floor", lambda v: format_quantity(v, "s")),
        "balance_batch": ("balance batch", lambda v: count(v) if v < float("inf") else "none"),
        "batch": ("batch that fits", count),
        "time_s": (f"step{least}", lambda v: format_quantity(v, "s")),
        "bound": ("bound by", str),
        "tokens_per_s_per_user": (f"tok/s/user{most}", lambda v: f"{v:,.0f}"),
        "tokens_per_s_per_chip": (f"tok/s/chip{most}", lambda v: f"{v:,.0f}"),
        "usd_per_chip_hour": ("$/chip-hour", lambda v: f"{v:,.2f}"),
        "usd_per_mtok_output": (f"$/Mtok out{least}", usd),
    }
    if rows:
        first = rows[0]
        if first["usd_per_mtok_output"] is not None:
            print_text(
                f"Cheapest per output token, each machine at the largest batch that fits: "
                f"{first['machine']}, {about} {usd(first['usd_per_mtok_output'])} per million."
            )
        as_table(rows, columns)
    for row in refused:
        print_text(f"{row['cluster']}: {row['reason']}")
    for answer in answers if explain else ():
        print_text("\n" + answer.explain())
    for note in dict.fromkeys(n for a in answers for n in a.notes):
        print_text(f"Note: {note}")
