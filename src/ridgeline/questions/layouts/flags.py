"""The command that starts an engine in a layout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import engine_flags
from ridgeline.errors import InfeasibleError
from ridgeline.questions.layouts.words import layout_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.service.requests import Requests
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.engine_flags import EngineFlags
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["Command", "engine_command", "first_told", "refuses"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command line to paste.

    Attributes
    ----------
    flags : tuple   Pairs of flag and value; a bare flag has an empty value.
    notes : tuple of str   What else is needed, and which versions the flags hold for.
    """

    launch: str
    flags: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """The command, a flag a line."""
        lines = [f"{flag} {value}".rstrip() for flag, value in self.flags]
        return " \\\n  ".join([self.launch, *lines])


def refuses(layout: Layout, engine: str) -> str:
    """Why an engine cannot be told a layout; empty where it can.

    Examples
    --------
    >>> from ridgeline.specs import Layout
    >>> refuses(Layout(tp=8, ep=2), "vllm")
    'vLLM spreads experts over all 8 chips of a stage or over none, not over 2'
    >>> refuses(Layout(tp=8, ep=2), "sglang")
    ''
    """
    flags = engine_flags(engine)
    stage = layout.attn_dp * layout.tp
    if flags.spreads == "all or none" and layout.ep not in (1, stage):
        return (
            f"{flags.name} spreads experts over all {stage} chips of a stage or over none, "
            f"not over {layout.ep}"
        )
    return ""


def engine_command(
    model: Model,
    layout: Layout,
    engine: str,
    *,
    batch: float,
    requests: Requests,
    domain_size: int,
    settings: Engine,
) -> Command:
    """Write the command that starts one replica of a layout.

    Parameters
    ----------
    model : Model        Its id is what the engine loads.
    layout : Layout
    engine : str         ``vllm`` or ``sglang``.
    batch : float        Sequences in flight in one replica: becomes the engine's limit.
    requests : Requests   Lengths, for the longest sequence.
    domain_size : int    Chips of a node (or rack): larger replicas need several.
    settings : Engine   Share of memory, tokens of a step.

    Raises
    ------
    CatalogError      Nobody knows the engine.
    InfeasibleError   The engine cannot be told this layout, or this format of the cache.
    """
    why = refuses(layout, engine)
    if why:
        raise InfeasibleError(f"{why}. Choose another layout of the ranking.")
    flags = engine_flags(engine)
    known = _quantities(model, layout, flags, batch, requests, settings)
    told = []
    for flag in flags.flags:
        value = known[flag.value]
        if value is True:
            told.append((flag.flag, ""))
        elif value is not False and value != flag.unless:
            told.append((flag.flag, str(value)))
    notes = [f"Flags of {flags.name} {flags.versions}, from its documentation."]
    if layout.replicas > 1:
        notes.append(f"Start {layout.replicas} of these behind a router: this is one replica.")
    chips = layout.pp * layout.attn_dp * layout.tp
    if chips > domain_size:
        nodes = -(-chips // domain_size)
        notes.append(f"{nodes} nodes or racks a replica: {flags.name} {flags.nodes}.")
    used = {flag for flag, _ in told}
    notes += [f"{f.flag}: {f.note}." for f in flags.flags if f.note and f.flag in used]
    return Command(flags.launch.format(model=model.id), tuple(told), tuple(notes))


def _quantities(
    model: Model,
    layout: Layout,
    flags: EngineFlags,
    batch: float,
    requests: Requests,
    settings: Engine,
) -> dict[str, Any]:
    """Everything a flag may be set to, by the names the catalogue uses."""
    if model.kv_dtype not in flags.kv_formats:
        raise InfeasibleError(
            f"{flags.name} has no flag here for a cache in {model.kv_dtype}: it has "
            f"{', '.join(flags.kv_formats)} (--kv)."
        )
    per_rank = math.ceil(batch / layout.attn_dp)
    stage = layout.attn_dp * layout.tp
    exchanges = layout.attn_dp > 1 and layout.ep == stage
    return {
        "tp": layout.tp,
        "pp": layout.pp,
        "attn_dp": layout.attn_dp,
        "ep": layout.ep,
        "stage_chips": stage,
        "has_attn_dp": layout.attn_dp > 1,
        "spreads_experts": layout.ep > 1,
        "exchange": "deepep" if exchanges else "none",
        "sequences": per_rank * layout.attn_dp,
        "sequences_per_rank": per_rank,
        "token_budget": settings.token_budget,
        "token_budget_all": settings.token_budget * layout.attn_dp,
        "memory_utilization": settings.memory_share,
        "longest_tokens": math.ceil(requests.isl + requests.osl),
        "kv_format": flags.kv_formats[model.kv_dtype],
        "caches_prefixes": requests.cached > 0,
    }


def first_told(layouts: Sequence[Layout], engine: str) -> tuple[int, str]:
    """The first of some layouts that an engine can be told, and a sentence about those before.

    Raises
    ------
    InfeasibleError   None of them.
    """
    for i, layout in enumerate(layouts):
        if not refuses(layout, engine):
            why = "" if i == 0 else refuses(layouts[0], engine)
            return i, why and f"{why}: number {i + 1} of the ranking, {layout_name(layout)}."
    raise InfeasibleError(f"{refuses(layouts[0], engine)}, and so with every layout found.")
