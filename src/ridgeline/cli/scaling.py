"""``ridgeline scaling``: training on more and more chips, what they buy, and where it ends."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.asking import Shown, show
from ridgeline.cli.declare import (
    LAYOUT,
    WORKLOAD,
    AssumeHarmless,
    Chip,
    Fetch,
    FromCounts,
    Model,
    SetFields,
    takes,
)  # fmt: skip
from ridgeline.cli.training_asking import TrainingOptions, training_asked
from ridgeline.questions.scaling import KINDS, scale
from ridgeline.questions.scaling.question import BATCH_TOKENS, LOSS, SIZES
from ridgeline.specs.fields import Choice

__all__ = ["scaling"]


def scaling(
    model: Model = None,
    /,
    *,
    options: TrainingOptions | None = None,
    kind: Annotated[
        str,
        takes(
            Choice(KINDS),
            "strong: one global batch on any number of chips; weak: it grows with them, up to the "
            "one given.",
            LAYOUT,
        ),
    ] = "strong",
    sizes: Annotated[
        Any,
        takes(
            SIZES,
            "Numbers of chips; powers of two from the smallest that fits up to the machine's if "
            "not given.",
            LAYOUT,
            unit="chips",
        ),
    ] = None,
    search: Annotated[
        bool,
        Parameter(
            group=LAYOUT,
            negative=(),
            help="Search the fastest layout of each size, instead of the plain one.",
        ),
    ] = False,
    critical_batch: Annotated[
        float | None,
        takes(
            BATCH_TOKENS,
            "Critical batch that was measured; a law of gradient noise if not given.",
            WORKLOAD,
            unit="tokens",
        ),
    ] = None,
    loss: Annotated[
        float | None,
        takes(
            LOSS,
            "Loss of the trained model for that law, in nats per token; by a loss law if not "
            "given.",
            WORKLOAD,
        ),
    ] = None,
    chip: Chip = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    shown: Shown | None = None,
) -> None:
    """What more chips buy in training a model: time, MFU and cost by number of chips.

    Strong scaling keeps the global batch; weak scaling lets it grow with the chips. It names the
    chips from which data parallelism is exposed, at which the batch runs out, from which MFU is
    below half its best, and beyond which the critical batch leaves more chips nothing to do; with
    bounds of the network, and the batch and chips that end a run soonest or cheapest.
    """
    asked = training_asked(
        model, options, chip=chip, set_=set_, from_counts=from_counts,
        assume_harmless=assume_harmless, fetch=fetch,
    )  # fmt: skip
    found = scale(
        asked.scenario,
        kind=kind,
        search=search,
        sizes=None if sizes is None else [int(n) for n in _several(sizes)],
        critical=critical_batch,
        loss=loss,
        named=asked.machine,
        framework=asked.framework,
    )
    show(found.answer, shown)


def _several(sizes: Any) -> Any:
    return sizes if isinstance(sizes, list | tuple) else [sizes]
