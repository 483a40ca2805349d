"""``ridgeline tiers`` and ``ridgeline sparsity``: what batches can be sold, and who fills them."""

from __future__ import annotations

from typing import Annotated

from ridgeline.cli.asking import Asked, Shown, answered, show
from ridgeline.cli.declare import PRICE, WORKLOAD, Model, takes
from ridgeline.questions.sparsity import sparsity as ask_sparsity
from ridgeline.questions.tiers import tiers as ask_tiers
from ridgeline.specs.ranges import LENGTH_TOKENS, RATIO, REQUESTS_PER_S

__all__ = ["sparsity", "tiers"]


def tiers(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    price_ratio: Annotated[
        float | None,
        takes(RATIO, "A fast tier's price over the normal one's, with --speed-ratio.", PRICE),
    ] = None,
    speed_ratio: Annotated[
        float | None,
        takes(
            RATIO,
            "The fast tier's tokens per second over the normal one's, with --price-ratio.",
            PRICE,
        ),
    ] = None,
    shown: Shown | None = None,
) -> None:
    """Fast and slow tiers: the menu a machine can offer, and what two ratios give away."""
    answer = answered(model, asked, any_reading=True)
    found = ask_tiers(
        answer,
        price_ratio=price_ratio,
        speed_ratio=speed_ratio,
    )
    show(found, shown)


def sparsity(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    osl: Annotated[
        float, takes(LENGTH_TOKENS, "Output tokens per request.", WORKLOAD, unit="tokens")
    ] = 1000,
    requests: Annotated[
        float | None,
        takes(
            REQUESTS_PER_S,
            "Requests that arrive: what they fill, and what waiting would save.",
            WORKLOAD,
            unit="requests/s",
        ),
    ] = None,
    shown: Shown | None = None,
) -> None:
    """More parameters at the same active ones: their worth, and the traffic they need."""
    found = ask_sparsity(
        answered(model, asked),
        osl=osl,
        requests_per_s=requests,
    )
    show(found, shown)
