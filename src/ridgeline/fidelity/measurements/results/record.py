"""What readers of results share: the record that they make, and values taken out of files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.columns import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "Result",
    "Tool",
    "draft_cells",
    "first_of",
    "format_name",
    "load_cells",
    "mapping",
    "nested",
    "nominal",
    "number",
    "plain",
    "positive",
    "request_notes",
    "text",
    "truth",
    "without_step_gaps",
]

#: seconds in a unit of time, as tools write it
SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
#: ways to write "nothing", and ways to quantise that leave the format to the checkpoint
_NO_FORMAT = ("", "none", "null", "auto", "default", "unquantized")
_METHODS = (
    "awq", "awq_marlin", "bitsandbytes", "compressed-tensors", "gptq", "gptq_marlin", "modelopt",
    "modelopt_fp4", "modelopt_fp8", "quark", "auto-round", "torchao", "w8a8_fp8", "gguf",
)  # fmt: skip
#: nothing that a person names a value with is longer
_SHOWN = 40
#: how deep settings lie in the files of any tool
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Result:
    """One run as a tool wrote it.

    Attributes
    ----------
    cells : dict    Columns of a measurement table, but for id, run, metric and value.
    values : dict   Metric to its value. [SI]
    notes : tuple   Remarks for the column ``notes``.
    """

    cells: dict[str, str]
    values: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A kind of file: what it is called, how it is known, how it is read.

    Attributes
    ----------
    name : str          For people: ``vllm bench serve``.
    knows : callable    Whether a JSON object, or a row of CSV by its column names, is one of it.
    read : callable     The runs of such an object, or a `Fault` where one cannot be used.
    """

    name: str
    knows: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any]], Iterable[Result | Fault]]


def number(found: Mapping[str, Any], *keys: str, infinite: bool = False) -> float | None:
    """Return the number under the first of the keys that is there; None where none is.

    Parameters
    ----------
    found : mapping   A JSON object, or a row of CSV.
    keys : str        In order of preference.
    infinite : bool   Whether ``inf`` is a number, as a request rate may be.

    Raises
    ------
    Fault   ``bad-number``: a list, a word, or no finite number.
    """
    for key in keys:
        value = found.get(key)
        if value is None or value == "":
            continue
        return _read_number(value, key, infinite=infinite)
    return None


def _read_number(value: Any, key: str, *, infinite: bool) -> float:
    # A bool is an int to Python, and float() takes digits with underscores.
    odd = isinstance(value, bool) or (isinstance(value, str) and "_" in value)
    try:
        read = float(str(value).replace(",", "") if _has_thousands(value) else value)
    except (TypeError, ValueError, OverflowError):
        read = math.nan
    if odd or math.isnan(read) or (math.isinf(read) and not (infinite and read > 0)):
        raise Fault("bad-number", f"{key} is {_shown(value)}; a number is expected.")
    return read


def _has_thousands(value: Any) -> bool:
    """Whether a text has its digits in groups of three: ``1,234,567.8``."""
    if not isinstance(value, str) or "," not in value:
        return False
    whole, *groups = value.strip().partition(".")[0].split(",")
    return 1 <= len(whole.lstrip("-")) <= 3 and all(len(g) == 3 and g.isdigit() for g in groups)


def _shown(value: Any) -> str:
    if isinstance(value, list | Mapping):
        return f"a {'list' if isinstance(value, list) else 'group of values'}"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


def positive(found: Mapping[str, Any], *keys: str) -> float | None:
    """Return a number above 0, or None: these tools write 0 or -1 for what was not measured.

    Raises
    ------
    Fault   ``bad-number``.
    """
    value = number(found, *keys)
    return value if value is not None and value > 0 else None


def text(value: Any) -> str:
    """Return a word of a file; empty for what is none."""
    if value is None or isinstance(value, bool | list | Mapping):
        return ""
    return str(value).strip()


def truth(value: Any) -> bool:
    """Whether a value says yes."""
    return value is True or text(value).casefold() in ("true", "1", "yes", "on")


