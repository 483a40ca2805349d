"""From the words of a table to records: models with their formats, machines, layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.columns import Fault, number
from ridgeline.specs.layout import Layout
from ridgeline.steps.counts import counts
from ridgeline.steps.drafting import with_draft_head

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from ridgeline.fidelity.measurements.side_files import SideFile
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model

__all__ = ["Resolver", "check_stated"]

#: formats within this share of bits and of one arithmetic are one format to a step
_SAME_BITS = 0.01
#: a file that counts its parameters counts those of its model; layers that predict tokens ahead may
#: or may not be among them
_SAME_COUNT = 0.06


class Resolver:
    """Looks up each name once; what fails once fails alike each time.

    Parameters
    ----------
    models, chips : sequence of SideFile
        Records beside the catalogue. Those that the user named come before the catalogue, those
        found beside a table after it.
    """

    def __init__(
        self, models: tuple[SideFile[Model], ...] = (), chips: tuple[SideFile[Chip], ...] = ()
    ) -> None:
        self._models = models
        self._chips = chips
        self._known: dict[Hashable, Any] = {}

    def model(self, name: str, weight_dtype: str, kv_dtype: str) -> Model:
        """Return the model with its weights and cache in those formats; blank leaves them.

        Raises
        ------
        Fault   ``unknown-model``, ``bad-model`` or ``unknown-dtype``.
        """
        return self._once((name, weight_dtype, kv_dtype), self._model, name, weight_dtype, kv_dtype)

    def with_draft_head(self, model: Model) -> Model:
        """Return a model of this resolver with a head in place of its own prediction layers."""
        return self._once(("head", id(model)), with_draft_head, model)

    def cluster(self, chip: str, n_chips: int) -> Cluster:
        """Return the smallest standard machine of the chip that has so many.

        Raises
        ------
        Fault   ``unknown-chip``, ``bad-chip`` or ``unknown-machine``.
        """
        return self._once((chip, n_chips), self._cluster, chip, n_chips)

    def changed(self, cluster: Cluster, changes: Mapping[str, Any], where: str) -> Cluster:
        """Return a machine of this resolver with other numbers.

        Raises
        ------
        Fault   ``unknown-machine``: it cannot have them.
        """
        key = ("changed", id(cluster), where, *changes.items())
        return self._once(key, _changed, cluster, changes, where)

    def layout(
        self, n_chips: int, tp: int | None, pp: int | None, attn_dp: int | None, ep: int | None
    ) -> Layout | None:
        """Return the layout whose replicas fill the chips; None where nothing is stated.

        Raises
        ------
        Fault   ``bad-layout``: the degrees do not divide the chips.
        """
        return self._once((n_chips, tp, pp, attn_dp, ep), _layout, n_chips, tp, pp, attn_dp, ep)

    def _once(self, key: Hashable, make: Callable[..., Any], *arguments: Any) -> Any:
        if key not in self._known:
            try:
                self._known[key] = make(*arguments)
            except Fault as fault:
                self._known[key] = fault
        found = self._known[key]
        if isinstance(found, Fault):
            raise found.again()
        return found

    def _model(self, name: str, weight_dtype: str, kv_dtype: str) -> Model:
        if not name:
            raise Fault("unknown-model", "model is blank.")
        record: Model = self._once(("model", name), self._named_model, name)
        try:
            if weight_dtype and not _is_stored_as(record, weight_dtype):
                record = catalog.stored_as(record, weight_dtype)
            if kv_dtype and not _same_format(record.kv_dtype, kv_dtype):
                record = record.with_kv_dtype(catalog.element_dtype(kv_dtype))
        except RidgelineError as error:
            raise Fault("unknown-dtype", str(error)) from None
        return record

    def _named_model(self, name: str) -> Model:
        return _first(name, self._models, catalog.model, "unknown-model", "bad-model")

    def _cluster(self, name: str, n_chips: int) -> Cluster:
        if not name:
            raise Fault("unknown-chip", "chip is blank.")
        found: Cluster = self._once(("chip", name), self._named_cluster, name)
        if n_chips <= found.domain_size * found.n_domains:
            return found
        if n_chips > found.domain_size and found.scale_out is None:
            wider = _wider(found.chip, n_chips)
            if wider is None:
                raise Fault(
                    "unknown-machine",
                    f"no machine is known that joins {n_chips} of {found.chip.name}; "
                    "describe one in a TOML file and name that in the column chip.",
                )
            return wider
        n_domains = -(-n_chips // found.domain_size)
        return found.replaced({"n_domains": n_domains}, where=name)

    def _named_cluster(self, name: str) -> Cluster:
        def beside(side: SideFile[Chip]) -> Cluster | None:
            chip = side.get(name)
            return None if chip is None else side.machine(name, chip)

        for side in self._chips:
            if side.first and (found := _guarded(beside, side, "bad-chip")) is not None:
                return found
        try:
            return catalog.cluster(name)
        except RidgelineError as error:
            for side in self._chips:
                if not side.first and (found := _guarded(beside, side, "bad-chip")) is not None:
                    return found
            raise Fault("unknown-chip", str(error)) from None


def _changed(cluster: Cluster, changes: Mapping[str, Any], where: str) -> Cluster:
    try:
        return cluster.replaced(changes, where=where)
    except RidgelineError as error:
        raise Fault("unknown-machine", " ".join(str(error).split())) from None


def check_stated(notes: Mapping[str, str], model: Model) -> None:
    """Hold what a file says of its weights against the model that its row names.

    Raises
    ------
    Fault   ``bad-model``: another number of parameters (``n_params``). ``not-modelled``: layers
            were left to the CPU (``n_gpu_layers``).
    """
    n_params = _stated(notes, "n_params")
    if n_params is not None and model.counts is None:
        ours = float(counts(model).n_params)
        if abs(n_params - ours) > _SAME_COUNT * ours:
            raise Fault(
                "bad-model",
                f"the file has {n_params / 1e9:.3g} G parameters, and {model.id} "
                f"{ours / 1e9:.3g} G: they are not the same model.",
            )
    on_gpu, n_layers = _stated(notes, "n_gpu_layers"), sum(b.repeat for b in model.blocks)
    if on_gpu is not None and on_gpu < n_layers:
        raise Fault(
            "not-modelled",
            f"{on_gpu:g} of {n_layers} layers were on the GPU (n_gpu_layers); layers on the CPU "
            "are not predicted.",
        )


def _stated(notes: Mapping[str, str], name: str) -> float | None:
    return number(notes.get(name, ""), name, above_zero=False)


def _first(
    name: str,
    sides: tuple[SideFile[Any], ...],
    look_up: Callable[[str], Any],
    unknown: str,
    bad: str,
) -> Any:
    """The record of the files that come first, of the catalogue, of the files that come after."""
    for side in sides:
        if side.first and (found := _guarded(side.get, name, bad)) is not None:
            return found
    try:
        return look_up(name)
    except RidgelineError as error:
        for side in sides:
            if not side.first and (found := _guarded(side.get, name, bad)) is not None:
                return found
        raise Fault(unknown, str(error)) from None


def _guarded(call: Callable[[Any], Any], argument: Any, status: str) -> Any:
    try:
        return call(argument)
    except RidgelineError as error:
        raise Fault(status, str(error)) from None


def _same_format(one: str, other: str) -> bool:
    a, b = catalog.dtype(one), catalog.dtype(other)
    return a.compute[0] == b.compute[0] and abs(a.bits - b.bits) <= _SAME_BITS * b.bits


def _is_stored_as(model: Model, dtype: str) -> bool:
    """Whether the record as published is in that format, in its experts or its products.

    Tables name one format; a published checkpoint says better which parts are wider.
    """
    if model.counts is not None:
        return False
    if model.weight_dtype == catalog.dtype(dtype).id:
        return True
    parts = {model.weight_dtype, *(v for k, v in model.dtypes.items() if k in _MAIN_PARTS)}
    for block in model.blocks:
        parts |= {v for k, v in block.dtypes.items() if k in _MAIN_PARTS}
    narrowest = min(parts, key=lambda d: catalog.dtype(d).bits)
    return _same_format(narrowest, dtype)


_MAIN_PARTS = ("attention", "ffn", "experts", "recurrent")


def _layout(
    n_chips: int, tp: int | None, pp: int | None, attn_dp: int | None, ep: int | None
) -> Layout | None:
    if tp is None and (pp is None or pp == 1) and attn_dp is None:
        return None
    used = (tp or 1) * (pp or 1) * (attn_dp or 1)
    if n_chips % used:
        raise Fault(
            "bad-layout",
            f"tp x pp x attn_dp is {used}, which does not divide the {n_chips} chips.",
        )
    degrees = {"tp": tp, "pp": pp, "attn_dp": attn_dp, "ep": ep}
    stated = {k: v for k, v in degrees.items() if v is not None}
    try:
        return Layout.parse({"replicas": n_chips // used, **stated}, "layout")
    except RidgelineError as error:
        raise Fault("bad-layout", " ".join(str(error).split())) from None


def _wider(chip: Chip, n_chips: int) -> Cluster | None:
    """The smallest known machine with so many of a chip in one domain."""
    every = (catalog.cluster(name) for name in catalog.entry_ids("clusters"))
    fits = [c for c in every if c.chip.id == chip.id and c.domain_size >= n_chips]
    best = min(fits, key=lambda c: c.domain_size, default=None)
    return None if best is None else best.model_copy(update={"chip": chip})
