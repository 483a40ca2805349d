"""One question on several machines: what their comparison has, whatever is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, overload

from ridgeline.answers import Answer, Table
from ridgeline.answers.answered import Answered
from ridgeline.questions.prices import price_notes

if TYPE_CHECKING:
    from ridgeline.specs.price import Price

__all__ = ["SideBySide"]

_REFUSED = {"cluster": ("machine", ""), "reason": ("why", "")}


@dataclass(frozen=True, repr=False)
class SideBySide(Answered, Sequence[dict[str, Any]]):
    """One question on several machines; a sequence of rows, best first.

    Attributes
    ----------
    answers : tuple              In the order in which they were given.
    rows : tuple of dict         One of each machine.
    by_cost : bool               Whether dollars rank; else throughput per chip does.
    refused : tuple of mapping   Machines that cannot do it: ``cluster`` and ``reason``.
    price_notes : tuple of str   How prices were chosen for all machines together.
    """

    #: what machines are asked to do, for sentences and titles: "serve it"
    does: ClassVar[str]
    #: how the title begins, before the models
    begins: ClassVar[str] = ""
    nameless: ClassVar[str] = "A model"

    answers: tuple[Any, ...]
    rows: tuple[dict[str, Any], ...]
    by_cost: bool
    refused: tuple[Mapping[str, str], ...] = ()
    price_notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of machines."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[dict[str, Any], ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """The row of a machine."""
        return self.rows[index]

    @abstractmethod
    def sentence(self) -> str:
        """What ranks the machines, and which comes first."""

    @abstractmethod
    def table(self) -> Table:
        """The rows as a table."""

    @abstractmethod
    def _priced(self, answer: Any) -> tuple[str, Price | None]:
        """The name of an answer's machine, and its price."""

    @abstractmethod
    def _about(self, answer: Any) -> Mapping[str, Any]:
        """What an answer rests on."""

    def notes(self) -> tuple[str, ...]:
        """How prices were chosen, which they are, and what speaks against the inputs."""
        priced = (note for a in self.answers for note in price_notes(*self._priced(a)))
        own = (note for answer in self.answers for note in answer.notes)
        return tuple(dict.fromkeys([*self.price_notes, *priced, *own]))

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`; machines that cannot do it in a table ``refused``."""
        models = {a.model.name or a.model.id: None for a in self.answers}
        refused = Table("refused", f"Machines that cannot {self.does}", _REFUSED, self.refused)
        return Answer(
            question="compare",
            title=f"{self.begins}{' and '.join(models) or self.nameless} on {len(self)} machines",
            sentences=(self.sentence(),),
            tables=(self.table(), refused) if self.refused else (self.table(),),
            values={"by_cost": self.by_cost},
            notes=self.notes(),
            provenance={"machines": [self._about(a) for a in self.answers]},
        )
