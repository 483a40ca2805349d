"""A quantisation scheme: which modules it means, and what format they have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ridgeline.readers.names import Module, Names

__all__ = ["Group", "Scheme", "Stored"]


class Stored(NamedTuple):
    """How a matrix is stored.

    Attributes
    ----------
    dtype : str             Name of a format.
    matrix_bits : float     Bits beside the weights, whatever the size of the matrix: codebooks.
    """

    dtype: str
    matrix_bits: float = 0.0


class Group(NamedTuple):
    """Modules of one format; None for modules that stay as they were."""

    names: Names
    stored: Stored | None


@dataclass(frozen=True)
class Scheme:
    """How a checkpoint is quantised.

    Attributes
    ----------
    groups : tuple of Group    The first that means a module decides.
    excluded : Names           Modules that stay as they were.
    head : Stored or None      The LM head, where a setting of its own quantises it.
    linear_head : bool         Whether the LM head is among "all linear modules".
    whole : bool               Whether "all" holds embedding, LM head and routers, too.
    kv_dtype : str or None     Format of cached keys and values.
    notes : tuple of str       What a user should know.
    """

    groups: tuple[Group, ...] = ()
    excluded: Names = field(default_factory=Names)
    head: Stored | None = None
    linear_head: bool = False
    whole: bool = False
    kv_dtype: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def lists(self) -> tuple[Names, ...]:
        """Every list of names but those that mean all."""
        named = (self.excluded, *(g.names for g in self.groups))
        return tuple(names for names in named if names and not names.every)

    def format_of(
        self, layers: tuple[str, ...], part: Module, *, by_name: bool = False
    ) -> Stored | None:
        """Format of a module, None where it is not quantised.

        Parameters
        ----------
        layers : tuple of str   The numbers its layer goes by, as `Names.mean` takes them; an empty
                                one for what is in no layer.
        part : Module
        by_name : bool          Heed only groups that name it, not those that mean all modules.
        """
        if self.excluded.every or any(self.excluded.mean(layer, part) for layer in layers):
            return None
        for names, stored in self.groups:
            named = any(names.mean(layer, part) for layer in layers)
            if named or (names.every and not by_name):
                return stored
        return None
