"""``ridgeline training --search``: the best layout of a training job on given machines, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ridgeline.cli.declare import takes
from ridgeline.cli.launching import launch_dict, show_launch
from ridgeline.cli.output import print_csv, print_json, print_table, print_text
from ridgeline.cli.spreading import Spreading, spread_over
from ridgeline.errors import SpecError
from ridgeline.grid import Spread
from ridgeline.specs.fields import Number

if TYPE_CHECKING:
    from ridgeline.cli.training_asking import TrainingAsked
    from ridgeline.questions.launch import Launch
    from ridgeline.questions.training_layouts import TrainingLayouts

__all__ = ["FRONT", "Searching", "refuse_without_search", "searched", "show_search"]

#: the picture of a search
FRONT = "front"
_GROUP = Group("Search", sort_key=6)
#: rows of the ranking that are shown
_TOP = 10


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class Searching:
    """Whether layouts are searched, and what comes first."""

    search: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Compare every layout, micro-batch, recompute and sharding that can be; what is "
            "given is fixed. Several machines may be named.",
        ),
    ] = False
    rank: Annotated[
        str | None,
        Parameter(
            metavar="WORD",
            help="What comes first: time of a step (if not given; of several machines with prices "
            "usd), usd or energy.",
        ),
    ] = None
    try_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--try",
            metavar="AXIS=VALUES",
            consume_multiple=False,
            help="Values of an axis, instead of those that are usual: schedule=1f1b,zb-h1, "
            "offload=none,optimizer, overlap=none,dp+tp. May be repeated; --explain tells what "
            "was tried.",
        ),
    ] = ()
    top: Annotated[
        int, takes(Number(1, 1000, whole=True), "Rows of the ranking to show.", _GROUP)
    ] = _TOP


def refuse_without_search(given: Searching, spreading: Spreading | None, chart: str | None) -> None:
    """Refuse what only a search takes.

    Raises
    ------
    SpecError   One sentence for each.
    """
    where = spreading or Spreading()
    options = {
        "--rank": given.rank is not None,
        "--try": bool(given.try_),
        "--top": given.top != _TOP,
        "--workers": where.workers != 1,
        "--scheduler": where.scheduler is not None,
        f"--chart {FRONT}": chart == FRONT,
    }
    found = [f"{name} is of a search: give --search, too." for name, is_given in options.items()
             if is_given]  # fmt: skip
    if found:
        raise SpecError("\n".join(found))


def searched(
    asked: TrainingAsked, given: Searching, spreading: Spreading | None
) -> TrainingLayouts:
    """Search the machines of a question."""
    from ridgeline.questions.training_layouts import search_training  # noqa: PLC0415
    from ridgeline.questions.training_layouts.stated import axes_of  # noqa: PLC0415

    axes = axes_of(given.try_)
    machines = tuple(one.cluster for one in asked.named)
    scenario = asked.scenarios[0].model_copy(update={"machine": machines})
    with spread_over(spreading) as where, Spread(**where) as spread:
        return search_training(
            scenario, given.rank, spread, axes=axes, named=asked.named, framework=asked.framework
        )


def show_search(
    answer: TrainingLayouts,
    top: int,
    started: Launch | None,
    *,
    explain: bool,
    json: bool,
    csv: bool,
    wide: bool,
) -> None:
    """Print an answer: sentences, ranking, why not, what starts the winner; or as JSON or CSV."""
    # Files have more rows than a screen, unless some are asked for.
    some = None if top == _TOP else top
    if json:
        rows = answer.to_dict() if some is None else answer.to_dict(some)
        print_json(rows | ({} if started is None else launch_dict(started)))
    elif csv:
        print_csv(answer.rows[:some] or answer.closest(top))
    else:
        _show(answer, top, explain, wide)
        if started is not None:
            show_launch(started)


def _show(answer: TrainingLayouts, top: int, explain: bool, wide: bool) -> None:
    from ridgeline.questions.training_layouts.sentences import (  # noqa: PLC0415
        axes_told,
        families_told,
    )
    from ridgeline.questions.training_layouts.table import layouts_table  # noqa: PLC0415
    from ridgeline.questions.training_layouts.words import option_words  # noqa: PLC0415

    print_text("\n".join(answer.sentences()))
    rows = answer.rows[:top] or answer.closest(top)
    if rows:
        print_table(layouts_table(answer, answer.with_intervals(rows), top), wide=wide)
    if answer.rows and (why := families_told(answer, every=explain)):
        print_text("Why not")
        for line in why:
            print_text(f"  {line}")
    if explain:
        for line in axes_told(answer):
            print_text(line)
    if explain and answer.rows:
        print_text(f"The winner alone: {option_words(answer.options(answer.best))}")
        for line in answer.impossible():
            print_text(f"  {line}{'' if line.endswith('.') else '.'}")
    for note in dict.fromkeys(answer.notes()):
        print_text(f"Note: {note}")
