"""``ridgeline ciphers``: ciphers and random nets as mixing machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
from ridgeline.specs.fields import Number

if TYPE_CHECKING:
    from ridgeline.mixing.ciphers import Study

__all__ = ["ciphers"]

_COUNT = Number(1, 1024, whole=True)


def ciphers(
    *,
    samples: Annotated[
        int, takes(Number(1, 65_536, whole=True), "Pairs of block and key for each cipher.", STUDY)
    ] = 256,
    layers: Annotated[int, takes(_COUNT, "Layers of the nets.", STUDY)] = 24,
    nets: Annotated[int, takes(_COUNT, "Random nets of each kind, averaged.", STUDY)] = 4,
    seed: Annotated[
        int,
        takes(Number(0, 2**53, whole=True), "Of blocks, keys, inputs and weights.", STUDY),
    ] = 0,
    chart: Annotated[
        str,
        Parameter(
            group=OUTPUT,
            metavar="WORD",
            help="Which picture: avalanche, derivatives or jacobians.",
        ),
    ] = "avalanche",
    out: Out = (),
    dark: Dark = False,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """How ciphers and random nets mix, and what is left of a derivative.

    A demonstration: none of it is fit to protect anything.
    """
    one_output(json, csv)
    from ridgeline.charts.mixing import MIXING_PICTURES  # noqa: PLC0415  (needed here only)

    check_picture(chart, MIXING_PICTURES)
    from ridgeline.mixing.ciphers import study  # noqa: PLC0415  (loads numpy's parts when asked)

    found = study(seed=seed, n_samples=samples, n_layers=layers, n_nets=nets, progress=tell)
    # A picture that is named must be one that there is, drawn or not.
    picture = found.chart(chart) if out or chart != "avalanche" else None
    save_picture(picture, out, dark=dark)
    if json:
        print_json(found.to_dict())
    elif csv:
        print_csv([{"curve": name} | row for name, rows in found.curves.items() for row in rows])
    else:
        _show(found, wide=wide)


def _show(found: Study, *, wide: bool) -> None:
    as_table(
        found.summary,
        {
            "name": ("cipher", str),
            "n_bits": ("bits", str),
            "n_rounds": ("rounds", str),
            "share": ("avalanche", lambda v: f"{v:.3f}"),
            "worst_share": ("of the worst input bit", lambda v: f"{v:.3f}"),
            "full_diffusion_round": ("full diffusion after round", str),
        },
        title="Share of output bits that change for one input bit, after the last round",
        wide=wide,
    )
    boxes = ", ".join(f"{name} {value}" for name, value in found.uniformity.items())
    print_text(f"Differential uniformity of S-boxes (lower is harder to attack): {boxes}.")
    ends = {name: found.last(name) for name in found.curves}
    as_table(
        [
            {
                "series": name,
                "flips": ends["net_avalanche"][name],
                "gain": ends["jacobians"][name],
                "cosine": ends["derivative_agreement"][name],
            }
            for name in ends["jacobians"]
        ],
        {
            "series": ("random transformer", str),
            "flips": ("signs that change", lambda v: f"{v:.3f}"),
            "gain": ("Jacobian gain", lambda v: f"{v:.3g}"),
            "cosine": ("cosine of derivatives", lambda v: f"{v:.2f}"),
        },
        title="The same of nets, after the last layer",
        wide=wide,
    )
    print_text("A demonstration: none of it is fit to protect anything.")
