"""What a question chooses besides its workload: formats, engine, price, layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import model_validator

from ridgeline.errors import SpecError
from ridgeline.specs.chip import ComputeDtype
from ridgeline.specs.constants import EngineConstants
from ridgeline.specs.fields import Choice, Number, Text, Value, option, shown
from ridgeline.specs.layout import Layout
from ridgeline.specs.option_record import OptionRecord
from ridgeline.specs.price import PriceBasis
from ridgeline.specs.price_list import PriceList
from ridgeline.specs.ranges import CHIPS, USD_PER_CHIP_HOUR

__all__ = [
    "CONSTANTS", "EngineChoice", "FormatChoice", "LayoutChoice", "PriceChoice", "ReadingName",
]  # fmt: skip

ReadingName = Literal["calibrated", "ideal", "blackboard"]

_FORMAT = Text("the name of a number format, such as bf16 or fp8,")
_DEGREE = CHIPS
_CONSTANTS_TEXT = "the name of a TOML file that ridgeline calibrate wrote"


def _constants(value: object) -> str | EngineConstants:
    if isinstance(value, EngineConstants):
        return value
    if isinstance(value, Mapping):
        try:
            return EngineConstants.parse(value, "a record of them")
        except SpecError as error:
            raise SpecError(" ".join(line.strip() for line in str(error).splitlines())) from None
    if isinstance(value, str | Path) and str(value).strip():
        return str(value).strip()
    raise SpecError(f"{_CONSTANTS_TEXT} is expected, not {shown(value)}.")


def _plain_constants(value: str | EngineConstants) -> object:
    return value if isinstance(value, str) else value.model_dump(mode="json")


#: constants of whole engines or frameworks: a file's name, or the record
CONSTANTS = Value(
    _CONSTANTS_TEXT, _constants, _plain_constants, ("string", "object"), ("mine.toml",)
)


class FormatChoice(OptionRecord):
    """Number formats; None is what the model's checkpoint has."""

    weights: Annotated[str | None, _FORMAT] = option(
        None, "Format to store weights in: bf16, fp8, nvfp4, q4_k_m; the checkpoint's if not given."
    )
    kv: Annotated[str | None, _FORMAT] = option(
        None, "Format to store the KV cache in; the checkpoint's if not given."
    )
    activations: Annotated[str, _FORMAT] = option("bf16", "Format of hidden states.")
    compute: Annotated[ComputeDtype | None, Choice(get_args(ComputeDtype))] = option(
        None,
        "Arithmetic to run every GEMM in: bf16, fp8, fp4, int8; that of the weights if not given.",
    )


class EngineChoice(OptionRecord):
    """The serving engine and how it is set up; None is the engine's own default."""

    name: Annotated[str | None, Text("the name of an engine, such as vllm,")] = option(
        None,
        "Serving engine to model: vllm, sglang, tensorrt-llm, llama.cpp; current is the mean of "
        "the servers' newest. If not given, llama.cpp for GGUF weights and on chips where those do "
        "not run; else current.",
        name="engine",
    )
    version: Annotated[str, Text("a version, such as 0.9.1,", empty=True)] = option(
        "", "Release of the engine; the newest if not given.", name="engine_version"
    )
    memory_utilization: Annotated[float | None, Number(0, 1, above=True)] = option(
        None, "Share of a chip's memory that the engine may fill, usually 0.9."
    )
    max_sequences: Annotated[int | None, Number(1, 10**9, whole=True)] = option(
        None,
        "Most sequences in flight per attention-data-parallel rank (vLLM: --max-num-seqs).",
        "sequences",
    )
    token_budget: Annotated[int | None, Number(1, 10**9, whole=True)] = option(
        None,
        "Most new tokens per step, prompts' and others' (vLLM: --max-num-batched-tokens).",
        "tokens",
    )
    constants: Annotated[str | EngineConstants | None, CONSTANTS] = option(
        None,
        "Constants of whole engines of your own, in a TOML file as ridgeline calibrate writes it; "
        "those of the package if not given.",
    )


class PriceChoice(OptionRecord):
    """The price per chip-hour: as given, else the catalogue's."""

    usd_per_chip_hour: Annotated[float | None, USD_PER_CHIP_HOUR] = option(
        None,
        "Price of one chip for one hour, instead of the catalogue's.",
        "USD/h",
        name="price",
    )
    basis: Annotated[PriceBasis | None, Choice(get_args(PriceBasis))] = option(
        None,
        "Which prices to use; the most usual that there are, and that all machines have, if not "
        "given.",
    )
    prices: Annotated[
        PriceList | None,
        Value(
            PriceList.expected(), PriceList.of, PriceList.plain, ("string", "array", "object"),
            ("prices.toml",),
        ),
    ] = option(
        None, "Rents of your own, in a TOML file; they come before the catalogue's."
    )  # fmt: skip


class LayoutChoice(OptionRecord):
    """Degrees of parallelism and the number of chips, as far as they are fixed."""

    tp: Annotated[int | None, _DEGREE] = option(None, "Tensor parallel degree.", "chips")
    pp: Annotated[int | None, _DEGREE] = option(None, "Pipeline stages.", "stages")
    attn_dp: Annotated[int | None, _DEGREE] = option(
        None, "Attention data parallel degree.", "ranks"
    )
    ep: Annotated[int | None, _DEGREE] = option(
        None, "Chips over which the experts of a layer are spread.", "chips"
    )
    replicas: Annotated[int | None, _DEGREE] = option(None, "Copies of the model.", "replicas")
    chips: Annotated[
        int | Literal["fewest", "best"] | None,
        Choice(("fewest", "best"), CHIPS),
    ] = option(
        None,
        "Chips to use: a number, fewest (the smallest number that fits the model) or best (the "
        "number with the lowest cost per output token within the limits).",
        "chips",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        width = (self.attn_dp or 1) * (self.tp or 1)
        if self.ep is not None and self.is_given and width % self.ep:
            raise ValueError(f"ep ({self.ep}) must divide attn_dp x tp ({width}).")
        return self

    @property
    def is_given(self) -> bool:
        """Whether any degree is fixed; those that are not are then 1."""
        return any(v is not None for v in (self.tp, self.pp, self.attn_dp, self.ep, self.replicas))

    @property
    def layout(self) -> Layout | None:
        """The layout that the degrees make; None where none is fixed."""
        if not self.is_given:
            return None
        degrees = {n: getattr(self, n) or 1 for n in Layout.model_fields}
        return Layout(**degrees)
