"""Commands and files that start a training job as it was timed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import listed
from ridgeline.catalog import tools_with_training_flags, training_flags
from ridgeline.errors import InfeasibleError
from ridgeline.questions.launch import Command, Launch
from ridgeline.questions.launch.refused import LayoutError
from ridgeline.questions.launch.rows import Written, written
from ridgeline.questions.training.launch.quantities import quantities, spoken
from ridgeline.questions.training.launch.shape import is_same, known_as, shape_of
from ridgeline.specs.refusal import first_refusal, holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ridgeline.specs.training_flags import TrainingFlags
    from ridgeline.trainer.job import TrainingJob

__all__ = ["refused", "start_training"]

#: a list of texts, an item a line
_SHORT_LIST = re.compile(r'\[\n((?:\s+"[^"\n]*",\n)+)\s*\]')


def start_training(job: TrainingJob, tool: str, n_steps: float | None = None) -> Launch:
    """Write what starts a training job on a tool.

    Parameters
    ----------
    job : TrainingJob         Of numbers, not of arrays.
    tool : str                ``megatron-lm``, ``megatron-bridge``, ``nemo``, ``torchtitan``,
                              ``deepspeed`` or ``maxtext``.
    n_steps : float or None   Optimizer steps of the run; None where they are not known.

    Raises
    ------
    CatalogError      Nobody knows the tool.
    LayoutError       It cannot run the layout; says why, and which tools can.
    InfeasibleError   It cannot do what was asked, in whatever layout.
    """
    flags = training_flags(tool)
    try:
        return _launch(job, flags, n_steps)
    except LayoutError as error:
        raise LayoutError(
            error.why, _others(job, flags, "Choose another layout, or another tool.")
        ) from None
    except InfeasibleError as error:
        said = str(error).rstrip(".")
        raise InfeasibleError(
            f"{said}. {_others(job, flags, 'No other tool has it, either.')}"
        ) from None


def refused(job: TrainingJob, tool: str) -> str:
    """Why a tool cannot run a job; empty where it can.

    Parameters
    ----------
    job : TrainingJob
    tool : str   See `start_training`.

    Raises
    ------
    CatalogError   Nobody knows the tool.
    """
    try:
        _launch(job, training_flags(tool), None)
    except LayoutError as error:
        return error.why
    except InfeasibleError as error:
        return str(error).rstrip(".")
    return ""


def _others(job: TrainingJob, flags: TrainingFlags, none: str) -> str:
    """Which tools can run a job, as advice."""
    tools = [t for t in tools_with_training_flags() if t != flags.id and not refused(job, t)]
    return f"Choose --flags {' or '.join(tools)}." if tools else none


def _launch(job: TrainingJob, flags: TrainingFlags, n_steps: float | None) -> Launch:
    known = _known(job, flags, n_steps)
    found = written(flags.flags, known)
    options = tuple(_option(flags, name, value) for name, value in found.options.items())
    env = tuple(written(flags.env, known).options.items())
    template = flags.launch_nodes if known["several_nodes"] else flags.launch
    everywhere = known["several_nodes"] and flags.starts_everywhere
    title = f"On each of {known['n_nodes']:,} hosts" if everywhere else ""
    command = Command(
        title, tuple((k, f"{v}") for k, v in env), template.format(**known), options, flags.join
    )
    files = ((flags.file, _text(flags, found.fields)),) if flags.file else ()
    notes = _notes(job, flags, known, found)
    shown = f"{command}{''.join(text for _, text in files)}"
    fills = [f"{name}: {what}." for name, what in flags.placeholders.items() if name in shown]
    if fills:
        fills = [f"Yours to fill in: {' '.join(fills)}"]
    return Launch(flags.id, (command,), files, "", tuple(dict.fromkeys([*fills, *notes])))


def _known(job: TrainingJob, flags: TrainingFlags, n_steps: float | None) -> dict[str, Any]:
    """Every quantity, after all that the tool cannot do is refused.

    Raises
    ------
    LayoutError, InfeasibleError   See `start_training`.
    """
    model, chip = job.model, job.cluster.chip
    if chip.vendor not in flags.vendors:
        raise InfeasibleError(
            f"{flags.name} does not run on {chip.name}: it runs on chips of {listed(flags.vendors)}"
        )
    if not model.blocks:
        raise InfeasibleError(
            f"{model.id} is known by its counts alone, and {flags.name} builds layers: name a "
            "model, or give its config.json"
        )
    known = quantities(job, n_steps)
    shape = shape_of(model)
    if flags.models:
        name = known_as(model, flags.models)
        if name is None:
            have = ", ".join(dict.fromkeys(m.module or m.name for m in flags.models))
            raise InfeasibleError(f"{flags.name} has no model of {model.id}'s shape: it has {have}")
        known |= {
            "model": name.name,
            "like": name.like,
            "is_stand_in": not is_same(model, name.like),
            "module": name.module,
            "builds_no_stages": not name.pipelines,
            "lacks_task": bool(name.tasks) and job.recipe.task not in name.tasks,
            "tasks": ", ".join(name.tasks),
            "task": job.recipe.task,
        }
    elif flags.families and (shape.odd or model.family not in ("", *flags.families)):
        what = shape.odd or f"layers of the family {model.family}"
        raise InfeasibleError(f"{flags.name} has no options for {model.id}: {what}")
    known |= spoken(job, flags, known)
    known |= shape.quantities | {"model_id": model.id, "has_mtp": bool(model.mtp)}
    why = first_refusal(flags.refuses, known)
    if why:
        raise LayoutError(why)
    return known


def _option(flags: TrainingFlags, name: str, value: Any) -> tuple[str, str]:
    """An option and its value as the command writes them."""
    text = value if isinstance(value, str) else json.dumps(value)
    # Beside `=` there is no bare option: it says that it is so.
    return name, text or ("" if flags.join == " " else "true")


def _text(flags: TrainingFlags, fields: Mapping[str, Any]) -> str:
    """The configuration file."""
    if flags.format == "json":
        return json.dumps(fields, indent=2)
    import tomli_w  # noqa: PLC0415  (nothing else here needs it)

    text = tomli_w.dumps(fields).strip()
    return _SHORT_LIST.sub(lambda m: f"[{' '.join(m[1].split()).rstrip(',')}]", text)


def _notes(
    job: TrainingJob, flags: TrainingFlags, known: Mapping[str, Any], found: Written
) -> Iterable[str]:
    """What must be known beside the options."""
    yield f"Options of {flags.name} {flags.versions}, checked against its own list."
    timed = (job.framework.id, *job.framework.stands_for)
    if job.reading == "calibrated" and not any(
        x.startswith(flags.timed_as or flags.id) for x in timed
    ):
        yield (
            f"Timed as {job.framework.name}: --framework {flags.timed_as or flags.id} times "
            f"{flags.name} itself."
        )
    if known.get("is_stand_in"):
        yield (
            f"{job.model.id} has the shape of {known['like']}, which is named: what differs "
            "beside it, such as rotary positions, is to be set."
        )
    for row in found.used:
        if row.note and all(holds(c, known) for c in row.note_when):
            yield f"{row.flag or row.key}: {row.note.format(**known)}."
    for note in flags.notes:
        if all(holds(c, known) for c in note.when):
            yield f"{note.why.format(**known)}."
