"""Commands that start engines as they were priced."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import device_of, engine_flags
from ridgeline.questions.launch.checkpoints import Checkpoint, check_chip, checkpoint
from ridgeline.questions.launch.fill import filled
from ridgeline.questions.launch.notes import engine_notes, pool_notes
from ridgeline.questions.launch.places import on_hosts, placed, too_many_hosts
from ridgeline.questions.launch.quantities import quantities, refuses
from ridgeline.questions.launch.refused import LayoutError
from ridgeline.questions.launch.rows import written
from ridgeline.questions.launch.yaml_text import to_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.launch.quantities import Priced
    from ridgeline.specs.engine_flags import EngineFlag, EngineFlags, Router

__all__ = ["Command", "Launch", "launch", "options_of"]

#: hosts of a replica whose commands are all written out
_WRITTEN_OUT = 4


@dataclass(frozen=True, slots=True)
class Command:
    """One command line to paste.

    Attributes
    ----------
    title : str    Which replica, pool or host it is for; empty where there is but one.
    env : tuple    Pairs of environment variable and value.
    launch : str   Program and model.
    flags : tuple  Pairs of option and value; a bare one has an empty value.
    join : str     Between the two, ``=``; or a space, as they are words of their own.
    """

    title: str
    env: tuple[tuple[str, str], ...]
    launch: str
    flags: tuple[tuple[str, str], ...]
    join: str = " "

    @property
    def argv(self) -> tuple[str, ...]:
        """Words of the command, without the environment."""
        if self.join == " ":
            words = [word for flag, value in self.flags for word in (flag, value) if word]
        else:
            words = [f"{flag}{self.join}{value}" for flag, value in self.flags]
        return (*shlex.split(self.launch), *words)

    def __str__(self) -> str:
        """The command as a shell reads it, an option a line."""
        env = [f"{name}={shlex.quote(value)}" for name, value in self.env]
        # One variable goes before the program, several have a line each.
        start = [" ".join([*env, self.launch])] if len(env) < 2 else [*env, self.launch]
        lines = [
            f"{flag}{self.join}{shlex.quote(value) if value else ''}".rstrip()
            for flag, value in self.flags
        ]
        return " \\\n  ".join([*start, *lines])


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that starts what was priced on one engine.

    Attributes
    ----------
    engine : str       Its id.
    commands : tuple of Command
    files : tuple      Pairs of name and text of configuration files that the commands read.
    router : str       Command of what stands before replicas or pools; empty where none is needed.
    notes : tuple of str   What else is needed, and which release the options are of.
    """

    engine: str
    commands: tuple[Command, ...]
    files: tuple[tuple[str, str], ...]
    router: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """A script: files, commands, router."""
        parts = [f"cat > {name} <<'EOF'\n{text}\nEOF" for name, text in self.files]
        for command in self.commands:
            head = f"# {command.title}\n" if command.title else ""
            parts.append(f"{head}{command}")
        if self.router:
            parts.append(f"# Router\n{self.router}")
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "engine": self.engine,
            "commands": [
                {"title": c.title, "env": dict(c.env), "argv": list(c.argv)} for c in self.commands
            ],
            "files": dict(self.files),
            "router": self.router,
            "notes": list(self.notes),
        }


def launch(priced: Sequence[Priced], engine: str) -> Launch:
    """Write the commands that start what was priced.

    Parameters
    ----------
    priced : sequence of Priced   One, or a pool that prefills and one that decodes.
    engine : str                  Id of an engine with flags.

    Raises
    ------
    CatalogError      Nobody knows the engine.
    LayoutError       It cannot run the layout; says why.
    InfeasibleError   It cannot do what was priced, in whatever layout; says what.
    """
    flags = engine_flags(engine)
    commands: list[Command] = []
    files: list[tuple[str, str]] = []
    notes = [f"Options of {flags.name} {flags.versions}, checked against its own list."]
    notes += engine_notes(priced[0], flags)
    for pool, one in enumerate(_first_places(priced)):
        check_chip(one, engine)
        why = refuses(one, engine) or too_many_hosts(priced)
        if why:
            raise LayoutError(why)
        found = checkpoint(one, flags)
        _, fields, used = options_of(one, flags, found)
        name = _file(one, flags)
        if fields and name:
            files.append((name, to_yaml(fields)))
        commands += _commands(one, flags, found)
        notes += pool_notes(one, flags, found, used)
        notes += _other_replicas(priced, pool, flags, found)
        chip = one.replica.cluster.chip
        if _shares_host(one) and not device_of(chip).visible:
            notes.append(f"Servers share a host: give each {one.n_chips} {chip.name} of its own.")
        if one.n_nodes > 1:
            notes += _node_notes(one, flags, found)
    router, more, its_notes = _router(priced, flags)
    return Launch(
        engine, tuple(commands), (*files, *more), router, tuple(dict.fromkeys(notes + its_notes))
    )


