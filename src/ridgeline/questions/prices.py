"""Which price of a machine an answer uses, whether dollars may rank machines, and how to say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from ridgeline import catalog
from ridgeline.answers.words import listed
from ridgeline.errors import CatalogError, SpecError, did_you_mean
from ridgeline.specs.price import Price, PriceBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.choices import PriceChoice
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.price_list import PriceList

__all__ = [
    "MachinePrices",
    "basis_words",
    "choose_price",
    "common_basis",
    "on_one_basis",
    "price_notes",
    "price_terms",
    "price_words",
    "prices_of",
    "recalled_clause",
]

#: what renting costs somebody without a contract comes first, then contracts, then owning
_PREFERENCE: tuple[PriceBasis, ...] = (
    "user", "on-demand", "spot", "contract", "rental-3yr",
    "own-tco-neocloud", "own-tco-hyperscaler", "derived",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MachinePrices:
    """Prices of machines that are compared.

    Attributes
    ----------
    prices : tuple of Price or None   One per machine; None where none is known.
    notes : tuple of str              How they were chosen, and what speaks against them.
    """

    prices: tuple[Price | None, ...]
    notes: tuple[str, ...] = ()

    @property
    def comparable(self) -> bool:
        """Whether dollars may rank: one machine, or all have a price, on one basis."""
        return len(self.prices) == 1 or on_one_basis(self.prices)


def price_words(price: Price | None) -> str:
    """What an hour of a chip costs, on which basis, when; recalled and old ones say so.

    Examples
    --------
    >>> price_words(Price(usd_per_chip_hour=1.99, basis="on-demand", date="2024", kind="recalled"))
    '$1.99 per chip-hour (on-demand, recalled 2024 and on no list, more than a year old)'
    """
    if price is None:
        return "no price"
    return f"${price.usd_per_chip_hour:,.2f} per chip-hour ({price_terms(price)})"


def basis_words(basis: str) -> str:
    """Prices of one basis, in a sentence.

    Examples
    --------
    >>> basis_words("on-demand"), basis_words("user")
    ('on-demand prices', 'at the price given')
    """
    return "at the price given" if basis == "user" else f"{basis} prices"


def price_terms(price: Price) -> str:
    """Basis, date and caveats of a price."""
    basis = "" if price.basis == "user" else price.basis
    dated = price.date
    if price.is_recalled:
        dated = " ".join(part for part in ("recalled", price.date, "and on no list") if part)
    given = "as given" if not basis or _is_given(price) else ""
    old = "more than a year old" if price.is_old() else ""
    return ", ".join(part for part in (basis, dated, given, old) if part)


def price_notes(name: str, price: Price | None) -> tuple[str, ...]:
    """A note with a machine's price, for answers whose sentences do not say it."""
    return () if price is None else (f"{name}: {price_words(price)}.",)


def recalled_clause(price: Price | None) -> str:
    """What a sentence about the cheapest must add where its price is on no list; else nothing."""
    recalled = price is not None and price.is_recalled
    return ", at a price that is recalled and on no list" if recalled else ""


def on_one_basis(prices: Sequence[Price | None]) -> bool:
    """Whether dollars may rank: all have a price, and of one basis."""
    bases = {price.basis if price else None for price in prices}
    return len(bases) == 1 and None not in bases


def choose_price(cluster: Cluster, basis: str | None = None) -> Price | None:
    """The latest price of the basis asked for, or of the most usual basis there is.

    Parameters
    ----------
    cluster : Cluster
    basis : str or None   One of `PriceBasis`.

    Returns
    -------
    Price or None   None where the cluster has no price at all.

    Raises
    ------
    SpecError   The cluster has no price of the basis asked for.
    """
    if basis is None:
        usual = common_basis([cluster])
        return None if usual is None else _latest(cluster, usual)
    _check_basis(basis)
    found = _latest(cluster, basis)
    if found is None:
        raise SpecError(
            f"{cluster.name} has no {basis} price; it has {_bases(cluster)}. Choose one of these "
            "as the basis, or give a price in USD per chip-hour."
        )
    return found


