"""``ridgeline reversible``: measure stored, checkpointed and reversible networks here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.inputs import Whole, numbers
from ridgeline.cli.output import as_table, check_picture, print_csv, print_json, print_text
from ridgeline.errors import SpecError
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ridgeline.mixing.reversible import Measurement

__all__ = ["reversible"]


def reversible(
    *,
    depths: str = "2,4,8,16,32,48",
    width: Whole = 128,
    context: Whole = 128,
    batch: Whole = 4,
    device: str = "auto",
    steps: Whole = 200,
    repeats: Whole = 3,
    precision_depths: str = "1,2,4,8,16,32",
    quick: Annotated[bool, Parameter(negative=())] = False,
    chart: str = "memory",
    out: Annotated[tuple[Path, ...], Parameter(negative=(), consume_multiple=False)] = (),
    dark: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
    csv: Annotated[bool, Parameter(negative=())] = False,
    wide: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure what reversible networks save and cost, beside what the laws say.

    A transformer stack is trained for a step with stored activations, with checkpoints and
    reversibly, at several depths: bytes alive, peak, step time. A small GPT is trained on Python's
    own help in each way, and random nets are run backwards in several precisions. Needs PyTorch.

    Parameters
    ----------
    depths
        Numbers of blocks.
    width
        Width of the blocks.
    context
        Tokens a sequence.
    batch
        Sequences a step.
    device
        auto (the GPU if there is one), cpu, cuda, cuda:1.
    steps
        Training steps for the loss curves; 0 leaves them out.
    repeats
        Timed steps of each; the fastest counts.
    precision_depths
        Numbers of blocks to run backwards.
    quick
        Only memory and time.
    chart
        Which picture: memory, time, losses, precision or gradients.
    out
        Write the picture: .png, .svg, .html, .pdf or .json (Vega-Lite). May be repeated.
    dark
        Dark picture.
    json
        Everything as JSON.
    csv
        Memory and time as CSV.
    wide
        Show all columns of tables, however narrow the terminal.
    """
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")
    from ridgeline.charts.mixing import REVERSIBLE_PICTURES  # noqa: PLC0415  (needed here only)
    from ridgeline.mixing.reversible import measure  # noqa: PLC0415  (says how to get PyTorch)
    from ridgeline.mixing.reversible.measurement import Shape  # noqa: PLC0415  (needs PyTorch)

    shape = Shape(d_model=width, n_heads=_heads(width), n_context=context, batch=batch)
    check_picture(chart, REVERSIBLE_PICTURES)
    with _progress() as progress:
        found = measure(
            _counts(depths, "depths"),
            shape=shape,
            device=device,
            n_steps=0 if quick else steps,
            repeats=repeats,
            precision_depths=() if quick else _counts(precision_depths, "precision-depths"),
            progress=progress,
        )
    for path in out:
        found.chart(chart).save(path, dark=dark)
    if json:
        print_json(found.to_dict())
    elif csv:
        print_csv(found.stacks)
    else:
        _show(found, wide=wide)


def _heads(width: int) -> int:
    """Heads of 32 where the width allows, else one."""
    return width // 32 if width >= 32 and width % 32 == 0 else 1


def _counts(text: str, name: str) -> list[int]:
    values = numbers(text, name)
    return [] if values is None else [int(v) for v in values]


def _progress() -> Any:
    """A bar on stderr for people; silence for pipes."""
    from contextlib import contextmanager  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415  (only while measuring)
    from rich.progress import Progress  # noqa: PLC0415

    @contextmanager
    def bars() -> Iterator[Callable[[str, int, int], None]]:
        tasks: dict[str, Any] = {}
        with Progress(console=Console(file=sys.stderr), transient=True) as bar:

            def report(what: str, done: int, of: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=of)
                bar.update(tasks[what], completed=done)

            yield report

    return bars()


def _bytes(value: float) -> str:
    return format_quantity(value, "B")


def _times(value: float) -> str:
    return f"{value:.2f} x"


def _show(found: Measurement, *, wide: bool) -> None:
    _show_summary(found)
    as_table(
        found.stacks,
        {
            "kind": ("stack", str),
            "n_blocks": ("blocks", str),
            "alive_bytes": ("alive after forward", _bytes),
            "predicted_alive_bytes": ("law", _bytes),
            "peak_bytes": ("peak", _bytes),
            "predicted_peak_bytes": ("law, at least", _bytes),
            "step_s": ("step", lambda v: format_quantity(v, "s")),
            "step_over_standard": ("over standard", _times),
            "predicted_step_over_standard": ("law", _times),
        },
        title="Activations beyond parameters and input, and time of a step",
        wide=wide,
    )
    if found.precision:
        as_table(
            _by_arithmetic(found.precision),
            {"arithmetic": ("error of the input that comes back", str)}
            | {str(n): (f"{n} blocks", _error) for n in _precision_depths(found)},
            wide=wide,
        )


def _show_summary(found: Measurement) -> None:
    about, stacks = found.about, found.stacks
    deep, shallow = stacks[-1]["n_blocks"], stacks[0]["n_blocks"]
    where = about["device"] + (f", {about['n_threads']} threads" if about["n_threads"] else "")
    print_text(
        f"{about['batch']} x {about['n_context']} tokens, width {about['d_model']}, fp32, on "
        f"{where}; bytes by {about['memory_method']}."
    )
    if deep > shallow:
        print_text(
            f"From {shallow} to {deep} blocks activations grow "
            f"{found.growth('standard'):.2f} x stored, "
            f"{found.growth('checkpointed'):.2f} x checkpointed, "
            f"{found.growth('reversible'):.2f} x reversible."
        )
    print_text(
        f"A reversible step takes {found.time_ratio('reversible', 'standard'):.2f} x a standard "
        f"one and {found.time_ratio('reversible', 'checkpointed'):.2f} x a checkpointed one."
    )
    if found.losses:
        print_text(
            "Trained reversibly and with stored activations, losses differ by at most "
            f"{found.largest_loss_difference():.1e} nats."
        )


def _precision_depths(found: Measurement) -> list[int]:
    return list(dict.fromkeys(r["n_blocks"] for r in found.precision))


def _error(value: float) -> str:
    return "exact" if value == 0 else f"{value:.1e}"


def _by_arithmetic(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for r in rows:
        line = table.setdefault(r["arithmetic"], {"arithmetic": r["arithmetic"]})
        line[str(r["n_blocks"])] = r["error"]
    return list(table.values())
