"""Options of what trains models, for a job that was timed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ridgeline.specs.engine_flags import EngineFlag, FlagSource
from ridgeline.specs.record import Record
from ridgeline.specs.refusal import Refusal

__all__ = ["KnownModel", "TrainingFlags"]


class KnownModel(Record):
    """A model that a tool has under a name of its own.

    Attributes
    ----------
    name : str     What the tool calls it.
    like : str     Id in the catalogue of a model of that shape.
    module : str   Where the tool keeps it, for tools that name two things; may be empty.
    pipelines : bool   Whether the tool cuts it into pipeline stages.
    tasks : tuple of str   That it is there for; empty: all of the tool's.
    """

    name: str
    like: str
    module: str = ""
    pipelines: bool = True
    tasks: tuple[str, ...] = ()


class TrainingFlags(Record):
    """The options of one tool that trains models.

    Attributes
    ----------
    id : str             By which it is asked for.
    versions : str       Releases that they hold for.
    launch, launch_nodes : str   Command before the options, with places for quantities; on several
                         hosts.
    starts_everywhere : bool   Whether each host is given the command, or one for all.
    timed_as : str       Framework of the catalogue that times it, where that is not its id.
    join : str           Between an option and its value: a space, or ``=``.
    file, format : str   Configuration file that rows without a flag are written to; empty: none.
    vendors : tuple of str   Whose chips it runs on.
    families : tuple of str   Families of models whose layers it builds from a shape; empty where it
                         takes only `models`.
    models : tuple of KnownModel   That it has by name; empty where any shape of `families` will do.
    words : mapping      Quantity to our word to its own; a word that is not there cannot be run.
    refuses : tuple of Refusal   What else it cannot run.
    placeholders : mapping   Words in the options that are the reader's to fill in, and with what.
    notes : tuple of Refusal   What else must be known, and when.
    env : tuple of EngineFlag   Environment variables of the command.
    """

    id: str
    name: str
    versions: str
    launch: str
    launch_nodes: str
    starts_everywhere: bool = True
    timed_as: str = ""
    join: Literal[" ", "="] = " "
    file: str = ""
    format: Literal["", "toml", "json"] = ""
    vendors: tuple[str, ...] = Field(min_length=1)
    families: tuple[str, ...] = ()
    models: tuple[KnownModel, ...] = ()
    words: dict[str, dict[str, str]]
    refuses: tuple[Refusal, ...] = ()
    flags: tuple[EngineFlag, ...] = Field(min_length=1)
    placeholders: dict[str, str] = Field(default_factory=dict)
    notes: tuple[Refusal, ...] = ()
    env: tuple[EngineFlag, ...] = ()
    sources: tuple[FlagSource, ...] = Field(min_length=1)