def common_basis(clusters: Sequence[Cluster]) -> str | None:
    """The most usual basis on which all machines have a price; None where there is none.

    Parameters
    ----------
    clusters : sequence of Cluster

    Notes
    -----
    A basis of which somebody gave prices comes before those of the catalogue alone.
    """
    each = [{p.basis for p in cluster.prices} for cluster in clusters]
    known: list[str] = [b for b in _PREFERENCE if all(b in bases for bases in each)]

    def n_given(basis: str) -> int:
        return sum(any(p.basis == basis and _is_given(p) for p in c.prices) for c in clusters)

    return max(known, key=n_given, default=None)


def prices_of(clusters: Sequence[Cluster], choice: PriceChoice | None = None) -> MachinePrices:
    """Choose the prices of machines, so that all are on one basis where that can be.

    Parameters
    ----------
    clusters : sequence of Cluster   One for a question about one machine.
    choice : PriceChoice or None     What the question says of prices.

    Returns
    -------
    MachinePrices

    Raises
    ------
    SpecError   An unknown basis; one that none of the machines has; rents of unknown machines.

    Notes
    -----
    Where a list has all machines on the basis chosen, its prices are taken, as they were collected
    alike; else the latest of each machine. What was recalled comes after what was read.
    """
    if choice is None:
        from ridgeline.specs.choices import PriceChoice  # noqa: PLC0415  (lists make none)

        choice = PriceChoice()
    if choice.usd_per_chip_hour is not None:
        given = Price(usd_per_chip_hour=choice.usd_per_chip_hour, basis="user")
        return MachinePrices((given,) * len(clusters))
    if choice.prices is not None:
        _check_machines(choice.prices, clusters)
        clusters = [_with_rents(cluster, choice.prices) for cluster in clusters]
    if len(clusters) == 1:
        return MachinePrices((choose_price(clusters[0], choice.basis),))
    if choice.basis is not None:
        return _on_basis(clusters, choice.basis)
    usual = common_basis(clusters)
    if usual is None:
        return _on_none(clusters)
    found = _on_one(clusters, usual)
    all_of = "both machines" if len(clusters) == 2 else f"all {len(clusters)} machines"
    lists = {p.source for p in found if p is not None}
    of_one = ", from one list" if len(lists) == 1 and "" not in lists else ""
    chosen = f"Prices are {usual}, the most usual basis that {all_of} have{of_one}."
    return MachinePrices(found, (chosen, *_caveats(clusters, found)))


def _on_basis(clusters: Sequence[Cluster], basis: str) -> MachinePrices:
    """On the basis asked for; machines that lack it on their most usual."""
    _check_basis(basis)
    lacking = [c for c in clusters if _latest(c, basis) is None]
    if len(lacking) == len(clusters):
        each = "; ".join(f"{c.name} has {_bases(c)}" for c in clusters)
        raise SpecError(f"None of the machines has a {basis} price: {each}.")
    if not lacking:
        found = _on_one(clusters, basis)
        return MachinePrices(found, _caveats(clusters, found))
    prices = tuple(_latest(c, basis) or choose_price(c) for c in clusters)
    said = [
        f"{c.name} has no {basis} price; "
        + (f"{p.basis} is shown for it." if p is not None else "no price is known for it.")
        for c, p in zip(clusters, prices, strict=True)
        if c in lacking
    ]
    why = "Dollars do not rank the machines, as their prices are not on one basis."
    return MachinePrices(prices, (*said, why, *_caveats(clusters, prices)))


def _on_none(clusters: Sequence[Cluster]) -> MachinePrices:
    """No basis is common: each on its most usual, and dollars rank nothing."""
    prices = tuple(choose_price(c) for c in clusters)
    unknown = [c.name for c, p in zip(clusters, prices, strict=True) if p is None]
    if unknown:
        why = f"No price is known for {listed(unknown)}: dollars do not rank the machines."
    else:
        why = "No basis of price is known for all machines, so that dollars do not rank them."
    return MachinePrices(prices, (why, *_caveats(clusters, prices)))


