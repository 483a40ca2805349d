"""The load on a whole system: requests, how they arrive, and the latencies they must keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, get_args

import numpy as np
from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from ridgeline.errors import SpecError
from ridgeline.specs.fields import Choice, Number, Numbers, Value, option
from ridgeline.specs.length_files import is_length_file, read_columns
from ridgeline.specs.length_traces import LengthPairs, LengthTrace
from ridgeline.specs.lengths import Lengths
from ridgeline.specs.limits import Limits
from ridgeline.specs.load import EXPERT_LOAD_CV
from ridgeline.specs.option_record import OptionRecord
from ridgeline.specs.ranges import CONTEXT_TOKENS, SEQUENCES
from ridgeline.specs.rates import Rate

__all__ = [
    "DEFAULT_CONTEXT", "DEFAULT_HEADROOM", "DEFAULT_ISL", "DEFAULT_OSL", "Arrival", "Workload",
    "lengths_rule",
]  # fmt: skip

#: how requests come: so many kept in flight; at a rate; all queued at once; a batch that starts
#: together
Arrival = Literal["closed", "open", "offline", "fixed"]

#: lengths of questions that state none
DEFAULT_ISL: Final = 4096.0
DEFAULT_OSL: Final = 1024.0
DEFAULT_CONTEXT: Final = 8192.0

#: share of a system's capacity that stays free when it is sized for a rate. At 80% of capacity a
#: queue with random arrivals is 4 services long, at 90% it is 9; and predicted throughputs of whole
#: engines are off by 12% in the median, which this covers
DEFAULT_HEADROOM: Final = 0.2

_LENGTH_EXAMPLES = ("2048", "512:8k", "512:8k@mean=2k", "trace.jsonl")


def lengths_rule(column: str) -> Value:
    """How token lengths of requests are read: those of a column of a trace."""
    return Value(
        what="a length such as 2048 or 8k, a range such as 512:8k@mean=2k, or a file of lengths",
        of=lambda value: Lengths.of(value, column),
        plain=Lengths.plain,
        kinds=("number", "string", "array", "object"),
        examples=_LENGTH_EXAMPLES,
    )


class Workload(OptionRecord):
    """Requests to a system of any number of replicas.

    Lengths are `isl` and `osl`, or the `context` alone where sequences only decode. What is in
    flight is `concurrency` (of the whole system), `batch` (of one replica) or follows from `rate`.
    The arrival follows from these unless it is given.
    """

    isl: Annotated[Lengths | None, lengths_rule("isl")] = option(
        None,
        "Input tokens per request: a number (2k is 2000, 2Ki is 2048), a range (512:8k, or "
        "512:8k@mean=2k), or a file of lengths; a trace with both lengths gives the output, too.",
        "tokens",
    )
    osl: Annotated[Lengths | None, lengths_rule("osl")] = option(
        None,
        "Output tokens per request, in the forms of the input; the same trace for both keeps "
        "each request's lengths together.",
        "tokens",
    )
    trace: Annotated[
        LengthTrace | None,
        Value("a trace", LengthTrace.of, LengthTrace.plain, ("object", "string")),
    ] = option(
        None,
        "Input and output lengths of real requests, in pairs; follows from isl and osl where both "
        "are one trace.",
        "tokens",
        name=None,
    )
    context: Annotated[float | tuple[float, ...] | None, Numbers(CONTEXT_TOKENS)] = option(
        None,
        "Instead of isl and osl: sequences only decode, at this many cached tokens each; several "
        "values are an axis of the answer.",
        "tokens",
    )
    prefix_hit: Annotated[float, Number(0, 1)] = option(
        0.0, "Share of a request's input tokens that a prefix cache already holds."
    )
    drafts: Annotated[float, Number(0, 64)] = option(
        0.0, "Tokens drafted per sequence and step, to be verified by the model.", "tokens"
    )
    acceptance: Annotated[float | None, Number(0, 1)] = option(
        None,
        "Probability that a drafted token is accepted when those before it were; follows from what "
        "was measured on this model, or the nearest.",
    )
    expert_load_cv: Annotated[float, Number(0, 10)] = option(
        EXPERT_LOAD_CV,
        "How unevenly tokens choose experts: standard deviation over mean of an expert's load; 0 "
        "is even.",
    )
    arrival: Annotated[Arrival, Choice(get_args(Arrival))] = option(
        "closed",
        "How requests arrive: closed (a fixed number in flight), open (at a rate), offline (all "
        "queued at once) or fixed (a batch that starts together); follows from rate, concurrency "
        "and batch.",
    )
    concurrency: Annotated[float | tuple[float, ...] | None, Numbers(SEQUENCES)] = option(
        None,
        "Requests kept in flight in the whole system; several values are an axis of the answer.",
        "requests",
    )
    rate: Annotated[
        Rate | None,
        Value(
            "a rate", Rate.read, Rate.plain, ("number", "string"), ("40", "40 req/s", "12k tok/s")
        ),
    ] = option(
        None,
        "Rate at which requests arrive at the whole system: requests/s, or output tokens/s (12k "
        "tok/s).",
        "1/s",
    )
    batch: Annotated[float | tuple[float, ...] | None, Numbers(SEQUENCES)] = option(
        None,
        "Sequences in flight in one replica; several values are an axis of the answer.",
        "sequences",
    )
    n_requests: Annotated[int | None, Number(1, 10**12, whole=True)] = option(
        None, "Requests of the whole run, where it has an end.", "requests"
    )
    headroom: Annotated[float, Number(0, 0.95)] = option(
        DEFAULT_HEADROOM,
        "Share of the system's capacity that stays free when it is sized for a rate.",
    )
    limits: Limits = option(None, "Latencies that must be kept.", factory=Limits)

    # --- reading

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: object) -> object:
        """A trace's lengths, and the arrival that the load implies."""
        if not isinstance(data, Mapping):
            return data
        given = {name: value for name, value in data.items() if value is not None}
        return _with_arrival(_with_trace(given))

    @model_validator(mode="after")
    def _check(self) -> Self:
        for problem in (*_length_problems(self), *_arrival_problems(self)):
            raise ValueError(problem)
        if self.decode_only:
            for name in ("ttft", "e2e"):
                if name in self.limits.model_fields_set and getattr(self.limits, name):
                    raise ValueError(f"A limit on {name.upper()} needs isl and osl, not a context.")
            changed = self.limits.model_copy(update={"ttft": None, "e2e": None})
            object.__setattr__(self, "limits", changed)
        if self.arrival == "offline":
            # Nobody waits for a queue that is worked off: only limits that are stated count.
            stated = self.limits.model_fields_set
            usual = {name: None for name in type(self.limits).model_fields if name not in stated}
            object.__setattr__(self, "limits", self.limits.model_copy(update=usual))
        return self

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A trace says both lengths: they are not written twice."""
        written = write(self)
        unused = ("isl", "osl") if self.trace is not None else ("trace",)
        return {name: value for name, value in written.items() if name not in unused}

    # --- what follows

    @property
    def decode_only(self) -> bool:
        """Whether sequences only decode, at a given context, without requests."""
        return self.context is not None

    @property
    def has_lengths(self) -> bool:
        """Whether requests have lengths, so that prefill and TTFT have a meaning."""
        return self.isl is not None

    @property
    def rate_per_s(self) -> float | None:
        """Requests that arrive per second, of the whole system; None without a rate. [1/s]"""
        if self.rate is None or self.osl is None:
            return None
        return self.rate.requests_per_s(self.osl.mean)

    @property
    def output_tokens_per_s(self) -> float | None:
        """Output tokens that they ask for per second, of the whole system. [tokens/s]"""
        if self.rate_per_s is None or self.osl is None:
            return None
        return self.rate_per_s * self.osl.mean

    @property
    def utilization_target(self) -> float:
        """Share of its capacity at which a system is to run: what `headroom` leaves. [1]"""
        return 1 - self.headroom

    def with_default_lengths(self, *, decode_only: bool = False) -> Workload:
        """The same with the usual lengths, where none are given.

        Parameters
        ----------
        decode_only : bool   Take `DEFAULT_CONTEXT`, not `DEFAULT_ISL` and `DEFAULT_OSL`.

        Raises
        ------
        SpecError   Something that is given does not hold with them, such as a rate with a context.
        """
        if self.context is not None or self.isl is not None:
            return self
        lengths = {"context": DEFAULT_CONTEXT} if decode_only else {}
        lengths = lengths or {"isl": DEFAULT_ISL, "osl": DEFAULT_OSL}
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return Workload.parse(given | lengths)

    def pairs(self, k: int) -> LengthPairs:
        """Representative requests, for quadrature.

        Parameters
        ----------
        k : int   How many at most. [1]

        Returns
        -------
        LengthPairs   Their means are exactly those of `isl` and `osl`. Of a trace, clusters of its
                      requests; else every input with every output, as if they knew nothing of each
                      other.

        Raises
        ------
        SpecError   The workload has no lengths.
        """
        if self.isl is None or self.osl is None:
            raise SpecError("representative requests need isl and osl.")
        if self.trace is not None:
            return self.trace.pairs(k)
        if not (self.isl.is_fixed or self.osl.is_fixed):
            k = max(int(k**0.5), 1)
        isl, osl = np.meshgrid(self.isl.quantiles(k), self.osl.quantiles(k), indexing="ij")
        return LengthPairs(np.full(isl.size, 1 / isl.size), isl.ravel(), osl.ravel())


def _with_trace(given: dict[Any, Any]) -> dict[Any, Any]:
    """Where both lengths are of one trace, the trace; and its lengths."""
    isl, osl = given.get("isl"), given.get("osl")
    if isinstance(isl, LengthTrace):
        given = {**given, "trace": isl}
    elif isinstance(isl, str) and is_length_file(isl) and osl in (None, isl):
        from pathlib import Path  # noqa: PLC0415

        columns = read_columns(Path(isl.strip()))
        if {"isl", "osl"} <= set(columns):
            given = {**given, "trace": LengthTrace.of({**columns, "source": isl.strip()})}
    if "trace" not in given:
        return given
    trace = LengthTrace.of(given["trace"])
    if osl not in (None, isl) and Lengths.of(osl, "osl") != trace.lengths[1]:
        raise SpecError("isl is a trace of inputs and outputs, and osl is something else.")
    inputs, outputs = trace.lengths
    return {**given, "trace": trace, "isl": inputs, "osl": outputs}


def _with_arrival(given: dict[Any, Any]) -> dict[Any, Any]:
    if "arrival" in given:
        return given
    return {**given, "arrival": "open" if "rate" in given else "closed"}


def _length_problems(load: Workload) -> list[str]:
    """What does not hold together among the lengths."""
    found = []
    if load.context is not None and (load.isl is not None or load.osl is not None):
        found.append("Give either context, or isl and osl, not both.")
    elif (load.isl is None) != (load.osl is None):
        missing = "osl" if load.osl is None else "isl"
        found.append(f"isl and osl come together: give {missing}, too.")
    if load.prefix_hit and load.context is not None:
        found.append("prefix_hit is a share of a request's input: give isl and osl with it.")
    return found


def _arrival_problems(load: Workload) -> list[str]:
    """What does not hold together in how requests arrive."""
    given = [n for n in ("batch", "concurrency", "rate") if getattr(load, n) is not None]
    if len(given) > 1:
        return [
            f"Give one of {' and '.join(given)}: batch is of one replica, concurrency and rate are "
            "of the whole system."
        ]
    goes_with = {
        "closed": ("batch", "concurrency"), "open": ("rate",), "fixed": ("batch",), "offline": (),
    }[load.arrival]  # fmt: skip
    kind, taken = load.arrival.capitalize(), " or ".join(goes_with) or "all slots there are"
    found = [f"{kind} arrivals take {taken}, not {n}." for n in given if n not in goes_with]
    if load.arrival == "open" and not given:
        found.append("Open arrivals need a rate.")
    if load.decode_only and load.arrival in ("open", "offline"):
        found.append(f"{kind} arrivals are of requests: give isl and osl, not a context.")
    return found
