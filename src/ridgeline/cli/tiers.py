"""``ridgeline tiers`` and ``ridgeline sparsity``: what batches can be sold, and who fills them."""

from __future__ import annotations

from ridgeline.cli.asking import Asked, Shown, answered, count_of, show
from ridgeline.questions.sparsity import sparsity as ask_sparsity
from ridgeline.questions.tiers import tiers as ask_tiers

__all__ = ["sparsity", "tiers"]


def tiers(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    price_ratio: float | None = None,
    speed_ratio: float | None = None,
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
    show(ask_tiers(answer, price_ratio=price_ratio, speed_ratio=speed_ratio), shown)


def sparsity(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    osl: str = "1000",
    requests: float | None = None,
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
    found = ask_sparsity(answered(model, asked), osl=count_of(osl, "osl"), requests_per_s=requests)
    show(found, shown)
