"""``ridgeline reversible``: measure stored, checkpointed and reversible networks here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, STUDY, Csv, Dark, Json, Out, Wide, takes
from ridgeline.cli.output import (
    as_table,
    check_picture,
    one_output,
    print_csv,
    print_json,
    print_text,
)
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.working import tell
from ridgeline.specs.fields import Number, Numbers
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.mixing.reversible import Measurement

__all__ = ["reversible"]

_COUNT = Number(1, 10**6, whole=True)
_COUNTS = Numbers(_COUNT)


def reversible(
    *,
    depths: Annotated[Any, takes(_COUNTS, "Numbers of blocks.", STUDY)] = (2, 4, 8, 16, 32, 48),
    width: Annotated[int, takes(_COUNT, "Width of the blocks.", STUDY)] = 128,
    context: Annotated[int, takes(_COUNT, "Tokens per sequence.", STUDY, unit="tokens")] = 128,
    batch: Annotated[int, takes(_COUNT, "Sequences per step.", STUDY, unit="sequences")] = 4,
    device: Annotated[
        str,
        Parameter(
            group=STUDY,
            metavar="NAME",
            help="auto (the GPU if there is one), cpu, cuda, cuda:1.",
        ),
    ] = "auto",
    steps: Annotated[
        int,
        takes(
            Number(0, 10**6, whole=True),
            "Training steps for the loss curves; 0 leaves them out.",
            STUDY,
        ),
    ] = 200,
    repeats: Annotated[int, takes(_COUNT, "Timed steps of each; the fastest counts.", STUDY)] = 3,
    precision_depths: Annotated[
        Any, takes(_COUNTS, "Numbers of blocks to run backwards.", STUDY)
    ] = (1, 2, 4, 8, 16, 32),
    quick: Annotated[bool, Parameter(group=STUDY, help="Only memory and time.")] = False,
    chart: Annotated[
        str,
        Parameter(
            group=OUTPUT,
            metavar="WORD",
            help="Which picture: memory, time, losses, precision or gradients.",
        ),
    ] = "memory",
    out: Out = (),
    dark: Dark = False,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Measure what reversible networks save and cost, beside what the laws say.

    A transformer stack is trained for a step with stored activations, with checkpoints and
    reversibly, at several depths: bytes alive, peak, step time. A small GPT is trained on Python's
    own help in each way, and random nets are run backwards in several precisions. Needs PyTorch.
    """
    one_output(json, csv)
    from ridgeline.charts.mixing import REVERSIBLE_PICTURES  # noqa: PLC0415  (needed here only)
    from ridgeline.mixing.reversible import measure  # noqa: PLC0415  (says how to get PyTorch)
    from ridgeline.mixing.reversible.measurement import Shape  # noqa: PLC0415  (needs PyTorch)

    shape = Shape(d_model=width, n_heads=_heads(width), n_context=context, batch=batch)
    check_picture(chart, REVERSIBLE_PICTURES)
    found = measure(
        _several(depths),
        shape=shape,
        device=device,
        n_steps=0 if quick else steps,
        repeats=repeats,
        precision_depths=() if quick else _several(precision_depths),
        progress=tell,
    )
    save_picture(found.chart(chart) if out else None, out, dark=dark)
    if json:
        print_json(found.to_dict())
    elif csv:
        print_csv(found.stacks)
    else:
        _show(found, wide=wide)


def _heads(width: int) -> int:
    """Heads of 32 where the width allows, else one."""
    return width // 32 if width >= 32 and width % 32 == 0 else 1


def _several(values: int | Sequence[int]) -> list[int]:
    return [values] if isinstance(values, int) else list(values)


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
