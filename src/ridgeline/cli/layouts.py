"""``ridgeline layouts``: the best layout and batch of a model on given chips, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.inputs import model_from, numbers, on_from, settings
from ridgeline.cli.output import as_table, print_csv, print_json, print_text
from ridgeline.errors import SpecError, UnitError
from ridgeline.questions.layouts import Layouts
from ridgeline.questions.layouts import layouts as ask
from ridgeline.questions.layouts.sentences import families_told
from ridgeline.questions.serving.words import usd
from ridgeline.specs.load import EXPERT_POPULARITY_CV
from ridgeline.units import format_quantity, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.cluster import Cluster

__all__ = ["layouts"]

_Many = Parameter(negative=(), consume_multiple=False)
_Flag = Parameter(negative=())
_S_PER_MS = 1e-3


def layouts(
    model: str | None = None,
    /,
    *,
    on: str | None = None,
    chips: str | None = None,
    isl: str | None = None,
    osl: str | None = None,
    prefix_hit: float = 0.0,
    context: str | None = None,
    ttft: str | None = None,
    tpot: str | None = None,
    e2e: str | None = None,
    rank: str | None = None,
    top: int = 10,
    batch: str | None = None,
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
    reading: str = "calibrated",
    disaggregate: Annotated[bool, _Flag] = False,
    flags: str | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    assume_harmless: Annotated[tuple[str, ...], _Many] = (),
    out: Annotated[tuple[Path, ...], _Many] = (),
    chart: str = "front",
    dark: Annotated[bool, _Flag] = False,
    explain: Annotated[bool, _Flag] = False,
    json: Annotated[bool, _Flag] = False,
    csv: Annotated[bool, _Flag] = False,
) -> None:
    """Search every layout and batch that fits; rank them within limits on latency.

    Layouts are all products of tensor, pipeline, expert and attention data parallelism and of
    replicas that fill the chips and that engines could run. Times are of a steady load on which
    nothing queues: everybody's time between tokens holds the prefills of those who come.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json (or its folder), or a model TOML.
    on
        Machine, or several separated by commas: a cluster is used whole (4xhgx-h100 is four), a
        chip means the fewest of its standard node that serve within the limits.
    chips
        Use so many chips, or fewest.
    isl
        Input tokens of a request (default 4096).
    osl
        Output tokens of a request (default 1024).
    prefix_hit
        Share of the input that is found in a prefix cache.
    context
        Instead of isl and osl: decoding alone, at so many cached tokens a sequence.
    ttft
        Limit on the time to the first token, in ms unless a unit is given (2s).
    tpot
        Limit on the mean time between tokens after the first, in ms.
    e2e
        Limit on the time to the last token, in ms.
    rank
        usd (default where there is a price), throughput or latency.
    top
        Rows of the ranking to show.
    batch
        Sequences in flight in one replica, a list or a range, instead of all that fit.
    drafts
        Tokens drafted a sequence and step, by the model's prediction layers where it has them.
    acceptance
        How often a draft is accepted, 0 to 1.
    expert_cv
        How unevenly experts are chosen: standard deviation over mean; 0 is uniform.
    weights
        Store weights in this format.
    kv
        Store the KV cache in this format.
    activations
        Format of hidden states.
    compute
        Multiply in this arithmetic.
    price
        USD per chip-hour, instead of the catalogue's price.
    basis
        Which of the catalogue's prices: on-demand, spot, contract, rental-3yr…
    engine
        Whose calibrated reading: vllm, sglang, tensorrt-llm…; current is the mean of the newest.
    memory_utilization
        Share of a chip's memory that an engine may fill (usually 0.9).
    reading
        calibrated, or ideal for bounds at datasheet peaks.
    disaggregate
        Also split the chips into a pool that prefills and one that decodes.
    flags
        Print the command that starts the best layout in an engine: vllm or sglang.
    set_
        Change any field: cluster.chip.memory.bandwidth="10 TB/s".
    assume_harmless
        Config field to ignore although it is not understood.
    out
        Write the picture: .png, .svg, .html, .pdf or .json (Vega-Lite). May be repeated.
    chart
        Which picture: front, roofline, memory, rack or timeline.
    dark
        Dark picture.
    explain
        Say of every value of every degree why it does not win.
    json
        Everything as JSON.
    csv
        Every layout at every batch as CSV.
    """
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")
    if top < 1:
        raise SpecError(f"--top: at least 1 row, not {top}.")
    changes = settings(set_)
    record = model_from(model, None, assume_harmless, changes["model"])
    options: dict[str, Any] = {
        "isl": _number(isl, "isl"),
        "osl": _number(osl, "osl"),
        "prefix_hit": prefix_hit,
        "context": _number(context, "context"),
        "ttft_s": _limit(ttft, "ttft"),
        "tpot_s": _limit(tpot, "tpot"),
        "e2e_s": _limit(e2e, "e2e"),
        "batch": numbers(batch, "batch"),
        "rank": rank,
        "drafts": drafts,
        "acceptance": acceptance,
        "expert_popularity_cv": expert_cv,
        "weight_dtype": weights,
        "kv_dtype": kv,
        "activation_dtype": activations,
        "engine": engine,
        "memory_utilization": memory_utilization,
        "compute": compute,
        "price": price,
        "basis": basis,
        "reading": reading,
    }
    machines, numbers_of_chips = _machines(on, _chips(chips), changes["cluster"])
    answer = ask(record, machines, chips=numbers_of_chips, **options)
    for path in out:
        answer.chart(chart).save(path, dark=dark)
    if json:
        more = {"pools": answer.pools().to_dict()} if disaggregate else {}
        more |= {"command": str(answer.command(flags))} if flags is not None else {}
        print_json(answer.to_dict() | more)
    elif csv:
        print_csv(_every_point(answer))
    else:
        _show(answer, top, explain)
        if disaggregate:
            print_text("\n" + "\n".join(answer.pools().sentences()))
        if flags is not None:
            _show_command(answer, flags)


def _number(text: str | None, name: str) -> float | None:
    values = numbers(text, name)
    if values is None:
        return None
    if len(values) != 1:
        raise SpecError(f"--{name} {text!r}: one number is expected.")
    return float(values[0])


def _limit(text: str | None, name: str) -> float | None:
    """Seconds of a limit; a bare number is in milliseconds, as in the field's other tools."""
    if text is None:
        return None
    try:
        return float(text) * _S_PER_MS
    except ValueError:
        pass
    try:
        return parse_quantity(text, "s")
    except UnitError as error:
        raise SpecError(f"--{name}: milliseconds, or a time such as 2s. {error}") from None


