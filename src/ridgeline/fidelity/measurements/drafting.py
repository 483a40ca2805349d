"""Drafting as tables and files of results state it: numbers, acceptance, how; in cells or notes."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ridgeline import catalog
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.columns import Fault, number
from ridgeline.fidelity.runs import NO_DRAFTS
from ridgeline.laws.speculation import acceptance_of, tokens_per_step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.drafts import Drafting
    from ridgeline.specs.model import Model

__all__ = ["DRAFT_COLUMNS", "method_of", "stated_drafting"]

#: columns, and under which names notes may have them
DRAFT_COLUMNS: dict[str, tuple[str, ...]] = {
    "drafts": ("drafts", "num_speculative_tokens", "speculative_num_steps"),
    "acceptance": ("acceptance",),
    "accept_length": ("accept_length", "acceptance_length", "spec_accept_length", "acc_length"),
    "draft_method": ("draft_method", "spec_decoding", "spec_method", "speculative_algorithm"),
}
_MOST_DRAFTS = 64.0
_OFF = ("", "none", "null", "false", "0", "off", "no", "{}")
_ON = ("true", "on", "yes", "1")
#: words of what drafts, to how the catalogue calls it
_METHODS = {
    "mtp": re.compile(r"(?:\w+_|draft-)?mtp|nextn"),
    "eagle": re.compile(r"eagle-?2?"),
    "eagle3": re.compile(r"(?:draft-)?eagle-?3"),
    "dspark": re.compile(r"(?:draft-)?dspark"),
}
#: MTP, MTP-3, mtp: 3, with EAGLE3
_NOTE = re.compile(r"(?:with )?(mtp|nextn|eagle-?[23]?|dspark)(?:[ -]?(\d+))?(?: (?:on|enabled))?")
_HINT = re.compile(r"\b(?:mtp|nextn|eagle-?\d?|dspark|speculat\w+|spec[ -]decod\w+)\b")
_DENIED = re.compile(r"\b(?:no|not|without|off|none|disabled)\b")
_SHOWN = 60


def method_of(word: str) -> str | None:
    """Return how the catalogue calls what drafts; blank for drafting of a kind that is not said.

    Returns
    -------
    str or None   None where nothing drafts.

    Raises
    ------
    Fault   ``not-modelled``: something whose cost is not known.

    Examples
    --------
    >>> method_of("deepseek_mtp"), method_of("EAGLE3"), method_of("off"), method_of("on")
    ('mtp', 'eagle3', None, '')
    """
    folded = word.strip().casefold()
    if folded in _OFF:
        return None
    if folded in _ON:
        return ""
    for name, pattern in _METHODS.items():
        if pattern.fullmatch(folded):
            return name
    raise Fault(
        "not-modelled",
        f"the run drafts tokens by {word.strip()[:_SHOWN]!r}; what that costs is not known. Known "
        f"are {', '.join(_METHODS)}: layers of the model, or a head trained for it.",
    )


def stated_drafting(
    cells: Mapping[str, str], notes: Mapping[str, str], model: Model
) -> tuple[Drafting, str]:
    """Read how a run drafts.

    Parameters
    ----------
    cells : mapping   Of `DRAFT_COLUMNS`; blank where the table does not say.
    notes : mapping   From `read_notes`; they count where cells are blank.
    model : Model     Of the run.

    Returns
    -------
    (Drafting, str)   Without drafts where none are stated; and the method, as the catalogue has it.

    Raises
    ------
    Fault   ``not-modelled``, ``bad-number`` or ``contradiction``.
    """
    told = _told(cells, notes)
    drafts = number(told.get("drafts", ""), "drafts", above_zero=False)
    acceptance = number(told.get("acceptance", ""), "acceptance", above_zero=False)
    length = number(told.get("accept_length", ""), "accept_length")
    method = method_of(told["draft_method"]) if told.get("draft_method") else None
    is_told = bool(drafts) or method is not None or (length or 0) > 1
    if not is_told or drafts == 0:
        return NO_DRAFTS, ""
    _check(drafts, acceptance, length)
    if method == "eagle" and model.mtp:
        method = "mtp"  # how SGLang calls drafting by the model's own layers
    assumed, said = (drafts, ()) if drafts else _usual(length)
    if length is not None:
        if length > assumed + 1:
            raise Fault(
                "contradiction",
                f"accept_length is {length:g}, more than the {assumed + 1:g} tokens that a step "
                f"with {assumed:g} drafts yields.",
            )
        acceptance = float(acceptance_of(assumed, length))
    try:
        found = catalog.drafting(model, assumed, acceptance, method or "")
    except RidgelineError as error:
        reason = str(error).replace(" (--acceptance)", " in the column acceptance or accept_length")
        raise Fault("not-modelled", f"the run drafts tokens. {reason}") from None
    yields = f"a step drafts {assumed:g} tokens and yields {_yield(found):.2g}"
    sigma = math.hypot(found.sigma, catalog.draft_table().number_sigma * bool(said))
    return replace(found, sigma=sigma, said=(yields, *said, *found.said)), method or ""


def _yield(found: Drafting) -> float:
    return float(tokens_per_step(found.drafts, found.acceptance))


def _usual(length: float | None) -> tuple[float, tuple[str, ...]]:
    """Drafts where only a method or a length is stated: the usual number, or what it takes."""
    n = max(float(catalog.draft_table().usual_drafts), math.ceil(length or 1.0) - 1.0)
    return n, (f"number of drafts not stated: taken as {n:g}",)


def _check(drafts: float | None, acceptance: float | None, length: float | None) -> None:
    if drafts is not None and drafts > _MOST_DRAFTS:
        raise Fault("bad-number", f"drafts is {drafts:g}; at most {_MOST_DRAFTS:g} are expected.")
    if acceptance is not None and acceptance > 1:
        raise Fault("bad-number", f"acceptance is {acceptance:g}; a share from 0 to 1 is expected.")
    if length is not None and length < 1:
        raise Fault(
            "bad-number",
            f"accept_length is {length:g}; tokens a step are expected, the model's own included: "
            "1 or more.",
        )


def _told(cells: Mapping[str, str], notes: Mapping[str, str]) -> dict[str, str]:
    """Cells, and for blank ones what notes say."""
    folded = {k.casefold(): v for k, v in notes.items()}
    told = {
        column: cells.get(column, "")
        or next((folded[k].strip() for k in keys if folded.get(k, "").strip()), "")
        for column, keys in DRAFT_COLUMNS.items()
    }
    for name, value in folded.items():
        found = _bare(name, value)
        if found is not None and not told["draft_method"]:
            told["draft_method"], n = found
            told["drafts"] = told["drafts"] or n
    return told


def _bare(name: str, value: str) -> tuple[str, str] | None:
    """Method and number of a remark such as ``MTP``, ``MTP-3``, ``mtp=3``; None of another one.

    Raises
    ------
    Fault   ``not-modelled``: it is about drafting, and what it says of it is not understood.
    """
    if not _HINT.search(name) or name in DRAFT_COLUMNS["draft_method"]:
        return None
    if any(name in keys for keys in DRAFT_COLUMNS.values()):
        return None
    match = _NOTE.fullmatch(name)
    if match:
        stated = value.strip().casefold()
        if stated in ("no", "off", "false", "none", "0"):
            return "off", ""
        if stated.isdigit():
            return match[1], stated
        if stated in ("", *_ON):
            return match[1], match[2] or ""
    if _DENIED.search(f"{name} {value.casefold()}"):
        return None
    raise Fault(
        "not-modelled",
        f"notes say {f'{name} {value}'.strip()[:_SHOWN]!r}: whether and how the run drafts tokens "
        "is not clear. State drafts and accept_length, or draft_method = none.",
    )
