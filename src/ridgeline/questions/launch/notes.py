"""What must be known about what is started, whether commands or a manifest start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.answers.words import quantity
from ridgeline.questions.launch.quantities import quantities
from ridgeline.specs.refusal import holds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.questions.launch.checkpoints import Checkpoint
    from ridgeline.questions.launch.quantities import Priced
    from ridgeline.specs.engine_flags import EngineFlag, EngineFlags

__all__ = ["engine_notes", "pool_notes"]

#: domains larger than this have several hosts
_LARGEST_HOST = 16


def pool_notes(
    priced: Priced, flags: EngineFlags, found: Checkpoint, used: Iterable[EngineFlag]
) -> list[str]:
    """What to know of a system or one of its pools: checkpoint, options, limits.

    Parameters
    ----------
    priced : Priced
    flags : EngineFlags             Of the engine that is started.
    found : Checkpoint              What it loads.
    used : iterable of EngineFlag   Rows of its table that are written out.
    """
    known = quantities(priced, flags)
    notes = [f"{found.note}."] if found.note else []
    notes += [
        f"{row.flag or row.key}: {row.note}."
        for row in used
        if row.note and all(holds(c, known) for c in row.note_when)
    ]
    return notes + _limit_notes(priced, flags)


def engine_notes(priced: Priced, flags: EngineFlags) -> list[str]:
    """Where times were those of another engine, release or arithmetic than what is started.

    Parameters
    ----------
    priced : Priced
    flags : EngineFlags   Of the engine that is started.
    """
    replica, notes = priced.replica, []
    timed = replica.engine
    stands_for = (timed.id, *timed.stands_for)
    if replica.reading == "calibrated" and not any(x.startswith(flags.id) for x in stands_for):
        notes.append(f"Priced as {timed.name}: --engine {flags.id} prices {flags.name} itself.")
    if replica.version:
        notes.append(f"Priced as release {replica.version} of {timed.name}.")
    if replica.formats.compute:
        notes.append(
            f"Priced with every GEMM in {replica.formats.compute}: {flags.name} chooses its "
            "arithmetic by weights and chip."
        )
    return notes


def _limit_notes(priced: Priced, flags: EngineFlags) -> list[str]:
    """What lengths and batches are, where they are not what one might expect."""
    notes = []
    cluster = priced.replica.cluster
    if cluster.host_size is None and cluster.domain_size > _LARGEST_HOST:
        notes.append(
            f"How many chips a host of {cluster.name} has is not known: all "
            f"{cluster.domain_size} are taken to be on one (host_size of the cluster states it)."
        )
    model, known = priced.replica.model, quantities(priced, flags)
    ranks = priced.layout.attn_dp
    per_rank = -(-priced.batch // ranks)
    allowed = known["sequences_per_rank"]
    if allowed < per_rank and priced.n_live:
        notes.append(
            f"Sized with room for {per_rank:,.0f} sequences per rank, of which "
            f"{quantity(priced.n_live / ranks, '1')} are live on average: what is started has "
            f"room for {allowed:,}, as many as {flags.name} takes by itself."
        )
    elif allowed < per_rank:
        notes.append(
            f"Priced with {per_rank:,.0f} sequences per rank, and {flags.name} takes at most "
            f"{allowed:,}: --batch {allowed * ranks} prices what this starts."
        )
    if model.max_context and priced.longest_tokens > model.max_context:
        notes.append(
            f"Requests of up to {priced.longest_tokens:,} tokens are longer than the model's "
            f"{model.max_context:,}: its configuration must be extended (RoPE scaling)."
        )
    if not priced.requests.osl and priced.longest_tokens:
        notes.append(
            f"Decoding alone was priced, at {priced.longest_tokens:,} cached tokens: raise the "
            "context to your longest request."
        )
    return notes
