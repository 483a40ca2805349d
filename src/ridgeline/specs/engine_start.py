"""What an engine sets aside when it starts, beside weights and caches."""

from __future__ import annotations

from fnmatch import fnmatchcase

from pydantic import Field

from ridgeline.specs.quantities import Bytes, PositiveCount
from ridgeline.specs.record import Record

__all__ = ["Pad", "Sized", "Start", "StaticReserve"]


class Start(Record):
    """What the largest step takes, tried out before caches get the rest.

    An engine with such a start runs a step of a whole token budget, and samples for every sequence
    that it is set to take. The one that needs more of the two is set aside for good.

    Attributes
    ----------
    versions : tuple of str   Patterns of the releases meant; empty for all others.
    logit_copies : float      Vectors as long as the vocabulary, in fp32, that sampling holds for
                              each sequence at its peak. [1]
    hidden_copies : float     Hidden states of the whole step that are held meanwhile. [1]
    runtime_bytes : bytes     What libraries take outside the framework, on one chip. [bytes]
    group_bytes : bytes       Communicators of a group of chips, for each doubling. [bytes]
    graph_bytes : bytes       Captured graphs, where they are set aside too. [bytes]
    """

    versions: tuple[str, ...] = ()
    logit_copies: float = Field(gt=0)
    hidden_copies: float = Field(default=2.0, ge=0)
    runtime_bytes: Bytes
    group_bytes: Bytes
    graph_bytes: float = Field(default=0.0, ge=0)

    def is_of(self, version: str) -> bool:
        """Whether a release starts so."""
        wanted = version.strip().casefold()
        return not self.versions or any(fnmatchcase(wanted, p.casefold()) for p in self.versions)


class StaticReserve(Record):
    """What an engine keeps from weights and caches by a rule of its own, trying nothing out.

    Attributes
    ----------
    fixed_bytes : bytes        Always. [bytes]
    token_bytes : bytes        For each token of a step. [bytes]
    chip_bytes : bytes         For each chip of a replica. [bytes]
    graph_bytes : bytes        For each sequence of the largest captured graph. [bytes]
    graph_sequences : tuple    Sequences of that graph on groups of fewer chips than
                               `graph_chips`, and on others.
    least_bytes : bytes        At least so much, on chips with more memory than `least_above`.
    process_bytes : bytes      What the process itself takes besides. [bytes]
    """

    fixed_bytes: Bytes
    token_bytes: Bytes
    chip_bytes: Bytes
    graph_bytes: Bytes
    graph_sequences: tuple[PositiveCount, PositiveCount]
    graph_chips: PositiveCount
    least_bytes: Bytes
    least_above: Bytes
    process_bytes: Bytes


class Sized(Record):
    """Settings that an engine takes by itself on smaller chips.

    Attributes
    ----------
    below : bytes             Chips with less memory. [bytes]
    chips : tuple of str      Patterns of chips that are meant whatever their memory.
    token_budget : int        New tokens of a step at most. [tokens]
    max_sequences : int       Sequences of a rank at most; None as on others. [1]
    graph_sequences : tuple   As in `StaticReserve`; None as on others.
    """

    below: Bytes
    chips: tuple[str, ...] = ()
    token_budget: PositiveCount
    max_sequences: PositiveCount | None = None
    graph_sequences: tuple[PositiveCount, PositiveCount] | None = None

    def is_of(self, chip_id: str, memory_bytes: float) -> bool:
        """Whether a chip is meant."""
        return memory_bytes < self.below or any(fnmatchcase(chip_id, p) for p in self.chips)


class Pad(Record):
    """How kernels for experts in a format widen weights when they are loaded.

    Attributes
    ----------
    hidden, inner : int   Widths of hidden states and of an expert become a multiple of these.
    """

    hidden: PositiveCount
    inner: PositiveCount