def _chips(text: str | None) -> int | str | None:
    if text is None or text == "fewest":
        return text
    if not text.isdigit():
        raise SpecError(f"--chips {text!r}: a whole number, or fewest, is expected.")
    return int(text)


def _machines(
    on: str | None, chips: int | str | None, changes: dict[str, str]
) -> tuple[list[Cluster], list[int | str | None]]:
    """The clusters named and how many chips of each: of a chip alone, the fewest that serve."""
    if on is None:
        raise SpecError("Name a machine with --on, such as --on gb200-nvl72 or --on h100-sxm.")
    found = [on_from(name.strip(), None, changes) for name in on.split(",") if name.strip()]
    wanted = ["fewest" if chips is None and is_chip else chips for _, is_chip in found]
    return [cluster for cluster, _ in found], wanted


def _every_point(answer: Layouts) -> list[dict[str, Any]]:
    return [
        search.row(i, j)
        for search in answer.searches
        for i in range(search.result.shape[0])
        for j in range(search.result.shape[1])
    ]


def _show(answer: Layouts, top: int, explain: bool) -> None:
    print_text("\n".join(answer.sentences()))
    rows = answer.rows[:top] or answer.closest(top)
    if rows:
        as_table(answer.with_intervals(rows), _columns(answer, rows), title=_title(answer))
    if answer.rows:
        told = families_told(answer, every=explain)
        if told:
            print_text("Why not")
        for line in told:
            print_text(f"  {line}")
    if explain or not answer.rows:
        for line in answer.impossible():
            print_text(f"  {line}.")
    for note in dict.fromkeys(answer.notes()):
        print_text(f"Note: {note}")


def _show_command(answer: Layouts, engine: str) -> None:
    command = answer.command(engine)
    print_text("\n" + str(command))
    for note in command.notes:
        print_text(f"# {note}")


def _title(answer: Layouts) -> str:
    n = sum(len(s.candidates.layouts) for s in answer.searches)
    points = sum(s.result.infeasible.size for s in answer.searches)
    best = "cheapest first" if answer.rank.column.startswith("usd") else "best first"
    if not answer.rows:
        best = "closest first"
    plural = "" if n == 1 else "s"
    return (
        f"{n:,} layout{plural}, {points:,} points, {answer.reading}; {best}, each at its best batch"
    )


def _columns(
    answer: Layouts, rows: list[dict[str, Any]]
) -> dict[str, tuple[str, Callable[[Any], str]]]:
    least = " ≥" if answer.reading == "ideal" else ""
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "cluster": ("on", str),
        "layout": ("layout", str),
        "concurrency": ("in flight", lambda v: f"{v:,.0f}"),
        "ttft_s": (f"TTFT{least}", _seconds),
        "tpot_s": (f"TPOT{least}", _seconds),
        "tpot_low_s": ("80% from", _seconds),
        "tpot_high_s": ("to", _seconds),
        "tokens_per_s_per_user": ("tok/s/user", lambda v: f"{v:,.0f}"),
        "tokens_per_s_per_chip": ("tok/s/chip", lambda v: f"{v:,.0f}"),
        "usd_per_mtok_input": ("$/Mtok in", usd),
        "usd_per_mtok_cached_input": ("cached", usd),
        "usd_per_mtok_output": ("out", usd),
        "usd_per_mtok": ("all", usd),
        "mfu": ("MFU", lambda v: f"{v:.0%}"),
        "mbu": ("MBU", lambda v: f"{v:.0%}"),
        "joule_per_token": ("J/token", lambda v: f"{v:.3g}"),
        "tokens_per_s_per_mw": ("tok/s/MW", lambda v: f"{v:,.0f}"),
        "bound": ("step bound by", str),
    }
    unused = {n for n in columns if rows and all(r.get(n) is None for r in rows)}
    if len(answer.searches) == 1:
        unused.add("cluster")
    if answer.reading == "calibrated":
        unused -= {"tpot_low_s", "tpot_high_s"}
    return {n: c for n, c in columns.items() if n not in unused}


def _seconds(value: float) -> str:
    return format_quantity(value, "s")
