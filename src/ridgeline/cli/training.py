"""``ridgeline training``: what an optimizer step takes, whether it fits, what a run costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ridgeline import catalog
from ridgeline.cli.asking import Shown
from ridgeline.cli.declare import (
    OUTPUT,
    AssumeHarmless,
    Chip,
    Csv,
    Dark,
    Explain,
    Fetch,
    FromCounts,
    Json,
    Model,
    Out,
    SetFields,
    Wide,
)  # fmt: skip
from ridgeline.cli.launching import TrainingFlags, check_flags, launch_dict, show_launch
from ridgeline.cli.output import (
    check_picture,
    one_output,
    print_as_is,
    print_json,
    print_table,
    print_text,
)
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.spreading import Spreading
from ridgeline.cli.training_asking import TrainingOptions, training_asked
from ridgeline.cli.training_compare import (
    TORNADO,
    compared,
    refuse_together,
    show_compared,
    show_sensitivity,
)
from ridgeline.cli.training_search import (
    FRONT,
    Searching,
    refuse_without_search,
    searched,
    show_search,
)
from ridgeline.questions.training import PICTURES, train

if TYPE_CHECKING:
    from ridgeline.questions.training import Training

__all__ = ["training"]

_FIRST = "time"


def training(
    model: Model = None,
    /,
    *,
    options: TrainingOptions | None = None,
    searching: Searching | None = None,
    chip: Chip = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    spreading: Spreading | None = None,
    out: Out = (),
    chart: Annotated[
        str | None,
        Parameter(
            group=OUTPUT,
            metavar="WORD",
            help="Which picture: time (the waterfall of a step, if not given), schedule, memory or "
            "memory-over-time; of a search front (if not given), or one of the winner's step.",
        ),
    ] = None,
    dark: Dark = False,
    sensitivity: Annotated[
        bool,
        Parameter(
            group=OUTPUT,
            negative=(),
            help="What 1% and twice of every constant of machine, model, load and framework do to "
            "time and cost, instead.",
        ),
    ] = False,
    explain: Explain = False,
    flags: TrainingFlags = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """What an optimizer step takes on a machine, by part; whether it fits; what a run costs.

    Three readings. The calibrated counts forward and backward passes under a layout, what is
    computed again, collectives, the optimizer and the bubble, and takes them at what frameworks
    reach, with an interval. The ideal, a lower bound, takes the same work at datasheet peaks. The
    blackboard takes 6 N D at the peak and the schedule's bubble.

    Without degrees a plain layout that fits is used, and said. With --tokens it is also the run:
    days, chip-hours, dollars, energy, interruptions and checkpoints. With --search every layout is
    compared, and what wins is told with its reasons. Several machines, between commas, are
    compared.
    """
    one_output(json, csv)
    how = searching or Searching()
    check_picture(chart or _FIRST, (FRONT, *PICTURES, *(TORNADO,) * sensitivity))
    check_flags(flags, csv=csv, known=catalog.known_training_flags)
    if not how.search:
        refuse_without_search(how, spreading, chart)
    asked = training_asked(
        model, options, chip=chip, set_=set_, from_counts=from_counts,
        assume_harmless=assume_harmless, fetch=fetch,
    )  # fmt: skip
    refuse_together(len(asked.named), search=how.search, sensitivity=sensitivity, flags=flags)
    if how.search:
        found = searched(asked, how, spreading)
        # What cannot be started is refused before anything is shown.
        started = None if flags is None else found.command(flags)
        save_picture(found.chart(chart or FRONT) if out or chart else None, out, dark=dark)
        show_search(found, how.top, started, explain=explain, json=json, csv=csv, wide=wide)
        return
    shown = Shown(out=out, dark=dark, json=json, csv=csv, wide=wide)
    if len(asked.named) > 1:
        show_compared(compared(asked), shown, chart, explain=explain)
        return
    answer = train(asked.scenario, named=asked.machine, framework=asked.framework)
    if sensitivity:
        show_sensitivity(answer, shown, chart)
        return
    started = None if flags is None else answer.command(flags)
    picture = answer.chart(chart or _FIRST) if out or chart else None
    save_picture(picture, out, dark=dark)
    if json:
        print_json(answer.to_dict() | ({} if started is None else launch_dict(started)))
    elif csv:
        print_as_is(answer.to_csv().removesuffix("\n"))
    else:
        _show(answer, explain, wide)
        if started is not None:
            show_launch(started)


def _show(answer: Training, explain: bool, wide: bool) -> None:
    print_text("\n".join(answer.sentences()))
    if explain:
        print_text("\n" + answer.explain())
    for table in answer.tables:
        print_table(table, wide=wide)
    for note in answer.notes:
        print_text(f"Note: {note}")
