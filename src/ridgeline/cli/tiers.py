"""``ridgeline tiers`` and ``ridgeline sparsity``: what batches can be sold, and who fills them."""

from __future__ import annotations

from ridgeline.cli.asking import Asked, Shown, answered, show
from ridgeline.cli.inputs import read_option
from ridgeline.questions.sparsity import sparsity as ask_sparsity
from ridgeline.questions.tiers import tiers as ask_tiers
from ridgeline.specs.ranges import LENGTH_TOKENS, RATIO, REQUESTS_PER_S

__all__ = ["sparsity", "tiers"]


def tiers(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    price_ratio: str | None = None,
    speed_ratio: str | None = None,
    shown: Shown | None = None,
) -> None:
    """Fast and slow tiers: the menu a machine can offer, and what two ratios give away.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    price_ratio
        A fast tier's price over the normal one's, with --speed-ratio.
    speed_ratio
        Its tokens a second over the normal one's.
    """
    answer = answered(model, asked, any_reading=True)
    found = ask_tiers(
        answer,
        price_ratio=read_option(price_ratio, "price-ratio", RATIO),
        speed_ratio=read_option(speed_ratio, "speed-ratio", RATIO),
    )
    show(found, shown)


def sparsity(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    osl: str = "1000",
    requests: str | None = None,
    shown: Shown | None = None,
) -> None:
    """More parameters at the same active ones: their worth, and the traffic they need.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    osl
        Output tokens of a request.
    requests
        Requests a second there are: what they fill, and what waiting would save.
    """
    found = ask_sparsity(
        answered(model, asked),
        osl=read_option(osl, "osl", LENGTH_TOKENS),
        requests_per_s=read_option(requests, "requests", REQUESTS_PER_S),
    )
    show(found, shown)
