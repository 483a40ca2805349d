"""``ridgeline calibrate``: fit the constants of whole engines to measurements."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, TABLES, Csv, Json, Wide
from ridgeline.cli.output import as_table, one_output, print_csv, print_json, print_text
from ridgeline.cli.score_columns import FIRST_OF_MOVED, MOVED
from ridgeline.cli.tables import (
    SetAsideFile,
    Sides,
    chunks_of,
    end_with_bugs,
    list_unanswered,
    refuse_if_none_answered,
    shipped_or,
)
from ridgeline.cli.training_tables import are_training, calibrate_training_tables
from ridgeline.cli.working import note, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.runs import Row

__all__ = ["calibrate"]


def calibrate(
    *tables: Annotated[
        Path,
        Parameter(
            help="CSV tables of measurements, of serving or of training runs, or results of the "
            "benchmarks of vLLM, SGLang and TensorRT-LLM, GenAI-Perf, AIPerf, GuideLLM, LLMPerf, "
            "llama-bench, InferenceX and MLPerf. Without one, the published measurements that "
            "come with the package.",
        ),
    ],
    sides: Sides = Sides(),  # noqa: B008  (frozen)
    from_scratch: Annotated[
        bool,
        Parameter(
            group=TABLES,
            negative=(),
            help="Fit every constant to these tables alone, as those of the package were made; "
            "without, they begin at those of the package and move as far as the runs tell.",
        ),
    ] = False,
    set_aside: SetAsideFile = None,
    out: Annotated[
        Path | None,
        Parameter(group=OUTPUT, metavar="FILE", help="Write the constants to this TOML file."),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Fit the constants of whole engines to your own runs: what moved, and what that is worth.

    A few runs move what they tell about and leave the rest. --constants FILE then answers serving,
    layouts, fleet, predict and validate with them; tables of training runs move the constants of
    training frameworks. Without a table, or with --from-scratch, all
    constants are fitted anew, which needs tables of many engines and chips. The same tables give
    the same constants to the digit.
    """
    from ridgeline.fidelity.scores import read_set_aside  # noqa: PLC0415
    from ridgeline.fidelity.scores.scoring import Scored, answered  # noqa: PLC0415

    one_output(json, csv)
    if tables and are_training(tables):
        calibrate_training_tables(
            tables, sides, from_scratch=from_scratch, set_aside=set_aside, out=out, json=json,
            csv=csv, wide=wide,
        )  # fmt: skip
        return
    chosen = shipped_or(tables, sides)
    apart = None if set_aside is None else read_set_aside(set_aside)
    rows = [row for chunk in chunks_of(chosen, sides) for row in chunk]
    if apart is not None:
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
    if from_scratch or not tables:
        _fit_all(good, out, json=json, csv=csv, wide=wide)
    else:
        _fit_own(good, tables, out, json=json, csv=csv, wide=wide)
    end_with_bugs(scored.by_status)


def _fit_all(rows: list[Row], out: Path | None, *, json: bool, csv: bool, wide: bool) -> None:
    from ridgeline.fidelity.engines import calibrate as engines  # noqa: PLC0415
    from ridgeline.fidelity.engines.freedom import freedom  # noqa: PLC0415

    constants = engines.calibrate(rows)
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


def _fit_own(
    rows: list[Row],
    tables: Sequence[Path],
    out: Path | None,
    *,
    json: bool,
    csv: bool,
    wide: bool,
) -> None:
    from ridgeline.catalog import engine_constants  # noqa: PLC0415
    from ridgeline.fidelity.engines.calibrate import write_constants  # noqa: PLC0415
    from ridgeline.fidelity.engines.own import fit_own  # noqa: PLC0415

    fit = fit_own(rows, engine_constants(), [table.name for table in tables])
    moved = [asdict(one) for one in fit.moved]
    if out is not None:
        write_constants(fit.constants, out)
        note(f"Wrote {out}: --constants {out} answers questions with it.")
    if fit.n_unfitted:
        note(
            f"{fit.n_unfitted:,} of {len(rows):,} rows move nothing: memory, two pools, 99th "
            "percentiles, cold servers and waits in offline queues tell nothing of these constants."
        )
    if json:
        print_json({"errors": fit.errors, "moved": moved})
    elif csv:
        print_csv(moved)
    else:
        if moved:
            as_table(
                moved, MOVED, title="What moved by more than 1%", first=FIRST_OF_MOVED, wide=wide
            )
        else:
            print_text("No constant moved by more than 1%.")
        as_table(fit.errors, _ERRORS, title="Median error of your runs", wide=wide)
        print_text(
            "sigma: standard deviation on the log scale, without your runs and with them. left "
            "out: your runs, predicted from the others, a fifth at a time. Intervals are as wide "
            "as those of the package."
        )
        every = fit.errors[0]
        if every["after"] > every["before"] or every["after"] > _POOR:
            print_text(
                f"Your runs are still off by {every['after']:.0%}: something about them is not as "
                "stated (model, chip, lengths, format). Look at 'ridgeline validate FILE --rows' "
                "before you use these constants."
            )
        if every["left_out"] is not None and every["left_out"] > every["before"]:
            print_text(
                f"Your runs tell little of each other: predicted from the others they are off by "
                f"{every['left_out']:.1%}, with the constants of the package by "
                f"{every['before']:.1%}. Look for odd ones, or give more, before you use these "
                "constants."
            )


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

#: runs that are off by more after a fit to them were not what they are said to be
_POOR = 0.5
_ERRORS = {
    "metric": ("metric", str),
    "n_rows": ("rows", "{:,}".format),
    "before": ("before", "{:.1%}".format),
    "after": ("after", "{:.1%}".format),
    "left_out": ("left out", lambda x: "" if x is None else f"{x:.1%}"),
}

_FREEDOM = {
    "effect": ("effect", str),
    "level": ("level", str),
    "n_factors": ("factors", "{:,}".format),
    "freedom": ("degrees of freedom", "{:.1f}".format),
    "n_determined": ("determined", "{:,}".format),
}
