"""``ridgeline calibrate``: fit the constants of whole engines to measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, Csv, Json, Wide
from ridgeline.cli.output import as_table, one_output, print_csv, print_json, print_text
from ridgeline.cli.tables import (
    SetAsideFile,
    Sides,
    chunks_of,
    end_with_bugs,
    list_unanswered,
    refuse_if_none_answered,
    shipped_or,
)
from ridgeline.cli.working import note, tell

__all__ = ["calibrate"]


def calibrate(
    *tables: Annotated[
        Path,
        Parameter(
            help="CSV tables of measurements, or results of the benchmarks of vLLM, SGLang and "
            "TensorRT-LLM, GenAI-Perf, AIPerf, GuideLLM, LLMPerf, llama-bench, InferenceX and "
            "MLPerf. Without one, the published measurements that come with the package.",
        ),
    ],
    sides: Sides = Sides(),  # noqa: B008  (frozen)
    set_aside: SetAsideFile = None,
    out: Annotated[
        Path | None,
        Parameter(group=OUTPUT, metavar="FILE", help="Write the constants to this TOML file."),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Fit the constants of whole engines to measurements; print each, and what carries it.

    Needs the optional part [calibrate]. The same tables give the same constants to the digit.
    """
    from ridgeline.fidelity.engines import calibrate as engines  # noqa: PLC0415
    from ridgeline.fidelity.engines.freedom import freedom  # noqa: PLC0415
    from ridgeline.fidelity.scores import read_set_aside  # noqa: PLC0415
    from ridgeline.fidelity.scores.scoring import Scored, answered  # noqa: PLC0415

    one_output(json, csv)
    chosen = shipped_or(tables, sides)
    rows = [row for chunk in chunks_of(chosen, sides) for row in chunk]
    if set_aside is not None:
        apart = read_set_aside(set_aside)
        note(f"{apart.words(rows)}.")
        rows, _ = apart.split(rows)
    good = [row for row in rows if row.status == "ok"]
    bad = [row for row in rows if row.status != "ok"]
    scored = Scored()
    scored.add(bad, answered(bad, lambda _: []))
    if not good:
        refuse_if_none_answered(chosen, scored.unanswered)
    list_unanswered(scored.unanswered, len(bad))
    tell(f"fitting {len(good):,} rows of {len({row.source for row in good})} sources")
    constants = engines.calibrate(good)
    if out is not None:
        engines.write_constants(constants, out)
        note(f"Wrote {out}.")
    _show(engines.constant_rows(constants), json=json, csv=csv, wide=wide)
    if not (json or csv):
        as_table(freedom(constants), _FREEDOM, title="Effective degrees of freedom", wide=wide)
        print_text(
            "degrees of freedom: each factor by how far measurements narrowed what was expected of "
            "it, 0 to 1. determined: factors whose sigma is below 0.7 of the one expected."
        )
    end_with_bugs(scored.by_status)


def _show(rows: list[dict[str, Any]], *, json: bool, csv: bool, wide: bool) -> None:
    if json:
        print_json(rows)
    elif csv:
        print_csv(rows)
    else:
        as_table(rows, _COLUMNS, title="Constants of whole engines", wide=wide)
        print_text(
            "sigma: standard deviation on the log scale. rows: those whose prediction rests on it."
        )


_COLUMNS = {
    "constant": ("constant", str),
    "place": ("of", str),
    "value": ("value", "{:.4g}".format),
    "unit": ("unit", str),
    "sigma": ("sigma", "{:.3f}".format),
    "n_rows": ("rows", "{:,}".format),
    "sources": ("sources", ", ".join),
}

_FREEDOM = {
    "effect": ("effect", str),
    "level": ("level", str),
    "n_factors": ("factors", "{:,}".format),
    "freedom": ("degrees of freedom", "{:.1f}".format),
    "n_determined": ("determined", "{:,}".format),
}
