"""How the fleet for a rate of requests is shown: by ``serving --rate`` and ``layouts --rate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.cli.launching import launch_dict, show_launch
from ridgeline.cli.output import print_csv, print_json, print_table, print_text
from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from ridgeline.questions.layouts import Fleet
    from ridgeline.questions.layouts.fleet_compare import ComparedFleets

__all__ = ["refuse_beside_rate", "show_fleets"]


def refuse_beside_rate(**given: object) -> None:
    """Refuse options that the answer to a rate has no use for, rather than leave them out.

    Parameters
    ----------
    given : object   Options by name; what is empty or False was not given.

    Raises
    ------
    SpecError   One was given.
    """
    for name, value in given.items():
        if value:
            raise SpecError(
                f"--{name} does not go with --rate, whose answer is the fleet as a table. Leave "
                "out --rate and ask about one deployment: --concurrency or --batch says its load."
            )


def show_fleets(
    found: list[Fleet], *, json: bool, csv: bool, wide: bool = False, flags: str | None = None
) -> None:
    """Print a fleet; of several machines their comparison, and the best of them in words.

    Parameters
    ----------
    found : list of Fleet   One per machine.
    json, csv : bool        As JSON, or the rows as CSV.
    wide : bool             All columns, however narrow the screen.
    flags : str or None     Also what starts the fleet (of one machine) on this engine.
    """
    # What cannot be started is refused before anything is shown.
    started = None if flags is None else found[0].command(flags)
    compared = _compared(found) if len(found) > 1 else None
    if json:
        every = [one.to_dict() for one in found]
        if started is not None:
            every[0] |= launch_dict(started)
        if compared is None:
            print_json(every[0])
        else:
            print_json(compared.to_dict() | {"answers": every})
    elif csv:
        print_csv([row for one in found for row in one.table().records()])
    elif compared is None:
        print_text("\n".join(found[0].sentences()))
        print_table(found[0].table(), wide=wide)
        if started is not None:
            show_launch(started)
    else:
        print_text(compared.sentence)
        print_table(compared.table(), wide=wide)
        print_text("\n".join(compared.best.sentences()))
        print_text("Ask of one machine at a time for what smaller fleets of the others miss.")
        for note in compared.notes():
            print_text(f"Note: {note}")


def _compared(found: list[Fleet]) -> ComparedFleets:
    from ridgeline.questions.layouts.fleet_compare import compare_fleets  # noqa: PLC0415  (for several)

    return compare_fleets(found)
