"""How often drafted tokens are accepted: as stated, or as measured on the nearest model."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

from ridgeline.catalog._names import parsed
from ridgeline.catalog._store import BUILT_IN, read_toml
from ridgeline.errors import SpecError
from ridgeline.laws.speculation import acceptance_of, tokens_per_step
from ridgeline.naming import tokens
from ridgeline.specs.drafts import Drafting, DraftTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ridgeline.specs.model import Model

__all__ = ["draft_table", "drafting"]

#: log odds of an acceptance of 0 or 1, which is none that was measured on a sample
_SURE = 6.0
#: models that a sentence names
_NAMED = 2


@cache
def draft_table() -> DraftTable:
    """What was measured of drafts, and what is taken where nobody says."""
    path = BUILT_IN / "draft_acceptance.toml"
    return DraftTable.parse(read_toml(path), where=path.name)


def drafting(
    model: Model, drafts: float, acceptance: float | None = None, method: str = ""
) -> Drafting:
    """Return how a model drafts: acceptance as stated, else as measured.

    Parameters
    ----------
    model : Model
    drafts : float                Tokens drafted a sequence and step; 0 is none. [1]
    acceptance : float or None    As stated; None for what was measured on the model with the
                                  method, else on models of its line, else on any.
    method : str                  ``mtp``, ``eagle``, ``eagle3`` or ``dspark``; blank for the
                                  model's own layers where it has some, else a head.

    Raises
    ------
    SpecError   No acceptance was measured with such a method.

    Examples
    --------
    >>> from ridgeline import catalog
    >>> found = drafting(catalog.model("zai-org/GLM-5.2"), 3)
    >>> round(found.acceptance, 2), found.said[0]
    (0.81, 'acceptance not stated: 0.81, 3.0 tokens a step, as measured on GLM-5.2 (mtp)')
    """
    if drafts <= 0:
        return Drafting(0.0, 0.0)
    step_sigma = draft_table().step_sigma
    head = () if _has_layers(model, method) else (_head_words(model),)
    if acceptance is not None:
        return Drafting(drafts, acceptance, step_sigma, head)
    log_odds, spread, said = _measured(model, drafts, method)
    low, middle, high = (_expit(log_odds + x) for x in (-spread, 0.0, spread))
    reach = math.log(tokens_per_step(drafts, high) / tokens_per_step(drafts, low)) / 2
    length = tokens_per_step(drafts, middle)
    said = f"acceptance not stated: {middle:.2f}, {length:.1f} tokens a step, as measured on {said}"
    return Drafting(drafts, middle, math.hypot(reach, step_sigma), (said, *head))


def _has_layers(model: Model, method: str) -> bool:
    return bool(model.mtp) and method in ("", "mtp")


def _head_words(model: Model) -> str:
    lacks = "" if model.mtp else f"{model.name or model.id} has no prediction layers: "
    return f"{lacks}drafts are of a head like EAGLE's, one dense layer in bf16"


Curve = dict[float, float]


@cache
def _curves() -> dict[tuple[str, str], Curve]:
    """Log odds of acceptance by drafts, of each model and method: the mean of its rows."""
    rows: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in draft_table().measured:
        for n, length in zip(row.drafts, row.lengths, strict=True):
            rows[row.model, row.method][n].append(_logit(float(acceptance_of(n, length))))
    return {
        key: {n: sum(each) / len(each) for n, each in sorted(points.items())}
        for key, points in rows.items()
    }


def _measured(model: Model, drafts: float, method: str) -> tuple[float, float, str]:
    """Log odds of acceptance, their standard deviation, and where they are from."""
    own = {_base(name) for name in (model.id, *model.aliases)}
    line = {_line(model.id)}
    wanted = (method,) if method else ("mtp",) if model.mtp else ("eagle3", "eagle", "dspark")
    if method.startswith("eagle"):
        wanted = ("eagle3", "eagle")
    every = [key for key in _curves() if key[1] in wanted]
    # A model whose own layers nobody measured may have been measured with a head.
    any_method = [key for key in _curves() if not method]
    tiers = (
        ("", [k for k in every if _base(k[0]) in own]),
        ("", [k for k in any_method if _base(k[0]) in own]),
        ("of the same line", [k for k in every if _line(k[0]) in line]),
        ("of other lines", every),
    )
    for kind, keys in tiers:
        found = [(k, x) for k in keys if (x := _at(_curves()[k], drafts)) is not None]
        if found:
            return _pooled(kind, found, drafts)
    known = ", ".join(sorted({row.method for row in draft_table().measured}))
    raise SpecError(
        f"No acceptance of {drafts:g} drafts by {method or 'drafting'} was measured: give it "
        f"(--acceptance). Measured are up to {_most():g} drafts, by {known}."
    )


def _pooled(
    kind: str, found: Sequence[tuple[tuple[str, str], float]], drafts: float
) -> tuple[float, float, str]:
    task = draft_table().task_log_odds_sigma
    middle = _mean(x for _, x in found)
    names = sorted({f"{k[0].split('/')[-1]} ({k[1]})" for k, _ in found})
    listed = " and ".join(names) if len(names) <= _NAMED else f"the mean of {len(names)} models"
    if not kind:
        return middle, task, listed
    return middle, math.hypot(task, _between_models(drafts)), f"{listed}, {kind}"


def _between_models(drafts: float) -> float:
    """Standard deviation of the log odds between models, of one more of them. [1]"""
    each = [x for curve in _curves().values() if (x := _at(curve, drafts)) is not None]
    middle, n = _mean(each), len(each)
    return math.sqrt(sum((x - middle) ** 2 for x in each) / (n - 1) * (1 + 1 / n)) if n > 1 else 1.0


def _at(curve: Curve, drafts: float) -> float | None:
    """Log odds between those measured, evenly in the logarithm of drafts; None beyond them."""
    numbers = list(curve)
    n = max(drafts, 1.0)
    if not numbers[0] <= n <= numbers[-1]:
        return None
    high = next(x for x in numbers if x >= n)
    low = max(x for x in numbers if x <= n)
    if low == high:
        return curve[low]
    share = math.log(n / low) / math.log(high / low)
    return curve[low] + share * (curve[high] - curve[low])


def _most() -> float:
    return max(n for curve in _curves().values() for n in curve)


def _mean(values: Iterable[float]) -> float:
    each = list(values)
    return sum(each) / len(each)


def _base(name: str) -> str:
    return parsed(name).base


def _line(name: str) -> str:
    """The first word of a model's name: models that one team made one after the other."""
    return tokens(_base(name))[0]


def _logit(share: float) -> float:
    if not 0 < share < 1:
        return math.copysign(_SURE, share - 0.5)
    return min(max(math.log(share / (1 - share)), -_SURE), _SURE)


def _expit(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
