"""``ridgeline components``: fit and score the calibrated laws on operator measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, Csv, Json, Wide
from ridgeline.cli.output import as_table, one_output, print_csv, print_json, print_text
from ridgeline.cli.working import note, tell
from ridgeline.errors import SpecError
from ridgeline.files import is_folder

__all__ = ["components"]


def components(
    folder: Annotated[
        Path,
        Parameter(
            help="Folder of measured tables: gemm_fraction_by_m.csv, decode_attention_bw.csv and "
            "others.",
        ),
    ],
    /,
    *,
    fit: Annotated[
        bool,
        Parameter(
            group=OUTPUT,
            help="Write the constants, fitted on all shapes, as TOML into the folder of --out.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            metavar="FOLDER",
            help="Folder for --fit; the catalogue's own is src/ridgeline/catalog/constants.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        Parameter(group=OUTPUT, metavar="FILE", help="Write the scores into this Markdown page."),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Score the calibrated laws on operator measurements, on shapes their fit has not seen.

    Needs the optional part [calibrate].
    """
    from ridgeline import fidelity  # noqa: PLC0415  (numpy and the catalogue, only when asked)
    from ridgeline.fidelity.report import score_rows  # noqa: PLC0415

    one_output(json, csv)
    if fit != (out is not None):
        raise SpecError("--fit and --out belong together: --fit --out FOLDER writes constants.")
    if not is_folder(folder):
        raise SpecError(f"{folder} is not a folder; one with tables of measurements is expected.")
    outcome = fidelity.calibrate(fidelity.read_kernels(folder), tell)
    if out is not None:
        note(f"Wrote {len(fidelity.write_constants(outcome, out))} files of constants in {out}.")
    if report is not None:
        fidelity.write_report(outcome, report)
        note(f"Wrote {report}.")
    rows = score_rows(outcome.scores)
    if json:
        print_json(rows)
    elif csv:
        print_csv(rows)
    else:
        as_table(
            rows,
            _COLUMNS,
            title="Median error on unseen shapes",
            faint=lambda r: not r["met"],
            wide=wide,
        )
        print_text("engines: what the median engine itself misses the single engines by.")


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"


_COLUMNS = {
    "component": ("component", str),
    "dtype": ("format", str),
    "place": ("on", str),
    "n_scored": ("scored", str),
    "median": ("median", _percent),
    "p90": ("p90", _percent),
    "bias": ("bias", _percent),
    "engines": ("engines", _percent),
    "target": ("target", _percent),
}
