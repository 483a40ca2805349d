"""How the fleet for a rate of requests is shown: by ``serving --rate`` and ``layouts --rate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.cli.output import print_csv, print_json, print_table, print_text
from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from ridgeline.questions.layouts import Fleet

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


def show_fleets(found: list[Fleet], *, json: bool, csv: bool, wide: bool = False) -> None:
    """Print fleets, one after the other.

    Parameters
    ----------
    found : list of Fleet   One per machine.
    json, csv : bool        As JSON, or the rows as CSV.
    wide : bool             All columns, however narrow the screen.
    """
    if json:
        every = [one.to_dict() for one in found]
        print_json(every[0] if len(every) == 1 else {"answers": every})
    elif csv:
        print_csv([row for one in found for row in one.table().records()])
    else:
        for one in found:
            print_text("\n".join(one.sentences()))
            print_table(one.table(), wide=wide)
