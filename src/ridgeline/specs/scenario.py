"""A question as one validated record: which model, on what, serving what, under which choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, Unpack

from ridgeline.specs.choices import EngineChoice, FormatChoice, LayoutChoice, PriceChoice
from ridgeline.specs.fields import option
from ridgeline.specs.question_record import (
    MACHINES,
    Machines,
    QuestionRecord,
    fields_by_option,
    read_question,
)
from ridgeline.specs.scenario_options import ALIASES, ScenarioOptions
from ridgeline.specs.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

__all__ = ["Scenario", "ScenarioOptions", "option_fields"]


class Scenario(QuestionRecord):
    """A question.

    Make one from flat names with `of`, or from groups with `from_dict`.
    """

    earlier_names: ClassVar[Mapping[str, str]] = ALIASES

    machine: Annotated[Machines, MACHINES] = option(
        ...,
        "Machine, or several to compare: a cluster is used whole (4xhgx-h100 is four nodes); for a "
        "chip, the number of chips is chosen.",
    )
    workload: Workload = option(None, "The load on the system.", factory=Workload)
    formats: FormatChoice = option(None, "Number formats.", factory=FormatChoice)
    engine: EngineChoice = option(None, "The serving engine.", factory=EngineChoice)
    price: PriceChoice = option(None, "The price per chip-hour.", factory=PriceChoice)
    layout: LayoutChoice = option(None, "Layout and number of chips.", factory=LayoutChoice)

    @classmethod
    def of(cls, model: Any, machine: Any, **options: Unpack[ScenarioOptions]) -> Self:
        """Make a scenario from flat names.

        Parameters
        ----------
        model : str or Model       HuggingFace id, path of a ``config.json``, or a record.
        machine : str, Cluster, Chip or several   Names may stand in one text, with commas between.
        **options : ScenarioOptions   See the fields of the groups; None is as if not given.

        Raises
        ------
        SpecError   One sentence for each option that cannot be read or does not exist.

        Examples
        --------
        >>> Scenario.of("Qwen/Qwen3-8B", "h100-sxm", isl="2k", osl=512, tpot="p99<40ms")
        Scenario('Qwen/Qwen3-8B', 'h100-sxm', isl=2000, osl=512, tpot='p99 <= 40 ms')
        """
        return read_question(cls, model, machine, options)

    def options(self) -> dict[str, Any]:
        """Flat names of the options that are not at their default, with their values.

        Returns
        -------
        dict   `of` makes the same scenario of them.
        """
        found = super().options()
        load = self.workload
        if load.trace is not None:
            found["isl"] = load.trace
            found.pop("osl", None)
        if load.arrival == ("open" if load.rate is not None else "closed"):
            found.pop("arrival", None)
        if load.decode_only:
            found = {n: v for n, v in found.items() if n not in ("ttft", "e2e")}
        return found

    def with_options(self, **options: Unpack[ScenarioOptions]) -> Self:
        """The same scenario with some options changed.

        Parameters
        ----------
        **options : ScenarioOptions   As in `of`; None puts an option back to its default.

        Raises
        ------
        SpecError   As in `of`.
        """
        return self._with(options)


def option_fields() -> dict[str, tuple[tuple[str, ...], FieldInfo]]:
    """Every option of a scenario by its flat name: the path of its field, and the field."""
    return fields_by_option(Scenario)