def options_of(
    priced: Priced, flags: EngineFlags, found: Checkpoint, node: int = 0
) -> tuple[list[tuple[str, str]], dict[str, Any], list[EngineFlag]]:
    """Options, fields of the configuration file, and the rows of the table they are from.

    Raises
    ------
    InfeasibleError   See `quantities`.
    """
    known = quantities(priced, flags, node) | {
        "quantization": found.quantization,
        "file": _file(priced, flags),
    }
    options, fields, used = written(flags.flags, known)
    texts = [
        (flag, json.dumps(value) if isinstance(value, dict) else f"{value}")
        for flag, value in options.items()
    ]
    return texts, fields, used


def _file(priced: Priced, flags: EngineFlags) -> str | None:
    if not flags.file:
        return None
    return flags.file.format(suffix=f"-{priced.pool}" if priced.pool else "")


def _commands(priced: Priced, flags: EngineFlags, found: Checkpoint) -> list[Command]:
    """The commands of one replica, host by host."""
    known = quantities(priced, flags) | {"checkpoint": shlex.quote(found.name)}
    start = flags.launch
    if priced.n_nodes > 1 and flags.launch_nodes:
        return [
            Command(
                _title(priced), (), flags.launch_nodes.format(**known), _at(priced, flags, found, 0)
            )
        ]
    more = {k: v.format(**known) for k, v in flags.env.items()} if priced.pool else {}
    env = [*_visible(priced), *more.items()]
    nodes = range(priced.n_nodes if priced.n_nodes <= _WRITTEN_OUT else 2)
    return [
        Command(
            _title(priced, node), tuple(env), start.format(**known), _at(priced, flags, found, node)
        )
        for node in nodes
    ]


def _at(
    priced: Priced, flags: EngineFlags, found: Checkpoint, node: int
) -> tuple[tuple[str, str], ...]:
    return tuple(options_of(priced, flags, found, node)[0])


def _title(priced: Priced, node: int | None = None) -> str:
    """Which command it is: pool, replicas, host."""
    parts = []
    if priced.pool:
        parts.append(priced.pool.capitalize())
    if priced.n_replicas > 1:
        parts.append(f"replica 1 of {priced.n_replicas}, the others alike")
    if priced.n_nodes > 1 and node is not None:
        parts.append(f"node {node} of {priced.n_nodes} (counted from 0)")
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def _first_places(priced: Sequence[Priced]) -> list[Priced]:
    """What was priced, each as the first of its replicas is placed."""
    first: dict[int, Priced] = {}
    for place in placed(priced):
        if place.pool not in first:
            at = {"slot": place.slot, "first_chip": place.first_chip}
            first[place.pool] = replace(priced[place.pool], **at)
        if len(first) == len(priced):
            break
    return [first[i] for i in range(len(priced))]