def _on_one(clusters: Sequence[Cluster], basis: str) -> tuple[Price | None, ...]:
    """Prices on a basis that all have, of one list where one has them all."""
    read = [
        {p.source for p in c.prices if p.basis == basis and not p.is_recalled} for c in clusters
    ]
    has_given = any(_is_given(p) for c in clusters for p in c.prices if p.basis == basis)
    shared = set() if has_given else set.intersection(*read)
    latest = [_latest(c, basis) for c in clusters]

    def of_list(source: str) -> tuple[Price | None, ...]:
        return tuple(_latest(c, basis, source) for c in clusters)

    lists = [of_list(source) for source in sorted(shared)]
    return max(lists, key=lambda found: min(p.date for p in found if p), default=tuple(latest))


def _caveats(clusters: Sequence[Cluster], prices: Sequence[Price | None]) -> tuple[str, ...]:
    """Which prices are recalled or old, and on which basis all were read."""
    recalled = [
        c.name for c, p in zip(clusters, prices, strict=True) if p is not None and p.is_recalled
    ]
    old = [c.name for c, p in zip(clusters, prices, strict=True) if p is not None and p.is_old()]
    said = []
    if recalled:
        are = "prices of {} are" if len(recalled) > 1 else "price of {} is"
        better = _read_basis(clusters)
        hint = f" On the basis {better} all prices were read." if better else ""
        said.append(f"The {are.format(listed(recalled))} recalled, and on no list.{hint}")
    if old:
        are = "prices of {} are" if len(old) > 1 else "price of {} is"
        said.append(f"The {are.format(listed(old))} more than a year old.")
    return tuple(said)


def _read_basis(clusters: Sequence[Cluster]) -> str | None:
    """The most usual basis on which no machine's price is recalled."""
    for basis in _PREFERENCE:
        found = [_latest(c, basis) for c in clusters]
        if all(p is not None and not p.is_recalled for p in found):
            return basis
    return None


def _latest(cluster: Cluster, basis: str, source: str | None = None) -> Price | None:
    dated = [p for p in cluster.prices if p.basis == basis and source in (None, p.source)]
    # A price from memory carries the day it was written down: anything read comes first.
    return max(dated, key=lambda p: (_is_given(p), not p.is_recalled, p.date), default=None)


def _is_given(price: Price) -> bool:
    """Whether it is of somebody's own list, and not of the catalogue."""
    return price.kind == "user"


def _bases(cluster: Cluster) -> str:
    have = {p.basis for p in cluster.prices}
    return ", ".join(b for b in _PREFERENCE if b in have) or "no price"


def _check_basis(basis: str) -> None:
    known = get_args(PriceBasis)
    if basis not in known:
        raise SpecError(
            f"There is no price basis {basis!r}.{did_you_mean(basis, known)} "
            f"There are {', '.join(known)}."
        )


def _check_machines(rents: PriceList, clusters: Sequence[Cluster]) -> None:
    """Refuse a rent of a machine that neither the catalogue nor the question knows."""
    own = {name.casefold() for c in clusters for name in (c.id, c.chip.id)}
    for number, rent in enumerate(rents.rent, 1):
        if rent.machine.casefold() in own:
            continue
        try:
            catalog.machine_named(rent.machine)
        except CatalogError as error:
            start = f"{rents.name}: " if rents.name else ""
            raise SpecError(f"{start}rent {number}: {error}") from None


def _with_rents(cluster: Cluster, rents: PriceList) -> Cluster:
    """A cluster with the rents given for it; those of the cluster itself hide those of its chip."""
    of_cluster = [r.price for r in rents.rent if _means(r.machine, cluster)]
    bases = {p.basis for p in of_cluster}
    of_chip = [
        r.price
        for r in rents.rent
        if r.basis not in bases and not _means(r.machine, cluster) and _is_of(r.machine, cluster)
    ]
    return cluster.model_copy(update={"prices": (*cluster.prices, *of_cluster, *of_chip)})


def _means(name: str, cluster: Cluster) -> bool:
    """Whether a name is the cluster's own."""
    if name.casefold() == cluster.id.casefold():
        return True
    try:
        named = catalog.machine_named(name)
    except CatalogError:
        return False
    return not named.is_chip and named.cluster.id == cluster.id


def _is_of(name: str, cluster: Cluster) -> bool:
    """Whether a name is that of the cluster's chip."""
    if name.casefold() == cluster.chip.id.casefold():
        return True
    try:
        named = catalog.machine_named(name)
    except CatalogError:
        return False
    return named.is_chip and named.cluster.chip.id == cluster.chip.id
