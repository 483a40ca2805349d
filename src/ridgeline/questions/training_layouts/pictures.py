"""From the answer to the points that its pictures are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ridgeline.answers.words import listed
from ridgeline.errors import InfeasibleError, SpecError, there_is_no
from ridgeline.questions.families import nearest
from ridgeline.questions.training.pictures import PICTURES as OF_A_STEP

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.training_layouts.answer import TrainingLayouts

__all__ = ["PICTURES", "draw"]

Row = dict[str, Any]
#: of the search, and of the winner's step
PICTURES: Final = ("front", *OF_A_STEP)
#: points that do not make the front are drawn thinned out
_CLOUD_POINTS = 250
_GB = 1e9


def draw(answer: TrainingLayouts, name: str) -> Chart:
    """Draw one of `PICTURES`.

    Raises
    ------
    SpecError         There is no such picture.
    InfeasibleError   There is nothing to draw: no layout fits.
    """
    if name not in PICTURES:
        raise SpecError(there_is_no("picture", name, PICTURES))
    if not answer.rows:
        raise InfeasibleError("Nothing to draw: no layout fits.")
    return _front(answer) if name == "front" else answer.best_training.chart(name)


def _front(answer: TrainingLayouts) -> Chart:
    from ridgeline.charts import headroom_chart  # noqa: PLC0415  (only when drawn)

    best = {**_point(answer.best), "machine": answer.search_of(answer.best).words}
    fronts = {
        s.words: [_point(r) for r in s.described(s.search.front)]
        for s in answer.searches
        if s.search.n_fit
    }
    every = -(-len(answer.rows) // _CLOUD_POINTS)
    near = nearest(answer.families(), answer.best, answer.axes)
    by_row: dict[str, tuple[Row, list[str]]] = {}
    for family in near:
        if family.best is not None and family.best["layout"] != best["layout"]:
            by_row.setdefault(family.best["layout"], (family.best, []))[1].append(family.name)
    families = [
        {**_point(row), "machine": best["machine"], "name": listed(names)}
        for row, names in by_row.values()
    ]
    job, on = answer.best_job, list(fronts)
    machines = ", ".join(on) if len(on) < 3 else f"{len(on)} machines"
    load = job.load
    return headroom_chart(
        fronts,
        families,
        [_point(r) for r in answer.rows[::every]],
        best,
        title=f"Training {answer.model.name or answer.model.id} on {machines}",
        subtitle=(
            f"{load.global_batch:,} x {load.seq_len:,} tokens a step; {answer.reading} reading; "
            "yellow: the winner; diamonds: best of a family; line: front; crosses: others"
        ),
    )


def _point(row: Row) -> Row:
    return {
        "headroom_gb": row["headroom_bytes"] / _GB,
        "tokens_per_s_per_chip": row["tokens_per_s_per_chip"],
        "layout": row["layout"],
    }
