"""Options of serving engines, and of what deploys them, for what was priced."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ridgeline.specs.record import Record
from ridgeline.specs.refusal import Refusal

__all__ = [
    "Deployment",
    "Device",
    "Devices",
    "EngineFlag",
    "EngineFlags",
    "FlagSource",
    "Router",
    "WeightRule",
]


class EngineFlag(Record):
    """One option of an engine.

    Attributes
    ----------
    flag : str    The option; empty for a field of the engine's configuration file.
    key : str     Field of the JSON object that the option takes, or dotted path in the file.
    value : str   Quantity that goes with it; one that is true makes a bare flag.
    const : int, float, bool, str or None   Instead of a quantity: always this.
    unless : int, float, str or None   Left out where the value is this.
    when : tuple of str   Conditions that must all hold; ``!name`` is its opposite.
    note_when : tuple of str   Conditions under which the note is needed.
    """

    flag: str = ""
    key: str = ""
    value: str = ""
    const: int | float | bool | str | None = None
    unless: int | float | str | None = None
    when: tuple[str, ...] = ()
    note: str = ""
    note_when: tuple[str, ...] = ()


class FlagSource(Record):
    """Where a flag was read."""

    title: str
    url: str
    retrieved: str


class WeightRule(Record):
    """How weights of some formats get into an engine.

    Attributes
    ----------
    formats : tuple of str   Patterns of ids of formats.
    online : str             The engine's name for converting 16-bit weights while it loads them.
    checkpoint : str         Kind of checkpoint that is needed where it cannot, or they are not.
    file : str               Ending of the file that is loaded instead of a model's id.
    """

    formats: tuple[str, ...] = Field(min_length=1)
    online: str = ""
    checkpoint: str = ""
    file: str = ""


class Router(Record):
    """What stands before several replicas, or two pools.

    Attributes
    ----------
    note : str      In words.
    command : str   To paste, with the places of `each_prefill` and `each_decode`; may be empty.
    each_prefill, each_decode : str   One server in the command or file, with the places ``{i}``,
                    ``{port}`` and ``{cache_port}``.
    file : str      Configuration file that the command reads; empty if it reads none.
    fields : mapping   What is in that file, nested.
    """

    note: str
    command: str = ""
    each_prefill: str = ""
    each_decode: str = ""
    file: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)


class EngineFlags(Record):
    """The options of one engine.

    Attributes
    ----------
    id : str             That of the engine in the catalogue.
    versions : str       Release whose own list of options they were checked against.
    launch : str         Command before the options, with a place for ``{checkpoint}``.
    launch_nodes : str   The same where a replica has several nodes; empty if it is the same.
    file : str           Configuration file that fields without a flag are written to.
    vendors : tuple of str   Whose chips it runs on.
    memory : str         Of what its share of memory is: ``all`` it may take, ``static`` for weights
                         and caches, ``free`` after weights, or ``none`` if it has none.
    usual_sequences, most_sequences : int   Sequences of a rank that it takes by default, and at
                         most (0: no limit).
    port : int           Its default port.
    cache_port : int     Default port at which a server of two pools says what caches it has; 0 if
                         it has none.
    cache_ports : int    Such ports of a server, one for each of its data-parallel ranks.
    nodes_note : str     What is needed where a replica has several nodes.
    refuses : tuple of Refusal   What it cannot start beside what the engine cannot run.
    env : mapping        Environment variables of servers of two pools; ``NODE_ADDRESS`` is the
                         server's own address.
    kv_formats : mapping   Its names of formats of the cache, by id; the first is its default.
    """

    id: str
    name: str
    versions: str
    launch: str
    launch_nodes: str = ""
    file: str = ""
    vendors: tuple[str, ...] = Field(min_length=1)
    memory: Literal["all", "static", "free", "none"]
    usual_sequences: int = Field(gt=0)
    most_sequences: int = 0
    port: int
    cache_port: int = 0
    cache_ports: int = Field(default=1, ge=1)
    nodes_note: str = ""
    refuses: tuple[Refusal, ...] = ()
    flags: tuple[EngineFlag, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    kv_formats: dict[str, str]
    weights: tuple[WeightRule, ...] = Field(min_length=1)
    replicas: Router
    pools: Router | None = None
    sources: tuple[FlagSource, ...] = Field(min_length=1)


class Deployment(Record):
    """A manifest of a tool that deploys engines on Kubernetes.

    Attributes
    ----------
    engines : mapping    Engines it runs, with what differs between them; ``images`` of each by
                         type of accelerator.
    refuses : tuple of Refusal   What it cannot deploy beside what the engine cannot start.
    document : mapping   The manifest, with places for quantities: ``{name}``.
    pool : mapping       One pool of workers in it.
    leave_out : tuple of str   Options of the engine that the manifest says in fields of its own.
    leave_out_nodes : tuple of str   The same of replicas over several hosts alone.
    arguments_env : str   Environment variable that its containers take the engine's options from;
                         empty if they take arguments.
    """

    name: str
    versions: str
    apply: str
    engines: dict[str, dict[str, Any]] = Field(min_length=1)
    refuses: tuple[Refusal, ...] = ()
    leave_out: tuple[str, ...] = ()
    leave_out_nodes: tuple[str, ...] = ()
    arguments_env: str = ""
    document: dict[str, Any]
    pool: dict[str, Any]
    notes: tuple[str, ...] = ()
    sources: tuple[FlagSource, ...] = Field(min_length=1)


class Device(Record):
    """What schedulers and processes call chips of some kinds of a vendor.

    Attributes
    ----------
    accelerator : str   Type of accelerator, by which images go; empty if none have one.
    resource : str      Resource of Kubernetes; empty if there is none.
    visible : str       Environment variable with the chips that a process sees; empty if it has
                        none that counts chips.
    """

    vendor: str
    kinds: tuple[str, ...] = Field(min_length=1)
    accelerator: str = ""
    resource: str = ""
    visible: str = ""


class Devices(Record):
    """The devices known, and where their names were read."""

    sources: tuple[FlagSource, ...] = Field(min_length=1)
    devices: tuple[Device, ...] = Field(min_length=1)
