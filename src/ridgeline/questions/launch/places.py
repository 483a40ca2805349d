"""Which host and chips each replica gets: what hosts must hold, and commands, follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ridgeline.questions.launch.quantities import Priced

__all__ = ["Hosts", "Place", "on_hosts", "placed", "too_many_hosts"]


class Place(NamedTuple):
    """Where one replica runs.

    Attributes
    ----------
    pool : int         Which of what was priced it belongs to.
    i : int            Its number in that pool.
    host : int         Its host, the first where it has several.
    slot : int         Servers on that host before it.
    first_chip : int   Chips of that host before its own.
    """

    pool: int
    i: int
    host: int
    slot: int
    first_chip: int


class Hosts(NamedTuple):
    """Hosts that run the same servers.

    Attributes
    ----------
    n : int                   How many there are.
    servers : tuple of int    Replicas of each pool on one of them.
    span : int                Hosts of one replica: of several, `n` counts groups of as many.
    """

    n: int
    servers: tuple[int, ...]
    span: int = 1

    @property
    def places(self) -> list[tuple[int, int]]:
        """Pool, and number within it on this host, of each server: pools in their order."""
        return [(pool, i) for pool, n in enumerate(self.servers) for i in range(n)]


def on_hosts(priced: Sequence[Priced]) -> list[Hosts]:
    """Put replicas on hosts: whole ones for those of several, else the largest first.

    Parameters
    ----------
    priced : sequence of Priced   On one kind of machine.
    """
    each = priced[0].chips_per_host
    none = [0] * len(priced)
    found = [
        Hosts(one.n_replicas, tuple(int(j == i) for j in range(len(priced))), one.n_nodes)
        for i, one in enumerate(priced)
        if one.n_nodes > 1
    ]
    shared: list[Hosts] = []
    alone = [i for i, one in enumerate(priced) if one.n_nodes == 1]
    for i in sorted(alone, key=lambda i: -priced[i].n_chips):
        left, filled = priced[i].n_replicas, []
        for hosts in [*shared, Hosts(left, tuple(none))]:
            used = sum(n * one.n_chips for n, one in zip(hosts.servers, priced, strict=True))
            fit = (each - used) // priced[i].n_chips
            full, rest = divmod(left, fit) if fit else (0, 0)
            if full >= hosts.n:
                full, rest = hosts.n, 0
            for n, more in ((full, fit), (int(rest > 0), rest)):
                filled += [_with(hosts, n, i, more)] if n else []
            kept = hosts.n - full - (rest > 0)
            filled += [hosts._replace(n=kept)] if kept and any(hosts.servers) else []
            left -= full * fit + rest
        shared = filled
    return found + shared


def _with(hosts: Hosts, n: int, pool: int, more: int) -> Hosts:
    servers = list(hosts.servers)
    servers[pool] += more
    return Hosts(n, tuple(servers))


def placed(priced: Sequence[Priced]) -> Iterator[Place]:
    """The place of every replica, host by host.

    Parameters
    ----------
    priced : sequence of Priced   One, or a pool that prefills and one that decodes.
    """
    host, so_far = 0, [0] * len(priced)
    for hosts in on_hosts(priced):
        for _ in range(hosts.n):
            chip = 0
            for slot, (pool, _i) in enumerate(hosts.places):
                yield Place(pool, so_far[pool], host, slot, chip)
                so_far[pool] += 1
                chip += priced[pool].n_chips
            host += hosts.span


def too_many_hosts(priced: Sequence[Priced]) -> str:
    """Why hosts do not hold some replicas, which take as many chips of each; empty if they do.

    Parameters
    ----------
    priced : sequence of Priced   One, or a pool that prefills and one that decodes.
    """
    cluster, each = priced[0].replica.cluster, priced[0].chips_per_host
    used = sum(one.n_chips * one.n_replicas for one in priced)
    there_are = -(-max(cluster.domain_size * cluster.n_domains, used) // each)
    needed = sum(hosts.n * hosts.span for hosts in on_hosts(priced))
    if needed <= there_are:
        return ""
    pools = " and ".join(f"{one.n_replicas} x {one.n_chips} chips" for one in priced)
    return (
        f"{pools} take {needed} hosts of {each} chips, and there are {there_are}: a replica has as "
        "many chips on each of its hosts"
    )