def _other_replicas(
    priced: Sequence[Priced], pool: int, flags: EngineFlags, found: Checkpoint
) -> list[str]:
    """What differs in the commands of a pool's other replicas, host by host."""
    one = _first_places(priced)[pool]
    if one.n_nodes > 1:
        return []
    first, parts = _commands(one, flags, found)[0], []
    for hosts in (h for h in on_hosts(priced) if h.servers[pool]):
        slot = sum(hosts.servers[:pool])
        chip = sum(n * p.n_chips for n, p in zip(hosts.servers[:pool], priced, strict=False))
        servers = []
        for i in range(hosts.servers[pool]):
            at = replace(one, slot=slot + i, first_chip=chip + i * one.n_chips)
            servers.append(_difference(_commands(at, flags, found)[0], first) or "as the first")
        if parts:
            where = "on another host" if hosts.n == 1 else f"on each of {hosts.n} more hosts"
        elif servers[1:]:
            servers, where = servers[1:], "on the same host"
            if hosts.n > 1:
                where += f", and {hosts.n - 1} more host{'s' if hosts.n > 2 else ''} alike"
        elif hosts.n > 1:
            where = f"on {hosts.n - 1} more host{'s' if hosts.n > 2 else ''}"
        else:
            where = "here"
        parts.append((servers, where))
    others = [f"{'; '.join(servers)} {where}" for servers, where in parts if where != "here"]
    if not any(servers != ["as the first"] for servers, _ in parts):
        return []
    kind = f"{one.pool} servers" if one.pool else "replicas"
    return [f"The other {kind}: {'; then '.join(others)}."]


def _difference(other: Command, first: Command) -> str:
    """Variables and options that a command has otherwise than the first."""
    more = [f"{k}={v}" for k, v in other.env if (k, v) not in first.env]
    more += [f"{k} {v}".strip() for k, v in other.flags if (k, v) not in first.flags]
    names = {k for k, _ in other.flags}
    return ", ".join([*more, *(f"no {k}" for k, _ in first.flags if k not in names)])


def _visible(priced: Priced) -> list[tuple[str, str]]:
    """Chips of a replica where others share its host."""
    variable, first = device_of(priced.replica.cluster.chip).visible, priced.first_chip
    if not _shares_host(priced) or not variable:
        return []
    return [(variable, ",".join(str(first + i) for i in range(priced.n_chips)))]


def _shares_host(priced: Priced) -> bool:
    """Whether a replica leaves chips of its host to others."""
    return bool(priced.n_replicas > 1 or priced.pool) and priced.n_chips < priced.chips_per_host


def _node_notes(priced: Priced, flags: EngineFlags, found: Checkpoint) -> list[str]:
    """What is needed where a replica takes several hosts."""
    n = priced.n_nodes
    notes = [f"{n} hosts of {priced.chips_per_node} chips per replica: {flags.nodes_note}."]
    if n > _WRITTEN_OUT and not flags.launch_nodes:
        each = [dict(_at(priced, flags, found, node)) for node in (1, 2, n - 1)]
        differ = [flag for flag in each[0] if each[0][flag] != each[1][flag]]
        changed = ", ".join(f"{flag} {each[1][flag]} to {each[2][flag]}" for flag in differ)
        notes.append(f"Nodes 2 to {n - 1}: as node 1, with {changed}.")
    return notes


def _router(
    priced: Sequence[Priced], flags: EngineFlags
) -> tuple[str, list[tuple[str, str]], list[str]]:
    """What stands before replicas or pools: command, files, and in words."""
    router: Router | None = flags.pools if priced[0].pool else flags.replicas
    n_prefills, n_decodes = (
        sum(one.n_replicas for one in priced if (one.pool == "prefill") == prefills)
        for prefills in (True, False)
    )
    if router is None or n_prefills + n_decodes < 2:
        return "", [], []
    prefills, decodes = [], []
    for place in placed(priced):
        one = replace(priced[place.pool], slot=place.slot)
        prefill = one.pool == "prefill"
        template = router.each_prefill if prefill else router.each_decode
        known = quantities(one, flags)
        address = template.format(
            i=place.i, port=known["other_port"] or flags.port, cache_port=known["cache_port"]
        )
        (prefills if prefill else decodes).append(address)
    known = {
        "prefills": " ".join(prefills),
        "decodes": " ".join(decodes),
        "prefill_list": prefills,
        "decode_list": decodes,
        "n_prefills": n_prefills,
        "n_decodes": n_decodes,
    }
    files = [(router.file, to_yaml(filled(router.fields, known)))] if router.file else []
    command = router.command.format(**known).replace(" --", " \\\n  --")
    kind = "Two pools" if priced[0].pool else f"{n_decodes} replicas"
    return command, files, [f"{kind} need a router: {router.note}."]
