"""``ridgeline rl-step``: what one step of reinforcement learning takes, phase by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.cli.declare import (
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
from ridgeline.cli.inputs import machines_from, model_from, settings
from ridgeline.cli.output import one_output, print_as_is, print_table, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.scenario_options import ScenarioOptions, options_class, scenario_from
from ridgeline.errors import SpecError
from ridgeline.questions.rl_step import ask
from ridgeline.specs.rl_scenario import RLScenario

__all__ = ["rl_step"]

if TYPE_CHECKING:

    class RLOptions(ScenarioOptions):
        """All options of a question about reinforcement learning; see `specs.rl_scenario`."""

else:
    RLOptions = options_class("RLOptions", of=RLScenario)


def rl_step(
    model: Model = None,
    /,
    *,
    options: RLOptions | None = None,
    chip: Chip = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    out: Out = (),
    dark: Dark = False,
    explain: Explain = False,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """What a step of reinforcement learning takes: samples, log-probabilities, updates, weights.

    A step generates samples for each prompt until the longest ends, passes all of them through the
    policy (and a reference, a critic), trains on them, and sends the new weights to the chips that
    generate. On policy both sides take turns on the same chips; with --off-policy each has chips of
    its own, and the faster side waits.

    Degrees are those of training, with --gen- those of generation. Without, plain ones are used,
    and said.
    """
    one_output(json, csv)
    changes = settings(set_, ("model", "chip", "cluster"))
    record = model_from(model, from_counts, assume_harmless, changes["model"], fetch=fetch)
    given = options or RLOptions()
    named = machines_from(given.on, chip, changes["cluster"])
    if len(named) > 1:
        raise SpecError("--on: one machine at a time; ask about each of them by itself.")
    scenario = scenario_from(record, given, machine=[named[0].cluster], of=RLScenario)
    answer = ask(scenario, named=named[0])
    save_picture(answer.chart() if out else None, out, dark=dark)
    if json:
        print_as_is(answer.to_json(indent=2))
    elif csv:
        print_as_is(answer.to_csv().removesuffix("\n"))
    else:
        print_text("\n".join(answer.sentences()))
        if explain:
            print_text("\n" + answer.explain())
        for table in answer.answer.tables:
            print_table(table, wide=wide)
        for note in answer.notes:
            print_text(f"Note: {note}")