def plain(value: float | None) -> str:
    """Write a number as a cell; blank for None.

    Examples
    --------
    >>> plain(16.0), plain(None), plain(1234567.5)
    ('16', '', '1234567.5')
    """
    return "" if value is None else f"{value:.10g}"


def mapping(found: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at a path; an empty one where there is none."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def first_of(found: Mapping[str, Any], *keys: str) -> str:
    """Return the first of some words that is there; of a list, its first entry."""
    for key in keys:
        value = found.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if word := text(value):
            return word
    return ""


def nested(tree: Any, names: Iterable[str], depth: int = _DEEPEST) -> Iterator[tuple[str, Any]]:
    """Yield what has one of some names anywhere in nested settings, outermost first."""
    wanted = frozenset(names)
    level: list[Any] = [tree]
    for _ in range(depth):
        below: list[Any] = []
        for found in level:
            if isinstance(found, Mapping):
                yield from ((k, v) for k, v in found.items() if k in wanted)
                below += found.values()
            elif isinstance(found, list):
                below += found
        level = below


def format_name(*values: Any) -> str:
    """Return the first number format named; blank where none is.

    What only names a way to quantise leaves the format to the checkpoint, unless the catalogue
    knows it as a format.

    Examples
    --------
    >>> format_name("torch.bfloat16"), format_name(None, "auto"), format_name("compressed-tensors")
    ('bfloat16', '', '')
    """
    for value in values:
        name = text(value).removeprefix("torch.")
        if name.casefold() in _NO_FORMAT:
            continue
        if name.casefold() in _METHODS and not _is_format(name):
            continue
        return name
    return ""


def _is_format(name: str) -> bool:
    try:
        catalog.dtype(name)
    except RidgelineError:
        return False
    return True


def load_cells(
    rate: float | None, concurrency: float | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return how requests come, as cells, and remarks on it.

    Parameters
    ----------
    rate : float or None          Requests per second; infinite or None: none is set. [1/s]
    concurrency : float or None   Requests kept in flight; None: no cap.

    Returns
    -------
    (dict, tuple of str)   A finite rate is an open loop, a cap without one a closed loop, neither
                           is offline.
    """
    if rate is not None and 0 < rate < math.inf:
        capped = (f"max_concurrency={plain(concurrency)}",) if concurrency else ()
        return {"regime": "open", "request_rate_per_s": plain(rate)}, capped
    if concurrency:
        return {"regime": "closed", "concurrency": plain(concurrency)}, ()
    return {"regime": "offline"}, ()


def nominal(isl: float | str | None, osl: float | str | None) -> str:
    """Say that lengths vary about their means, as the notes of tables do.

    Examples
    --------
    >>> nominal("921.6", None)
    'nominal 922/0'
    """
    return f"nominal {float(isl or 0):.0f}/{float(osl or 0):.0f}"


def request_notes(n_done: float | None, n_failed: float | None) -> tuple[str, ...]:
    """Return remarks on how many requests were completed and how many failed."""
    found = [f"n_requests={plain(n_done)}"] if n_done else []
    if n_failed:
        found.append(f"n_failed={plain(n_failed)}")
    return tuple(found)


def draft_cells(
    method: str = "", drafts: float | None = None, length: float | None = None
) -> dict[str, str]:
    """Return how a run drafts, as cells.

    Parameters
    ----------
    method : str             As the tool calls it.
    drafts : float or None   Tokens drafted a sequence and step. [1]
    length : float or None   Tokens a step yields, the model's own included. [tokens]
    """
    return {
        "draft_method": method,
        "drafts": plain(drafts),
        "accept_length": plain(length if length and length > 1 else None),
    }


def without_step_gaps(
    values: Mapping[str, float], cells: Mapping[str, str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Leave out the time between chunks where a chunk has several tokens: of runs that draft.

    Returns
    -------
    (dict, tuple of str)   The other values, and a remark.
    """
    drafts = cells.get("draft_method") or cells.get("accept_length")
    if not drafts or "itl_s" not in values:
        return dict(values), ()
    kept = {k: v for k, v in values.items() if k != "itl_s"}
    return kept, ("itl_s left out, the gap between steps of several tokens",)
